"""The coordinator's workbook: an overview, one row per candidate, and what each column means."""

from collections.abc import Sequence
from io import BytesIO

from xlsxwriter.worksheet import Worksheet

from matcher.report import wording
from matcher.report.cells import CUT_MARK
from matcher.report.columns import (
    Column,
    Place,
    detail_columns,
    overview_columns,
    places,
)
from matcher.report.sheets import (
    Looks,
    check_size,
    height,
    meanings,
    new_book,
    set_page,
    set_table,
    write_cell,
    write_notes,
)
from matcher.types import Shortlist

OVERVIEW, DETAILS, NOTES = "一覧", "課題別", "説明"
_TITLE = "課題と企業の候補"

_MOST_LINKS = 65_530  # of a sheet; beyond them the cell stays a plain text
_NAME = "企業名"  # the column that says why where there is no candidate


def workbook_bytes(shortlists: Sequence[Shortlist], *, as_of: str | None = None) -> bytes:
    """The workbook as XLSX: 一覧, 課題別 and 説明. Equal shortlists give equal bytes.

    `as_of` is printed as it is; without it no date appears. No cell is a formula, and the only
    links lead from 一覧 to 課題別. Raises `MatcherError` where a sheet cannot hold the rows.
    """
    rows = places(shortlists)
    overview, details = overview_columns(shortlists, as_of), detail_columns(shortlists)
    check_size(len(rows), max(len(overview), len(details)))
    target = BytesIO()
    with new_book(target, _TITLE) as (book, looks):
        sheets = [book.add_worksheet(name) for name in (OVERVIEW, DETAILS, NOTES)]
        _write_overview(sheets[0], overview, shortlists, looks)
        _write_details(sheets[1], details, rows, looks)
        write_notes(sheets[2], _notes(overview, details, len(shortlists), as_of), looks)
        for sheet in sheets:
            set_page(sheet, _TITLE, as_of=as_of)
    return target.getvalue()


def _write_overview(
    sheet: Worksheet, columns: Sequence[Column[Shortlist]], rows: Sequence[Shortlist], looks: Looks
) -> None:
    set_table(sheet, columns, len(rows), looks, frozen=2)
    block = 1  # the row of 課題別 where the issue's block begins
    for y, shortlist in enumerate(rows, start=1):
        for x, column in enumerate(columns):
            look = looks.of(column.style, is_first=False)
            if column.style == "link" and y <= _MOST_LINKS:
                target = f"internal:'{DETAILS}'!A{block + 1}"
                sheet.write_url(y, x, target, look, str(column.value(shortlist)))
            else:
                write_cell(sheet, y, x, column.value(shortlist), look)
        sheet.set_row(y, height((c.width, c.value(shortlist)) for c in columns if c.is_printed))
        block += max(1, len(shortlist.entries))


def _write_details(
    sheet: Worksheet, columns: Sequence[Column[Place]], rows: Sequence[Place], looks: Looks
) -> None:
    set_table(sheet, columns, len(rows), looks, frozen=5)
    for y, place in enumerate(rows, start=1):
        for x, column in enumerate(columns):
            is_said = place.entry is None and column.header == _NAME
            look = looks.of(
                "said" if is_said else column.style,
                is_first=place.is_first,
                is_faint=x < 2 and not place.is_first,
            )
            write_cell(sheet, y, x, column.value(place), look)
        wrapped = (c for c in columns if c.is_printed and (place.entry or c.header != _NAME))
        sheet.set_row(y, height((c.width, c.value(place)) for c in wrapped))


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
        *meanings(overview),
        (f"「{DETAILS}」の列", ""),
        *meanings(details),
        ("表記と印刷", ""),
        *_WRITING_NOTES,
    ]


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
