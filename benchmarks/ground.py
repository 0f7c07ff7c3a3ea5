"""A corpus in files, with what it is asked: processes map it, and nobody copies it."""

import pickle
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from corpora import Corpus, Question

from matcher.types import Vectors

_ARRAYS = ("vectors", "headquarters", "serves", "goals", "samples")


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Ground(Corpus):
    """A corpus in a folder, with sets of questions; every process that opens it shares it."""

    folder: Path
    samples: Vectors  # vectors of issues like those to come, for who wants to calibrate

    @classmethod
    def opened(cls, folder: Path) -> "Ground":
        """The ground of a folder, its arrays mapped."""
        arrays = {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in _ARRAYS}
        return cls(folder=folder, **{name: np.asarray(held) for name, held in arrays.items()})

    def questions(self, name: str) -> list[Question]:
        """The questions of a set."""
        return pickle.loads((self.folder / f"{name}.questions").read_bytes())  # our own file


def lay(
    folder: Path, corpus: Corpus, samples: Vectors, sets: Mapping[str, Sequence[Question]]
) -> Ground:
    """The ground in a folder."""
    for field in fields(corpus):
        np.save(folder / f"{field.name}.npy", getattr(corpus, field.name))
    np.save(folder / "samples.npy", samples)
    for name, questions in sets.items():
        (folder / f"{name}.questions").write_bytes(pickle.dumps(list(questions)))
    return Ground.opened(folder)
