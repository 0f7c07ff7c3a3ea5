"""Fused hits → the first k places, with neutral ties and every part of the score in view."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from matcher.rank import features
from matcher.settings import Settings
from matcher.types import Company, Hits, Rows, Scores

_THIN = 10  # an issue of fewer content words (足の確保。バスが減った。) cannot share many


@dataclass(frozen=True, slots=True)
class Place:
    """A company's place before it is explained."""

    row: int
    score: float
    parts: Mapping[str, float]  # by the source of the hits they come from; they sum to the score


def first(
    fused: Hits, parts: Sequence[Hits], k: int, issue_id: str, companies: Sequence[Company]
) -> list[Place]:
    """The first k places, best first, with what each part gave.

    Equal scores go by SHA-256 of issue id, NUL, company id: an order that favours no name, no id
    and no input order, and that does not depend on k.
    """
    if not len(fused.rows) or not k:
        return []
    last = fused.scores[min(k, len(fused.rows)) - 1]
    tied = fused.scores >= last  # whoever ties with the last place competes for it
    scored = list(zip(fused.scores[tied].tolist(), fused.rows[tied].tolist(), strict=True))
    scored.sort(key=lambda one: (-one[0], lot(issue_id, companies[one[1]].company_id)))
    rows = np.array([row for _, row in scored[:k]], dtype=np.int64)
    shares = {part.source: _shares(part, rows) for part in parts}
    return [
        Place(row, score, {source: share[at] for source, share in shares.items()})
        for at, (score, row) in enumerate(scored[:k])
    ]


def has_evidence(
    nearness: Scores,
    words: int,
    shared_words: NDArray[np.int64],
    settings: Settings,
    conviction: float | None = None,
) -> bool:
    """Whether some allowed company has something in common with the issue, in absolute terms.

    Either the meaning is near by itself, or it is fairly near and some content words are shared;
    `nearness` holds each company's cosine in spreads of the encoder's background, so that limits
    hold for any encoder. `words` counts the different ones of the issue, `shared_words` those that
    each company shares. The reader's highest conviction, where there is one, may be enough by
    itself, and may be too low for all the rest. A z-score in the catalog cannot tell: among a
    hundred strangers one always stands out.
    """
    enough = settings.fair_words if words >= _THIN else min(1, settings.fair_words)
    fair = (nearness >= settings.fair_meaning) & (shared_words >= enough)
    found = bool((fair | (nearness >= settings.near_meaning)).any())
    if conviction is None:
        return found
    least, most = features.conviction(np.array([settings.fair_likely, settings.near_likely]))
    return bool(conviction >= most or (found and conviction >= least))


def _shares(part: Hits, rows: Rows) -> list[float]:
    """What the part gave to each of these rows."""
    order = np.argsort(part.rows)
    found: list[float] = part.scores[order[np.searchsorted(part.rows, rows, sorter=order)]].tolist()
    return found


def lot(issue_id: str, company_id: str) -> bytes:
    """What orders equal scores, ascending: it favours no name, no id and no input order."""
    return hashlib.sha256(f"{issue_id}\0{company_id}".encode()).digest()
