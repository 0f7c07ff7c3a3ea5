"""Tables as rows of text: any proven encoding, any workbook, every fault with its place.

Every cell is text, so that no code loses a zero. What kind of file it is, its first bytes say: a
name may lie.
"""

import hashlib
import os
import re
import shutil
import stat
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain, islice
from pathlib import Path
from tempfile import TemporaryFile
from typing import BinaryIO

from matcher.errors import DataError
from matcher.tables import delimited, objects, workbooks
from matcher.tables.encodings import decode, undecided
from matcher.tables.grid import Grid, Record, Span
from matcher.tables.header import DEPTH, Header, find_header, is_filled, missing, trimmed
from matcher.types import Fault

SUPPORTED = (
    "CSV・TSV（UTF-8、CP932、EUC-JP、UTF-16）、Excel（xlsx・xlsm・xlsb・xls）、ODS、"
    "JSON Lines、Parquet"
)

_TEXT_SUFFIXES = frozenset({".csv", ".tsv", ".tab", ".txt", ""})
_WORKBOOK_SUFFIXES = frozenset({".xlsx", ".xlsm", ".xlsb", ".xls", ".ods"})
_JSON_SUFFIXES = frozenset({".jsonl", ".ndjson", ".json"})
_HEAD = 512  # bytes that tell what a file is
_MARKUP = re.compile(rb"\s*<(?:!doctype|html|head|meta|style|table|body|div|\?xml)", re.IGNORECASE)
_PERSONAL = re.compile(r"(?<!\d)\d{12}(?!\d)")  # a 個人番号 is not repeated, even in a message
_NOTE = re.compile(r"[※＊*]|[(（\[【〔]?(?:注|備考|出典|資料|凡例|以上$)")

