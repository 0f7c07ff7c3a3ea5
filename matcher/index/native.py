"""The inner loops of a search as machine code (numba), where the optional extra is installed.

One call holds a whole query: the walk over the lists, the filter, the inner products of the codes
and the exact scores of the few that may be among the first k: at a million rows 0.4 ms instead of
the 1.1 ms of numpy and faiss (`benchmarks/bench_search.py`). Every result is bit-equal to that of
`dense`, which does the same without this room.
"""

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

_AHEAD = 16  # rows fetched ahead of their turn: 47 ns a scattered row instead of 80
_LANES = 8
_STRIP = 64  # scores of a tile that are compared at once


@intrinsic
def _ones(_, word):
    """How many bits of a word are set."""

    def code(_, builder, __, arguments):
        return builder.ctpop(arguments[0])

    return types.uint64(types.uint64), code


@intrinsic
def _lowest(_, word):
    """The place of the lowest set bit of a word that has one."""

    def code(_, builder, __, arguments):
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))

    return types.uint64(types.uint64), code


@intrinsic
def _fetch(_, array, row):
    """Ask the memory for a row of a C-contiguous array, one cache line after the other."""

    def code(context, builder, signature, arguments):
        whole = context.make_array(signature.args[0])(context, builder, arguments[0])
        stride = cgutils.unpack_tuple(builder, whole.strides)[0]
        pointer = ir.IntType(8).as_pointer()
        start = builder.ptrtoint(whole.data, ir.IntType(64))
        start = builder.add(start, builder.mul(arguments[1], stride))
        number = ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [pointer, number, number, number])
        prefetch = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        with cgutils.for_range_slice(
            builder, ir.Constant(ir.IntType(64), 0), stride, ir.Constant(ir.IntType(64), 64)
        ) as (offset, _):
            line = builder.inttoptr(builder.add(start, offset), pointer)
            builder.call(prefetch, [line, *(number(value) for value in (0, 3, 1))])
        return context.get_dummy_value()

    return types.void(array, row), code


@njit(nogil=True, cache=True)
def _dot(codes, row, query):
    """The inner product of a row of codes with whole numbers, exact."""
    total = np.int32(0)
    for at in range(query.shape[0]):
        total = np.int32(total + np.int32(codes[row, at]) * np.int32(query[at]))
    return total


@njit(nogil=True, cache=True)
def _rows_between(words, start, stop, rows, count):
    """Write the set rows of start ≤ row < stop behind the first `count`; the new count."""
    if start >= stop:
        return count
    first, last = start >> 6, (stop - 1) >> 6
    for at in range(first, last + 1):
        word = words[at]
        if at == first:
            word &= ~np.uint64(0) << np.uint64(start & 63)
        if at == last:
            word &= ~np.uint64(0) >> np.uint64(63 - ((stop - 1) & 63))
        while word:
            rows[count] = (at << 6) + np.int64(_lowest(word))
            count += 1
            word &= word - np.uint64(1)
    return count


@njit(nogil=True, cache=True)
def sums(codes, query):
    """The inner product of each row of codes with whole numbers, (n,) float32; exact below 2^24."""
    found = np.empty(codes.shape[0], np.float32)
    for row in range(codes.shape[0]):
        found[row] = np.float32(_dot(codes, row, query))
    return found


@njit(nogil=True, cache=True)
def _longest(starts):
    """How many rows the longest list has."""
    longest = 0
    for at in range(len(starts) - 1):
        longest = max(longest, starts[at + 1] - starts[at])
    return longest


@njit(nogil=True, cache=True)
def _walk(order, near, at, starts, words, rows, count, enough, least):
    """Write the allowed rows of the lists from the place `at` on behind the first `count`.

    Until there are `enough`, or a list scores under `least`; rows and the place are then so many.
    """
    while at < len(order) and count < enough and near[at] >= least:
        nearest = order[at]
        at += 1
        count = _rows_between(words, starts[nearest], starts[nearest + 1], rows, count)
    return count, at


@njit(nogil=True, cache=True)
def _scan(codes, scales, query, scale, rows, scores, start, stop):
    """Write the score by codes of rows[start:stop] to the same places of `scores`."""
    for at in range(start, stop):
        if at + _AHEAD < stop:
            _fetch(codes, rows[at + _AHEAD])
        scores[at] = np.float32(_dot(codes, rows[at], query)) * (scale * scales[rows[at]])


@njit(nogil=True, cache=True)
def _kept(rows, scores, start, stop, least):
    """Those of rows[start:stop] that score at least so much by codes."""
    kept = np.empty(stop - start, np.int64)
    count = 0
    for at in range(start, stop):
        if scores[at] >= least:
            kept[count] = rows[at]
            count += 1
    return kept[:count]


@njit(nogil=True, cache=True)
def _replace(heap, new):
    """Put a higher score in place of the lowest of a heap."""
    place, size = 0, len(heap)
    while True:
        child = 2 * place + 1
        if child >= size:
            break
        if child + 1 < size and heap[child + 1] < heap[child]:
            child += 1
        if heap[child] >= new:
            break
        heap[place] = heap[child]
        place = child
    heap[place] = new


@njit(nogil=True, cache=True)
def _kth(scores, count, k):
    """The k-th largest of the first `count` scores, by a heap of the k largest seen."""
    heap = scores[:k].copy()
    heap.sort()
    for at in range(k, count):
        if scores[at] > heap[0]:
            _replace(heap, scores[at])
    return heap[0]


