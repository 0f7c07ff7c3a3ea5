"""Trains the reader that ships: `data/reader.safetensors`, from the graded lists in `data/`.

Learns from the fields that are neither kept apart for looking (dev) nor sealed (held-out); never
from the published cases. On two cores about forty minutes. Run it:
`python benchmarks/train_reader.py [--out FILE] [--lists N]`.
"""

import argparse
import hashlib
from pathlib import Path

import written

from matcher.codes import data_folder
from matcher.embed.deltas import save
from matcher.embed.reader_training import Graded, ReaderRecipe, train_reader


def main() -> None:
    """Trains, tells how it goes, and writes the file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=data_folder() / "reader.safetensors")
    parser.add_argument("--lists", type=int, default=None, help="only so many lists, for a trial")
    parser.add_argument("--epochs", type=float, default=ReaderRecipe().epochs)
    parser.add_argument("--seed", type=int, default=ReaderRecipe().seed)
    chosen = parser.parse_args()
    lists = [one for one in graded("train") if any(g >= 2 for _, g in one.candidates)]
    lists = lists[: chosen.lists]
    apart = graded("dev")
    print(f"{len(lists)} lists, {len(apart)} kept apart", flush=True)
    recipe = ReaderRecipe(epochs=chosen.epochs, seed=chosen.seed)
    arrays, told = train_reader(lists, apart, recipe, tell=lambda line: print(line, flush=True))
    save(chosen.out, arrays, told)
    digest = hashlib.sha256(chosen.out.read_bytes()).hexdigest()
    print(f"{chosen.out}: {chosen.out.stat().st_size / 1e6:.1f} MB, sha256 {digest[:12]}")


def graded(part: written.Part) -> list[Graded]:
    """The graded lists of a part."""
    return [Graded(issue=issue, candidates=found) for issue, found in written.lists(part)]


if __name__ == "__main__":
    main()
