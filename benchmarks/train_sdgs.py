"""Fits what tells a text's goals: writes `data/sdgs_model.npz` from `data/sdgs_labels.jsonl`.

One logistic regression over all pairs of text and goal: a common slope on the cosine with the
goal's prototype, a bias for each goal, and a vector for each goal that moves its prototype. How far
prototypes may move is chosen in cross-validation by field; held-out fields are never looked at
(`eval_sdgs.py` measures on them). Nothing is drawn by chance: the same vectors give the same model.
Run it again whenever the labels, the goals' texts or the bundled encoder change:
`python benchmarks/train_sdgs.py`.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold

from matcher import sdgs, text
from matcher.codes import data_folder, goals
from matcher.embed import load_encoder
from matcher.types import Encoder, Vectors

LABELS = "sdgs_labels.jsonl"
SOURCES = (LABELS, "sdgs.csv", "background_profiles.jsonl")  # what the model depends on
FREEDOMS = (0.0, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0)  # how far a prototype may move; 0: not at all
_SLOPE_SCALE = 3.0  # the slope is hardly held back, the biases a little
_FOLDS = 8

Part = Literal["train", "dev", "held"]
Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """A written text and the goals that a reader gave it, the main one first."""

    text: str
    side: str  # issue, profile
    field: str
    goals: tuple[int, ...]

    @property
    def part(self) -> Part:
        """Which part the field belongs to; a field is never in two."""
        place = int(hashlib.sha256(self.field.encode()).hexdigest()[:8], 16) % 10
        return "held" if place < 2 else "dev" if place == 2 else "train"


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """A slope in units of spread, biases, and what is added to each direction."""

    slope: float
    biases: Array  # (17,)
    moves: Array  # (17, dim); zeros where prototypes may not move

    def model(self, known: sdgs.Prototypes) -> sdgs.GoalModel:
        """The model that this makes of an encoder's prototypes."""
        still = sdgs.calibrated(known, self.slope, self.biases)
        return replace(still, directions=still.directions + self.moves)


def main() -> None:
    """Prints the cross-validation and writes the model."""
    encoder, labels = load_encoder(), [one for one in load_labels() if one.part != "held"]
    known, vectors = sdgs.prototypes(encoder), encode(labels, encoder)
    freedom = choose(labels, vectors, known)
    truth = truths([one.goals for one in labels])
    write(encoder, known, fit(vectors, truth, known, 0.0), fit(vectors, truth, known, freedom))


def load_labels() -> list[Label]:
    """All labels in their order."""
    lines = (data_folder() / LABELS).read_text(encoding="utf-8").splitlines()
    return [Label(**line | {"goals": tuple(line["goals"])}) for line in map(json.loads, lines)]


def encode(labels: Sequence[Label], encoder: Encoder) -> Vectors:
    """Every text as a document, issues too: goals are told from one side only."""
    return encoder.encode_documents([text.normalise(one.text) for one in labels])


def truths(given: Sequence[Sequence[int]]) -> NDArray[np.bool_]:
    """Whether a text has a goal, (len(given), 17)."""
    found = np.zeros((len(given), len(goals())), dtype=bool)
    for row, numbers in enumerate(given):
        found[row, [number - 1 for number in numbers]] = True
    return found


def choose(labels: Sequence[Label], vectors: Vectors, known: sdgs.Prototypes) -> float:
    """The freedom whose likelihoods are best on fields that the fit has not seen."""
    truth, fields = truths([one.goals for one in labels]), [one.field for one in labels]
    print(f"{len(labels)} texts of {len(set(fields))} fields, {_FOLDS} folds by field")
    losses = {one: loss(crossed(vectors, truth, fields, known, one), truth) for one in FREEDOMS}
    for freedom, found in losses.items():
        print(f"freedom {freedom:<4} log loss {found:.4f}")
    return min(losses, key=losses.__getitem__)


def crossed(
    vectors: Vectors,
    truth: NDArray[np.bool_],
    fields: Sequence[str],
    known: sdgs.Prototypes,
    freedom: float,
) -> Array:
    """Likelihoods of each text by a fit that has not seen its field."""
    found = np.zeros(truth.shape)
    for seen, unseen in GroupKFold(_FOLDS).split(vectors, groups=fields):
        fitted = fit(vectors[seen], truth[seen], known, freedom).model(known)
        found[unseen] = fitted.likelihoods(vectors[unseen])
    return found


def loss(likelihoods: Array, truth: NDArray[np.bool_]) -> float:
    """Mean of minus the logarithm of what was said of the truth."""
    said = np.where(truth, likelihoods, 1 - likelihoods)
    return float(-np.log(np.clip(said, 1e-9, 1)).mean())


def fit(vectors: Vectors, truth: NDArray[np.bool_], known: sdgs.Prototypes, freedom: float) -> Fit:
    """The regression over all pairs of a text and a goal, every coefficient held towards 0."""
    around = sdgs.centred(vectors, known.mean)
    cosines = around @ known.vectors.T.astype(np.float64) / known.spread
    count = truth.shape[1]
    pairs = [
        sparse.csr_matrix(cosines.reshape(-1, 1) * _SLOPE_SCALE),
        sparse.csr_matrix(np.tile(np.eye(count), (len(truth), 1))),
    ]
    if freedom:
        each = partial(sparse.kron, sparse.eye(count))
        pairs.append(sparse.vstack([each(row[None, :] * freedom) for row in around]))
    found = LogisticRegression(C=1.0, max_iter=2000).fit(
        sparse.hstack(pairs).tocsr(), truth.reshape(-1)
    )
    slope, biases, moves = np.split(found.coef_[0], [1, 1 + count])
    return Fit(
        slope=float(slope[0]) * _SLOPE_SCALE,
        biases=biases + found.intercept_[0],
        moves=(moves * freedom).reshape(count, -1) if freedom else np.zeros(known.vectors.shape),
    )


def write(encoder: Encoder, known: sdgs.Prototypes, calibration: Fit, fitted: Fit) -> None:
    """The file of both: the calibration for any encoder, the fitted model for this one."""
    model = fitted.model(known)
    arrays: Mapping[str, object] = {
        "slope": round(calibration.slope, 6),
        "prior_biases": np.round(calibration.biases, 6),
        "encoder": sdgs.weights_id(encoder.id),
        "mean": model.mean.astype(np.float32),
        "prototypes": model.prototypes,
        "directions": np.round(model.directions, 6).astype(np.float32),
        "biases": np.round(model.biases, 6),
        "sources": sources(),
    }
    np.savez(data_folder() / sdgs.MODEL, **arrays)
    print(f"{sdgs.MODEL}: {arrays['encoder']}, sources {arrays['sources']}")


def sources() -> str:
    """One hash of all that the model was made from, beside the encoder."""
    digest = hashlib.sha256()
    for name in SOURCES:
        digest.update((data_folder() / name).read_bytes())
    return digest.hexdigest()


if __name__ == "__main__":
    main()
