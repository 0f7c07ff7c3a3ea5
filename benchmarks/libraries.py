"""Libraries as peers of the product's search (see `peers.py`): numpy, FAISS, hnswlib, usearch."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray
from peers import Contestant, Filters, Peer, best, grid

from matcher.types import Constraint, Rows, Vectors

if TYPE_CHECKING:
    from corpora import Corpus


@dataclass(frozen=True, slots=True, eq=False)
class Products(Peer):
    """Numpy: the products of the allowed rows, or of all rows with the filter after."""

    filters: Filters
    vectors: Vectors
    order: Literal["filter first", "products first"] = "filter first"
    cached: bool = False
    tuned = ("order", "cached")

    @classmethod
    def build(cls, corpus: "Corpus", threads: int = 1) -> "Products":
        """Nothing is built; threads are those of the environment."""
        return cls("numpy", Filters(corpus), corpus.vectors)

    def search(self, vector: Vectors, constraint: Constraint, k: int) -> Rows:
        """All rows that are best: exact."""
        rows = self.filters.rows(constraint, cached=self.cached)
        if self.order == "filter first":
            return best(rows, self.vectors[rows] @ vector, k)
        return best(rows, (self.vectors @ vector)[rows], k)


@dataclass(frozen=True, slots=True, eq=False)
class FaissFlat(Peer):
    """FAISS's exact index with a selector, or with a filter over what it fetched."""

    filters: Filters
    index: Any
    selector: Literal["array", "bitmap", "batch", "none"] = "array"
    fetch: int = 0  # rows, where there is no selector
    cached: bool = False
    tuned = ("selector", "fetch", "cached")

    @classmethod
    def build(cls, corpus: "Corpus", threads: int = 1) -> "FaissFlat":
        """The vectors, copied."""
        import faiss

        faiss.omp_set_num_threads(threads)
        index = faiss.IndexFlatIP(corpus.vectors.shape[1])
        index.add(corpus.vectors)
        return cls("FAISS Flat", Filters(corpus), index)

    def search(self, vector: Vectors, constraint: Constraint, k: int) -> Rows:
        """Exact with a selector; without one, what is left of the rows fetched."""
        import faiss

        if self.selector == "none":
            count = min(max(self.fetch, k), self.index.ntotal)
            rows = self.index.search(vector[None], count)[1][0]
            return rows[self.filters.mask(constraint, rows)][:k]
        if self.selector == "bitmap":
            chosen = faiss.IDSelectorBitmap(self.filters.bits(constraint, cached=self.cached))
        else:
            kind = faiss.IDSelectorArray if self.selector == "array" else faiss.IDSelectorBatch
            chosen = kind(self.filters.rows(constraint, cached=self.cached))
        # Given arrays, selectors keep them alive; given pointers they would not.
        parameters = faiss.SearchParameters(sel=chosen)
        return _found(self.index.search(vector[None], k, params=parameters))


