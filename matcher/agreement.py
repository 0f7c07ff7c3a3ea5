"""How far judges agree: with each other, and one of them with grades already settled.

A figure that the judgements do not define is None and says why; it is never nan.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from matcher.judgements import DECIDED, GRADES, Judgement, Key, grades_by_judge
from matcher.types import Qrels

_SCALE = sorted(GRADES)
_FAR = 2  # so many grades apart are told one by one
_LEANING = 0.25  # of a grade, on average, before a judge is called mild or severe

NO_PAIR = "評点の重なる組がありません"
ONE_JUDGE = "評点を付けた判定者が1人以下です"
ONE_GRADE = "評点がすべて同じで、偶然の一致と区別できません"
# Landis and Koch (1977); the bounds are theirs, and a custom rather than a law.
_READINGS = (
    (0.8, "ほぼ一致しています"),
    (0.6, "かなり一致しています"),
    (0.4, "ほどほどに一致しています"),
    (0.2, "あまり一致していません"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A figure, the pairs it rests on, and why there is none where there is none."""

    value: float | None
    pairs: int
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Between:
    """Two judges on the pairs that both graded."""

    judges: tuple[str, str]
    equal: Figure  # share of equal grades
    kappa: Figure  # Cohen (1960)
    weighted: Figure  # Cohen (1968), quadratic weights: far apart weighs more


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """All judges with each other."""

    judges: tuple[str, ...]
    graded: Mapping[str, int]  # judge → pairs graded
    equal: Figure  # share of equal grades among all couples of judges, pair by pair
    between: tuple[Between, ...]
    fleiss: Figure  # Fleiss (1971), over the pairs that all judges graded
    alpha: Figure  # Krippendorff, ordinal; judges need not have graded everything


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """A pair on which a judge is far from the settled grade, with what either side said."""

    issue_id: str
    company_id: str
    settled: int
    grade: int
    reason: str  # of the judge, the memo with it
    settled_reason: str  # of those who gave the settled grade; "" where none is known


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One judge against settled grades."""

    judge: str
    pairs: int  # graded by the judge and settled
    unsettled: int  # graded by the judge, but not settled
    equal: Figure
    kappa: Figure
    weighted: Figure
    confusion: tuple[tuple[int, ...], ...]  # rows: settled 0..3; columns: the judge's 0..3
    shift: float | None  # mean of the judge's grade less the settled one; above 0 is mild
    gaps: tuple[Gap, ...]  # two grades apart or more, the widest first


def agreement(judgements: Iterable[Judgement]) -> Agreement:
    """How far the judges agree; decisions and answers without a grade do not count."""
    grades = grades_by_judge(judgements)
    judges = tuple(grades)
    return Agreement(
        judges=judges,
        graded={judge: len(those) for judge, those in grades.items()},
        equal=_equal_couples(grades),
        between=tuple(
            Between(
                judges=(one, other),
                equal=_equal(grades[one], grades[other]),
                kappa=_kappa(grades[one], grades[other]),
                weighted=_kappa(grades[one], grades[other], weights="quadratic"),
            )
            for one, other in combinations(judges, 2)
        ),
        fleiss=_fleiss(grades),
        alpha=_alpha(grades),
    )


def compare(
    judge: str, judgements: Iterable[Judgement], settled: Qrels, *, peers: Iterable[Judgement] = ()
) -> Comparison:
    """One judge's grades beside the settled ones; `peers` lend the reasons of the other side."""
    said = [one for one in judgements if one.judge == judge]
    own = grades_by_judge(said).get(judge, {})
    flat = {(i, c): grade for i, grades in settled.items() for c, grade in grades.items()}
    common = sorted(own.keys() & flat.keys())
    confusion = [[0] * len(_SCALE) for _ in _SCALE]
    for key in common:
        confusion[flat[key]][own[key]] += 1
    shifts = [own[key] - flat[key] for key in common]
    return Comparison(
        judge=judge,
        pairs=len(common),
        unsettled=len(own) - len(common),
        equal=_equal(own, flat),
        kappa=_kappa(own, flat),
        weighted=_kappa(own, flat, weights="quadratic"),
        confusion=tuple(map(tuple, confusion)),
        shift=sum(shifts) / len(shifts) if shifts else None,
        gaps=_gaps(own, flat, said, [one for one in peers if one.judge != judge]),
    )


def reading(value: float | None) -> str:
    """A figure of agreement in plain words, such as 「かなり一致しています」."""
    if value is None:
        return "計算できません"
    if value <= 0:
        return "偶然に一致する程度か、それ以下です"
    found = (words for least, words in _READINGS if value >= least)
    return next(found, "ほとんど一致していません")


