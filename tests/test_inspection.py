import openpyxl
import pytest
from examples import COMPANIES, ISSUES, changed, write_table

from matcher.errors import DataError, MatcherError
from matcher.inspection import inspect, table_name


def csv_of(path, *lines):
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_the_headers_say_whether_a_table_is_of_issues_or_of_companies(issues_csv, companies_csv):
    assert inspect(issues_csv).name == "issues"
    assert inspect(companies_csv).name == "companies"


def test_each_field_is_told_with_the_columns_it_was_read_from(tmp_path):
    path = csv_of(tmp_path / "i.csv", "管理番号,件名,現状,背景,備考", "a,題,今,昔,x")
    found = inspect(path)
    assert found.taken == {
        "課題ID": ("管理番号",),
        "課題名": ("件名",),
        "課題内容": ("現状", "背景"),
    }
    assert found.unknown == ("備考",)
    assert found.missing == (
        *("自治体名", "団体コード", "都道府県"),
        *("SDGs", "担当課", "募集期限", "予算"),
    )


def test_sheet_and_header_are_those_that_were_read(tmp_path):
    book = openpyxl.Workbook()
    book.active.title = "表紙"
    book.active.append(["課題の一覧です"])
    sheet = book.create_sheet("一覧")
    for row in (["令和8年度"], [], ["課題名", "課題内容"], ["題", "文"]):
        sheet.append(row)
    book.save(tmp_path / "i.xlsx")
    table = inspect(tmp_path / "i.xlsx").table
    assert (table.sheet, table.header_rows, table.others) == ("一覧", (3,), ("表紙",))


def test_every_row_is_usable_or_merged_or_rejected(tmp_path):
    rows = [*ISSUES[:3], ISSUES[0], {**ISSUES[1], "課題名": ""}, {**ISSUES[4], "課題名": ""}]
    found = inspect(write_table(tmp_path / "i.csv", rows))
    assert found.states() == {
        **dict.fromkeys((2, 4), "usable"),
        5: "merged",
        **dict.fromkeys((3, 6, 7), "rejected"),
    }
    reading = found.reading
    assert (len(reading), reading.merged, reading.rejected) == (2, 1, 3)


def test_rows_with_a_warning_are_counted_once_and_only_if_they_are_used(tmp_path):
    rows = changed(ISSUES, 0, SDGs="18、99", 課題内容="電話は03-1234-5678まで。")
    rows = changed(rows, 2, 課題名="", SDGs="20")
    found = inspect(write_table(tmp_path / "i.csv", rows))
    assert found.warned == 2  # the first, and 府中市


def test_a_table_that_could_be_both_is_asked_about(tmp_path, tried):
    path = csv_of(tmp_path / "両方.csv", "課題名,課題内容,企業名,事業内容", "題,文,社,業")
    with pytest.raises(DataError) as raised:
        inspect(path)
    tried(
        2,
        "課題の表とも企業の表とも読める見出し（matcher check）",
        "使わず、どちらの表かを尋ねる",
        str(raised.value),
    )
    assert inspect(path, "issues").name == "issues"
    assert inspect(path, "companies").name == "companies"


def test_sheets_of_both_kinds_are_named(tmp_path):
    book = openpyxl.Workbook()
    book.active.title = "課題"
    for row in (["課題名", "課題内容"], ["題", "文"]):
        book.active.append(row)
    sheet = book.create_sheet("企業")
    for row in (["企業名", "事業内容"], ["社", "業"]):
        sheet.append(row)
    book.save(tmp_path / "b.xlsx")
    with pytest.raises(DataError, match="シート「課題」と「企業」"):
        inspect(tmp_path / "b.xlsx")


@pytest.mark.parametrize(
    ("header", "missing"),
    [
        ("課題ID,課題名,自治体名", r"課題内容（description） の列がありません"),
        ("企業ID,企業名,本社,対応地域", r"事業内容（profile） の列がありません"),
    ],
)
def test_the_kind_that_the_header_is_nearer_to_is_the_one_complained_of(tmp_path, header, missing):
    with pytest.raises(DataError, match=missing):
        inspect(csv_of(tmp_path / "x.csv", header, "a,b,c,d"))


def test_a_header_that_is_near_to_neither_is_told_what_both_need(tmp_path, tried):
    with pytest.raises(DataError) as raised:
        inspect(csv_of(tmp_path / "名簿.csv", "氏名,電話", "a,b"))
    tried(
        2,
        "課題の表でも企業の表でもない表（matcher check）",
        "使わず、要る列を示す",
        str(raised.value),
    )


def test_a_file_that_cannot_be_read_has_one_sentence_whatever_it_was_to_be(tmp_path):
    (tmp_path / "x.csv").write_bytes(b"")
    with pytest.raises(DataError, match="0バイト"):
        inspect(tmp_path / "x.csv")


def test_only_two_kinds_of_tables_can_be_named():
    assert [table_name(text) for text in (None, "issues", "companies")] == [
        *(None, "issues", "companies")
    ]
    with pytest.raises(MatcherError, match="--as は issues（課題）か companies（企業）"):
        table_name("課題")


def test_companies_are_rejected_and_merged_like_issues(tmp_path):
    found = inspect(write_table(tmp_path / "c.csv", [*COMPANIES[:2], COMPANIES[1]]))
    assert found.states() == {2: "usable", 3: "usable", 4: "merged"}
