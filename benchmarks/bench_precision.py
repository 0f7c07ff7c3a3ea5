"""How far the precision of the encoder moves a score: `auto` against `f32` on the published cases.

`python benchmarks/bench_precision.py` scores every issue against every company in both and writes
`results/bench_precision.json`. Where the CPU has no bf16 the two are the same.
"""

import numpy as np
from conditions import conditions, save

from matcher.catalog import Catalog
from matcher.codes import data_folder
from matcher.corpus import read_companies, read_issues
from matcher.embed import load_encoder
from matcher.evaluation import evaluate
from matcher.pipeline import Matcher
from matcher.types import Entry, Precision, Shortlist


def main() -> None:
    """Measures, prints and saves."""
    result = conditions() | compare(scored("auto"), scored("f32"))
    for name, figure in result.items():
        print(f"{name:24}{figure}")
    save("bench_precision", result)


def scored(precision: Precision) -> list[Shortlist]:
    """Every company's place for every issue."""
    data, encoder = data_folder(), load_encoder(precision=precision)
    companies = read_companies(data / "companies.csv")
    matcher = Matcher(Catalog.build(companies, encoder), encoder)
    issues = read_issues(data / "issues.csv")
    return matcher.match(issues, region_rule="any", top=len(companies))


def compare(fast: list[Shortlist], exact: list[Shortlist]) -> dict[str, object]:
    """What differs between two rankings of the same pairs."""
    pairs = list(zip(fast, exact, strict=True))
    gaps, edges = [], []
    for one, other in pairs:
        scores, others = _scores(one), _scores(other)
        for company in scores:
            gap = abs(scores[company].score - others[company].score)
            at_edge = _is_read(scores[company]) != _is_read(others[company])
            (edges if at_edge else gaps).append(gap)
    qrels = data_folder() / "qrels.tsv"
    measured = [
        evaluate(run, qrels, measures=["nDCG@10"]).means["nDCG@10"] for run in (fast, exact)
    ]
    return {
        "pairs": len(gaps) + len(edges),
        "read_in_one_only": len(edges),
        "largest_difference_of_these": round(max(edges, default=0.0), 4),
        "largest_difference": round(max(gaps), 4),
        "median_difference": round(float(np.median(gaps)), 4),
        "issues": len(pairs),
        "other_rank_1": sum(_first(one, 1) != _first(other, 1) for one, other in pairs),
        "other_order_in_top_10": sum(_first(one, 10) != _first(other, 10) for one, other in pairs),
        "ndcg_10": {"auto": measured[0].mean, "f32": measured[1].mean},
    }


def _scores(shortlist: Shortlist) -> dict[str, Entry]:
    return {entry.company.company_id: entry for entry in shortlist.entries}


def _is_read(entry: Entry) -> bool:
    return entry.parts["reader"] > 0


def _first(shortlist: Shortlist, k: int) -> list[str]:
    return [entry.company.company_id for entry in shortlist.entries[:k]]


if __name__ == "__main__":
    main()
