"""What each kind of evidence is worth by itself, and what the product makes of all of them.

On the published cases in `data/`: plain encoder, character bigrams, words, centred encoder, and the
product's own ranking, under the default rules and under none. Every system but the product's is one
room of the product by itself: same texts, same filter, same neutral ties.
Run it: `python benchmarks/eval_systems.py`.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass

import numpy as np
from conditions import conditions, save
from numpy.typing import NDArray

from matcher import text
from matcher.catalog import Catalog
from matcher.codes import data_folder
from matcher.corpus import read_companies, read_issues
from matcher.embed import load_encoder
from matcher.evaluation import MEASURES, Comparison, Estimate, Evaluation, evaluate
from matcher.index.dense import DenseIndex
from matcher.pipeline import Matcher, constraint_of
from matcher.rank import ranker
from matcher.trec import read_qrels, read_run
from matcher.types import Hits, Issue, Qrels, RegionRule, Rows, Run, SdgRule, Vectors

RULES: tuple[tuple[RegionRule, SdgRule], ...] = (("serves", "prefer"), ("any", "ignore"))
PRODUCT = "fused"
TITLES = {
    "plain": "plain encoder",
    "bigrams": "bigrams (BM25)",
    "words": "words (BM25)",
    "centred": "centred encoder",
    PRODUCT: "fused (product)",
    "ceiling": "ceiling",
}
FILES = ("issues.csv", "companies.csv", "qrels.tsv")
_K = 10
_LEAD = "nDCG@10"  # the measure that systems are compared by

Search = Callable[[str, Vectors, Rows], Hits]  # normalised text, its vector, allowed rows → hits


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Cases:
    """The published cases, their companies ready to be searched."""

    issues: tuple[Issue, ...]
    queries: tuple[str, ...]  # normalised, one for each issue
    vectors: Vectors  # of the queries, as the encoder gave them
    qrels: Qrels
    matcher: Matcher


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """The systems under one pair of rules."""

    systems: Mapping[str, Evaluation]  # in the order of TITLES, the ceiling last
    leads: Mapping[str, Comparison]  # the product minus each of the others, on the same issues


def main() -> None:
    """Prints the tables and writes `results/eval_systems.json`."""
    told, cases = conditions(), load_cases()
    results = {f"{region}/{sdgs}": compare(cases, region, sdgs) for region, sdgs in RULES}
    for rules, result in results.items():
        show(rules, result)
    told |= facts(cases) | {"rules": {name: as_json(found) for name, found in results.items()}}
    save("eval_systems", told)


def load_cases() -> Cases:
    """The cases that ship, and a catalog built of their companies."""
    encoder, (issues, companies, qrels) = load_encoder(), (data_folder() / name for name in FILES)
    asked = read_issues(issues).records
    queries = tuple(text.normalise(text.issue_text(issue)) for issue in asked)
    return Cases(
        issues=asked,
        queries=queries,
        vectors=encoder.encode_queries(queries),
        qrels=read_qrels(qrels),
        matcher=Matcher(Catalog.build(read_companies(companies), encoder), encoder),
    )


def compare(cases: Cases, region_rule: RegionRule, sdg_rule: SdgRule) -> Result:
    """Every system under these rules, with the product's lead over each."""
    runs = run_systems(cases, region_rule, sdg_rule)
    leads = {
        name: evaluate(runs[PRODUCT], cases.qrels, measures=[_LEAD], against=run).against[_LEAD]
        for name, run in runs.items()
        if name != PRODUCT
    }
    runs["ceiling"] = ideal(cases, region_rule, sdg_rule)
    systems = {name: evaluate(runs[name], cases.qrels) for name in TITLES}
    return Result(systems=systems, leads=leads)


def run_systems(cases: Cases, region_rule: RegionRule, sdg_rule: SdgRule) -> dict[str, Run]:
    """The first ten companies of every issue by each system, the product's own among them."""
    runs: dict[str, Run] = {
        name: _run(cases, search, region_rule, sdg_rule)
        for name, search in searches(cases.matcher.catalog).items()
    }
    shortlists = cases.matcher.match(
        cases.issues, top=_K, region_rule=region_rule, sdg_rule=sdg_rule
    )
    return runs | {PRODUCT: read_run(shortlists)}


