"""What each stage of the ranking adds, on the published cases and on fields nobody trained on.

Stages: adapted encoder (with the weights chosen for it), vocabulary bridge, reader. Each is put on
in turn over the fusion of the unadapted encoder, and taken off alone from the whole; gains are
paired over issues, with 95 % bootstrap intervals. Sets: the published cases, the half of them whose
partners share the fewest character bigrams with the issue, and the sealed fields of the written
set, whose corpus is all their fitting and near-miss profiles together, and whose lines the bridge
goes without. Run it: `python benchmarks/eval_stages.py`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace

import written
from conditions import conditions, save

from matcher import bridge, text
from matcher.catalog import Catalog
from matcher.codes import data_folder
from matcher.corpus import read_companies, read_issues
from matcher.embed import load_encoder, load_reader
from matcher.evaluation import MEASURES, Evaluation, evaluate
from matcher.pipeline import Matcher
from matcher.settings import Settings
from matcher.trec import read_qrels, read_run
from matcher.types import Company, Encoder, Issue, Qrels, Reader, RegionRule, Run, SdgRule

_K = 10
_LEAD = "nDCG@10"
_PARTNER = 3  # the grade of a partner that a source reports
_USUAL = Settings()


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """The product with some of its stages."""

    name: str
    is_adapted: bool = True
    is_bridged: bool = True
    is_read: bool = True
    settings: Settings = _USUAL


# The weights of the fusion are those that were best for the unadapted encoder on four sets.
FUSION = System(
    name="fusion",
    is_adapted=False,
    is_bridged=False,
    is_read=False,
    settings=Settings(dense_weight=0.65, words_weight=0.175, bigrams_weight=0.175),
)
PRODUCT = System(name="product")
SYSTEMS = (
    FUSION,
    System(name="+ encoder", is_bridged=False, is_read=False),
    System(name="+ bridge", is_read=False),
    PRODUCT,
    System(name="without encoder", is_adapted=False),
    System(name="without bridge", is_bridged=False),
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Collection:
    """Issues, companies and judgements, and the rules they are matched under."""

    name: str
    issues: Sequence[Issue]
    companies: Sequence[Company]
    qrels: Qrels
    region_rule: RegionRule
    sdg_rule: SdgRule
    lines: Sequence[bridge.Line]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stages:
    """The models of a run, loaded once."""

    plain: Encoder
    adapted: Encoder
    reader: Reader


def main() -> None:
    """Prints the tables and writes `results/eval_stages.json`."""
    told = conditions()
    stages = Stages(
        plain=load_encoder("bundled-plain"), adapted=load_encoder(), reader=load_reader()
    )
    results: dict[str, object] = {}
    for collection in collections():
        runs = run_systems(collection, stages)
        for name, qrels in slices(collection).items():
            results[name] = show(name, runs, qrels)
    save("eval_stages", told | {"sealed": written.sealed(), "sets": results})


def collections() -> list[Collection]:
    """The sets that are measured on."""
    issues, companies, qrels = (
        data_folder() / name for name in ("issues.csv", "companies.csv", "qrels.tsv")
    )
    every = bridge.shipped()
    cases = Collection(
        name="cases serves/prefer",
        issues=read_issues(issues).records,
        companies=read_companies(companies).records,
        qrels=read_qrels(qrels),
        region_rule="serves",
        sdg_rule="prefer",
        lines=every,
    )
    fields = {one.field for one in written.triples("held")}
    held = Collection(
        name="held-out fields",
        issues=written.issues("held"),
        companies=written.companies("held"),
        qrels=written.qrels("held"),
        region_rule="any",
        sdg_rule="ignore",
        lines=tuple(line for line in every if line.field not in fields),
    )
    anywhere = replace(cases, name="cases any/ignore", region_rule="any", sdg_rule="ignore")
    return [cases, anywhere, held]


def run_systems(collection: Collection, stages: Stages) -> dict[str, Run]:
    """The first ten companies of every issue by each system."""
    catalogs = {
        encoder.id: Catalog.build(collection.companies, encoder, lines=collection.lines)
        for encoder in (stages.plain, stages.adapted)
    }
    runs: dict[str, Run] = {}
    for system in SYSTEMS:
        # No limit on evidence: it belongs to the shipped models, and a list that is withheld says
        # nothing of the order.
        settings = replace(
            system.settings, near_meaning=0.0, fair_meaning=0.0, near_likely=0.0, fair_likely=0.0
        )
        if not system.is_bridged:
            settings = replace(settings, bridge_weight=0.0)
        encoder = stages.adapted if system.is_adapted else stages.plain
        reader = stages.reader if system.is_read else None
        shortlists = Matcher(catalogs[encoder.id], encoder, settings, reader).match(
            collection.issues,
            top=_K,
            region_rule=collection.region_rule,
            sdg_rule=collection.sdg_rule,
        )
        runs[system.name] = read_run(shortlists)
    return runs


def slices(collection: Collection) -> dict[str, Qrels]:
    """The judgements of all issues, and of the half whose partners share the fewest bigrams."""
    profiles = {one.company_id: _bigrams(text.company_text(one)) for one in collection.companies}
    overlap: dict[str, float] = {}
    for issue in collection.issues:
        asked = _bigrams(text.issue_text(issue))
        partners = [
            profiles[one]
            for one, grade in collection.qrels.get(issue.issue_id, {}).items()
            if grade == _PARTNER and one in profiles
        ]
        if partners:
            overlap[issue.issue_id] = max(len(asked & own) / len(own) for own in partners)
    order = sorted(overlap, key=lambda issue_id: (overlap[issue_id], issue_id))
    least = set(order[: len(order) // 2])
    return {
        collection.name: collection.qrels,
        f"{collection.name}, half with the least overlap": {
            issue_id: grades for issue_id, grades in collection.qrels.items() if issue_id in least
        },
    }


def show(name: str, runs: Mapping[str, Run], qrels: Qrels) -> dict[str, object]:
    """Print a table: each system's measures, and its lead over the fusion."""
    own = {system: {i: found[i] for i in qrels if i in found} for system, found in runs.items()}
    found: dict[str, Evaluation] = {
        system: evaluate(run, qrels, against=own[FUSION.name] if system != FUSION.name else None)
        for system, run in own.items()
    }
    print(f"\n{name} ({len(qrels)} issues)")
    for system, evaluation in found.items():
        cells = [
            f"{evaluation.means[m].mean:.3f} [{evaluation.means[m].low:.3f}, "
            f"{evaluation.means[m].high:.3f}]"
            for m in MEASURES
        ]
        lead = evaluation.against[_LEAD].difference if evaluation.against else None
        gain = f"{lead.mean:+.3f} [{lead.low:+.3f}, {lead.high:+.3f}]" if lead else ""
        print(f"  {system:<16}" + "  ".join(cells) + f"  {gain}", flush=True)
    return {
        system: {
            "means": {name: asdict(mean) for name, mean in evaluation.means.items()},
            "against": {name: asdict(gap) for name, gap in evaluation.against.items()},
        }
        for system, evaluation in found.items()
    }


def _bigrams(source: str) -> set[str]:
    return set(text.bigrams(text.normalise(source))) or {""}


if __name__ == "__main__":
    main()
