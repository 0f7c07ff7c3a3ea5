"""The published cases ranked before and after a change, and what the change does to them.

Everything is encoded and read once, however often it is ranked.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from matcher.catalog import Catalog
from matcher.codes import data_folder
from matcher.corpus import read_companies, read_issues
from matcher.embed import load_encoder, load_reader
from matcher.embed.remembering import RememberingEncoder, RememberingReader
from matcher.evaluation import Estimate, evaluate
from matcher.pipeline import Matcher
from matcher.trec import read_qrels
from matcher.types import Company, Encoder, Entry, Issue, Qrels, Reader

LEAD = "nDCG@10"
PLACES = 10
PARTNER = 3  # the grade of those that the source reports

Lists = Mapping[str, Sequence[Entry]]  # for each issue every company that its rules let through


@dataclass(frozen=True, kw_only=True, eq=False)
class Cases:
    """Issues and companies with their judgements, and what ranks them."""

    issues: Sequence[Issue]
    companies: Sequence[Company]
    qrels: Qrels
    encoder: Encoder
    reader: Reader | None

    @cached_property
    def matcher(self) -> Matcher:
        """Over the companies as they are."""
        return self.over(self.companies)

    @cached_property
    def clean(self) -> Lists:
        """The lists of the issues as they are."""
        return lists(self.matcher, self.issues)

    def over(self, companies: Iterable[Company], former: Catalog | None = None) -> Matcher:
        """Ranks other companies."""
        lines = former.bridge.lines if former else None
        catalog = Catalog.build(companies, self.encoder, lines=lines, former=former)
        return Matcher(catalog, self.encoder, reader=self.reader)

    def strangers(self, issue: Issue) -> list[Company]:
        """Who is listed for an issue and not judged for it, best first; anybody if none is."""
        judged = self.qrels.get(issue.issue_id, {})
        listed = [entry.company for entry in self.clean[issue.issue_id]] or self.companies
        return [company for company in listed if company.company_id not in judged]


def lists(matcher: Matcher, issues: Sequence[Issue]) -> Lists:
    """Every company in its order."""
    found = matcher.match(issues, top=len(matcher.catalog.companies), is_explained=False)
    return {one.issue.issue_id: one.entries for one in found}


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """Of one change."""

    before: float
    after: float
    difference: Estimate
    empty: int  # issues without any candidates
    watched: Mapping[str, float] | None = None  # where those stand that try something
    watched_before: Mapping[str, float] | None = None


def effect(
    clean: Lists, changed: Lists, qrels: Qrels, watched: Mapping[str, set[str]] | None = None
) -> Effect:
    """What became of the lists; `watched` are companies of an issue."""
    runs = [_run(found) for found in (changed, clean)]
    found = evaluate(runs[0], qrels, measures=[LEAD], against=runs[1])
    gap = found.against[LEAD].difference
    after = found.means[LEAD].mean
    return Effect(
        before=after - gap.mean,
        after=after,
        difference=gap,
        empty=sum(not entries for entries in changed.values()),
        watched=standing(changed, watched) if watched else None,
        watched_before=standing(clean, watched) if watched else None,
    )


def _run(found: Lists) -> dict[str, dict[str, float]]:
    """The first ten; an organisation counts where its first registration stands."""
    run: dict[str, dict[str, float]] = {}
    for issue, entries in found.items():
        places: dict[str, float] = {}
        for at, entry in enumerate(entries[:PLACES]):
            known = entry.company.company_id.split("-again-")[0]
            later = f"{entry.company.company_id} once more"  # a place taken, and nobody new
            places[later if known in places else known] = float(PLACES - at)
        run[issue] = places
    return run


def standing(found: Lists, watched: Mapping[str, set[str]]) -> dict[str, float] | None:
    """The mean place of the watched, how many stand in the first 3 and 10, per issue; or None."""
    places = {
        issue: [
            at for at, e in enumerate(found[issue], start=1) if e.company.company_id in companies
        ]
        for issue, companies in watched.items()
    }
    every = [place for some in places.values() for place in some]
    if not every:
        return None
    return {
        "mean place": round(float(np.mean(every)), 1),
        "issues with one first": round(float(np.mean([1 in some for some in places.values()])), 3),
        "of them in first 3": round(float(np.mean([place <= 3 for place in every])), 3),
        "of them in first 10": round(float(np.mean([place <= PLACES for place in every])), 3),
        "places of ten": round(sum(place <= PLACES for place in every) / len(places), 2),
    }


def load_cases(with_reader: bool, most: int | None = None) -> Cases:
    """The cases that ship."""
    issues, companies, qrels = (
        data_folder() / name for name in ("issues.csv", "companies.csv", "qrels.tsv")
    )
    asked = read_issues(issues).records[:most]
    wanted = {issue.issue_id for issue in asked}
    return Cases(
        issues=asked,
        companies=read_companies(companies).records,
        qrels={issue: found for issue, found in read_qrels(qrels).items() if issue in wanted},
        encoder=RememberingEncoder(load_encoder()),
        reader=RememberingReader(load_reader()) if with_reader else None,
    )
