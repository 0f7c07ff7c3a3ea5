"""Every encoding and every odd character that a town hall sends, from the file to the record."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from matcher import text
from matcher.corpus import read_issues
from matcher.errors import DataError
from matcher.types import Issue, Reading

HEADER = "課題ID,課題名,課題内容,都道府県"
Tried = Callable[[int, str, str, str], None]


def read(folder: Path, data: bytes, name: str = "課題.csv") -> Reading[Issue]:
    path = folder / name
    path.write_bytes(data)
    return read_issues(path)


def table(title: str, description: str = "人手が足りない。", separator: str = ",") -> str:
    return f"{HEADER}\r\n0001,{title},{description},愛知県\r\n".replace(",", separator)


def told(reading: Reading[Issue]) -> str:
    return " ".join(f"{one.severity}: {one.problem}{one.remedy}" for one in reading.faults)


def only(reading: Reading[Issue]) -> Issue:
    (issue,) = reading.records
    assert (issue.issue_id, issue.prefecture) == ("0001", "23")
    return issue


def test_cp932_with_its_own_characters(tmp_path: Path, tried: Tried) -> None:
    title = "①㈱髙﨑～－の移転"
    issue = only(reading := read(tmp_path, table(title).encode("cp932")))
    assert issue.title == title
    assert reading.faults == ()
    tried(1, "CP932のCSV（①㈱髙﨑～－を含む）", "どの文字もそのまま読む", told(reading))


@pytest.mark.parametrize(("encoding", "name"), [("utf-8", "なし"), ("utf-8-sig", "つき")])
def test_utf_8_with_and_without_mark(
    tmp_path: Path, tried: Tried, encoding: str, name: str
) -> None:
    issue = only(reading := read(tmp_path, table("〜−①髙﨑").encode(encoding)))
    assert issue.title == "〜−①髙﨑"
    tried(1, f"UTF-8（BOM{name}）のCSV", "どの文字もそのまま読む", told(reading))


def test_utf_16_as_excel_writes_unicode_text(tmp_path: Path, tried: Tried) -> None:
    data = b"\xff\xfe" + table("髙齢者の見守り", separator="\t").encode("utf-16-le")
    issue = only(reading := read(tmp_path, data, "課題.txt"))
    assert issue.title == "髙齢者の見守り"
    tried(1, "Excelの「Unicodeテキスト」（UTF-16、タブ区切り）", "そのまま読む", told(reading))


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_without_mark_is_proven_by_its_header(
    tmp_path: Path, tried: Tried, encoding: str
) -> None:
    issue = only(reading := read(tmp_path, table("空き家").encode(encoding)))
    assert issue.title == "空き家"
    tried(1, "BOMのないUTF-16", "見出しが読める方に決めて読む", told(reading))


@pytest.mark.parametrize("title", ["空き家が増えている", "①㈱見守り"])
def test_euc_jp_is_proven_by_its_header(tmp_path: Path, tried: Tried, title: str) -> None:
    issue = only(reading := read(tmp_path, table(title).encode("euc_jis_2004")))
    assert issue.title == title
    tried(1, "EUC-JPのCSV", "見出しが読める方に決めて読む", told(reading))


def test_what_two_encodings_read_is_not_guessed(tmp_path: Path, tried: Tried) -> None:
    data = "issue_id,title,description\n1,いえ,いえがいたい\n".encode("euc_jp")
    with pytest.raises(DataError, match="どちらか決められません") as raised:
        read(tmp_path, data)
    tried(
        1,
        "英語の見出しのEUC-JP（CP932としても読める）",
        "どちらかに決めず、断る",
        f"{raised.value}",
    )


def test_jis_says_itself_what_it_is(tmp_path: Path, tried: Tried) -> None:
    issue = only(reading := read(tmp_path, table("空き家").encode("iso2022_jp")))
    assert issue.title == "空き家"
    tried(1, "JIS（ISO-2022-JP）のCSV", "そのまま読む", told(reading))


@pytest.mark.parametrize(
    ("first", "second", "name"),
    [("utf-8", "cp932", "UTF-8の中にCP932の行"), ("cp932", "utf-8", "CP932の中にUTF-8の行")],
)
def test_mixed_lines_name_the_first_bad_one(
    tmp_path: Path, tried: Tried, first: str, second: str, name: str
) -> None:
    good = table("空き家").encode(first)
    data = good + "0002,見守り,人手が足りない。,愛知県\r\n".encode(second) + good
    with pytest.raises(DataError, match="3行目から文字コードが違います") as raised:
        read(tmp_path, data)
    tried(1, f"混ざったファイル（{name}）", "最初に違う行を示して断る", f"{raised.value}")


def test_a_byte_that_is_no_character_is_named_by_its_line(tmp_path: Path, tried: Tried) -> None:
    data = table("空き家").encode("cp932") + b"0002,\x80,b,c\r\n"
    with pytest.raises(DataError, match="3行目") as raised:
        read(tmp_path, data)
    tried(1, "どの文字でもないバイト", "その行を示して断る", f"{raised.value}")


def test_nul_is_removed_and_said(tmp_path: Path, tried: Tried) -> None:
    issue = only(reading := read(tmp_path, table("空き\0家").encode()))
    assert issue.title == "空き家"
    assert "NUL" in told(reading)
    tried(1, "NUL文字", "除いて読む", told(reading))


def test_lone_surrogates_are_removed(tmp_path: Path, tried: Tried) -> None:
    one = {"課題ID": "0001", "課題名": "空き\ud83d家", "課題内容": "屋根", "都道府県": "愛知"}
    issue = only(reading := read(tmp_path, json.dumps(one).encode(), "課題.jsonl"))
    assert issue.title == "空き家"
    tried(1, "対になっていないサロゲート（JSON Lines）", "その文字を除いて読む", told(reading))


def test_gaiji_stay_for_they_are_somebodys_name(tmp_path: Path, tried: Tried) -> None:
    issue = only(reading := read(tmp_path, table("\ue000橋の修繕").encode("cp932")))
    assert issue.title == "\ue000橋の修繕"
    tried(1, "外字（私用領域の文字）", "そのまま残す", told(reading))


@pytest.mark.parametrize(
    ("written", "plain", "name"),
    [
        ("葛\U000e0100城市", "葛城市", "異体字セレクター（IVS）"),
        ("か\u3099ん検診", "がん検診", "濁点が分かれた文字（NFD）"),
        ("ｺﾞﾐの分別", "ゴミの分別", "半角カナ"),
        ("空\u200bき\u2060家", "空き家", "幅のない空白"),
        ("🚌バスの減便", "🚌バスの減便", "絵文字"),
    ],
)
def test_one_word_however_it_is_written(
    tmp_path: Path, tried: Tried, written: str, plain: str, name: str
) -> None:
    issue = only(reading := read(tmp_path, table(written).encode()))
    assert issue.title == written
    assert text.normalise(issue.title) == plain
    tried(1, name, "表示は書かれたまま、検索では同じ語として扱う", told(reading))


def test_marks_that_turn_the_direction_of_writing_are_removed(tmp_path: Path, tried: Tried) -> None:
    issue = only(reading := read(tmp_path, table("空き\u202e家\u2066").encode()))
    assert issue.title == "空き家"
    tried(1, "文字の向きを変える制御文字（bidi）", "除いて読む", told(reading))


def test_separators_of_lines_are_line_breaks(tmp_path: Path, tried: Tried) -> None:
    issue = only(reading := read(tmp_path, table("空き家", "屋根が\u2028傷む").encode()))
    assert issue.description == "屋根が\n傷む"
    tried(1, "行区切り文字（U+2028）", "セルの中の改行として読む", told(reading))
