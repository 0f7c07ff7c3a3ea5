"""The product's own search as a contestant beside the peers (see `peers.py`).

It is what a catalog does with its vectors and facets: rows in lists, bitmaps, one byte a component
for the machine code, and a budget calibrated on questions that are not those of the test.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from peers import Contestant, Option, Peer

from matcher.index.calibration import calibrate
from matcher.index.dense import DenseIndex
from matcher.index.facets import Facets
from matcher.index.lists import arrange
from matcher.types import Constraint, Rows, Vectors

if TYPE_CHECKING:
    from contest import Ground


@dataclass(frozen=True, slots=True, eq=False)
class Ours(Peer):
    """The index of a catalog, and which row of the corpus each of its rows was."""

    index: DenseIndex
    facets: Facets
    order: Rows
    exact: bool = False
    tuned = ("exact",)

    @classmethod
    def build(cls, corpus: "Ground", threads: int = 1) -> "Ours":
        """Everything from vectors and facets; a search takes one thread whatever is given.

        Saved and searched from memory maps, as a catalog is: whoever comes second opens it only.
        """
        folder = corpus.folder / "matcher"
        if not folder.exists():
            built = cls._built(corpus)
            folder.mkdir()
            built.index.save(folder / "dense")
            built.facets.save(folder / "facets")
            np.save(folder / "order.npy", built.order)
        loaded = DenseIndex.load(folder / "dense"), Facets.load(folder / "facets")
        return cls("matcher", *loaded, np.load(folder / "order.npy"))

    @classmethod
    def _built(cls, corpus: "Ground") -> "Ours":
        laid = arrange(corpus.vectors, corpus.headquarters, corpus.goals)
        facets = Facets.of(
            headquarters=corpus.headquarters[laid.order],
            serves=corpus.serves[laid.order],
            goals=corpus.goals[laid.order],
        )
        index = DenseIndex.build(corpus.vectors[laid.order], lists=laid.lists)
        index.budget = calibrate(index, facets, corpus.samples)
        return cls("matcher", index, facets, laid.order)

    def search(self, vector: Vectors, constraint: Constraint, k: int) -> Rows:
        """The rows of the corpus within the budget, or the best of all where it is exact."""
        allowed = self.facets.allowed(constraint).bitmap
        return self.order[self.index.search(vector, k, allowed, exact=self.exact).rows]


NUMPY, MACHINE = "matcher (numpy + FAISS)", "matcher (machine code)"


def _contestants(label: str, package: str, variables: Mapping[str, str]) -> list[Contestant]:
    modes: dict[str, Mapping[str, Option]] = {"": {}, ", exact": {"exact": True}}
    return [
        Contestant(
            label=label + mode,
            packages=("faiss", package),
            build=Ours.build,
            grid=(options,),
            is_exact=bool(options),
            variables=variables,
        )
        for mode, options in modes.items()
    ]


CONTESTANTS = (
    *_contestants(MACHINE, "numba", {"MATCHER_NATIVE": "1"}),
    *_contestants(NUMPY, "numpy", {"MATCHER_NATIVE": "0"}),
)
