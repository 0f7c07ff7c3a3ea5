"""The weights of the stages and the scale of the bands, from graded lists nobody trained on.

Learns on the fields kept apart for looking (dev): encoder and reader have not learnt from their
lists. Each graded pair gives its features in the units of the ranking, over a catalog of all
written profiles; a logistic regression says how likely a pair is graded 2 or 3. Its coefficients,
brought to the scale where dense, words and bigrams add up to one, are the weights; the line from
score to log odds is what the bands stand on. Leave-one-field-out shows whether the fit carries.
Never fitted on the published cases. Run it: `python benchmarks/fit_weights.py`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import written
from conditions import conditions, save
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import LeaveOneGroupOut

from matcher import text
from matcher.catalog import Catalog
from matcher.embed import load_encoder, load_reader
from matcher.embed.training import ndcg_at_10
from matcher.rank import features
from matcher.settings import Settings
from matcher.types import Hits

NAMES = ("dense", "words", "bigrams", "bridge", "reader")
_FITS_FROM = 2

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pairs:
    """Graded pairs with their features, a row each."""

    features: Array  # (pairs, 5), in the order of NAMES
    grades: Array
    lists: Array  # which list each pair stands in
    fields: Array  # which field, as text


def main() -> None:
    """Prints weights and scales, and writes `results/fit_weights.json`."""
    pairs = graded_pairs()
    found: dict[str, object] = {"lists": int(pairs.lists.max()) + 1, "pairs": len(pairs.grades)}
    for name, columns in (("read", range(5)), ("unread", range(4))):
        chosen = list(columns)
        weights, slope, shift = fit(pairs, chosen)
        default = np.array([getattr(Settings(), f"{NAMES[at]}_weight") for at in chosen])
        own_slope, own_shift = line(pairs.features[:, chosen] @ default, pairs)
        found[name] = {
            "weights": dict(zip((NAMES[at] for at in chosen), weights.round(3), strict=True)),
            "slope": slope,
            "shift": shift,
            "nDCG@10": {
                "fitted, its field left out": left_out(pairs, chosen),
                "settings": ranking(pairs, pairs.features[:, chosen] @ default),
                "reader alone": ranking(pairs, pairs.features[:, 4]),
            },
            "settings": {"slope": own_slope, "shift": own_shift},
        }
        print(name, found[name])
    save("fit_weights", conditions() | found)


def graded_pairs() -> Pairs:
    """The graded lists of the dev fields with their features."""
    encoder, reader = load_encoder(), load_reader()
    catalog = Catalog.build(written.companies(), encoder)
    rows_of = {text.normalise(c.profile): row for row, c in enumerate(catalog.companies)}
    rows: list[Array] = []
    grades: list[float] = []
    lists: list[int] = []
    fields: list[str] = []
    asked = written.lists("dev")
    field_of = {text.normalise(text.issue_text(t.issue)): t.field for t in written.triples("dev")}
    vectors = catalog.centring.queries(encoder.encode_queries([issue for issue, _ in asked]))
    for place, ((issue, graded), vector) in enumerate(zip(asked, vectors, strict=True)):
        profiles = [profile for profile, _ in graded]
        chosen = np.array([rows_of[profile] for profile in profiles], dtype=np.int64)
        crossings = catalog.bridge.crossings(vector)
        answers = [(c.share, [w for term in c.line.lemmas() for w in term]) for c in crossings]
        hits = [
            catalog.dense.search(vector, catalog.rows),
            catalog.words.search(text.lemmas(issue), catalog.rows),
            catalog.bigrams.search(text.bigrams(issue), catalog.rows),
            catalog.words.search_weighted("bridge", answers, catalog.rows),
        ]
        spoken = features.conviction(reader.read([(issue, p) for p in profiles]))
        rows.append(np.column_stack([*(_of(hit, chosen) for hit in hits), spoken]))
        grades += [grade for _, grade in graded]
        lists += [place] * len(profiles)
        fields += [field_of[issue]] * len(profiles)
    return Pairs(
        features=np.vstack(rows),
        grades=np.array(grades, dtype=np.float64),
        lists=np.array(lists),
        fields=np.array(fields),
    )


def fit(pairs: Pairs, columns: Sequence[int]) -> tuple[Array, float, float]:
    """Weights with dense + words + bigrams = 1, and the line from their sum to log odds."""
    model = _model().fit(pairs.features[:, columns], pairs.grades >= _FITS_FROM)
    slope = float(model.coef_[0][:3].sum())
    return model.coef_[0] / slope, slope, float(model.intercept_[0])


def line(scores: Array, pairs: Pairs) -> tuple[float, float]:
    """Slope and shift of the log odds of a fit over a score (Platt, 1999)."""
    model = _model().fit(scores[:, None], pairs.grades >= _FITS_FROM)
    return float(model.coef_[0, 0]), float(model.intercept_[0])


def left_out(pairs: Pairs, columns: Sequence[int]) -> float:
    """Mean nDCG@10 of the lists, each by weights fitted without its field."""
    scores = np.zeros(len(pairs.grades))
    for learnt, apart in LeaveOneGroupOut().split(pairs.features, groups=pairs.fields):
        fitted = _model().fit(pairs.features[learnt][:, columns], pairs.grades[learnt] >= 2)
        scores[apart] = fitted.decision_function(pairs.features[apart][:, columns])
    return ranking(pairs, scores)


def ranking(pairs: Pairs, scores: Array) -> float:
    """Mean nDCG@10 of the lists by these scores, a gain of 2^grade - 1."""
    every = np.unique(pairs.lists)
    gains = 2**pairs.grades - 1
    return float(
        np.mean([ndcg_at_10(scores[pairs.lists == at], gains[pairs.lists == at]) for at in every])
    )


def _model() -> LogisticRegression:
    return LogisticRegression(C=1.0, max_iter=1000)


def _of(hits: Hits, rows: NDArray[np.int64]) -> Array:
    """The standardised scores of these rows, in their order."""
    scaled = features.standardise(hits)
    by_row = np.zeros(len(scaled.rows))
    by_row[scaled.rows] = scaled.scores
    return by_row[rows]


if __name__ == "__main__":
    main()
