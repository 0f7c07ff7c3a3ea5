"""The stages of the walk, each switched on and off, with a quick encoder and a quick reader."""

import math
from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
from examples import COMPANIES, ISSUES, LINES, FakeEncoder, FakeReader, write_table
from hypothesis import given, settings
from hypothesis import strategies as st

from matcher import text
from matcher.catalog import Catalog
from matcher.codes import ALL_PREFECTURES
from matcher.corpus import read_companies, read_issues
from matcher.pipeline import Matcher
from matcher.rank import bands, features
from matcher.settings import Settings
from matcher.shortlists import to_lines
from matcher.types import Company, RegionRule, SdgRule

LENIENT = {"near_meaning": 0, "fair_meaning": 0}  # every issue has candidates, whatever its letters
FEW = Settings(read=3, **LENIENT)
AREAS = ["全国", "兵庫県", "愛知県、岐阜県", "東京都", "近畿", ""]


@pytest.fixture(scope="module")
def issues(tmp_path_factory):
    return read_issues(write_table(tmp_path_factory.mktemp("issues") / "i.csv", ISSUES)).records


@pytest.fixture(scope="module")
def companies(tmp_path_factory):
    """Twenty-four: each profile of the table for two companies that serve other places."""
    rows = [
        dict(row) | {"企業ID": f"{row['企業ID']}-{copy}", "対応地域": AREAS[(at + 3 * copy) % 6]}
        for at, row in enumerate(COMPANIES)
        for copy in (0, 1)
    ]
    return read_companies(write_table(tmp_path_factory.mktemp("companies") / "c.csv", rows)).records


@pytest.fixture(scope="module")
def catalog(companies):
    return Catalog.build(companies, FakeEncoder(), lines=LINES)


def matching(catalog, few=FEW, reader=None, **changes):
    return Matcher(catalog, FakeEncoder(), replace(few, **changes), reader=reader or FakeReader())


def everyone(matcher, issues, **options):
    return matcher.match(issues, **{"top": 1000, "region_rule": "any"} | options)


def scores(shortlists):
    return {
        (one.issue.issue_id, entry.company.company_id): (entry.score, dict(entry.parts))
        for one in shortlists
        for entry in one.entries
    }


def texts_of(issue, company):
    """The pair as a reader is given it."""
    return text.normalise(text.issue_text(issue)), text.normalise(company.profile)


@pytest.fixture(scope="module")
def known(catalog, issues):
    """Every pair's score and parts."""
    found = scores(everyone(matching(catalog), issues))
    assert len(found) == 24 * 5  # the sixth issue says nothing
    return found


# The score and its parts


def test_parts_add_up_and_each_has_its_bounds(known):
    names = ["dense", "words", "bigrams", "bridge", "reader", "sdgs", "region"]
    for score, parts in known.values():
        assert list(parts) == names
        assert score == round(score, 6)
        assert abs(math.fsum(parts.values()) - score) <= 1e-6
        assert 0 <= parts["reader"] <= FEW.reader_weight
        assert 0 <= parts["sdgs"] <= FEW.sdgs_weight
        assert 0 <= parts["region"] <= FEW.region_weight


def test_reader_part_is_what_the_reader_says_of_the_pair(catalog, issues, known):
    reader = FakeReader()
    everyone(matching(catalog, reader=reader), issues)
    asked = set(reader.pairs)
    seen = 0
    for issue in issues[:5]:
        for company in catalog.companies:
            pair = texts_of(issue, company)
            part = known[issue.issue_id, company.company_id][1]["reader"]
            if pair in asked:
                likely = features.conviction(FakeReader().read([pair]))[0]
                assert part == pytest.approx(FEW.reader_weight * likely, abs=1e-6)
                seen += 1
            else:
                assert part == 0
    assert 0 < seen < 24 * 5


def test_bridge_part_follows_the_lines_that_the_issue_meets(catalog, issues):
    found = scores(everyone(matching(catalog), issues[:1]))
    parts = {company: values["bridge"] for (_, company), (_, values) in found.items()}
    # センサー and 追い払い are answers to イノシシ; nobody else's profile holds an answer
    assert {company[:4] for company in sorted(parts, key=parts.get)[-4:]} == {"c-01", "c-02"}


