"""The walk from tables to shortlists, end to end, with the encoder and the reader that ship."""

import json
import math
import random
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import get_args

import pytest
from examples import COMPANIES, ISSUES, LINES, FakeEncoder, FakeReader, changed, write_table
from hypothesis import given, settings
from hypothesis import strategies as st

import matcher
from matcher import text
from matcher.catalog import Catalog
from matcher.codes import ALL_PREFECTURES, block_of, data_folder
from matcher.corpus import read_companies, read_issues
from matcher.errors import MatcherError, StaleCatalog
from matcher.job import Options, match_tables
from matcher.pipeline import Matcher
from matcher.run import FILES
from matcher.settings import Settings
from matcher.shortlists import to_lines
from matcher.types import Company, Issue, Reading, RegionRule, SdgRule

PARTS = {"dense", "words", "bigrams", "bridge", "reader", "sdgs", "region"}


@pytest.fixture(scope="module")
def shipped(shipped_catalog, bundled, bundled_reader):
    return Matcher(shipped_catalog, bundled, reader=bundled_reader)


@pytest.fixture(scope="module")
def everyone(shipped, shipped_issues):
    """All 110 companies ranked for each shipped issue that has any candidate."""
    return shipped.match(shipped_issues, top=1000, region_rule="any")


@pytest.fixture(scope="module")
def served(shipped, shipped_issues):
    return shipped.match(shipped_issues, top=20)


@pytest.fixture(scope="module")
def small(tmp_path_factory, bundled, bundled_reader):
    """The small tables: issues and a matcher over the companies."""
    folder = tmp_path_factory.mktemp("small")
    companies = read_companies(write_table(folder / "companies.csv", COMPANIES))
    issues = read_issues(write_table(folder / "issues.csv", ISSUES))
    catalog = Catalog.build(companies, bundled, lines=LINES)
    return issues, Matcher(catalog, bundled, reader=bundled_reader)


def scores(shortlists):
    return {
        (s.issue.issue_id, e.company.company_id): (e.score, dict(e.parts))
        for s in shortlists
        for e in s.entries
    }


def catalog_of(folder, rows, encoder):
    companies = read_companies(write_table(folder / "c.csv", rows))
    return Catalog.build(companies, encoder, lines=LINES)


def quick(folder, rows=COMPANIES, **fields):
    """A matcher with the quick encoder and the quick reader."""
    encoder = FakeEncoder()
    return Matcher(catalog_of(folder, rows, encoder), encoder, reader=FakeReader(), **fields)


# Every entry of every list


def test_parts_add_up_to_the_score(everyone):
    for shortlist in everyone:
        for entry in shortlist.entries:
            assert entry.parts.keys() == PARTS
            assert abs(math.fsum(entry.parts.values()) - entry.score) <= 1e-6
            assert entry.score == round(entry.score, 6)
            assert 0 <= entry.parts["sdgs"] <= 0.1
            assert 0 <= entry.parts["region"] <= 0.05
            assert 0 <= entry.parts["reader"] <= Settings().reader_weight


def test_ranks_count_from_one_and_scores_never_rise(everyone):
    for shortlist in everyone:
        assert [e.rank for e in shortlist.entries] == list(range(1, len(shortlist.entries) + 1))
        assert all(one.score >= other.score for one, other in pairwise(shortlist.entries))
        ids = [e.company.company_id for e in shortlist.entries]
        assert len(ids) == len(set(ids)) == 110


def test_every_span_of_evidence_is_a_quotation_of_both_sides(served, small):
    issues, matching = small
    seen = 0
    for shortlist in [*served, *matching.match(issues, region_rule="any")]:
        issue_text = text.issue_text(shortlist.issue)
        for entry in shortlist.entries:
            assert len(entry.evidence) <= Settings().spans
            for evidence in entry.evidence:
                assert evidence.issue_span
                assert evidence.company_span
                assert evidence.issue_span in issue_text
                assert evidence.company_span in entry.company.profile
                seen += 1
    assert seen > 1000


