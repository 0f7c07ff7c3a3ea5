"""JSON Lines and Parquet as grids: names stand beside the values, and no row is a header.

The header is given as row 0, so that the rows keep the numbers that an editor shows.
"""

import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO, cast

import duckdb

from matcher.errors import DataError
from matcher.offline import DUCKDB
from matcher.tables.encodings import encodings_of, lines
from matcher.tables.grid import Grid, Record
from matcher.tables.sheets import cell_text

_NOT_JSON = (
    "この行は、名前と値の組（JSONのオブジェクト）として読めません。",
    '1行に1件ずつ、{"課題名": "…", "課題内容": "…"} のように書いてください。',
)
_AT_ONCE = 10_000
_MOST_ROWS = 20_000_000  # a run of equal values takes no room: a small file may tell billions
_GLOB = frozenset("*?[")  # what DuckDB would take for many files


def json_grids(source: str, file: BinaryIO) -> Iterator[Grid]:
    """The lines of a text, each an object, in each encoding that fits; the columns are all names.

    Raises `DataError` where no encoding fits.
    """
    for encoding in encodings_of(source, file):
        objects = (_object(line) for line in lines(file, encoding) if line.strip())
        names = list(dict.fromkeys(name for one in objects if one for name in one))
        records = _json_records(lines(file, encoding), names)
        yield Grid(encoding=encoding, records=records, broken=_NOT_JSON)


def parquet_grids(source: str, file: BinaryIO) -> Iterator[Grid]:
    """The one table of a Parquet file. Raises `DataError` where it cannot be read."""
    try:
        with _path(file) as path, duckdb.connect(config=DUCKDB) as connection:
            told = connection.execute("SELECT count(*) FROM read_parquet(?)", [str(path)])
            if (told.fetchone() or (0,))[0] > _MOST_ROWS:
                message = f"「{source}」は大きすぎます。要る行と列だけの表にしてください。"
                raise DataError(message)
            connection.execute("SELECT * FROM read_parquet(?, binary_as_string=true)", [str(path)])
            yield Grid(records=_parquet_records(connection))
    except duckdb.Error as error:
        message = f"「{source}」をParquetとして開けません。元の表から書き出し直してください。"
        raise DataError(message) from error


def _object(line: str) -> dict[str, str] | None:
    """The values of a line by name, as they are written; None where it is no object."""
    try:
        told = json.loads(
            line, object_pairs_hook=_once, parse_int=str, parse_float=str, parse_constant=str
        )
    except (ValueError, RecursionError):
        return None
    return {name: _value(value) for name, value in told.items()} if isinstance(told, dict) else None


def _once(pairs: Sequence[tuple[str, object]]) -> dict[str, object]:
    """An object whose names differ; of two equal ones, JSON would keep the last without a word."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name twice")
    return found


def _value(value: object) -> str:
    """A value as a cell would hold it; what has parts of its own stays JSON."""
    parts = value if isinstance(value, list) else [value]
    if any(isinstance(part, dict | list) for part in parts):
        return json.dumps(value, ensure_ascii=False)
    return cell_text(value)


def _json_records(text: Iterator[str], names: list[str]) -> Iterator[Record]:
    yield 0, names
    for number, line in enumerate(text, start=1):
        one = _object(line) if line.strip() else {}
        yield number, None if one is None else [one.get(name, "") for name in names]


def _parquet_records(connection: duckdb.DuckDBPyConnection) -> Iterator[Record]:
    yield 0, [name for name, *_ in connection.description]
    number = 0
    while rows := connection.fetchmany(_AT_ONCE):
        for row in rows:
            number += 1
            yield number, [_value(list(v) if isinstance(v, tuple) else v) for v in row]


@contextmanager
def _path(file: BinaryIO) -> Iterator[Path]:
    """A path under which DuckDB finds the file, and nothing else: a copy where it has none."""
    name = cast("str | int", file.name)
    if isinstance(name, str) and not _GLOB & set(name):
        yield Path(name)
        return
    with TemporaryDirectory() as folder:
        copy = Path(folder) / "table.parquet"
        file.seek(0)
        with copy.open("wb") as own:
            shutil.copyfileobj(file, own)
        yield copy
