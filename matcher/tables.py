"""Tables as rows of text: any proven encoding, any workbook, every fault with its place.

Every cell is text, so that no code loses a zero.
"""

import csv
import hashlib
import io
import re
import unicodedata
import zipfile
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import partial
from pathlib import Path

import python_calamine

from matcher.encodings import decode
from matcher.errors import DataError
from matcher.types import Fault

SUPPORTED = "CSV・TSV（UTF-8、CP932、UTF-16）、Excel（xlsx・xlsm・xls）、ODS"

_TEXT_SUFFIXES = frozenset({".csv", ".tsv", ".tab", ".txt", ""})
_WORKBOOK_SUFFIXES = frozenset({".xlsx", ".xlsm", ".xlsb", ".xls", ".ods"})
_DELIMITERS = ",\t;"
_HEADER_DEPTH = 20  # titles and dates stand above the header of many municipal tables
_LONGEST_CELL = 2**31 - 1  # csv stops at 131,072 characters by itself
_LARGEST_UNPACKED = 2**30  # bytes; a workbook that unpacks to more is no list of issues
_PERSONAL = re.compile(r"(?<!\d)\d{12}(?!\d)")  # a 個人番号 is not repeated, even in a message
_DECORATION = re.compile(r"[\s_\-‐ー*※]+|[(\[【〔<]\s*(?:必須|任意)\s*[)\]】〕>]")

# A record is its row number, as a spreadsheet shows it, and its cells; None when quotes spoil it.
_Record = tuple[int, list[str] | None]
_Cell = int | float | str | bool | time | date | datetime | timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A data row: as many cells as the header has."""

    number: int  # 1-based, as a spreadsheet shows it
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A header and its data rows; `len(rows) + rejected` were seen, blank ones not counted."""

    source: str  # file name without its folder
    sheet: str  # "" for a text file
    sha256: str  # of the file's bytes
    header: tuple[str, ...]  # as written
    rows: tuple[Row, ...]
    rejected: int  # rows that cannot be taken apart; each has its fault
    faults: tuple[Fault, ...]  # of the table (row None), then in row order


@dataclass(frozen=True, slots=True, kw_only=True)
class _Grid:
    """One way to see a file as a table: a sheet, or the text cut by one delimiter."""

    sheet: str = ""
    records: Sequence[_Record]
    is_text: bool


def read_table(path: str | Path, *, required: Mapping[str, Collection[str]] | None = None) -> Table:
    """The first sheet of a file that has a header with every required column.

    `required` names each such column for the reader and gives the headers that stand for it;
    without it the first row that is not blank is the header. Raises `DataError`, in one Japanese
    sentence with its remedy, when there is no such table.
    """
    source, data = Path(path).name, _read_bytes(Path(path))
    return _first_fitting(source, data, _reader(source, data)(source, data), required or {})


def read_hidden_table(path: str | Path, *, required: Mapping[str, Collection[str]]) -> Table:
    """As `read_table`, among all sheets of a workbook, those out of sight too."""
    source, data = Path(path).name, _read_bytes(Path(path))
    grids = _workbook_grids(source, data, is_hidden_read=True)
    return _first_fitting(source, data, grids, required)


def read_text(path: str | Path) -> str:
    """The text of a file, its encoding decided by proof. Raises `DataError` when nothing fits."""
    return decode(Path(path).name, _read_bytes(Path(path)))


def fold_header(text: str) -> str:
    """A header as headers are compared: width, case, blanks, `_` and （必須） do not matter."""
    return _DECORATION.sub("", unicodedata.normalize("NFKC", text).casefold())


def _first_fitting(
    source: str, data: bytes, grids: Sequence[_Grid], required: Mapping[str, Collection[str]]
) -> Table:
    fitting = [(grid, at) for grid in grids if (at := _header_at(grid, required)) is not None]
    if not fitting:
        raise DataError(_no_header(source, grids, required))
    (grid, at), *others = fitting
    notes = _other_sheets(source, grid, [other.sheet for other, _ in others])
    return _table(source, hashlib.sha256(data).hexdigest(), grid, at, notes)


def _read_bytes(path: Path) -> bytes:
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        message = f"「{path}」が見つかりません。ファイル名と場所を確かめてください。"
        raise DataError(message) from error
    except IsADirectoryError as error:
        message = f"「{path}」はフォルダーです。中の表のファイルを指定してください。"
        raise DataError(message) from error
    except (OSError, ValueError) as error:
        message = f"「{path}」を開けません。ほかのソフトで開いていれば閉じてください。"
        raise DataError(message) from error
    if not data:
        raise DataError(f"「{path.name}」は空のファイルです（0バイト）。表を保存し直してください。")
    return data


