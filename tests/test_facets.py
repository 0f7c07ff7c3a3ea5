from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matcher import codes
from matcher.index.facets import Facets
from matcher.types import Company, Constraint

PREFECTURES = sorted(codes.ALL_PREFECTURES)
GOALS = range(1, 18)
AICHI, GIFU, MIE, TOKYO, HOKKAIDO, OKINAWA = "23", "21", "24", "13", "01", "47"

# The eight regional blocks, written out beside the table that ships.
BLOCKS = {
    "北海道": ["01"],
    "東北": ["02", "03", "04", "05", "06", "07"],
    "関東": ["08", "09", "10", "11", "12", "13", "14"],
    "中部": ["15", "16", "17", "18", "19", "20", "21", "22", "23"],
    "近畿": ["24", "25", "26", "27", "28", "29", "30"],
    "中国": ["31", "32", "33", "34", "35"],
    "四国": ["36", "37", "38", "39"],
    "九州": ["40", "41", "42", "43", "44", "45", "46", "47"],
}
BLOCK = {code: name for name, members in BLOCKS.items() for code in members}

COMPANIES = st.lists(
    st.builds(
        Company,
        company_id=st.just("c"),
        name=st.just("企業"),
        profile=st.just("事業"),
        headquarters=st.sampled_from(["", AICHI, GIFU, MIE, TOKYO, OKINAWA]),
        regions=st.one_of(
            st.just(codes.ALL_PREFECTURES), st.frozensets(st.sampled_from(PREFECTURES))
        ),
        sdgs=st.one_of(st.just(frozenset(GOALS)), st.frozensets(st.sampled_from(GOALS))),
    ),
    max_size=12,
)
CONSTRAINTS = st.builds(
    Constraint,
    region_rule=st.sampled_from(["serves", "prefecture", "block", "any"]),
    prefecture=st.sampled_from(["", AICHI, GIFU, MIE, OKINAWA]),
    sdg_rule=st.sampled_from(["prefer", "any", "all", "ignore"]),
    sdgs=st.frozensets(st.sampled_from(GOALS), max_size=4),
)


def company(**fields):
    return Company(company_id="c", name="企業", profile="事業", **fields)


def rows_of(companies, **fields):
    return Facets.build(companies).allowed(Constraint(**fields)).rows.tolist()


def every(companies):
    return np.arange(len(companies), dtype=np.int64)


def by_row(hits):
    return [score for _, score in sorted(zip(hits.rows.tolist(), hits.scores, strict=True))]


def is_in_region(one, constraint):
    here = constraint.prefecture
    return {
        "any": True,
        "serves": here in one.regions if here else len(one.regions) == 47,
        "prefecture": here != "" and one.headquarters == here,
        "block": here != "" and BLOCK.get(one.headquarters) == BLOCK.get(here),
    }[constraint.region_rule]


def is_in_goals(one, constraint):
    if constraint.sdg_rule in ("prefer", "ignore") or not constraint.sdgs:
        return True
    shared = one.sdgs & constraint.sdgs
    return bool(shared) if constraint.sdg_rule == "any" else shared == constraint.sdgs


@settings(deadline=None, max_examples=400)
@given(COMPANIES, CONSTRAINTS)
def test_allowed_rows_and_excluded_counts_are_those_of_the_rules(companies, constraint):
    allowed = Facets.build(companies).allowed(constraint)
    region = [is_in_region(one, constraint) for one in companies]
    goals = [is_in_goals(one, constraint) for one in companies]
    both = [row for row in range(len(companies)) if region[row] and goals[row]]
    assert allowed.rows.tolist() == both
    assert allowed.rows.dtype == np.int64
    # whoever fails both counts under region
    only_goals = sum(r and not g for r, g in zip(region, goals, strict=True))
    assert allowed.excluded == {"region": region.count(False), "sdgs": only_goals}
    assert len(allowed.rows) + sum(allowed.excluded.values()) == len(companies)


@settings(deadline=None, max_examples=200)
@given(COMPANIES, CONSTRAINTS)
def test_shared_goals_are_jaccard(companies, constraint):
    found = by_row(Facets.build(companies).shared_goals(constraint, every(companies)))
    wanted = constraint.sdgs if constraint.sdg_rule != "ignore" else frozenset()
    own = [one.sdgs if len(one.sdgs) <= 8 else frozenset() for one in companies]
    expected = [len(those & wanted) / max(1, len(those | wanted)) for those in own]
    assert found == expected
    assert all(0 <= score <= 1 for score in found)


@settings(deadline=None, max_examples=200)
@given(COMPANIES, CONSTRAINTS)
def test_nearness_is_one_for_the_prefecture_and_half_for_its_block(companies, constraint):
    here = constraint.prefecture
    expected = [
        0.0
        if not here or not one.headquarters
        else 1.0
        if one.headquarters == here
        else 0.5 * (BLOCK[one.headquarters] == BLOCK[here])
        for one in companies
    ]
    assert by_row(Facets.build(companies).nearness(constraint, every(companies))) == expected


