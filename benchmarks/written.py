"""The written set: invented issues with two profiles that fit and one that only looks so.

Beside the triples stand graded lists: forty candidates of an issue, each with a grade. A field of
municipal work belongs to one part by its hash: `train` is learnt from, `dev` tells when to stop,
`held` is sealed and only ever measured on. No list of a part shows a profile of a part that is
sealed more tightly. See `data/README.md`.
"""

import csv
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from matcher import text
from matcher.codes import ALL_PREFECTURES
from matcher.types import Company, Issue, Qrels

Part = Literal["train", "dev", "held"]
Kind = Literal["fit", "fit2", "near_miss"]
List = tuple[str, tuple[tuple[str, int], ...]]  # an issue, its candidates' profiles with grades

PARTS: tuple[Part, ...] = ("train", "dev", "held")  # the later, the more tightly sealed
KINDS: tuple[Kind, ...] = ("fit", "fit2", "near_miss")
TRIPLES, GRADED, SECOND = "triples.jsonl", "graded.tsv", "graded_second.tsv"
FITS = 3  # the grade of a profile that was written to fit
DESK_FROM = "t1601"  # the first triple in the manner of a desk: as real calls and registries read

_DATA = Path(__file__).parent.parent / "data"  # of the repository: none of it is in the wheel


@dataclass(frozen=True, slots=True, kw_only=True)
class Triple:
    """An issue and its three profiles."""

    id: str
    field: str
    title: str
    description: str
    fit: str
    fit2: str
    near_miss: str

    @property
    def part(self) -> Part:
        """Which part the field belongs to; a field is never in two."""
        return part_of(self.field)

    @property
    def issue(self) -> Issue:
        """The issue as a record."""
        return Issue(issue_id=self.id, title=self.title, description=self.description)

    @property
    def companies(self) -> tuple[Company, ...]:
        """The three profiles as records, of organisations that serve all Japan."""
        return tuple(
            Company(
                company_id=f"{self.id}-{kind}",
                name=f"{self.id}-{kind}",
                profile=str(getattr(self, kind)),
                regions=ALL_PREFECTURES,
            )
            for kind in KINDS
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Grading:
    """What a reader thought of a candidate."""

    issue_id: str
    company_id: str
    grade: int  # 3 would solve exactly this, 2 worth a meeting, 1 adjacent, 0 no
    reason: str  # empty in lists that were graded without reasons


def part_of(field: str) -> Part:
    """The part of a field: of ten fields about two are held out and one is for looking."""
    place = int(hashlib.sha256(field.encode()).hexdigest()[:8], 16) % 10
    return "held" if place < 2 else "dev" if place == 2 else "train"


def triples(part: Part | None = None) -> list[Triple]:
    """The triples of a part, or all, in id order."""
    return [one for one in _all() if part is None or one.part == part]


def issues(part: Part | None = None) -> list[Issue]:
    """The issues of a part, or all, in id order."""
    return [one.issue for one in triples(part)]


def companies(part: Part | None = None) -> list[Company]:
    """Every profile of a part, or all: those that fit and the near misses, in id order."""
    return [company for one in triples(part) for company in one.companies]


def qrels(part: Part | None = None) -> Qrels:
    """What was written to fit: grade 3 for both profiles of each issue, and nothing else."""
    return {one.id: {f"{one.id}-fit": FITS, f"{one.id}-fit2": FITS} for one in triples(part)}


def graded_qrels(part: Part) -> Qrels:
    """What a reader thought of the part's own profiles, for the issues that were graded."""
    own = {company.company_id for company in companies(part)}
    known = {one.id for one in triples(part)}
    found: dict[str, dict[str, int]] = {}
    for one in gradings():
        if one.issue_id in known and one.company_id in own:
            found.setdefault(one.issue_id, {})[one.company_id] = one.grade
    return found


def gradings(name: str = GRADED) -> Iterator[Grading]:
    """The lines of a grading, by issue, candidates in the order in which they were read."""
    with (_DATA / name).open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE):
            yield Grading(
                issue_id=row["issue"],
                company_id=row["company"],
                grade=int(row["grade"]),
                reason=row["reason"],
            )


def lists(
    part: Part, *, read_whole: bool = False, manner: Literal["desk", "other"] | None = None
) -> list[List]:
    """The graded lists of a part, all texts normalised; only those with reasons if `read_whole`.

    `manner` chooses those of issues in the manner of a desk, or those of the others.

    Candidates from more tightly sealed fields are left out: what is learnt has never seen them.
    """
    by_id = {one.id: one for one in triples()}
    profiles = {one.company_id: text.normalise(one.profile) for one in companies()}
    seen = PARTS[: PARTS.index(part) + 1]
    found: dict[str, list[Grading]] = {}
    for one in gradings():
        if by_id[one.issue_id].part == part:
            found.setdefault(one.issue_id, []).append(one)
    return [
        (
            text.normalise(text.issue_text(by_id[issue_id].issue)),
            tuple(
                (profiles[one.company_id], one.grade)
                for one in candidates
                if by_id[one.company_id.split("-")[0]].part in seen
            ),
        )
        for issue_id, candidates in found.items()
        if not read_whole or all(one.reason for one in candidates)
        if manner is None or (manner == "desk") == (issue_id >= DESK_FROM)
    ]


def sealed() -> str:
    """SHA-256 over the lines of the held-out fields."""
    digest = hashlib.sha256()
    for line in (_DATA / TRIPLES).read_bytes().splitlines(keepends=True):
        if part_of(json.loads(line)["field"]) == "held":
            digest.update(line)
    return digest.hexdigest()


@cache
def _all() -> tuple[Triple, ...]:
    lines = (_DATA / TRIPLES).read_text(encoding="utf-8").splitlines()
    return tuple(Triple(**json.loads(line)) for line in lines)
