"""Conditions that leave nobody, everybody, or no order: each ends in a list that says why."""

import csv
import io
import json

import pytest
from examples import COMPANIES, ISSUES, changed, write_table

from matcher.rank.ranker import lot
from matcher.report import wording
from matcher.run import load_run


@pytest.fixture(autouse=True)
def encoder(quick):
    return quick


@pytest.fixture
def match(call, tmp_path):
    """Run the main job over two tables; its lines of JSON by issue, and what it printed."""

    def run(*options, issues=ISSUES, companies=COMPANIES):
        asked = write_table(tmp_path / "課題.csv", issues)
        supply = write_table(tmp_path / "企業.csv", companies)
        told = ("match", asked, supply, "--out", tmp_path / "out", "--overwrite", *options)
        status, shown, errors = call(*told)
        assert status == 0, errors
        content = (tmp_path / "out" / "shortlist.jsonl").read_text(encoding="utf-8")
        lines = (json.loads(line) for line in content.splitlines())
        return {line["issue_id"]: line for line in lines}, shown

    return run


@pytest.fixture
def reason(call, tmp_path):
    """Why an issue has no candidates and what may be tried, as `matcher show` prints it."""

    def read(issue_id):
        status, shown, _ = call("show", issue_id, "--run", tmp_path / "out")
        assert status == 0
        shortlist = load_run(tmp_path / "out").shortlist(issue_id)
        told = wording.reason(shortlist) + wording.advice(shortlist)
        assert "".join(told.split()) in "".join(shown.split())
        return told

    return read


@pytest.fixture
def lenient(tmp_path):
    """Options by which whoever passes the rules is ranked: the quick encoder knows no meaning."""
    path = tmp_path / "緩い.toml"
    path.write_text("near_meaning = 0\n", encoding="utf-8")
    return ("--settings", path, "--no-reader")


def names(line):
    return [entry["company_id"] for entry in line["entries"]]


def refused(call, tmp_path, *options):
    """The sentence of a call that is refused before anything is written."""
    asked = write_table(tmp_path / "課題.csv", ISSUES)
    supply = write_table(tmp_path / "企業.csv", COMPANIES)
    status, shown, errors = call("match", asked, supply, "--out", tmp_path / "out", *options)
    assert (status, shown, len(errors)) == (2, "", 1)
    assert not (tmp_path / "out").exists()
    return errors[0]


def test_everything_filtered_out(match, reason, tried):
    hokkaido = [dict(row) | {"都道府県": "沖縄県", "自治体名": ""} for row in ISSUES[:1]]
    found, _ = match("--region-rule", "prefecture", issues=hokkaido)
    line = found["i-1"]
    assert (line["status"], line["entries"], line["considered"]) == ("no_candidate", [], 0)
    assert line["excluded"]["region"] == len(COMPANIES)
    tried(
        6,
        "沖縄県の課題に --region-rule prefecture（県内の企業がない）",
        "候補なしとして載せ、何社が何の条件で外れたかと、緩め方を言う",
        reason("i-1"),
    )


def test_no_company_has_every_goal_of_the_issue(match, reason, tried):
    goals = changed(ISSUES[:1], 0, SDGs="1、5、14")
    companies = [dict(row) | {"SDGs": "9"} for row in COMPANIES]
    found, _ = match("--sdg-rule", "all", "--region-rule", "any", issues=goals, companies=companies)
    line = found["i-1"]
    assert (line["status"], line["considered"]) == ("no_candidate", 0)
    assert line["excluded"] == {"region": 0, "sdgs": len(COMPANIES)}
    tried(
        6,
        "目標が1・5・14の課題に --sdg-rule all（すべてを持つ企業がない）",
        "候補なしとして載せ、SDGsの条件で外れた数と緩め方を言う",
        reason("i-1"),
    )


def test_one_with_all_seventeen_goals_passes_and_gains_nothing(match, lenient):
    goals = changed(ISSUES[:1], 0, SDGs="1、5、14")
    found, _ = match("--sdg-rule", "all", "--region-rule", "any", *lenient, issues=goals)
    (entry,) = found["i-1"]["entries"]
    assert (entry["company_id"], entry["parts"]["sdgs"]) == ("c-12", 0)


def test_a_rule_by_goals_for_an_issue_without_goals_limits_nothing_and_says_so(
    match, tmp_path, tried
):
    found, _ = match("--sdg-rule", "all", "--region-rule", "any")
    assert found["i-5"]["considered"] == len(COMPANIES)
    text = (tmp_path / "out" / "rejected.csv").read_bytes().decode("utf-8-sig")
    rows = [row for row in csv.DictReader(io.StringIO(text, newline="")) if row["value"] == "i-5"]
    assert [row["severity"] for row in rows] == ["警告"]
    tried(
        6,
        "SDGsの目標がない課題に --sdg-rule all",
        "SDGsでは絞らずに並べる（警告）",
        rows[0]["problem"] + rows[0]["remedy"],
    )


