"""Every shape of table and every kind of broken or hostile file that a desk is sent."""

import io
import json
import os
import threading
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import duckdb
import pytest
import xlsxwriter
from workbook_examples import archive, cell, cells, ods, ods_row, xlsb, xlsx

from matcher.corpus import read_issues
from matcher.errors import DataError
from matcher.types import Issue, Reading

Tried = Callable[[int, str, str, str], None]
HEADER = ["課題ID", "課題名", "課題内容", "都道府県"]
FIRST = ["0001", "空き家が増えている", "屋根が傷み、通学路が危ない。", "愛知県"]
SECOND = ["0002", "バスの減便", "運転手が足りない。", "岐阜県"]
DATA = Path(__file__).parent / "data"


def read(folder: Path, data: bytes, name: str = "課題.xlsx") -> Reading[Issue]:
    path = folder / name
    path.write_bytes(data)
    return read_issues(path)


def refused(folder: Path, data: bytes, name: str = "課題.xlsx") -> str:
    with pytest.raises(DataError) as raised:
        read(folder, data, name)
    assert name in str(raised.value)
    assert "\n" not in str(raised.value)
    return str(raised.value)


def csv(*rows: Sequence[str], separator: str = ",") -> bytes:
    return "".join(separator.join(row) + "\r\n" for row in rows).encode()


def book(*sheets: tuple[str, Sequence[Sequence[str]]]) -> xlsxwriter.Workbook:
    """A workbook in memory with these rows; `saved` gives its bytes."""
    made = xlsxwriter.Workbook(io.BytesIO())
    for name, rows in sheets:
        sheet = made.add_worksheet(name)
        for at, row in enumerate(rows):
            sheet.write_row(at, 0, row)
    return made


def saved(made: xlsxwriter.Workbook) -> bytes:
    made.close()
    data: bytes = made.filename.getvalue()
    return data


def told(reading: Reading[Issue]) -> str:
    return " ".join(f"{one.severity}: {one.problem}{one.remedy}" for one in reading.faults)


def ids(reading: Reading[Issue]) -> list[str]:
    assert reading.rows == len(reading.records) + reading.merged + reading.rejected
    return [issue.issue_id for issue in reading]


# Files


@pytest.mark.parametrize(
    ("separator", "name"), [(",", "コンマ"), ("\t", "タブ"), (";", "セミコロン")]
)
def test_separators(tmp_path: Path, tried: Tried, separator: str, name: str) -> None:
    reading = read(tmp_path, csv(HEADER, FIRST, SECOND, separator=separator), "課題.csv")
    assert ids(reading) == ["0001", "0002"]
    tried(2, f"区切りが{name}のテキスト", "見出しが読める区切りに決めて読む", told(reading))


def test_csv_named_xlsx(tmp_path: Path, tried: Tried) -> None:
    reading = read(tmp_path, csv(HEADER, FIRST), "課題.xlsx")
    assert ids(reading) == ["0001"]
    tried(2, "中身がCSVの .xlsx", "名前ではなく中身で読む", told(reading))


@pytest.mark.parametrize("name", ["課題.xls", "課題.xlsx", "課題.csv"])
def test_xls_under_any_name(tmp_path: Path, tried: Tried, name: str) -> None:
    reading = read(tmp_path, (DATA / "issues.xls").read_bytes(), name)
    assert [issue.title for issue in reading] == ["空き家が増えている"]
    tried(2, "古い .xls（.xlsx などに名前を変えたものも）", "名前ではなく中身で読む", told(reading))


def test_xlsb(tmp_path: Path, tried: Tried) -> None:
    reading = read(tmp_path, xlsb([HEADER, FIRST, SECOND]), "課題.xlsb")
    assert ids(reading) == ["0001", "0002"]
    tried(2, "バイナリのブック（.xlsb）", "読む", told(reading))


