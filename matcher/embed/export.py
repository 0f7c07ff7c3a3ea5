"""The bundled weights as a folder for sentence-transformers: the road to GPUs and training."""

import json
import shutil
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from matcher.embed.bundled import DOCUMENT_PROMPT, QUERY_PROMPT
from matcher.embed.deltas import Deltas, Weights
from matcher.embed.packed import PackedModel, Pieces, Shape, packed_path
from matcher.embed.tokenizer import build_tokenizer
from matcher.errors import MatcherError

# Packed name → the name in a BertModel, for the tensors of a layer.
_LAYER_NAMES = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense",
    "fo": "output.dense",
    "oln": "output.LayerNorm",
}


def export_encoder(folder: Path, deltas: Deltas | None = None) -> Path:
    """`folder`, now holding the bundled encoder in float32 (470 MB) with tokenizer and prompts.

    The weights are those that were published, or with deltas the adapted ones.
    It is written beside its place and moved there when it is whole. Raises `MatcherError` when
    something else stands there: an empty folder may, nothing is ever replaced.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise MatcherError(
            f"書き出し先 {folder} は空ではありません。"
            "まだ無いフォルダーか空のフォルダーを指定してください。"
        )
    weights = Weights(PackedModel(packed_path()), deltas)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as beside:
        whole = Path(beside) / "model"
        whole.mkdir()
        _write(weights, whole)
        if folder.exists():
            folder.rmdir()
        shutil.move(whole, folder)
    return folder


def _write(weights: Weights, folder: Path) -> None:
    from safetensors.numpy import save_file

    pieces = weights.packed.pieces()
    path = folder / "model.safetensors"
    save_file(_weights(weights), path, metadata={"format": "pt"})
    path.chmod(0o644)  # the library writes for the owner alone
    build_tokenizer(pieces).save(str(folder / "tokenizer.json"))
    for name, content in _configs(weights.shape, pieces).items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(content, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


def _weights(source: Weights) -> dict[str, NDArray[np.float32]]:
    """Every tensor under its name in a Hugging Face BertModel."""
    shape = source.shape
    hidden = shape.hidden_size
    every_row = np.arange(shape.vocab_size, dtype=np.int32)
    weights = {
        "embeddings.word_embeddings.weight": source.packed.embedding_rows(every_row),
        "embeddings.position_embeddings.weight": source.tensor("emb.pos").reshape(-1, hidden),
        "embeddings.token_type_embeddings.weight": source.tensor("emb.type").reshape(-1, hidden),
        "embeddings.LayerNorm.weight": source.tensor("emb.ln.w"),
        "embeddings.LayerNorm.bias": source.tensor("emb.ln.b"),
    }
    for layer in range(shape.num_hidden_layers):
        for short, long in _LAYER_NAMES.items():
            bias = source.tensor(f"l{layer}.{short}.b")
            weight = source.tensor(f"l{layer}.{short}.w")
            is_matrix = len(weight) > len(bias)
            name = f"encoder.layer.{layer}.{long}"
            weights[f"{name}.weight"] = weight.reshape(len(bias), -1) if is_matrix else weight
            weights[f"{name}.bias"] = bias
    # Mean pooling never reads the pooler, but a loader would draw a missing one at random.
    weights["pooler.dense.weight"] = np.zeros((hidden, hidden), np.float32)
    weights["pooler.dense.bias"] = np.zeros(hidden, np.float32)
    return weights


def _configs(shape: Shape, pieces: Pieces) -> dict[str, object]:
    """File name → what its JSON says."""
    bos, eos, pad, unk = (
        pieces.vocabulary[at][0] for at in (pieces.bos, pieces.eos, pieces.pad, pieces.unk)
    )
    special = {
        "bos_token": bos,
        "eos_token": eos,
        "unk_token": unk,
        "sep_token": eos,
        "pad_token": pad,
        "cls_token": bos,
        "mask_token": "<mask>",
    }
    return {
        "config.json": _model_config(shape, pieces),
        "tokenizer_config.json": {
            **special,
            "tokenizer_class": "PreTrainedTokenizerFast",
            "model_max_length": shape.max_position_embeddings,
            "clean_up_tokenization_spaces": False,
        },
        "special_tokens_map.json": special,
        "modules.json": _modules(),
        "1_Pooling/config.json": {
            "word_embedding_dimension": shape.hidden_size,
            "pooling_mode_cls_token": False,
            "pooling_mode_mean_tokens": True,
            "pooling_mode_max_tokens": False,
            "pooling_mode_mean_sqrt_len_tokens": False,
        },
        "2_Normalize/config.json": {},
        "sentence_bert_config.json": {
            "max_seq_length": shape.max_position_embeddings,
            "do_lower_case": False,
        },
        "config_sentence_transformers.json": {
            "prompts": {"query": QUERY_PROMPT, "document": DOCUMENT_PROMPT},
            "default_prompt_name": None,
            "similarity_fn_name": "cosine",
        },
    }


def _model_config(shape: Shape, pieces: Pieces) -> dict[str, object]:
    return {
        "architectures": ["BertModel"],
        "model_type": "bert",
        "hidden_act": "gelu",
        "hidden_size": shape.hidden_size,
        "num_hidden_layers": shape.num_hidden_layers,
        "num_attention_heads": shape.num_attention_heads,
        "intermediate_size": shape.intermediate_size,
        "vocab_size": shape.vocab_size,
        "max_position_embeddings": shape.max_position_embeddings,
        "type_vocab_size": shape.type_vocab_size,
        "layer_norm_eps": shape.layer_norm_eps,
        "hidden_dropout_prob": 0.1,
        "attention_probs_dropout_prob": 0.1,
        "initializer_range": 0.02,
        "pad_token_id": pieces.pad,
        "bos_token_id": pieces.bos,
        "eos_token_id": pieces.eos,
        "torch_dtype": "float32",
    }


def _modules() -> list[dict[str, object]]:
    kinds = [("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Normalize", "Normalize")]
    return [
        {
            "idx": at,
            "name": str(at),
            "path": path,
            "type": f"sentence_transformers.models.{kind}",
        }
        for at, (path, kind) in enumerate(kinds)
    ]
