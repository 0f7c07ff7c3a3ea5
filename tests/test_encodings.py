import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from matcher.errors import DataError
from matcher.tables import encodings
from matcher.tables.encodings import NAMES, decode, encodings_of, lines

KANA = st.text(st.characters(min_codepoint=0x3041, max_codepoint=0x3093), min_size=1)


def found(data: bytes) -> tuple[str, ...]:
    return encodings_of("表.csv", io.BytesIO(data))


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"abc", ("utf-8",)),
        ("課題".encode(), ("utf-8",)),
        ("課題".encode("utf-8-sig"), ("utf-8-sig",)),
        ("課題".encode("utf-16"), ("utf-16",)),
        ("①㈱髙﨑".encode("cp932"), ("cp932",)),
        ("課題".encode("iso2022_jp"), ("iso2022_jp",)),
        ("課題名".encode("euc_jp"), ("euc_jp",)),
        ("いえ".encode("euc_jp"), ("cp932", "euc_jp")),
        ("㈱空き家".encode("euc_jis_2004"), ("euc_jis_2004",)),
        ("a,b\n".encode("utf-16-le"), ("utf-16-le", "utf-16-be")),
    ],
)
def test_every_encoding_that_all_bytes_obey(data, expected):
    assert found(data) == expected


@given(KANA, st.sampled_from(["utf-8", "utf-8-sig", "cp932", "euc_jp", "iso2022_jp", "utf-16"]))
def test_the_encoding_of_a_text_is_among_those_found(text, encoding):
    data = text.encode(encoding)
    assert encoding in found(data)
    assert all(one in NAMES for one in found(data))


@given(KANA, st.sampled_from(["utf-8", "cp932", "euc_jp"]), st.integers(1, 5))
def test_where_a_file_is_cut_for_reading_changes_nothing(text, encoding, size):
    data = text.encode(encoding)
    with pytest.MonkeyPatch.context() as patch:
        whole = found(data)
        patch.setattr(encodings, "_CHUNK", size)
        assert found(data) == whole


def test_two_readings_are_no_text():
    with pytest.raises(DataError, match="CP932（シフトJIS）ともEUC-JP"):
        decode("表.csv", "いえ".encode("euc_jp"))
    assert decode("表.csv", "課題名".encode("euc_jp")) == "課題名"


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (b"a\n\xff\n", 2),
        (b"a\nb\n\x80", 3),
        (b"\xef\xbb\xbfa\r\n\xff", 2),
        (b"\x1b$B2]\x1b(B\n\x1b$B\x21", 2),
        (b"\xff\xfea\x00\n\x00b", 2),
    ],
)
def test_the_first_line_that_does_not_fit_is_named(data, line):
    with pytest.raises(DataError, match=f"{line}行目"):
        found(data)


def test_lines_are_walked_again_from_the_start_and_leave_the_file_open():
    file = io.BytesIO("あ\r\nい\n".encode())
    walk = lines(file, "utf-8")
    assert next(walk) == "あ\r\n"
    assert list(lines(file, "utf-8")) == ["あ\r\n", "い\n"]
    walk.close()
    assert not file.closed
