"""Removes the common direction of an encoder's space.

Raw E5 cosines of Japanese texts all lie in 0.75-0.9. Subtracting each side's own mean spreads them
out and removes hub companies that are near everything; one mean for both sides is worse than none.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from matcher.errors import MatcherError
from matcher.types import Vectors

# What the background counts for, in documents, so that a small catalog is not its own mean.
PRIOR_ROWS = 10
_LEAST_SPREAD = 1e-4  # of one text on either side nothing can be said


@dataclass(frozen=True, slots=True, eq=False)
class Centring:
    """The mean of each side, float64, (dim,), and what cosines between the sides are like."""

    query_mean: NDArray[np.float64]
    document_mean: NDArray[np.float64]
    spread: float  # standard deviation of the centred cosines of background pairs

    @classmethod
    def fit(cls, queries: Vectors, documents: Vectors, prior: Vectors) -> "Centring":
        """The means of background queries, and of the catalog's documents drawn to a background.

        Queries never come from the issues at hand: one issue's list must not depend on its
        neighbours. `prior` are vectors of background profiles, which weigh as `PRIOR_ROWS` rows.
        """
        query_mean = queries.mean(axis=0, dtype=np.float64)
        background = prior.mean(axis=0, dtype=np.float64)
        total = documents.sum(axis=0, dtype=np.float64) + PRIOR_ROWS * background
        # einsum adds in a fixed order, whatever the number of threads
        cosines = np.einsum("id,jd->ij", _unit(queries - query_mean), _unit(prior - background))
        return cls(
            query_mean=query_mean,
            document_mean=total / (len(documents) + PRIOR_ROWS),
            spread=max(round(float(cosines.std()), 6), _LEAST_SPREAD),
        )

    def queries(self, vectors: Vectors) -> Vectors:
        """The vectors without the mean of the queries, unit length again; they are `sound`."""
        return _unit(sound(vectors) - self.query_mean)

    def documents(self, vectors: Vectors) -> Vectors:
        """The vectors without the mean of the documents, unit length again; they are `sound`."""
        return _unit(sound(vectors) - self.document_mean)


def sound(vectors: Vectors) -> Vectors:
    """The vectors as they came.

    Raises:
        MatcherError: one has no direction, because it is zero or holds what is no number. A single
            one of these would spoil the mean, and with it every list.
    """
    lengths = np.einsum("ij,ij->i", vectors, vectors)
    if not (np.isfinite(lengths) & (lengths > 0)).all():
        message = (
            "エンコーダーが使えないベクトル（NaN・無限大・長さ0）を返しました。モデルのファイルが"
            "壊れているかもしれません。別の --encoder か、--precision f32 を試してください。"
        )
        raise MatcherError(message)
    return vectors


def _unit(vectors: NDArray[np.float64]) -> Vectors:
    """Rows of unit length; a row of zeros stays zeros."""
    norms = np.sqrt(np.einsum("ij,ij->i", vectors, vectors))[:, None]
    return np.asarray(vectors / np.maximum(norms, 1e-12), dtype=np.float32)
