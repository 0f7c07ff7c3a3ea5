"""The goals that a text speaks of, for rows that name none themselves.

Each goal has a prototype: the mean direction of its short name, its official sentence and five
phrases of our own (`data/sdgs.csv`). How near a text lies to it becomes a likelihood, learnt on
written texts (`data/sdgs_labels.jsonl`, never on the published cases). A text is given the goals
that are likely enough, three at most, or none. Nothing depends on the other companies: what is
taken out of a text's vector lies halfway between the mean of the prototype texts and that of
background profiles (`data/background_profiles.jsonl`).

Two models, both in `data/sdgs_model.npz`, which `benchmarks/train_sdgs.py` writes:

- For any encoder one slope and 17 biases over its own prototypes, in units of the spread that their
  cosines have over the background profiles, so that encoders agree on what is near.
- For the encoder that it was fitted on, the same with every prototype moved a little towards what
  the written texts of its goal say.

`benchmarks/eval_sdgs.py` measures both beside the nearest prototypes alone.
"""

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from matcher import background, text
from matcher.codes import data_folder, goals
from matcher.errors import DataError
from matcher.types import Encoder, Vectors

MODEL = "sdgs_model.npz"
MOST = 3  # goals a text is given; the published profiles declare 2.5 on average
LEAST = 0.3  # likelihood from which a goal is given; F1 in cross-validation is highest here
DECIMALS = 6  # logits are rounded before they are compared, so that the last bits decide nothing

_LEAST_SPREAD = 0.01  # encoders have 0.06-0.1; one that tells no profiles apart has none

Array = NDArray[np.float64]

_WORD = re.compile(r"\w")
_ALL = re.compile(
    r"(?<!\d)17\s*(?:個|つ)?\s*の?\s*(?:持続可能な開発)?\s*(?:目標|ゴール|goals)", re.IGNORECASE
)


@dataclass(frozen=True, slots=True, eq=False)
class Prototypes:
    """What the goals look like to one encoder."""

    vectors: Vectors  # (17, dim), row g - 1 is goal g, centred on the mean of all prototype texts
    mean: Array  # (dim,), taken out of a text's vector; the same for any catalog
    spread: float  # standard deviation of the cosines of background profiles with the goals


@dataclass(frozen=True, slots=True, eq=False)
class GoalModel:
    """How likely a text speaks of each goal, by its vector of one encoder."""

    mean: Array  # (dim,), taken out of a text's vector
    prototypes: Vectors  # (17, dim), row g - 1 is goal g; a sentence is quoted by its cosine
    directions: Array  # (17, dim); with a centred unit vector, and the bias, a logit
    biases: Array  # (17,)

    def cosines(self, vectors: Vectors) -> Array:
        """Of each text with each goal's prototype, (len(vectors), 17), to six decimals."""
        around = centred(vectors, self.mean)
        return np.round(around @ self.prototypes.T.astype(np.float64), DECIMALS)

    def logits(self, vectors: Vectors) -> Array:
        """Of each text and goal, (len(vectors), 17), to six decimals.

        `vectors` are uncentred everywhere, as the encoder gives them and the catalog stores them.
        """
        return np.round(centred(vectors, self.mean) @ self.directions.T + self.biases, DECIMALS)

    def likelihoods(self, vectors: Vectors) -> Array:
        """That each text speaks of each goal, 0..1, (len(vectors), 17)."""
        found: Array = 1 / (1 + np.exp(-self.logits(vectors)))
        return found

    def given(self, vectors: Vectors) -> list[tuple[int, ...]]:
        """The likely goals of each text, the likeliest first; equal ones go to the lower number."""
        rows = self.likelihoods(vectors)
        best = np.argsort(-rows, axis=1, kind="stable")[:, :MOST]
        return [
            tuple(int(goal) + 1 for goal in order if row[goal] >= LEAST)
            for row, order in zip(rows, best, strict=True)
        ]


def model(encoder: Encoder) -> GoalModel:
    """The fitted model where it belongs to this encoder, else its calibrated prototypes."""
    fitted = _fitted()
    if str(fitted["encoder"]) == weights_id(encoder.id):
        return GoalModel(
            fitted["mean"], fitted["prototypes"], fitted["directions"], fitted["biases"]
        )
    return calibrated(prototypes(encoder), *calibration())


def calibration() -> tuple[float, Array]:
    """Slope and biases that turn the cosines of any encoder's prototypes into logits."""
    fitted = _fitted()
    return float(fitted["slope"]), fitted["prior_biases"]


def calibrated(known: Prototypes, slope: float, biases: Array) -> GoalModel:
    """Prototypes as a model: a cosine counts in units of the background's spread."""
    directions = known.vectors.astype(np.float64) * (slope / known.spread)
    return GoalModel(known.mean, known.vectors, directions, biases)


def weights_id(encoder_id: str) -> str:
    """What of an encoder's id names its weights and prompts: precision and engine move nothing."""
    return encoder_id.partition(" precision=")[0]


def prototype_texts() -> tuple[tuple[str, ...], ...]:
    """Texts of each goal, goal 1 first: short name, official sentence, our phrases."""
    return tuple((goal.name, goal.sentence, *goal.phrases) for _, goal in sorted(goals().items()))


def prototypes(encoder: Encoder) -> Prototypes:
    """Prototypes of the 17 goals; all texts are encoded as documents, the side of the profiles."""
    texts = prototype_texts()
    return from_vectors(
        encoder.encode_documents([one for goal in texts for one in goal]),
        [len(goal) for goal in texts],
        encoder.encode_documents(background.profiles()),
    )


