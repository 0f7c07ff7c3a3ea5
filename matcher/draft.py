"""A shortlist before its places are explained."""

from collections.abc import Sequence
from dataclasses import dataclass

from matcher.bridge import Crossing
from matcher.index.facets import Allowed
from matcher.query import Query
from matcher.rank import explain, ranker
from matcher.types import Company, Constraint, Entry, Issue, Shortlist, Status


@dataclass(frozen=True, slots=True)
class Draft:
    """Who stands where for an issue, and what led there."""

    issue: Issue
    query: Query
    crossings: Sequence[Crossing]
    constraint: Constraint
    allowed: Allowed
    status: Status
    places: Sequence[ranker.Place]  # none unless ranked

    def shortlist(self, entries: Sequence[Entry]) -> Shortlist:
        """The shortlist with these entries, one for each place."""
        return Shortlist(
            issue=self.issue,
            constraint=self.constraint,
            status=self.status,
            considered=len(self.allowed),
            excluded=self.allowed.excluded,
            entries=tuple(entries),
            unsearched=self.query.left_out,
        )

    def bare(self, companies: Sequence[Company]) -> Shortlist:
        """The shortlist without evidence and bands; `companies` are those of the catalog."""
        return self.shortlist(
            [
                Entry(
                    rank=at,
                    company=companies[place.row],
                    score=place.score,
                    parts=place.parts,
                    shared_sdgs=self.issue.sdgs & companies[place.row].sdgs,
                    region_reason=explain.region_reason(companies[place.row], self.constraint),
                    evidence=(),
                )
                for at, place in enumerate(self.places, start=1)
            ]
        )
