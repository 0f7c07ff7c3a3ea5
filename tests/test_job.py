import csv
import hashlib
import io
import json
import random

import pytest
from examples import COMPANIES, ISSUES, FakeEncoder, FakeReader, changed, write_table

from matcher import job
from matcher.catalog import Catalog
from matcher.errors import ForeignOutput, MatcherError, StaleCatalog
from matcher.job import Options, build_catalog, match_tables
from matcher.records import is_as_sealed
from matcher.run import FILES, MANIFEST, load_run
from matcher.settings import Settings


@pytest.fixture(autouse=True)
def encoder(quick):
    return quick


def silent(label, total):
    return lambda done: None


def match(issues, companies, out, stage=silent, **options):
    return match_tables(issues, companies, out, Options(**options), stage)


def outputs(folder):
    return {name: (folder / name).read_bytes() for name in FILES}


def problems(folder):
    """The lines of rejected.csv, by their column."""
    text = (folder / "rejected.csv").read_bytes().decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text, newline="")))


@pytest.fixture
def outcome(issues_csv, companies_csv, tmp_path):
    return match(issues_csv, companies_csv, tmp_path / "out")


# What a run says of itself


def test_manifest_has_every_item_of_the_interface(outcome, issues_csv, companies_csv, tmp_path):
    manifest = outcome.manifest
    assert manifest == json.loads((tmp_path / "out" / MANIFEST).read_text(encoding="utf-8"))
    assert manifest["format"] == 1
    for side, path in (("issues", issues_csv), ("companies", companies_csv)):
        assert manifest["inputs"][side] == {
            "source": path.name,
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        }
    assert manifest["settings"] == {
        name: getattr(Settings(), name) for name in Settings.__dataclass_fields__
    }
    assert manifest["options"] == {
        "top": 10, "region_rule": "serves", "sdg_rule": "prefer", "encoder": "bundled",
        "reader": "bundled", "bridge": None, "threads": None, "precision": "auto", "as_of": None,
    }  # fmt: skip
    assert manifest["encoder"] == "fake"
    assert manifest["reader"] == "fake reader"
    assert len(manifest["bridge"]) == 64
    assert len(manifest["catalog"]) == 64
    assert manifest["libraries"]["matcher"] == "0.1.0"
    assert {"numpy", "faiss-cpu", "openvino", "fugashi", "bm25s"} <= manifest["libraries"].keys()
    assert manifest["python"].startswith("3.")
    assert manifest["cpu"]["machine"]
    assert manifest["cpu"]["instruction_set"]
    assert manifest["time"].endswith("+00:00")
    assert manifest["outputs"] == {
        name: hashlib.sha256(content).hexdigest()
        for name, content in outputs(tmp_path / "out").items()
    }


def test_manifest_says_nothing_of_the_machine_it_was_made_on(
    asked, issues_csv, companies_csv, tmp_path
):
    for name in ("model", "reader"):
        (tmp_path / name).mkdir()
    bridge = write_table(tmp_path / "橋.csv", BRIDGE)
    models = {"encoder": str(tmp_path / "model"), "reader": str(tmp_path / "reader")}
    found = match(issues_csv, companies_csv, tmp_path / "out", bridge=bridge, **models)
    assert str(tmp_path) not in (tmp_path / "out" / MANIFEST).read_text(encoding="utf-8")
    told = found.manifest["options"]
    assert (told["encoder"], told["reader"], told["bridge"]) == ("./model", "./reader", "橋.csv")


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("bundled", "bundled"),
        ("bundled-plain", "bundled-plain"),
        ("intfloat/multilingual-e5-small", "intfloat/multilingual-e5-small"),
        ("./e5", "./e5"),
        ("~/models/e5", "./e5"),
        ("some/where/e5/", "./e5"),
        ("office.safetensors", "./office.safetensors"),
    ],
)
def test_model_is_told_by_its_name_and_a_path_by_its_last_part(name, told):
    options = Options(encoder=name, reader=name).told()
    assert (options["encoder"], options["reader"]) == (told, told)


