"""SQL over runs: what matched whom, part by part, beside the judgements, in DuckDB.

The views read the files of the run folders themselves, whenever they are asked. Nothing is written
into a run folder, and nothing is fetched.
"""

import re
from collections.abc import Mapping
from pathlib import Path

import duckdb

from matcher.errors import MatcherError
from matcher.offline import DUCKDB
from matcher.run import FILES, MANIFEST, load_run
from matcher.trec import QrelsSource, read_qrels
from matcher.types import Qrels

_LONGEST = 2**24  # bytes of a line that DuckDB reads unless told of longer ones

_TEXTS = "MAP(VARCHAR, VARCHAR)"
_COMPANY = """STRUCT(
    profile VARCHAR, headquarters VARCHAR, regions VARCHAR[], is_area_declared BOOLEAN,
    industry VARCHAR, kind VARCHAR, sdgs INTEGER[], is_sdgs_inferred BOOLEAN, contact VARCHAR)"""
_ENTRY = f"""STRUCT(
    rank BIGINT, company_id VARCHAR, name VARCHAR, score DOUBLE, band VARCHAR,
    parts MAP(VARCHAR, DOUBLE),
    evidence STRUCT(issue_span VARCHAR, company_span VARCHAR, kind VARCHAR, via VARCHAR)[],
    extra {_TEXTS}, company {_COMPANY})"""
_ISSUE = """STRUCT(
    description VARCHAR, municipality_code VARCHAR, sdgs INTEGER[], department VARCHAR,
    deadline VARCHAR, budget VARCHAR)"""
_LINE = {
    **dict.fromkeys(("issue_id", "title", "municipality", "prefecture", "status"), "VARCHAR"),
    "considered": "BIGINT",
    "excluded": "MAP(VARCHAR, BIGINT)",
    "rules": "STRUCT(region VARCHAR, sdgs VARCHAR)",
    "unsearched": "VARCHAR[]",
    "extra": _TEXTS,
    "issue": _ISSUE,
    "entries": f"{_ENTRY}[]",
}
_FACTS = {
    **dict.fromkeys(("time", "encoder", "reader", "bridge", "catalog"), "VARCHAR"),
    **dict.fromkeys(("settings", "options", "counts", "inputs", "libraries", "cpu"), "JSON"),
}
_VIEWS = {
    "issues": """
        SELECT run, issue_id, title, issue.description AS description, municipality,
            issue.municipality_code AS municipality_code, prefecture, issue.sdgs AS sdgs,
            issue.department AS department, issue.deadline AS deadline, issue.budget AS budget,
            extra, status, considered, coalesce(excluded['region'], 0) AS excluded_by_region,
            coalesce(excluded['sdgs'], 0) AS excluded_by_sdgs, rules.region AS region_rule,
            rules.sdgs AS sdg_rule, unsearched
        FROM _lists""",
    "_entries": "SELECT run, issue_id, unnest(entries) AS entry FROM _lists",
    "companies": """
        SELECT DISTINCT ON (run, entry.company_id) run, entry.company_id AS company_id,
            entry.name AS name, entry.company.profile AS profile,
            entry.company.headquarters AS headquarters, entry.company.regions AS regions,
            entry.company.is_area_declared AS is_area_declared,
            entry.company.industry AS industry, entry.company.kind AS kind,
            entry.company.sdgs AS sdgs, entry.company.is_sdgs_inferred AS is_sdgs_inferred,
            entry.company.contact AS contact, entry.extra AS extra
        FROM _entries""",
    "places": """
        SELECT run, issue_id, entry.rank AS rank, entry.company_id AS company_id,
            entry.score AS score, entry.band AS band
        FROM _entries""",
    "parts": """
        SELECT run, issue_id, company_id, one.key AS part, one.value AS value
        FROM (SELECT run, issue_id, entry.company_id AS company_id,
                unnest(map_entries(entry.parts)) AS one
            FROM _entries)""",
    "evidence": """
        SELECT run, issue_id, company_id, number, one.issue_span AS issue_span,
            one.company_span AS company_span, one.kind AS kind, coalesce(one.via, '') AS via
        FROM (SELECT run, issue_id, entry.company_id AS company_id,
                unnest(range(1, len(entry.evidence) + 1)) AS number,
                unnest(entry.evidence) AS one
            FROM _entries)""",
    "judgements": "SELECT * FROM _judgements",
    "judged_places": """
        SELECT places.*, grade
        FROM places LEFT JOIN judgements USING (issue_id, company_id)""",
}


