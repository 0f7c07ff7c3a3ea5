import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from matcher.embed import load_encoder, load_reader, sentence
from matcher.errors import MatcherError

# The warnings of what sentence-transformers brings, none of them ours to mend.
pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning:torch.*",
    "ignore::DeprecationWarning:transformers.*",
    "ignore::DeprecationWarning:sentence_transformers.*",
)

LIMIT = 24
TEXTS = ["水道管が古い。", "空き家", "", "熊が出る。" * 12, "あ" * 50, "\ud800", "a\0b", "空き地"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A model of two layers and 32 dimensions, a token a character, prompts in its config."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from torch import manual_seed
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    characters = sorted({*"".join(TEXTS), *"問い: 文書", *"query"} - {"\ud800"})
    vocabulary = {token: at for at, token in enumerate([*special, *characters])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, "[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    parts = tmp_path_factory.mktemp("parts")
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        model_max_length=LIMIT,
    ).save_pretrained(parts)
    manual_seed(7)
    BertModel(
        BertConfig(
            vocab_size=len(vocabulary),
            hidden_size=32,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=64,
            max_position_embeddings=LIMIT,
        )
    ).save_pretrained(parts)
    model = SentenceTransformer(
        modules=[Transformer(str(parts)), Pooling(32)],
        prompts={"query": "問い: ", "document": "文書: "},
        device="cpu",
    )
    folder = tmp_path_factory.mktemp("model") / "tiny"
    model.save(str(folder))
    return folder


@pytest.fixture(scope="module")
def encoder(folder):
    return load_encoder(str(folder))


def test_vectors_are_float32_of_length_one(encoder):
    vectors = encoder.encode_documents(TEXTS)
    assert vectors.dtype == np.float32
    assert vectors.shape == (len(TEXTS), 32)
    assert encoder.dim == 32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)


def test_no_text_gives_no_rows(encoder):
    assert encoder.encode_queries([]).shape == (0, 32)
    assert encoder.encode_documents([]).shape == (0, 32)


def test_prompts_of_the_config_apply(encoder, folder):
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(folder), device="cpu", local_files_only=True)
    for name, prompt in (("encode_queries", "問い: "), ("encode_documents", "文書: ")):
        expected = model.encode([prompt + "空き家"], normalize_embeddings=True)
        np.testing.assert_allclose(getattr(encoder, name)(["空き家"]), expected, atol=1e-6)
        assert repr(prompt) in encoder.id


def test_batch_and_order_do_not_change_a_bit(encoder):
    alone = np.concatenate([encoder.encode_queries([text]) for text in TEXTS])
    order = np.random.default_rng(2).permutation(len(TEXTS))
    assert np.array_equal(encoder.encode_queries(TEXTS), alone)
    assert np.array_equal(encoder.encode_queries([TEXTS[at] for at in order]), alone[order])


def test_long_text_is_the_weighted_mean_of_its_pieces(encoder):
    part = "熊が出る。" * 3  # 15 tokens behind "文書: " (4) and between two marks: 21 of 24
    assert encoder.pieces([part, part + part, ""]) == [1, 2, 1]
    single = encoder.encode_documents([part])
    np.testing.assert_allclose(encoder.encode_documents([part + part]), single, atol=1e-6)


def test_advance_hears_of_each_text_once(encoder):
    heard = []
    encoder.encode_documents(TEXTS, advance=heard.append)
    assert sum(heard) == len(TEXTS)


def test_id_follows_the_files_and_not_the_place(encoder, folder, tmp_path):
    moved = tmp_path / "elsewhere" / "tiny"
    shutil.copytree(folder, moved)
    assert load_encoder(str(moved)).id == encoder.id
    config = json.loads((moved / "config.json").read_text())
    (moved / "config.json").write_text(json.dumps({**config, "layer_norm_eps": 1e-6}))
    assert load_encoder(str(moved)).id != encoder.id


