"""Issues and companies from tables; everything wrong with the data is said here, once.

Texts are stored as written, for display and quotation: only controls and lone surrogates are
removed, line ends become newlines, and blanks at both ends go. `text.normalise` brings them to
NFKC for the search.
"""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from matcher.columns import COMPANY_HEADERS, ISSUE_HEADERS, Columns, Line, account, recognise
from matcher.fields import (
    Finding,
    find_blanks,
    find_personal,
    read_company_id,
    read_deadline,
    read_goals,
    read_id,
    shown,
)
from matcher.places import read_area, read_headquarters, resolve_place
from matcher.tables import read_table
from matcher.text import normalise
from matcher.types import Company, Issue, Reading, Severity

_REQUIRED = {
    "title": "課題名",
    "description": "課題内容",
    "name": "企業名",
    "profile": "事業内容",
    "issue_id": "課題ID",
    "company_id": "企業ID",
}
_PLACE_COLUMNS = ("prefecture", "municipality_code", "municipality")

R = TypeVar("R", bound=Issue | Company)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Parsed(Generic[R]):
    """What became of a row: no record when a finding excludes it."""

    id: str
    record: R
    findings: Sequence[Finding]


def read_issues(path: str | Path) -> Reading[Issue]:
    """The issues of a table in id order, with every fault. Raises `DataError` if it is none."""
    return _read(path, ISSUE_HEADERS, ("title", "description"), "issue_id", _issue)


def read_companies(path: str | Path) -> Reading[Company]:
    """The companies of a table in id order, with every fault. Raises `DataError` if it is none."""
    return _read(path, COMPANY_HEADERS, ("name", "profile"), "company_id", _company)


def _read(
    path: str | Path,
    headers: Mapping[str, tuple[str, ...]],
    required: tuple[str, ...],
    id_field: str,
    parse: Callable[[Line], _Parsed[R]],
) -> Reading[R]:
    looked_for = {f"{_REQUIRED[name]}（{name}）": (name, *headers[name]) for name in required}
    table = read_table(path, required=looked_for)
    columns = recognise(table, headers)
    parsed = {row.number: parse(columns.line(row)) for row in table.rows}
    records, merged, doubles = _merge(parsed, id_field)
    findings = {number: (*one.findings, *doubles.get(number, ())) for number, one in parsed.items()}
    absent = _absent(columns, id_field)
    return account(table, columns, records, merged, findings, absent)


def _absent(columns: Columns, id_field: str) -> list[Finding]:
    """What the table as a whole lacks, said once and not in every row."""
    findings: list[Finding] = []
    if id_field not in columns.of:
        problem = f"{_REQUIRED[id_field]}の列がないため、内容から作ったIDを使います。"
        remedy = (
            f"内容を直してもIDが変わらないよう、「{_REQUIRED[id_field]}」の列を加えてください。"
        )
        findings.append(Finding(field=id_field, value="", problem=problem, remedy=remedy))
    if id_field == "issue_id" and not columns.of.keys() & set(_PLACE_COLUMNS):
        problem = "自治体の列がなく都道府県が分かりません。全国対応の企業だけが候補になります。"
        remedy = "「都道府県」か「団体コード」の列を加えてください。"
        findings.append(Finding(field="prefecture", value="", problem=problem, remedy=remedy))
    if id_field == "company_id" and "headquarters_prefecture" not in columns.of:
        problem = "本社の列がなく、本社の都道府県が分かりません。"
        remedy = "「本社所在地」の列を加えてください。"
        findings.append(Finding(field="", value="", problem=problem, remedy=remedy))
    return findings


def _merge(
    parsed: Mapping[int, _Parsed[R]], id_field: str
) -> tuple[tuple[R, ...], int, dict[int, list[Finding]]]:
    """The records in id order, how many rows repeated another, and what to say of which row."""
    rows: dict[str, list[int]] = defaultdict(list)
    for number, one in parsed.items():
        if one.id:
            rows[one.id].append(number)
    records: list[R] = []
    merged = 0
    doubles: dict[int, list[Finding]] = {}
    for record_id in sorted(rows):
        numbers = rows[record_id]
        first = parsed[numbers[0]].record
        if any(parsed[number].record != first for number in numbers[1:]):
            # All of them, or the result would depend on their order.
            doubles |= {n: [_double(id_field, record_id, "除外")] for n in numbers}
        elif not _is_excluded(parsed[numbers[0]]):
            records.append(first)
            merged += len(numbers) - 1
            doubles |= {n: [_double(id_field, record_id, "警告")] for n in numbers[1:]}
    return tuple(records), merged, doubles


