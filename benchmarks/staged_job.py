"""The main job with its stages timed: `python staged_job.py ISSUES COMPANIES OUT REPORT.json`.

It is `matcher.job.match_tables` as it is; its rooms are timed where they are called. Under
`python -m cProfile -o FILE` it shows what costs.
"""

import json
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import wraps
from inspect import ismethod
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matcher.job import Outcome

# What the encoder does, by the stage that asks for it.
_ENCODING = {
    "indexing": "encoding companies",
    "ranking": "encoding issues",
    "explaining": "encoding sentences",
}


def main() -> None:
    """Runs the job and writes its figures."""
    issues, companies, out, report = map(Path, sys.argv[1:])
    watch = Stopwatch()
    with watch.stage("importing"):
        from matcher import job
    watch_rooms(watch)
    outcome = job.match_tables(issues, companies, out, job.Options(), lambda *_: lambda _: None)
    figures = json.dumps(figures_of(watch.ended(), outcome), ensure_ascii=False)
    report.write_text(figures, encoding="utf-8")


def figures_of(seconds: Mapping[str, float], outcome: "Outcome") -> dict[str, object]:
    """Seconds by stage, and how many companies and issues a second that is."""
    counts, issues = outcome.manifest["counts"], len(outcome.shortlists)
    ranking = seconds["ranking"] + seconds["encoding issues"]
    explaining = seconds["explaining"] + seconds["encoding sentences"]
    return {
        "encoder": outcome.manifest["encoder"],
        "ranked": counts["issues"]["ranked"],
        "in_pieces": counts["read_in_pieces"]["companies"],
        "stages": {name: round(found, 2) for name, found in seconds.items()},
        "companies_encoded_per_second": round(
            counts["companies"]["accepted"] / seconds["encoding companies"], 1
        ),
        "issues_ranked_per_second": round(issues / ranking, 1),
        "issues_explained_per_second": round(issues / explaining, 1),
    }


def watch_rooms(watch: "Stopwatch") -> None:
    """Time the rooms that the job walks through, from now on in this process."""
    from matcher import job, pipeline, run
    from matcher.catalog import Catalog
    from matcher.embed.bundled import BundledEncoder

    for name in ("read_issues", "read_companies"):
        watch.over(job, name, "reading")
    watch.over(job, "load_encoder", "loading the encoder")
    watch.over(Catalog, "build", "indexing")
    watch.over(pipeline.Matcher, "match", "ranking")
    for name in ("encode_queries", "encode_documents"):
        watch.over(BundledEncoder, name, _ENCODING)
    for name in ("passages", "evidence"):
        watch.over(pipeline.explain, name, "explaining")
    watch.over(run, "write_run", "writing files and hashes")
    watch.over(run, "to_lines", "writing shortlist.jsonl")
    watch.over(run, "workbook_bytes", "writing shortlist.xlsx")
    watch.over(run, "page_html", "writing shortlist.html")


class Stopwatch:
    """Seconds by stage; what an inner stage takes is not the outer one's."""

    def __init__(self) -> None:
        self._seconds: dict[str, float] = defaultdict(float)
        self._open = ["the rest"]
        self._since = time.perf_counter()

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """The time until the end of the block belongs to `name`."""
        self._settle()
        self._open.append(name)
        try:
            yield
        finally:
            self._settle()
            self._open.pop()

    def over(self, owner: object, name: str, stage: str | Mapping[str, str]) -> None:
        """Time `owner.name` from now on, as one stage or by the stage that calls it."""
        inner: Callable[..., object] = getattr(owner, name)

        @wraps(inner)
        def timed(*args: object, **named: object) -> object:
            with self.stage(stage if isinstance(stage, str) else stage[self._open[-1]]):
                return inner(*args, **named)

        setattr(owner, name, staticmethod(timed) if ismethod(inner) else timed)

    def ended(self) -> dict[str, float]:
        """Seconds by stage so far, in the order in which the stages began."""
        self._settle()
        return dict(self._seconds)

    def _settle(self) -> None:
        now = time.perf_counter()
        self._seconds[self._open[-1]] += now - self._since
        self._since = now


if __name__ == "__main__":
    main()