# A pair's score is that of the pair


@settings(max_examples=25)
@given(
    st.sampled_from(get_args(RegionRule)),
    st.sampled_from(get_args(SdgRule)),
    st.integers(1, 30),
    st.lists(st.integers(0, 5), min_size=1, max_size=4),
)
def test_score_is_the_same_under_every_rule_any_top_and_any_neighbours(
    catalog, issues, known, region_rule, sdg_rule, top, some
):
    asked = [issues[at] for at in some]
    found = scores(
        matching(catalog).match(asked, top=top, region_rule=region_rule, sdg_rule=sdg_rule)
    )
    for pair, (score, parts) in found.items():
        whole, whole_parts = known[pair]
        if sdg_rule == "ignore":
            assert parts == whole_parts | {"sdgs": 0.0}
            assert score == pytest.approx(whole - whole_parts["sdgs"], abs=1e-6)
        else:
            assert (score, parts) == (whole, whole_parts)


@settings(max_examples=15)
@given(st.integers(1, 24), st.sampled_from(get_args(RegionRule)))
def test_first_places_of_a_larger_top_are_the_smaller_top(catalog, issues, top, rule):
    matcher = matching(catalog)
    fewer = matcher.match(issues, top=top, region_rule=rule)
    more = matcher.match(issues, top=30, region_rule=rule)
    assert fewer == [replace(one, entries=one.entries[:top]) for one in more]


@settings(max_examples=15)
@given(st.permutations(range(24)), st.integers(1, 9))
def test_order_of_the_companies_changes_nothing(companies, issues, order, read):
    plain, moved = (
        Catalog.build(some, FakeEncoder(), lines=LINES)
        for some in (companies, [companies[at] for at in order])
    )
    for rule in ("any", "serves"):
        one, other = (
            to_lines(matching(each, read=read).match(issues, top=30, region_rule=rule))
            for each in (plain, moved)
        )
        assert one == other


@settings(max_examples=20)
@given(st.integers(0, 26))
def test_identical_profiles_have_identical_scores_at_every_edge(catalog, issues, read):
    matcher = matching(catalog, read=read, sdgs_weight=0, region_weight=0)
    found = scores(everyone(matcher, issues))
    for (issue, company), score in found.items():
        twin = f"{company[:5]}{1 - int(company[5])}"
        assert found[issue, twin] == score


def test_same_lists_whether_issues_come_together_or_in_blocks(catalog, issues, monkeypatch):
    whole = to_lines(everyone(matching(catalog), issues))
    monkeypatch.setattr("matcher.pipeline._ROWS_AT_ONCE", 50)  # two issues at a time
    assert to_lines(everyone(matching(catalog), issues)) == whole


# Who is read


def test_first_of_the_catalog_and_first_of_those_who_serve_are_read(catalog, issues):
    for read in (1, 3, 7):
        reader = FakeReader()
        found = everyone(matching(catalog, reader=reader, read=read), issues[:1])[0]
        ranked = sorted(
            found.entries,
            key=lambda e: -sum(e.parts[n] for n in ("dense", "words", "bigrams", "bridge")),
        )
        here = [e for e in ranked if issues[0].prefecture in e.company.regions]
        expected = {
            texts_of(issues[0], entry.company) for some in (ranked, here) for entry in some[:read]
        }
        assert set(reader.pairs) == expected


@pytest.mark.parametrize("rule", get_args(RegionRule))
def test_rules_do_not_change_who_is_read(catalog, issues, rule):
    readers = FakeReader(), FakeReader()
    everyone(matching(catalog, reader=readers[0]), issues)
    matching(catalog, reader=readers[1]).match(issues, top=1, region_rule=rule, sdg_rule="all")
    assert readers[0].pairs == readers[1].pairs


def test_whoever_was_read_stands_before_whoever_was_not_but_for_region_and_goals(catalog, issues):
    for shortlist in everyone(matching(catalog, sdgs_weight=0, region_weight=0), issues):
        reader = FakeReader()
        everyone(matching(catalog, reader=reader), [shortlist.issue])
        first = sorted(shortlist.entries, key=lambda entry: -(entry.score - entry.parts["reader"]))[
            : FEW.read
        ]
        unread = [
            entry.score
            for entry in shortlist.entries
            if texts_of(shortlist.issue, entry.company) not in reader.pairs
        ]
        for entry in first:
            assert entry.score >= max(unread)


