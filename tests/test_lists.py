import faiss
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from vector_examples import (
    DIMS,
    KINDS,
    SEEDS,
    SIZES,
    clustered,
    in_lists,
    is_mapped,
    nearest_lists,
    some_of,
    threads,
    unit,
)

from matcher.index import lists as room
from matcher.index.bitmap import Bitmap
from matcher.index.lists import Lists, arrange
from matcher.index.quantised import Quantised, coarse_levels, rounded

COUNTS = st.integers(1, 12)


@pytest.fixture
def small(monkeypatch):
    """A few hundred rows are laid in lists."""
    monkeypatch.setattr(room, "LISTS_FROM", 100)


def columns(rng, size):
    """Head offices and goals."""
    return rng.integers(0, 4, size).astype(np.uint8), rng.integers(0, 3, size).astype(np.uint32)


def drawn(seed, size, count):
    """Lists over rows of three components, and who is allowed."""
    rng = np.random.default_rng(seed)
    return rng, in_lists(rng, unit(rng, size, 3), count)


@given(SEEDS, SIZES, COUNTS, KINDS)
def test_counts_are_those_of_the_mask_list_by_list(seed, size, count, kind):
    rng, lists = drawn(seed, size, count)
    mask = some_of(rng, size, kind)
    counts = lists.counts(Bitmap.where(mask))
    assert len(lists) == len(counts) == count
    expected = [mask[lists.starts[at] : lists.starts[at + 1]].sum() for at in range(count)]
    assert counts.tolist() == expected
    assert counts.dtype == np.int64


@given(SEEDS, SIZES, COUNTS, KINDS)
def test_rows_of_chosen_lists_are_those_of_the_mask_in_the_order_of_the_choice(
    seed, size, count, kind
):
    rng, lists = drawn(seed, size, count)
    mask = some_of(rng, size, kind)
    chosen = rng.permutation(count)[: rng.integers(count + 1)]
    bitmap = Bitmap.where(mask)
    words = bitmap.words.copy()
    rows = lists.rows(bitmap, chosen)
    expected = [
        row for at in chosen for row in range(lists.starts[at], lists.starts[at + 1]) if mask[row]
    ]
    assert rows.tolist() == expected
    assert rows.dtype == np.int64
    assert np.array_equal(bitmap.words, words)
    assert len(rows) == lists.counts(bitmap)[chosen].sum()


def test_lists_that_begin_and_end_with_a_word_take_no_row_of_their_neighbours():
    starts = np.array([0, 64, 64, 65, 127, 128, 192])
    lists = Lists(Quantised.of(unit(np.random.default_rng(0), 6, 2)), starts)
    every = Bitmap.every(192)
    assert lists.counts(every).tolist() == [64, 0, 1, 62, 1, 64]
    for at in range(6):
        rows = lists.rows(every, np.array([at]))
        assert rows.tolist() == list(range(starts[at], starts[at + 1]))


@given(SEEDS, COUNTS, DIMS)
def test_nearest_lists_come_first_and_equals_by_number(seed, count, dim):
    rng = np.random.default_rng(seed)
    lists, query = in_lists(rng, unit(rng, 50, dim), count), unit(rng, 1, dim)[0]
    order, scores = lists.nearest_first(*rounded(query, coarse_levels(dim)))
    expected, near = nearest_lists(lists, query)
    assert order.tolist() == expected
    assert np.array_equal(scores, near)
    assert scores.dtype == np.float32
    # codes of both sides are about what they stand for
    whole = lists.centroids.codes * lists.centroids.scales[:, None]
    assert scores == pytest.approx(whole[order] @ query, abs=0.02)


def test_few_rows_stay_as_they_are_without_lists(small):
    vectors = unit(np.random.default_rng(1), 99, 4)
    laid = arrange(vectors, np.zeros(99, np.uint8), np.zeros(99, np.uint32))
    assert laid.lists is None
    assert laid.order.tolist() == list(range(99))
    assert laid.order.dtype == np.int64
    nothing = arrange(vectors[:0], np.zeros(0, np.uint8), np.zeros(0, np.uint32))
    assert (nothing.lists, len(nothing.order)) == (None, 0)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("kind", ["clustered", "with copies"])
