"""Shortlists in the terminal: a table of all issues, and one issue with its working.

All data goes through `rich.text.Text`, which reads no markup, and is cleaned of control characters,
so that neither `[bold]` nor an escape sequence in a name does anything.
"""

import re
from collections.abc import Iterator, Mapping, Sequence

from rich.cells import cell_len, chop_cells
from rich.console import Console
from rich.table import Table
from rich.text import Text

from matcher.report import wording
from matcher.types import Entry, Shortlist

_WIDEST = 80  # lines longer than this are hard to read, and do not fit a mail
_LONGEST = 500  # characters of a line: marks without a width would make one that never ends
_LABEL = 11  # cells before a value, its label included
# What may not be parted: a run of half-width characters with the blank behind it, or a character
# with the opening bracket before it, and the marks behind it that may not begin a line.
_OPENING, _CLOSING = (
    "「『（【〈《",
    "、。，．・：；！？」』）】〉》ぁぃぅぇぉっゃゅょァィゥェォッャュョー…",
)
_UNBROKEN = re.compile(rf"[{_OPENING}]*(?:[!-~]+ *|.)[{_CLOSING}]*", re.DOTALL)


def print_summary(console: Console, shortlists: Sequence[Shortlist]) -> None:
    """Print a row for each issue: 課題ID, 課題, 1位, 得点, 状態."""
    table = Table(box=None, width=_width(console), pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("課題ID", max_width=16, overflow="fold")
    table.add_column("課題", ratio=5, no_wrap=True, overflow="ellipsis")
    table.add_column("1位", ratio=4, no_wrap=True, overflow="ellipsis")
    table.add_column("得点", width=6, justify="right", no_wrap=True)
    table.add_column("状態", width=8, no_wrap=True)
    for shortlist in shortlists:
        table.add_row(*_summary_row(shortlist))
    console.print(table)


def print_counts(console: Console, counts: Mapping[str, Mapping[str, int]]) -> None:
    """Print what became of the rows of both tables, as the manifest of a run counts them.

    Every row stands in one of the terms: they add up. A term of 0 is left out.
    """
    left_out = {"merged": "重複", "rejected": "除外"}
    statuses: dict[str, str] = dict(wording.STATUSES.items())
    for kind, subject, names in (
        ("issues", "課題", statuses | left_out),
        ("companies", "企業", {"accepted": "採用"} | left_out),
    ):
        told = counts[kind]
        terms = " ＋ ".join(f"{label} {told[key]:,}" for key, label in names.items() if told[key])
        console.print(Text(f"{subject} {told['rows']:,}行 ＝ {terms}"), soft_wrap=True)


def print_shortlist(console: Console, shortlist: Shortlist) -> None:
    """Print one issue and its candidates, each with parts, region, SDGs and evidence."""
    width = _width(console)
    issue = shortlist.issue
    _print(console, width, f"{wording.one_line(issue.issue_id)}　{_title(shortlist)}", style="bold")
    _print(console, width, wording.place(shortlist))
    if issue.sdgs:
        print_field(console, width, "SDGs", wording.goal_names(issue.sdgs))
    state = f"{wording.status_label(shortlist)}（{wording.considered_sentence(shortlist)}）"
    print_field(console, width, "状態", state)
    if wording.has_bands([shortlist]):
        print_field(console, width, wording.BAND, wording.band_meanings())
    if shortlist.status != "ranked":
        _print(console, width, wording.reason(shortlist) + wording.advice(shortlist))
    for entry in shortlist.entries:
        console.print()
        _print_entry(console, width, entry)


def plain_table(texts: Sequence[str], figures: Sequence[str]) -> Table:
    """A table without lines: columns of text, which may wrap, then columns of figures.

    In a header no markup is read; a cell that comes from the data has to be given as a `Text`.
    """
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for header in texts:
        table.add_column(Text(header), overflow="fold")
    for header in figures:
        table.add_column(Text(header), justify="right", no_wrap=True)
    return table


def wrap(text: str, width: int) -> list[str]:
    """The lines of a text, each at most `width` cells wide; 。 and 」 do not begin a line."""
    lines: list[str] = []
    for paragraph in wording.clean(text).expandtabs(4).split("\n"):
        lines.extend(_wrap_paragraph(paragraph, width))
    return lines


def _wrap_paragraph(paragraph: str, width: int) -> Iterator[str]:
    line = ""
    for token in _UNBROKEN.findall(paragraph):
        if len(line) < _LONGEST and cell_len(line + token.rstrip()) <= width:
            line += token
            continue
        if line:
            yield line.rstrip()
        *full, line = chop_cells(token, width) or [token]
        yield from full
    yield line.rstrip()


def _listed(items: Sequence[str], width: int) -> str:
    """The items set apart by 、, with a new line before each that would not fit whole."""
    line, lines = "", []
    for at, item in enumerate(items, start=1):
        piece = item if at == len(items) else f"{item}、"
        if line and cell_len(line + piece) > width:
            lines.append(line)
            line = ""
        line += piece
    return "\n".join([*lines, line])


def _width(console: Console) -> int:
    return min(console.width, _WIDEST)


def _title(shortlist: Shortlist) -> str:
    return wording.one_line(shortlist.issue.title)


def _summary_row(shortlist: Shortlist) -> tuple[Text, Text, Text, Text, Text]:
    first = shortlist.entries[0] if shortlist.entries else None
    return (
        Text(wording.one_line(shortlist.issue.issue_id)),
        Text(_title(shortlist)),
        Text(wording.one_line(first.company.name) if first else "－"),
        Text(wording.number(first.score) if first else ""),
        Text(wording.status_label(shortlist), style="" if first else "yellow"),
    )


def _print_entry(console: Console, width: int, entry: Entry) -> None:
    company = entry.company
    score = f"得点 {wording.number(entry.score)}"
    band = f"　{wording.BAND} {wording.one_line(entry.band)}" if entry.band else ""
    name = f"{entry.rank:>2} {wording.one_line(company.name)}　{score}{band}"
    _print(console, width, name, style="bold")
    facts = (company.kind, company.industry, f"本社 {wording.prefecture(company.headquarters)}")
    for label, value in (
        ("企業", "・".join(wording.one_line(fact) for fact in facts if fact)),
        ("企業ID", wording.one_line(company.company_id)),
        ("窓口", wording.contact(company)),
        ("内訳", _parts(entry)),
        ("地域", entry.region_reason),
        ("SDGs", _shared(entry)),
        *_grounds(entry),
        *_evidence(entry),
    ):
        print_field(console, width, label, value, indent=3)


def _parts(entry: Entry) -> list[str]:
    return [
        f"{wording.one_line(wording.part_label(part))} {wording.signed(entry.parts[part])}"
        for part in wording.parts_in_order(entry.parts)
    ]


def _shared(entry: Entry) -> list[str]:
    *others, last = wording.goal_names(entry.shared_sdgs) or ("共通する目標なし",)
    mark = f"（企業の目標は{wording.INFERRED}）" if entry.company.is_sdgs_inferred else ""
    return [*others, last + mark]


def _grounds(entry: Entry) -> Iterator[tuple[str, str]]:
    label = wording.GROUNDS
    for ground in wording.grounds(entry):
        yield label, ground
        label = ""


def _evidence(entry: Entry) -> Iterator[tuple[str, str]]:
    for evidence in entry.evidence:
        label = f"根拠 {wording.evidence_label(evidence)}"
        yield label, f"課題「{wording.one_line(evidence.issue_span)}」"
        yield "", f"企業「{wording.one_line(evidence.company_span)}」"


def print_field(
    console: Console, width: int, label: str, value: str | Sequence[str], *, indent: int = 0
) -> None:
    """Print a label and its value, of which several are set apart by 、 and kept whole."""
    gap = indent + _LABEL
    text = value if isinstance(value, str) else _listed(value, width - gap)
    if cell_len(label) >= _LABEL:  # on lines of its own
        for line in wrap(label, max(2, width - indent)):
            _print(console, width, " " * indent + line, is_wrapped=True)
        label = ""
    head = " " * indent + label + " " * (_LABEL - cell_len(label))
    lines = wrap(text, max(2, width - gap))
    _print(console, width, head + f"\n{' ' * gap}".join(lines), is_wrapped=True)


def _print(
    console: Console, width: int, text: str, *, style: str = "", is_wrapped: bool = False
) -> None:
    shown = text if is_wrapped else "\n".join(wrap(text, width))
    console.print(Text(shown, style=style), no_wrap=True, overflow="ignore", crop=False)
