import gc
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from vector_examples import (
    DIMS,
    KINDS,
    SEEDS,
    SIZES,
    budgets_for_few,
    in_lists,
    line,
    machine_code,
    made,
    nearest_lists,
    products,
    some_of,
    unit,
)

from matcher.index import dense, native
from matcher.index.bitmap import Bitmap
from matcher.index.lexical import LexicalIndex
from matcher.index.quantised import Quantised, coarse_levels, fine_levels, rounded

LETTERS = st.lists(st.text("abcdef", max_size=8).map(list), max_size=20)


def room_for(count):
    """Rows, the last of which belong to nobody: whoever writes too far is found out."""
    return np.full(count + 3, -7, dtype=np.int64)


@given(SEEDS, SIZES, DIMS)
def test_products_are_those_of_numpy_to_the_bit(seed, size, dim):
    rng = np.random.default_rng(seed)
    vectors, query = unit(rng, size, dim), unit(rng, 1, dim)[0].astype(np.float64)
    rows = rng.integers(0, max(1, size), size and 50)  # in any order, some of them twice
    found = native.products(vectors, rows, query)
    assert found.tobytes() == dense._products(vectors, rows, query).tobytes()
    assert np.array_equal(found, products(vectors[rows], query))


@pytest.mark.parametrize("dim", range(1, 26))
def test_no_component_of_a_product_is_left_out_or_counted_twice(dim):
    vectors, rows = np.eye(dim, dtype=np.float32), np.arange(dim)
    query = np.arange(1, dim + 1, dtype=np.float64)
    assert native.products(vectors, rows, query).tolist() == query.tolist()
    assert native.products(-vectors, rows, query).tolist() == (-query).tolist()


def test_product_of_nothing_is_a_positive_zero():
    vectors = np.zeros((3, 8), dtype=np.float32)
    for room in (native.products, dense._products):
        found = room(vectors, np.arange(3), np.full(8, -1.0))
        assert not np.signbit(found).any()


@given(SEEDS, SIZES, KINDS)
def test_rows_between_two_rows_are_those_of_the_mask(seed, size, kind):
    rng = np.random.default_rng(seed)
    mask = some_of(rng, size, kind)
    start, stop = sorted(rng.integers(0, size + 1, 2))
    expected = [row for row in range(start, stop) if mask[row]]
    rows = room_for(5 + len(expected))
    count = native._rows_between(Bitmap.where(mask).words, start, stop, rows, 5)
    assert count == 5 + len(expected)
    assert rows.tolist() == [-7] * 5 + expected + [-7] * 3


@given(SEEDS, st.integers(1, 60), st.integers(1, 60))
def test_kth_is_the_kth_largest(seed, count, k):
    rng = np.random.default_rng(seed)
    scores = rng.integers(-5, 5, count + 3).astype(np.float32)  # many are equal
    before = scores.copy()
    k = min(k, count)
    assert native._kth(scores, count, k) == sorted(before[:count])[-k]
    assert np.array_equal(scores, before)


@given(SEEDS, SIZES, DIMS)
def test_scores_by_codes_are_whole_numbers_times_scales(seed, size, dim):
    rng = np.random.default_rng(seed)
    codes = Quantised.of(unit(rng, size, dim))
    query, scale = rounded(unit(rng, 1, dim)[0], fine_levels(dim))
    rows, scores = rng.permutation(size), np.zeros(size, dtype=np.float32)
    start, stop = sorted(rng.integers(0, size + 1, 2))
    native._scan(
        *(codes.codes, codes.scales, query.astype(np.int16), np.float32(scale)),
        *(rows, scores, start, stop),
    )
    whole = codes.codes.astype(np.int64) @ query.astype(np.int64)
    expected = (whole.astype(np.float32) * (codes.scales * scale))[rows]
    assert np.array_equal(scores[start:stop], expected[start:stop])
    assert not scores[:start].any()
    assert not scores[stop:].any()


def test_sum_of_the_largest_codes_does_not_overflow():
    for dim in (1, 8, 384, 4_096):
        codes = np.full((1, dim), -127, dtype=np.int8)
        query = np.full(dim, fine_levels(dim), dtype=np.int16)
        assert native._dot(codes, 0, query) == -127 * fine_levels(dim) * dim


