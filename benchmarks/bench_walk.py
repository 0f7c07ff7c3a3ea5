"""What `matcher match` spends on finding candidates for an issue, from its words to the names.

    python benchmarks/bench_walk.py            # 50,000 companies
    python benchmarks/bench_walk.py --full     # a million

Vectors and filters are those of `corpora.real`; texts are generated and stand in the indexes of
words as often as it takes (see `bench_lexical.py`). The walk is `matcher.search.Search` as the
pipeline calls it: words of everyone; for the reader the first twenty of the catalog and of those
that serve the prefecture; for the list the first ten of those that the rules let through.
"""

import argparse
import os
import time
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from statistics import median

import numpy as np
from bench_lexical import repeated, texts
from conditions import conditions, save
from corpora import Question, natural, real

from matcher import text
from matcher.catalog import Catalog
from matcher.codes import data_folder
from matcher.corpus import read_companies
from matcher.embed import load_encoder
from matcher.index.dense import DenseIndex
from matcher.index.facets import Facets
from matcher.index.lexical import LexicalIndex
from matcher.index.lists import arrange
from matcher.search import Search
from matcher.settings import Settings
from matcher.types import Constraint

CACHE = Path(__file__).parent / ".cache"
_ISSUES = 40


def main() -> None:
    """Print milliseconds an issue, and write `results/bench_walk.json`."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--full", action="store_true", help="a million companies")
    full = arguments.parse_args().full
    size, told = 1_000_000 if full else 50_000, conditions()
    profiles, issues = texts(_ISSUES)
    catalog, questions = large(profiles, size)
    found = {}
    for name, switch in (("machine code", "1"), ("numpy + FAISS", "0")):
        os.environ["MATCHER_NATIVE"] = switch
        catalog = replace(catalog, dense=_again(catalog.dense))
        walked(catalog, issues[:2], questions[:2])  # compiles, and opens what is opened once
        found[name] = walked(catalog, issues, questions)
        print(f"{size:,} companies, {name}, ms an issue: {found[name]}")
    save("bench_walk", {"full" if full else "short": told | {"companies": size} | found})


def large(profiles: Sequence[str], size: int) -> tuple[Catalog, list[Question]]:
    """A catalog of so many companies without their records, and questions to it."""
    small = Catalog.build(read_companies(data_folder() / "companies.csv"), load_encoder())
    corpus, vectors = real(size, 1, CACHE, queries=_ISSUES)
    questions = natural(corpus, vectors, 1)
    laid = arrange(corpus.vectors, corpus.headquarters, corpus.goals)
    order = laid.order
    catalog = replace(
        small,
        companies=small.companies[:1] * size,
        vectors=corpus.vectors[:0],
        dense=DenseIndex.build(corpus.vectors[order], lists=laid.lists),
        words=LexicalIndex.build("words", repeated(map(text.lemmas, profiles), size)),
        bigrams=LexicalIndex.build("bigrams", repeated(map(text.bigrams, profiles), size)),
        facets=Facets.of(
            headquarters=corpus.headquarters[order],
            serves=corpus.serves[order],
            goals=corpus.goals[order],
        ),
        profiles=np.arange(size, dtype=np.uint64),
    )
    return catalog, questions


def walked(
    catalog: Catalog, issues: Sequence[str], questions: Sequence[Question]
) -> dict[str, float]:
    """Median milliseconds of each step."""
    steps: list[list[float]] = []
    for issue, question in zip(issues, questions, strict=True):
        prefecture = question.constraint.prefecture
        serving = catalog.facets.allowed(Constraint(prefecture=prefecture)).bitmap
        allowed = catalog.facets.allowed(question.constraint).bitmap
        marks = [time.perf_counter()]
        search = Search(catalog, issue, question.vector, Settings())
        marks.append(time.perf_counter())
        search.first(20, catalog.facets.everyone)
        search.first(20, serving)
        marks.append(time.perf_counter())
        search.hits(search.first(10, allowed, 0.15))
        marks.append(time.perf_counter())
        steps.append([1000 * (later - sooner) for sooner, later in pairwise(marks)])
    names = ("words of everyone", "whom to read", "who may be listed")
    return {
        name: round(median(some), 2)
        for name, some in zip(names, zip(*steps, strict=True), strict=True)
    }


def _again(index: DenseIndex) -> DenseIndex:
    """The same index, with machine code as the environment says now."""
    return DenseIndex(index.vectors, codes=index.codes, lists=index.lists, moments=index.moments)


if __name__ == "__main__":
    main()
