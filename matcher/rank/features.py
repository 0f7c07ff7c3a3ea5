"""Every kind of evidence for a pair on one scale, as a weighted part of the score."""

import numpy as np

from matcher.types import Hits, Scores

# A deviation under this is rounding, not spread: one company, or the same profile many times.
_LEAST_DEVIATION = 1e-4

# The odds between which a reader's word counts: 1 to 400 against, 20 to 1 for.
_LEAST_ODDS, _MOST_ODDS = -6.0, 3.0


def standardise(hits: Hits) -> Hits:
    """The hits in z units of the query's scores over the whole catalog.

    Without this a weight means nothing: a cosine is bounded, BM25 has no top.
    """
    scores = units(hits.scores, hits.mean, hits.deviation)
    return Hits(source=hits.source, rows=hits.rows, scores=scores)


def units(scores: Scores, mean: float, deviation: float) -> Scores:
    """Scores in z units: how many deviations above the mean."""
    found: Scores = (scores - mean) / max(deviation, _LEAST_DEVIATION)
    return found


def weigh(hits: Hits, weight: float) -> Hits:
    """The hits as a part of the score: times a weight ≥ 0, with the six decimals that are shown."""
    # + 0.0: rounding makes -0.0, which would be shown with its sign
    return Hits(source=hits.source, rows=hits.rows, scores=np.round(hits.scores * weight, 6) + 0.0)


def conviction(likely: Scores) -> Scores:
    """From 0 to 1 how far a reader's probabilities speak for a pair, in a line of their log odds.

    The probability itself would hardly tell the good from the very good, nor the poor from the
    hopeless.
    """
    kept = np.clip(likely, 1e-9, 1 - 1e-9)
    odds = np.log(kept / (1 - kept))
    found: Scores = np.clip((odds - _LEAST_ODDS) / (_MOST_ODDS - _LEAST_ODDS), 0.0, 1.0)
    return found
