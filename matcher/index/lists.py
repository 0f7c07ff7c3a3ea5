"""Rows in lists of near vectors, so that a search can look into the nearest lists first."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import ModuleType

import faiss
import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from matcher.index.backend import frozen
from matcher.index.bitmap import WORD, Bitmap, spread
from matcher.index.quantised import Quantised
from matcher.types import Rows, Vectors

LISTS_FROM = 20_000  # rows; fewer are all looked at within a millisecond
_PER_CENTROID = 64  # vectors that a centroid is trained on, at most
_ROUNDS = 10
_BLOCK = 16_384
_SEED = 20_261_122


@dataclass(frozen=True, eq=False)
class Lists:
    """List i holds the rows from `starts[i]` to `starts[i + 1]`, all nearest to centroid i."""

    centroids: Quantised
    starts: Rows  # (lists + 1,)

    def __post_init__(self) -> None:
        object.__setattr__(self, "starts", frozen(self.starts))

    @cached_property
    def _whole(self) -> NDArray[np.float32]:
        """The codes of the centroids as BLAS takes them."""
        return self.centroids.codes.astype(np.float32)

    def __len__(self) -> int:
        return len(self.starts) - 1

    def nearest_first(
        self,
        query: NDArray[np.float32],
        scale: NDArray[np.float32],
        machine: ModuleType | None = None,
    ) -> tuple[Rows, NDArray[np.float32]]:
        """The numbers of the lists, nearest to a coarse query first, equals by number; and scores.

        Whole numbers: BLAS and machine code add them up in any order to the same sum.
        """
        if machine is None:
            sums = self._whole @ query
        else:
            sums = machine.sums(self.centroids.codes, query.astype(np.int16))
        scores = sums * (self.centroids.scales * scale) + np.float32(0)  # no -0.0
        # One key for score and number: a plain sort of whole numbers takes a tenth of a stable one,
        # and all are sorted in less time than a heap gives a few hundred.
        bits = scores.view(np.int32).astype(np.int64)
        falling = np.where(bits < 0, bits & 0x7FFFFFFF, ~bits)
        order = np.sort(falling << 32 | np.arange(len(scores))) & 0xFFFFFFFF
        return order, scores[order]

    def counts(self, allowed: Bitmap) -> Rows:
        """How many allowed rows each list holds, (lists,)."""
        before = np.zeros(len(allowed.words) + 1, dtype=np.int64)
        np.cumsum(np.bitwise_count(allowed.words), out=before[1:])
        at, within = self.starts // WORD, (self.starts % WORD).astype(np.uint64)
        words = np.append(allowed.words, np.uint64(0))[at]
        below = before[at] + np.bitwise_count(words & ((np.uint64(1) << within) - np.uint64(1)))
        return np.diff(below)

    def rows(self, allowed: Bitmap, chosen: Rows) -> Rows:
        """The allowed rows of some lists, ascending within each list."""
        starts, stops = self.starts[chosen], self.starts[chosen + 1]
        starts, stops = starts[stops > starts], stops[stops > starts]
        first, sizes = starts // WORD, (stops - 1) // WORD - starts // WORD + 1
        ends = np.cumsum(sizes)
        places = np.arange(sizes.sum()) + np.repeat(first - (ends - sizes), sizes)
        words = allowed.words[places]
        # A list begins and ends within a word: the bits of its neighbours are cut off.
        words[ends - sizes] &= ~np.uint64(0) << (starts % WORD).astype(np.uint64)
        words[ends - 1] &= ~np.uint64(0) >> (WORD - 1 - (stops - 1) % WORD).astype(np.uint64)
        return spread(words, places)

    def save(self, folder: Path) -> None:
        """Write the lists into a new folder."""
        self.centroids.save(folder)
        np.save(folder / "starts.npy", self.starts)

    @classmethod
    def load(cls, folder: Path) -> "Lists":
        """The lists that `save` wrote."""
        return cls(Quantised.load(folder), np.load(folder / "starts.npy"))


@dataclass(frozen=True, slots=True, eq=False)
class Arrangement:
    """In which order to lay rows, and the lists that they form then."""

    order: Rows  # place → row as it was
    lists: Lists | None


def arrange(
    vectors: Vectors, headquarters: NDArray[np.uint8], goals: NDArray[np.uint32]
) -> Arrangement:
    """Rows by list, within a list by head office and goals: rows that pass a filter lie together.

    Few rows stay as they are, without lists. Spherical k-means over about 4·√n lists: at 200,000
    real rows the walk looked at 5,500 rows on average with 2·√n, 4,400 with 4·√n and 3,100 with
    8·√n, but to score the centroids then costs what that saves. One thread and a fixed seed: the
    same vectors give the same lists.
    """
    if len(vectors) < LISTS_FROM:
        return Arrangement(np.arange(len(vectors), dtype=np.int64), None)
    with threadpool_limits(limits=1):
        centroids = _train(vectors, min(len(vectors), round(4 * len(vectors) ** 0.5)))
        member = _nearest(vectors, centroids)
    order = np.lexsort((goals, headquarters, member)).astype(np.int64)
    starts = np.searchsorted(member[order], np.arange(len(centroids) + 1)).astype(np.int64)
    return Arrangement(order, Lists(Quantised.of(centroids), starts))


def _train(vectors: Vectors, count: int) -> Vectors:
    means = faiss.Kmeans(
        vectors.shape[1],
        count,
        niter=_ROUNDS,
        seed=_SEED,
        spherical=True,
        min_points_per_centroid=1,
        max_points_per_centroid=_PER_CENTROID,
    )
    means.train(np.ascontiguousarray(vectors))
    return np.asarray(means.centroids, dtype=np.float32)


def _nearest(vectors: Vectors, centroids: Vectors) -> Rows:
    """The nearest centroid of each vector."""
    member = np.empty(len(vectors), dtype=np.int64)
    for start in range(0, len(vectors), _BLOCK):
        some = slice(start, start + _BLOCK)
        member[some] = (vectors[some] @ centroids.T).argmax(axis=1)
    return member
