import csv
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from examples import COMPANIES, ISSUES, changed, crash_at, write_table

from matcher import cli
from matcher.cli import main
from matcher.codes import data_folder
from matcher.judgements import Judgement
from matcher.report import labels
from matcher.run import FILES, MANIFEST

NAMES = sorted((*FILES, MANIFEST))


@pytest.fixture(autouse=True)
def encoder(quick):
    return quick


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


@pytest.fixture
def matched(call, issues_csv, companies_csv, out):
    assert call("match", issues_csv, companies_csv, "--out", out, "--quiet")[0] == 0
    return out


@pytest.fixture
def catalog(call, companies_csv, tmp_path):
    assert call("build", companies_csv, "--catalog", tmp_path / "catalog", "--quiet")[0] == 0
    return tmp_path / "catalog"


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def problems(folder):
    text = (folder / "rejected.csv").read_bytes().decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text, newline="")))


# What the commands say when all is well


def test_match_prints_a_row_for_each_issue_and_says_where_its_files_are(
    call, issues_csv, companies_csv, out
):
    status, shown, errors = call("match", issues_csv, companies_csv, "--out", out)
    assert status == 0
    assert all(row["課題ID"] in shown for row in ISSUES)
    assert f"{len(NAMES)}つのファイルを {out} に書きました。" in shown
    assert sorted(contents(out)) == NAMES
    assert errors == ["表の問題: 除外0件、警告1件（内容と直し方は rejected.csv）。"]


def test_json_prints_the_manifest_and_nothing_else(call, issues_csv, companies_csv, out):
    status, shown, _ = call("match", issues_csv, companies_csv, "--out", out, "--json")
    assert status == 0
    assert json.loads(shown) == json.loads((out / MANIFEST).read_text(encoding="utf-8"))


@pytest.mark.parametrize("more", [(), ("--json",)])
def test_quiet_prints_no_table(call, issues_csv, companies_csv, out, more):
    status, shown, _ = call("match", issues_csv, companies_csv, "--out", out, "--quiet", *more)
    assert status == 0
    assert bool(shown) == bool(more)


def test_build_says_how_many_companies_it_holds(call, companies_csv, tmp_path):
    status, shown, errors = call("build", companies_csv, "--catalog", tmp_path / "c")
    assert (status, errors) == (0, [])
    assert "12社（表の12行、重複0行、除外0行）" in shown
    assert call("build", companies_csv, "--catalog", tmp_path / "c", "--quiet") == (0, "", [])


def test_build_shows_each_problem_for_it_writes_no_list(call, tmp_path):
    path = write_table(tmp_path / "c.csv", changed(COMPANIES, 4, 企業名=""))
    status, _, errors = call("build", path, "--catalog", tmp_path / "c", "--quiet")
    assert status == 0
    assert not any("rejected.csv" in line for line in errors)
    assert any("6行目" in line and "企業名" in line for line in errors)


def test_show_prints_the_working_of_one_issue(call, matched):
    status, shown, errors = call("show", "i-1", "--run", matched)
    assert (status, errors) == (0, [])
    assert "獣害センサー株式会社" in shown
    assert "見守り電気株式会社" not in shown


def test_evaluate_prints_each_measure_with_its_interval(call, matched, tmp_path):
    (tmp_path / "qrels").write_text("i-1 0 c-01 3\ni-6 0 c-02 3\n", encoding="utf-8")
    status, shown, errors = call("evaluate", matched, tmp_path / "qrels")
    assert (status, errors) == (0, [])
    assert "nDCG@10" in shown
    assert "候補のない課題 1件は0点として数えています（i-6）。" in shown
    assert "判定のない課題 4件は数えていません。" in shown
    from_trec = call("evaluate", matched / "run.trec", tmp_path / "qrels")[1]
    assert from_trec.splitlines()[:5] == shown.splitlines()[:5]


def test_evaluate_as_json_against_another_run(call, matched, tmp_path):
    (tmp_path / "qrels").write_text("i-1 0 c-01 3\ni-2 0 c-01 3\n", encoding="utf-8")
    status, shown, _ = call(
        "evaluate", matched, tmp_path / "qrels", "--measure", "P@1", "--measure", "RR",
        "--against", matched / "run.trec", "--json",
    )  # fmt: skip
    found = json.loads(shown)
    assert status == 0
    assert found["means"].keys() == found["against"].keys() == {"P@1", "RR"}
    assert found["against"]["RR"]["p"] == 1
    text = call("evaluate", matched, tmp_path / "qrels", "--against", matched)[1]
    assert "+0.000" in text


