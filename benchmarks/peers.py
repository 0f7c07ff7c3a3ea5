"""Peers of the product's search: other software that answers the same filtered top-k questions.

Each is used as somebody who knows it well would use it, and tuned in its own favour; weighing the
filter is part of a search. Here is what they share; `libraries.py` holds numpy, FAISS, hnswlib and
usearch, `databases.py` those that keep records too. A bench builds one peer in a process of its
own, started with `environment`, and sweeps what may change from search to search:

    for contestant in installed((*libraries.CONTESTANTS, *databases.CONTESTANTS)):
        peer = contestant.build(corpus, threads=1)
        for options in contestant.grid:
            peer.configured(**options).search(vector, constraint, 10)
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from importlib.util import find_spec
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from matcher import codes
from matcher.types import Constraint, Rows, Vectors

if TYPE_CHECKING:
    from corpora import Corpus

NATIONWIDE = 2**48 - 2  # bits 1..47
_BLOCKS = {
    prefecture: 1 + place
    for place, block in enumerate(sorted({codes.block_of(p) for p in codes.ALL_PREFECTURES}))
    for prefecture in map(int, codes.block_members(block))
}
Option: TypeAlias = int | str | bool
Column: TypeAlias = Literal["serves", "headquarters", "block", "goals"]
# The values of each column; 0 is nationwide in `serves` and nobody in the next two.
VALUES: Mapping[Column, range] = {
    "serves": range(48),
    "headquarters": range(48),
    "block": range(9),
    "goals": range(1, 18),
}


@dataclass(frozen=True, slots=True, eq=False)
class Peer(ABC):
    """A library with the corpus in it, ready to search."""

    label: str
    tuned: ClassVar[tuple[str, ...]] = ()  # the fields that may differ from search to search

    @property
    def name(self) -> str:
        """The label and how it is tuned; what is 0 or off goes without saying."""
        options = ((field, getattr(self, field)) for field in self.tuned)
        told = (field if on is True else f"{field} {on}" for field, on in options if on)
        return ", ".join((self.label, *told))

    def configured(self, **options: Option) -> Self:
        """The same peer tuned otherwise; nothing is built anew."""
        unknown = options.keys() - set(self.tuned)
        if unknown:
            message = f"{self.label} is tuned by {self.tuned}, not by {sorted(unknown)}"
            raise ValueError(message)
        return replace(self, **options)

    @abstractmethod
    def search(self, vector: Vectors, constraint: Constraint, k: int) -> Rows:
        """The rows found, best first; fewer than k where the peer finds no more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contestant:
    """A peer that can be built, and the options worth trying."""

    label: str
    packages: tuple[str, ...]
    build: Callable[..., Peer]  # build(corpus, threads=1)
    grid: tuple[Mapping[str, Option], ...] = ({},)
    is_exact: bool = False
    variables: Mapping[str, str] = field(default_factory=dict)  # of the environment, its own


def installed(contestants: Sequence[Contestant], only: str = "") -> Iterator[Contestant]:
    """The contestants whose packages are here; `only` is part of a label."""
    for contestant in contestants:
        if only.lower() in contestant.label.lower() and all(map(find_spec, contestant.packages)):
            yield contestant


def grid(**options: Sequence[Option]) -> tuple[Mapping[str, Option], ...]:
    """Every combination of the options."""
    return tuple(dict(zip(options, chosen, strict=True)) for chosen in product(*options.values()))


def environment(threads: int = 1) -> dict[str, str]:
    """What a process needs in its environment before it imports a peer."""
    counts = ("OMP", "OPENBLAS", "RAYON")
    info = Path("/proc/cpuinfo")
    flags = info.read_text() if info.exists() else ""
    # FAISS's OpenBLAS takes a recent AMD core for one without AVX (FINDINGS A4).
    core = {"OPENBLAS_CORETYPE": "SkylakeX"} if "avx512vl" in flags else {}
    return core | {
        **{f"{name}_NUM_THREADS": str(threads) for name in counts},
        "LANCE_CPU_THREADS": str(threads),
        "TOKIO_WORKER_THREADS": str(threads),
        "LANCE_LOG": "error",
        "ANONYMIZED_TELEMETRY": "False",
    }


@dataclass(frozen=True, slots=True)
class Clause:
    """One condition on one column: any or all of some values."""

    column: Column
    values: tuple[int, ...]
    rule: Literal["any", "all"] = "any"

    @property
    def word(self) -> tuple[int, bool]:
        """The bits to test in `serves` or `goals`, and whether all of them count."""
        if self.values == (0,):
            return NATIONWIDE, True
        return sum(1 << value for value in self.values), self.rule == "all"


