"""One query beside every company: nobody who may get a place is missed, however few are looked at.

Companies are put together from a few clauses, so that many have one profile and many tie.
"""

import random
from dataclasses import fields, replace

import numpy as np
import pytest
from examples import COMPANIES, ISSUES, LINES, FakeEncoder, FakeReader, write_table
from hypothesis import given, settings
from hypothesis import strategies as st

from matcher import text
from matcher.catalog import Catalog
from matcher.corpus import read_issues
from matcher.embed.remembering import RememberingEncoder
from matcher.index import backend
from matcher.index.bitmap import Bitmap
from matcher.pipeline import Matcher
from matcher.rank import features, fusion
from matcher.search import Search
from matcher.settings import Settings
from matcher.shortlists import to_lines
from matcher.types import Company

SIZES = (1, 2, 5, 40, 130)
CLAUSES = [clause for row in COMPANIES for clause in row["事業内容"].split("、")]
QUERIES = [text.normalise(row["課題名"] + "。" + row["課題内容"]) for row in ISSUES]
RULES = (("serves", "prefer"), ("block", "ignore"), ("any", "any"), ("serves", "all"))
LENIENT = Settings(read=3, near_meaning=0, fair_meaning=0)  # every issue has candidates
WEIGHTS = st.sampled_from([0.0, 0.0, 1e-9, 0.125, 0.75, 3.0, 1e6])


def made(size, seed):
    """So many companies; about a third have a profile of one clause, that others have too."""
    rng = random.Random(seed)
    return [
        Company(
            company_id=f"c-{at:03}",
            name=f"会社{at}",
            profile="、".join(rng.choices(CLAUSES, k=rng.randint(1, 3))),
            headquarters=rng.choice(["", "13", "23", "27", "28"]),
            regions=frozenset(rng.sample(["13", "21", "23", "27", "28", "01"], rng.randint(0, 6))),
            sdgs=frozenset(rng.sample(range(1, 18), rng.randint(1, 4))),
        )
        for at in range(size)
    ]


@pytest.fixture(scope="module")
def encoder():
    return RememberingEncoder(FakeEncoder())


class Catalogs(dict):
    """Catalogs by size, which hypothesis names briefly."""

    def __repr__(self):
        return "catalogs"


@pytest.fixture(scope="module")
def catalogs(encoder):
    return Catalogs({size: Catalog.build(made(size, size), encoder, lines=LINES) for size in SIZES})


@pytest.fixture
def lists(monkeypatch):
    """Sets from how many rows on there are lists and machine code; nobody has such few."""

    def use(*, lists_from=10**9, native_from=10**9):
        monkeypatch.setattr("matcher.index.lists.LISTS_FROM", lists_from)
        monkeypatch.setattr(backend, "_FROM", native_from)

    return use


def searching(catalog, encoder, query=QUERIES[0], chosen=LENIENT):
    vector = catalog.centring.queries(encoder.encode_queries([query]))[0]
    return Search(catalog, query, vector, chosen)


def everyone(catalog):
    return np.arange(len(catalog.companies))


def fused(search, rows, chosen):
    """The score of each of these rows by the searches, out of parts as the pipeline rounds them."""
    parts = [
        features.weigh(features.standardise(hits), getattr(chosen, f"{hits.source}_weight"))
        for hits in search.hits(rows)
    ]
    return fusion.total(parts).at(rows)


@st.composite
def cases(draw):
    """A catalog's size, a query, weights, allowed rows, how many are asked for, and a depth."""
    size = draw(st.sampled_from(SIZES))
    names = ("dense", "words", "bigrams", "bridge")
    weights = {f"{name}_weight": draw(WEIGHTS) for name in names}
    if not any(weights[f"{name}_weight"] for name in names[:3]):
        weights["words_weight"] = 0.5
    rows = draw(st.sets(st.sampled_from(range(size))))  # these, or all but these
    return (
        size,
        draw(st.sampled_from([*QUERIES, *CLAUSES[:3], "知らない言葉"])),
        replace(LENIENT, **weights),
        np.array(sorted(rows ^ draw(st.sampled_from([set(), set(range(size))]))), dtype=np.int64),
        draw(st.integers(1, 12)),
        draw(st.sampled_from([1, 3, 20, 1_000])),
    )


