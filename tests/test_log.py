"""The log of unattended runs: what happened and how it ended, and nothing that a table holds."""

import os
import re
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from examples import COMPANIES, ISSUES, write_table
from hypothesis import given, settings
from hypothesis import strategies as st

from matcher import log
from matcher.check import check_tables
from matcher.errors import DataError, MatcherError

LINE = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d{4} (INFO|WARNING|ERROR) pid=\d+ "
    r'command=[a-z]+ event=[a-z]+( [a-z0-9_]+=([\w.:/+-]+|"(?:[^"\\\x00-\x1f]|\\.)*"))*'
)


@pytest.fixture(autouse=True)
def encoder(quick):
    return quick


@pytest.fixture
def path(tmp_path):
    return tmp_path / "matcher.log"


def lines(path):
    found = path.read_text(encoding="utf-8").splitlines()
    assert all(LINE.fullmatch(line) for line in found)
    return found


def events(path):
    return [re.search(r"event=(\w+)", line)[1] for line in lines(path)]


def only(path, event):
    (line,) = (line for line in lines(path) if f"event={event} " in line)
    return line


def test_a_run_is_told_from_its_start_to_its_end(call, issues_csv, companies_csv, tmp_path, path):
    match = ("match", issues_csv, companies_csv, "--out", tmp_path / "out", "--log", path)
    assert call(*match, "--quiet")[0] == 0
    assert events(path) == [
        *("start", "stage", "stage", "input", "input", "problems", "result"),
        *["output"] * 5,
        "end",
    ]
    assert 'files="issues.csv,companies.csv"' in only(path, "start")
    issues, companies = (line for line in lines(path) if "event=input" in line)
    assert "kind=issues file=issues.csv sha256=" in issues
    assert "rows=6 merged=0 rejected=0" in issues
    assert companies.endswith("rows=12 merged=0 rejected=0 accepted=12")
    assert only(path, "problems").endswith("rejected=0 warned=1")
    assert "ranked=3 no_candidate=2 unclear=1 routed=0" in only(path, "result")
    assert re.search(r" INFO .* event=end status=0 seconds=\d+\.\d$", only(path, "end"))


def test_each_command_that_runs_unattended_keeps_a_log(call, companies_csv, tmp_path, path):
    assert call("demo", "--out", companies_csv, "--log", path, "--quiet")[0] == 2  # no folder
    build = ("build", companies_csv, "--catalog", tmp_path / "c", "--log", path, "--quiet")
    assert call(*build)[0] == 0
    assert call("check", companies_csv, "--log", path, "--quiet")[0] == 0
    starts = [line for line in lines(path) if "event=start" in line]
    assert [re.search(r"command=(\w+)", line)[1] for line in starts] == ["demo", "build", "check"]
    assert events(path).count("end") == 3


def test_an_error_is_told_by_kind_and_place_and_not_by_its_words(call, tmp_path, path):
    (tmp_path / "秘密.csv").write_text("氏名,住所\n山田,月島\n", encoding="utf-8")
    out = ("--out", tmp_path / "out", "--log", path)
    status, _, errors = call("match", tmp_path / "秘密.csv", tmp_path / "b.csv", *out)
    assert status == 2
    assert "住所" in errors[0]
    assert re.search(r" ERROR .* kind=DataError at=tables[\w/]*\.py:\d+$", only(path, "error"))
    assert " ERROR " in only(path, "end") and "status=2" in only(path, "end")
    assert not re.search("氏名|住所|山田|月島", path.read_text(encoding="utf-8"))


def test_a_wrong_option_is_in_the_log_too(call, issues_csv, companies_csv, tmp_path, path):
    match = ("match", issues_csv, companies_csv, "--out", tmp_path / "out", "--log", path)
    assert call(*match, "--threads", "0")[0] == 2
    assert events(path) == ["start", "error", "end"]


def test_rejected_rows_make_a_warning_and_strict_a_status(call, tmp_path, path):
    issues = write_table(tmp_path / "i.csv", [{**ISSUES[0], "課題名": ""}, ISSUES[1]])
    assert call("check", issues, "--strict", "--log", path, "--quiet")[0] == 1
    assert " WARNING " in only(path, "problems")
    assert " WARNING " in only(path, "end") and "status=1" in only(path, "end")


def test_an_interruption_is_told_with_its_status(path):
    with pytest.raises(KeyboardInterrupt), log.opened(path, "match", ()):
        raise KeyboardInterrupt
    assert "kind=KeyboardInterrupt" in only(path, "error")
    assert "status=130" in only(path, "end")


def test_what_the_machine_refused_is_2_and_what_we_did_wrong_is_1(path):
    for error in (PermissionError(13, "x", "y"), DataError("秘密"), ZeroDivisionError("秘密")):
        with pytest.raises(type(error)), log.opened(path, "match", ()):
            raise error
    ends = [line for line in lines(path) if "event=end" in line]
    assert [re.search(r"status=(\d+)", line)[1] for line in ends] == ["2", "2", "1"]
    assert "秘密" not in path.read_text(encoding="utf-8")


