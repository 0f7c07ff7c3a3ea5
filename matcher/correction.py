"""A table as it should be: what is certain is corrected, all else stands as it was and is marked.

A cell is corrected only if the row, read again with the new cell, gives the same record and no new
finding. Only a number of 12 digits goes without that: it may be a 個人番号 and is never repeated.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from typing import Literal

from matcher.codes import fold_name
from matcher.columns import IDS, Columns, Line
from matcher.fields import Finding, shown
from matcher.inspection import AnyInspection, RowState
from matcher.personal import masked
from matcher.tables import Row
from matcher.types import Fault, Issue

Mark = Literal["", "mended", "open"]

_LONGEST_CODE = 255  # characters: a longer text shows as #### in a cell of the format "text"


@dataclass(frozen=True, slots=True, kw_only=True)
class CorrectedRow:
    """A row of the corrected table; its cells are those of `Correction.header`."""

    number: int  # where it stood
    state: RowState
    cells: tuple[str, ...]
    marks: tuple[Mark, ...]  # of each cell
    mended: tuple[str, ...]  # what was corrected, in sentences
    faults: tuple[Fault, ...]  # what is left to be looked at
    is_lost: bool = False  # it could not be taken apart: its cells are not here


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """A whole table under the standard headers: every row that was seen, in its order."""

    header: tuple[str, ...]
    is_code: tuple[bool, ...]  # of each column: short enough to stay text when it is edited
    rows: tuple[CorrectedRow, ...]
    faults: tuple[Fault, ...]  # of the table as a whole, and of what was not taken for a row
    given_ids: bool  # the table had no ids: each row got the one that its content gives


@dataclass(frozen=True, slots=True, kw_only=True)
class _Column:
    """A column of the corrected table: where it comes from, and which field it alone is."""

    header: str
    at: int | None = None  # None: it was not there
    field: str = ""  # "" for an unknown column, and for one of several that are joined
    source: str = ""  # its header as written


def correct(inspection: AnyInspection) -> Correction:
    """The corrected table of an inspection."""
    layout = tuple(_layout(inspection))
    faults: dict[int, list[Fault]] = defaultdict(list)
    for fault in inspection.reading.faults:
        faults[fault.row or 0].append(fault)
    states = inspection.states()
    rows = [
        _row(inspection, layout, row, states[row.number], faults[row.number])
        for row in inspection.table.rows
    ]
    broken = [
        number
        for number in faults.keys() - states.keys()
        if any(fault.severity == "除外" for fault in faults[number])
    ]
    rows += [_broken(layout, number, faults[number]) for number in broken]
    known = {row.number for row in rows}
    return Correction(
        header=tuple(masked(column.header) for column in layout),
        is_code=tuple(
            all(len(row.cells[x]) <= _LONGEST_CODE for row in rows) for x in range(len(layout))
        ),
        rows=tuple(sorted(rows, key=lambda row: row.number)),
        faults=tuple(fault for n in sorted(faults.keys() - known) for fault in faults[n]),
        given_ids=any(column.at is None for column in layout),
    )


def _layout(inspection: AnyInspection) -> Iterator[_Column]:
    """The standard columns in their order, then the unknown ones in theirs."""
    columns, kind = inspection.columns, inspection.kind
    for field in kind.headers:
        places = columns.of.get(field, ())
        if len(places) == 1:
            source = columns.header[places[0]]
            label = inspection.label(field)
            yield _Column(header=label, at=places[0], field=field, source=source)
        elif places:  # joined in column order: their own names keep them apart
            for at in places:
                yield _Column(header=columns.header[at], at=at, source=columns.header[at])
        elif field == kind.id_field:
            yield _Column(header=inspection.label(field), field=field)
    for name, at in columns.extra:
        yield _Column(header=name, at=at, source=columns.header[at])


def _row(
    inspection: AnyInspection,
    layout: Sequence[_Column],
    row: Row,
    state: RowState,
    faults: Sequence[Fault],
) -> CorrectedRow:
    columns, parsed = inspection.columns, inspection.parsed[row.number]
    certain = _certain(inspection, row)
    was = [columns.cell(cell) for cell in row.cells]
    now = [_new_cell(columns, at, cell, certain) for at, cell in enumerate(was)]
    again = _read_again(inspection, row, now)
    # What is odd in a cell by itself, and is gone from the new one: nobody else speaks of it.
    gone = {f.at: f.problem for f in parsed.findings if f.at is not None and f not in again}
    left = _left(columns, parsed.findings, again, faults)
    names = {column.source: column.header for column in reversed(layout)}
    return CorrectedRow(
        number=row.number,
        state=state,
        cells=tuple(_written(column, parsed.id, now) for column in layout),
        marks=tuple(_marks(layout, was, now, gone, {fault.column for fault in left})),
        mended=tuple(_mended(layout, was, now, gone)),
        faults=tuple(replace(one, column=names.get(one.column, one.column)) for one in left),
    )


def _new_cell(columns: Columns, at: int, was: str, certain: Mapping[str, str]) -> str:
    """The cell of a column as it is written; an id is one, and holds nothing to be masked."""
    fields = [field for field, places in columns.of.items() if at in places]
    field = fields[0] if fields else ""
    return certain.get(field, was) if field in IDS else masked(certain.get(field, was))


def _read_again(inspection: AnyInspection, row: Row, cells: Sequence[str]) -> Sequence[Finding]:
    """The findings of a row whose cells are these."""
    plain = replace(inspection.columns, is_corrected=False)
    line = plain.line(replace(row, cells=tuple(cells)))
    return inspection.kind.parse(line).findings


def _written(column: _Column, given: str, now: Sequence[str]) -> str:
    """The cell as it is written: the id that the row got, or none where its own was refused."""
    if column.at is None:
        return given
    return "" if column.field in IDS and not given else now[column.at]


def _marks(
    layout: Sequence[_Column],
    was: Sequence[str],
    now: Sequence[str],
    gone: Mapping[int, str],
    doubtful: Set[str],
) -> Iterator[Mark]:
    for column in layout:
        if column.source and column.source in doubtful:
            yield "open"
        elif column.at is None or column.at in gone or now[column.at] != was[column.at]:
            yield "mended"
        else:
            yield ""


def _mended(
    layout: Sequence[_Column], was: Sequence[str], now: Sequence[str], gone: Mapping[int, str]
) -> Iterator[str]:
    """A sentence for each cell that is not what it was; a new id is told once for the table."""
    for column in layout:
        if column.at is None:
            continue
        if now[column.at] != was[column.at]:
            yield _told(column.header, was[column.at], now[column.at])
        elif column.at in gone:
            yield f"{column.header}: {gone[column.at]}"


def _certain(inspection: AnyInspection, row: Row) -> dict[str, str]:
    """The new cell of each field whose correction changes nothing but the spelling."""
    parsed, line = inspection.parsed[row.number], inspection.columns.line(row)
    certain: dict[str, str] = {}
    said = set(map(_told_of, parsed.findings))
    for field, cell in _proposals(inspection, line, row.number):
        if len(inspection.columns.of.get(field, ())) != 1 or cell == line.cells[field]:
            continue
        trial = inspection.kind.parse(_with(line, {**certain, field: cell}))
        is_same = trial.id == parsed.id and trial.record == parsed.record
        if is_same and set(map(_told_of, trial.findings)) <= said:
            certain[field] = cell
    return certain


def _told_of(finding: Finding) -> tuple[str, str]:
    return finding.field, finding.problem


def _proposals(inspection: AnyInspection, line: Line, number: int) -> Iterator[tuple[str, str]]:
    """What the cells of a row may be meant to say, each with its field."""
    parsed = inspection.parsed[number]
    if parsed.id:
        yield inspection.kind.id_field, parsed.id
    if parsed.record.sdgs and not any(finding.field == "sdgs" for finding in parsed.findings):
        yield "sdgs", "、".join(map(str, sorted(parsed.record.sdgs)))
    if isinstance(parsed.record, Issue) and line.cells.get("municipality_code"):
        known, code = parsed.record.municipality_code, fold_name(line.cells["municipality_code"])
        yield "municipality_code", known if known == f"0{code}" else code


def _with(line: Line, cells: Mapping[str, str]) -> Line:
    return replace(line, cells={**line.cells, **cells})


def _left(
    columns: Columns,
    findings: Sequence[Finding],
    again: Sequence[Finding],
    faults: Sequence[Fault],
) -> tuple[Fault, ...]:
    """What is still wrong with a row: what its new cells say, and the faults of its shape."""
    said = {(finding.problem, finding.value) for finding in findings}
    shape = [fault for fault in faults if (fault.problem, fault.value) not in said]
    told = [_fault(columns, finding, faults[0]) for finding in again]
    return tuple(sorted([*told, *shape], key=lambda fault: fault.severity != "除外"))


def _fault(columns: Columns, finding: Finding, beside: Fault) -> Fault:
    """A finding of the row that another fault is of."""
    own = columns.place(finding.field)[1]
    return replace(
        beside,
        column=own if finding.at is None else columns.header[finding.at],
        value=finding.value,
        severity=finding.severity,
        problem=finding.problem,
        remedy=finding.remedy,
    )


def _told(header: str, was: str, now: str) -> str:
    if masked(was) != was:
        return f"{header}にあった12桁の番号（個人番号の恐れ）を伏せました。"
    return f"{header}を「{shown(was)}」から「{shown(now)}」に直しました。"


def _broken(layout: Sequence[_Column], number: int, faults: Sequence[Fault]) -> CorrectedRow:
    """A row that could not be taken apart: its place is kept, for its cells are not known."""
    nothing = tuple("" for _ in layout)
    marks: tuple[Mark, ...] = tuple("" for _ in layout)
    return CorrectedRow(
        number=number,
        state="rejected",
        cells=nothing,
        marks=marks,
        mended=(),
        faults=tuple(faults),
        is_lost=True,
    )
