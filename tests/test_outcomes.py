"""What became of the pairs: every row accounted for, sources apart, nothing on both sides."""

import tempfile
from datetime import date
from pathlib import Path

import pytest
from examples import COMPANIES, ISSUES, FakeEncoder, write_table
from hypothesis import given
from hypothesis import strategies as st

from matcher import learn
from matcher.catalog import Catalog
from matcher.corpus import read_companies, read_issues
from matcher.errors import DataError, MatcherError
from matcher.evaluation import evaluate
from matcher.outcomes import (
    GRADES,
    HEADERS,
    SOURCES,
    Outcome,
    judged,
    qrels_of,
    read_outcomes,
    split,
    split_issues,
)
from matcher.pipeline import Matcher
from matcher.tables.header import fold_header
from matcher.trec import read_run
from matcher.types import Issue, Reading


def outcomes(*rows: dict[str, str]) -> Reading[Outcome]:
    with tempfile.TemporaryDirectory() as folder:
        found = read_outcomes(write_table(Path(folder) / "結果.csv", rows))
    assert found.rows == len(rows) == len(found) + found.merged + found.rejected
    return found


def row(issue="i1", company="c1", result="成立", day="", reason="予算") -> dict[str, str]:
    return {"課題ID": issue, "企業ID": company, "結果": result, "日付": day, "理由": reason}


def lines(reading: Reading[Outcome]) -> list[tuple[int | None, str, str]]:
    return [(fault.row, fault.column, fault.severity) for fault in reading.faults]


def made(issue="i1", company="c1", result="confirmed", **more) -> Outcome:
    return Outcome(issue_id=issue, company_id=company, result=result, **more)


def test_no_header_stands_for_two_fields():
    every = [
        name
        for field, aliases in HEADERS.items()
        for name in {fold_header(one) for one in (field, *aliases)}
    ]
    assert len(every) == len(set(every))


def test_a_whole_row_under_japanese_headers():
    found = outcomes(
        {
            "課題ID": " ｉ-1 ",
            "法人番号": "T7123456789012",
            "状況": "協議の結果、不採択",
            "更新日": "令和8年3月31日",
            "不調理由": "対象が違う",
            "実行": "第1回",
            "順位": "３位",
            "備考": "01",
        }
    )
    assert found.records == (
        made(
            "i-1",
            "7123456789012",
            "declined",
            day=date(2026, 3, 31),
            reason="対象が違う",
            run="第1回",
            rank=3,
            extra={"備考": "01"},
        ),
    )
    assert found.faults == ()


@pytest.mark.parametrize(
    ("column", "cell", "day"),
    [
        ("日付", "2026/4/1", date(2026, 4, 1)),
        ("日付", "R8.4.1", date(2026, 4, 1)),
        ("日付", "令和7年度", date(2026, 3, 31)),
        ("年度", "令和7", date(2026, 3, 31)),
        ("年度", "2025", date(2026, 3, 31)),
        ("日付", "いつか", None),
        ("日付", "", None),
    ],
)
def test_days_and_years(column, cell, day):
    found = outcomes({"課題ID": "i", "企業ID": "c", "結果": "成立", column: cell})
    assert [one.day for one in found] == [day]
    assert lines(found) == ([(2, column, "警告")] if cell == "いつか" else [])


@pytest.mark.parametrize(
    ("cells", "column"),
    [
        ({"結果": "連絡待ち"}, "結果"),
        ({"結果": ""}, "結果"),
        ({"結果": "成立・不調"}, "結果"),
        ({"課題ID": ""}, "課題ID"),
        ({"企業ID": "123456789012"}, "企業ID"),
    ],
)
def test_a_row_that_tells_no_outcome_is_rejected_with_its_place(cells, column):
    found = outcomes(row(), row(issue="i2") | cells)
    assert [one.issue_id for one in found] == ["i1"]
    assert (3, column, "除外") in lines(found)


def test_a_refusal_without_a_known_reason_and_an_unreadable_rank_are_said():
    found = outcomes(row(result="不調", reason="") | {"順位": "上の方"})
    assert lines(found) == [(2, "理由", "警告"), (2, "順位", "警告")]
    assert [(one.grade, one.rank) for one in found] == [(1, None)]


