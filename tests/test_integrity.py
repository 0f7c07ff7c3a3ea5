import json
import shutil

import pytest
from examples import ISSUES, changed, write_table

from matcher.errors import DataError
from matcher.integrity import read_manifest, verify
from matcher.job import Options, build_catalog, match_tables
from matcher.records import sealed
from matcher.run import FILES, MANIFEST


@pytest.fixture(autouse=True)
def _anywhere_else(quick, tmp_path, monkeypatch):
    """The quick encoder, and a current folder in which no table is found."""
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")


def silent(label, total):
    return lambda done: None


@pytest.fixture
def run(issues_csv, companies_csv, tmp_path):
    match_tables(issues_csv, companies_csv, tmp_path / "out", Options(), silent)
    return tmp_path / "out"


@pytest.fixture
def catalog(companies_csv, tmp_path):
    build_catalog(companies_csv, tmp_path / "catalog", Options(), silent)
    return tmp_path / "catalog"


def states(found):
    return {one.name: one.state for one in found.files}


def test_run_as_it_was_written_is_whole_with_its_tables(run):
    found = verify(run)
    assert states(found) == dict.fromkeys((MANIFEST, *FILES, "issues.csv", "companies.csv"), "一致")
    assert found.is_whole
    assert verify(run / "run.trec") == found  # a run is its folder or its run.trec


