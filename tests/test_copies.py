import pytest
from hypothesis import given
from hypothesis import strategies as st

from matcher import text
from matcher.codes import data_folder
from matcher.corpus import read_companies, read_issues
from matcher.rank.copies import repeats, shingles

ISSUE = (
    "買い物に困る町民へ食料品を届け、見守りにもつなげたい。"
    "商店が減り、車がないと行けない地区がある。"
)
OWN = "冷蔵設備を積んだ車両で集落を回り、青果と日用品を販売する。献立の相談にも応じている。"


def test_copy_of_the_issue_repeats_it_and_an_answer_does_not():
    assert repeats(ISSUE, ISSUE)
    assert repeats(ISSUE, OWN + ISSUE)
    assert repeats(ISSUE, OWN * 10 + "商店が減り、車がないと行けない地区がある。")
    assert not repeats(ISSUE, OWN)
    assert not repeats(ISSUE, "")


@pytest.mark.parametrize(
    "change", [lambda t: t.replace("、", " "), lambda t: t.replace("車", "車 ")]
)
def test_signs_and_spaces_hide_no_copy(change):
    assert repeats(ISSUE, change(ISSUE))


def test_a_common_phrase_is_no_copy():
    assert not repeats(ISSUE, "見守りにもつなげたい企業を支える。" + OWN)


@given(st.text(max_size=60))
def test_shingles_are_runs_of_eight_letters(source):
    assert all(len(run) == 8 for run in shingles(source))


def test_no_published_pair_is_a_copy():
    issues = read_issues(data_folder() / "issues.csv")
    companies = read_companies(data_folder() / "companies.csv")
    asked = [text.issue_text(issue) for issue in issues]
    told = [text.company_text(company) for company in companies]
    assert not any(repeats(issue, profile) for issue in asked for profile in told)
