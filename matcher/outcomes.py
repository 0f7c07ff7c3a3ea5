"""What became of the pairs: outcomes out of a table, and judgements with their source kept apart.

Two rows of a pair meet here: the later decides, and where that cannot be told neither does. Every
row becomes an outcome, is merged into one, or is rejected with a fault.
"""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Literal

from matcher.columns import Line, account, extra_cell, recognise
from matcher.errors import MatcherError
from matcher.fields import (
    Finding,
    find_blanks,
    find_personal,
    parse_date,
    read_company_id,
    read_id,
    shown,
)
from matcher.tables import read_table
from matcher.types import Issue, Qrels, Reading, Run, Severity
from matcher.verdicts import Cause, Result, cause_of, read_result, read_year

Source = Literal["confirmed", "talking", "declined", "declined unseen"]

# What a result is worth as a judgement. Only pairs with an outcome have a grade: to be shown and
# left alone is no refusal, and never to be shown is nothing at all.
GRADES: Mapping[tuple[Result, Cause], int] = {
    ("confirmed", ""): 3,  # 成立・締結・採択・実施・契約
    ("talking", ""): 2,  # 面談・協議中・検討中・実証中
    ("declined", "other"): 1,  # budget, time, staff …: it may fit and still not come about
    ("declined", "unsaid"): 1,  # a refusal without a reason is no proof that they do not fit
    ("declined", "fit"): 0,  # 対象が違う・手段が合わない
}
SOURCES: tuple[Source, ...] = ("confirmed", "talking", "declined", "declined unseen")

