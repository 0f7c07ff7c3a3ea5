"""What became of what was shown, in the terminal: judgements by source, and a table by rank."""

import math
from collections.abc import Iterable, Mapping, Sequence

from rich.console import Console
from rich.text import Text

from matcher.outcomes import Judged, Outcome, Source
from matcher.positions import Examination, Position, Share
from matcher.report.terminal import plain_table
from matcher.types import Reading

SOURCES: Mapping[Source, str] = {
    "confirmed": "成立",
    "talking": "協議中",
    "declined": "不調（候補として提示）",
    "declined unseen": "不調（提示なし）",
}
_NONE = "－"


def print_feedback(
    console: Console,
    reading: Reading[Outcome],
    judgements: Iterable[Judged],
    positions: Sequence[Position],
    examinations: Sequence[Examination],
) -> None:
    """Print what was read, the judgements by source, and what happened at each rank shown."""
    _print_reading(console, reading)
    _print_sources(console, judgements)
    if any(position.shown for position in positions):
        _print_positions(console, positions, examinations)


def _print_reading(console: Console, reading: Reading[Outcome]) -> None:
    """Print how many rows became outcomes, were merged or rejected, and how many problems."""
    text = (
        f"結果 {len(reading):,}組"
        f"（表の{reading.rows:,}行、まとめた{reading.merged:,}行、除外{reading.rejected:,}行）"
    )
    console.print(Text(text), soft_wrap=True)
    rejected = sum(fault.severity == "除外" for fault in reading.faults)
    if reading.faults:
        warned = len(reading.faults) - rejected
        text = f"表の問題: 除外{rejected:,}件、警告{warned:,}件（内容と直し方は rejected.csv）"
        console.print(Text(text), soft_wrap=True)


def print_split(console: Console, day: str, pairs: int, before: int, after: int) -> None:
    """Print how many pairs are of issues settled before a day, how many of others, and the rest."""
    neither = pairs - before - after
    left = f"、日付が足りず分けられない {neither:,}組" if neither else ""
    text = f"{day} より前に終わった課題の {before:,}組、以後の課題の {after:,}組{left}"
    console.print(Text(text), soft_wrap=True)


def _print_sources(console: Console, judgements: Iterable[Judged]) -> None:
    """A row for each source: how many judgements, and how many of each grade."""
    told = tuple(judgements)
    table = plain_table(("結果",), ("件数", "評点3", "評点2", "評点1", "評点0"))
    for source, label in SOURCES.items():
        grades = [one.grade for one in told if one.source == source]
        counts = (len(grades), *map(grades.count, (3, 2, 1, 0)))
        table.add_row(label, *(f"{count:,}" for count in counts))
    console.print(table)


def _print_positions(
    console: Console, positions: Sequence[Position], examinations: Sequence[Examination]
) -> None:
    """A row for each rank: shown, taken up, confirmed, their shares, how far people look."""
    shares = ("割合", "95%区間")
    table = plain_table(("順位",), ("提示", "反応", *shares, "成立", *shares, "見られ方"))
    for position, examined in zip(positions, examinations, strict=True):
        table.add_row(
            f"{position.rank}",
            f"{position.shown:,}",
            f"{position.acted:,}",
            *_share(position.acted_share),
            f"{position.confirmed:,}",
            *_share(position.confirmed_share),
            _share(examined.propensity)[0],
        )
    console.print(table)
    console.print(Text(_note(examinations)), soft_wrap=True)


def _share(share: Share | None) -> tuple[str, str]:
    """A share and its interval."""
    if share is None:
        return _NONE, _NONE
    high = "∞" if math.isinf(share.high) else f"{share.high:.2f}"
    return f"{share.value:.2f}", f"{share.low:.2f}–{high}"


def _note(examinations: Sequence[Examination]) -> str:
    known = [one for one in examinations if one.rank != 1 and one.propensity]
    if not known:
        return (
            "反応は、面談・成立・不調など結果のある組です。見られ方（1位を1とした推定）は、"
            "順位の違う複数の実行で示され、順位の記録がある組が足りないため出していません。"
        )
    shares = [(one.rank, *_share(one.propensity)) for one in known]
    each = "、".join(f"{rank}位 {value}（95%区間 {interval}）" for rank, value, interval in shares)
    return f"反応は、結果のある組です。見られ方は1位を1とした推定です: {each}。"
