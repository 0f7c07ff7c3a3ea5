import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from matcher.tables import delimited
from matcher.tables.delimited import grids

CELLS = st.lists(
    st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0\r")), min_size=1)
)


def records(text: str, delimiter: int = 0) -> list[tuple[int, list[str] | None]]:
    for at, grid in enumerate(grids("表.csv", io.BytesIO(text.encode()))):
        if at == delimiter:
            return list(grid.records)
    raise AssertionError


@given(CELLS)
def test_what_csv_writes_is_read_back(rows):
    file = io.StringIO()
    csv.writer(file, quoting=csv.QUOTE_ALL).writerows(rows)
    grid = next(grid for grid in grids("表.csv", io.BytesIO(file.getvalue().encode())))
    if not any("\t" in cell or ";" in cell for row in rows for cell in row):
        assert [cells for _, cells in grid.records if cells] == rows


def test_the_delimiter_of_the_first_line_comes_first():
    assert records("a\tb\tc;d\n")[0] == (1, ["a", "b", "c;d"])
    assert records("a;b,c;d\n")[0] == (1, ["a", "b,c", "d"])
    assert records("a;b,c;d\n", 1)[0] == (1, ["a;b", "c;d"])


def test_a_stray_quote_costs_its_own_line():
    assert records('a,b\n1,"2\n3,4\n"5"6,7\n8,9\n') == [
        (1, ["a", "b"]),
        (2, None),
        (3, ["3", "4"]),
        (4, None),
        (5, ["8", "9"]),
    ]


def test_a_record_without_an_end_does_not_take_in_the_whole_file(monkeypatch):
    monkeypatch.setattr(delimited, "_MOST_LINES", 3)
    assert records('a\n"b\nc\nd\ne\nf\n') == [
        (1, ["a"]),
        (2, None),
        *((number, [letter]) for number, letter in enumerate("cdef", start=3)),
    ]


def test_a_file_of_stray_quotes_alone_is_read_in_time():
    assert len(records('x,"a\n' * 20_000)) == 20_000


@given(st.text(st.sampled_from('a",\n'), max_size=40))
def test_every_line_is_in_a_record_once(text):
    told = records(text)
    spoilt = sum(cells is None for _, cells in told)
    whole = sum(
        1 + sum(cell.count("\n") for cell in cells) for _, cells in told if cells is not None
    )
    assert spoilt + whole == len(list(io.StringIO(text)))


def test_the_limit_of_a_cell_is_given_back():
    limit = csv.field_size_limit()
    walk = next(grids("表.csv", io.BytesIO(b"a\nb\n"))).records
    next(walk)
    walk.close()
    assert csv.field_size_limit() == limit


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_end_as_they_do_on_any_system(end):
    assert [cells for _, cells in records(f"a,b{end}1,2{end}")] == [["a", "b"], ["1", "2"]]