def test_demo_is_the_main_job_on_the_shipped_data(call, out):
    status, shown, _ = call("demo", "--out", out)
    assert status == 0
    told = re.search(
        r"課題 52行 ＝ 候補あり (\d+) ＋ 候補なし (\d+)\n企業 110行 ＝ 採用 110\n", shown
    )
    assert told
    assert int(told[1]) + int(told[2]) == 52
    before = contents(out)
    data = data_folder()
    call("match", data / "issues.csv", data / "companies.csv", "--out", out, "--quiet")
    assert {n: c for n, c in contents(out).items() if n != MANIFEST} == {
        n: c for n, c in before.items() if n != MANIFEST
    }


@pytest.mark.parametrize(
    ("given", "day"), [("2026-04-01", "2026-04-01"), ("令和8年4月1日", "2026-04-01")]
)
def test_as_of_is_a_day_in_any_usual_form(call, issues_csv, companies_csv, out, given, day):
    call("match", issues_csv, companies_csv, "--out", out, "--as-of", given, "--quiet")
    manifest = json.loads((out / MANIFEST).read_text(encoding="utf-8"))
    assert manifest["options"]["as_of"] == day


def test_options_reach_the_run(call, issues_csv, companies_csv, out, tmp_path):
    (tmp_path / "s.toml").write_text("dense_weight = 0.5\nspans = 1\n", encoding="utf-8")
    status, _, _ = call(
        "match", issues_csv, companies_csv, "--out", out, "--top", 2, "--region-rule", "any",
        "--sdg-rule", "ignore", "--threads", 1, "--settings", tmp_path / "s.toml", "--quiet",
        "--precision", "f32", "--no-reader", "--no-bridge",
    )  # fmt: skip
    manifest = json.loads((out / MANIFEST).read_text(encoding="utf-8"))
    assert manifest["settings"]["bridge_weight"] == 0
    assert (manifest["options"]["reader"], manifest["reader"], manifest["bridge"]) == (None,) * 3
    assert manifest["options"]["precision"] == "f32"
    assert status == 0
    assert (
        manifest["options"] | {"top": 2, "region_rule": "any", "sdg_rule": "ignore"}
        == (manifest["options"])
    )
    assert (manifest["settings"]["dense_weight"], manifest["settings"]["spans"]) == (0.5, 1)
    lines = (out / "shortlist.jsonl").read_text(encoding="utf-8").splitlines()
    entries = [entry for line in lines for entry in json.loads(line)["entries"]]
    assert {entry["rank"] for entry in entries} == {1, 2}
    assert {len(entry["evidence"]) for entry in entries} <= {0, 1}


def test_help_of_every_command_is_japanese_and_ends_well(call):
    trained = ("check", "completion", "train-encoder", "export-encoder")
    again = ("verify", "replay")
    commands = ("match", "build", "show", "evaluate", "demo", *trained, *again, "doctor")
    for command in commands:
        status, shown, _ = call(command, "--help")
        assert status == 0
        assert any("\u3041" <= char <= "\u9fff" for char in shown)
    listed = call("--help")[1]
    assert all(f"  {command} " in listed for command in commands)


def test_help_tells_how_each_stage_is_switched(call):
    match, build = (call(command, "--help")[1] for command in ("match", "build"))
    for option in ("--reader", "--no-reader", "--bridge", "--no-bridge"):
        assert f"  {option} " in match
        assert (f"  {option} " in build) == (option == "--bridge")
    for told in (match, build):
        assert "bundled-plain" in told
        assert ".safetensors" in told


# Tables checked without matching


def test_check_says_what_each_table_is_and_loads_no_model(
    call, monkeypatch, issues_csv, companies_csv
):
    monkeypatch.setattr("matcher.job.load_encoder", None)
    status, shown, errors = call("check", issues_csv, companies_csv)
    assert (status, errors) == (0, [])
    assert "issues.csv　課題の表" in shown
    assert "companies.csv　企業の表" in shown
    assert "府中市" in shown


def test_check_of_unusable_files_says_so_of_each_and_checks_the_others(
    call, issues_csv, tmp_path, tried
):
    (tmp_path / "空.csv").write_bytes(b"")
    status, shown, errors = call("check", tmp_path / "空.csv", issues_csv, tmp_path / "ない.csv")
    assert (status, len(errors)) == (2, 2)
    assert "0バイト" in errors[0] and "見つかりません" in errors[1]
    assert "issues.csv　課題の表" in shown
    tried(
        2,
        "matcher check に、使える表と空のファイルを一緒に渡す",
        "使える表は点検し、空のファイルは理由を示す（終了状態 2）",
        errors[0],
    )


def test_check_is_strict_only_when_told_to_be(call, tmp_path):
    path = write_table(tmp_path / "i.csv", changed(ISSUES, 0, 課題名=""))
    assert call("check", path)[0] == 0
    assert call("check", path, "--strict")[0] == 1
    assert call("check", path, tmp_path / "ない.csv", "--strict")[0] == 2