@dataclass(frozen=True, slots=True, eq=False)
class FaissLists(Peer):
    """FAISS's inverted lists with a bitmap; lossy codes are ranked again by the vectors.

    `max_codes` counts the rows that pass the selector (from 1.15 on). Left to itself FAISS then
    reads only the head of each list, no further than what is left to count; `whole` reads lists
    to their end and goes on until there are k.
    """

    filters: Filters
    vectors: Vectors
    index: Any
    nprobe: int = 64
    max_codes: int = 0  # 0: no limit
    fetch: int = 0  # to be ranked again; 0: the scores are exact
    whole: bool = True
    cached: bool = False
    tuned = ("nprobe", "max_codes", "fetch", "whole", "cached")

    @classmethod
    def build(
        cls, corpus: "Corpus", threads: int = 1, codes: str = "Flat", nlist: int = 0
    ) -> "FaissLists":
        """Lists near 4·√n, a power of two; `codes` are FAISS's name of what the lists hold."""
        import faiss

        count, dim = corpus.vectors.shape
        nlist = nlist or 2 ** round(np.log2(4 * np.sqrt(count)))
        faiss.omp_set_num_threads(os.cpu_count() or 1)
        # Keyed by rows: FAISS makes its k-means spherical for inner products by itself.
        metric = faiss.METRIC_INNER_PRODUCT
        index = faiss.index_factory(dim, f"IVF{nlist},{codes.format(dim // 4)}", metric)
        index.cp.max_points_per_centroid = 64
        index.cp.min_points_per_centroid = 1  # it would warn
        if codes.startswith("PQ"):
            index.pq.cp.min_points_per_centroid = 1
            index.do_polysemous_training = False  # minutes, for what no search here uses
        if codes.startswith("RaBitQ"):
            index.qb = 4  # bits of a query; at its default of 0 the search is ten times slower
        index.train(corpus.vectors)
        index.add(corpus.vectors)
        faiss.omp_set_num_threads(threads)
        label = f"FAISS IVF{nlist},{codes.format(dim // 4)} + IDSelectorBitmap"
        return cls(label, Filters(corpus), corpus.vectors, index)

    def search(self, vector: Vectors, constraint: Constraint, k: int) -> Rows:
        """The best rows of the nearest lists."""
        import faiss

        parameters = faiss.SearchParametersIVF(
            sel=faiss.IDSelectorBitmap(self.filters.bits(constraint, cached=self.cached)),
            nprobe=min(self.nprobe, self.index.nlist),
            max_codes=self.max_codes,
            ensure_topk_full=self.whole,
        )
        rows = _found(self.index.search(vector[None], max(k, self.fetch), params=parameters))
        return best(rows, self.vectors[rows] @ vector, k) if self.fetch else rows


@dataclass(frozen=True, slots=True, eq=False)
class FaissGraph(Peer):
    """FAISS's HNSW with a bitmap: it walks over all rows and keeps those allowed."""

    filters: Filters
    index: Any
    ef: int = 256
    cached: bool = False
    tuned = ("ef", "cached")

    @classmethod
    def build(cls, corpus: "Corpus", threads: int = 1, links: int = 32) -> "FaissGraph":
        """The graph, built with every core."""
        import faiss

        faiss.omp_set_num_threads(os.cpu_count() or 1)
        index = faiss.IndexHNSWFlat(corpus.vectors.shape[1], links, faiss.METRIC_INNER_PRODUCT)
        index.hnsw.efConstruction = 200
        index.add(corpus.vectors)
        faiss.omp_set_num_threads(threads)
        return cls(f"FAISS HNSW{links} + IDSelectorBitmap", Filters(corpus), index)

    def search(self, vector: Vectors, constraint: Constraint, k: int) -> Rows:
        """What a walk of breadth `ef` meets."""
        import faiss

        chosen = faiss.IDSelectorBitmap(self.filters.bits(constraint, cached=self.cached))
        parameters = faiss.SearchParametersHNSW(sel=chosen, efSearch=max(k, self.ef))
        return _found(self.index.search(vector[None], k, params=parameters))


def _found(answer: tuple[Vectors, NDArray[np.int64]]) -> Rows:
    """The rows of FAISS's answer, which it pads with −1."""
    rows = answer[1][0]
    return rows[rows >= 0]


