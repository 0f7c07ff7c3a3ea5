"""Any sentence-transformers model as an encoder: from a folder, or by name."""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from matcher.embed.pieces import Piece, Tokens, count_pieces, encode_in_pieces, unit
from matcher.errors import MatcherError
from matcher.types import Advance, Vectors

# Models whose own configuration names no prompts, by a part of their name: (query, document).
_PROMPTS = {
    "multilingual-e5": ("query: ", "passage: "),
    "ruri-v3": ("検索クエリ: ", "検索文書: "),
}
_DOCUMENT_NAMES = ("document", "passage", "corpus")
_MODEL_FILES = {".safetensors", ".bin", ".json", ".txt", ".model", ".vocab"}
_LONGEST = 8192  # some tokenizers declare no limit at all


class SentenceEncoder:
    """An `Encoder` around a sentence-transformers model; the import alone takes 5–6 s.

    `name` is a folder, read without any network, or a model's name, downloaded where it is not
    there yet. Prompts are those of the model's configuration, or of a small table for well-known
    models without. On a CPU each inference holds one text, so that a vector cannot depend on its
    neighbours; on another device texts of equal token count. `threads` sets torch's threads for
    the whole process. Raises `MatcherError` when the model cannot be loaded, or torch is missing.
    """

    def __init__(self, name: str, threads: int | None = None) -> None:
        require_torch(f"モデル {name} を使う")
        import torch
        from sentence_transformers import SentenceTransformer

        if threads:
            torch.set_num_threads(threads)
        folder = Path(name).expanduser()
        is_folder = folder.is_dir()
        try:
            with quiet():
                self._model = SentenceTransformer(
                    str(folder) if is_folder else name, local_files_only=is_folder
                )
        except Exception as error:  # each loader and each network layer raises its own kind
            raise MatcherError(trouble(name, is_folder, error)) from error
        self._queries, self._documents = _prompts(folder.resolve().name, self._model.prompts)
        nothing = Piece(owner=0, text="", tokens=np.zeros(0, np.int32))
        self._dim: int = self._embed_queries([nothing]).shape[1]
        # Unpadded batches of eight are 1.3–2.5 times as fast as single texts on e5-small, but torch
        # chooses its kernels by batch size: on a small model their last bits differed.
        self._sizes = (1,) if self._model.device.type == "cpu" else (64, 8, 1)
        digest = digest_of(folder if is_folder else cached_folder(name))
        self._id = (
            f"{folder.resolve().name if is_folder else name} sha256={digest[:12]} "
            f"query={self._queries!r} document={self._documents!r} "
            f"precision={next(self._model.parameters()).dtype} device={self._model.device.type} "
            f"sentence-transformers={version('sentence-transformers')} torch={version('torch')}"
        )

    @property
    def id(self) -> str:
        """Model, hash of its files, prompts, precision, device and library versions."""
        return self._id

    @property
    def dim(self) -> int:
        """Length of a vector."""
        return self._dim

    def encode_queries(self, texts: Sequence[str], *, advance: Advance | None = None) -> Vectors:
        """A unit vector for each text with the model's query prompt, (len(texts), dim) float32."""
        return self._encode(texts, self._queries, self._embed_queries, advance)

    def encode_documents(self, texts: Sequence[str], *, advance: Advance | None = None) -> Vectors:
        """A unit vector for each text with its document prompt, (len(texts), dim) float32."""
        return self._encode(texts, self._documents, self._embed_documents, advance)

    def pieces(self, texts: Sequence[str]) -> list[int]:
        """How many pieces each text is read in behind the document prompt."""
        tokenise = partial(self._tokenise, self._documents)
        return count_pieces(texts, tokenise, self._limit(self._documents))

    def _encode(
        self,
        texts: Sequence[str],
        prompt: str,
        embed: Callable[[Sequence[Piece]], Vectors],
        advance: Advance | None,
    ) -> Vectors:
        return encode_in_pieces(
            texts,
            tokenise=partial(self._tokenise, prompt),
            limit=self._limit(prompt),
            embed=embed,
            dim=self._dim,
            sizes=self._sizes,
            advance=advance,
        )

    def _limit(self, prompt: str) -> int:
        """Tokens left so that a text is cut at the same places behind either prompt."""
        own, longest = (
            max(len(self._tokenise(each, "")) for each in prompts)
            for prompts in ((prompt,), (self._queries, self._documents))
        )
        declared = self._model.max_seq_length or self._model.tokenizer.model_max_length
        return min(declared, _LONGEST) - longest + own

    def _tokenise(self, prompt: str, text: str) -> Tokens:
        found = self._model.tokenizer(prompt + text, truncation=False, verbose=False)
        return np.array(found["input_ids"], np.int32)

    def _embed_queries(self, pieces: Sequence[Piece]) -> Vectors:
        texts = [piece.text for piece in pieces]
        found = self._model.encode_query(
            texts, prompt=self._queries, batch_size=len(texts), show_progress_bar=False
        )
        return unit(found.astype(np.float64))

    def _embed_documents(self, pieces: Sequence[Piece]) -> Vectors:
        texts = [piece.text for piece in pieces]
        found = self._model.encode_document(
            texts, prompt=self._documents, batch_size=len(texts), show_progress_bar=False
        )
        return unit(found.astype(np.float64))