def test_spans_are_quoted_as_written_whatever_the_width(tmp_path):
    issue = Issue(
        issue_id="i", title="ﾌﾞﾛｯｸﾁｪｰﾝと㈱の\u3000ＡＩ活用", description="イノシシ①の\n被害。"
    )
    rows = changed(COMPANIES, 0, 事業内容="ブロックチェーンとAIで、ｲﾉｼｼの被害を\u3000減らす。")
    found = quick(tmp_path, rows).match([issue], region_rule="any")
    evidence = found[0].entries[0].evidence
    assert evidence
    for one in evidence:
        assert one.issue_span in text.issue_text(issue)
        assert one.company_span in found[0].entries[0].company.profile


def test_shared_goals_are_those_of_both_sides(everyone):
    for shortlist in everyone:
        for entry in shortlist.entries:
            assert entry.shared_sdgs == shortlist.issue.sdgs & entry.company.sdgs
            assert bool(entry.parts["sdgs"]) == bool(entry.shared_sdgs)


def test_inferred_goals_are_marked_on_the_list(small):
    issues, matching = small
    line = json.loads(to_lines(matching.match(issues, region_rule="any")).split("\n")[0])
    inferred = {entry["company_id"]: entry["sdgs"]["inferred"] for entry in line["entries"]}
    assert [company for company, mark in inferred.items() if mark] == ["c-02"]


def test_company_without_service_area_says_so_in_its_region_reason(small):
    issues, matching = small
    for rule in ("serves", "prefecture", "any"):
        for shortlist in matching.match(issues, top=12, region_rule=rule):
            for entry in shortlist.entries:
                told = "記載なし" in entry.region_reason
                assert told != entry.company.is_area_declared


def test_unknown_columns_are_carried_as_they_came(small):
    issues, matching = small
    shortlists = matching.match(issues, region_rule="any")
    assert [s.issue.extra for s in shortlists] == [{"受付経路": r["受付経路"]} for r in ISSUES]
    for entry in shortlists[0].entries:
        assert entry.company.extra == {"従業員数": str(10 * int(entry.company.company_id[2:]))}


# Hard rules


def may_return(company: Company, issue: Issue, region_rule: RegionRule, sdg_rule: SdgRule):
    """Which count a company falls under, said again in the words of the interface."""
    here, home = issue.prefecture, company.headquarters
    region = {
        "any": True,
        "serves": here in company.regions if here else company.regions == ALL_PREFECTURES,
        "prefecture": bool(here) and home == here,
        "block": bool(here and home) and block_of(home) == block_of(here),
    }[region_rule]
    goals = {
        "any": bool(issue.sdgs & company.sdgs) or not issue.sdgs,
        "all": issue.sdgs <= company.sdgs,
    }.get(sdg_rule, True)
    return "region" if not region else "sdgs" if not goals else "considered"


@pytest.mark.parametrize("region_rule", get_args(RegionRule))
@pytest.mark.parametrize("sdg_rule", get_args(SdgRule))
def test_no_rule_is_ever_broken_and_every_company_is_counted(
    shipped, shipped_issues, small, region_rule, sdg_rule
):
    few = [*shipped_issues.records[::4], replace(shipped_issues.records[0], prefecture="")]
    for matching, issues in ((shipped, few), (small[1], small[0].records)):
        companies = matching.catalog.companies
        for shortlist in matching.match(
            issues, top=1000, region_rule=region_rule, sdg_rule=sdg_rule
        ):
            fates = [may_return(c, shortlist.issue, region_rule, sdg_rule) for c in companies]
            assert shortlist.considered == fates.count("considered")
            assert dict(shortlist.excluded) == {
                "region": fates.count("region"), "sdgs": fates.count("sdgs")
            }  # fmt: skip
            allowed = {
                c.company_id for c, f in zip(companies, fates, strict=True) if f == "considered"
            }
            listed = {e.company.company_id for e in shortlist.entries}
            assert listed == (allowed if shortlist.status == "ranked" else set())