HEADERS: Mapping[str, tuple[str, ...]] = {
    "issue_id": ("課題ID", "課題番号", "管理番号"),
    "company_id": ("企業ID", "法人番号", "団体ID", "企業番号", "登録番号"),
    "result": ("結果", "状況", "状態", "ステータス", "進捗", "進捗状況", "対応結果"),
    "date": ("日付", "日", "更新日", "年月日", "記録日", "結果日", "決定日", "更新年月日"),
    "year": ("年度", "fiscal_year"),
    "reason": ("理由", "不調理由", "不成立理由", "見送り理由", "辞退理由"),
    "run": ("実行", "実行結果", "実行名"),
    "rank": ("順位", "表示順位", "提示順位", "掲載順位"),
}
_REQUIRED = {"issue_id": "課題ID", "company_id": "企業ID", "result": "結果"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one issue and one company: the last that is known."""

    issue_id: str
    company_id: str
    result: Result
    day: date | None = None  # None: the table does not say when
    reason: str = ""  # as written
    run: str = ""  # which run showed the pair, as written
    rank: int | None = None  # where it showed it; None: the table does not say
    extra: Mapping[str, str] = field(default_factory=dict)

    @property
    def cause(self) -> Cause:
        """Why it was declined; "" where it was not."""
        return cause_of(self.reason) if self.result == "declined" else ""

    @property
    def grade(self) -> int:
        """What the outcome is worth as a judgement, by `GRADES`."""
        return GRADES[self.result, self.cause]


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A judgement that an outcome gives, and whence it is."""

    issue_id: str
    company_id: str
    grade: int
    source: Source


@dataclass(frozen=True, slots=True, kw_only=True)
class _Parsed:
    """What became of a row: no outcome when a finding excludes it."""

    outcome: Outcome | None
    findings: Sequence[Finding]


def read_outcomes(path: str | Path) -> Reading[Outcome]:
    """The outcomes of a table by issue and company, each pair once, with every fault.

    Of several rows of a pair the one of the latest date counts. A pair has none when its latest
    rows contradict each other, or when its results differ and one has no date.

    Raises:
        DataError: there is no table with issue, company and result.
    """
    looked_for = {f"{word}（{name}）": (name, *HEADERS[name]) for name, word in _REQUIRED.items()}
    table = read_table(path, required=looked_for)
    columns = recognise(table, HEADERS)
    parsed = {row.number: _parse(columns.line(row)) for row in table.rows}
    records, merged, notes = _settle(
        {number: one.outcome for number, one in parsed.items() if one.outcome}
    )
    findings = {number: (*one.findings, *notes.get(number, ())) for number, one in parsed.items()}
    return account(table, columns, records, merged, findings)


def judged(outcomes: Iterable[Outcome], shown: Sequence[Run] = ()) -> tuple[Judged, ...]:
    """A judgement for each outcome, by issue and company.

    `shown` are the runs that somebody saw. A pair that was declined without being in any, and whose
    outcome tells no rank, is "declined unseen": nobody refused what the engine proposed. A pair
    without an outcome has no judgement, shown or not.
    """
    return tuple(
        Judged(
            issue_id=one.issue_id,
            company_id=one.company_id,
            grade=one.grade,
            source=_source(one, shown),
        )
        for one in sorted(outcomes, key=_pair)
    )


def qrels_of(judgements: Iterable[Judged], sources: Collection[Source] = SOURCES) -> Qrels:
    """The grades of the judgements out of these sources."""
    qrels: dict[str, dict[str, int]] = defaultdict(dict)
    for one in judgements:
        if one.source in sources:
            qrels[one.issue_id][one.company_id] = one.grade
    return dict(qrels)


def split(
    outcomes: Iterable[Outcome], day: date
) -> tuple[tuple[Outcome, ...], tuple[Outcome, ...]]:
    """The outcomes of issues that were settled before a day, and those of issues that were not.

    An issue goes whole to one side: after, as soon as one of its outcomes is of that day or later,
    so that nothing of the later time is learnt from. An issue with nothing from that day on and
    with an outcome of unknown date is on neither side.
    """
    issues: dict[str, list[Outcome]] = defaultdict(list)
    for one in sorted(outcomes, key=_pair):
        issues[one.issue_id].append(one)
    before: list[Outcome] = []
    after: list[Outcome] = []
    for those in issues.values():
        if any(one.day and one.day >= day for one in those):
            after += those
        elif all(one.day for one in those):
            before += those
    return tuple(before), tuple(after)


def split_issues(
    issues: Iterable[Issue], column: str, value: str
) -> tuple[tuple[Issue, ...], tuple[Issue, ...]]:
    """The issues of the years before `value`, and those of that year and later.

    `column` is an unknown column of the table (年度, year). An issue whose cell is no year is on
    neither side.

    Raises:
        MatcherError: `value` is no year, or no issue has such a column.
    """
    year, known = read_year(value), tuple(issues)
    if year is None:
        message = f"「{value}」を年度として読めません。2025 や 令和7年度 のように書いてください。"
        raise MatcherError(message)
    cells = [extra_cell(issue.extra, column) for issue in known]
    if all(cell is None for cell in cells):
        names = "、".join(sorted({name for issue in known for name in issue.extra})) or "なし"
        message = f"課題の表に「{column}」の列がありません（ほかの列: {names}）。"
        raise MatcherError(message)
    years = [(issue, read_year(cell or "")) for issue, cell in zip(known, cells, strict=True)]
    before = tuple(issue for issue, own in years if own is not None and own < year)
    return before, tuple(issue for issue, own in years if own is not None and own >= year)


def _pair(outcome: Outcome) -> tuple[str, str]:
    return outcome.issue_id, outcome.company_id


def _source(outcome: Outcome, shown: Sequence[Run]) -> Source:
    issue, company = _pair(outcome)
    is_seen = outcome.rank is not None or any(company in run.get(issue, {}) for run in shown)
    return "declined unseen" if outcome.result == "declined" and not is_seen else outcome.result


def _parse(line: Line) -> _Parsed:
    cells = defaultdict(str, line.cells)
    issue_id = read_id(cells["issue_id"])
    company_id, findings = read_company_id(cells["company_id"])
    result = read_result(cells["result"])
    day, rank = _day(cells), _rank(cells["rank"])
    outcome = Outcome(
        issue_id=issue_id,
        company_id=company_id,
        result=result or "declined",
        day=day,
        reason=cells["reason"],
        run=cells["run"],
        rank=rank,
        extra=line.extra,
    )
    found = (
        *(_empty(name) for name in _REQUIRED if not cells[name]),
        *findings,
        *find_blanks("issue_id", cells["issue_id"], issue_id),
        *find_blanks("company_id", cells["company_id"], company_id),
        *([_unknown_result(cells["result"])] if cells["result"] and not result else ()),
        *([_undated(cells)] if day is None and (cells["date"] or cells["year"]) else ()),
        *([_unranked(cells["rank"])] if rank is None and cells["rank"] else ()),
        *([_unreasoned(cells["reason"])] if result and outcome.cause == "unsaid" else ()),
        *find_personal("reason", cells["reason"]),
    )
    is_excluded = any(finding.severity == "除外" for finding in found)
    return _Parsed(outcome=None if is_excluded else outcome, findings=found)


def _day(cells: Mapping[str, str]) -> date | None:
    """The day of a row, else the last day of its 年度."""
    if cells["date"]:
        return parse_date(cells["date"])
    year = read_year(cells["year"])
    return date(year + 1, 3, 31) if year else parse_date(cells["year"])


def _rank(text: str) -> int | None:
    found = re.fullmatch(r"(\d{1,6})位?", unicodedata.normalize("NFKC", text))
    return int(found[1]) or None if found else None


def _settle(
    told: Mapping[int, Outcome],
) -> tuple[tuple[Outcome, ...], int, dict[int, list[Finding]]]:
    """One outcome of each pair, how many rows it took in, and what to say of which row."""
    pairs: dict[tuple[str, str], dict[int, Outcome]] = defaultdict(dict)
    for number, outcome in told.items():
        pairs[_pair(outcome)][number] = outcome
    records: list[Outcome] = []
    notes: dict[int, list[Finding]] = {}
    for _, rows in sorted(pairs.items()):
        last = _last(rows)
        if last:
            records.append(_joined(rows, last))
            kept = last[0]
            notes |= {n: [_merged(one, rows[kept])] for n, one in rows.items() if n != kept}
        else:
            # All of them: what came first does not hold when what came last is not known.
            notes |= {n: [_undecided(one)] for n, one in rows.items()}
    undecided = sum(len(rows) for rows in pairs.values() if not _last(rows))
    return tuple(records), len(told) - undecided - len(records), notes


def _last(rows: Mapping[int, Outcome]) -> tuple[int, ...]:
    """The rows of a pair that decide, ascending; none when that cannot be told."""
    days = {one.day for one in rows.values()}
    if None in days and len({one.result for one in rows.values()}) > 1:
        return ()
    newest = max((day for day in days if day), default=None)
    last = tuple(sorted(number for number, one in rows.items() if one.day == newest))
    return last if len({rows[number].result for number in last}) == 1 else ()


def _joined(rows: Mapping[int, Outcome], last: Sequence[int]) -> Outcome:
    """The outcome of the deciding rows, with all their reasons and the best rank of any row."""
    ends = sorted((rows[n] for n in last), key=lambda one: (sorted(one.extra.items()), one.run))
    reasons = sorted({one.reason for one in ends} - {""})
    seen = [(one.rank, one.run) for one in rows.values() if one.rank is not None]
    rank, run = min(seen) if seen else (None, max(one.run for one in rows.values()))
    return replace(ends[0], reason="\n".join(reasons), rank=rank, run=run)


def _empty(name: str) -> Finding:
    return Finding(
        field=name,
        value="",
        problem=f"{_REQUIRED[name]}が空です。",
        remedy=f"{_REQUIRED[name]}を書いてください。",
        severity="除外",
    )


def _unknown_result(text: str) -> Finding:
    return Finding(
        field="result",
        value=shown(text),
        problem=f"「{shown(text)}」は結果として読めないか、2通りに読めます。",
        remedy="「成立」「協議中」「不調」のように、結果を1つだけ書いてください。",
        severity="除外",
    )


def _undated(cells: Mapping[str, str]) -> Finding:
    name = "date" if cells["date"] else "year"
    return Finding(
        field=name,
        value=shown(cells[name]),
        problem=f"「{shown(cells[name])}」を日付として読めません。日付なしとして扱います。",
        remedy="2026-03-31 のように西暦の年月日で書いてください。",
    )


def _unranked(text: str) -> Finding:
    return Finding(
        field="rank",
        value=shown(text),
        problem=f"「{shown(text)}」を順位として読めません。順位なしとして扱います。",
        remedy="1以上の整数で書いてください。",
    )


def _unreasoned(text: str) -> Finding:
    problem = (
        f"不調の理由「{shown(text)}」が読み取れません。" if text else "不調の理由がありません。"
    )
    return Finding(
        field="reason",
        value=shown(text),
        problem=f"{problem}内容が合わないためではないものとして扱います（評点1）。",
        remedy="「対象が違う」「予算」「時期」のように、理由を書いてください。",
    )


def _merged(outcome: Outcome, kept: Outcome) -> Finding:
    if outcome.day == kept.day or outcome.result == kept.result:
        problem = "同じ組で同じ結果の行があるため、1件にまとめました。"
    else:
        problem = f"同じ組の新しい行（{kept.day}）を使い、この行の結果は使いません。"
    remedy = "対処は不要です。組ごとに最後の1行だけを残すこともできます。"
    return _of_pair(outcome, problem, remedy)


def _undecided(outcome: Outcome) -> Finding:
    problem = "同じ組に結果の違う行があり、日付からは最後の結果が決まりません。"
    remedy = "行ごとに日付を書くか、正しい行だけを残してください。"
    return _of_pair(outcome, problem, remedy, "除外")


def _of_pair(outcome: Outcome, problem: str, remedy: str, severity: Severity = "警告") -> Finding:
    value = shown(f"{outcome.issue_id} {outcome.company_id}")
    return Finding(field="result", value=value, problem=problem, remedy=remedy, severity=severity)
