"""Issues and companies from tables; everything wrong with the data is said here, once.

Texts are stored as written, for display and quotation: only controls, hidden marks and lone
surrogates are removed, line ends become newlines, blanks at both ends go, and a 個人番号 becomes
asterisks. `text.normalise` brings them to NFKC for the search.
"""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Generic, TypeVar

from matcher.columns import COMPANY_HEADERS, ISSUE_HEADERS, Columns, Line, account, recognise
from matcher.fields import (
    Finding,
    find_blanks,
    find_length,
    find_lookalikes,
    find_personal,
    read_company_id,
    read_deadline,
    read_goals,
    read_issue_id,
    shown,
)
from matcher.fingerprints import fingerprint
from matcher.oddities import find_in_text
from matcher.places import read_area, read_headquarters, resolve_place
from matcher.tables import Table, read_table
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
class Parsed(Generic[R]):
    """What became of a row: no record when a finding excludes it."""

    id: str
    record: R
    findings: Sequence[Finding]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind(Generic[R]):
    """What a table may be of: its headers, and how a row becomes a record."""

    headers: Mapping[str, tuple[str, ...]]
    required: tuple[str, ...]
    id_field: str
    parse: Callable[[Line], Parsed[R]]

    def table(self, path: str | Path) -> Table:
        """The first table of a file that has the required columns. Raises `DataError` if none."""
        looked_for = {
            f"{_REQUIRED[name]}（{name}）": (name, *self.headers[name]) for name in self.required
        }
        known = {name for field in self.headers for name in (field, *self.headers[field])}
        return read_table(path, required=looked_for, known=known)

    def reading(
        self, table: Table, columns: Columns, parsed: Mapping[int, Parsed[R]]
    ) -> Reading[R]:
        """What a table gave: its records in id order, with every fault, from its parsed rows."""
        records, merged, doubles = _merge(parsed, self.id_field)
        findings = {n: (*one.findings, *doubles.get(n, ())) for n, one in parsed.items()}
        absent = _absent(columns, self.id_field)
        reading = account(table, columns, records, merged, findings, absent)
        ids = {number: one.id for number, one in parsed.items()}
        return replace(reading, fingerprints=fingerprint(table, ids))


def read_issues(path: str | Path) -> Reading[Issue]:
    """The issues of a table in id order, with every fault. Raises `DataError` if it is none."""
    return _read(path, ISSUES)


def read_companies(path: str | Path) -> Reading[Company]:
    """The companies of a table in id order, with every fault. Raises `DataError` if it is none."""
    return _read(path, COMPANIES)


def _read(path: str | Path, kind: Kind[R]) -> Reading[R]:
    table = kind.table(path)
    columns = recognise(table, kind.headers)
    parsed = {row.number: kind.parse(columns.line(row)) for row in table.rows}
    return kind.reading(table, columns, parsed)


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
    parsed: Mapping[int, Parsed[R]], id_field: str
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
    for number, finding in _case_twins(rows, id_field):
        doubles.setdefault(number, []).append(finding)
    return tuple(records), merged, doubles


def _is_excluded(one: Parsed[R]) -> bool:
    return any(finding.severity == "除外" for finding in one.findings)


def _double(id_field: str, record_id: str, severity: Severity) -> Finding:
    if severity == "警告":
        problem = "同じIDで同じ内容の行があるため、1件にまとめました。"
        remedy = "重なった行を消してください。"
    else:
        problem = "同じIDで内容の違う行があり、どれが正しいか決められません。"
        remedy = "正しい行だけを残すか、IDを分けてください。"
        if id_field == "company_id" and len(record_id) == 13 and record_id.isdecimal():
            remedy += "支店も本社と同じ法人番号です。別に載せるなら独自の企業IDを付けてください。"
    return Finding(
        field=id_field, value=shown(record_id), problem=problem, remedy=remedy, severity=severity
    )


def _case_twins(rows: Mapping[str, list[int]], id_field: str) -> Iterator[tuple[int, Finding]]:
    """A row number and a finding for each id that differs from another only in case."""
    spellings: dict[str, list[str]] = defaultdict(list)
    for record_id in sorted(rows):
        spellings[record_id.casefold()].append(record_id)
    for twins in spellings.values():
        for one in twins if len(twins) > 1 else ():
            told = "、".join(shown(other) for other in twins if other != one)
            problem = f"大文字と小文字だけが違うIDがあります（{told}）。別のものとして扱います。"
            remedy = "同じものなら、IDをそろえてください。"
            finding = Finding(field=id_field, value=shown(one), problem=problem, remedy=remedy)
            yield from ((number, finding) for number in rows[one])


def _issue(line: Line) -> Parsed[Issue]:
    cells = defaultdict(str, line.cells)
    given, id_findings = read_issue_id(cells["issue_id"])
    if "issue_id" not in line.has:
        given = _content_id("issue", cells["title"], cells["description"], cells["municipality"])
    place = resolve_place(*(cells[name] for name in _PLACE_COLUMNS))
    sdgs, goal_findings = read_goals(cells["sdgs"])
    findings = [
        *_empty(line, ("issue_id", "title", "description")),
        *id_findings,
        *_of_id("issue_id", cells["issue_id"], given),
        *line.findings,
        *_of_text(line, ("title", "description")),
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
    return Parsed(id=given, record=issue, findings=findings)


def _company(line: Line) -> Parsed[Company]:
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
        *_of_id("company_id", cells["company_id"], given),
        *line.findings,
        *_of_text(line, ("name", "profile")),
        *find_lookalikes("name", cells["name"]),
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
    return Parsed(id=given, record=company, findings=findings)


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


def _of_id(field: str, text: str, given: str) -> tuple[Finding, ...]:
    return (*find_blanks(field, text, given), *find_length(field, given))


def _of_text(line: Line, names: tuple[str, ...]) -> list[Finding]:
    return [
        finding
        for name in names
        for find in (find_personal, find_in_text)
        for finding in find(name, line.cells[name])
    ]


def _content_id(kind: str, *texts: str) -> str:
    """An id that the same content always gets."""
    content = "\0".join(" ".join(normalise(text).split()) for text in texts)
    return f"{kind}-{hashlib.sha256(content.encode()).hexdigest()[:10]}"


ISSUES: Kind[Issue] = Kind(
    headers=ISSUE_HEADERS, required=("title", "description"), id_field="issue_id", parse=_issue
)
COMPANIES: Kind[Company] = Kind(
    headers=COMPANY_HEADERS, required=("name", "profile"), id_field="company_id", parse=_company
)
