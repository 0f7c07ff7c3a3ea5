"""How a file looks before anybody knows its header: numbered records of text cells."""

from collections.abc import Iterator
from dataclasses import dataclass

# Its number as a spreadsheet or an editor shows it, and its cells; None where they cannot be told.
Record = tuple[int, list[str] | None]

QUOTES = (
    '引用符（"）の使い方が正しくないため、この行を列に分けられません。',
    "引用符を閉じるか、文中の引用符を2つ重ねてください。",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Merged cells, both corners included: rows as a spreadsheet shows them, columns from 0."""

    top: int
    left: int
    bottom: int
    right: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """One way to see a file as a table: a sheet, or a text in one encoding by one delimiter.

    `records` can be walked once, before the next grid of the file is asked for.
    """

    sheet: str = ""
    is_hidden: bool = False
    encoding: str = ""  # of a text
    is_cut: bool = False  # by a delimiter: a stray one shifts what stands behind it
    spans: tuple[Span, ...] = ()
    records: Iterator[Record]
    broken: tuple[str, str] = QUOTES  # problem and remedy of a record without cells
