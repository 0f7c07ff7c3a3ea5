"""One query beside every company: what each search says of a pair, and who may stand first."""

import numpy as np
from numpy.typing import NDArray

from matcher import text
from matcher.bridge import Crossing
from matcher.catalog import Catalog
from matcher.index.bitmap import Bitmap
from matcher.rank import features
from matcher.settings import Settings
from matcher.types import Hits, Rows, Scores

# Companies up to which everyone allowed is scored: 0.1 s of the half second that an issue takes.
# Of more, the thousand nearest are searched by lists within the budget.
EXACT_TO = 2_000_000
_DEPTH = 1_000  # rows nearest in meaning that are scored at once
_ROUNDING = 1e-5  # between the sum of parts of six decimals and the sum here


class Search:
    """What the searches of a catalog find for one query, by meaning and by words.

    Words are scored for every company, which is cheap; meaning for those who may stand first. What
    a pair scores does not depend on how it was found: whoever is named by one search gets the exact
    score of every other.
    """

    def __init__(
        self,
        catalog: Catalog,
        query: str,
        vector: NDArray[np.float32],
        settings: Settings,
    ) -> None:
        """`query` is normalised, `vector` centred."""
        self.query = query
        self._catalog = catalog
        self._vector = vector
        self._exact = len(catalog.companies) <= EXACT_TO
        self._moments = catalog.dense.moments.of_scores(vector)
        self._dense_weight = settings.dense_weight
        self.crossings: list[Crossing] = []
        self._worded = [
            (settings.words_weight, catalog.words.everywhere(text.lemmas(query))),
            (settings.bigrams_weight, catalog.bigrams.everywhere(text.bigrams(query))),
        ]
        if settings.bridge_weight:
            self.crossings = catalog.bridge.crossings(vector)
            answers = [
                (crossing.share, [lemma for term in crossing.line.lemmas() for lemma in term])
                for crossing in self.crossings
            ]
            bridge = catalog.words.weighted("bridge", answers)
            self._worded.append((settings.bridge_weight, bridge))
        self._by_words: Scores = np.zeros(len(catalog.companies))
        for weight, found in self._worded:
            if weight:
                units = features.units(found.scores, found.mean, found.deviation)
                self._by_words += np.multiply(units, weight, out=units)

    def hits(self, rows: Rows) -> list[Hits]:
        """What each search says of these rows, meaning first."""
        return [self.dense(rows), *(found.hits(rows) for _, found in self._worded)]

    def dense(self, rows: Rows) -> Hits:
        """How near these rows are in meaning."""
        mean, deviation = self._moments
        scores = self._catalog.dense.scores(self._vector, rows)
        return Hits.best_first("dense", rows, scores, mean=mean, deviation=deviation)

    def first(self, count: int, allowed: Bitmap, spare: float = 0.0) -> Rows:
        """The allowed rows that may be among the first `count` by the weighted sum, ascending.

        Everyone who ties with the last of them is there, and everyone who would pass him with
        `spare` more, which is what other parts can add. After Fagin, Lotem and Naor, Optimal
        aggregation algorithms for middleware (2001): the nearest in meaning are scored, and of the
        others those whose words could make up for being no nearer than the last of these.
        """
        rows = allowed.rows()
        if len(rows) <= count:
            return rows
        depth = max(_DEPTH, 2 * count)
        near = self._catalog.dense.search(self._vector, depth, allowed, exact=self._exact)
        total = self._total(near.rows)
        bar = np.partition(total, -count)[-count] - spare - _ROUNDING
        if len(near.rows) < len(rows):
            most = self._by_words[rows] + self._by_meaning(near.scores[-1:])
            others = np.setdiff1d(rows[most >= bar], near.rows, assume_unique=True)
            total = np.append(total, self._total(others))
            rows = np.append(near.rows, others)
            bar = np.partition(total, -count)[-count] - spare - _ROUNDING
        else:
            rows = near.rows
        return np.sort(rows[total >= bar])

    def _total(self, rows: Rows) -> Scores:
        """The weighted sum of these rows, unrounded."""
        scores = self._catalog.dense.scores(self._vector, rows)
        total: Scores = self._by_words[rows] + self._by_meaning(scores)
        return total

    def _by_meaning(self, scores: Scores) -> Scores:
        found: Scores = self._dense_weight * features.units(scores, *self._moments)
        return found
