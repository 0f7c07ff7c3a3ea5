"""How far a search goes that does not look at everyone."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

FEW = 6_000  # allowed rows that are all looked at: walking the lists would cost as much


@dataclass(frozen=True, slots=True)
class Band:
    """What was measured where a filter lets a share of `low` < s ≤ `high` of the corpus through."""

    low: float
    high: float
    queries: int
    recall: float  # mean, against exact search
    worst: float  # what 99 of 100 queries reach


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """For up to k hits: how many allowed rows are looked at for certain, and how far one goes on.

    Rows that pass the filter are counted, not rows that are read: so no search under-fills, and
    recall is as good under a narrow filter as under a wide one.
    """

    k: int
    base: float
    slope: float
    reach: float  # a list is looked into whose centroid scores this much under the k-th row
    most: float  # times the first rows, and then no further
    recall: float  # as of a band, over all of them
    worst: float
    bands: tuple[Band, ...]

    def first(self, k: int, eligible: int) -> int:
        """Rows that are looked at for certain: base + slope·√(allowed rows)."""
        return min(eligible, max(k, round(self.base + self.slope * math.sqrt(eligible))))

    def last(self, k: int, eligible: int) -> int:
        """Rows after which no further list is looked into."""
        return min(eligible, round(self.most * self.first(k, eligible)))


@dataclass(frozen=True, slots=True)
class Budget:
    """The lines of a corpus, k growing."""

    lines: tuple[Line, ...]

    def line(self, k: int, eligible: int) -> Line | None:
        """The line for k hits; None where everyone is to be looked at."""
        if eligible > FEW:
            for line in self.lines:
                if k <= line.k and line.first(k, eligible) < eligible:
                    return line
        return None

    def told(self) -> list[dict[str, object]]:
        """The lines as a manifest keeps them."""
        return [asdict(line) for line in self.lines]

    @classmethod
    def of(cls, told: Sequence[Mapping[str, Any]]) -> "Budget":
        """The budget that `told` told of."""
        return cls(
            tuple(
                Line(**{**line, "bands": tuple(Band(**band) for band in line["bands"])})
                for line in told
            )
        )