def test_quiet_check_only_counts_what_is_wrong(call, issues_csv, companies_csv):
    status, shown, errors = call("check", issues_csv, companies_csv, "--quiet")
    assert (status, shown) == (0, "")
    assert errors == ["issues.csv: 問題 1件（除外0件、警告1件）。"]


def test_check_as_json_accounts_for_every_file(call, issues_csv, tmp_path):
    out = tmp_path / "o"
    status, shown, errors = call("check", issues_csv, tmp_path / "ない.csv", "--json", "--out", out)
    found = json.loads(shown)
    assert status == 2
    assert [one["file"] for one in found] == ["issues.csv", "ない.csv"]
    assert found[0]["rows"] == found[0]["usable"] == 6
    assert found[0]["corrected"] == str(out / "issues_直し.xlsx")
    assert found[1]["error"] == errors[-1]


def test_a_corrected_table_is_input_again(call, companies_csv, tmp_path, out):
    rows = changed([{**row, "団体コード": ""} for row in ISSUES], 0, 団体コード="２８１００")
    issues = write_table(tmp_path / "i.csv", rows)
    status, shown, _ = call("check", issues, "--out", tmp_path / "直し.xlsx")
    assert status == 0
    assert f"直した表を {tmp_path / '直し.xlsx'} に書きました。" in shown
    assert call("match", issues, companies_csv, "--out", out, "--quiet")[0] == 0
    before = contents(out)
    again = ("match", tmp_path / "直し.xlsx", companies_csv, "--out", out, "--quiet")
    assert call(*again)[0] == 0
    same = {"shortlist.jsonl", "run.trec", "shortlist.xlsx", "shortlist.html"}
    assert {name: contents(out)[name] for name in same} == {name: before[name] for name in same}


def test_check_writes_over_nothing_unless_told_to(call, issues_csv, tmp_path):
    command = ("check", issues_csv, "--out", tmp_path / "直し.xlsx", "--quiet")
    assert call(*command)[0] == 0
    status, _, errors = call(*command)
    assert status == 2
    assert "--overwrite" in errors[0]
    assert call(*command, "--overwrite")[0] == 0


def test_check_as_another_kind_is_refused_with_what_lacks(call, issues_csv):
    status, _, errors = call("check", issues_csv, "--as", "companies")
    assert status == 2
    assert "企業名（name）" in errors[0]
    assert call("check", issues_csv, "--as", "課題")[0] == 2


def test_quiet_commands_print_nothing_on_standard_output(call, issues_csv, companies_csv, tmp_path):
    quiet = ("--quiet", "--log", tmp_path / "log")
    assert call("match", issues_csv, companies_csv, "--out", tmp_path / "o", *quiet)[1] == ""
    assert call("build", companies_csv, "--catalog", tmp_path / "c", *quiet)[1] == ""
    assert call("check", issues_csv, "--out", tmp_path / "x.xlsx", *quiet)[1] == ""


def test_a_summary_accounts_for_every_row(call, tmp_path, out):
    issues = write_table(tmp_path / "i.csv", [*changed(ISSUES, 0, 課題名=""), ISSUES[1]])
    companies = write_table(tmp_path / "c.csv", changed([*COMPANIES, COMPANIES[3]], 0, 企業名=""))
    shown = call("match", issues, companies, "--out", out)[1]
    assert "課題 7行 ＝ 候補あり 2 ＋ 候補なし 2 ＋ 内容不足 1 ＋ 重複 1 ＋ 除外 1\n" in shown
    assert "企業 13行 ＝ 採用 11 ＋ 重複 1 ＋ 除外 1\n" in shown


# Reader and bridge, on and off


BRIDGE = "分野,困りごと,解決策\n獣害,イノシシの出没、作物の被害,センサー、柵の点検\n"


@pytest.fixture
def bridge_csv(tmp_path):
    (tmp_path / "bridge.csv").write_text(BRIDGE, encoding="utf-8")
    return tmp_path / "bridge.csv"


def told(folder):
    return json.loads((folder / MANIFEST).read_text(encoding="utf-8"))


def parts(folder):
    """The names of the parts of every score of a run."""
    lines = (folder / "shortlist.jsonl").read_text(encoding="utf-8").splitlines()
    return {part for line in lines for entry in json.loads(line)["entries"]
            for part in entry["parts"]}  # fmt: skip


def test_reader_and_bridge_are_on_unless_switched_off(call, issues_csv, companies_csv, matched):
    assert {"bridge", "reader"} <= parts(matched)
    match = ("match", issues_csv, companies_csv, "--out", matched, "--quiet")
    assert call(*match, "--no-reader")[0] == 0
    assert (told(matched)["reader"], parts(matched) & {"bridge", "reader"}) == (None, {"bridge"})
    assert call(*match, "--no-bridge")[0] == 0
    assert (told(matched)["bridge"], parts(matched) & {"bridge", "reader"}) == (None, {"reader"})