def test_macros_of_an_xlsm_never_run(tmp_path: Path, tried: Tried) -> None:
    rows = cells(1, HEADER) + cells(2, FIRST)
    data = xlsx(rows, more={"xl/vbaProject.bin": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1 no macro"})
    reading = read(tmp_path, data, "課題.xlsm")
    assert ids(reading) == ["0001"]
    tried(2, "マクロつきのブック（.xlsm）", "セルだけを読み、マクロには触れない", told(reading))


def test_parquet(tmp_path: Path, tried: Tried) -> None:
    path = tmp_path / "課題 [1]*.parquet"
    duckdb.sql(
        "COPY (SELECT '0001' AS 課題ID, '空き家' AS title, '傷む' AS 課題内容, 23 AS 都道府県,"
        " [3, 11] AS SDGs, DATE '2026-03-31' AS 募集期限, NULL AS 予算) TO "
        f"'{tmp_path / 'one.parquet'}'"
    )
    (tmp_path / "one.parquet").rename(path)
    reading = read_issues(path)
    (issue,) = reading.records
    assert (issue.prefecture, issue.sdgs, issue.deadline) == ("23", {3, 11}, "2026-03-31")
    tried(2, "Parquet（リスト・日付・空の値を含む）", "どの値も文字として読む", told(reading))


def test_json_lines_with_a_line_that_is_none(tmp_path: Path, tried: Tried) -> None:
    one = dict(zip(HEADER, FIRST, strict=True)) | {"SDGs": [3, 11], "予算": 300}
    lines = [json.dumps(one), '{"課題ID": "0002", "課題ID": "0003"}', "[1]", "", '{"課題']
    reading = read(tmp_path, "\n".join(lines).encode(), "課題.jsonl")
    assert ids(reading) == ["0001"]
    assert reading.records[0].sdgs == {3, 11}
    assert [fault.row for fault in reading.faults] == [2, 3, 5]
    assert reading.rejected == 3
    tried(2, "JSON Linesの中の、組でない行・名前が重なる行", "その行だけ除外", told(reading))


# Windows has no such files.
@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes with names are of Unix")
def test_a_pipe_is_read_like_a_file(tmp_path: Path, tried: Tried) -> None:
    path = tmp_path / "課題"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_bytes, args=[csv(HEADER, FIRST)])
    writer.start()
    reading = read_issues(path)
    writer.join()
    assert ids(reading) == ["0001"]
    tried(2, "名前つきパイプ", "終わりまで受け取ってから読む", told(reading))


def test_zero_bytes(tmp_path: Path, tried: Tried) -> None:
    tried(2, "0バイトのファイル", "断る", refused(tmp_path, b""))


def test_a_device_has_no_end(tried: Tried) -> None:
    with pytest.raises(DataError, match="開けません") as raised:
        read_issues(os.devnull)
    assert os.devnull in str(raised.value)
    tried(2, "ファイルでもフォルダーでもないもの（装置）", "断る", "")


@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_truncated_zip(tmp_path: Path, tried: Tried, share: float) -> None:
    data = xlsx(cells(1, HEADER) + cells(2, FIRST))
    sentence = refused(tmp_path, data[: int(len(data) * share)])
    assert "途中で切れている" in sentence
    tried(2, "途中で切れたブック", "断る", sentence)


def test_password_protected(tmp_path: Path, tried: Tried) -> None:
    sentence = refused(tmp_path, (DATA / "password.xlsx").read_bytes())
    assert "パスワード" in sentence
    tried(2, "パスワードつきのブック", "断る", sentence)


def test_password_protected_ods(tmp_path: Path, tried: Tried) -> None:
    manifest = (
        '<manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0">'
        '<manifest:file-entry manifest:full-path="content.xml" manifest:media-type="text/xml">'
        "<manifest:encryption-data/></manifest:file-entry></manifest:manifest>"
    )
    mime = "application/vnd.oasis.opendocument.spreadsheet"
    entries = {"mimetype": mime, "content.xml": "?", "META-INF/manifest.xml": manifest}
    sentence = refused(tmp_path, archive(entries), "課題.ods")
    assert "パスワード" in sentence
    tried(2, "パスワードつきのODS", "断る", sentence)


def test_a_zip_that_holds_files(tmp_path: Path, tried: Tried) -> None:
    sentence = refused(tmp_path, archive({"課題.csv": csv(HEADER, FIRST)}), "課題.zip")
    assert "展開して" in sentence
    tried(2, "表を入れたZIP", "断る", sentence)


def test_a_page_that_is_called_a_workbook(tmp_path: Path, tried: Tried) -> None:
    page = "<html><table><tr><td>課題名</td></tr></table></html>".encode("cp932")
    sentence = refused(tmp_path, page, "課題.xls")
    assert "HTML" in sentence
    tried(2, "中身がHTMLの .xls（業務システムの書き出し）", "断る", sentence)


# Hostile workbooks


def test_a_zip_bomb_by_ratio(tmp_path: Path, tried: Tried) -> None:
    bomb = cells(1, HEADER) + " " * 70_000_000
    sentence = refused(tmp_path, xlsx(bomb))
    assert "大きすぎます" in sentence
    tried(2, "圧縮爆弾（数百倍に膨らむブック）", "広げる前に断る", sentence)


def test_a_zip_bomb_by_the_number_of_entries(tmp_path: Path, tried: Tried) -> None:
    more = {f"xl/media/{n}.png": b"" for n in range(10_001)}
    sentence = refused(tmp_path, xlsx(cells(1, HEADER), more=more))
    assert "大きすぎます" in sentence
    tried(2, "1万を超えるファイルの入ったブック", "広げる前に断る", sentence)


def test_a_zip_that_lies_about_its_size(tmp_path: Path, tried: Tried) -> None:
    data = xlsx(cells(1, HEADER) + cells(2, FIRST) + " " * 100_000)
    with zipfile.ZipFile(io.BytesIO(data)) as whole:
        size = whole.getinfo("xl/worksheets/sheet1.xml").file_size
    lie = data.replace(size.to_bytes(4, "little"), (1000).to_bytes(4, "little"))
    assert lie != data
    sentence = refused(tmp_path, lie)
    assert "壊れています" in sentence
    tried(2, "大きさを偽ったZIP", "広げた量が合わないので断る", sentence)


# Without a limit the parser would take what memory there is: nothing to be tried on Windows.
@pytest.mark.skipif(os.name == "nt", reason="Windows does not bound the memory of a process")
def test_a_value_in_the_last_corner(tmp_path: Path, tried: Tried) -> None:
    far = f'<row r="1048576">{cell(1048576, 16383, " 。")}</row>'
    sentence = refused(tmp_path, xlsx(cells(1, HEADER) + cells(2, FIRST) + far))
    assert "離れた場所" in sentence
    tried(2, "1,048,576行×16,384列の角に値があるシート", "別の処理で読み、断る", sentence)


def test_external_entities_are_not_followed(tmp_path: Path, tried: Tried) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("ひみつ", encoding="utf-8")
    doctype = f'<!DOCTYPE x [<!ENTITY e SYSTEM "{secret.as_uri()}">]>'
    rows = cells(1, HEADER) + cells(2, ["0001", "空き家 &e;", "屋根が傷む。", "愛知県"])
    try:
        shown = repr(read(tmp_path, xlsx(rows, doctype=doctype)).records)
    except DataError as error:
        shown = str(error)
    assert "ひみつ" not in shown
    tried(2, "外部のファイルを取り込む記述（XXE）", "取り込まない", "")


def test_entities_that_multiply(tmp_path: Path, tried: Tried) -> None:
    levels = [f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 12)]
    doctype = f'<!DOCTYPE x [<!ENTITY e0 "空き家">{"".join(levels)}]>'
    rows = cells(1, HEADER) + cells(2, ["0001", "&e11;", "屋根が傷む。", "愛知県"])
    try:
        shown = repr(read(tmp_path, xlsx(rows, doctype=doctype)).records)
    except DataError as error:
        shown = str(error)
    assert len(shown) < 10_000
    tried(2, "実体が倍々に増える記述（billion laughs）", "広げない", "")


