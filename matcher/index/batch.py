"""Many queries at once, over every row that each allows: tiles of BLAS, threshold first.

Queries that ask for the same region meet the same rows, in tiles that are multiplied at once. A
tile's scores are compared with each query's k-th so far, and only the few above it meet the rest
of the filter. Tiles are spread over their rows, so that the first of them tells nearly where the
k-th lies. What comes out is what `DenseIndex.search` gives with `exact`, bit for bit.
"""

from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from queue import SimpleQueue

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from matcher.index.backend import native
from matcher.index.dense import DenseIndex, rounding
from matcher.index.facets import Cell, Facets
from matcher.types import Advance, Constraint, Hits, Rows, Vectors

MEMORY = 2**25  # bytes for tiles and their scores: more would leave the cache
_QUERIES = 512  # of a tile at a time
# To fetch a row costs as much as to multiply it with 40 queries, and products of few queries are
# slow: at 10,000 issues × a million companies 20 took 7.9 s, 40 7.3, 80 6.7 and 160 6.5.
_GATHERED = 100
_PAIRS = 2**26  # of a task, about

Bits = NDArray[np.uint32]


@dataclass(frozen=True, slots=True, eq=False)
class _Task:
    """Some rows of a cell, and the queries that meet them."""

    rows: Rows
    queries: Rows
    goal: int  # all rows pursue it, and who wants any of several meets a row in one task; 0: none
    pairs: int


