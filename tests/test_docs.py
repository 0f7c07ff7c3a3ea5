import importlib
import re
import subprocess
import sys
from pathlib import Path

import openpyxl
import pytest
from examples import COMPANIES, ISSUES

from matcher import job, run

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGE = (ROOT / "docs" / "evaluation.md").read_text(encoding="utf-8")
CRON = (ROOT / "docs" / "cron.md").read_text(encoding="utf-8")


def _blocks(page):
    return re.findall(r"^ *```(\w*)\n(.*?)^ *```", page, flags=re.DOTALL | re.MULTILINE)


BLOCKS = _blocks(README)


@pytest.fixture(scope="module")
def filler():
    return importlib.import_module("fill_readme")


def _marked(marker):
    return re.search(f"<!-- {marker} -->\n(.*?)\n<!-- /{marker} -->", README, re.DOTALL)[1]


def test_the_first_two_commands_are_targets_of_the_makefile():
    first = next(text for language, text in BLOCKS if language == "")
    commands = [line.split("#")[0].strip() for line in first.splitlines()]
    assert commands == ["make demo", "make test"]
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert all(f"\n{command.split()[1]}:" in makefile for command in commands)


@pytest.mark.parametrize("page", [README, PAGE], ids=["README", "docs/evaluation"])
def test_every_command_in_the_documents_exists_with_its_options(page):
    lines = [line.split("#")[0].strip() for _, text in _blocks(page) for line in text.splitlines()]
    commands = [line.split()[1:] for line in lines if line.startswith("matcher ")]
    assert len(commands) >= 7
    for name, *words in commands:
        told = subprocess.run(
            [sys.executable, "-m", "matcher", name, "--help"], capture_output=True, encoding="utf-8"
        )
        assert told.returncode == 0, name
        assert all(word in told.stdout for word in words if word.startswith("--"))


def test_the_python_in_the_readme_runs(monkeypatch, usual):
    monkeypatch.chdir(ROOT)
    (example,) = (text for language, text in BLOCKS if language == "python")
    names: dict[str, object] = {}
    exec(example, names)
    assert len(names["shortlists"]) == 52
    assert names["evaluation"].issues == 52


def test_the_figures_in_the_readme_are_those_that_the_scripts_wrote(filler):
    assert _marked("eval") == filler.eval_table(filler.read("eval_systems"))
    assert _marked("stages") == filler.stages_table(filler.read("eval_stages"))
    assert _marked("walk") == filler.walk_sentence()
    assert _marked("search") == filler.readme_search.section()
    assert _marked("speed") == filler.speed_table()
    assert _marked("precision") == filler.precision_sentence()


def test_the_demo_in_the_readme_shows_issues_of_the_shipped_data():
    issues = (ROOT / "data" / "issues.csv").read_text(encoding="utf-8")
    shown = re.findall(r"^(iss-\d+)\s", _marked("demo"), flags=re.MULTILINE)
    assert len(shown) >= 5
    assert all(issue in issues for issue in shown)


def test_the_changelog_names_the_version_of_the_package():
    import matcher

    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"## {matcher.__version__}" in changelog
    pyproject = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert f'version = "{matcher.__version__}"' in pyproject


def test_the_python_on_evaluation_runs(monkeypatch, tmp_path, quick):
    data = ROOT / "data"
    job.match_tables(
        data / "issues.csv", data / "companies.csv", tmp_path / "out", job.Options(),
        lambda *_: lambda _: None,
    )  # fmt: skip
    (tmp_path / "data").symlink_to(data)
    monkeypatch.chdir(tmp_path)
    (example,) = (text for language, text in _blocks(PAGE) if language == "python")
    names: dict[str, object] = {}
    exec(example, names)
    assert names["found"].issues == 52
    assert "分野" in names["found"].slices


def test_every_notebook_stands_in_the_readme():
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        assert f"(notebooks/{path.name})" in README
    for name in re.findall(r"\((notebooks/[^)]+|docs/[^)]+)\)", README):
        assert (ROOT / name).exists(), name


# The page on unattended runs


