import csv
import datetime
import hashlib
import io
import tempfile
import zipfile
from pathlib import Path

import openpyxl
import pytest
import xlsxwriter
from hypothesis import given, settings
from hypothesis import strategies as st

from matcher.errors import DataError, MatcherError
from matcher.tables import Table, read_table, read_text
from matcher.tables.header import fold_header

NAMES = {"課題名（title）": ("title", "課題名", "タイトル")}


def write(folder: Path, data: bytes, name: str = "表.csv") -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def cells(table: Table) -> list[tuple[str, ...]]:
    return [row.cells for row in table.rows]


def workbook(path: Path, *sheets: tuple[str, list[list[object]]]) -> Path:
    book = xlsxwriter.Workbook(str(path))
    day = book.add_format({"num_format": "yyyy/mm/dd"})
    for name, rows in sheets:
        sheet = book.add_worksheet(name)
        for y, row in enumerate(rows):
            for x, value in enumerate(row):
                if isinstance(value, datetime.date):
                    sheet.write_datetime(y, x, value, day)
                else:
                    sheet.write(y, x, value)
    book.close()
    return path


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp932", "utf-16"])
def test_every_encoding_that_proves_itself_gives_the_same_rows(tmp_path, encoding):
    text = "課題名,概要\n①㈱髙﨑〜,ｺﾞﾐの分別\n"
    text = text.replace("〜", "～")  # cp932 knows the full-width tilde
    table = read_table(write(tmp_path, text.encode(encoding)), required=NAMES)
    assert table.header == ("課題名", "概要")
    assert cells(table) == [("①㈱髙﨑～", "ｺﾞﾐの分別")]
    assert table.faults == ()


def test_a_table_names_its_source_and_hash(tmp_path):
    data = b"a,b\n1,2\n"
    table = read_table(write(tmp_path, data, "x y.csv"))
    assert (table.source, table.sheet) == ("x y.csv", "")
    assert table.sha256 == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("delimiter", [",", "\t", ";"])
def test_the_delimiter_is_the_one_that_gives_the_header(tmp_path, delimiter):
    text = f"番号{delimiter}課題名\n1{delimiter}あ\n"
    table = read_table(write(tmp_path, text.encode()), required=NAMES)
    assert table.header == ("番号", "課題名")
    assert cells(table) == [("1", "あ")]


def test_codes_keep_their_zeros(tmp_path):
    table = read_table(write(tmp_path, b"code,id\n01100,0007\n"))
    assert cells(table) == [("01100", "0007")]


def test_titles_may_stand_above_the_header_and_row_numbers_count_them(tmp_path):
    text = "令和8年度 課題一覧\n\n課題名,概要\nあ,い\n,\nう,え\n"
    table = read_table(write(tmp_path, text.encode()), required=NAMES)
    assert [(row.number, row.cells) for row in table.rows] == [(4, ("あ", "い")), (6, ("う", "え"))]


def test_a_line_break_in_a_cell_is_one_row_of_the_spreadsheet(tmp_path):
    table = read_table(write(tmp_path, b'a,b\n"x\ny\r\nz",1\n2,3\n'))
    assert [(row.number, row.cells[0]) for row in table.rows] == [(2, "x\ny\r\nz"), (3, "2")]


def test_a_cell_of_two_hundred_thousand_characters_is_read(tmp_path):
    long = "長" * 200_000
    limit = csv.field_size_limit()
    table = read_table(write(tmp_path, f"a,b\n{long},1\n".encode()))
    assert cells(table) == [(long, "1")]
    assert csv.field_size_limit() == limit


def test_a_row_with_too_many_cells_is_rejected_with_its_number(tmp_path):
    table = read_table(write(tmp_path, b"a,b\n1,2\n3,4,5\n6,7,,\n"))
    assert cells(table) == [("1", "2"), ("6", "7")]
    assert table.rejected == 1
    assert [(fault.row, fault.severity) for fault in table.faults] == [(3, "除外")]


def test_a_row_with_too_few_cells_is_read_and_said(tmp_path):
    table = read_table(write(tmp_path, b"a,b\n1\n"))
    assert cells(table) == [("1", "")]
    assert [(fault.row, fault.severity) for fault in table.faults] == [(2, "警告")]


def test_an_unclosed_quote_costs_its_row_and_no_other(tmp_path):
    table = read_table(write(tmp_path, b'a,b\n1,2\n"3,4\n5,6\n"7"8,9\n10,11\n'))
    assert cells(table) == [("1", "2"), ("5", "6"), ("10", "11")]
    assert [(fault.row, fault.severity) for fault in table.faults] == [(3, "除外"), (5, "除外")]
    assert table.rejected == 2


