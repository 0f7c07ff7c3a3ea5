"""Workbooks as grids, a sheet each. They are taken apart by `sheets.py`, in a process of its own.

What a zip says of itself is looked at first: bombs, passwords and archives that are no workbook are
refused before anything is unpacked.
"""

import json
import mmap
import os
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, BinaryIO, cast

from matcher.errors import DataError
from matcher.tables.grid import Grid, Record, Span

_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")  # a stream of an OLE file, by its name
_MANIFEST = "META-INF/manifest.xml"  # of an ODS
_LARGE = "「{source}」は大きすぎます。要る行と列だけの表にしてください。"
_SCRIPT = Path(__file__).with_name("sheets.py")

# A list of a million rows has a dozen entries, unpacks to some 600 MB and by a factor under 60.
_MOST_ENTRIES = 10_000
_MOST_UNPACKED = 2**30  # bytes
_SMALL = 2**26  # bytes; an entry under that may be packed as tightly as it likes
_MOST_RATIO = 200


def grids(source: str, file: BinaryIO) -> Iterator[Grid]:
    """Every sheet of a workbook in order, the hidden ones too.

    Raises `DataError`, now or while records are walked, when the workbook cannot be read.
    """
    if _is_zip(file):
        _refuse_bomb(source, file)
    elif _holds(file, _ENCRYPTED):
        raise _locked(source)
    with _told(file) as told:
        messages = map(json.loads, told)
        message: Any = next(messages, None)
        while message and "sheet" in message:
            rows = _Rows(source, messages)
            yield Grid(
                sheet=message["sheet"],
                is_hidden=message["hidden"],
                spans=tuple(
                    Span(top=top, left=left, bottom=bottom, right=right)
                    for top, left, bottom, right in message["spans"]
                ),
                records=rows,
            )
            message = rows.finish()
        _check_end(source, message)


class _Rows:
    """The rows of one sheet as they are told; `finish` gives what was told behind them."""

    def __init__(self, source: str, messages: Iterator[Any]) -> None:
        self._source, self._messages = source, messages
        self._behind: Any = None

    def __iter__(self) -> Iterator[Record]:
        return self

    def __next__(self) -> Record:
        if self._behind is None:
            message = next(self._messages, {"end": "crash"})
            if isinstance(message, list):
                number, cells = message
                return number, cells
            self._behind = message
        if "sheet" not in self._behind:
            _check_end(self._source, self._behind)
        raise StopIteration

    def finish(self) -> Any:  # noqa: ANN401  a line of JSON
        """What was told behind the last row, once the rows are walked to their end."""
        for _ in self:
            pass
        return self._behind


def _check_end(source: str, message: Any) -> None:  # noqa: ANN401  a line of JSON
    """Nothing, where a workbook was told to its end; otherwise `DataError` in one sentence."""
    end = message["end"] if message else "crash"
    if end == "broken":
        problem = (
            f"「{source}」を表として開けません。パスワードがあれば外し、"
            "Excelで開いて保存し直してください。"
        )
        raise DataError(problem)
    if end == "large":
        raise DataError(_LARGE.format(source=source))
    if end != "ok":
        problem = (
            f"「{source}」を読み切れません。壊れているか、離れた場所に値があって大きすぎます。"
            "要る行と列だけを新しいブックに写して保存してください。"
        )
        raise DataError(problem)


@contextmanager
def _told(file: BinaryIO) -> Iterator[Iterator[str]]:
    """What the script tells of the workbook, line by line; the script is gone when this is left.

    It shares the open file, so nobody can read that after it.
    """
    os.lseek(file.fileno(), 0, os.SEEK_SET)
    with subprocess.Popen(
        [sys.executable, "-P", str(_SCRIPT)],
        stdin=file,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        encoding="ascii",
    ) as process:
        try:
            yield cast("IO[str]", process.stdout)
        finally:
            process.kill()


def _is_zip(file: BinaryIO) -> bool:
    file.seek(0)
    return file.read(2) == b"PK"


def _holds(file: BinaryIO, name: bytes) -> bool:
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return data.find(name) >= 0


def _locked(source: str) -> DataError:
    return DataError(f"「{source}」はパスワードで保護されています。外して保存し直してください。")


def _refuse_bomb(source: str, file: BinaryIO) -> None:
    """Refuse a zip that unpacks to too much, says less than the truth, or holds no workbook."""
    try:
        with zipfile.ZipFile(file) as archive:
            entries = archive.infolist()
            if _is_too_large(entries):
                raise DataError(_LARGE.format(source=source))
            if not {"[Content_Types].xml", "mimetype"} & {entry.filename for entry in entries}:
                problem = f"「{source}」はZIPです。展開して、中の表を指定してください。"
                raise DataError(problem)
            if any(entry.flag_bits & 1 for entry in entries):
                raise _locked(source)
            is_whole = archive.testzip() is None  # a size that was made up shows here
            if _MANIFEST in archive.namelist() and b"encryption-data" in archive.read(_MANIFEST):
                raise _locked(source)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError, ValueError):
        is_whole = False
    if not is_whole:
        problem = (
            f"「{source}」は途中で切れているか壊れています。元のファイルを写し直してください。"
        )
        raise DataError(problem)


def _is_too_large(entries: list[zipfile.ZipInfo]) -> bool:
    unpacked = sum(entry.file_size for entry in entries)
    return (
        len(entries) > _MOST_ENTRIES
        or unpacked > _MOST_UNPACKED
        or any(
            entry.file_size > max(_SMALL, _MOST_RATIO * entry.compress_size) for entry in entries
        )
    )