def _reader(source: str, data: bytes) -> Callable[[str, bytes], Sequence[_Grid]]:
    """The way to read a file: by its first bytes, for a name may lie, then by its suffix."""
    for magic, reader in _BY_MAGIC.items():
        if data.startswith(magic):
            return reader
    suffix = Path(source).suffix.lower()
    if suffix in _TEXT_SUFFIXES | _WORKBOOK_SUFFIXES:
        return _text_grids
    return _unsupported


def _unsupported(source: str, data: bytes) -> Sequence[_Grid]:
    raise DataError(f"「{source}」の形式は読めません。読める形式は {SUPPORTED} です。")


def _text_grids(source: str, data: bytes) -> Sequence[_Grid]:
    """The text cut by each delimiter, the one that the first line uses most first."""
    text = decode(source, data)
    lines = list(io.StringIO(text, newline=""))
    first = next((line for line in lines if line.strip()), "")
    order = sorted(_DELIMITERS, key=lambda delimiter: -first.count(delimiter))
    used = [delimiter for delimiter in order if delimiter in text] or order[:1]
    return [_Grid(records=_split(lines, delimiter), is_text=True) for delimiter in used]


def _split(lines: list[str], delimiter: str) -> list[_Record]:
    """The records of delimited lines. A stray quote costs its own line, not all that follow."""
    records: list[_Record] = []
    at = 0
    limit = csv.field_size_limit(_LONGEST_CELL)
    try:
        while at < len(lines):
            start, reader = at, csv.reader(lines[at:], delimiter=delimiter, strict=True)
            try:
                for cells in reader:
                    records.append((len(records) + 1, cells))
                    at = start + reader.line_num
            except csv.Error:
                records.append((len(records) + 1, None))
                at += 1
    finally:
        csv.field_size_limit(limit)
    return records


def _workbook_grids(source: str, data: bytes, *, is_hidden_read: bool = False) -> Sequence[_Grid]:
    """The visible sheets of a workbook, in order; the hidden ones among them where asked for."""
    try:
        _refuse_bomb(source, data)
        return list(_sheets(data, is_hidden_read=is_hidden_read))
    except DataError:
        raise
    except python_calamine.PasswordError as error:
        message = f"「{source}」はパスワードで保護されています。外して保存し直してください。"
        raise DataError(message) from error
    except BaseException as error:
        # A panic of the Rust reader is no Exception; an interrupt is none either, and passes.
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        message = f"「{source}」を表として開けません。Excelで開いて保存し直してください。"
        raise DataError(message) from error


def _refuse_bomb(source: str, data: bytes) -> None:
    if not data.startswith(b"PK"):
        return
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        unpacked = sum(entry.file_size for entry in archive.infolist())
    if unpacked > _LARGEST_UNPACKED:
        raise DataError(f"「{source}」は大きすぎます。要る行と列だけの表にしてください。")


def _sheets(data: bytes, *, is_hidden_read: bool) -> Iterator[_Grid]:
    book = python_calamine.load_workbook(io.BytesIO(data))
    for meta in book.sheets_metadata:
        is_sheet = meta.typ == python_calamine.SheetTypeEnum.WorkSheet
        is_visible = meta.visible == python_calamine.SheetVisibleEnum.Visible
        if is_sheet and (is_visible or is_hidden_read):
            rows = book.get_sheet_by_name(meta.name).to_python(skip_empty_area=False)
            records: list[_Record] = [
                (number, [_cell_text(value) for value in row])
                for number, row in enumerate(rows, start=1)
            ]
            yield _Grid(sheet=meta.name, records=records, is_text=False)


def _cell_text(value: _Cell) -> str:
    """A cell as text: no `.0` behind a number, a date in ISO form."""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == time() else value.isoformat(" ")
    return value.isoformat() if isinstance(value, date | time) else str(value)


_BY_MAGIC: Mapping[bytes, Callable[[str, bytes], Sequence[_Grid]]] = {
    b"PK\x03\x04": _workbook_grids,  # xlsx, xlsm, ods
    b"\xd0\xcf\x11\xe0": _workbook_grids,  # xls, and a workbook under a password
    b"PAR1": _unsupported,
    b"%PDF": _unsupported,
}


def _header_at(grid: _Grid, required: Mapping[str, Collection[str]]) -> int | None:
    """The place of the first record among the first few that has every required column."""
    for at, (_, cells) in enumerate(grid.records[:_HEADER_DEPTH]):
        if cells and any(cell.strip() for cell in cells) and not _missing(cells, required):
            return at
    return None


def _missing(cells: list[str], required: Mapping[str, Collection[str]]) -> list[str]:
    """The required columns that a header lacks."""
    seen = {fold_header(cell) for cell in cells}
    return [
        name for name, accepted in required.items() if not seen & {fold_header(a) for a in accepted}
    ]