def test_no_reader_is_reader_none(call, issues_csv, companies_csv, out, tmp_path):
    match = ("match", issues_csv, companies_csv, "--quiet", "--out")
    call(*match, out, "--no-reader")
    call(*match, tmp_path / "none", "--reader", "none")
    call(*match, tmp_path / "both", "--reader", "none", "--no-reader")
    assert told(out)["outputs"] == told(tmp_path / "none")["outputs"]
    assert told(out)["outputs"] == told(tmp_path / "both")["outputs"]


def test_bridge_of_ones_own_is_a_table_for_match_and_for_build(
    call, issues_csv, companies_csv, bridge_csv, matched, tmp_path
):
    shipped, folder = told(matched)["bridge"], tmp_path / "c"
    match = ("match", issues_csv, companies_csv, "--out", matched, "--quiet")
    assert call(*match, "--bridge", bridge_csv)[0] == 0
    own = told(matched)["bridge"]
    assert own != shipped
    assert call("build", companies_csv, "--catalog", folder, "--bridge", bridge_csv)[0] == 0
    assert call("match", issues_csv, folder, "--out", matched, "--quiet")[0] == 0
    assert told(matched)["bridge"] == own


def test_bridge_may_be_an_excel_table(call, issues_csv, companies_csv, bridge_csv, matched):
    import openpyxl

    book = openpyxl.Workbook()
    for line in BRIDGE.splitlines():
        book.active.append(line.split(","))
    book.save(bridge_csv.with_suffix(".xlsx"))
    ids = []
    for path in (bridge_csv, bridge_csv.with_suffix(".xlsx")):
        call("match", issues_csv, companies_csv, "--out", matched, "--quiet", "--bridge", path)
        ids.append(told(matched)["bridge"])
    assert ids[0] == ids[1]


# Exit status 2: one sentence, nothing written


def refused(call, *arguments):
    """The sentence of a call that is refused."""
    status, shown, errors = call(*arguments)
    assert status == 2
    assert shown == ""
    assert len(errors) == 1
    assert "Traceback" not in errors[0]
    return errors[0]


def test_missing_table_is_refused(call, issues_csv, companies_csv, tmp_path, out):
    none = tmp_path / "ない.csv"
    assert "ない.csv" in refused(call, "match", none, companies_csv, "--out", out)
    assert "ない.csv" in refused(call, "match", issues_csv, none, "--out", out)
    assert "ない.csv" in refused(call, "build", none, "--catalog", tmp_path / "c")
    assert not out.exists()
    assert not (tmp_path / "c").exists()


def test_folder_as_issues_is_refused(call, companies_csv, tmp_path, out):
    assert "フォルダー" in refused(call, "match", tmp_path, companies_csv, "--out", out)
    assert not out.exists()


def test_file_of_no_bytes_is_refused(call, companies_csv, tmp_path, out):
    (tmp_path / "空.csv").write_bytes(b"")
    sentence = refused(call, "match", tmp_path / "空.csv", companies_csv, "--out", out)
    assert "0バイト" in sentence
    assert not out.exists()


def test_header_that_does_not_fit_is_refused_with_what_was_seen_and_wanted(
    call, companies_csv, tmp_path, out
):
    (tmp_path / "x.csv").write_text("名前,電話\nあ,1\n", encoding="utf-8")
    sentence = refused(call, "match", tmp_path / "x.csv", companies_csv, "--out", out)
    for word in ("名前", "電話", "課題名", "課題内容"):
        assert word in sentence
    assert not out.exists()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--top", "0"], "--top"),
        (["--top", "-3"], "--top"),
        (["--top", "abc"], "--top"),
        (["--top", "1.5"], "--top"),
        (["--region-rule", "near"], "serves・prefecture・block・any"),
        (["--sdg-rule", "some"], "prefer・any・all・ignore"),
        (["--threads", "0"], "--threads"),
        (["--threads", "x"], "--threads"),
        (["--as-of", "2026-02-30"], "2026-02-30"),
        (["--as-of", "きのう"], "きのう"),
        (["--settings", "ない.toml"], "ない.toml"),
        (["--unknown"], "--unknown"),
        (["--tpo", "3"], "--tpo"),
        (["extra.csv"], "extra.csv"),
        (["--top"], "--top"),
    ],
)
def test_option_that_cannot_be_is_refused(call, issues_csv, companies_csv, out, options, told):
    assert told in refused(call, "match", issues_csv, companies_csv, "--out", out, *options)
    assert not out.exists()


