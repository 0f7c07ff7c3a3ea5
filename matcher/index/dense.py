"""Exact inner product over the allowed rows: the one door to faiss."""

import faiss
import numpy as np
from threadpoolctl import ThreadpoolController

from matcher.types import Hits, Rows, Scores, Vectors

_EVERY = -2.0  # below any inner product of unit vectors


class DenseIndex:
    """Inner products of a query with the vectors of documents; row i is document i.

    Scores are bit-equal whatever the threads, the order of rows and the allowed rows are: faiss's
    range search adds up one pair at a time (its k-nearest search and BLAS differ in the last bits).
    """

    def __init__(self, vectors: Vectors) -> None:
        self._index = faiss.IndexFlatIP(vectors.shape[1])
        self._index.add(np.ascontiguousarray(vectors))
        # Looking for the libraries takes as long as a search of 20,000 rows: once, not per query.
        self._pools = ThreadpoolController()
        # float64 and one thread: a sum in another order would be another catalog.
        with self._pools.limit(limits=1, user_api="blas"):
            wide = vectors.astype(np.float64)
            count = max(1, len(wide))
            self._mean = wide.sum(axis=0) / count
            self._covariance = wide.T @ wide / count - np.outer(self._mean, self._mean)

    def search(self, query: Vectors, allowed: Rows) -> Hits:
        """Hits for every allowed row of one query (dim,).

        Mean and deviation are those over all documents, in closed form: q·µ and √(qᵀΣq).
        """
        wide = query.astype(np.float64)
        with self._pools.limit(limits=1, user_api="blas"):
            mean = float(wide @ self._mean)
            variance = float(wide @ self._covariance @ wide)
        rows, scores = self._products(query, allowed)
        return Hits.best_first(
            "dense", rows, scores, mean=mean, deviation=float(np.sqrt(max(0.0, variance)))
        )

    def _products(self, query: Vectors, allowed: Rows) -> tuple[Rows, Scores]:
        """The allowed rows in ascending order with their inner products."""
        parameters = faiss.SearchParameters()
        mask = np.zeros(self._index.ntotal, dtype=bool)
        mask[allowed] = True
        bits = np.packbits(mask, bitorder="little")
        # The selector keeps no copy: `bits` lives until the search is done.
        parameters.sel = faiss.IDSelectorBitmap(len(mask), faiss.swig_ptr(bits))
        _, products, rows = self._index.range_search(query[None, :], _EVERY, params=parameters)
        return rows.astype(np.int64), products.astype(np.float64)
