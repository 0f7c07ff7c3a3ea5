"""Vectors, filters and lists to search, and searches that are plain enough to be believed."""

import mmap
import sys
from contextlib import contextmanager

import faiss
import numpy as np
import pytest
from hypothesis import strategies as st
from threadpoolctl import threadpool_limits

from matcher.index import backend, budget
from matcher.index.bitmap import Bitmap
from matcher.index.budget import Budget, Line
from matcher.index.dense import DenseIndex
from matcher.index.lists import Lists
from matcher.index.quantised import Quantised, coarse_levels, rounded

SEEDS = st.integers(0, 2**32 - 1)
SIZES = st.sampled_from([0, 1, 2, 5, 63, 64, 65, 127, 128, 129, 200, 317])
DIMS = st.sampled_from([1, 2, 3, 7, 8, 9, 17, 64, 384])
KINDS = st.sampled_from(["none", "one", "some", "most", "all"])


def unit(rng, size, dim):
    """Rows of unit length; some stand there twice, some are turned round and some are nothing."""
    vectors = rng.normal(size=(size, dim)).astype(np.float32)
    vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), np.float32(1e-9))
    if size and rng.random() < 0.6:
        vectors = vectors[rng.integers(0, rng.integers(1, size + 1), size)]
        vectors *= rng.choice([-1, 0, 1], size=(size, 1), p=[0.2, 0.1, 0.7]).astype(np.float32)
    return vectors


def clustered(rng, size, dim, clusters, spread):
    """Rows of unit length around some of them, as profiles of one trade lie together."""
    centres = rng.normal(size=(clusters, dim))
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    noise = rng.normal(size=(size, dim)) * spread / dim**0.5
    vectors = centres[rng.integers(clusters, size=size)] + noise
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def some_of(rng, size, kind):
    """Which of so many rows are allowed, as a mask."""
    share = {"none": 0, "some": rng.random() * 0.5, "most": 0.9, "all": 1}.get(kind, 0)
    mask = rng.random(size) < share
    if kind == "one" and size:
        mask[rng.integers(size)] = True
    return mask


def in_lists(rng, vectors, count):
    """Lists that begin anywhere: at the edge of a word, inside one, or where another ends."""
    starts = np.sort(rng.choice(np.arange(0, len(vectors) + 1, rng.choice([1, 64])), count - 1))
    centroids = np.array(unit(rng, count, vectors.shape[1]))
    for at, start in enumerate(np.r_[0, starts]):
        if start < len(vectors) and rng.random() < 0.7:
            centroids[at] = vectors[start]
    return Lists(Quantised.of(centroids), np.r_[0, starts, len(vectors)].astype(np.int64))


def line(**fields):
    """A line that nothing was measured for."""
    nothing = {"k": 100, "base": 20, "slope": 0, "reach": 0.1, "most": 10}
    return Line(**nothing | {"recall": 1, "worst": 1, "bands": ()} | fields)


@contextmanager
def machine_code(is_on):
    """Every index that is made here searches by machine code, or none does."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MATCHER_NATIVE", raising=False)
        patch.setattr(backend, "_FROM", 0 if is_on else sys.maxsize)
        yield


@contextmanager
def threads(count):
    """faiss and BLAS work with so many threads; as before afterwards."""
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(count)
    with threadpool_limits(count):
        yield
    faiss.omp_set_num_threads(before)


@contextmanager
def budgets_for_few():
    """A budget rules however few rows are allowed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(budget, "FEW", 0)
        yield


def made(vectors, is_machine, lists=None, bounds=None, lots=None):
    """An index with codes, in machine code or in numpy and faiss."""
    with machine_code(is_machine):
        return DenseIndex(
            vectors,
            lots=lots,
            codes=Quantised.of(vectors),
            lists=lists,
            budget=None if bounds is None else Budget((bounds,)),
        )


def products(vectors, query):
    """Inner products by the rule: component i belongs to sum i % 8, and the sums go in pairs."""
    sums = np.zeros((8, len(vectors)))
    for at, component in enumerate(query.tolist()):
        sums[at % 8] += vectors[:, at].astype(np.float64) * component
    a, b, c, d, e, f, g, h = sums
    return ((a + e) + (c + g)) + ((b + f) + (d + h))


def first(index, query, k, rows):
    """Rows and scores of the first k of some rows: descending, equals by lot and by row."""
    rows = np.asarray(rows, dtype=np.int64)
    scores = products(index.vectors[rows], query).tolist()
    lots = index.lots[rows].tolist()
    best = sorted(zip([-score for score in scores], lots, rows.tolist(), strict=True))[:k]
    return [row for *_, row in best], [-score for score, *_ in best]


def nearest_lists(lists, query):
    """The lists in the order of a walk, and their scores, in whole numbers of any size."""
    coarse, scale = rounded(query, coarse_levels(len(query)))
    whole = lists.centroids.codes.astype(np.int64) @ coarse.astype(np.int64)
    scores = whole.astype(np.float32) * (lists.centroids.scales * scale)
    order = sorted(range(len(lists)), key=lambda at: (-scores[at], at))
    return order, scores[order]


def walked(index, bounds, query, k, mask):
    """The allowed rows of the lists that a walk by a line looks into, list by list."""
    lists, eligible = index.lists, int(mask.sum())
    k = min(k, eligible)
    seen, bar = [], None
    for at, score in zip(*nearest_lists(lists, query), strict=True):
        if bar is None and len(seen) >= bounds.first(k, eligible):
            last = first(index, query, k, seen)[1][-1]
            bar = np.float32(last) - np.float32(bounds.reach)
        if bar is not None and (score < bar or len(seen) >= bounds.last(k, eligible)):
            break
        rows = np.arange(lists.starts[at], lists.starts[at + 1])
        seen += rows[mask[rows]].tolist()
    return seen


def found(index, query, k, mask, **how):
    """What a search gives, as lists."""
    hits = index.search(query, k, Bitmap.where(mask), **how)
    assert (hits.source, hits.rows.dtype, hits.scores.dtype) == ("dense", np.int64, np.float64)
    return hits.rows.tolist(), hits.scores.tolist()


def is_mapped(array):
    """Whether an array lies in a file, and nothing of it was copied."""
    while isinstance(array, np.ndarray):
        array = array.base
    return isinstance(array, mmap.mmap)