@pytest.mark.parametrize("name", FILES)
def test_each_output_is_found_when_a_byte_of_it_changed_or_it_is_gone(run, name):
    content = bytearray((run / name).read_bytes())
    content[len(content) // 2] ^= 1
    (run / name).write_bytes(content)
    found = verify(run)
    assert {one for one, state in states(found).items() if state != "一致"} == {name}
    assert not found.is_whole
    (run / name).unlink()
    assert states(verify(run))[name] == "ない"
    assert not verify(run).is_whole


def test_edited_manifest_is_found_by_its_seal(run):
    manifest = json.loads((run / MANIFEST).read_text(encoding="utf-8"))
    manifest["settings"]["dense_weight"] = 0.5
    (run / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")
    assert states(verify(run))[MANIFEST] == "違う"
    assert not verify(run).is_whole


def test_manifest_laid_out_otherwise_is_the_same(run):
    manifest = json.loads((run / MANIFEST).read_text(encoding="utf-8"))
    (run / MANIFEST).write_text(json.dumps(manifest, sort_keys=True), encoding="utf-8")
    assert verify(run).is_whole


def test_whole_set_that_was_still_to_be_moved_in_counts(run):
    staged = run / ".staged"
    staged.mkdir()
    for name in ("run.trec", MANIFEST):  # a process died when the other files had been moved
        (run / name).rename(staged / name)
    assert verify(run).is_whole


def test_hash_taken_out_of_the_manifest_is_found_even_under_a_new_seal(run):
    manifest = json.loads((run / MANIFEST).read_text(encoding="utf-8"))
    del manifest["outputs"]["run.trec"]
    (run / MANIFEST).write_text(json.dumps(sealed(manifest)), encoding="utf-8")
    assert states(verify(run))["run.trec"] == "違う"


def test_manifest_without_a_seal_is_of_an_older_version_and_said_to_be(run):
    manifest = json.loads((run / MANIFEST).read_text(encoding="utf-8"))
    del manifest["seal"]
    (run / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")
    found = verify(run)
    assert states(found)[MANIFEST] == "未確認"
    assert found.is_whole


def test_table_that_was_edited_since_is_found(run, issues_csv):
    write_table(issues_csv, changed(ISSUES, 0, 課題名="別の課題"))
    assert states(verify(run))["issues.csv"] == "違う"
    assert not verify(run).is_whole


def test_table_that_is_not_at_hand_is_not_checked_unless_told_where(run, issues_csv, tmp_path):
    moved = shutil.move(issues_csv, tmp_path / "elsewhere" / "課題.csv")
    found = verify(run)
    assert states(found)["issues.csv"] == "未確認"
    assert found.is_whole
    assert states(verify(run, issues=moved))["課題.csv"] == "一致"


def test_table_that_was_told_must_be_there(run, tmp_path):
    with pytest.raises(DataError, match=r"企業の表「.*ない\.csv」が見つかりません"):
        verify(run, companies=tmp_path / "ない.csv")


def test_catalog_may_be_told_for_the_companies(run, catalog, companies_csv, tmp_path):
    assert states(verify(run, companies=catalog))["catalog"] == "一致"
    other = tmp_path / "other"
    build_catalog(companies_csv, other, Options(encoder="bundled"), silent)
    manifest = json.loads((other / MANIFEST).read_text(encoding="utf-8"))
    (other / MANIFEST).write_text(json.dumps(manifest | {"id": "0" * 64}), encoding="utf-8")
    assert states(verify(run, companies=other))["other"] == "違う"
    vectors = next(catalog.glob("segment-*/vectors.npy"))
    vectors.write_bytes(vectors.read_bytes()[:-1] + b"\1")
    found = verify(run, companies=catalog)
    assert states(found)["catalog"] == "違う"
    assert "vectors.npy が壊れています" in found.files[-1].note


def test_catalog_as_it_was_written_is_whole(catalog):
    found = verify(catalog)
    assert found.is_whole
    assert {one.state for one in found.files} == {"一致"}
    on_disk = {path for path in catalog.rglob("*") if path.is_file()} - {catalog / MANIFEST}
    assert {one.name for one in found.files if one.role == "カタログ"} == {
        path.relative_to(catalog).as_posix() for path in on_disk if path.parent != catalog
    }


def test_each_file_of_a_catalog_is_found_when_a_byte_of_it_changed(catalog):
    (segment,) = catalog.glob("segment-*")
    for path in sorted(path for path in segment.rglob("*") if path.is_file()):
        content = path.read_bytes()
        flipped = bytearray(content or b"\0")
        flipped[len(flipped) // 2] ^= 1
        path.write_bytes(flipped)
        wrong = [one.name for one in verify(catalog).files if one.state != "一致"]
        assert wrong == [path.relative_to(catalog).as_posix()]
        path.write_bytes(content)
    assert verify(catalog).is_whole


def test_file_that_a_catalog_lost_or_got_is_found(catalog):
    (segment,) = catalog.glob("segment-*")
    (segment / "means.npy").rename(segment / "means.old")
    found = states(verify(catalog))
    assert found[f"{segment.name}/means.npy"] == "ない"
    assert found[f"{segment.name}/means.old"] == "違う"
    shutil.rmtree(segment)
    assert set(states(verify(catalog)).values()) == {"一致", "ない"}


@pytest.mark.parametrize(
    "content",
    [None, "", "{", "[]", "{}", "3", '{"segment": "s"}', '{"outputs": {}}', "\0", '{"files": {}}',
     '{"inputs": {"issues": 1, "companies": {}}, "outputs": {}, "options": {}, "settings": {}}'],
)  # fmt: skip
def test_folder_without_a_run_is_refused(tmp_path, content):
    if content is not None:
        (tmp_path / MANIFEST).write_text(content, encoding="utf-8")
    with pytest.raises(DataError, match=r"でもないか、manifest\.json が壊れています"):
        read_manifest(tmp_path)


def test_names_in_a_forged_manifest_lead_nowhere_else(run, catalog, tmp_path):
    (tmp_path / "secret").write_text("x", encoding="utf-8")
    manifest = json.loads((run / MANIFEST).read_text(encoding="utf-8"))
    manifest["outputs"]["../secret"] = "0" * 64
    manifest["inputs"]["issues"]["source"] = "../secret"
    (run / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")
    assert "../secret" not in states(verify(run))
    told = json.loads((catalog / MANIFEST).read_text(encoding="utf-8"))
    (catalog / MANIFEST).write_text(
        json.dumps(told | {"segment": "../elsewhere"}), encoding="utf-8"
    )
    assert not verify(catalog).is_whole


# The command


def line_of(shown, name):
    """The printed line of one file, with single blanks."""
    (line,) = (line for line in shown.splitlines() if f"  {name}" in line)
    return " ".join(line.split())


def test_command_says_of_each_file_what_it_is_and_ends_with_zero(call, run):
    status, shown, errors = call("verify", run)
    assert (status, errors) == (0, [])
    assert line_of(shown, "run.trec") == "一致 出力 run.trec"
    assert "確かめたファイルは、すべて書いたときのままです。" in shown
    assert "だれが書いたかは分かりません" in shown


def test_command_ends_with_one_where_an_output_was_edited_or_is_gone(call, run, tried):
    with (run / "rejected.csv").open("a", encoding="utf-8") as file:
        file.write("追記\n")
    status, shown, errors = call("verify", run)
    assert (status, errors) == (1, [])
    assert "一致 7、違う 1" in shown
    tried(7, "実行のあとに書き換えた出力を verify", "名指しし、終了状態1",
          line_of(shown, "rejected.csv"))  # fmt: skip
    (run / "rejected.csv").unlink()
    status, shown, _ = call("verify", run)
    assert status == 1
    tried(7, "なくなった出力を verify", "名指しし、終了状態1", line_of(shown, "rejected.csv"))


def test_command_ends_with_one_where_the_manifest_was_edited(call, run, tried):
    text = (run / MANIFEST).read_text(encoding="utf-8")
    (run / MANIFEST).write_text(text.replace('"top": 10', '"top": 20'), encoding="utf-8")
    status, shown, _ = call("verify", run)
    assert status == 1
    tried(8, "manifest.json の設定だけを書き換えて verify", "封印の値と合わず、終了状態1",
          line_of(shown, MANIFEST))  # fmt: skip


def test_command_ends_with_one_where_a_byte_of_a_catalog_flipped(call, catalog, tried):
    (path,) = catalog.glob("segment-*/means.npy")
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    status, shown, _ = call("verify", catalog)
    assert status == 1
    told = line_of(shown, f"{path.parent.name}/means.npy")
    tried(7, "1ビットだけ変わったカタログの配列を verify", "名指しし、終了状態1",
          told.replace(path.parent.name, "segment-…"))  # fmt: skip


def test_command_ends_with_two_where_there_is_no_run(call, tmp_path, monkeypatch, tried):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "結果").mkdir()
    status, shown, (sentence,) = call("verify", "結果")
    assert (status, shown) == (2, "")
    tried(7, "実行結果でないフォルダーを verify", "終了状態2", sentence)


def test_command_as_json_holds_the_same(call, run, tmp_path):
    status, shown, _ = call("verify", run, "--json")
    assert status == 0
    found = json.loads(shown)["files"]
    assert {one["name"]: one["state"] for one in found} == states(verify(run))
    assert call("verify", tmp_path / "ない", "--json")[0] == 2