def _is_excluded(one: _Parsed[R]) -> bool:
    return any(finding.severity == "除外" for finding in one.findings)


def _double(id_field: str, record_id: str, severity: Severity) -> Finding:
    if severity == "警告":
        problem = "同じIDで同じ内容の行があるため、1件にまとめました。"
        remedy = "重なった行を消してください。"
    else:
        problem = "同じIDで内容の違う行があり、どれが正しいか決められません。"
        remedy = "正しい行だけを残すか、IDを分けてください。"
    return Finding(
        field=id_field, value=shown(record_id), problem=problem, remedy=remedy, severity=severity
    )


def _issue(line: Line) -> _Parsed[Issue]:
    cells = defaultdict(str, line.cells)
    given, id_findings = read_id(cells["issue_id"]), _empty(line, ("issue_id",))
    if "issue_id" not in line.has:
        given = _content_id("issue", cells["title"], cells["description"], cells["municipality"])
    place = resolve_place(*(cells[name] for name in _PLACE_COLUMNS))
    sdgs, goal_findings = read_goals(cells["sdgs"])
    findings = [
        *id_findings,
        *find_blanks("issue_id", cells["issue_id"], given),
        *_empty(line, ("title", "description")),
        *_personal(line, ("title", "description")),
        *(place.findings if line.has & set(_PLACE_COLUMNS) else ()),
        *goal_findings,
        *read_deadline(cells["deadline"]),
    ]
    issue = Issue(
        issue_id=given,
        title=cells["title"],
        description=cells["description"],
        municipality=cells["municipality"],
        municipality_code=place.municipality_code,
        prefecture=place.prefecture,
        sdgs=sdgs,
        department=cells["department"],
        deadline=cells["deadline"],
        budget=cells["budget"],
        extra=line.extra,
    )
    return _Parsed(id=given, record=issue, findings=findings)


def _company(line: Line) -> _Parsed[Company]:
    cells = defaultdict(str, line.cells)
    given, id_findings = read_company_id(cells["company_id"])
    if "company_id" not in line.has:
        office = cells["headquarters_prefecture"]
        given = _content_id("company", cells["name"], cells["profile"], office)
    headquarters, office_findings = read_headquarters(cells["headquarters_prefecture"])
    area = read_area(cells["service_area"], headquarters)
    sdgs, goal_findings = read_goals(cells["sdgs"])
    findings = [
        *_empty(line, ("company_id", "name", "profile")),
        *id_findings,
        *find_blanks("company_id", cells["company_id"], given),
        *_personal(line, ("name", "profile")),
        *(office_findings if "headquarters_prefecture" in line.has else ()),
        *area.findings,
        *goal_findings,
    ]
    company = Company(
        company_id=given,
        name=cells["name"],
        profile=cells["profile"],
        headquarters=headquarters,
        regions=area.regions,
        is_area_declared=area.is_declared,
        industry=cells["industry"],
        kind=cells["kind"] or "企業",
        sdgs=sdgs,
        contact=cells["contact"],
        extra=line.extra,
    )
    return _Parsed(id=given, record=company, findings=findings)


def _empty(line: Line, names: tuple[str, ...]) -> list[Finding]:
    """A finding for each of these fields whose column is there and whose cell says nothing."""
    return [
        Finding(
            field=name,
            value="",
            problem=f"{_REQUIRED[name]}が空です。",
            remedy=f"{_REQUIRED[name]}を書いてください。",
            severity="除外",
        )
        for name in names
        if name in line.has and not _says_something(line.cells[name])
    ]


def _says_something(text: str) -> bool:
    # Normalising goes by the character; nearly every text is settled by its first letter.
    return any(map(str.isalnum, text)) or bool(normalise(text).strip())


def _personal(line: Line, names: tuple[str, ...]) -> list[Finding]:
    return [finding for name in names for finding in find_personal(name, line.cells[name])]


def _content_id(kind: str, *texts: str) -> str:
    """An id that the same content always gets."""
    content = "\0".join(" ".join(normalise(text).split()) for text in texts)
    return f"{kind}-{hashlib.sha256(content.encode()).hexdigest()[:10]}"
