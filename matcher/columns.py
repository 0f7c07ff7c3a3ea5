"""Which column of a table is which field: the headers that stand for it, English or Japanese."""

import re
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass
from typing import TypeVar

from matcher.fields import Finding
from matcher.formulas import restore
from matcher.oddities import UNWANTED, find_in_cell
from matcher.personal import hidden
from matcher.tables import Row, Table
from matcher.tables.header import fold_header
from matcher.types import Fault, Reading

R = TypeVar("R")

# Headers that stand for a field, the English name before them. The first that a table has is the
# field; a later one stays an unknown column. Width, case, blanks and （必須） do not matter.
ISSUE_HEADERS: Mapping[str, tuple[str, ...]] = {
    "issue_id": ("課題ID", "ID", "番号", "課題番号", "管理番号", "No"),
    "title": ("課題名", "タイトル", "テーマ", "件名", "課題タイトル", "課題テーマ", "課題の名称"),
    "description": (
        *("課題内容", "課題の内容", "概要", "背景", "詳細", "課題概要", "課題の概要", "課題詳細"),
        *("課題の詳細", "課題の背景", "現状", "現状と課題", "現状・課題", "内容", "本文", "説明"),
    ),
    "municipality": (
        *("自治体名", "市区町村", "団体名", "自治体", "市区町村名", "市町村", "市町村名"),
        *("地方公共団体名",),
    ),
    "municipality_code": (
        *("団体コード", "全国地方公共団体コード", "市区町村コード", "地方公共団体コード"),
        *("自治体コード", "市町村コード", "都道府県コード又は市区町村コード"),
    ),
    "prefecture": ("都道府県", "都道府県名", "県名", "都道府県コード"),
    "sdgs": ("SDGs", "SDGsゴール", "ゴール", "SDG", "SDGs目標", "SDGsの目標", "関連するSDGs"),
    "department": ("担当課", "担当部署", "所管課", "担当課名", "部署", "主管課"),
    "deadline": ("募集期限", "締切", "締め切り", "期限", "応募期限", "提案期限", "募集締切"),
    "budget": ("予算", "予算額", "想定予算", "予算規模"),
}
COMPANY_HEADERS: Mapping[str, tuple[str, ...]] = {
    "company_id": ("企業ID", "法人番号", "ID", "団体ID", "企業番号", "登録番号", "番号", "No"),
    "name": (
        *("企業名", "団体名", "会社名", "商号", "法人名", "事業者名", "名称", "企業・団体名"),
        *("企業名・団体名", "商号又は名称"),
    ),
    "profile": (
        *("事業内容", "強み", "ソリューション", "提供サービス", "会社概要", "事業概要"),
        *("サービス内容", "サービス概要", "企業概要", "概要", "特徴", "実績", "導入実績", "説明"),
    ),
    "headquarters_prefecture": (
        *("本社所在地", "本社", "所在地", "都道府県", "本社都道府県", "本店所在地", "都道府県名"),
        *("住所", "本社住所", "都道府県コード"),
    ),
    "service_area": (
        *("対応地域", "対応エリア", "提供エリア", "活動地域", "対応可能地域", "対応可能エリア"),
        *("提供地域", "活動エリア", "営業エリア", "サービス提供地域", "サービスエリア"),
    ),
    "industry": ("業種", "産業分類", "業界", "日本標準産業分類"),
    "kind": ("種別", "区分", "団体種別", "企業種別", "法人種別", "組織種別"),
    "sdgs": ISSUE_HEADERS["sdgs"],
    "contact": ("窓口", "連絡先部署", "問い合わせ窓口", "連絡窓口", "担当部署"),
}
_JOINED = frozenset({"description", "profile"})  # every matching column counts, in column order
IDS = ("issue_id", "company_id")

# What `matcher check` writes beside the rows of a corrected table. Both headers together say that
# it is one: these columns then mean nothing, and a neutralised cell is what it was.
ROW, MENDED, OPEN = "元の行", "直したところ", "確かめるところ"

