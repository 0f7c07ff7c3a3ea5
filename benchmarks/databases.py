"""Embedded databases as peers of the product's search (see `peers.py`): all in this process.

DuckDB, SQLite with sqlite-vec and Chroma keep everything in memory, LanceDB in a temporary folder.
Rows go in with the columns that suit each filter best.
"""

import shutil
import tempfile
import weakref
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray
from peers import VALUES, Clause, Column, Contestant, Peer, clauses, columns, grid, holds

from matcher.types import Constraint, Rows, Vectors

if TYPE_CHECKING:
    from corpora import Corpus

_PART = 5000  # rows that go in at once; Chroma takes no more than 5,461
_SERIAL = count()  # Chroma's collections of one process share their names


@dataclass(frozen=True, slots=True, eq=False)
class DuckDB(Peer):
    """DuckDB: a Boolean column for each prefecture and goal, twice as fast as tests of bits."""

    connection: Any
    dim: int
    form: Literal["order", "arg_max"] = "arg_max"
    tuned = ("form",)

    @classmethod
    def build(cls, corpus: "Corpus", threads: int = 1) -> "DuckDB":
        """The table, in memory."""
        import duckdb

        closed = {"autoinstall_known_extensions": False, "temp_directory": ""}
        connection = duckdb.connect(config={"threads": threads, **closed})
        dim = corpus.vectors.shape[1]
        flags = flag_columns(corpus)
        typed = (
            f"{name} {'BOOLEAN' if flags[name].dtype == bool else 'UTINYINT'}" for name in flags
        )
        connection.execute(
            f"CREATE TABLE companies (row INTEGER, {', '.join(typed)}, vector FLOAT[{dim}])"
        )
        axes = ", ".join(f"v{axis}" for axis in range(dim))
        for part in parts(corpus):
            # Registered one axis a column: DuckDB takes no matrix from numpy.
            values = {f"v{axis}": corpus.vectors[part, axis].copy() for axis in range(dim)}
            table = {"row": rows_of(part), **{n: f[part] for n, f in flags.items()}, **values}
            connection.register("part", table)
            connection.execute(
                f"INSERT INTO companies SELECT row, {', '.join(flags)}, array_value({axes}) "
                "FROM part"
            )
            connection.unregister("part")
        return cls("DuckDB", connection, dim)

    def search(self, vector: Vectors, constraint: Constraint, k: int) -> Rows:
        """All rows that are best: exact."""
        score = f"array_inner_product(vector, ?::FLOAT[{self.dim}])"
        rows = f"FROM companies WHERE {condition(constraint)}"
        if self.form == "arg_max":
            query = f"SELECT unnest(arg_max(row, {score}, {k})) AS row {rows}"
        else:
            query = f"SELECT row {rows} ORDER BY {score} DESC LIMIT {k}"
        found = self.connection.execute(query, [vector.tolist()]).fetchnumpy()
        return np.asarray(found["row"], dtype=np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class SqliteVec(Peer):
    """sqlite-vec: its vec0 table with `rowid IN`, or its distance over a plain table.

    vec0's own metadata columns know no tests of bits and are sixteen at most, so what is filtered
    by lies in a narrow table beside. Euclidean distance orders unit vectors as products do, and is
    cheaper than its cosine.
    """

    connection: Any
    form: Literal["vec0", "join"] = "vec0"
    tuned = ("form",)

    @classmethod
    def build(cls, corpus: "Corpus", threads: int = 1) -> "SqliteVec":
        """The tables, in memory; it knows one thread only."""
        import apsw  # Python's own sqlite3 is often built without extensions
        import sqlite_vec

        connection = apsw.Connection(":memory:")
        connection.enable_load_extension(True)
        connection.load_extension(sqlite_vec.loadable_path())
        dim = corpus.vectors.shape[1]
        connection.execute(
            "CREATE TABLE facets "
            "(row INTEGER PRIMARY KEY, headquarters INT, block INT, serves INT, goals INT)"
        )
        connection.execute("CREATE TABLE plain (row INTEGER PRIMARY KEY, vector BLOB)")
        connection.execute(
            f"CREATE VIRTUAL TABLE vectors USING vec0(vector float[{dim}] distance_metric=L2)"
        )
        held = columns(corpus)
        names: tuple[Column, ...] = ("headquarters", "block", "serves", "goals")
        rows = range(len(corpus.vectors))
        with connection:
            connection.executemany(
                "INSERT INTO facets VALUES (?, ?, ?, ?, ?)",
                zip(rows, *(held[name].tolist() for name in names), strict=True),
            )
            for table, key in (("plain", "row"), ("vectors", "rowid")):
                blobs = ((row, corpus.vectors[row].tobytes()) for row in rows)
                connection.executemany(f"INSERT INTO {table} ({key}, vector) VALUES (?, ?)", blobs)
        return cls("sqlite-vec", connection)

    def search(self, vector: Vectors, constraint: Constraint, k: int) -> Rows:
        """All rows that are best: exact."""
        allowed = " AND ".join(map(self._tested, clauses(constraint))) or "TRUE"
        if self.form == "vec0":
            query = (
                f"SELECT rowid FROM vectors WHERE vector MATCH ? AND k = {k} "
                f"AND rowid IN (SELECT row FROM facets WHERE {allowed}) ORDER BY distance"
            )
        else:
            query = (
                f"SELECT row FROM facets JOIN plain USING (row) WHERE {allowed} "
                f"ORDER BY vec_distance_L2(vector, ?) LIMIT {k}"
            )
        found = self.connection.execute(query, (vector.tobytes(),))
        return np.array([row for (row,) in found], dtype=np.int64)

    @staticmethod
    def _tested(clause: Clause) -> str:
        if clause.column in ("headquarters", "block"):
            return f"{clause.column} = {clause.values[0]}"
        word, are_all = clause.word
        return f"{clause.column} & {word} {f'= {word}' if are_all else '<> 0'}"


@dataclass(frozen=True, slots=True, eq=False)
class LanceDB(Peer):
    """LanceDB: the filter first, from a bitmap index on each column; exact, or by its IVF_FLAT.

    Its SQL has no tests of bits; lists with a LABEL_LIST index were half as fast. Of its vector
    indexes IVF_FLAT was the fastest at full recall (IVF_PQ stays at 0.9).
    """

    table: Any
    nprobe: int = 0  # 0: exact
    tuned = ("nprobe",)

    @classmethod
    def build(cls, corpus: "Corpus", threads: int = 1) -> "LanceDB":
        """The table in a folder that goes with it; threads are those of the environment."""
        import lancedb
        import pyarrow
        from lancedb.index import Bitmap, IvfFlat

        folder = tempfile.mkdtemp(prefix="lancedb-")
        dim = corpus.vectors.shape[1]
        flat = pyarrow.array(corpus.vectors.reshape(-1))
        flags = flag_columns(corpus)
        held = pyarrow.table(
            {
                "row": np.arange(len(corpus.vectors)),
                **flags,
                "vector": pyarrow.FixedSizeListArray.from_arrays(flat, dim),
            }
        )
        table = lancedb.connect(folder).create_table("companies", held)
        weakref.finalize(table, shutil.rmtree, folder, ignore_errors=True)
        for name in flags:
            table.create_index(name, config=Bitmap())
        lists = 2 ** round(np.log2(np.sqrt(len(corpus.vectors))))
        table.create_index("vector", config=IvfFlat(distance_type="dot", num_partitions=lists))
        return cls("LanceDB", table)

    def search(self, vector: Vectors, constraint: Constraint, k: int) -> Rows:
        """Exact without lists; with them, the best of those nearest and as many more as k needs."""
        query = self.table.search(vector).distance_type("dot")
        query = query.where(condition(constraint), prefilter=True)
        if self.nprobe:
            query = query.minimum_nprobes(self.nprobe).maximum_nprobes(0)
        else:
            query = query.bypass_vector_index()
        found = query.select(["row", "_distance"]).limit(k).to_arrow()
        return found["row"].to_numpy().astype(np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class Chroma(Peer):
    """Chroma: `where` over metadata that are lists, half again as fast as a flag a value."""

    collection: Any

    @classmethod
    def build(cls, corpus: "Corpus", threads: int = 1, ef: int = 200) -> "Chroma":
        """The collection, in memory; threads are those of the environment."""
        import chromadb
        from chromadb.config import Settings

        client = chromadb.EphemeralClient(Settings(anonymized_telemetry=False))
        graph = {"space": "ip", "ef_construction": 200, "max_neighbors": 32, "ef_search": ef}
        collection = client.create_collection(
            f"companies-{next(_SERIAL)}",
            embedding_function=None,  # its own would be fetched from the network
            configuration={"hnsw": graph},
        )
        held = columns(corpus)
        for part in parts(corpus):
            rows = rows_of(part).tolist()
            collection.add(
                ids=list(map(str, rows)),
                embeddings=corpus.vectors[part],
                metadatas=[_metadata({n: int(held[n][row]) for n in held}) for row in rows],
            )
        return cls(f"Chroma, ef {ef}", collection)

    def search(self, vector: Vectors, constraint: Constraint, k: int) -> Rows:
        """What Chroma finds."""
        asked = [_asked(clause) for clause in clauses(constraint)]
        where = asked[0] if len(asked) == 1 else {"$and": asked} if asked else None
        found = self.collection.query(
            query_embeddings=[vector], n_results=k, where=where, include=[]
        )
        return np.array(found["ids"][0], dtype=np.int64)


def flag_columns(corpus: "Corpus") -> dict[str, NDArray[Any]]:
    """`serves_23`, `goals_3` and their like as Booleans; head office and block as numbers."""
    held = columns(corpus)
    flags = {
        f"{column}_{value}": holds(held[column], Clause(column, (value,)))
        for column in ("serves", "goals")
        for value in VALUES[column]
    }
    return {"headquarters": held["headquarters"], "block": held["block"], **flags}


def condition(constraint: Constraint) -> str:
    """SQL over `flag_columns`."""

    def tested(clause: Clause) -> str:
        if clause.column in ("headquarters", "block"):
            return f"{clause.column} = {clause.values[0]}"
        joined = " AND " if clause.rule == "all" else " OR "
        return f"({joined.join(f'{clause.column}_{value}' for value in clause.values)})"

    return " AND ".join(map(tested, clauses(constraint))) or "TRUE"


def parts(corpus: "Corpus") -> Iterator[slice]:
    """The corpus in slices."""
    size = len(corpus.vectors)
    return (slice(at, min(at + _PART, size)) for at in range(0, size, _PART))


def rows_of(part: slice) -> Rows:
    """The rows of a slice."""
    return np.arange(part.start, part.stop)


def _metadata(values: Mapping[str, int]) -> dict[str, Any]:
    """A row's metadata; who serves all prefectures has the one value 0."""

    def members(word: int) -> list[int]:
        return [bit for bit in range(1, 48) if word >> bit & 1]

    serves = members(values["serves"])
    found = {"serves": [0] if len(serves) == 47 else serves, "goals": members(values["goals"])}
    kept = {name: held for name, held in found.items() if held}  # it takes no empty list
    return {"headquarters": values["headquarters"], "block": values["block"], **kept}


def _asked(clause: Clause) -> dict[str, Any]:
    """A clause in Chroma's words."""
    if clause.column in ("headquarters", "block"):
        return {clause.column: clause.values[0]}
    values = clause.values
    if clause.column == "serves":
        values = tuple(sorted({0, *values}))
    asked: list[dict[str, Any]] = [{clause.column: {"$contains": value}} for value in values]
    if len(asked) == 1:
        return asked[0]
    return {"$and" if clause.rule == "all" else "$or": asked}


CONTESTANTS = (
    Contestant(
        label="DuckDB",
        packages=("duckdb",),
        build=DuckDB.build,
        grid=grid(form=("arg_max", "order")),
        is_exact=True,
    ),
    Contestant(
        label="sqlite-vec",
        packages=("sqlite_vec", "apsw"),
        build=SqliteVec.build,
        grid=grid(form=("vec0", "join")),
        is_exact=True,
    ),
    Contestant(
        label="LanceDB, exact", packages=("lancedb", "pyarrow"), build=LanceDB.build, is_exact=True
    ),
    Contestant(
        label="LanceDB, IVF_FLAT",
        packages=("lancedb", "pyarrow"),
        build=LanceDB.build,
        grid=grid(nprobe=(4, 16, 64, 256)),
    ),
    Contestant(label="Chroma", packages=("chromadb",), build=Chroma.build),
)