def test_links_to_other_workbooks_are_not_followed(tmp_path: Path, tried: Tried) -> None:
    link = (
        '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
        '<Relationship Id="rId1" TargetMode="External" Target="http://127.0.0.1:9/x.xlsx" Type='
        '"http://schemas.openxmlformats.org/officeDocument/2006/relationships/externalLinkPath"/>'
        "</Relationships>"
    )
    formula = '<row r="3"><c r="A3"><f>[1]Sheet1!A1</f><v>0002</v></c></row>'
    more = {"xl/externalLinks/_rels/externalLink1.xml.rels": link}
    data = xlsx(cells(1, HEADER) + cells(2, FIRST) + formula, more=more)
    reading = read(tmp_path, data)
    assert ids(reading) == ["0001"]
    assert reading.rejected == 1
    tried(2, "ほかのブックへのリンク", "開かず、保存された値だけを読む", "")


def test_shared_strings_that_are_not_there(tmp_path: Path, tried: Tried) -> None:
    pointing = '<row r="2">' + "".join(
        f'<c r="{place}2" t="s"><v>{at}</v></c>' for at, place in enumerate("ABCD", start=7)
    )
    strings = '<sst xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><si/></sst>'
    data = xlsx(cells(1, HEADER) + pointing + "</row>", more={"xl/sharedStrings.xml": strings})
    sentence = refused(tmp_path, data)
    tried(2, "文字列の参照が壊れた（循環・範囲外の）ブック", "断る", sentence)