@njit(nogil=True, cache=True)
def _term(vectors, row, query, at):
    """What one component adds to an inner product; 0 behind the last."""
    return np.float64(vectors[row, at]) * query[at] if at < query.shape[0] else 0.0


@njit(nogil=True, cache=True)
def products(vectors, rows, query):
    """Inner products in float64, (len(rows),): eight sums side by side, added up in fixed order."""
    found = np.empty(len(rows), np.float64)
    width = query.shape[0]
    whole = width - width % _LANES
    for at in range(len(rows)):
        if at + 2 < len(rows):
            _fetch(vectors, rows[at + 2])
        row = rows[at]
        a = b = c = d = e = f = g = h = 0.0
        for i in range(0, whole, _LANES):
            a += np.float64(vectors[row, i]) * query[i]
            b += np.float64(vectors[row, i + 1]) * query[i + 1]
            c += np.float64(vectors[row, i + 2]) * query[i + 2]
            d += np.float64(vectors[row, i + 3]) * query[i + 3]
            e += np.float64(vectors[row, i + 4]) * query[i + 4]
            f += np.float64(vectors[row, i + 5]) * query[i + 5]
            g += np.float64(vectors[row, i + 6]) * query[i + 6]
            h += np.float64(vectors[row, i + 7]) * query[i + 7]
        if whole < width:
            a += _term(vectors, row, query, whole)
            b += _term(vectors, row, query, whole + 1)
            c += _term(vectors, row, query, whole + 2)
            d += _term(vectors, row, query, whole + 3)
            e += _term(vectors, row, query, whole + 4)
            f += _term(vectors, row, query, whole + 5)
            g += _term(vectors, row, query, whole + 6)
        found[at] = ((a + e) + (c + g)) + ((b + f) + (d + h))
    return found


@njit(nogil=True, cache=True)
def everyone(query, fine, scale, k, slack, words, eligible, codes, scales, vectors):
    """The allowed rows that may be among the first k, and their scores."""
    rows, scores = np.empty(eligible, np.int64), np.empty(eligible, np.float32)
    _rows_between(words, 0, len(words) << 6, rows, 0)
    _scan(codes, scales, fine, scale, rows, scores, 0, eligible)
    kept = _kept(rows, scores, 0, eligible, _kth(scores, eligible, k) - 2 * slack)
    return kept, products(vectors, kept, query)


@njit(nogil=True, cache=True)
def nearest(
    query,
    fine,
    scale,
    k,
    slack,
    words,
    eligible,
    codes,
    scales,
    vectors,
    order,
    near,
    starts,
    first,
    reach,
    most,
):
    """The rows of the nearest lists that may be among the first k, and their scores."""
    # No room for all: fresh memory for a wide filter's rows would take longer than the walk.
    room = min(eligible, max(first, most) + _longest(starts))
    rows, scores = np.empty(room, np.int64), np.empty(room, np.float32)
    count, at = _walk(order, near, 0, starts, words, rows, 0, first, np.float32(-np.inf))
    _scan(codes, scales, fine, scale, rows, scores, 0, count)
    kept = _kept(rows, scores, 0, count, _kth(scores, count, k) - 2 * slack)
    found = products(vectors, kept, query)
    last = np.sort(found)[-k]
    bar = np.float32(last) - np.float32(reach)
    stop, _ = _walk(order, near, at, starts, words, rows, count, most, bar)
    _scan(codes, scales, fine, scale, rows, scores, count, stop)
    more = _kept(rows, scores, count, stop, np.float32(last) - slack)
    return np.append(kept, more), np.append(found, products(vectors, more, query))


@njit(nogil=True, cache=True)
def accumulate(starts, rows, added, tokens, weights, scores):
    """Add to the scores of documents what each token adds, token by token."""
    for at in range(len(tokens)):
        weight = weights[at]
        for place in range(starts[tokens[at]], starts[tokens[at] + 1]):
            scores[rows[place]] += weight * np.float64(added[place])


@njit(nogil=True, cache=True)
def sift(scores, queries, goals, wanted, is_all, bit, best, slack):
    """Which scores of a tile may be among their query's first k, and pass its filter.

    `best` holds a heap of the k best scores of each query, which is kept up; `bit` is the goal that
    all rows of the tile pursue, 0 for none.
    """
    count, room = 0, 4096
    kept, places = np.empty(room, np.int64), np.empty(room, np.int64)
    width = scores.shape[1]
    for at in range(scores.shape[0]):
        line, heap = scores[at], best[queries[at]]
        wants, every = wanted[queries[at]], is_all[queries[at]]
        for start in range(0, width, _STRIP):
            stop = min(start + _STRIP, width)
            bar = heap[0] - slack
            highest = line[start]
            for place in range(start, stop):  # becomes vector instructions: nearly all end here
                highest = max(highest, line[place])
            if highest < bar:
                continue
            for place in range(start, stop):
                score = line[place]
                if score < heap[0] - slack:
                    continue
                shared = goals[place] & wants
                if every:
                    if shared != wants:
                        continue
                elif (shared & (~shared + np.uint32(1))) != bit if bit else shared == 0:
                    continue
                if count == room:
                    kept, places = np.append(kept, kept), np.append(places, places)
                    room *= 2
                kept[count], places[count] = at, place
                count += 1
                if score > heap[0]:
                    _replace(heap, score)
    return kept[:count], places[:count]
