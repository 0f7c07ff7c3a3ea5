"""Measures of a run against judgements, with intervals; knows no engine.

Every issue that has judgements counts: one without a list counts zero, and is said. A partner that
nobody judged is not a wrong one, so the judged share stands beside every figure.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import ir_measures
import numpy as np
from numpy.typing import NDArray

from matcher.errors import MatcherError
from matcher.trec import read_qrels, read_run
from matcher.types import Qrels, Run, Shortlist

KINDS = ("nDCG", "R", "P", "Success", "RR", "AP", "Rprec", "Judged")
MEASURES = ("nDCG@10", "R(rel=3)@10", "Success(rel=3)@1", "Judged@10")
_RESAMPLES = 10_000
_SEED = 20_260_401  # any number; fixed, so that an evaluation repeats to the last digit
_LEVEL = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A mean over issues with its 95 % percentile bootstrap interval (Efron, 1979).

    The interval is the mean itself where there are fewer than two issues.
    """

    mean: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One run against another on the same issues."""

    difference: Estimate  # this run minus the other
    p: float  # paired sign-flip permutation test, two-sided (Fisher, 1935); 1.0 under two issues
    better: int  # issues on which this run is higher
    worse: int
    equal: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """What a run is worth, by the name of the measure."""

    issues: int  # with judgements: what every mean is over
    without_list: tuple[str, ...]  # of these, the ones the run has no place for; they count zero
    unjudged_issues: tuple[str, ...]  # in the run, without a judgement; they do not count
    means: Mapping[str, Estimate]
    values: Mapping[str, Mapping[str, float]]  # measure → issue_id → value
    against: Mapping[str, Comparison]  # empty unless another run was given


def evaluate(
    run: Run | Iterable[Shortlist] | Path | str,
    qrels: Qrels | Path | str,
    *,
    measures: Sequence[str] = MEASURES,
    against: Run | Iterable[Shortlist] | Path | str | None = None,
) -> Evaluation:
    """The measures of a run, and how it compares with another run on the same issues.

    `run` is a mapping, shortlists, a run folder or a TREC file; `qrels` a mapping or a TREC file.
    `measures` are names as ir-measures spells them, "nDCG@10" or "R(rel=3)@10".

    Raises:
        MatcherError: a measure is unknown, or there are no judgements.
        DataError: a file cannot be read.
    """
    wanted = [_measure(name) for name in measures]
    judged = qrels if isinstance(qrels, Mapping) else read_qrels(Path(qrels))
    if not judged:
        message = "判定（qrels）が1件もありません。課題ID・0・企業ID・評点の行を入れてください。"
        raise MatcherError(message)
    scores = read_run(run)
    values = _values(scores, judged, wanted)
    other = _values(read_run(against), judged, wanted) if against is not None else {}
    return Evaluation(
        issues=len(judged),
        without_list=tuple(issue for issue in sorted(judged) if not scores.get(issue)),
        unjudged_issues=tuple(sorted(set(scores) - set(judged))),
        means={name: _estimate(_array(found)) for name, found in values.items()},
        values=values,
        against={name: _compare(values[name], found) for name, found in other.items()},
    )


def _measure(name: str) -> ir_measures.Measure:
    """The measure of that name, if it is one that takes nothing but a cutoff and a least grade."""
    try:
        measure = ir_measures.parse_measure(name)
        measure.validate_params()  # type: ignore[no-untyped-call]  # not ours to annotate
    except (NameError, KeyError, ValueError, TypeError, AssertionError):
        measure = None
    # trec_eval ends the process at a cutoff of 0; other measures of the library need other programs
    if (
        measure is None
        or measure.NAME not in KINDS
        or not measure.params.keys() <= {"cutoff", "rel"}
        or not all(type(value) is int and value >= 1 for value in measure.params.values())
    ):
        message = (
            f"指標「{name}」は使えません。nDCG@10、R(rel=3)@10 のように書いてください"
            f"（使える指標: {'・'.join(KINDS)}）。"
        )
        raise MatcherError(message)
    return measure


def _values(
    run: Run, qrels: Qrels, measures: Sequence[ir_measures.Measure]
) -> dict[str, dict[str, float]]:
    """Measure → issue → value, zero for an issue without a list."""
    values = {str(measure): dict.fromkeys(sorted(qrels), 0.0) for measure in measures}
    judged = {issue: dict(grades) for issue, grades in qrels.items()}
    listed = {issue: dict(scores) for issue, scores in run.items() if scores and issue in qrels}
    for metric in ir_measures.iter_calc(measures, judged, listed) if listed else ():
        values[str(metric.measure)][metric.query_id] = float(metric.value)
    return values


def _array(values: Mapping[str, float]) -> NDArray[np.float64]:
    return np.array([values[issue] for issue in sorted(values)])


def _estimate(values: NDArray[np.float64]) -> Estimate:
    from scipy import stats  # 0.7 s to import; only an evaluation needs it

    mean = float(values.mean())
    if len(values) < 2:
        return Estimate(mean=mean, low=mean, high=mean)
    drawn = stats.bootstrap(
        (values,),
        np.mean,
        n_resamples=_RESAMPLES,
        confidence_level=_LEVEL,
        method="percentile",
        rng=np.random.default_rng(_SEED),
    ).confidence_interval
    return Estimate(mean=mean, low=float(drawn.low), high=float(drawn.high))


def _compare(ours: Mapping[str, float], theirs: Mapping[str, float]) -> Comparison:
    from scipy import stats

    differences = _array(ours) - _array(theirs)
    p = 1.0
    if len(differences) > 1 and differences.any():
        test = stats.permutation_test(
            (differences,),
            np.mean,
            permutation_type="samples",
            n_resamples=_RESAMPLES,
            rng=np.random.default_rng(_SEED),
        )
        p = float(test.pvalue)
    return Comparison(
        difference=_estimate(differences),
        p=p,
        better=int((differences > 0).sum()),
        worse=int((differences < 0).sum()),
        equal=int((differences == 0).sum()),
    )
