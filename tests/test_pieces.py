import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from matcher.embed.pieces import count_pieces, cut, encode_in_pieces, unit

# One token a character, behind two that stand for the prompt and the marks around a text.
LIMIT = 12


def tokenise(text):
    return np.array([0, *map(ord, text), 0], np.int32)


def count(text):
    return len(tokenise(text))


def embed(pieces):
    """A vector that tells texts apart and refuses what an encoder could not take."""
    assert len({len(piece.tokens) for piece in pieces}) == 1
    assert all(len(piece.tokens) <= LIMIT for piece in pieces)
    return unit(np.array([[sum(piece.tokens), len(piece.text), 1] for piece in pieces], float))


def encode(texts, **options):
    return encode_in_pieces(texts, tokenise=tokenise, limit=LIMIT, embed=embed, dim=3, **options)


def test_text_within_the_limit_is_one_piece():
    assert cut("短い文。次の文。", count, LIMIT) == ["短い文。次の文。"]


def test_sentence_as_long_as_a_book_is_not_counted_to_its_end_for_each_part():
    counted = []

    def watched(part):
        counted.append(len(part))
        return count(part)

    book = "あ" * 20_000
    parts = cut(book, watched, LIMIT)
    assert "".join(parts) == book
    assert {len(part) for part in parts[:-1]} == {LIMIT - 2}
    assert sum(counted) < 50 * len(book)


def test_long_text_is_cut_after_as_many_sentences_as_fit():
    assert cut("一つ目。二つ目。三つ目。四つ目。", count, LIMIT) == [
        "一つ目。二つ目。",
        "三つ目。四つ目。",
    ]


def test_closing_bracket_stays_with_its_sentence():
    assert cut("「困った。」「どうしよう。」", count, LIMIT) == ["「困った。」", "「どうしよう。」"]


def test_endless_sentence_is_cut_where_the_limit_falls():
    assert cut("あ" * 25, count, LIMIT) == ["あ" * 10, "あ" * 10, "あ" * 5]


def test_character_over_the_limit_stands_alone():
    assert cut("あい", lambda text: 20 * len(text), LIMIT) == ["あ", "い"]


@given(st.text(alphabet="あい。！\n .」", max_size=80))
def test_pieces_end_to_end_are_the_text_and_each_fits(text):
    parts = cut(text, count, LIMIT)
    assert "".join(parts) == text
    assert all(count(part) <= LIMIT for part in parts)


def test_counting_much_more_than_fits_is_avoided():
    lengths = []
    cut("あ。" * 5000, lambda text: lengths.append(len(text)) or count(text), LIMIT)
    assert max(lengths) < 4 * LIMIT


def test_vector_of_pieces_is_their_mean_weighted_by_tokens():
    long = "い" * 14  # two pieces, of 10 and 4 characters: 12 and 6 tokens
    first, second = encode(["い" * 10, "い" * 4]).astype(float)
    expected = 12 * first + 6 * second
    np.testing.assert_allclose(
        encode(["あ", long])[1], expected / np.linalg.norm(expected), rtol=1e-6
    )


def test_order_batch_and_threads_do_not_change_a_bit():
    rng = np.random.default_rng(3)
    texts = ["あ" * n + "。" + "い" * (n % 7) for n in rng.integers(0, 60, 200)]
    alone = np.concatenate([encode([text]) for text in texts])
    order = rng.permutation(len(texts))
    assert np.array_equal(encode(texts), alone)
    assert np.array_equal(encode([texts[at] for at in order], threads=3), alone[order])


def test_no_text_gives_no_rows():
    assert encode([]).shape == (0, 3)
    assert encode([]).dtype == np.float32


def test_advance_hears_of_each_text_once():
    heard = []
    encode(["あ", "い" * 40, "う", ""], advance=heard.append)
    assert sum(heard) == 4


def test_pieces_are_counted_per_text():
    assert count_pieces(["", "あ" * 10, "あ" * 11, "あ" * 21], tokenise, LIMIT) == [1, 1, 2, 3]


def test_half_a_character_becomes_the_replacement_character():
    assert np.array_equal(encode(["a\ud800b"]), encode(["a\ufffdb"]))


def test_failing_inference_is_raised_from_a_thread():
    with pytest.raises(AssertionError):
        encode_in_pieces(["あ" * 30], tokenise=tokenise, limit=40, embed=embed, dim=3, threads=2)
