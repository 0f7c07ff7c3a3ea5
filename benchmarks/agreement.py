"""How far two readings of the same lists agree: fifty issues, forty candidates each.

The second reader saw the same candidates in the same order and nothing of the first. Intervals are
bootstrapped over issues. Run it: `python benchmarks/agreement.py`.
"""

from collections.abc import Callable, Mapping

import numpy as np
import written
from conditions import conditions, save
from numpy.typing import NDArray
from sklearn.metrics import cohen_kappa_score

GRADES = (0, 1, 2, 3)
PLAUSIBLE = 2  # the grade from which a candidate is worth a meeting
_DRAWS, _SEED = 500, 7

Grades = NDArray[np.int64]
Measure = Callable[[Grades, Grades], float]


def main() -> None:
    """Prints the agreement and writes `results/agreement.json`."""
    told, (first, second) = conditions(), readings()
    found = {name: interval(measure, first, second) for name, measure in MEASURES.items()}
    for name, (value, low, high) in found.items():
        print(f"{name:<38}{value:.3f} [{low:.3f}, {high:.3f}]")
    table = confusion(first, second)
    print("\nfirst \\ second" + "".join(f"{grade:>7}" for grade in GRADES))
    for grade, row in zip(GRADES, table, strict=True):
        print(f"{grade:>14}" + "".join(f"{count:>7}" for count in row))
    told |= {"issues": len(first), "candidates": int(first.size), "confusion": table}
    save("agreement", told | {"agreement": found})


def readings() -> tuple[Grades, Grades]:
    """The grades of both readers, (issues, candidates) each."""
    second = by_issue(written.SECOND)
    first = by_issue(written.GRADED)
    pairs = [(first[issue], found) for issue, found in second.items()]
    return (
        np.array([[one[company] for company in other] for one, other in pairs]),
        np.array([list(other.values()) for _, other in pairs]),
    )


def by_issue(name: str) -> dict[str, dict[str, int]]:
    """The grades of a reading by issue and company."""
    found: dict[str, dict[str, int]] = {}
    for one in written.gradings(name):
        found.setdefault(one.issue_id, {})[one.company_id] = one.grade
    return found


def kappa(first: Grades, second: Grades) -> float:
    """Cohen's kappa with quadratic weights."""
    labels = list(GRADES)
    return float(
        cohen_kappa_score(first.ravel(), second.ravel(), labels=labels, weights="quadratic")
    )


def plausible_kappa(first: Grades, second: Grades) -> float:
    """Cohen's kappa on grade 2 and 3 against 0 and 1."""
    return float(
        cohen_kappa_score(first.ravel() >= PLAUSIBLE, second.ravel() >= PLAUSIBLE, labels=[0, 1])
    )


def exact(first: Grades, second: Grades) -> float:
    """Share of candidates with the same grade."""
    return float((first == second).mean())


def exact_unless_both_zero(first: Grades, second: Grades) -> float:
    """The same where at least one reader saw something: the many strangers are easy."""
    seen = (first > 0) | (second > 0)
    return float((first == second)[seen].mean())


def within_one(first: Grades, second: Grades) -> float:
    """Share of candidates whose grades are at most one apart."""
    return float((np.abs(first - second) <= 1).mean())


def plausible(first: Grades, second: Grades) -> float:
    """Share of candidates on the same side of grade 2."""
    return float(((first >= PLAUSIBLE) == (second >= PLAUSIBLE)).mean())


MEASURES: Mapping[str, Measure] = {
    "quadratic weighted kappa": kappa,
    "same grade": exact,
    "same grade, unless both gave 0": exact_unless_both_zero,
    "at most one grade apart": within_one,
    "same side of grade 2": plausible,
    "same side of grade 2, kappa": plausible_kappa,
}


def interval(measure: Measure, first: Grades, second: Grades) -> tuple[float, float, float]:
    """The measure with its 95 % interval over issues."""
    rng = np.random.default_rng(_SEED)
    drawn = rng.integers(0, len(first), (_DRAWS, len(first)))
    values = [measure(first[rows], second[rows]) for rows in drawn]
    low, high = np.percentile(values, (2.5, 97.5))
    return measure(first, second), float(low), float(high)


def confusion(first: Grades, second: Grades) -> list[list[int]]:
    """How often the first reader's grade met each of the second's."""
    return [[int(((first == a) & (second == b)).sum()) for b in GRADES] for a in GRADES]


if __name__ == "__main__":
    main()
