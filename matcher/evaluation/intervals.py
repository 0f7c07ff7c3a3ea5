"""How sure a mean over issues is: bootstrap intervals, paired tests, correction for many."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]  # (measures, issues)

RESAMPLES = 10_000
_SEED = 20_260_401  # any number; fixed, so that an evaluation repeats to the last digit
_LEVEL = 0.95
_MOST_SURE = 1 - 1e-5  # of a percentile interval; beyond are the extremes of the resamples
_AT_ONCE = 2**21  # values drawn together


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A mean over issues with its 95 % interval.

    Percentile bootstrap (Efron, 1979), widened as Student's t widens a normal interval, for a
    resample of n issues spreads by (n-1)/n too little (Hesterberg, What teachers should know about
    the bootstrap, 2015, section 5). The interval is the mean itself under two issues.
    """

    mean: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Paired:
    """The mean difference of two runs on the same issues, and how likely chance alone makes it."""

    difference: Estimate
    p: float  # sign-flip permutation test, two-sided (Fisher, 1935); 1.0 under two issues
    p_bootstrap: float  # share of shifted resamples as far from zero (Efron and Tibshirani, 1993)


def estimates(values: Values, resamples: int = RESAMPLES) -> list[Estimate]:
    """The estimate of each row. The same issues are drawn for every row."""
    return [estimate for estimate, _ in _drawn(values, resamples)]


def paired(differences: Values, resamples: int = RESAMPLES) -> list[Paired]:
    """What each row of differences, one an issue, says of the two runs."""
    return [
        Paired(difference=estimate, p=p, p_bootstrap=_shifted(estimate.mean, drawn))
        for (estimate, drawn), p in zip(
            _drawn(differences, resamples), _flipped(differences, resamples), strict=True
        )
    ]


def corrected(ps: Sequence[float]) -> list[float]:
    """The p values of tests that were made together, by Holm's step-down method (1979).

    The chance of any false finding among them stays under the level that each is read at.
    """
    if not ps:
        return []
    from statsmodels.stats.multitest import multipletests  # 0.8 s to import

    return [float(p) for p in multipletests(ps, method="holm")[1]]


def _drawn(values: Values, resamples: int) -> list[tuple[Estimate, NDArray[np.float64]]]:
    """The estimate of each row, and the means of its resamples."""
    from scipy import stats  # 0.7 s to import; only an evaluation needs it

    means, issues = values.mean(axis=1), values.shape[1]
    if issues < 2:
        return [(_point(mean), np.full(1, mean)) for mean in means]
    found = stats.bootstrap(
        (values,),
        np.mean,
        n_resamples=resamples,
        axis=1,
        confidence_level=_level(issues),
        method="percentile",
        batch=max(1, _AT_ONCE // issues),
        rng=np.random.default_rng(_SEED),
    )
    low, high = (np.atleast_1d(end) for end in found.confidence_interval)
    return [
        (Estimate(mean=float(mean), low=float(low[at]), high=float(high[at])), drawn)
        for at, (mean, drawn) in enumerate(zip(means, found.bootstrap_distribution, strict=True))
    ]


def _level(issues: int) -> float:
    """The level at which a percentile interval of so many issues covers 95 %."""
    from scipy import stats

    reach = math.sqrt(issues / (issues - 1)) * stats.t.ppf((1 + _LEVEL) / 2, issues - 1)
    return min(_MOST_SURE, float(1 - 2 * stats.norm.sf(reach)))


def _point(mean: float) -> Estimate:
    return Estimate(mean=float(mean), low=float(mean), high=float(mean))


def _flipped(differences: Values, resamples: int) -> list[float]:
    """The p value of each row; exact where there are fewer sign patterns than resamples."""
    from scipy import stats

    if differences.shape[1] < 2:
        return [1.0] * len(differences)
    test = stats.permutation_test(
        (differences,),
        lambda x, axis: np.mean(x, axis=axis),
        permutation_type="samples",
        n_resamples=resamples,
        axis=1,
        vectorized=True,
        batch=max(1, _AT_ONCE // differences.shape[1]),
        rng=np.random.default_rng(_SEED),
    )
    return [float(p) for p in np.atleast_1d(test.pvalue)]


def _shifted(mean: float, drawn: NDArray[np.float64]) -> float:
    """How often the resamples, moved so that nothing differs, lie as far from zero as the mean."""
    beyond = np.abs(drawn - mean) >= abs(mean) - 1e-12
    return float((1 + beyond.sum()) / (1 + len(drawn))) if len(drawn) > 1 else 1.0
