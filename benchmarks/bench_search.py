"""One filtered query at a time: the product's search beside its peers, and whether it is safe.

    python benchmarks/bench_search.py                 # 50,000 synthetic rows, few peers, a minute
    python benchmarks/bench_search.py --full          # 200,000 rows: all peers; a million: FAISS
    python benchmarks/bench_search.py --full --corpus real --size 1000000     # a part of that

Each part (a corpus of one size) replaces its own section of `results/bench_search.json` when it is
done. Run it on a machine that does nothing else.
"""

import argparse
import tempfile
from pathlib import Path
from typing import Any

import contest
import corpora
import libraries
import marks
import numpy as np
import ours
import standings
from conditions import conditions, save
from contest import Contest, spread
from corpora import Corpus, Question
from ground import Ground, lay
from peers import Contestant

from matcher.types import Vectors

CACHE = Path(__file__).parent / ".cache"
SEED = 1
LARGE = 200_000  # rows beyond which only FAISS and numpy take part
SAMPLES, TUNING, ASKED = 400, 160, 900  # with two of the others: the 2,520 real issues
SHORT = 200, 80, 300
ROUNDS = 3
PATIENCE, SHORT_PATIENCE = 4.0, 1.0  # seconds of a contestant in a round
SETS = (("stratified", 10, ""), ("natural", 10, ""), ("stratified", 100, "matcher"))
FILTERS = {"natural": 5_000, "stratified": 3_000, "nearly empty": 2_000}
EXACTLY = 200  # questions in which exact search is held to brute force
FEW = ("numpy", "FAISS Flat, selector", "FAISS IVF,Flat")
FAST = (
    *(*FEW, "FAISS Flat, filter after"),
    *(f"FAISS IVF,{codes}, ranked again" for codes in ("SQ8", "PQ96", "RaBitQ")),
)


def main() -> None:
    """Prints the tables and writes `results/bench_search.json`."""
    parser = argparse.ArgumentParser(description="One filtered query at a time.")
    parser.add_argument("--full", action="store_true", help="all sizes, both corpora, more peers")
    parser.add_argument("--corpus", nargs="+", choices=("synthetic", "real"))
    parser.add_argument("--size", nargs="+", type=int, help="rows")
    parser.add_argument("--only", default="", help="peers whose name holds this, beside ours")
    given = parser.parse_args()
    kinds = given.corpus or (["synthetic", "real"] if given.full else ["synthetic"])
    for size in given.size or ([200_000, 1_000_000] if given.full else [50_000]):
        for kind in kinds:
            told = conditions()
            found = measured(kind, size, is_full=given.full, only=given.only)
            part = f", only {given.only}" if given.only else ""
            # The README quotes what is not short.
            part += "" if given.full and not given.only else ", short"
            name = f"{kind}, {size:,} rows{part}"
            save("bench_search", {name: {**told, **found}})


def measured(kind: str, size: int, *, is_full: bool, only: str = "") -> dict[str, Any]:
    """What every contestant reached on one corpus, and the safety of ours."""
    contestants = entered(size, is_full=is_full, only=only)
    counts = (SAMPLES, TUNING, ASKED) if is_full else SHORT
    patience = PATIENCE if is_full else SHORT_PATIENCE
    title = f"{kind}, {size:,} rows"
    print(title)
    with tempfile.TemporaryDirectory() as folder:
        ground = laid(Path(folder), kind, size, *counts)
        with Contest(ground) as held:
            held.enter(contestants)
            found: dict[str, Any] = {"peers": standings.versions(contestants), "sets": {}}
            for name, k, only in SETS if is_full else SETS[:1]:
                of = held.hold(
                    name, f"tuning {name}", k=k, rounds=ROUNDS, patience=patience, only=only
                )
                standings.show(f"{title}, {name} questions, k = {k}", of)
                found["sets"][f"{name}, k = {k}"] = of
            found["safety"] = safety(held)
        show_safety(found["safety"])
    return found


