"""What each stage of the ranking costs: milliseconds an issue, and the encoder's rate.

The published issues, one at a time against a built catalog of the published companies, in four
versions of the product: the fusion of the unadapted encoder, with the adapted one, with the bridge,
with the reader (twenty companies). Every round asks another eight issues of all versions in turn;
a version's cost is the median over rounds, and what it adds is the median of the differences round
by round. The rate is that of 300-character texts, adapted and unadapted encoder in turn. Run it on
a machine that does nothing else: `python benchmarks/bench_stages.py`.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from itertools import pairwise
from statistics import median

from bench_encode import rate, ratio, read_texts
from conditions import conditions, save

from matcher.catalog import Catalog
from matcher.codes import data_folder
from matcher.corpus import read_companies, read_issues
from matcher.embed import load_encoder, load_reader
from matcher.pipeline import Matcher
from matcher.settings import Settings
from matcher.types import Issue

ROUNDS = 6
ISSUES = 8  # of a round
PAIRS = 20  # that the reader reads by themselves


def main() -> None:
    """Prints the tables and writes `results/bench_stages.json`."""
    told = conditions()
    plain, adapted, reader = load_encoder("bundled-plain"), load_encoder(), load_reader()
    companies = read_companies(data_folder() / "companies.csv")
    issues = read_issues(data_folder() / "issues.csv").records
    catalogs = {one.id: Catalog.build(companies, one) for one in (plain, adapted)}
    unbridged = replace(Settings(), bridge_weight=0.0)
    versions = {
        "fusion": Matcher(catalogs[plain.id], plain, unbridged, None),
        "+ encoder": Matcher(catalogs[adapted.id], adapted, unbridged, None),
        "+ bridge": Matcher(catalogs[adapted.id], adapted, Settings(), None),
        "+ reader": Matcher(catalogs[adapted.id], adapted, Settings(), reader),
    }
    for matcher in versions.values():
        matcher.match(issues)  # warm: every profile taken apart, every shape compiled
    found: dict[str, list[float]] = {name: [] for name in versions}
    for start in range(0, ROUNDS * ISSUES, ISSUES):
        for name, matcher in versions.items():
            found[name].append(milliseconds(matcher, issues[start : start + ISSUES]))
    names = list(versions)
    costs = {name: round(median(each), 1) for name, each in found.items()}
    adds = {
        name: round(
            median(one - other for one, other in zip(found[name], found[before], strict=True)), 1
        )
        for before, name in pairwise(names)
    }
    profiles = [company.profile for company in companies][:PAIRS]
    asked = [[(issue.description, one) for one in profiles] for issue in issues[: 2 * ROUNDS]]
    readings = [_seconds(partial(reader.read, pairs)) for pairs in asked]
    rates: dict[str, list[float]] = {"bundled-plain": [], "bundled": []}
    texts = read_texts()
    for _ in range(ROUNDS):
        for name, encoder in (("bundled-plain", plain), ("bundled", adapted)):
            rates[name].append(rate(encoder.encode_documents, texts))
    result = {
        "milliseconds an issue": costs,
        "added by the stage": adds,
        "seconds to read 20 pairs": round(median(readings), 3),
        "texts a second": {name: round(median(each), 1) for name, each in rates.items()},
        "adapted over unadapted": ratio(rates["bundled"], rates["bundled-plain"]),
    }
    for name, value in result.items():
        print(f"{name}: {value}")
    save("bench_stages", told | result)


def milliseconds(matcher: Matcher, issues: Sequence[Issue]) -> float:
    """What an issue takes, asked one at a time."""
    return 1000 * _seconds(lambda: [matcher.match([issue]) for issue in issues]) / len(issues)


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