@dataclass(frozen=True, slots=True, eq=False)
class Hnswlib(Peer):
    """hnswlib, which asks a Python function about each row it meets."""

    filters: Filters
    index: Any
    threads: int
    ef: int = 50
    cached: bool = False
    tuned = ("ef", "cached")

    @classmethod
    def build(cls, corpus: "Corpus", threads: int = 1, links: int = 32) -> "Hnswlib":
        """The graph, built with every core."""
        import hnswlib

        count, dim = corpus.vectors.shape
        index = hnswlib.Index(space="ip", dim=dim)
        index.init_index(count, M=links, ef_construction=200)
        index.add_items(corpus.vectors, num_threads=os.cpu_count() or 1)
        return cls(f"hnswlib M {links} + function", Filters(corpus), index, threads)

    def search(self, vector: Vectors, constraint: Constraint, k: int) -> Rows:
        """The rows met; it refuses to answer with fewer than k, and then walks more widely."""
        if self.cached:
            bits = self.filters.bits(constraint, cached=True)
            mask = np.unpackbits(bits, bitorder="little")
        else:
            mask = self.filters.mask(constraint)
        k = min(k, int(np.count_nonzero(mask)))
        allowed = mask.tobytes().__getitem__  # the quickest function from a number to a truth
        size, ef = self.index.get_current_count(), max(k, self.ef)
        while k:
            self.index.set_ef(ef)
            try:
                found = self.index.knn_query(vector, k, num_threads=self.threads, filter=allowed)
                return found[0][0].astype(np.int64)
            except RuntimeError:
                if ef >= size:
                    break  # what is allowed is not linked
                ef = min(size, 4 * ef)
        return np.empty(0, dtype=np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class Usearch(Peer):
    """usearch, which has no filter in Python: it fetches more, and the filter comes after."""

    filters: Filters
    index: Any
    threads: int
    fetch: int = 1000
    tuned = ("fetch",)

    @classmethod
    def build(cls, corpus: "Corpus", threads: int = 1, links: int = 32) -> "Usearch":
        """The graph, built with every core."""
        from usearch.index import Index

        count, dim = corpus.vectors.shape
        index = Index(ndim=dim, metric="ip", dtype="f32", connectivity=links, expansion_add=200)
        index.add(np.arange(count), corpus.vectors, threads=os.cpu_count() or 1)
        return cls(f"usearch M {links} + filter after", Filters(corpus), index, threads)

    def search(self, vector: Vectors, constraint: Constraint, k: int) -> Rows:
        """What is left of the rows fetched."""
        self.index.expansion_search = max(self.fetch, k)
        keys = self.index.search(vector, max(self.fetch, k), threads=self.threads).keys
        rows = keys.astype(np.int64)
        return rows[self.filters.mask(constraint, rows)][:k]


def _lists(codes: str) -> Callable[..., Peer]:
    """How to build inverted lists of these codes."""
    return lambda corpus, threads=1, **options: FaissLists.build(
        corpus, threads, codes=codes, **options
    )


_BOTH = (True, False)
_WALK = {
    "nprobe": (64, 256, 1024, 4096),  # the last is every list, up to a million rows
    "max_codes": (500, 1000, 2000, 4000, 8000, 16_000, 32_000, 64_000),
    "whole": _BOTH,
}
_RANKED_AGAIN = {
    "nprobe": _WALK["nprobe"],
    "max_codes": (1000, 2000, 4000, 8000, 16_000, 64_000),
    "fetch": (40, 100, 200, 400),
}
CONTESTANTS = (
    Contestant(
        label="numpy",
        packages=("numpy",),
        build=Products.build,
        grid=grid(order=("filter first", "products first"), cached=_BOTH),
        is_exact=True,
    ),
    Contestant(
        label="FAISS Flat, selector",
        packages=("faiss",),
        build=FaissFlat.build,
        grid=grid(selector=("array", "bitmap", "batch"), cached=_BOTH),
        is_exact=True,
    ),
    Contestant(
        label="FAISS Flat, filter after",
        packages=("faiss",),
        build=FaissFlat.build,
        grid=grid(selector=("none",), fetch=(100, 1000, 10_000)),
    ),
    Contestant(
        label="FAISS IVF,Flat",
        packages=("faiss",),
        build=_lists("Flat"),
        grid=grid(**_WALK, cached=_BOTH) + grid(nprobe=(64, 256), cached=_BOTH),
    ),
    *(
        Contestant(
            label=f"FAISS IVF,{codes.format(96)}, ranked again",
            packages=("faiss",),
            build=_lists(codes),
            grid=grid(**_RANKED_AGAIN, cached=_BOTH),
        )
        for codes in ("SQ8", "PQ{}", "RaBitQ", "RaBitQ4")
    ),
    Contestant(
        label="FAISS HNSW",
        packages=("faiss",),
        build=FaissGraph.build,
        grid=grid(ef=(64, 256, 1024, 4096), cached=_BOTH),
    ),
    Contestant(
        label="hnswlib",
        packages=("hnswlib",),
        build=Hnswlib.build,
        grid=grid(ef=(50, 100, 200, 400, 1600), cached=_BOTH),
    ),
    Contestant(
        label="usearch, filter after",
        packages=("usearch",),
        build=Usearch.build,
        grid=grid(fetch=(100, 1000, 10_000)),
    ),
)
