"""What an answer is worth: recall, what is missing, what should not be there, and how long it took.

Truth is brute force over every eligible row. A row counts as found if it scores what the k-th best
does, up to the rounding of float32: which of two equals comes back is nobody's fault.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil
from typing import Any

import numpy as np
from corpora import Corpus, Question, eligible
from numpy.typing import NDArray
from peers import Option

from matcher.types import Rows, Scores

BANDS = (0.0, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0)  # shares of the corpus that a filter lets through
WORST = 0.01
ENOUGH = 0.99  # recall at which speeds are compared
_TIE = 1e-6
_SPARE = 10  # rows beyond the k-th by float32, among which float64 decides
_BLOCK = 32_768

Seconds = NDArray[np.float64]  # (rounds, questions)


@dataclass(frozen=True, slots=True, eq=False)
class Exact:
    """The true answer to a question."""

    eligible: int
    rows: Rows  # best first, no more than were asked for
    scores: Scores


@dataclass(frozen=True, slots=True)
class Mark:
    """What one answer is worth; who has nobody to find has found everybody."""

    recall: float
    is_short: bool  # fewer eligible rows than there are, or than k
    violations: int  # rows that are not eligible, or there twice


@dataclass(frozen=True, slots=True)
class Trial:
    """A configuration on the questions for tuning."""

    options: Mapping[str, Option]
    recall: float
    seconds: float  # a question, on average


def truth(corpus: Corpus, questions: Sequence[Question], k: int) -> list[Exact]:
    """The first k eligible rows of each question, by float64 among the first by float32."""
    queries = np.array([one.vector for one in questions], dtype=np.float32)
    found: list[tuple[Rows, NDArray[np.float32]]]
    found = [(np.zeros(0, np.int64), np.zeros(0, np.float32)) for _ in questions]
    counts = [0] * len(questions)
    for start in range(0, len(corpus), _BLOCK):
        rows = np.arange(start, min(start + _BLOCK, len(corpus)))
        some = part(corpus, slice(start, start + _BLOCK))
        products = queries @ some.vectors.T
        for at, question in enumerate(questions):
            allowed = np.flatnonzero(eligible(some, question.constraint))
            counts[at] += len(allowed)
            former, scores = found[at]
            merged = np.append(former, rows[allowed]), np.append(scores, products[at, allowed])
            found[at] = _first(*merged, k + _SPARE)
    return [
        _exact(corpus, question, count, rows, k)
        for question, count, (rows, _) in zip(questions, counts, found, strict=True)
    ]


def part(corpus: Corpus, rows: Rows | slice) -> Corpus:
    """Some rows of a corpus."""
    return Corpus(
        vectors=corpus.vectors[rows],
        headquarters=corpus.headquarters[rows],
        serves=corpus.serves[rows],
        goals=corpus.goals[rows],
    )


def mark(corpus: Corpus, question: Question, exact: Exact, rows: Rows, k: int) -> Mark:
    """The mark of an answer; `exact` holds at least k rows, or all that are eligible."""
    kept, wanted = _kept(corpus, question, rows), min(k, exact.eligible)
    if not wanted:
        return Mark(1.0, False, len(rows) - len(kept))
    reached = np.count_nonzero(_scores(corpus, question, kept) >= exact.scores[wanted - 1] - _TIE)
    return Mark(min(int(reached), wanted) / wanted, len(kept) < wanted, len(rows) - len(kept))


def short_or_wrong(
    corpus: Corpus, question: Question, allowed: int, rows: Rows, k: int
) -> tuple[bool, int]:
    """Under-fill and violations of an answer alone, `allowed` rows being eligible."""
    kept = _kept(corpus, question, rows)
    return len(kept) < min(k, allowed), len(rows) - len(kept)


def is_exactly(corpus: Corpus, question: Question, exact: Exact, rows: Rows) -> bool:
    """Whether an answer has the scores of the true one, place by place, to the twelfth decimal."""
    scores = _scores(corpus, question, rows)
    return len(rows) == len(exact.rows) and bool(np.allclose(scores, exact.scores, 0, 1e-12))


def report(given: Sequence[Mark], shares: Sequence[float]) -> dict[str, Any]:
    """Recall in all and by band, and the other two, over questions of these selectivities."""
    recall, share = np.array([one.recall for one in given]), np.array(shares)
    bands = [
        {
            "over": low,
            "to": high,
            "questions": int(inside.sum()),
            "recall": _rounded(recall[inside]),
        }
        for low, high in pairwise(BANDS)
        if (inside := (share > low) & (share <= high)).any()
    ]
    return {
        "recall": _rounded(recall),
        "recall of the worst 1 %": _rounded(np.sort(recall)[: ceil(WORST * len(recall))]),
        "recall, 1st percentile": round(float(np.quantile(recall, WORST, method="lower")), 4),
        "under-fill": round(float(np.mean([one.is_short for one in given])), 4),
        "violations": sum(one.violations for one in given),
        "bands": bands,
    }


def speed(seconds: Seconds) -> dict[str, Any]:
    """Rate (median of the rounds) and times; a question's time is the median of its rounds."""
    rates = 1 / seconds.mean(axis=1)
    usual = 1000 * np.median(seconds, axis=0)
    return {
        "queries per second": figure(float(np.median(rates))),
        "rounds": [figure(float(rate)) for rate in rates],
        "mean ms": figure(float(usual.mean())),
        "p50 ms": figure(float(np.quantile(usual, 0.5))),
        "p99 ms": figure(float(np.quantile(usual, 0.99))),
    }