def leaning(shift: float | None) -> str:
    """Whether a judge grades above the settled grades (甘い), below (辛い), or alike."""
    if shift is None:
        return "比べられません"
    if abs(shift) < _LEANING:
        return "ほぼ同じ"
    return "甘い" if shift > 0 else "辛い"


def _common(one: Mapping[Key, int], other: Mapping[Key, int]) -> tuple[list[int], list[int]]:
    keys = sorted(one.keys() & other.keys())
    return [one[key] for key in keys], [other[key] for key in keys]


def _equal(one: Mapping[Key, int], other: Mapping[Key, int]) -> Figure:
    ours, theirs = _common(one, other)
    if not ours:
        return Figure(value=None, pairs=0, why=NO_PAIR)
    same = sum(a == b for a, b in zip(ours, theirs, strict=True))
    return Figure(value=same / len(ours), pairs=len(ours))


def _kappa(
    one: Mapping[Key, int], other: Mapping[Key, int], *, weights: str | None = None
) -> Figure:
    ours, theirs = _common(one, other)
    why = _undefined([ours, theirs])
    if why:
        return Figure(value=None, pairs=len(ours), why=why)
    from sklearn.metrics import cohen_kappa_score  # a second to import

    # All four labels, or grades that nobody gave would bring the others nearer to each other.
    value = cohen_kappa_score(ours, theirs, labels=_SCALE, weights=weights)
    return Figure(value=float(value), pairs=len(ours))


def _undefined(columns: Sequence[Sequence[int]]) -> str:
    """Why chance cannot be told from agreement here, or ""."""
    seen = {grade for column in columns for grade in column}
    return NO_PAIR if not seen else ONE_GRADE if len(seen) == 1 else ""


def _shared(grades: Mapping[str, Mapping[Key, int]]) -> list[list[int]]:
    """The grades of each pair that two or more judges graded, in the order of pairs."""
    keys = sorted({key for those in grades.values() for key in those})
    said = ([those[key] for those in grades.values() if key in those] for key in keys)
    return [each for each in said if len(each) > 1]


def _equal_couples(grades: Mapping[str, Mapping[Key, int]]) -> Figure:
    units = _shared(grades)
    couples = [a == b for each in units for a, b in combinations(each, 2)]
    if not couples:
        return Figure(value=None, pairs=0, why=_too_few(grades))
    return Figure(value=sum(couples) / len(couples), pairs=len(units))


def _fleiss(grades: Mapping[str, Mapping[Key, int]]) -> Figure:
    units = [each for each in _shared(grades) if len(each) == len(grades)]
    why = _undefined(units) if len(grades) > 1 and units else _too_few(grades)
    if why:
        return Figure(value=None, pairs=len(units), why=why)
    import numpy as np
    from statsmodels.stats.inter_rater import fleiss_kappa  # a second to import

    table = np.array([[each.count(grade) for grade in _SCALE] for each in units])
    return Figure(value=float(fleiss_kappa(table)), pairs=len(units))


def _alpha(grades: Mapping[str, Mapping[Key, int]]) -> Figure:
    units = _shared(grades)
    why = _undefined(units) if units else _too_few(grades)
    if why:
        return Figure(value=None, pairs=len(units), why=why)
    import krippendorff
    import numpy as np

    counts = np.array([[each.count(grade) for grade in _SCALE] for each in units])
    value = krippendorff.alpha(
        value_counts=counts, value_domain=_SCALE, level_of_measurement="ordinal"
    )
    return Figure(value=float(value), pairs=len(units))


def _too_few(grades: Mapping[str, Mapping[Key, int]]) -> str:
    return NO_PAIR if len(grades) > 1 else ONE_JUDGE


def _gaps(
    own: Mapping[Key, int],
    settled: Mapping[Key, int],
    said: Sequence[Judgement],
    peers: Sequence[Judgement],
) -> tuple[Gap, ...]:
    far = [key for key in own.keys() & settled.keys() if abs(own[key] - settled[key]) >= _FAR]
    return tuple(
        Gap(
            issue_id=key[0],
            company_id=key[1],
            settled=settled[key],
            grade=own[key],
            reason=_remarks(said, key, own[key]),
            settled_reason=_remarks(peers, key, settled[key]),
        )
        for key in sorted(far, key=lambda key: (-abs(own[key] - settled[key]), key))
    )


def _remarks(judgements: Iterable[Judgement], key: Key, grade: int) -> str:
    """Reasons and memos of those who gave a pair this grade; a decision speaks first."""
    those = [one for one in judgements if one.key == key and one.grade == grade]
    those.sort(key=lambda one: (one.judge != DECIDED, one.judge, one.reason, one.memo))
    told = ("：".join(filter(None, (one.reason, one.memo))) for one in those)
    return "／".join(dict.fromkeys(filter(None, told)))
