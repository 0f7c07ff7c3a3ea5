"""The coordinator's workbook: an overview, one row per candidate, and what each column means."""

import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from io import BytesIO

from xlsxwriter import Workbook
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

from matcher.errors import MatcherError
from matcher.report import wording
from matcher.report.cells import CUT_MARK, cell_text
from matcher.report.columns import (
    Cell,
    Column,
    Place,
    Row,
    detail_columns,
    overview_columns,
    places,
)
from matcher.types import Shortlist

OVERVIEW, DETAILS, NOTES = "一覧", "課題別", "説明"

_MOST_ROWS, _MOST_COLUMNS = 1_048_576, 16_384  # of a sheet, as Excel defines it
_MOST_LINKS = 65_530  # of a sheet; beyond them the cell stays a plain text
_MOST_HEADER = 255 - 60  # characters of a printed header, less our own words
_A4 = 9
_LINE, _TALLEST = 14.5, 409.0  # points: a line of the font, and the tallest row Excel allows
_CREATED = datetime(1980, 1, 1)  # a constant, so that the same shortlists give the same bytes
_OPTIONS = {
    "in_memory": True,
    "strings_to_formulas": False,
    "strings_to_numbers": False,
    "strings_to_urls": False,
}
_FONT = {"font_name": "BIZ UDPゴシック", "font_size": 10}  # comes with Windows, made to be read
_NAME = "企業名"  # the column that says why where there is no candidate
_LOOK: Mapping[str, Mapping[str, object]] = {
    "code": {"num_format": "@", "text_wrap": True},  # a code edited in the cell stays text
    "text": {"text_wrap": True},
    "count": {"num_format": "#,##0", "align": "center"},
    "score": {"num_format": "0.00_ ", "bold": True},  # "_ " keeps it off the next column
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


def workbook_bytes(shortlists: Sequence[Shortlist], *, as_of: str | None = None) -> bytes:
    """The workbook as XLSX: 一覧, 課題別 and 説明. Equal shortlists give equal bytes.

    `as_of` is printed as it is; without it no date appears. No cell is a formula, and the only
    links lead from 一覧 to 課題別. Raises `MatcherError` where a sheet cannot hold the rows.
    """
    rows = places(shortlists)
    overview, details = overview_columns(shortlists, as_of), detail_columns(shortlists)
    _check_size(len(rows), max(len(overview), len(details)))
    target = BytesIO()
    # xlsxwriter writes into the font it is given: each book gets its own copy.
    with Workbook(target, {**_OPTIONS, "default_format_properties": dict(_FONT)}) as book:
        book.set_properties({"created": _CREATED, "title": "課題と企業の候補"})
        looks = _Looks(book)
        sheets = [book.add_worksheet(name) for name in (OVERVIEW, DETAILS, NOTES)]
        _write_overview(sheets[0], overview, shortlists, looks)
        _write_details(sheets[1], details, rows, looks)
        _write_notes(sheets[2], _notes(overview, details, len(shortlists), as_of), looks)
        for sheet in sheets:
            _set_page(sheet, as_of)
    return target.getvalue()


class _Looks:
    """The formats of one book, made when first asked for."""

    def __init__(self, book: Workbook) -> None:
        self._book = book
        self._made: dict[tuple[str, bool, bool], Format] = {}
        self.header = book.add_format(_HEADER_LOOK)
        self.section = book.add_format({"bold": True, "font_size": 12, "bottom": 1})

    def of(self, style: str, *, is_first: bool = True, is_faint: bool = False) -> Format:
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


def _check_size(rows: int, columns: int) -> None:
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


def _write_overview(
    sheet: Worksheet, columns: Sequence[Column[Shortlist]], rows: Sequence[Shortlist], looks: _Looks
) -> None:
    _set_table(sheet, columns, len(rows), looks, frozen=2)
    block = 1  # the row of 課題別 where the issue's block begins
    for y, shortlist in enumerate(rows, start=1):
        for x, column in enumerate(columns):
            look = looks.of(column.style, is_first=False)
            if column.style == "link" and y <= _MOST_LINKS:
                target = f"internal:'{DETAILS}'!A{block + 1}"
                sheet.write_url(y, x, target, look, str(column.value(shortlist)))
            else:
                _write_cell(sheet, y, x, column.value(shortlist), look)
        sheet.set_row(y, _height((c.width, c.value(shortlist)) for c in columns if c.is_printed))
        block += max(1, len(shortlist.entries))


def _write_details(
    sheet: Worksheet, columns: Sequence[Column[Place]], rows: Sequence[Place], looks: _Looks
) -> None:
    _set_table(sheet, columns, len(rows), looks, frozen=5)
    for y, place in enumerate(rows, start=1):
        for x, column in enumerate(columns):
            is_said = place.entry is None and column.header == _NAME
            look = looks.of(
                "said" if is_said else column.style,
                is_first=place.is_first,
                is_faint=x < 2 and not place.is_first,
            )
            _write_cell(sheet, y, x, column.value(place), look)
        wrapped = (c for c in columns if c.is_printed and (place.entry or c.header != _NAME))
        sheet.set_row(y, _height((c.width, c.value(place)) for c in wrapped))


def _set_table(
    sheet: Worksheet, columns: Sequence[Column[Row]], rows: int, looks: _Looks, *, frozen: int
) -> None:
    for x, column in enumerate(columns):
        sheet.set_column(x, x, column.width)
        sheet.write_string(0, x, cell_text(column.header), looks.header)
    sheet.set_row(0, _LINE * 4 + 4)
    sheet.freeze_panes(1, frozen)
    sheet.autofilter(0, 0, rows, len(columns) - 1)
    sheet.repeat_rows(0)
    sheet.print_area(0, 0, rows, sum(column.is_printed for column in columns) - 1)
    sheet.ignore_errors({"number_stored_as_text": f"A1:XFD{rows + 1}"})


def _write_cell(sheet: Worksheet, y: int, x: int, value: Cell, look: Format) -> None:
    if isinstance(value, str) and value:
        sheet.write_string(y, x, cell_text(value), look)
    elif value is None or isinstance(value, str):
        sheet.write_blank(y, x, None, look)
    else:
        sheet.write_number(y, x, value, look)


def _height(cells: Iterable[tuple[int, Cell]]) -> float:
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


def _set_page(sheet: Worksheet, as_of: str | None) -> None:
    sheet.set_paper(_A4)
    sheet.set_landscape()
    sheet.fit_to_pages(1, 0)
    sheet.set_margins(left=0.4, right=0.4, top=0.7, bottom=0.6)
    date = "" if as_of is None else f"&R基準日 {_header_text(as_of)}"
    sheet.set_header(f"&L課題と企業の候補（&A）{date}")
    sheet.set_footer("&L採否と契約は、各自治体の規程と手続きによります。&R&P / &N")


def _header_text(text: str) -> str:
    # "&" begins a code in a printed header; doubled, it is itself.
    return wording.one_line(text)[: _MOST_HEADER // 2].replace("&", "&&")


def _write_notes(sheet: Worksheet, notes: Sequence[tuple[str, str]], looks: _Looks) -> None:
    sheet.set_column(0, 0, 26)
    sheet.set_column(1, 1, 104)
    for y, (item, meaning) in enumerate(notes):
        if meaning:
            sheet.write_string(y, 0, cell_text(item), looks.of("text", is_first=False))
            sheet.write_string(y, 1, cell_text(meaning), looks.of("text", is_first=False))
            sheet.set_row(y, _height([(26, item), (100, meaning)]))
        else:
            sheet.set_row(y, 26)
            sheet.write_string(y, 0, item, looks.section)
            sheet.write_blank(y, 1, None, looks.section)


def _notes(
    overview: Sequence[Column[Shortlist]],
    details: Sequence[Column[Place]],
    issues: int,
    as_of: str | None,
) -> list[tuple[str, str]]:
    """Rows of 説明; a row without a meaning is a heading."""
    return [
        ("この資料について", ""),
        ("お読みください", wording.DISCLAIMER),
        ("引用", wording.QUOTED),
        ("課題の数", f"{issues:,}件"),
        *([] if as_of is None else [("基準日", as_of)]),
        ("状態の見方", ""),
        *_STATUS_NOTES,
        (f"「{OVERVIEW}」の列", ""),
        *_meanings(overview),
        (f"「{DETAILS}」の列", ""),
        *_meanings(details),
        ("表記と印刷", ""),
        *_WRITING_NOTES,
    ]


def _meanings(columns: Sequence[Column[Row]]) -> Iterator[tuple[str, str]]:
    for column in columns:
        tail = "" if column.is_printed else "（印刷の範囲には入れていません）"
        yield column.header, column.note + tail


_STATUS_NOTES = (
    (wording.STATUSES["ranked"], "条件に合う企業を比べ、得点の高い順に挙げています。"),
    (
        wording.STATUSES["no_candidate"],
        "条件に合う企業がないか、合う企業に共通する点がありません。理由は備考にあります。",
    ),
    (
        wording.STATUSES["unclear"],
        "課題の文章に手掛かりとなる言葉がなく、順位を付けていません。",
    ),
    (wording.STATUSES["routed"], "規則により順位を付けず、担当する部署にお渡しする課題です。"),
)
_WRITING_NOTES = (
    (
        "先頭の「'」",
        "計算式とみなされるおそれのある記号（= + - @ とその全角、タブ、改行）で始まる文章には、"
        "計算式として働かないよう先頭に「'」を一つ付けています。"
        "「'」を一つ取り除くと、元の文章に戻ります。",
    ),
    (
        "長い文章",
        f"一つの欄に入る32,767文字を超える文章は、途中で切り、末尾に「{CUT_MARK}」と書いています。",
    ),
    ("見えない文字", "表示できない制御文字は取り除いています。"),
    (
        "印刷",
        "A4横、幅1ページに合わせています。右側の補足の列は印刷の範囲に入れていません。"
        "必要なときは「印刷範囲のクリア」を行ってください。"
        "会議で配るときは、同じ内容のHTMLの資料のほうが読みやすく印刷できます。",
    ),
)
