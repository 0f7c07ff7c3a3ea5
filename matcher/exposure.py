"""Who is shown and who never is: a run's exposure over all companies, and over groups of them.

It counts and does not judge: a group may be shown less because fewer issues may have it, or because
it fits less. `admitted_share` beside `places_share` tells the first from the rest.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from matcher.errors import MatcherError
from matcher.groups import label
from matcher.index.facets import Facets
from matcher.rank.ranker import lot
from matcher.types import Company, Entry, Shortlist

_HUB = 100  # the top one company in so many
_RESAMPLES = 2_000
_DRAWN_AT_ONCE = 2_000_000  # weights of resampled issues: 16 MB
_SEED = 20_260_401  # any number; fixed, so that a report repeats to the last digit
_LEVEL = 0.95

Cell = str | int | float | None
Counts = NDArray[np.int64]
Weights = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ties:
    """Neighbouring places of equal score, and whether their order is the neutral one."""

    neighbours: int  # pairs of a place and the next
    equal: int  # of these, the ones with one score
    neutral: int  # of these, in ascending SHA-256 of issue id NUL company id
    issues: int  # with any equal neighbours

    def rows(self) -> list[dict[str, Cell]]:
        """The counts as the one row of a table."""
        return [{name: getattr(self, name) for name in self.__slots__}]


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """One group of companies, and its part of what was shown. Shares are of all companies'.

    The interval counts which issues came; which companies happen to be in a group it does not, so
    that of many groups made at random some lie off 1.
    """

    name: str
    companies: int
    companies_share: float
    places: int
    places_share: float
    exposure_share: float
    admitted_share: float  # of all that issues' rules let through: what the rules alone would give
    ratio: float  # places_share / companies_share; 1 = shown as often as its size
    low: float  # 95 % percentile bootstrap over issues with a list; the ratio itself under two
    high: float
    never_shown_share: float  # of the group's own companies


@dataclass(frozen=True, slots=True, kw_only=True)
class Grouping:
    """All companies by one of their properties, every company in exactly one group."""

    name: str
    column: str  # the column it was read from; "" where no column tells it
    note: str  # in Japanese: what is to be known of it, or that it is absent
    groups: tuple[Group, ...]  # most companies first

    def rows(self) -> list[dict[str, Cell]]:
        """A row for each group."""
        return [
            {"grouping": self.name, **{name: getattr(one, name) for name in one.__slots__}}
            for one in self.groups
        ]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Exposure:
    """What a run shows of each company; row i is `companies[i]`, in order of their ids."""

    k: int
    companies: tuple[Company, ...]
    shown: Counts  # (n,) times among the first k
    first: Counts  # (n,) times at rank 1
    weight: Weights  # (n,) sum of 1 / log2(1 + rank), after Singh and Joachims (KDD 2018)
    admitted: Counts  # (n,) searched issues whose rules let it through
    by_issue: tuple[Counts, ...]  # for each shortlist with a place, the rows shown
    ties: Ties

    @property
    def places(self) -> int:
        """How many places there are in all."""
        return int(self.shown.sum())

    @property
    def never_shown(self) -> tuple[str, ...]:
        """The ids of who has no place, in an order that favours nobody (by SHA-256 of the id)."""
        return self._neutral(self.shown == 0)

    @property
    def never_admitted(self) -> tuple[str, ...]:
        """Those of `never_shown` who could not be: the rules of no searched issue admit them."""
        return self._neutral((self.shown == 0) & (self.admitted == 0))

    @property
    def hub_share(self) -> float:
        """The share of all places that the 1 % most shown companies hold (at least one)."""
        top = np.sort(self.shown)[::-1][: max(1, len(self.shown) // _HUB)]
        return float(top.sum() / self.places) if self.places else 0.0

    @property
    def gini(self) -> float:
        """Gini's coefficient of the weights: 0 all alike, towards 1 where one has everything."""
        n, total = len(self.weight), self.weight.sum()
        if not total:
            return 0.0
        order = 2 * np.arange(1, n + 1) - n - 1
        return float((order * np.sort(self.weight)).sum() / (n * total))

    def rows(self) -> list[dict[str, Cell]]:
        """A row for each company."""
        columns = (self.shown, self.first, self.weight, self.admitted)
        values = zip(*(column.tolist() for column in columns), strict=True)
        return [
            {
                "company_id": company.company_id,
                "name": company.name,
                "shown": shown,
                "first": first,
                "weight": weight,
                "admitted": admitted,
            }
            for company, (shown, first, weight, admitted) in zip(
                self.companies, values, strict=True
            )
        ]

    def by(self, group: str) -> Grouping:
        """The companies by 地方, 都道府県, 業種, 種別, 対応地域, 規模, or a column of their own.

        English names do too: block, prefecture, industry, kind, area, size. Where no column tells
        the size there are no groups, and the note says so.

        Raises:
            MatcherError: there is no such property or column.
        """
        found = label(self.companies, group)
        groups = self._groups(found.labels) if found.labels else ()
        return Grouping(name=found.name, column=found.column, note=found.note, groups=groups)

    def _neutral(self, chosen: NDArray[np.bool_]) -> tuple[str, ...]:
        ids = [self.companies[row].company_id for row in np.flatnonzero(chosen).tolist()]
        return tuple(sorted(ids, key=lambda one: hashlib.sha256(one.encode()).digest()))

    def _groups(self, labels: Sequence[str]) -> tuple[Group, ...]:
        counts = Counter(labels)
        names = sorted(counts, key=lambda name: (-counts[name], name))
        place_of = {name: place for place, name in enumerate(names)}
        of = np.array([place_of[name] for name in labels], dtype=np.int64)
        sums = self._sums(of, len(names))
        low, high = self._interval(of, sums["companies"] / len(of))
        shares = {what: own / max(own.sum(), 1e-300) for what, own in sums.items()}
        return tuple(
            Group(
                name=name,
                companies=counts[name],
                companies_share=float(shares["companies"][at]),
                places=int(sums["places"][at]),
                places_share=float(shares["places"][at]),
                exposure_share=float(shares["exposure"][at]),
                admitted_share=float(shares["admitted"][at]),
                ratio=float(shares["places"][at] / shares["companies"][at]),
                low=float(low[at]),
                high=float(high[at]),
                never_shown_share=float(sums["never"][at] / counts[name]),
            )
            for at, name in enumerate(names)
        )

    def _sums(self, of: Counts, n: int) -> dict[str, Weights]:
        """What the companies of each group hold together, (n,) each."""
        columns = {
            "companies": np.ones(len(of)),
            "places": self.shown,
            "exposure": self.weight,
            "admitted": self.admitted,
            "never": self.shown == 0,
        }
        return {
            what: np.bincount(of, weights=column, minlength=n).astype(np.float64)
            for what, column in columns.items()
        }

    def _interval(self, of: Counts, sizes: Weights) -> tuple[Weights, Weights]:
        """Low and high end of the ratio of each group, resampling issues."""
        n = len(self.by_issue)
        if not n:
            return np.zeros(len(sizes)), np.zeros(len(sizes))
        held = np.array([np.bincount(of[rows], minlength=len(sizes)) for rows in self.by_issue])
        if n == 1:
            return held[0] / held.sum() / sizes, held[0] / held.sum() / sizes
        rng = np.random.default_rng(_SEED)
        sizes_drawn = _sizes(_RESAMPLES, max(1, _DRAWN_AT_ONCE // n))
        drawn = np.vstack([rng.multinomial(n, np.full(n, 1 / n), s) @ held for s in sizes_drawn])
        ratios = drawn / drawn.sum(axis=1, keepdims=True) / sizes
        low, high = np.quantile(ratios, [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2], axis=0)
        return low, high


def exposure(
    shortlists: Sequence[Shortlist], companies: Iterable[Company], k: int = 10
) -> Exposure:
    """What the first `k` places of these shortlists show of each of these companies.

    `companies` are all that could have been shown; those of a catalog, where SDGs limit the
    search, for it knows the inferred goals.

    Raises:
        MatcherError: `k` is under one, there are no companies, or a place holds none of them.
    """
    known = tuple(sorted(companies, key=lambda company: company.company_id))
    if k < 1 or not known:
        message = f"1つ以上の順位と1社以上の企業が要ります（順位 {k}、企業 {len(known)}社）。"
        raise MatcherError(message)
    row_of = {company.company_id: row for row, company in enumerate(known)}
    rows, ranks = _places(shortlists, row_of, k)
    every = np.concatenate([np.zeros(0, dtype=np.int64), *rows])
    at = np.concatenate([np.zeros(0, dtype=np.int64), *ranks])
    n = len(known)
    return Exposure(
        k=k,
        companies=known,
        shown=np.bincount(every, minlength=n),
        first=np.bincount(every[at == 1], minlength=n),
        weight=np.bincount(every, weights=1 / np.log2(1.0 + at), minlength=n).astype(np.float64),
        admitted=_admitted(shortlists, known),
        by_issue=tuple(own for own in rows if len(own)),
        ties=ties(shortlists, k),
    )


def ties(shortlists: Iterable[Shortlist], k: int | None = None) -> Ties:
    """How many neighbouring places, of the first `k` or of all, have equal scores."""
    neighbours = equal = neutral = issues = 0
    for shortlist in shortlists:
        pairs = list(pairwise(shortlist.entries[:k]))
        level = [(upper, lower) for upper, lower in pairs if upper.score == lower.score]
        neighbours += len(pairs)
        equal += len(level)
        neutral += sum(_lot(shortlist, a) < _lot(shortlist, b) for a, b in level)
        issues += bool(level)
    return Ties(neighbours=neighbours, equal=equal, neutral=neutral, issues=issues)


def _admitted(shortlists: Iterable[Shortlist], companies: Sequence[Company]) -> Counts:
    """How many searched issues admit each company: every kind of rule is asked once."""
    searched = (one for one in shortlists if one.status in ("ranked", "no_candidate"))
    facets, admitted = Facets.build(companies), np.zeros(len(companies), dtype=np.int64)
    for constraint, issues in Counter(one.constraint for one in searched).items():
        admitted[facets.allowed(constraint).rows] += issues
    return admitted


def _places(
    shortlists: Iterable[Shortlist], row_of: Mapping[str, int], k: int
) -> tuple[list[Counts], list[Counts]]:
    """The rows of each shortlist's first places, and their ranks."""
    rows: list[Counts] = []
    ranks: list[Counts] = []
    for shortlist in shortlists:
        ids = [entry.company.company_id for entry in shortlist.entries[:k]]
        strange = next((one for one in ids if one not in row_of), None)
        if strange is not None:
            raise MatcherError(
                f"課題 {shortlist.issue.issue_id} の候補 {strange} が企業の表にありません。"
                "この結果を作ったときの企業の表かカタログを指定してください。"
            )
        rows.append(np.array([row_of[one] for one in ids], dtype=np.int64))
        ranks.append(np.arange(1, len(ids) + 1, dtype=np.int64))
    return rows, ranks


def _lot(shortlist: Shortlist, entry: Entry) -> bytes:
    return lot(shortlist.issue.issue_id, entry.company.company_id)


def _sizes(total: int, most: int) -> list[int]:
    """A total in pieces of at most so many."""
    return [min(most, total - start) for start in range(0, total, most)]