@settings(max_examples=8)
@given(st.data())
def test_nothing_that_a_cell_or_a_header_says_is_in_the_log(data):
    marker = "秘密のことば"
    rows = [dict(row) for row in data.draw(st.sampled_from([ISSUES, COMPANIES]))]
    for _ in range(data.draw(st.integers(1, 6))):
        row = data.draw(st.sampled_from(rows))
        row[data.draw(st.sampled_from(sorted(row)))] = f"{marker}{data.draw(st.text(max_size=3))}"
    rows = [{**row, f"列{marker}": marker} for row in rows]
    with TemporaryDirectory() as folder:
        path = Path(folder) / "log"
        table = write_table(Path(folder) / "t.csv", rows)
        with log.opened(path, "check", [table]) as told:
            for one in check_tables([table, Path(folder) / "no.csv"]):
                told.checked(one)
            told.ended(0)
        text = path.read_text(encoding="utf-8")
    assert marker not in text
    assert "event=end" in text


def test_no_cell_of_a_run_is_in_its_log(call, tmp_path, path):
    marker = "秘密のことば"
    issues = [{name: f"{cell}{marker}" for name, cell in row.items()} for row in ISSUES[:2]]
    companies = [{name: f"{cell}{marker}" for name, cell in row.items()} for row in COMPANIES]
    files = write_table(tmp_path / "i.csv", issues), write_table(tmp_path / "c.csv", companies)
    match = ("match", *files, "--out", tmp_path / "out", "--log", path, "--quiet")
    assert call(*match)[0] == 0
    assert marker not in path.read_text(encoding="utf-8")
    assert "event=result" in path.read_text(encoding="utf-8")


def test_a_file_name_is_on_its_line_whatever_it_holds(path):
    names = ['a b".csv', "改\n行.csv", "\x1b[31m.csv", "\udc80.csv", "123456789018.csv"]
    with log.opened(path, "check", map(Path, names)) as told:
        told.ended(0)
    text = only(path, "start")
    assert "\\n" in text or "\\u000a" in text
    assert "123456789018" not in text


# Where it is written


def test_a_log_is_appended_to(path):
    for _ in range(2):
        with log.opened(path, "check", ()) as told:
            told.ended(0)
    assert events(path) == ["start", "end"] * 2


def test_without_a_path_nothing_is_written_anywhere(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError), log.opened(None, "check", ()):
        raise DataError("x")
    assert list(tmp_path.iterdir()) == []
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("where", ["ない/m.log", ""], ids=["no folder", "a folder"])
def test_a_log_that_cannot_be_written_stops_the_work_before_it_begins(
    call, issues_csv, companies_csv, tmp_path, where, tried
):
    out = tmp_path / "out"
    match = ("match", issues_csv, companies_csv, "--out", out, "--log", tmp_path / where)
    status, _, errors = call(*match)
    assert (status, len(errors), out.exists()) == (2, 1, False)
    assert "に書けません。" in errors[0]
    if where:
        tried(
            7,
            "--log に書けない場所",
            "仕事を始めずに終わる（終了状態 2）",
            errors[0].replace(f"{tmp_path}/", ""),
        )


def test_a_table_named_by_mistake_is_not_written_into(call, issues_csv, tried):
    before = issues_csv.read_bytes()
    status, _, errors = call("check", issues_csv, "--log", issues_csv)
    assert status == 2
    assert issues_csv.read_bytes() == before
    tried(
        7,
        "--log に表のファイルを指定",
        "書き足さずに終わる（終了状態 2）",
        errors[0].replace(f"{issues_csv.parent}/", ""),
    )


# Only Linux has a device that is always full; other full disks are tried by simulation.
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device that is always full")
def test_a_full_disk_is_a_sentence_and_no_trace(call, issues_csv):
    status, _, errors = call("check", issues_csv, "--log", "/dev/full")
    assert (status, len(errors)) == (2, 1)
    assert "空き容量" in errors[0]


def test_the_log_is_utf8_whatever_the_locale(tmp_path, path):
    table = write_table(tmp_path / "課題.csv", ISSUES)
    environment = {"LC_ALL": "C", "LANG": "C", "PATH": os.environ["PATH"], "PYTHONUTF8": "0"}
    done = subprocess.run(
        [sys.executable, "-m", "matcher", "check", str(table), "--log", str(path), "--quiet"],
        env=environment, capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert 'file="課題.csv"' in only(path, "input")


def test_two_runs_can_write_into_one_log(path):
    with log.opened(path, "match", ()) as one, log.opened(path, "check", ()) as other:
        one.tell("result", ranked=1)
        other.ended(0)
        one.ended(0)
    assert events(path) == ["start", "start", "result", "end", "end"]


def test_a_log_of_ours_is_known_by_its_first_line(path):
    path.write_text("何かの表\n", encoding="utf-8")
    with (
        pytest.raises(MatcherError, match="matcher の記録ではありません"),
        log.opened(path, "x", ()),
    ):
        pass
    path.write_text("", encoding="utf-8")
    with log.opened(path, "check", ()) as told:
        told.ended(0)
    assert events(path) == ["start", "end"]
