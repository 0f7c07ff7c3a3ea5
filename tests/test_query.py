from dataclasses import replace

import numpy as np
import pytest
from examples import FakeEncoder
from test_benchmarks import script

from matcher import text
from matcher.pipeline import Matcher
from matcher.query import PROCEDURE, query_of
from matcher.shortlists import from_lines, to_lines
from matcher.types import Issue

perturb = script("perturb")
ISSUE = Issue(
    issue_id="i",
    title="買い物に困る町民を支えたい",
    description="商店が減った。車がないと行けない地区がある。",
)


def encode(texts):
    return FakeEncoder().encode_queries(list(texts))


def query(issue):
    return query_of(issue, encode, lambda: encode(PROCEDURE))


def never(*_):
    raise AssertionError("a short issue needs no vectors")


@pytest.mark.parametrize("refusal", perturb._REFUSALS[:-1])
def test_sentence_that_rules_something_out_is_not_searched_by(refusal):
    sentence = f"なお、移動販売車{refusal}"
    found = query_of(replace(ISSUE, description=ISSUE.description + sentence), never, never)
    assert found.issue == ISSUE
    assert found.left_out == (sentence,)


@pytest.mark.parametrize(
    "wish",
    ["不要品を減らしたい。", "紙を要らなくしたい。", "人手が足りない。", "乗客がいない。"],
)
def test_a_wish_or_a_lack_is_searched_by(wish):
    wished = replace(ISSUE, description=wish)
    assert query_of(wished, never, never) == query_of(ISSUE, never, never).__class__(wished)


def test_issue_of_refusals_alone_is_searched_by_its_title():
    refused = replace(ISSUE, description="カメラは不要です。アプリは求めていない。")
    found = query(refused)
    assert found.issue.title == ISSUE.title
    assert len(found.left_out) == 2
    untitled = replace(refused, title="")
    assert query(untitled).issue == untitled


def test_sentences_kept_and_left_out_are_those_of_the_issue_in_their_order():
    long = replace(ISSUE, description="".join(PROCEDURE) + ISSUE.description + "".join(PROCEDURE))
    found = query(long)
    assert found.left_out
    rest = iter(text.sentences(long.description))
    for one in text.sentences(found.issue.description):
        assert one in rest  # the same sentences in the same order
    every = [*found.left_out, *text.sentences(found.issue.description)]
    assert sorted(every) == sorted(text.sentences(long.description))


def test_of_a_long_issue_what_is_about_procedure_is_not_searched_by(
    shipped_catalog, shipped_issues, bundled
):
    matcher = Matcher(shipped_catalog, bundled, reader=None)
    for one in list(shipped_issues)[:3]:
        long = perturb.rambling(one)
        found = query_of(long, matcher._encode, lambda: matcher._procedure)
        assert one.description in found.issue.description
        assert len(found.issue.description) < len(one.description) + 320


def test_shortlist_tells_what_it_was_not_searched_by(shipped_catalog, shipped_issues, bundled):
    one = next(iter(shipped_issues))
    sentence = "ドローンの購入は考えていない。"
    refusing = replace(one, description=one.description + sentence)
    matcher = Matcher(shipped_catalog, bundled, reader=None)
    plain, told = matcher.match([one])[0], matcher.match([refusing])[0]
    assert told.unsearched == (sentence,)
    assert told.issue == refusing
    assert [(e.company, e.score) for e in told.entries] == [
        (e.company, e.score) for e in plain.entries
    ]
    assert not any("ドローンの購入" in e.issue_span for x in told.entries for e in x.evidence)
    assert from_lines(to_lines([told])) == [told]
    assert np.isfinite([entry.score for entry in told.entries]).all()
