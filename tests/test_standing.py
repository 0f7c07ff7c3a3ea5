"""A standing is what a list with room for everybody says of one company."""

import math
from dataclasses import replace
from typing import get_args

import pytest
from examples import COMPANIES, ISSUES, LINES, FakeEncoder, FakeReader, write_table
from hypothesis import given, settings
from hypothesis import strategies as st

from matcher import text
from matcher.catalog import Catalog
from matcher.codes import data_folder
from matcher.corpus import read_companies, read_issues
from matcher.errors import MatcherError
from matcher.pipeline import Matcher
from matcher.settings import Settings
from matcher.standing import Standing, missed, standings
from matcher.trec import read_qrels
from matcher.types import RegionRule, SdgRule

FEW = Settings(read=3, near_meaning=0, fair_meaning=0)  # every issue has candidates
IDS = [row["企業ID"] for row in COMPANIES]
RULES = st.fixed_dictionaries(
    {
        "region_rule": st.sampled_from(get_args(RegionRule)),
        "sdg_rule": st.sampled_from(get_args(SdgRule)),
    }
)


@pytest.fixture(scope="module")
def issues(tmp_path_factory):
    return read_issues(write_table(tmp_path_factory.mktemp("issues") / "i.csv", ISSUES)).records


@pytest.fixture(scope="module")
def catalog(tmp_path_factory):
    table = write_table(tmp_path_factory.mktemp("companies") / "c.csv", COMPANIES)
    return Catalog.build(read_companies(table), FakeEncoder(), lines=LINES)


@pytest.fixture(scope="module")
def matcher(catalog):
    return Matcher(catalog, FakeEncoder(), FEW, reader=FakeReader())


def whole(matcher, issue, **rules):
    """The list with room for everybody, explained."""
    (found,) = matcher.match([issue], top=len(matcher.catalog.companies), **rules)
    return {entry.company.company_id: entry for entry in found.entries}


def same_pair(standing, entry):
    return (
        standing.company == entry.company
        and standing.score == entry.score
        and standing.parts == entry.parts
        and standing.evidence == entry.evidence
        and standing.region_reason == entry.region_reason
    )


# The rank, the score and the parts


@settings(max_examples=40)
@given(st.integers(0, 4), st.integers(1, 14), RULES)
def test_standing_is_the_place_on_a_list_with_room_for_everybody(matcher, issues, at, top, rules):
    places = whole(matcher, issues[at], **rules)
    free_rules = {"region_rule": "any", "sdg_rule": "prefer"}
    if rules["sdg_rule"] == "ignore":
        free_rules["sdg_rule"] = "ignore"
    free = whole(matcher, issues[at], **free_rules)
    (shortlist,) = matcher.match([issues[at]], top=top, **rules)
    listed = {entry.company.company_id for entry in shortlist.entries}
    counts = {"excluded by region": 0, "excluded by sdgs": 0}
    for one in standings(matcher, issues[at], IDS, top=top, **rules):
        assert one.issue == issues[at]
        assert (one.status == "listed") == (one.company_id in listed)
        if one.company_id in places:
            assert one.status in ("listed", "below")
            assert (one.rank, one.free_rank) == (places[one.company_id].rank, None)
            assert same_pair(one, places[one.company_id])
        else:
            counts[one.status] += 1
            assert (one.rank, one.free_rank) == (None, free[one.company_id].rank)
            assert same_pair(one, free[one.company_id])
        if shortlist.entries:
            assert one.last_parts == shortlist.entries[-1].parts
    assert counts == {f"excluded by {why}": n for why, n in shortlist.excluded.items()}


def test_shortfall_is_what_the_score_lacks_part_by_part(matcher, issues):
    (shortlist,) = matcher.match(issues[:1], top=2, region_rule="any")
    last = shortlist.entries[-1]
    for one in standings(matcher, issues[0], IDS, top=2, region_rule="any"):
        assert list(one.shortfall) == list(one.parts)
        lacks = math.fsum(one.shortfall.values())
        assert lacks == pytest.approx(last.score - one.score, abs=1e-5)
        assert (lacks > 1e-5) == (one.status == "below")
        if one.rank == 2:
            assert set(one.shortfall.values()) == {0}