@pytest.mark.parametrize("name", ["../../../evil.xml", "/etc/evil.xml", "C:\\evil.xml"])
def test_hostile_names_in_a_zip(tmp_path: Path, tried: Tried, name: str) -> None:
    data = xlsx(cells(1, HEADER) + cells(2, FIRST), more={name: "evil"})
    assert ids(read(tmp_path, data)) == ["0001"]
    assert [path.name for path in tmp_path.iterdir()] == ["課題.xlsx"]
    tried(2, "ZIPの中の危ない名前（../ など）", "どこにも書き出さず、表だけを読む", "")


# Shapes


def test_title_rows_above(tmp_path: Path, tried: Tried) -> None:
    rows = [["令和8年度 地域課題一覧"], ["企画課", "", "", "令和8年4月1日"], [], HEADER, FIRST]
    reading = read(tmp_path, saved(book(("課題", rows))))
    assert ids(reading) == ["0001"]
    tried(2, "見出しの上の題名や日付の行", "見出しを探して読む", told(reading))


@pytest.mark.parametrize("is_text", [True, False])
def test_notes_below(tmp_path: Path, tried: Tried, is_text: bool) -> None:
    rows = [HEADER, FIRST, ["※ 担当課は庁内の名称です。"], ["以上"]]
    data = csv(*rows) if is_text else saved(book(("課題", rows)))
    reading = read(tmp_path, data)
    assert (ids(reading), reading.rejected) == (["0001"], 0)
    assert [(one.row, one.severity) for one in reading.faults if "注記" in one.problem] == [
        (3, "警告"),
        (4, "警告"),
    ]
    if not is_text:
        tried(2, "表の下の注記（※…、以上）", "データに数えず、知らせる", told(reading))


def test_a_row_of_its_title_alone_is_no_note(tmp_path: Path, tried: Tried) -> None:
    rows = [HEADER, FIRST, ["", "バスの減便"]]
    reading = read(tmp_path, saved(book(("課題", rows))))
    assert (ids(reading), reading.rejected) == (["0001"], 1)
    tried(2, "課題名だけの行", "除外として数える", told(reading))


def test_a_section_row_merged_across(tmp_path: Path, tried: Tried) -> None:
    made = book(("課題", [HEADER, [], FIRST]))
    made.worksheets()[0].merge_range(1, 0, 1, 3, "福祉の分野")
    reading = read(tmp_path, saved(made))
    assert (ids(reading), reading.rejected) == (["0001"], 0)
    assert reading.records[0].title == FIRST[1]
    tried(2, "横に結合された区切りの行", "データに数えず、知らせる", told(reading))


def test_cells_merged_downwards(tmp_path: Path, tried: Tried) -> None:
    made = book(("課題", [HEADER, FIRST, ["0002", "バス", "減便", ""], ["0003", "店", "閉店", ""]]))
    made.worksheets()[0].merge_range(1, 3, 3, 3, "愛知県")
    reading = read(tmp_path, saved(made))
    assert [issue.prefecture for issue in reading] == ["23", "23", "23"]
    tried(2, "縦に結合されたセル（都道府県など）", "結合された行すべてに入れて読む", told(reading))


def test_a_header_in_two_rows(tmp_path: Path, tried: Tried) -> None:
    top = ["課題ID", "課題", "", "自治体", "", "問い合わせ", ""]
    below = ["", "課題名", "課題内容", "都道府県", "市区町村", "電話", "窓口名"]
    row = ["0001", "空き家", "屋根が傷む", "愛知県", "岡崎市", "内線12", "企画課"]
    made = book(("課題", [top, below, row]))
    sheet = made.worksheets()[0]
    for first, last, name in ((1, 2, "課題"), (3, 4, "自治体"), (5, 6, "問い合わせ")):
        sheet.merge_range(0, first, 0, last, name)
    sheet.merge_range(0, 0, 1, 0, "課題ID")
    reading = read(tmp_path, saved(made))
    (issue,) = reading.records
    assert (issue.issue_id, issue.title, issue.prefecture) == ("0001", "空き家", "23")
    assert issue.municipality_code == "232025"
    assert issue.extra == {"問い合わせ 電話": "内線12", "問い合わせ 窓口名": "企画課"}
    tried(2, "2行にわたる見出し（結合セルの大見出しと小見出し）", "合わせて読む", told(reading))