def test_rule_that_lets_nobody_through_gives_an_empty_list_with_its_counts(small):
    issues, matching = small
    unplaced = matching.match(issues, region_rule="prefecture")[3]
    assert unplaced.issue.prefecture == ""
    assert (unplaced.status, unplaced.entries, unplaced.considered) == ("no_candidate", (), 0)
    assert unplaced.excluded == {"region": 12, "sdgs": 0}


def test_issue_without_prefecture_is_served_by_nationwide_companies_only(small):
    issues, matching = small
    shortlist = matching.match(issues, top=12)[3]
    assert shortlist.considered == 4
    assert all(entry.company.regions == ALL_PREFECTURES for entry in shortlist.entries)


# A pair's score is a function of the pair


def test_score_does_not_depend_on_the_other_issues(shipped, shipped_issues, everyone):
    alone = [
        found
        for issue in shipped_issues.records[:8]
        for found in shipped.match([issue], top=1000, region_rule="any")
    ]
    assert to_lines(alone) == to_lines(everyone[:8])


def test_score_does_not_depend_on_the_region_rule(shipped, shipped_issues, everyone):
    known = scores(everyone)
    for rule in ("serves", "prefecture", "block"):
        for pair, found in scores(shipped.match(shipped_issues, top=5, region_rule=rule)).items():
            assert known[pair] == found


def test_score_does_not_depend_on_a_limiting_sdg_rule(shipped, shipped_issues, everyone):
    known = scores(everyone)
    for rule in ("any", "all"):
        found = scores(shipped.match(shipped_issues, top=5, region_rule="any", sdg_rule=rule))
        assert found
        assert all(known[pair] == score for pair, score in found.items())


def test_ignored_goals_give_no_part_and_change_nothing_else(shipped, shipped_issues, everyone):
    known = scores(everyone)
    ignoring = shipped.match(
        shipped_issues.records[:5], top=1000, region_rule="any", sdg_rule="ignore"
    )
    for pair, (_, parts) in scores(ignoring).items():
        assert parts == known[pair][1] | {"sdgs": 0.0}


def test_first_places_of_a_larger_k_are_the_smaller_k(shipped, shipped_issues, served):
    for k in (1, 3, 10, 19):
        fewer = shipped.match(shipped_issues, top=k)
        cut = [replace(shortlist, entries=shortlist.entries[:k]) for shortlist in served]
        assert fewer == cut


def test_all_goals_ticked_gain_nothing_beside_the_goals_that_fit(tmp_path):
    rows = [
        dict(COMPANIES[0]) | {"企業ID": "fit", "SDGs": "2、15"},
        dict(COMPANIES[0]) | {"企業ID": "all", "SDGs": "、".join(map(str, range(1, 18)))},
    ]
    issues = read_issues(write_table(tmp_path / "i.csv", ISSUES[:1]))
    found = quick(tmp_path, rows).match(issues)[0]
    assert [e.company.company_id for e in found.entries] == ["fit", "all"]
    assert [e.parts["sdgs"] for e in found.entries] == [0.1, 0]


@settings(max_examples=8)
@given(st.permutations(COMPANIES), st.permutations(ISSUES))
def test_neither_row_order_changes_a_list(tmp_path_factory, companies, issues):
    folder = tmp_path_factory.mktemp("permuted")

    def lines(companies, issues):
        found = read_issues(write_table(folder / "i.csv", issues))
        few = Settings(read=3)  # so that the edge of what is read runs through the companies
        return to_lines(quick(folder, companies, settings=few).match(found, region_rule="any"))

    assert lines(companies, issues) == lines(COMPANIES, ISSUES)


def test_equal_companies_are_ordered_by_lot_and_not_by_id(tmp_path):
    rows = [dict(COMPANIES[0]) | {"企業ID": f"c-{number:02}"} for number in range(30)]
    matching = quick(tmp_path, rows)
    issues = [
        Issue(issue_id=f"i{n}", title="イノシシ", description="野生動物の見回り", prefecture="28")
        for n in range(3)
    ]
    orders = [[e.company.company_id for e in s.entries] for s in matching.match(issues, top=30)]
    assert len({tuple(order) for order in orders}) == 3
    assert all(order != sorted(order) for order in orders)
    first = [[e.company.company_id for e in s.entries] for s in matching.match(issues, top=7)]
    assert first == [order[:7] for order in orders]