def test_a_mail_address_in_a_reason_is_said():
    assert "メールアドレス" in outcomes(row(reason="予算 a@example.jp")).faults[0].problem


def test_a_table_without_a_result_column_is_refused(tmp_path):
    path = write_table(tmp_path / "結果.csv", [{"課題ID": "i", "企業ID": "c"}])
    with pytest.raises(DataError, match="結果"):
        read_outcomes(path)


def test_the_later_of_two_rows_decides_and_is_said():
    found = outcomes(row(day="2026-06-01"), row(result="面談", day="2026-04-01"))
    assert [one.result for one in found] == ["confirmed"]
    assert (found.merged, lines(found)) == (1, [(3, "結果", "警告")])
    assert "2026-06-01" in found.faults[0].problem


def test_rows_of_one_day_that_differ_are_all_rejected():
    older = row(result="面談", day="2026-04-01")
    found = outcomes(row(day="2026-06-01"), row(result="辞退", day="2026-06-01"), older)
    assert (len(found), found.rejected) == (0, 3)
    assert {severity for _, _, severity in lines(found)} == {"除外"}


def test_an_older_contradiction_does_not_matter():
    first = (row(result="辞退", day="2026-04-01"), row(result="面談", day="2026-04-01"))
    assert [one.result for one in outcomes(*first, row(day="2026-06-01"))] == ["confirmed"]


def test_different_results_of_which_one_has_no_date_are_rejected():
    assert outcomes(row(day="2026-06-01"), row(result="辞退")).rejected == 2
    assert outcomes(row(day="2026-06-01"), row()).merged == 1


def test_reasons_of_one_day_are_joined_and_the_best_rank_stays():
    rows = [
        row(result="面談", day="2026-04-01") | {"順位": "2"},
        row(result="不調", day="2026-06-01", reason="対象が違う") | {"順位": ""},
        row(result="不調", day="2026-06-01", reason="予算") | {"順位": "5"},
    ]
    (one,) = outcomes(*rows)
    assert (one.reason, one.cause, one.rank) == ("予算\n対象が違う", "fit", 2)


ROWS = st.lists(
    st.builds(
        row,
        issue=st.sampled_from(["i1", "i2"]),
        company=st.sampled_from(["c1", "c2"]),
        result=st.sampled_from(["成立", "面談", "不調", "謎", ""]),
        day=st.sampled_from(["", "2026-04-01", "2026-05-01", "謎"]),
        reason=st.sampled_from(["", "予算", "対象が違う"]),
    ),
    min_size=1,
    max_size=12,
)


@given(ROWS.flatmap(lambda rows: st.tuples(st.just(rows), st.permutations(rows))))
def test_every_row_is_accounted_for_and_their_order_changes_nothing(pair):
    rows, others = pair
    found, again = outcomes(*rows), outcomes(*others)
    assert found.records == again.records
    assert (found.merged, found.rejected) == (again.merged, again.rejected)
    said = {fault.row for fault in found.faults}
    assert len(said) >= found.merged + found.rejected
    pairs = [(one.issue_id, one.company_id) for one in found]
    assert pairs == sorted(set(pairs))


def test_every_result_and_cause_has_its_grade():
    grades = [
        made(result="confirmed").grade,
        made(result="talking", reason="予算").grade,
        made(result="declined", reason="予算").grade,
        made(result="declined").grade,
        made(result="declined", reason="手段が合わない").grade,
    ]
    assert grades == [3, 2, 1, 1, 0] == list(GRADES.values())


def test_a_refusal_of_what_was_never_shown_stands_apart():
    those = (
        made(company="seen", result="declined"),
        made(company="told", result="declined", rank=2),
        made(company="unseen", result="declined"),
        made(company="won"),
    )
    runs = [{"i1": {"seen": 1.0, "left alone": 0.5}}, {"i2": {"unseen": 1.0}}]
    found = {one.company_id: one.source for one in judged(those, runs)}
    assert found == {
        "seen": "declined",
        "told": "declined",
        "unseen": "declined unseen",
        "won": "confirmed",
    }


