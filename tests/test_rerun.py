import hashlib
import json
import shutil

import pytest
from examples import COMPANIES, ISSUES, changed, write_table
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from matcher import job
from matcher.embed import load_encoder, load_reader
from matcher.errors import MatcherError
from matcher.integrity import verify
from matcher.job import Options, build_catalog, match_tables
from matcher.records import sealed
from matcher.rerun import replay
from matcher.run import FILES, MANIFEST
from matcher.settings import Settings

BRIDGE = (
    {"分野": "獣害", "困りごと": "イノシシの出没、作物の被害", "解決策": "センサー、柵の点検"},
)


@pytest.fixture(autouse=True)
def encoder(quick, tmp_path, monkeypatch):
    """The quick encoder, and a current folder in which no table is found."""
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    return quick


def silent(label, total):
    return lambda done: None


def match(issues, companies, out, **options):
    return match_tables(issues, companies, out, Options(**options), silent)


@pytest.fixture
def run(issues_csv, companies_csv, tmp_path):
    match(issues_csv, companies_csv, tmp_path / "out")
    return tmp_path / "out"


def told(found):
    return [change.told for change in found.changes]


def edit(run, **values):
    """Change the manifest, and seal it as if the run had written it so."""
    manifest = json.loads((run / MANIFEST).read_text(encoding="utf-8"))
    for group, entries in values.items():
        manifest[group] = manifest[group] | entries if isinstance(entries, dict) else entries
    del manifest["seal"]
    (run / MANIFEST).write_text(json.dumps(sealed(manifest)), encoding="utf-8")


# The same bytes


def test_replay_gives_the_same_bytes_and_says_what_it_took(run):
    found = replay(run)
    assert found.is_same
    assert found.files == dict.fromkeys(FILES, True)
    assert (found.changes, found.moved, found.edited) == ((), (), ())
    assert found.taken == {
        "課題の表": "issues.csv（実行結果のフォルダーの隣）",
        "企業の表": "companies.csv（実行結果のフォルダーの隣）",
    }
    assert replay(run / "run.trec").is_same


def test_every_option_that_changes_a_result_is_repeated(issues_csv, companies_csv, tmp_path):
    write_table(tmp_path / "橋.csv", BRIDGE)
    options = {
        "top": 3, "region_rule": "any", "sdg_rule": "any", "reader": None, "as_of": "2026-04-01",
        "bridge": tmp_path / "橋.csv", "settings": Settings(dense_weight=0.5, spans=1),
    }  # fmt: skip
    match(issues_csv, companies_csv, tmp_path / "out", **options)
    found = replay(tmp_path / "out")
    assert found.is_same
    assert found.changes == ()
    assert found.taken["橋渡し表"] == "橋.csv（実行結果のフォルダーの隣）"


@given(
    top=st.integers(1, 15),
    region_rule=st.sampled_from(["serves", "prefecture", "block", "any"]),
    sdg_rule=st.sampled_from(["prefer", "any", "all", "ignore"]),
    encoder=st.sampled_from(["bundled", "bundled-plain", "org/model"]),
    reader=st.sampled_from(["bundled", None, "org/reader"]),
    threads=st.none() | st.integers(1, 64),
    precision=st.sampled_from(["auto", "f32"]),
    as_of=st.none() | st.just("2026-04-01"),
    weight=st.floats(0.01, 5),
)
def test_options_come_back_from_the_manifest_as_they_were(weight, **values):
    options = Options(**values, settings=Settings(dense_weight=weight))
    told = {"options": options.told(), "settings": json.loads(json.dumps(job.asdict(
        options.settings)))}  # fmt: skip
    assert Options.of(json.loads(json.dumps(told))) == options


def test_catalog_may_stand_for_the_table(run, issues_csv, companies_csv, tmp_path):
    build_catalog(companies_csv, tmp_path / "catalog", Options(), silent)
    assert replay(run, companies=tmp_path / "catalog").is_same
    match(issues_csv, tmp_path / "catalog", tmp_path / "out")
    assert replay(tmp_path / "out").is_same  # and the table for the catalog


def test_new_run_is_kept_where_that_is_asked_for(run, tmp_path):
    replay(run, out=tmp_path / "again")
    assert {name: (tmp_path / "again" / name).read_bytes() for name in FILES} == {
        name: (run / name).read_bytes() for name in FILES
    }


def test_run_itself_is_never_written_over(run):
    before = {path.name: path.read_bytes() for path in run.iterdir()}
    replay(run)
    with pytest.raises(MatcherError, match="--out"):
        replay(run, out=run, overwrite=True)
    assert {path.name: path.read_bytes() for path in run.iterdir()} == before