def test_cause_is_the_rules_or_what_most_of_the_shortfall_comes_from(issues):
    far = {"dense": 0.5, "words": 0.1, "bigrams": 0.0, "bridge": 0.0, "reader": 2.0}
    poor = far | {"dense": 2.0, "reader": 1.0}
    last = far | {"dense": 2.1, "reader": 2.1}

    def cause(parts, **standing):
        one = Standing(
            issue=issues[0], company_id="c", company=None, status="below", parts=parts,
            last_parts=last, **standing,
        )  # fmt: skip
        return one.cause

    assert cause(far, rank=12, was_read=True) == "far"
    assert cause(poor, rank=12, was_read=True) == "reader"
    assert cause(far, rank=12) == "unread"
    assert cause({}, free_rank=3) == "excluded"


def test_last_listed_place_is_the_last_there_is_where_few_pass(matcher, issues):
    rules = {"region_rule": "prefecture"}
    (shortlist,) = matcher.match(issues[:1], **rules)
    assert 0 < len(shortlist.entries) < 10
    (one,) = standings(matcher, issues[0], ["c-10"], **rules)
    assert (one.status, one.last_parts) == ("excluded by region", shortlist.entries[-1].parts)


def test_order_is_that_of_the_question_and_one_company_does_not_touch_another(matcher, issues):
    together = standings(matcher, issues[1], IDS[::-1])
    assert [one.company_id for one in together] == IDS[::-1]
    assert together == [standings(matcher, issues[1], [id_])[0] for id_ in IDS[::-1]]
    assert standings(matcher, issues[1], ["c-04", "c-04"]) == [together[-4], together[-4]]
    assert standings(matcher, issues[1], []) == []


def test_bundled_encoder_gives_the_places_of_the_whole_list(
    shipped_catalog, shipped_issues, bundled
):
    matcher = Matcher(shipped_catalog, bundled, reader=None)
    ids = [company.company_id for company in shipped_catalog.companies]
    for issue in shipped_issues.records[:3]:
        places = whole(matcher, issue)
        for one in standings(matcher, issue, ids):
            assert one.was_read is False
            assert (one.rank is None) == (one.company_id not in places)
            if one.rank:
                assert one.rank == places[one.company_id].rank
                assert same_pair(one, places[one.company_id])


# Who has no place


def test_company_that_the_catalog_lacks_is_said(matcher, issues):
    (one,) = standings(matcher, issues[0], ["c-99"])
    assert (one.status, one.company, one.rank, one.score) == ("unknown company", None, None, None)
    assert (one.parts, one.shortfall, one.evidence, one.was_read) == ({}, {}, (), False)


def test_who_fails_both_rules_is_excluded_by_region(matcher, issues):
    rules = {"region_rule": "prefecture", "sdg_rule": "all"}
    told = {one.company_id: one.status for one in standings(matcher, issues[0], IDS, **rules)}
    assert told["c-10"] == "excluded by region"
    assert told["c-01"] == "excluded by sdgs"  # 兵庫県, and goals 9 and 15 for 2 and 15


def test_issue_that_says_nothing_has_no_list(matcher, issues):
    found = standings(matcher, issues[5], [*IDS, "c-99"])  # ！！！
    told = {one.company_id: one.status for one in found}
    assert set(told.values()) == {"no list", "excluded by region", "unknown company"}
    assert told["c-10"] == "no list"
    assert all((o.rank, o.free_rank, o.score, o.shortfall) == (None, None, None, {}) for o in found)


def test_no_candidate_is_no_list(catalog, issues):
    strict = Settings(near_meaning=1000, fair_meaning=1000)
    matcher = Matcher(catalog, FakeEncoder(), strict, reader=None)
    (one,) = standings(matcher, issues[0], ["c-01"])
    assert (one.status, one.company.name) == ("no list", "獣害センサー株式会社")


def test_empty_catalog_knows_nobody(issues):
    matcher = Matcher(Catalog.build([], FakeEncoder(), lines=LINES), FakeEncoder(), FEW, None)
    assert [one.status for one in standings(matcher, issues[0], ["c-01"])] == ["unknown company"]


@pytest.mark.parametrize("options", [{"top": 0}, {"region_rule": "near"}, {"sdg_rule": "some"}])
def test_option_that_cannot_be_is_refused(matcher, issues, options):
    with pytest.raises(MatcherError, match="--"):
        standings(matcher, issues[0], IDS, **options)
    with pytest.raises(MatcherError, match="--"):
        missed(matcher, issues, {}, **options)


# Who was read


@pytest.mark.parametrize("at", range(6))
def test_was_read_is_whom_the_reader_was_given(catalog, issues, at):
    reader = FakeReader()
    matcher = Matcher(catalog, FakeEncoder(), FEW, reader=reader)
    found = standings(matcher, issues[at], IDS)
    profiles = {profile for _, profile in reader.pairs}
    assert 0 < len(profiles) < len(IDS)
    for one in found:
        assert one.was_read == (text.normalise(one.company.profile) in profiles)


