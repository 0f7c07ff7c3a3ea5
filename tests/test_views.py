"""The views tell what the run folders hold: row for row, value for value."""

import math

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from report_examples import ALL, COOP, FULL, RANKED, entry, shortlist

from matcher.errors import DataError, MatcherError
from matcher.run import load_run, write_run
from matcher.types import Company, Constraint, Entry, Evidence, Issue, Shortlist
from matcher.views import open_views

COLUMNS = {
    "runs": (
        "name folder time encoder reader bridge catalog settings options counts inputs "
        "libraries cpu"
    ),
    "issues": (
        "run issue_id title description municipality municipality_code prefecture sdgs department "
        "deadline budget extra status considered excluded_by_region excluded_by_sdgs region_rule "
        "sdg_rule unsearched"
    ),
    "companies": (
        "run company_id name profile headquarters regions is_area_declared industry kind sdgs "
        "is_sdgs_inferred contact extra"
    ),
    "places": "run issue_id rank company_id score band",
    "parts": "run issue_id company_id part value",
    "evidence": "run issue_id company_id number issue_span company_span kind via",
    "judgements": "issue_id company_id grade",
    "judged_places": "run issue_id rank company_id score band grade",
}
FACTS = {
    "time": "2026-04-01T09:00:00+00:00",
    "encoder": "e5",
    "reader": None,
    "settings": {"dense_weight": 1.5},
    "options": {"top": 10},
}


@pytest.fixture
def folder(tmp_path):
    write_run(tmp_path / "out", ALL, [], FACTS)
    return tmp_path / "out"


def rows(connection, query):
    """What a query gives, each row by the names of its columns."""
    found = connection.execute(query)
    names = [name for name, *_ in found.description]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def files(folder):
    return {p.name: (p.read_bytes(), p.stat().st_mtime_ns) for p in folder.rglob("*")}


# What each view should hold, from the run as it is loaded


def issue_row(run, one):
    issue = one.issue
    return {
        "run": run,
        **{name: getattr(issue, name) for name in COLUMNS["issues"].split()[1:11]},
        "sdgs": sorted(issue.sdgs),
        "extra": dict(issue.extra),
        "status": one.status,
        "considered": one.considered,
        "excluded_by_region": one.excluded.get("region", 0),
        "excluded_by_sdgs": one.excluded.get("sdgs", 0),
        "region_rule": one.constraint.region_rule,
        "sdg_rule": one.constraint.sdg_rule,
        "unsearched": list(one.unsearched),
    }


def company_row(run, company):
    plain = {name: getattr(company, name) for name in COLUMNS["companies"].split()[1:]}
    lists = {"regions": sorted(company.regions), "sdgs": sorted(company.sdgs)}
    return {"run": run} | plain | lists | {"extra": dict(company.extra)}


def expected(runs, qrels):
    found = {name: [] for name in COLUMNS if name not in ("runs", "judgements")}
    for run, lists in runs.items():
        companies = {}
        for one in lists:
            found["issues"].append(issue_row(run, one))
            for place in one.entries:
                company_id = place.company.company_id
                companies[company_id] = place.company
                key = {"run": run, "issue_id": one.issue.issue_id, "company_id": company_id}
                row = key | {"rank": place.rank, "score": place.score, "band": place.band}
                found["places"].append(row)
                grade = qrels.get(one.issue.issue_id, {}).get(company_id)
                found["judged_places"].append(row | {"grade": grade})
                found["parts"] += [key | {"part": p, "value": v} for p, v in place.parts.items()]
                for number, span in enumerate(place.evidence, start=1):
                    quoted = {n: getattr(span, n) for n in COLUMNS["evidence"].split()[4:]}
                    found["evidence"].append(key | {"number": number} | quoted)
        found["companies"] += [company_row(run, company) for company in companies.values()]
    return found


def same(found, wanted):
    def key(row):
        return str(sorted(row.items(), key=lambda item: item[0]))

    return sorted(found, key=key) == sorted(wanted, key=key)


def check(connection, runs, qrels):
    for name, wanted in expected(runs, qrels).items():
        assert same(rows(connection, f"SELECT * FROM {name}"), wanted), name


# Rows


@pytest.mark.parametrize("name", COLUMNS)
def test_view_has_the_columns_that_it_is_documented_with(folder, name):
    with open_views({"a": folder}) as connection:
        found = [column for column, *_ in connection.execute(f"FROM {name}").description]
    assert found == COLUMNS[name].split()
    told = open_views.__doc__.split(f"- `{name}`")[1].split("- `")[0]
    assert [column for column in found if column not in told] == []


def test_rows_are_those_of_the_runs(tmp_path, folder):
    write_run(tmp_path / "other", [FULL], [], {})
    qrels = {"0017": {"0123456789012": 3, "absent": 0}, "elsewhere": {"0123456789012": 1}}
    runs = {"甲": folder, "乙": str(tmp_path / "other")}
    with open_views(runs, qrels) as connection:
        check(connection, {name: load_run(path).shortlists for name, path in runs.items()}, qrels)
        told = rows(connection, "SELECT * FROM judgements ORDER BY ALL")
    assert told == [
        {"issue_id": "0017", "company_id": "0123456789012", "grade": 3},
        {"issue_id": "0017", "company_id": "absent", "grade": 0},
        {"issue_id": "elsewhere", "company_id": "0123456789012", "grade": 1},
    ]


