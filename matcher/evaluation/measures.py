"""Measures by their names, and the value of each for every issue; the one door to ir-measures."""

import math
from collections.abc import Mapping, Sequence

import ir_measures

from matcher.errors import MatcherError
from matcher.types import Qrels, Run

MEASURES = ("nDCG@10", "R(rel=3)@10", "Success(rel=3)@1", "Judged@10")
_EXAMPLES = "nDCG@10、R(rel=3)@10、P@5、Success@1、RR、AP、RBP(rel=1)、Judged@10"
_COUNTED = frozenset({"Judged", "NumQ", "NumRel", "NumRet"})
_LARGEST = 1_000_000  # of a cutoff; trec_eval counts in 63 bits and forgets a larger one
# What a provider raises at a measure that it was asked for and cannot work out.
_FAILURES = (
    ArithmeticError,
    AssertionError,
    KeyError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
)


def parse(name: str) -> ir_measures.Measure:
    """The measure of that name, as ir-measures spells it, that can be computed here.

    Raises:
        MatcherError: there is no such measure, a parameter cannot be, or no program that computes
            it is installed.
    """
    try:
        measure = ir_measures.parse_measure(name)
        measure.validate_params()  # type: ignore[no-untyped-call]  # not ours to annotate
    except (*_FAILURES, AttributeError, NameError):
        measure = None
    if measure is None or not all(_can_be(key, value) for key, value in measure.params.items()):
        message = f"指標「{name}」は使えません。{_EXAMPLES} のように書いてください。"
        raise MatcherError(message)
    if not ir_measures.DefaultPipeline.supports(measure):  # type: ignore[no-untyped-call]  # the same
        message = (
            f"指標「{name}」を計算するプログラムが入っていません。"
            f"{_EXAMPLES} などを使ってください。"
        )
        raise MatcherError(message)
    return measure


def is_quality(measure: ir_measures.Measure) -> bool:
    """Whether more is better; counts of judgements and places say nothing of that."""
    return measure.NAME not in _COUNTED


def values(
    run: Run, qrels: Qrels, measures: Sequence[ir_measures.Measure]
) -> dict[str, dict[str, float]]:
    """Measure → issue → value for every issue with judgements, by its name in order of ids.

    An issue without a list has the measure's value for an empty one, which is zero.

    Raises:
        MatcherError: a measure cannot be computed on these data.
    """
    # By numbers: some programs that ir-measures calls take no other name for a topic.
    numbers = {str(number): issue for number, issue in enumerate(sorted(qrels), start=1)}
    judged = {number: dict(qrels[issue]) for number, issue in numbers.items()}
    listed = {n: dict(run[issue]) for n, issue in numbers.items() if run.get(issue)}
    found = {str(one): dict.fromkeys(sorted(qrels), float(one.DEFAULT)) for one in measures}
    try:
        for metric in ir_measures.iter_calc(measures, judged, listed) if listed else ():
            found[str(metric.measure)][numbers[metric.query_id]] = float(metric.value)
    except _FAILURES as error:
        names = "、".join(found)
        message = f"指標（{names}）を計算できませんでした（{error}）。別の指標を使ってください。"
        raise MatcherError(message) from error
    return found


def _can_be(key: str, value: object) -> bool:
    """Whether a parameter's value is one that no program stumbles over."""
    if isinstance(value, bool):
        return key in ("judged_only", "normalize")
    if isinstance(value, int):
        return 1 <= value <= _LARGEST
    if isinstance(value, float):
        return math.isfinite(value) and value >= 0
    if isinstance(value, Mapping):
        return all(type(k) is int and type(v) is int and v >= 0 for k, v in value.items())
    return isinstance(value, str)