def test_manifest_has_a_digest_for_every_cell_and_no_text_of_one(outcome, tmp_path):
    known = outcome.manifest["fingerprints"]
    for side, rows in (("issues", ISSUES), ("companies", COMPANIES)):
        assert known[side]["columns"] == list(rows[0])
        assert len(known[side]["rows"]) == len(rows)
    told = (tmp_path / "out" / MANIFEST).read_text(encoding="utf-8")
    for row in (*ISSUES, *COMPANIES):
        texts = (row.get(name) for name in ("課題名", "課題内容", "企業名", "事業内容"))
        assert not [text for text in texts if text and text in told]


def test_manifest_is_under_a_seal(outcome):
    assert is_as_sealed(outcome.manifest) is True


def test_every_row_is_counted_once(tmp_path):
    issues = [
        *ISSUES,
        ISSUES[0],  # merged
        dict(ISSUES[1]) | {"課題ID": "i-7", "課題名": ""},  # rejected
        dict(ISSUES[1]) | {"課題ID": "i-8"},  # both rejected
        dict(ISSUES[2]) | {"課題ID": "i-8"},
        dict(ISSUES[2]) | {"課題ID": "i-9", "課題名": "？", "課題内容": "。"},  # unclear
    ]
    companies = [
        *COMPANIES,
        COMPANIES[0],
        COMPANIES[0],
        dict(COMPANIES[1]) | {"企業ID": "c-77", "事業内容": " "},
    ]
    write_table(tmp_path / "i.csv", issues)
    write_table(tmp_path / "c.csv", companies)
    found = match(tmp_path / "i.csv", tmp_path / "c.csv", tmp_path / "out")
    counts = found.manifest["counts"]
    assert counts["issues"] == {
        "rows": 11, "merged": 1, "rejected": 3, "ranked": 3, "no_candidate": 2, "unclear": 2,
        "routed": 0,
    }  # fmt: skip
    assert counts["companies"] == {"rows": 15, "accepted": 12, "merged": 2, "rejected": 1}
    for side in ("issues", "companies"):
        rows = counts[side].pop("rows")
        assert rows == sum(counts[side].values())
    assert len(found.shortlists) == 7
    assert {line["severity"] for line in problems(tmp_path / "out")} == {"除外", "警告"}


def test_progress_is_told_to_the_end(issues_csv, companies_csv, tmp_path):
    told = {}

    def stage(label, total):
        told[label] = [total, 0]

        def advance(done):
            told[label][1] += done

        return advance

    match(issues_csv, companies_csv, tmp_path / "out", stage)
    assert told["課題ごとに候補を選定中"] == [len(ISSUES), len(ISSUES)]
    assert told["企業を読み取り中"][0] == len(COMPANIES)


def test_more_issues_than_a_batch_are_all_matched(companies_csv, tmp_path, monkeypatch):
    issues = [dict(ISSUES[n % 6]) | {"課題ID": f"i-{n:03}"} for n in range(25)]
    path = write_table(tmp_path / "many.csv", issues)
    match(path, companies_csv, tmp_path / "one")
    match(path, companies_csv, tmp_path / "unread", reader=None)
    monkeypatch.setattr(job, "_BATCH", 4)
    monkeypatch.setattr(job, "_READ_BATCH", 4)
    found = match(path, companies_csv, tmp_path / "other")
    assert [s.issue.issue_id for s in found.shortlists] == [row["課題ID"] for row in issues]
    assert outputs(tmp_path / "one") == outputs(tmp_path / "other")
    match(path, companies_csv, tmp_path / "other", reader=None)
    assert outputs(tmp_path / "unread") == outputs(tmp_path / "other")


# Reader and bridge


def parts(outcome):
    """The names of the parts of every score."""
    return {part for s in outcome.shortlists for entry in s.entries for part in entry.parts}


