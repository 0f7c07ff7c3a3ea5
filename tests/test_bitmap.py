from operator import and_, or_, sub

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from vector_examples import KINDS, SEEDS, SIZES, some_of

from matcher.index.bitmap import Bitmap, spread

MASKS = st.lists(st.booleans(), max_size=200).map(lambda bits: np.array(bits, dtype=bool))


def test_row_r_is_bit_r_of_word_r_over_64():
    bitmap = Bitmap.of(np.array([130, 0, 63, 64]), 131)
    assert bitmap.words.tolist() == [1 + 2**63, 1, 4]
    assert bitmap.words.dtype == np.uint64
    assert (bitmap.size, len(bitmap), bitmap.rows().tolist()) == (131, 4, [0, 63, 64, 130])


@given(MASKS)
def test_rows_count_and_membership_are_those_of_the_mask(mask):
    bitmap, rows = Bitmap.where(mask), np.flatnonzero(mask)
    assert bitmap.rows().tolist() == rows.tolist()
    assert bitmap.rows().dtype == np.int64
    assert len(bitmap) == len(rows)
    assert bitmap.holds(np.arange(len(mask))).tolist() == mask.tolist()
    assert len(bitmap.words) == -(-len(mask) // 64)


@given(SEEDS, SIZES, KINDS)
def test_rows_in_any_order_and_twice_make_the_bitmap_of_their_mask(seed, size, kind):
    rng = np.random.default_rng(seed)
    mask = some_of(rng, size, kind)
    rows = rng.permutation(np.repeat(np.flatnonzero(mask), 2))
    assert Bitmap.of(rows, size).words.tolist() == Bitmap.where(mask).words.tolist()


@given(SIZES)
def test_every_row_and_no_bit_past_the_end(size):
    bitmap = Bitmap.every(size)
    assert len(bitmap) == sum(int(word).bit_count() for word in bitmap.words) == size
    assert bitmap.rows().tolist() == list(range(size))


@pytest.mark.parametrize("operation", [and_, or_])
@given(SEEDS, SIZES, KINDS, KINDS)
def test_and_and_or_are_those_of_sets(operation, seed, size, kind, other):
    rng = np.random.default_rng(seed)
    one, two = some_of(rng, size, kind), some_of(rng, size, other)
    both = operation(Bitmap.where(one), Bitmap.where(two))
    assert both.rows().tolist() == np.flatnonzero(operation(one, two)).tolist()
    assert (len(both), both.size) == (operation(one, two).sum(), size)


@given(SEEDS, SIZES, KINDS)
def test_who_is_in_one_and_not_in_the_other(seed, size, kind):
    rng = np.random.default_rng(seed)
    one, two = some_of(rng, size, kind), some_of(rng, size, "some")
    left = sub(Bitmap.where(one), Bitmap.where(two))
    assert left.rows().tolist() == np.flatnonzero(one & ~two).tolist()
    # nothing comes in past the end
    assert sum(int(word).bit_count() for word in left.words) == len(left)


@given(SEEDS, SIZES)
def test_operations_leave_their_sides_alone(seed, size):
    rng = np.random.default_rng(seed)
    one, two = (Bitmap.where(some_of(rng, size, "some")) for _ in range(2))
    before = one.words.tolist(), two.words.tolist()
    for operation in (and_, or_, sub):
        assert operation(one, two).words is not one.words
    assert (one.words.tolist(), two.words.tolist()) == before


def test_membership_is_told_in_the_order_of_the_question():
    bitmap = Bitmap.of(np.array([3, 64]), 70)
    asked = np.array([64, 0, 3, 3, 69])
    assert bitmap.holds(asked).tolist() == [True, False, True, True, False]


def test_words_are_spread_to_the_places_that_they_are_given():
    words = np.array([5, 2**63], dtype=np.uint64)
    assert spread(words, np.array([7, 2])).tolist() == [448, 450, 191]
