"""BM25 over the tokens of every document (bm25s, the Lucene variant)."""

import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from matcher.index.backend import frozen, native
from matcher.index.bitmap import Bitmap
from matcher.types import Hits, Rows, Scores

with warnings.catch_warnings():
    # In a notebook tqdm, which bm25s imports for bars that we do not show, asks for widgets.
    warnings.simplefilter("ignore")
    import bm25s


@dataclass(frozen=True, slots=True, eq=False)
class Everywhere:
    """What a query scores on every document, whatever a filter lets through."""

    source: str
    scores: Scores  # (documents,)
    mean: float
    deviation: float

    @classmethod
    def of(cls, source: str, scores: Scores) -> "Everywhere":
        """The scores with their mean and deviation; einsum adds up in a fixed order."""
        count = max(1, len(scores))
        mean = float(np.einsum("i->", scores)) / count
        variance = float(np.einsum("i,i->", scores, scores)) / count - mean**2
        return cls(source, scores, mean, max(0.0, variance) ** 0.5)

    def hits(self, rows: Rows) -> Hits:
        """The hits of some rows; mean and deviation are those over all documents."""
        return Hits.best_first(
            self.source, rows, self.scores[rows], mean=self.mean, deviation=self.deviation
        )


class LexicalIndex:
    """BM25 scores of documents for a query's tokens; row i is document i.

    Robertson and Zaragoza, The Probabilistic Relevance Framework (2009), with the idf of Lucene,
    which is never negative. A token counts as often as the query holds it. What a token adds to
    each document that holds it is worked out once, when the index is built.
    """

    def __init__(self, source: str, documents: int, bm25: bm25s.BM25 | None) -> None:
        self.source = source
        self.documents = documents
        # Without a BM25 no document holds a token.
        self._vocabulary: dict[str, int] = bm25.vocab_dict if bm25 else {}
        held = bm25.scores if bm25 else {"indptr": [0], "indices": [], "data": []}
        self._starts = frozen(np.asarray(held["indptr"], dtype=np.int64))  # (tokens + 1,)
        self._rows = frozen(np.asarray(held["indices"], dtype=np.int32))  # ascending for each token
        self._added = frozen(np.asarray(held["data"], dtype=np.float32))
        self._bm25 = bm25

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
        """The index that `save` wrote; what documents a token adds to is read when it is asked.

        An index without tokens does not know of how many `documents` it is.
        """
        if not any(folder.iterdir()):
            return cls(source, documents, None)
        bm25 = bm25s.BM25.load(folder, mmap=True, show_progress=False, verbosity=0)
        return cls(source, bm25.scores["num_docs"], bm25)

    def search(self, tokens: Sequence[str], k: int, allowed: Bitmap) -> Hits:
        """The first k allowed documents, equals by row; all, where fewer are allowed."""
        rows = allowed.rows()
        scores = self._scores(tokens)[rows]
        if 0 < k < len(rows):
            kept = scores >= np.partition(scores, -k)[-k]
            rows, scores = rows[kept], scores[kept]
        order = np.lexsort((rows, -scores))[:k]
        return Hits(source=self.source, rows=rows[order], scores=scores[order])

    def everywhere(self, tokens: Sequence[str]) -> Everywhere:
        """The score of every document."""
        return Everywhere.of(self.source, self._scores(tokens))

    def weighted(self, source: str, queries: Sequence[tuple[float, Sequence[str]]]) -> Everywhere:
        """The weighted sum of what several queries score, under a name of its own."""
        scores = np.zeros(self.documents)
        for weight, tokens in queries:
            self._add(weight, tokens, scores)
        return Everywhere.of(source, scores)

    def shared(self, tokens: Sequence[str], rows: Rows) -> NDArray[np.int64]:
        """How many different tokens of the query each of these documents holds, (len(rows),)."""
        counts = np.zeros(len(rows), dtype=np.int64)
        for token in self._known(tokens):
            holding = self._rows[self._starts[token] : self._starts[token + 1]]
            places = np.searchsorted(holding, rows)
            counts += holding[np.minimum(places, len(holding) - 1)] == rows
        return counts

    def frequency(self, token: str) -> int:
        """In how many documents the token stands."""
        at = self._vocabulary.get(token)
        return 0 if at is None else int(self._starts[at + 1] - self._starts[at])

    def _scores(self, tokens: Sequence[str]) -> Scores:
        scores = np.zeros(self.documents)
        self._add(1.0, tokens, scores)
        return scores

    def _add(self, weight: float, tokens: Sequence[str], scores: Scores) -> None:
        """Add what the tokens score to the scores, token by token in their order of appearance."""
        known = self._known(tokens)
        weights = [weight * times for times in known.values()]
        machine = native(len(scores))
        if machine is not None and known:
            machine.accumulate(
                self._starts,
                self._rows,
                self._added,
                np.array(list(known)),
                np.array(weights),
                scores,
            )
            return
        for token, factor in zip(known, weights, strict=True):
            some = slice(self._starts[token], self._starts[token + 1])
            scores[self._rows[some]] += factor * self._added[some].astype(np.float64)

    def _known(self, tokens: Sequence[str]) -> Counter[int]:
        """How often the query holds each token of the index."""
        return Counter(self._vocabulary[token] for token in tokens if token in self._vocabulary)
