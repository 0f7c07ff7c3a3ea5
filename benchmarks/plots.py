"""Pictures of what the search benchmarks wrote, from `results/*.json` to `results/*.svg`.

    python benchmarks/plots.py

The same results give the same bytes. Ink is a grey, and there is no background, so that they are
read on a light page and on a dark one.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl
from conditions import RESULTS, read
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, StrMethodFormatter
from standings import shown

INK = "#7d8590"
COLOURS = ("#e0503a", "#d98c00", "#2f81d7", "#2da46f", "#9a6dd7", "#c2569b", "#4aa8b5", "#8c8c3c")
MARKERS = "osD^vP*X<>"
SETS = {"stratified, k = 10": "stratified", "natural, k = 10": "natural"}
_PERFECT = 3e-4  # where a recall of 1 is drawn, beside 0.999
_TICKS = {0.5: "0.5", 0.2: "0.8", 0.1: "0.9", 0.03: "0.97", 0.01: "0.99", 1e-3: "0.999"}
_STYLE = {
    **dict.fromkeys(
        ("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color"), INK
    ),
    "svg.hashsalt": "matcher",
    "svg.fonttype": "path",
    "font.family": "DejaVu Sans",  # comes with matplotlib
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


def main() -> None:
    """Writes every picture for which there are results."""
    search, scaling = read("bench_search"), read("bench_scaling")
    for name, part in search.items():
        if not name.endswith(" rows"):
            continue  # a short run
        for asked, short in SETS.items():
            if asked in part["sets"]:
                words = name.replace(",", "").split()
                target = RESULTS / f"search-{words[0]}-{words[1]}-{short}.svg"
                found = shown(part["sets"][asked])
                draw(target, f"{name}, {short} questions, k = 10", recall, found)
    if scaling:
        sizes = {
            int(name.split()[0]): part["contestants"]
            for name, part in scaling.items()
            if "contestants" in part
        }
        draw(RESULTS / "scaling.svg", "one filtered query, k = 10", growth, sizes)


def draw(target: Path, title: str, picture: Any, found: Mapping[Any, Any]) -> None:  # noqa: ANN401
    """The file of a picture: `picture` draws `found` into axes."""
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(8.5, max(4.6, 0.22 * len(found))), layout="constrained")
        axes = figure.subplots()
        picture(axes, found)
        axes.set_title(title, loc="left")
        axes.grid(color=INK, alpha=0.2, linewidth=0.6)
        axes.legend(
            loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False, labelcolor=INK, fontsize=8
        )
        # A date would make other bytes of the same picture.
        figure.savefig(target, transparent=True, metadata={"Date": None})
    print(target)


def recall(axes: Axes, found: Mapping[str, Mapping[str, Any]]) -> None:
    """Recall against rate: how each is tuned, and what else it can do as a line."""
    for (label, one), look in zip(ranked(found), looks(), strict=False):
        rate = one["queries per second"]
        told = f"{label} ({rate:,.0f}/s)" if rate >= 10 else f"{label} ({rate:.2g}/s)"
        front = [(place(each["recall"]), 1000 / each["ms"]) for each in one["front"]]
        if len(front) > 1:
            axes.plot(*zip(*front, strict=True), color=look["color"], linewidth=0.8, alpha=0.6)
        axes.plot(place(one["recall"]), rate, linestyle="", label=told, **look)
    axes.set_xscale("log")
    axes.invert_xaxis()
    in_decades(axes)
    axes.set_xticks([*_TICKS, _PERFECT], [*_TICKS.values(), "1"])
    axes.minorticks_off()
    axes.set_xlabel("recall")
    axes.set_ylabel("queries a second, one thread")


def growth(axes: Axes, found: Mapping[int, Mapping[str, Mapping[str, Any]]]) -> None:
    """Mean time of a query against the rows of the corpus."""
    sizes = sorted(found)
    labels = [label for label, _ in ranked(found[sizes[0]])]
    for label, look in zip(labels, looks(), strict=False):
        with_it = [size for size in sizes if label in found[size]]
        times = [found[size][label]["mean ms"] for size in with_it]
        axes.plot(with_it, times, label=label, linewidth=1, **look)
    axes.set_xscale("log")
    in_decades(axes)
    axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
    axes.minorticks_off()
    axes.set_xlabel("rows")
    axes.set_ylabel("milliseconds a query, one thread")


def in_decades(axes: Axes) -> None:
    """A logarithmic axis upwards, with 1, 2 and 5 of each decade in plain figures."""
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:,g}"))


def ranked(found: Mapping[str, Mapping[str, Any]]) -> list[tuple[str, Mapping[str, Any]]]:
    """The contestants, the fastest first."""
    return sorted(found.items(), key=lambda item: -item[1]["queries per second"])


def looks() -> list[dict[str, Any]]:
    """Colours and markers, no two pairs alike."""
    count = len(COLOURS) * len(MARKERS) // 2  # then they come again
    return [
        {"color": COLOURS[at % len(COLOURS)], "marker": MARKERS[at % len(MARKERS)], "markersize": 6}
        for at in range(count)
    ]


def place(value: float) -> float:
    """Where a recall stands on an axis of what is missing."""
    return max(1 - value, _PERFECT)


if __name__ == "__main__":
    main()
