"""Every kernel of machine code at its edges; `test_native` runs this with accesses checked."""

from itertools import product

import numpy as np
from vector_examples import (
    budgets_for_few,
    first,
    found,
    in_lists,
    line,
    machine_code,
    made,
    some_of,
    unit,
    walked,
)

from matcher.index import native
from matcher.index.lexical import LexicalIndex

SIZES = (1, 63, 64, 65, 130)
DIMS = (1, 9, 64)


def is_checked():
    """Whether a row behind the last is noticed."""
    try:
        native.products(np.zeros((1, 8), np.float32), np.array([1]), np.zeros(8))
    except IndexError:
        return True
    return False


def search(rng, size, dim, kind):
    """One filter, searched exactly and by short, long and endless walks, for few hits and many."""
    vectors, query, mask = unit(rng, size, dim), unit(rng, 1, dim)[0], some_of(rng, size, kind)
    for count, (base, reach, most) in product((1, 9), ((1, -1, 1), (5, 0.1, 2), (1, 10, 1e9))):
        bounds = line(base=base, reach=reach, most=most)
        index = made(vectors, True, in_lists(rng, vectors, count), bounds)
        for k in (1, 2, size + 1):
            exact = found(index, query, k, mask, exact=True)
            assert exact == first(index, query, k, np.flatnonzero(mask))
            near = found(index, query, k, mask)
            if index.budget.line(min(k, mask.sum()), mask.sum()) and mask.any():
                seen = walked(index, bounds, query, k, mask)
                assert near == first(index, query, k, seen)
            else:
                assert near == exact


def sift(rng, width, k):
    """Tiles as wide as a strip and a little more, in which everyone or nobody is kept."""
    for keeps_all, bit in product((False, True), (0, 2)):
        best = np.full((4, k), -np.inf, dtype=np.float32)
        for _ in range(3):
            native.sift(
                *(rng.random((2, width), dtype=np.float32), np.array([3, 0])),
                *(np.full(width, 2, np.uint32), np.full(4, 2 if keeps_all else 4, np.uint32)),
                *(np.array([True, False] * 2), np.uint32(bit), best),
                np.float32(9),
            )


def main():
    """Run them all."""
    assert is_checked(), "NUMBA_BOUNDSCHECK is not set"
    rng = np.random.default_rng(20_261_122)
    with budgets_for_few():
        for size, dim in product(SIZES, DIMS):
            for kind in ("none", "one", "some", "all"):
                search(rng, size, dim, kind)
    for width, k in product((1, 63, 64, 65, 3_000), (1, 2, 9)):
        sift(rng, width, k)
    with machine_code(True):
        for documents in ([["a"]], [[], ["b", "a"], ["b"]]):
            index = LexicalIndex.build("words", documents)
            for tokens in ([], ["a"], ["b", "a", "b", "z"]):
                index.everywhere(tokens)


if __name__ == "__main__":
    main()