@pytest.fixture
def asked(monkeypatch):
    """How the reader was asked for, each time that it was loaded."""
    calls = []

    def load(name, **options):
        calls.append((name, options))
        return FakeReader()

    monkeypatch.setattr(job, "load_reader", load)
    return calls


def test_reader_is_loaded_by_its_name_with_threads_and_precision(
    asked, issues_csv, companies_csv, tmp_path
):
    options = {"reader": "own", "threads": 1, "precision": "f32"}
    found = match(issues_csv, companies_csv, tmp_path / "out", **options)
    assert asked == [("own", {"threads": 1, "precision": "f32"})]
    assert found.manifest["reader"] == "fake reader"
    assert "reader" in parts(found)


@pytest.mark.parametrize(
    "options",
    [
        {"reader": None},
        {"settings": Settings(read=0)},
        {"settings": Settings(reader_weight=0.0)},
    ],
)
def test_nothing_is_loaded_where_nothing_is_read(
    asked, issues_csv, companies_csv, tmp_path, options
):
    found = match(issues_csv, companies_csv, tmp_path / "out", **options)
    assert asked == []
    assert found.manifest["reader"] is None
    assert parts(found) == {"dense", "words", "bigrams", "bridge", "sdgs", "region"}


def test_reader_that_cannot_be_is_said_before_anything_is_encoded(
    encoder, issues_csv, companies_csv, tmp_path, monkeypatch
):
    def refuse(*_, **__):
        raise MatcherError("読み手がありません。")

    counting = encoder()
    monkeypatch.setattr(job, "load_reader", refuse)
    with pytest.raises(MatcherError, match="読み手"):
        match(issues_csv, companies_csv, tmp_path / "out")
    assert counting.documents == []


BRIDGE = (
    {"分野": "獣害", "困りごと": "イノシシの出没、作物の被害", "解決策": "センサー、柵の点検"},
)


@pytest.fixture
def bridge_csv(tmp_path):
    return write_table(tmp_path / "橋渡し.csv", BRIDGE)


def test_own_bridge_takes_the_place_of_the_shipped_one(
    outcome, issues_csv, companies_csv, bridge_csv, tmp_path
):
    found = match(issues_csv, companies_csv, tmp_path / "own", bridge=bridge_csv)
    assert found.manifest["bridge"] != outcome.manifest["bridge"]
    assert found.manifest["options"]["bridge"] == "橋渡し.csv"  # and not where it lies
    via = {e.via for s in found.shortlists for entry in s.entries for e in entry.evidence}
    assert via == {"", "獣害"}


def test_catalog_holds_the_bridge_it_was_built_with(
    issues_csv, companies_csv, bridge_csv, tmp_path
):
    build_catalog(companies_csv, tmp_path / "catalog", Options(bridge=bridge_csv), silent)
    one = match(issues_csv, tmp_path / "catalog", tmp_path / "one")
    other = match(issues_csv, companies_csv, tmp_path / "other", bridge=bridge_csv)
    assert outputs(tmp_path / "one") == outputs(tmp_path / "other")
    assert one.manifest["bridge"] == other.manifest["bridge"]
    assert one.manifest["catalog"] == other.manifest["catalog"]


def test_catalog_built_anew_without_a_bridge_of_its_own_has_the_shipped_one(
    outcome, companies_csv, bridge_csv, tmp_path
):
    build_catalog(companies_csv, tmp_path / "catalog", Options(bridge=bridge_csv), silent)
    built = build_catalog(companies_csv, tmp_path / "catalog", Options(), silent)
    assert built.bridge.id == outcome.manifest["bridge"]


def test_run_without_a_bridge_encodes_none_and_says_so(
    encoder, issues_csv, companies_csv, tmp_path
):
    settings = Settings(bridge_weight=0.0)
    build_catalog(companies_csv, tmp_path / "catalog", Options(), silent)
    used, queries = encoder(), []
    encode = used.encode_queries
    used.encode_queries = lambda texts, **_: queries.extend(texts) or encode(texts)
    found = match(issues_csv, companies_csv, tmp_path / "table", settings=settings)
    assert any("見守り" in query for query in queries)
    assert not any("窓口の待ち時間" in query for query in queries)
    assert found.manifest["bridge"] is None
    assert "bridge" not in parts(found)
    assert not any(e.via for s in found.shortlists for entry in s.entries for e in entry.evidence)
    match(issues_csv, tmp_path / "catalog", tmp_path / "catalog-run", settings=settings)
    assert outputs(tmp_path / "table") == outputs(tmp_path / "catalog-run")


