"""The walk from an issue to its shortlist."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from matcher import sdgs, text
from matcher.catalog import Catalog
from matcher.draft import Draft
from matcher.embed import load_reader
from matcher.errors import MatcherError, StaleCatalog
from matcher.index.facets import Allowed
from matcher.query import PROCEDURE, Query, query_of
from matcher.rank import bands, copies, explain, features, fusion, ranker
from matcher.search import Search
from matcher.settings import Settings
from matcher.types import (
    Company,
    Constraint,
    Encoder,
    Entry,
    Hits,
    Issue,
    Reader,
    RegionRule,
    Rows,
    Scores,
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
        self.reader: Reader | Literal["bundled"] | None = reader
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
        is_explained: bool = True,
    ) -> list[Shortlist]:
        """A shortlist with at most `top` places for each issue, in the order given.

        Unexplained places are the same ones without evidence and band, in less than half the time.
        Raises MatcherError at an option that cannot be.
        """
        check_options(top, region_rule, sdg_rule)
        issues = list(issues)
        asked = [query_of(one, self._encode, lambda: self._procedure) for one in issues]
        queries = [text.normalise(text.issue_text(one.issue)) for one in asked]
        vectors = self._encode(queries)
        drafts: list[Draft] = []
        for some in _together(len(issues), len(self.catalog.companies)):
            searches = [self._search(queries[at], vectors[at]) for at in some]
            read = self._read([issues[at] for at in some], searches)
            for at, search, reading in zip(some, searches, read, strict=True):
                constraint = constraint_of(issues[at], region_rule, sdg_rule)
                allowed = self.catalog.facets.allowed(constraint)
                named = self._named(search, reading, top, allowed)
                parts = self._parts(search, reading, constraint, named)
                fused = fusion.total(parts)
                status = self._status(search, reading, allowed, fused.rows)
                k = top if status == "ranked" else 0
                places = ranker.first(fused, parts, k, issues[at].issue_id, self.catalog.companies)
                found = (search.crossings, constraint, allowed, status, places)
                drafts.append(Draft(issues[at], asked[at], *found))
        if is_explained:
            return self._explained(drafts)
        return [draft.bare(self.catalog.companies) for draft in drafts]

    def with_evidence(self, shortlist: Shortlist) -> Shortlist:
        """The shortlist with evidence and band at each of its entries, as `match` explains them.

        It may hold a few entries of a longer unexplained list: those that somebody asks about.
        Raises MatcherError where the catalog has no such company.
        """
        query, search = self._asked(shortlist.issue)
        wanted = {entry.company.company_id: entry for entry in shortlist.entries}
        companies = enumerate(self.catalog.companies)
        rows = {one.company_id: row for row, one in companies if one.company_id in wanted}
        if missing := sorted(wanted.keys() - rows.keys()):
            message = (
                f"カタログに企業ID「{missing[0]}」がありません。同じカタログを使ってください。"
            )
            raise MatcherError(message)
        places = [ranker.Place(rows[id_], one.score, one.parts) for id_, one in wanted.items()]
        allowed = self.catalog.facets.allowed(shortlist.constraint)
        found = (search.crossings, shortlist.constraint, allowed, shortlist.status, places)
        (whole,) = self._explained([Draft(shortlist.issue, query, *found)])
        ranked = zip(whole.entries, shortlist.entries, strict=True)
        return replace(whole, entries=tuple(replace(one, rank=own.rank) for one, own in ranked))

    def read_for(self, issue: Issue) -> frozenset[str]:
        """The ids of the companies that the reader reads beside the issue; none without a reader.

        No rule changes who they are.
        """
        rows = self._worth_reading(issue, self._asked(issue)[1]) if self._reads() else ()
        return frozenset(self.catalog.companies[row].company_id for row in rows)

    def _asked(self, issue: Issue) -> tuple[Query, Search]:
        asked = query_of(issue, self._encode, lambda: self._procedure)
        query = text.normalise(text.issue_text(asked.issue))
        return asked, self._search(query, self._encode([query])[0])

    def _encode(self, queries: Sequence[str]) -> Vectors:
        return self.catalog.centring.queries(self.encoder.encode_queries(queries))

    @cached_property
    def _procedure(self) -> Vectors:
        return self._encode(PROCEDURE)

    def _search(self, query: str, vector: NDArray[np.float32]) -> Search:
        return Search(self.catalog, query, vector, self.settings)

    def _named(self, search: Search, reading: "_Reading", top: int, allowed: Allowed) -> Rows:
        """The allowed rows that may get a place: those the searches name, and all that were read.

        Goals and region can add a little; the reader can add much, but only where it read.
        """
        spare = self.settings.sdgs_weight + self.settings.region_weight
        named = search.first(top, allowed.bitmap, spare)
        return np.union1d(named, reading.rows[allowed.bitmap.holds(reading.rows)])

    def _parts(
        self, search: Search, reading: "_Reading", constraint: Constraint, rows: Rows
    ) -> list[Hits]:
        """Every part of the score of these rows."""
        facets = self.catalog.facets
        found = [
            *search.hits(rows),
            *([reading.hits(rows)] if self._reads() else []),
            facets.shared_goals(constraint, rows),
            facets.nearness(constraint, rows),
        ]
        return [self._part(hits) for hits in found]

    def _read(self, issues: Sequence[Issue], searches: Sequence[Search]) -> list["_Reading"]:
        """For each issue whom the reader read and what it says of them.

        It says nothing below zero, so that whoever was read stands before whoever was not.
        """
        if not self._reads():
            return [_Reading(np.zeros(0, np.int64), np.zeros(0)) for _ in issues]
        chosen = [
            self._worth_reading(issue, search)
            for issue, search in zip(issues, searches, strict=True)
        ]
        companies = self.catalog.companies
        pairs = [
            (search.query, text.normalise(text.company_text(companies[row])))
            for search, rows in zip(searches, chosen, strict=True)
            for row in rows
        ]
        spoken = features.conviction(self._loaded_reader().read(pairs))
        ends = np.cumsum([len(rows) for rows in chosen])[:-1]
        return [
            _Reading(rows, values)
            for rows, values in zip(chosen, np.split(spoken, ends), strict=True)
        ]

    def _worth_reading(self, issue: Issue, search: Search) -> Rows:
        """The first companies of the catalog, and the first that serve the issue's prefecture.

        Whom the rules of a run leave out does not change who is read: a pair has one score. Those
        who tie with the last of them are read too, and all that have the profile of one of them:
        one profile has one score, whomever its company serves.
        """
        facets, read = self.catalog.facets, self.settings.read
        serving = facets.allowed(constraint_of(issue, "serves", "ignore")).bitmap
        rows = np.union1d(search.first(read, facets.everyone), search.first(read, serving))
        total = fusion.total([self._part(hits) for hits in search.hits(rows)])
        served = total.at(rows[serving.holds(rows)])
        first = np.concatenate([total.scores[:read], served.scores[:read]])
        return self.catalog.alike(total.rows[np.isin(total.scores, first)])

    def _loaded_reader(self) -> Reader:
        if self.reader is None or isinstance(self.reader, str):
            self.reader = load_reader(self.reader or "bundled")
        return self.reader

    def _part(self, hits: Hits) -> Hits:
        """The hits as a part of the score; what has no mean of its own is on its scale already."""
        weight: float = getattr(self.settings, f"{hits.source}_weight")
        return features.weigh(features.standardise(hits), weight)

    def _status(self, search: Search, reading: "_Reading", allowed: Allowed, named: Rows) -> Status:
        """Whether there is anything to go on, in the issue and in the companies allowed."""
        words = text.lemmas(search.query)
        if not words:
            return "unclear"
        best: float | None = None
        if self._reads() and bands.READER in self._loaded_reader().id:  # each has its own scale
            # Zero: none of these was read (a narrow rule), so nobody said that they are hopeless.
            said = reading.scores[allowed.bitmap.holds(reading.rows)]
            best = float(said.max(initial=0.0)) or None

        def has_evidence(rows: Rows) -> bool:
            near = search.dense(rows)
            nearness = near.scores / self.catalog.centring.spread
            shared = self.catalog.words.shared(words, near.rows)
            return ranker.has_evidence(nearness, len(set(words)), shared, self.settings, best)

        # Evidence nearly always lies with those who may get a place: nobody else is looked at then.
        return "ranked" if has_evidence(named) or has_evidence(allowed.rows) else "no_candidate"

    def _explained(self, drafts: Sequence["Draft"]) -> list[Shortlist]:
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

    def _entry(self, draft: "Draft", issue: explain.Passage, at: int) -> Entry:
        place = draft.places[at]
        company, profile = self.catalog.companies[place.row], self._profiles[place.row]
        spans = explain.evidence(issue, profile, draft.crossings, self._rarity, self.settings.spans)
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
            band=self._band(draft.issue, company, place.score, issue, profile),
        )

    def _band(
        self,
        issue: Issue,
        company: Company,
        score: float,
        asked: explain.Passage,
        profile: explain.Passage,
    ) -> bands.Band | None:
        """How sure a place is; None where such scores were never calibrated."""
        reader_id = self._loaded_reader().id if self._reads() else None
        if not bands.is_calibrated(self.settings, self.encoder.id, reader_id):
            return None
        issue_words, company_words = (
            len({word.lemma for word in passage.words}) for passage in (asked, profile)
        )
        return bands.band(
            score,
            is_read=reader_id is not None,
            issue_words=issue_words,
            company_words=company_words,
            is_copied=copies.repeats(text.issue_text(issue), text.company_text(company)),
        )

    def _reads(self) -> bool:
        """Whether companies are read at all."""
        return bool(self.reader and self.settings.read and self.settings.reader_weight)

    def _rarity(self, lemma: str) -> float:
        """The idf of a lemma in the catalog (Lucene's): a word of every profile tells nothing."""
        held, size = self.catalog.words.frequency(lemma), len(self.catalog.companies)
        return math.log(1 + (size - held + 0.5) / (held + 0.5))


@dataclass(frozen=True, slots=True, eq=False)
class _Reading:
    """Whom the reader read, ascending, and how far that speaks for each."""

    rows: Rows
    scores: Scores

    def hits(self, rows: Rows) -> Hits:
        """What was said of these rows; nothing, that is zero, where nothing was read."""
        scores = np.zeros(len(rows))
        read = np.isin(rows, self.rows)
        scores[read] = self.scores[np.searchsorted(self.rows, rows[read])]
        return Hits.best_first("reader", rows, scores)


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
