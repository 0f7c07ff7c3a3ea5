"""What is corrected, what is only marked; and the corrected table reads as the first one."""

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from examples import COMPANIES, ISSUES, changed, write_table
from hypothesis import example, given, settings
from hypothesis import strategies as st

from matcher.corpus import read_companies, read_issues
from matcher.correction import correct
from matcher.inspection import inspect
from matcher.report.corrected import corrected_workbook

READ = {"issues": read_issues, "companies": read_companies}
PERSONAL = "123456789018"  # its last digit proves it


def csv_of(path, *lines):
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def corrected(path, **cells):
    """The corrected row of a table of one issue with these cells."""
    issue = {"課題ID": "a", "課題名": "題", "課題内容": "文", "都道府県": "北海道"} | cells
    found = correct(inspect(write_table(path / "i.csv", [issue])))
    (row,) = found.rows
    return dict(zip(found.header, zip(row.cells, row.marks, strict=True), strict=True)), row


def write_corrected(path, target):
    inspection = inspect(path)
    target.write_bytes(corrected_workbook(inspection, correct(inspection)))
    return inspection


# What is certain


@pytest.mark.parametrize(
    ("cells", "column", "now"),
    [
        ({"団体コード": "11002", "自治体名": "札幌市", "都道府県": ""}, "団体コード", "011002"),
        ({"団体コード": "０１１００２"}, "団体コード", "011002"),
        ({"SDGs": "目標3, 11."}, "SDGs", "3、11"),
        ({"SDGs": "３．すべての人に健康と福祉を"}, "SDGs", "3"),
        ({"課題ID": "ａ １"}, "課題ID", "a_1"),
    ],
)
def test_what_is_certain_is_corrected_and_said(tmp_path, cells, column, now):
    told, row = corrected(tmp_path, **cells)
    assert told[column] == (now, "mended")
    assert row.faults == ()
    (sentence,) = row.mended
    assert sentence.startswith(f"{column}を「")
    assert sentence.endswith(f"から「{now}」に直しました。")


@pytest.mark.parametrize(
    ("given", "now"),
    [("T7123456789012", "7123456789012"), ("７－１２３４－５６７８－９０１２", "7123456789012")],
)
def test_a_corporate_number_is_written_as_its_digits(tmp_path, given, now):
    found = correct(
        inspect(write_table(tmp_path / "c.csv", changed(COMPANIES[:1], 0, 企業ID=given)))
    )
    assert found.rows[0].cells[found.header.index("企業ID")] == now


@pytest.mark.parametrize(
    ("cells", "column"),
    [
        ({"団体コード": "1100"}, "団体コード"),  # which digit is gone, nothing proves
        ({"団体コード": "131041"}, "団体コード"),
        ({"SDGs": "3、18"}, "SDGs"),
        ({"募集期限": "2026-02-30"}, "募集期限"),
        ({"自治体名": "府中市", "都道府県": ""}, "自治体名"),
        ({"団体コード": "23202", "自治体名": "神戸市"}, "団体コード"),
    ],
)
def test_what_is_doubtful_stands_as_it_was_and_is_marked(tmp_path, cells, column):
    told, row = corrected(tmp_path, **cells)
    assert told[column] == (cells[column], "open")
    assert row.mended == ()
    assert {fault.column for fault in row.faults} >= {column}
    assert all(fault.problem and fault.remedy for fault in row.faults)


def test_a_cell_that_is_right_stands_as_it_was(tmp_path):
    told, row = corrected(tmp_path, SDGs="3、11", 団体コード="01100", 予算="約300万円", 備考="=1+1")
    assert [mark for _, mark in told.values()] == [""] * len(told)
    assert told["備考"][0] == "=1+1"
    assert (row.mended, row.faults, row.state) == ((), (), "usable")


def test_a_personal_number_is_nowhere_in_a_corrected_table(tmp_path):
    rows = changed(ISSUES[:2], 0, 課題内容=f"番号 {PERSONAL} の方。", 受付経路="1234 5678 9012")
    rows = changed(rows, 1, 課題ID=PERSONAL)
    found = correct(inspect(write_table(tmp_path / "i.csv", rows)))
    assert PERSONAL not in repr(found)
    assert "1234 5678 9012" not in repr(found)
    first, second = found.rows
    assert first.cells[found.header.index("課題内容")] == "番号 ************ の方。"
    assert second.cells[found.header.index("課題ID")] == ""
    assert second.state == "rejected"


# The table


def test_standard_columns_come_first_and_all_others_behind_them(tmp_path):
    path = csv_of(
        tmp_path / "i.csv", "備考,件名,,概要,備考,団体コード,背景", "x,題,y,文,z,01100,昔"
    )
    found = correct(inspect(path))
    assert found.header == (
        *("課題ID", "課題名", "概要", "背景", "団体コード"),
        *("備考", "3列目", "備考 (2)"),
    )
    assert found.given_ids
    assert found.rows[0].cells[1:] == ("題", "文", "昔", "01100", "x", "y", "z")


def test_every_row_is_there_in_its_order_whatever_became_of_it(tmp_path):
    rows = [
        *(dict(ISSUES[0]), dict(ISSUES[0]), {**ISSUES[1], "課題名": ""}, dict(ISSUES[2])),
        {**ISSUES[2], "課題内容": "違う"},
    ]
    found = correct(inspect(write_table(tmp_path / "i.csv", rows)))
    assert [(row.number, row.state) for row in found.rows] == [
        *((2, "usable"), (3, "merged"), (4, "rejected")),
        *((5, "rejected"), (6, "rejected")),
    ]
    assert [row.cells[0] for row in found.rows] == ["i-1", "i-1", "i-2", "i-3", "i-3"]


