"""Hubs: companies that stand on far more lists than others, and what takes them down.

N_10 of a company is the number of issues that have it among their first ten. Its skewness tells how
unevenly the places are spread (Radovanović and others, Hubs in Space, 2010). Corrections use the
background queries alone, so that a pair's score stays a matter of issue, company and catalog; they
are compared on the written issues of the fields kept for choosing, never on the published cases.
Run it: `python benchmarks/hubs.py [--no-reader]`.
"""

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import written
from conditions import conditions, save
from numpy.typing import NDArray
from scipy.special import log_ndtr

from matcher import background, text
from matcher.catalog import Catalog
from matcher.codes import data_folder
from matcher.corpus import read_companies, read_issues
from matcher.embed import load_encoder, load_reader
from matcher.embed.remembering import RememberingEncoder
from matcher.evaluation import Estimate, evaluate
from matcher.index.dense import DenseIndex
from matcher.pipeline import Matcher
from matcher.rank import features
from matcher.search import Search
from matcher.settings import Settings
from matcher.types import Company, Encoder, Hits, Issue, Qrels, Reader

LEAD = "nDCG@10"
PLACES = 10
_NEAR = 5  # background queries nearest to a company
_HUBS = 5  # companies named

Array = NDArray[np.float64]
Correction = Callable[[Array, Array], Array]  # scores of issues and of the background → scores


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """How the places of the lists are spread over the companies."""

    skewness: float
    most: int  # the largest N_10
    never: float  # share of the companies that stand on no list
    first_hundredth: float  # share of the places that the most shown 1 % of the companies take


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Collection:
    """Issues and companies, and which pairs are known to fit."""

    issues: Sequence[Issue]
    companies: Sequence[Company]
    qrels: Qrels


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scores:
    """Of every issue and every background query, `(queries, companies)`, by kind of evidence."""

    issues: Mapping[str, Array]
    background: Mapping[str, Array]


def spread(shown: NDArray[np.int64]) -> Spread:
    """Of the number of lists that each company stands on."""
    deviation = shown.std()
    ordered = np.sort(shown)[::-1]
    top = max(1, round(len(shown) / 100))
    return Spread(
        skewness=float(((shown - shown.mean()) ** 3).mean() / max(deviation, 1e-12) ** 3),
        most=int(ordered[0]),
        never=float((shown == 0).mean()),
        first_hundredth=float(ordered[:top].sum() / max(1, shown.sum())),
    )


def shown_in(scores: Array) -> NDArray[np.int64]:
    """How many of the lists each company stands on."""
    first = np.argsort(-scores, axis=1, kind="stable")[:, :PLACES]
    return np.bincount(first.ravel(), minlength=scores.shape[1])


# The corrections. Each takes a company down by how near it is to texts that have nothing to do with
# the issue.


def less_mean(share: float) -> Correction:
    """Less a share of the company's mean score for the background."""
    return lambda scores, usual: scores - share * usual.mean(axis=0)


def less_nearest(share: float) -> Correction:
    """Less a share of its mean score for the background queries nearest to it.

    The half of CSLS that does not cancel out within a list (Conneau and others, Word translation
    without parallel data, 2018).
    """
    return lambda scores, usual: scores - share * np.sort(usual, axis=0)[-_NEAR:].mean(axis=0)


def in_both(share: float) -> Correction:
    """A share of the score in units of the company's own scores for the background."""
    return lambda scores, usual: (1 - share) * scores + share * _own(scores, usual)


def mutual(scores: Array, usual: Array) -> Array:
    """How unlikely the score is for the issue and for the company, both normal and independent.

    Schnitzer and others, Local and global scaling reduce hubs in space, 2012.
    """
    across = (scores - scores.mean(axis=1, keepdims=True)) / scores.std(axis=1, keepdims=True)
    near: Array = log_ndtr(across) + log_ndtr(_own(scores, usual))
    return near


def _own(scores: Array, usual: Array) -> Array:
    own: Array = (scores - usual.mean(axis=0)) / np.maximum(usual.std(axis=0), 1e-6)
    return own