def test_runs_tell_what_their_manifests_say(tmp_path, folder):
    write_run(tmp_path / "b", [], [], {})
    with open_views({"a": folder, "b": tmp_path / "b"}) as connection:
        one, other = rows(connection, "SELECT * FROM runs ORDER BY name")
        (weight,) = connection.execute(
            "SELECT (settings->>'dense_weight')::DOUBLE FROM runs WHERE name = 'a'"
        ).fetchone()
    assert one["folder"] == str(folder.resolve())
    assert {name: one[name] for name in ("time", "encoder", "reader")} == {
        name: FACTS[name] for name in ("time", "encoder", "reader")
    }
    assert weight == 1.5
    assert other == dict.fromkeys(COLUMNS["runs"].split()) | {
        "name": "b", "folder": str(tmp_path / "b"),
    }  # fmt: skip


TEXTS = st.text(st.characters(exclude_categories=("Cs",)), max_size=8)
NUMBERS = st.floats(-1e6, 1e6).map(lambda value: round(value, 6) + 0.0)
GOALS = st.frozensets(st.integers(1, 17), max_size=3)
IDS = st.sampled_from(["007", "7", "0123456789012", "2024-01-01", "1e5", "é 企'業", "null", "true"])
EXTRA = st.dictionaries(TEXTS, TEXTS, max_size=2)
EVIDENCE = st.builds(
    Evidence, issue_span=TEXTS, company_span=TEXTS, kind=st.sampled_from(["meaning", "term"]),
    via=TEXTS,
)  # fmt: skip
COMPANIES = st.lists(
    st.builds(
        Company, company_id=IDS, name=TEXTS, profile=TEXTS, regions=st.just(frozenset({"01"})),
        headquarters=st.sampled_from(["", "01"]), is_area_declared=st.booleans(), industry=TEXTS,
        kind=TEXTS, sdgs=GOALS, is_sdgs_inferred=st.booleans(), contact=TEXTS, extra=EXTRA,
    ),
    unique_by=lambda company: company.company_id, max_size=3,
)  # fmt: skip


@st.composite
def lists(draw):
    """The shortlists of one run: a company is the same wherever it stands."""
    companies = draw(COMPANIES)
    issues = st.builds(
        Issue, issue_id=IDS, title=TEXTS, description=TEXTS, municipality=TEXTS, sdgs=GOALS,
        municipality_code=st.sampled_from(["", "011002"]), department=TEXTS, extra=EXTRA,
        prefecture=st.sampled_from(["", "01"]), deadline=TEXTS, budget=TEXTS,
    )  # fmt: skip
    return [
        Shortlist(
            issue=issue,
            constraint=Constraint(prefecture=issue.prefecture, sdgs=issue.sdgs),
            status=draw(st.sampled_from(["ranked", "no_candidate"])),
            considered=draw(st.integers(0, 10**12)),
            excluded=draw(st.dictionaries(st.sampled_from(["region", "sdgs"]), st.integers(0, 9))),
            unsearched=tuple(draw(st.lists(TEXTS, max_size=2))),
            entries=tuple(
                Entry(
                    rank=rank, company=company, score=draw(NUMBERS), shared_sdgs=frozenset(),
                    parts=draw(st.dictionaries(TEXTS, NUMBERS, max_size=3)), region_reason="",
                    evidence=tuple(draw(st.lists(EVIDENCE, max_size=3))),
                    band=draw(st.none() | TEXTS),
                )
                for rank, company in enumerate(companies, start=1)
            ),
        )
        for issue in draw(st.lists(issues, unique_by=lambda one: one.issue_id, max_size=2))
    ]  # fmt: skip


@settings(max_examples=25)
@given(
    st.dictionaries(st.text("a'甲\"%", min_size=1, max_size=3), lists(), min_size=1, max_size=2),
    st.dictionaries(IDS, st.dictionaries(IDS, st.integers(0, 3), min_size=1, max_size=3)),
)
def test_rows_equal_those_of_any_runs(tmp_path_factory, runs, qrels):
    base = tmp_path_factory.mktemp("runs")
    folders = {name: base / str(at) for at, name in enumerate(runs)}
    for name, one in runs.items():
        write_run(folders[name], one, [], {})
    with open_views(folders, qrels) as connection:
        check(
            connection, {name: load_run(path).shortlists for name, path in folders.items()}, qrels
        )


def test_grade_is_null_where_nobody_judged(folder):
    with open_views({"a": folder}) as connection:
        assert {row["grade"] for row in rows(connection, "FROM judged_places")} == {None}
        assert rows(connection, "FROM judgements") == []