def test_without_a_reader_nobody_was_read(catalog, issues):
    for matcher in (
        Matcher(catalog, FakeEncoder(), FEW, reader=None),
        Matcher(catalog, FakeEncoder(), Settings(read=0), reader=FakeReader()),
    ):
        assert matcher.read_for(issues[0]) == frozenset()
        assert not any(one.was_read for one in standings(matcher, issues[0], IDS))


def test_evidence_quotes_both_texts(matcher, issues):
    (one,) = standings(matcher, issues[0], ["c-02"], top=1, region_rule="any")
    assert one.evidence
    for span in one.evidence:
        assert span.issue_span in text.issue_text(issues[0])
        assert span.company_span in one.company.profile


# What the matcher adds for it


@settings(max_examples=20)
@given(st.integers(0, 5), st.integers(1, 12), st.data())
def test_evidence_for_some_of_a_bare_list_is_what_match_gives(matcher, issues, at, top, data):
    (bare,) = matcher.match([issues[at]], top=top, is_explained=False)
    (explained,) = matcher.match([issues[at]], top=top)
    assert matcher.with_evidence(bare) == explained
    some = data.draw(st.sets(st.integers(0, max(0, len(bare.entries) - 1))))
    few = [bare.entries[n] for n in sorted(some) if bare.entries]
    wanted = [explained.entries[n] for n in sorted(some) if bare.entries]
    found = matcher.with_evidence(replace(bare, entries=tuple(few)))
    assert found == replace(explained, entries=tuple(wanted))


def test_evidence_for_a_company_of_another_catalog_is_refused(matcher, catalog, issues):
    (bare,) = matcher.match(issues[:1], is_explained=False)
    few = Catalog.build(catalog.companies[-2:], FakeEncoder(), lines=LINES)
    with pytest.raises(MatcherError, match="カタログに企業ID「c-01」がありません"):
        Matcher(few, FakeEncoder(), FEW, reader=None).with_evidence(bare)


# The partners that were missed


def test_missed_are_the_partners_that_are_not_listed(matcher, issues):
    qrels = {
        issues[0].issue_id: {id_: 3 for id_ in IDS} | {"c-99": 3},
        issues[1].issue_id: {"c-04": 2, "c-05": 3},
        "elsewhere": {"c-01": 3},
    }
    found = missed(matcher, issues, qrels, top=2)
    assert {one.issue.issue_id for one in found} <= {issues[0].issue_id, issues[1].issue_id}
    first = [one for one in found if one.issue == issues[0]]
    told = standings(matcher, issues[0], [*IDS, "c-99"], top=2)
    assert len(first) == len([one for one in told if one.status != "listed"]) == len(IDS) + 1 - 2
    assert all(one in told for one in first)
    ranks = [one.rank for one in first if one.rank]
    free = [one.free_rank for one in first if one.free_rank]
    assert ranks == sorted(ranks)
    assert free == sorted(free)
    assert [one.rank or one.free_rank for one in first] == [*ranks, *free, None]
    assert found.index(first[-1]) == len(first) - 1
    assert missed(matcher, issues, qrels, top=2, grade=4) == []


def test_grade_widens_who_counts_as_a_partner(matcher, issues):
    qrels = {issues[1].issue_id: {"c-07": 2, "c-10": 1}}
    rules = {"top": 1, "region_rule": "any"}
    assert missed(matcher, issues, qrels, **rules) == []
    for grade, expected in ((2, {"c-07"}), (1, {"c-07", "c-10"})):
        found = missed(matcher, issues, qrels, grade=grade, **rules)
        assert {one.company_id for one in found} == expected


def test_errors_on_the_published_cases_are_found_in_a_few_lines(
    shipped_catalog, shipped_issues, bundled
):
    matcher = Matcher(shipped_catalog, bundled, reader=None)
    qrels = data_folder() / "qrels.tsv"
    found = missed(matcher, shipped_issues, qrels)
    lists = {one.issue.issue_id: one for one in matcher.match(shipped_issues, is_explained=False)}
    expected = {
        (issue, company)
        for issue, grades in read_qrels(qrels).items()
        for company, grade in grades.items()
        if grade >= 3 and company not in {e.company.company_id for e in lists[issue].entries}
    }
    assert {(one.issue.issue_id, one.company_id) for one in found} == expected
    assert all(isinstance(one, Standing) and (one.rank or 11) > 10 for one in found)