@given(SEEDS, SIZES, DIMS, KINDS, st.integers(1, 12))
def test_walk_takes_the_lists_in_the_order_of_numpy(seed, size, dim, kind, count):
    rng = np.random.default_rng(seed)
    lists, query = in_lists(rng, unit(rng, size, dim), count), unit(rng, 1, dim)[0]
    coarse, scale = rounded(query, coarse_levels(dim))
    order, scores = lists.nearest_first(coarse, scale)
    assert order.tolist() == nearest_lists(lists, query)[0]
    for one, other in zip(lists.nearest_first(coarse, scale, native), (order, scores), strict=True):
        assert one.tobytes() == other.tobytes()
    mask = some_of(rng, size, kind)
    allowed, rows, seen, place = Bitmap.where(mask), room_for(mask.sum()), 0, 0
    expected = lists.rows(allowed, order).tolist()
    held = np.r_[0, np.cumsum(lists.counts(allowed)[order])]  # by so many lists
    # a walk in three legs: for some rows, down to some score, and to the end
    legs = [(mask.sum() // 3, -np.inf), (mask.sum(), scores[count // 2]), (2**62, -np.inf)]
    at = 0
    for enough, least in legs:
        seen, place = native._walk(
            *(order, scores, place, lists.starts, allowed.words),
            *(rows, seen, enough, np.float32(least)),
        )
        while at < count and held[at] < enough and scores[at] >= least:
            at += 1
        assert (seen, place) == (held[at], at)
        assert rows[:seen].tolist() == expected[:seen]
    assert (place, rows.tolist()) == (count, [*expected, -7, -7, -7])


@given(SEEDS, st.integers(1, 5), st.integers(1, 200), st.integers(1, 4), st.booleans())
def test_sieve_keeps_who_is_allowed_and_may_be_among_the_first(seed, asked, width, k, has_goal):
    rng = np.random.default_rng(seed)
    bit = np.uint32(2 if has_goal else 0)
    goals = rng.integers(0, 8, width).astype(np.uint32) << np.uint32(1) | bit
    queries = rng.permutation(7)[:asked]
    wanted, is_all = rng.integers(1, 8, 7).astype(np.uint32) << np.uint32(1), rng.random(7) < 0.5
    best = np.full((7, k), -np.inf, dtype=np.float32)
    slack = np.float32(0.01)
    tiles = rng.integers(0, 90, (3, asked, width)).astype(np.float32) / np.float32(90)
    allowed = np.array(
        [
            [
                (own & wish == wish)
                if every
                else (own & wish & -(own & wish) == bit if bit else own & wish > 0)
                for own in goals.tolist()
            ]
            for wish, every in zip(wanted[queries].tolist(), is_all[queries], strict=True)
        ]
    )
    kept = np.zeros(tiles.shape, dtype=bool)
    for tile, those in zip(tiles, kept, strict=True):
        those[native.sift(tile, queries, goals, wanted, is_all, bit, best, slack)] = True
    assert not (kept & ~allowed).any()
    for at, query in enumerate(queries):
        scores = np.sort(tiles[:, at][:, allowed[at]].ravel())[::-1][:k]
        assert np.array_equal(np.sort(best[query])[::-1][: len(scores)], scores)
        assert np.isneginf(np.sort(best[query])[::-1][len(scores) :]).all()
        must = allowed[at] & (tiles[:, at] >= best[query].min() - slack)
        assert (must <= kept[:, at]).all()
    untouched = np.setdiff1d(np.arange(7), queries)
    assert np.isneginf(best[untouched]).all()


@given(LETTERS, st.text("abcdefgh", max_size=10).map(list))
def test_word_scores_are_those_of_numpy_to_the_bit(documents, tokens):
    index = LexicalIndex.build("words", documents)
    found = []
    for is_machine in (False, True):
        with machine_code(is_machine):
            found.append(index.weighted("w", [(1.0, tokens), (0.3, tokens[::2])]).scores)
    assert found[0].tobytes() == found[1].tobytes()


def test_results_outlive_what_they_were_made_from():
    rng = np.random.default_rng(1)
    vectors, query = unit(rng, 500, 64), unit(rng, 1, 64)[0]
    codes, allowed = Quantised.of(vectors), Bitmap.every(500)
    asked = dense._asked(query, 10, allowed, codes)
    counts = [sys.getrefcount(one) for one in (vectors, codes.codes, allowed.words)]
    rows, scores = native.everyone(*asked, vectors)
    for _ in range(100):
        native.everyone(*asked, vectors)
    assert [sys.getrefcount(one) for one in (vectors, codes.codes, allowed.words)] == counts
    copies = rows.copy(), scores.copy()
    del vectors, query, codes, allowed, asked
    gc.collect()
    rubbish = [np.full(500, -1) for _ in range(100)]
    assert np.array_equal(rows, copies[0])
    assert np.array_equal(scores, copies[1])
    assert len(rubbish) == 100


def test_kernels_run_beside_each_other():
    rng = np.random.default_rng(2)
    vectors = unit(rng, 3_000, 64)
    codes, allowed = Quantised.of(vectors), Bitmap.where(some_of(rng, 3_000, "most"))
    asked = [dense._asked(query, 10, allowed, codes) for query in unit(rng, 40, 64)]
    alone = [native.everyone(*one, vectors) for one in asked]
    with ThreadPoolExecutor(4) as pool:
        for _ in range(5):
            for found, expected in zip(
                pool.map(lambda one: native.everyone(*one, vectors), asked), alone, strict=True
            ):
                assert all(map(np.array_equal, found, expected))


def test_arrays_from_disk_and_arrays_in_memory_are_compiled_for_once(tmp_path):
    rng = np.random.default_rng(3)
    vectors, query = unit(rng, 300, 9), unit(rng, 1, 9)[0]
    index = made(vectors, True, in_lists(rng, vectors, 5), line(base=9))
    index.save(tmp_path / "dense")
    np.save(tmp_path / "words.npy", Bitmap.every(300).words)
    with machine_code(True):
        loaded = dense.DenseIndex.load(tmp_path / "dense")
    filters = [
        Bitmap(words, 300)
        for words in (Bitmap.every(300).words, np.load(tmp_path / "words.npy", mmap_mode="r"))
    ]
    compiled = []
    with budgets_for_few():
        for one, allowed, exact in product((index, loaded), filters, (False, True)):
            one.search(query, 5, allowed, exact=exact)
            compiled.append((len(native.everyone.signatures), len(native.nearest.signatures)))
    assert len(set(compiled[1:])) == 1  # both are compiled by the second search


def test_no_kernel_reads_or_writes_outside_its_arrays(tmp_path):
    """Small and odd sizes, in an interpreter of its own that compiles checks of every access."""
    done = subprocess.run(
        [sys.executable, "-W", "error", Path(__file__).with_name("native_edges.py")],
        env=os.environ | {"NUMBA_BOUNDSCHECK": "1", "NUMBA_CACHE_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
