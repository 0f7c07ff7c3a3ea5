"""Puts real output into the README: what stands between its markers is written here, not by hand.

`python benchmarks/fill_readme.py` runs the demo, shows one issue, and quotes the tables of
`eval_systems.py` and the benchmarks from `results/`.
"""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import readme_search
from conditions import read

ROOT = Path(__file__).parent.parent
SHOWN_ISSUE = "iss-011"


def main() -> None:
    """Rewrite the marked blocks of the README."""
    readme = ROOT / "README.md"
    content = readme.read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        content = fill(content, "demo", fenced(shorten(_matcher("demo", "--out", out), out)))
        shown = _matcher("show", SHOWN_ISSUE, "--run", out)
        content = fill(content, "show", fenced(first_entry(shown)))
        told = fenced(_matcher("evaluate", out, ROOT / "data" / "qrels.tsv"))
    page = ROOT / "docs" / "evaluation.md"
    page.write_text(fill(page.read_text(encoding="utf-8"), "evaluate", told), encoding="utf-8")
    content = fill(content, "eval", eval_table(read("eval_systems")))
    content = fill(content, "stages", stages_table(read("eval_stages")))
    content = fill(content, "walk", walk_sentence())
    content = fill(content, "search", readme_search.section())
    content = fill(content, "speed", speed_table())
    content = fill(content, "precision", precision_sentence())
    readme.write_text(content, encoding="utf-8")


def fill(content: str, marker: str, block: str) -> str:
    """The text with the block between `<!-- marker -->` and `<!-- /marker -->`."""
    pattern = re.compile(f"(<!-- {marker} -->\n).*?(<!-- /{marker} -->)", re.DOTALL)
    return pattern.sub(lambda found: f"{found[1]}{block}\n{found[2]}", content)


def fenced(text: str) -> str:
    """A block of literal text."""
    return f"```\n{text.rstrip()}\n```"


def shorten(output: str, out: Path) -> str:
    """The first rows and the last lines of what the demo prints."""
    lines = [line.rstrip() for line in output.replace(str(out), "out").splitlines()]
    return "\n".join([*lines[:8], "…", *lines[-3:]])


def first_entry(output: str) -> str:
    """An issue with the first of its entries."""
    return "\n\n".join(output.split("\n\n")[:2])


def _matcher(*arguments: object) -> str:
    """What a command prints on 80 columns."""
    command = [sys.executable, "-m", "matcher", *map(str, arguments)]
    environment = os.environ | {"COLUMNS": "80"}
    return subprocess.run(
        command, check=True, capture_output=True, encoding="utf-8", env=environment
    ).stdout


def eval_table(results: dict) -> str:
    """The systems side by side under both pairs of rules, as Markdown."""
    lines: list[str] = []
    for rules, found in results["rules"].items():
        lines += [
            f"| `{rules}` | nDCG@10 [95 %] | R(rel=3)@10 | Success(rel=3)@1 | fused minus it |",
            "|---|---|---|---|---|",
        ]
        gaps = found["fused minus, nDCG@10"]
        lines += [_system(name, one, gaps.get(name)) for name, one in found["systems"].items()]
        lines.append("")
    return "\n".join(lines).rstrip()


def _system(name: str, found: dict, gap: dict | None) -> str:
    recall, success = (found[measure]["mean"] for measure in ("R(rel=3)@10", "Success(rel=3)@1"))
    difference = f"+{_interval(gap['difference'])}" if gap else ""
    shown = f"**{name}**" if name == "fused" else name
    return (
        f"| {shown} | {_interval(found['nDCG@10'])} | {recall:.3f} | {success:.3f} | {difference} |"
    )


def _interval(estimate: dict) -> str:
    return f"{estimate['mean']:.3f} [{estimate['low']:.3f}, {estimate['high']:.3f}]"


