import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The folder of a wheel that was built and installed, without what it depends on."""
    folder = tmp_path_factory.mktemp("wheel")
    # No isolation: the build back end is a test dependency, and nothing is fetched.
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT]
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def test_a_wheel_carries_what_the_program_reads_at_run_time(installed):
    packed = {path.name for path in (installed / "matcher" / "data").iterdir()}
    assert packed >= {
        "issues.csv",
        "companies.csv",
        "qrels.tsv",
        "municipalities.csv",
        "prefectures.csv",
        "sdgs.csv",
        "sdgs_model.npz",
        "background.jsonl",
        "background_profiles.jsonl",
        "general.jsonl",
        "bridge.csv",
        "encoder.safetensors",
        "reader.safetensors",
    }
    assert not packed & {"triples.jsonl", "graded.tsv", "graded_second.tsv"}  # only for training
    assert (installed / "matcher" / "report" / "page.html").is_file()


# As `matcher demo --quiet` in a process that may open no socket.
DEMO = """
import socket

def closed(*_, **__):
    raise AssertionError("a socket was opened")

socket.socket.__init__ = socket.socket.connect = closed
socket.getaddrinfo = socket.create_connection = closed
from matcher.cli import main

main(["demo", "--out", "out", "--quiet"])
"""


def test_the_demo_runs_from_a_wheel_in_an_empty_folder_without_a_network(installed, tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    environment = os.environ | {"PYTHONPATH": str(installed), "HOME": str(home)}
    command = [sys.executable, "-c", DEMO]
    where = "import matcher; print(matcher.__file__)"
    told = subprocess.run(
        [sys.executable, "-c", where], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert told.stdout.startswith(str(installed))  # the wheel, not the checkout
    subprocess.run(command, cwd=tmp_path, env=environment, check=True, capture_output=True)
    assert {path.name for path in tmp_path.iterdir()} == {"home", "out"}
    assert list(home.rglob("*")) == []
    assert len(list((tmp_path / "out").iterdir())) == 6
