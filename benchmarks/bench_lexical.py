"""What words cost beside meaning: BM25 of an issue over very many companies, under its filter.

    python benchmarks/bench_lexical.py            # 50,000 companies
    python benchmarks/bench_lexical.py --full     # a million

Texts are generated, 5,000 different ones, and stand in the index as often as it takes: the lists of
documents are as long as in a corpus of that size, and that is what a query costs. Words repeat more
in generated texts than in life, so the lists are too long rather than too short.
"""

import argparse
import csv
import os
import resource
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from random import Random
from statistics import median
from typing import Any

import bm25s
import generate
import numpy as np
from conditions import conditions, save
from corpora import stratified, synthetic

from matcher import text
from matcher.index.facets import Facets
from matcher.index.lexical import LexicalIndex

_TEXTS, _ISSUES, _K = 5_000, 30, 10
Tokens = Sequence[str]
Row = dict[str, float]


def main() -> None:
    """Measure words and bigrams, print the table, write the result."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--full", action="store_true", help="a million companies")
    full = arguments.parse_args().full
    size, told = 1_000_000 if full else 50_000, conditions()
    profiles, issues = texts(_ISSUES)
    found = {
        source: measured(source, map(cut, profiles), list(map(cut, issues)), size)
        for source, cut in (("words", text.lemmas), ("bigrams", text.bigrams))
    }
    show(size, found)
    save("bench_lexical", {"full" if full else "short": told | {"companies": size} | found})


def texts(issues: int) -> tuple[list[str], list[str]]:
    """The 5,000 profiles, and so many issues."""
    with tempfile.TemporaryDirectory() as folder:
        generate.write_companies(Path(folder) / "companies.csv", _TEXTS, seed=1)
        generate.write_issues(Path(folder) / "issues.csv", issues, seed=1)
        return (
            _column(Path(folder) / "companies.csv", "profile"),
            _column(Path(folder) / "issues.csv", "description"),
        )


def repeated(profiles: Iterable[Tokens], size: int) -> list[Tokens]:
    """So many documents, each one of the profiles."""
    rng, different = Random(1), list(profiles)
    return [different[rng.randrange(len(different))] for _ in range(size)]


def measured(source: str, profiles: Iterable[Tokens], issues: Sequence[Tokens], size: int) -> Row:
    """Seconds and bytes of the index, and milliseconds of its searches (median of the issues)."""
    documents = repeated(profiles, size)
    built, index = _seconds(lambda: LexicalIndex.build(source, documents))
    with tempfile.TemporaryDirectory() as folder:
        index.save(Path(folder) / source)
        opened, index = _seconds(lambda: LexicalIndex.load(source, size, Path(folder) / source))
        held = sum(path.stat().st_size for path in (Path(folder) / source).iterdir())
        peer = bm25s.BM25.load(Path(folder) / source)
        known = [[token for token in issue if index.frequency(token)] for issue in issues]
        corpus, vectors = synthetic(size, 1, dim=8, queries=len(issues))
        facets = Facets.of(
            headquarters=corpus.headquarters, serves=corpus.serves, goals=corpus.goals
        )
        filters = [facets.allowed(one.constraint).bitmap for one in stratified(corpus, vectors, 1)]
        times: dict[str, list[float]] = {}
        for _ in range(2):  # the first round opens the files and compiles
            for issue, allowed in zip(known, filters, strict=True):
                for name, switch, search in (
                    ("numpy", "0", partial(index.everywhere, issue)),
                    ("machine code", "1", partial(index.everywhere, issue)),
                    ("first ten under a filter", "1", partial(index.search, issue, _K, allowed)),
                    ("bm25s get_scores", "1", partial(peer.get_scores, list(issue))),
                ):
                    os.environ["MATCHER_NATIVE"] = switch
                    times.setdefault(name, []).append(1000 * _seconds(search)[0])
        postings = [sum(map(index.frequency, set(issue))) for issue in issues]
    return {
        "seconds to build": round(built, 1),
        "seconds to open": round(opened, 3),
        "gigabytes on disk": round(held / 1e9, 2),
        "peak gigabytes": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 1),
        "tokens of an issue": median(len(set(issue)) for issue in issues),
        "million postings of an issue": round(float(np.median(postings)) / 1e6, 2),
        **{f"{name}, ms": round(median(some[_ISSUES:]), 2) for name, some in times.items()},
    }


def show(size: int, found: dict[str, Row]) -> None:
    """The figures of each index side by side."""
    print(f"{size:,} companies" + "".join(f"{source:>12}" for source in found))
    for name in next(iter(found.values())):
        print(f"{name:<32}" + "".join(f"{row[name]:>12}" for row in found.values()))


def _column(path: Path, name: str) -> list[str]:
    with path.open(encoding="utf-8", newline="") as file:
        return [text.normalise(row[name]) for row in csv.DictReader(file)]


def _seconds(work: Callable[[], Any]) -> tuple[float, Any]:
    started = time.perf_counter()
    result = work()
    return time.perf_counter() - started, result


if __name__ == "__main__":
    main()
