"""The vocabulary bridge: how town halls name a problem ↔ how those who solve it name themselves.

A line is met by meaning, not by its words: an issue that says 坂が多くて外に出られない finds the
line of 移動支援, whose answers (予約配車, 乗合タクシー) are then looked for in the profiles.
Triggered by literal words it fires for under half of the issues, and ranks worse than no bridge.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from matcher import tables, text
from matcher.codes import data_folder
from matcher.errors import DataError
from matcher.tables.header import fold_header
from matcher.types import Encoder, Vectors

SHIPPED = "bridge.csv"
NEAREST = 5  # lines that an issue meets
_SHARPNESS = 0.05  # of the softmax over their cosines
_HEADERS = {
    "field": ("field", "分野"),
    "problem": ("problem", "困りごと", "困りごとの言葉", "課題の言葉"),
    "solution": ("solution", "解決策", "解決の言葉", "解決策の言葉"),
}
_SEPARATOR = "、"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One kind of need: its names in town halls, and the names of what answers it."""

    field: str
    problem: tuple[str, ...]
    solution: tuple[str, ...]

    def lemmas(self) -> list[list[str]]:
        """The lemmas of each term of the solution."""
        return [list(_lemmas(term)) for term in self.solution]


@dataclass(frozen=True, slots=True, kw_only=True)
class Crossing:
    """A line that an issue meets, and its share among those it meets; the shares sum to one."""

    line: Line
    vector: NDArray[np.float32]  # where the line's problem lies
    share: float


@dataclass(frozen=True, slots=True, eq=False)
class Bridge:
    """The lines, and where their problems lie in an encoder's space, `(len(lines), dim)`."""

    lines: tuple[Line, ...]
    vectors: Vectors  # centred on their own mean, unit length

    @classmethod
    def build(cls, lines: Sequence[Line], encoder: Encoder) -> "Bridge":
        """The bridge of some lines, their problems encoded as queries."""
        problems = [text.normalise(_SEPARATOR.join(line.problem)) for line in lines]
        if not problems:
            return cls((), np.zeros((0, encoder.dim), np.float32))
        found = encoder.encode_queries(problems).astype(np.float64)
        found -= found.mean(axis=0)
        lengths = np.sqrt(np.einsum("ij,ij->i", found, found))[:, None]
        return cls(tuple(lines), (found / np.maximum(lengths, 1e-12)).astype(np.float32))

    @property
    def id(self) -> str:
        """SHA-256 of the lines, in hex."""
        told = [[line.field, line.problem, line.solution] for line in self.lines]
        return hashlib.sha256(json.dumps(told, ensure_ascii=False).encode()).hexdigest()

    def crossings(self, query: NDArray[np.float32]) -> list[Crossing]:
        """The five lines nearest in meaning to a centred query vector, the nearest first."""
        # einsum adds in a fixed order; six decimals, so that the first of equals is always the same
        cosines = np.round(np.einsum("ij,j->i", self.vectors, query, dtype=np.float64), 6)
        order = np.lexsort((np.arange(len(cosines)), -cosines))[:NEAREST]
        if not len(order):
            return []
        heat = np.exp((cosines[order] - cosines[order[0]]) / _SHARPNESS)
        shares = (heat / heat.sum()).tolist()
        return [
            Crossing(line=self.lines[at], vector=self.vectors[at], share=share)
            for at, share in zip(order.tolist(), shares, strict=True)
        ]


@cache
def _lemmas(term: str) -> tuple[str, ...]:
    """Kept: every place of a shortlist asks for those of five lines."""
    return tuple(text.lemmas(term))


def shipped() -> tuple[Line, ...]:
    """The lines that ship with the package."""
    return read_lines(data_folder() / SHIPPED)


def read_lines(path: Path | str) -> tuple[Line, ...]:
    """The lines of a table with the columns 分野, 困りごと, 解決策; terms are set apart by 、.

    Raises:
        DataError: no such table, or a row that cannot be read, or that has no field or no terms
            on one side.
    """
    required = {f"{headers[1]}（{field}）": headers for field, headers in _HEADERS.items()}
    table = tables.read_table(path, required=required)
    for fault in table.faults:
        if fault.severity == "除外":
            message = (
                f"橋渡し表「{table.source}」の {fault.row} 行目は読めません。"
                f"{fault.problem}{fault.remedy}"
            )
            raise DataError(message)
    folded = [fold_header(header) for header in table.header]
    places = {
        field: next(i for i, header in enumerate(folded) if header in map(fold_header, headers))
        for field, headers in _HEADERS.items()
    }
    lines = []
    for row in table.rows:
        cells = {field: row.cells[at] for field, at in places.items()}
        line = Line(
            field=text.normalise(cells["field"]).strip(),
            problem=_terms(cells["problem"]),
            solution=_terms(cells["solution"]),
        )
        if not line.field or not line.problem or not line.solution:
            message = (
                f"橋渡し表「{table.source}」の {row.number} 行目に、分野か困りごとか解決策の"
                "言葉がありません。3つの欄に、言葉を「、」で区切って書いてください。"
            )
            raise DataError(message)
        lines.append(line)
    return tuple(lines)


def _terms(cell: str) -> tuple[str, ...]:
    terms = (term.strip() for term in text.normalise(cell).split(_SEPARATOR))
    return tuple(dict.fromkeys(term for term in terms if term))
