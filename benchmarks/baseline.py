"""The lists that quality must not fall below: a small set that every change is measured on.

Two sets: the published cases with the whole product, and the fields of the written set that weights
were chosen on, in the manner of a matching desk, without the reader (108 issues against their own
324 profiles). Their first ten places stand in `tests/data/baseline-*.trec`; a test ranks them anew
and fails where nDCG@10 or recall fell by 0.01 or more and by more than chance.
Where a change of quality is meant, run it and commit the files: `python benchmarks/baseline.py`.
"""

from collections.abc import Mapping
from pathlib import Path

import written
from eval_stages import Collection

from matcher import bridge
from matcher.catalog import Catalog
from matcher.codes import data_folder
from matcher.corpus import read_companies, read_issues
from matcher.embed import load_encoder, load_reader
from matcher.embed.remembering import RememberingEncoder, RememberingReader
from matcher.evaluation import Comparison, evaluate
from matcher.pipeline import Matcher
from matcher.settings import Settings
from matcher.trec import read_qrels, read_run, run_lines
from matcher.types import Encoder, Reader, Run

FOLDER = Path(__file__).parent.parent / "tests" / "data"
MEASURES = ("nDCG@10", "R(rel=3)@10")
READ = ("cases",)  # sets whose lists the reader had a word in
LEAST = 0.01  # a fall by less is of no consequence
_DESK_FROM = 1601  # the first triple in the manner of a desk


def collections() -> tuple[Collection, ...]:
    """Both sets."""
    every = bridge.shipped()
    data, asked = data_folder(), [one for one in written.triples("dev") if _is_desk(one.id)]
    judged = written.qrels("dev")
    return (
        Collection(
            name="cases",
            issues=read_issues(data / "issues.csv").records,
            companies=read_companies(data / "companies.csv").records,
            qrels=read_qrels(data / "qrels.tsv"),
            region_rule="serves",
            sdg_rule="prefer",
            lines=every,
        ),
        Collection(
            name="desk",
            issues=[one.issue for one in asked],
            companies=[company for one in asked for company in one.companies],
            qrels={one.id: judged[one.id] for one in asked},
            region_rule="any",
            sdg_rule="ignore",
            lines=every,
        ),
    )


def kept(collection: Collection) -> Path:
    """Where the lists of a set stand."""
    return FOLDER / f"baseline-{collection.name}.trec"


def _is_desk(triple_id: str) -> bool:
    return int(triple_id.removeprefix("t")) >= _DESK_FROM


def rank(
    collection: Collection,
    encoder: Encoder,
    reader: Reader | None,
    settings: Settings | None = None,
) -> Run:
    """The first ten companies of every issue as the product ranks them now."""
    settings = settings or Settings()
    catalog = Catalog.build(
        collection.companies, encoder, settings=settings, lines=collection.lines
    )
    matcher = Matcher(catalog, encoder, settings, reader if collection.name in READ else None)
    return read_run(
        matcher.match(
            collection.issues,
            region_rule=collection.region_rule,
            sdg_rule=collection.sdg_rule,
            is_explained=False,
        )
    )


def compared(collection: Collection, run: Run) -> Mapping[str, Comparison]:
    """The run against the lists that were kept; an issue without a list stands in both."""
    former = {issue: {} for issue in collection.qrels} | read_run(kept(collection))
    return evaluate(run, collection.qrels, measures=MEASURES, against=former).against


def complaint(collection: Collection, run: Run) -> str:
    """Which measure fell beyond chance and on which issues; "" where none did."""
    titles = {issue.issue_id: issue.title for issue in collection.issues}
    told = []
    for measure, one in compared(collection, run).items():
        if one.is_worse(LEAST):
            gap = one.difference
            told.append(
                f"{collection.name}: {measure} {one.theirs:.3f} → {one.ours:.3f} "
                f"({gap.mean:+.3f} [{gap.low:+.3f}, {gap.high:+.3f}], p {one.p_corrected:.4f})"
            )
            told += [
                f"  {change.theirs:.3f} → {change.ours:.3f}  {change.issue_id} "
                f"{titles[change.issue_id]}"
                for change in one.changes
                if change.ours < change.theirs
            ]
    return "\n".join(told)


def main() -> None:
    """Writes the lists anew and says what became better or worse."""
    encoder, reader = RememberingEncoder(load_encoder()), RememberingReader(load_reader())
    for collection in collections():
        run = rank(collection, encoder, reader)
        if kept(collection).exists():
            for measure, one in compared(collection, run).items():
                print(f"{collection.name:<8}{measure:<14}{one.theirs:.4f} → {one.ours:.4f}")
        kept(collection).write_text(run_lines(run), encoding="utf-8")


if __name__ == "__main__":
    main()