_Reader = Callable[[str, BinaryIO], Iterator[Grid]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A data row: as many cells as the header has."""

    number: int  # 1-based, as a spreadsheet shows it
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A header and its data rows; `len(rows) + rejected` were seen, blank ones not counted."""

    source: str  # file name without its folder
    sheet: str  # "" for what has no sheets
    others: tuple[str, ...] = ()  # sheets that were not read
    encoding: str = ""  # of a text, as Python names it
    sha256: str  # of the file's bytes
    header: tuple[str, ...]  # as written
    header_rows: tuple[int, ...]  # where it stands; 0 where names stand beside the values
    rows: tuple[Row, ...]
    rejected: int  # rows that cannot be taken apart; each has its fault
    faults: tuple[Fault, ...]  # of the table (row None), then in row order


def read_table(
    path: str | Path,
    *,
    required: Mapping[str, Collection[str]] | None = None,
    known: Collection[str] = (),
) -> Table:
    """The first sheet of a file that has a header with every required column.

    `required` names each such column for the reader and gives the headers that stand for it;
    without it the first row that is not blank is the header. `known` are all headers that mean
    something, by which a header of two rows is found. Raises `DataError`, in one Japanese sentence
    with its remedy, when there is no such table.
    """
    with _opened(Path(path)) as file:
        source, reader = _name(path), _reader(_name(path), file)
        return _first_fitting(source, file, reader, required or {}, known)


def read_hidden_table(path: str | Path, *, required: Mapping[str, Collection[str]]) -> Table:
    """As `read_table`, among all sheets of a workbook, those out of sight too."""

    def shown(source: str, file: BinaryIO) -> Iterator[Grid]:
        return (replace(grid, is_hidden=False) for grid in workbooks.grids(source, file))

    with _opened(Path(path)) as file:
        return _first_fitting(_name(path), file, shown, required, ())


def read_text(path: str | Path) -> str:
    """The text of a file, its encoding decided by proof. Raises `DataError` when nothing fits."""
    with _opened(Path(path)) as file:
        return decode(_name(path), file.read())


def _name(path: str | Path) -> str:
    """A file's name as UTF-8 can write it: another system's, or any under LANG=C, may be bytes."""
    return os.fsencode(Path(path).name).decode("utf-8", errors="replace")


def _first_fitting(
    source: str,
    file: BinaryIO,
    reader: _Reader,
    required: Mapping[str, Collection[str]],
    known: Collection[str],
) -> Table:
    """The table of the first grid with a fitting header; the others are only looked at."""
    sha256 = hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]
    table: Table | None = None
    seen: list[tuple[Grid, list[Record], Header | None]] = []
    for grid in reader(source, file):
        records = iter(grid.records)
        head = list(islice(records, DEPTH + 1))
        header = find_header(head, required, known)
        if header and table is None and not grid.is_hidden:
            rows = chain(head[header.behind :], records)
            table = _table(source, sha256, grid, header, rows, len(required) > 1)
        else:
            seen.append((grid, head, header))
    rivals = [grid for grid, _, header in seen if header]
    if table is None:
        raise DataError(_no_table(source, rivals, [head for _, head, _ in seen], required))
    encodings = dict.fromkeys([table.encoding, *(grid.encoding for grid in rivals)])
    if len(encodings) > 1:
        raise DataError(undecided(source, tuple(encodings)))
    others = tuple(grid.sheet for grid, _, _ in seen if grid.sheet and not grid.is_hidden)
    notes = _rival_sheets(table, [grid.sheet for grid in rivals if not grid.is_hidden])
    return replace(table, others=others, faults=(*notes, *table.faults))


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """The file, to be read from anywhere; what comes through a pipe is laid aside first."""
    try:
        kind = path.stat().st_mode
        if stat.S_ISDIR(kind):
            message = f"「{path}」はフォルダーです。中の表のファイルを指定してください。"
            raise DataError(message)
        if not (stat.S_ISREG(kind) or stat.S_ISFIFO(kind)):
            raise ValueError("a device has no end")
        file = path.open("rb")
    except FileNotFoundError as error:
        message = f"「{path}」が見つかりません。ファイル名と場所を確かめてください。"
        raise DataError(message) from error
    except (OSError, ValueError) as error:
        message = f"「{path}」を開けません。ほかのソフトで開いていれば閉じてください。"
        raise DataError(message) from error
    with file, TemporaryFile() if stat.S_ISFIFO(kind) else nullcontext(file) as whole:
        if whole is not file:
            shutil.copyfileobj(file, whole)
            whole.seek(0)
        if not whole.read(1):
            message = f"「{path.name}」は空のファイルです（0バイト）。表を保存し直してください。"
            raise DataError(message)
        whole.seek(0)
        yield whole


def _reader(source: str, file: BinaryIO) -> _Reader:
    """The way to read a file: by its first bytes, for a name may lie, then by its suffix."""
    head = file.read(_HEAD)
    file.seek(0)
    suffix = Path(source).suffix.lower()
    for magic, reader in _BY_MAGIC.items():
        if head.startswith(magic):
            return reader
    if _MARKUP.match(head.removeprefix(b"\xef\xbb\xbf")):
        return _markup
    if suffix in _JSON_SUFFIXES or head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b'{"'):
        return objects.json_grids
    return delimited.grids if suffix in _TEXT_SUFFIXES | _WORKBOOK_SUFFIXES else _unsupported


def _unsupported(source: str, file: BinaryIO) -> Iterator[Grid]:
    raise DataError(f"「{source}」の形式は読めません。読める形式は {SUPPORTED} です。")


def _markup(source: str, file: BinaryIO) -> Iterator[Grid]:
    message = (
        f"「{source}」の中身はHTMLかXMLで、表のファイルではありません。"
        "Excelで開き、「Excel ブック（.xlsx）」で保存し直してください。"
    )
    raise DataError(message)


_BY_MAGIC: Mapping[bytes, _Reader] = {
    b"PK": workbooks.grids,  # xlsx, xlsm, xlsb, ods
    b"\xd0\xcf\x11\xe0": workbooks.grids,  # xls, and a workbook under a password
    b"PAR1": objects.parquet_grids,
    b"%PDF": _unsupported,
    b"\x1f\x8b": _unsupported,  # gzip
}


