"""The README's section on search: what its benchmarks found, as Markdown."""

from collections.abc import Mapping
from typing import Any

from conditions import read
from standings import shown

MACHINE, NUMPY = "matcher (machine code)", "matcher (numpy + FAISS)"
LISTS, MILLION = "FAISS IVF,Flat", "1000000 rows"
BATCH = "10000 x 1000000"
Found = Mapping[str, Any]
INTRODUCTION = (
    "One filtered question at a time, ten hits, one thread; real texts' vectors, varied. Each peer "
    "is tuned on other\nquestions, and of its configurations the fastest with a recall of 0.99 is "
    "here. *Plain* is FAISS as it comes; *filters\ncached* has bitmaps of every value made "
    "beforehand ([how](benchmarks/README.md))."
)


def section() -> str:
    """One question at a time, ten thousand at once, and what size costs."""
    search = {name: one for name, one in read("bench_search").items() if name.endswith(" rows")}
    parts = [INTRODUCTION, *(contest(name, one) for name, one in search.items())]
    parts += [safety(search), batch(read("bench_batch")[BATCH]), "\n".join(size())]
    return "\n\n".join(parts)


def contest(name: str, found: Found) -> str:
    """One corpus: the table, and the picture of what else each peer can do."""
    kind, rows, _ = name.replace(",", "").split()
    return "\n".join(
        (
            f"**{int(rows):,} companies:**",
            "",
            table(found["sets"]["stratified, k = 10"]),
            "",
            f"![Recall and speed of each, with its other configurations]"
            f"(benchmarks/results/search-{kind}-{rows}-stratified.svg)",
        )
    )


def table(found: Mapping[str, Found]) -> str:
    """Ours, the best configuration of each peer, and the plain FAISS that all are held to."""
    rows = [
        f"| {label} | {one['recall']:.3f} | {one['recall of the worst 1 %']:.2f} "
        f"| {one['under-fill']:.1%} | {digits(one['queries per second'])} "
        f"| {digits(one['p50 ms'])} | {digits(one['p99 ms'])} "
        f"| {digits(one['times as fast as plain FAISS'])} |"
        for label, one in shown(found).items()
    ]
    head = "| | recall | worst 1 % | under-fill | a second | p50 ms | p99 ms | × plain FAISS |"
    return "\n".join([head, "|---|---|---|---|---|---|---|---|", *rows])


def safety(search: Mapping[str, Found]) -> str:
    """How often any mode under-filled or broke a filter, over all corpora."""
    found = [one for part in search.values() for one in part["safety"].values()]
    held = [one for one in found if "compared" in one]
    short, wrong = (sum(one[name] for one in found) for name in ("under-filled", "violations"))
    equal, compared = (
        sum(one[name] for one in held) for name in ("equal to brute force", "compared")
    )
    return (
        f"Over {found[0]['filters']:,} filters, a fifth of them nearly empty, the four modes gave "
        f"{short} answers with too few hits and {wrong} hits that\ntheir filter excludes; exact "
        f"modes had the scores of brute force in {equal} of {compared} questions."
    )


def batch(found: Found) -> str:
    """All issues at once, as a table."""
    rows = [
        f"| {name} | {digits(one['seconds'])} | {one['recall']:.3f} "
        f"| {share(one.get('share of the sgemm peak'))} |"
        for name, one in sorted(found["contestants"].items(), key=lambda item: item[1]["seconds"])
    ]
    return "\n".join(
        (
            f"**{found['issues']:,} issues × {found['companies']:,} companies** at once, "
            f"{found['threads']} threads, synthetic vectors (who would need",
            "minutes answered every so many issues):",
            "",
            "| | seconds | recall | of the sgemm peak |",
            "|---|---|---|---|",
            *rows,
        )
    )


def size() -> list[str]:
    """What it costs to grow, to open and to look for words, as a list."""
    scaling, words = read("bench_scaling"), read("bench_lexical")["full"]
    grown = scaling["growth"]
    times = grown["times"]
    opened = read("bench_build")[MILLION]["open"]
    ours, lists = opened[f"{MACHINE}, cold"], opened[f"{LISTS}, cold"]
    held = next(name for name in ours if name.startswith("resident after") and "queries" in name)
    lines = [
        f"- From {grown['from']:,} companies (synthetic vectors) to {grown['to']:,} a filtered "
        f"question takes {times[MACHINE]} times as long in machine code, {times[NUMPY]} times",
        f"  without ({LISTS}: {times[LISTS]}).",
        f"- An index of a million is opened in {ours['load, seconds']:.2f} s and holds "
        f"{ours[held]:,.0f} MiB {held.removeprefix('resident ').removesuffix(', MiB')}; "
        f"{LISTS} is read in {lists['load, seconds']:.1f} s",
        f"  and holds {lists[held]:,.0f} MiB.",
        f"- BM25 of an issue over {words['companies']:,} companies takes "
        f"{both(words, 'machine code, ms')} by words and by character bigrams",
        f"  (numpy {both(words, 'numpy, ms')}, bm25s {both(words, 'bm25s get_scores, ms')}).",
        "",
        "![Time of a question by size of the corpus](benchmarks/results/scaling.svg)",
    ]
    largest = scaling.get("5000000 rows")
    if largest:
        mean = {name: largest["contestants"][name]["mean ms"] for name in (MACHINE, NUMPY)}
        lines.insert(2, f"  Among 5,000,000 it takes {mean[MACHINE]:.2g} ms and {mean[NUMPY]:.2g}.")
    return lines


def both(found: Found, name: str) -> str:
    """A figure in milliseconds of the index of words and of that of bigrams."""
    return " and ".join(f"{found[source][name]:.0f} ms" for source in ("words", "bigrams"))


def digits(value: float) -> str:
    """Three digits, and all of a larger number."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def share(value: float | None) -> str:
    """A share in per cent, or nothing."""
    return "" if value is None else f"{value:.0%}"
