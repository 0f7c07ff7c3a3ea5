import hashlib
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from matcher.rank import features, fusion, ranker
from matcher.settings import Settings
from matcher.types import Company, Hits


def company(company_id):
    return Company(company_id=company_id, name="企業", profile="事業")


def hits(source, scores, rows=None):
    at = np.arange(len(scores)) if rows is None else np.array(rows)
    return Hits.best_first(source, at.astype(np.int64), np.array(scores, dtype=np.float64))


def lot(issue_id, company_id):
    return hashlib.sha256(issue_id.encode() + b"\0" + company_id.encode()).hexdigest()


def ids(places, companies):
    return [companies[place.row].company_id for place in places]


@dataclass(frozen=True)
class Scored:
    """A catalog in miniature: a company for each id, and parts that sum to the fused scores."""

    companies: list[Company]
    parts: list[Hits]

    def first(self, k, issue_id="課題"):
        return ranker.first(fusion.total(self.parts), self.parts, k, issue_id, self.companies)


@st.composite
def scored(draw):
    names = sorted(draw(st.sets(st.text("ab01企業", min_size=1, max_size=4), max_size=12)))
    # few different values, so that many tie
    value = st.sampled_from([-1.0, 0.0, 0.125, 1 / 3, 2.0])
    parts = [
        features.weigh(hits(source, [draw(value) for _ in names]), weight)
        for source, weight in (("dense", 0.65), ("words", 0.175), ("sdgs", 0.1))
    ]
    return Scored([company(name) for name in names], parts)


def test_best_score_is_first():
    fused = hits("fused", [0.5, 2.0, 1.0])
    places = ranker.first(fused, [fused], 2, "課題", [company(c) for c in "abc"])
    assert [(place.row, place.score) for place in places] == [(1, 2.0), (2, 1.0)]


def test_ties_go_by_the_digest_of_issue_and_company():
    companies = [company(str(number)) for number in range(20)]
    fused = hits("fused", [1.0] * 20)
    orders = []
    for issue_id in ("iss-1", "iss-2"):
        found = ids(ranker.first(fused, [], 20, issue_id, companies), companies)
        expected = sorted((one.company_id for one in companies), key=lambda c: lot(issue_id, c))
        assert found == expected
        orders.append(found)
    assert orders[0] != orders[1]  # nobody is always first


@hypothesis_settings(deadline=None)
@given(scored())
def test_order_is_score_then_lot(catalog):
    totals = {
        one.company_id: round(sum(dict(zip(p.rows, p.scores, strict=True))[row] for p in parts), 6)
        for parts in [catalog.parts]
        for row, one in enumerate(catalog.companies)
    }
    expected = sorted(totals, key=lambda name: (-totals[name], lot("課題", name)))
    assert ids(catalog.first(99), catalog.companies) == expected


@hypothesis_settings(deadline=None)
@given(scored(), st.integers(1, 14))
def test_first_places_do_not_depend_on_how_many_are_asked_for(catalog, k):
    assert catalog.first(k) == catalog.first(99)[:k]


@hypothesis_settings(deadline=None)
@given(scored(), st.randoms(use_true_random=False))
def test_order_of_rows_does_not_matter(catalog, random):
    order = random.sample(range(len(catalog.companies)), len(catalog.companies))
    to = {row: at for at, row in enumerate(order)}
    moved = Scored(
        [catalog.companies[row] for row in order],
        [hits(p.source, p.scores, [to[row] for row in p.rows.tolist()]) for p in catalog.parts],
    )
    before, after = catalog.first(5), moved.first(5)
    assert ids(before, catalog.companies) == ids(after, moved.companies)
    assert [(p.score, p.parts) for p in before] == [(p.score, p.parts) for p in after]


