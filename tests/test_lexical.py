import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matcher.index.lexical import LexicalIndex

TOKENS = st.lists(st.sampled_from(["水", "道", "管", "空き家", "-", "0"]), max_size=6)
CORPORA = st.lists(TOKENS, max_size=12)

DOCUMENTS = [["水", "道", "水"], ["空き家"], [], ["水", "空き家", "管", "管"]]


def bm25(documents, query, *, k1=1.2, b=0.75):
    """Every document's score by the formula, a token counted as often as the query holds it."""
    size = len(documents)
    mean_length = sum(map(len, documents)) / max(size, 1)
    scores = np.zeros(size)
    for token in query:
        held = sum(token in document for document in documents)
        idf = math.log(1 + (size - held + 0.5) / (held + 0.5))
        for row, document in enumerate(documents):
            count = Counter(document)[token]
            if count:
                length = 1 - b + b * len(document) / mean_length
                scores[row] += idf * count / (count + k1 * length)
    return scores


def every(documents):
    return np.arange(len(documents), dtype=np.int64)


def by_row(hits):
    return dict(zip(hits.rows.tolist(), hits.scores.tolist(), strict=True))


def search_all(documents, query, **parameters):
    """The score of each document, in row order."""
    index = LexicalIndex.build("words", documents, **parameters)
    found = by_row(index.search(query, every(documents)))
    return np.array([found[row] for row in range(len(documents))])


def test_score_of_one_token_by_hand():
    scores = search_all([["水", "道"], ["空き家"]], ["水"])
    idf = math.log(1 + (2 - 1 + 0.5) / (1 + 0.5))
    expected = idf * 1 / (1 + 1.2 * (1 - 0.75 + 0.75 * 2 / 1.5))
    np.testing.assert_allclose(scores, [expected, 0], rtol=1e-6)


@settings(deadline=None)
@given(CORPORA, TOKENS, st.sampled_from([0.5, 1.2, 2.0]), st.sampled_from([0.0, 0.75, 1.0]))
def test_scores_are_the_formula(documents, query, k1, b):
    found = search_all(documents, query, k1=k1, b=b)
    np.testing.assert_allclose(found, bm25(documents, query, k1=k1, b=b), rtol=1e-5, atol=1e-6)


@settings(deadline=None)
@given(CORPORA, TOKENS, st.data())
def test_filtered_search_equals_brute_force(documents, query, data):
    allowed = data.draw(st.lists(st.sampled_from(range(len(documents) or 1)), unique=True))
    rows = np.array(sorted(set(allowed) & set(range(len(documents)))), dtype=np.int64)
    index = LexicalIndex.build("words", documents)
    scores = search_all(documents, query)
    hits = index.search(query, rows)
    expected = sorted(rows.tolist(), key=lambda row: (-scores[row], row))
    assert hits.rows.tolist() == expected
    assert hits.scores.tolist() == scores[expected].tolist()


@settings(deadline=None)
@given(CORPORA, TOKENS)
def test_mean_and_deviation_are_over_all_documents(documents, query):
    hits = LexicalIndex.build("words", documents).search(query, np.array([], dtype=np.int64))
    scores = bm25(documents, query) if documents else np.zeros(1)
    assert hits.mean == pytest.approx(scores.mean(), rel=1e-5, abs=1e-6)
    assert hits.deviation == pytest.approx(scores.std(), rel=1e-4, abs=1e-6)


@settings(deadline=None)
@given(CORPORA, TOKENS, st.randoms(use_true_random=False))
def test_order_of_documents_only_permutes_the_scores(documents, query, random):
    order = random.sample(range(len(documents)), len(documents))
    moved = search_all([documents[row] for row in order], query)
    assert moved.tolist() == search_all(documents, query)[order].tolist()


@settings(deadline=None)
@given(CORPORA, TOKENS)
def test_shared_and_frequency_recount(documents, query):
    index = LexicalIndex.build("words", documents)
    shared = [len(set(document) & set(query)) for document in documents]
    assert index.shared(query).tolist() == shared
    for token in ["水", "知らない"]:
        assert index.frequency(token) == sum(token in document for document in documents)


