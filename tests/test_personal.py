import pytest

from matcher.personal import MASK, hidden, masked


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("番号は123456789018です", f"番号は{MASK}です"),
        ("1234-5678-9018", MASK),
        ("１２３４－５６７８－９０１８", MASK),
        ("1234 5678 9018、000000000000", f"{MASK}、{MASK}"),
        ("1234\u200b5678\u200b9018", MASK),
        ("ID-123456789018", f"ID-{MASK}"),
        ("1 123456789018", f"1 {MASK}"),
    ],
)
def test_a_number_that_proves_itself_is_hidden(written, kept):
    assert hidden(written) == kept


@pytest.mark.parametrize(
    "written",
    [
        "123456789017",  # its last digit is wrong
        "7123456789012",  # a corporate number
        "7-1234-5678-9018",
        "7 1234 5678 9018",
        "123456789018円",
        "123456789018 千円",
        "202604010016",  # begins with a month
        "令和8年3月31日 0564-23-6000",
    ],
)
def test_other_numbers_stay(written):
    assert hidden(written) == written


@pytest.mark.parametrize("digits", ["123456789017", "1234-5678-9017", "１２３４５６７８９０１７"])
def test_in_a_message_any_twelve_digits_are_masked(digits):
    assert masked(f"値 {digits}") == f"値 {MASK}"
    assert masked("7123456789012") == "7123456789012"


@pytest.mark.parametrize(
    "text", ["1" * 200_000, "1 " * 100_000, "1\u200b" * 100_000, "1234-" * 40_000]
)
def test_digits_without_end_are_read_in_time(text):
    assert len(hidden(text)) == len(text)
    masked(text)