CORRECTIONS: Mapping[str, Correction] = {
    "none": lambda scores, _: scores,
    **{f"less {share} of the mean": less_mean(share) for share in (0.25, 0.5, 1.0)},
    **{f"less {share} of the nearest": less_nearest(share) for share in (0.1, 0.25, 0.5)},
    **{f"{share} in own units": in_both(share) for share in (0.25, 0.5)},
    "mutual proximity": mutual,
}


# The scores.


def score(catalog: Catalog, encoder: Encoder, queries: Sequence[str]) -> dict[str, Array]:
    """By kind of evidence, as parts of the product's score; `plain` is the encoder uncentred."""
    settings, plain = Settings(), DenseIndex(catalog.vectors)
    rows = np.arange(len(catalog.companies))
    raw = encoder.encode_queries(queries)
    vectors = catalog.centring.queries(raw)
    found: dict[str, list[Array]] = {}
    for query, vector, as_given in zip(queries, vectors, raw, strict=True):
        mean, deviation = plain.moments.of_scores(as_given)
        near = plain.scores(as_given, rows)
        for hits in (
            Hits.best_first("plain", rows, near, mean=mean, deviation=deviation),
            *Search(catalog, query, vector, settings).hits(rows),
        ):
            weight = getattr(settings, f"{hits.source}_weight", 1.0)
            part = features.weigh(features.standardise(hits), weight)
            found.setdefault(hits.source, []).append(_by_row(part))
    return {name: np.stack(rows) for name, rows in found.items()}


def _by_row(hits: Hits) -> Array:
    return np.asarray(hits.scores[np.argsort(hits.rows)], dtype=np.float64)


def total(parts: Mapping[str, Array], *names: str) -> Array:
    """The sum of some parts."""
    return np.round(sum((parts[name] for name in names), np.zeros(())), 6)


SYSTEMS: Mapping[str, tuple[str, ...]] = {
    "plain encoder": ("plain",),
    "centred encoder": ("dense",),
    "words": ("words",),
    "bigrams": ("bigrams",),
    "fusion": ("dense", "words", "bigrams"),
    "fusion with bridge": ("dense", "words", "bigrams", "bridge"),
}


# The collections.


def of_written() -> Collection:
    """The written issues with all their profiles, but for the sealed fields.

    Judgements are those of the fields kept for choosing; the places are counted over all issues.
    """
    return Collection(
        issues=[*written.issues("train"), *written.issues("dev")],
        companies=[*written.companies("train"), *written.companies("dev")],
        qrels=written.qrels("dev"),
    )


def published() -> Collection:
    """The cases that ship. Nothing is chosen by them, so they bring no judgements."""
    return Collection(
        issues=read_issues(data_folder() / "issues.csv").records,
        companies=read_companies(data_folder() / "companies.csv").records,
        qrels={},
    )


