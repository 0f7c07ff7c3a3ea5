"""Immutable folders of arrays and records under a catalog: written once, hashed, verified, read."""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import duckdb

from matcher import records
from matcher.errors import StaleCatalog
from matcher.offline import DUCKDB
from matcher.outputs import flush_folder
from matcher.types import Company, Fault

_LARGE = 2**26  # bytes; larger files are checked by sample when a catalog is opened
_PIECES, _PIECE = 64, 2**16  # of a sample, and their bytes
_COLUMNS = {
    "company_id": "VARCHAR",
    "name": "VARCHAR",
    "profile": "VARCHAR",
    "headquarters": "VARCHAR",
    "regions": "VARCHAR[]",
    "is_area_declared": "BOOLEAN",
    "industry": "VARCHAR",
    "kind": "VARCHAR",
    "sdgs": "INTEGER[]",
    "is_sdgs_inferred": "BOOLEAN",
    "contact": "VARCHAR",
    "extra": "JSON",
}
_FAULT_COLUMNS = {name: "VARCHAR" for name in Fault.__dataclass_fields__} | {"row": "BIGINT"}


def free_name(folder: Path, name: str) -> Path:
    """A path in the folder that does not exist yet: a segment in use is never written over."""
    taken = 1
    path = folder / name
    while path.exists():
        taken += 1
        path = folder / f"{name}-{taken}"
    return path


def hashes(segment: Path) -> dict[str, str]:
    """SHA-256 of every file below a segment, by its relative path."""
    files = sorted(path for path in segment.rglob("*") if path.is_file())
    return {path.relative_to(segment).as_posix(): _digest(path) for path in files}


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def flush(segment: Path) -> None:
    """Nothing, once every file below a segment is on the disk: a power cut loses none of them."""
    for path in segment.rglob("*"):
        if path.is_file():
            with path.open("rb+") as file:
                os.fsync(file.fileno())
        else:
            flush_folder(path)
    flush_folder(segment)


def samples(segment: Path) -> dict[str, str]:
    """SHA-256 of the size and 64 spread pieces of every large file below a segment.

    A million companies take 5 GB, and to hash those takes longer than to search them.
    """
    files = sorted(path for path in segment.rglob("*") if path.is_file())
    return {
        path.relative_to(segment).as_posix(): _sample(path)
        for path in files
        if path.stat().st_size > _LARGE
    }


def _sample(path: Path) -> str:
    size = path.stat().st_size
    digest = hashlib.sha256(str(size).encode())
    with path.open("rb") as file:
        for piece in range(_PIECES):
            file.seek(max(0, size - _PIECE) * piece // (_PIECES - 1))
            digest.update(file.read(_PIECE))
    return digest.hexdigest()


def verify(
    segment: Path, files: Mapping[str, str], samples: Mapping[str, str] | None = None
) -> None:
    """Nothing, where every file is as it was written; by its sample where there is one.

    Raises:
        StaleCatalog: one is missing or differs.
    """
    for name, digest in files.items():
        path, sample = segment / name, (samples or {}).get(name)
        found = "" if not path.is_file() else _sample(path) if sample else _digest(path)
        if found != (sample or digest):
            message = (
                f"カタログのファイル {segment.name}/{name} が壊れているか、書き換えられています。"
                "matcher build で作り直してください。"
            )
            raise StaleCatalog(message)


def write_records(path: Path, companies: Sequence[Company], faults: Sequence[Fault]) -> None:
    """Records and faults as the tables `companies` and `faults` of a new DuckDB file."""
    with duckdb.connect(str(path), config=DUCKDB) as connection:
        rows = [records.to_json(company) for company in companies]
        _fill(connection, path.with_name("companies.jsonl"), _COLUMNS, rows)
        rows = [asdict(fault) for fault in faults]
        _fill(connection, path.with_name("faults.jsonl"), _FAULT_COLUMNS, rows)


def _fill(
    connection: duckdb.DuckDBPyConnection,
    staged: Path,
    columns: dict[str, str],
    rows: Sequence[records.Json],
) -> None:
    """A table of JSON records with their place, named as the staged file it is read from.

    Row by row, DuckDB takes minutes for 20,000 records.
    """
    columns = {"place": "BIGINT"} | columns
    typed = ", ".join(f'"{name}" {kind}' for name, kind in columns.items())
    connection.execute(f"CREATE TABLE {staged.stem} ({typed})")
    with staged.open("w", encoding="utf-8") as file:
        for place, row in enumerate(rows):
            file.write(json.dumps({"place": place} | row, ensure_ascii=False) + "\n")
    connection.execute(
        f"INSERT INTO {staged.stem} "
        "SELECT * FROM read_json(?, format='newline_delimited', columns=?)",
        [str(staged), columns],
    )
    staged.unlink()


def read_records(path: Path) -> tuple[tuple[Company, ...], tuple[Fault, ...]]:
    """What `write_records` wrote, in its order."""
    with duckdb.connect(str(path), read_only=True, config=DUCKDB) as connection:
        companies = _select(connection, "companies", list(_COLUMNS))
        faults = _select(connection, "faults", list(_FAULT_COLUMNS))
    for row in companies:
        row["extra"] = json.loads(row["extra"])
    return (
        tuple(records.from_json(Company, row) for row in companies),
        tuple(Fault(**row) for row in faults),
    )


def _select(
    connection: duckdb.DuckDBPyConnection, table: str, columns: Sequence[str]
) -> list[records.Json]:
    chosen = ", ".join(f'"{name}"' for name in columns)
    rows = connection.execute(f"SELECT {chosen} FROM {table} ORDER BY place").fetchall()
    return [dict(zip(columns, row, strict=True)) for row in rows]