@pytest.mark.parametrize(
    "content",
    ["top = 10", "dense_weight = -1", "dense_weight = '1'", "spans = 1.5", "= 1", "bm25_b = nan",
     "dense_weight = 0\nwords_weight = 0\nbigrams_weight = 0", "[dense_weight]\nx = 1",
     "sdgs_weight = 0.5"],
)  # fmt: skip
def test_settings_that_cannot_be_are_refused(
    call, issues_csv, companies_csv, out, tmp_path, content
):
    (tmp_path / "s.toml").write_text(content, encoding="utf-8")
    settings = ("--settings", tmp_path / "s.toml")
    sentence = refused(call, "match", issues_csv, companies_csv, "--out", out, *settings)
    assert "設定" in sentence
    assert not out.exists()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["mach"], "mach"),
        (["--unknown"], "--unknown"),
        (["match"], "ISSUES"),
        (["show", "i-1"], "--run"),
        (["build", "c.csv"], "--catalog"),
    ],
)
def test_call_that_cannot_be_is_refused_with_the_way_to_help(call, arguments, told):
    sentence = refused(call, *arguments)
    assert told in sentence
    assert "matcher --help" in sentence


def test_file_as_output_is_refused(call, issues_csv, companies_csv, out):
    out.write_text("大切", encoding="utf-8")
    assert "フォルダー名" in refused(call, "match", issues_csv, companies_csv, "--out", out)
    assert out.read_text(encoding="utf-8") == "大切"


def test_output_below_a_file_is_refused(call, issues_csv, companies_csv, tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    sentence = refused(call, "match", issues_csv, companies_csv, "--out", tmp_path / "file" / "x")
    assert "file" in sentence


@pytest.mark.parametrize("step", [1, 2, 3, 12, 13])
def test_folder_that_cannot_be_written_is_refused(
    call, issues_csv, companies_csv, matched, monkeypatch, step
):
    before = contents(matched)
    with monkeypatch.context() as patch:
        crash_at(patch, step, lambda name: PermissionError(13, "Permission denied", name))
        refused(call, "match", issues_csv, companies_csv, "--out", matched)
    assert contents(matched) == before
    assert sorted(path.name for path in matched.iterdir()) == NAMES


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--bridge", "ない.csv"], "ない.csv"),
        (["--bridge", "issues.csv"], "困りごと"),
        (["--bridge", "b.csv", "--no-bridge"], "--no-bridge"),
        (["--reader", "some/model", "--no-reader"], "--no-reader"),
        (["--reader"], "--reader"),
    ],
)
def test_reader_and_bridge_that_cannot_be_are_refused(
    call, issues_csv, companies_csv, out, monkeypatch, options, told
):
    monkeypatch.chdir(issues_csv.parent)
    assert told in refused(call, "match", issues_csv, companies_csv, "--out", out, *options)
    assert not out.exists()


def test_bridge_beside_a_catalog_is_refused(call, issues_csv, catalog, bridge_csv, out):
    sentence = refused(call, "match", issues_csv, catalog, "--out", out, "--bridge", bridge_csv)
    assert "matcher build" in sentence
    assert "bridge.csv" in sentence
    assert not out.exists()


def test_build_with_a_bridge_that_is_none_is_refused(call, companies_csv, tmp_path):
    build = ("build", companies_csv, "--catalog", tmp_path / "c", "--bridge", tmp_path / "ない.csv")
    assert "ない.csv" in refused(call, *build)
    assert not (tmp_path / "c").exists()


def test_folder_without_a_reader_is_refused(call, issues_csv, companies_csv, out, tmp_path):
    from matcher import embed

    (tmp_path / "folder").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("matcher.job.load_reader", embed.load_reader)
        match = ("match", issues_csv, companies_csv, "--out", out)
        assert "folder" in refused(call, *match, "--reader", tmp_path / "folder")
    assert not out.exists()


def test_precision_that_cannot_be_is_refused(call, issues_csv, companies_csv, out, monkeypatch):
    monkeypatch.undo()  # the true load_encoder
    wrong = ("match", issues_csv, companies_csv, "--out", out, "--precision", "f16")
    assert "auto か f32" in refused(call, *wrong)
    assert not out.exists()


@pytest.mark.parametrize("name", ["folder", "./none", "/none/at/all"])
def test_folder_without_model_is_refused(
    call, issues_csv, companies_csv, out, tmp_path, monkeypatch, name
):
    monkeypatch.undo()  # the true load_encoder
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    sentence = refused(call, "match", issues_csv, companies_csv, "--out", out, "--encoder", name)
    assert "bundled" in sentence
    assert not out.exists()