# What is measured.


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Of one way to rank."""

    spread: Spread
    quality: float | None = None
    difference: Estimate | None = None  # to no correction
    hubs: Sequence[str] = ()


def measure(
    scores: Array, collection: Collection, catalog: Catalog, former: Array | None = None
) -> Found:
    """The spread of the places, and where there are judgements what the lists are worth."""
    shown = shown_in(scores)
    names = [company.company_id for company in catalog.companies]
    hubs = [f"{names[row]} {shown[row]}" for row in np.argsort(-shown, kind="stable")[:_HUBS]]
    if not collection.qrels:
        return Found(spread=spread(shown), hubs=hubs)
    runs = [_run(each, collection, names) for each in (scores, former) if each is not None]
    found = evaluate(
        runs[0],
        collection.qrels,
        measures=[LEAD],
        against=runs[1] if len(runs) > 1 else None,
    )
    gap = found.against[LEAD].difference if found.against else None
    return Found(spread=spread(shown), quality=found.means[LEAD].mean, difference=gap, hubs=hubs)


def _run(
    scores: Array, collection: Collection, names: Sequence[str]
) -> dict[str, dict[str, float]]:
    run = {}
    for issue, row in zip(collection.issues, scores, strict=True):
        if issue.issue_id in collection.qrels:
            first = np.argsort(-row, kind="stable")[:PLACES]
            run[issue.issue_id] = {names[at]: float(-place) for place, at in enumerate(first)}
    return run


def study(
    collection: Collection, encoder: Encoder, reader: Reader | None, with_product: bool
) -> dict[str, dict[str, Found]]:
    """The systems as they are, and the fusion with the bridge under every correction."""
    catalog = Catalog.build(collection.companies, encoder)
    queries = [text.normalise(text.issue_text(issue)) for issue in collection.issues]
    issues = score(catalog, encoder, queries)
    systems = {
        name: measure(total(issues, *parts), collection, catalog) for name, parts in SYSTEMS.items()
    }
    if with_product:
        systems["product"] = _product(catalog, encoder, reader, collection)
    found = {"systems": systems}
    backgrounds = {
        "30 background issues": [text.normalise(one) for one in background.issues()],
        "lines of the bridge": [
            text.normalise("、".join(line.problem)) for line in catalog.bridge.lines
        ],
    }
    parts = SYSTEMS["fusion with bridge"]
    plain = total(issues, *parts)
    for name, told in backgrounds.items():
        usual = total(score(catalog, encoder, told), *parts)
        found[f"corrected by {name}"] = {
            kind: measure(correct(plain, usual), collection, catalog, plain)
            for kind, correct in CORRECTIONS.items()
        }
    return found


def _product(
    catalog: Catalog, encoder: Encoder, reader: Reader | None, collection: Collection
) -> Found:
    """The product's own lists under no rules; an issue without candidates has none."""
    matcher = Matcher(catalog, encoder, reader=reader)
    lists = matcher.match(
        collection.issues, top=PLACES, region_rule="any", sdg_rule="ignore", is_explained=False
    )
    rows = {company.company_id: row for row, company in enumerate(catalog.companies)}
    scores = np.zeros((len(lists), len(rows)))
    scores[:, :] = -np.inf
    for at, shortlist in enumerate(lists):
        for entry in shortlist.entries:
            scores[at, rows[entry.company.company_id]] = -entry.rank
    return measure(scores, collection, catalog)


def main() -> None:
    """Prints the tables and writes `results/hubs.json`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--no-reader", action="store_true", help="rank without the reader")
    asked = parser.parse_args()
    told = conditions()
    encoder = RememberingEncoder(load_encoder())
    reader = None if asked.no_reader else load_reader()
    collections = {"published": published(), "written": of_written()}
    results: dict[str, object] = {}
    for name, collection in collections.items():
        found = study(collection, encoder, reader, with_product=name == "published")
        show(name, collection, found)
        results[name] = {
            "issues": len(collection.issues),
            "companies": len(collection.companies),
            **{
                kind: {one: asdict(each) for one, each in some.items()}
                for kind, some in found.items()
            },
        }
    reader_id = reader.id if reader else None
    save("hubs", told | {"encoder": encoder.id, "reader": reader_id, "results": results})


def show(name: str, collection: Collection, found: Mapping[str, Mapping[str, Found]]) -> None:
    """A line for each way to rank."""
    print(f"\n{name}: {len(collection.issues)} issues, {len(collection.companies)} companies")
    for kind, some in found.items():
        print(f" {kind:<32}skew   most  never  top 1 %  {LEAD}")
        for one, each in some.items():
            s, gap = each.spread, each.difference
            quality = "" if each.quality is None else f"{each.quality:.3f}"
            told = f" {gap.mean:+.3f} [{gap.low:+.3f}, {gap.high:+.3f}]" if gap else ""
            print(
                f"  {one:<30}{s.skewness:>5.2f}  {s.most:>5}  {s.never:>5.2f}  "
                f"{s.first_hundredth:>7.3f}  {quality}{told}"
            )
        print(f"  hubs: {', '.join(list(some.values())[-1].hubs)}")


if __name__ == "__main__":
    main()
