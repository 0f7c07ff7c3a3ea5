import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from matcher.types import Hits

SCORED = st.dictionaries(st.integers(0, 40), st.sampled_from([-1.0, 0.0, 1 / 3, 2.0]), max_size=12)


def hits(scored, **fields):
    """Hits of a score by row."""
    rows = np.array(list(scored), dtype=np.int64)
    return Hits.best_first("words", rows, np.array(list(scored.values()), np.float64), **fields)


def pairs(found):
    return list(zip(found.rows.tolist(), found.scores.tolist(), strict=True))


@given(SCORED)
def test_best_comes_first_and_equals_by_row(scored):
    assert pairs(hits(scored)) == sorted(scored.items(), key=lambda one: (-one[1], one[0]))


@given(SCORED, st.randoms(use_true_random=False))
def test_order_of_rows_does_not_matter(scored, random):
    moved = dict(random.sample(list(scored.items()), len(scored)))
    assert pairs(hits(moved)) == pairs(hits(scored))


@given(SCORED, st.data())
def test_hits_at_some_rows_are_the_hits_of_those_rows(scored, data):
    some = data.draw(st.permutations(sorted(scored)).flatmap(
        lambda rows: st.integers(0, len(rows)).map(lambda count: rows[:count])
    ))  # fmt: skip
    found = hits(scored, mean=0.5, deviation=2.0).at(np.array(some, dtype=np.int64))
    assert pairs(found) == pairs(hits({row: scored[row] for row in some}))
    assert (found.source, found.mean, found.deviation) == ("words", 0.5, 2.0)
    assert (found.rows.dtype, found.scores.dtype) == (np.int64, np.float64)


@given(SCORED, st.sets(st.integers(0, 41), min_size=1))
def test_row_without_a_score_is_refused(scored, wanted):
    rows = np.array(sorted(wanted), dtype=np.int64)
    if wanted <= scored.keys():
        assert len(hits(scored).at(rows).rows) == len(wanted)
    else:
        with pytest.raises(ValueError, match="words did not score every row"):
            hits(scored).at(rows)


def test_at_all_rows_nothing_changes():
    found = hits({4: 1.0, 0: 2.0, 9: 1.0})
    assert pairs(found.at(found.rows)) == pairs(found)


def test_hits_are_left_alone():
    found = hits({1: 0.5, 0: 1.0})
    found.at(np.array([1], dtype=np.int64)).scores[:] = 9
    assert pairs(found) == [(0, 1.0), (1, 0.5)]