def test_edited_output_is_refused_unless_overwritten(call, issues_csv, companies_csv, matched):
    with (matched / "shortlist.xlsx").open("ab") as file:
        file.write(b"x")
    before = contents(matched)
    match = ("match", issues_csv, companies_csv, "--out", matched, "--quiet")
    sentence = refused(call, *match)
    assert "shortlist.xlsx" in sentence
    assert "--overwrite" in sentence
    assert contents(matched) == before
    assert call(*match, "--overwrite")[0] == 0
    assert call(*match)[0] == 0


def test_catalog_that_is_none_is_refused(call, issues_csv, tmp_path, out, matched):
    (tmp_path / "empty").mkdir()
    for folder in (tmp_path / "empty", matched):  # the folder of a run is no catalog
        sentence = refused(call, "match", issues_csv, folder, "--out", tmp_path / "new")
        assert "matcher build" in sentence
    assert not (tmp_path / "new").exists()
    before = contents(matched)
    assert "カタログ以外" in refused(
        call, "build", tmp_path / "companies.csv", "--catalog", matched
    )
    assert contents(matched) == before


def test_catalog_of_another_encoder_is_refused(call, encoder, issues_csv, catalog, out):
    encoder("another")
    assert "matcher build" in refused(call, "match", issues_csv, catalog, "--out", out)
    assert not out.exists()


def test_catalog_with_a_flipped_byte_is_refused(call, issues_csv, catalog, out):
    path = next(catalog.glob("segment-*/vectors.npy"))
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert "vectors.npy" in refused(call, "match", issues_csv, catalog, "--out", out)
    assert not out.exists()


def test_catalog_of_another_format_is_refused(call, issues_csv, catalog, out):
    manifest = json.loads((catalog / MANIFEST).read_text(encoding="utf-8"))
    (catalog / MANIFEST).write_text(json.dumps(manifest | {"format": 9}), encoding="utf-8")
    assert "9" in refused(call, "match", issues_csv, catalog, "--out", out)
    assert not out.exists()


def test_run_and_issue_that_are_none_are_refused(call, matched, tmp_path):
    assert "i-99" in refused(call, "show", "i-99", "--run", matched)
    assert "出力ではありません" in refused(call, "show", "i-1", "--run", tmp_path)
    assert "出力ではありません" in refused(call, "show", "i-1", "--run", tmp_path / "none")
    (matched / "shortlist.jsonl").write_text("", encoding="utf-8")
    assert "書き換え" in refused(call, "show", "i-1", "--run", matched)


def test_evaluation_that_cannot_be_is_refused(call, matched, tmp_path):
    (tmp_path / "qrels").write_text("i-1 0 c-01 3\n", encoding="utf-8")
    (tmp_path / "bad").write_text("i-1 0 c-01 9\n", encoding="utf-8")
    assert "bad」の1行目" in refused(call, "evaluate", matched, tmp_path / "bad")
    assert "none" in refused(call, "evaluate", matched, tmp_path / "none")
    assert "none" in refused(call, "evaluate", tmp_path / "none", tmp_path / "qrels")
    assert "qrels の1行目" in refused(call, "evaluate", tmp_path / "qrels", tmp_path / "qrels")
    measure = ("--measure", "nDCG@0")
    assert "nDCG@0" in refused(call, "evaluate", matched, tmp_path / "qrels", *measure)


def test_error_of_ours_shows_its_trace(issues_csv, companies_csv, out, monkeypatch):
    def broken(*_, **__):
        raise ZeroDivisionError("ours")

    monkeypatch.setattr("matcher.run.write_run", broken)
    with pytest.raises(ZeroDivisionError):
        main(["match", str(issues_csv), str(companies_csv), "--out", str(out)])


# Exit status 1 and rows that cannot be used


@pytest.mark.parametrize("table", ["issues", "companies"])
def test_strict_ends_with_1_after_the_outputs_are_written(call, tmp_path, out, table):
    issues = changed(ISSUES, 0, 課題名="") if table == "issues" else ISSUES
    companies = changed(COMPANIES, 0, 企業名="") if table == "companies" else COMPANIES
    i, c = write_table(tmp_path / "i.csv", issues), write_table(tmp_path / "c.csv", companies)
    assert call("match", i, c, "--out", out, "--quiet")[0] == 0
    status, _, errors = call("match", i, c, "--out", out, "--quiet", "--strict")
    assert status == 1
    assert errors == ["表の問題: 除外1件、警告1件（内容と直し方は rejected.csv）。"]
    assert sorted(contents(out)) == NAMES
    assert [line["severity"] for line in problems(out)].count("除外") == 1


def test_strict_ends_with_0_where_there_are_only_warnings(call, issues_csv, companies_csv, out):
    status, _, errors = call("match", issues_csv, companies_csv, "--out", out, "--strict")
    assert status == 0
    assert "警告1件" in errors[0]


