"""A budget found out on the corpus itself: the cheapest walk that keeps its recall."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial, reduce
from itertools import cycle, islice, pairwise, product
from operator import and_, or_

import numpy as np
from numpy.typing import NDArray

from matcher.index.bitmap import Bitmap
from matcher.index.budget import FEW, Band, Budget, Line
from matcher.index.dense import DenseIndex
from matcher.index.facets import Facets
from matcher.index.lists import Lists
from matcher.index.quantised import coarse_levels, rounded
from matcher.types import Rows, Vectors

_KS = (10, 100, 1_000)
_SHARES = (0.0, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0)  # the bands
_POOL = 2_000  # filters that are counted, to have enough in every band
_BASES = (100, 200, 400, 800, 1_600)
_SLOPES = (0.0, 1.0, 2.0, 4.0)
_REACHES = tuple(round(0.01 * step, 2) for step in range(-10, 41))
_MOSTS = (10.0, 40.0)

# What is asked of the sample, a little above what is promised of every other query.
_RECALL, _RECALL_OF_BAND, _RECALL_OF_WORST = 0.993, 0.989, 0.9
_WORST = 0.01


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """What an exact search says of the lists that a walk would come to, the nearest first."""

    eligible: int
    share: float  # of the corpus that the filter lets through
    near: NDArray[np.float32]  # (lists,) scores of centroids, descending
    held: Rows  # (lists,) allowed rows in the lists so far
    places: Rows  # (k,) the list that holds each of the first k rows
    early: NDArray[np.float64]  # scores of the rows that a walk comes to first, in its order

    def until(self, line: Line) -> int:
        """How many lists a walk by this line looks into."""
        k = len(self.places)
        stop = int(np.searchsorted(self.held, line.first(k, self.eligible))) + 1
        seen = self.early[: self.held[stop - 1]]
        least = np.float32(np.partition(seen, -k)[-k]) - np.float32(line.reach)
        within = int(np.searchsorted(-self.near, -least, side="right"))
        last = int(np.searchsorted(self.held, line.last(k, self.eligible))) + 1
        return max(stop, min(within, last, len(self.near)))


def calibrate(index: DenseIndex, facets: Facets, queries: Vectors, seed: int = 0) -> Budget:
    """The budget of an index with lists, by queries (n, dim) that are like those to come.

    Each query meets a filter as issues pose them (a prefecture, any or all of some goals), the
    bands of selectivity in turn. Where no walk is good enough there is no line, and search stays
    exact.
    """
    if index.lists is None:
        return Budget(())
    rng = np.random.default_rng(seed)
    filters = _filters(facets, len(index.vectors), len(queries), rng)
    asked = list(zip(queries, filters, strict=False))
    lines = (
        _line(k, [_trial(index, index.lists, query, k, allowed) for query, allowed in asked])
        for k in _KS
    )
    return Budget(tuple(line for line in lines if line is not None))


def _filters(facets: Facets, size: int, count: int, rng: np.random.Generator) -> list[Bitmap]:
    """So many filters that are searched by lists, the bands of selectivity in turn.

    None where the corpus is so small, or its facets such, that there are none.
    """
    pool = [_filter(facets, rng) for _ in range(_POOL)]
    wide = [one for one in pool if len(one) > FEW]
    bands = [
        [one for one in wide if low < len(one) / size <= high] for low, high in pairwise(_SHARES)
    ]
    turns = cycle(band for band in bands if band) if wide else iter(())
    return [band[rng.integers(len(band))] for band in islice(turns, count)]


def _filter(facets: Facets, rng: np.random.Generator) -> Bitmap:
    """A prefecture served or sat in, and any or all of up to four goals."""
    prefecture = int(rng.integers(1, 48))
    kind = rng.integers(4)
    region = (facets.serves, facets.serves, facets.block, facets.office)[kind](prefecture)
    goals = [facets.goal(int(one)) for one in 1 + rng.permutation(17)[: rng.integers(5)]]
    if not goals:
        return region
    return region & reduce(or_ if rng.random() < 0.5 else and_, goals)


def _trial(
    index: DenseIndex, lists: Lists, query: NDArray[np.float32], k: int, allowed: Bitmap
) -> Trial:
    found = index.search(query, k, allowed, exact=True).rows
    order, near = lists.nearest_first(*rounded(query, coarse_levels(len(query))))
    held = np.cumsum(lists.counts(allowed)[order])
    place = np.argsort(order)
    most = max(_BASES) + max(_SLOPES) * len(allowed) ** 0.5
    early = lists.rows(allowed, order[: int(np.searchsorted(held, max(k, most))) + 1])
    return Trial(
        eligible=len(allowed),
        share=len(allowed) / len(index.vectors),
        near=near,
        held=held,
        places=place[np.searchsorted(lists.starts, found, side="right") - 1],
        early=index.scores(query, early),
    )


def _line(k: int, trials: Sequence[Trial]) -> Line | None:
    """The line that looks at the fewest rows and is good enough; None where none is."""
    found: list[tuple[float, Line]] = []
    for base, slope, most in product(_BASES, _SLOPES, _MOSTS) if trials else ():
        lines = [partial(_tried, trials, k, base, slope, most, reach) for reach in _REACHES]
        # Recall grows with the reach: the first that is good enough.
        at = bisect_left(lines, True, key=lambda tried: _is_good(tried()[1]))
        if at < len(lines):
            found.append(lines[at]())
    return min(found, key=lambda one: one[0])[1] if found else None


def _tried(
    trials: Sequence[Trial], k: int, base: float, slope: float, most: float, reach: float
) -> tuple[float, Line]:
    """The rows that a line looks at on average, and the line with its recall."""
    line = Line(k=k, base=base, slope=slope, reach=reach, most=most, recall=0, worst=0, bands=())
    until = np.array([trial.until(line) for trial in trials])
    looked_at = np.array([trial.held[at - 1] for trial, at in zip(trials, until, strict=True)])
    recall = np.array([(one.places < at).mean() for one, at in zip(trials, until, strict=True)])
    shares = np.array([trial.share for trial in trials])
    bands = tuple(
        Band(low, high, int(within.sum()), *_told(recall[within]))
        for low, high in pairwise(_SHARES)
        if (within := (low < shares) & (shares <= high)).any()
    )
    mean, worst = _told(recall)
    return float(looked_at.mean()), replace(line, recall=mean, worst=worst, bands=bands)


def _told(recall: NDArray[np.float64]) -> tuple[float, float]:
    """Mean, and what 99 of 100 queries reach; four decimals."""
    worst = np.quantile(recall, _WORST, method="lower")
    return round(float(recall.mean()), 4), round(float(worst), 4)


def _is_good(line: Line) -> bool:
    return (
        line.recall >= _RECALL
        and line.worst >= _RECALL_OF_WORST
        and all(band.recall >= _RECALL_OF_BAND for band in line.bands)
    )
