import io
import json
from pathlib import Path

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from matcher.errors import DataError
from matcher.tables import objects
from matcher.tables.objects import json_grids, parquet_grids

NAMES = st.text(min_size=1, max_size=5)
LINES = st.lists(st.dictionaries(NAMES, st.text() | st.integers() | st.none() | st.booleans()))


def records(data: bytes) -> list[tuple[int, list[str] | None]]:
    return list(next(json_grids("表.jsonl", io.BytesIO(data))).records)


def test_the_columns_are_the_names_in_the_order_they_come():
    told = records(b'{"b": "1", "a": null}\n\n{"c": 2.50, "a": true}\n')
    assert told == [
        (0, ["b", "a", "c"]),
        (1, ["1", "", ""]),
        (2, ["", "", ""]),
        (3, ["", "TRUE", "2.50"]),
    ]


@given(LINES)
def test_every_value_is_read_back_as_text(lines):
    told = records("".join(json.dumps(line) + "\n" for line in lines).encode())
    (_, names), *rows = told
    assert [number for number, _ in rows] == list(range(1, len(lines) + 1))
    for (_, cells), line in zip(rows, lines, strict=True):
        found = dict(zip(names, cells or [], strict=True))
        for name, value in line.items():
            plain = {None: "", True: "TRUE", False: "FALSE"}
            is_plain = value is None or isinstance(value, bool)
            assert found[name] == (plain[value] if is_plain else str(value))


@pytest.mark.parametrize(
    "line",
    ['{"a": 1, "a": 2}', "[1]", "3", '{"a"', "{" * 100_000, '{"a": ' * 5000 + "1" + "}" * 5000],
)
def test_a_line_that_is_no_object_is_told_as_broken(line):
    assert records(f'{{"b": 1}}\n{line}\n'.encode())[2] == (2, None)


def test_what_has_parts_of_its_own_stays_json():
    told = records(b'{"a": {"b": [1]}, "c": [3, 11], "d": [[1]]}')
    assert told[1] == (1, ['{"b": ["1"]}', "3、11", '[["1"]]'])


def written(folder: Path, query: str, name: str = "表.parquet") -> Path:
    duckdb.sql(f"COPY ({query}) TO '{folder / name}' (FORMAT parquet)")
    return folder / name


def parquet(path: Path) -> list[tuple[int, list[str] | None]]:
    with path.open("rb") as file:
        return [record for grid in parquet_grids(path.name, file) for record in grid.records]


def test_a_parquet_is_text_in_every_cell(tmp_path):
    query = (
        "SELECT '01' AS a, 1.5 AS b, [3, 11] AS c, NULL AS d, TIMESTAMP '2026-03-31 00:00' AS e,"
        " 'nan'::DOUBLE AS f, {'x': 1} AS g, encode('あ') AS h"
    )
    told = parquet(written(tmp_path, query))
    assert told[0] == (0, list("abcdefgh"))
    assert told[1] == (1, ["01", "1.5", "3、11", "", "2026-03-31", "", '{"x": 1}', "あ"])


def test_a_parquet_is_read_in_parts(tmp_path, monkeypatch):
    monkeypatch.setattr(objects, "_AT_ONCE", 2)
    told = parquet(written(tmp_path, "SELECT range AS a FROM range(5)"))
    assert told[1:] == [(n + 1, [str(n)]) for n in range(5)]


def test_a_parquet_of_billions_of_rows_is_refused(tmp_path, monkeypatch):
    path = written(tmp_path, "SELECT 1 AS a FROM range(11)")
    monkeypatch.setattr(objects, "_MOST_ROWS", 10)
    with pytest.raises(DataError, match="大きすぎます"):
        parquet(path)


def test_a_name_with_stars_is_one_file(tmp_path):
    written(tmp_path, "SELECT 1 AS a", "1.parquet")
    path = written(tmp_path, "SELECT 2 AS a", "x.parquet").rename(tmp_path / "[x]*.parquet")
    assert parquet(path)[1:] == [(1, ["2"])]


def test_a_damaged_parquet_is_one_sentence(tmp_path):
    path = written(tmp_path, "SELECT 1 AS a")
    data = bytearray(path.read_bytes())
    data[-20:-10] = b"\xff" * 10
    path.write_bytes(data)
    with pytest.raises(DataError, match="Parquetとして開けません"):
        parquet(path)
