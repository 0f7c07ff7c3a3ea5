"""A pool of three hundred pairs, and judges who fill in their workbooks."""

import io
import random
from collections.abc import Mapping

import openpyxl
from openpyxl.worksheet.worksheet import Worksheet

from matcher.judgements import REASONS, Card
from matcher.types import Company, Constraint, Entry, Issue, Shortlist

ISSUES = [
    Issue(
        issue_id=f"{n:04d}",
        title=f"困りごと{n}を減らしたい",
        description=f"地区{n}で人手が足りず、\n見回りが続かない。",
        municipality="神戸市",
        prefecture="28",
        budget="100万円" if n % 2 else "",
    )
    for n in range(1, 31)
]
COMPANIES = [
    Company(
        company_id=f"{n:013d}",
        name=f"株式会社みまもり{n}号",
        profile=f"株式会社みまもり{n}号は、=見守りの機器{n}を作る。",
        headquarters="28",
        regions=frozenset({"28"}),
        industry="製造業",
    )
    for n in range(1, 13)
]


def shortlist(issue: Issue, companies: list[Company]) -> Shortlist:
    entries = tuple(
        Entry(
            rank=rank,
            company=company,
            score=10.0 - rank,
            parts={"dense": 10.0 - rank},
            shared_sdgs=frozenset(),
            region_reason="本社が兵庫県",
            evidence=(),
        )
        for rank, company in enumerate(companies, start=1)
    )
    return Shortlist(
        issue=issue,
        constraint=Constraint(),
        status="ranked",
        considered=len(companies),
        excluded={},
        entries=entries,
    )


def run(seed: int, *, issues: int = 30, places: int = 10) -> list[Shortlist]:
    rng = random.Random(seed)
    return [shortlist(issue, rng.sample(COMPANIES, places)) for issue in ISSUES[:issues]]


def cell_of(sheet: Worksheet, header: str) -> int:
    """The column of a header, counted from 1."""
    return next(cell.column for cell in sheet[1] if cell.value == header)


def filled(data: bytes, seed: int) -> tuple[openpyxl.Workbook, dict[str, tuple[object, str, str]]]:
    """A judge's workbook, every row filled in by chance; and what was written by 判定ID."""
    rng = random.Random(seed)
    book = openpyxl.load_workbook(io.BytesIO(data))
    sheet = book["判定"]
    told = {}
    for y in range(2, sheet.max_row + 1):
        grade = rng.choice([0, 1, 2, 3, 3.0, "３", " 2 ", "わからない", None])
        reason = rng.choice(["", *REASONS])
        memo = rng.choice(["", "確かめたい\n二行目", "=1+1"])
        told[sheet.cell(y, cell_of(sheet, "判定ID")).value] = (grade, reason, memo)
        for header, value in (("評点", grade), ("理由", reason), ("メモ", memo)):
            cell = sheet.cell(y, cell_of(sheet, header))
            cell.value = value or (value if value == 0 else None)
            cell.data_type = "s" if isinstance(cell.value, str) else cell.data_type
    return book, told


def expected(grade: object) -> tuple[int | None, bool]:
    """What a cell as `filled` writes it is to be read as."""
    if grade in (None, "わからない"):
        return None, grade is not None
    return int(str(grade).strip()[0].translate(str.maketrans("３", "3"))), False


def by_id(cards: tuple[Card, ...]) -> Mapping[str, Card]:
    return {card.id: card for card in cards}


def reordered(book: openpyxl.Workbook, seed: int) -> bytes:
    """The workbook with rows and columns of 判定 in another order, and a blank row among them."""
    sheet = book["判定"]
    rng = random.Random(seed)
    header, *rows = [[cell.value for cell in row] for row in sheet.iter_rows()]
    rng.shuffle(rows)
    columns = rng.sample(range(len(header)), len(header))
    rows.insert(len(rows) // 2, [None] * len(header))
    for y, row in enumerate([header, *rows], start=1):
        for x, at in enumerate(columns, start=1):
            cell = sheet.cell(y, x)
            cell.value = row[at]
            cell.data_type = "s" if isinstance(row[at], str) else cell.data_type
    sheet.auto_filter.ref = f"A1:I{len(rows) + 1}"
    return saved(book)


def saved(book: openpyxl.Workbook) -> bytes:
    target = io.BytesIO()
    book.save(target)
    return target.getvalue()