@settings(deadline=None, max_examples=300)
@given(cases(), st.sampled_from([0.0, 0.15, 2.0]), st.randoms(use_true_random=False))
def test_whoever_may_be_among_the_first_is_named(catalogs, encoder, case, spare, rng):
    size, query, chosen, allowed, count, depth = case
    search = searching(catalogs[size], encoder, query, chosen)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("matcher.search._DEPTH", depth)
        named = search.first(count, Bitmap.of(allowed, size), spare)
    assert named.tolist() == sorted(set(named.tolist()) & set(allowed.tolist()))
    exact = fused(search, allowed, chosen)
    scores = dict(zip(exact.rows.tolist(), exact.scores.tolist(), strict=True))
    # What else counts in the score: nothing, or up to `spare` for some.
    for others in ([0.0], [0.0, spare / 3, spare]):
        total = {row: round(score + rng.choice(others), 6) for row, score in scores.items()}
        last = sorted(total.values(), reverse=True)[:count][-1:]
        first = {row for row, score in total.items() if score >= last[0]} if last else set()
        assert first <= set(named.tolist())


@settings(deadline=None, max_examples=200)
@given(cases(), st.sampled_from([0.0, 0.1234, 1.9876]))
def test_nobody_is_named_who_cannot_be_among_the_first(catalogs, encoder, case, spare):
    size, query, chosen, allowed, count, depth = case
    chosen = replace(chosen, dense_weight=min(chosen.dense_weight, 3.0), words_weight=0.5)
    search = searching(catalogs[size], encoder, query, chosen)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("matcher.search._DEPTH", depth)
        named = search.first(count, Bitmap.of(allowed, size), spare)
    exact = fused(search, allowed, chosen)
    least = exact.scores[:count][-1] - spare if len(allowed) > count else -np.inf
    assert set(exact.rows[exact.scores >= least].tolist()) <= set(named.tolist())
    assert (exact.at(named).scores >= least - 2e-5).all()


@settings(deadline=None, max_examples=100)
@given(cases())
def test_depth_and_lists_do_not_change_who_is_named(catalogs, encoder, case):
    size, query, chosen, allowed, count, depth = case
    bitmap = Bitmap.of(allowed, size)
    named = searching(catalogs[size], encoder, query, chosen).first(count, bitmap)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("matcher.search._DEPTH", depth)
        # No budget is calibrated for so few: a search by lists is exact then, too.
        patch.setattr("matcher.search.EXACT_TO", 0)
        inexact = searching(catalogs[size], encoder, query, chosen)
        assert inexact.first(count, bitmap).tolist() == named.tolist()


@settings(deadline=None, max_examples=100)
@given(cases(), st.randoms(use_true_random=False))
def test_what_is_said_of_a_row_does_not_depend_on_the_others(catalogs, encoder, case, rng):
    size, query, chosen, some, *_ = case
    search = searching(catalogs[size], encoder, query, chosen)
    whole = search.hits(everyone(catalogs[size]))
    moved = np.array(rng.sample(some.tolist(), len(some)), dtype=np.int64)
    sources = ["dense", "words", "bigrams", *(["bridge"] if chosen.bridge_weight else [])]
    assert [hits.source for hits in whole] == sources
    for hits, other in zip(search.hits(moved), whole, strict=True):
        expected = other.at(some)
        assert (hits.source, hits.mean, hits.deviation) == (
            other.source, other.mean, other.deviation
        )  # fmt: skip
        assert hits.rows.tolist() == expected.rows.tolist()
        assert hits.scores.tolist() == expected.scores.tolist()


def test_means_and_deviations_are_those_of_the_whole_catalog(catalogs, encoder):
    for hits in searching(catalogs[130], encoder).hits(everyone(catalogs[130])):
        assert hits.mean == pytest.approx(hits.scores.mean(), abs=1e-7)
        assert hits.deviation == pytest.approx(hits.scores.std(), abs=1e-7)


def test_who_only_shares_words_is_named_however_far_in_meaning(encoder):
    query = "足尾"
    strangers = [replace(one, company_id=f"s-{at}") for at, one in enumerate(made(60, 7))]
    worded = Company(company_id="w", name="w", profile="足尾" + "海運倉庫造船鉄鋼" * 9)
    catalog = Catalog.build([*strangers, worded], encoder, lines=())
    chosen = replace(LENIENT, dense_weight=1e-3, words_weight=1.0)
    search = searching(catalog, encoder, query, chosen)
    row = [one.company_id for one in catalog.companies].index("w")
    assert row not in search.dense(everyone(catalog)).rows[:3]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("matcher.search._DEPTH", 1)
        assert row in search.first(1, catalog.facets.everyone)


