import datetime
import io
import json
import subprocess
import sys

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from workbook_examples import cells, xlsx

from matcher.tables import sheets
from matcher.tables.sheets import cell_text, messages, tell

PLACES = st.dictionaries(
    st.tuples(st.integers(1, 8), st.integers(1, 8)), st.text("あa", min_size=1)
)


def test_a_workbook_is_told_in_order_to_its_end():
    book = openpyxl.Workbook()
    book.active.title = "一"
    book.active.append(["課題名", None])
    book.active.append([None])
    book.active.append(["あ", None, "い"])
    book.active.merge_cells("A3:B4")
    book.create_sheet("二").sheet_state = "hidden"
    data = io.BytesIO()
    book.save(data)
    assert list(messages(data.getvalue())) == [
        {"sheet": "一", "hidden": False, "spans": [[3, 0, 4, 1]]},
        (1, ["課題名"]),
        (3, ["あ", "", "い"]),
        {"sheet": "二", "hidden": True, "spans": []},
        {"end": "ok"},
    ]


@given(PLACES)
def test_every_cell_is_told_where_it_stands(places):
    book = openpyxl.Workbook()
    for (row, column), value in places.items():
        book.active.cell(row, column, value)
    data = io.BytesIO()
    book.save(data)
    rows = [one for one in messages(data.getvalue()) if isinstance(one, tuple)]
    told = {(n, at): cell for n, row in rows for at, cell in enumerate(row, start=1) if cell}
    assert told == places


def test_what_is_no_workbook_is_told_as_broken():
    assert list(messages(b"PK\x03\x04")) == [{"end": "broken"}]


def test_a_panic_of_the_parser_is_told_and_an_interrupt_is_not(monkeypatch):
    class PanicException(BaseException):
        pass

    def fail(error):
        def load(_):
            raise error

        monkeypatch.setattr(sheets.python_calamine, "load_workbook", load)

    fail(PanicException())
    assert list(messages(b"")) == [{"end": "broken"}]
    fail(KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        list(messages(b""))


def test_lines_are_json_in_ascii():
    told: list[str] = []
    tell(xlsx(cells(1, ["髙"])), told.append)
    assert all(line.isascii() and line.endswith("\n") for line in told)
    assert [json.loads(line) for line in told][1:] == [[1, ["髙"]], {"end": "ok"}]


def test_the_script_stands_alone():
    script = [sys.executable, "-P", sheets.__file__]
    done = subprocess.run(script, input=xlsx(cells(1, ["あ"])), capture_output=True, check=True)
    assert [json.loads(line) for line in done.stdout.splitlines()][1:] == [
        [1, ["あ"]],
        {"end": "ok"},
    ]
    assert done.stderr == b""


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("0101", "0101"),
        (1.0, "1"),
        (3.11, "3.11"),
        (True, "TRUE"),
        (False, "FALSE"),
        (None, ""),
        (7123456789012.0, "7123456789012"),
        (datetime.date(2026, 3, 31), "2026-03-31"),
        (datetime.datetime(2026, 3, 31), "2026-03-31"),
        (datetime.datetime(2026, 3, 31, 9, 30), "2026-03-31 09:30:00"),
        (datetime.time(9, 30), "09:30:00"),
        ([1, "a", None], "1、a、"),
        (float("nan"), ""),
    ],
)
def test_a_value_as_text(value, text):
    assert cell_text(value) == text