def test_order_of_the_rows_is_no_other_result(run, issues_csv):
    write_table(issues_csv, ISSUES[::-1])
    found = replay(run)
    assert {name for name, is_same in found.files.items() if not is_same} <= {"rejected.csv"}
    assert told(found)[1] == (
        "課題の表: どの欄の内容も同じです。行や列の順序か、ファイルの形式だけが違います。"
    )


# What changed is named


@settings(
    max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(
    is_issue=st.booleans(),
    at=st.integers(0, 4),
    column=st.integers(1, 4),
    cell=st.text("山川田見守り電気空家", min_size=2, max_size=8),
)
def test_any_changed_cell_is_named(run, tmp_path, is_issue, at, column, cell):
    table, rows, name, kind, id_name = (
        ("issues", ISSUES, "issues.csv", "課題の表", "課題ID")
        if is_issue
        else ("companies", COMPANIES, "companies.csv", "企業の表", "企業ID")
    )
    column = list(rows[0])[column]
    path = write_table(tmp_path / "elsewhere" / name, changed(rows, at, **{column: cell}))
    found = replay(run, **{table: path})
    assert [sentence for sentence in told(found) if sentence.startswith(f"{kind}: ")] == [
        f"{kind}: {id_name} {rows[at][id_name]} の「{column}」が変わっています。"
    ]


def test_issue_whose_first_place_changed_is_named_then_and_now(run, issues_csv):
    text = {name: ISSUES[4][name] for name in ("課題名", "課題内容", "都道府県", "SDGs")}
    write_table(issues_csv, changed(ISSUES, 1, **text))
    found = replay(run)
    assert not found.is_same
    (moved,) = found.moved
    assert moved.issue_id == "i-2"
    assert moved.then != moved.now


def test_issue_without_a_candidate_has_no_first_place(run, issues_csv):
    write_table(issues_csv, changed(ISSUES, 0, 課題名="！！", 課題内容="？？"))
    (moved,) = replay(run).moved
    assert (moved.issue_id, moved.now) == ("i-1", "")


def test_rows_that_came_and_went_are_named(run, companies_csv):
    fresh = dict(COMPANIES[0]) | {"企業ID": "c-99", "企業名": "新しい会社", "事業内容": "別の事業"}
    write_table(companies_csv, [*COMPANIES[1:], fresh])
    sentences = told(replay(run))
    assert "企業の表: 企業ID c-99 の行が増えています。" in sentences
    assert "企業の表: 企業ID c-01 の行がなくなっています。" in sentences


def test_cell_is_named_through_a_catalog_too(run, issues_csv, companies_csv, tmp_path):
    build_catalog(companies_csv, tmp_path / "catalog", Options(), silent)
    match(issues_csv, tmp_path / "catalog", tmp_path / "out")
    write_table(companies_csv, changed(COMPANIES, 3, 事業内容="電気の見守り。"))
    build_catalog(companies_csv, tmp_path / "catalog", Options(), silent)
    found = replay(run, companies=tmp_path / "catalog")
    assert "企業の表: 企業ID c-04 の「事業内容」が変わっています。" in told(found)
    assert {change.kind for change in found.changes} == {"input", "catalog"}


def test_other_version_is_named_whether_or_not_the_result_is_another(run, monkeypatch):
    had = job._versions()
    monkeypatch.setattr(job, "_versions", lambda: had | {"numpy": "9.9"})
    found = replay(run)
    assert found.is_same
    assert told(found) == [f"numpy の版が違います（{had['numpy']} → 9.9）。"]


def test_other_cpu_is_named(run, monkeypatch):
    had = job._instruction_set()
    monkeypatch.setattr(job, "_instruction_set", lambda: [*had[1:], "AMX_X"])
    (sentence,) = told(replay(run))
    assert f"なくなったもの: {had[0]}" in sentence
    assert "増えたもの: AMX_X" in sentence


def test_other_encoder_is_named_and_the_result_is_another(run, encoder):
    encoder("another")
    found = replay(run)
    assert not found.is_same
    assert "エンコーダーが違います（fake → another）。" in told(found)


def test_other_bridge_is_named(run, tmp_path):
    found = replay(run, bridge=write_table(tmp_path / "橋.csv", BRIDGE))
    assert "bridge" in {change.kind for change in found.changes}


def test_bytes_that_differ_without_a_reason_are_said_to(run):
    edit(run, outputs={"run.trec": "0" * 64})
    found = replay(run)
    assert [name for name, is_same in found.files.items() if not is_same] == ["run.trec"]
    assert found.changes == ()
    assert found.edited == ("run.trec",)


def test_edited_manifest_is_named(run):
    manifest = json.loads((run / MANIFEST).read_text(encoding="utf-8"))
    manifest["options"]["top"] = 2
    (run / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")
    found = replay(run)
    assert not found.is_same
    assert [change.kind for change in found.changes] == ["manifest"]


def test_edited_shortlists_are_not_what_is_compared(run):
    (run / "shortlist.jsonl").write_text("", encoding="utf-8")
    found = replay(run)
    assert found.is_same
    assert found.edited == ("shortlist.jsonl",)
    assert found.moved == ()


def test_run_of_an_older_version_is_repeated(run):
    manifest = json.loads((run / MANIFEST).read_text(encoding="utf-8"))
    for name in ("seal", "fingerprints", "python"):
        del manifest[name]
    del manifest["options"]["reader"], manifest["settings"]["near_likely"]
    (run / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")
    found = replay(run)
    assert found.is_same
    assert told(found) == [
        f"設定「near_likely」は、実行のときにはありませんでした（今は {Settings().near_likely}）。"
    ]


def test_setting_that_is_no_more_is_named(run):
    edit(run, settings={"old_weight": 0.3}, options={"old": "x"})
    assert told(replay(run)) == [
        "オプション「old」が違います（x → なし）。",
        "設定「old_weight」が違います（0.3 → なし）。",
    ]


# Models by their path


def test_folder_of_a_model_is_told_by_its_name_alone_and_looked_for_by_it(
    issues_csv, companies_csv, tmp_path, monkeypatch
):
    asked = []
    load = job.load_encoder
    monkeypatch.setattr(job, "load_encoder", lambda name, **_: asked.append(name) or load(name))
    (tmp_path / "models" / "e5").mkdir(parents=True)
    (tmp_path / "office.safetensors").touch()
    for path, name in (("models/e5", "./e5"), ("office.safetensors", "./office.safetensors")):
        found = match(issues_csv, companies_csv, tmp_path / "out", encoder=str(tmp_path / path))
        assert found.manifest["options"]["encoder"] == name
        assert str(tmp_path) not in (tmp_path / "out" / MANIFEST).read_text(encoding="utf-8")
    assert replay(tmp_path / "out").taken["エンコーダー"].startswith("office.safetensors（")
    assert asked[-1] == str(tmp_path / "office.safetensors")
    match(issues_csv, companies_csv, tmp_path / "out", encoder=str(tmp_path / "models" / "e5"))
    with pytest.raises(MatcherError, match=r"エンコーダー「e5」.*--encoder で指定"):
        replay(tmp_path / "out")
    assert replay(tmp_path / "out", encoder=str(tmp_path / "models" / "e5")).is_same
    assert asked[-1] == str(tmp_path / "models" / "e5")


# What is refused


@pytest.mark.parametrize(
    ("missing", "option"), [("issues.csv", "--issues"), ("companies.csv", "--companies")]
)
def test_table_that_is_nowhere_is_asked_for(run, tmp_path, missing, option):
    (tmp_path / missing).unlink()
    with pytest.raises(MatcherError, match=f"「{missing}」.*{option} で指定"):
        replay(run)


def test_bridge_that_is_nowhere_is_asked_for(issues_csv, companies_csv, tmp_path):
    path = write_table(tmp_path / "橋.csv", BRIDGE)
    match(issues_csv, companies_csv, tmp_path / "out", bridge=path)
    shutil.move(path, tmp_path / "elsewhere" / "別の名.csv")
    with pytest.raises(MatcherError, match=r"「橋\.csv」.*--bridge で指定"):
        replay(tmp_path / "out")
    assert replay(tmp_path / "out", bridge=tmp_path / "elsewhere" / "別の名.csv").is_same


def test_catalog_is_no_run(companies_csv, tmp_path):
    build_catalog(companies_csv, tmp_path / "catalog", Options(), silent)
    with pytest.raises(MatcherError, match="カタログです"):
        replay(tmp_path / "catalog")


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"top": "10"}, "top"),
        ({"top": True}, "top"),
        ({"top": 0}, "--top"),
        ({"threads": 1.5}, "threads"),
        ({"region_rule": None}, "region_rule"),
        ({"region_rule": "near"}, "--region-rule"),
        ({"encoder": ["x"]}, "encoder"),
        ({"bridge": 3}, "bridge"),
    ],
)
def test_option_that_cannot_be_in_a_manifest_is_said(run, options, word):
    edit(run, options=options)
    with pytest.raises(MatcherError, match=word):
        replay(run)