def test_the_blocks_are_eight_and_hold_each_prefecture_once():
    assert {name: sorted(codes.block_members(name)) for name in BLOCKS} == BLOCKS
    assert sorted(code for members in BLOCKS.values() for code in members) == PREFECTURES


@pytest.mark.parametrize("here", PREFECTURES)
def test_each_prefecture_is_allowed_by_itself_alone_and_by_its_block(here):
    companies = [company(headquarters=c, regions=frozenset({c})) for c in PREFECTURES]
    at = PREFECTURES.index(here)
    assert rows_of(companies, region_rule="serves", prefecture=here) == [at]
    assert rows_of(companies, region_rule="prefecture", prefecture=here) == [at]
    block = [PREFECTURES.index(code) for code in BLOCKS[BLOCK[here]]]
    assert rows_of(companies, region_rule="block", prefecture=here) == block


def test_unknown_prefecture_admits_nationwide_only_or_nobody_or_all():
    nationwide = company(headquarters=TOKYO, regions=codes.ALL_PREFECTURES)
    nearly = company(headquarters=TOKYO, regions=codes.ALL_PREFECTURES - {OKINAWA})
    nowhere = company()
    companies = [nearly, nationwide, nowhere]
    assert rows_of(companies, region_rule="serves") == [1]
    assert rows_of(companies, region_rule="prefecture") == []
    assert rows_of(companies, region_rule="block") == []
    assert rows_of(companies, region_rule="any") == [0, 1, 2]


def test_serving_is_not_sitting():
    companies = [
        company(headquarters=AICHI, regions=frozenset({TOKYO})),
        company(headquarters=TOKYO, regions=frozenset({AICHI})),
    ]
    assert rows_of(companies, region_rule="serves", prefecture=AICHI) == [1]
    assert rows_of(companies, region_rule="prefecture", prefecture=AICHI) == [0]


def test_any_goal_and_all_goals():
    companies = [company(sdgs=frozenset(goals)) for goals in ([3], [3, 11], [11, 17], [])]
    wanted = frozenset({3, 11})
    for rule, rows in (("any", [0, 1, 2]), ("all", [1]), ("prefer", [0, 1, 2, 3])):
        assert rows_of(companies, region_rule="any", sdg_rule=rule, sdgs=wanted) == rows


@pytest.mark.parametrize("rule", ["any", "all"])
def test_issue_without_goals_sets_no_limit(rule):
    assert rows_of([company()], region_rule="any", sdg_rule=rule) == [0]


def test_profile_of_all_or_most_goals_gains_nothing():
    wanted = frozenset({3, 11})
    profiles = [{3, 11}, {3}, set(GOALS), {4}, set(range(3, 12)), set(range(4, 12))]
    facets = Facets.build([company(sdgs=frozenset(goals)) for goals in profiles])
    constraint = Constraint(sdgs=wanted)
    found = by_row(facets.shared_goals(constraint, every(profiles)))
    assert found == [1, 1 / 2, 0, 0, 0, 1 / 9]
    ignored = replace(constraint, sdg_rule="ignore")
    assert by_row(facets.shared_goals(ignored, every(profiles))) == [0] * 6


@given(st.frozensets(st.sampled_from(GOALS), min_size=1, max_size=4))
def test_ticking_every_goal_is_worth_no_more_than_ticking_none(wanted):
    facets = Facets.build([company(sdgs=frozenset(GOALS)), company()])
    assert by_row(facets.shared_goals(Constraint(sdgs=wanted), every([0, 1]))) == [0, 0]


def test_hits_hold_the_allowed_rows_best_first():
    homes = [TOKYO, GIFU, AICHI, AICHI]
    facets = Facets.build([company(headquarters=home, sdgs=frozenset({3})) for home in homes])
    constraint = Constraint(prefecture=AICHI, sdgs=frozenset({3}))
    near = facets.nearness(constraint, np.array([0, 1, 3], dtype=np.int64))
    assert (near.source, near.rows.tolist(), near.scores.tolist()) == (
        "region",
        [3, 1, 0],
        [1, 0.5, 0],
    )
    goals = facets.shared_goals(constraint, np.array([0, 3], dtype=np.int64))
    assert (goals.source, goals.rows.tolist()) == ("sdgs", [0, 3])


def test_mie_is_kinki_and_not_a_neighbour_of_aichi():
    facets = Facets.build([company(headquarters=MIE)])
    assert by_row(facets.nearness(Constraint(prefecture=AICHI), every([0]))) == [0]


def test_no_companies_give_no_rows():
    facets = Facets.build([])
    assert facets.allowed(Constraint(prefecture=AICHI)).excluded == {"region": 0, "sdgs": 0}
    assert len(facets.nearness(Constraint(prefecture=AICHI), every([])).rows) == 0
    assert len(facets.shared_goals(Constraint(), every([])).rows) == 0
