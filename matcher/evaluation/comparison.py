"""One run against others on the same issues: what differs, how surely, and which issues to read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import ir_measures
import numpy as np
from numpy.typing import NDArray

from matcher.errors import MatcherError
from matcher.evaluation.intervals import RESAMPLES, Estimate, Paired, Values, corrected, paired
from matcher.evaluation.measures import is_quality, values
from matcher.types import Qrels, Run

Sides = NDArray[np.float64]  # (measures, 2, issues): this run, the other

_SAME = 1e-9  # values that differ by less differ by rounding


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """An issue whose value is not the same in both runs."""

    issue_id: str
    ours: float
    theirs: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One run against another by one measure, on the issues that both were asked.

    The tests are None for what is not quality (the judged share).
    """

    issues: int  # compared
    ours: float  # means over these
    theirs: float
    difference: Estimate  # this run minus the other
    p: float | None  # paired sign-flip permutation test, two-sided
    p_bootstrap: float | None  # the same question asked of the resamples
    p_corrected: float | None  # of the permutation test among all made together, by Holm
    better: int  # issues on which this run is higher
    worse: int
    equal: int
    changes: tuple[Change, ...]  # the most lost first, the most won last

    def turned(self) -> "Comparison":
        """The same seen from the other run."""
        gap = self.difference
        return replace(
            self,
            ours=self.theirs,
            theirs=self.ours,
            # From zero: -0.0 would be shown with its sign.
            difference=Estimate(mean=0 - gap.mean, low=0 - gap.high, high=0 - gap.low),
            better=self.worse,
            worse=self.better,
            changes=tuple(
                Change(issue_id=one.issue_id, ours=one.theirs, theirs=one.ours)
                for one in reversed(self.changes)
            ),
        )

    def is_worse(self, by: float = 0.0) -> bool:
        """Whether quality fell by at least so much, and by more than chance would have it."""
        fell = self.difference.mean < 0 and self.difference.mean <= -by
        return fell and self.difference.high < 0 and (self.p_corrected or 0) < 0.05


def compare(
    run: Run,
    others: Mapping[str, Run],
    qrels: Qrels,
    measures: Sequence[ir_measures.Measure],
    resamples: int = RESAMPLES,
) -> dict[str, dict[str, Comparison]]:
    """Name of the other run → measure → comparison, p values corrected over all of them.

    An issue that one of two runs was never asked is not compared: a run that did not happen is not
    a worse one. An empty list is an answer, and counts as zero.

    Raises:
        MatcherError: a run was asked none of the judged issues.
    """
    found = {
        name: _against(name, run, other, qrels, measures, resamples)
        for name, other in others.items()
    }
    tested = [(name, at) for name in found for at, one in enumerate(measures) if is_quality(one)]
    ps = corrected([found[name][1][at].p for name, at in tested])
    holm = dict(zip(tested, ps, strict=True))
    return {
        name: {
            str(measure): _comparison(gaps[at], sides[at], issues, holm.get((name, at)))
            for at, measure in enumerate(measures)
        }
        for name, (sides, gaps, issues) in found.items()
    }


def both(run: Run, other: Run, qrels: Qrels) -> tuple[str, ...]:
    """The judged issues that both runs were asked, ascending."""
    return tuple(sorted(qrels.keys() & run.keys() & other.keys()))


_Found = tuple[Sides, Sequence[Paired], Sequence[str]]


def _against(
    name: str,
    run: Run,
    other: Run,
    qrels: Qrels,
    measures: Sequence[ir_measures.Measure],
    resamples: int,
) -> _Found:
    """For each measure both runs' values and what they say, and the issues that these are of."""
    issues = both(run, other, qrels)
    if not issues:
        message = (
            f"比べる相手「{name}」に、判定のある課題が1件もありません。実行に失敗していないか、"
            "課題IDが同じかを確かめてください。"
        )
        raise MatcherError(message)
    judged = {issue: qrels[issue] for issue in issues}
    sides = [_matrix(values(one, judged, measures)) for one in (run, other)]
    gaps = sides[0] - sides[1]
    gaps[np.abs(gaps) < _SAME] = 0.0
    return np.stack(sides, axis=1), paired(gaps, resamples), issues


def _matrix(found: Mapping[str, Mapping[str, float]]) -> Values:
    return np.array([list(by_issue.values()) for by_issue in found.values()])


def _comparison(
    told: Paired, sides: Values, issues: Sequence[str], holm: float | None
) -> Comparison:
    ours, theirs = sides
    gaps = np.where(np.abs(ours - theirs) < _SAME, 0.0, ours - theirs)
    order = [at for at in np.lexsort((np.arange(len(gaps)), gaps)) if gaps[at]]
    return Comparison(
        issues=len(issues),
        ours=float(ours.mean()),
        theirs=float(theirs.mean()),
        difference=told.difference,
        p=None if holm is None else told.p,
        p_bootstrap=None if holm is None else told.p_bootstrap,
        p_corrected=holm,
        better=int((gaps > 0).sum()),
        worse=int((gaps < 0).sum()),
        equal=int((gaps == 0).sum()),
        changes=tuple(
            Change(issue_id=issues[at], ours=float(ours[at]), theirs=float(theirs[at]))
            for at in order
        ),
    )