def test_strict_build_ends_with_1_after_the_catalog_is_written(call, tmp_path):
    path = write_table(tmp_path / "c.csv", changed(COMPANIES, 0, 企業名=""))
    assert call("build", path, "--catalog", tmp_path / "c", "--strict")[0] == 1
    assert (tmp_path / "c" / MANIFEST).exists()


def test_every_kind_of_bad_row_stands_in_rejected_and_the_run_goes_on(call, tmp_path, out):
    plain = dict(ISSUES[0]) | {"団体コード": ""}
    rows = [
        plain | {"課題ID": "ok"},
        plain | {"課題ID": "goal", "SDGs": "18"},
        plain | {"課題ID": "twice"},
        plain | {"課題ID": "twice", "課題名": "別の題"},
        plain | {"課題ID": "against", "都道府県": "東京都", "団体コード": "281000"},
        plain | {"課題ID": "fuchu", "自治体名": "府中市", "都道府県": ""},
        plain | {"課題ID": "digit", "団体コード": "281001"},
    ]
    issues = write_table(tmp_path / "i.csv", rows)
    companies = write_table(tmp_path / "c.csv", COMPANIES)
    assert call("match", issues, companies, "--out", out, "--quiet")[0] == 0
    found = {line["row"] for line in problems(out)}
    assert found == {"3", "4", "5", "6", "7", "8"}
    counts = json.loads((out / MANIFEST).read_text(encoding="utf-8"))["counts"]["issues"]
    assert (counts["rows"], counts["rejected"]) == (7, 2)


# Exit status 130


def test_interrupt_ends_with_130_and_leaves_the_former_run(
    call, issues_csv, companies_csv, matched, monkeypatch
):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    before = contents(matched)
    for place in (
        "matcher.job.read_issues",
        "matcher.job.load_encoder",
        "matcher.pipeline.explain.passages",
        "matcher.run.to_lines",
    ):
        with monkeypatch.context() as patch:
            patch.setattr(place, interrupted)
            status, shown, errors = call("match", issues_csv, companies_csv, "--out", matched)
        assert (status, shown, len(errors)) == (130, "", 1)
        assert "中断" in errors[0]
        assert contents(matched) == before


@pytest.mark.parametrize("step", range(1, 15))
def test_interrupt_while_writing_leaves_the_former_run(
    call, issues_csv, companies_csv, matched, monkeypatch, step
):
    before = contents(matched)
    with monkeypatch.context() as patch:
        crash_at(patch, step, KeyboardInterrupt)
        status, _, _ = call("match", issues_csv, companies_csv, "--out", matched, "--top", 1)
    assert status == 130
    assert contents(matched) == before


def test_interrupted_build_ends_with_130_and_leaves_the_former_catalog(
    call, companies_csv, catalog, monkeypatch
):
    before = sorted(path.name for path in catalog.rglob("*"))
    for step in range(1, 10):
        with monkeypatch.context() as patch:
            crash_at(patch, step, KeyboardInterrupt)
            status, _, errors = call("build", companies_csv, "--catalog", catalog)
        assert (status, len(errors)) == (130, 1)
        assert sorted(path.name for path in catalog.rglob("*")) == before


# In a process of its own


def start(*arguments, encoding="utf-8", env=None):
    command = [sys.executable, "-m", "matcher", *map(str, arguments)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdout=pipe, stderr=pipe, encoding=encoding, env=env)


def test_ctrl_c_ends_with_130_and_leaves_the_former_run(matched, companies_csv, tmp_path):
    issues = [
        dict(ISSUES[0]) | {"課題ID": f"i{n}", "課題内容": f"{n}番目の畑が荒らされる。" * 50}
        for n in range(3000)
    ]  # minutes of encoding
    path = write_table(tmp_path / "many.csv", issues)
    before = contents(matched)
    with start("match", path, companies_csv, "--out", matched) as process:
        time.sleep(4)
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        try:
            shown, errors = process.communicate(timeout=60)
        finally:
            process.kill()  # whoever ignores the signal does not compute on behind the tests
    assert (process.returncode, shown) == (130, "")
    assert errors.splitlines() == ["中断しました。書きかけのファイルは残っていません。"]
    assert contents(matched) == before
    assert sorted(path.name for path in matched.iterdir()) == NAMES


def test_refusal_is_one_line_and_status_2_in_a_process_of_its_own(tmp_path):
    process = start("match", tmp_path / "ない.csv", tmp_path / "c.csv", "--out", tmp_path / "o")
    shown, errors = process.communicate(timeout=60)
    assert (process.returncode, shown) == (2, "")
    assert len(errors.splitlines()) == 1
    assert "ない.csv" in errors


