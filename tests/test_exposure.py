"""Exposure equals a recount from the raw shortlists, and says who could not be shown at all."""

import hashlib
import math
from collections import Counter

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from matcher.codes import ALL_PREFECTURES, block_of
from matcher.errors import MatcherError
from matcher.exposure import exposure, ties
from matcher.index.facets import Facets
from matcher.types import Company, Constraint, Entry, Issue, Shortlist

ALL = frozenset(f"{n:02d}" for n in range(1, 48))
OFFICES = ("", "01", "13", "14", "23", "27")


def company(number: int, office: str = "13", regions: frozenset[str] = ALL, **more) -> Company:
    return Company(
        company_id=f"c{number:03}",
        name=f"社{number}",
        profile="文",
        headquarters=office,
        regions=regions,
        **more,
    )


def shortlist(number: int, chosen: list[Company], scores=None, constraint=None, **more):
    entries = tuple(
        Entry(
            rank=rank,
            company=one,
            score=float(scores[rank - 1] if scores else -rank),
            parts={},
            shared_sdgs=frozenset(),
            region_reason="",
            evidence=(),
        )
        for rank, one in enumerate(chosen, start=1)
    )
    return Shortlist(
        issue=Issue(issue_id=f"i{number}", title="題", description="文"),
        constraint=constraint or Constraint(region_rule="any"),
        status=more.pop("status", "ranked" if entries else "no_candidate"),
        considered=len(chosen),
        excluded={},
        entries=entries,
    )


def test_a_worked_case():
    a, b, c, d = (company(n) for n in range(4))
    found = exposure([shortlist(1, [a, b]), shortlist(2, [a, c, b])], [d, c, b, a], k=2)
    assert [one.company_id for one in found.companies] == ["c000", "c001", "c002", "c003"]
    assert found.shown.tolist() == [2, 1, 1, 0]
    assert found.first.tolist() == [2, 0, 0, 0]
    assert found.weight.tolist() == pytest.approx([2, 1 / math.log2(3), 1 / math.log2(3), 0])
    assert (found.places, found.never_shown, found.never_admitted) == (4, ("c003",), ())
    assert found.hub_share == 2 / 4
    w = 1 / math.log2(3)
    assert found.gini == pytest.approx((-3 * 0 - w + w + 3 * 2) / (4 * (2 + 2 * w)))


COMPANIES = [company(n, OFFICES[n % len(OFFICES)], kind=f"種{n % 3}") for n in range(12)]
LISTS = st.lists(
    st.lists(st.integers(0, len(COMPANIES) - 1), unique=True, max_size=6).map(
        lambda rows: [COMPANIES[row] for row in rows]
    ),
    max_size=8,
)


@given(LISTS, st.integers(1, 7), st.randoms())
def test_counts_equal_a_recount_from_the_raw_run(chosen, k, random):
    shortlists = [shortlist(n, own) for n, own in enumerate(chosen)]
    found = exposure(shortlists, COMPANIES, k)
    shown, first, weight = Counter(), Counter(), Counter()
    for one in shortlists:
        for entry in one.entries:
            if entry.rank <= k:
                shown[entry.company.company_id] += 1
                first[entry.company.company_id] += entry.rank == 1
                weight[entry.company.company_id] += 1 / math.log2(1 + entry.rank)
    for row in found.rows():
        one = row["company_id"]
        assert (row["shown"], row["first"]) == (shown[one], first[one])
        assert row["weight"] == pytest.approx(weight[one])
    assert found.places == shown.total()
    assert set(found.never_shown) == {c.company_id for c in COMPANIES} - shown.keys()
    assert list(found.never_shown) == sorted(
        found.never_shown, key=lambda one: hashlib.sha256(one.encode()).digest()
    )
    assert set(found.never_admitted) <= set(found.never_shown)
    assert 0 <= found.gini < 1
    assert found.hub_share == (max(shown.values()) / shown.total() if shown else 0)

    shuffled = random.sample(COMPANIES, len(COMPANIES))
    assert exposure(shortlists, shuffled, k).rows() == found.rows()


