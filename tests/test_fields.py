from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matcher.codes import goals
from matcher.fields import (
    find_length,
    find_personal,
    parse_date,
    read_company_id,
    read_deadline,
    read_goals,
    read_id,
    read_issue_id,
    shown,
)


@pytest.mark.parametrize(
    "text",
    [
        *("3,11", "3、11", "3・11", "3;11", "3 11", "3　11", "3/11", "3\n11", "３、１１", "03、11"),
        *(
            "③⑪",
            "目標3、目標11",
            "SDG 3, SDG 11",
            "SDGs3・11",
            "ゴール3 ゴール11",
            "Goal 3, Goal 11",
        ),
        *("SDGs目標：3、11", "No.3 No.11", "3番、11番", "3と11", "[3, 11]", "3. 11.", "3.0、11.0"),
        *("SDG-3、SDG-11", "3.すべての人に健康と福祉を／11.住み続けられるまちづくりを"),
        *("目標３：すべての人に健康と福祉を\r\n目標１１：住み続けられるまちづくりを",),
        *("すべての人に健康と福祉を、住み続けられるまちづくりを", "3.健康と福祉、11.まちづくり"),
    ],
)
def test_goals_are_read_in_every_common_spelling(text):
    assert read_goals(text) == ({3, 11}, ())


def test_every_goal_is_read_by_its_number_its_name_and_both():
    for number, goal in goals().items():
        bare = goal.name.replace(" ", "")
        for text in (str(number), f"{number}.{goal.name}", goal.name, bare, f"{number} {bare}"):
            assert read_goals(text) == ({number}, ())


@pytest.mark.parametrize(
    ("text", "kept", "value"),
    [
        ("3,18", {3}, "18"),
        ("0", set(), "0"),
        ("3.5", set(), "3.5"),
        ("311", set(), "311"),
        ("2026-03-11", set(), "2026-03-11"),
        ("3-11", set(), "3-11"),
        ("1〜17", set(), "1〜17"),
        ("-3", set(), "-3"),
        ("3、観光", {3}, "観光"),
        ("第3期計画", set(), "第3期計画"),
        ("11月", set(), "11月"),
        ("Web3、11", {11}, "web3"),
        ("全て", set(), "全て"),
        ("4.すべての人に健康と福祉を", set(), "4.すべての人に健康と福祉を"),
        ("9" * 5000, set(), "9" * 60 + "…"),
    ],
)
def test_what_is_no_goal_is_named_and_the_others_stay(text, kept, value):
    found, findings = read_goals(text)
    assert found == kept
    assert [one.value for one in findings] == [value]
    assert findings[0].severity == "警告"


@pytest.mark.parametrize("text", ["", " ", "なし", "－", "特になし", "N/A"])
def test_a_word_for_nothing_is_no_goal_and_no_fault(text):
    assert read_goals(text) == (frozenset(), ())


@settings(deadline=None)
@given(st.sets(st.integers(1, 17), min_size=1), st.sampled_from(["、", ",", "・", " ", "\n", ";"]))
def test_any_list_of_goals_is_read_back(numbers, separator):
    assert read_goals(separator.join(map(str, numbers))) == (numbers, ())


@settings(deadline=None)
@given(st.text())
def test_any_text_is_read_or_reported(text):
    found, _ = read_goals(text)
    assert found <= set(range(1, 18))
    parse_date(text)
    read_company_id(text)
    find_personal("title", text)


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2026-03-31", date(2026, 3, 31)),
        ("2026/3/31", date(2026, 3, 31)),
        ("2026年3月31日", date(2026, 3, 31)),
        ("２０２６．３．３１", date(2026, 3, 31)),
        ("令和8年3月31日（火）17時必着", date(2026, 3, 31)),
        ("R8.3.31", date(2026, 3, 31)),
        ("令和元年5月1日", date(2019, 5, 1)),
        ("平成36年4月1日", date(2024, 4, 1)),
        ("20260331", date(2026, 3, 31)),
        ("46112", date(1899, 12, 30).fromordinal(date(1899, 12, 30).toordinal() + 46112)),
        ("2026年2月", date(2026, 2, 28)),
        ("2026年度", date(2027, 3, 31)),
        ("令和8年度", date(2027, 3, 31)),
        ("2026-03-31 17:00", date(2026, 3, 31)),
        ("令和8年3月31日 17時から18時", date(2026, 3, 31)),
        ("令和8年3月中旬", None),
        ("2026年3月31日頃", None),
        ("2026年4月1日〜6月30日", None),
        ("2026年4月1日から", None),
        ("2/30", None),
        ("2026/2/30", None),
        ("2026/13/1", None),
        ("8月31日", None),
        ("8年3月31日", None),
        ("9999年度", None),
        ("年度内", None),
        ("", None),
    ],
)
def test_dates_are_read_in_japanese_spellings(text, day):
    assert parse_date(text) == day


