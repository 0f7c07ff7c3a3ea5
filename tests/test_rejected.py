import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from matcher.formulas import restore
from matcher.report.rejected import HEADER, rejected_csv
from matcher.types import Fault


def fault(**values):
    usual = {"file": "表.csv", "severity": "警告", "problem": "問題", "remedy": "直し方"}
    return Fault(**(usual | values))


def rows(content):
    return list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")))


def test_without_problems_there_is_the_header_alone():
    assert rejected_csv([]) == (
        b"\xef\xbb\xbffile,sheet,row,column,value,severity,problem,remedy\r\n"
    )


def test_one_line_for_each_problem_in_the_order_given():
    faults = [
        fault(sheet="課題", row=3, column="SDGs", value="18", severity="除外"),
        fault(),
    ]
    assert rows(rejected_csv(faults)) == [
        list(HEADER),
        ["表.csv", "課題", "3", "SDGs", "18", "除外", "問題", "直し方"],
        ["表.csv", "", "", "", "", "警告", "問題", "直し方"],
    ]


def test_lines_end_as_excel_writes_them():
    content = rejected_csv([fault(), fault()])
    assert content.count(b"\r\n") == content.count(b"\n") == 3


def test_codes_keep_their_zeros():
    assert rows(rejected_csv([fault(value="01100")]))[1][4] == "01100"


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@A1", "＝1", "\t=1", "=cmd|' /C calc'!A0"])
@pytest.mark.parametrize("field", ["file", "sheet", "column", "value", "problem", "remedy"])
def test_no_cell_can_be_read_as_a_formula(field, text):
    cell = rows(rejected_csv([fault(**{field: text})]))[1][HEADER.index(field)]
    assert cell[:1] not in ("=", "+", "-", "@", "＝", "\t")


@given(
    st.lists(st.text(st.characters(exclude_categories=("Cc", "Cs", "Cf", "Cn", "Co"))), max_size=3)
)
def test_what_a_table_held_can_be_read_back(values):
    read = rows(rejected_csv([fault(value=value) for value in values]))[1:]
    assert [restore(line[4]) for line in read] == values


@given(st.text(), st.text())
def test_any_text_gives_one_row_of_eight_cells(value, column):
    read = rows(rejected_csv([fault(value=value, column=column)]))
    assert [len(line) for line in read] == [8, 8]


def test_every_cell_is_quoted_so_that_a_second_separator_parts_none():
    _, line, _ = rejected_csv([fault(row=3, value="a;=1+1\tb")]).decode("utf-8-sig").split("\r\n")
    assert line == '"表.csv","","3","","a;=1+1\tb","警告","問題","直し方"'
