"""An evaluation of files: a run, judgements, other runs, and the tables that tell of the issues."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from matcher.corpus import read_companies, read_issues
from matcher.errors import MatcherError
from matcher.evaluation import MEASURES, Evaluation, Slices, evaluate
from matcher.report.wording import STATUSES
from matcher.run import SavedRun, load_run
from matcher.slices import slices
from matcher.trec import read_qrels
from matcher.types import Company, Issue, Qrels


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """What was found, and the titles of the issues, as far as they are known."""

    evaluation: Evaluation
    titles: Mapping[str, str]

    def is_worse(self, by: float) -> bool:
        """Whether a measure fell against some other run by at least so much, beyond chance."""
        others = self.evaluation.others.values()
        return any(one.is_worse(by) for compared in others for one in compared.values())


def study(
    run: Path,
    qrels: Path,
    *,
    measures: Sequence[str] = MEASURES,
    against: Sequence[Path] = (),
    is_sliced: bool = False,
    columns: Sequence[str] = (),
    issues: Path | None = None,
    companies: Path | None = None,
) -> Study:
    """The evaluation of a run folder or TREC file, by groups of issues where `is_sliced`.

    A run folder tells of its issues by itself; for a TREC file a table of `issues` does. With
    `companies` the words that issue and partner share are one way to group.

    Raises:
        MatcherError: a file, a measure or a column is unusable, or nothing tells of the issues.
    """
    judged, saved = read_qrels(qrels), _saved(run)
    told = _issues(saved, issues)
    groups: Slices = {}
    if is_sliced or columns:
        groups = _groups(told, saved, judged, companies, columns)
        if not is_sliced:
            groups = {name: groups[name] for name in columns}
    found = evaluate(
        saved or run,
        judged,
        measures=measures,
        others={name: _saved(path) or path for name, path in _named(against).items()},
        slices=groups,
    )
    return Study(evaluation=found, titles={issue.issue_id: issue.title for issue in told})


def _saved(path: Path) -> SavedRun | None:
    """A run folder, verified and read; None for any other path."""
    return load_run(path) if path.is_dir() else None


def _issues(saved: SavedRun | None, table: Path | None) -> Sequence[Issue]:
    if table is not None:
        return read_issues(table).records
    return [one.issue for one in saved.shortlists] if saved else []


def _groups(
    issues: Sequence[Issue],
    saved: SavedRun | None,
    judged: Qrels,
    companies: Path | None,
    columns: Sequence[str],
) -> Slices:
    if not issues:
        message = (
            "課題の内容が分からないため、区分できません。実行結果のフォルダーを指定するか、"
            "--issues に課題の表を指定してください。"
        )
        raise MatcherError(message)
    known: Sequence[Company] = read_companies(companies).records if companies else ()
    shortlists = saved.shortlists if saved else ()
    statuses = {one.issue.issue_id: STATUSES[one.status] for one in shortlists}
    return slices(issues, companies=known, qrels=judged, statuses=statuses or None, columns=columns)


def _named(paths: Sequence[Path]) -> dict[str, Path]:
    """Each path by its name, two of one name by the whole."""
    names = [path.name for path in paths]
    return {path.name if names.count(path.name) == 1 else str(path): path for path in paths}
