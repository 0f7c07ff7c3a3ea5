"""What a place on the list does to a company's chance: taken up by rank, and how far people look.

A list is read from the top. What nobody took up at rank 9 may fit as well as what was taken up at
rank 1, so outcomes tell of the order that was shown as much as of the partners.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from matcher.outcomes import Outcome
from matcher.types import Run

FEWEST = 10  # pairs taken up at rank 1 or the other, below which no propensity is estimated
_RESAMPLES = 2_000
_SEED = 20_260_401  # any number; fixed, so that a table repeats to the last digit
_LEVEL = 0.95

_Pair = tuple[str, str]
_Ranks = Mapping[_Pair, Mapping[int, int]]  # issue and company → rank → how many runs


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """A share, or a ratio of shares, with its 95 % interval."""

    value: float
    low: float
    high: float  # infinite where the data set no bound


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """What happened at one rank: pairs, each once, however many runs showed it there."""

    rank: int
    shown: int
    acted: int  # with an outcome of any kind: confirmed, talking or declined
    confirmed: int
    acted_share: Share | None  # of the shown, with Wilson's interval; None where none was shown
    confirmed_share: Share | None

    def row(self) -> dict[str, int | float | None]:
        """The position as a row of a table."""
        counts: dict[str, int | float | None] = {
            "rank": self.rank,
            "shown": self.shown,
            "acted": self.acted,
            "confirmed": self.confirmed,
        }
        return (
            counts | _cells("acted", self.acted_share) | _cells("confirmed", self.confirmed_share)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """How often a rank is looked at, relative to rank 1."""

    rank: int
    pairs: int  # that some run showed at rank 1 and another at this one
    acted: int  # of these, the ones taken up at one of the two
    propensity: Share | None  # None where fewer than `FEWEST` were

    def row(self) -> dict[str, int | float | None]:
        """The estimate as a row of a table."""
        counts: dict[str, int | float | None] = {
            "rank": self.rank,
            "pairs": self.pairs,
            "acted": self.acted,
        }
        return counts | _cells("propensity", self.propensity)


def by_position(
    outcomes: Iterable[Outcome], runs: Sequence[Run], k: int = 10
) -> tuple[Position, ...]:
    """For each rank up to `k`: how many pairs were shown there, and what became of them.

    An outcome that tells its rank counts there alone, if a run showed the pair there; any other
    counts at every rank at which a run showed the pair. Pairs in no run do not count. The shares
    describe and do not explain: better partners stand higher too. `examine` tells the two apart
    where it can. Intervals are Wilson's (1927), for pairs independent of each other.
    """
    ranks = _ranks(runs, k)
    shown = Counter(rank for at in ranks.values() for rank in at)
    acted: Counter[int] = Counter()
    confirmed: Counter[int] = Counter()
    for outcome in outcomes:
        for rank in _acted_at(outcome, ranks):
            acted[rank] += 1
            confirmed[rank] += outcome.result == "confirmed"
    return tuple(
        Position(
            rank=rank,
            shown=shown[rank],
            acted=acted[rank],
            confirmed=confirmed[rank],
            acted_share=_wilson(acted[rank], shown[rank]),
            confirmed_share=_wilson(confirmed[rank], shown[rank]),
        )
        for rank in range(1, k + 1)
    )


def examine(
    outcomes: Iterable[Outcome], runs: Sequence[Run], k: int = 10
) -> tuple[Examination, ...]:
    """How often each rank up to `k` is looked at, relative to rank 1, by intervention harvesting.

    The pivot estimator of Agarwal et al. (WSDM 2019): over the pairs that one run showed at rank 1
    and another at rank r, what was taken up at r against what was taken up at 1, each weighted by
    one over the number of runs that showed it there. The pair is the same on both sides, so its
    fit cancels. Only outcomes that tell their rank count (`locate` finds it from the run's name).

    It assumes that rank acts through being looked at alone, and alike for every pair; that runs
    put a pair at different ranks for reasons that have nothing to do with how well it fits, which
    a better model does not; and that every run had the same chance to be acted on. A pair has one
    outcome: taken up in the first of two runs, it cannot be in the second, which favours the
    ranks of the earlier run. The interval resamples issues (percentile bootstrap, fixed seed).
    """
    ranks = _ranks(runs, k)
    located = {(one.issue_id, one.company_id): one.rank for one in outcomes if one.rank}
    return tuple(_examination(rank, ranks, located) for rank in range(1, k + 1))


def locate(outcomes: Iterable[Outcome], runs: Mapping[str, Run]) -> tuple[Outcome, ...]:
    """The outcomes, those that name a run and no rank with the rank they had in it."""
    ranks = {name: _ranks([run], None) for name, run in runs.items()}
    found = []
    for one in outcomes:
        at = ranks.get(one.run, {}).get((one.issue_id, one.company_id), {})
        found.append(replace(one, rank=next(iter(at), None)) if one.rank is None else one)
    return tuple(found)


def _cells(name: str, share: Share | None) -> dict[str, int | float | None]:
    """A share as three cells of a row."""
    return {
        f"{name}_share" if name != "propensity" else name: share.value if share else None,
        f"{name}_low": share.low if share else None,
        f"{name}_high": share.high if share else None,
    }


def _ranks(runs: Iterable[Run], k: int | None) -> _Ranks:
    """Where each pair was shown, equal scores in the order of the run."""
    found: dict[_Pair, Counter[int]] = defaultdict(Counter)
    for run in runs:
        for issue, scores in run.items():
            best_first = sorted(scores.items(), key=lambda place: -place[1])
            for rank, (company, _) in enumerate(best_first[:k], start=1):
                found[issue, company][rank] += 1
    return found


def _acted_at(outcome: Outcome, ranks: _Ranks) -> Collection[int]:
    """The ranks at which an outcome counts."""
    at = ranks.get((outcome.issue_id, outcome.company_id), {})
    return (outcome.rank,) if outcome.rank is not None and outcome.rank in at else tuple(at)


def _wilson(successes: int, trials: int) -> Share | None:
    from scipy import stats  # 0.7 s to import; only a table by rank needs it

    if not trials:
        return None
    interval = stats.binomtest(successes, trials).proportion_ci(_LEVEL, method="wilson")
    return Share(value=successes / trials, low=float(interval.low), high=float(interval.high))


def _examination(rank: int, ranks: _Ranks, located: Mapping[_Pair, int]) -> Examination:
    both = [pair for pair, at in ranks.items() if rank in at and 1 in at]
    acted = [pair for pair in both if located.get(pair) in (1, rank)]
    weights: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
    for pair in acted:
        at = located[pair]
        weights[pair[0]][at != 1] += 1 / ranks[pair][at]
    sums = np.array([weights[issue] for issue in sorted(weights)]).reshape(-1, 2)
    return Examination(
        rank=rank,
        pairs=len(both),
        acted=len(acted),
        propensity=_pivot(sums, is_first=rank == 1) if len(acted) >= FEWEST else None,
    )


def _pivot(sums: NDArray[np.float64], *, is_first: bool) -> Share | None:
    """The ratio of what issues (n, 2) had taken up at the rank and at rank 1."""
    if is_first:
        return Share(value=1.0, low=1.0, high=1.0)
    first, other = sums.sum(axis=0)
    if not first:
        return None
    rng = np.random.default_rng(_SEED)
    drawn = sums[rng.integers(len(sums), size=(_RESAMPLES, len(sums)))].sum(axis=1)
    with np.errstate(divide="ignore"):
        ratios = drawn[:, 1] / drawn[:, 0]
    tails = [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2]
    low, high = np.quantile(ratios, tails, method="nearest")  # between two infinities is nothing
    return Share(value=float(other / first), low=float(low), high=float(high))
