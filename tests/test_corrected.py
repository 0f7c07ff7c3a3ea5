"""The workbook of a corrected table: colours, remarks, inert cells, all of it readable."""

import io
import re
import zipfile

import openpyxl
import pytest
from examples import ISSUES, changed, write_table
from office import SOFFICE, convert
from report_examples import PAYLOADS

from matcher.corpus import read_issues
from matcher.correction import correct
from matcher.inspection import inspect
from matcher.report.cells import CELL_LIMIT
from matcher.report.corrected import NOTES, corrected_workbook

NOTED = ("=1+1", "'=1", "-5", "＋", "01", "@x")
RED, YELLOW, GREY = "FFFAD4D0", "FFFFF3C4", "FFE4E7EB"


def book_of(path, rows):
    inspection = inspect(write_table(path / "i.csv", rows))
    data = corrected_workbook(inspection, correct(inspection))
    (path / "i.xlsx").write_bytes(data)
    return openpyxl.load_workbook(io.BytesIO(data))


def fill(cell):
    return cell.fill.start_color.rgb if cell.fill.fill_type else ""


def cell(book, header, row):
    sheet = book.worksheets[0]
    (found,) = (one for one in sheet[1] if one.value == header)
    return sheet.cell(row, found.column)


@pytest.fixture
def book(tmp_path):
    rows = changed(ISSUES[:4], 0, SDGs="3,11")
    rows = changed(rows, 1, 課題名="")
    return book_of(tmp_path, [*rows[:3], rows[2], rows[3]])


def test_rows_stand_under_the_header_with_their_remarks_before_them(book):
    sheet = book.worksheets[0]
    assert (sheet.title, book.sheetnames[1]) == ("課題", NOTES)
    header = [one.value for one in sheet[1]]
    assert header[:5] == ["元の行", "確かめるところ", "直したところ", "課題ID", "課題名"]
    assert [sheet.cell(row, 1).value for row in range(2, 7)] == [2, 3, 4, 5, 6]
    assert sheet.freeze_panes == "C2"
    assert sheet.auto_filter.ref.startswith("A1:")


def test_what_was_corrected_is_yellow_and_said_beside_it(book):
    assert (cell(book, "SDGs", 2).value, fill(cell(book, "SDGs", 2))) == ("3、11", YELLOW)
    assert cell(book, "直したところ", 2).value == "SDGsを「3,11」から「3、11」に直しました。"
    assert fill(cell(book, "直したところ", 2)) == YELLOW
    assert cell(book, "確かめるところ", 2).value is None


def test_what_is_to_be_looked_at_is_red_with_problem_and_remedy(book):
    assert fill(cell(book, "課題名", 3)) == RED
    assert fill(cell(book, "元の行", 3)) == RED
    told = cell(book, "確かめるところ", 3).value
    assert told == "【除外】課題名: 課題名が空です。\n→ 課題名を書いてください。"
    assert fill(cell(book, "自治体名", 6)) == RED
    assert fill(cell(book, "元の行", 6)) == ""
    assert "府中市" in cell(book, "確かめるところ", 6).value


def test_a_merged_row_is_grey_and_still_there(book):
    assert fill(cell(book, "元の行", 5)) == fill(cell(book, "課題名", 5)) == GREY
    assert cell(book, "課題ID", 5).value == "i-3"


def test_codes_stay_text_when_they_are_edited_and_long_texts_can_be_read(tmp_path):
    rows = [{**ISSUES[0], "団体コード": "01100", "課題内容": "文" * 300, "都道府県": ""}]
    book = book_of(tmp_path, rows)
    assert cell(book, "団体コード", 2).number_format == "@"
    assert cell(book, "団体コード", 2).data_type == "s"
    assert cell(book, "課題内容", 2).number_format == "General"  # "@" shows #### over 255


@pytest.mark.parametrize("payload", PAYLOADS)
def test_no_cell_becomes_a_formula_or_a_link(tmp_path, payload):
    rows = [{**ISSUES[0], "課題名": f"{payload}題", "受付経路": payload}]
    book_of(tmp_path, rows)
    for sheet in openpyxl.load_workbook(tmp_path / "i.xlsx").worksheets:
        for row in sheet.iter_rows():
            assert not any(one.data_type == "f" or one.hyperlink for one in row)
    with zipfile.ZipFile(tmp_path / "i.xlsx") as archive:
        parts = b"".join(archive.read(name) for name in archive.namelist())
    assert b"<f>" not in parts and b'TargetMode="External"' not in parts
    first, again = (read_issues(tmp_path / name).records for name in ("i.csv", "i.xlsx"))
    assert again == first


def test_a_text_that_no_cell_can_hold_is_cut_and_said(tmp_path):
    book = book_of(tmp_path, [{**ISSUES[0], "課題内容": "文" * (CELL_LIMIT + 1)}])
    assert len(cell(book, "課題内容", 2).value) == CELL_LIMIT
    assert fill(cell(book, "課題内容", 2)) == RED
    assert "途中で切りました" in cell(book, "確かめるところ", 2).value


def test_a_row_that_could_not_be_taken_apart_is_to_be_copied_by_hand(tmp_path):
    path = tmp_path / "i.csv"
    path.write_text("課題名,課題内容\n一,い\n二,ろ,は\n", encoding="utf-8")
    inspection = inspect(path)
    data = corrected_workbook(inspection, correct(inspection))
    told = cell(openpyxl.load_workbook(io.BytesIO(data)), "確かめるところ", 3).value
    assert told.endswith("→ 元の表の3行目から、セルごとに書き写してください。")
    assert "（値: は）" in told


def test_the_notes_say_where_the_rows_come_from_and_what_the_colours_mean(book):
    told = "\n".join(str(one.value) for row in book[NOTES].iter_rows() for one in row if one.value)
    for part in (
        *("i.csv（UTF-8、見出しは1行目）", "5行 ＝ 使える 3 ＋ 重複 1 ＋ 除外 1"),
        *("赤", "黄", "灰", "元の列: 課題ID", "団体コード、担当課、募集期限、予算"),
        *("受付経路（結果に載せるだけです）", "消さずに残してください"),
    ):
        assert part in told
    assert not re.search("[A-Za-z]{5,}", told.replace("matcher", ""))


def test_equal_tables_give_equal_bytes(tmp_path):
    inspection = inspect(write_table(tmp_path / "i.csv", ISSUES))
    first, second = (corrected_workbook(inspection, correct(inspection)) for _ in range(2))
    assert first == second


# No package index has LibreOffice; the walk through openpyxl above stands without it.
@pytest.mark.skipif(SOFFICE is None, reason="needs LibreOffice")
def test_what_libreoffice_stores_reads_as_the_table_that_was_checked(tmp_path):
    rows = [
        {**one, "団体コード": "", "備考": note} for one, note in zip(ISSUES, NOTED, strict=True)
    ]
    book_of(tmp_path, rows)
    stored = convert(tmp_path / "i.xlsx", "ods", tmp_path / "stored")
    first, again = (read_issues(path) for path in (tmp_path / "i.csv", stored))
    assert again.records == first.records
    assert len(again.faults) == len(first.faults)