_LINE_END = re.compile("\r\n?|[\x0b\x0c\x85\u2028\u2029]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Which column is which field."""

    header: tuple[str, ...]
    of: Mapping[str, tuple[int, ...]]  # field → its columns, in column order
    extra: tuple[tuple[str, int], ...]  # name and place of each unknown column
    is_corrected: bool = False  # the table was written by `matcher check`

    def place(self, field: str) -> tuple[int, str]:
        """The first column of a field and its header; before all columns when there is none."""
        at = self.of.get(field, ())
        return (at[0], self.header[at[0]]) if at else (-1, "")

    def cell(self, text: str) -> str:
        """A cell of such a table, cleaned."""
        return restore(clean(text)) if self.is_corrected else clean(text)

    def line(self, row: Row) -> "Line":
        """A data row by field, every cell cleaned; joined columns as lines of one text.

        A 個人番号 is hidden, but in an id: there it is refused by whoever reads the id.
        """
        ids = {at for field in IDS for at in self.of.get(field, ())}
        cleaned = map(self.cell, row.cells)
        cells = tuple(cell if at in ids else hidden(cell) for at, cell in enumerate(cleaned))
        both = enumerate(zip(row.cells, cells, strict=True))
        return Line(
            cells={
                field: "\n".join(cells[at] for at in places if cells[at])
                for field, places in self.of.items()
            },
            extra={name: cells[at] for name, at in self.extra},
            has=self.of.keys(),
            findings=tuple(one for at, cell in both for one in find_in_cell(at, *cell)),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A data row by field: "" where the column is missing or the cell empty."""

    cells: Mapping[str, str]
    extra: Mapping[str, str]
    has: Set[str]  # the fields that have a column
    findings: tuple[Finding, ...] = ()  # what is odd in a cell, whatever its column


def recognise(table: Table, headers: Mapping[str, tuple[str, ...]]) -> Columns:
    """The columns of a table by field, under these headers; all others are unknown columns."""
    folded = [fold_header(name) for name in table.header]
    is_corrected = {MENDED, OPEN} <= set(folded)
    notes = {fold_header(name) for name in (ROW, MENDED, OPEN)} if is_corrected else set()
    of: dict[str, tuple[int, ...]] = {}
    for field, aliases in headers.items():
        names = [fold_header(name) for name in (field, *aliases)]
        # By the order of the names, then of the columns; a joined field takes them all.
        found = sorted(
            (at for at, name in enumerate(folded) if name in names),
            key=lambda at: (names.index(folded[at]), at),
        )
        if found:
            of[field] = tuple(sorted(found)) if field in _JOINED else (found[0],)
    taken = {at for places in of.values() for at in places}
    cleaned = map(clean, table.header)
    header = tuple(hidden(restore(name) if is_corrected else name) for name in cleaned)
    unknown = [
        (name, at)
        for at, name in enumerate(header)
        if at not in taken
        and folded[at] not in notes
        and (name or any(row.cells[at].strip() for row in table.rows))
    ]
    return Columns(header=header, of=of, extra=_distinct(unknown), is_corrected=is_corrected)


def account(
    table: Table,
    columns: Columns,
    records: tuple[R, ...],
    merged: int,
    findings: Mapping[int, Iterable[Finding]],
    absent: Iterable[Finding] = (),
) -> Reading[R]:
    """What a table gave: its records, every row accounted for, its faults by row and column.

    `findings` are those of each row by its number, `absent` those of the table as a whole.
    """
    faults = [(fault.row or 0, -1, fault) for fault in table.faults]
    faults += [(0, -1, _fault(table, None, "", finding)) for finding in absent]
    for number, found in findings.items():
        for finding in found:
            at, column = columns.place(finding.field)
            if finding.at is not None:
                at, column = finding.at, columns.header[finding.at]
            faults.append((number, at, _fault(table, number, column, finding)))
    return Reading(
        source=table.source,
        sha256=table.sha256,
        rows=len(table.rows) + table.rejected,
        merged=merged,
        rejected=table.rejected + len(table.rows) - merged - len(records),
        records=records,
        faults=tuple(fault for _, _, fault in sorted(faults, key=lambda one: one[:2])),
    )


def extra_cell(extra: Mapping[str, str], name: str) -> str | None:
    """What stands under an unknown column, however its header is written; None without it."""
    wanted = fold_header(name)
    return next((cell for header, cell in extra.items() if fold_header(header) == wanted), None)


def _fault(table: Table, row: int | None, column: str, finding: Finding) -> Fault:
    return Fault(
        file=table.source,
        sheet=table.sheet,
        row=row,
        column=column,
        value=finding.value,
        severity=finding.severity,
        problem=finding.problem,
        remedy=finding.remedy,
    )


def clean(text: str) -> str:
    """A text as written, without controls, lone surrogates and blanks at its ends."""
    return UNWANTED.sub("", _LINE_END.sub("\n", text)).strip()


def _distinct(unknown: list[tuple[str, int]]) -> tuple[tuple[str, int], ...]:
    """The unknown columns under names that differ: 備考, 備考 (2); a nameless one by its place."""
    named: dict[str, int] = {}
    for name, at in unknown:
        base = name or f"{at + 1}列目"
        tries = (base if n == 1 else f"{base} ({n})" for n in range(1, len(unknown) + 2))
        named[next(one for one in tries if one not in named)] = at
    return tuple(named.items())
