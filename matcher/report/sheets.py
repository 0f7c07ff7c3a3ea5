"""What every workbook is made of: formats, tables with a header, heights, an A4 page."""

import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from io import BytesIO

from xlsxwriter import Workbook
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

from matcher.errors import MatcherError
from matcher.report import wording
from matcher.report.cells import cell_text
from matcher.report.columns import Cell, Column, Row

_MOST_ROWS, _MOST_COLUMNS = 1_048_576, 16_384  # of a sheet, as Excel defines it
_MOST_HEADER = 255 - 60  # characters of a printed header, less our own words
_A4 = 9
_DECISION = "採否と契約は、各自治体の規程と手続きによります。"
_LINE, _TALLEST = 14.5, 409.0  # points: a line of the font, and the tallest row Excel allows
_CREATED = datetime(1980, 1, 1)  # a constant, so that the same content gives the same bytes
_OPTIONS = {
    "in_memory": True,
    "strings_to_formulas": False,
    "strings_to_numbers": False,
    "strings_to_urls": False,
}
_FONT = {"font_name": "BIZ UDPゴシック", "font_size": 10}  # comes with Windows, made to be read
_LOOK: Mapping[str, Mapping[str, object]] = {
    "code": {"num_format": "@", "text_wrap": True},  # a code edited in the cell stays text
    "text": {"text_wrap": True},
    "count": {"num_format": "#,##0", "align": "center"},
    "score": {"num_format": "0.00_ ", "bold": True},  # "_ " keeps it off the next column
    "figure": {"num_format": "0.000_ "},
    "difference": {"num_format": "+0.000_ ;-0.000_ ;0.000_ "},
    "mark": {"align": "center"},
    "part": {"num_format": "+0.00_ ;-0.00_ ;0.00_ "},
    "link": {"font_color": "#0B4F8A", "underline": 1},
    "said": {},  # not wrapped: runs on over the empty cells to its right
}
_REPEATED = "#5F6B78"  # what the row above already said; 5.4 : 1 on white
_HEADER_LOOK = {
    "bold": True,
    "text_wrap": True,
    "valign": "vcenter",
    "bg_color": "#E3EAF2",
    "border": 1,
    "border_color": "#8A98A8",
}


class Looks:
    """The formats of one book, made when first asked for."""

    def __init__(self, book: Workbook) -> None:
        self._book = book
        self._made: dict[tuple[str, bool, bool], Format] = {}
        self.header = book.add_format(_HEADER_LOOK)
        self.section = book.add_format({"bold": True, "font_size": 12, "bottom": 1})

    def of(self, style: str, *, is_first: bool = True, is_faint: bool = False) -> Format:
        """The format of a style; a first row has a thick line above, a faint one repeats."""
        key = (style, is_first, is_faint)
        if key not in self._made:
            look = {
                **_LOOK[style],
                "valign": "top",
                "bottom": 1,
                "bottom_color": "#C9D1DA",
                "top": 2 if is_first else 1,
                "top_color": "#55677A" if is_first else "#C9D1DA",
            }
            if is_faint:
                look["font_color"] = _REPEATED
            self._made[key] = self._book.add_format(look)
        return self._made[key]


@contextmanager
def new_book(target: BytesIO, title: str) -> Iterator[tuple[Workbook, Looks]]:
    """A workbook that is written into `target` at the end: equal contents give equal bytes."""
    # xlsxwriter writes into the font it is given: each book gets its own copy.
    with Workbook(target, {**_OPTIONS, "default_format_properties": dict(_FONT)}) as book:
        book.set_properties({"created": _CREATED, "title": title})
        yield book, Looks(book)


def check_size(rows: int, columns: int) -> None:
    """Nothing, where a sheet can hold so many. Raises MatcherError otherwise."""
    if rows >= _MOST_ROWS:
        raise MatcherError(
            f"候補が{rows:,}行あり、Excelの1枚の表に入る{_MOST_ROWS - 1:,}行を超えます。"
            "--top の件数を減らすか、課題を分けて実行してください。"
        )
    if columns > _MOST_COLUMNS:
        raise MatcherError(
            f"列が{columns:,}あり、Excelの1枚の表に入る{_MOST_COLUMNS:,}列を超えます。"
            "課題か企業の表から、使わない列を減らしてください。"
        )


