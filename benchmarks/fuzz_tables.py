"""Mutated tables through the reader: no traceback, no hang, no row unaccounted for.

    python benchmarks/fuzz_tables.py [--count 100000] [--seed 1] [--guided]

With `--guided` (and atheris installed) the bytes come from a fuzzer that looks for new branches of
the program; otherwise from a seeded generator. What goes wrong is printed as hexadecimal bytes,
which become a test (`tests/test_fuzz_tables.py`). Workbooks are taken apart in a process of their
own, under the limits of the program, forked here to be quick.
"""

import argparse
import json
import os
import random
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from conditions import conditions, save

_BETWEEN = 10_000  # tables from one count to the next
SLOWEST = 10.0  # seconds; a table that takes longer counts as a hang


class Fuzz:
    """What came of the tables so far."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.outcomes: Counter[str] = Counter()
        self.rows = 0
        self.slowest = 0.0
        self.found: list[dict[str, str]] = []

    def try_one(self, data: bytes) -> None:
        """Read the table that the bytes stand for, and count what came of it."""
        start = time.perf_counter()
        try:
            outcome, rows = read(data, self.folder)
        except Exception:  # whatever it is, it is what is looked for
            outcome, rows = "traceback", 0
            self.found.append({"bytes": data.hex(), "trace": traceback.format_exc(limit=-3)})
        taken = time.perf_counter() - start
        if taken > SLOWEST:
            outcome = "hang"
            self.found.append({"bytes": data.hex(), "trace": f"{taken:.0f} s"})
        self.slowest = max(self.slowest, taken)
        self.outcomes[outcome] += 1
        self.rows += rows


def read(data: bytes, folder: Path) -> tuple[str, int]:
    """What came of one table, `read` or `refused`, and how many rows it had.

    Raises whatever the reader raises beside its own sentence, and AssertionError where a row is
    not accounted for.
    """
    from mutate import mutant

    from matcher.corpus import read_companies, read_issues
    from matcher.errors import DataError

    table = mutant(data)
    path = folder / table.name
    path.write_bytes(table.data)
    try:
        reading = (read_issues if table.kind == "issues" else read_companies)(path)
    except DataError as error:
        if not str(error) or "\n" in str(error):
            raise AssertionError("a refusal is one sentence") from error
        return "refused", 0
    check(reading, table.rows)
    return "read", reading.rows


def check(reading, rows: int | None) -> None:  # noqa: ANN001  a Reading of either kind
    """AssertionError where a row of the table is in no count, or a fault says nothing."""
    if reading.rows != len(reading.records) + reading.merged + reading.rejected:
        raise AssertionError(f"{reading.rows} rows do not add up")
    told = {fault.row for fault in reading.faults if fault.severity == "除外"}
    if len(told) != reading.rejected:
        raise AssertionError(f"{reading.rejected} rows rejected, {len(told)} said")
    if any(not fault.problem or not fault.remedy for fault in reading.faults):
        raise AssertionError("a fault without a sentence")
    notes = sum("注記" in fault.problem for fault in reading.faults)
    headers = sum("合わせて見出し" in fault.problem for fault in reading.faults)
    if rows is not None and not rows - headers <= reading.rows + notes <= rows:
        raise AssertionError(f"{rows} rows written, {reading.rows} and {notes} remarks read")


@contextmanager
def forked(file: BinaryIO) -> Iterator[Iterator[str]]:
    """What the script tells of a workbook, from a fork under the same limits."""
    from matcher.tables import sheets

    file.seek(0)
    data = file.read()
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        sheets._limit(len(data))
        with os.fdopen(writing, "w", encoding="ascii") as told:
            sheets.tell(data, told.write)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, encoding="ascii") as told:
        try:
            yield told
        finally:
            os.waitpid(child, 0)


def guided(try_one: Callable[[bytes], None], count: int, seed: int) -> None:
    """Let atheris choose the bytes, by the branches of the program that they reach."""
    import atheris

    with atheris.instrument_imports(include=["matcher"]):
        import mutate  # noqa: F401  before the first table: what is imported now is watched

        import matcher.corpus  # noqa: F401
    limits = [f"-runs={count}", f"-seed={seed}", "-max_len=256", "-rss_limit_mb=0", "-verbosity=0"]
    atheris.Setup([sys.argv[0], *limits, "-timeout=60"], try_one)
    atheris.Fuzz()  # ends the process


def report(fuzz: Fuzz, seconds: float, engine: str) -> dict[str, object]:
    """The counts, as they are kept."""
    return {
        "engine": engine,
        "tables": sum(fuzz.outcomes.values()),
        "outcomes": dict(sorted(fuzz.outcomes.items())),
        "rows": fuzz.rows,
        "slowest_s": round(fuzz.slowest, 2),
        "seconds": round(seconds),
        "found": fuzz.found[:20],
    }


def main() -> None:
    """Print and keep what came of the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--guided", action="store_true")
    chosen = parser.parse_args()
    from matcher.tables import workbooks

    workbooks._told = forked
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        fuzz = Fuzz(Path(folder))

        engine = f"{'atheris' if chosen.guided else 'random'}, seed {chosen.seed}"

        def keep() -> None:
            told = report(fuzz, time.perf_counter() - start, engine)
            print(json.dumps(told, ensure_ascii=False, indent=2))
            save("fuzz_tables", {engine: told, "conditions": conditions()})

        def try_one(data: bytes) -> None:
            fuzz.try_one(data)
            done = sum(fuzz.outcomes.values())
            if done % _BETWEEN == 0 or done == chosen.count:
                keep()

        if chosen.guided:
            guided(try_one, chosen.count, chosen.seed)
        rng = random.Random(chosen.seed)
        for _ in range(chosen.count):
            try_one(rng.randbytes(rng.randrange(8, 200)))


if __name__ == "__main__":
    main()
