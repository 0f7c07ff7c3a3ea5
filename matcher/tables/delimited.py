"""Delimited text as grids: one for each encoding that fits and each delimiter that occurs.

Lines are read as they are asked for, so a text may be larger than memory.
"""

import csv
from collections import deque
from collections.abc import Iterator
from typing import BinaryIO

from matcher.tables.encodings import encodings_of, lines
from matcher.tables.grid import Grid, Record

_DELIMITERS = ",\t;"
_LONGEST_CELL = 2**31 - 1  # csv stops at 131,072 characters by itself
_MOST_LINES = 100_000  # of one record; a quote that is never closed would take in the whole file


def grids(source: str, file: BinaryIO) -> Iterator[Grid]:
    """The text in each encoding, cut by the delimiter that its first line uses most, then others.

    Raises `DataError` where no encoding fits.
    """
    for encoding in encodings_of(source, file):
        first = next((line for line in lines(file, encoding) if line.strip()), "")
        order = sorted(_DELIMITERS, key=lambda delimiter: -first.count(delimiter))
        used = [delimiter for delimiter in order if delimiter in first]
        for delimiter in [*used, *(one for one in order if one not in used)]:
            records = _records(lines(file, encoding), delimiter)
            yield Grid(encoding=encoding, is_cut=True, records=records)


def _records(text: Iterator[str], delimiter: str) -> Iterator[Record]:
    """The records of delimited text. A stray quote costs its own line, not all that follow."""
    feed = _Feed(text)
    limit = csv.field_size_limit(_LONGEST_CELL)
    number = 0
    try:
        while not feed.is_empty:
            try:
                for cells in csv.reader(feed, delimiter=delimiter, strict=True):
                    feed.keep()
                    number += 1
                    yield number, cells
            except csv.Error:
                feed.skip_one()
                number += 1
                yield number, None
    finally:
        csv.field_size_limit(limit)


class _Feed:
    """Lines for a reader that may stumble: all but the first of what it took can be had again."""

    def __init__(self, text: Iterator[str]) -> None:
        self._text = text
        self._again: deque[str] = deque()
        self._taken: deque[str] = deque()  # for the record that is being read
        self.is_empty = False

    def __iter__(self) -> "_Feed":
        return self

    def __next__(self) -> str:
        if len(self._taken) == _MOST_LINES:
            raise csv.Error("a record without an end")
        try:
            line = self._again.popleft() if self._again else next(self._text)
        except StopIteration:
            self.is_empty = True
            raise
        self._taken.append(line)
        return line

    def keep(self) -> None:
        """The record is whole: its lines are done with."""
        self._taken.clear()

    def skip_one(self) -> None:
        """The record is spoilt: its first line is done with, the others are read once more."""
        self._taken.popleft()
        self._again.extendleft(reversed(self._taken))
        self._taken.clear()
        self.is_empty = False
