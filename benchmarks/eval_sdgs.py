"""How well a text's goals are told: what the product does, and the steps on the way to it.

On written texts of fields that no fit has seen, and on the published cases, which are only ever
reported. `nearest` is what was done before: the nearest prototype, and others at half its cosine.
Run it: `python benchmarks/eval_sdgs.py`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields

import numpy as np
from conditions import conditions, save
from numpy.typing import NDArray
from train_sdgs import Array, encode, load_labels, sources, truths

from matcher import sdgs, text
from matcher.codes import data_folder
from matcher.corpus import read_companies, read_issues
from matcher.embed import load_encoder
from matcher.types import Encoder, Vectors

SYSTEMS = ("nearest", "calibrated", "product")
_SHARE = 0.5  # of the best cosine, from which `nearest` gives a further goal
_SEED, _DRAWS, _BINS = 7, 2_000, 10

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Texts:
    """Texts with their true goals."""

    vectors: Vectors
    truth: Mask  # (n, 17)
    main: Sequence[int]  # the main goal of each; empty where none is told


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Told:
    """What a system says of texts."""

    scores: Array  # (n, 17), higher is likelier
    given: Mask  # (n, 17), the goals it gives
    likelihoods: Array | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """Of one system on one set of texts."""

    main_first: float | None  # the main goal stands first
    first: float  # a true goal stands first
    in_three: float  # a true goal is among the first three
    precision: float
    recall: float
    micro_f1: float
    macro_f1: float  # over the goals that occur in the set
    brier: float | None  # mean square of likelihood minus truth
    calibration_error: float | None  # likelihood against share of truth, mean over ten bins
    per_text: float  # goals given
    without: float  # texts that are given none


def main() -> None:
    """Prints a table for each set and writes `results/eval_sdgs.json`."""
    told, encoder = conditions(), load_encoder()
    systems, sets = load_systems(encoder), load_sets(encoder)
    results: dict[str, object] = {}
    for name, texts in sets.items():
        said = {system: tell(texts.vectors) for system, tell in systems.items()}
        found = {system: quality(one, texts) for system, one in said.items()}
        gains = {
            system: gain(said[SYSTEMS[-1]], said[system], texts.truth) for system in SYSTEMS[:-1]
        }
        show(f"{name} ({len(texts.truth)})", found, gains)
        results[name] = {
            "texts": len(texts.truth),
            "systems": {system: asdict(one) for system, one in found.items()},
            "micro F1, product minus": gains,
        }
    facts = {"encoder": encoder.id, "sources": sources(), "least": sdgs.LEAST, "seed": _SEED}
    save("eval_sdgs", told | facts | {"sets": results})


def load_systems(encoder: Encoder) -> dict[str, Callable[[Vectors], Told]]:
    """The systems by name, the product last."""
    known, calibration = sdgs.prototypes(encoder), sdgs.calibration()
    models = {"calibrated": sdgs.calibrated(known, *calibration), "product": sdgs.model(encoder)}
    return {"nearest": lambda vectors: nearest(vectors, known)} | {
        name: lambda vectors, model=model: likely(vectors, model) for name, model in models.items()
    }


def load_sets(encoder: Encoder) -> dict[str, Texts]:
    """Held-out written texts, and the published cases with the goals written beside them."""
    held = [one for one in load_labels() if one.part == "held"]
    issues = read_issues(data_folder() / "issues.csv").records
    companies = read_companies(data_folder() / "companies.csv").records
    cases = {
        "published issues": [(text.issue_text(one), one.sdgs) for one in issues],
        "published profiles": [(text.company_text(one), one.sdgs) for one in companies],
    }
    written = Texts(
        vectors=encode(held, encoder),
        truth=truths([one.goals for one in held]),
        main=[one.goals[0] for one in held],
    )
    return {"held-out texts": written} | {
        name: Texts(
            vectors=encoder.encode_documents([text.normalise(one) for one, _ in pairs]),
            truth=truths([sorted(goals) for _, goals in pairs]),
            main=(),
        )
        for name, pairs in cases.items()
    }


def nearest(vectors: Vectors, known: sdgs.Prototypes) -> Told:
    """The nearest prototype, and up to two more at half its cosine."""
    cosines = sdgs.calibrated(known, *sdgs.calibration()).cosines(vectors)
    least = np.maximum(_SHARE * cosines.max(axis=1, keepdims=True), 1e-9)
    return Told(scores=cosines, given=first(cosines, sdgs.MOST) & (cosines >= least))


def likely(vectors: Vectors, model: sdgs.GoalModel) -> Told:
    """The goals that a model finds likely enough."""
    found = model.likelihoods(vectors)
    given = first(found, sdgs.MOST) & (found >= sdgs.LEAST)
    return Told(scores=model.logits(vectors), given=given, likelihoods=found)


def first(scores: Array, most: int) -> Mask:
    """The best so many of each row, equal ones by goal."""
    chosen = np.zeros(scores.shape, dtype=bool)
    order = np.argsort(-scores, axis=1, kind="stable")[:, :most]
    np.put_along_axis(chosen, order, values=True, axis=1)
    return chosen


def quality(told: Told, texts: Texts) -> Quality:
    """What the system's goals are worth against the true ones."""
    truth, given = texts.truth, told.given
    best = first(told.scores, 1)
    main = best.argmax(axis=1) + 1 == np.array(texts.main) if len(texts.main) else None
    error = None if told.likelihoods is None else told.likelihoods - truth
    return Quality(
        main_first=None if main is None else float(main.mean()),
        first=float((best & truth).any(axis=1).mean()),
        in_three=float((first(told.scores, 3) & truth).any(axis=1).mean()),
        precision=float((given & truth).sum() / max(given.sum(), 1)),
        recall=float((given & truth).sum() / truth.sum()),
        micro_f1=f1(given, truth),
        macro_f1=float(np.mean([f1(given[:, g], truth[:, g]) for g in occurring(truth)])),
        brier=None if error is None else float((error**2).mean()),
        calibration_error=None if told.likelihoods is None else off(told.likelihoods, truth),
        per_text=float(given.sum(axis=1).mean()),
        without=float((~given.any(axis=1)).mean()),
    )


