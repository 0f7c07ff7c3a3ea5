"""What the commands print: progress, results, and the problems of a table."""

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

    from matcher.catalog import Catalog
    from matcher.check import Checked
    from matcher.doctor import Diagnosis
    from matcher.doctor.finding import Finding
    from matcher.evaluation.effects import Ablation
    from matcher.integrity import State, Verification
    from matcher.job import Outcome, Stage
    from matcher.rerun import Moved, Replay
    from matcher.study import Study
    from matcher.types import Advance, Fault, Shortlist

DONE, REJECTED, PROBLEM, UNUSABLE, INTERRUPTED = 0, 1, 1, 2, 130  # exit statuses
INTERRUPTION = "中断しました。書きかけのファイルは残っていません。"

_LEVELS = {"良好": "green", "注意": "yellow", "問題": "red"}
_WIDEST, _LABEL = 80, 20  # cells of a line of doctor, and of what stands before its text
# What JSON leaves as it is and a terminal obeys: C1, marks that turn the text; and lone surrogates.
_CONTROLS = re.compile("[\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_SHOWN = 20  # problems that build prints; it writes no rejected.csv


def status(faults: "Sequence[Fault]", *, strict: bool) -> int:
    """The exit status after a table was read: 1 where `strict` and a row was left out."""
    rejected = any(fault.severity == "除外" for fault in faults)
    return REJECTED if strict and rejected else DONE


def complain(sentence: str) -> None:
    """Print one line on stderr; what would control the terminal is left out."""
    print(" ".join(_plain(sentence).split()), file=sys.stderr)


@contextmanager
def progress(*, quiet: bool) -> "Iterator[Stage]":
    """A bar on stderr for each stage of a long job, with counts and the time left."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    shown = Console(stderr=True)
    with Progress(*columns, console=shown, disable=quiet or not shown.is_terminal) as bars:

        def stage(label: str, total: int) -> "Advance":
            task = bars.add_task(label, total=total)
            return lambda done: bars.advance(task, done)

        yield stage


def print_training(told: Mapping[str, Any], out: Path) -> None:
    """What was learnt from, and what it changed on the issues kept apart."""
    data, apart = told["data"], told["apart"]
    print(f"課題{data['examples']}件から学び、{data['apart']}件で確かめました。")
    print(f"確かめた課題での nDCG@10: {apart['before']:.3f} → {apart['after']:.3f}")
    print(_plain(f"{out} に書きました。--encoder {out} で使えます。"))


def print_outcome(
    outcome: "Outcome", out: Path, *, as_json: bool = False, quiet: bool = False
) -> None:
    """Print a run: its manifest as JSON, or a row for each issue; its problems are counted."""
    if as_json:
        print_json(outcome.manifest)
    elif not quiet:
        from matcher.report.terminal import print_counts, print_summary
        from matcher.run import FILES

        print_summary(_console(), outcome.shortlists)
        print_counts(_console(), outcome.manifest["counts"])
        print(_plain(f"{len(FILES) + 1}つのファイルを {out} に書きました。"))
        pieces = outcome.manifest["counts"]["read_in_pieces"]
        if any(pieces.values()):
            print(
                f"長い文章（課題{pieces['issues']}件・企業{pieces['companies']}件）は、"
                "いくつかに分けて全文を読みました。"
            )
    _print_count(outcome.faults)


def print_built(catalog: "Catalog", folder: Path, *, quiet: bool = False) -> None:
    """Print how many companies a new catalog holds, and the first problems of their table."""
    if not quiet:
        told = catalog.provenance
        counts = f"表の{told.rows}行、重複{told.merged}行、除外{told.rejected}行"
        print(_plain(f"{folder}: {told.accepted}社（{counts}）"))
    for fault in catalog.faults[:_SHOWN]:
        complain(_told(fault))
    if len(catalog.faults) > _SHOWN:
        complain(
            f"ほかに{len(catalog.faults) - _SHOWN}件（match の rejected.csv にすべて載ります）。"
        )


def checked_status(checked: "Checked", *, strict: bool) -> int:
    """The exit status after a file was checked: 2 where it cannot be used."""
    if checked.inspection is None:
        return UNUSABLE
    return status(checked.inspection.reading.faults, strict=strict)


def print_checked(checked: "Checked", *, quiet: bool = False) -> None:
    """Print what a file holds, and where its corrected table is; or why it cannot be used."""
    from matcher.report.inspected import print_inspection, problems

    if checked.inspection is None:
        complain(str(checked.error))
    elif not quiet:
        print_inspection(_console(), checked.inspection)
        if checked.written:
            print(_plain(f"直した表を {checked.written} に書きました。"))
        print()
    elif faults := checked.inspection.reading.faults:
        complain(f"{checked.path.name}: {problems(faults)}。")


def print_shortlist(shortlist: "Shortlist") -> None:
    """Print one issue and its candidates."""
    from matcher.report import terminal

    terminal.print_shortlist(_console(), shortlist)


def print_study(
    found: "Study",
    effects: "Ablation | None",
    out: Path | None,
    *,
    as_json: bool = False,
    quiet: bool = False,
) -> None:
    """Print an evaluation with its doubt, or write it as JSON; and as a workbook where asked."""
    from matcher.report import evaluation_book, measured

    if as_json:
        told = asdict(found.evaluation)
        print_json(told | {"ablation": asdict(effects)} if effects else told)
    elif not quiet:
        measured.print_evaluation(_console(), found.evaluation, found.titles)
        if effects:
            measured.print_ablation(_console(), effects, found.titles)
    if out:
        out.write_bytes(evaluation_book.evaluation_book(found.evaluation, found.titles, effects))
        if not (as_json or quiet):
            print(_plain(f"評価を {out} に書きました。"))


def print_diagnosis(found: "Diagnosis") -> None:
    """Print each finding with its level, and what to do where something is amiss."""
    shown = _console()
    for finding in found.findings:
        _print_finding(shown, finding)
    levels = [finding.level for finding in found.findings]
    counts = "、".join(f"{name} {sum(level == name for level in levels)}" for name in _LEVELS)
    print(f"\n{counts}（{found.seconds:.1f}秒で調べました）")
    print("注意＝動くが、遅いか、使えない機能がある　問題＝このままでは使えない")


def print_verification(found: "Verification", *, as_json: bool = False) -> None:
    """Print each file with what it is now, and what follows from it."""
    if as_json:
        print_json(asdict(found))
        return
    for one in found.files:
        note = f"（{one.note}）" if one.note else ""
        _print_state(one.state, f"{one.role}  {one.name}{note}")
    states: tuple[State, ...] = ("一致", "違う", "ない", "未確認")
    counts = "、".join(f"{name} {found.count(name)}" for name in states if found.count(name))
    print(f"\n{counts}")
    if found.is_whole:
        print("確かめたファイルは、すべて書いたときのままです。")
    else:
        print("「違う」は記録のあとに変わったファイル、「ない」はなくなったファイルです。")
        print(
            "控えから戻すか、作り直してください。入力が変わったときは matcher replay で調べます。"
        )
    print("書き換えや破損を見つけるための確認で、だれが書いたかは分かりません。")


def print_replay(found: "Replay", *, as_json: bool = False, quiet: bool = False) -> None:
    """Print what was taken, whether the bytes are the same, and what changed."""
    if as_json:
        print_json(asdict(found))
        return
    if quiet:
        return
    for kind, told in found.taken.items():
        print(_plain(f"{kind}: {told}"))
    print()
    for name, is_same in found.files.items():
        _print_state("同じ" if is_same else "違う", name)
    for name in found.edited:
        print(f"{name} は、実行のあとに書き換えられたか、なくなっています。")
    _print_list("変わったもの", [change.told for change in found.changes])
    _print_list("候補が変わった課題", [_moved(one) for one in found.moved])
    print(f"\n{_verdict(found)}")


def _verdict(found: "Replay") -> str:
    """What a replay comes to, in a sentence or two."""
    if found.is_same:
        return "やり直した結果は、すべてのファイルで1バイトも違いませんでした。"
    if found.changes:
        return "やり直した結果は、同じになりませんでした。上の「変わったもの」を確かめてください。"
    if {name for name, is_same in found.files.items() if not is_same} <= set(found.edited):
        return (
            "実行の記録と出力が食い違っています。どちらかが、実行のあとに書き換えられています。"
            "控えから戻すか、matcher match をやり直してください。"
        )
    return (
        "入力・設定・版・CPUに違いは見つかりませんが、結果が違います。もう一度やり直し、"
        "それでも違うときは、この表示を開発元に知らせてください。"
    )


def _moved(one: "Moved") -> str:
    then, now = (name or "候補なし" for name in (one.then, one.now))
    same = "（1位は同じで、ほかが違います）" if then == now else ""
    return f"{one.issue_id}: 1位 {then}{same or f' → {now}'}"


def _print_list(title: str, lines: "Sequence[str]") -> None:
    """Print a title and the first lines below it, with how many more there are."""
    if lines:
        print(f"\n{title}（{len(lines)}件）")
    for line in lines[:_SHOWN]:
        print(_plain(f"・{line}"))
    if len(lines) > _SHOWN:
        print(f"ほかに{len(lines) - _SHOWN}件（--json ですべて出ます）。")


def _print_state(state: str, told: str) -> None:
    from rich.cells import set_cell_size

    print(_plain(f"{set_cell_size(state, 8)}{told}"))


def _plain(text: str) -> str:
    from matcher.report.wording import one_line

    return one_line(text)


def print_json(value: object) -> None:
    """Print a value as JSON that the output can show; what controls a terminal is written out."""
    import json

    is_unicode = "utf" in (sys.stdout.encoding or "utf-8").lower()  # else \uXXXX loses nothing
    text = json.dumps(value, ensure_ascii=not is_unicode, indent=2)
    print(_CONTROLS.sub(lambda found: json.dumps(found[0])[1:-1], text))


def _print_finding(shown: "Console", finding: "Finding") -> None:
    """The level and the topic beside what was found; cost and remedy below."""
    from rich.cells import set_cell_size
    from rich.text import Text

    from matcher.report.terminal import wrap

    width = max(20, min(shown.width, _WIDEST) - _LABEL)
    label = f"{finding.level}  {finding.topic}"
    for head, told in (
        (label, finding.found),
        ("影響".rjust(_LABEL - 4), finding.cost),
        ("対処".rjust(_LABEL - 4), finding.remedy),
    ):
        for at, line in enumerate(wrap(told, width) if told else ()):
            shown_head = Text(set_cell_size("" if at else head, _LABEL))
            shown_head.stylize(_LEVELS[finding.level], 0, 2 if head == label else 0)
            shown.print(shown_head + line, no_wrap=True, overflow="ignore", crop=False)


def _console() -> "Console":
    from rich.console import Console

    return Console(highlight=False)


def _told(fault: "Fault") -> str:
    """One problem of a table on one line: where, what, and how to mend it."""
    from matcher.report.wording import one_line

    row = "" if fault.row is None else f"{fault.row}行目"
    place = " ".join(filter(None, (fault.file, fault.sheet, row, fault.column)))
    return one_line(f"{fault.severity} {place}: {fault.problem}{fault.remedy}")


def _print_count(faults: "Sequence[Fault]") -> None:
    """One line on stderr that counts the problems; each stands in rejected.csv."""
    if faults:
        rejected = sum(fault.severity == "除外" for fault in faults)
        warned = len(faults) - rejected
        complain(f"表の問題: 除外{rejected}件、警告{warned}件（内容と直し方は rejected.csv）。")
