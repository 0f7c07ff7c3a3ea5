"""Runs and judgements in and out: TREC files, data frames, plain mappings, shortlists.

Other programs meet here. A frame is whatever has `columns` and gives a column by its name, as those
of pandas and polars do; runs and qrels of ranx tell their `to_dict`. What goes out are lines, or
rows that every frame is made of: `pandas.DataFrame(trec.run_rows(run))`.

Ids from files, frames and other libraries are read as tables are (NFKC, blanks inside as `_`), so
that a run and its judgements meet; those of mappings and shortlists stand as they are.
"""

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol, TypeAlias, runtime_checkable

from matcher.errors import DataError
from matcher.fields import read_id, shown
from matcher.tables import read_text
from matcher.tables.header import fold_header
from matcher.types import Qrels, Run, Shortlist

_ISSUE = ("issue_id", "query_id", "q_id", "qid", "query", "topic", "課題ID")
_COMPANY = ("company_id", "doc_id", "docid", "docno", "doc", "企業ID")
_SCORE = ("score", "sim", "得点")
_GRADE = ("grade", "relevance", "rel", "label", "score", "評点", "評価")
_GRADES = "[0-3](?:\\.0+)?"  # a column of a frame with a gap holds floats
_GRADES_ARE = "評価は0〜3です"
_NOT_TREC = "TRECの形（課題ID Q0 企業ID 順位 得点 名前）ではありません"
_NO_ID = "課題IDか企業IDが空です"


@runtime_checkable
class Frame(Protocol):
    """A data frame, of whatever library."""

    @property
    def columns(self) -> Iterable[str]:
        """The names of its columns."""

    def __getitem__(self, name: str, /) -> Iterable[object]:
        """The values of a column."""


@runtime_checkable
class Nested(Protocol):
    """What another library holds as a mapping of mappings, such as a run of ranx."""

    def to_dict(self) -> Mapping[str, Mapping[str, float]]:
        """By issue and company."""


RunSource: TypeAlias = Run | Iterable[Shortlist] | Frame | Nested | Path | str
QrelsSource: TypeAlias = Qrels | Frame | Nested | Path | str


def read_run(source: RunSource) -> dict[str, dict[str, float]]:
    """Scores by issue and company, from whatever holds them; an empty list stays in as empty.

    `source` is a mapping, shortlists, a run folder, a TREC file, a frame with columns issue_id,
    company_id and score (or query_id and doc_id, as other libraries name them), or a run of ranx.

    Raises:
        DataError: a file cannot be read as a TREC run, a frame lacks a column, an id is empty, a
            score is no number or a pair stands twice.
    """
    if isinstance(source, Mapping):
        return {issue: _checked(issue, scores) for issue, scores in source.items()}
    if isinstance(source, Path | str):
        return _read_run_file(Path(source))
    if isinstance(source, Frame):
        return _run_of(_rows(source, (_ISSUE, _COMPANY, _SCORE)))
    if isinstance(source, Nested):
        told = source.to_dict()
        return {read_id(issue): {} for issue in told} | _run_of(_flat(told))
    return {
        shortlist.issue.issue_id: {e.company.company_id: e.score for e in shortlist.entries}
        for shortlist in source
    }


def read_qrels(source: QrelsSource) -> dict[str, dict[str, int]]:
    """Grades 0–3 by issue and company, from a TREC file, a mapping, a frame or qrels of ranx.

    A line of the file is `issue_id 0 company_id grade`; a frame has the columns issue_id,
    company_id and grade (or query_id, doc_id and relevance).

    Raises:
        DataError: the file has faults (the line number of the first and the count of the others),
            a frame lacks a column, an id is empty, a grade is none, a pair has two, or there is no
            judgement; an empty mapping is none judged.
    """
    if isinstance(source, Mapping):
        return {issue: _graded(issue, grades) for issue, grades in source.items()}
    if isinstance(source, Path | str):
        return _read_qrels_file(Path(source))
    if isinstance(source, Frame):
        return _qrels_of(_rows(source, (_ISSUE, _COMPANY, _GRADE)))
    return _qrels_of(_flat(source.to_dict()))


def run_lines(run: RunSource, name: str = "matcher") -> str:
    """The lines of a TREC run; equal scores stand as the source has them, best first.

    Shortlists keep their ranks. An id's blanks become underscores: TREC separates by them.
    """
    return "".join(
        f"{token(row['issue_id'])} Q0 {token(row['company_id'])} {row['rank']} "
        f"{row['score']:.6f} {token(name)}\n"
        for row in _placed(run)
    )


def qrels_lines(qrels: QrelsSource) -> str:
    """The lines of a TREC qrels file, by issue and company in order of their ids."""
    return "".join(
        f"{token(issue)}\t0\t{token(company)}\t{grade}\n"
        for issue, grades in sorted(read_qrels(qrels).items())
        for company, grade in sorted(grades.items())
    )


def run_rows(run: RunSource) -> list[dict[str, str | int | float]]:
    """A row for each place of a run: issue_id, company_id, rank and score.

    An issue without places has no row, so a frame forgets it.
    """
    return [dict(row) for row in _placed(run)]


def token(identifier: object) -> str:
    """An id without blanks."""
    return "_".join(str(identifier).split())


def _placed(run: RunSource) -> Iterator[dict[str, str | int | float]]:
    for issue, scores in read_run(run).items():
        places = sorted(scores.items(), key=lambda place: -place[1])
        for rank, (company, score) in enumerate(places, start=1):
            yield {"issue_id": issue, "company_id": company, "rank": rank, "score": score}