def test_bridge_beside_a_catalog_is_refused_with_the_way_out(
    issues_csv, companies_csv, bridge_csv, tmp_path
):
    build_catalog(companies_csv, tmp_path / "catalog", Options(), silent)
    with pytest.raises(MatcherError, match=r"カタログ.*matcher build.*--bridge.*橋渡し\.csv"):
        match(issues_csv, tmp_path / "catalog", tmp_path / "out", bridge=bridge_csv)
    assert not (tmp_path / "out").exists()


def test_bridge_without_a_line_is_refused(issues_csv, companies_csv, tmp_path):
    (tmp_path / "empty.csv").write_text("分野,困りごと,解決策\n", encoding="utf-8")
    with pytest.raises(MatcherError, match=r"empty\.csv"):
        match(issues_csv, companies_csv, tmp_path / "out", bridge=tmp_path / "empty.csv")
    assert not (tmp_path / "out").exists()


# The same bytes


def test_second_run_gives_the_same_bytes(outcome, issues_csv, companies_csv, tmp_path):
    match(issues_csv, companies_csv, tmp_path / "again")
    assert outputs(tmp_path / "again") == outputs(tmp_path / "out")
    match(issues_csv, companies_csv, tmp_path / "out")  # and over itself
    assert outputs(tmp_path / "again") == outputs(tmp_path / "out")


def test_order_of_the_rows_changes_no_byte(outcome, tmp_path):
    for seed in range(4):
        companies, issues = list(COMPANIES), list(ISSUES)
        random.Random(seed).shuffle(companies)
        random.Random(seed).shuffle(issues)
        write_table(tmp_path / "issues.csv", issues)
        write_table(tmp_path / "companies.csv", companies)
        match(tmp_path / "issues.csv", tmp_path / "companies.csv", tmp_path / "shuffled")
        ours, theirs = outputs(tmp_path / "shuffled"), outputs(tmp_path / "out")
        ours.pop("rejected.csv"), theirs.pop("rejected.csv")
        assert ours == theirs


def test_order_of_the_rows_changes_rejected_only_in_rows_and_order(issues_csv, tmp_path):
    companies = changed(changed(COMPANIES, 3, SDGs="18"), 5, 対応地域="火星")
    companies = [*companies, COMPANIES[0], dict(COMPANIES[1]) | {"企業名": "別"}]

    def told(rows, out):
        write_table(tmp_path / "c.csv", rows)
        match(issues_csv, tmp_path / "c.csv", tmp_path / out)
        return sorted(
            tuple(value for key, value in line.items() if key != "row")
            for line in problems(tmp_path / out)
        )

    assert len(told(companies, "one")) > 3
    assert told(companies, "one") == told(list(reversed(companies)), "other")


def test_catalog_folder_and_table_give_the_same_bytes(outcome, issues_csv, companies_csv, tmp_path):
    build_catalog(companies_csv, tmp_path / "catalog", Options(), silent)
    found = match(issues_csv, tmp_path / "catalog", tmp_path / "from-catalog")
    assert outputs(tmp_path / "from-catalog") == outputs(tmp_path / "out")
    assert found.manifest["catalog"] == outcome.manifest["catalog"]
    assert found.manifest["inputs"] == outcome.manifest["inputs"]
    assert found.manifest["counts"] == outcome.manifest["counts"]


