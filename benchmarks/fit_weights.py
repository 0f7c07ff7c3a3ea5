"""The weights of the stages and the scale of the bands, from graded lists nobody trained on.

Learns on the fields kept apart for looking (dev), in the manner of a desk: encoder and reader have
not learnt from these lists. Three issues of different fields and their graded candidates make a
desk of about a hundred companies, and each graded pair gives its features in the units of the
ranking there. A logistic regression says how likely a pair is graded 2 or 3. Its coefficients,
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
from matcher.search import Search
from matcher.settings import Settings
from matcher.types import Company, Encoder, Hits, Reader, Rows

NAMES = ("dense", "words", "bigrams", "bridge", "reader")
_FITS_FROM = 2
_AT_A_DESK = 3  # issues

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
    lists = written.lists("dev", manner="desk")
    field_of = {text.normalise(text.issue_text(t.issue)): t.field for t in written.triples("dev")}
    whole = Catalog.build(_companies(lists), encoder)
    desks = len(lists) // _AT_A_DESK
    rows: list[Array] = []
    grades: list[int] = []
    places: list[int] = []
    for desk in range(desks):
        # Issues of one field stand together; those so far apart are of different ones.
        catalog = Catalog.build(_companies(lists[desk::desks]), encoder, former=whole)
        row_of = {company.profile: row for row, company in enumerate(catalog.companies)}
        for place in range(desk, len(lists), desks):
            issue, graded = lists[place]
            chosen = np.array([row_of[profile] for profile, _ in graded], dtype=np.int64)
            rows.append(pair_features(catalog, encoder, reader, issue, chosen))
            grades += [grade for _, grade in graded]
            places += [place] * len(graded)
    return Pairs(
        features=np.vstack(rows),
        grades=np.array(grades, dtype=np.float64),
        lists=np.array(places),
        fields=np.array([field_of[lists[place][0]] for place in places]),
    )


def pair_features(
    catalog: Catalog, encoder: Encoder, reader: Reader, issue: str, chosen: Rows
) -> Array:
    """What each stage says of these rows for an issue, in the units of the ranking, `(n, 5)`."""
    vector = catalog.centring.queries(encoder.encode_queries([issue]))[0]
    hits = Search(catalog, issue, vector, Settings()).hits(chosen)
    pairs = [(issue, catalog.companies[row].profile) for row in chosen.tolist()]
    spoken = features.conviction(reader.read(pairs))
    return np.column_stack([*(_of(hit, chosen) for hit in hits), spoken])


def _companies(lists: Sequence[written.List]) -> list[Company]:
    """The candidates of these lists, each once."""
    profiles = sorted({profile for _, graded in lists for profile, _ in graded})
    return [
        Company(company_id=f"{at:05d}", name=f"{at:05d}", profile=profile)
        for at, profile in enumerate(profiles)
    ]


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
    order = np.argsort(scaled.rows)
    found: Array = scaled.scores[order[np.searchsorted(scaled.rows, rows, sorter=order)]]
    return found


if __name__ == "__main__":
    main()
