"""BM25 over the tokens of every document (bm25s, the Lucene variant)."""

import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from matcher.types import Hits, Rows, Scores

with warnings.catch_warnings():
    # In a notebook tqdm, which bm25s imports for bars that we do not show, asks for widgets.
    warnings.simplefilter("ignore")
    import bm25s


class LexicalIndex:
    """BM25 scores of documents for a query's tokens; row i is document i.

    Robertson and Zaragoza, The Probabilistic Relevance Framework (2009), with the idf of Lucene,
    which is never negative. A token counts as often as the query holds it.
    """

    def __init__(self, source: str, documents: int, bm25: bm25s.BM25 | None) -> None:
        self.source = source
        self._documents = documents
        self._bm25 = bm25  # None: no document holds a token

    @classmethod
    def build(
        cls, source: str, documents: Sequence[Sequence[str]], *, k1: float = 1.2, b: float = 0.75
    ) -> "LexicalIndex":
        """The index of tokenised documents."""
        # Sorted, because bm25s numbers tokens in the order of a set, which changes per process.
        vocabulary = {token: i for i, token in enumerate(sorted({t for d in documents for t in d}))}
        if not vocabulary:
            return cls(source, len(documents), None)
        bm25 = bm25s.BM25(k1=k1, b=b, method="lucene")
        ids = [[vocabulary[token] for token in document] for document in documents]
        bm25.index((ids, vocabulary), create_empty_token=False, show_progress=False)
        return cls(source, len(documents), bm25)

    def save(self, folder: Path) -> None:
        """Write the index into a new folder."""
        folder.mkdir()
        if self._bm25 is not None:
            self._bm25.save(folder, show_progress=False)

    @classmethod
    def load(cls, source: str, documents: int, folder: Path) -> "LexicalIndex":
        """The index that `save` wrote."""
        saved = any(folder.iterdir())
        bm25 = bm25s.BM25.load(folder, show_progress=False, verbosity=0) if saved else None
        return cls(source, documents, bm25)

    def search(self, tokens: Sequence[str], allowed: Rows) -> Hits:
        """Hits for every allowed row; mean and deviation over all documents."""
        return self._hits(self.source, self._scores(tokens), allowed)

    def search_weighted(
        self, source: str, queries: Sequence[tuple[float, Sequence[str]]], allowed: Rows
    ) -> Hits:
        """Hits by the weighted sum of the scores of several queries, under a name of their own."""
        scores = np.zeros(self._documents)
        for weight, tokens in queries:
            scores += weight * self._scores(tokens)
        return self._hits(source, scores, allowed)

    @staticmethod
    def _hits(source: str, scores: Scores, allowed: Rows) -> Hits:
        return Hits.best_first(
            source,
            allowed,
            scores[allowed],
            mean=float(scores.mean()) if len(scores) else 0.0,
            deviation=float(scores.std()) if len(scores) else 0.0,
        )

    def shared(self, tokens: Sequence[str]) -> NDArray[np.int64]:
        """How many different tokens of the query each document holds, (documents,)."""
        counts = np.zeros(self._documents, dtype=np.int64)
        if self._bm25 is None:
            return counts
        indptr, indices = self._bm25.scores["indptr"], self._bm25.scores["indices"]
        for token in set(self._known(tokens)):
            counts[indices[indptr[token] : indptr[token + 1]]] += 1
        return counts

    def frequency(self, token: str) -> int:
        """In how many documents the token stands."""
        if self._bm25 is None or token not in self._bm25.vocab_dict:
            return 0
        at = self._bm25.vocab_dict[token]
        indptr = self._bm25.scores["indptr"]
        return int(indptr[at + 1] - indptr[at])

    def _scores(self, tokens: Sequence[str]) -> Scores:
        known = self._known(tokens)
        if self._bm25 is None or not known:
            return np.zeros(self._documents)
        return np.asarray(self._bm25.get_scores(known), dtype=np.float64)

    def _known(self, tokens: Sequence[str]) -> list[int]:
        vocabulary = self._bm25.vocab_dict if self._bm25 is not None else {}
        return [vocabulary[token] for token in tokens if token in vocabulary]
