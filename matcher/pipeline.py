"""The walk from an issue to its shortlist."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from matcher import sdgs, text
from matcher.bridge import Crossing
from matcher.catalog import Catalog
from matcher.embed import load_reader
from matcher.errors import MatcherError, StaleCatalog
from matcher.index.facets import Allowed
from matcher.query import PROCEDURE, Query, query_of
from matcher.rank import bands, copies, explain, features, fusion, ranker
from matcher.settings import Settings
from matcher.types import (
    Constraint,
    Encoder,
    Entry,
    Hits,
    Issue,
    Reader,
    RegionRule,
    Rows,
    SdgRule,
    Shortlist,
    Status,
    Vectors,
)

_ROWS_AT_ONCE = 1_000_000  # scores of a search held while issues are read together


class Matcher:
    """Ranks the companies of a catalog for issues.

    A pair's score depends on issue, company, catalog, settings and reader alone: not on the other
    issues, on how many places are asked for, or on whom a rule leaves out.
    """

    def __init__(
        self,
        catalog: Catalog,
        encoder: Encoder,
        settings: Settings | None = None,
        reader: Reader | Literal["bundled"] | None = "bundled",
    ) -> None:
        """Raises StaleCatalog where catalog, encoder and settings do not belong together.

        The bundled reader is loaded when it is first needed; without a reader nothing is read.
        """
        self.catalog = catalog
        self.encoder = encoder
        self.settings = settings or Settings()
        self._reader = reader
        self._profiles: dict[int, explain.Passage] = {}  # by row; a company is on many lists
        self._quotes: dict[int, Mapping[int, str]] = {}  # by row, of the goals that were inferred
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
        issues = list(issues)
        asked = [query_of(one, self._encode, lambda: self._procedure) for one in issues]
        queries = [text.normalise(text.issue_text(one.issue)) for one in asked]
        vectors = self._encode(queries)
        drafts: list[_Draft] = []
        for some in _together(len(issues), len(self.catalog.companies)):
            found = [self._search(queries[at], vectors[at]) for at in some]
            read = self._read([(issues[at], queries[at]) for at in some], found)
            for at, hits, reading in zip(some, found, read, strict=True):
                constraint = constraint_of(issues[at], region_rule, sdg_rule)
                allowed = self.catalog.facets.allowed(constraint)
                parts = [
                    *(self._part(hit.at(allowed.rows)) for hit in (*hits, *reading)),
                    self._part(self.catalog.facets.shared_goals(constraint, allowed.rows)),
                    self._part(self.catalog.facets.nearness(constraint, allowed.rows)),
                ]
                fused = fusion.total(parts)
                status = self._status(queries[at], allowed.rows, hits[0], reading)
                k = top if status == "ranked" else 0
                places = ranker.first(fused, parts, k, issues[at].issue_id, self.catalog.companies)
                drafts.append(
                    _Draft(issues[at], asked[at], vectors[at], constraint, allowed, status, places)
                )
        return self._explained(drafts)

    def _encode(self, queries: Sequence[str]) -> Vectors:
        return self.catalog.centring.queries(self.encoder.encode_queries(queries))

    @cached_property
    def _procedure(self) -> Vectors:
        return self._encode(PROCEDURE)

    def _search(self, query: str, vector: NDArray[np.float32]) -> list[Hits]:
        """What each search finds in the whole catalog, dense first."""
        catalog = self.catalog
        found = [
            catalog.dense.search(vector, catalog.rows),
            catalog.words.search(text.lemmas(query), catalog.rows),
            catalog.bigrams.search(text.bigrams(query), catalog.rows),
        ]
        if self.settings.bridge_weight:
            answers = [
                (crossing.share, [lemma for term in crossing.line.lemmas() for lemma in term])
                for crossing in self._cross(vector)
            ]
            found.append(catalog.words.search_weighted("bridge", answers, catalog.rows))
        return found

    def _cross(self, vector: NDArray[np.float32]) -> list[Crossing]:
        return self.catalog.bridge.crossings(vector) if self.settings.bridge_weight else []

    def _read(
        self, asked: Sequence[tuple[Issue, str]], found: Sequence[Sequence[Hits]]
    ) -> list[list[Hits]]:
        """For each issue and its query what the reader says; nothing where nothing is read.

        It says nothing below zero, so that whoever was read stands before whoever was not.
        """
        if not self._reads():
            return [[] for _ in asked]
        chosen = [
            self._worth_reading(issue, hits) for (issue, _), hits in zip(asked, found, strict=True)
        ]
        companies = self.catalog.companies
        pairs = [
            (query, text.normalise(text.company_text(companies[row])))
            for (_, query), rows in zip(asked, chosen, strict=True)
            for row in rows
        ]
        spoken = features.conviction(self._loaded_reader().read(pairs))
        ends = np.cumsum([len(rows) for rows in chosen])[:-1]
        read = []
        for rows, values in zip(chosen, np.split(spoken, ends), strict=True):
            scores = np.zeros(len(companies))
            scores[rows] = values
            read.append([Hits.best_first("reader", self.catalog.rows, scores)])
        return read

    def _worth_reading(self, issue: Issue, found: Sequence[Hits]) -> Rows:
        """The first companies of the catalog, and the first that serve the issue's prefecture.

        Whom the rules of a run leave out does not change who is read: a pair has one score. Whoever
        ties with one of them is read too: one profile has one score, whomever its company serves.
        """
        total = fusion.total([self._part(hits) for hits in found])
        serving = self.catalog.facets.allowed(constraint_of(issue, "serves", "ignore")).rows
        first = [hits.scores[: self.settings.read] for hits in (total, total.at(serving))]
        return np.sort(total.rows[np.isin(total.scores, np.concatenate(first))])

    def _loaded_reader(self) -> Reader:
        if self._reader is None or isinstance(self._reader, str):
            self._reader = load_reader(self._reader or "bundled")
        return self._reader

    def _part(self, hits: Hits) -> Hits:
        """The hits as a part of the score; what has no mean of its own is on its scale already."""
        weight: float = getattr(self.settings, f"{hits.source}_weight")
        return features.weigh(features.standardise(hits), weight)

    def _status(self, query: str, rows: Rows, dense: Hits, reading: Sequence[Hits]) -> Status:
        """Whether there is anything to go on, in the issue and in the companies of these rows."""
        words = text.lemmas(query)
        if not words:
            return "unclear"
        near = dense.at(rows)
        nearness = near.scores / self.catalog.centring.spread
        shared = self.catalog.words.shared(words)[near.rows]
        best: float | None = None
        if reading and bands.READER in self._loaded_reader().id:  # others have their own scale
            # Zero: none of these was read (a narrow rule), so nobody said that they are hopeless.
            best = float(reading[0].at(rows).scores.max(initial=0.0)) or None
        found = ranker.has_evidence(nearness, len(set(words)), shared, self.settings, best)
        return "ranked" if found else "no_candidate"

    def _explained(self, drafts: Sequence["_Draft"]) -> list[Shortlist]:
        """The shortlists of the drafts, each place with its evidence.

        Sentences are encoded for all drafts together: the encoder is the cost.
        """
        queries = [text.issue_text(draft.query.issue) if draft.places else "" for draft in drafts]
        issues = explain.passages(
            queries, self.encoder.encode_queries, self.catalog.centring.queries
        )
        self._take_apart({place.row for draft in drafts for place in draft.places})
        return [
            draft.shortlist([self._entry(draft, issue, at) for at in range(len(draft.places))])
            for draft, issue in zip(drafts, issues, strict=True)
        ]

    def _take_apart(self, rows: set[int]) -> None:
        """Take the profiles of these rows apart, those that have not been.

        Inferred goals are quoted with the same sentences, encoded once for both.
        """
        fresh = sorted(rows - self._profiles.keys())
        companies = [self.catalog.companies[row] for row in fresh]
        profiles = [text.company_text(company) for company in companies]
        encoded: dict[str, NDArray[np.float32]] = {}

        def encode(sentences: Sequence[str]) -> Vectors:
            vectors = self.encoder.encode_documents(sentences)
            encoded.update(zip(sentences, vectors, strict=True))
            return vectors

        passages = explain.passages(profiles, encode, self.catalog.centring.documents)
        self._profiles.update(zip(fresh, passages, strict=True))
        given = [sorted(one.sdgs) if one.is_sdgs_inferred else () for one in companies]
        if any(given):
            quotes = sdgs.quoted(
                profiles, given, self._goals, lambda them: np.stack([encoded[one] for one in them])
            )
            self._quotes.update(zip(fresh, quotes, strict=True))

    @cached_property
    def _goals(self) -> sdgs.GoalModel:
        return sdgs.model(self.encoder)

    def _entry(self, draft: "_Draft", issue: explain.Passage, at: int) -> Entry:
        place = draft.places[at]
        company, profile = self.catalog.companies[place.row], self._profiles[place.row]
        spans = explain.evidence(
            issue, profile, self._cross(draft.vector), self._rarity, self.settings.spans
        )
        copied = copies.repeats(text.issue_text(draft.issue), text.company_text(company))
        shared = draft.issue.sdgs & company.sdgs
        quotes = sorted(self._quotes.get(place.row, {}).items())
        return Entry(
            rank=at + 1,
            company=company,
            score=place.score,
            parts=place.parts,
            shared_sdgs=shared,
            region_reason=explain.region_reason(company, draft.constraint),
            evidence=spans,
            goal_quotes={goal: quote for goal, quote in quotes if goal in shared},
            band=self._band(place.score, issue, profile, copied),
        )

    def _band(
        self, score: float, issue: explain.Passage, profile: explain.Passage, is_copied: bool
    ) -> bands.Band | None:
        """How sure a place is; None where such scores were never calibrated."""
        reader_id = self._loaded_reader().id if self._reads() else None
        if not bands.is_calibrated(self.settings, self.encoder.id, reader_id):
            return None
        issue_words, company_words = (
            len({word.lemma for word in passage.words}) for passage in (issue, profile)
        )
        return bands.band(
            score,
            is_read=reader_id is not None,
            issue_words=issue_words,
            company_words=company_words,
            is_copied=is_copied,
        )

    def _reads(self) -> bool:
        """Whether companies are read at all."""
        return bool(self._reader and self.settings.read and self.settings.reader_weight)

    def _rarity(self, lemma: str) -> float:
        """The idf of a lemma in the catalog (Lucene's): a word of every profile tells nothing."""
        held, size = self.catalog.words.frequency(lemma), len(self.catalog.companies)
        return math.log(1 + (size - held + 0.5) / (held + 0.5))


@dataclass(frozen=True, slots=True)
class _Draft:
    """A shortlist before its places are explained."""

    issue: Issue
    query: Query
    vector: NDArray[np.float32]  # centred
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
            unsearched=self.query.left_out,
        )


def _together(issues: int, companies: int) -> Iterator[range]:
    """The places of so many issues, cut so that few scores are held at a time."""
    size = max(1, _ROWS_AT_ONCE // max(1, companies))
    for start in range(0, issues, size):
        yield range(start, min(start + size, issues))


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
