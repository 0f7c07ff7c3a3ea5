"""The workbook, read back by two independent readers."""

import io
import zipfile

import openpyxl
import pytest
import report_examples as examples
from openpyxl.worksheet.worksheet import Worksheet
from python_calamine import CalamineWorkbook

from matcher import formulas
from matcher.errors import MatcherError
from matcher.report import cells, columns, sheets, workbook
from matcher.report.workbook import workbook_bytes


def opened(*shortlists, as_of=None):
    return openpyxl.load_workbook(io.BytesIO(workbook_bytes(shortlists, as_of=as_of)))


def rows_of(sheet: Worksheet) -> list[dict[str, object]]:
    header, *rows = sheet.iter_rows(values_only=True)
    return [dict(zip(header, row, strict=True)) for row in rows]


def all_cells(book):
    return [cell for sheet in book for row in sheet.iter_rows() for cell in row]


def test_there_are_three_sheets():
    assert opened(*examples.ALL).sheetnames == ["一覧", "課題別", "説明"]


def test_equal_shortlists_give_equal_bytes():
    first = workbook_bytes(examples.ALL, as_of="2025-04-01")
    assert first == workbook_bytes(examples.ALL, as_of="2025-04-01")
    assert first != workbook_bytes(examples.ALL)


def test_overview_has_a_row_per_issue_with_its_counts_and_first_partners():
    rows = rows_of(opened(*examples.ALL)["一覧"])
    assert [row["課題ID"] for row in rows] == ["0017", "0018", "0019", "0020", "0021"]
    first = rows[0]
    assert (first["都道府県"], first["状態"]) == ("兵庫県", "候補あり")
    assert (first["検討数"], first["地域で除外"], first["SDGsで除外"]) == (12, 95, 0)
    assert (first["1位"], first["2位"], first["3位"]) == ("株式会社イーマキーナ", "里山の会", None)
    assert first["1位の得点"] == round(2.02 + 0.71 + 0.6 + 0.05 + 0.03, 6)
    assert first["課題：受付経路"] == "庁内照会"


def test_details_have_a_row_per_entry_whose_parts_sum_to_the_score():
    maker, coop = rows_of(opened(examples.RANKED)["課題別"])
    parts = [value for header, value in coop.items() if header.startswith("内訳：")]
    assert len(parts) == 5
    assert sum(parts) == pytest.approx(coop["得点"], abs=1e-6)
    assert (maker["窓口"], coop["窓口"]) == ("営業部 公共担当", "窓口未登録")
    assert (maker["推定"], coop["推定"]) == (None, "推定")
    assert coop["共通するSDGs"] == "15 陸の豊かさも守ろう"
    assert maker["根拠（課題側）"] == "1 意味「作物が荒らされている」\n2 言葉「見回り」"
    assert maker["根拠（企業側）"] == "1 意味「現場の困りごと」\n2 言葉「見回り」"
    assert (maker["企業：従業員数"], coop["企業：従業員数"]) == ("25", None)
    assert maker["課題：受付経路"] == "庁内照会"


def test_codes_stay_text_with_their_zeros_for_both_readers():
    data = workbook_bytes(examples.ALL)
    sheet = openpyxl.load_workbook(io.BytesIO(data))["課題別"]
    assert sheet["A2"].value == "0017"
    assert (sheet["D2"].value, sheet["D2"].data_type) == ("0123456789012", "s")
    assert sheet["D2"].number_format == "@"
    book = CalamineWorkbook.from_filelike(io.BytesIO(data))
    assert book.get_sheet_by_name("課題別").to_python()[1][3] == "0123456789012"
    assert book.get_sheet_by_name("一覧").to_python()[1][0] == "0017"


@pytest.mark.parametrize("shortlist", examples.ALL[1:])
def test_an_issue_without_candidates_has_one_row_that_says_why(shortlist):
    book = opened(shortlist)
    (row,) = rows_of(book["課題別"])
    label = rows_of(book["一覧"])[0]["状態"]
    assert row["課題ID"] == shortlist.issue.issue_id
    assert row["企業名"].startswith(f"{label}：") and row["企業名"].endswith("。")
    assert row["順位"] is None and row["得点"] is None


