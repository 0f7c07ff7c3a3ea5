"""Where the header of a table is: below titles, in one row or in two, under any spelling."""

import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from matcher.tables.grid import Record

DEPTH = 20  # titles and dates stand above the header of many municipal tables

_DECORATION = re.compile(r"[\s_\-‐ー*※]+|[(\[【〔<]\s*(?:必須|任意)\s*[)\]】〕>]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """The names of the columns as written, "" for none, and the rows that they stand in."""

    names: tuple[str, ...]
    rows: tuple[int, ...]  # one or two, as a spreadsheet shows them
    behind: int  # how many records, from the first, it and what is above it take


def fold_header(text: str) -> str:
    """A header as headers are compared: width, case, blanks, `_` and （必須） do not matter."""
    return _DECORATION.sub("", unicodedata.normalize("NFKC", text).casefold())


def missing(cells: Sequence[str], required: Mapping[str, Collection[str]]) -> list[str]:
    """The required columns that a header lacks."""
    seen = set(map(fold_header, cells))
    return [
        name for name, accepted in required.items() if seen.isdisjoint(map(fold_header, accepted))
    ]


def find_header(
    head: Sequence[Record], required: Mapping[str, Collection[str]], known: Collection[str] = ()
) -> Header | None:
    """The first row among the first few that has every required column, or else the first two rows.

    `known` are all headers that mean something: by them the row above or below a header is told
    from a title and from data. Without `required` the first row that is not blank is the header.
    """
    folded = frozenset(map(fold_header, known))
    near = head[:DEPTH]
    for at, (_, cells) in enumerate(near):
        if is_filled(cells) and not missing(cells or (), required):
            return _with_neighbours(head, at, required, folded)
    for at, (top, below) in enumerate(zip(near, head[1:], strict=False)):
        names = _joined(top[1] or [], below[1] or [], folded)
        if not missing(names, required) and required and top[0] + 1 == below[0]:
            return Header(names=names, rows=(top[0], below[0]), behind=at + 2)
    return None


def is_filled(cells: Sequence[str] | None) -> bool:
    """Whether any cell of a record says something."""
    return bool(cells) and any(cell.strip() for cell in cells or ())


def trimmed(cells: Sequence[str]) -> list[str]:
    """The cells without the blank ones at the end."""
    end = len(cells)
    while end and not cells[end - 1].strip():
        end -= 1
    return list(cells[:end])


def _with_neighbours(
    head: Sequence[Record],
    at: int,
    required: Mapping[str, Collection[str]],
    known: Collection[str],
) -> Header:
    """The header at this place, with names that its merged cells left in the row next to it."""
    number, cells = head[at]
    names = trimmed(cells or ())
    above = _neighbour(head, at - 1, number - 1)
    is_below = any(
        fold_header(name) in known and not "".join(names[k : k + 1]).strip()
        for k, name in enumerate(above)
    )
    if is_below:
        return Header(names=_joined(above, names, known), rows=(number - 1, number), behind=at + 1)
    below = _neighbour(head, at + 1, number + 1)
    if _continues(names, below, required, known):
        return Header(names=_joined(names, below, known), rows=(number, number + 1), behind=at + 2)
    return Header(names=tuple(names), rows=(number,), behind=at + 1)


def _neighbour(head: Sequence[Record], at: int, number: int) -> list[str]:
    """The cells of the record at this place; none where it is not the row of this number."""
    if not 0 <= at < len(head) or head[at][0] != number:
        return []
    return trimmed(head[at][1] or ())


def _continues(
    names: Sequence[str],
    below: Sequence[str],
    required: Mapping[str, Collection[str]],
    known: Collection[str],
) -> bool:
    """Whether a row goes on with the header: it names columns, and would be no record anyway."""
    needed = {fold_header(name) for accepted in required.values() for name in accepted}
    named = {k for k, cell in enumerate(below) if cell.strip()}
    if any(k in named for k, name in enumerate(names) if fold_header(name) in needed):
        return False
    return any(fold_header(below[k]) in known for k in named)


def _joined(top: Sequence[str], below: Sequence[str], known: Collection[str]) -> tuple[str, ...]:
    """The names of two rows: the lower where it means something, else behind that of its group."""
    names: list[str] = []
    group = ""
    for k in range(max(len(top), len(below))):
        upper, lower = ("".join(row[k : k + 1]).strip() for row in (top, below))
        group = upper or group
        is_known = fold_header(lower) in known or not group
        names.append((lower if is_known else f"{group} {lower}") if lower else upper)
    return tuple(names)
