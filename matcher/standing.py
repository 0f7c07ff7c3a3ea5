"""Why a company stands where it stands for an issue, on the list or not: for whoever asks.

Ranks, scores and parts are those that `Matcher.match` would give with room for every company.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from matcher.pipeline import Matcher, check_options, constraint_of
from matcher.trec import QrelsSource, read_qrels
from matcher.types import (
    Company,
    Constraint,
    Entry,
    Evidence,
    Issue,
    RegionRule,
    SdgRule,
    Shortlist,
)

# "no list": the rules let the company through, but the issue is unclear or has no candidate at
# all. Who fails both rules is excluded by region.
Position = Literal[
    "listed", "below", "no list", "excluded by region", "excluded by sdgs", "unknown company"
]
Cause = Literal["excluded", "unread", "far", "reader"]
_NEARNESS = ("dense", "words", "bigrams", "bridge")


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where one company stands for one issue, and what led there.

    Without a place under the rules and without them there are no score, parts and evidence.
    """

    issue: Issue
    company_id: str
    company: Company | None  # None: the catalog has none of that id
    status: Position
    rank: int | None = None  # among all whom the rules let through
    free_rank: int | None = None  # of an excluded company only: where it would stand without rules
    score: float | None = None
    parts: Mapping[str, float] = field(default_factory=dict)
    last_parts: Mapping[str, float] = field(default_factory=dict)  # of the last listed place
    was_read: bool = False  # by the reader, beside the issue
    region_reason: str = ""  # in Japanese
    evidence: tuple[Evidence, ...] = ()

    @property
    def cause(self) -> Cause:
        """What kept it from the list: the rules, nobody reading it, distance, or the reader.

        "far" where meaning and words lack more than the reader's word does. Of a listed company it
        says by what it lags the last place.
        """
        if self.rank is None:
            return "excluded"
        if not self.was_read:
            return "unread"
        near = sum(gap for part, gap in self.shortfall.items() if part in _NEARNESS)
        return "far" if near > self.shortfall.get("reader", 0.0) else "reader"

    @property
    def shortfall(self) -> Mapping[str, float]:
        """By part, how much more the last listed place has; below zero where it has less."""
        if not (self.parts and self.last_parts):
            return {}
        return {part: most - self.parts[part] for part, most in self.last_parts.items()}


def standings(
    matcher: Matcher,
    issue: Issue,
    company_ids: Sequence[str],
    *,
    top: int = 10,
    region_rule: RegionRule = "serves",
    sdg_rule: SdgRule = "prefer",
) -> list[Standing]:
    """How each of these companies stands for the issue, in the order asked.

    A list has `top` places. Every company of the catalog is ranked for it, and once more without
    rules where a company asked for is excluded.

    Raises:
        MatcherError: an option that cannot be.
    """
    check_options(top, region_rule, sdg_rule)
    rows = _rows(matcher, company_ids)
    excluded = _excluded(matcher, constraint_of(issue, region_rule, sdg_rule), rows)
    ruled = _everyone(matcher, issue, region_rule, sdg_rule)
    places = [one for one in ruled.entries if one.company.company_id in rows]
    if excluded:
        free = _everyone(matcher, issue, "any", "ignore" if sdg_rule == "ignore" else "prefer")
        places += [one for one in free.entries if one.company.company_id in excluded]
    explained = matcher.with_evidence(replace(ruled, entries=tuple(places))).entries
    told = {one.company.company_id: one for one in explained}
    read = matcher.read_for(issue) if rows else frozenset()

    def standing(company_id: str) -> Standing:
        bare = Standing(
            issue=issue,
            company_id=company_id,
            company=matcher.catalog.companies[rows[company_id]] if company_id in rows else None,
            status=excluded.get(company_id, "no list" if company_id in rows else "unknown company"),
            last_parts=ruled.entries[:top][-1].parts if ruled.entries else {},
            was_read=company_id in read,
        )
        return _placed(bare, told[company_id], top) if company_id in told else bare

    return [standing(company_id) for company_id in company_ids]


def missed(
    matcher: Matcher,
    issues: Iterable[Issue],
    qrels: QrelsSource,
    *,
    grade: int = 3,
    top: int = 10,
    region_rule: RegionRule = "serves",
    sdg_rule: SdgRule = "prefer",
) -> list[Standing]:
    """The partners of at least that grade that are not among the first `top`, issue by issue.

    Issues stand in the order given; within an issue those with a rank come first, best rank first,
    then excluded ones by the rank that they would have, then all others by id.

    Raises:
        MatcherError: an option that cannot be, or the qrels cannot be read.
    """
    check_options(top, region_rule, sdg_rule)
    judged = read_qrels(qrels)
    found: list[Standing] = []
    for issue in issues:
        grades = judged.get(issue.issue_id, {})
        partners = sorted(company for company, given in grades.items() if given >= grade)
        if partners:
            told = standings(
                matcher, issue, partners, top=top, region_rule=region_rule, sdg_rule=sdg_rule
            )
            found += sorted((one for one in told if one.status != "listed"), key=_nearness)
    return found


def _rows(matcher: Matcher, company_ids: Sequence[str]) -> dict[str, int]:
    """Where the companies of these ids stand in the catalog, those that it has."""
    wanted = frozenset(company_ids)
    companies = enumerate(matcher.catalog.companies)
    return {one.company_id: row for row, one in companies if one.company_id in wanted}


def _excluded(
    matcher: Matcher, constraint: Constraint, rows: Mapping[str, int]
) -> dict[str, Position]:
    """Which of these the constraint leaves out, and by what."""
    allowed = matcher.catalog.facets.allowed(constraint)
    places = np.array(list(rows.values()), dtype=np.int64)
    found: dict[str, Position] = {}
    kept, inside = allowed.bitmap.holds(places), allowed.region.holds(places)
    for company_id, is_kept, is_inside in zip(rows, kept, inside, strict=True):
        if not is_kept:
            found[company_id] = "excluded by sdgs" if is_inside else "excluded by region"
    return found


def _everyone(
    matcher: Matcher, issue: Issue, region_rule: RegionRule, sdg_rule: SdgRule
) -> Shortlist:
    """The list of all whom the rules let through, unexplained."""
    (found,) = matcher.match(
        [issue],
        top=max(1, len(matcher.catalog.companies)),
        region_rule=region_rule,
        sdg_rule=sdg_rule,
        is_explained=False,
    )
    return found


def _placed(bare: Standing, entry: Entry, top: int) -> Standing:
    """The standing with what its entry says; the rank of an excluded one is that without rules."""
    found = replace(
        bare,
        score=entry.score,
        parts=entry.parts,
        region_reason=entry.region_reason,
        evidence=entry.evidence,
    )
    if bare.status != "no list":
        return replace(found, free_rank=entry.rank)
    return replace(found, status="listed" if entry.rank <= top else "below", rank=entry.rank)


def _nearness(one: Standing) -> tuple[bool, float, str]:
    return one.rank is None, one.rank or one.free_rank or math.inf, one.company_id
