import gc
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vector_examples import (
    DIMS,
    KINDS,
    SEEDS,
    SIZES,
    budgets_for_few,
    clustered,
    first,
    found,
    in_lists,
    is_mapped,
    line,
    machine_code,
    made,
    products,
    some_of,
    threads,
    unit,
    walked,
)

from matcher.index import lists as lists_room
from matcher.index.bitmap import Bitmap
from matcher.index.dense import DenseIndex, Moments
from matcher.index.lists import arrange

KS = st.sampled_from([0, 1, 2, 3, 10, 64, 1_000])
MACHINES = pytest.mark.parametrize("is_machine", [False, True], ids=["numpy", "machine"])
SMAPS = Path("/proc/self/smaps")


@pytest.fixture(autouse=True, scope="module")
def _budgets():
    with budgets_for_few():
        yield


@st.composite
def bounds(draw):
    """Lines that look at a few rows, at many, and a little further or much."""
    return line(
        k=1_000,
        base=draw(st.sampled_from([1, 5, 20, 64, 100, 128])),
        slope=draw(st.sampled_from([0.0, 1.0])),
        reach=draw(st.sampled_from([-0.3, 0.0, 0.05, 0.3, 3.0])),
        most=draw(st.sampled_from([1.0, 2.5, 40.0])),
    )


