"""Between what values a measure can lie, whatever the grades are that nobody has given.

A company without a judgement counts as a wrong one in every measure, which is a guess. Here it is
let be anything from grade 0 to 3: first those that the run lists, then anybody else as well. After
Moffat and Zobel, Rank-biased precision (2008), who call the width of it the residual.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import ir_measures
import numpy as np
from numpy.typing import NDArray

from matcher.types import Qrels, Run

_BEST = 3  # the highest grade
_UNJUDGED = -1
_LIMIT = 1_000_000  # stands for no cutoff

Grades = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """Where the value lies once all is judged.

    In `low` to `high` if nobody fits who was neither judged nor listed, in `least` to `high`
    whoever else may fit.
    """

    least: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """An issue's list with the grades of its places, -1 where nobody judged."""

    places: Grades  # best first
    others: Grades  # grades of the judged companies that are not listed


def bounds(measure: ir_measures.Measure, run: Run, qrels: Qrels) -> Bounds | None:
    """The bounds of a measure's mean over the issues with judgements.

    None for a measure whose bounds are not known here. nDCG, AP, RBP, R, P, Success and RR are;
    their `high` may be above what can be reached, never below.
    """
    of = _KINDS.get(measure.NAME or "")
    is_usual = not {"judged_only", "gains", "dcg"} & measure.params.keys()
    if of is None or not is_usual:
        return None
    found = [of(measure, _case(run.get(issue, {}), grades)) for issue, grades in qrels.items()]
    least, low, high = np.array([(one.least, one.low, one.high) for one in found]).mean(axis=0)
    return Bounds(least=float(least), low=float(low), high=float(high))


def _case(scores: Mapping[str, float], grades: Mapping[str, int]) -> _Case:
    # As trec_eval orders them: equal scores by id, descending.
    listed = sorted(scores, key=lambda company: (scores[company], company), reverse=True)
    places = [grades.get(company, _UNJUDGED) for company in listed]
    others = [grade for company, grade in grades.items() if company not in scores]
    return _Case(places=np.array(places, np.int64), others=np.array(others, np.int64))


def _cutoff(measure: ir_measures.Measure) -> int:
    return int(measure.params.get("cutoff", _LIMIT))


def _least_grade(measure: ir_measures.Measure) -> int:
    return int(measure.params.get("rel", 1))


def _list_only(
    value: Callable[[ir_measures.Measure, NDArray[np.bool_]], float],
) -> Callable[[ir_measures.Measure, _Case], Bounds]:
    """Bounds of a measure that looks at the first places alone, and rises with each that fits."""

    def bounds_of(measure: ir_measures.Measure, case: _Case) -> Bounds:
        places, rel = case.places[: _cutoff(measure)], _least_grade(measure)
        low = value(measure, places >= rel)
        could = rel <= _BEST
        high = value(measure, (places >= rel) | ((places == _UNJUDGED) & could))
        return Bounds(least=low, low=low, high=high)

    return bounds_of


def _precision(measure: ir_measures.Measure, fits: NDArray[np.bool_]) -> float:
    return float(fits.sum() / _cutoff(measure))


def _success(_: ir_measures.Measure, fits: NDArray[np.bool_]) -> float:
    return float(fits.any())


def _reciprocal_rank(_: ir_measures.Measure, fits: NDArray[np.bool_]) -> float:
    return float(1 / (1 + fits.argmax())) if fits.any() else 0.0


def _rank_biased(measure: ir_measures.Measure, fits: NDArray[np.bool_]) -> float:
    patience = float(measure.params.get("p", 0.8))
    return float((1 - patience) * (patience ** np.flatnonzero(fits)).sum())


def _recall(measure: ir_measures.Measure, case: _Case) -> Bounds:
    rel, cutoff = _least_grade(measure), _cutoff(measure)
    first, rest = case.places[:cutoff], case.places[cutoff:]
    found = int((first >= rel).sum())
    known = found + int((rest >= rel).sum()) + int((case.others >= rel).sum())
    open_first = int((first == _UNJUDGED).sum()) if rel <= _BEST else 0
    open_rest = int((rest == _UNJUDGED).sum()) if rel <= _BEST else 0
    return Bounds(
        least=0.0,
        low=_share(found, known + open_rest),
        high=_share(found + open_first, known + open_first),
    )