@pytest.mark.parametrize(
    ("name", "query"),
    [("multilingual-e5-base", "query: "), ("ruri-v3-30m", "検索クエリ: "), ("other", "")],
)
def test_known_models_without_prompts_get_theirs(folder, tmp_path, name, query):
    named = tmp_path / name
    shutil.copytree(folder, named)
    path = named / "config_sentence_transformers.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "prompts": {}}))
    assert f"query={query!r}" in load_encoder(str(named)).id


def test_folder_is_read_without_a_network(folder, monkeypatch):
    asked = []
    monkeypatch.setattr(socket, "getaddrinfo", lambda *address, **_: asked.append(address))
    monkeypatch.setattr(socket.socket, "connect", lambda _, address: asked.append(address))
    load_encoder(str(folder), threads=1).encode_queries(["空き家"])
    assert asked == []


def test_model_fetched_earlier_loads_by_its_name(encoder, folder, tmp_path):
    commit = "c0ffee" * 6 + "1234"
    cached = tmp_path / "hub" / "models--example--tiny"
    shutil.copytree(folder, cached / "snapshots" / commit)
    (cached / "refs").mkdir()
    (cached / "refs" / "main").write_text(commit)
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "from matcher.embed import load_encoder as load\nprint(load('example/tiny').id)",
        ],
        env={**os.environ, "HF_HUB_CACHE": str(tmp_path / "hub"), "HF_HUB_OFFLINE": "1"},
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == f"example/{encoder.id}\n"


def test_missing_folder_is_said(tmp_path):
    with pytest.raises(MatcherError, match=r"missing がありません。.*modules\.json"):
        load_encoder(str(tmp_path / "missing"))


@pytest.mark.parametrize("name", ["./no-model", "~/no-model", "some/where/else", "no\\model"])
def test_what_looks_like_a_path_is_never_asked_for_by_name(name):
    with pytest.raises(MatcherError, match=r"フォルダー .* がありません"):
        load_encoder(name)


def test_folder_that_is_no_model_is_said(tmp_path):
    with pytest.raises(MatcherError, match=r"モデルのフォルダーではありません.*config\.json"):
        load_encoder(str(tmp_path))


def test_file_is_no_model(tmp_path):
    file = tmp_path / "model.bin"
    file.write_bytes(b"")
    with pytest.raises(MatcherError, match="モデルのフォルダーではありません"):
        load_encoder(str(file))


def test_damaged_model_is_said_in_one_sentence(folder, tmp_path):
    broken = tmp_path / "broken"
    shutil.copytree(folder, broken)
    (broken / "model.safetensors").write_bytes(b"nothing")
    with pytest.raises(MatcherError, match="壊れています") as caught:
        load_encoder(str(broken))
    assert "\n" not in str(caught.value)


def test_model_that_cannot_be_fetched_is_said_in_one_sentence(monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)  # as on a machine without a network
    with pytest.raises(MatcherError, match="example/no-such-model を取得できません") as caught:
        load_encoder("example/no-such-model")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("load", [load_encoder, load_reader])
@pytest.mark.parametrize("missing", ["torch", "sentence_transformers"])
def test_other_model_without_torch_is_refused_with_what_to_install(
    tmp_path, monkeypatch, tried, load, missing
):
    found = sentence.find_spec
    monkeypatch.setattr(
        sentence, "find_spec", lambda name: None if name == missing else found(name)
    )
    monkeypatch.chdir(tmp_path)
    Path("model").mkdir()
    Path("model/config.json").write_text("{}", encoding="utf-8")
    with pytest.raises(MatcherError) as caught:
        load("./model")
    told = str(caught.value)
    assert f"{missing.replace('_', '-')} がありません" in told
    assert "pip install torch sentence-transformers" in told
    assert "with-torch.txt" in told
    if (load, missing) == (load_encoder, "torch"):
        tried(7, "torch のない環境で --encoder に別のモデル", "始めずに終了 2", told)