def test_qrels_are_of_the_chosen_sources_only():
    those = judged([made(), made(company="c2", result="talking"), made("i2", result="declined")])
    assert qrels_of(those) == {"i1": {"c1": 3, "c2": 2}, "i2": {"c1": 1}}
    assert qrels_of(those, {"confirmed"}) == {"i1": {"c1": 3}}
    assert qrels_of(those, {"declined"}) == {}


OUTCOMES = st.lists(
    st.builds(
        made,
        issue=st.sampled_from(["i1", "i2", "i3"]),
        company=st.sampled_from(["c1", "c2", "c3"]),
        result=st.sampled_from(["confirmed", "talking", "declined"]),
        day=st.sampled_from([None, date(2025, 4, 1), date(2026, 3, 31), date(2026, 4, 1)]),
    ),
    unique_by=lambda one: (one.issue_id, one.company_id),
)


@given(OUTCOMES)
def test_no_issue_stands_on_both_sides_and_nothing_later_is_before(those):
    day = date(2026, 4, 1)
    before, after = split(those, day)
    assert not {one.issue_id for one in before} & {one.issue_id for one in after}
    assert all(one.day and one.day < day for one in before)
    assert {one.issue_id for one in after} == {o.issue_id for o in those if o.day and o.day >= day}
    left = {one.issue_id for one in those} - {one.issue_id for one in (*before, *after)}
    assert all(any(o.day is None for o in those if o.issue_id == issue) for issue in left)


@given(OUTCOMES)
def test_sources_part_the_judgements(those):
    found = judged(those, [{"i1": {"c1": 1.0}}])
    parts = [qrels_of(found, {source}) for source in SOURCES]
    together = {(i, c): g for part in parts for i, own in part.items() for c, g in own.items()}
    assert sum(len(own) for part in parts for own in part.values()) == len(those)
    assert together == {(one.issue_id, one.company_id): one.grade for one in found}


def test_issues_are_split_by_their_year():
    years = ["令和6年度", "2025", "R8", "", "昔"]
    issues = [
        Issue(issue_id=f"{n}", title="題", description="文", extra={"年 度": year})
        for n, year in enumerate(years)
    ]
    before, after = split_issues(issues, "年度", "令和7年度")
    assert [[one.issue_id for one in side] for side in (before, after)] == [["0"], ["1", "2"]]


@pytest.mark.parametrize(("column", "value"), [("年度", "昔"), ("季節", "2025")])
def test_a_split_by_no_year_or_no_column_is_refused(column, value):
    issue = Issue(issue_id="i", title="題", description="文", extra={"年度": "2025"})
    with pytest.raises(MatcherError, match=value if column == "年度" else column):
        split_issues([issue], column, value)


def test_last_year_is_learnt_from_and_this_year_is_judged(tmp_path):
    """A table of two years, a run, examples of the first year, an evaluation on the second."""
    issues = read_issues(write_table(tmp_path / "issues.csv", ISSUES))
    companies = read_companies(write_table(tmp_path / "companies.csv", COMPANIES))
    encoder = FakeEncoder()
    shortlists = Matcher(Catalog.build(companies, encoder), encoder, reader=None).match(issues)
    found = outcomes(
        row("i-1", "c-01", "協定締結", "2025-06-01"),
        row("i-1", "c-02", "不調", "2025-05-01", "対象が違う"),
        row("i-2", "c-04", "成立", "令和8年6月1日"),
        row("i-2", "c-07", "見送り", "2025-06-01", "予算"),
        row("i-5", "c-06", "実証中", "2026-07-01"),
    )
    run = read_run(shortlists)
    before, after = (
        qrels_of(judged(side, [run])) for side in split(found.records, date(2026, 4, 1))
    )
    assert before == {"i-1": {"c-01": 3, "c-02": 0}}
    assert after == {"i-2": {"c-04": 3, "c-07": 1}, "i-5": {"c-06": 2}}
    examples = learn.examples(issues, companies, before)
    assert [(len(one.fits), len(one.misses)) for one in examples.values()] == [(1, 1)]
    assert not examples.keys() & after.keys()
    report = evaluate(shortlists, after, measures=["Success(rel=2)@10"])
    assert (report.issues, report.without_list) == (2, ())
    assert report.means["Success(rel=2)@10"].mean == 1.0