def test_reader_hears_normalised_texts(catalog, issues):
    reader = FakeReader()
    odd = replace(issues[0], title="ｲﾉｼｼと①\u200b", description="\ud800出没。")
    everyone(matching(catalog, reader=reader), [odd])
    assert {issue for issue, _ in reader.pairs} == {"イノシシと1\n出没。"}


def test_unlikely_pairs_are_not_pushed_below_the_unread(catalog, issues):
    class Never(FakeReader):
        def read(self, pairs, *, advance=None):
            return np.zeros(len(pairs))

    without = scores(everyone(Matcher(catalog, FakeEncoder(), FEW, reader=None), issues))
    found = scores(everyone(matching(catalog, reader=Never()), issues))
    for pair, (score, parts) in without.items():
        assert found[pair] == (score, parts | {"reader": 0.0})


# Whether there is anything to go on


class Doubting(FakeReader):
    """Speaks on the scale of the shipped reader and holds one probability of everything."""

    def __init__(self, likely):
        super().__init__(f"reader {bands.READER}")
        self.likely = likely

    def read(self, pairs, *, advance=None):
        super().read(pairs)
        return np.full(len(pairs), self.likely)


def test_reader_may_find_that_nobody_fits_and_that_somebody_does(catalog, issues):
    strict = Settings(read=3, near_meaning=1000, fair_meaning=1000)
    for settings_, likely, expected in (
        (FEW, 0.01, "no_candidate"),
        (FEW, 0.9, "ranked"),
        (strict, 0.01, "no_candidate"),
        (strict, 0.9, "ranked"),
    ):
        found = everyone(matching(catalog, settings_, Doubting(likely)), issues[:5])
        assert {one.status for one in found} == {expected}


def test_reader_on_another_scale_is_not_asked_whether_there_is_a_candidate(catalog, issues):
    class Other(Doubting):
        def __init__(self, likely):
            super().__init__(likely)
            self.id = "another reader"

    assert {one.status for one in everyone(matching(catalog, FEW, Other(0.01)), issues[:5])} == {
        "ranked"
    }


def test_companies_that_nobody_read_are_not_taken_for_hopeless(issues):
    near, local = COMPANIES[0]["事業内容"], COMPANIES[1]["事業内容"]
    nationwide = {"headquarters": "13", "regions": ALL_PREFECTURES}
    companies = [
        Company(company_id=f"c-{at}", name="全国", profile=near + "続" * at, **nationwide)
        for at in range(9)
    ]
    here = {"headquarters": "28", "regions": frozenset({"28"})}
    companies.append(Company(company_id="local", name="地元", profile=local, **here))
    catalog = Catalog.build(companies, FakeEncoder(), lines=LINES)
    reader = Doubting(0.9)
    matcher = matching(catalog, FEW, reader)
    for rule, listed in (("serves", 10), ("prefecture", 1)):
        (found,) = matcher.match(issues[:1], region_rule=rule)
        assert local not in {profile for _, profile in reader.pairs}
        assert (found.status, len(found.entries)) == ("ranked", listed)


# Stages switched off


def off(catalog, issues, reader, **changes):
    """What stays of every pair with a stage switched off."""
    matcher = Matcher(catalog, FakeEncoder(), replace(FEW, **changes), reader=reader)
    return scores(everyone(matcher, issues))


@pytest.mark.parametrize("changes", [{"read": 0}, {"reader_weight": 0}])
def test_without_reading_the_reader_is_not_asked_and_its_part_is_absent(
    catalog, issues, known, changes
):
    reader = FakeReader()
    found = off(catalog, issues, reader, **changes)
    assert reader.pairs == []
    for pair, (_, parts) in found.items():
        expected = dict(known[pair][1])
        del expected["reader"]
        assert parts == expected


def test_no_reader_is_no_reading(catalog, issues):
    assert off(catalog, issues, None) == off(catalog, issues, FakeReader(), read=0)