def test_overview_links_to_the_block_of_each_issue():
    book = opened(*examples.ALL)
    links = [row[5].hyperlink.location for row in book["一覧"].iter_rows(min_row=2)]
    assert links == [f"'課題別'!A{n}" for n in (2, 4, 5, 6, 7)]  # the first issue has two rows
    assert [book["課題別"][link.split("!")[1]].value for link in links] == [
        s.issue.issue_id for s in examples.ALL
    ]


def test_sheets_freeze_their_header_filter_and_print_on_a4():
    book = opened(*examples.ALL)
    assert (book["一覧"].freeze_panes, book["課題別"].freeze_panes) == ("C2", "F2")
    for name in ("一覧", "課題別"):
        sheet = book[name]
        assert sheet.auto_filter.ref.startswith("A1:")
        assert sheet.print_title_rows == "$1:$1"
    for sheet in book:
        assert (sheet.page_setup.paperSize, sheet.page_setup.orientation) == (9, "landscape")
        assert sheet.sheet_properties.pageSetUpPr.fitToPage
        assert (sheet.page_setup.fitToWidth or 1, sheet.page_setup.fitToHeight) == (1, 0)


def test_the_date_is_printed_when_given_and_only_then():
    dated = opened(examples.RANKED, as_of="2025年4月1日 & 更新")
    assert "2025年4月1日" in dated["一覧"].oddHeader.right.text
    assert ("基準日", "2025年4月1日 & 更新") in list(dated["説明"].iter_rows(values_only=True))
    plain = opened(examples.RANKED)
    assert not plain["一覧"].oddHeader.right.text
    assert "基準日" not in [row[0].value for row in plain["説明"].iter_rows()]


def test_every_column_is_explained():
    book = opened(*examples.ALL, examples.FULL)
    explained = {row[0].value for row in book["説明"].iter_rows()}
    for name in ("一覧", "課題別"):
        assert {cell.value for cell in book[name][1]} <= explained


@pytest.mark.parametrize("payload", examples.PAYLOADS)
def test_no_text_of_the_data_becomes_a_formula_or_a_link(payload):
    data = workbook_bytes([examples.poisoned(payload)], as_of=payload)
    for cell in all_cells(openpyxl.load_workbook(io.BytesIO(data))):
        assert cell.data_type != "f"
        assert cell.hyperlink is None or cell.hyperlink.target is None
        if isinstance(cell.value, str):
            assert not cell.value.startswith(tuple("=+-@＝＋－＠\t\r"))
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        names = archive.namelist()
        assert not any("externalLink" in name for name in names)
        parts = b"".join(archive.read(name) for name in names if "worksheets" in name)
    assert b"<f>" not in parts and b'TargetMode="External"' not in parts


@pytest.mark.parametrize("payload", ["=1+1", "_x000D_", "&amp;<b>", "'=1", "01", "東京"])
def test_a_description_comes_back_exactly(payload):
    data = workbook_bytes([examples.poisoned(payload)])
    sheet = CalamineWorkbook.from_filelike(io.BytesIO(data)).get_sheet_by_name("一覧")
    header, row = sheet.to_python()
    assert formulas.restore(row[header.index("課題の内容")]) == payload


def test_a_text_too_long_for_a_cell_is_cut_with_a_visible_mark():
    for text in ("あ" * 40_000, "😀" * 20_000, "a" + "😀" * 20_000):
        cut = cells.cell_text(text)
        assert cut.endswith("…（以下略）")
        assert cells.CELL_LIMIT - 1 <= len(cut.encode("utf-16-le")) // 2 <= cells.CELL_LIMIT
    whole = "あ" * cells.CELL_LIMIT
    assert cells.cell_text(whole) == whole


def test_what_xml_cannot_carry_is_left_out():
    assert cells.cell_text("a\x00b\x1bc\ud800d\ufffee\u202ef") == "abcdef"
    assert cells.cell_text("一\r\n二\r三") == "一\n二\n三"


