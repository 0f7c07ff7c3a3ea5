"""Goals that were inferred are quoted on the shortlist, where they are shared."""

from collections import Counter

import pytest
from examples import LINES, FakeEncoder

from matcher import sdgs, text
from matcher.catalog import Catalog
from matcher.pipeline import Matcher
from matcher.types import Company, Issue

ISSUES = [
    Issue(
        issue_id=f"i-{number}",
        title="高齢者の見守りと買い物",
        description="一人暮らしの高齢者が増えた。買い物の足もない。",
        prefecture="13",
        sdgs=goals,
    )
    for number, goals in enumerate([frozenset({3, 11}), frozenset({11}), frozenset()])
]
PROFILE = (
    "電気の使い方から一人暮らしの高齢者を見守り、異変に気づく。"
    "買い物の足がない町でも暮らし続けられる。価格は安い。"
)
LISTING = "1 貧困をなくそう\n2 飢餓をゼロに\n3 すべての人に健康と福祉を\n4 質の高い教育をみんなに"


def company(name, profile=PROFILE, *, goals=(3, 11, 12), inferred=True):
    return Company(
        company_id=name,
        name=name,
        profile=profile,
        headquarters="13",
        regions=frozenset({"13"}),
        sdgs=frozenset(goals),
        is_sdgs_inferred=inferred,
    )


COMPANIES = [
    company("inferred"),
    company("declared", PROFILE + "見守りは無料。", inferred=False),
    company("listing", LISTING),
    *(company(f"other-{n}", f"{n}つの学校に教材を配る。", goals=(4,)) for n in range(9)),
]


@pytest.fixture
def matcher(fake):
    return Matcher(Catalog.build(COMPANIES, fake, lines=LINES), fake, reader=None)


def quotes_of(shortlist):
    return {entry.company.company_id: dict(entry.goal_quotes) for entry in shortlist.entries}


def test_each_shared_goal_that_was_inferred_is_quoted_from_the_profile(matcher, fake):
    (expected,) = sdgs.quotations([PROFILE], [(3, 11)], fake)
    first, second, third = map(quotes_of, matcher.match(ISSUES, top=20))
    assert first["inferred"] == expected
    assert set(expected.values()) <= set(text.sentences(PROFILE))
    assert second["inferred"] == {11: expected[11]}
    assert third["inferred"] == {}


def test_declared_goals_are_not_quoted(matcher):
    assert all(quotes_of(one)["declared"] == {} for one in matcher.match(ISSUES, top=20))


def test_list_of_goals_is_no_quotation(matcher):
    assert quotes_of(matcher.match(ISSUES, top=20)[0])["listing"] == {}


def test_quotes_do_not_depend_on_the_other_issues_or_on_how_many_places_are_asked_for(matcher):
    every = [quotes_of(one) for one in matcher.match(ISSUES, top=20)]
    catalog, encoder = matcher.catalog, FakeEncoder()
    for issue, expected in zip(ISSUES, every, strict=True):
        (alone,) = Matcher(catalog, encoder, reader=None).match([issue], top=20)
        assert quotes_of(alone) == expected
        (few,) = Matcher(catalog, encoder, reader=None).match([issue], top=2)
        assert quotes_of(few).items() <= expected.items()


def test_sentences_are_encoded_once_for_explanation_and_quotation(matcher, fake):
    fake.documents.clear()
    matcher.match(ISSUES, top=20)
    matcher.match(ISSUES, top=20)
    sentences = {text.normalise(one) for one in text.sentences(PROFILE)}
    counted = Counter(fake.documents)
    assert {counted[sentence] for sentence in sentences} == {1}
