"""Measures of a run against judgements, each with its doubt; knows no engine.

Every issue that has judgements counts: one without a list counts zero, and is said. A partner that
nobody judged is not a wrong one, so the judged share and the bounds stand beside every figure.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import ir_measures
import numpy as np

from matcher.errors import MatcherError
from matcher.evaluation.bounds import Bounds, bounds
from matcher.evaluation.comparison import Change, Comparison, both, compare
from matcher.evaluation.intervals import RESAMPLES, Estimate, estimates
from matcher.evaluation.measures import MEASURES, parse, values
from matcher.trec import QrelsSource, RunSource, read_qrels, read_run
from matcher.types import Qrels, Run

__all__ = [
    "MEASURES",
    "Bounds",
    "Change",
    "Comparison",
    "Estimate",
    "Evaluation",
    "Group",
    "evaluate",
]

Slices = Mapping[str, Mapping[str, Sequence[str]]]  # name → issue_id → its labels
Row = dict[str, str | int | float | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """What a run is worth on the issues of one label of a slice."""

    issues: tuple[str, ...]
    means: Mapping[str, Estimate]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """What a run is worth, by the name of the measure."""

    issues: int  # with judgements: what every mean is over
    without_list: tuple[str, ...]  # of these, the ones without any candidate; they count zero
    never_asked: tuple[str, ...]  # of those again, the ones that are not in the run at all
    unjudged_issues: tuple[str, ...]  # in the run, without a judgement; they do not count
    means: Mapping[str, Estimate]
    bounds: Mapping[str, Bounds]  # of the measures for which they are known
    values: Mapping[str, Mapping[str, float]]  # measure → issue_id → value
    slices: Mapping[str, Mapping[str, Group]]  # slice → label → group; empty unless asked
    against: Mapping[str, Comparison]  # the first other run by measure; empty unless one was given
    others: Mapping[str, Mapping[str, Comparison]]  # every other run by its name
    not_compared: Mapping[str, tuple[str, ...]]  # other run → judged issues that one was not asked

    def rows(self) -> list[Row]:
        """A row for each issue and measure: issue_id, measure, value, and theirs where compared.

        Tidy, for `pandas.DataFrame(evaluation.rows())` and that of polars.
        """
        theirs = {
            (measure, change.issue_id): change.theirs
            for measure, comparison in self.against.items()
            for change in comparison.changes
        }
        left_out = set(next(iter(self.not_compared.values()), ()))
        rows: list[Row] = []
        for measure, by_issue in self.values.items():
            for issue, value in by_issue.items():
                row: Row = {"issue_id": issue, "measure": measure, "value": value}
                if self.against:
                    other = theirs.get((measure, issue), value)
                    row["theirs"] = None if issue in left_out else other
                rows.append(row)
        return rows

    def slice_rows(self) -> list[Row]:
        """A row for each slice, label and measure: issues, mean, low and high."""
        return [
            {
                "slice": name,
                "label": label,
                "measure": measure,
                "issues": len(group.issues),
                "mean": mean.mean,
                "low": mean.low,
                "high": mean.high,
            }
            for name, groups in self.slices.items()
            for label, group in groups.items()
            for measure, mean in group.means.items()
        ]


def evaluate(
    run: RunSource,
    qrels: QrelsSource,
    *,
    measures: Sequence[str] = MEASURES,
    against: RunSource | None = None,
    others: Mapping[str, RunSource] | None = None,
    slices: Slices | None = None,
    resamples: int = RESAMPLES,
) -> Evaluation:
    """The measures of a run, and how it compares with other runs on the same issues.

    `run` is a mapping, shortlists, a run folder, a TREC file, a frame or a run of ranx; `qrels` the
    like. `measures` are names as ir-measures spells them, "nDCG@10" or "R(rel=3)@10". `against` is
    one other run, `others` several by name; p values are corrected for all of them together.
    `slices` group the issues (`matcher.slices`).

    Raises:
        MatcherError: a measure is unknown, there are no judgements, or another run was asked none
            of the judged issues.
        DataError: a file or frame cannot be read.
    """
    wanted = list({str(one): one for one in map(parse, measures)}.values())
    judged, scores = read_qrels(qrels), read_run(run)
    if not judged:
        message = "判定（qrels）が1件もありません。課題ID・0・企業ID・評点の行を入れてください。"
        raise MatcherError(message)
    arms = {"against": against} if against is not None else {}
    rivals = {name: read_run(one) for name, one in (arms | dict(others or {})).items()}
    found = values(scores, judged, wanted)
    compared = compare(scores, rivals, judged, wanted, resamples)
    return Evaluation(
        issues=len(judged),
        without_list=tuple(issue for issue in sorted(judged) if not scores.get(issue)),
        never_asked=tuple(sorted(judged.keys() - scores.keys())),
        unjudged_issues=tuple(sorted(scores.keys() - judged.keys())),
        means=_means(found, sorted(judged), resamples),
        bounds=_bounds(wanted, scores, judged),
        values=found,
        slices=_groups(found, slices or {}, resamples),
        against=next(iter(compared.values()), {}),
        others=compared,
        not_compared={
            name: tuple(sorted(judged.keys() - set(both(scores, other, judged))))
            for name, other in rivals.items()
        },
    )


def _means(
    found: Mapping[str, Mapping[str, float]], issues: Sequence[str], resamples: int
) -> dict[str, Estimate]:
    """The estimate of each measure over these issues."""
    matrix = np.array([[by_issue[issue] for issue in issues] for by_issue in found.values()])
    return dict(zip(found, estimates(matrix, resamples), strict=True)) if found else {}


def _bounds(wanted: Sequence[ir_measures.Measure], scores: Run, judged: Qrels) -> dict[str, Bounds]:
    told = {str(measure): bounds(measure, scores, judged) for measure in wanted}
    return {name: one for name, one in told.items() if one is not None}


def _groups(
    found: Mapping[str, Mapping[str, float]], slices: Slices, resamples: int
) -> dict[str, dict[str, Group]]:
    """Every label of every slice with the judged issues that bear it; labels in order."""
    judged = next(iter(found.values()), {}).keys()
    told: dict[str, dict[str, Group]] = {}
    for name, labels in slices.items():
        members: dict[str, list[str]] = {}
        for issue in sorted(judged & labels.keys()):
            for label in labels[issue]:
                members.setdefault(label, []).append(issue)
        told[name] = {
            label: Group(issues=tuple(issues), means=_means(found, issues, resamples))
            for label, issues in sorted(members.items(), key=lambda one: _natural(one[0]))
        }
    return told


def _natural(label: str) -> tuple[int, str]:
    """Numbers in their order, 2 before 10; a label without one comes last."""
    number = re.match("[0-9]{1,9}", label)
    return (int(number[0]) if number else 10**9, label)
