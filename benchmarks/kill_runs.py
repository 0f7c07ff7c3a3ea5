"""What a kill or a full disk leaves of `matcher match` and `matcher build`: the old or the new set.

    python benchmarks/kill_runs.py              # 160 kills and 40 full disks
    python benchmarks/kill_runs.py --each 1     # the same, short

Real processes write over a former set and are stopped: at any moment of their life, or in the
moments in which they write. What is then in the folder is read back and compared with the two sets
that can be there, byte for byte, and the next run must leave nothing but its own files.
"""

import argparse
import csv
import hashlib
import json
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from conditions import conditions, save

from matcher.catalog import Catalog
from matcher.codes import data_folder
from matcher.errors import MatcherError
from matcher.run import FILES, MANIFEST, load_run, write_run
from matcher.shelf import check_files

START = (sys.executable, "-m", "matcher")
SIGNALS = {"SIGKILL": signal.SIGKILL, "SIGTERM": signal.SIGTERM}
MOMENTS = ("any", "writing")
_ROWS = {"issues": 4, "companies": 12}
_LATER = 1.2  # of the time that a job takes: some are struck when all is done
_LONGEST = 300.0  # seconds that a job may take


@dataclass(frozen=True, kw_only=True)
class Job:
    """A command that writes over a former set, and the two sets that there can be."""

    name: str
    arguments: tuple[str, ...]  # but the folder, which is last
    old: Path
    new: Path
    read: Callable[[Path], object]  # what is in a folder; equal where the sets are
    repeat: Callable[[Path], object]  # the next run
    seconds: float  # that it takes
    writing: float  # those of them in which it writes

    def state(self, folder: Path) -> str:
        """`old`, `new`, or `broken`: anything else."""
        try:
            found = self.read(folder)
        except MatcherError:
            return "broken"
        return next(
            (at for at in ("old", "new") if found == self.read(getattr(self, at))), "broken"
        )

    def is_repeated(self, folder: Path) -> bool:
        """Whether the next run leaves its set and nothing else."""
        try:
            self.repeat(folder)
        except (MatcherError, OSError):
            return False
        names = {path.name for path in folder.iterdir()}
        whole = names == {*FILES, MANIFEST} if self.name == "match" else len(names) == 2
        return whole and not any(name.startswith(".") for name in names)


@dataclass(kw_only=True)
class Tally:
    """What became of the folders of one job, stopped in one way."""

    states: Counter[str] = field(default_factory=Counter)
    statuses: Counter[str] = field(default_factory=Counter)
    unrepeated: int = 0
    traces: int = 0
    untold: int = 0  # ended by itself as interrupted or unable, and said nothing
    slowest: float = 0.0  # seconds from the signal to the end

    def told(self) -> dict[str, object]:
        """As JSON has it."""
        return {
            "struck": self.states.total(),
            **{state: self.states[state] for state in ("old", "new", "broken")},
            "unrepeated": self.unrepeated,
            "traces": self.traces,
            "untold": self.untold,
            "statuses": dict(sorted(self.statuses.items())),
            "slowest_stop_s": round(self.slowest, 2),
        }


def main() -> None:
    """Print what each way of stopping left, and write `results/kill_runs.json`."""
    parser = argparse.ArgumentParser(description="Kills and full disks, over a former set.")
    parser.add_argument("--each", type=int, default=20, help="of each job, signal and moment")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        found = strike_all(Path(work), asked.each, random.Random(asked.seed))
    show(found)
    save("kill_runs", {"conditions": conditions(), "seed": asked.seed, "stopped": found})


def strike_all(
    work: Path, each: int, rng: random.Random, start: Sequence[str] = START
) -> dict[str, dict[str, object]]:
    """For each job and way of stopping it what was left, `each` times."""
    found: dict[str, dict[str, object]] = {}
    for job in (match_job(work, start), build_job(work, start)):
        for name, number in SIGNALS.items():
            for moment in MOMENTS:
                tally = Tally()
                for _ in range(each):
                    kill(job, work / "struck", number, moment, tally, rng, start)
                found[f"{job.name}, {name}, {moment}"] = tally.told()
        if full := fill(job, work, each, rng, start):
            found[f"{job.name}, full disk"] = full.told()
    return found


def match_job(work: Path, start: Sequence[str]) -> Job:
    """Three candidates for each of a few issues, in the place of five."""
    catalog = str(work / "companies")
    _run(start, ("build", _table(work, "companies"), "--quiet", "--catalog", catalog))
    rules = ("--region-rule", "any", "--no-reader", "--no-bridge", "--quiet")
    usual = ("match", _table(work, "issues"), catalog, *rules)
    _run(start, (*usual, "--top", "5", "--out", str(work / "old")))
    arguments = (*usual, "--top", "3", "--out")
    seconds, writing = _timed(start, arguments, work / "new", work / "old")
    shortlists = load_run(work / "new").shortlists
    return Job(
        name="match", arguments=arguments, old=work / "old", new=work / "new", read=_outputs,
        repeat=lambda folder: write_run(folder, shortlists, [], {}),
        seconds=seconds, writing=writing,
    )  # fmt: skip


def build_job(work: Path, start: Sequence[str]) -> Job:
    """The catalog of a few companies, in the place of that of two fewer."""
    fewer = _table(work, "companies", "fewer", _ROWS["companies"] - 2)
    _run(start, ("build", fewer, "--quiet", "--catalog", str(work / "old catalog")))
    arguments = ("build", _table(work, "companies"), "--quiet", "--catalog")
    new = work / "new catalog"
    seconds, writing = _timed(start, arguments, new, work / "old catalog")
    return Job(
        name="build", arguments=arguments, old=work / "old catalog", new=new, read=_catalog_id,
        repeat=lambda folder: Catalog.open(new).save(folder), seconds=seconds, writing=writing,
    )  # fmt: skip