def _read_run_file(path: Path) -> dict[str, dict[str, float]]:
    path = path / "run.trec" if path.is_dir() else path
    scores: dict[str, dict[str, float]] = {}
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        message = f"{path} を読めません。実行結果のフォルダーか run.trec を指定してください。"
        raise DataError(message) from error
    for number, line in enumerate(lines, start=1):
        parts = line.split()
        if len(parts) == 6:
            issue, _, company, _, score, _ = parts
            fault = _place(scores, issue, company, score)
        else:
            fault = _NOT_TREC
        if fault:
            raise DataError(f"{path} の{number}行目は{fault}。直してください。")
    return scores


def _checked(issue: str, scores: Mapping[str, float]) -> dict[str, float]:
    """The scores of an issue, each a number."""
    for company, score in scores.items():
        if not _is_number(score):
            raise DataError(
                f"課題 {shown(issue)} と企業 {shown(company)} の得点「{shown(str(score))}」が"
                "数ではありません。直してください。"
            )
    return {company: float(score) for company, score in scores.items()}


def _graded(issue: str, grades: Mapping[str, int]) -> dict[str, int]:
    """The grades of an issue, each one of the four."""
    for company, grade in grades.items():
        if grade not in range(4):
            raise DataError(
                f"課題 {shown(issue)} と企業 {shown(company)} の評価: {_GRADES_ARE}"
                f"（{shown(str(grade))} は使えません）。"
            )
    return {company: int(grade) for company, grade in grades.items()}


def _flat(told: Mapping[str, Mapping[str, float]]) -> Iterator[tuple[object, ...]]:
    for issue, those in told.items():
        for company, value in those.items():
            yield issue, company, value


def _run_of(rows: Iterable[tuple[object, ...]]) -> dict[str, dict[str, float]]:
    scores: dict[str, dict[str, float]] = {}
    for number, (issue, company, score) in enumerate(rows, start=1):
        fault = _place(scores, _id(issue), _id(company), str(score))
        if fault:
            raise DataError(f"結果の表の{number}行目は{fault}。直してください。")
    return scores


def _qrels_of(rows: Iterable[tuple[object, ...]]) -> dict[str, dict[str, int]]:
    qrels: dict[str, dict[str, int]] = {}
    for number, (issue, company, grade) in enumerate(rows, start=1):
        fault = _judge(qrels, (_id(issue), _id(company), str(grade)))
        if fault:
            raise DataError(f"判定の表の{number}行目: {fault}")
    if not qrels:
        raise DataError("判定の表に行がありません。課題ID・企業ID・評点の行を入れてください。")
    return qrels


def _id(value: object) -> str:
    """An id as a frame holds it, "" where it holds none.

    A column of numbers with a gap holds floats: 1234567890123.0 is that corporate number.
    """
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    is_none = value is None or (not isinstance(value, str) and str(value) in ("nan", "<NA>"))
    return "" if is_none else str(value)


def _place(scores: dict[str, dict[str, float]], issue: str, company: str, score: str) -> str:
    """Take in one place of a run; what is wrong with it, or ""."""
    issue, company = read_id(issue), read_id(company)
    if not (issue and company):
        return _NO_ID
    if not _is_number(score):
        return f"得点「{shown(score)}」が数ではありません"
    places = scores.setdefault(issue, {})
    if company in places:
        return f"同じ組（{issue} と {company}）の2度目です"
    places[company] = float(score)
    return ""


def _is_number(value: str | float) -> bool:
    try:
        return math.isfinite(float(value))
    except (TypeError, ValueError):
        return False


def _rows(frame: Frame, wanted: Sequence[tuple[str, ...]]) -> Iterator[tuple[object, ...]]:
    """The rows of these columns, each found under any of its names.

    Raises:
        DataError: there is no such column.
    """
    columns = {fold_header(str(name)): name for name in frame.columns}
    found = []
    for names in wanted:
        name = next((columns[key] for key in map(fold_header, names) if key in columns), None)
        if name is None:
            others = "、".join(map(str, columns.values()))
            raise DataError(
                f"表に {names[0]} の列がありません（ある列: {others}）。"
                f"{' / '.join(names)} のどれかの名前にしてください。"
            )
        found.append(frame[name])
    return zip(*found, strict=True)


def _read_qrels_file(path: Path) -> dict[str, dict[str, int]]:
    source = path.name
    qrels: dict[str, dict[str, int]] = {}
    faults: list[str] = []
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        parts = line.split()
        if not parts:
            continue
        if len(parts) == 4:
            fault = _judge(qrels, (parts[0], parts[2], parts[3]))
        else:
            fault = "「課題ID 0 企業ID 評価」の4つを空白で区切ってください。"
        if fault:
            faults.append(f"{number}行目: {fault}")
    if faults:
        others = f"（ほかに{len(faults) - 1}行）" if len(faults) > 1 else ""
        raise DataError(f"「{source}」の{faults[0]}{others}")
    if not qrels:
        raise DataError(
            f"「{source}」に評価がありません。「課題ID 0 企業ID 評価」の行を入れてください。"
        )
    return qrels


def _judge(qrels: dict[str, dict[str, int]], parts: tuple[str, str, str]) -> str:
    """Take in one judgement; what is wrong with it, or ""."""
    issue_id, company_id, given = map(read_id, parts)
    if not (issue_id and company_id):
        return f"{_NO_ID}。入れてください。"
    if not re.fullmatch(_GRADES, given):
        return f"{_GRADES_ARE}（{shown(parts[2])} は使えません）。"
    grade = int(given[0])
    if qrels.setdefault(issue_id, {}).setdefault(company_id, grade) != grade:
        return (
            f"{shown(issue_id)} と {shown(company_id)} に違う評価が2つあります。1つにしてください。"
        )
    return ""
