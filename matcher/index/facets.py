"""SDGs and regions of all companies as tables: who is allowed, and how near they are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from matcher import codes
from matcher.types import Company, Constraint, Hits, Rows

_GOALS = 17
_MOST_TELLING = 8  # goals; who ticks more than half of them says nothing by it
_PREFECTURES = 47
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Allowed:
    """The rows that may be returned, ascending, and why the others may not."""

    rows: Rows
    excluded: Mapping[str, int]  # "region", "sdgs"; a row that fails both counts under region


class Facets:
    """Where each company sits, where it delivers, and its goals; row i is company i."""

    def __init__(self, companies: Sequence[Company]) -> None:
        size = len(companies)
        self._serves = np.zeros((size, _PREFECTURES + 1), dtype=bool)  # column 0 stays empty
        self._goals = np.zeros((size, _GOALS + 1), dtype=bool)
        self._headquarters = np.array([int(c.headquarters or 0) for c in companies], dtype=np.int64)
        for row, company in enumerate(companies):
            self._serves[row, [int(code) for code in company.regions]] = True
            self._goals[row, list(company.sdgs)] = True

    def allowed(self, constraint: Constraint) -> Allowed:
        """The rows that keep every rule of the constraint."""
        region = self._in_region(constraint)
        goals = self._in_goals(constraint)
        return Allowed(
            rows=np.flatnonzero(region & goals).astype(np.int64),
            excluded={"region": int((~region).sum()), "sdgs": int((region & ~goals).sum())},
        )

    def shared_goals(self, constraint: Constraint, allowed: Rows) -> Hits:
        """Shared goals over all goals of the two sides (Jaccard), 0..1; all 0 under `ignore`.

        A profile that ticks most of the seventeen singles none out: it shares none here.
        """
        wanted = np.zeros(_GOALS + 1, dtype=bool)
        wanted[list(constraint.sdgs if constraint.sdg_rule != "ignore" else ())] = True
        own = self._goals[allowed]
        own = own & (own.sum(axis=1, keepdims=True) <= _MOST_TELLING)
        union = np.maximum((own | wanted).sum(axis=1), 1)
        return Hits.best_first("sdgs", allowed, (own & wanted).sum(axis=1) / union)

    def nearness(self, constraint: Constraint, allowed: Rows) -> Hits:
        """1 for a head office in the issue's prefecture, 0.5 in its block, else 0."""
        home = self._headquarters[allowed]
        if not constraint.prefecture:
            return Hits.best_first("region", allowed, np.zeros(len(allowed)))
        block = np.isin(home, _block(constraint.prefecture)) * 0.5
        near = np.where(home == int(constraint.prefecture), 1.0, block)
        return Hits.best_first("region", allowed, near)

    def _in_region(self, constraint: Constraint) -> Mask:
        rule, prefecture = constraint.region_rule, constraint.prefecture
        if rule == "any":
            return np.ones(len(self._serves), dtype=bool)
        if rule == "serves":
            # An unknown prefecture is only surely served by those who serve all of them.
            known = [int(prefecture)] if prefecture else range(1, _PREFECTURES + 1)
            return np.asarray(self._serves[:, known].all(axis=1), dtype=bool)
        if not prefecture:
            return np.zeros(len(self._serves), dtype=bool)
        if rule == "prefecture":
            return np.asarray(self._headquarters == int(prefecture))
        return np.isin(self._headquarters, _block(prefecture))

    def _in_goals(self, constraint: Constraint) -> Mask:
        if constraint.sdg_rule not in ("any", "all") or not constraint.sdgs:
            return np.ones(len(self._goals), dtype=bool)
        chosen = self._goals[:, sorted(constraint.sdgs)]
        return np.asarray(
            chosen.any(axis=1) if constraint.sdg_rule == "any" else chosen.all(axis=1)
        )


def _block(prefecture: str) -> list[int]:
    """The prefectures of the regional block that holds this one."""
    return sorted(int(code) for code in codes.block_members(codes.block_of(prefecture)))