def set_table(
    sheet: Worksheet, columns: Sequence[Column[Row]], rows: int, looks: Looks, *, frozen: int
) -> None:
    """Header, widths, filter, frozen columns and print area of a table of so many rows."""
    for x, column in enumerate(columns):
        sheet.set_column(x, x, column.width)
        sheet.write_string(0, x, cell_text(column.header), looks.header)
    sheet.set_row(0, _LINE * 4 + 4)
    sheet.freeze_panes(1, frozen)
    sheet.autofilter(0, 0, rows, len(columns) - 1)
    sheet.repeat_rows(0)
    sheet.print_area(0, 0, rows, sum(column.is_printed for column in columns) - 1)
    sheet.ignore_errors({"number_stored_as_text": f"A1:XFD{rows + 1}"})


def write_table(
    sheet: Worksheet,
    columns: Sequence[Column[Row]],
    rows: Sequence[Row],
    looks: Looks,
    *,
    frozen: int = 1,
) -> None:
    """A whole table: the header, then a row for each, as high as its text needs."""
    set_table(sheet, columns, len(rows), looks, frozen=frozen)
    for y, row in enumerate(rows, start=1):
        values = [column.value(row) for column in columns]
        for x, (column, value) in enumerate(zip(columns, values, strict=True)):
            write_cell(sheet, y, x, value, looks.of(column.style, is_first=False))
        widths = (column.width for column in columns)
        sheet.set_row(y, height(zip(widths, values, strict=True)))


def write_cell(sheet: Worksheet, y: int, x: int, value: Cell, look: Format) -> None:
    """A text as an inert text, a number as a number, nothing as a blank."""
    if isinstance(value, str) and value:
        sheet.write_string(y, x, cell_text(value), look)
    elif value is None or isinstance(value, str):
        sheet.write_blank(y, x, None, look)
    else:
        sheet.write_number(y, x, value, look)


def height(cells: Iterable[tuple[int, Cell]]) -> float:
    """Points that the tallest of these cells needs, each given with its column's width.

    Written out, for LibreOffice shows one line where a row has no height, and by the printed
    columns alone, or a long profile beside the table would tear its rows apart.
    """
    lines = max((_lines(v, width) for width, v in cells if isinstance(v, str)), default=1)
    return min(_LINE * lines + 4, _TALLEST)


def _lines(text: str, width: int) -> int:
    return sum(max(1, -(-_units(line) // width)) for line in wording.clean(text).split("\n"))


def _units(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(c) in "WFA" else 1 for c in text)


def set_page(
    sheet: Worksheet, title: str, *, as_of: str | None = None, foot: str = _DECISION
) -> None:
    """A4 landscape, one page wide, with title, date and a sentence at its foot: who decides."""
    sheet.set_paper(_A4)
    sheet.set_landscape()
    sheet.fit_to_pages(1, 0)
    sheet.set_margins(left=0.4, right=0.4, top=0.7, bottom=0.6)
    date = "" if as_of is None else f"&R基準日 {_header_text(as_of)}"
    sheet.set_header(f"&L{_header_text(title)}（&A）{date}")
    sheet.set_footer(f"&L{foot}&R&P / &N")


def _header_text(text: str) -> str:
    # "&" begins a code in a printed header, and xlsxwriter takes even a doubled one for a picture.
    return wording.one_line(text)[: _MOST_HEADER // 2].replace("&", "＆")


def write_notes(sheet: Worksheet, notes: Sequence[tuple[str, str]], looks: Looks) -> None:
    """A sheet of what things mean; a row without a meaning is a heading."""
    sheet.set_column(0, 0, 26)
    sheet.set_column(1, 1, 104)
    for y, (item, meaning) in enumerate(notes):
        if meaning:
            sheet.write_string(y, 0, cell_text(item), looks.of("text", is_first=False))
            sheet.write_string(y, 1, cell_text(meaning), looks.of("text", is_first=False))
            sheet.set_row(y, height([(26, item), (100, meaning)]))
        else:
            sheet.set_row(y, 26)
            sheet.write_string(y, 0, item, looks.section)
            sheet.write_blank(y, 1, None, looks.section)


def meanings(columns: Sequence[Column[Row]]) -> Iterator[tuple[str, str]]:
    """The header and the meaning of each column, for the notes."""
    for column in columns:
        tail = "" if column.is_printed else "（印刷の範囲には入れていません）"
        yield column.header, column.note + tail
