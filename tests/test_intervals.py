import gc
import itertools

import numpy as np
import pytest
from scipy import stats

from matcher.evaluation.intervals import corrected, estimates, paired


def drawn(kind, rng, shape):
    """Values by issue as measures have them, and their true mean."""
    if kind == "nDCG":  # a third of the issues at the ends
        u = rng.random(shape)
        return np.where(
            u < 0.15, 0, np.where(u < 0.35, 1, rng.beta(2, 1.5, shape))
        ), 0.2 + 1.3 / 3.5
    if kind == "Success":
        return (rng.random(shape) < 0.6).astype(float), 0.6
    return np.where(rng.random(shape) < 0.5, 0, rng.normal(0.03, 0.2, shape)), 0.015  # differences


@pytest.mark.parametrize("kind", ["nDCG", "Success", "difference"])
@pytest.mark.parametrize("issues", [52, 120])
def test_intervals_cover_the_truth_in_95_of_100_studies(kind, issues):
    rng = np.random.default_rng(5)
    covered = []
    for _ in range(20):
        studies, truth = drawn(kind, rng, (100, issues))
        covered += [e.low <= truth <= e.high for e in estimates(studies, resamples=1_000)]
    assert len(covered) == 2_000
    assert np.mean(covered) == pytest.approx(0.95, abs=0.02)


def test_interval_of_few_issues_is_as_wide_as_that_of_student():
    values = np.random.default_rng(3).normal(size=(1, 8))
    (found,) = estimates(values, resamples=20_000)
    reach = stats.t.ppf(0.975, 7) * values.std(ddof=1) / np.sqrt(8)
    assert (found.high - found.low) / 2 == pytest.approx(reach, rel=0.15)


def test_corrected_tests_of_systems_that_are_the_same_rarely_find_a_difference():
    """Three arms by three measures that hang together: any finding is false."""
    gc.freeze()  # statsmodels collects garbage at every call: seconds among a suite's objects
    rng, studies, false = np.random.default_rng(9), 1_000, 0
    for _ in range(studies // 50):
        shared = rng.normal(size=(50, 3, 1, 40)) * (rng.random((50, 3, 1, 40)) < 0.6)
        gaps = shared + 0.5 * rng.normal(size=(50, 3, 3, 40)) * (shared != 0)
        ps = np.array([one.p for one in paired(gaps.reshape(-1, 40), resamples=999)])
        for of_study in ps.reshape(50, 9).tolist():
            # No corrected value is below its own: most studies are settled without correction.
            false += min(of_study) < 0.05 and min(corrected(of_study)) < 0.05
    gc.unfreeze()
    assert false / studies <= 0.055


@pytest.mark.parametrize("test", ["p", "p_bootstrap"])
def test_each_test_by_itself_finds_a_difference_in_five_of_a_hundred(test):
    rng = np.random.default_rng(4)
    gaps = [rng.normal(size=(100, 52)) for _ in range(20)]
    ps = [getattr(one, test) for some in gaps for one in paired(some, resamples=999)]
    assert np.mean(np.array(ps) < 0.05) == pytest.approx(0.05, abs=0.015)


def test_permutation_test_of_few_issues_counts_every_sign_pattern():
    gaps = np.array([[0.3, -0.1, 0.2, 0.05, 0.4]])
    means = [np.mean(np.abs(gaps[0]) * signs) for signs in itertools.product((1, -1), repeat=5)]
    beyond = np.mean(np.abs(means) >= abs(gaps.mean()) - 1e-12)
    assert paired(gaps)[0].p == pytest.approx(beyond)


def test_a_clear_difference_is_found_by_both_tests_and_none_where_there_is_none():
    clear, none = paired(np.array([np.linspace(0.1, 0.3, 40), np.zeros(40)]))
    assert clear.p < 0.001
    assert clear.p_bootstrap < 0.001
    assert (none.p, none.p_bootstrap) == (1, 1)
    assert (none.difference.low, none.difference.mean, none.difference.high) == (0, 0, 0)


def test_correction_is_holms():
    # The least times four, the next times three …, never lower than the one before.
    assert corrected([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert corrected([0.5]) == [0.5]
    assert corrected([]) == []


def test_rows_do_not_change_each_other():
    values = np.random.default_rng(1).random((4, 30))
    together, differences = estimates(values), paired(values - 0.5)
    for at in range(4):
        (alone,) = estimates(values[at : at + 1])
        assert (alone.low, alone.high) == pytest.approx((together[at].low, together[at].high))
        (gap,) = paired(values[at : at + 1] - 0.5)
        assert gap.p == pytest.approx(differences[at].p, abs=0.02)


@pytest.mark.parametrize("issues", [1, 2, 3])
def test_very_few_issues_give_an_interval_and_no_complaint(issues):
    (found,) = estimates(np.array([[0.0, 1.0, 0.5][:issues]]))
    assert found.low <= found.mean <= found.high
    assert paired(np.ones((1, issues)))[0].p == {1: 1.0, 2: 0.5, 3: 0.25}[issues]
