"""Ten thousand issues at once over a million companies: exact, by tiles, beside one by one.

    python benchmarks/bench_batch.py           # 500 issues × 50,000 companies
    python benchmarks/bench_batch.py --full    # 10,000 × 1,000,000

Every contestant has the same threads. The batch is run whole; who would need minutes answers every
so many issues, and its seconds are scaled, which is said. Run it on a machine that does nothing
else.
"""

import argparse
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from statistics import median
from typing import Any

import contest
import corpora
import marks
import numpy as np
import ours
from conditions import conditions, save
from contest import Seat, spread
from ground import Ground, lay
from marks import Exact
from peers import Filters, best
from workers import Worker

from matcher.index import batch
from matcher.types import Rows

SEED, K, THREADS, ROUNDS = 1, 10, 2, 3
SAMPLES = 400  # for calibration
JUDGED = 500  # issues whose answers are held to brute force
SCALED = 200  # issues for who would need minutes
_DENSE = 64  # issues of a dense product: their scores take 256 MB over a million companies
_PEAK = (512, 1024, 2048, 4096)  # companies of a tile, by as many issues
FLAT, ISSUES = "FAISS Flat, selector", "issues"


class Desk(Seat):
    """Where issues come in piles: a seat that answers many at once."""

    def together(self, name: str, k: int) -> tuple[list[Rows], float]:
        """The answers of a batch to all questions of a set, and its seconds."""
        asked = self.ground.questions(name)
        vectors = np.array([one.vector for one in asked])
        constraints = [one.constraint for one in asked]
        mine: ours.Ours = self.peer
        started = time.perf_counter()
        hits = batch.search(mine.index, mine.facets, vectors, constraints, k, threads=self.threads)
        seconds = time.perf_counter() - started
        return [mine.order[one.rows] for one in hits], seconds

    def pairs(self, name: str) -> int:
        """How many pairs of issue and company the batch multiplies."""
        constraints = [one.constraint for one in self.ground.questions(name)]
        return batch.pairs(self.peer.facets, constraints)

    def one_by_one(
        self, name: str, places: Rows, k: int, options: dict[str, Any]
    ) -> tuple[list[Rows], float]:
        """The answers of single searches, as many at once as there are threads."""
        asked, peer = self.ground.questions(name), self.peer.configured(**options)

        def answer(place: int) -> Rows:
            return peer.search(asked[place].vector, asked[place].constraint, k)

        with ThreadPoolExecutor(self.threads) as pool:
            list(pool.map(answer, places[:20]))
            started = time.perf_counter()
            return list(pool.map(answer, places)), time.perf_counter() - started

    def dense(self, name: str, places: Rows, k: int) -> tuple[list[Rows], float]:
        """Numpy's: every pair multiplied, the mask, the k best."""
        asked, filters = self.ground.questions(name), Filters(self.ground)
        answers: list[Rows] = []
        started = time.perf_counter()
        for start in range(0, len(places), _DENSE):
            some = [asked[place] for place in places[start : start + _DENSE]]
            scores = np.array([one.vector for one in some]) @ self.ground.vectors.T
            for question, line in zip(some, scores, strict=True):
                rows = np.flatnonzero(filters.mask(question.constraint))
                answers.append(best(rows, line[rows], k))
        return answers, time.perf_counter() - started

    def peak(self, seconds: float = 1.0) -> float:
        """GFLOP/s of the fastest sgemm of this process's BLAS, with all its threads."""
        dim, fastest = self.ground.vectors.shape[1], 0.0
        rng = np.random.default_rng(SEED)
        for side, depth in (*((side, dim) for side in _PEAK), *((side, side) for side in _PEAK)):
            one, other = (rng.random((side, depth), dtype=np.float32) for _ in range(2))
            until = time.perf_counter() + seconds / len(_PEAK)
            while (started := time.perf_counter()) < until:
                one @ other.T
                flops = 2 * side * side * depth / (time.perf_counter() - started)
                fastest = max(fastest, flops)
        return round(fastest / 1e9, 1)


def main() -> None:
    """Prints the table and writes `results/bench_batch.json`."""
    parser = argparse.ArgumentParser(description="Very many issues at once.")
    parser.add_argument("--full", action="store_true", help="10,000 issues, a million companies")
    is_full = parser.parse_args().full
    issues, companies = (10_000, 1_000_000) if is_full else (500, 50_000)
    told = conditions()
    with tempfile.TemporaryDirectory() as folder:
        found = measured(Path(folder), issues, companies)
    show(found)
    save("bench_batch", {f"{issues} x {companies}": {**told, **found}})


