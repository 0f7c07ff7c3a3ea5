"""Quality must not fall: the product on the kept lists, and a proof that a fall would be seen."""

import random
from dataclasses import replace

import baseline
import pytest

from matcher.settings import Settings

COLLECTIONS = {one.name: one for one in baseline.collections()}
USUAL = Settings()


def test_a_signal_that_is_lost_is_caught_with_the_issues_to_read(bundled, bundled_reader):
    desk = COLLECTIONS["desk"]
    lost = baseline.rank(desk, bundled, bundled_reader, replace(USUAL, dense_weight=0.0))
    told = baseline.complaint(desk, lost)
    assert "desk: nDCG@10" in told
    assert "desk: R(rel=3)@10" in told
    titles = tuple(issue.title for issue in desk.issues)
    assert sum(line.endswith(titles) for line in told.splitlines()) > 10


def test_two_lost_signals_are_caught_on_the_cases_too(bundled):
    """Without the reader, which makes up for much; the lists kept are with it."""
    cases = COLLECTIONS["cases"]
    settings = replace(USUAL, dense_weight=0.0, words_weight=0.0)
    assert "cases: nDCG@10" in baseline.complaint(
        cases, baseline.rank(cases, bundled, None, settings)
    )


STRANGERS = (
    "天文台の望遠鏡を貸し出し、星空の写真を撮る旅を企画する。",
    "楽器の修理と調律を行い、演奏会のための録音を請け負う。",
)


def shuffled(collection):
    companies = random.Random(1).sample(collection.companies, len(collection.companies))
    return replace(collection, issues=collection.issues[::-1], companies=companies)


def joined_by_strangers(collection):
    first = collection.companies[0]
    strangers = [
        replace(first, company_id=f"zz{at}", profile=text) for at, text in enumerate(STRANGERS)
    ]
    return replace(collection, companies=[*collection.companies, *strangers])


HARMLESS = {
    "tables in another order": shuffled,
    "two companies more that nobody needs": joined_by_strangers,
    "weights a twentieth off": Settings(
        dense_weight=0.7875, words_weight=0.11875, bigrams_weight=0.13125, bridge_weight=0.1425
    ),
    "other parameters of BM25": Settings(bm25_k1=1.3, bm25_b=0.7),
    "nothing for goals and region": Settings(sdgs_weight=0.0, region_weight=0.0),
    "two more are read": Settings(read=22),
}


@pytest.mark.parametrize("name", COLLECTIONS)
def test_quality_is_as_kept_and_harmless_changes_are_not_caught(name, bundled, bundled_reader):
    """In one test, so that what was read once is read no more."""
    collection = COLLECTIONS[name]
    assert baseline.complaint(collection, baseline.rank(collection, bundled, bundled_reader)) == ""
    for what, change in HARMLESS.items():
        if isinstance(change, Settings):
            run = baseline.rank(collection, bundled, bundled_reader, change)
        else:
            run = baseline.rank(change(collection), bundled, bundled_reader)
        assert baseline.complaint(collection, run) == "", what
