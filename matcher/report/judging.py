"""Judging in the terminal: what came back, what it comes to, and how far judges agree.

All data goes through `rich.text.Text`, which reads no markup, and is cleaned of control characters.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from matcher.agreement import Agreement, Comparison, Figure, Gap, leaning, reading
from matcher.judgements import GRADES, Given, Returned, Revision, Settlement
from matcher.report.terminal import plain_table
from matcher.report.wording import clean, one_line
from matcher.types import Fault

_SHOWN = 20  # lines of a list that are printed; the files hold them all


def print_given(console: Console, given: Given, out: Path) -> None:
    """Print what was written for the judges."""
    books = len(given.files)
    _say(console, f"課題{given.issues:,}件の{given.pairs:,}組を、{books}冊の判定用紙にしました。")
    if given.settled:
        _say(console, f"判定の済んだ{given.settled:,}組は除きました。")
    for name in given.files:
        _say(console, f"  {out / name}")
    _say(
        console,
        "1人に1冊ずつ渡し、返ってきたファイルを matcher settle に渡してください。",
    )


def print_round(
    console: Console,
    returned: Sequence[Returned],
    settlement: Settlement,
    agreement: Agreement,
    files: Iterable[Path],
) -> None:
    """Print a round of judging: what came back, what it comes to, how far judges agree."""
    print_returned(console, returned)
    console.print()
    print_settlement(console, settlement)
    console.print()
    print_agreement(console, agreement)
    console.print()
    for path in files:
        _say(console, f"{path} に書きました。")


def print_comparisons(
    console: Console, returned: Sequence[Returned], comparisons: Iterable[Comparison]
) -> None:
    """Print what came back, and each judge beside the settled grades."""
    print_returned(console, returned)
    for one in comparisons:
        console.print()
        print_comparison(console, one)


def print_returned(console: Console, returned: Sequence[Returned]) -> None:
    """Print the account of each file: every pair stands in one of its columns."""
    table = plain_table(
        ("ファイル", "判定者"), ("組", "評点あり", "わからない", "空白", "使えない")
    )
    for one in returned:
        table.add_row(
            Text(one_line(one.source)),
            Text(one_line("、".join(one.judges))),
            f"{one.pairs:,}",
            f"{one.graded:,}",
            f"{one.unsure:,}",
            f"{one.blank:,}",
            f"{one.faulty:,}",
        )
    console.print(table)
    for one in returned:
        if one.missing:
            _say(
                console,
                f"{one_line(one.source)} からは{one.missing:,}組の行がなくなっています"
                "（空白に数えました）。",
            )


def print_faults(console: Console, returned: Iterable[Returned]) -> None:
    """Print everything that is wrong with the files, a line each: none of it is settled."""
    for fault in (fault for one in returned for fault in one.faults):
        _say(console, _told(fault))


def print_settlement(console: Console, found: Settlement) -> None:
    """Print how the pairs came out, and where a former grade was contradicted."""
    counts = (
        ("一致", found.agreed),
        ("1つ違い（低いほうの中央の評点にしました）", found.lowered),
        ("決定", found.decided),
        ("以前の評点のまま", found.kept),
        ("不一致", len(found.disagreements)),
        ("評点なし", found.unanswered),
    )
    _say(console, f"判定のあった組 {found.pairs:,}組")
    for label, count in counts:
        if count:
            _say(console, f"  {label} {count:,}組")
    if found.revisions:
        _say(
            console,
            f"以前の評点と違う結果が{len(found.revisions):,}組にありました。以前の評点を残しています。"
            "改めるときは、以前の評点のファイルからその行を消してください。",
        )
        console.print(_revisions(found.revisions[:_SHOWN]))
        _say_rest(console, len(found.revisions))


def print_agreement(console: Console, found: Agreement) -> None:
    """Print how far the judges agree, each figure with the pairs it rests on."""
    if len(found.judges) < 2:
        _say(console, f"判定者どうしの一致: 計算できません（{found.equal.why}）。")
        return
    table = plain_table(("判定者どうしの一致",), ("一致率", "カッパ", "重み付きカッパ", "組"))
    for one in found.between:
        table.add_row(
            Text(one_line(" と ".join(one.judges))),
            _percent(one.equal),
            _number(one.kappa),
            _number(one.weighted),
            f"{one.equal.pairs:,}",
        )
    console.print(table)
    _say_figure(console, "一致率（全員）", found.equal, _percent(found.equal), is_read=False)
    _say_figure(console, "フライスのカッパ", found.fleiss, _number(found.fleiss))
    _say_figure(console, "クリッペンドルフのα", found.alpha, _number(found.alpha))
    for why in dict.fromkeys(one.kappa.why for one in found.between if one.kappa.why):
        _say(console, f"－は計算できなかったものです（{why}）。")


def print_comparison(console: Console, found: Comparison) -> None:
    """Print one judge beside the settled grades: agreement, confusion, leaning, wide gaps."""
    rest = f"（ほかに、決まった評点のない{found.unsettled:,}組）" if found.unsettled else ""
    console.print(Text(f"{one_line(found.judge)}　{found.pairs:,}組{rest}", style="bold"))
    _say_figure(console, "一致率", found.equal, _percent(found.equal), is_read=False)
    _say_figure(console, "カッパ", found.kappa, _number(found.kappa))
    _say_figure(console, "重み付きカッパ", found.weighted, _number(found.weighted))
    if found.shift is None:
        return
    _say(console, f"甘さ・辛さ: 平均 {found.shift + 0.0:+.2f}（{leaning(found.shift)}）")
    console.print(_confusion(found))
    if found.gaps:
        _say(console, f"2つ以上違う組 {len(found.gaps):,}組")
        console.print(_gaps(found.gaps[:_SHOWN]))
        _say_rest(console, len(found.gaps))


def _confusion(found: Comparison) -> Table:
    grades = sorted(GRADES)
    table = plain_table(("決まった評点",), tuple(f"判定 {grade}" for grade in grades))
    for grade, row in zip(grades, found.confusion, strict=True):
        table.add_row(
            f"{grade}　{GRADES[grade]}", *(f"{count:,}" if count else "・" for count in row)
        )
    return table


def _gaps(gaps: Iterable[Gap]) -> Table:
    table = plain_table(
        ("課題ID", "企業ID", "決定", "判定", "決まった側の理由", "判定者の理由"), ()
    )
    for gap in gaps:
        table.add_row(
            Text(one_line(gap.issue_id)),
            Text(one_line(gap.company_id)),
            str(gap.settled),
            str(gap.grade),
            Text(one_line(gap.settled_reason) or "－"),
            Text(one_line(gap.reason) or "－"),
        )
    return table


def _revisions(revisions: Iterable[Revision]) -> Table:
    table = plain_table(("課題ID", "企業ID"), ("以前", "今回"))
    for one in revisions:
        found = "不一致" if one.found is None else str(one.found)
        ids = (Text(one_line(one.issue_id)), Text(one_line(one.company_id)))
        table.add_row(*ids, str(one.former), found)
    return table


def _say(console: Console, sentence: str) -> None:
    console.print(Text(clean(sentence)), soft_wrap=True)


def _say_rest(console: Console, count: int) -> None:
    if count > _SHOWN:
        _say(console, f"ほかに{count - _SHOWN:,}組。")


def _say_figure(
    console: Console, label: str, figure: Figure, value: str, *, is_read: bool = True
) -> None:
    if figure.value is None:
        _say(console, f"{label}: 計算できません（{figure.why}）。")
        return
    words = f"　{reading(figure.value)}" if is_read else ""
    _say(console, f"{label}: {value}（{figure.pairs:,}組）{words}")


def _percent(figure: Figure) -> str:
    return "－" if figure.value is None else f"{figure.value:.0%}"


def _number(figure: Figure) -> str:
    return "－" if figure.value is None else f"{figure.value + 0.0:.2f}"


def _told(fault: Fault) -> str:
    """One problem on one line: where, what, and how to mend it."""
    row = "" if fault.row is None else f"{fault.row}行目"
    place = " ".join(filter(None, (fault.file, fault.sheet, row, fault.column)))
    return one_line(f"{fault.severity} {place}: {fault.problem}{fault.remedy}")
