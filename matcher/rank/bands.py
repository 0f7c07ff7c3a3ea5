"""How sure a place is, on one scale for all issues.

A score orders the companies of one issue; how high it is says little by itself. On graded lists of
fields that no model learnt from, the line from score to the log odds of "a coordinator would meet
them" (grade 2 or 3) was fitted (Platt, Probabilistic outputs for support vector machines, 1999).
It holds for the shipped encoder, reader and weights; under any others there is no band.
"""

from dataclasses import fields
from typing import Literal

import numpy as np

from matcher.settings import Settings

Band = Literal["A", "B", "C", "判定不能"]

# From `benchmarks/fit_weights.py`: slope and shift of the log odds over the score, with the reader
# and without it.
READ = (1.2414, -6.4140)
UNREAD = (1.6817, -3.8722)
# What stands in the ids of the encoder and the reader that they were fitted with.
ENCODER, READER = "deltas=48f91385c38d", "deltas=be963e8f8de9"
SURE, WORTH = 0.5, 0.2  # the likelihoods from which a place is A, and B
_FEWEST = 5  # content words, on either side, from which anything can be said


def is_calibrated(settings: Settings, encoder_id: str, reader_id: str | None) -> bool:
    """Whether scores come about as those did that the bands were fitted with."""
    if ENCODER not in encoder_id or (reader_id is not None and READER not in reader_id):
        return False
    usual = Settings()
    weights = [field.name for field in fields(Settings) if field.name.endswith("_weight")]
    return all(getattr(settings, name) == getattr(usual, name) for name in weights)


def likelihood(score: float, *, is_read: bool) -> float:
    """How likely a coordinator would meet a company of this score, 0..1."""
    slope, shift = READ if is_read else UNREAD
    return float(1 / (1 + np.exp(-(slope * score + shift))))


def band(
    score: float,
    *,
    is_read: bool,
    issue_words: int,
    company_words: int,
    is_copied: bool = False,
) -> Band:
    """A: worth a meeting. B: worth a look. C: for reference. 判定不能: the texts cannot tell.

    They cannot where too little is written, and where the profile repeats the issue: a company
    that copies what is asked for is near without having said what it does. `issue_words` and
    `company_words` count the different content words of the two texts.
    """
    if is_copied or min(issue_words, company_words) < _FEWEST:
        return "判定不能"
    likely = likelihood(score, is_read=is_read)
    return "A" if likely >= SURE else "B" if likely >= WORTH else "C"
