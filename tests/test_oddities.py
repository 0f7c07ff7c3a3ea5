import pytest

from matcher.columns import clean
from matcher.oddities import find_in_cell, find_in_text
from matcher.personal import hidden


def odd(written: str) -> str:
    """What is said of a cell."""
    found = find_in_cell(3, written, hidden(clean(written)))
    assert all(one.at == 3 and one.severity == "警告" for one in found)
    return " ".join(one.problem for one in found)


def marked(text: str) -> list[str]:
    return [one.problem for one in find_in_text("description", text)]


@pytest.mark.parametrize(
    "text", ["", "髙﨑①㈱", "葛\U000e0100城", "👨\u200d👩\u200d👧", "a\u2028b\x0cc"]
)
def test_ordinary_cells_are_not_spoken_of(text):
    assert odd(text) == ""


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("吉\ue000田", "外字（U+E000）"),
        ("吉\U000f0000田", "外字（U+F0000）"),
        ("吉\ufffd田", "文字化け"),
        ("吉\ud800田", "文字化け"),
        ("吉\x07田", "見えない文字（U+0007など）"),
        ("吉\u202e田", "見えない文字（U+202Eなど）"),
        ("吉\U000e0041田", "見えない文字（U+E0041など）"),
        ("123456789018", "個人番号"),
    ],
)
def test_odd_letters_are_said_with_their_code(text, told):
    assert told in odd(text)


def test_what_stands_around_an_odd_letter_is_shown():
    (found,) = find_in_cell(0, "あ" * 30 + "\ue000" + "い" * 30, "あ" * 30 + "\ue000" + "い" * 30)
    assert found.value == "あ" * 10 + "\ue000" + "い" * 10


def test_a_byte_order_mark_is_dropped_without_a_word():
    assert odd("\ufeff課題") == ""


@pytest.mark.parametrize(
    "text",
    [
        *("<p>ごみ</p>", "<script>alert(1)</script>", "A<br/>B", '<a href="x">', "<!-- x"),
        *("A&nbsp;B", "&#12354;", "<TD class=x>"),
    ],
)
def test_markup_is_said(text):
    (problem,) = marked(text)
    assert "HTML" in problem


@pytest.mark.parametrize("text", ["5<10 かつ 10>5", "<重要>", "A&B", "x < p", "<課題>", "R&D;"])
def test_signs_that_are_no_markup_are_not_spoken_of(text):
    assert marked(text) == []


def test_a_text_as_long_as_a_book_is_said():
    assert marked("あ" * 10_000) == []
    assert "10,001文字" in marked("あ" * 10_001)[0]


@pytest.mark.parametrize("text", ["<" * 200_000, "&#1" * 60_000, "</" * 100_000, "\x07" * 200_000])
def test_repeated_signs_are_read_in_time(text):
    find_in_text("profile", text)
    find_in_cell(0, text, clean(text))