@given(LISTS, st.sampled_from(["地方", "都道府県", "種別", "業種", "対応地域"]))
def test_groups_part_the_companies_and_their_places(chosen, name):
    found = exposure([shortlist(n, own) for n, own in enumerate(chosen)], COMPANIES)
    groups = found.by(name).groups
    assert sum(one.companies for one in groups) == len(COMPANIES)
    assert sum(one.places for one in groups) == found.places
    for what in ("places_share", "exposure_share"):
        total = sum(getattr(one, what) for one in groups)
        assert total == pytest.approx(1.0 if found.places else 0.0)
    for one in groups:
        assert one.ratio == pytest.approx(one.places_share / one.companies_share)
        assert one.low <= one.high
        assert 0 <= one.never_shown_share <= 1


def test_a_group_by_kind_with_its_interval():
    makers = [company(n, kind="企業") for n in range(3)]
    other = company(3, kind="NPO")
    lists = [shortlist(n, [makers[0], other] if n % 2 else [makers[1]]) for n in range(40)]
    found = exposure(lists, [*makers, other])
    first, second = found.by("種別").groups
    assert (first.name, first.companies, first.places) == ("企業", 3, 40)
    assert first.ratio == pytest.approx((40 / 60) / (3 / 4))
    assert first.never_shown_share == pytest.approx(1 / 3)
    assert (second.name, second.ratio) == ("NPO", pytest.approx((20 / 60) / (1 / 4)))
    assert second.admitted_share == second.companies_share == 1 / 4
    # 20 of 40 issues have two places: the share of NPO is x / (1 + x) with x of mean 1/2.
    spread = 1.96 * math.sqrt(0.25 / 40) / (1.5**2) / (1 / 4)
    assert second.low == pytest.approx(second.ratio - spread, abs=0.06)
    assert second.high == pytest.approx(second.ratio + spread, abs=0.06)
    assert found.by("種別") == found.by("kind")


def test_one_issue_gives_no_width_and_none_no_ratio():
    a, b = company(1), company(2, kind="NPO")
    (first, _) = exposure([shortlist(1, [a])], [a, b]).by("種別").groups
    assert first.low == first.ratio == first.high
    nothing = exposure([shortlist(1, [])], [a, b])
    assert (nothing.gini, nothing.hub_share, nothing.places) == (0, 0, 0)
    assert {one.ratio for one in nothing.by("種別").groups} == {0.0}


def test_hubs_are_the_top_one_percent():
    many = [company(n) for n in range(250)]
    lists = [shortlist(n, [many[0], many[1], many[2 + n % 8]]) for n in range(10)]
    assert exposure(lists, many).hub_share == 20 / 30  # the two most shown of 250


def test_an_absent_size_is_said():
    found = exposure([shortlist(1, [company(1)])], [company(1)])
    assert found.by("規模").groups == ()
    assert found.by("規模").rows() == []
    assert "規模を表す列" in found.by("規模").note
    with pytest.raises(MatcherError, match="分けられません"):
        found.by("季節")


def test_a_company_that_is_not_known_is_refused():
    with pytest.raises(MatcherError, match="c009"):
        exposure([shortlist(1, [company(9)])], [company(1)])
    with pytest.raises(MatcherError, match="順位 0"):
        exposure([], [company(1)], k=0)
    with pytest.raises(MatcherError, match="企業 0社"):
        exposure([], [])


def test_who_could_not_be_shown_stands_apart():
    near = company(1, "23", frozenset({"23"}))
    far = company(2, "01", frozenset({"01"}))
    left = company(3, "13")
    rule = Constraint(prefecture="23")
    lists = [shortlist(1, [near], constraint=rule)]
    # An issue that was not searched admits nobody: it could not have shown anyone.
    unsearched = Constraint(prefecture="01")
    lists.append(shortlist(2, [], constraint=unsearched, status="unclear"))
    found = exposure(lists, [near, far, left])
    assert set(found.never_shown) == {"c002", "c003"}
    assert found.never_admitted == ("c002",)
    assert found.admitted.tolist() == [1, 0, 1]


CONSTRAINTS = st.builds(
    Constraint,
    region_rule=st.sampled_from(["serves", "prefecture", "block", "any"]),
    prefecture=st.sampled_from(OFFICES),
    sdg_rule=st.sampled_from(["prefer", "any", "all"]),
    sdgs=st.frozensets(st.integers(1, 4)),
)
ANYBODY = st.lists(
    st.builds(
        company,
        st.integers(0, 999),
        st.sampled_from(OFFICES),
        st.one_of(st.just(ALL), st.frozensets(st.sampled_from(OFFICES[1:]))),
        sdgs=st.frozensets(st.integers(1, 4)),
    ),
    min_size=1,
    max_size=8,
    unique_by=lambda one: one.company_id,
)