def test_output_that_cannot_show_a_character_does_not_end_the_command(
    call, tmp_path, companies_csv
):
    title, encoding = "髙﨑〜–😀の獣害", "cp932"
    issues = write_table(tmp_path / "i.csv", changed(ISSUES, 0, 課題名=title))
    assert call("match", issues, companies_csv, "--out", tmp_path / "o", "--quiet")[0] == 0
    (tmp_path / "q").write_text(f"{title} 0 c-01 3\ni-2 0 c-01 3\n", encoding="utf-8")
    evaluate = ("evaluate", tmp_path / "o", tmp_path / "q")
    environment = {**os.environ, "PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}
    for command in (("show", "i-1", "--run", tmp_path / "o"), evaluate, (*evaluate, "--json")):
        process = start(*command, env=environment, encoding=encoding)
        shown, errors = process.communicate(timeout=60)
        assert (process.returncode, errors) == (0, "")
        assert shown
    assert json.loads(shown)["without_list"] == [title]  # as JSON nothing is lost


# Every command, one after the other, in a process that may open no socket; the demo by itself in
# the test of the wheel, for it takes longest.
WITHOUT_NETWORK = """
import json, socket, sys

def closed(*_, **__):
    raise AssertionError("a socket was opened")

socket.socket.__init__ = closed
socket.socket.connect = closed
socket.getaddrinfo = closed
socket.create_connection = closed
from matcher.cli import main

data = sys.argv[1]
issues, companies = data + "/issues.csv", data + "/companies.csv"
few = ["match", "few.csv", "catalog", "--out", "run"]
for arguments in (
    ["build", "some.csv", "--catalog", "catalog"],
    few,
    ["check", "few.csv", "some.csv", "--out", "checked"],
    ["completion", "bash"],
    ["show", "iss-002", "--run", "run"],
    ["evaluate", "run", data + "/qrels.tsv", "--against", "run/run.trec", "--slices",
     "--out", "evaluation.xlsx"],
    ["label", "run", "--out", "labels", "--judges", "1"],
    ["settle", "judgements.csv", "--out", "settled"],
    ["outcomes", "happened.csv", "--run", "run", "--out", "happened"],
    ["verify", "run", "--companies", "catalog"],
    ["replay", "run", "--companies", "catalog"],
    ["--help"],
):
    try:
        main(arguments)
    except SystemExit as done:
        assert done.code == 0, (arguments, done.code)
print(json.dumps(sorted(sys.modules)), file=sys.stderr)
"""


def test_every_command_without_a_network_writes_nothing_but_its_outputs(tmp_path):
    home, work, scratch = (tmp_path / name for name in ("home", "work", "scratch"))
    for folder in (home, work, scratch):
        folder.mkdir()
    for name, size in (("issues.csv", 3), ("companies.csv", 12)):
        lines = (data_folder() / name).read_text(encoding="utf-8").splitlines()[: size + 1]
        target = "few.csv" if name == "issues.csv" else "some.csv"
        (work / target).write_text("\n".join(lines), encoding="utf-8")
    (work / "happened.csv").write_text(
        "課題ID,企業ID,結果,日付\niss-002,co-x,成立,2026-04-01\n", encoding="utf-8"
    )
    pair = {"issue_id": "iss-002", "company_id": "co-x", "grade": 3}
    judged = [Judgement(**pair, judge=name) for name in ("甲", "乙")]
    (work / "judgements.csv").write_bytes(labels.judgements_csv(judged))
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_NETWORK, str(data_folder())],
        cwd=work, capture_output=True, text=True, encoding="utf-8", timeout=900,
        env={"HOME": str(home), "PATH": os.environ["PATH"], "TMPDIR": str(scratch),
             "PYTHONDONTWRITEBYTECODE": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    modules = set(json.loads(done.stderr.splitlines()[-1]))
    assert not modules & {"torch", "sentence_transformers", "transformers"}
    assert list(home.rglob("*")) == []
    assert list(scratch.rglob("*")) == []
    assert sorted(path.name for path in work.iterdir()) == [
        "catalog", "checked", "evaluation.xlsx", "few.csv", "happened", "happened.csv",
        "judgements.csv", "labels", "run", "settled", "some.csv",
    ]  # fmt: skip
    assert sorted(path.name for path in (work / "run").iterdir()) == NAMES


def test_help_loads_nothing_heavy():
    code = (
        "import sys\nfrom matcher.cli import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        "print(*sorted(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, encoding="utf-8"
    )
    heavy = {"numpy", "faiss", "openvino", "duckdb", "sklearn", "scipy", "fugashi", "torch"}
    assert not heavy & set(done.stderr.split())


def test_module_and_function_are_the_same_command_line():
    source = Path(cli.__file__).with_name("__main__.py").read_text(encoding="utf-8")
    assert "from matcher.cli import main" in source
