"""Guards where a profile could game its rank, as they are tried out; no part of the product.

`copies`: a profile that repeats the issue says nothing of its own. `lists`: a long row of words
that no sentence ties together is not read. `twins`: near copies of one profile take one place.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cache

from matcher import text
from matcher.types import Company, Entry, Issue

GUARDS = ("copies", "lists", "twins")
_SHINGLE = 8  # letters
_RUN = 18  # letters taken over word for word; 17 is the longest run of 10,520 honest pairs
_COPIED, _ALIKE = 0.3, 0.6  # of the shingles of the shorter text; honest ones 0.15 and 0.4 at most
_LEAST = 16  # shingles; a shorter text repeats another by chance
_LIST = 80  # characters without a particle; the longest stretch of 4,910 honest profiles has 70
_TIE = re.compile("([をがはにでへ])")  # と, や and の stand in lists too
_PLACES = 10
_TEXT_PARTS = frozenset({"dense", "words", "bigrams", "bridge", "reader"})


def copies(issue: str, profile: str) -> bool:
    """Whether the profile repeats the issue: a long run of it, or many of its shingles."""
    asked, told = shingles(issue), shingles(profile)
    shared, least = asked & told, min(len(asked), len(told))
    if not shared:
        return False
    if least >= _LEAST and len(shared) >= _COPIED * least:
        return True
    bare = _bare(profile)
    runs = (bare[at : at + _RUN] for at in range(len(bare) - _RUN + 1))
    return any(run in _bare(issue) for run in runs)


def alike(one: str, other: str) -> bool:
    """Whether two profiles are nearly the same registration."""
    ours, theirs = shingles(one), shingles(other)
    least = min(len(ours), len(theirs))
    return least >= _LEAST and len(ours & theirs) >= _ALIKE * least


def without_lists(company: Company) -> Company:
    """The company without the overlong lists of its profile.

    Whoever names sixty fields says nothing of any. A stretch of Latin letters has no particles.
    """
    stretches = _TIE.split(company.profile)
    return replace(company, profile="".join(one for one in stretches if not _is_list(one)))


def _is_list(stretch: str) -> bool:
    japanese = len(re.findall("[ぁ-ヿ一-龯]", stretch))
    return len(stretch) > _LIST and japanese > len(stretch) / 3


@cache
def shingles(source: str) -> frozenset[str]:
    """The runs of eight letters of a text."""
    bare = _bare(source)
    return frozenset(bare[at : at + _SHINGLE] for at in range(len(bare) - _SHINGLE + 1))


@cache
def _bare(source: str) -> str:
    return re.sub(r"\W|_", "", text.normalise(source)).casefold()


def guarded(issue: Issue, entries: Sequence[Entry], guards: Iterable[str]) -> list[Entry]:
    """The entries in their order under these guards.

    What copies the issue has no text of its own to be ranked by; of near copies of one profile the
    first stands for all.
    """
    kept = list(entries)
    if "copies" in guards:
        asked = text.issue_text(issue)
        kept = [_without_text(e) if copies(asked, e.company.profile) else e for e in kept]
        kept.sort(key=lambda entry: -entry.score)  # stable: equals stay in their order
    if "twins" in guards:
        first: list[Entry] = []
        for entry in kept:
            if not any(
                alike(entry.company.profile, one.company.profile) for one in first[:_PLACES]
            ):
                first.append(entry)
        kept = first
    return kept


def _without_text(entry: Entry) -> Entry:
    parts = {
        name: min(0.0, part) if name in _TEXT_PARTS else part for name, part in entry.parts.items()
    }
    return replace(entry, parts=parts, score=sum(parts.values()))