def test_opened_catalog_gives_the_same_lists(
    shipped, shipped_issues, served, bundled, bundled_reader, tmp_path
):
    shipped.catalog.save(tmp_path / "catalog")
    again = Matcher(Catalog.open(tmp_path / "catalog"), bundled, reader=bundled_reader)
    assert to_lines(again.match(shipped_issues, top=20)) == to_lines(served)


# The same bytes, with the encoder itself and not from memory


@pytest.fixture(scope="module")
def run_of(tmp_path_factory):
    """The five outputs of a run of the small tables in a folder of its own."""

    def run(companies=COMPANIES, **options):
        folder = tmp_path_factory.mktemp("run")
        issues = write_table(folder / "issues.csv", ISSUES)
        table = write_table(folder / "companies.csv", companies)
        # A short bridge: a thousand lines would be encoded anew in each run.
        lines = [
            {
                "分野": one.field,
                "困りごと": "、".join(one.problem),
                "解決策": "、".join(one.solution),
            }
            for one in LINES
        ]
        told = Options(bridge=write_table(folder / "bridge.csv", lines), **options)
        match_tables(issues, table, folder / "out", told, lambda *_: lambda _: None)
        return {name: (folder / "out" / name).read_bytes() for name in FILES}

    return run


def test_neither_a_second_run_nor_threads_nor_row_order_change_a_byte(run_of):
    companies = list(COMPANIES)
    random.Random(7).shuffle(companies)
    once = run_of(threads=1)
    assert run_of(companies, threads=2) == once


# Whether there is anything to go on


def off_topic():
    lines = (Path(__file__).parent / "data" / "off_topic.jsonl").read_text(encoding="utf-8")
    return [
        Issue(issue_id=f"off-{number}", prefecture="13", **json.loads(line))
        for number, line in enumerate(lines.splitlines())
    ]


@pytest.mark.parametrize("rule", ["serves", "any"])
def test_texts_about_something_else_have_no_candidate(shipped, rule):
    found = shipped.match(off_topic(), region_rule=rule)
    assert len(found) == 30
    empty = [shortlist for shortlist in found if shortlist.status == "no_candidate"]
    assert len(empty) >= 27
    assert all(shortlist.entries == () for shortlist in empty)


def test_every_shipped_issue_has_candidates(served, everyone):
    assert {s.status for s in (*served, *everyone)} == {"ranked"}
    assert all(len(s.entries) == min(20, s.considered) for s in served)


@pytest.mark.parametrize("title", ["！！！", "…", "★☆", "123", "、。", "(^_^)"])
def test_issue_of_symbols_alone_is_unclear(small, title):
    issue = Issue(issue_id="i", title=title, description="──", prefecture="13")
    found = small[1].match([issue])[0]
    assert (found.status, found.entries) == ("unclear", ())
    assert found.considered + sum(found.excluded.values()) == 12


def test_status_does_not_depend_on_k(shipped, shipped_issues):
    one = shipped.match([*shipped_issues.records[:5], *off_topic()[:5]], top=1)
    many = shipped.match([*shipped_issues.records[:5], *off_topic()[:5]], top=50)
    assert [s.status for s in one] == [s.status for s in many]


# Odd sizes and odd texts


@pytest.mark.parametrize("size", [0, 1, 2])
def test_small_catalogs_work(tmp_path, bundled, bundled_reader, size):
    rows = COMPANIES[:size] or [dict(COMPANIES[0]) | {"企業名": ""}]
    matching = Matcher(catalog_of(tmp_path, rows, bundled), bundled, reader=bundled_reader)
    issues = read_issues(write_table(tmp_path / "i.csv", ISSUES))
    for rule in get_args(RegionRule):
        for shortlist in matching.match(issues, region_rule=rule):
            assert shortlist.considered + sum(shortlist.excluded.values()) == size
            assert len(shortlist.entries) <= size
            for entry in shortlist.entries:
                assert math.isfinite(entry.score)
                assert abs(math.fsum(entry.parts.values()) - entry.score) <= 1e-6
    if size:
        assert matching.match(issues)[0].entries[0].company.company_id == "c-01"


