"""The workbooks of judging: one for each judge, one for disagreements; and judgements as CSV.

A workbook tells a judge nothing of ranks, scores or ids. A sheet out of sight says which pair each
判定ID stands for, so that the file alone is enough to read it back.
"""

import csv
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO

from xlsxwriter import Workbook
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

from matcher.judgements import (
    DECIDED,
    GRADES,
    REASONS,
    UNSURE,
    Card,
    Disagreement,
    Judgement,
)
from matcher.report.cells import cell_text
from matcher.report.columns import Cell, Column, Style
from matcher.report.guide import write_guide
from matcher.report.sheets import (
    Looks,
    check_size,
    height,
    new_book,
    set_page,
    set_table,
    write_cell,
)

GUIDE, SHEET, DISAGREEMENTS, KEY = "手引き", "判定", "不一致", "鍵"
ID, GRADE, REASON, MEMO, DECISION = "判定ID", "評点", "理由", "メモ", "決定"
TITLE, PLACE, ISSUE, COMPANY = "課題", "自治体", "課題の内容", "企業の紹介"
KEY_HEADER = (ID, "issue_id", "company_id", "judge", "texts")
_REMARKS = f"{REASON}と{MEMO}"
CSV_HEADER = ("issue_id", "company_id", "judge", "grade", "reason", "memo")