def searches(catalog: Catalog) -> dict[str, Search]:
    """A search for each kind of evidence by itself."""
    words, bigrams, centring = catalog.words, catalog.bigrams, catalog.centring
    plain = DenseIndex(catalog.vectors)
    return {
        "plain": lambda _, vector, rows: _near(plain, vector, rows),
        "bigrams": lambda query, _, rows: bigrams.everywhere(text.bigrams(query)).hits(rows),
        "words": lambda query, _, rows: words.everywhere(text.lemmas(query)).hits(rows),
        "centred": lambda _, vector, rows: _near(
            catalog.dense, centring.queries(vector[None, :])[0], rows
        ),
    }


def _near(index: DenseIndex, vector: NDArray[np.float32], rows: Rows) -> Hits:
    return Hits.best_first("dense", rows, index.scores(vector, rows))


def ideal(cases: Cases, region_rule: RegionRule, sdg_rule: SdgRule) -> Run:
    """The judged companies that the rules let through, by their grades: nothing can be better."""
    catalog = cases.matcher.catalog
    best: dict[str, dict[str, float]] = {}
    for issue in cases.issues:
        rows = catalog.facets.allowed(constraint_of(issue, region_rule, sdg_rule)).rows
        eligible = {catalog.companies[row].company_id for row in rows}
        grades = cases.qrels.get(issue.issue_id, {})
        best[issue.issue_id] = {one: float(grades[one]) for one in grades.keys() & eligible}
    return best


def _run(cases: Cases, search: Search, region_rule: RegionRule, sdg_rule: SdgRule) -> Run:
    """The first ten by one search, through the product's filter and with its order of equals."""
    catalog = cases.matcher.catalog
    run: dict[str, dict[str, float]] = {}
    for issue, query, vector in zip(cases.issues, cases.queries, cases.vectors, strict=True):
        allowed = catalog.facets.allowed(constraint_of(issue, region_rule, sdg_rule))
        hits = search(query, vector, allowed.rows)
        places = ranker.first(hits, [hits], _K, issue.issue_id, catalog.companies)
        run[issue.issue_id] = {catalog.companies[p.row].company_id: p.score for p in places}
    return run


def show(rules: str, result: Result) -> None:
    """The table of one pair of rules: means with 95 % intervals, then the product's leads."""
    print(f"\n{rules:<17}" + "".join(f"{name:<20}" for name in MEASURES).rstrip())
    for name, found in result.systems.items():
        cells = "".join(f"{_told(found.means[measure]):<20}" for measure in MEASURES)
        print(f"{TITLES[name]:<17}{cells}".rstrip())
    print(f"{_LEAD}, product −")
    for name, lead in result.leads.items():
        gap, counts = lead.difference, f"{lead.better} better {lead.equal} equal {lead.worse} worse"
        told = f"{gap.mean:+.3f} [{gap.low:+.3f}, {gap.high:+.3f}]"
        print(f"  {TITLES[name]:<17}{told:<25}p {lead.p:.4f}   {counts}")


def facts(cases: Cases) -> dict[str, object]:
    """What was measured: the data by its hashes, and the encoder."""
    return {
        "encoder": cases.matcher.encoder.id,
        "issues": len(cases.issues),
        "companies": len(cases.matcher.catalog.companies),
        "judgements": sum(map(len, cases.qrels.values())),
        "sha256": {
            name: hashlib.sha256((data_folder() / name).read_bytes()).hexdigest() for name in FILES
        },
    }


def as_json(result: Result) -> dict[str, object]:
    """The means and the leads; an evaluation's values by issue are left out."""
    return {
        "systems": {
            name: {measure: asdict(mean) for measure, mean in found.means.items()}
            for name, found in result.systems.items()
        },
        f"{PRODUCT} minus, {_LEAD}": {name: asdict(lead) for name, lead in result.leads.items()},
    }


def _told(found: Estimate) -> str:
    return f"{found.mean:.3f} {found.low:.3f}–{found.high:.3f}"


if __name__ == "__main__":
    main()
