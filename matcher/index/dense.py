"""Inner products under a filter: over all allowed rows, or over the nearest within a budget.

The score of a pair is one sum in a fixed order, whoever asks for it: float64, eight sums side by
side. Whatever chooses the rows (faiss, codes of one byte a component, tiles of BLAS) keeps everyone
who might be among the first k by its own error bound, and then the score decides. So rows and
scores are bit-equal whatever the threads, k, the other rows and the path through this room.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import faiss
import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from matcher.index.backend import frozen, native
from matcher.index.bitmap import Bitmap
from matcher.index.budget import Budget, Line
from matcher.index.lists import Lists
from matcher.index.quantised import Quantised, coarse_levels, fine_levels, rounded
from matcher.types import Hits, Rows, Scores, Vectors

_ROUNDING = 2e-6  # of a score in float32
_AT_ONCE = 4_096  # rows whose products are held
_BLOCK = 65_536  # rows that are widened to float64 at a time
_LANES = 8


@dataclass(frozen=True, slots=True, eq=False)
class Moments:
    """Mean (dim,) and covariance (dim, dim) of the rows, float64: what any query scores on them."""

    mean: NDArray[np.float64]
    covariance: NDArray[np.float64]

    @classmethod
    def of(cls, vectors: Vectors) -> "Moments":
        """The moments of some vectors, added up in one order whatever the threads."""
        size, dim = vectors.shape
        total, square = np.zeros(dim), np.zeros((dim, dim))
        with threadpool_limits(limits=1, user_api="blas"):
            for start in range(0, size, _BLOCK):
                wide = vectors[start : start + _BLOCK].astype(np.float64)
                total += wide.sum(axis=0)
                square += wide.T @ wide
        mean = total / max(1, size)
        return cls(mean, square / max(1, size) - np.outer(mean, mean))

    def of_scores(self, query: NDArray[np.float32]) -> tuple[float, float]:
        """Mean and deviation of a query's scores over all rows, in closed form: q·µ and √(qᵀΣq)."""
        wide = query.astype(np.float64)
        # einsum adds in a fixed order and knows no threads
        variance = np.einsum("i,ij,j->", wide, self.covariance, wide, optimize=False)
        return float(np.einsum("i,i->", wide, self.mean)), float(np.sqrt(max(0.0, variance)))


