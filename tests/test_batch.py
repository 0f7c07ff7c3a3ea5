from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vector_examples import DIMS, SEEDS, SIZES, machine_code, made, unit

from matcher.index import batch
from matcher.index.facets import NATIONWIDE, Facets
from matcher.types import Constraint

PREFECTURES = (0, 8, 13, 14, 23, 47)
GOALS = (3, 4, 11, 13)
CONSTRAINTS = st.builds(
    lambda region_rule, prefecture, sdg_rule, sdgs: Constraint(
        region_rule=region_rule,
        prefecture=f"{prefecture:02d}" if prefecture else "",
        sdg_rule=sdg_rule,
        sdgs=sdgs,
    ),
    st.sampled_from(["serves", "prefecture", "block", "any"]),
    st.sampled_from(PREFECTURES),
    st.sampled_from(["prefer", "any", "all", "ignore"]),
    st.frozensets(st.sampled_from(GOALS), max_size=3),
)


def some_facets(rng, size):
    """Facets of so few values that filters let some rows through."""
    serves = np.zeros(size, dtype=np.uint64)
    goals = np.zeros(size, dtype=np.uint32)
    for prefecture in PREFECTURES[1:]:
        serves |= (rng.random(size) < 0.3).astype(np.uint64) << np.uint64(prefecture)
    serves[rng.random(size) < 0.3] = NATIONWIDE
    for goal in GOALS:
        goals |= (rng.random(size) < 0.4).astype(np.uint32) << np.uint32(goal)
    headquarters = rng.choice(PREFECTURES, size).astype(np.uint8)
    return Facets.of(headquarters=headquarters, serves=serves, goals=goals)


def pairs(hits):
    return [(one.rows.tolist(), one.scores.tolist()) for one in hits]


@pytest.mark.parametrize("is_machine", [True, False])
@settings(deadline=None, max_examples=60)
@given(
    SEEDS,
    SIZES,
    DIMS,
    st.lists(CONSTRAINTS, max_size=9),
    st.sampled_from([0, 1, 3, 10, 1_000]),
    st.sampled_from([1, 2, 3]),
    st.sampled_from([1, batch.MEMORY]),
)
def test_batch_is_what_exact_search_finds_one_by_one(
    is_machine, seed, size, dim, constraints, k, threads, memory
):
    rng = np.random.default_rng(seed)
    facets, queries = some_facets(rng, size), unit(rng, len(constraints), dim)
    index = made(unit(rng, size, dim), is_machine)
    with machine_code(is_machine):
        found = batch.search(index, facets, queries, constraints, k, threads=threads, memory=memory)
    single = [
        index.search(query, k, facets.allowed(one).bitmap, exact=True)
        for query, one in zip(queries, constraints, strict=True)
    ]
    assert pairs(found) == pairs(single)


@pytest.mark.parametrize("is_machine", [True, False])
def test_many_tiles_and_many_queries_of_a_tile_change_nothing(is_machine, monkeypatch):
    rng = np.random.default_rng(5)
    facets, vectors, queries = some_facets(rng, 3_000), unit(rng, 3_000, 16), unit(rng, 40, 16)
    constraints = [
        Constraint(prefecture=f"{PREFECTURES[1 + at % 5]:02d}", sdg_rule=rule, sdgs=frozenset(some))
        for at, (rule, some) in enumerate(
            [("any", GOALS[:2]), ("all", GOALS[1:3]), ("ignore", ()), ("any", GOALS[3:])] * 10
        )
    ]
    index = made(vectors, is_machine)
    with machine_code(is_machine):
        whole = batch.search(index, facets, queries, constraints, 7)
        monkeypatch.setattr(batch, "_QUERIES", 3)
        monkeypatch.setattr(batch, "_GATHERED", 0)  # every goal has its slice
        monkeypatch.setattr(batch, "_PAIRS", 100)
        told = []
        sliced = batch.search(
            index, facets, queries, constraints, 7, memory=1, threads=2, advance=told.append
        )
    assert pairs(sliced) == pairs(whole)
    assert sum(told) == 100


def test_every_pair_that_a_filter_lets_through_is_touched_once():
    rng = np.random.default_rng(6)
    facets = some_facets(rng, 500)
    constraints = [
        Constraint(region_rule=region, prefecture="13", sdg_rule=rule, sdgs=frozenset(some))
        for region in ("serves", "prefecture", "block", "any")
        for rule, some in (("any", GOALS), ("all", GOALS[:2]), ("prefer", GOALS))
    ]
    asked = batch._Asked.of(constraints)
    met = [[] for _ in constraints]
    for task in batch._tasks(facets, constraints, asked):
        for query in task.queries.tolist():
            some = np.full(len(task.rows), query)
            kept = asked.allow(some, facets.goals[task.rows], task.goal)
            met[query] += task.rows[kept].tolist()
    for rows, constraint in zip(met, constraints, strict=True):
        assert sorted(rows) == facets.allowed(constraint).rows.tolist()


@settings(deadline=None)
@given(SEEDS, SIZES, st.lists(CONSTRAINTS, max_size=9))
def test_whom_a_filter_lets_through_is_multiplied_and_nobody_twice(seed, size, constraints):
    facets = some_facets(np.random.default_rng(seed), size)
    allowed = sum(len(facets.allowed(one)) for one in constraints)
    assert allowed <= batch.pairs(facets, constraints) <= size * len(constraints)
    regions = [replace(one, sdg_rule="ignore") for one in constraints]
    allowed = sum(len(facets.allowed(one)) for one in regions)
    assert batch.pairs(facets, regions) == allowed