@pytest.mark.parametrize("text", ["", "随時", "未定", "2026年度"])
def test_a_deadline_may_be_open(text):
    assert read_deadline(text) == ()


def test_a_deadline_that_is_no_day_is_said():
    assert [one.value for one in read_deadline("２月３０日")] == ["２月３０日"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("平成32年4月1日", "平成はもう終わった元号です"),
        ("S64.1.8", "昭和はもう終わった元号です"),
        ("46112", "2026-03-31 と読みました"),
    ],
)
def test_a_deadline_that_is_told_oddly_is_read_and_said(text, told):
    (finding,) = read_deadline(text)
    assert told in finding.problem
    assert parse_date(text)


@pytest.mark.parametrize("text", ["平成31年4月30日", "S64.1.7", "平成31年度", "令和8年3月31日"])
def test_a_deadline_in_its_own_era_is_not_spoken_of(text):
    assert read_deadline(text) == ()


def test_an_id_is_normalised():
    assert read_id(" ｉｓｓ－００１ ") == "iss-001"
    assert read_id("i\u200bss\ufe0f-1\u202e") == "iss-1"
    assert read_id("\u200b \u3000") == ""


def test_an_issue_id_that_holds_a_personal_number_is_refused():
    given, (finding,) = read_issue_id("No.1234-5678-9018")
    assert (given, finding.severity) == ("", "除外")
    assert "9018" not in str(finding)
    assert read_issue_id("123456789017") == ("123456789017", ())


def test_an_id_as_long_as_a_text_is_said():
    assert find_length("issue_id", "a" * 60) == ()
    assert "61文字" in find_length("issue_id", "a" * 61)[0].problem


@pytest.mark.parametrize(
    "text", ["7123456789012", "T7123456789012", "Ｔ７１２３４５６７８９０１２", "7-1234-5678-9012"]
)
def test_a_corporate_number_is_read_as_its_thirteen_digits(text):
    assert read_company_id(text) == ("7123456789012", ())


def test_a_wrong_corporate_number_is_kept_and_said():
    given, findings = read_company_id("T8123456789012")
    assert given == "8123456789012"
    assert [one.severity for one in findings] == ["警告"]


@pytest.mark.parametrize(
    "text",
    [
        *("123456789018", "1234-5678-9018", "１２３４５６７８９０１８", "1.23456789018E+11"),
        *("No.123456789018", "123456789017", "123456789018.0"),
    ],
)
def test_twelve_digits_are_refused_and_never_repeated(text):
    given, (finding,) = read_company_id(text)
    assert given == ""
    assert finding.severity == "除外"
    assert "9018" not in str(finding)


def test_a_number_that_excel_has_rounded_is_said():
    for text in ("1.01E+12", "1.01001E+12", "9E+99"):
        given, findings = read_company_id(text)
        assert given == text
        assert "指数" in findings[0].problem
    assert read_company_id("7.123456789012E+12") == ("7123456789012", ())


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("連絡は taro.yamada@city.example.jp まで", "メール"),
        ("電話は0564-23-6000です", "電話"),
        ("（0564）23-6000", "電話"),
        ("０９０－１２３４－５６７８", "電話"),
        ("09012345678", "電話"),
        ("番号は123456789018", "個人番号"),
        ("1234 5678 9018", "個人番号"),
    ],
)
def test_personal_data_in_a_text_is_said(text, kind):
    (finding,) = find_personal("description", text)
    assert kind in finding.problem
    assert finding.field == "description"
    assert "9018" not in finding.value


@pytest.mark.parametrize(
    "text", ["令和6年度は1,200人", "〒444-8601", "2023-04-01", "2020-2021-2022", "120000000000円"]
)
def test_other_numbers_are_no_personal_data(text):
    assert find_personal("description", text) == ()


def test_a_shown_value_is_short_on_one_line_and_masked():
    assert shown("a\nb") == "a b"
    assert shown("x" * 100) == "x" * 60 + "…"
    assert shown("№１２３４５６７８９０１８") == "№" + "*" * 12


@pytest.mark.parametrize(
    "text", ["a" * 200_000 + "1", "sdg " * 50_000, "目標" * 100_000, "0-" * 99_999]
)
def test_a_cell_of_two_hundred_thousand_characters_is_read_in_time(text):
    found, findings = read_goals(text)
    assert found == set()
    assert len(findings) <= 10
    find_personal("title", text)