def test_a_nul_is_removed_and_said(tmp_path):
    table = read_table(write(tmp_path, b"column a,column b\nx\0y,1\n"))
    assert cells(table) == [("xy", "1")]
    assert [(fault.row, fault.column) for fault in table.faults] == [(2, "column a")]


@pytest.mark.parametrize(
    ("data", "name", "says"),
    [
        (b"", "空.csv", "空のファイル"),
        (b"\n \n", "空行.csv", "読める行がありません"),
        ("課題名,概要\n".encode(), "見出し.csv", "見出しの下に行がありません"),
        ("件名,概要\nあ,い\n".encode(), "違い.csv", "課題名（title）.*件名、概要"),
        ("課題名\n".encode() + b"ok\n\xff\n", "壊れ.csv", "3行目から文字コードが違います"),
        (b"title\nok\n\xff\n", "壊れ.csv", "3行目"),
        ("title\nあ".encode("euc_jp"), "euc.csv", "CP932.*ともEUC-JP"),
        (b"title\n\x1b$B\x21", "jis.csv", "2行目.*JIS"),
        (b"\xff\xfea", "u16.csv", "読めない文字"),
        (b"%PDF-1.7", "表.csv", "形式は読めません"),
        (b"PAR1", "表.parquet", "Parquetとして開けません"),
        (b"{}", "表.json", "読める行がありません"),
        (b"\x89PNG", "表.png", "読める形式は"),
        (b"<html><table>", "表.xls", "HTML"),
        (b"PK\x03\x04broken", "表.xlsx", "途中で切れている"),
        (b"\xd0\xcf\x11\xe0broken", "表.xls", "開けません"),
    ],
)
def test_an_unusable_file_gives_one_sentence(tmp_path, data, name, says):
    with pytest.raises(DataError, match=says) as error:
        read_table(write(tmp_path, data, name), required=NAMES)
    assert name in str(error.value)
    assert "\n" not in str(error.value)


def test_a_missing_file_and_a_folder_give_one_sentence(tmp_path):
    with pytest.raises(DataError, match="見つかりません"):
        read_table(tmp_path / "ない.csv")
    with pytest.raises(DataError, match="フォルダー"):
        read_table(tmp_path)
    with pytest.raises(DataError, match="開けません"):
        read_table("a\0b.csv")


def test_a_message_never_repeats_a_personal_number(tmp_path):
    with pytest.raises(DataError) as error:
        read_table(write(tmp_path, b"123456789018,x\n1,2\n"), required=NAMES)
    assert "123456789018" not in str(error.value)


def test_numbers_dates_and_truths_of_a_workbook_are_text(tmp_path):
    day = datetime.date(2026, 3, 31)
    rows = [["a", "b", "c", "d", "e", "f"], [1, 3.11, day, True, 7123456789012, "01100"]]
    table = read_table(workbook(tmp_path / "表.xlsx", ("表", rows)))
    assert cells(table) == [("1", "3.11", "2026-03-31", "TRUE", "7123456789012", "01100")]
    assert table.sheet == "表"


def test_a_moment_in_a_workbook_keeps_its_time(tmp_path):
    book = openpyxl.Workbook()
    book.active.append(["a", "b"])
    book.active.append([datetime.datetime(2026, 3, 31, 17, 30), datetime.time(9, 0)])
    book.save(tmp_path / "表.xlsx")
    assert cells(read_table(tmp_path / "表.xlsx")) == [("2026-03-31 17:30:00", "09:00:00")]


def test_the_first_sheet_with_the_header_is_read_with_its_row_numbers(tmp_path):
    path = workbook(
        tmp_path / "表.xlsx",
        ("説明", [["記入の仕方"]]),
        ("課題", [[], ["課題一覧"], [], ["", "課題名", "概要"], ["", "あ", "い"]]),
    )
    table = read_table(path, required=NAMES)
    assert (table.sheet, table.header) == ("課題", ("", "課題名", "概要"))
    assert [(row.number, row.cells) for row in table.rows] == [(5, ("", "あ", "い"))]
    assert table.faults == ()


def test_a_second_sheet_with_the_header_is_said(tmp_path):
    rows: list[list[object]] = [["課題名"], ["あ"]]
    path = workbook(tmp_path / "表.xlsx", ("一", rows), ("二", rows))
    table = read_table(path, required=NAMES)
    assert [(fault.row, fault.value, fault.severity) for fault in table.faults] == [
        (None, "二", "警告")
    ]


def test_a_hidden_sheet_is_not_read(tmp_path):
    book = xlsxwriter.Workbook(str(tmp_path / "表.xlsx"))
    hidden = book.add_worksheet("隠")
    hidden.write_column(0, 0, ["課題名", "下書き"])
    shown = book.add_worksheet("表")
    shown.write_column(0, 0, ["課題名", "本番"])
    shown.activate()
    shown.set_first_sheet()
    hidden.hide()
    book.close()
    assert cells(read_table(tmp_path / "表.xlsx", required=NAMES)) == [("本番",)]