def test_day_stands_on_page_only_where_one_was_given(outcome, issues_csv, companies_csv, tmp_path):
    match(issues_csv, companies_csv, tmp_path / "dated", as_of="2026-04-01")
    page = (tmp_path / "dated" / "shortlist.html").read_text(encoding="utf-8")
    assert "2026" in page
    undated = outputs(tmp_path / "out")
    assert b"2026" not in undated["shortlist.html"]
    for name in ("shortlist.jsonl", "run.trec", "rejected.csv"):
        assert (tmp_path / "dated" / name).read_bytes() == undated[name]


# Rows that cannot be used


@pytest.mark.parametrize(
    ("cells", "severity", "told"),
    [
        ({"SDGs": "18"}, "警告", "18"),
        ({"課題名": ""}, "除外", "課題名"),
        ({"自治体名": "府中市", "都道府県": ""}, "警告", "府中市"),
        ({"都道府県": "火星県"}, "警告", "火星県"),
        ({"課題内容": "連絡先は 0564-12-3456 の山田まで。"}, "警告", "0564"),
    ],
)
def test_bad_issue_is_told_with_file_row_and_column(companies_csv, tmp_path, cells, severity, told):
    path = write_table(tmp_path / "bad.csv", changed(ISSUES, 1, **cells))
    match(path, companies_csv, tmp_path / "out")
    lines = [line for line in problems(tmp_path / "out") if line["row"] == "3"]
    assert lines
    assert {line["file"] for line in lines} == {"bad.csv"}
    assert severity in {line["severity"] for line in lines}
    assert any(told in "".join(line.values()) for line in lines)
    assert all(line["problem"] and line["remedy"] for line in lines)


def test_contradiction_of_prefecture_and_code_is_told(companies_csv, tmp_path):
    rows = [dict(row) | {"団体コード": "232025"} for row in changed(ISSUES, 1, 都道府県="東京都")]
    path = write_table(tmp_path / "bad.csv", rows[1:2])
    match(path, companies_csv, tmp_path / "out")
    assert any(line["row"] == "2" and "東京都" in "".join(line.values())
               for line in problems(tmp_path / "out"))  # fmt: skip


def test_two_different_rows_of_one_id_are_both_rejected(companies_csv, tmp_path):
    rows = [*ISSUES, dict(ISSUES[0]) | {"課題名": "別の課題"}]
    path = write_table(tmp_path / "bad.csv", rows)
    found = match(path, companies_csv, tmp_path / "out")
    assert "i-1" not in {s.issue.issue_id for s in found.shortlists}
    assert found.manifest["counts"]["issues"]["rejected"] == 2
    rejected = [line["row"] for line in problems(tmp_path / "out") if line["severity"] == "除外"]
    assert rejected == ["2", "8"]


@pytest.mark.parametrize("rule", ["any", "all"])
def test_issue_without_goals_is_told_where_goals_were_to_limit(
    issues_csv, companies_csv, tmp_path, rule
):
    found = match(issues_csv, companies_csv, tmp_path / "out", sdg_rule=rule)
    lines = [line for line in problems(tmp_path / "out") if "絞り込んでいません" in line["problem"]]
    assert [line["value"] for line in lines] == ["i-5", "i-6"]
    assert {s.excluded["sdgs"] for s in found.shortlists if not s.issue.sdgs} == {0}


def test_run_without_a_usable_issue_is_written(companies_csv, tmp_path):
    path = write_table(tmp_path / "bad.csv", [dict(ISSUES[0]) | {"課題名": ""}])
    found = match(path, companies_csv, tmp_path / "out")
    assert found.shortlists == ()
    assert found.manifest["counts"]["issues"]["rejected"] == 1
    assert len(load_run(tmp_path / "out")) == 0


def test_run_without_a_usable_company_is_written(issues_csv, tmp_path):
    path = write_table(tmp_path / "bad.csv", [dict(COMPANIES[0]) | {"企業名": ""}])
    found = match(issues_csv, path, tmp_path / "out")
    assert {s.status for s in found.shortlists} == {"no_candidate", "unclear"}
    assert {(s.considered, *s.excluded.values()) for s in found.shortlists} == {(0, 0, 0)}


# What is refused, before anything is written