def from_vectors(vectors: Vectors, sizes: Sequence[int], profiles: Vectors) -> Prototypes:
    """Prototypes of consecutive groups of text vectors, `sizes[g]` of them for each group."""
    middle = vectors.mean(axis=0, dtype=np.float64)
    groups = np.split(vectors, np.cumsum(sizes)[:-1])
    means = _unit(np.stack([group.mean(axis=0, dtype=np.float64) for group in groups]) - middle)
    mean = (middle + profiles.mean(axis=0, dtype=np.float64)) / 2
    spread = float(np.std(centred(profiles, mean) @ means.T))
    return Prototypes(
        vectors=means.astype(np.float32), mean=mean, spread=max(spread, _LEAST_SPREAD)
    )


def centred(vectors: Vectors, mean: Array) -> Array:
    """The vectors without the mean, unit length again."""
    return _unit(vectors - mean)


def incidence(given: Iterable[Collection[int]]) -> NDArray[np.int64]:
    """Which goals each record has, (n, 17): 1 where column g - 1 is a goal of the row, else 0.

    Of two sides of n pairs, `left.T @ right` counts how often goal g meets goal h; of one side,
    `rows.T @ rows` how often two goals stand together. A number that is no goal counts nowhere.
    """
    rows = [[goal in those for goal in goals()] for those in given]
    return np.array(rows, dtype=np.int64).reshape(-1, len(goals()))


def infer(
    texts: Sequence[str], encoder: Encoder, vectors: Vectors | None = None
) -> list[tuple[int, ...]]:
    """The goals that each text speaks of, the likeliest first: at most three, or none.

    `vectors` are those of the texts, encoded as documents, where they are known already. A text
    that names more goals than it could be given is read without the sentences that name them, so
    that a list of goals gains nothing.
    """
    spoken = [_spoken(one) for one in texts]
    rows = [row for row, said in enumerate(spoken) if _WORD.search(said)]
    given: list[tuple[int, ...]] = [()] * len(texts)
    if not rows:
        return given
    found = np.empty((len(texts), encoder.dim), np.float32) if vectors is None else vectors.copy()
    fresh = [row for row in rows if vectors is None or spoken[row] != texts[row]]
    if fresh:
        found[fresh] = encoder.encode_documents([text.normalise(spoken[row]) for row in fresh])
    for row, likely in zip(rows, model(encoder).given(found[rows]), strict=True):
        given[row] = likely
    return given


def quotations(
    texts: Sequence[str], given: Sequence[Sequence[int]], encoder: Encoder
) -> list[dict[int, str]]:
    """For each goal of each text the sentence nearest to its prototype, exactly as written.

    The sentences of a list of goals are not quoted; a text with no others has no quotation.
    """
    return quoted(texts, given, model(encoder), encoder.encode_documents)


def quoted(
    texts: Sequence[str],
    given: Sequence[Sequence[int]],
    known: GoalModel,
    encode: Callable[[Sequence[str]], Vectors],
) -> list[dict[int, str]]:
    """The quotations by a model that is at hand; sentences of all texts are encoded together."""
    split = [_sentences(one) if numbers else [] for one, numbers in zip(texts, given, strict=True)]
    every = sorted({sentence for sentences in split for sentence in sentences})
    if not every:
        return [{} for _ in texts]
    cosines = known.cosines(encode([text.normalise(one) for one in every]))
    at = {sentence: row for row, sentence in enumerate(every)}
    found: list[dict[int, str]] = []
    for sentences, numbers in zip(split, given, strict=True):
        rows = cosines[[at[sentence] for sentence in sentences]]
        best = {goal: rows[:, goal - 1].argmax() for goal in numbers if sentences}
        found.append({goal: sentences[int(row)] for goal, row in best.items()})
    return found


def _sentences(source: str) -> list[str]:
    """The sentences of a text as written, but for those of a list of goals."""
    listing = _listing(source)
    return [one for one in text.sentences(source) if one not in listing]


def _spoken(source: str) -> str:
    """The text as it is, or without the sentences of a list of goals."""
    listing = _listing(source)
    for sentence in sorted(listing, key=len, reverse=True):  # one may hold another
        source = source.replace(sentence, "")
    return source.strip() if listing else source


def _listing(source: str) -> frozenset[str]:
    """The sentences that name goals, where the text names more than could be given."""
    named = {one: _named(text.normalise(one)) for one in text.sentences(source)}
    if len(frozenset[int]().union(*named.values())) <= MOST:
        return frozenset()
    return frozenset(one for one, numbers in named.items() if numbers)


def _named(sentence: str) -> frozenset[int]:
    """The goals that a sentence calls by their short name; 17の目標 are all of them."""
    if _ALL.search(sentence):
        return frozenset(goals())
    squeezed = "".join(sentence.split())
    return frozenset(number for number, name in _names().items() if name in squeezed)


@cache
def _names() -> Mapping[int, str]:
    """Short names without blanks, by number."""
    return {number: "".join(goal.name.split()) for number, goal in goals().items()}


@cache
def _fitted() -> Mapping[str, NDArray[Any]]:
    """The arrays that `benchmarks/train_sdgs.py` wrote."""
    try:
        with np.load(data_folder() / MODEL) as arrays:
            return MappingProxyType({name: arrays[name] for name in arrays.files})
    except OSError as error:
        raise DataError(f"同梱の「{MODEL}」が見つかりません。入れ直してください。") from error


def _unit(vectors: Array) -> Array:
    """Rows of unit length; a row of zeros stays zeros."""
    norms: Array = np.sqrt(np.einsum("ij,ij->i", vectors, vectors))[:, None]
    return vectors / np.maximum(norms, 1e-12)
