"""Who stands where in a contest: how many times as fast as the fastest peers, and the table."""

from collections.abc import Iterable, Mapping
from importlib.metadata import packages_distributions, version
from typing import Any

import databases
import marks
import numpy as np
from peers import Contestant, installed

from matcher.types import Rows


def compare(
    found: Mapping[str, dict[str, Any]],
    places: Mapping[str, Rows],
    times: Mapping[str, marks.Seconds],
) -> None:
    """Note beside each how many times as fast it is as the fastest peers with enough recall."""
    able = [label for label, one in found.items() if one["has enough"]]
    stored = {one.label for one in databases.CONTESTANTS}
    rivals = {
        "plain FAISS": [label for label in able if found[label]["is plain FAISS"]],
        "FAISS": [label for label in able if label.startswith("FAISS")],
        "an embedded database": [label for label in able if label in stored],
    }
    for name, some in rivals.items():
        if not some:
            continue
        rival = max(some, key=lambda label: found[label]["queries per second"])
        for label, one in found.items():
            _, own, other = np.intersect1d(places[label], places[rival], return_indices=True)
            if len(own):
                faster = marks.times_faster(times[label][:, own], times[rival][:, other])
                one[f"times as fast as {name}"] = faster
        found[rival][f"is the fastest {name}"] = True


def shown(found: Mapping[str, Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """Ours, the best of each peer, and the plain FAISS that all are held to; the fastest first."""
    best: dict[str, tuple[str, Mapping[str, Any]]] = {}
    for label, one in sorted(found.items(), key=lambda item: -item[1]["queries per second"]):
        peer = label.removesuffix(", filters cached")
        if one.get("is the fastest plain FAISS"):
            best[f"{label} (plain)"] = f"{label} (plain)", one
        elif peer not in best or (one["has enough"] and not best[peer][1]["has enough"]):
            best[peer] = label, one
    return dict(sorted(best.values(), key=lambda item: -item[1]["queries per second"]))


def versions(contestants: Iterable[Contestant]) -> dict[str, str]:
    """The versions of the packages of those that are installed."""
    sold_as = packages_distributions()
    packages = {name for one in installed(tuple(contestants)) for name in one.packages}
    return {one: version(one) for one in sorted({sold_as[name][0] for name in packages})}


def show(title: str, found: Mapping[str, Mapping[str, Any]]) -> None:
    """The result as a table, the fastest with enough recall first."""
    print(f"\n{title}")
    print(f"{'contestant':<44}{'recall':>8}{'worst':>7}{'short':>7}{'bad':>4}", end="")
    print(f"{'QPS':>9}{'p50 ms':>9}{'p99 ms':>9}{'× plain':>9}{'× FAISS':>9}")
    ranked = sorted(
        found.items(),
        key=lambda item: (not item[1]["has enough"], -item[1]["queries per second"]),
    )
    for label, one in ranked:
        print(f"{label:<44}{one['recall']:>8.4f}{one['recall of the worst 1 %']:>7.2f}", end="")
        print(f"{one['under-fill']:>7.1%}{one['violations']:>4}", end="")
        print(f"{one['queries per second']:>9g}{one['p50 ms']:>9g}{one['p99 ms']:>9g}", end="")
        print(f"{one.get('times as fast as plain FAISS', '–'):>9}", end="")
        print(f"{one.get('times as fast as FAISS', '–'):>9}")
