import pytest

from matcher.codes import data_folder
from matcher.errors import MatcherError
from matcher.sources import file_sha256, find, require


@pytest.fixture
def run(tmp_path, monkeypatch):
    """The folder of a run, with another folder as the current one."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    (tmp_path / "runs" / "out").mkdir(parents=True)
    return tmp_path / "runs" / "out"


def written(path, content):
    path.write_text(content, encoding="utf-8")
    return file_sha256(path)


def test_file_is_found_in_the_current_folder_then_beside_the_run(run):
    written(run.parent / "t.csv", "beside")
    assert find("t.csv", run).told() == "t.csv（実行結果のフォルダーの隣）"
    written(run.parents[1] / "here" / "t.csv", "here")
    assert find("t.csv", run).told() == "t.csv（今のフォルダー）"


def test_file_with_the_bytes_of_the_run_comes_before_one_of_its_name(run):
    digest = written(run.parent / "t.csv", "as it was")
    written(run.parents[1] / "here" / "t.csv", "edited")
    assert find("t.csv", run, sha256=digest).path.read_text() == "as it was"
    assert find("t.csv", run, sha256="0" * 64).path.read_text() == "edited"


def test_shipped_table_is_found_by_its_bytes_only(run):
    digest = file_sha256(data_folder() / "issues.csv")
    assert find("issues.csv", run, sha256=digest).told() == "issues.csv（同梱）"
    assert find("issues.csv", run, sha256="0" * 64) is None
    assert find("issues.csv", run) is None


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "..", ""])
def test_name_leads_nowhere_else(run, name):
    assert find(name, run) is None


def test_what_is_not_found_is_said_with_its_option(run):
    with pytest.raises(MatcherError, match=r"課題の表「t\.csv」.*--issues で指定"):
        require("課題の表", "--issues", "t.csv", run)


def test_no_file_has_no_hash(tmp_path):
    assert file_sha256(tmp_path) == file_sha256(tmp_path / "none") == ""