def test_setting_that_cannot_be_in_a_manifest_is_said(run):
    edit(run, settings={"dense_weight": "much"})
    with pytest.raises(MatcherError, match="dense_weight"):
        replay(run)


# The command


def test_command_says_that_the_bytes_are_the_same(call, run):
    status, shown, errors = call("replay", run)
    assert (status, errors) == (0, [])
    assert "課題の表: issues.csv（実行結果のフォルダーの隣）" in shown
    assert shown.count("同じ  ") == len(FILES)
    assert "すべてのファイルで1バイトも違いませんでした。" in shown
    assert "変わったもの" not in shown
    assert call("replay", run, "--quiet") == (0, "", [])


def test_command_names_the_changed_cell_and_the_issue_it_moved(call, run, issues_csv, tried):
    text = {name: ISSUES[4][name] for name in ("課題名", "課題内容", "都道府県")}
    write_table(issues_csv, changed(ISSUES, 1, **text))
    status, shown, _ = call("replay", run)
    assert status == 1
    lines = shown.splitlines()
    (cell,) = (line for line in lines if "課題ID i-2 の「課題内容」" in line)
    (moved,) = (line for line in lines if line.startswith("・i-2: 1位 "))
    assert " → " in moved
    tried(7, "実行のあとに課題の表の欄を書き換えて replay",
          "欄と、候補が変わった課題を名指しし、終了状態1", f"{cell} {moved}")  # fmt: skip