def test_every_command_on_unattended_runs_exists_with_its_options():
    called = re.findall(r'^(?:"\$matcher"|"%matcher%"|matcher) (\S+) (.+)$', CRON, re.MULTILINE)
    assert {name for name, _ in called} == {"check", "match", "build"}
    for name in {name for name, _ in called}:
        told = subprocess.run(
            [sys.executable, "-m", "matcher", name, "--help"], capture_output=True, encoding="utf-8"
        ).stdout
        words = {word for one, line in called if one == name for word in line.split()}
        assert all(word in told for word in words if word.startswith("--")), name


def test_every_event_of_the_log_is_on_the_page():
    source = (ROOT / "matcher" / "log.py").read_text(encoding="utf-8")
    events = set(re.findall(r'\.tell\(\s*"([a-z]+)"', source))
    assert {"start", "input", "end"} <= events
    assert all(f"`{event}`" in CRON for event in events)


QUICK = """#!{python}
import matcher.bridge, matcher.job, matcher.pipeline, sys
sys.path.insert(0, {tests!r})
from examples import LINES, FakeEncoder, FakeReader
matcher.bridge.shipped = lambda: LINES
matcher.job.load_encoder = lambda *_, **__: FakeEncoder()
matcher.job.load_reader = matcher.pipeline.load_reader = lambda *_, **__: FakeReader()
from matcher.cli import main
main()
"""


def _installed(folder):
    """The script of the page as it would stand in this folder, and the folder it works in."""
    (script,) = (text for language, text in _blocks(CRON) if text.startswith("#!/bin/sh"))
    work, command = folder / "srv 課", folder / "bin" / "matcher"
    work.mkdir()
    command.parent.mkdir()
    command.write_text(
        QUICK.format(python=sys.executable, tests=str(ROOT / "tests")), encoding="utf-8"
    )
    script = script.replace("/opt/matcher/bin/matcher", str(command))
    (work / "monthly.sh").write_text(script.replace("/srv/matcher", f'"{work}"'), encoding="utf-8")
    for path in (command, work / "monthly.sh"):
        path.chmod(0o700)
    return work


def _write_book(path, rows):
    book = openpyxl.Workbook()
    for row in (list(rows[0]), *(list(row.values()) for row in rows)):
        book.active.append(row)
    book.save(path)


def _run_by_cron(work):
    """The script as cron runs it: without HOME and without LANG."""
    return subprocess.run(
        [work / "monthly.sh"], env={"PATH": "/usr/bin:/bin"}, cwd="/", capture_output=True
    )


# Windows has its own script on the page, which is said to be untried.
@pytest.mark.skipif(not Path("/bin/sh").exists(), reason="the script is one for /bin/sh")
def test_the_monthly_script_runs_is_silent_when_all_is_well_and_says_what_is_not(tmp_path):
    work = _installed(tmp_path)
    _write_book(work / "企業.xlsx", COMPANIES)
    _write_book(work / "課題.xlsx", ISSUES[:3])
    done = _run_by_cron(work)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    (out,) = (work / "out").iterdir()
    assert re.fullmatch(r"\d{4}-\d\d", out.name)
    assert sorted(path.name for path in out.iterdir()) == sorted([*run.FILES, run.MANIFEST])

    _write_book(work / "課題.xlsx", [*ISSUES[:2], {**ISSUES[2], "課題名": ""}])
    done = _run_by_cron(work)
    told = done.stderr.decode("utf-8")
    assert (done.returncode, done.stdout) == (1, b"")
    assert "除外1件" in told and "終了状態 1" in told and "event=end status=1" in told
    assert len((out / "shortlist.jsonl").read_text(encoding="utf-8").splitlines()) == 2

    _write_book(work / "課題.xlsx", [{"氏名": "山田"}])
    done = _run_by_cron(work)
    assert done.returncode == 2
    assert "課題.xlsx" in done.stderr.decode("utf-8")
    assert len((out / "shortlist.jsonl").read_text(encoding="utf-8").splitlines()) == 2
    ends = re.findall(r"event=end status=(\d)", (work / "log" / "matcher.log").read_text("utf-8"))
    assert ends == ["0", "0", "0", "1", "2"]
