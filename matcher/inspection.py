"""What a table is, before anything is matched: of issues or of companies, its columns, its rows."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Literal, TypeVar, cast

from matcher.columns import Columns, recognise
from matcher.corpus import COMPANIES, ISSUES, Kind, Parsed
from matcher.errors import DataError, MatcherError
from matcher.tables import Table, read_table
from matcher.types import Company, Issue, Reading

TableName = Literal["issues", "companies"]
RowState = Literal["usable", "merged", "rejected"]

R = TypeVar("R", bound=Issue | Company)


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection(Generic[R]):
    """A table that can be read, and what was found in it."""

    name: TableName
    kind: Kind[R]
    table: Table
    columns: Columns
    parsed: dict[int, Parsed[R]]  # by row number, in row order
    reading: Reading[R]

    @property
    def taken(self) -> dict[str, tuple[str, ...]]:
        """The headers that each field was read from, by the field's Japanese name."""
        return {
            self.label(field): tuple(self.columns.header[at] for at in self.columns.of[field])
            for field in self.kind.headers
            if field in self.columns.of
        }

    @property
    def missing(self) -> tuple[str, ...]:
        """The Japanese names of the fields that have no column."""
        return tuple(self.label(f) for f in self.kind.headers if f not in self.columns.of)

    @property
    def unknown(self) -> tuple[str, ...]:
        """The columns that are no field: carried along as they are."""
        return tuple(name for name, _ in self.columns.extra)

    @property
    def warned(self) -> int:
        """How many rows can be used and yet have a warning."""
        states = self.states()
        return len({f.row for f in self.reading.faults if states.get(f.row or 0) == "usable"})

    def label(self, field: str) -> str:
        """The header under which a field is written in a corrected table."""
        return self.kind.headers[field][0]

    def states(self) -> dict[int, RowState]:
        """What became of each row that could be taken apart, by its number."""
        kept = {getattr(one, self.kind.id_field) for one in self.reading.records}
        return dict(self._states(kept))

    def _states(self, kept: set[str]) -> Iterator[tuple[int, RowState]]:
        seen: set[str] = set()
        for number, one in self.parsed.items():
            if one.id not in kept:
                yield number, "rejected"
            else:
                yield number, "merged" if one.id in seen else "usable"
            seen.add(one.id)


AnyInspection = Inspection[Issue] | Inspection[Company]


def table_name(text: str | None) -> TableName | None:
    """What a table is to be read as. Raises `MatcherError` for what is no kind of table."""
    if text is None or text in ("issues", "companies"):
        return cast("TableName | None", text)
    message = f"--as は issues（課題）か companies（企業）にしてください（指定値: {text}）。"
    raise MatcherError(message)


def inspect(path: Path, name: TableName | None = None) -> AnyInspection:
    """What a table is and holds; its headers say whether it is of issues or of companies.

    Raises:
        DataError: it cannot be read, is neither, or could be both and `name` does not say which.
    """
    if name:
        return _inspect(path, name)
    found: list[AnyInspection] = []
    failed: list[DataError] = []
    for one in ("issues", "companies"):
        try:
            found.append(_inspect(path, one))
        except DataError as error:
            failed.append(error)
    if len(found) == 2:
        raise DataError(_ambiguous(path, *(one.table.sheet for one in found)))
    if not found:
        raise _neither(path, failed)
    return found[0]


def _inspect(path: Path, name: TableName) -> AnyInspection:
    if name == "issues":
        return _inspection(path, name, ISSUES)
    return _inspection(path, name, COMPANIES)


def _inspection(path: Path, name: TableName, kind: Kind[R]) -> Inspection[R]:
    table = kind.table(path)
    columns = recognise(table, kind.headers)
    parsed = {row.number: kind.parse(columns.line(row)) for row in table.rows}
    reading = kind.reading(table, columns, parsed)
    return Inspection(
        name=name, kind=kind, table=table, columns=columns, parsed=parsed, reading=reading
    )


def _ambiguous(path: Path, issues: str, companies: str) -> str:
    where = f"（シート「{issues}」と「{companies}」）" if issues != companies else ""
    return (
        f"「{path.name}」は課題の表とも企業の表とも読めます{where}。"
        "--as issues（課題）か --as companies（企業）を付けてください。"
    )


def _neither(path: Path, failed: list[DataError]) -> DataError:
    """The error of the kind that the header is nearer to; one for both where none is nearer."""
    issues, companies = failed
    if str(issues) == str(companies):
        return issues
    try:
        table = read_table(path)
    except DataError:
        return issues
    near = [len(recognise(table, kind.headers).of) for kind in (ISSUES, COMPANIES)]
    if near[0] != near[1]:
        return issues if near[0] > near[1] else companies
    return DataError(
        f"「{path.name}」は課題の表にも企業の表にも見えません。課題の表には「課題名」と"
        "「課題内容」、企業の表には「企業名」と「事業内容」の列を入れてください。"
    )
