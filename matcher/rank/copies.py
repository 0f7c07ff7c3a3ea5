"""Whether a profile repeats the issue that it is asked about: then its nearness says nothing."""

import re
from functools import lru_cache

from matcher import text

_SHINGLE = 8  # letters
_RUN = 18  # letters taken over word for word; 17 is the longest run of 10,520 honest pairs
_COPIED = 0.3  # of the shingles of the shorter text; of honest pairs at most 0.15
_LEAST = 16  # shingles; a shorter text repeats another by chance


def repeats(issue: str, profile: str) -> bool:
    """True where the profile takes over a long run of the issue, or many of its shingles.

    Signs, spaces and the width of letters make no difference.
    """
    asked, told = shingles(issue), shingles(profile)
    shared, least = asked & told, min(len(asked), len(told))
    if not shared:
        return False
    if least >= _LEAST and len(shared) >= _COPIED * least:
        return True
    return not _runs(issue, _RUN).isdisjoint(_runs(profile, _RUN))


def shingles(source: str) -> frozenset[str]:
    """The runs of eight letters of a text."""
    return _runs(source, _SHINGLE)


@lru_cache(maxsize=1024)
def _runs(source: str, length: int) -> frozenset[str]:
    """The runs of so many letters of a text."""
    bare = _bare(source)
    return frozenset(bare[at : at + length] for at in range(len(bare) - length + 1))


@lru_cache(maxsize=1024)
def _bare(source: str) -> str:
    return re.sub(r"\W|_", "", text.normalise(source)).casefold()
