"""What a table is and what is wrong with it, in the terminal and as JSON."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict

from rich.console import Console
from rich.text import Text

from matcher.inspection import AnyInspection, RowState, TableName
from matcher.personal import masked
from matcher.records import Json
from matcher.report.terminal import print_field, wrap
from matcher.report.wording import one_line
from matcher.tables import Table
from matcher.types import Fault

SUBJECTS: Mapping[TableName, str] = {"issues": "課題", "companies": "企業"}
STATES: Mapping[RowState, str] = {"usable": "使える", "merged": "重複", "rejected": "除外"}
SHOWN = 20  # problems of a table that are printed; the corrected table holds them all

_WIDEST = 80


def print_inspection(console: Console, inspection: AnyInspection) -> None:
    """Print what a table is, how its columns were taken, and its first problems by row."""
    width = min(console.width, _WIDEST)
    table = inspection.table
    _line(console, f"{safe(table.source)}　{SUBJECTS[inspection.name]}の表", style="bold")
    for label, told in (
        ("読んだ所", place(table)),
        ("行", totals(inspection)),
        ("列", [_taken(name, headers) for name, headers in inspection.taken.items()]),
        ("ない列", "、".join(inspection.missing)),
        ("そのまま", f"{safe('、'.join(inspection.unknown))}" if inspection.unknown else ""),
    ):
        if told:
            print_field(console, width, label, told, indent=2)
    _print_problems(console, inspection.reading.faults, width)


def account(inspection: AnyInspection) -> Json:
    """The same as plain values."""
    reading, table = inspection.reading, inspection.table
    return {
        "file": reading.source,
        "sha256": reading.sha256,
        "table": inspection.name,
        "sheet": table.sheet,
        "encoding": table.encoding,
        "header_rows": list(table.header_rows),
        "rows": reading.rows,
        "usable": len(reading),
        "merged": reading.merged,
        "rejected": reading.rejected,
        "warned": inspection.warned,
        "columns": {name: [*map(masked, headers)] for name, headers in inspection.taken.items()},
        "missing": list(inspection.missing),
        "unknown": [masked(name) for name in inspection.unknown],
        "problems": [asdict(f) | {"column": masked(f.column)} for f in reading.faults],
    }


def place(table: Table) -> str:
    """The sheet and the rows of the header, e.g. 「シート「一覧」、見出しは3行目」."""
    rows = "〜".join(str(row) for row in table.header_rows)
    parts = [
        f"シート「{safe(table.sheet)}」" if table.sheet else "",
        table.encoding.removesuffix("-sig").replace("_", "-").upper(),
        f"見出しは{rows}行目" if table.header_rows[0] else "列の名前は値ごとに付いている",
    ]
    told = "、".join(filter(None, parts))
    others = "、".join(safe(name) for name in table.others)
    return f"{told}（読んでいないシート: {others}）" if others else told


def totals(inspection: AnyInspection) -> str:
    """How the rows add up, e.g. 「12行 ＝ 使える 10 ＋ 重複 1 ＋ 除外 1」."""
    reading = inspection.reading
    counts = (len(reading), reading.merged, reading.rejected)
    parts = (f"{name} {n:,}" for name, n in zip(STATES.values(), counts, strict=True))
    warned = f"（使える行のうち{inspection.warned:,}行に警告）" if inspection.warned else ""
    return f"{reading.rows:,}行 ＝ {' ＋ '.join(parts)}{warned}"


def problems(faults: Sequence[Fault]) -> str:
    """How many problems there are, e.g. 「問題 3件（除外1件、警告2件）」."""
    rejected = sum(fault.severity == "除外" for fault in faults)
    warned = len(faults) - rejected
    return (
        f"問題 {len(faults):,}件（除外{rejected:,}件、警告{warned:,}件）" if faults else "問題なし"
    )


def safe(text: str) -> str:
    """A text of the data as it may be repeated: on one line, a number of 12 digits masked."""
    return masked(one_line(text))


def sentence(fault: Fault) -> str:
    """A problem and its remedy, each on its line, the severity and the column before them."""
    column = f"{safe(fault.column)}: " if fault.column else ""
    return f"【{fault.severity}】{column}{one_line(fault.problem)}\n→ {one_line(fault.remedy)}"


def _print_problems(console: Console, faults: Sequence[Fault], width: int) -> None:
    """The first problems, those that leave a row out before all others, each with its row."""
    told = sorted(faults, key=lambda fault: fault.severity != "除外")
    console.print()
    _line(console, f"  {problems(faults)}")
    for fault in told[:SHOWN]:
        head = "表全体" if fault.row is None else f"{fault.row}行目"
        print_field(console, width, head, sentence(fault), indent=2)
    if len(told) > SHOWN:
        more = f"ほかに{len(told) - SHOWN:,}件あります。--out を付けると、すべてを表に書きます。"
        _line(console, f"  {more}")


def _taken(name: str, headers: Sequence[str]) -> str:
    return name if headers == (name,) else f"{name}＝{safe('・'.join(headers))}"


def _line(console: Console, text: str, *, style: str = "") -> None:
    for line in wrap(text, min(console.width, _WIDEST)):
        console.print(Text(line, style=style), no_wrap=True, overflow="ignore", crop=False)
