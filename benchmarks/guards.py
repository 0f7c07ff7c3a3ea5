"""Guards against profiles that game their rank, as they are tried out; no part of the product.

`copies`, one that repeats the issue says nothing of its own; `lists`, a long row of words that no
sentence ties together is not read; `twins`, near copies of one profile take one place.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from matcher import text
from matcher.rank.copies import repeats as copies
from matcher.rank.copies import shingles
from matcher.types import Company, Entry, Issue

GUARDS = ("copies", "lists", "twins")
_ALIKE = 0.6  # of the shingles of the shorter profile; honest ones 0.4 at most
_LEAST = 16  # shingles; a shorter text repeats another by chance
_LIST = 80  # characters without a particle; the longest stretch of 4,910 honest profiles has 70
_PLACES = 10
_TIE = re.compile("([をがはにでへ])")  # と, や and の stand in lists too
_TEXT_PARTS = frozenset({"dense", "words", "bigrams", "bridge", "reader"})


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


def guarded(issue: Issue, entries: Sequence[Entry], guards: Iterable[str]) -> list[Entry]:
    """The entries in their order under these guards.

    What copies the issue has no text of its own: its parts are the least that any company has. Of
    near copies of one profile the first stands for all.
    """
    kept = list(entries)
    if "copies" in guards:
        asked = text.issue_text(issue)
        least = {
            name: min(entry.parts[name] for entry in kept)
            for name in (kept[0].parts if kept else ())
            if name in _TEXT_PARTS
        }
        kept = [_as_least(e, least) if copies(asked, e.company.profile) else e for e in kept]
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


def _as_least(entry: Entry, least: Mapping[str, float]) -> Entry:
    parts = {**entry.parts, **least}
    return replace(entry, parts=parts, score=sum(parts.values()))
