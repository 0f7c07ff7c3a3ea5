"""What an index costs to build, to keep and to open: the product's beside FAISS's inverted lists.

    python benchmarks/bench_build.py           # 50,000 rows
    python benchmarks/bench_build.py --full    # 200,000 and a million

Building is one process, every opening another: the first after the kernel was asked to forget the
files (*cold*; the disk's own memory it cannot empty), the second with them in memory (*warm*).
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import corpora
import libraries
import marks
import ours
from conditions import conditions, save
from corpora import Question
from ground import Ground, lay
from workers import Worker, memory

from matcher.index.calibration import calibrate
from matcher.index.dense import DenseIndex, Moments
from matcher.index.facets import Facets
from matcher.index.lists import arrange
from matcher.index.quantised import Quantised

SEED, K, SAMPLES, ASKED = 1, 10, 400, 100
VARIABLES = {one.label: one.variables for one in ours.CONTESTANTS}
T = TypeVar("T")


class Stopwatch:
    """Seconds of each step, and the most memory of the process so far after it."""

    def __init__(self) -> None:
        self.steps: dict[str, dict[str, float | None]] = {}

    def step(self, name: str, work: Callable[[], T]) -> T:
        """What the work returns."""
        started = time.perf_counter()
        result = work()
        seconds = marks.figure(time.perf_counter() - started)
        self.steps[name] = {"seconds": seconds, "peak MiB": memory("VmHWM")}
        return result


class Product:
    """The product's index, built or opened in a worker."""

    def __init__(self, folder: Path) -> None:
        self.ground, self.folder = Ground.opened(folder), folder / "index"

    def build(self) -> dict[str, dict[str, float | None]]:
        """The steps of building it."""
        ground, watch = self.ground, Stopwatch()
        watch.step("start", lambda: None)
        laid = watch.step(
            "arrange", lambda: arrange(ground.vectors, ground.headquarters, ground.goals)
        )
        columns = {name: getattr(ground, name) for name in ("headquarters", "serves", "goals")}
        vectors = watch.step("lay out", lambda: ground.vectors[laid.order])
        facets = watch.step(
            "facets",
            lambda: Facets.of(**{name: column[laid.order] for name, column in columns.items()}),
        )
        codes = watch.step("quantise", lambda: Quantised.of(vectors))
        moments = watch.step("moments", lambda: Moments.of(vectors))
        index = DenseIndex(vectors, codes=codes, lists=laid.lists, moments=moments)
        index.budget = watch.step("calibrate", lambda: calibrate(index, facets, ground.samples))
        self.folder.mkdir()
        watch.step("save", lambda: self._save(index, facets))
        return watch.steps

    def _save(self, index: DenseIndex, facets: Facets) -> None:
        index.save(self.folder / "dense")
        facets.save(self.folder / "facets")

    def open(self) -> dict[str, float | None]:
        """Seconds until it is loaded and has answered, and memory then."""
        started = time.perf_counter()
        facets = Facets.load(self.folder / "facets")
        index = DenseIndex.load(self.folder / "dense")

        def search(question: Question) -> None:
            index.search(question.vector, K, facets.allowed(question.constraint).bitmap)

        return _opened(self.ground, started, search)


class Inverted:
    """FAISS's inverted lists with whole vectors, built or opened in a worker."""

    def __init__(self, folder: Path) -> None:
        self.ground, self.path = Ground.opened(folder), folder / "lists.faiss"

    def build(self) -> dict[str, dict[str, float | None]]:
        """The steps of building it, with every core."""
        import faiss

        watch = Stopwatch()
        watch.step("start", lambda: None)
        peer = watch.step(
            "train, add, filters", lambda: libraries.FaissLists.build(self.ground, threads=1)
        )
        watch.step("write", lambda: faiss.write_index(peer.index, str(self.path)))
        return watch.steps

    def open(self, *, is_mapped: bool = False) -> dict[str, float | None]:
        """Seconds until it is read and has answered, and memory then; filters are not counted."""
        import faiss

        filters = libraries.Filters(self.ground)
        started = time.perf_counter()
        flags = (faiss.IO_FLAG_MMAP,) if is_mapped else ()
        index = faiss.read_index(str(self.path), *flags)
        peer = libraries.FaissLists("read", filters, self.ground.vectors, index, 256, 4000)

        def search(question: Question) -> None:
            peer.search(question.vector, question.constraint, K)

        return _opened(self.ground, started, search)

    def open_mapped(self) -> dict[str, float | None]:
        """The same, with the lists mapped."""
        return self.open(is_mapped=True)