def test_a_row_that_cannot_be_taken_apart_keeps_its_place(tmp_path):
    path = csv_of(tmp_path / "i.csv", "課題名,課題内容", "一,い", "二,ろ,は,に", "三,ほ")
    found = correct(inspect(path))
    assert [row.number for row in found.rows] == [2, 3, 4]
    lost = found.rows[1]
    assert (lost.state, lost.is_lost, set(lost.cells)) == ("rejected", True, {""})
    assert "列がずれています" in lost.faults[0].problem


def test_a_remark_below_the_table_is_told_and_is_no_row(tmp_path):
    path = csv_of(tmp_path / "i.csv", "課題ID,課題名,課題内容", "a,題,文", "※令和8年度分,,")
    found = correct(inspect(path))
    assert [row.number for row in found.rows] == [2]
    assert any(fault.row == 3 for fault in found.faults)


# The corrected table as input


def check_round_trip(path, target):
    inspection = write_corrected(path, target)
    first, again = inspection.reading, READ[inspection.name](target)
    assert again.records == first.records
    assert (again.rows, again.merged, again.rejected) == (
        *(first.rows, first.merged, first.rejected),
    )
    assert len(again.faults) <= len(first.faults)
    return first, again


@pytest.mark.parametrize("rows", [ISSUES, COMPANIES], ids=["issues", "companies"])
def test_a_corrected_table_reads_as_the_first_one(tmp_path, rows):
    first, again = check_round_trip(write_table(tmp_path / "t.csv", rows), tmp_path / "t.xlsx")
    assert [fault.problem for fault in again.faults] == [fault.problem for fault in first.faults]


def test_what_was_corrected_is_no_fault_any_more(tmp_path):
    rows = changed(ISSUES[:2], 0, 課題ID="ａ　１")
    rows = [row | {"団体コード": code} for row, code in zip(rows, ("28100", "23202"), strict=True)]
    rows.append(
        rows[0] | {"課題ID": "b", "自治体名": "札幌市", "都道府県": "", "団体コード": "11002"}
    )
    first, again = check_round_trip(write_table(tmp_path / "t.csv", rows), tmp_path / "t.xlsx")
    assert len(first.faults) == 2
    assert again.faults == ()


def test_a_corrected_table_can_be_corrected_again_and_stays_the_same(tmp_path):
    rows = [{**one, "備考": note} for one, note in zip(ISSUES, ("=1", "'=1", "-", "＋", "", "@"),
                                                      strict=True)]  # fmt: skip
    write_corrected(write_table(tmp_path / "t.csv", rows), tmp_path / "a.xlsx")
    first, _ = check_round_trip(tmp_path / "a.xlsx", tmp_path / "b.xlsx")
    assert [one.extra["備考"] for one in first.records] == ["=1", "'=1", "-", "＋", "", "@"]
    assert set(first.records[0].extra) == {"受付経路", "備考"}


def test_a_table_that_only_looks_a_little_like_a_corrected_one_keeps_its_columns(tmp_path):
    path = csv_of(tmp_path / "i.csv", "課題名,課題内容,元の行,確かめるところ", "題,文,'=1,x")
    (issue,) = read_issues(path).records
    assert issue.extra == {"元の行": "'=1", "確かめるところ": "x"}


SAID = st.text(
    alphabet=st.one_of(
        st.sampled_from("'=+-@＝ー、1３9０T\n\tあがｶﾞ①㈱髙\u200b\u200e\ufeff"),
        st.characters(codec="utf-8", exclude_characters="\0\ufdd0"),
    ),
    max_size=20,
)
CODES = st.sampled_from(["", "01100", "11002", "１１００２", "1100", "131041", "13206", "abc"])
GOALS = st.sampled_from(["", "3,11", "⑪", "18", "目標3", "なし", "3・4", "2026-03-11"])


@settings(max_examples=12)
@given(
    rows=st.lists(
        st.tuples(st.sampled_from(["a", "ａ", "b c", ""]), SAID, SAID, CODES, GOALS, SAID),
        min_size=1,
        max_size=25,
    )
)
@example(rows=[("a", "題", "文", "", "", "\ufdd0")])
@example(
    rows=[("a", "=1", "'=1", "11002", "3,11", "=x"), ("a", "=1", "'=1", "11002", "3、11", "=x")]
)
def test_whatever_the_cells_are_nothing_is_lost_and_nothing_new_is_wrong(rows):
    names = ("課題ID", "課題名", "課題内容", "団体コード", "SDGs", "備考")
    with TemporaryDirectory() as folder:
        path = Path(folder) / "t.csv"
        last = ("z", "題", "文", "", "", "")
        write_table(path, [dict(zip(names, row, strict=True)) for row in (*rows, last)])
        first = inspect(path).reading
        target = Path(folder) / "t.xlsx"
        write_corrected(path, target)
        again = read_issues(target)
    assert (again.rows, again.merged, again.rejected) == (
        *(first.rows, first.merged, first.rejected),
    )
    assert [plain(one) for one in again.records] == [plain(one) for one in first.records]
    assert len(again.faults) <= len(first.faults)


def plain(issue):
    """An issue without what no workbook can hold."""
    bare = {name: cell.replace("\ufdd0", "") for name, cell in issue.extra.items()}
    return replace(issue, extra=bare)