def _no_table(
    source: str,
    hidden: Sequence[Grid],
    heads: Sequence[Sequence[Record]],
    required: Mapping[str, Collection[str]],
) -> str:
    """The sentence for a file without a fitting header: what was seen, what was looked for."""
    if hidden:
        return (
            f"「{source}」の表は、非表示のシート「{hidden[0].sheet}」にあります。"
            "シートを再表示して保存し直してください。"
        )
    rows = [cells for head in heads for _, cells in head[:DEPTH] if cells and is_filled(cells)]
    if not rows:
        return f"「{source}」に読める行がありません。見出しと1行以上の表を入れてください。"
    best = min(rows, key=lambda cells: len(missing(cells, required)))
    seen = "、".join(_brief(cell) for cell in best[:30] if cell.strip())
    return (
        f"「{source}」の見出しに {'、'.join(missing(best, required))} の列がありません"
        f"（見つかった見出し: {seen}）。見出しの行と列の名前を確かめてください。"
    )


def _rival_sheets(table: Table, others: Sequence[str]) -> list[Fault]:
    """A warning where other sheets could have been the table too."""
    if not table.sheet or not others:
        return []
    fault = Fault(
        file=table.source,
        sheet=table.sheet,
        value="、".join(others),
        severity="警告",
        problem=f"シート「{table.sheet}」だけを読みました。ほかにも同じ見出しのシートがあります。",
        remedy="ほかのシートも使うときは、1つのシートにまとめてください。",
    )
    return [fault]


def _table(
    source: str,
    sha256: str,
    grid: Grid,
    header: Header,
    records: Iterable[Record],
    has_notes: bool,
) -> Table:
    """The rows under the header; where several columns are required, a lone remark is no row."""
    names = trimmed(header.names)
    place = partial(Fault, file=source, sheet=grid.sheet)
    faults = _header_faults(header, place)
    rows: list[Row] = []
    rejected = 0
    merged: list[int] = []
    wide = {span.top for span in grid.spans if span.right > span.left}
    for number, cells in _filled(records, grid.spans, header.rows[-1], merged):
        short = None if cells is None else trimmed(cells)
        if short == []:
            continue
        at = partial(place, row=number)
        if has_notes and short and _is_note(short, is_wide=number in wide):
            faults.append(_note(short, at))
            continue
        found = _row_faults(names, cells, at, grid)
        faults += found
        if short is None or any(fault.severity == "除外" for fault in found):
            rejected += 1
        else:
            padded = short + [""] * (len(names) - len(short))
            bare = (cell.replace("\0", "") for cell in padded[: len(names)])
            rows.append(Row(number=number, cells=tuple(bare)))
    if not rows and not rejected:
        raise DataError(f"「{source}」の見出しの下に行がありません。1行以上を入れてください。")
    return Table(
        source=source,
        sheet=grid.sheet,
        encoding=grid.encoding,
        sha256=sha256,
        header=tuple(name.strip() for name in names),
        header_rows=header.rows,
        rows=tuple(rows),
        rejected=rejected,
        faults=(*_merged_faults(merged, place), *faults),
    )


def _filled(
    records: Iterable[Record], spans: Sequence[Span], behind: int, merged: list[int]
) -> Iterator[Record]:
    """The records, a cell merged downwards repeated in each of its rows that says more.

    The numbers of these rows go to `merged`. Cells merged sideways are one cell: nothing says that
    each of the columns means the same.
    """
    begins: dict[int, list[Span]] = {}
    for span in spans:
        if span.bottom > span.top > behind:
            begins.setdefault(span.top, []).append(span)
    going: dict[int, tuple[int, str]] = {}  # column → last row and value
    for number, cells in records:
        if cells is not None and going:
            going = {k: told for k, told in going.items() if told[0] >= number}
            blank = {k: value for k, (_, value) in going.items() if k not in _said(cells)}
            if blank and is_filled(cells):
                cells = [*cells, *[""] * (max(blank) + 1 - len(cells))]
                for k, value in blank.items():
                    cells[k] = value
                merged.append(number)
        for span in begins.get(number, ()):
            value = "".join((cells or [])[span.left : span.left + 1])
            if value.strip():
                going[span.left] = (span.bottom, value)
        yield number, cells