def search(
    index: DenseIndex,
    facets: Facets,
    queries: Vectors,
    constraints: Sequence[Constraint],
    k: int,
    *,
    memory: int = MEMORY,
    threads: int = 1,
    advance: Advance | None = None,
) -> list[Hits]:
    """The first k allowed rows of each query, as `DenseIndex.search` finds them one by one.

    `memory` bounds the tiles of all threads; `advance` is told of hundredths of the work.
    """
    k = min(k, len(index.vectors))
    if not k:
        return [index.first(np.zeros(0, np.int64), np.zeros(0), 0) for _ in queries]
    asked = _Asked.of(constraints)
    tasks = _tasks(facets, constraints, asked)
    height = max(256, memory // threads // (4 * (index.vectors.shape[1] + 2 * _QUERIES)))
    sieves: SimpleQueue[_Sieve] = SimpleQueue()
    for _ in range(threads):
        sieves.put(_Sieve(index.vectors, queries, facets.goals, asked, k))

    def run(task: _Task) -> int:
        sieve = sieves.get()
        for at in range(steps := -(-len(task.rows) // height)):
            sieve.pour(task.rows[at::steps], task)
        sieves.put(sieve)
        return task.pairs

    whole, done = sum(task.pairs for task in tasks), 0
    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(threads) as pool:
        for pairs in pool.map(run, tasks):
            if advance:
                advance(100 * (done + pairs) // whole - 100 * done // whole)
            done += pairs
    return _hits(index, queries, k, [sieves.get() for _ in range(threads)])


def pairs(facets: Facets, constraints: Sequence[Constraint]) -> int:
    """How many pairs of query and row `search` multiplies, of all that there are."""
    return sum(task.pairs for task in _tasks(facets, constraints, _Asked.of(constraints)))


@dataclass(frozen=True, slots=True, eq=False)
class _Asked:
    """What each query wants of a row's goals; who wants none wants all of no goals."""

    goals: NDArray[np.uint32]  # (queries,) bit g for goal g
    is_all: NDArray[np.bool_]

    @classmethod
    def of(cls, constraints: Sequence[Constraint]) -> "_Asked":
        limits = [
            one.sdgs if one.sdg_rule in ("any", "all") else frozenset() for one in constraints
        ]
        return cls(
            np.array([sum(1 << goal for goal in goals) for goals in limits], dtype=np.uint32),
            np.array([one.sdg_rule != "any" or not one.sdgs for one in constraints], dtype=bool),
        )

    def allow(self, queries: Rows, goals: NDArray[np.uint32], goal: int) -> NDArray[np.bool_]:
        """Whether rows with these goals, which all pursue `goal`, are for these queries to take."""
        wanted = self.goals[queries]
        shared = goals & wanted
        first = shared & (~shared + np.uint32(1))
        any_of = (first == np.uint32(1 << goal)) if goal else (shared > 0)
        return np.where(self.is_all[queries], shared == wanted, any_of)


def _tasks(facets: Facets, constraints: Sequence[Constraint], asked: _Asked) -> list[_Task]:
    """The rows that each query has to meet, each once, in the cheapest parts; large tasks first."""
    inside: dict[Cell, list[int]] = defaultdict(list)
    for query, constraint in enumerate(constraints):
        for cell in facets.cells(constraint):
            inside[cell].append(query)
    tasks: list[_Task] = []
    for cell, queries in inside.items():
        members = facets.members(cell)
        sliced: dict[int, list[int]] = defaultdict(list)
        parts = [members, *(members & facets.goal(goal) for goal in range(1, 18))]
        sizes = np.array([len(part) for part in parts])
        for query in queries:
            for goal in _goals_to_visit(int(asked.goals[query]), bool(asked.is_all[query]), sizes):
                sliced[goal].append(query)
        cost = sum(sizes[goal] * (_GATHERED + len(some)) for goal, some in sliced.items())
        if cost >= sizes[0] * (_GATHERED + len(queries)):
            sliced = {0: queries}
        for goal, some in sliced.items():
            tasks += _split(parts[goal].rows(), np.array(some), goal)
    return sorted(tasks, key=lambda task: -task.pairs)


def _goals_to_visit(wanted: int, is_all: bool, sizes: Rows) -> list[int]:
    """The slices in which a query finds all it may have: its goals', its rarest's, or the cell."""
    goals = [goal for goal in range(1, 18) if wanted >> goal & 1]
    if is_all:
        return [min(goals, key=lambda goal: int(sizes[goal]))] if goals else [0]
    return goals if sizes[goals].sum() < sizes[0] else [0]


def _split(rows: Rows, queries: Rows, goal: int) -> list[_Task]:
    """Tasks of like size, so that threads end together; rows are dealt out in turn."""
    parts = max(1, min(len(rows) // 4_096, len(rows) * len(queries) // _PAIRS))
    shares = [rows[at::parts] for at in range(parts)] if len(rows) else []
    return [_Task(share, queries, goal, len(share) * len(queries)) for share in shares]


class _Sieve:
    """What one thread has found: the best k scores of each query so far, and who reached them."""

    def __init__(
        self, vectors: Vectors, queries: Vectors, goals: Bits, asked: _Asked, k: int
    ) -> None:
        self._vectors, self._queries, self._goals, self._asked = vectors, queries, goals, asked
        self.best = np.full((len(queries), k), -np.inf, dtype=np.float32)  # k-th in column 0
        self._slack = 2 * rounding(queries.shape[1])
        self._machine = native(len(vectors))
        self.found: list[tuple[Rows, Rows, NDArray[np.float32]]] = []

    def pour(self, rows: Rows, task: _Task) -> None:
        """Multiply a tile of rows with the queries of its task, and keep who stands out."""
        tile = self._vectors.take(rows, axis=0).T
        goals = self._goals[rows]
        for start in range(0, len(task.queries), _QUERIES):
            some = task.queries[start : start + _QUERIES]
            scores = self._queries[some] @ tile
            kept, at = self._sift(scores, some, goals, task.goal)
            self.found.append((some[kept], rows[at], scores[kept, at]))

    def _sift(self, scores: Vectors, queries: Rows, goals: Bits, goal: int) -> tuple[Rows, Rows]:
        """Which scores of a tile (queries, rows) may be among the first k; the best are noted."""
        if self._machine is not None:
            asked, bit = self._asked, np.uint32(1 << goal if goal else 0)
            found: tuple[Rows, Rows] = self._machine.sift(
                *(scores, queries, goals, asked.goals, asked.is_all, bit),
                *(self.best, np.float32(self._slack)),
            )
            return found
        bars = self.best[queries, 0] - self._slack
        new = np.flatnonzero(np.isneginf(bars))
        if len(new):
            bars[new] = self._first_bars(scores[new], queries[new], goals, goal)
        flat = np.flatnonzero(scores >= bars[:, None])
        kept, at = np.divmod(flat, scores.shape[1])
        allowed = self._asked.allow(queries[kept], goals[at], goal)
        kept, at = kept[allowed], at[allowed]
        self._note(queries, kept, scores[kept, at])
        return kept, at

    def _first_bars(
        self, scores: Vectors, queries: Rows, goals: Bits, goal: int
    ) -> NDArray[np.float32]:
        """The k-th allowed score of a tile, for queries that have met no tile before."""
        k = self.best.shape[1]
        if scores.shape[1] < k:
            return np.full(len(queries), -np.inf, dtype=np.float32)
        allowed = self._asked.allow(queries[:, None], goals[None, :], goal)
        held = np.where(allowed, scores, np.float32(-np.inf))
        return np.partition(held, -k, axis=1)[:, -k] - np.float32(self._slack)

    def _note(self, queries: Rows, kept: Rows, values: NDArray[np.float32]) -> None:
        """Raise the best k of the queries for whom something was kept."""
        k = self.best.shape[1]
        order = np.lexsort((-values, kept))
        kept, values = kept[order], values[order]
        own, starts, group = np.unique(kept, return_index=True, return_inverse=True)
        place = np.arange(len(kept)) - starts[group]
        near = place < k
        beside = np.full((len(own), 2 * k), -np.inf, dtype=np.float32)
        beside[:, :k] = self.best[queries[own]]
        beside[group[near], k + place[near]] = values[near]
        self.best[queries[own]] = np.partition(beside, k, axis=1)[:, k:]


def _hits(index: DenseIndex, queries: Vectors, k: int, sieves: Sequence[_Sieve]) -> list[Hits]:
    """The first k of each query among what all sieves found, by their scores."""
    nobody = np.zeros(0, dtype=np.int64)
    found = [(nobody, nobody, np.zeros(0, dtype=np.float32))]
    found += [part for sieve in sieves for part in sieve.found]
    asked, rows, nearly = (np.concatenate(parts) for parts in zip(*found, strict=True))
    best = np.concatenate([sieve.best for sieve in sieves], axis=1)
    last = np.partition(best, -k, axis=1)[:, -k]
    kept = np.flatnonzero(nearly >= last[asked] - 2 * rounding(queries.shape[1]))
    kept = kept[np.argsort(asked[kept], kind="stable")]
    ends = np.searchsorted(asked[kept], np.arange(len(queries) + 1))
    named = (rows[kept[start:stop]] for start, stop in pairwise(ends))
    return [
        index.first(some, index.scores(query, some), k)
        for query, some in zip(queries, named, strict=True)
    ]
