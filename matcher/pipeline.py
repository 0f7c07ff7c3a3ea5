"""The walk from an issue to its shortlist."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import get_args

from matcher import text
from matcher.catalog import Catalog
from matcher.errors import MatcherError, StaleCatalog
from matcher.index.facets import Allowed
from matcher.rank import explain, features, fusion, ranker
from matcher.settings import Settings
from matcher.types import (
    Constraint,
    Encoder,
    Entry,
    Hits,
    Issue,
    RegionRule,
    SdgRule,
    Shortlist,
    Status,
)


class Matcher:
    """Ranks the companies of a catalog for issues.

    A pair's score depends on issue, company, catalog and settings alone: not on the other issues,
    on how many places are asked for, or on whom a rule leaves out.
    """

    def __init__(
        self, catalog: Catalog, encoder: Encoder, settings: Settings | None = None
    ) -> None:
        """Raises StaleCatalog where catalog, encoder and settings do not belong together."""
        self.catalog = catalog
        self.encoder = encoder
        self.settings = settings or Settings()
        self._profiles: dict[int, explain.Passage] = {}  # by row; a company is on many lists
        _check_fit(catalog, encoder, self.settings)

    def match(
        self,
        issues: Iterable[Issue],
        *,
        top: int = 10,
        region_rule: RegionRule = "serves",
        sdg_rule: SdgRule = "prefer",
    ) -> list[Shortlist]:
        """A shortlist with at most `top` places for each issue, in the order given.

        Raises:
            MatcherError: an option that cannot be.
        """
        check_options(top, region_rule, sdg_rule)
        catalog, issues = self.catalog, list(issues)
        queries = [text.normalise(text.issue_text(issue)) for issue in issues]
        vectors = catalog.centring.queries(self.encoder.encode_queries(queries))
        drafts: list[_Draft] = []
        for issue, query, vector in zip(issues, queries, vectors, strict=True):
            words = text.lemmas(query)
            constraint = constraint_of(issue, region_rule, sdg_rule)
            allowed = catalog.facets.allowed(constraint)
            dense = catalog.dense.search(vector, allowed.rows)
            lexical = catalog.words.search(words, allowed.rows)
            bigrams = catalog.bigrams.search(text.bigrams(query), allowed.rows)
            scaled = [
                *map(features.standardise, (dense, lexical, bigrams)),
                catalog.facets.shared_goals(constraint, allowed.rows),
                catalog.facets.nearness(constraint, allowed.rows),
            ]
            parts = [features.weigh(hits, self._weight(hits)) for hits in scaled]
            status = self._status(words, dense)
            fused = fusion.total(parts)
            places = ranker.first(fused, parts, top, issue.issue_id, catalog.companies)
            if status != "ranked":
                places = []
            drafts.append(_Draft(issue, constraint, allowed, status, places))
        return self._explained(drafts)

    def _weight(self, hits: Hits) -> float:
        weight: float = getattr(self.settings, f"{hits.source}_weight")
        return weight

    def _status(self, words: Sequence[str], dense: Hits) -> Status:
        """Whether there is anything to go on, in the issue and in the allowed companies."""
        if not words:
            return "unclear"
        shared = self.catalog.words.shared(words)[dense.rows]
        found = ranker.has_evidence(dense, len(set(words)), shared, self.settings)
        return "ranked" if found else "no_candidate"

    def _explained(self, drafts: Sequence["_Draft"]) -> list[Shortlist]:
        """The shortlists of the drafts, each place with its evidence.

        Sentences are encoded for all drafts together: the encoder is the cost.
        """
        queries = [text.issue_text(draft.issue) if draft.places else "" for draft in drafts]
        issues = explain.passages(
            queries, self.encoder.encode_queries, self.catalog.centring.queries
        )
        self._read({place.row for draft in drafts for place in draft.places})
        return [
            draft.shortlist([self._entry(draft, issue, at) for at in range(len(draft.places))])
            for draft, issue in zip(drafts, issues, strict=True)
        ]

    def _read(self, rows: set[int]) -> None:
        """Take the profiles of these rows apart, those that have not been."""
        fresh = sorted(rows - self._profiles.keys())
        profiles = [text.company_text(self.catalog.companies[row]) for row in fresh]
        passages = explain.passages(
            profiles, self.encoder.encode_documents, self.catalog.centring.documents
        )
        self._profiles.update(zip(fresh, passages, strict=True))

    def _entry(self, draft: "_Draft", issue: explain.Passage, at: int) -> Entry:
        place = draft.places[at]
        company, profile = self.catalog.companies[place.row], self._profiles[place.row]
        return Entry(
            rank=at + 1,
            company=company,
            score=place.score,
            parts=place.parts,
            shared_sdgs=draft.issue.sdgs & company.sdgs,
            region_reason=explain.region_reason(company, draft.constraint),
            evidence=explain.evidence(issue, profile, self._rarity, self.settings.spans),
        )

    def _rarity(self, lemma: str) -> float:
        """The idf of a lemma in the catalog (Lucene's): a word of every profile tells nothing."""
        held, size = self.catalog.words.frequency(lemma), len(self.catalog.companies)
        return math.log(1 + (size - held + 0.5) / (held + 0.5))


@dataclass(frozen=True, slots=True)
class _Draft:
    """A shortlist before its places are explained."""

    issue: Issue
    constraint: Constraint
    allowed: Allowed
    status: Status
    places: Sequence[ranker.Place]  # none unless ranked

    def shortlist(self, entries: Sequence[Entry]) -> Shortlist:
        return Shortlist(
            issue=self.issue,
            constraint=self.constraint,
            status=self.status,
            considered=len(self.allowed.rows),
            excluded=self.allowed.excluded,
            entries=tuple(entries),
        )


def constraint_of(issue: Issue, region_rule: RegionRule, sdg_rule: SdgRule) -> Constraint:
    """The hard limits that the two rules set for an issue."""
    return Constraint(
        region_rule=region_rule,
        prefecture=issue.prefecture,
        sdg_rule=sdg_rule,
        sdgs=issue.sdgs,
    )


def check_options(top: int, region_rule: str, sdg_rule: str) -> None:
    """Nothing, where the options can be. Raises MatcherError with the choices otherwise."""
    if top < 1:
        message = f"--top（候補の数）は1以上の整数にしてください（指定値: {top}）。"
        raise MatcherError(message)
    for name, value, choices in (
        ("--region-rule", region_rule, get_args(RegionRule)),
        ("--sdg-rule", sdg_rule, get_args(SdgRule)),
    ):
        if value not in choices:
            message = f"{name} に「{value}」は使えません。{'・'.join(choices)} から選んでください。"
            raise MatcherError(message)


def _check_fit(catalog: Catalog, encoder: Encoder, settings: Settings) -> None:
    if catalog.encoder_id != encoder.id:
        message = (
            f"カタログは別のエンコーダーで作られています（カタログ: {catalog.encoder_id}、"
            f"今回: {encoder.id}）。"
            "同じ --encoder を指定するか、matcher build で作り直してください。"
        )
        raise StaleCatalog(message)
    if catalog.bm25 != (settings.bm25_k1, settings.bm25_b):
        message = (
            f"カタログは別の設定で作られています（カタログ: bm25_k1・bm25_b = {catalog.bm25}、"
            f"今回: {(settings.bm25_k1, settings.bm25_b)}）。"
            "設定をそろえるか、matcher build で作り直してください。"
        )
        raise StaleCatalog(message)
