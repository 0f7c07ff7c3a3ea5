"""How one filtered query's time grows with the corpus: the product and FAISS's inverted lists.

    python benchmarks/bench_scaling.py                    # 10,000 and 50,000 rows
    python benchmarks/bench_scaling.py --full             # 10,000, 100,000, 200,000, a million
    python benchmarks/bench_scaling.py --five-million     # ours alone, from memory-mapped files

The same kind of questions at each size (stratified, so their filters let the same shares through),
each peer tuned anew at each size. Run it on a machine that does nothing else.
"""

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import corpora
import libraries
import numpy as np
import ours
import standings
from conditions import conditions, read, save
from contest import Contest
from ground import Ground, lay
from peers import Contestant

SEED, K, SAMPLES, TUNING, ASKED, ROUNDS, PATIENCE = 1, 10, 400, 120, 400, 3, 4.0
SHORT, FULL, LARGEST = (10_000, 50_000), (10_000, 100_000, 200_000, 1_000_000), 5_000_000
FEWER, MORE = 200_000, 1_000_000  # between which growth is told
LISTS = "FAISS IVF,Flat"  # the fastest of its family at a million rows


def main() -> None:
    """Prints the table and writes `results/bench_scaling.json`."""
    parser = argparse.ArgumentParser(description="Time of a query by size of the corpus.")
    parser.add_argument("--full", action="store_true", help="10,000 to a million rows")
    parser.add_argument("--five-million", action="store_true", help="five million rows, ours alone")
    given = parser.parse_args()
    sizes = FULL if given.full else (LARGEST,) if given.five_million else SHORT
    lists = [one for one in libraries.CONTESTANTS if one.label == LISTS]
    for size in sizes:
        told = conditions()
        peers = [] if size == LARGEST else lists
        found = measured(size, [*ours.CONTESTANTS, *peers])
        save("bench_scaling", {f"{size} rows": {**told, "contestants": found}})
    kept = read("bench_scaling")
    grown = growth(kept, FEWER, MORE)
    if grown:
        save("bench_scaling", {"growth": {"from": FEWER, "to": MORE, "times": grown}})
        print(f"\n{FEWER:,} → {MORE:,} rows, mean time of a query")
        for label, times in grown.items():
            print(f"{label:<44}{times:>8} ×")


def measured(size: int, contestants: Sequence[Contestant]) -> dict[str, Any]:
    """What each reached at a size, tuned for it."""
    with tempfile.TemporaryDirectory() as folder:
        with Contest(laid(Path(folder), size)) as held:
            held.enter(contestants)
            found = held.hold("stratified", "tuning", k=K, rounds=ROUNDS, patience=PATIENCE)
        standings.show(f"{size:,} rows, stratified questions, k = {K}", found)
    return found


def laid(folder: Path, size: int) -> Ground:
    """A synthetic corpus with its questions in a folder; the process lets go of it."""
    corpus, vectors = corpora.synthetic(size, SEED, queries=SAMPLES + TUNING + ASKED)
    samples, tuning, asked = np.split(vectors, np.cumsum([SAMPLES, TUNING]))
    sets = {
        "tuning": corpora.stratified(corpus, tuning, SEED + 1),
        "stratified": corpora.stratified(corpus, asked, SEED + 2),
    }
    return lay(folder, corpus, samples, sets)


def growth(result: dict[str, Any], fewer: int, more: int) -> dict[str, float]:
    """How many times as long a query takes with more rows, by contestant."""
    one, other = (result.get(f"{size} rows", {}).get("contestants", {}) for size in (fewer, more))
    return {
        label: round(other[label]["mean ms"] / one[label]["mean ms"], 2)
        for label in one
        if label in other
    }


if __name__ == "__main__":
    main()
