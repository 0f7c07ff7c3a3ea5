"""Trains the reader that ships: `data/reader.safetensors`, from the graded lists in `data/`.

Learns from the fields that are neither kept apart for looking (dev) nor sealed (held-out); never
from the published cases. Lists in the manner of a desk come twice in an epoch, and alone decide
when to stop. On two cores about forty minutes. Run it:
`python benchmarks/train_reader.py [--out FILE] [--lists N]`.
"""

import argparse
import hashlib
from pathlib import Path
from typing import Literal

import written

from matcher.codes import data_folder
from matcher.embed.deltas import Deltas, save
from matcher.embed.reader_training import Graded, ReaderRecipe, train_reader


def main() -> None:
    """Trains, tells how it goes, and writes the file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=data_folder() / "reader.safetensors")
    parser.add_argument("--lists", type=int, default=None, help="only so many lists, for a trial")
    parser.add_argument("--epochs", type=float, default=ReaderRecipe().epochs)
    parser.add_argument("--seed", type=int, default=ReaderRecipe().seed)
    chosen = parser.parse_args()
    lists = [*graded("desk"), *graded("desk"), *graded("other")][: chosen.lists]
    apart = graded("desk", "dev")
    print(f"{len(lists)} lists, {len(apart)} kept apart", flush=True)
    recipe = ReaderRecipe(epochs=chosen.epochs, seed=chosen.seed)
    encoder = Deltas.load(data_folder() / "encoder.safetensors")
    arrays, told = train_reader(
        lists, apart, recipe, encoder=encoder, tell=lambda line: print(line, flush=True)
    )
    save(chosen.out, arrays, told)
    digest = hashlib.sha256(chosen.out.read_bytes()).hexdigest()
    print(f"{chosen.out}: {chosen.out.stat().st_size / 1e6:.1f} MB, sha256 {digest[:12]}")


def graded(manner: Literal["desk", "other"], part: written.Part = "train") -> list[Graded]:
    """The graded lists of a part."""
    found = written.lists(part, manner=manner)
    return [Graded(issue=issue, candidates=candidates) for issue, candidates in found]


if __name__ == "__main__":
    main()