def drawn(seed, size, dim, kind):
    """Vectors, their lots (some of them equal), a query that may be one of them, and a filter."""
    rng = np.random.default_rng(seed)
    vectors = unit(rng, size, dim)
    lots = rng.integers(0, max(2, size // 2), size).astype(np.uint64)
    query = vectors[rng.integers(size)].copy() if size and rng.random() < 0.3 else None
    query = unit(rng, 1, dim)[0] if query is None else query
    return rng, vectors, lots, query, some_of(rng, size, kind)


def laid_out(rng, size=2_000, dim=12):
    """Clustered vectors in their lists, as a catalog lays them out."""
    vectors = clustered(rng, size, dim, 40, 0.6)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lists_room, "LISTS_FROM", 0)
        laid = arrange(vectors, np.zeros(size, np.uint8), np.zeros(size, np.uint32))
    return vectors[laid.order], laid.lists


def test_scores_by_hand():
    vectors = np.array([[1, 0], [0.6, 0.8], [0, -1]], dtype=np.float32)
    query = np.array([0.6, 0.8], dtype=np.float32)
    hits = DenseIndex(vectors).search(query, 3, Bitmap.every(3))
    assert (hits.source, hits.rows.tolist()) == ("dense", [1, 0, 2])
    assert hits.scores == pytest.approx([1, 0.6, -0.8], abs=1e-6)
    assert (hits.rows.dtype, hits.scores.dtype) == (np.int64, np.float64)


@MACHINES
@settings(max_examples=300)
@given(SEEDS, SIZES, DIMS, KINDS, KS)
def test_exact_search_is_brute_force_bit_for_bit(is_machine, seed, size, dim, kind, k):
    _, vectors, lots, query, mask = drawn(seed, size, dim, kind)
    index = made(vectors, is_machine, lots=lots)
    rows, scores = found(index, query, k, mask)
    assert (rows, scores) == first(index, query, k, np.flatnonzero(mask))
    # so, in particular:
    assert len(rows) == len(set(rows)) == min(k, mask.sum())
    assert mask[rows].all()
    assert scores == sorted(scores, reverse=True)
    plain = vectors[rows].astype(np.float64) @ query.astype(np.float64)
    assert scores == pytest.approx(plain, abs=1e-12)


@settings(max_examples=300)
@given(SEEDS, SIZES, DIMS, KINDS, KS, st.integers(1, 12), bounds())
def test_search_within_a_budget_is_brute_force_over_the_lists_of_the_walk(
    seed, size, dim, kind, k, count, bounds
):
    rng, vectors, lots, query, mask = drawn(seed, size, dim, kind)
    lists = in_lists(rng, vectors, count)
    indexes = [made(vectors, is_machine, lists, bounds, lots) for is_machine in (False, True)]
    numpy, machine = (found(index, query, k, mask) for index in indexes)
    assert numpy == machine
    rows, scores = numpy
    assert len(rows) == len(set(rows)) == min(k, mask.sum())
    assert mask[rows].all()
    assert scores == sorted(scores, reverse=True)
    assert scores == products(indexes[0].vectors[rows], query).tolist()
    eligible = int(mask.sum())
    if k and eligible and indexes[0].budget.line(min(k, eligible), eligible):
        assert numpy == first(indexes[0], query, k, walked(indexes[0], bounds, query, k, mask))
    else:
        assert numpy == first(indexes[0], query, k, np.flatnonzero(mask))


@settings(max_examples=200)
@given(SEEDS, SIZES, DIMS, KINDS)
def test_machine_code_and_numpy_find_the_same_bits(seed, size, dim, kind):
    _, vectors, lots, query, mask = drawn(seed, size, dim, kind)
    numpy, machine = (made(vectors, is_machine, lots=lots) for is_machine in (False, True))
    assert (numpy._native is None, machine._native is None) == (True, False)
    rows = np.flatnonzero(mask)[::-1].copy()
    one, other = numpy.scores(query, rows), machine.scores(query, rows)
    assert one.tobytes() == other.tobytes() == (products(vectors[rows], query) + 0.0).tobytes()
    one, other = (each.search(query, 5, Bitmap.where(mask)) for each in (numpy, machine))
    assert one.rows.tobytes() == other.rows.tobytes()
    assert one.scores.tobytes() == other.scores.tobytes()


@pytest.mark.parametrize("dim", [3, 17, 384])
@pytest.mark.parametrize("bounds", [line(base=60, reach=0), line(base=1, reach=0.5, most=1e9)])
def test_scores_that_differ_less_than_codes_and_float32_can_tell_are_told_apart(dim, bounds):
    rng = np.random.default_rng(14)
    centre = rng.normal(size=dim)
    near = centre / np.linalg.norm(centre) + rng.normal(size=(500, dim)) * 1e-7
    vectors = (near / np.linalg.norm(near, axis=1, keepdims=True)).astype(np.float32)
    lists = in_lists(rng, vectors, 12)
    indexes = [made(vectors, is_machine, lists, bounds) for is_machine in (False, True)]
    for query in (vectors[7].copy(), *unit(rng, 20, dim)):
        mask = some_of(rng, 500, "most")
        seen = walked(indexes[0], bounds, query, 5, mask)
        for index in indexes:
            exact = found(index, query, 5, mask, exact=True)
            assert exact == first(index, query, 5, np.flatnonzero(mask))
            assert found(index, query, 5, mask) == first(index, query, 5, seen)


@MACHINES
@given(SEEDS, SIZES, DIMS, KINDS, st.integers(0, 20))
def test_first_hits_of_more_are_the_hits_of_fewer(is_machine, seed, size, dim, kind, k):
    _, vectors, lots, query, mask = drawn(seed, size, dim, kind)
    index = made(vectors, is_machine, lots=lots)
    rows, scores = found(index, query, 1_000, mask)
    assert found(index, query, k, mask) == (rows[:k], scores[:k])


@MACHINES
@given(SEEDS, SIZES, DIMS, KINDS, KS)
def test_order_of_the_corpus_changes_no_company_and_no_bit(is_machine, seed, size, dim, kind, k):
    rng, vectors, _, query, mask = drawn(seed, size, dim, kind)
    lots = rng.permutation(size).astype(np.uint64)
    order = rng.permutation(size)
    rows, scores = found(made(vectors, is_machine, lots=lots), query, k, mask)
    moved = made(vectors[order], is_machine, lots=lots[order])
    others, same = found(moved, query, k, mask[order])
    assert order[others].tolist() == rows
    assert same == scores


@MACHINES
@given(SEEDS, SIZES, DIMS, KINDS, KINDS)
def test_who_else_is_allowed_changes_no_score(is_machine, seed, size, dim, kind, other):
    rng, vectors, lots, query, mask = drawn(seed, size, dim, kind)
    index = made(vectors, is_machine, lots=lots)
    scores = dict(zip(*found(index, query, size, mask), strict=True))
    wider = dict(zip(*found(index, query, size, mask | some_of(rng, size, other)), strict=True))
    assert {row: wider[row] for row in scores} == scores


@MACHINES
def test_threads_and_repeats_do_not_change_a_bit(is_machine):
    rng = np.random.default_rng(3)
    vectors, lists = laid_out(rng)
    index = made(vectors, is_machine, lists, line(base=100))
    queries, mask = clustered(rng, 20, 12, 40, 0.6), some_of(rng, 2_000, "most")
    answers, moments = [], []
    for count in (1, 2, 1, 2):
        with threads(count):
            moments.append(Moments.of(vectors))
            answers.append(
                [found(index, one, 30, mask, exact=exact) for one in queries for exact in (0, 1)]
            )
    for answer, one in zip(answers, moments, strict=True):
        assert answer == answers[0]
        assert np.array_equal(one.mean, moments[0].mean)
        assert np.array_equal(one.covariance, moments[0].covariance)


@MACHINES
def test_searches_of_several_threads_at_once_find_what_each_alone_finds(is_machine):
    rng = np.random.default_rng(4)
    vectors, lists = laid_out(rng)
    index = made(vectors, is_machine, lists, line(base=100))
    asked = [(one, some_of(rng, 2_000, "most")) for one in clustered(rng, 60, 12, 40, 0.6)]

    def search(task):
        query, mask = task
        return [found(index, query, 30, mask, exact=exact) for exact in (False, True)]

    alone = [search(task) for task in asked]
    with ThreadPoolExecutor(4) as pool:
        for _ in range(3):
            assert list(pool.map(search, asked)) == alone


@MACHINES
@pytest.mark.parametrize("kind", ["one", "some", "most", "all"])
def test_budget_that_reaches_every_list_is_exact(is_machine, kind):
    rng = np.random.default_rng(5)
    vectors, lists = laid_out(rng)
    index = made(vectors, is_machine, lists, line(base=1, reach=10, most=1e9))
    for query in clustered(rng, 20, 12, 40, 0.6):
        mask = some_of(rng, 2_000, kind)
        assert found(index, query, 10, mask) == found(index, query, 10, mask, exact=True)
        if kind == "all":  # it was not for want of a budget
            assert len(walked(index, index.budget.lines[0], query, 10, mask)) == 2_000


@MACHINES
def test_wider_reach_and_more_first_rows_lose_no_hit(is_machine):
    rng = np.random.default_rng(6)
    vectors, lists = laid_out(rng)
    mask = some_of(rng, 2_000, "most")
    for query in clustered(rng, 20, 12, 40, 0.6):
        best = set(found(made(vectors, is_machine), query, 10, mask)[0])
        shared = [
            len(best & set(found(made(vectors, is_machine, lists, bounds), query, 10, mask)[0]))
            for bounds in (
                line(base=b, reach=r) for b, r in [(10, -1), (10, 0), (10, 0.2), (800, 0.2)]
            )
        ]
        assert shared == sorted(shared)


@MACHINES
def test_index_without_a_budget_is_exact_though_it_has_lists(is_machine):
    rng = np.random.default_rng(7)
    vectors, lists = laid_out(rng, 600)
    mask, query = some_of(rng, 600, "most"), vectors[5].copy()
    expected = found(made(vectors, is_machine), query, 10, mask)
    assert found(made(vectors, is_machine, lists), query, 10, mask) == expected
    # nor has one with a budget and no lists anything to save
    assert found(made(vectors, is_machine, None, line()), query, 10, mask) == expected


def test_built_index_has_codes_where_it_has_lists():
    rng = np.random.default_rng(8)
    vectors, lists = laid_out(rng, 300)
    with machine_code(True):
        plain, listed = DenseIndex.build(vectors), DenseIndex.build(vectors, lists=lists)
    assert (plain.codes, plain.lists, plain._native, plain.budget) == (None, None, None, None)
    assert listed.lists is lists
    assert listed.codes.codes.shape == vectors.shape
    assert listed._native is not None
    mask = np.ones(300, dtype=bool)
    assert found(plain, vectors[0], 9, mask) == found(listed, vectors[0], 9, mask)


@given(SEEDS, SIZES, DIMS)
def test_mean_and_deviation_of_scores_are_those_over_all_rows(seed, size, dim):
    _, vectors, _, query, _ = drawn(seed, size, dim, "all")
    mean, deviation = DenseIndex(vectors).moments.of_scores(query)
    scores = products(vectors, query) if size else np.zeros(1)
    assert mean == pytest.approx(scores.mean(), abs=1e-9)
    assert deviation == pytest.approx(scores.std(), abs=1e-7)


def test_equal_scores_go_by_lot_and_then_by_row():
    vectors = np.full((9, 4), 0.5, dtype=np.float32)
    lots = np.array([5, 5, 1, 9, 2**64 - 1, 0, 1, 5, 0], dtype=np.uint64)
    for is_machine in (False, True):
        index = made(vectors, is_machine, lots=lots)
        rows, scores = found(index, vectors[0], 6, np.ones(9, dtype=bool))
        assert (rows, scores) == ([5, 8, 2, 6, 0, 1], [1.0] * 6)


def test_without_lots_equal_scores_go_by_row():
    index = DenseIndex(np.full((9, 4), 0.5, dtype=np.float32))
    assert found(index, index.vectors[0], 4, np.arange(9) > 1)[0] == [2, 3, 4, 5]


@MACHINES
@pytest.mark.parametrize("exact", [False, True])
def test_search_leaves_its_arguments_alone_and_keeps_none_of_them(is_machine, exact):
    rng = np.random.default_rng(9)
    vectors, lists = laid_out(rng, 300)
    index = made(vectors, is_machine, lists, line())
    query, allowed = vectors[3].copy(), Bitmap.where(some_of(rng, 300, "most"))
    copies = query.copy(), allowed.words.copy()
    hits = index.search(query, 10, allowed, exact=exact)
    rows, scores = hits.rows.tolist(), hits.scores.tolist()
    assert np.array_equal(query, copies[0])
    assert np.array_equal(allowed.words, copies[1])
    query[:], allowed.words[:] = 0, 0
    del index, query, allowed
    gc.collect()
    assert (hits.rows.tolist(), hits.scores.tolist()) == (rows, scores)


@MACHINES
@pytest.mark.parametrize("size", [0, 299, 301, 64_000])
def test_filter_of_another_corpus_is_refused_before_memory_is_read(is_machine, size):
    index = made(unit(np.random.default_rng(9), 300, 8), is_machine)
    with pytest.raises(ValueError, match=f"a filter of {size} rows for an index of 300"):
        index.search(index.vectors[0], 5, Bitmap.every(size))


def test_vectors_and_lots_of_an_index_are_read_only_and_not_copied():
    vectors = unit(np.random.default_rng(10), 8, 4)
    index = DenseIndex(vectors, lots=np.arange(8, dtype=np.uint64))
    assert np.shares_memory(index.vectors, vectors)
    assert vectors.flags.writeable
    for array in (index.vectors, index.lots):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1


@MACHINES
@pytest.mark.parametrize("has_lists", [False, True])
def test_saved_index_finds_the_same(tmp_path, is_machine, has_lists):
    rng = np.random.default_rng(11)
    vectors, lists = laid_out(rng, 600)
    lots = rng.integers(0, 9, 600).astype(np.uint64)
    if has_lists:
        index = made(vectors, is_machine, lists, line(base=50, reach=0.05), lots)
    else:
        index = DenseIndex(vectors, lots=lots)
    index.save(tmp_path / "dense")
    with machine_code(is_machine):
        loaded = DenseIndex.load(tmp_path / "dense")
    assert (loaded._native is None) == (index._native is None)
    assert loaded.budget == index.budget
    for query in clustered(rng, 20, 12, 40, 0.6):
        mask = some_of(rng, 600, "most")
        for exact in (False, True):
            expected = found(index, query, 20, mask, exact=exact)
            assert found(loaded, query, 20, mask, exact=exact) == expected
        assert loaded.moments.of_scores(query) == index.moments.of_scores(query)


def test_loaded_arrays_are_mapped_and_read_only(tmp_path):
    vectors, lists = laid_out(np.random.default_rng(12), 600)
    made(vectors, False, lists, line()).save(tmp_path / "dense")
    index = DenseIndex.load(tmp_path / "dense")
    for array in (index.vectors, index.lots, index.codes.codes, index.codes.scales):
        assert is_mapped(array)
        assert not array.flags.writeable


# Only Linux tells how much of a mapped file is in memory: elsewhere there is nothing to look at.
# Only Linux tells which pages of a file are in memory.
@pytest.mark.skipif(not SMAPS.exists(), reason="no /proc/self/smaps")  # it is Linux's alone
def test_loading_reads_no_vector_and_a_search_reads_those_it_scores(tmp_path):
    size, dim = 4_000, 384  # six megabytes
    index = made(unit(np.random.default_rng(13), size, dim), False)
    index.save(tmp_path / "dense")
    query = index.vectors[0].copy()

    def resident(name):
        """Bytes of a mapped file that this process holds."""
        told = SMAPS.read_text(encoding="utf-8")
        file = re.escape(f"{tmp_path}/dense/") + name
        (entry,) = re.findall(rf"{file}\n(?:.*\n)*?Rss: +(\d+) kB", told)
        return int(entry) * 1024

    loaded = DenseIndex.load(tmp_path / "dense")
    assert resident("vectors.npy") == resident("codes/codes.npy") == 0
    assert found(loaded, query, 3, np.arange(size) == 2_000)[0] == [2_000]
    # the kernel maps its neighbours along, up to two megabytes of them
    assert 0 < resident("vectors.npy") < index.vectors.nbytes / 2
    assert resident("codes/codes.npy") == 0


def test_no_documents_give_no_hits(tmp_path):
    nothing = DenseIndex.build(np.empty((0, 4), dtype=np.float32))
    nothing.save(tmp_path / "dense")
    query = np.full(4, 0.5, dtype=np.float32)
    for index in (nothing, DenseIndex.load(tmp_path / "dense")):
        assert found(index, query, 5, np.zeros(0, dtype=bool)) == ([], [])
        assert index.moments.of_scores(query) == (0.0, 0.0)
        assert len(index.scores(query, np.zeros(0, np.int64))) == 0