def test_no_issue_gives_no_list(small):
    assert small[1].match([]) == []


def test_issue_that_copies_a_profile_finds_its_company(small):
    _, matching = small
    for company in matching.catalog.companies:
        issue = Issue(issue_id="copy", title=company.profile, description=company.profile)
        found = matching.match([issue], region_rule="any")[0]
        assert found.entries[0].company.company_id == company.company_id


@settings(max_examples=40)
@given(st.text(max_size=60), st.text(max_size=60))
def test_any_text_gives_a_list_that_keeps_every_promise(quick_matcher, title, description):
    issue = Issue(issue_id="i", title=title, description=description, prefecture="28")
    found = quick_matcher.match([issue], region_rule="any")[0]
    assert found.considered + sum(found.excluded.values()) == 12
    for entry in found.entries:
        assert abs(math.fsum(entry.parts.values()) - entry.score) <= 1e-6
        for evidence in entry.evidence:
            assert evidence.issue_span in text.issue_text(issue)
            assert evidence.company_span in entry.company.profile


@pytest.fixture(scope="module")
def quick_matcher(tmp_path_factory):
    return quick(tmp_path_factory.mktemp("quick"))


def test_very_long_issue_is_read_to_its_end(quick_matcher):
    filler = "会議を開いた。" * 3000
    issue = Issue(
        issue_id="i", title="長い", description=f"{filler}イノシシの野生動物。", prefecture="28"
    )
    lenient = Matcher(quick_matcher.catalog, FakeEncoder(), Settings(near_meaning=0), reader=None)
    entries = lenient.match([issue], top=12, region_rule="any")[0].entries
    best = max(entries, key=lambda entry: entry.parts["words"])
    assert best.company.company_id in ("c-01", "c-02")  # the two that speak of animals


# What is refused


def test_options_that_cannot_be_are_refused(quick_matcher):
    for options in ({"top": 0}, {"region_rule": "near"}, {"sdg_rule": "none"}):
        with pytest.raises(MatcherError):
            quick_matcher.match([], **options)


def test_catalog_encoder_and_settings_must_belong_together(quick_matcher):
    with pytest.raises(StaleCatalog, match=r"fake.*another"):
        Matcher(quick_matcher.catalog, FakeEncoder("another"))
    with pytest.raises(StaleCatalog, match="bm25"):
        Matcher(quick_matcher.catalog, FakeEncoder(), Settings(bm25_k1=2.0))


# The notebook's five lines


def test_five_lines_do_the_main_job(monkeypatch, bundled, bundled_reader):
    monkeypatch.chdir(data_folder())
    monkeypatch.setattr(matcher, "load_encoder", lambda: bundled, raising=False)
    monkeypatch.setattr("matcher.pipeline.load_reader", lambda *_: bundled_reader)
    lines = [line for line in matcher.__doc__.splitlines() if line.startswith("    ")]
    assert len(lines) == 5
    said = []
    exec("\n".join(line.strip() for line in lines), {"print": said.append})
    assert len(said) == 1
    assert said[0]


def test_public_names_are_those_of_the_interface():
    wanted = {
        "read_issues", "read_companies", "load_encoder", "Catalog", "Matcher", "Constraint",
        "Shortlist", "load_run", "evaluate",
    }  # fmt: skip
    assert wanted <= set(matcher.__all__)
    code = "import matcher; print(all(callable(getattr(matcher, n)) for n in matcher.__all__))"
    # In a process of its own: here other tests have imported the rooms by their names.
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("True\n", "")
    with pytest.raises(AttributeError, match="'matcher' has no attribute 'evaluat'"):
        _ = matcher.evaluat


def test_reading_counts_add_up(shipped_issues: Reading[Issue], shipped_companies):
    for reading in (shipped_issues, shipped_companies):
        assert reading.rows == len(reading) + reading.merged + reading.rejected
