import faiss
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matcher.index.dense import DenseIndex

SIZES = st.integers(0, 40)
DIMS = st.sampled_from([1, 2, 3, 7, 8, 17, 64, 384])
SEEDS = st.integers(0, 2**32 - 1)


def unit(rng, size, dim):
    """Rows of unit length; some stand there twice, so that scores tie."""
    vectors = rng.normal(size=(size, dim)).astype(np.float32)
    vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
    return vectors[rng.integers(0, max(1, size), size)] if rng.random() < 0.5 else vectors


def every(vectors):
    return np.arange(len(vectors), dtype=np.int64)


def by_row(hits, size):
    """Scores in row order, NaN where a row is not among the hits."""
    scores = np.full(size, np.nan)
    scores[hits.rows] = hits.scores
    return scores


@pytest.fixture
def threads():
    """Sets the threads of faiss; as before afterwards."""
    before = faiss.omp_get_max_threads()
    yield faiss.omp_set_num_threads
    faiss.omp_set_num_threads(before)


def test_scores_by_hand():
    vectors = np.array([[1, 0], [0.6, 0.8], [0, -1]], dtype=np.float32)
    hits = DenseIndex(vectors).search(np.array([0.6, 0.8], dtype=np.float32), every(vectors))
    assert hits.source == "dense"
    assert hits.rows.tolist() == [1, 0, 2]
    np.testing.assert_allclose(hits.scores, [1, 0.6, -0.8], atol=1e-6)
    assert (hits.rows.dtype, hits.scores.dtype) == (np.int64, np.float64)


@settings(deadline=None, max_examples=200)
@given(SEEDS, SIZES, DIMS, st.sampled_from(["none", "one", "some", "all"]))
def test_filtered_search_equals_brute_force(seed, size, dim, kind):
    rng = np.random.default_rng(seed)
    vectors, query = unit(rng, size, dim), unit(rng, 1, dim)[0]
    count = {"none": 0, "one": min(1, size), "some": size // 2, "all": size}[kind]
    allowed = np.sort(rng.permutation(size)[:count]).astype(np.int64)
    hits = DenseIndex(vectors).search(query, allowed)
    products = vectors.astype(np.float64) @ query.astype(np.float64)
    assert sorted(hits.rows.tolist()) == allowed.tolist()
    np.testing.assert_allclose(hits.scores, products[hits.rows], atol=1e-6)
    assert (np.diff(hits.scores) <= 0).all()
    tied = np.diff(hits.scores) == 0
    assert (np.diff(hits.rows)[tied] > 0).all()


@settings(deadline=None, max_examples=100)
@given(SEEDS, SIZES, DIMS)
def test_order_of_rows_and_allowed_rows_do_not_change_a_bit(seed, size, dim):
    rng = np.random.default_rng(seed)
    vectors, query = unit(rng, size, dim), unit(rng, 1, dim)[0]
    whole = by_row(DenseIndex(vectors).search(query, every(vectors)), size)
    order = rng.permutation(size)
    moved = by_row(DenseIndex(vectors[order]).search(query, every(vectors)), size)
    assert np.array_equal(moved, whole[order])
    allowed = np.sort(rng.permutation(size)[: size // 3]).astype(np.int64)
    hits = DenseIndex(vectors).search(query, allowed)
    assert np.array_equal(hits.scores, whole[hits.rows])


@pytest.mark.parametrize("dim", [3, 384])
def test_threads_and_repeats_do_not_change_a_bit(threads, dim):
    rng = np.random.default_rng(3)
    vectors, query = unit(rng, 3000, dim), unit(rng, 1, dim)[0]
    found = []
    for count in (1, 2, 1, 2):
        threads(count)
        found.append(DenseIndex(vectors).search(query, every(vectors)))
    for hits in found[1:]:
        assert np.array_equal(hits.rows, found[0].rows)
        assert np.array_equal(hits.scores, found[0].scores)
        assert (hits.mean, hits.deviation) == (found[0].mean, found[0].deviation)


@settings(deadline=None, max_examples=100)
@given(SEEDS, st.integers(1, 40), DIMS)
def test_mean_and_deviation_are_over_all_rows_whatever_is_allowed(seed, size, dim):
    rng = np.random.default_rng(seed)
    vectors, query = unit(rng, size, dim), unit(rng, 1, dim)[0]
    products = vectors.astype(np.float64) @ query.astype(np.float64)
    none = DenseIndex(vectors).search(query, np.array([], dtype=np.int64))
    whole = DenseIndex(vectors).search(query, every(vectors))
    assert (none.mean, none.deviation) == (whole.mean, whole.deviation)
    assert whole.mean == pytest.approx(products.mean(), abs=1e-9)
    assert whole.deviation == pytest.approx(products.std(), abs=1e-7)


def test_same_vector_many_times_has_no_deviation():
    vectors = np.full((9, 4), 0.5, dtype=np.float32)
    hits = DenseIndex(vectors).search(vectors[0], every(vectors))
    assert hits.deviation == pytest.approx(0, abs=1e-7)
    assert hits.rows.tolist() == list(range(9))


def test_opposite_vectors_are_found_too():
    vectors = np.array([[-1, 0]], dtype=np.float32)
    hits = DenseIndex(vectors).search(np.array([1, 0], dtype=np.float32), every(vectors))
    assert hits.scores.tolist() == [-1.0]


def test_zero_documents_give_no_hits():
    empty = np.empty((0, 4), dtype=np.float32)
    hits = DenseIndex(empty).search(np.full(4, 0.5, dtype=np.float32), every(empty))
    assert (len(hits.rows), len(hits.scores)) == (0, 0)
    assert (hits.mean, hits.deviation) == (0.0, 0.0)


def test_search_leaves_its_arguments_alone():
    rng = np.random.default_rng(5)
    vectors, query = unit(rng, 8, 4), unit(rng, 1, 4)[0]
    allowed = np.array([1, 5], dtype=np.int64)
    copies = vectors.copy(), query.copy(), allowed.copy()
    DenseIndex(vectors).search(query, allowed)
    for now, before in zip((vectors, query, allowed), copies, strict=True):
        assert np.array_equal(now, before)


def test_index_keeps_its_own_vectors():
    vectors = np.array([[1, 0], [0, 1]], dtype=np.float32)
    index = DenseIndex(vectors)
    vectors[:] = 0
    assert index.search(np.array([1, 0], dtype=np.float32), every(vectors)).rows.tolist() == [0, 1]
    assert index.search(np.array([0, 1], dtype=np.float32), every(vectors)).rows.tolist() == [1, 0]