def _opened(
    ground: Ground, started: float, search: Callable[[Question], object]
) -> dict[str, float | None]:
    loaded, held = time.perf_counter(), memory("VmRSS")
    questions = ground.questions("asked")
    asked = time.perf_counter()
    search(questions[0])
    first = time.perf_counter()
    for question in questions[1:]:
        search(question)
    return {
        "load, seconds": marks.figure(loaded - started),
        "first query, seconds": marks.figure(first - asked),
        "the others, ms each": marks.figure(
            1000 * (time.perf_counter() - first) / (len(questions) - 1)
        ),
        "resident after load, MiB": held,
        f"resident after {len(questions)} queries, MiB": memory("VmRSS"),
    }


def main() -> None:
    """Prints the tables and writes `results/bench_build.json`."""
    parser = argparse.ArgumentParser(description="Building, keeping and opening an index.")
    parser.add_argument("--full", action="store_true", help="200,000 rows and a million")
    for size in (200_000, 1_000_000) if parser.parse_args().full else (50_000,):
        told = conditions()
        with tempfile.TemporaryDirectory() as folder:
            found = measured(Path(folder), size)
        show(size, found)
        save("bench_build", {f"{size} rows": {**told, **found}})


def measured(folder: Path, size: int) -> dict[str, Any]:
    """Building, size on disk and opening, of the product and of FAISS."""
    corpus, vectors = corpora.synthetic(size, SEED, queries=SAMPLES + ASKED)
    asked = corpora.natural(corpus, vectors[SAMPLES:], SEED)
    lay(folder, corpus, vectors[:SAMPLES], {"asked": asked})
    del corpus
    found: dict[str, Any] = {"build": {}, "MiB on disk": {}, "open": {}}
    for name, kind, kept, variables in (
        ("matcher", Product, folder / "index", VARIABLES[ours.MACHINE]),
        ("FAISS IVF,Flat", Inverted, folder / "lists.faiss", {}),
    ):
        with Worker(kind, folder, variables=variables) as builder:
            found["build"][name] = builder.call("build")
        files = [kept] if kept.is_file() else [one for one in kept.rglob("*") if one.is_file()]
        found["MiB on disk"][name] = round(sum(one.stat().st_size for one in files) / 2**20, 1)
    for label, kind, method in (
        (ours.MACHINE, Product, "open"),
        (ours.NUMPY, Product, "open"),
        ("FAISS IVF,Flat", Inverted, "open"),
        ("FAISS IVF,Flat, mapped", Inverted, "open_mapped"),
    ):
        forget(folder)
        for way in ("cold", "warm"):
            with Worker(kind, folder, variables=VARIABLES.get(label, {})) as reader:
                found["open"][f"{label}, {way}"] = reader.call(method)
    return found


def forget(folder: Path) -> None:
    """Ask the kernel to drop the files from memory; where it has no such call, all is warm."""
    os.sync()
    for path in (one for one in folder.rglob("*") if one.is_file()):
        with path.open("rb") as file:
            if hasattr(os, "posix_fadvise"):
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def show(size: int, found: dict[str, Any]) -> None:
    """Steps, sizes and openings."""
    print(f"\n{size:,} rows")
    for name, steps in found["build"].items():
        print(f"{name}: {found['MiB on disk'][name]:,} MiB on disk")
        for step, one in steps.items():
            print(f"  {step:<28}{one['seconds']:>9g} s   peak {one['peak MiB']} MiB")
    for name, one in found["open"].items():
        print(name)
        print("  " + ", ".join(f"{what} {value}" for what, value in one.items()))


if __name__ == "__main__":
    main()