@hypothesis_settings(deadline=None)
@given(scored())
def test_parts_are_those_of_the_row_and_sum_to_the_score(catalog):
    for place in catalog.first(99):
        for part in catalog.parts:
            assert place.parts[part.source] == part.scores[part.rows == place.row][0]
        assert list(place.parts) == ["dense", "words", "sdgs"]
        assert sum(place.parts.values()) == pytest.approx(place.score, abs=1e-9)


def test_companies_left_out_by_a_rule_do_not_move_the_others():
    companies = [company(c) for c in "abcdef"]
    scores = [1.0, 2.0, 1.0, 1.0, 2.0, 0.0]
    whole = ids(ranker.first(hits("fused", scores), [], 6, "課題", companies), companies)
    rows = [0, 2, 4, 5]
    fewer = hits("fused", [scores[row] for row in rows], rows)
    found = ids(ranker.first(fewer, [], 6, "課題", companies), companies)
    assert found == [name for name in whole if name in "acef"]


def test_more_places_than_companies_gives_all_of_them():
    fused = hits("fused", [0.0, 0.0])
    assert len(ranker.first(fused, [], 10, "課題", [company("a"), company("b")])) == 2


def test_no_companies_give_no_places():
    assert ranker.first(hits("fused", []), [], 10, "課題", []) == []


def test_names_and_profiles_do_not_decide_a_tie():
    plain = [company(c) for c in "abcd"]
    renamed = [
        Company(company_id=c, name=f"株式会社{at}", profile="水" * at)
        for at, c in enumerate("abcd")
    ]
    fused = hits("fused", [1.0] * 4)
    found = [ids(ranker.first(fused, [], 4, "課題", these), these) for these in (plain, renamed)]
    assert found[0] == found[1]


# has_evidence

LIMITS = Settings(near_meaning=3, fair_meaning=1.7, fair_words=2, fair_likely=0.2, near_likely=0.4)


@pytest.mark.parametrize(
    ("nearness", "words", "expected"),
    [
        (3.0, 0, True),  # near enough by itself
        (2.99, 1, False),
        (1.7, 2, True),  # fairly near, with words in common
        (1.7, 1, False),
        (1.69, 99, False),  # words alone are not enough
        (-5.0, 0, False),
    ],
)
def test_evidence_is_a_near_meaning_or_a_fair_one_with_words(nearness, words, expected):
    found = ranker.has_evidence(np.array([nearness]), 30, np.array([words]), LIMITS)
    assert found is expected


@pytest.mark.parametrize(
    ("likely", "nearness", "expected"),
    [
        (0.19, 9.0, False),  # the reader doubts what looks near
        (0.21, 9.0, True),
        (0.21, 1.0, False),  # neither is enough
        (0.39, 1.0, False),
        (0.41, 1.0, True),  # the reader alone
        (None, 9.0, True),  # nobody read
        (None, 1.0, False),
    ],
)
def test_reader_may_be_enough_and_may_be_too_low_for_all_the_rest(likely, nearness, expected):
    said = None if likely is None else float(features.conviction(np.array([likely]))[0])
    found = ranker.has_evidence(np.array([nearness]), 30, np.array([0]), LIMITS, said)
    assert found is expected


def test_evidence_must_come_together_in_one_company():
    nearness = np.array([2.0, 1.0])
    assert not ranker.has_evidence(nearness, 30, np.array([1, 5]), LIMITS)
    assert ranker.has_evidence(nearness, 30, np.array([2, 5]), LIMITS)


def test_an_issue_of_few_words_needs_to_share_but_one():
    fair, one = np.array([1.7]), np.array([1])
    assert ranker.has_evidence(fair, 9, one, LIMITS)
    assert not ranker.has_evidence(fair, 10, one, LIMITS)
    assert not ranker.has_evidence(fair, 9, np.array([0]), LIMITS)


def test_nobody_is_no_evidence():
    nobody = np.array([], dtype=np.int64)
    assert ranker.has_evidence(np.array([]), 30, nobody, LIMITS) is False