def test_judgements_may_come_from_a_file(tmp_path, folder):
    (tmp_path / "q.tsv").write_text("0017 0 0123456789012 2\n", encoding="utf-8")
    with open_views({"a": folder}, tmp_path / "q.tsv") as connection:
        found = connection.execute("SELECT rank, grade FROM judged_places ORDER BY rank").fetchall()
    assert found == [(1, 2), (2, None)]


def test_parts_add_up_to_the_score_in_sql(folder):
    with open_views({"a": folder}) as connection:
        found = connection.execute(
            "SELECT score, sum(value) FROM places JOIN parts USING (run, issue_id, company_id) "
            "GROUP BY ALL"
        ).fetchall()
    assert len(found) == 2
    assert all(math.isclose(score, total, abs_tol=1e-6) for score, total in found)


# Files


@pytest.mark.parametrize(
    "name", ["日 本", "it's", 'a"b', "run*", "run?", "run[1]", "run=5", "a\\b"]
)
def test_any_path_is_that_one_folder(tmp_path, name):
    write_run(tmp_path / name, [RANKED], [], {})
    for other in ("runA", "run1"):  # what a pattern would find too
        write_run(tmp_path / other, [FULL, FULL], [], {})
    with open_views({name: tmp_path / name}) as connection:
        check(connection, {name: [RANKED]}, {})
        assert [row["name"] for row in rows(connection, "FROM runs")] == [name]


def test_folder_is_found_whatever_the_working_folder_is_later(folder, monkeypatch, tmp_path):
    monkeypatch.chdir(folder.parent)
    connection = open_views({"a": "out"})
    monkeypatch.chdir(tmp_path.parent)
    assert len(rows(connection, "FROM places")) == 2
    connection.close()


def test_nothing_is_written_into_a_run_folder(folder):
    before = files(folder)
    with open_views({"a": folder}, {"0017": {"0123456789012": 3}}) as connection:
        for name in COLUMNS:
            connection.execute(f"FROM {name}").fetchall()
    assert files(folder) == before


def test_database_file_keeps_views_and_judgements(tmp_path, folder):
    database = tmp_path / "研究 1.duckdb"
    for grade in (1, 3):  # the second time in place of the first
        open_views({"a": folder}, {"0017": {"0123456789012": grade}}, database=database).close()
    with duckdb.connect(str(database), read_only=True) as connection:
        query = "SELECT grade FROM judged_places WHERE rank = 1"
        assert connection.execute(query).fetchall() == [(3,)]


def test_line_longer_than_duckdb_reads_by_itself_is_read(tmp_path):
    long = "長" * 2**23  # 24 MB
    one = shortlist(
        entry(1, COOP, dense=1.0), issue=Issue(issue_id="1", title="", description=long)
    )
    write_run(tmp_path / "out", [RANKED, one], [], {})
    with open_views({"a": tmp_path / "out"}) as connection:
        query = "SELECT length(description) FROM issues ORDER BY issue_id DESC LIMIT 1"
        assert connection.execute(query).fetchone() == (2**23,)


def test_no_extension_is_fetched(folder):
    with open_views({"a": folder}) as connection:
        query = "SELECT current_setting('autoinstall_known_extensions')"
        assert connection.execute(query).fetchone() == (False,)


# What is refused


def test_no_run_is_refused():
    with pytest.raises(MatcherError, match="実行結果がありません"):
        open_views({})


def test_edited_run_is_refused(folder):
    with (folder / "shortlist.jsonl").open("a", encoding="utf-8") as file:
        file.write("\n")
    with pytest.raises(DataError, match="書き換えられています"):
        open_views({"a": folder})


def test_folder_without_a_run_is_refused(tmp_path):
    with pytest.raises(DataError, match="matcher match の出力ではありません"):
        open_views({"a": tmp_path})


def test_unreadable_qrels_are_refused(tmp_path, folder):
    with pytest.raises(DataError, match="見つかりません"):
        open_views({"a": folder}, tmp_path / "none.tsv")


def test_database_in_a_run_folder_is_refused(folder):
    before = files(folder)
    with pytest.raises(MatcherError, match="フォルダーの中です"):
        open_views({"a": folder}, database=folder / "x.duckdb")
    assert files(folder) == before


def test_file_that_is_no_database_is_refused(tmp_path, folder):
    (tmp_path / "x.duckdb").write_text("これは表計算の表です。" * 1000, encoding="utf-8")
    with pytest.raises(MatcherError, match=r"x\.duckdb を使えません"):
        open_views({"a": folder}, database=tmp_path / "x.duckdb")


@pytest.mark.parametrize("name", COLUMNS)
def test_table_of_ones_own_is_never_replaced(tmp_path, folder, name):
    with duckdb.connect(str(tmp_path / "x.duckdb")) as connection:
        connection.execute(f"CREATE TABLE {name} AS SELECT 1 AS mine")
    with pytest.raises(MatcherError, match="という名前の表がない"):
        open_views({"a": folder}, database=tmp_path / "x.duckdb")
    with duckdb.connect(str(tmp_path / "x.duckdb")) as connection:
        assert connection.execute("SHOW TABLES").fetchall() == [(name,)]
        assert connection.execute(f"FROM {name}").fetchall() == [(1,)]