def clauses(constraint: Constraint) -> tuple[Clause, ...]:
    """What a row has to keep; no clause is no limit."""
    found: list[Clause] = []
    prefecture = int(constraint.prefecture or 0)
    if constraint.region_rule == "serves":
        found.append(Clause("serves", (prefecture,)))
    elif constraint.region_rule == "prefecture":
        found.append(Clause("headquarters", (prefecture,)))
    elif constraint.region_rule == "block":
        found.append(Clause("block", (_BLOCKS.get(prefecture, 0),)))
    if constraint.sdg_rule in ("any", "all") and constraint.sdgs:
        rule: Literal["any", "all"] = "any" if constraint.sdg_rule == "any" else "all"
        found.append(Clause("goals", tuple(sorted(constraint.sdgs)), rule))
    return tuple(found)


def columns(corpus: "Corpus") -> dict[Column, NDArray[Any]]:
    """The columns that clauses speak of, (n,) each."""
    block = np.array([_BLOCKS.get(prefecture, 0) for prefecture in range(48)], dtype=np.uint8)
    return {
        "serves": corpus.serves,
        "headquarters": corpus.headquarters,
        "block": block[corpus.headquarters],
        "goals": corpus.goals,
    }


def holds(column: NDArray[Any], clause: Clause) -> NDArray[np.bool_]:
    """Which entries of its column keep a clause."""
    if clause.column in ("headquarters", "block"):
        return np.asarray(column == clause.values[0])
    word, are_all = clause.word
    bits = column & column.dtype.type(word)
    return np.asarray(bits == word if are_all else bits != 0)


class Filters:
    """The allowed rows of a constraint, by masks over columns or by bitmaps made beforehand.

    At a million rows a mask takes about a millisecond, bitmaps a twentieth of that.
    """

    def __init__(self, corpus: "Corpus") -> None:
        self._columns = columns(corpus)
        self._size = len(corpus.headquarters)
        self._every = self._packed(np.ones(self._size, dtype=bool))
        self._bitmaps = {
            (column, value): self._packed(holds(self._columns[column], Clause(column, (value,))))
            for column, values in VALUES.items()
            for value in values
        }

    def mask(self, constraint: Constraint, rows: Rows | None = None) -> NDArray[np.bool_]:
        """Whether each row is allowed, (n,), or each of some rows; from the columns."""
        found: NDArray[np.bool_] | None = None
        for clause in clauses(constraint):
            column = self._columns[clause.column]
            kept = holds(column if rows is None else column[rows], clause)
            found = kept if found is None else np.logical_and(found, kept, out=found)
        if found is None:
            return np.ones(self._size if rows is None else len(rows), dtype=bool)
        return found

    def bits(self, constraint: Constraint, *, cached: bool) -> NDArray[np.uint8]:
        """The allowed rows as packed bits, the first row lowest."""
        if not cached:
            return np.packbits(self.mask(constraint), bitorder="little")
        parts = (self._joined(clause) for clause in clauses(constraint))
        return np.asarray(reduce(np.bitwise_and, parts, self._every)).view(np.uint8)

    def rows(self, constraint: Constraint, *, cached: bool) -> Rows:
        """The allowed rows, ascending."""
        if not cached:
            return np.flatnonzero(self.mask(constraint))
        bits = self.bits(constraint, cached=True)
        return np.flatnonzero(np.unpackbits(bits, bitorder="little").view(bool))

    def _joined(self, clause: Clause) -> NDArray[np.uint64]:
        join = np.bitwise_and if clause.rule == "all" else np.bitwise_or
        return reduce(join, (self._bitmaps[clause.column, value] for value in clause.values))

    def _packed(self, mask: NDArray[np.bool_]) -> NDArray[np.uint64]:
        packed = np.zeros(-(-self._size // 64) * 8, dtype=np.uint8)
        bits = np.packbits(mask, bitorder="little")
        packed[: len(bits)] = bits
        return packed.view(np.uint64)


def best(rows: Rows, scores: Vectors, k: int) -> Rows:
    """The k rows with the highest scores, best first."""
    if len(rows) > k:
        top = np.argpartition(scores, -k)[-k:]
        rows, scores = rows[top], scores[top]
    return rows[np.argsort(-scores, kind="stable")]