def test_more_rows_than_a_sheet_holds_are_refused(monkeypatch):
    monkeypatch.setattr(sheets, "_MOST_ROWS", 6)
    with pytest.raises(MatcherError, match="候補が6行あり"):
        workbook_bytes(examples.ALL)


def test_more_columns_than_a_sheet_holds_are_refused(monkeypatch):
    monkeypatch.setattr(sheets, "_MOST_COLUMNS", 20)
    with pytest.raises(MatcherError, match="列が"):
        workbook_bytes(examples.ALL)


def test_beyond_the_most_links_a_cell_stays_text(monkeypatch):
    monkeypatch.setattr(workbook, "_MOST_LINKS", 2)
    sheet = opened(*examples.ALL)["一覧"]
    assert [bool(row[5].hyperlink) for row in sheet.iter_rows(min_row=2)] == [True] * 2 + [
        False
    ] * 3
    assert sheet["F6"].value == "表示"


def test_a_band_gets_its_column_only_where_there_is_one():
    headers = {c.header for c in columns.detail_columns([examples.RANKED])}
    assert "確からしさ" not in headers
    book = opened(examples.FULL)
    assert [row["確からしさ"] for row in rows_of(book["課題別"])] == ["A", "判定不能"]
    header = [cell.value for cell in book["課題別"][1]]
    assert header.index("確からしさ") == header.index("得点") + 1
    told = {row[0].value: row[1].value for row in book["説明"].iter_rows()}
    for meaning in (
        "A＝面談を勧められる",
        "B＝検討の価値がある",
        "C＝参考",
        "判定不能＝文章が短いか、企業の文章が課題の写しで",
    ):
        assert meaning in told["確からしさ"]


def test_columns_of_the_parts_are_those_that_the_run_has():
    header = [cell.value for cell in opened(examples.FULL)["課題別"][1]]
    assert [name for name in header if name.startswith("内訳：")] == [
        "内訳：意味の近さ", "内訳：言葉の一致", "内訳：文字の並びの一致", "内訳：橋渡しの言葉",
        "内訳：読み合わせ", "内訳：SDGs", "内訳：地域",
    ]  # fmt: skip
    maker, coop = rows_of(opened(examples.FULL)["課題別"])
    assert (maker["内訳：読み合わせ"], coop["内訳：橋渡しの言葉"]) == (2.0, -0.02)
    read = examples.shortlist(examples.entry(1, examples.MAKER, reader=1.0))
    assert "内訳：橋渡しの言葉" not in rows_of(opened(read)["課題別"])[0]


def test_span_that_the_bridge_joins_says_by_which_line():
    maker, _ = rows_of(opened(examples.FULL)["課題別"])
    assert maker["根拠（課題側）"] == "1 橋渡し（鳥獣被害）「作物が荒らされている。」"
    assert maker["根拠（企業側）"] == "1 橋渡し（鳥獣被害）「機材」"


def test_what_goals_were_inferred_from_stands_beside_the_mark():
    book = opened(examples.FULL)
    maker, coop = rows_of(book["課題別"])
    assert (maker["推定の根拠"], maker["推定"]) == (None, None)
    assert coop["推定の根拠"] == "2・15「集落ぐるみの柵の点検と見回りを続けている。」"
    header = [cell.value for cell in book["課題別"][1]]
    assert header.index("推定の根拠") == header.index("推定") + 1
    assert "推定の根拠" not in rows_of(opened(examples.RANKED)["課題別"])[0]


def test_no_shortlists_give_a_workbook_with_headers_only():
    book = opened()
    assert (book["一覧"].max_row, book["課題別"].max_row) == (1, 1)


@pytest.mark.parametrize("written", ["&G", "A&P", "&&F", "&[Picture]"])
def test_no_code_stands_in_a_printed_header(written):
    header = opened(examples.RANKED, as_of=written)["一覧"].oddHeader
    assert header.right.text == f"基準日 {written.replace('&', '＆')}"
