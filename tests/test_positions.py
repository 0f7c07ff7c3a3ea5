"""What a rank does: counts against a recount, Wilson's arithmetic, and a known propensity found."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from matcher.outcomes import Outcome
from matcher.positions import FEWEST, by_position, examine, locate


def made(issue="i1", company="c1", result="confirmed", **more) -> Outcome:
    return Outcome(issue_id=issue, company_id=company, result=result, **more)


def wilson(successes: int, trials: int) -> tuple[float, float]:
    z, share = 1.959963984540054, successes / trials
    middle = (share + z * z / (2 * trials)) / (1 + z * z / trials)
    root = math.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    half = z / (1 + z * z / trials) * root
    return middle - half, middle + half


def test_a_row_for_each_rank_with_wilsons_interval():
    runs = [{f"i{n}": {"c1": 3.0, "c2": 2.0} for n in range(8)}]
    those = [made(f"i{n}", "c1") for n in range(3)] + [made("i0", "c2", "declined")]
    first, second, third = by_position(those, runs, 3)
    assert (first.rank, first.shown, first.acted, first.confirmed) == (1, 8, 3, 3)
    assert (second.shown, second.acted, second.confirmed) == (8, 1, 0)
    share = first.acted_share
    assert (share.low, share.high) == pytest.approx(wilson(3, 8))
    assert share.value == 3 / 8
    assert (third.shown, third.acted_share) == (0, None)
    assert third.row()["acted_share"] is None
    assert first.row()["confirmed_high"] == pytest.approx(wilson(3, 8)[1])


def test_a_pair_counts_once_at_a_rank_and_at_the_rank_that_is_told():
    runs = [{"i1": {"c1": 2.0, "c2": 1.0}}, {"i1": {"c1": 2.0}}, {"i1": {"c2": 2.0, "c1": 1.0}}]
    anywhere = by_position([made()], runs, 2)
    assert [(one.shown, one.acted) for one in anywhere] == [(2, 1), (2, 1)]
    at_two = by_position([made(rank=2)], runs, 2)
    assert [one.acted for one in at_two] == [0, 1]
    elsewhere = by_position([made(rank=9)], runs, 2)  # where no run showed it: nothing is told
    assert [one.acted for one in elsewhere] == [1, 1]


SCORES = st.dictionaries(st.sampled_from("abcd"), st.sampled_from([1.0, 2.0]), max_size=4)
RUNS = st.lists(st.dictionaries(st.sampled_from(["i1", "i2"]), SCORES), max_size=3)
OUTCOMES = st.lists(
    st.builds(
        made,
        issue=st.sampled_from(["i1", "i2", "i3"]),
        company=st.sampled_from("abcd"),
        result=st.sampled_from(["confirmed", "talking", "declined"]),
        rank=st.sampled_from([None, 1, 2, 7]),
    ),
    unique_by=lambda one: (one.issue_id, one.company_id),
)


@given(OUTCOMES, RUNS, st.integers(1, 5))
def test_counts_equal_a_recount(those, runs, k):
    places: dict[int, set[tuple[str, str]]] = {rank: set() for rank in range(1, k + 1)}
    for run in runs:
        for issue, scores in run.items():
            best = sorted(scores, key=lambda company, of=scores: -of[company])
            for rank, company in enumerate(best[:k], start=1):
                places[rank].add((issue, company))
    for one in by_position(those, runs, k):
        pairs = places[one.rank]
        acted = [
            o
            for o in those
            if (o.issue_id, o.company_id) in pairs
            and (
                o.rank == one.rank
                or o.rank is None
                or (o.issue_id, o.company_id) not in places.get(o.rank, set())
            )
        ]
        assert (one.shown, one.acted) == (len(pairs), len(acted))
        assert one.confirmed == sum(o.result == "confirmed" for o in acted)


def swapped(issues: int) -> list[dict[str, dict[str, float]]]:
    """Two runs that show the same pairs at rank 1 and 2, the other way round."""
    first = {f"i{n}": {"a": 2.0, "b": 1.0} for n in range(issues)}
    return [first, {issue: {"b": 2.0, "a": 1.0} for issue in first}]


def test_propensity_is_what_was_taken_up_below_against_on_top():
    those = [made(f"i{n}", "a", rank=1) for n in range(12)]
    those += [made(f"i{n}", "b", rank=2) for n in range(6)]
    top, second, third = examine(those, swapped(40), 3)
    assert top.propensity.value == 1.0
    assert (second.pairs, second.acted) == (80, 18)
    assert second.propensity.value == 6 / 12
    assert second.propensity.low < 0.5 < second.propensity.high
    assert (third.pairs, third.propensity) == (0, None)
    assert second.row()["propensity"] == 0.5


def test_a_known_propensity_is_found_again():
    rng = np.random.default_rng(1)
    those = []
    for n in range(4000):
        rank = int(rng.integers(1, 3))  # which of the two runs was looked through
        if rng.random() < 0.5 * (1.0 if rank == 1 else 0.4):
            those.append(made(f"i{n}", "a", rank=rank))
    share = examine(those, swapped(4000), 2)[1].propensity
    assert share.low < 0.4 < share.high
    assert share.value == pytest.approx(0.4, abs=0.06)


def test_a_pair_shown_by_more_runs_at_a_rank_weighs_less_there():
    runs = [*swapped(20), swapped(20)[0]]  # a stands first twice
    those = [made(f"i{n}", "a", rank=1) for n in range(8)]
    those += [made(f"i{n}", "a", rank=2) for n in range(8, 12)]
    assert examine(those, runs, 2)[1].propensity.value == 4 / (8 / 2)


def test_too_few_pairs_give_no_propensity():
    few = [made(f"i{n}", "a", rank=1) for n in range(FEWEST - 1)]
    assert examine(few, swapped(40), 2)[1].propensity is None
    below = [made(f"i{n}", "a", rank=2) for n in range(FEWEST)]
    assert examine(below, swapped(40), 2)[1].propensity is None  # nothing to compare with
    untold = [made(f"i{n}", "a") for n in range(FEWEST)]
    assert examine(untold, swapped(40), 2)[1].acted == 0


def test_a_named_run_tells_the_rank():
    runs = {"春": {"i1": {"c0": 2.0, "c1": 1.0}}}
    those = (made(run="春"), made(run="秋"), made(run="春", rank=7), made(company="cx", run="春"))
    assert [one.rank for one in locate(those, runs)] == [2, None, 7, None]
