import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

from matcher import job

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGE = (ROOT / "docs" / "evaluation.md").read_text(encoding="utf-8")


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
