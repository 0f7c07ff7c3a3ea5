import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matcher.rank import features
from matcher.types import Hits


def hits(scores, *, mean=0.0, deviation=1.0):
    rows = np.arange(len(scores), dtype=np.int64)
    return Hits(
        source="dense",
        rows=rows,
        scores=np.array(scores, dtype=np.float64),
        mean=mean,
        deviation=deviation,
    )


def test_z_is_distance_from_the_mean_in_deviations():
    found = features.standardise(hits([5.0, 3.0, 2.0], mean=3.0, deviation=0.5))
    assert found.scores.tolist() == [(5 - 3) / 0.5, 0, (2 - 3) / 0.5]
    assert found.source == "dense"
    assert found.rows.tolist() == [0, 1, 2]


@settings(deadline=None)
@given(st.lists(st.floats(-100, 100), min_size=2, max_size=20))
def test_whole_catalog_in_z_units_has_mean_zero_and_deviation_one(scores):
    values = np.array(scores)
    deviation = float(values.std())
    found = features.standardise(hits(scores, mean=float(values.mean()), deviation=deviation))
    assert found.scores.mean() == pytest.approx(0, abs=1e-6)
    if deviation > 1e-4:
        assert found.scores.std() == pytest.approx(1)


def test_unit_of_the_scores_does_not_matter():
    small = features.standardise(hits([0.3, 0.1], mean=0.2, deviation=0.05))
    large = features.standardise(hits([30, 10], mean=20, deviation=5))
    np.testing.assert_allclose(small.scores, large.scores)


@pytest.mark.parametrize("deviation", [0.0, 1e-9, 1e-4])
def test_deviation_is_floored(deviation):
    found = features.standardise(hits([0.5, 0.50001], mean=0.5, deviation=deviation))
    np.testing.assert_allclose(found.scores, [0, 0.00001 / 1e-4])


def test_only_company_gets_zero_and_not_infinity():
    assert features.standardise(hits([0.7], mean=0.7, deviation=0.0)).scores.tolist() == [0]


def test_weight_multiplies_and_six_decimals_stay():
    found = features.weigh(hits([2.0, 1 / 3, -1 / 3]), 0.65)
    assert found.scores.tolist() == [1.3, 0.216667, -0.216667]
    assert found.source == "dense"


@settings(deadline=None)
@given(st.lists(st.floats(-5, 5), max_size=9), st.sampled_from([0.0, 1e-9, 0.05, 0.65, 1.0]))
def test_no_part_is_minus_zero(scores, weight):
    found = features.weigh(hits(scores), weight).scores
    assert not np.signbit(found[found == 0]).any()
    assert found.tolist() == [round(value, 6) for value in found.tolist()]


def test_weight_of_nothing_gives_zeros():
    assert [str(score) for score in features.weigh(hits([3, -3]), 0).scores] == ["0.0", "0.0"]


def test_hits_are_left_alone():
    before = hits([2.0], mean=1.0)
    features.weigh(features.standardise(before), 0.5)
    assert before.scores.tolist() == [2.0]
    assert features.standardise(hits([])).scores.tolist() == []


@settings(deadline=None)
@given(st.lists(st.floats(0, 1), max_size=20))
def test_conviction_rises_with_the_probability_from_zero_to_one(likely):
    values = np.sort(np.array([0.0, *likely, 1.0]))
    found = features.conviction(values)
    assert found.shape == values.shape
    assert (found[0], found[-1]) == (0, 1)
    assert (np.diff(found) >= 0).all()
    assert found[-1] <= 1


def test_conviction_tells_the_good_from_the_very_good_and_the_poor_from_the_hopeless():
    hopeless, poor, good, very_good = features.conviction(np.array([0.01, 0.05, 0.7, 0.9]))
    assert poor - hopeless > 0.1
    assert very_good - good > 0.1


def test_conviction_of_a_pair_is_that_of_the_pair():
    values = np.array([0.3, 0.9, 0.3])
    found = features.conviction(values)
    assert found[0] == found[2] == features.conviction(values[:1])[0]
    assert features.conviction(np.zeros(0)).shape == (0,)