def test_reader_that_is_not_needed_is_not_loaded(catalog, issues, monkeypatch):
    def load(*_, **__):
        raise AssertionError

    monkeypatch.setattr("matcher.pipeline.load_reader", load)
    for changes in ({"read": 0}, {"reader_weight": 0}):
        assert off(catalog, issues, "bundled", **changes)


def test_bundled_reader_is_loaded_when_it_is_first_needed(catalog, issues, monkeypatch):
    asked = []

    def load(name="bundled", **_):
        asked.append(name)
        return FakeReader()

    monkeypatch.setattr("matcher.pipeline.load_reader", load)
    matcher = Matcher(catalog, FakeEncoder(), FEW)
    assert asked == []
    assert to_lines(everyone(matcher, issues)) == to_lines(everyone(matching(catalog), issues))
    everyone(matcher, issues)
    assert asked == ["bundled"]


def test_weight_zero_switches_the_bridge_off(catalog, issues):
    plain = off(catalog, issues, None)
    found = off(catalog, issues, None, bridge_weight=0)
    for pair, (_, parts) in found.items():
        expected = dict(plain[pair][1])
        del expected["bridge"]
        assert parts == expected
    shortlists = everyone(matching(catalog, bridge_weight=0), issues)
    assert not any(e.via for one in shortlists for entry in one.entries for e in entry.evidence)


def test_bridge_without_lines_gives_zeros(companies, issues, catalog):
    empty = Catalog.build(companies, FakeEncoder(), lines=())
    found = off(empty, issues, None)
    for pair, (_, parts) in off(catalog, issues, None, bridge_weight=0).items():
        assert found[pair][1] == parts | {"bridge": 0.0}


def test_with_both_off_the_score_is_what_it_was_before_them(catalog, issues):
    found = off(catalog, issues, None, bridge_weight=0)
    assert {frozenset(parts) for _, parts in found.values()} == {
        frozenset({"dense", "words", "bigrams", "sdgs", "region"})
    }


# Evidence of the bridge


def test_bridged_evidence_names_its_field_and_quotes_both_texts(catalog, issues):
    fields = {line.field for line in LINES}
    seen = set()
    for shortlist in everyone(matching(catalog), issues):
        for entry in shortlist.entries:
            bridged = [one for one in entry.evidence if one.via]
            assert len(bridged) <= 1
            for one in bridged:
                assert one.via in fields
                assert one.kind == "meaning"
                assert one.issue_span in text.issue_text(shortlist.issue)
                assert one.company_span in entry.company.profile
                seen.add(one.via)
    assert len(seen) >= 3


# Odd sizes


@pytest.mark.parametrize("size", [0, 1, 2])
@pytest.mark.parametrize("read", [0, 1, 20])
def test_small_catalogs_are_read(companies, issues, size, read):
    small = Catalog.build(companies[:size], FakeEncoder(), lines=LINES)
    for shortlist in everyone(matching(small, read=read), issues):
        assert len(shortlist.entries) <= size
        for entry in shortlist.entries:
            assert math.isfinite(entry.score)


def test_equal_companies_are_all_read(issues):
    many = [
        Company(company_id=f"c-{at:02}", name="企業", profile=COMPANIES[0]["事業内容"])
        for at in range(30)
    ]
    catalog = Catalog.build(many, FakeEncoder(), lines=LINES)
    found = scores(everyone(matching(catalog, read=2), issues[:1]))
    assert len(found) == 30
    assert len({score for score, _ in found.values()}) == 1


def test_profile_that_repeats_the_issue_is_not_judged(companies, issues):
    copy = replace(companies[0], company_id="copy", name="写し", profile=issues[0].description)
    encoder = FakeEncoder(bands.ENCODER)
    catalog = Catalog.build([*companies, copy], encoder, lines=LINES)
    found = Matcher(catalog, encoder, Settings(**LENIENT), Doubting(0.9)).match(
        issues[:1], top=1000, region_rule="any"
    )
    told = {entry.company.company_id: entry.band for entry in found[0].entries}
    assert told.pop("copy") == "判定不能"
    assert set(told.values()) & {"A", "B", "C"}
