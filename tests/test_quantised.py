import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from vector_examples import DIMS, SEEDS, SIZES, is_mapped, unit

from matcher.index import quantised
from matcher.index.quantised import Quantised, coarse_levels, fine_levels, rounded


def whole(codes):
    """The vectors that codes stand for, without rounding."""
    return codes.codes.astype(np.float64) * codes.scales[:, None].astype(np.float64)


def any_vectors(rng, size, dim):
    """Vectors of any length and direction: also nothing, one component, and all but nothing."""
    lengths = 10.0 ** rng.integers(-35, 6, size=(size, 1)) * (rng.random((size, 1)) < 0.9)
    sparse = rng.random((size, dim)) < rng.choice([0.1, 1.0])
    return (rng.normal(size=(size, dim)) * sparse * lengths).astype(np.float32)


@given(SEEDS, SIZES, DIMS, st.sampled_from([unit, any_vectors]))
def test_no_inner_product_is_off_by_more_than_the_error(seed, size, dim, vectors_of):
    rng = np.random.default_rng(seed)
    vectors = vectors_of(rng, size, dim)
    codes = Quantised.of(vectors)
    lost = whole(codes) - vectors
    queries = rng.normal(size=(20, dim))
    queries /= np.linalg.norm(queries, axis=1, keepdims=True)
    # the worst query of all points where the most was lost
    lengths = np.linalg.norm(lost, axis=1)
    worst = lost[lengths > 0] / lengths[lengths > 0, None]
    off = np.abs(lost @ np.concatenate([queries, worst]).T)
    assert off.max(initial=0) <= codes.error * (1 + 1e-12)
    # and it is no larger than it has to be
    assert codes.error == pytest.approx(lengths.max(initial=0))


@given(SEEDS, SIZES, DIMS)
def test_codes_are_within_half_a_step_and_use_all_levels(seed, size, dim):
    vectors = unit(np.random.default_rng(seed), size, dim)
    codes = Quantised.of(vectors)
    assert (codes.codes.dtype, codes.scales.dtype) == (np.int8, np.float32)
    assert (np.abs(whole(codes) - vectors) <= codes.scales[:, None] * (0.5 + 1e-5)).all()
    most = np.abs(codes.codes.astype(np.int64)).max(axis=1, initial=0)
    assert most.tolist() == [127 if row.any() else 0 for row in vectors]
    assert (codes.scales > 0).all()


@given(SEEDS, DIMS)
def test_turned_round_vectors_have_opposite_codes(seed, dim):
    vectors = unit(np.random.default_rng(seed), 20, dim)
    one, other = Quantised.of(vectors), Quantised.of(-vectors)
    assert np.array_equal(one.codes, -other.codes)
    assert np.array_equal(one.scales, other.scales)
    assert one.error == other.error


def test_rows_are_quantised_each_by_itself_however_many_at_a_time(monkeypatch):
    vectors = unit(np.random.default_rng(1), 100, 9)
    whole_at_once = Quantised.of(vectors)
    monkeypatch.setattr(quantised, "_BLOCK", 7)
    in_blocks = Quantised.of(vectors)
    assert np.array_equal(in_blocks.codes, whole_at_once.codes)
    assert np.array_equal(in_blocks.scales, whole_at_once.scales)
    assert in_blocks.error == whole_at_once.error
    assert np.array_equal(Quantised.of(vectors[40:41]).codes, in_blocks.codes[40:41])


def test_one_vector_is_rounded_like_a_row():
    vectors = unit(np.random.default_rng(2), 5, 17)
    numbers, scales = rounded(vectors, 8191)
    for row, vector in enumerate(vectors):
        alone, scale = rounded(vector, 8191)
        assert np.array_equal(alone, numbers[row])
        assert (scale.shape, scale.dtype, scale) == ((), np.float32, scales[row])


@given(st.integers(1, 20_000))
def test_sums_of_whole_numbers_fit_float32_and_int32(dim):
    assert 1 <= coarse_levels(dim) <= 127
    assert 127 * coarse_levels(dim) * dim <= 2**24
    assert 127 <= fine_levels(dim) <= 8191 < 2**15
    assert 127 * fine_levels(dim) * dim < 2**31
    assert (127 * fine_levels(384), coarse_levels(384)) == (127 * 8191, 127)


def test_saved_codes_are_mapped_and_the_same(tmp_path):
    codes = Quantised.of(unit(np.random.default_rng(3), 70, 8))
    codes.save(tmp_path / "codes")
    loaded = Quantised.load(tmp_path / "codes")
    assert np.array_equal(loaded.codes, codes.codes)
    assert np.array_equal(loaded.scales, codes.scales)
    assert loaded.error == codes.error
    for array in (loaded.codes, loaded.scales):
        assert is_mapped(array)
        assert not array.flags.writeable