def test_a_second_row_of_the_header_with_parts_of_a_column(tmp_path: Path, tried: Tried) -> None:
    top = ["課題ID", "課題名", "課題内容", "場所", ""]
    rows = [top, ["", "", "", "都道府県", "市区町村"], ["1", "空き家", "傷む", "愛知", "岡崎市"]]
    reading = read(tmp_path, csv(*rows), "課題.csv")
    (issue,) = reading.records
    assert (issue.prefecture, issue.municipality) == ("23", "岡崎市")
    tried(2, "一部の列だけ2行の見出し（CSV）", "合わせて読む", told(reading))


def test_hidden_rows_are_rows(tmp_path: Path, tried: Tried) -> None:
    made = book(("課題", [HEADER, FIRST, SECOND]))
    made.worksheets()[0].set_row(2, None, None, {"hidden": True})
    reading = read(tmp_path, saved(made))
    assert ids(reading) == ["0001", "0002"]
    tried(2, "非表示の行（絞り込み中の行も）", "ほかの行と同じに読む", told(reading))


def test_hidden_sheets_are_left_out(tmp_path: Path, tried: Tried) -> None:
    made = book(("下書き", [HEADER, SECOND]), ("課題", [HEADER, FIRST]))
    made.worksheets()[1].activate()
    made.worksheets()[0].hide()
    reading = read(tmp_path, saved(made))
    assert ids(reading) == ["0001"]
    tried(2, "非表示のシート", "読まない", told(reading))


def test_a_table_on_a_hidden_sheet_alone_is_said(tmp_path: Path, tried: Tried) -> None:
    made = book(("課題", [HEADER, FIRST]), ("説明", [["記入の仕方"]]))
    made.worksheets()[1].activate()
    made.worksheets()[0].hide()
    sentence = refused(tmp_path, saved(made))
    assert "非表示のシート「課題」" in sentence
    tried(2, "表が非表示のシートだけにあるブック", "断る", sentence)


def test_several_sheets_with_the_header(tmp_path: Path, tried: Tried) -> None:
    made = book(("説明", [["記入の仕方"]]), ("令和8", [HEADER, FIRST]), ("令和7", [HEADER, SECOND]))
    reading = read(tmp_path, saved(made))
    assert ids(reading) == ["0001"]
    tried(2, "同じ見出しのシートがいくつもあるブック", "初めの1枚を読み、知らせる", told(reading))


def test_duplicate_and_blank_column_names(tmp_path: Path, tried: Tried) -> None:
    header = [*HEADER, "備考", "備考", "", ""]
    reading = read(tmp_path, saved(book(("課題", [header, [*FIRST, "一", "二", "三"]]))))
    assert reading.records[0].extra == {"備考": "一", "備考 (2)": "二"}
    tried(
        2, "同じ名前の列、名前のない列", "名前のある列はみな運び、ない列は知らせる", told(reading)
    )


def test_columns_in_another_order(tmp_path: Path, tried: Tried) -> None:
    rows = [HEADER[::-1], FIRST[::-1]]
    reading = read(tmp_path, csv(*rows), "課題.csv")
    assert reading.records[0].title == FIRST[1]
    tried(2, "列の順が違う表", "見出しで読む", told(reading))


def test_columns_that_are_swapped_under_their_headers(tmp_path: Path, tried: Tried) -> None:
    rows = [["課題ID", "都道府県", "課題内容", "課題名"], FIRST]
    reading = read(tmp_path, csv(*rows), "課題.csv")
    assert "都道府県として読めません" in told(reading)
    tried(2, "値が隣の列と入れ替わった行", "読めない値を知らせる", told(reading))