def test_each_row_is_in_the_list_of_its_nearest_centroid_once(small, seed, kind):
    rng = np.random.default_rng(seed)
    size = int(rng.integers(100, 700))
    vectors = clustered(rng, size, 8, 12, 0.5) if kind == "clustered" else unit(rng, size, 8)
    headquarters, goals = columns(rng, size)
    laid = arrange(vectors, headquarters, goals)
    lists, order = laid.lists, laid.order
    assert sorted(order.tolist()) == list(range(size))
    assert len(lists) == round(4 * size**0.5)
    assert (lists.starts[0], lists.starts[-1]) == (0, size)
    assert (np.diff(lists.starts) >= 0).all()
    centroids = lists.centroids.codes * lists.centroids.scales[:, None]
    scores = vectors[order] @ centroids.T
    member = np.repeat(np.arange(len(lists)), np.diff(lists.starts))
    own = scores[np.arange(size), member]
    assert (own >= scores.max(axis=1) - 2 * lists.centroids.error - 1e-6).all()
    # within a list by head office and goals, equals as they were
    keys = [*zip(member, headquarters[order], goals[order], order, strict=True)]
    assert keys == sorted(keys)


def test_all_rows_alike_are_arranged(small):
    vectors = np.tile(unit(np.random.default_rng(5), 1, 4), (300, 1))
    laid = arrange(vectors, *columns(np.random.default_rng(6), 300))
    assert sorted(laid.order.tolist()) == list(range(300))
    assert laid.lists.counts(Bitmap.every(300)).sum() == 300


def test_same_vectors_give_the_same_lists_whatever_the_threads(small):
    rng = np.random.default_rng(7)
    vectors, told = clustered(rng, 3_000, 24, 30, 0.7), columns(rng, 3_000)
    found = []
    for count in (1, 2, 2, 1):
        with threads(count):
            found.append(arrange(vectors, *told))
    for laid in found[1:]:
        assert np.array_equal(laid.order, found[0].order)
        assert np.array_equal(laid.lists.starts, found[0].lists.starts)
        assert np.array_equal(laid.lists.centroids.codes, found[0].lists.centroids.codes)
        assert np.array_equal(laid.lists.centroids.scales, found[0].lists.centroids.scales)


def test_facets_move_rows_within_their_lists_only(small):
    rng = np.random.default_rng(8)
    vectors = clustered(rng, 400, 8, 9, 0.5)
    one, other = (arrange(vectors, *columns(rng, 400)) for _ in range(2))
    assert np.array_equal(one.lists.starts, other.lists.starts)
    assert not np.array_equal(one.order, other.order)
    for at in range(len(one.lists)):
        some = slice(one.lists.starts[at], one.lists.starts[at + 1])
        assert sorted(one.order[some]) == sorted(other.order[some])


def test_arranging_leaves_its_arguments_and_the_threads_alone(small):
    rng = np.random.default_rng(9)
    vectors, (headquarters, goals) = clustered(rng, 200, 8, 5, 0.5), columns(rng, 200)
    copies = vectors.copy(), headquarters.copy(), goals.copy()
    with threads(2):
        arrange(vectors, headquarters, goals)
        assert faiss.omp_get_max_threads() == 2
    for now, before in zip((vectors, headquarters, goals), copies, strict=True):
        assert np.array_equal(now, before)


def test_saved_lists_are_the_same(tmp_path):
    rng = np.random.default_rng(10)
    lists = in_lists(rng, unit(rng, 200, 9), 12)
    lists.save(tmp_path / "lists")
    loaded = Lists.load(tmp_path / "lists")
    assert np.array_equal(loaded.starts, lists.starts)
    assert is_mapped(loaded.centroids.codes)
    query, allowed = unit(rng, 1, 9)[0], Bitmap.where(some_of(rng, 200, "some"))
    for one, other in zip(
        loaded.nearest_first(*rounded(query, 127)),
        lists.nearest_first(*rounded(query, 127)),
        strict=True,
    ):
        assert np.array_equal(one, other)
    assert np.array_equal(loaded.counts(allowed), lists.counts(allowed))