@pytest.mark.parametrize(
    "options", [{"top": 0}, {"top": -1}, {"region_rule": "near"}, {"sdg_rule": "some"}]
)
def test_option_that_cannot_be_is_said_before_a_table_is_read(tmp_path, options):
    with pytest.raises(MatcherError, match=r"してください|選んでください"):
        match(tmp_path / "none.csv", tmp_path / "none.csv", tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


def test_edited_output_is_refused_before_a_table_is_read(outcome, tmp_path):
    (tmp_path / "out" / "run.trec").write_text("", encoding="utf-8")
    with pytest.raises(ForeignOutput, match=r"run\.trec"):
        match(tmp_path / "none.csv", tmp_path / "none.csv", tmp_path / "out")


def test_catalog_of_another_encoder_is_refused(encoder, issues_csv, companies_csv, tmp_path):
    build_catalog(companies_csv, tmp_path / "catalog", Options(), silent)
    encoder("another")
    with pytest.raises(StaleCatalog, match=r"fake.*another.*matcher build"):
        match(issues_csv, tmp_path / "catalog", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_catalog_of_other_bm25_settings_is_refused(issues_csv, companies_csv, tmp_path):
    build_catalog(companies_csv, tmp_path / "catalog", Options(), silent)
    with pytest.raises(StaleCatalog, match=r"0\.75.*0\.5"):
        match(issues_csv, tmp_path / "catalog", tmp_path / "out", settings=Settings(bm25_b=0.5))


def test_other_weights_need_no_other_catalog(issues_csv, companies_csv, tmp_path):
    build_catalog(companies_csv, tmp_path / "catalog", Options(), silent)
    settings = Settings(dense_weight=0.1)
    match(issues_csv, tmp_path / "catalog", tmp_path / "one", settings=settings)
    match(issues_csv, companies_csv, tmp_path / "other", settings=settings)
    assert outputs(tmp_path / "one") == outputs(tmp_path / "other")


# The catalog


def test_second_build_encodes_only_what_changed(encoder, companies_csv, tmp_path):
    build_catalog(companies_csv, tmp_path / "catalog", Options(), silent)
    counting = encoder()
    write_table(companies_csv, changed(COMPANIES, 2, 事業内容="遠隔で診る。"))
    built = build_catalog(companies_csv, tmp_path / "catalog", Options(), silent)
    profiles = {company.profile for company in built.companies}
    assert [text for text in counting.documents if text in profiles] == ["遠隔で診る。"]
    assert Catalog.open(tmp_path / "catalog").id == built.id


def test_damaged_catalog_is_built_anew(companies_csv, tmp_path):
    folder = tmp_path / "catalog"
    first = build_catalog(companies_csv, folder, Options(), silent)
    vectors = next(folder.glob("segment-*/vectors.npy"))
    vectors.write_bytes(vectors.read_bytes()[:-1] + b"\0\0")
    again = build_catalog(companies_csv, folder, Options(), silent)
    assert again.id == first.id == Catalog.open(folder).id


def test_catalog_of_another_encoder_is_replaced(encoder, companies_csv, tmp_path):
    build_catalog(companies_csv, tmp_path / "catalog", Options(), silent)
    encoder("another")
    build_catalog(companies_csv, tmp_path / "catalog", Options(), silent)
    assert Catalog.open(tmp_path / "catalog").encoder_id == "another"


def test_foreign_folder_is_refused_before_the_table_is_read(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "大切.txt").write_text("", encoding="utf-8")
    with pytest.raises(ForeignOutput):
        build_catalog(tmp_path / "none.csv", tmp_path / "folder", Options(), silent)


def test_fake_encoder_is_what_the_tests_take_it_for():
    encoder = FakeEncoder()
    texts = ["", "あ", "見守り", "見守り"]
    vectors = encoder.encode_documents(texts)
    assert vectors.shape == (4, encoder.dim)
    assert (vectors[2] == vectors[3]).all()
    assert (vectors == encoder.encode_queries(texts)).all()