class DenseIndex:
    """The documents nearest to a query among the allowed ones; row i is document i.

    Vectors have unit length. Equal scores go by `lots`, numbers that favour nobody, then by row.
    """

    def __init__(
        self,
        vectors: Vectors,
        *,
        lots: NDArray[np.uint64] | None = None,
        codes: Quantised | None = None,
        lists: Lists | None = None,
        budget: Budget | None = None,
        moments: Moments | None = None,
    ) -> None:
        """Without `lists` and `budget` every search is exact; codes are for machine code."""
        size = len(vectors)
        self.vectors = frozen(np.ascontiguousarray(vectors, dtype=np.float32))
        self.lots = frozen(np.arange(size, dtype=np.uint64) if lots is None else lots)
        self.codes, self.lists, self.budget = codes, lists, budget
        self.moments = Moments.of(self.vectors) if moments is None else moments
        self._native = native(size) if codes is not None else None

    @classmethod
    def build(
        cls, vectors: Vectors, *, lots: NDArray[np.uint64] | None = None, lists: Lists | None = None
    ) -> "DenseIndex":
        """The index of vectors laid out in lists, or of so few that there are none."""
        codes = Quantised.of(vectors) if lists is not None else None
        return cls(vectors, lots=lots, codes=codes, lists=lists)

    def save(self, folder: Path) -> None:
        """Write the index into a new folder."""
        folder.mkdir()
        np.save(folder / "vectors.npy", self.vectors)
        np.save(folder / "lots.npy", self.lots)
        np.save(folder / "mean.npy", self.moments.mean)
        np.save(folder / "covariance.npy", self.moments.covariance)
        if self.codes is not None:
            self.codes.save(folder / "codes")
        if self.lists is not None:
            self.lists.save(folder / "lists")
        if self.budget is not None:
            (folder / "budget.json").write_text(json.dumps(self.budget.told(), indent=1))

    @classmethod
    def load(cls, folder: Path) -> "DenseIndex":
        """What `save` wrote: the arrays stay on the disk until a search touches them."""
        codes, lists, budget = folder / "codes", folder / "lists", folder / "budget.json"
        return cls(
            np.load(folder / "vectors.npy", mmap_mode="r"),
            lots=np.load(folder / "lots.npy", mmap_mode="r"),
            codes=Quantised.load(codes) if codes.exists() else None,
            lists=Lists.load(lists) if lists.exists() else None,
            budget=Budget.of(json.loads(budget.read_text())) if budget.exists() else None,
            moments=Moments(np.load(folder / "mean.npy"), np.load(folder / "covariance.npy")),
        )

    def search(
        self, query: NDArray[np.float32], k: int, allowed: Bitmap, *, exact: bool = False
    ) -> Hits:
        """The first k allowed rows for a query (dim,) of unit length; all, where fewer are allowed.

        Exact over all of them where `exact` is set, where they are few, or where the index has no
        budget; else exact over the lists that the budget reaches.

        Raises:
            ValueError: the filter is of another number of rows; nothing below looks for that.
        """
        if allowed.size != len(self.vectors):
            message = f"a filter of {allowed.size} rows for an index of {len(self.vectors)}"
            raise ValueError(message)
        eligible = len(allowed)
        k = min(k, eligible)
        if not k:
            return Hits.best_first("dense", np.zeros(0, np.int64), np.zeros(0))
        line = None if exact or not self.budget else self.budget.line(k, eligible)
        if line is None or self.lists is None:
            rows, scores = self._among_all(query, k, allowed)
        else:
            rows, scores = self._among_nearest(query, k, allowed, self.lists, line)
        return self.first(rows, scores, k)

    def first(self, rows: Rows, scores: Scores, k: int) -> Hits:
        """The first k of some rows by their scores, equals by lot."""
        order = np.lexsort((rows, self.lots[rows], -scores))[:k]
        return Hits(source="dense", rows=rows[order], scores=scores[order])

    def scores(self, query: NDArray[np.float32], rows: Rows) -> Scores:
        """The score of each of these rows, (len(rows),)."""
        wide = query.astype(np.float64)
        if self._native is not None:
            found: Scores = self._native.products(self.vectors, rows, wide)
            return found
        return _products(self.vectors, rows, wide)

    def _among_all(
        self, query: NDArray[np.float32], k: int, allowed: Bitmap
    ) -> tuple[Rows, Scores]:
        """The allowed rows that may be among the first k, with their scores."""
        if self._native is None or self.codes is None:
            return self._best(query, k, allowed.rows())
        asked = _asked(query, k, allowed, self.codes)
        found: tuple[Rows, Scores] = self._native.everyone(*asked, self.vectors)
        return found

    def _among_nearest(
        self, query: NDArray[np.float32], k: int, allowed: Bitmap, lists: Lists, line: Line
    ) -> tuple[Rows, Scores]:
        """The same, of the nearest lists: those that hold enough rows, and those within reach.

        A list is within reach whose centroid scores no less than the k-th row so far minus `reach`:
        easy queries stop early, hard ones go on.
        """
        eligible = len(allowed)
        first, most = line.first(k, eligible), line.last(k, eligible)
        order, near = lists.nearest_first(
            *rounded(query, coarse_levels(len(query))), machine=self._native
        )
        if self._native is not None and self.codes is not None:
            found: tuple[Rows, Scores] = self._native.nearest(
                *_asked(query, k, allowed, self.codes),
                self.vectors,
                *(order, near, lists.starts, first, np.float32(line.reach), most),
            )
            return found
        held = np.cumsum(lists.counts(allowed)[order])
        stop = int(np.searchsorted(held, first)) + 1
        rows, scores = self._best(query, k, lists.rows(allowed, order[:stop]))
        last = np.partition(scores, -k)[-k]
        within = np.searchsorted(-near, -(np.float32(last) - np.float32(line.reach)), side="right")
        until = min(int(within), int(np.searchsorted(held, most)) + 1)
        if until <= stop:
            return rows, scores
        more, others = self._best(query, k, lists.rows(allowed, order[stop:until]), last)
        return np.append(rows, more), np.append(scores, others)

    def _best(
        self, query: NDArray[np.float32], k: int, rows: Rows, least: float = -np.inf
    ) -> tuple[Rows, Scores]:
        """Those of these rows that may be among their first k and score `least`, with scores.

        faiss adds up in float32: whoever is within twice its error of the k-th is looked at again.
        """
        if len(rows) > k:
            nearly = np.empty(len(rows), dtype=np.float32)
            faiss.fvec_inner_products_by_idx(  # type: ignore[attr-defined]  # not in its stubs
                *map(faiss.swig_ptr, (nearly, query, self.vectors, rows)), len(query), 1, len(rows)
            )
            error = np.float32(rounding(len(query)))
            # The first lists set `least` so high that hardly any row of the others is left to sort.
            near = np.flatnonzero(nearly >= np.float32(least) - error)
            if len(near) > k:
                near = near[nearly[near] >= np.partition(nearly[near], -k)[-k] - 2 * error]
            rows = rows[near]
        return rows, self.scores(query, rows)


def rounding(dim: int) -> float:
    """How far a float32 sum over unit vectors may be off, whatever its order."""
    return (dim + 8) * 2.0**-24


def _asked(
    query: NDArray[np.float32], k: int, allowed: Bitmap, codes: Quantised
) -> tuple[object, ...]:
    """What both searches in machine code are told of a query, its filter and the codes."""
    wide = query.astype(np.float64)
    fine, scale = rounded(query, fine_levels(len(query)))
    lost = wide - fine * np.float64(scale)
    error = codes.error * _length(wide) + (1 + codes.error) * _length(lost) + _ROUNDING
    return (
        *(wide, fine.astype(np.int16), np.float32(scale), k, np.float32(error)),
        *(frozen(allowed.words), len(allowed), codes.codes, codes.scales),
    )


def _products(vectors: Vectors, rows: Rows, query: NDArray[np.float64]) -> Scores:
    """Inner products, (len(rows),): eight sums side by side, and those in pairs.

    A product of two float32 is exact in float64, so only the order of the sum is to be kept.
    """
    found = np.empty(len(rows))
    steps = -(-len(query) // _LANES)
    for start in range(0, len(rows), _AT_ONCE):
        some = rows[start : start + _AT_ONCE]
        terms = np.zeros((len(some), steps * _LANES))
        np.multiply(vectors[some], query, out=terms[:, : len(query)])
        # Steps first: numpy adds whole slabs one after the other, which is fast and in order.
        slabs = np.ascontiguousarray(terms.reshape(len(some), steps, _LANES).swapaxes(0, 1))
        a, b, c, d, e, f, g, h = np.add.reduce(slabs, axis=0).T
        found[start : start + _AT_ONCE] = ((a + e) + (c + g)) + ((b + f) + (d + h))
    return found


def _length(vector: NDArray[np.float64]) -> float:
    return float(np.sqrt(vector @ vector))
