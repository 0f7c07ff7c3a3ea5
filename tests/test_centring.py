import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matcher.embed.centring import PRIOR_ROWS, Centring, sound
from matcher.errors import MatcherError


def rows(*vectors):
    return np.array(vectors, dtype=np.float32)


def random_rows(seed, size, dim=6):
    vectors = np.random.default_rng(seed).normal(size=(size, dim)) + 2
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def test_query_mean_is_the_mean_of_the_background_queries_alone():
    queries = rows([1, 0], [0, 1], [1, 0])
    fitted = Centring.fit(queries, rows([0, -1]), rows([0, 1]))
    np.testing.assert_allclose(fitted.query_mean, [2 / 3, 1 / 3])
    assert fitted.query_mean.dtype == fitted.document_mean.dtype == np.float64


def test_document_mean_is_drawn_to_the_background_by_prior_rows():
    documents, prior = rows([1, 0], [1, 0]), rows([0, 1], [0, 0.5])
    fitted = Centring.fit(rows([1, 0]), documents, prior)
    background = np.array([0, 0.75])
    expected = (2 * np.array([1, 0]) + PRIOR_ROWS * background) / (2 + PRIOR_ROWS)
    np.testing.assert_allclose(fitted.document_mean, expected)


def test_background_counts_the_same_however_many_texts_it_has():
    documents = rows([1, 0])
    one = Centring.fit(documents, documents, rows([0, 1]))
    many = Centring.fit(documents, documents, rows(*[[0, 1]] * 30))
    np.testing.assert_allclose(one.document_mean, many.document_mean)


def test_catalog_without_documents_has_the_mean_of_the_background():
    empty = np.empty((0, 2), dtype=np.float32)
    fitted = Centring.fit(rows([1, 0]), empty, rows([0, 1], [1, 0]))
    np.testing.assert_allclose(fitted.document_mean, [0.5, 0.5])
    assert fitted.documents(empty).shape == (0, 2)


def test_background_fades_as_the_catalog_grows():
    prior, one = rows([0, 1]), rows([1, 0])
    shares = [
        Centring.fit(one, np.repeat(one, size, axis=0), prior).document_mean[1]
        for size in (0, 1, 10, 990)
    ]
    expected = [PRIOR_ROWS / (size + PRIOR_ROWS) for size in (0, 1, 10, 990)]
    np.testing.assert_allclose(shares, expected)


def test_only_company_of_a_catalog_is_not_its_own_mean():
    one = rows([1, 0])
    fitted = Centring.fit(one, one, rows([0, 1]))
    assert np.linalg.norm(fitted.documents(one)) > 0.99


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 30))
def test_order_of_texts_moves_a_mean_by_rounding_only(seed, size):
    documents = random_rows(seed, size)
    order = np.random.default_rng(seed).permutation(size)
    one = Centring.fit(documents, documents, documents[:1])
    other = Centring.fit(documents[order], documents[order], documents[:1])
    np.testing.assert_allclose(one.document_mean, other.document_mean, atol=1e-15)
    np.testing.assert_allclose(one.query_mean, other.query_mean, atol=1e-15)


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 30))
def test_centred_vectors_are_the_difference_at_unit_length(seed, size):
    vectors = random_rows(seed, size)
    fitted = Centring(query_mean=np.full(6, 0.3), document_mean=np.full(6, -0.2), spread=1.0)
    for centred, mean in ((fitted.queries(vectors), 0.3), (fitted.documents(vectors), -0.2)):
        difference = vectors.astype(np.float64) - mean
        expected = difference / np.linalg.norm(difference, axis=1, keepdims=True)
        assert centred.dtype == np.float32
        np.testing.assert_allclose(centred, expected, atol=1e-6)
        np.testing.assert_allclose(np.linalg.norm(centred, axis=1), 1, atol=1e-6)


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 30))
def test_centred_vector_does_not_depend_on_its_neighbours(seed, size):
    vectors = random_rows(seed, size)
    fitted = Centring.fit(vectors, vectors, vectors[:1])
    together = fitted.queries(vectors)
    assert all(np.array_equal(fitted.queries(vectors[i : i + 1])[0], together[i]) for i in (0, 1))


def test_spread_is_that_of_the_background_whatever_the_catalog_holds():
    queries, prior = random_rows(1, 30), random_rows(2, 20)
    fitted = [Centring.fit(queries, random_rows(seed, 5 * seed), prior) for seed in (3, 4)]
    alone = Centring(queries.mean(0), prior.mean(0), spread=1.0)
    cosines = alone.queries(queries) @ alone.documents(prior).T
    for one in fitted:
        assert one.spread == pytest.approx(cosines.std(), abs=1e-5)


def test_spread_of_single_texts_divides_nothing_by_zero():
    one = rows([1, 0])
    assert Centring.fit(one, one, one).spread > 0


def test_row_that_is_the_mean_itself_stays_zero_and_finite():
    mean = np.array([0.5, 0.5])
    fitted = Centring(query_mean=mean, document_mean=mean, spread=1.0)
    assert fitted.queries(rows([0.5, 0.5])).tolist() == [[0, 0]]
    assert fitted.documents(rows([0.5, 0.5], [1, 0.5])).tolist() == [[0, 0], [1, 0]]


def test_centring_leaves_its_arguments_alone():
    vectors = rows([1, 0], [0, 1])
    before = vectors.copy()
    Centring.fit(vectors, vectors, vectors).documents(vectors)
    assert np.array_equal(vectors, before)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 0])
def test_a_vector_without_direction_is_refused_on_both_sides(value):
    fitted = Centring.fit(rows([1, 0]), rows([0, 1]), rows([0, 1]))
    spoilt = rows([1, 0], [value, 0])
    for use in (sound, fitted.queries, fitted.documents):
        with pytest.raises(MatcherError, match="使えないベクトル"):
            use(spoilt)


def test_sound_vectors_are_as_they_came():
    vectors = random_rows(1, 5)
    assert sound(vectors) is vectors
    assert len(sound(vectors[:0])) == 0
