from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vector_examples import SEEDS, SIZES, is_mapped

from matcher import codes
from matcher.index.facets import NATIONWIDE, Facets
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


def drawn(seed, size):
    """Columns of so many companies: head offices, prefectures served and goals, as bits."""
    rng = np.random.default_rng(seed)
    headquarters = rng.integers(0, 48, size).astype(np.uint8)
    serves = rng.integers(0, 2**47, size).astype(np.uint64) << np.uint64(1)
    serves[rng.random(size) < 0.3] = NATIONWIDE
    goals = rng.integers(0, 2**17, size).astype(np.uint32) << np.uint32(1)
    return {"headquarters": headquarters, "serves": serves, "goals": goals}


def masks(columns, constraint):
    """Who keeps the rule on regions, and who the rule on goals, by the columns."""
    here, wanted = constraint.prefecture, sum(1 << goal for goal in constraint.sdgs)
    home, serves = columns["headquarters"], columns["serves"]
    block = [int(code) for code in BLOCKS[BLOCK[here]]] if here else []
    region = {
        "any": np.full(len(home), True),
        "serves": (serves >> np.uint64(int(here))) & 1 == 1 if here else serves == NATIONWIDE,
        "prefecture": (home == int(here or 0)) & (here != ""),
        "block": np.isin(home, block),
    }[constraint.region_rule]
    shared = columns["goals"] & wanted
    if constraint.sdg_rule not in ("any", "all") or not wanted:
        return region, np.full(len(home), True)
    return region, shared > 0 if constraint.sdg_rule == "any" else shared == wanted


@given(SEEDS, SIZES, CONSTRAINTS)
def test_every_clause_over_many_words_is_the_and_of_its_masks(seed, size, constraint):
    columns = drawn(seed, size)
    allowed = Facets.of(**columns).allowed(constraint)
    region, goals = masks(columns, constraint)
    assert allowed.rows.tolist() == np.flatnonzero(region & goals).tolist()
    assert len(allowed) == (region & goals).sum()
    assert allowed.excluded == {"region": (~region).sum(), "sdgs": (region & ~goals).sum()}


def test_every_value_has_its_bitmap():
    columns = drawn(1, 300)
    facets = Facets.of(**columns)
    home, serves, goals = columns.values()
    assert facets.everyone.rows().tolist() == list(range(300))
    assert facets.serves(0).rows().tolist() == np.flatnonzero(serves == NATIONWIDE).tolist()
    assert facets.office(0).rows().tolist() == np.flatnonzero(home == 0).tolist()
    for code in PREFECTURES:
        here = int(code)
        expected = (serves >> np.uint64(here)) & 1 == 1
        assert facets.serves(here).rows().tolist() == np.flatnonzero(expected).tolist()
        assert facets.office(here).rows().tolist() == np.flatnonzero(home == here).tolist()
        near = np.isin(home, [int(one) for one in BLOCKS[BLOCK[code]]])
        assert facets.block(here).rows().tolist() == np.flatnonzero(near).tolist()
    for goal in GOALS:
        expected = (goals >> np.uint32(goal)) & 1 == 1
        assert facets.goal(goal).rows().tolist() == np.flatnonzero(expected).tolist()


def test_filters_may_be_combined_further():
    columns = drawn(2, 200)
    facets = Facets.of(**columns)
    both = (facets.serves(23) | facets.office(13)) & (facets.goal(3) | facets.goal(11))
    home, serves, goals = columns.values()
    region = (serves >> np.uint64(23)) & 1 | (home == 13)
    expected = np.flatnonzero(region & (goals & (2**3 + 2**11) > 0))
    assert both.rows().tolist() == expected.tolist()
    # and the facets are as before
    assert facets.office(13).rows().tolist() == np.flatnonzero(home == 13).tolist()


@given(COMPANIES)
def test_facets_of_companies_are_those_of_their_columns(companies):
    headquarters, goals = Facets.columns(companies)
    assert headquarters.tolist() == [int(one.headquarters or 0) for one in companies]
    assert goals.tolist() == [sum(1 << goal for goal in one.sdgs) for one in companies]
    serves = [sum(1 << int(code) for code in one.regions) for one in companies]
    columns = {"headquarters": headquarters, "goals": goals}
    same = Facets.of(**columns, serves=np.array(serves, dtype=np.uint64))
    built = Facets.build(companies)
    for bitmap in (lambda f: f.serves(0), lambda f: f.serves(23), lambda f: f.goal(3)):
        assert bitmap(built).rows().tolist() == bitmap(same).rows().tolist()


@pytest.mark.parametrize("size", [0, 1, 64, 300])
def test_saved_facets_are_mapped_and_answer_the_same(tmp_path, size):
    facets = Facets.of(**drawn(3, size))
    facets.save(tmp_path / "facets")
    loaded = Facets.load(tmp_path / "facets")
    rows = every(range(size))
    for rule in ("serves", "prefecture", "block", "any"):
        for goals in ("prefer", "any", "all", "ignore"):
            wanted = frozenset({3, 11})
            one = Constraint(region_rule=rule, prefecture=AICHI, sdg_rule=goals, sdgs=wanted)
            assert loaded.allowed(one).rows.tolist() == facets.allowed(one).rows.tolist()
            assert loaded.allowed(one).excluded == facets.allowed(one).excluded
            for told in (Facets.shared_goals, Facets.nearness):
                assert by_row(told(loaded, one, rows)) == by_row(told(facets, one, rows))
    if size:
        words = loaded.serves(23).words
        assert is_mapped(words)
        assert not words.flags.writeable
