"""What is printed of outcomes: every source, every rank, and the estimate or why there is none."""

import io

from rich.cells import cell_len
from rich.console import Console

from matcher.outcomes import Outcome, judged
from matcher.positions import by_position, examine
from matcher.report.happened import print_feedback, print_split
from matcher.types import Reading


def told(outcomes, runs, k=2) -> str:
    console = Console(file=io.StringIO(), width=80)
    reading = Reading(
        source="結果.csv",
        sha256="",
        rows=len(outcomes),
        merged=0,
        rejected=0,
        records=tuple(outcomes),
        faults=(),
    )
    ranks = by_position(outcomes, runs, k), examine(outcomes, runs, k)
    print_feedback(console, reading, judged(outcomes, runs), *ranks)
    return console.file.getvalue()


def made(issue, company, rank):
    return Outcome(issue_id=issue, company_id=company, result="confirmed", rank=rank)


FIRST = {f"i{n}": {"a": 2.0, "b": 1.0} for n in range(20)}
SWAPPED = {issue: {"b": 2.0, "a": 1.0} for issue in FIRST}


def test_propensity_is_printed_with_its_interval():
    those = [made(f"i{n}", "a", 1) for n in range(10)] + [made(f"i{n}", "b", 2) for n in range(5)]
    text = told(those, [FIRST, SWAPPED])
    assert "2位 0.50（95%区間 " in text
    rows = text.splitlines()
    assert rows[1].split() == ["結果", "件数", "評点3", "評点2", "評点1", "評点0"]
    assert rows[2].split() == ["成立", "15", "15", "0", "0", "0"]
    assert rows[7].split()[:4] == ["1", "40", "10", "0.25"]
    assert all(cell_len(row) <= 80 for row in rows[1:9])


def test_an_estimate_without_a_bound_shows_it():
    those = [made(f"i{n}", "a", 2) for n in range(12)] + [made("i15", "a", 1)]
    assert "∞" in told(those, [FIRST, SWAPPED])


def test_too_few_pairs_are_said_and_no_runs_give_no_table():
    assert "足りない" in told([made("i1", "a", 1)], [FIRST])
    assert "順位" not in told([made("i1", "a", None)], [])


def test_split_counts_the_pairs_on_neither_side():
    console = Console(file=io.StringIO(), width=80)
    print_split(console, "2026-04-01", 10, 4, 3)
    print_split(console, "2026-04-01", 7, 4, 3)
    first, second = console.file.getvalue().splitlines()
    assert first.endswith("4組、以後の課題の 3組、日付が足りず分けられない 3組")
    assert second.endswith("以後の課題の 3組")