def occurring(truth: Mask) -> list[int]:
    """Columns of the goals that a set of texts has at all."""
    return [int(goal) for goal in np.flatnonzero(truth.any(axis=0))]


def f1(given: Mask, truth: Mask) -> float:
    """Twice the common ones over all of both."""
    return float(2 * (given & truth).sum() / max(given.sum() + truth.sum(), 1))


def off(likelihoods: Array, truth: Mask) -> float:
    """How far likelihoods are from the share that came true, mean over bins of equal width."""
    bins = np.minimum((likelihoods * _BINS).astype(int), _BINS - 1)
    parts = [(likelihoods[bins == one], truth[bins == one]) for one in range(_BINS)]
    apart = [len(said) * abs(said.mean() - true.mean()) for said, true in parts if len(said)]
    return float(sum(apart) / truth.size)


def gain(product: Told, other: Told, truth: Mask) -> dict[str, float]:
    """Micro F1 of the product minus the other's on the same texts, with its 95 % interval."""
    draws = np.random.default_rng(_SEED).integers(0, len(truth), (_DRAWS, len(truth)))
    drawn = [
        f1(product.given[rows], truth[rows]) - f1(other.given[rows], truth[rows]) for rows in draws
    ]
    low, high = np.quantile(drawn, (0.025, 0.975))
    return {
        "mean": f1(product.given, truth) - f1(other.given, truth),
        "low": float(low),
        "high": float(high),
    }


def show(name: str, found: Mapping[str, Quality], gains: Mapping[str, Mapping[str, float]]) -> None:
    """The table of one set: a line for each measure, a column for each system."""
    print(f"\n{name:<22}" + "".join(f"{system:>12}" for system in found))
    for measure in (field.name for field in fields(Quality)):
        values = [getattr(one, measure) for one in found.values()]
        cells = "".join(f"{'–' if value is None else f'{value:.3f}':>12}" for value in values)
        print(f"{measure.replace('_', ' '):<22}{cells}")
    for system, one in gains.items():
        interval = f"[{one['low']:+.3f}, {one['high']:+.3f}]"
        print(f"micro F1, product − {system}: {one['mean']:+.3f} {interval}")


if __name__ == "__main__":
    main()