@pytest.mark.parametrize("rule", ["prefecture", "block"])
def test_unknown_prefecture_with_a_strict_rule(match, reason, rule, tried):
    found, _ = match("--region-rule", rule)
    line = found["i-4"]  # 府中市, of which there are two
    assert (line["prefecture"], line["status"], line["considered"]) == ("", "no_candidate", 0)
    assert line["excluded"]["region"] == len(COMPANIES)
    tried(
        6,
        f"都道府県が決まらない課題に --region-rule {rule}",
        "だれも候補にしない",
        reason("i-4"),
    )


def test_unknown_prefecture_lets_nationwide_companies_through(match):
    found, _ = match()
    assert found["i-4"]["considered"] == sum(row["対応地域"] == "全国" for row in COMPANIES)


def test_more_places_than_companies(match, tried):
    found, _ = match("--top", "1000", "--region-rule", "any")
    assert len(found["i-1"]["entries"]) == len(COMPANIES)
    assert [entry["rank"] for entry in found["i-1"]["entries"]] == [*range(1, 13)]
    tried(6, "企業12社に --top 1000", "12社すべてを順に並べる")


def test_all_ties_stand_in_a_neutral_order(match, lenient, tried):
    same = [dict(COMPANIES[0]) | {"企業ID": f"c-{number:02}"} for number in range(20)]
    every, _ = match("--top", "20", *lenient, issues=ISSUES[:2], companies=same)
    for issue, line in every.items():
        assert len({entry["score"] for entry in line["entries"]}) == 1
        assert names(line) == sorted(
            (row["企業ID"] for row in same), key=lambda id_: lot(issue, id_)
        )
    assert names(every["i-1"]) != names(every["i-2"])
    shuffled, _ = match("--top", "5", *lenient, issues=ISSUES[:2], companies=same[::-1])
    assert names(shuffled["i-1"]) == names(every["i-1"])[:5]
    tried(
        6,
        "文章も地域も同じ20社（得点がすべて同じ）",
        "課題ごとに、名前・ID・表の順によらない決まり（SHA-256）で並べる",
    )


@pytest.mark.parametrize(
    ("line", "called_so"),
    [
        (
            "dense_weight = 0\nwords_weight = 0\nbigrams_weight = 0",
            "文章を比べる重みをすべて0にした設定",
        ),
        ("near_meaning = nan", "意味の近さの下限を nan にした設定"),
        ("dense_weight = inf", "重みを inf にした設定"),
        ("dense_weight = -1", "重みを -1 にした設定"),
        ("fair_likely = 1.5", "見込みの下限を 1.5 にした設定"),
    ],
)
def test_a_limit_or_weight_that_cannot_be_is_refused(call, tmp_path, line, called_so, tried):
    (tmp_path / "設定.toml").write_text(f"{line}\n", encoding="utf-8")
    told = refused(call, tmp_path, "--settings", tmp_path / "設定.toml")
    assert "設定.toml" in told
    tried(6, called_so, "実行しない（終了状態2）", told.replace(f"{tmp_path}/", ""))


def test_a_floor_that_nobody_reaches(match, tmp_path, reason, tried):
    settings = tmp_path / "設定.toml"
    settings.write_text("near_meaning = 1000\nfair_meaning = 1000\n", encoding="utf-8")
    found, _ = match("--settings", settings, "--no-reader")
    assert {line["status"] for line in found.values()} == {"no_candidate", "unclear"}
    tried(6, "だれも届かない下限（near_meaning = 1000）", "候補なしとして載せる", reason("i-1"))


@pytest.mark.parametrize(
    ("options", "called_so"),
    [
        (("--top", "0"), "--top 0"),
        (("--top", "-3"), "--top -3"),
        (("--region-rule", "近所"), "--region-rule 近所"),
        (("--sdg-rule", "どれか"), "--sdg-rule どれか"),
    ],
)
def test_an_option_that_cannot_be_is_refused(call, tmp_path, options, called_so, tried):
    told = refused(call, tmp_path, *options)
    tried(6, called_so, "実行しない（終了状態2）", told)


def test_a_catalog_without_a_usable_company(match, reason, tmp_path, tried):
    nobody = [dict(COMPANIES[0]) | {"企業名": ""}]
    found, _ = match(companies=nobody)
    assert {line["considered"] for line in found.values()} == {0}
    assert {line["status"] for line in found.values()} == {"no_candidate", "unclear"}
    tried(6, "使える企業が一社もない表", "課題はすべて候補なしとして載せる", reason("i-1"))