def test_catalog_without_companies_names_nobody(encoder):
    catalog = Catalog.build([], encoder, lines=LINES)
    search = searching(catalog, encoder)
    assert search.first(3, catalog.facets.everyone).tolist() == []
    assert [hits.rows.tolist() for hits in search.hits(everyone(catalog))] == [[]] * 4


# Lists, machine code and the disk change no shortlist


@pytest.fixture(scope="module")
def issues(tmp_path_factory):
    return read_issues(write_table(tmp_path_factory.mktemp("issues") / "i.csv", ISSUES)).records


def shortlists(catalog, encoder, issues, chosen=LENIENT):
    """The lines of JSON under several rules, read by a reader and not."""
    return [
        to_lines(
            Matcher(catalog, encoder, chosen, reader).match(
                issues, top=top, region_rule=region, sdg_rule=goals
            )
        )
        for reader in (None, FakeReader())
        for top in (3, 1_000)
        for region, goals in RULES
    ]


@pytest.mark.parametrize("size", [7, 130])
@pytest.mark.parametrize("is_native", [False, True])
def test_lists_and_machine_code_change_no_shortlist(
    encoder, issues, lists, tmp_path, size, is_native
):
    companies = made(size, 3)
    lists()
    plain = Catalog.build(companies, encoder, lines=LINES)
    assert plain.dense.lists is None
    expected = shortlists(plain, encoder, issues)
    assert any(one.count('"rank"') for one in expected)
    native_from = 0 if is_native else 10**9
    lists(lists_from=5, native_from=native_from)
    moved = random.Random(5).sample(companies, size)
    laid, other = (Catalog.build(some, encoder, lines=LINES) for some in (companies, moved))
    assert laid.dense.lists is not None
    assert laid.dense._native is (backend.native(size) if is_native else None)
    assert laid.id == other.id == plain.id
    assert laid.companies == other.companies
    assert sorted(one.company_id for one in laid.companies) == [
        one.company_id for one in plain.companies
    ]
    laid.save(tmp_path / "catalog")
    opened = Catalog.open(tmp_path / "catalog")
    for catalog in (laid, other, opened):
        assert shortlists(catalog, encoder, issues) == expected
    if is_native:
        lists(native_from=native_from)
        assert shortlists(plain, encoder, issues) == expected


def test_rows_are_laid_out_by_list_and_every_part_follows(encoder, lists):
    lists(lists_from=5)
    catalog = Catalog.build(made(130, 3), encoder, lines=LINES)
    ids = [one.company_id for one in catalog.companies]
    assert ids != sorted(ids)
    assert catalog.dense.lists.starts[-1] == 130
    documents = [text.normalise(text.company_text(one)) for one in catalog.companies]
    assert np.array_equal(catalog.vectors, encoder.encode_documents(documents))
    assert np.array_equal(catalog.dense.vectors, catalog.centring.documents(catalog.vectors))
    for row, document in enumerate(documents):
        words = sorted(set(text.lemmas(document)))
        assert catalog.words.shared(words, np.array([row])).tolist() == [len(words)]
        assert catalog.alike(np.array([row])).tolist() == [
            at for at, other in enumerate(documents) if other == document
        ]
    for prefecture in (13, 28):
        offices = [int(one.headquarters or 0) == prefecture for one in catalog.companies]
        assert catalog.facets.office(prefecture).rows().tolist() == np.flatnonzero(offices).tolist()


def test_update_of_a_catalog_with_lists_is_a_build_from_scratch(encoder, issues, lists, tmp_path):
    lists(lists_from=5)
    former = Catalog.build(made(40, 3), encoder, lines=LINES)
    former.save(tmp_path / "catalog")
    companies = [*made(40, 3)[4:], *(replace(c, company_id=f"n{c.name}") for c in made(5, 9))]
    updated = Catalog.build(
        companies, encoder, lines=LINES, former=Catalog.open(tmp_path / "catalog")
    )
    fresh = Catalog.build(companies, encoder, lines=LINES)
    assert updated.id == fresh.id
    assert updated.companies == fresh.companies
    assert shortlists(updated, encoder, issues) == shortlists(fresh, encoder, issues)


def test_whatever_else_has_a_weight_is_spared_room_or_was_read():
    """A new part of the score needs a place in `Matcher._named`."""
    names = {field.name for field in fields(Settings) if field.name.endswith("_weight")}
    searched = {"dense_weight", "words_weight", "bigrams_weight", "bridge_weight"}
    assert names - searched == {"reader_weight", "sdgs_weight", "region_weight"}
