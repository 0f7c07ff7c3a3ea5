"""How long an evaluation takes: 10,000 issues × 100 candidates, 10,000 bootstrap samples.

Beside it what the libraries take alone for the measures, and a comparison with two more runs, with
its tests and their correction. The corpus is made of a seed: scores without order, ten judgements
an issue of which five are listed. Run it: `python benchmarks/bench_evaluate.py`.
"""

import resource
import time
from collections.abc import Callable

import ir_measures
import numpy as np
from conditions import conditions, save

from matcher.evaluation import MEASURES, evaluate
from matcher.types import Qrels, Run

ISSUES, CANDIDATES, COMPANIES = 10_000, 100, 5_000
RESAMPLES = 10_000
TARGET = 60.0  # seconds on two cores


def main() -> None:
    """Prints the table and writes `results/bench_evaluate.json`."""
    told, rng = conditions(), np.random.default_rng(1)
    run, qrels = made(rng)
    others = {"second": shaken(run, rng), "third": shaken(run, rng)}
    measures = [ir_measures.parse_measure(name) for name in MEASURES]
    seconds = {
        "ir-measures, values alone": timed(
            lambda: list(ir_measures.iter_calc(measures, qrels, run))
        ),
        "evaluate": timed(lambda: evaluate(run, qrels, resamples=RESAMPLES)),
        "evaluate, two comparisons": timed(
            lambda: evaluate(run, qrels, others=others, resamples=RESAMPLES)
        ),
    }
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    for name, taken in seconds.items():
        print(f"{name:<28}{taken:7.1f} s")
    print(f"peak {peak:,.0f} MiB")
    told |= {"issues": ISSUES, "candidates": CANDIDATES, "resamples": RESAMPLES}
    save("bench_evaluate", told | {"seconds": seconds, "peak_mib": peak, "target_s": TARGET})


def made(rng: np.random.Generator) -> tuple[Run, Qrels]:
    """A run and judgements of this size."""
    run: dict[str, dict[str, float]] = {}
    qrels: dict[str, dict[str, int]] = {}
    for number in range(ISSUES):
        companies = rng.choice(COMPANIES, CANDIDATES, replace=False)
        run[f"i{number}"] = {f"c{one}": float(rng.random()) for one in companies}
        judged = [*companies[:5], *rng.integers(0, COMPANIES, 5)]
        qrels[f"i{number}"] = {f"c{one}": int(rng.integers(0, 4)) for one in judged}
    return run, qrels


def shaken(run: Run, rng: np.random.Generator) -> Run:
    """The run with every score moved a little."""
    return {
        issue: {one: score + 0.1 * float(rng.normal()) for one, score in scores.items()}
        for issue, scores in run.items()
    }


def timed(work: Callable[[], object]) -> float:
    """Seconds that it takes."""
    start = time.perf_counter()
    work()
    return round(time.perf_counter() - start, 2)


if __name__ == "__main__":
    main()