def times_faster(ours: Seconds, theirs: Seconds) -> float:
    """How many times as fast ours is on the same questions: the median of the rounds."""
    return figure(float(np.median(theirs.sum(axis=1) / ours.sum(axis=1))))


def best(trials: Iterable[Trial], least: float) -> Trial:
    """The fastest of those with enough recall; where none has, the one with the most."""
    found = list(trials)
    enough = [one for one in found if one.recall >= least]
    if enough:
        return min(enough, key=lambda one: one.seconds)
    return max(found, key=lambda one: (one.recall, -one.seconds))


def promising(trials: Iterable[Trial], least: float, count: int) -> list[Trial]:
    """All with enough recall, the fastest first; where none has, the `count` with the most."""
    found = list(trials)
    enough = [one for one in found if one.recall >= least]
    if enough:
        return sorted(enough, key=lambda one: one.seconds)
    return sorted(found, key=lambda one: (-one.recall, one.seconds))[:count]


def front(trials: Iterable[Trial]) -> list[Trial]:
    """Those that no other beats in both recall and time; recall ascending."""
    kept: list[Trial] = []
    for one in sorted(trials, key=lambda trial: (trial.seconds, -trial.recall)):
        if not kept or one.recall > kept[-1].recall:
            kept.append(one)
    return kept


def figure(value: float) -> float:
    """Four significant digits."""
    return float(f"{value:.4g}")


def _first(rows: Rows, scores: NDArray[np.float32], k: int) -> tuple[Rows, NDArray[np.float32]]:
    if len(rows) <= k:
        return rows, scores
    top = np.argpartition(scores, -k)[-k:]
    return rows[top], scores[top]


def _exact(corpus: Corpus, question: Question, count: int, rows: Rows, k: int) -> Exact:
    rows = np.sort(rows)
    scores = _scores(corpus, question, rows)
    order = np.argsort(-scores, kind="stable")[:k]
    return Exact(count, rows[order], scores[order])


def _kept(corpus: Corpus, question: Question, rows: Rows) -> Rows:
    """The eligible rows of an answer, each once."""
    found = np.unique(rows)
    return found[eligible(part(corpus, found), question.constraint)]


def _scores(corpus: Corpus, question: Question, rows: Rows) -> Scores:
    return corpus.vectors[rows].astype(np.float64) @ question.vector.astype(np.float64)


def _rounded(values: NDArray[np.float64]) -> float:
    return round(float(values.mean()), 4)
