"""The types that every room shares: records at the two ends, arrays and `Hits` in the middle."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, Literal, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]  # (n, dim), rows of unit length
Rows = NDArray[np.int64]  # positions in the companies of a catalog
Scores = NDArray[np.float64]  # higher is better, always
Qrels = Mapping[str, Mapping[str, int]]  # issue_id → company_id → grade 0..3
Run = Mapping[str, Mapping[str, float]]  # issue_id → company_id → score
# Headers, and for each row a digest of every cell, then its id: what tells which cell was changed.
Fingerprints = Mapping[str, Sequence[str]]
Advance = Callable[[int], None]  # told how many more items are done; draws the progress bar

RegionRule = Literal["serves", "prefecture", "block", "any"]
SdgRule = Literal["prefer", "any", "all", "ignore"]
Status = Literal["ranked", "no_candidate", "routed", "unclear"]
Severity = Literal["除外", "警告"]
Precision = Literal["auto", "f32"]  # of the bundled encoder; auto is bf16 where the CPU has it

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Issue:
    """What troubles a municipality: the query."""

    issue_id: str
    title: str
    description: str
    municipality: str = ""  # as written
    municipality_code: str = ""  # six digits where it resolves
    prefecture: str = ""  # "01".."47"; "" = unknown or ambiguous
    sdgs: frozenset[int] = frozenset()
    department: str = ""
    deadline: str = ""
    budget: str = ""
    extra: Mapping[str, str] = field(default_factory=dict)  # unknown columns, as they came


@dataclass(frozen=True, slots=True, kw_only=True)
class Company:
    """An organisation that may help: the document."""

    company_id: str  # corporate number of 13 digits, or the source's id
    name: str
    profile: str
    headquarters: str = ""  # prefecture code; "" = unknown
    regions: frozenset[str] = frozenset()  # prefecture codes it serves; nationwide is all 47
    is_area_declared: bool = True  # False: no service area was given, so headquarters only
    industry: str = ""
    kind: str = "企業"
    sdgs: frozenset[int] = frozenset()
    is_sdgs_inferred: bool = False  # True: no goals were given, these come from the profile
    contact: str = ""
    extra: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing wrong with one cell, row or table, and how to mend it (both in Japanese)."""

    file: str
    sheet: str = ""
    row: int | None = None  # 1-based, as a spreadsheet shows it; None = the whole table
    column: str = ""  # the header as written
    value: str = ""
    severity: Severity
    problem: str
    remedy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading(Generic[T]):
    """What a table gave. `rows == len(records) + merged + rejected`, always."""

    source: str  # file name without its folder
    sha256: str  # of the file's bytes
    rows: int  # data rows seen
    merged: int  # rows that repeated another row exactly
    rejected: int  # rows that could not be used
    records: tuple[T, ...]  # in id order
    faults: tuple[Fault, ...]  # in row order
    fingerprints: Fingerprints | None = None  # None: of no table, or of one too large

    def __len__(self) -> int:
        return len(self.records)

    def __iter__(self) -> Iterator[T]:
        return iter(self.records)


@dataclass(frozen=True, slots=True, kw_only=True)
class Constraint:
    """Hard limits of one issue. Preferences belong in the ranker's weights."""

    region_rule: RegionRule = "serves"
    prefecture: str = ""  # of the issue; "" = unknown: `serves` then admits nationwide only
    sdg_rule: SdgRule = "prefer"  # only `any` and `all` limit
    sdgs: frozenset[int] = frozenset()  # of the issue; empty = no limit


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Hits:
    """What every search and fusion returns: the allowed rows, best first, equal scores by row.

    `mean` and `deviation` describe this query's scores over the *whole* catalog, filtered rows
    included, so that hits can be brought to z units wherever they are.
    """

    source: str  # "dense", "words", "bigrams", "bridge", "reader", "fused"
    rows: Rows
    scores: Scores  # (len(rows),), descending
    mean: float = 0.0
    deviation: float = 1.0

    @classmethod
    def best_first(
        cls, source: str, rows: Rows, scores: Scores, *, mean: float = 0.0, deviation: float = 1.0
    ) -> "Hits":
        """Hits in their order, whatever order the rows came in."""
        order = np.lexsort((rows, -scores))
        return cls(
            source=source, rows=rows[order], scores=scores[order], mean=mean, deviation=deviation
        )

    def at(self, rows: Rows) -> "Hits":
        """These hits for some of their rows only; mean and deviation stay those of the catalog.

        Raises:
            ValueError: a row without a score here; a missing score is not a zero.
        """
        order = np.argsort(self.rows)
        places = np.searchsorted(self.rows, rows, sorter=order)
        found = order[np.minimum(places, len(order) - 1)] if len(order) else places
        if len(rows) and (not len(order) or (self.rows[found] != rows).any()):
            message = f"{self.source} did not score every row asked for"
            raise ValueError(message)
        return self.best_first(
            self.source, rows, self.scores[found], mean=self.mean, deviation=self.deviation
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """A span of the issue and the span of the profile that it meets; both are quotations."""

    issue_span: str
    company_span: str
    kind: Literal["meaning", "term"]
    via: str = ""  # the field of the bridge line by which the two spans meet; "" = by themselves


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One place on a shortlist, with its working."""

    rank: int  # 1..n without gaps
    company: Company
    score: float  # rounded to six decimals
    parts: Mapping[str, float]  # dense, words, bigrams, bridge, reader, …; sums to `score`
    shared_sdgs: frozenset[int]
    region_reason: str  # in Japanese
    evidence: tuple[Evidence, ...]
    band: str | None = None  # A, B, C once scores are calibrated
    goal_quotes: Mapping[int, str] = field(default_factory=dict)  # why an inferred goal is shared


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortlist:
    """What a person receives for one issue."""

    issue: Issue
    constraint: Constraint
    status: Status
    considered: int  # companies the constraint let through
    excluded: Mapping[str, int]  # "region", "sdgs"; with `considered` the whole catalog
    entries: tuple[Entry, ...]
    unsearched: tuple[str, ...] = ()  # sentences of the issue that it was not searched by


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """What an encoder learns from: an issue, profiles that fit, and some that only look so.

    All texts are normalised.
    """

    issue: str
    fits: tuple[str, ...]
    misses: tuple[str, ...] = ()
    group: str = ""  # examples of one group are never each other's wrong answers


class Encoder(Protocol):
    """Turns texts into unit vectors. A text over the limit is read in pieces, never cut."""

    @property
    def id(self) -> str:
        """Model, weights, prompts and precision: two encoders with one id give equal vectors."""

    @property
    def dim(self) -> int:
        """Length of a vector."""

    def encode_queries(self, texts: Sequence[str], *, advance: Advance | None = None) -> Vectors:
        """A unit vector for each text on the asking side, (len(texts), dim)."""

    def encode_documents(self, texts: Sequence[str], *, advance: Advance | None = None) -> Vectors:
        """A unit vector for each text on the answering side, (len(texts), dim)."""

    def pieces(self, texts: Sequence[str]) -> list[int]:
        """How many pieces each text is read in; 1 where it fits the encoder's limit."""


class Reader(Protocol):
    """Reads issue and profile together and says how likely they fit."""

    @property
    def id(self) -> str:
        """Model, weights and precision: two readers with one id give equal probabilities."""

    def read(self, pairs: Sequence[tuple[str, str]], *, advance: Advance | None = None) -> Scores:
        """A probability for each pair of normalised issue and profile, of that pair alone."""
