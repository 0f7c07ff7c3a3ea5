"""How long the main job takes stage by stage, how much memory, and what a user waits for.

The job is the product's own (`staged_job.py`) with the bundled encoder, on generated tables and in
a process of its own, so that the peak of memory is the job's. Run it on a machine that does
nothing else: `python benchmarks/bench_match.py` for 50 × 500, with `--full` for 200 × 2,000,
2,000 × 20,000 and the waiting times.
"""

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from resource import struct_rusage
from statistics import median
from typing import Any

from conditions import conditions, save
from generate import write_companies, write_issues

from matcher.codes import data_folder

SHORT, FULL = ((50, 500),), ((200, 2_000), (2_000, 20_000))  # issues, companies
SEED = 1
ROUNDS = 5
TARGETS = {"matcher --help": 0.7, "matcher demo": 15.0, "one issue": 2.5}  # seconds
MOST_MEMORY = 4096  # MiB, at the large size
_MIB = 2**20 if sys.platform == "darwin" else 2**10  # in the kernel's unit of memory


def main() -> None:
    """Prints the tables and writes `results/bench_match.json`."""
    parser = argparse.ArgumentParser(description="The main job and what a user waits for.")
    parser.add_argument("--full", action="store_true", help="to 2,000 × 20,000, and the waits")
    is_full = parser.parse_args().full
    if is_full:
        told, waits = conditions(), bench_commands()
        show_waits(waits)
        save("bench_match", {"commands": {**told, "seconds": waits}})
    for issues, companies in FULL if is_full else SHORT:
        told, found = conditions(), bench_job(issues, companies)
        show_job(found)
        save("bench_match", {f"{issues} x {companies}": {**told, **found}})


def bench_job(issues: int, companies: int) -> dict[str, Any]:
    """Seconds by stage, rates and peak memory of one job on generated tables."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        asked, supply, out, report = (
            folder / name for name in ("issues.csv", "companies.csv", "out", "report.json")
        )
        write_issues(asked, issues, SEED)
        write_companies(supply, companies, SEED)
        script = Path(__file__).with_name("staged_job.py")
        seconds, usage = _measured(
            [sys.executable, *map(str, (script, asked, supply, out, report))]
        )
        return {
            "issues": issues,
            "companies": companies,
            "seed": SEED,
            "seconds": round(seconds, 2),
            "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 2),
            "peak_mib": round(usage.ru_maxrss / _MIB),
            **json.loads(report.read_text(encoding="utf-8")),
            "output_mib": {
                p.name: round(p.stat().st_size / 2**20, 2) for p in sorted(out.iterdir())
            },
        }


def bench_commands() -> dict[str, dict[str, Any]]:
    """What a user waits for on the shipped data: the median of five, after one that warms up."""
    data = data_folder()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        one, catalog = folder / "one.csv", folder / "catalog"
        first_rows(data / "issues.csv", one, 1)
        _call("build", data / "companies.csv", "--catalog", catalog)
        commands: dict[str, tuple[str | Path, ...]] = {
            "matcher --help": ("--help",),
            "matcher demo": ("demo", "--out", folder / "demo"),
            "one issue": ("match", one, catalog, "--out", folder / "out"),
        }
        return {name: _waited(name, arguments) for name, arguments in commands.items()}


def first_rows(source: Path, target: Path, count: int) -> None:
    """A table with the header and the first rows of another."""
    with source.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))[: count + 1]
    with target.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)


def _waited(name: str, arguments: Sequence[str | Path]) -> dict[str, Any]:
    _call(*arguments)
    rounds = [round(_call(*arguments), 2) for _ in range(ROUNDS)]
    return {"median": median(rounds), "target": TARGETS[name], "rounds": rounds}


def _call(*arguments: str | Path) -> float:
    """Seconds that `matcher` takes as a process, from its start to its end."""
    beside = Path(sys.executable).with_name("matcher")
    program = [str(beside)] if beside.exists() else [sys.executable, "-m", "matcher"]
    started = time.perf_counter()
    subprocess.run([*program, *map(str, arguments)], check=True, capture_output=True)
    return time.perf_counter() - started


def _measured(command: Sequence[str]) -> tuple[float, struct_rusage]:
    """Seconds of a process and what it used: of this child alone, unlike RUSAGE_CHILDREN."""
    started = time.perf_counter()
    process = subprocess.Popen(command)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return time.perf_counter() - started, usage


def show_waits(waits: Mapping[str, Mapping[str, Any]]) -> None:
    """What a user waits for, beside what was promised."""
    print(f"{'command':<18}{'median':>9}{'target':>9}   rounds")
    for name, found in waits.items():
        rounds = " ".join(f"{each:.2f}" for each in found["rounds"])
        print(f"{name:<18}{found['median']:>7.2f} s{found['target']:>7.1f} s   {rounds}")


def show_job(found: Mapping[str, Any]) -> None:
    """The stages of one job, its rates and its memory."""
    print(f"\n{found['issues']:,} issues × {found['companies']:,} companies")
    for name, seconds in sorted(found["stages"].items(), key=lambda one: -one[1]):
        print(f"  {name:<26}{seconds:>8.2f} s {seconds / found['seconds']:>5.0%}")
    print(f"  {'in all':<26}{found['seconds']:>8.2f} s, {found['cpu_seconds']:.0f} s of CPU")
    print(
        f"  {found['companies_encoded_per_second']:.0f} companies/s encoded, "
        f"{found['issues_ranked_per_second']:.0f} issues/s ranked, "
        f"{found['issues_explained_per_second']:.0f} issues/s explained"
    )
    print(f"  peak memory {found['peak_mib']:,} MiB (target at the large size: {MOST_MEMORY:,})")


if __name__ == "__main__":
    main()
