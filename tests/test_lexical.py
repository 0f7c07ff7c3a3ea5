import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matcher.index import backend
from matcher.index.bitmap import Bitmap
from matcher.index.lexical import LexicalIndex

TOKENS = st.lists(st.sampled_from(["水", "道", "管", "空き家", "-", "0"]), max_size=6)
CORPORA = st.lists(TOKENS, max_size=12)
QUERIES = st.lists(st.tuples(st.floats(0, 1), TOKENS), max_size=4)

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


def some_of(data, documents):
    """Some rows of the documents, ascending."""
    rows = data.draw(st.sets(st.sampled_from(range(len(documents)))) if documents else st.just(()))
    return np.array(sorted(rows), dtype=np.int64)


def score_all(documents, query, **parameters):
    """The score of each document, in row order."""
    return LexicalIndex.build("words", documents, **parameters).everywhere(query).scores


def answers(index, query):
    """All that an index says to a query, weights included; for comparison to the last bit."""
    found = index.everywhere(query), index.weighted("bridge", [(1 / 3, query), (0.7, query[:1])])
    rows = np.arange(index.documents)
    return [
        *((one.source, one.scores.tolist(), one.mean, one.deviation) for one in found),
        *(index.search(query, 3, Bitmap.every(index.documents)).rows.tolist(), index.documents),
        *(index.shared(query, rows).tolist(), index.frequency("水")),
    ]


def test_score_of_one_token_by_hand():
    scores = score_all([["水", "道"], ["空き家"]], ["水"])
    idf = math.log(1 + (2 - 1 + 0.5) / (1 + 0.5))
    expected = idf * 1 / (1 + 1.2 * (1 - 0.75 + 0.75 * 2 / 1.5))
    np.testing.assert_allclose(scores, [expected, 0], rtol=1e-6)


@settings(deadline=None)
@given(CORPORA, TOKENS, st.sampled_from([0.5, 1.2, 2.0]), st.sampled_from([0.0, 0.75, 1.0]))
def test_scores_are_the_formula(documents, query, k1, b):
    found = score_all(documents, query, k1=k1, b=b)
    np.testing.assert_allclose(found, bm25(documents, query, k1=k1, b=b), rtol=1e-5, atol=1e-6)


@settings(deadline=None)
@given(CORPORA, TOKENS, st.integers(0, 14), st.data())
def test_filtered_search_equals_brute_force(documents, query, k, data):
    rows = some_of(data, documents)
    index, scores = LexicalIndex.build("words", documents), score_all(documents, query)
    hits = index.search(query, k, Bitmap.of(rows, len(documents)))
    expected = sorted(rows.tolist(), key=lambda row: (-scores[row], row))[:k]
    assert hits.source == "words"
    assert hits.rows.tolist() == expected
    assert hits.scores.tolist() == scores[expected].tolist()


@settings(deadline=None)
@given(CORPORA, TOKENS, st.data())
def test_hits_of_some_rows_are_their_scores_best_first(documents, query, data):
    rows = some_of(data, documents)
    found = LexicalIndex.build("words", documents).everywhere(query)
    hits = found.hits(rows)
    expected = sorted(rows.tolist(), key=lambda row: (-found.scores[row], row))
    assert hits.rows.tolist() == expected
    assert hits.scores.tolist() == found.scores[expected].tolist()
    assert (hits.source, hits.mean, hits.deviation) == ("words", found.mean, found.deviation)


@settings(deadline=None)
@given(CORPORA, TOKENS)
def test_mean_and_deviation_are_over_all_documents(documents, query):
    found = LexicalIndex.build("words", documents).everywhere(query)
    scores = bm25(documents, query) if documents else np.zeros(1)
    assert found.mean == pytest.approx(scores.mean(), rel=1e-5, abs=1e-6)
    assert found.deviation == pytest.approx(scores.std(), rel=1e-4, abs=1e-6)


@settings(deadline=None)
@given(CORPORA, TOKENS, st.randoms(use_true_random=False))
def test_order_of_documents_only_permutes_the_scores(documents, query, random):
    order = random.sample(range(len(documents)), len(documents))
    moved = score_all([documents[row] for row in order], query)
    assert moved.tolist() == score_all(documents, query)[order].tolist()


@settings(deadline=None)
@given(CORPORA, TOKENS, st.data())
def test_shared_and_frequency_recount(documents, query, data):
    index, rows = LexicalIndex.build("words", documents), some_of(data, documents)
    shared = [len(set(documents[row]) & set(query)) for row in rows]
    assert index.shared(query, rows).tolist() == shared
    assert index.shared(query, rows[::-1]).tolist() == shared[::-1]
    for token in ["水", "知らない"]:
        assert index.frequency(token) == sum(token in document for document in documents)


@settings(deadline=None)
@given(CORPORA, QUERIES)
def test_weighted_sum_is_the_weighted_sum_of_the_searches(documents, queries):
    found = LexicalIndex.build("words", documents).weighted("bridge", queries)
    expected = np.zeros(len(documents))
    for weight, tokens in queries:
        expected += weight * score_all(documents, tokens)
    assert found.source == "bridge"
    np.testing.assert_allclose(found.scores, expected, rtol=1e-12)
    assert found.mean == pytest.approx(expected.mean() if documents else 0, abs=1e-12)
    assert found.deviation == pytest.approx(expected.std() if documents else 0, abs=1e-7)