def _said(cells: Sequence[str]) -> set[int]:
    return {k for k, cell in enumerate(cells) if cell.strip()}


def _is_note(cells: Sequence[str], *, is_wide: bool) -> bool:
    """Whether a row is a remark below or between the data: one cell, marked or merged sideways."""
    said = _said(cells)
    return len(said) == 1 and (is_wide or _NOTE.match(cells[said.pop()].strip()) is not None)


def _note(cells: Sequence[str], fault: Callable[..., Fault]) -> Fault:
    return fault(
        value=_brief("".join(cells)),
        severity="警告",
        problem="1つのセルだけの行なので、注記や区切りとみて、データに数えませんでした。",
        remedy="データの行であれば、ほかの列も埋めてください。",
    )


def _header_faults(header: Header, fault: Callable[..., Fault]) -> list[Fault]:
    if len(header.rows) == 1:
        return []
    problem = f"{header.rows[0]}行目と{header.rows[1]}行目を合わせて見出しとして読みました。"
    remedy = "見出しを1行にまとめると確実です。"
    names = "、".join(_brief(name) for name in header.names if name)
    return [fault(value=names, severity="警告", problem=problem, remedy=remedy)]


def _merged_faults(rows: Sequence[int], fault: Callable[..., Fault]) -> list[Fault]:
    if not rows:
        return []
    told = "、".join(map(str, rows[:10])) + ("…" if len(rows) > 10 else "")
    problem = f"縦に結合されたセルの値を、結合された行にも入れて読みました（{len(rows)}行）。"
    remedy = "結合を解き、行ごとに値を書いてください。"
    return [fault(value=f"{told}行目", severity="警告", problem=problem, remedy=remedy)]


def _row_faults(
    header: Sequence[str], cells: list[str] | None, fault: Callable[..., Fault], grid: Grid
) -> list[Fault]:
    """What is wrong with the shape of a row. Text cut at the wrong places is no data at all."""
    if cells is None:
        problem, remedy = grid.broken
        return [fault(severity="除外", problem=problem, remedy=remedy)]
    faults: list[Fault] = []
    surplus = "、".join(_brief(cell) for cell in cells[len(header) :] if cell.strip())
    if surplus and grid.is_cut:
        problem = "見出しより列が多く、途中の区切り文字で列がずれています。"
        remedy = '区切り文字を含む文を引用符（"）で囲んでください。'
        faults.append(fault(value=surplus, severity="除外", problem=problem, remedy=remedy))
    elif surplus:
        problem = "見出しのない列に値があります。この値は使いません。"
        remedy = "列に見出しを付けるか、値を消してください。"
        faults.append(fault(value=surplus, severity="警告", problem=problem, remedy=remedy))
    if grid.is_cut and len(cells) < len(header):
        problem = "見出しより列が少ない行です。足りない列は空として読みました。"
        remedy = "文の途中で行が分かれていないか確かめてください。"
        faults.append(fault(severity="警告", problem=problem, remedy=remedy))
    for name, cell in zip(header, cells, strict=False):
        if "\0" in cell:
            problem = "見えない文字（NUL）が入っていたので除きました。"
            remedy = "このセルを入力し直してください。"
            faults.append(fault(column=name, severity="警告", problem=problem, remedy=remedy))
    return faults


def _brief(cell: str) -> str:
    """The start of a cell on one line, short enough for a sentence."""
    plain = "".join(char if char.isprintable() else " " for char in cell)
    line = _PERSONAL.sub("*" * 12, " ".join(plain.split()))
    return line if len(line) <= 30 else f"{line[:30]}…"
