"""The corrected table as a workbook: every row as it was, what was corrected and what is left.

It can be filled in and read as a table again: the columns of remarks are then passed over, and a
cell that was neutralised is what it was.
"""

import unicodedata
from collections.abc import Iterator, Mapping
from io import BytesIO

from xlsxwriter import Workbook
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

from matcher.columns import MENDED, OPEN, ROW
from matcher.correction import CorrectedRow, Correction
from matcher.inspection import AnyInspection
from matcher.report.cells import CELL_LIMIT, CUT_MARK, cell_text
from matcher.report.columns import Cell, Column
from matcher.report.inspected import STATES, SUBJECTS, place, safe, sentence, totals
from matcher.report.sheets import (
    check_size,
    height,
    new_book,
    set_page,
    set_table,
    write_cell,
    write_notes,
)

NOTES = "説明"
_TITLE, _FOOT = "表の点検", "赤いところを直して保存し、このファイルを入力に使ってください。"
_REMARKS = 3  # columns before those of the table
_NARROWEST, _WIDEST, _SAMPLED = 10, 52, 1_000  # half-width characters; rows that a width is of
_TALLEST = 14.5 * 8 + 4  # points of a row for its data; its remarks are shown whole
_EDGE: Mapping[str, object] = {"valign": "top", "border": 1, "border_color": "#C9D1DA"}
_RED, _YELLOW, _GREY = "#FAD4D0", "#FFF3C4", "#E4E7EB"
_MARKS = {"": "", "mended": _YELLOW, "open": _RED}
_STATES = {"usable": "", "merged": _GREY, "rejected": _RED}


class _Formats:
    """The formats of the cells, made when first asked for."""

    def __init__(self, book: Workbook) -> None:
        self._book = book
        self._made: dict[tuple[str, bool], Format] = {}

    def of(self, fill: str, *, is_code: bool = False) -> Format:
        """The format of a cell of this colour; a code stays text when the cell is edited."""
        if (fill, is_code) not in self._made:
            look = {**_EDGE, "text_wrap": True}
            look |= {"bg_color": fill} if fill else {}
            look |= {"num_format": "@"} if is_code else {}
            self._made[fill, is_code] = self._book.add_format(look)
        return self._made[fill, is_code]


def corrected_workbook(inspection: AnyInspection, correction: Correction) -> bytes:
    """The corrected table as XLSX; equal tables give equal bytes.

    Raises:
        MatcherError: a sheet cannot hold the rows or the columns.
    """
    columns = tuple(_columns(correction))
    check_size(len(correction.rows), len(columns))
    target = BytesIO()
    with new_book(target, _TITLE) as (book, looks):
        sheet = book.add_worksheet(SUBJECTS[inspection.name])
        notes = book.add_worksheet(NOTES)
        set_table(sheet, columns, len(correction.rows), looks, frozen=2)
        formats = _Formats(book)
        for y, row in enumerate(correction.rows, start=1):
            _write_row(sheet, y, columns, row, correction.is_code, formats)
        write_notes(notes, tuple(_notes(inspection, correction)), looks)
        for one in (sheet, notes):
            set_page(one, _TITLE, foot=_FOOT)
    return target.getvalue()


def _columns(correction: Correction) -> Iterator[Column[CorrectedRow]]:
    """The columns of remarks, then those of the table, as wide as their first rows need."""
    yield _column(ROW, 9)
    yield _column(OPEN, 44)
    yield _column(MENDED, 34)
    for x, header in enumerate(correction.header):
        cells = [header, *(row.cells[x] for row in correction.rows[:_SAMPLED])]
        longest = max(_units(line) for cell in cells for line in cell.split("\n"))
        yield _column(header, min(max(longest + 2, _NARROWEST), _WIDEST))


def _column(header: str, width: int) -> Column[CorrectedRow]:
    return Column(header=header, width=width, value=lambda row: row.number, note="")


def _units(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(char) in "WFA" else 1 for char in text)


