"""An encoder and a reader with a memory, for what ranks the same texts again and again.

What they give is what the other gives, for a vector depends on its text alone and a probability on
its pair.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from matcher.types import Advance, Encoder, Reader, Scores, Vectors


class RememberingEncoder:
    """An encoder that encodes no text twice."""

    def __init__(self, encoder: Encoder) -> None:
        self.id, self.dim, self.pieces = encoder.id, encoder.dim, encoder.pieces
        self._encoder = encoder
        self._queries: dict[str, NDArray[np.float32]] = {}
        self._documents: dict[str, NDArray[np.float32]] = {}

    def encode_queries(self, texts: Sequence[str], *, advance: Advance | None = None) -> Vectors:
        """As the other gives them; `advance` is told nothing."""
        return self._recall(texts, self._queries, self._encoder.encode_queries)

    def encode_documents(self, texts: Sequence[str], *, advance: Advance | None = None) -> Vectors:
        """As the other gives them; `advance` is told nothing."""
        return self._recall(texts, self._documents, self._encoder.encode_documents)

    def _recall(
        self,
        texts: Sequence[str],
        known: dict[str, NDArray[np.float32]],
        encode: Callable[[Sequence[str]], Vectors],
    ) -> Vectors:
        fresh = sorted(set(texts) - known.keys())
        known |= zip(fresh, encode(fresh), strict=True)
        return np.array([known[one] for one in texts], np.float32).reshape(-1, self.dim)


class RememberingReader:
    """A reader that reads no pair twice."""

    def __init__(self, reader: Reader) -> None:
        self.id, self._reader = reader.id, reader
        self._known: dict[tuple[str, str], float] = {}

    def read(self, pairs: Sequence[tuple[str, str]], *, advance: Advance | None = None) -> Scores:
        """As the other reads them; `advance` is told nothing."""
        fresh = sorted(set(pairs) - self._known.keys())
        self._known |= zip(fresh, self._reader.read(fresh).tolist(), strict=True)
        return np.array([self._known[pair] for pair in pairs])