def open_views(
    runs: Mapping[str, Path | str],
    qrels: QrelsSource | None = None,
    *,
    database: Path | str = ":memory:",
) -> duckdb.DuckDBPyConnection:
    """A connection with the runs, each under the name that it has in `runs`, as views.

    - `runs`: name, folder, time, encoder, reader, bridge, catalog, and as JSON settings, options,
      counts, inputs, libraries, cpu, as the manifest tells them
    - `issues`: run, issue_id, title, description, municipality, municipality_code, prefecture,
      sdgs (list), department, deadline, budget, extra (map), status, considered,
      excluded_by_region, excluded_by_sdgs, region_rule, sdg_rule, unsearched (list)
    - `companies`, those that a run shows: run, company_id, name, profile, headquarters, regions
      (list), is_area_declared, industry, kind, sdgs (list), is_sdgs_inferred, contact, extra (map)
    - `places`: run, issue_id, rank, company_id, score, band
    - `parts`: run, issue_id, company_id, part, value
    - `evidence`: run, issue_id, company_id, number (from 1), issue_span, company_span, kind, via
    - `judgements`: issue_id, company_id, grade
    - `judged_places`: run, issue_id, rank, company_id, score, band, grade (NULL: unjudged)

    Ids and codes are text. The folders are verified once, now; a view reads what stands there when
    it is asked. Rows come in no order: say ORDER BY. A `database` file keeps the views, with the
    folders' full paths, and the judgements.

    Raises:
        MatcherError: there is no run, a folder holds none or an edited one, the qrels cannot be
            read, or the database cannot be used or lies in a run folder.
    """
    folders = {name: Path(folder).resolve() for name, folder in runs.items()}
    _check(folders, database)
    for folder in folders.values():
        load_run(folder)
    judged = {} if qrels is None else read_qrels(qrels)
    try:
        connection = duckdb.connect(str(database), config=DUCKDB)
    except duckdb.Error as error:
        raise _unusable(database) from error
    try:
        _define(connection, folders, judged)
    except duckdb.Error as error:
        connection.close()
        raise _unusable(database) from error
    return connection


def _check(folders: Mapping[str, Path], database: Path | str) -> None:
    if not folders:
        message = "実行結果がありません。名前とフォルダーを1つ以上渡してください。"
        raise MatcherError(message)
    if str(database) != ":memory:" and Path(database).resolve().parent in folders.values():
        message = (
            f"データベース {database} は実行結果のフォルダーの中です。別の場所を指定してください。"
        )
        raise MatcherError(message)


def _unusable(database: Path | str) -> MatcherError:
    return MatcherError(
        f"データベース {database} を使えません。DuckDBのファイルで、ほかで開いておらず、"
        f"{'・'.join(['runs', *_VIEWS])} という名前の表がないことを確かめてください。"
    )


def _define(
    connection: duckdb.DuckDBPyConnection, folders: Mapping[str, Path], qrels: Qrels
) -> None:
    """All views or none of them."""
    connection.begin()
    _fill(connection, qrels)
    for name, query in (_base(folders) | _VIEWS).items():
        connection.execute(f"CREATE OR REPLACE VIEW {name} AS {query}")
    connection.commit()


def _fill(connection: duckdb.DuckDBPyConnection, qrels: Qrels) -> None:
    """The table of judgements: they may come from anywhere, so no view can read them."""
    rows = [(issue, company, n) for issue, those in qrels.items() for company, n in those.items()]
    columns = [list(column) for column in zip(*rows, strict=True)] or [[], [], []]
    connection.execute(
        "CREATE OR REPLACE TABLE _judgements AS SELECT unnest(?::VARCHAR[]) AS issue_id, "
        "unnest(?::VARCHAR[]) AS company_id, unnest(?::INTEGER[]) AS grade",
        columns,
    )


def _base(folders: Mapping[str, Path]) -> dict[str, str]:
    """The two views that read files; every other one reads these."""
    manifests = (
        f"SELECT {_text(name)} AS name, {_text(str(folder))} AS folder, * FROM "
        + _read(folder / MANIFEST, "unstructured", _FACTS)
        for name, folder in folders.items()
    )
    lists = (
        f"SELECT {_text(name)} AS run, * FROM "
        + _read(folder / FILES[0], "newline_delimited", _LINE)
        for name, folder in folders.items()
    )
    return {"runs": " UNION ALL ".join(manifests), "_lists": " UNION ALL ".join(lists)}


def _read(path: Path, layout: str, columns: Mapping[str, str]) -> str:
    """The call that reads a file of JSON: one file, whatever its path looks like."""
    one_path = re.sub(r"[*?\[]", r"[\g<0>]", str(path))  # DuckDB takes a path for a pattern
    typed = ", ".join(f"{name}: {_text(kind)}" for name, kind in columns.items())
    with path.open("rb") as file:
        longest = max(_LONGEST, *map(len, file), 0)
    return (
        f"read_json({_text(one_path)}, format = '{layout}', records = true, "
        f"hive_partitioning = false, maximum_object_size = {longest}, columns = {{{typed}}})"
    )


def _text(value: str) -> str:
    """A literal of SQL."""
    return "'" + value.replace("'", "''") + "'"