@dataclass(frozen=True, slots=True, eq=False)
class Pile:
    """The issues, and what is true of some of them."""

    ground: Ground
    truth: dict[int, Exact]  # by place

    @classmethod
    def of(cls, ground: Ground) -> "Pile":
        """The issues of a ground, `JUDGED` of them with their true answers."""
        questions = ground.questions(ISSUES)
        places = spread(len(questions), JUDGED).tolist()
        exact = marks.truth(ground, [questions[place] for place in places], K)
        return cls(ground, dict(zip(places, exact, strict=True)))

    def row(self, places: Rows, answers: list[Rows], seconds: float) -> dict[str, Any]:
        """A contestant's row: seconds for all issues, and what is wrong with the judged answers."""
        questions = self.ground.questions(ISSUES)
        given = [
            marks.mark(self.ground, questions[place], self.truth[place], rows, K)
            for place, rows in zip(places.tolist(), answers, strict=True)
            if place in self.truth
        ]
        return {
            "seconds": marks.figure(seconds * len(questions) / len(places)),
            "measured issues": len(places),
            "judged issues": len(given),
            "recall": round(float(np.mean([one.recall for one in given])), 5),
            "under-filled": sum(one.is_short for one in given),
            "violations": sum(one.violations for one in given),
        }


def measured(folder: Path, issues: int, companies: int) -> dict[str, Any]:
    """Seconds, recall and share of the peak of each."""
    corpus, vectors = corpora.synthetic(companies, SEED, queries=SAMPLES + issues)
    questions = corpora.natural(corpus, vectors[SAMPLES:], SEED)
    pile = Pile.of(lay(folder, corpus, vectors[:SAMPLES], {ISSUES: questions}))
    del corpus
    some = np.array(list(pile.truth))[spread(len(pile.truth), SCALED)]
    with seated(ours.MACHINE, folder) as machine, seated(ours.NUMPY, folder) as plain:
        peak, pairs = plain.call("peak"), plain.call("pairs", ISSUES)
        found = ours_in_turn(pile, {"machine code": machine, "numpy": plain})
        dense = plain.call("dense", ISSUES, some, K)
        found["numpy: product, mask, argpartition"] = pile.row(some, *dense)
    with seated(FLAT, folder) as flat:
        options = {"selector": "array", "cached": True}
        single = flat.call("one_by_one", ISSUES, some, K, options)
        found["FAISS Flat + IDSelectorArray, filters cached"] = pile.row(some, *single)
    for name in (name for name in found if "batch" in name):
        reached = 2 * vectors.shape[1] * pairs / found[name]["seconds"] / 1e9
        found[name]["share of the sgemm peak"] = round(reached / peak, 3)
    return {
        "issues": issues,
        "companies": companies,
        "k": K,
        "threads": THREADS,
        "sgemm peak, GFLOP/s": peak,
        "pairs touched": pairs,
        "of all pairs": round(pairs / issues / companies, 4),
        "contestants": found,
    }


def ours_in_turn(pile: Pile, desks: dict[str, Worker]) -> dict[str, Any]:
    """Batch and single searches of each desk, round by round; seconds are the median's."""
    places = np.arange(len(pile.ground.questions(ISSUES)))
    ways = {
        "batch": ("together", ISSUES, K),
        "one by one": ("one_by_one", ISSUES, places, K, {}),
    }
    answers: dict[str, list[Rows]] = {}
    seconds: dict[str, list[float]] = {}
    for _ in range(1 + ROUNDS):  # the first compiles, and maps what is not in memory yet
        for (label, desk), (way, asked) in product(desks.items(), ways.items()):
            answers[name := f"matcher, {way} ({label})"], took = desk.call(*asked)
            seconds.setdefault(name, []).append(took)
    return {
        name: {
            **pile.row(places, answers[name], median(took[1:])),
            "rounds": [marks.figure(one) for one in took[1:]],
        }
        for name, took in seconds.items()
    }


def seated(label: str, folder: Path) -> Worker:
    """A desk in a process of its own, its contestant built."""
    variables = next(one for one in contest.EVERYONE if one.label == label).variables
    desk = Worker(Desk, folder, label, THREADS, threads=THREADS, variables=variables)
    print(f"  {label}: built in {desk.call('build')['build seconds']} s")
    return desk


def show(found: dict[str, Any]) -> None:
    """The contestants, the fastest first."""
    print(f"\n{found['issues']:,} issues × {found['companies']:,} companies, k = {K}, ", end="")
    print(f"{THREADS} threads; sgemm peak {found['sgemm peak, GFLOP/s']} GFLOP/s, ", end="")
    print(f"{found['of all pairs']:.1%} of the pairs multiplied in a batch")
    print(f"{'contestant':<48}{'seconds':>9}{'recall':>9}{'of peak':>9}{'measured':>10}")
    for name, one in sorted(found["contestants"].items(), key=lambda item: item[1]["seconds"]):
        share = one.get("share of the sgemm peak", "")
        print(f"{name:<48}{one['seconds']:>9g}{one['recall']:>9.4f}", end="")
        print(f"{share and f'{share:.1%}':>9}{one['measured issues']:>10,}")


if __name__ == "__main__":
    main()
