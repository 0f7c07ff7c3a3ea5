"""A workbook told line by line, by a process of its own.

A workbook is taken apart by a parser that a hostile or broken file can crash, or make ask for
hundreds of gigabytes: one cell in the last corner of a sheet is enough. So this file is run as a
script, beside the program, with a limit on memory and time; it imports nothing of ours. It reads
the workbook from standard input and writes JSON lines: for each sheet `{"sheet", "hidden",
"spans"}`, then `[row, [cell, …]]` for each row that is not blank; at last `{"end": …}`.
"""

import io
import json
import sys
from collections.abc import Callable, Iterator
from datetime import date, datetime, time

import python_calamine

_MEMORY = 4 * 2**30  # bytes of address space
_SECONDS, _SECONDS_PER_MIB = 3, 3  # of processor time; a large workbook takes a tenth of it
_LETTERS, _RATIO = 10_000_000, 100  # told at most, and for each byte of the workbook beside

Message = dict[str, object] | tuple[int, list[str]]


def cell_text(value: object) -> str:
    """A value as text: no `.0` behind a number, a date in ISO form, a list set apart by 、."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, float) and value != value:  # NaN: no number was written
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == time() else value.isoformat(" ")
    if isinstance(value, list | tuple):
        return "、".join(map(cell_text, value))
    return value.isoformat() if isinstance(value, date | time) else str(value)


def messages(data: bytes) -> Iterator[Message]:
    """What is told of a workbook; the end is `ok`, `broken` or `large`.

    An ODS of two kilobytes can say of a row that it stands there a million times.
    """
    left = _LETTERS + _RATIO * len(data)
    try:
        for message in _sheets(data):
            left -= sum(len(cell) + 1 for cell in message[1]) if isinstance(message, tuple) else 0
            if left < 0:
                break
            yield message
        end = "ok" if left >= 0 else "large"
    except BaseException as error:
        # A panic of the Rust reader is no Exception; an interrupt is none either, and passes.
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        end = "broken"
    yield {"end": end}


def _sheets(data: bytes) -> Iterator[Message]:
    book = python_calamine.load_workbook(io.BytesIO(data))
    for meta in book.sheets_metadata:
        if meta.typ != python_calamine.SheetTypeEnum.WorkSheet:
            continue
        sheet = book.get_sheet_by_name(meta.name)
        yield {
            "sheet": meta.name,
            "hidden": meta.visible != python_calamine.SheetVisibleEnum.Visible,
            "spans": [
                [top + 1, left, bottom + 1, right]
                for (top, left), (bottom, right) in sheet.merged_cell_ranges or ()
            ],
        }
        yield from _rows(sheet)


def _rows(sheet: python_calamine.CalamineSheet) -> Iterator[Message]:
    """The rows that say something, by their number, without the blank cells at their ends."""
    _, left = sheet.start or (0, 0)
    blank = [""] * left  # rows are told from the first of the sheet, cells from the first used
    for number, row in enumerate(sheet.iter_rows(), start=1):
        end = len(row)
        while end and row[end - 1] in ("", None):
            end -= 1
        if end:
            yield number, blank + [cell_text(cell) for cell in row[:end]]


def tell(data: bytes, write: Callable[[str], object]) -> None:
    """Write what is told of a workbook as JSON lines, in ASCII."""
    for message in messages(data):
        write(json.dumps(message) + "\n")


def _limit(size: int) -> None:
    """Bound memory and time for a workbook of so many bytes, where the system can."""
    if sys.platform != "win32":
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        seconds = _SECONDS + _SECONDS_PER_MIB * size // 2**20
        for kind, most in ((resource.RLIMIT_AS, _MEMORY), (resource.RLIMIT_CPU, seconds)):
            _, hard = resource.getrlimit(kind)
            is_free = hard == resource.RLIM_INFINITY or hard > most
            resource.setrlimit(kind, (most, hard) if is_free else (hard, hard))


if __name__ == "__main__":
    content = sys.stdin.buffer.read()
    _limit(len(content))
    tell(content, sys.stdout.write)