def test_one_query_of_weight_one_is_a_search():
    index = LexicalIndex.build("words", DOCUMENTS)
    weighted = index.weighted("bridge", [(1.0, ["水", "管"])])
    plain = index.everywhere(["水", "管"])
    assert weighted.scores.tolist() == plain.scores.tolist()
    assert (weighted.mean, weighted.deviation) == (plain.mean, plain.deviation)


@pytest.mark.parametrize("queries", [[], [(1.0, [])], [(0.0, ["水"])], [(0.5, ["河川"])]])
@pytest.mark.parametrize("documents", [DOCUMENTS, []])
def test_weighted_search_for_nothing_gives_zeros(documents, queries):
    found = LexicalIndex.build("words", documents).weighted("b", queries)
    assert found.scores.tolist() == [0.0] * len(documents)
    assert (found.mean, found.deviation) == (0.0, 0.0)


@settings(deadline=None)
@given(CORPORA, TOKENS, QUERIES)
def test_machine_code_and_numpy_agree_to_the_last_bit(documents, query, queries):
    index = LexicalIndex.build("words", documents)
    found = []
    for least in (0, len(documents) + 1):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(backend, "_FROM", least)
            assert (backend.native(len(documents)) is None) == bool(least)
            weighted = index.weighted("bridge", queries)
            found.append([*answers(index, query), weighted.scores.tolist(), weighted.mean])
    assert found[0] == found[1]


def test_token_counts_as_often_as_the_query_holds_it():
    once, twice = (score_all(DOCUMENTS, ["水"] * times) for times in (1, 2))
    np.testing.assert_allclose(twice, 2 * once, rtol=1e-6)


def test_unknown_tokens_change_nothing():
    known = score_all(DOCUMENTS, ["水"])
    assert score_all(DOCUMENTS, ["河川", "水", "河川"]).tolist() == known.tolist()


@pytest.mark.parametrize("query", [[], ["河川"]])
@pytest.mark.parametrize("documents", [DOCUMENTS, [], [[], []]])
def test_query_without_known_tokens_gives_zeros(documents, query):
    index = LexicalIndex.build("words", documents)
    hits = index.everywhere(query).hits(every(documents))
    assert hits.rows.tolist() == list(range(len(documents)))
    assert hits.scores.tolist() == [0.0] * len(documents)
    assert (hits.mean, hits.deviation) == (0.0, 0.0)
    assert index.shared(query, every(documents)).tolist() == [0] * len(documents)


@pytest.mark.parametrize("documents", [[], [[], []]])
def test_corpus_without_tokens_knows_none(documents):
    index = LexicalIndex.build("words", documents)
    assert index.everywhere(["水"]).scores.tolist() == [0.0] * len(documents)
    assert index.frequency("水") == 0


def test_document_without_tokens_scores_nothing():
    assert score_all(DOCUMENTS, ["水", "管", "道", "空き家"])[2] == 0


def test_hits_are_best_first_float64_under_the_name_of_the_index():
    hits = LexicalIndex.build("bigrams", DOCUMENTS).search(["水"], 4, Bitmap.every(4))
    assert hits.source == "bigrams"
    assert (hits.rows.dtype, hits.scores.dtype) == (np.int64, np.float64)
    assert hits.rows.tolist() == [0, 3, 1, 2]
    assert hits.scores.tolist() == sorted(hits.scores.tolist(), reverse=True)


def test_idf_is_never_negative():
    assert (score_all([["水"]] * 5, ["水"]) > 0).all()


@pytest.mark.parametrize("documents", [DOCUMENTS, [], [[], []], [["水\n道", "\u2028", "空"]]])
def test_saved_index_answers_as_before(documents, tmp_path):
    index = LexicalIndex.build("words", documents)
    index.save(tmp_path / "words")
    again = LexicalIndex.load("words", len(documents), tmp_path / "words")
    for query in (["水"], ["水\n道", "\u2028"], ["空き家", "空き家", "管"], []):
        assert answers(again, query) == answers(index, query)


def is_mapped(array):
    """Whether an array, or what it is a view of, lies in a file."""
    while isinstance(array, np.ndarray) and not isinstance(array, np.memmap):
        array = array.base
    return isinstance(array, np.memmap)


def test_what_tokens_add_stays_on_the_disk_and_can_be_saved_again(tmp_path):
    LexicalIndex.build("words", DOCUMENTS).save(tmp_path / "one")
    again = LexicalIndex.load("words", len(DOCUMENTS), tmp_path / "one")
    assert is_mapped(again._added)
    assert is_mapped(again._rows)
    again.save(tmp_path / "two")
    assert answers(LexicalIndex.load("words", 4, tmp_path / "two"), ["水"]) == answers(
        again, ["水"]
    )


def test_loaded_index_tells_of_how_many_documents_it_is(tmp_path):
    LexicalIndex.build("words", DOCUMENTS).save(tmp_path / "words")
    assert LexicalIndex.load("words", 99, tmp_path / "words").documents == len(DOCUMENTS)


def test_saved_bytes_are_the_same_every_time(tmp_path):
    for name in ("one", "two"):
        LexicalIndex.build("words", DOCUMENTS).save(tmp_path / name)
    first, second = (
        {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()}
        for name in ("one", "two")
    )
    assert first == second