def _no_header(source: str, grids: Sequence[_Grid], required: Mapping[str, Collection[str]]) -> str:
    """The sentence for a file without a fitting header: what was seen, what was looked for."""
    heads = [cells for grid in grids for _, cells in grid.records[:_HEADER_DEPTH] if cells]
    heads = [cells for cells in heads if any(cell.strip() for cell in cells)]
    if not heads:
        return f"「{source}」に読める行がありません。見出しと1行以上の表を入れてください。"
    best = min(heads, key=lambda cells: len(_missing(cells, required)))
    seen = "、".join(_brief(cell) for cell in best[:30] if cell.strip())
    return (
        f"「{source}」の見出しに {'、'.join(_missing(best, required))} の列がありません"
        f"（見つかった見出し: {seen}）。見出しの行と列の名前を確かめてください。"
    )


def _other_sheets(source: str, chosen: _Grid, others: list[str]) -> list[Fault]:
    if chosen.is_text or not others:
        return []
    fault = Fault(
        file=source,
        sheet=chosen.sheet,
        value="、".join(others),
        severity="警告",
        problem=f"シート「{chosen.sheet}」だけを読みました。ほかにも同じ見出しのシートがあります。",
        remedy="ほかのシートも使うときは、1つのシートにまとめてください。",
    )
    return [fault]


def _table(source: str, sha256: str, grid: _Grid, at: int, faults: list[Fault]) -> Table:
    header = _trimmed(grid.records[at][1] or [])
    rows: list[Row] = []
    rejected = 0
    for number, cells in grid.records[at + 1 :]:
        trimmed = None if cells is None else _trimmed(cells)
        if trimmed == []:
            continue
        place = partial(Fault, file=source, sheet=grid.sheet, row=number)
        found = _row_faults(header, cells, place, is_text=grid.is_text)
        faults += found
        if trimmed is None or any(fault.severity == "除外" for fault in found):
            rejected += 1
        else:
            padded = trimmed + [""] * (len(header) - len(trimmed))
            bare = (cell.replace("\0", "") for cell in padded[: len(header)])
            rows.append(Row(number=number, cells=tuple(bare)))
    if not rows and not rejected:
        raise DataError(f"「{source}」の見出しの下に行がありません。1行以上を入れてください。")
    return Table(
        source=source,
        sheet=grid.sheet,
        sha256=sha256,
        header=tuple(cell.strip() for cell in header),
        rows=tuple(rows),
        rejected=rejected,
        faults=tuple(faults),
    )


def _row_faults(
    header: list[str], cells: list[str] | None, fault: Callable[..., Fault], *, is_text: bool
) -> list[Fault]:
    """What is wrong with the shape of a row. Text cut at the wrong places is no data at all."""
    if cells is None:
        problem = '引用符（"）の使い方が正しくないため、この行を列に分けられません。'
        remedy = "引用符を閉じるか、文中の引用符を2つ重ねてください。"
        return [fault(severity="除外", problem=problem, remedy=remedy)]
    faults: list[Fault] = []
    surplus = "、".join(_brief(cell) for cell in cells[len(header) :] if cell.strip())
    if surplus and is_text:
        problem = "見出しより列が多く、途中の区切り文字で列がずれています。"
        remedy = '区切り文字を含む文を引用符（"）で囲んでください。'
        faults.append(fault(value=surplus, severity="除外", problem=problem, remedy=remedy))
    elif surplus:
        problem = "見出しのない列に値があります。この値は使いません。"
        remedy = "列に見出しを付けるか、値を消してください。"
        faults.append(fault(value=surplus, severity="警告", problem=problem, remedy=remedy))
    if is_text and len(cells) < len(header):
        problem = "見出しより列が少ない行です。足りない列は空として読みました。"
        remedy = "文の途中で行が分かれていないか確かめてください。"
        faults.append(fault(severity="警告", problem=problem, remedy=remedy))
    for name, cell in zip(header, cells, strict=False):
        if "\0" in cell:
            problem = "見えない文字（NUL）が入っていたので除きました。"
            remedy = "このセルを入力し直してください。"
            faults.append(fault(column=name, severity="警告", problem=problem, remedy=remedy))
    return faults


def _trimmed(cells: list[str]) -> list[str]:
    """The cells without the blank ones at the end."""
    end = len(cells)
    while end and not cells[end - 1].strip():
        end -= 1
    return cells[:end]


def _brief(cell: str) -> str:
    """The start of a cell on one line, short enough for a sentence."""
    plain = "".join(char if char.isprintable() else " " for char in cell)
    line = _PERSONAL.sub("*" * 12, " ".join(plain.split()))
    return line if len(line) <= 30 else f"{line[:30]}…"
