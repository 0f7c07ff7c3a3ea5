"""The goals that a profile speaks of, for companies that name none themselves.

Each goal has a prototype: the mean direction of its short name, its official sentence and five
phrases of our own (`data/sdgs.csv`). A profile is given the goal that it lies nearest to, and up
to two more that come close. Nothing is learnt, and nothing depends on the other companies: the
common direction that is taken out of a profile lies halfway between the mean of the prototype
texts and that of background profiles (`data/background_profiles.jsonl`), never the catalog's own.

Measured against the goals written beside the published cases, bundled encoder, everything encoded
as documents (`tests/test_sdgs.py` holds floors). 1st: the nearest goal is a declared one;
in 3: one of the three nearest is; F1 and macro F1: the sets that `infer` gives.

| taken out of the text   | 110 profiles: 1st, in 3, F1, macro | 52 issues: 1st, in 3, F1, macro |
|-------------------------|------------------------------------|---------------------------------|
| halfway (what we do)    | 0.90  0.98  0.64  0.58             | 0.94  0.96  0.63  0.65          |
| mean of prototype texts | 0.89  0.97  0.61  0.56             | 0.92  1.00  0.64  0.64          |
| of background profiles  | 0.91  0.96  0.62  0.57             | 0.83  0.96  0.56  0.58          |
| the catalog's own       | 0.75  0.97  0.55  0.58             |                                 |
| three commonest, always | 0.61  0.91  0.51                   | 0.62  0.83  0.46                |

The levels flatter: the phrases were written with the cases in sight (without each goal's phrase
nearest to the text 0.86 / 0.97 and 0.87 / 0.96), and five profiles in six declare goal 9 or 11.
Known leaning: goal 17 is said of too many companies (45, of which 12 declare it; 14 do), goals 11
and 13 of too few. Per profile 2.3 goals are inferred, two thirds of them declared ones.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from matcher import background
from matcher.codes import goals
from matcher.types import Encoder, Vectors

MOST = 3  # goals a profile is given; the published profiles declare 2.5 on average
# A further goal counts from this share of the best goal's cosine: half is a plain choice. F1 on the
# profiles is 0.63-0.64 from 0 to 0.7; a higher share says less and errs less (precision 0.66-0.77).
SHARE = 0.5
DECIMALS = 6  # cosines are rounded before they are compared, so that the last bits decide nothing


@dataclass(frozen=True, slots=True, eq=False)
class Prototypes:
    """What the goals look like to one encoder."""

    vectors: Vectors  # (17, dim), row g - 1 is goal g, centred on the mean of all prototype texts
    mean: NDArray[np.float64]  # (dim,), taken out of a profile's vector; the same for any catalog


def prototype_texts() -> tuple[tuple[str, ...], ...]:
    """Texts of each goal, goal 1 first: short name, official sentence, our phrases."""
    return tuple((goal.name, goal.sentence, *goal.phrases) for _, goal in sorted(goals().items()))


def prototypes(encoder: Encoder) -> Prototypes:
    """Prototypes of the 17 goals; all texts are encoded as documents, the side of the profiles."""
    texts = prototype_texts()
    return from_vectors(
        encoder.encode_documents([text for goal in texts for text in goal]),
        [len(goal) for goal in texts],
        encoder.encode_documents(background.profiles()),
    )


def from_vectors(vectors: Vectors, sizes: Sequence[int], profiles: Vectors) -> Prototypes:
    """Prototypes of consecutive groups of text vectors, `sizes[g]` of them for each group."""
    middle = vectors.mean(axis=0, dtype=np.float64)
    groups = np.split(vectors, np.cumsum(sizes)[:-1])
    means = np.stack([group.mean(axis=0, dtype=np.float64) for group in groups])
    return Prototypes(
        vectors=_unit(means - middle).astype(np.float32),
        mean=(middle + profiles.mean(axis=0, dtype=np.float64)) / 2,
    )


def cosines(vectors: Vectors, known: Prototypes) -> NDArray[np.float64]:
    """Centred cosine of each text with each goal, (len(vectors), 17), to six decimals.

    `vectors` are uncentred, as the encoder gives them and the catalog stores them.
    """
    centred = _unit(vectors - known.mean)
    return np.round(centred @ known.vectors.T.astype(np.float64), DECIMALS)


def infer(vectors: Vectors, known: Prototypes) -> list[frozenset[int]]:
    """One to three goals of each text: the nearest, and others at `SHARE` of its cosine or more.

    Equal cosines go to the lower number. A text that points away from every goal has none.
    """
    return [_near(row) for row in cosines(vectors, known)]


def _near(row: NDArray[np.float64]) -> frozenset[int]:
    """Goals of one row of cosines."""
    best = np.argsort(-row, kind="stable")[:MOST]
    least = SHARE * row[best[0]]
    return frozenset(int(goal) + 1 for goal in best if row[goal] >= least and row[goal] > 0)


def _unit(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rows of unit length; a row of zeros stays zeros."""
    norms: NDArray[np.float64] = np.sqrt(np.einsum("ij,ij->i", vectors, vectors))[:, None]
    return vectors / np.maximum(norms, 1e-12)
