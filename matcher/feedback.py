"""From a table of outcomes to judgements in a folder: what `matcher outcomes` does."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from matcher.errors import MatcherError
from matcher.fields import parse_date
from matcher.outcomes import (
    SOURCES,
    Judged,
    Outcome,
    Source,
    judged,
    qrels_of,
    read_outcomes,
    split,
)
from matcher.outputs import check_absent, write_files
from matcher.positions import Examination, Position, by_position, examine, locate
from matcher.report.rejected import rejected_csv
from matcher.run import load_run
from matcher.trec import qrels_lines, read_run
from matcher.types import Reading, Run
from matcher.verdicts import read_year

FILES = (
    "qrels.tsv",
    "qrels-confirmed.tsv",
    "qrels-declined.tsv",
    "rejected.csv",
    "qrels-before.tsv",
    "qrels-after.tsv",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Feedback:
    """What a table of outcomes gave, as it stands in its folder."""

    reading: Reading[Outcome]
    judgements: tuple[Judged, ...]
    positions: tuple[Position, ...]
    examinations: tuple[Examination, ...]
    split: date | None
    before: tuple[Outcome, ...]  # empty where nothing was split
    after: tuple[Outcome, ...]
    files: tuple[str, ...]


def write_feedback(
    table: Path,
    runs: Sequence[Path],
    out: Path,
    *,
    day: date | None = None,
    k: int = 10,
    overwrite: bool = False,
) -> Feedback:
    """The outcomes of a table as qrels in a folder, and what the runs' ranks did to them.

    `runs` are what somebody was shown: run folders or TREC files. An outcome's column `run` means
    the one whose folder or file has that name. With `day` the qrels are split in two as well.

    Raises:
        MatcherError: `k` is under one, or the table or a run is unusable.
        ForeignOutput: a file of these names is there, unless it may be overwritten.
    """
    if k < 1:
        message = f"--top は1以上の整数にしてください（指定値: {k}）。"
        raise MatcherError(message)
    check_absent(out, FILES, overwrite=overwrite)
    shown = {path: load_run(path) if path.is_dir() else read_run(path) for path in runs}
    reading = read_outcomes(table)
    located = locate(reading, _by_name(shown))
    before, after = split(located, day) if day else ((), ())
    every = list(shown.values())
    judgements = judged(located, every)
    contents = {
        "qrels.tsv": _lines(judgements),
        "qrels-confirmed.tsv": _lines(judgements, {"confirmed"}),
        "qrels-declined.tsv": _lines(judgements, {"declined", "declined unseen"}),
        "rejected.csv": rejected_csv(reading.faults),
    }
    if day:
        contents["qrels-before.tsv"] = _lines(judged(before, every))
        contents["qrels-after.tsv"] = _lines(judged(after, every))
    write_files(out, contents)
    for name in set(FILES) - contents.keys():
        (out / name).unlink(missing_ok=True)  # of a former set: it would mislead
    return Feedback(
        reading=reading,
        judgements=judgements,
        positions=by_position(located, every, k),
        examinations=examine(located, every, k),
        split=day,
        before=before,
        after=after,
        files=tuple(name for name in FILES if name in contents),
    )


def split_day(text: str | None) -> date | None:
    """The day of `--split`; of a 年度 its first, 1 April. None for None.

    Raises:
        MatcherError: the text is neither.
    """
    if text is None:
        return None
    year = read_year(text)
    found = date(year, 4, 1) if year else parse_date(text)
    if found is None:
        message = f"--split の「{text}」は日付として読めません。2026-04-01 のように書いてください。"
        raise MatcherError(message)
    return found


def _by_name(runs: Mapping[Path, Run]) -> dict[str, Run]:
    """The runs by the name of their folder or file; a name that two bear means neither."""
    named = [(_name(path), run) for path, run in runs.items()]
    counts = Counter(name for name, _ in named)
    return {name: run for name, run in named if counts[name] == 1}


def _name(path: Path) -> str:
    resolved = path.resolve()
    if resolved.is_dir():
        return resolved.name
    return resolved.parent.name if resolved.name == "run.trec" else resolved.stem


def _lines(judgements: Iterable[Judged], sources: Collection[Source] = SOURCES) -> bytes:
    return qrels_lines(qrels_of(judgements, sources)).encode()