_LINE_HEIGHT, _REPEATED_LINES = 14.5, 8  # lines of the issue that a repeating row shows at least
_HEADER_HEIGHT, _INDENT = 30, 2
_BANDS = ("#FFFFFF", "#EEF4FA")  # issues in turn
_ASKED, _DONE = "#FFF0B3", "#DDF1DF"  # still to be filled in, filled in
_OFFERED = "#FFFCEE"  # may be filled in
_REPEATED = "#5F6B78"  # what the row above already said; over 4.5 : 1 on both bands
_LOOK: Mapping[str, Mapping[str, object]] = {
    "count": {"align": "center"},
    "text": {"text_wrap": True, "align": "left", "indent": 1},
    "mark": {"text_wrap": True, "bold": True, "align": "left", "indent": 1},
    "score": {"text_wrap": True, "bold": True, "font_size": 12, "align": "center"},
    "code": {"num_format": "@", "font_size": 8, "font_color": "#77818C"},
    "asked": {"bg_color": _ASKED, "align": "center", "font_size": 12, "text_wrap": True},
    "asked text": {"bg_color": _OFFERED, "text_wrap": True, "align": "left", "indent": 1},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A row of a sheet that is judged in: a card and its place."""

    number: int
    card: Card
    block: int  # of its issue, counted from 0
    is_first: bool  # of its issue
    said: Sequence[Judgement] = ()  # of a disagreement


def judge_workbook(cards: Sequence[Card], judge: str) -> bytes:
    """The workbook of one judge as XLSX, its rows in the order of the cards.

    Cards of one issue stand together. Equal cards and judge give equal bytes. Raises `MatcherError`
    where a sheet cannot hold the rows.
    """
    return _workbook("判定用紙", SHEET, _lines(cards), _JUDGED, judge=judge)


def disagreement_workbook(
    disagreements: Sequence[Disagreement], cards: Mapping[tuple[str, str], Card]
) -> bytes:
    """What judges said of pairs that are not settled, side by side, with a column for the decision.

    `cards` gives what was shown of a pair by issue and company; one that is not there is named by
    its ids.
    """
    found = [cards.get((one.issue_id, one.company_id)) or _bare(one) for one in disagreements]
    said = [one.judgements for one in disagreements]
    judges = sorted({j.judge for those in said for j in those})
    columns = (
        *_SHOWN,
        *(_column(f"{GRADE}：{judge}", 9, _told(judge, answer), "score") for judge in judges),
        *(_column(f"{_REMARKS}：{judge}", 20, _told(judge, _remarks)) for judge in judges),
        *_DECIDED,
    )
    return _workbook("判定の不一致", DISAGREEMENTS, _lines(found, said), columns, judge=DECIDED)


def judgements_csv(judgements: Iterable[Judgement]) -> bytes:
    """One line per judgement, UTF-8 with BOM, CRLF; inert as the lines of rejected.csv are."""
    lines = io.StringIO()
    csv.writer(lines, lineterminator="\r\n").writerow(CSV_HEADER)
    writer = csv.writer(lines, lineterminator="\r\n", quoting=csv.QUOTE_ALL)
    for one in judgements:
        texts = (one.issue_id, one.company_id, one.judge, answer(one), one.reason, one.memo)
        writer.writerow(map(cell_text, texts))
    return lines.getvalue().encode("utf-8-sig")


def answer(judgement: Judgement) -> str:
    """The grade as it is written in a cell: 0–3, わからない, or nothing."""
    if judgement.grade is not None:
        return str(judgement.grade)
    return UNSURE if judgement.is_unsure else ""


def _lines(cards: Sequence[Card], said: Sequence[Sequence[Judgement]] | None = None) -> list[Line]:
    lines: list[Line] = []
    block = -1
    for at, card in enumerate(cards):
        is_first = at == 0 or cards[at - 1].issue_id != card.issue_id
        block += is_first
        lines.append(
            Line(
                number=at + 1,
                card=card,
                block=block,
                is_first=is_first,
                said=said[at] if said else (),
            )
        )
    return lines


def _bare(one: Disagreement) -> Card:
    return Card(
        issue_id=one.issue_id,
        company_id=one.company_id,
        title=f"課題ID {one.issue_id}",
        place="",
        issue="（文章は元の判定用紙をご覧ください）",
        company=f"企業ID {one.company_id}",
    )


def _workbook(
    title: str, name: str, lines: Sequence[Line], columns: Sequence[Column[Line]], *, judge: str
) -> bytes:
    check_size(len(lines), len(columns))
    target = BytesIO()
    with new_book(target, title) as (book, looks):
        guide, sheet, key = (book.add_worksheet(each) for each in (GUIDE, name, KEY))
        write_guide(book, guide, judge=None if judge == DECIDED else judge, pairs=len(lines))
        _write_lines(book, sheet, lines, columns, looks)
        _write_key(key, [line.card for line in lines], judge)
        for each in (guide, sheet):
            set_page(each, title if judge == DECIDED else f"{title} {cell_text(judge)[:40]}")
        guide.activate()
    return target.getvalue()


def _write_lines(
    book: Workbook,
    sheet: Worksheet,
    lines: Sequence[Line],
    columns: Sequence[Column[Line]],
    looks: Looks,
) -> None:
    set_table(sheet, columns, len(lines), looks, frozen=2)
    sheet.set_row(0, _HEADER_HEIGHT)
    formats: dict[tuple[str, int, bool, bool], Format] = {}
    for y, line in enumerate(lines, start=1):
        for x, column in enumerate(columns):
            is_faint = not line.is_first and column.header in (PLACE, ISSUE)
            look = _look(book, formats, column.style, line, is_faint=is_faint)
            write_cell(sheet, y, x, column.value(line), look)
        sheet.set_row(y, _height(line, columns))
    _ask(book, sheet, columns, len(lines))


def _look(
    book: Workbook,
    formats: dict[tuple[str, int, bool, bool], Format],
    style: str,
    line: Line,
    *,
    is_faint: bool,
) -> Format:
    """The format of a cell; a row carries its band along when it is sorted."""
    kind = (style, line.block % 2, line.is_first, is_faint)
    if kind not in formats:
        look = {"valign": "top", "border": 1, "border_color": "#C9D1DA"}
        look |= {"top": 2, "top_color": "#55677A"} if line.is_first else {}
        look |= {"bg_color": _BANDS[line.block % 2], **_LOOK[style]}
        formats[kind] = book.add_format(look | ({"font_color": _REPEATED} if is_faint else {}))
    return formats[kind]


def _height(line: Line, columns: Sequence[Column[Line]]) -> float:
    """Points of a row. One that repeats its issue need not show the whole of it again."""
    shown = [(c.width - _INDENT, c.value(line)) for c in columns if c.header != ISSUE]
    issue = [(c.width - _INDENT, c.value(line)) for c in columns if c.header == ISSUE]
    whole = height([*shown, *issue])
    return whole if line.is_first else min(whole, max(height(shown), _repeated_height()))


def _repeated_height() -> float:
    return _LINE_HEIGHT * _REPEATED_LINES + 4


def _ask(book: Workbook, sheet: Worksheet, columns: Sequence[Column[Line]], rows: int) -> None:
    """Lists to choose from, a word of help at the cell, and a colour once it is filled in."""
    done = book.add_format({"bg_color": _DONE})
    for x, column in enumerate(columns):
        if column.style == "asked" and rows:
            sheet.conditional_format(1, x, rows, x, {"type": "no_blanks", "format": done})
        if column.header in _CHOICES and rows:
            sheet.data_validation(1, x, rows, x, {"validate": "list", **_CHOICES[column.header]})
    first = next(x for x, column in enumerate(columns) if column.style == "asked")
    sheet.set_selection(1, first, 1, first)


def _write_key(sheet: Worksheet, cards: Sequence[Card], judge: str) -> None:
    sheet.very_hidden()
    for x, header in enumerate(KEY_HEADER):
        sheet.write_string(0, x, header)
    for y, card in enumerate(sorted(cards, key=lambda card: card.id), start=1):
        for x, text in enumerate((card.id, card.issue_id, card.company_id, judge, card.digest)):
            sheet.write_string(y, x, cell_text(text))


def _column(
    header: str, width: int, value: Callable[[Line], Cell], style: Style = "text"
) -> Column[Line]:
    is_printed = style != "code"
    return Column(
        header=header, width=width, value=value, note="", style=style, is_printed=is_printed
    )


def _told(judge: str, part: Callable[[Judgement], str]) -> Callable[[Line], Cell]:
    """What a judge said of the pair of a row; two lines where he said two things."""
    return lambda line: "\n".join(
        filter(None, (part(one) for one in line.said if one.judge == judge))
    )


def _remarks(judgement: Judgement) -> str:
    return "\n".join(filter(None, (judgement.reason, judgement.memo)))


_MEANINGS = "\n".join(f"{grade}　{GRADES[grade]}" for grade in sorted(GRADES, reverse=True))
_CHOICES: Mapping[str, Mapping[str, object]] = {
    GRADE: {
        "source": [*map(str, sorted(GRADES)), UNSURE],
        "input_title": "評点",
        "input_message": f"{_MEANINGS}\n決められないときは「{UNSURE}」か空白のままに。",
        "error_title": "この評点は使えません",
        "error_message": f"0・1・2・3・{UNSURE} のどれかを選んでください。"
        "消すときは Delete キーを押します。",
    },
    REASON: {
        "source": list(REASONS),
        "input_title": "理由（書かなくてもかまいません）",
        "input_message": "いちばん近いものを1つ選びます。書き足すことはメモの欄へ。",
        "error_title": "理由は一覧から選んでください",
        "error_message": "一覧にない理由は、メモの欄に自由に書いてください。",
    },
    DECISION: {
        "source": list(map(str, sorted(GRADES))),
        "input_title": "決定",
        "input_message": f"{_MEANINGS}\n決めないときは空白のままに。",
        "error_title": "この決定は使えません",
        "error_message": "0・1・2・3 のどれかを選んでください。決めないときは空白のままにします。",
    },
}
_ID_COLUMN = _column(ID, 13, lambda line: line.card.id, "code")
_SHOWN = (
    _column("番号", 6, lambda line: line.number, "count"),
    _column(TITLE, 18, lambda line: line.card.title, "mark"),
    _column(PLACE, 10, lambda line: line.card.place),
    _column(ISSUE, 42, lambda line: line.card.issue),
    _column(COMPANY, 46, lambda line: line.card.company),
)
_JUDGED = (
    *_SHOWN,
    _column(GRADE, 12, lambda _: None, "asked"),
    _column(REASON, 18, lambda _: None, "asked text"),
    _column(MEMO, 22, lambda _: None, "asked text"),
    _ID_COLUMN,
)
_DECIDED = (
    _column(DECISION, 10, lambda _: None, "asked"),
    _column(MEMO, 22, lambda _: None, "asked text"),
    _ID_COLUMN,
)
