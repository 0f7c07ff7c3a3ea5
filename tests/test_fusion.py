from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matcher.rank import fusion
from matcher.types import Hits

SOURCES = ["dense", "words", "bigrams", "sdgs", "region"]


def hits(source, scores, order=None):
    """Hits of row → score; best first, or in the order of the rows given."""
    rows = np.array(list(scores) if order is None else order, dtype=np.int64)
    values = np.array([scores[row] for row in rows.tolist()], dtype=np.float64)
    return Hits.best_first(source, rows, values)


def pairs(fused):
    return list(zip(fused.rows.tolist(), fused.scores.tolist(), strict=True))


@st.composite
def several_hits(draw):
    rows = draw(st.lists(st.integers(0, 30), unique=True, max_size=8))
    score = st.floats(-5, 5).map(lambda value: round(value, 6))
    return [
        hits(source, {row: draw(score) for row in rows})
        for source in draw(st.lists(st.sampled_from(SOURCES), unique=True, min_size=1))
    ]


def test_score_of_a_row_is_the_sum_of_its_parts():
    one, two = hits("dense", {3: 2.0, 5: -1.0}), hits("words", {5: 3.5, 3: 0.25})
    fused = fusion.total([one, two])
    assert fused.source == "fused"
    assert pairs(fused) == [(5, -1.0 + 3.5), (3, 2.0 + 0.25)]


def test_single_part_is_its_own_total():
    assert pairs(fusion.total([hits("dense", {2: 1.0, 1: 0.5})])) == [(2, 1.0), (1, 0.5)]


def test_equal_sums_stand_in_row_order():
    fused = fusion.total([hits("dense", {9: 1, 4: 0, 7: 1}), hits("words", {9: 0, 4: 1, 7: 0})])
    assert pairs(fused) == [(4, 1), (7, 1), (9, 1)]


def test_sum_is_rounded_to_six_decimals():
    fused = fusion.total([hits("dense", {0: 0.1}), hits("words", {0: 0.2})])
    assert fused.scores.tolist() == [0.3]  # 0.1 + 0.2 = 0.30000000000000004
    third = fusion.total([hits("dense", {0: 1 / 3}), hits("words", {0: 1 / 3})])
    assert third.scores.tolist() == [0.666667]


@settings(deadline=None)
@given(several_hits())
def test_total_equals_brute_force(parts):
    looked_up = [dict(pairs(part)) for part in parts]
    sums = {row: round(sum(scores[row] for scores in looked_up), 6) for row in looked_up[0]}
    expected = sorted(sums.items(), key=lambda one: (-one[1], one[0]))
    assert [row for row, _ in pairs(fusion.total(parts))] == [row for row, _ in expected]
    np.testing.assert_allclose(
        fusion.total(parts).scores, [score for _, score in expected], atol=1e-9
    )


@settings(deadline=None)
@given(several_hits(), st.randoms(use_true_random=False))
def test_order_of_the_parts_does_not_change_a_bit(parts, random):
    shuffled = random.sample(parts, len(parts))
    assert pairs(fusion.total(shuffled)) == pairs(fusion.total(parts))


def test_order_of_the_parts_does_not_change_how_a_sum_is_rounded():
    numbers = {"dense": 0.8, "words": 0.9, "bigrams": 0.7306205}
    sums = {round(sum(order), 6) for order in permutations(numbers.values())}
    assert len(sums) == 2  # floats added in another order
    totals = {
        fusion.total([hits(source, {0: numbers[source]}) for source in order]).scores[0]
        for order in permutations(numbers)
    }
    assert len(totals) == 1


@settings(deadline=None)
@given(several_hits(), st.randoms(use_true_random=False))
def test_order_of_rows_within_a_part_does_not_matter(parts, random):
    moved = []
    for part in parts:
        order = np.array(random.sample(range(len(part.rows)), len(part.rows)), dtype=np.int64)
        moved.append(Hits(source=part.source, rows=part.rows[order], scores=part.scores[order]))
    assert pairs(fusion.total(moved)) == pairs(fusion.total(parts))


@pytest.mark.parametrize("other", [{1: 1.0}, {1: 1.0, 3: 1.0}, {1: 1.0, 2: 1.0, 3: 1.0}, {}])
def test_parts_of_different_rows_are_refused(other):
    with pytest.raises(ValueError, match="words scored other rows than dense"):
        fusion.total([hits("dense", {1: 1.0, 2: 1.0}), hits("words", other)])


def test_no_rows_give_no_rows():
    assert pairs(fusion.total([hits("dense", {}), hits("words", {})])) == []


def test_parts_are_left_alone():
    part = hits("dense", {1: 1.0, 2: 2.0})
    fusion.total([part, hits("words", {1: 5.0, 2: 0.0})])
    assert pairs(part) == [(2, 2.0), (1, 1.0)]