def entered(size: int, *, is_full: bool, only: str = "") -> list[Contestant]:
    """Who takes part at a size: who is slow or short of recall stays with the few."""
    peers = contest.EVERYONE[len(ours.CONTESTANTS) :]
    if not is_full:
        peers = tuple(one for one in libraries.CONTESTANTS if one.label in FEW)
    elif size > LARGE:
        peers = tuple(one for one in libraries.CONTESTANTS if one.label in FAST)
    return [*ours.CONTESTANTS, *(one for one in peers if only.lower() in one.label.lower())]


def laid(folder: Path, kind: str, size: int, samples: int, tuning: int, asked: int) -> Ground:
    """The corpus with its questions in a folder; no vector of an issue is in two of the sets."""
    starts = np.cumsum([samples, tuning, tuning, asked])
    corpus, vectors = generated(kind, size, int(starts[-1]) + asked)
    calibrating, *rest = np.split(vectors, starts)
    sets = {
        "tuning stratified": corpora.stratified(corpus, rest[0], SEED + 1),
        "tuning natural": corpora.natural(corpus, rest[1], SEED + 2),
        "stratified": corpora.stratified(corpus, rest[2], SEED + 3),
        "natural": corpora.natural(corpus, rest[3], SEED + 4),
    }
    return lay(folder, corpus, calibrating, {**sets, "safety": risky(corpus, rest[3])})


def generated(kind: str, size: int, queries: int) -> tuple[Corpus, Vectors]:
    """A corpus of one kind, and vectors of issues."""
    if kind == "real":
        return corpora.real(size, SEED, CACHE, queries=queries)
    return corpora.synthetic(size, SEED, queries=queries)


def risky(corpus: Corpus, vectors: Vectors) -> list[Question]:
    """Ten thousand filters of all kinds, a fifth of them nearly empty."""
    makers = {
        "natural": corpora.natural,
        "stratified": corpora.stratified,
        "nearly empty": corpora.nearly_empty,
    }
    return [
        question
        for seed, (name, count) in enumerate(FILTERS.items())
        for question in makers[name](corpus, np.resize(vectors, (count, vectors.shape[1])), seed)
    ]


def safety(held: Contest, k: int = 10) -> dict[str, Any]:
    """Whether ours ever under-fills or returns who is not eligible, and is exact where it says so.

    Scores of exact mode are held to those of brute force, both in float64.
    """
    ground, questions = held.ground, held.ground.questions("safety")
    places = np.arange(len(questions))
    allowed = {
        limits: int(np.count_nonzero(corpora.eligible(ground, limits)))
        for limits in {one.constraint for one in questions}
    }
    few = spread(len(questions), EXACTLY)
    exact = marks.truth(ground, [questions[place] for place in few], k)
    found: dict[str, Any] = {}
    for entry in (one for one in held.entries if one.label.startswith("matcher")):
        _, answers, _ = entry.seat.call("ask", "safety", places, k, entry.grid[0])
        given = [
            marks.short_or_wrong(ground, question, allowed[question.constraint], rows, k)
            for question, rows in zip(questions, answers, strict=True)
        ]
        found[entry.label] = {
            "filters": len(questions),
            "different": len(allowed),
            "under-filled": sum(is_short for is_short, _ in given),
            "violations": sum(wrong for _, wrong in given),
        }
        if entry.contestant.is_exact:
            equal = [
                marks.is_exactly(ground, questions[place], true, answers[place])
                for place, true in zip(few, exact, strict=True)
            ]
            found[entry.label] |= {"compared": len(few), "equal to brute force": sum(equal)}
    return found


def show_safety(found: dict[str, dict[str, int]]) -> None:
    """The figures of each mode."""
    for label, one in found.items():
        print(f"{label}: " + ", ".join(f"{name} {value:,}" for name, value in one.items()))


if __name__ == "__main__":
    main()
