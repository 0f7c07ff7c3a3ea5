"""Adapts the bundled encoder: `data/encoder.safetensors`, from the triples in `data/`.

Learns from the fields that are neither kept apart for looking (dev) nor sealed (held-out); never
from the published cases. On two cores about a quarter of an hour. Run it:
`python benchmarks/train_encoder.py [--out FILE] [--triples N]`.
"""

import argparse
import hashlib
from pathlib import Path

import written

from matcher import background, text
from matcher.codes import data_folder
from matcher.embed.deltas import save
from matcher.embed.training import Recipe, adapt
from matcher.types import Example


def main() -> None:
    """Trains, tells how it goes, and writes the file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=data_folder() / "encoder.safetensors")
    parser.add_argument("--triples", type=int, default=None, help="only so many, for a trial")
    parser.add_argument("--epochs", type=float, default=Recipe().epochs)
    chosen = parser.parse_args()
    learnt, apart = examples("train")[: chosen.triples], examples("dev")
    print(f"{len(learnt)} triples, {len(apart)} kept apart", flush=True)
    recipe = Recipe(epochs=chosen.epochs)
    general = background.general()
    arrays, told = adapt(
        learnt, apart, recipe, general=general, tell=lambda line: print(line, flush=True)
    )
    save(chosen.out, arrays, told)
    digest = hashlib.sha256(chosen.out.read_bytes()).hexdigest()
    print(f"{chosen.out}: {chosen.out.stat().st_size / 1e6:.1f} MB, sha256 {digest[:12]}")


def examples(part: written.Part) -> list[Example]:
    """The triples of a part as examples; those of one field are never each other's misses."""
    return [
        Example(
            issue=text.normalise(f"{one.title}\n{one.description}"),
            fits=(text.normalise(one.fit), text.normalise(one.fit2)),
            misses=(text.normalise(one.near_miss),),
            group=one.field,
        )
        for one in written.triples(part)
    ]


if __name__ == "__main__":
    main()