def require_torch(purpose: str) -> None:
    """Nothing, where other models can be run. Raises MatcherError otherwise."""
    missing = [name for name in ("torch", "sentence_transformers") if find_spec(name) is None]
    if missing:
        raise MatcherError(
            f"{purpose}には torch と sentence-transformers が必要ですが、この環境には "
            f"{' と '.join(missing).replace('_', '-')} がありません。`pip install torch "
            "sentence-transformers`（閉域網では一式の with-torch.txt）で入れてください。"
            "同梱のモデル（bundled）は、このまま使えます。"
        )


@contextmanager
def quiet() -> Iterator[None]:
    """Loading without progress bars and reports in English on the user's terminal."""
    logging: Any = import_module("transformers.utils.logging")  # its functions carry no types
    verbosity, had_bar = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if had_bar:
            logging.enable_progress_bar()


def trouble(name: str, is_folder: bool, error: Exception) -> str:
    """What to say when a model cannot be loaded."""
    reason = (str(error).splitlines() or [type(error).__name__])[0]
    if is_folder:
        return (
            f"{name} をモデルとして読み込めません（{reason}）。"
            "sentence-transformers で保存したフォルダーを指定してください。"
        )
    return (
        f"モデル {name} を取得できません（{reason}）。名前とネットワーク接続を確認するか、"
        "取得済みのモデルのフォルダー、または bundled を指定してください。"
    )


def _prompts(name: str, declared: Mapping[str, str | None]) -> tuple[str, str]:
    """The query and the document prompt of a model."""
    documents = [declared.get(key) for key in _DOCUMENT_NAMES]
    query, document = declared.get("query") or "", next(filter(None, documents), "")
    if query or document:
        return query, document
    known = (pair for part, pair in _PROMPTS.items() if part in name.lower())
    return next(known, ("", ""))


def cached_folder(name: str) -> Path:
    """Where the files of a model that was loaded by name lie on this machine."""
    from huggingface_hub import try_to_load_from_cache

    for repository in (name, f"sentence-transformers/{name}"):
        found = try_to_load_from_cache(repository, "config.json")
        if isinstance(found, str):
            return Path(found).parent
    raise MatcherError(
        f"モデル {name} の保存場所が分かりません。"
        "フォルダーに保存し、そのフォルダーを指定してください。"
    )


def digest_of(folder: Path) -> str:
    """SHA-256 over names and contents of the files that make the model, in hex."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.suffix in _MODEL_FILES and path.is_file():
            digest.update(path.relative_to(folder).as_posix().encode() + b"\0")
            with path.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()
