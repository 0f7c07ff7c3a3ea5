from dataclasses import replace

import numpy as np
import pytest
from vector_examples import budgets_for_few, clustered, line, machine_code, unit, walked

from matcher.index import budget as budget_room
from matcher.index import calibration as room
from matcher.index import lists as lists_room
from matcher.index.bitmap import Bitmap
from matcher.index.budget import Band, Budget
from matcher.index.calibration import calibrate
from matcher.index.dense import DenseIndex
from matcher.index.facets import Facets
from matcher.index.lists import arrange

SIZE, DIM, CLUSTERS = 5_000, 16, 60
LEAST = 300  # allowed rows, below which everyone is looked at
QUERIES = 150


@pytest.fixture(autouse=True, scope="module")
def _few():
    """Lists and budgets rule over a few thousand rows, and a calibration takes a second."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lists_room, "LISTS_FROM", 0)
        patch.setattr(budget_room, "FEW", LEAST)
        patch.setattr(room, "FEW", LEAST)
        patch.setattr(room, "_POOL", 300)
        patch.setattr(room, "_KS", (5, 20))
        patch.setattr(room, "_BASES", (25, 100, 400))
        patch.setattr(room, "_SLOPES", (0.0, 2.0))
        yield


def columns(rng, size):
    """Head offices, prefectures served (half serve all of them) and up to six goals."""
    headquarters = rng.integers(1, 48, size).astype(np.uint8)
    serves = np.left_shift(np.uint64(1), headquarters.astype(np.uint64))
    serves[rng.random(size) < 0.5] = 2**48 - 2
    wanted = rng.integers(1, 18, size=(size, 6)).astype(np.uint32)
    goals = np.bitwise_or.reduce(np.left_shift(np.uint32(1), wanted), axis=1)
    return headquarters, serves, goals


def corpus(seed, vectors):
    """An index in lists without a budget, and its facets."""
    headquarters, serves, goals = columns(np.random.default_rng(seed), len(vectors))
    laid = arrange(vectors, headquarters, goals)
    some = laid.order
    facets = Facets.of(headquarters=headquarters[some], serves=serves[some], goals=goals[some])
    return DenseIndex.build(vectors[some], lists=laid.lists), facets


def with_budget(index, budget):
    """The same index, searched within a budget."""
    return DenseIndex(
        index.vectors, lots=index.lots, codes=index.codes, lists=index.lists, budget=budget
    )


def recalls(index, k, asked):
    """For each query and filter, the share of the exact first k that are found."""
    found = []
    for query, allowed in asked:
        exact = index.search(query, k, allowed, exact=True)
        near = index.search(query, k, allowed)
        assert len(near.rows) == len(set(near.rows)) == min(k, len(allowed))
        assert allowed.holds(near.rows).all()
        assert np.array_equal(near.scores, index.scores(query, near.rows))
        found.append(np.isin(exact.rows, near.rows).mean())
    return np.array(found)


@pytest.fixture(scope="module")
def drawn():
    """Clustered rows and queries, half to calibrate by and half held out."""
    rng = np.random.default_rng(0)
    vectors = clustered(rng, SIZE + 2 * QUERIES, DIM, CLUSTERS, 0.5)
    index, facets = corpus(1, vectors[:SIZE])
    return index, facets, vectors[SIZE : SIZE + QUERIES], vectors[SIZE + QUERIES :]


@pytest.fixture(scope="module")
def calibrated(drawn):
    index, facets, queries, _ = drawn
    return with_budget(index, calibrate(index, facets, queries))


def test_every_k_has_its_line_and_each_is_good_enough(calibrated):
    assert [told.k for told in calibrated.budget.lines] == [5, 20]
    for told in calibrated.budget.lines:
        assert told.recall >= room._RECALL
        assert told.worst >= room._RECALL_OF_WORST
        assert all(band.recall >= room._RECALL_OF_BAND for band in told.bands)
        assert sum(band.queries for band in told.bands) == QUERIES
        assert [band.low for band in told.bands] == sorted(band.low for band in told.bands)
        mean = sum(band.queries * band.recall for band in told.bands) / QUERIES
        assert mean == pytest.approx(told.recall, abs=2e-4)


def test_recall_that_a_line_tells_is_what_its_searches_reach(drawn, calibrated):
    _, facets, queries, _ = drawn
    filters = room._filters(facets, SIZE, QUERIES, np.random.default_rng(0))
    for told in calibrated.budget.lines:
        found = recalls(calibrated, told.k, list(zip(queries, filters, strict=True)))
        assert found.mean() == pytest.approx(told.recall, abs=1e-4)
        assert np.quantile(found, 0.01, method="lower") == pytest.approx(told.worst, abs=1e-4)
        for band in told.bands:
            shares = np.array([len(allowed) / SIZE for allowed in filters])
            within = (band.low < shares) & (shares <= band.high)
            assert within.sum() == band.queries
            assert found[within].mean() == pytest.approx(band.recall, abs=1e-4)


@pytest.mark.parametrize("reach", [10.0, 0.3, 0.1, 0.0, -0.1])
@pytest.mark.parametrize("most", [1.0, 1.5, 4.0, 1e9])
def test_trial_goes_as_far_as_the_walk_of_a_search(drawn, reach, most):
    index, facets, queries, _ = drawn
    filters = room._filters(facets, SIZE, 12, np.random.default_rng(2))
    for query, allowed in zip(queries, filters, strict=False):
        trial = room._trial(index, index.lists, query, 20, allowed)
        bounds = line(base=30, reach=reach, most=most)
        seen = walked(index, bounds, query, 20, allowed.holds(np.arange(SIZE)))
        assert trial.held[trial.until(bounds) - 1] == len(seen)
        exact = index.search(query, 20, allowed, exact=True).rows
        assert (trial.places < trial.until(bounds)).tolist() == np.isin(exact, seen).tolist()


def test_line_is_good_enough_in_the_mean_at_worst_and_in_every_band():
    band = Band(0, 1, 100, recall=room._RECALL_OF_BAND, worst=0)
    good = line(recall=room._RECALL, worst=room._RECALL_OF_WORST, bands=(band, band))
    assert room._is_good(good)
    assert not room._is_good(replace(good, recall=room._RECALL - 1e-4))
    assert not room._is_good(replace(good, worst=room._RECALL_OF_WORST - 1e-4))
    low = replace(band, recall=room._RECALL_OF_BAND - 1e-4)
    assert not room._is_good(replace(good, bands=(band, low)))


def test_promised_recall_holds_for_queries_held_out(drawn, calibrated):
    _, facets, _, held_out = drawn
    filters = room._filters(facets, SIZE, QUERIES, np.random.default_rng(9))
    for k in (1, 5, 20):
        found = recalls(calibrated, k, list(zip(held_out, filters, strict=True)))
        assert found.mean() >= 0.985


def test_line_spares_rows(drawn, calibrated):
    every, (five, _) = Bitmap.every(SIZE), calibrated.budget.lines
    assert calibrated.budget.line(5, SIZE) is five
    looked_at = []
    for query in drawn[3][:20]:
        trial = room._trial(calibrated, calibrated.lists, query, 5, every)
        looked_at.append(trial.held[trial.until(five) - 1])
    assert np.mean(looked_at) < SIZE / 2


def test_few_allowed_rows_are_searched_exactly(drawn, calibrated):
    rng = np.random.default_rng(3)
    for query in drawn[3][:20]:
        allowed = Bitmap.of(rng.permutation(SIZE)[:LEAST], SIZE)
        near, exact = (calibrated.search(query, 20, allowed, exact=e) for e in (False, True))
        assert np.array_equal(near.rows, exact.rows)


def test_calibration_is_the_same_each_time_and_with_machine_code(drawn, calibrated):
    index, facets, queries, _ = drawn
    assert calibrate(index, facets, queries) == calibrated.budget
    with machine_code(True):
        fast = with_budget(index, None)
    assert fast._native is not None
    assert calibrate(fast, facets, queries) == calibrated.budget


def test_no_line_where_no_walk_is_good_enough(monkeypatch):
    rng = np.random.default_rng(4)
    vectors = unit(rng, 1_000, 64)  # no two of them are near
    index, facets = corpus(5, vectors)
    monkeypatch.setattr(room, "_BASES", (25,))
    monkeypatch.setattr(room, "_SLOPES", (0.0,))
    monkeypatch.setattr(room, "_MOSTS", (1.0,))
    found = calibrate(index, facets, unit(rng, 40, 64))
    assert found == Budget(())
    # so every search stays exact
    index = with_budget(index, found)
    near, exact = (
        index.search(vectors[0], 20, Bitmap.every(1_000), exact=e) for e in (False, True)
    )
    assert np.array_equal(near.rows, exact.rows)


def test_line_for_fewer_hits_may_stand_without_one_for_more(monkeypatch, drawn):
    index, facets, queries, _ = drawn
    told = room._line
    monkeypatch.setattr(room, "_line", lambda k, trials: None if k == 20 else told(k, trials))
    budget = calibrate(index, facets, queries)
    assert [one.k for one in budget.lines] == [5]
    assert budget.line(6, SIZE) is None


def test_without_lists_queries_or_wide_filters_there_is_no_budget(drawn):
    index, facets, queries, _ = drawn
    assert calibrate(DenseIndex.build(index.vectors), facets, queries) == Budget(())
    assert calibrate(index, facets, queries[:0]) == Budget(())
    nobody = Facets.of(
        headquarters=np.zeros(SIZE, np.uint8),
        serves=np.zeros(SIZE, np.uint64),
        goals=np.zeros(SIZE, np.uint32),
    )
    assert calibrate(index, nobody, queries) == Budget(())


def test_filters_take_the_bands_in_turn_and_are_wide_enough(drawn):
    _, facets, *_ = drawn
    filters = room._filters(facets, SIZE, 60, np.random.default_rng(6))
    assert all(len(allowed) > LEAST for allowed in filters)
    bands = [int(np.searchsorted(room._SHARES, len(allowed) / SIZE)) for allowed in filters]
    turn = sorted(set(bands))
    assert len(turn) > 1
    assert bands == (turn * 60)[:60]


def test_narrow_corpus_is_searched_right_with_a_budget_for_few():
    """Fewer rows pass than hits are asked for, at a budget that rules over one row."""
    with budgets_for_few(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(room, "FEW", 0)
        rng = np.random.default_rng(7)
        vectors = clustered(rng, 400, DIM, 10, 0.3)
        index, facets = corpus(8, vectors)
        index = with_budget(index, calibrate(index, facets, vectors[:60]))
        filters = room._filters(facets, 400, 60, rng)
        assert min(map(len, filters)) < 20
        assert recalls(index, 20, list(zip(vectors[60:120], filters, strict=True))).mean() > 0.97
