"""The bundled encoder: multilingual-e5-small from the packed weights, run by OpenVINO on the CPU.

No download, no torch, no unpacked copy on disk. With deltas it is the same model adapted to the
language of municipal problems and of those who solve them.
"""

import gc
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial

import numpy as np
from numpy.typing import NDArray

from matcher.embed.deltas import Deltas, Weights
from matcher.embed.graph import Engine, choose_precision, encoder_graph, engine_version
from matcher.embed.packed import PackedModel, packed_path
from matcher.embed.pieces import Piece, Tokens, count_pieces, encode_in_pieces, unit
from matcher.embed.tokenizer import build_tokenizer
from matcher.machine import usable_cores
from matcher.types import Advance, Precision, Vectors

MODEL_NAME = "multilingual-e5-small"
QUERY_PROMPT = "query: "
DOCUMENT_PROMPT = "passage: "


class BundledEncoder:
    """An `Encoder` that needs nothing but the installed packages; ready in about a second.

    `threads` texts are encoded at a time, by default as many as there are usable cores. `auto` is
    bf16 where the CPU computes in it, else f32: cosine between the two at least 0.9999, scores of
    the published cases up to 0.018 apart, rank 1 the same. The vectors do not depend on the batch,
    the order of the texts or `threads`. Raises `MatcherError` when the weights are missing or
    damaged, or when the deltas belong to other weights or to a reader.
    """

    def __init__(
        self,
        threads: int | None = None,
        precision: Precision = "auto",
        deltas: Deltas | None = None,
    ) -> None:
        self._threads = threads or usable_cores()
        if deltas is not None:
            deltas.require("encoder")
        weights = Weights(PackedModel(packed_path()), deltas)
        chosen = choose_precision(precision)
        self._id = (
            f"{MODEL_NAME} sha256={weights.packed.digest()[:12]}"
            f"{f' deltas={deltas.digest[:12]}' if deltas else ''} query={QUERY_PROMPT!r} "
            f"document={DOCUMENT_PROMPT!r} precision={chosen} openvino={engine_version()}"
        )
        # Building the tokenizer holds the interpreter's lock, compiling does not: 0.2 s less.
        with ThreadPoolExecutor(1) as aside:
            compiling = aside.submit(Engine, encoder_graph(weights), self._threads, chosen)
            self._reading = Reading(weights.packed)
            self._engine = compiling.result()
        self._dim = weights.shape.hidden_size
        self._longest = weights.shape.max_position_embeddings

    @property
    def id(self) -> str:
        """Model, hashes of its weights and deltas, prompts, precision and OpenVINO's version."""
        return self._id

    @property
    def dim(self) -> int:
        """384."""
        return self._dim

    def encode_queries(self, texts: Sequence[str], *, advance: Advance | None = None) -> Vectors:
        """A unit vector for each text behind `query: `, `(len(texts), 384)` float32."""
        return self._encode(texts, QUERY_PROMPT, advance)

    def encode_documents(self, texts: Sequence[str], *, advance: Advance | None = None) -> Vectors:
        """A unit vector for each text behind `passage: `, `(len(texts), 384)` float32."""
        return self._encode(texts, DOCUMENT_PROMPT, advance)

    def pieces(self, texts: Sequence[str]) -> list[int]:
        """How many pieces each text is read in, the same on both sides; 1 up to 512 tokens."""
        tokenise = partial(self._tokenise, DOCUMENT_PROMPT)
        return count_pieces(texts, tokenise, self._limit(DOCUMENT_PROMPT))

    def _encode(self, texts: Sequence[str], prompt: str, advance: Advance | None) -> Vectors:
        return encode_in_pieces(
            texts,
            tokenise=partial(self._tokenise, prompt),
            limit=self._limit(prompt),
            embed=self._embed,
            dim=self.dim,
            threads=self._threads,
            advance=advance,
        )

    def _limit(self, prompt: str) -> int:
        """Tokens left so that a text is cut at the same places behind either prompt."""
        longest = max(len(self._tokenise(each, "")) for each in (QUERY_PROMPT, DOCUMENT_PROMPT))
        return self._longest - longest + len(self._tokenise(prompt, ""))

    def _tokenise(self, prompt: str, text: str) -> Tokens:
        return self._reading.tokens(prompt + text)

    def _embed(self, pieces: Sequence[Piece]) -> Vectors:
        words = self._reading.vectors(np.stack([piece.tokens for piece in pieces]))
        (pooled,) = self._engine.infer([words])
        return unit(pooled.astype(np.float64))


class Reading:
    """How the bundled model reads: texts to tokens, tokens to the vectors of their words."""

    def __init__(self, packed: PackedModel) -> None:
        with _no_collection():
            self._tokenizer = build_tokenizer(packed.pieces())
        self._packed = packed
        hidden = packed.shape.hidden_size
        # All tokens are of type 0.
        places = packed.tensor("emb.pos").reshape(-1, hidden)
        self._places: NDArray[np.float32] = places + packed.tensor("emb.type")[:hidden]

    def tokens(self, text: str) -> Tokens:
        """The ids of a text's tokens between `<s>` and `</s>`, int32."""
        return np.array(self._tokenizer.encode(text).ids, np.int32)

    def vectors(self, tokens: Tokens) -> NDArray[np.float32]:
        """Word and position vectors, `tokens.shape + (384,)`; at most 512 tokens."""
        rows = self._packed.embedding_rows(tokens)
        rows += self._places[: tokens.shape[-1]]
        return rows


@contextmanager
def _no_collection() -> Iterator[None]:
    """No garbage collection meanwhile: over 250,000 pieces it takes 0.2 s and finds nothing."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
