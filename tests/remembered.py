"""What encoder and reader gave once in a run of the tests, for every process of that run.

A vector depends on its text alone and a probability on its pair, as tests of their own show: what
one worker or notebook has computed, no other need compute again.
"""

import hashlib
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np

_AT_ONCE = 500  # keys of a query


class Store:
    """Rows of numbers by kind and text, in a file that several processes write."""

    def __init__(self, path: Path | str) -> None:
        self._path = str(path)
        with closing(self._connect()) as connection, connection:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("CREATE TABLE IF NOT EXISTS known (key BLOB PRIMARY KEY, row BLOB)")

    def recall(
        self, kind: str, texts: Sequence[str], compute: Callable[[list[str]], np.ndarray]
    ) -> np.ndarray:
        """A row for each text, float64; only what nobody has computed yet is computed."""
        keys = {text: hashlib.sha256(f"{kind}\0{text}".encode()).digest() for text in set(texts)}
        known = self._read(list(keys.values()))
        fresh = sorted(text for text, key in keys.items() if key not in known)
        if fresh:
            rows = np.asarray(compute(fresh), dtype=np.float64).reshape(len(fresh), -1)
            found = {keys[text]: row.tobytes() for text, row in zip(fresh, rows, strict=True)}
            with closing(self._connect()) as connection, connection:
                connection.executemany("INSERT OR IGNORE INTO known VALUES (?, ?)", found.items())
            known |= found
        return np.array([np.frombuffer(known[keys[text]]) for text in texts])

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(self._path, timeout=120)

    def _read(self, keys: list[bytes]) -> dict[bytes, bytes]:
        known: dict[bytes, bytes] = {}
        with closing(self._connect()) as connection:
            for start in range(0, len(keys), _AT_ONCE):
                some = keys[start : start + _AT_ONCE]
                asked = f"SELECT key, row FROM known WHERE key IN ({','.join('?' * len(some))})"
                known |= dict(connection.execute(asked, some).fetchall())
        return known


class StoredEncoder:
    """An encoder whose vectors are kept for the whole run."""

    def __init__(self, encoder, store: Store) -> None:
        self.id, self.dim, self.pieces = encoder.id, encoder.dim, encoder.pieces
        self._encoder, self._store = encoder, store

    def encode_queries(self, texts, *, advance=None):
        return self._recall("query", texts, self._encoder.encode_queries)

    def encode_documents(self, texts, *, advance=None):
        return self._recall("document", texts, self._encoder.encode_documents)

    def _recall(self, side, texts, encode):
        found = self._store.recall(f"{self.id} {side}", texts, encode)
        return found.astype(np.float32).reshape(-1, self.dim)


class StoredReader:
    """A reader whose probabilities are kept for the whole run."""

    def __init__(self, reader, store: Store) -> None:
        self.id, self._reader, self._store = reader.id, reader, store

    def read(self, pairs, *, advance=None):
        return recall_pairs(self._store, self.id, pairs, self._reader.read)


def recall_pairs(store, kind, pairs, read):
    """A probability for each pair."""
    by_key = {f"{query}\0{document}": (query, document) for query, document in pairs}
    keys = [f"{query}\0{document}" for query, document in pairs]
    found = store.recall(kind, keys, lambda fresh: read([by_key[key] for key in fresh]))
    return found.reshape(-1)


def install(path: str) -> None:
    """In this process everything bundled remembers: for a notebook, whose encoder is its own."""
    from matcher.embed.bundled import BundledEncoder
    from matcher.embed.reader import BundledReader

    store, encode, read = Store(path), BundledEncoder._encode, BundledReader.read

    def encoded(self, texts, prompt, advance):
        found = store.recall(
            self.id + prompt, texts, lambda fresh: encode(self, fresh, prompt, None)
        )
        return found.astype(np.float32).reshape(-1, self.dim)

    BundledEncoder._encode = encoded
    BundledReader.read = lambda self, pairs, *, advance=None: recall_pairs(
        store, self.id, pairs, lambda fresh: read(self, fresh)
    )