def _share(part: float, whole: float) -> float:
    return part / whole if whole else 0.0


def _average_precision(measure: ir_measures.Measure, case: _Case) -> Bounds:
    """Exact: for so many unjudged that fit, it is least where they are last, most where first."""
    rel, cutoff = _least_grade(measure), _cutoff(measure)
    fits, known = case.places >= rel, int((case.others >= rel).sum())
    places = np.flatnonzero(case.places == _UNJUDGED) if rel <= _BEST else np.zeros(0, np.int64)
    reached = {
        is_first: [
            _precisions(_filled(fits, chosen), cutoff, known)
            for chosen in _growing(places, is_first)
        ]
        for is_first in (True, False)
    }
    return Bounds(least=0.0, low=min(reached[False]), high=max(reached[True]))


def _growing(places: NDArray[np.int64], is_first: bool) -> list[NDArray[np.int64]]:
    """None of the places, one, two … all: from the first on, or from the last."""
    ordered = places if is_first else places[::-1]
    return [ordered[:count] for count in range(len(ordered) + 1)]


def _filled(fits: NDArray[np.bool_], chosen: NDArray[np.int64]) -> NDArray[np.bool_]:
    filled = fits.copy()
    filled[chosen] = True
    return filled


def _precisions(fits: NDArray[np.bool_], cutoff: int, known: int) -> float:
    at = np.flatnonzero(fits)
    shares = np.arange(1, len(at) + 1) / (at + 1)
    return _share(float(shares[at < cutoff].sum()), len(at) + known)


def _ndcg(measure: ir_measures.Measure, case: _Case) -> Bounds:
    """`low` is exact: a ratio whose least value has grades 0 and 3 alone, the threes standing last.

    The gain is linear in a grade and the ideal gain convex, so the ratio has its least value at a
    corner; for so many threes the ideal is the same, and the gain is least where they stand last.
    """
    cutoff = _cutoff(measure)
    weights = _discounts(len(case.places), cutoff)
    gain = float((np.maximum(case.places, 0) * weights).sum())
    known = np.concatenate([case.places[case.places > 0], case.others[case.others > 0]])
    ideal = _ideal(known, cutoff)
    spare = weights[case.places == _UNJUDGED]  # descending, as the places are
    lowest = [_share(gain, ideal)]
    added = np.cumsum(spare[::-1])[:cutoff] * _BEST  # beyond, the ideal grows no more
    for count, more in enumerate(added.tolist(), start=1):
        with_threes = np.concatenate([known, np.full(count, _BEST)])
        lowest.append(_share(gain + more, _ideal(with_threes, cutoff)))
    most = gain + float(spare.sum()) * _BEST
    whole = _ideal(np.full(cutoff, _BEST), cutoff) if cutoff < _LIMIT else np.inf
    return Bounds(
        least=gain / whole,
        low=min(lowest),
        high=(min(1.0, most / ideal) if ideal else float(spare.sum() > 0)),
    )


def _discounts(places: int, cutoff: int) -> NDArray[np.float64]:
    ranks = np.arange(1, places + 1)
    return np.where(ranks <= cutoff, 1 / np.log2(1 + ranks), 0.0)


def _ideal(grades: Grades, cutoff: int) -> float:
    best = np.sort(grades)[::-1][:cutoff]
    return float((best * _discounts(len(best), cutoff)).sum())


_KINDS: Mapping[str, Callable[[ir_measures.Measure, _Case], Bounds]] = {
    "P": _list_only(_precision),
    "Success": _list_only(_success),
    "RR": _list_only(_reciprocal_rank),
    "RBP": _list_only(_rank_biased),
    "R": _recall,
    "AP": _average_precision,
    "nDCG": _ndcg,
}