def kill(
    job: Job, folder: Path, number: int, moment: str, tally: Tally, rng: random.Random,
    start: Sequence[str] = START,
) -> None:  # fmt: skip
    """Stop a job at a random moment, and count what it left."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(job.old, folder)
    with _started(start, (*job.arguments, str(folder))) as process:
        if moment == "any":
            time.sleep(rng.uniform(0, _LATER * job.seconds))
        else:
            _until(lambda: _is_writing(folder), process)
            time.sleep(rng.uniform(0, _LATER * job.writing))
        process.send_signal(number)
        began = time.monotonic()
        errors = process.communicate(timeout=_LONGEST)[1]
    tally.slowest = max(tally.slowest, time.monotonic() - began)
    _count(job, folder, process.returncode, errors, tally)


def fill(job: Job, work: Path, each: int, rng: random.Random, start: Sequence[str]) -> Tally | None:
    """Let a job run into a full disk, and count what it left; None where none can be mounted."""
    old, new = _size(job.old), _size(job.new)
    with _small_disk(work / "disk", 2 * old + 2 * new + 2**20) as disk:
        if disk is None:
            print("full disk: left out, for a small one cannot be mounted here (it takes root)")
            return None
        tally = Tally()
        for _ in range(each):
            folder, ballast = disk / "struck", disk / "ballast"
            shutil.rmtree(folder, ignore_errors=True)
            shutil.copytree(job.old, folder)
            room = int(rng.uniform(0, 1.2 * new))
            ballast.write_bytes(bytes(max(0, shutil.disk_usage(disk).free - room)))
            with _started(start, (*job.arguments, str(folder))) as process:
                errors = process.communicate(timeout=_LONGEST)[1]
            ballast.unlink()
            _count(job, folder, process.returncode, errors, tally)
    return tally


def show(found: dict[str, dict[str, object]]) -> None:
    """Print a row for each way of stopping a job."""
    columns = ("struck", "old", "new", "broken", "unrepeated", "traces", "untold")
    print(f"{'':28}" + "".join(f"{name:>11}" for name in columns) + "  ended with")
    for name, row in found.items():
        statuses = json.dumps(row["statuses"]).strip("{}").replace('"', "")
        print(f"{name:28}" + "".join(f"{row[one]:>11}" for one in columns) + f"  {statuses}")


def _count(job: Job, folder: Path, status: int, errors: str, tally: Tally) -> None:
    tally.states[job.state(folder)] += 1
    tally.statuses[str(status)] += 1
    tally.unrepeated += not job.is_repeated(folder)
    tally.traces += "Traceback" in errors
    tally.untold += status in (2, 130) and not errors.strip()


def _outputs(folder: Path) -> dict[str, bytes]:
    """The outputs of a run, as its manifest says; what a dead process began is finished first."""
    told = load_run(folder).manifest["outputs"]
    found = {name: (folder / name).read_bytes() for name in FILES}
    if {name: hashlib.sha256(content).hexdigest() for name, content in found.items()} != told:
        raise MatcherError("the files are not those of the manifest")
    return found


def _catalog_id(folder: Path) -> str:
    """The id of a catalog that opens, after every byte of it was hashed."""
    check_files(folder)
    return Catalog.open(folder).id


def _table(work: Path, name: str, other: str | None = None, rows: int | None = None) -> str:
    """The path of a table with the first rows of a shipped one."""
    path = work / f"{other or name}.csv"
    with (data_folder() / f"{name}.csv").open(encoding="utf-8-sig", newline="") as file:
        head = list(islice(csv.reader(file), 1 + (rows or _ROWS[name])))
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(head)
    return str(path)


def _timed(
    start: Sequence[str], arguments: Sequence[str], new: Path, old: Path
) -> tuple[float, float]:
    """Seconds that a job takes over its former set, and of them those in which it writes."""
    shutil.copytree(old, new)
    began = time.monotonic()
    with _started(start, (*arguments, str(new))) as process:
        _until(lambda: _is_writing(new), process)
        writes = time.monotonic()
        _until(lambda: not _is_writing(new), process)
        written = time.monotonic()
        errors = process.communicate(timeout=_LONGEST)[1]
    _check(process.returncode, errors)
    return time.monotonic() - began, written - writes


def _run(start: Sequence[str], arguments: Sequence[str]) -> None:
    with _started(start, arguments) as process:
        errors = process.communicate(timeout=_LONGEST)[1]
    _check(process.returncode, errors)


def _check(status: int, errors: str) -> None:
    if status:
        raise RuntimeError(f"status {status}: {errors}")


def _started(start: Sequence[str], arguments: Sequence[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*start, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, encoding="utf-8"
    )


def _until(happens: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    """Wait until something happens, or all is over."""
    while process.poll() is None and not happens():
        time.sleep(0.0002)


def _is_writing(folder: Path) -> bool:
    return any(path.name.startswith(".staged") for path in folder.iterdir())


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


@contextmanager
def _small_disk(place: Path, size: int) -> Iterator[Path | None]:
    """A disk of so many bytes in memory; None where this user may mount none."""
    place.mkdir(exist_ok=True)
    mount = ("mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place))
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        yield None
        return
    try:
        yield place
    finally:
        subprocess.run(("umount", "--lazy", str(place)), check=True)


if __name__ == "__main__":
    main()