def stages_table(results: dict) -> str:
    """Each stage under the default rules and on held-out fields, with its gain, as Markdown."""
    lines: list[str] = []
    for name, systems in results["sets"].items():
        if name.startswith("cases any/ignore"):
            continue  # in the results
        lines += [f"| {name} | nDCG@10 [95 %] | R(rel=3)@10 | Success(rel=3)@1 | gain |"]
        lines += ["|---|---|---|---|---|"]
        lines += [_stage(system, found) for system, found in systems.items()]
        lines.append("")
    return "\n".join(lines).rstrip()


def _stage(name: str, found: dict) -> str:
    means = found["means"]
    recall, success = (means[measure]["mean"] for measure in ("R(rel=3)@10", "Success(rel=3)@1"))
    gap = found["against"].get("nDCG@10", {}).get("difference")
    gain = f"{gap['mean']:+.3f} [{gap['low']:+.3f}, {gap['high']:+.3f}]" if gap else ""
    shown = f"**{name}**" if name == "product" else name
    return f"| {shown} | {_interval(means['nDCG@10'])} | {recall:.3f} | {success:.3f} | {gain} |"


def walk_sentence() -> str:
    """What finding candidates costs an issue among a million companies."""
    result = read("bench_walk")["full"]
    machine, plain = (
        f"{sum(result[name].values()):.0f} ms" for name in ("machine code", "numpy + FAISS")
    )
    return (
        f"Among {result['companies']:,} companies to find an issue's candidates takes {machine} in "
        f"machine code and {plain} without;\nreading twenty of them takes longer (below)."
    )


def speed_table() -> str:
    """What a user waits for, from the results of the benchmarks, as Markdown."""
    encode, match = read("bench_encode"), read("bench_match")
    rate = encode["documents_per_second"]
    waits = match["commands"]["seconds"]
    large = match["2000 x 20000"]
    added = read("bench_stages")["added by the stage"]
    evaluated = read("bench_evaluate")["seconds"]
    rows = [
        ("encoding, texts of 300 characters, one thread", f"{rate['bundled']:.0f} a second"),
        (
            "the same, sentence-transformers in fp32",
            f"{rate['sentence_transformers']:.1f} a second",
        ),
        ("ratio, median of five rounds in turn", f"{encode['ratio_one_thread']:.1f}×"),
        ("the same ratio in f32", f"{encode['ratio_one_thread_f32']:.1f}×"),
        ("`matcher --help`", f"{waits['matcher --help']['median']:.2f} s"),
        ("`matcher demo`, warm", f"{waits['matcher demo']['median']:.1f} s"),
        ("one new issue against a built catalog", f"{waits['one issue']['median']:.1f} s"),
        ("what the bridge adds to an issue", f"{added['+ bridge']:.0f} ms"),
        ("what the reader adds to an issue", f"{added['+ reader']:.0f} ms"),
        (
            "2,000 issues × 20,000 companies, with `--no-bridge --no-reader`",
            f"{large['seconds'] / 60:.0f} min",
        ),
        (
            "of these, encoding the companies",
            f"{large['companies_encoded_per_second']:.0f} a second",
        ),
        ("its peak memory", f"{large['peak_mib'] / 1024:.1f} GiB"),
        (
            "evaluating 10,000 issues × 100 candidates, 10,000 bootstrap samples",
            f"{evaluated['evaluate']:.0f} s",
        ),
        ("the same against two more runs", f"{evaluated['evaluate, two comparisons']:.0f} s"),
    ]
    lines = [f"| {what} | {figure} |" for what, figure in rows]
    return "\n".join(["| what | measured |", "|---|---|", *lines])


def precision_sentence() -> str:
    """What the encoder's precision does to a score."""
    found = read("bench_precision")
    edge = (
        f"; {found['read_in_one_only']} of {found['pairs']:,} pairs stand where the reader stops, "
        "and are read in one only"
        if found["read_in_one_only"]
        else ""
    )
    return (
        f"A score in bf16 differs from one in f32 by {found['median_difference']:.3f} at the "
        f"median and by up to {found['largest_difference']:.3f} "
        f"({found['other_order_in_top_10']} of {found['issues']} lists of ten change their order, "
        f"{found['other_rank_1']} their first){edge}."
    )


if __name__ == "__main__":
    main()