def test_a_value_beside_a_workbooks_table_is_said_and_the_row_read(tmp_path):
    path = workbook(tmp_path / "表.xlsx", ("表", [["a", "b"], [1, 2, "", "メモ"]]))
    table = read_table(path)
    assert cells(table) == [("1", "2")]
    assert [(fault.value, fault.severity) for fault in table.faults] == [("メモ", "警告")]


def test_a_workbook_is_known_by_its_bytes_and_not_by_its_name(tmp_path):
    path = workbook(tmp_path / "表.csv", ("表", [["a"], ["b"]]))
    assert cells(read_table(path)) == [("b",)]
    assert cells(read_table(write(tmp_path, b"a\nb\n", "表.xlsx"))) == [("b",)]


ODS = (
    '<office:document-content office:version="1.2"'
    ' xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0"'
    ' xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0"'
    ' xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0">'
    '<office:body><office:spreadsheet><table:table table:name="課題">{rows}</table:table>'
    "</office:spreadsheet></office:body></office:document-content>"
)
ODS_CELL = (
    '<table:table-row><table:table-cell office:value-type="string">'
    "<text:p>{}</text:p></table:table-cell></table:table-row>"
)


def test_an_ods_is_read(tmp_path):
    with zipfile.ZipFile(tmp_path / "表.ods", "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        rows = "".join(map(ODS_CELL.format, ("課題名", "あ")))
        archive.writestr("content.xml", ODS.format(rows=rows))
        archive.writestr("META-INF/manifest.xml", "<manifest/>")
    table = read_table(tmp_path / "表.ods", required=NAMES)
    assert (table.sheet, cells(table)) == ("課題", [("あ",)])


def test_a_workbook_that_unpacks_to_gigabytes_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("matcher.tables.workbooks._MOST_UNPACKED", 1000)
    with zipfile.ZipFile(tmp_path / "表.xlsx", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/workbook.xml", b"0" * 1001)
    with pytest.raises(DataError, match="大きすぎます"):
        read_table(tmp_path / "表.xlsx")


@pytest.mark.parametrize(
    "text",
    ["Company_ID", " company id ", "ＣＯＭＰＡＮＹ＿ＩＤ", "company\nid", "Company-ID（必須）"],
)
def test_a_header_is_compared_without_width_case_and_decoration(text):
    assert fold_header(text) == fold_header("company_id")


def test_a_text_is_read_in_its_proven_encoding(tmp_path):
    assert read_text(write(tmp_path, "評価".encode("cp932"))) == "評価"


def seen(data: bytes, name: str) -> Table | None:
    with tempfile.TemporaryDirectory() as folder:
        try:
            return read_table(write(Path(folder), data, name))
        except MatcherError as error:
            assert str(error)
            return None


@settings(deadline=None)
@given(st.binary(max_size=400))
def test_any_bytes_are_a_table_or_one_sentence(data):
    seen(data, "表.csv")


@settings(deadline=None)
@given(st.binary(max_size=200), st.sampled_from([b"PK\x03\x04", b"\xd0\xcf\x11\xe0", b"\xff\xfe"]))
def test_any_bytes_behind_a_known_mark_are_a_table_or_one_sentence(data, mark):
    seen(mark + data, "表.xlsx")


@settings(deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 255), st.integers(0, 10_000))
def test_a_damaged_workbook_is_a_table_or_one_sentence(at, value, cut):
    data = bytearray(SOUND)
    data[at % len(data)] = value
    seen(bytes(data[: len(data) - cut % len(data)]), "表.xlsx")


@settings(deadline=None)
@given(st.lists(st.lists(st.text(alphabet='あ,"\n x', max_size=5), min_size=2, max_size=2)))
def test_a_written_csv_is_read_back_cell_by_cell(rows):
    buffer = io.StringIO(newline="")
    csv.writer(buffer).writerows([["a", "b"], *rows])
    table = seen(buffer.getvalue().encode(), "表.csv")
    expected = [tuple(row) for row in rows if any(cell.strip() for cell in row)]
    found = [tuple(row.cells) for row in table.rows] if table else []
    # A blank cell at the end of a row is read as an empty one.
    assert [(a, b.strip()) for a, b in found] == [(a, b.strip()) for a, b in expected]


def _sound() -> bytes:
    buffer = io.BytesIO()
    book = xlsxwriter.Workbook(buffer, {"in_memory": True})
    book.add_worksheet().write_column(0, 0, ["課題名", "あ", "い"])
    book.close()
    return buffer.getvalue()


SOUND = _sound()