def admits(constraint: Constraint, company: Company) -> bool:
    """The rules on region and SDGs, said once more and without a bitmap."""
    return _admits_region(constraint, company) and _admits_goals(constraint, company)


def _admits_region(constraint: Constraint, company: Company) -> bool:
    rule, prefecture = constraint.region_rule, constraint.prefecture
    if rule == "any":
        return True
    if rule == "serves":
        # Where the issue is unknown, only who serves every prefecture surely serves it.
        return company.regions >= ({prefecture} if prefecture else ALL_PREFECTURES)
    if not prefecture or not company.headquarters:
        return False
    if rule == "prefecture":
        return company.headquarters == prefecture
    return block_of(company.headquarters) == block_of(prefecture)


def _admits_goals(constraint: Constraint, company: Company) -> bool:
    if not constraint.sdgs or constraint.sdg_rule not in ("any", "all"):
        return True
    shared = constraint.sdgs & company.sdgs
    return bool(shared) if constraint.sdg_rule == "any" else shared == constraint.sdgs


@given(st.lists(CONSTRAINTS, max_size=4), ANYBODY)
def test_who_is_admitted_is_what_the_search_allows(constraints, companies):
    facets = Facets.build(companies)
    counts = np.zeros(len(companies), dtype=np.int64)
    for constraint in constraints:
        rows = facets.allowed(constraint).rows.tolist()
        told = [row for row, one in enumerate(companies) if admits(constraint, one)]
        assert told == rows
        counts[rows] += 1
    lists = [shortlist(n, [], constraint=own) for n, own in enumerate(constraints)]
    found = exposure(lists, companies)
    by_id = {one.company_id: n for one, n in zip(companies, counts.tolist(), strict=True)}
    assert {row["company_id"]: row["admitted"] for row in found.rows()} == by_id


def test_ties_are_counted_and_their_order_is_looked_at():
    def key(number: int, one: Company) -> bytes:
        return hashlib.sha256(f"i{number}\0{one.company_id}".encode()).digest()

    three = sorted((company(n) for n in range(3)), key=lambda one: key(1, one))
    neutral = shortlist(1, three, scores=[2.0, 2.0, 2.0])
    turned = shortlist(1, three[::-1], scores=[2.0, 2.0, 1.0])
    found = ties([neutral, turned, shortlist(3, [])])
    assert (found.neighbours, found.equal, found.neutral, found.issues) == (4, 3, 2, 2)
    assert ties([neutral], 2).rows() == [{"neighbours": 1, "equal": 1, "neutral": 1, "issues": 1}]
    assert exposure([neutral], three, k=2).ties == ties([neutral], 2)


def test_rows_are_frames():
    found = exposure([shortlist(1, COMPANIES[:3])], COMPANIES)
    assert pd.DataFrame(found.rows())["shown"].sum() == 3
    frame = pd.DataFrame(found.by("種別").rows())
    assert frame["companies"].sum() == len(COMPANIES)
    assert set(frame["grouping"]) == {"種別"}


def test_intervals_are_the_same_whatever_is_drawn_at_once(monkeypatch):
    lists = [shortlist(n, COMPANIES[n % 5 : n % 5 + 3]) for n in range(30)]
    found = exposure(lists, COMPANIES)
    before = found.by("種別")
    monkeypatch.setattr("matcher.exposure._DRAWN_AT_ONCE", 90)
    assert found.by("種別") == before


def test_the_engines_own_run(shipped_companies, issues_csv):
    """Nobody whom the engine lists is one that the rules do not admit."""
    from examples import FakeEncoder

    from matcher.catalog import Catalog
    from matcher.corpus import read_issues
    from matcher.pipeline import Matcher

    encoder = FakeEncoder()
    catalog = Catalog.build(shipped_companies, encoder)
    lists = Matcher(catalog, encoder, reader=None).match(read_issues(issues_csv))
    found = exposure(lists, catalog.companies)
    assert found.places == sum(len(one.entries[:10]) for one in lists) > 0
    assert (found.admitted >= found.shown).all()
    assert found.ties.equal == found.ties.neutral
