"""Every kind of evidence for a pair on one scale, as a weighted part of the score."""

import numpy as np

from matcher.types import Hits

# A deviation under this is rounding, not spread: one company, or the same profile many times.
_LEAST_DEVIATION = 1e-4


def standardise(hits: Hits) -> Hits:
    """The hits in z units of the query's scores over the whole catalog.

    Without this a weight means nothing: a cosine is bounded, BM25 has no top.
    """
    scale = max(hits.deviation, _LEAST_DEVIATION)
    return Hits(source=hits.source, rows=hits.rows, scores=(hits.scores - hits.mean) / scale)


def weigh(hits: Hits, weight: float) -> Hits:
    """The hits as a part of the score: times a weight ≥ 0, with the six decimals that are shown."""
    # + 0.0: rounding makes -0.0, which would be shown with its sign
    return Hits(source=hits.source, rows=hits.rows, scores=np.round(hits.scores * weight, 6) + 0.0)
