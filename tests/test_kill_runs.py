import random
import shutil
import sys
from pathlib import Path

import kill_runs
import pytest

QUICK = (sys.executable, str(Path(__file__).with_name("quick_command.py")))


@pytest.fixture
def found(tmp_path, monkeypatch):
    """What one kill of each kind left, and one full disk where a small one can be mounted."""
    root = str(Path(__file__).parents[1])
    monkeypatch.setenv("PYTHONPATH", root)
    return kill_runs.strike_all(tmp_path, 1, random.Random(7), QUICK)


def test_whatever_stops_a_job_leaves_the_old_or_the_new_set(found, capsys):
    kills = {name: row for name, row in found.items() if "full disk" not in name}
    assert len(kills) == 8
    for name, row in found.items():
        assert row["struck"] == row["old"] + row["new"] == 1, name
        assert (row["unrepeated"], row["traces"], row["untold"]) == (0, 0, 0), name
    assert all(
        row["statuses"].keys() <= {"0", "2"} for name, row in found.items() if "disk" in name
    )
    kill_runs.show(found)
    assert len(capsys.readouterr().out.splitlines()) == len(found) + 1


def test_mixture_of_two_sets_is_called_broken(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1]))
    job = kill_runs.match_job(tmp_path, QUICK)
    assert (job.state(job.old), job.state(job.new)) == ("old", "new")
    struck = shutil.copytree(job.old, tmp_path / "struck")
    shutil.copyfile(job.new / "run.trec", struck / "run.trec")
    assert job.state(struck) == "broken"
    shutil.copyfile(job.old / "run.trec", struck / "run.trec")
    assert job.state(struck) == "old"
    assert job.is_repeated(struck)
    (struck / ".staged").touch()
    assert not job.is_repeated(struck)
