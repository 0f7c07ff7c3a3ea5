"""Digests of a table's cells, by which a later look tells what was changed, row by column.

The text of a cell is not in its digest, but whoever guesses a short one (a prefecture, a goal) can
try the guess against it: a manifest is for those who may see the table.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from matcher.columns import clean
from matcher.fields import shown
from matcher.tables import Table
from matcher.types import Fingerprints

_DIGEST = 3  # bytes: an edit goes unseen once in 16 million
_BLANK = "-"
_MOST_ROWS = 50_000  # of a larger table none are kept; these take 5 MB with ten columns
_Digests = tuple[str, ...]
_Row = tuple[str, _Digests]  # its id, or its place where it has none


@dataclass(frozen=True, slots=True, kw_only=True)
class Edits:
    """What is different in a table, by the ids of rows and the headers of columns."""

    cells: tuple[tuple[str, str, str], ...] = ()  # id then, column, id now
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    columns_added: tuple[str, ...] = ()
    columns_removed: tuple[str, ...] = ()


def fingerprint(table: Table, ids: Mapping[int, str]) -> Fingerprints | None:
    """The headers, and for each row a digest of every cell, then its id, in the table's order.

    `ids` are those of the rows by their number; a row without one goes by its number. None for a
    table of more than 50,000 rows.
    """
    if len(table.rows) > _MOST_ROWS:
        return None
    rows = (
        (*map(_digest, row.cells), shown(ids.get(row.number, "")) or f"{row.number}行目")
        for row in table.rows
    )
    return {"columns": _names(table.header), "rows": [" ".join(row) for row in rows]}


def edits(then: Fingerprints, now: Fingerprints) -> Edits:
    """What was changed between two states of a table; the order of rows and columns says nothing.

    A row whose id is another, or comes from its content, is known by all its other cells. Raises
    ValueError where one of the two is not what `fingerprint` gave.
    """
    common = [name for name in now["columns"] if name in then["columns"]]
    gone, new = _unmatched(_rows(then, common), _rows(now, common))
    pairs: list[tuple[_Row, _Row]] = []
    for keys in (_id_of, _all_but_one):
        found, gone, new = _paired(gone, new, keys)
        pairs += found
    return Edits(
        cells=tuple(
            (former, name, label)
            for (former, old), (label, fresh) in pairs
            for name, one, other in zip(common, old, fresh, strict=True)
            if one != other
        ),
        added=tuple(label for label, _ in new),
        removed=tuple(label for label, _ in gone),
        columns_added=tuple(name for name in now["columns"] if name not in common),
        columns_removed=tuple(name for name in then["columns"] if name not in common),
    )


def _digest(cell: str) -> str:
    content = clean(cell).encode(errors="surrogatepass")
    return hashlib.blake2b(content, digest_size=_DIGEST).hexdigest() if content else _BLANK


def _names(header: Iterable[str]) -> list[str]:
    """A name for each column, as written; a nameless one, or the second of a name, by its place."""
    names: list[str] = []
    for at, written in enumerate(header, start=1):
        name = shown(clean(written))
        names.append(f"{name}（{at}列目）" if not name or name in names else name)
    return names


def _rows(known: Fingerprints, names: Sequence[str]) -> list[_Row]:
    """Each row with the digests of the columns of these names."""
    places = {name: at for at, name in enumerate(known["columns"])}
    split = [row.split(" ", len(known["columns"])) for row in known["rows"]]
    if any(len(parts) != len(known["columns"]) + 1 for parts in split):
        message = "a row of other columns than the header tells"
        raise ValueError(message)
    return [(parts[-1], tuple(parts[places[name]] for name in names)) for parts in split]


def _unmatched(then: list[_Row], now: list[_Row]) -> tuple[list[_Row], list[_Row]]:
    """The rows of either side that the other has not: by id and cells, then by all cells alone."""
    for same in (lambda row: row, lambda row: row[1]):
        shared = Counter(map(same, then)) & Counter(map(same, now))
        then, now = (list(_without(side, shared, same)) for side in (then, now))
    return then, now


def _without(
    rows: list[_Row], shared: Counter[Hashable], same: Callable[[_Row], Hashable]
) -> Iterator[_Row]:
    left = shared.copy()
    for row in rows:
        if left[same(row)]:
            left[same(row)] -= 1
        else:
            yield row


def _paired(
    gone: list[_Row], new: list[_Row], keys: Callable[[_Row], Iterable[Hashable]]
) -> tuple[list[tuple[_Row, _Row]], list[_Row], list[_Row]]:
    """Pairs of rows that share a key; then those of either side that are left."""
    places: dict[Hashable, list[int]] = defaultdict(list)
    for at, row in enumerate(gone):
        for key in keys(row):
            places[key].append(at)
    left = dict(enumerate(gone))
    pairs, alone = [], []
    for row in new:
        met = next((at for key in keys(row) for at in places[key] if at in left), None)
        if met is None:
            alone.append(row)
        else:
            pairs.append((left.pop(met), row))
    return pairs, list(left.values()), alone


def _id_of(row: _Row) -> Iterable[Hashable]:
    return [row[0]]


def _all_but_one(row: _Row) -> Iterator[Hashable]:
    """What the cells say without each of them, where they still say something."""
    cells = row[1]
    for at in range(len(cells)):
        rest = (*cells[:at], *cells[at + 1 :])
        if set(rest) - {_BLANK}:
            yield at, rest