@settings(deadline=None)
@given(CORPORA, st.lists(st.tuples(st.floats(0, 1), TOKENS), max_size=4), st.data())
def test_weighted_search_is_the_weighted_sum_of_the_searches(documents, queries, data):
    index = LexicalIndex.build("words", documents)
    rows = every(documents)
    allowed = np.array(
        sorted(data.draw(st.sets(st.sampled_from(rows.tolist())) if documents else st.just(set()))),
        dtype=np.int64,
    )
    found = index.search_weighted("bridge", queries, allowed)
    expected = np.zeros(len(documents))
    for weight, tokens in queries:
        expected += weight * search_all(documents, tokens)
    assert found.source == "bridge"
    assert found.rows.tolist() == sorted(allowed.tolist(), key=lambda row: (-expected[row], row))
    assert found.scores.tolist() == expected[found.rows].tolist()
    assert found.mean == pytest.approx(expected.mean() if documents else 0, abs=1e-12)
    assert found.deviation == pytest.approx(expected.std() if documents else 0, abs=1e-9)


def test_one_query_of_weight_one_is_a_search():
    index = LexicalIndex.build("words", DOCUMENTS)
    weighted = index.search_weighted("bridge", [(1.0, ["水", "管"])], every(DOCUMENTS))
    plain = index.search(["水", "管"], every(DOCUMENTS))
    assert by_row(weighted) == by_row(plain)
    assert (weighted.mean, weighted.deviation) == (plain.mean, plain.deviation)


@pytest.mark.parametrize("queries", [[], [(1.0, [])], [(0.0, ["水"])], [(0.5, ["河川"])]])
@pytest.mark.parametrize("documents", [DOCUMENTS, []])
def test_weighted_search_for_nothing_gives_zeros(documents, queries):
    hits = LexicalIndex.build("words", documents).search_weighted("b", queries, every(documents))
    assert hits.scores.tolist() == [0.0] * len(documents)
    assert (hits.mean, hits.deviation) == (0.0, 0.0)


def test_token_counts_as_often_as_the_query_holds_it():
    once, twice = (search_all(DOCUMENTS, ["水"] * times) for times in (1, 2))
    np.testing.assert_allclose(twice, 2 * once, rtol=1e-6)


def test_unknown_tokens_change_nothing():
    known = search_all(DOCUMENTS, ["水"])
    assert search_all(DOCUMENTS, ["河川", "水", "河川"]).tolist() == known.tolist()


@pytest.mark.parametrize("query", [[], ["河川"]])
@pytest.mark.parametrize("documents", [DOCUMENTS, [], [[], []]])
def test_query_without_known_tokens_gives_zeros(documents, query):
    index = LexicalIndex.build("words", documents)
    hits = index.search(query, every(documents))
    assert hits.rows.tolist() == list(range(len(documents)))
    assert hits.scores.tolist() == [0.0] * len(documents)
    assert (hits.mean, hits.deviation) == (0.0, 0.0)
    assert index.shared(query).tolist() == [0] * len(documents)


@pytest.mark.parametrize("documents", [[], [[], []]])
def test_corpus_without_tokens_knows_none(documents):
    index = LexicalIndex.build("words", documents)
    assert index.search(["水"], every(documents)).scores.tolist() == [0.0] * len(documents)
    assert index.frequency("水") == 0


def test_document_without_tokens_scores_nothing():
    assert search_all(DOCUMENTS, ["水", "管", "道", "空き家"])[2] == 0


def test_hits_are_best_first_float64_under_the_name_of_the_index():
    hits = LexicalIndex.build("bigrams", DOCUMENTS).search(["水"], every(DOCUMENTS))
    assert hits.source == "bigrams"
    assert (hits.rows.dtype, hits.scores.dtype) == (np.int64, np.float64)
    assert hits.rows.tolist() == [0, 3, 1, 2]
    assert hits.scores.tolist() == sorted(hits.scores.tolist(), reverse=True)


def test_idf_is_never_negative():
    assert (search_all([["水"]] * 5, ["水"]) > 0).all()


@pytest.mark.parametrize("documents", [DOCUMENTS, [], [[], []], [["水\n道", "\u2028", "空"]]])
def test_saved_index_answers_as_before(documents, tmp_path):
    index = LexicalIndex.build("words", documents)
    index.save(tmp_path / "words")
    again = LexicalIndex.load("words", len(documents), tmp_path / "words")
    for query in (["水"], ["水\n道", "\u2028"], ["空き家", "空き家", "管"], []):
        before, after = (one.search(query, every(documents)) for one in (index, again))
        assert before.rows.tolist() == after.rows.tolist()
        assert before.scores.tolist() == after.scores.tolist()
        assert (before.mean, before.deviation) == (after.mean, after.deviation)
        assert index.shared(query).tolist() == again.shared(query).tolist()
    assert index.frequency("水") == again.frequency("水")


def test_saved_bytes_are_the_same_every_time(tmp_path):
    for name in ("one", "two"):
        LexicalIndex.build("words", DOCUMENTS).save(tmp_path / name)
    first, second = (
        {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()}
        for name in ("one", "two")
    )
    assert first == second
