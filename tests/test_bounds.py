import itertools
import random

import pytest

from matcher.evaluation import evaluate
from matcher.evaluation.bounds import bounds
from matcher.evaluation.measures import parse, values

KNOWN = (
    *("nDCG@3", "nDCG@10", "nDCG", "R@3", "R(rel=3)@10", "P@3", "P(rel=2)@10", "Success@1"),
    *("Success(rel=3)@3", "RR", "RR(rel=2)", "AP", "AP(rel=3)@3", "RBP(rel=1)", "RBP(p=0.5,rel=2)"),
)
EXACT = ("R@3", "P@3", "Success@1", "RR", "AP", "AP(rel=3)@3", "RBP(rel=1)")  # both ends
ALL = tuple("uvwxyz")


def worth(measure, run, qrels):
    return values(run, qrels, [measure])[str(measure)]["i"]


def completions(companies):
    """Every way to grade these companies."""
    for grades in itertools.product(range(4), repeat=len(companies)):
        yield dict(zip(companies, grades, strict=True))


def small_case(rng, name):
    """Ties too, but for RBP, whose program orders them in its own way."""
    listed = rng.sample(ALL, rng.randint(0, 5))
    tied = (rng.random(),) if name.startswith("RBP") else (rng.random(), 0.5)
    run = {"i": {one: rng.choice(tied) + rng.random() * (len(tied) == 1) for one in listed}}
    judged = rng.sample(ALL, rng.randint(1, 4))
    return run, {"i": {one: rng.randint(0, 3) for one in judged}}, listed


@pytest.mark.parametrize("name", KNOWN)
def test_bounds_hold_every_value_that_judging_the_listed_can_give(name):
    measure, rng = parse(name), random.Random(7)
    for _ in range(25):
        run, qrels, listed = small_case(rng, name)
        told = bounds(measure, run, qrels)
        unjudged = [one for one in listed if one not in qrels["i"]][:4]
        rest = {one: 0 for one in listed if one not in unjudged and one not in qrels["i"]}
        found = [
            worth(measure, run, {"i": qrels["i"] | rest | grades})
            for grades in completions(unjudged)
        ]
        assert told.least <= told.low + 1e-12
        assert told.low - 1e-12 <= min(found)
        assert max(found) <= told.high + 1e-12
        if not rest and (name in EXACT or name.startswith("nDCG")):
            assert told.low == pytest.approx(min(found))
        if not rest and name in EXACT:
            assert told.high == pytest.approx(max(found))


@pytest.mark.parametrize("name", KNOWN)
def test_bounds_hold_the_truth_of_simulated_judgements(name):
    """Whole truths of forty companies; of each a few are judged, none of them lies outside."""
    measure, rng = parse(name), random.Random(11)
    companies = [f"c{n}" for n in range(40)]
    for _ in range(60):
        truth = {one: rng.choice((0, 0, 0, 0, 1, 2, 3)) for one in companies}
        listed = rng.sample(companies, rng.randint(0, 12))
        run = {"i": {one: rng.random() for one in listed}}
        seen = rng.sample(companies, rng.randint(1, 20))
        told = bounds(measure, run, {"i": {one: truth[one] for one in seen}})
        assert told.least - 1e-12 <= worth(measure, run, {"i": truth}) <= told.high + 1e-12
        pooled = {one: truth[one] for one in {*listed, *seen}}
        assert told.low - 1e-12 <= worth(measure, run, {"i": pooled}) <= told.high + 1e-12


def test_nothing_unjudged_leaves_no_doubt_but_of_who_was_not_listed():
    qrels = {"a": {"x": 3, "y": 1}, "b": {"x": 3, "y": 0}}
    run = {"a": {"y": 2.0, "x": 1.0}, "b": {"x": 5.0, "y": 4.0}}
    found = evaluate(run, qrels, measures=["nDCG@10", "P@2", "R@10", "AP"])
    for name, told in found.bounds.items():
        assert told.low == pytest.approx(found.means[name].mean)
        if name != "nDCG@10":  # whose upper end is not exact
            assert told.high == pytest.approx(found.means[name].mean)
    assert found.bounds["P@2"].least == found.bounds["P@2"].low
    assert found.bounds["nDCG@10"].least < found.bounds["nDCG@10"].low


def test_grade_that_lowers_the_ideal_ratio_is_thought_of():
    """An unjudged last place that turns out best lowers nDCG: zero is not the worst that can be."""
    run, qrels = {"i": {"x": 2.0, "y": 1.0}}, {"i": {"x": 1}}
    assert evaluate(run, qrels, measures=["nDCG@10"]).means["nDCG@10"].mean == 1
    assert bounds(parse("nDCG@10"), run, qrels).low == pytest.approx(
        worth(parse("nDCG@10"), run, {"i": {"x": 1, "y": 3}})
    )


@pytest.mark.parametrize(
    "name", ["Judged@10", "Bpref", "nDCG(gains={1:2})@10", "P(judged_only=True)@5"]
)
def test_bounds_that_are_not_known_are_not_told(name):
    assert bounds(parse(name), {"i": {"x": 1.0}}, {"i": {"x": 1}}) is None
    assert evaluate({"i": {"x": 1.0}}, {"i": {"x": 1}}, measures=[name]).bounds == {}