def test_command_names_another_version(call, run, monkeypatch, encoder, tried):
    monkeypatch.setattr(job, "_versions", lambda: {"matcher": "9.9"})
    monkeypatch.setattr(job, "_LIBRARIES", ("matcher",))
    edit(run, libraries={"matcher": "0.1.0"})
    encoder("another")
    status, shown, _ = call("replay", run)
    assert status == 1
    (line,) = (line for line in shown.splitlines() if "matcher の版" in line)
    tried(7, "別の版で replay", "版の違いを示し、結果が違えば終了状態1", line)


def test_command_says_that_record_and_output_do_not_belong_together(call, run, tried):
    edit(run, outputs={"run.trec": "0" * 64})
    status, shown, _ = call("replay", run)
    assert status == 1
    tried(8, "manifest.json の出力の値を書き換え、封印も作り直して replay", "終了状態1",
          shown.splitlines()[-1])  # fmt: skip


def test_command_says_so_where_nothing_explains_the_difference(call, run, tried):
    (run / "run.trec").write_bytes(b"forged")
    edit(run, outputs={"run.trec": hashlib.sha256(b"forged").hexdigest()})
    assert verify(run).is_whole  # no hash tells of it
    status, shown, _ = call("replay", run)
    assert status == 1
    happened = "verify では分からず、replay は終了状態1"
    tried(8, "出力とその値を書き換え、封印も作り直して replay", happened, shown.splitlines()[-1])


def test_command_asks_for_a_table_that_is_nowhere(call, run, issues_csv, tried):
    issues_csv.unlink()
    status, shown, (sentence,) = call("replay", run)
    assert (status, shown) == (2, "")
    tried(7, "使った表がもうない実行を replay", "終了状態2", sentence)


def test_command_as_json_tells_all_of_many_differences(call, run, companies_csv):
    rows = [dict(row) | {"企業名": f"{row['企業名']}（改）", "種別": "大学"} for row in COMPANIES]
    write_table(companies_csv, rows)
    status, shown, _ = call("replay", run)
    assert status == 1
    assert "ほかに" in shown
    found = json.loads(call("replay", run, "--json")[1])
    assert len(found["changes"]) == 2 * len(COMPANIES) + 2
    assert found["files"]["run.trec"] in (True, False)
    assert {one["issue_id"] for one in found["moved"]} <= {row["課題ID"] for row in ISSUES}


def test_help_of_both_commands_is_japanese(call):
    for command in ("verify", "replay"):
        status, shown, _ = call(command, "--help")
        assert status == 0
        assert any("\u3041" <= char <= "\u9fff" for char in shown)
        assert f"  {command} " in call("--help")[1]


# With the encoder and the reader that ship


def test_replay_with_the_bundled_models_is_the_same_to_the_byte(
    tmp_path, monkeypatch, bundled, bundled_reader, issues_csv, companies_csv
):
    monkeypatch.setattr(job, "load_encoder", lambda *_, **__: bundled)
    monkeypatch.setattr(job, "load_reader", lambda *_, **__: bundled_reader)
    build_catalog(companies_csv, tmp_path / "catalog", Options(), silent)
    match(issues_csv, tmp_path / "catalog", tmp_path / "out", settings=Settings(read=3))
    monkeypatch.setattr(job, "load_encoder", load_encoder)  # and now nothing is remembered
    monkeypatch.setattr(job, "load_reader", load_reader)
    found = replay(tmp_path / "out", companies=tmp_path / "catalog")
    assert found.is_same
    assert found.changes == ()