def _write_row(
    sheet: Worksheet,
    y: int,
    columns: tuple[Column[CorrectedRow], ...],
    row: CorrectedRow,
    is_code: tuple[bool, ...],
    formats: _Formats,
) -> None:
    """A row: where it stood, what is left, what was corrected, then its cells."""
    left, mended = "\n".join(_left(row, columns)), "\n".join(row.mended)
    remarks: tuple[tuple[Cell, str], ...] = (
        (row.number, _STATES[row.state]),
        (left, _RED if left and row.state != "merged" else _STATES[row.state]),
        (mended, _YELLOW if mended else ""),
    )
    for x, (value, fill) in enumerate(remarks):
        write_cell(sheet, y, x, value, formats.of(fill))
    for x, (cell, mark) in enumerate(zip(row.cells, row.marks, strict=True)):
        fill = _RED if _is_cut(cell) else _MARKS[mark]
        fill = _GREY if row.state == "merged" and fill != _YELLOW else fill
        write_cell(sheet, y, _REMARKS + x, cell, formats.of(fill, is_code=is_code[x]))
    widths = [column.width for column in columns]
    told = height(zip(widths[1:_REMARKS], (left, mended), strict=True))
    data = height(zip(widths[_REMARKS:], row.cells, strict=True))
    sheet.set_row(y, max(told, min(data, _TALLEST)))


def _left(row: CorrectedRow, columns: tuple[Column[CorrectedRow], ...]) -> Iterator[str]:
    """The sentences on what is to be looked at in a row."""
    for fault in row.faults:
        value = f"（値: {safe(fault.value)}）" if fault.value and not fault.column else ""
        yield sentence(fault) + value
    if row.is_lost:
        yield f"→ 元の表の{row.number}行目から、セルごとに書き写してください。"
    for column, cell in zip(columns[_REMARKS:], row.cells, strict=True):
        if _is_cut(cell):
            yield (
                f"【警告】{safe(column.header)}: 1つのセルに入る{CELL_LIMIT:,}文字を超えるため、"
                "途中で切りました。元の表から要点を短く書き直してください。"
            )


def _is_cut(cell: str) -> bool:
    return cell_text(cell).endswith(CUT_MARK) and not cell.endswith(CUT_MARK)


def _notes(inspection: AnyInspection, correction: Correction) -> Iterator[tuple[str, str]]:
    """Rows of 説明; a row without a meaning is a heading."""
    table = inspection.table
    yield "このファイルについて", ""
    yield "元の表", f"{safe(table.source)}（{place(table)}）"
    yield "行の数", totals(inspection)
    yield "使い方", _USE
    yield "色の見方", ""
    yield "赤", f"「{OPEN}」に理由と直し方があります。行の番号も赤い行は、直すまで使われません。"
    yield "黄", f"確かに直せるので直したところです。何を直したかは「{MENDED}」にあります。"
    yield "灰", f"{STATES['merged']}の行です。1件にまとめて読むので、消してもかまいません。"
    yield "列の読み方", ""
    for name, headers in inspection.taken.items():
        yield name, f"元の列: {safe('、'.join(headers))}"
    if correction.given_ids:
        yield inspection.label(inspection.kind.id_field), _GIVEN
    if inspection.missing:
        yield "ない列", f"{'、'.join(inspection.missing)}（あれば使います。なくても動きます）"
    if inspection.unknown:
        yield "そのままの列", f"{safe('、'.join(inspection.unknown))}（結果に載せるだけです）"
    if correction.faults:
        yield "表全体で気づいたこと", ""
    for fault in correction.faults:
        where = "表全体" if fault.row is None else f"元の{fault.row}行目"
        yield where, sentence(fault) + (f"（{safe(fault.value)}）" if fault.value else "")
    yield "表記", ""
    yield from _WRITING


_USE = (
    f"「{OPEN}」のある行を直して保存し、このファイルをそのまま matcher の入力にしてください。"
    f"「{ROW}」「{OPEN}」「{MENDED}」の3列は、入力のときに自動で読みとばします。"
    "消さずに残してください。"
)
_GIVEN = (
    "元の表に列がないため、内容から作ったIDを入れました。"
    "このまま残せば、内容を直してもIDは変わりません。"
)
_WRITING = (
    (
        "先頭の「'」",
        "計算式とみなされるおそれのある記号（= + - @ とその全角）で始まるセルには、"
        "先頭に「'」を一つ付けています。入力のときに自動で外します。",
    ),
    (
        "12桁の番号",
        "個人番号（マイナンバー）の恐れがあるため、「************」に置き換えています。",
    ),
    ("見えない文字", "表示できない制御文字は取り除いています。"),
)