def test_blank_columns_and_rows_between(tmp_path: Path, tried: Tried) -> None:
    rows = [["", *HEADER[:2], "", *HEADER[2:]], ["", *FIRST[:2], "", *FIRST[2:]]]
    reading = read(
        tmp_path, saved(book(("課題", [*rows, [], [], ["", *SECOND[:2], "", *SECOND[2:]]])))
    )
    assert ids(reading) == ["0001", "0002"]
    tried(2, "間に空の列や行がある表", "詰めて読む", told(reading))


def test_a_million_blank_formatted_rows(tmp_path: Path, tried: Tried) -> None:
    blank = "".join(
        f'<row r="{n}" s="1" customFormat="1"><c r="A{n}" s="1"/><c r="D{n}" s="1"/></row>'
        for n in range(3, 1_000_003)
    )
    reading = read(tmp_path, xlsx(cells(1, HEADER) + cells(2, FIRST) + blank))
    assert (ids(reading), reading.rows) == (["0001"], 1)
    tried(2, "罫線だけの空行が100万行あるシート", "数えず、数秒で読む", told(reading))


def test_sixteen_thousand_columns(tmp_path: Path, tried: Tried) -> None:
    row = cells(2, FIRST).replace("</row>", cell(2, 16_383, "はみ出し") + "</row>")
    reading = read(tmp_path, xlsx(cells(1, HEADER) + row))
    assert ids(reading) == ["0001"]
    tried(2, "16,384列目に値のあるシート", "見出しのない値として知らせる", told(reading))


def test_lists_in_one_cell(tmp_path: Path, tried: Tried) -> None:
    reading = read(tmp_path, saved(book(("課題", [[*HEADER, "SDGs"], [*FIRST, "1、3、11"]]))))
    assert reading.records[0].sdgs == {1, 3, 11}
    tried(2, "1つのセルの並び「1、3、11」", "3つの目標として読む", told(reading))


def test_line_breaks_in_cells(tmp_path: Path, tried: Tried) -> None:
    text = "屋根が傷む。\r\n通学路が危ない。"
    data = csv(HEADER, [*FIRST[:2], f'"{text}"', "愛知県"], SECOND)
    reading = read(tmp_path, data, "課題.csv")
    assert reading.records[0].description == text.replace("\r\n", "\n")
    assert ids(reading) == ["0001", "0002"]
    tried(2, "セルの中の改行", "1つの文として読む", told(reading))


def test_unclosed_quotes(tmp_path: Path, tried: Tried) -> None:
    data = csv(HEADER, ["0003", '"閉じない', "文", "県"], FIRST, SECOND)
    reading = read(tmp_path, data, "課題.csv")
    assert (ids(reading), reading.rejected) == (["0001", "0002"], 1)
    tried(2, "閉じていない引用符", "その行だけを除外し、続きは読む", told(reading))


def test_a_stray_separator(tmp_path: Path, tried: Tried) -> None:
    reading = read(tmp_path, csv(HEADER, FIRST, [*SECOND, "はみ出し"]), "課題.csv")
    assert (ids(reading), reading.rejected) == (["0001"], 1)
    tried(2, "文中の区切り文字で列がずれた行", "除外", told(reading))


def test_no_header_at_all(tmp_path: Path, tried: Tried) -> None:
    sentence = refused(tmp_path, csv(FIRST, SECOND), "課題.csv")
    tried(2, "見出しのない表", "断る", sentence)


def test_a_row_that_says_it_stands_there_a_million_times(tmp_path: Path, tried: Tried) -> None:
    many = ' table:number-rows-repeated="1048575"'
    sentence = refused(tmp_path, ods(ods_row(HEADER) + ods_row(FIRST, many)), "課題.ods")
    assert "大きすぎます" in sentence
    tried(2, "同じ行を100万回くり返すと書かれたODS（2KB）", "途中で読むのをやめ、断る", sentence)


# Without a limit the parser never ends: nothing to be tried on Windows.
@pytest.mark.skipif(os.name == "nt", reason="Windows does not bound the time of a process")
def test_an_ods_that_breaks_off_in_the_middle_of_a_table(tmp_path: Path, tried: Tried) -> None:
    sentence = refused(tmp_path, ods("", is_whole=False), "課題.ods")
    assert "読み切れません" in sentence
    tried(2, "表の途中で終わるODS（解析が終わらなくなる）", "別の処理で読み、数秒で断る", sentence)
