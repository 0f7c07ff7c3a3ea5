"""An issue and a profile side by side, with the spans marked that meet: for a notebook."""

import re
from collections.abc import Sequence
from html import escape
from itertools import groupby

from matcher import text
from matcher.report.wording import clean
from matcher.types import Company, Evidence, Issue

# Of a sentence that is near in meaning, and of a term that stands in both; the darker one wins.
_SHADES = ("", "#FFE8B3", "#FFB347")
_CELL = '<td style="width:50%;text-align:left;vertical-align:top;white-space:normal">'


def side_by_side(issue: Issue, company: Company, evidence: Sequence[Evidence]) -> str:
    """A table of one row as HTML: the issue's text and the company's, their evidence marked.

    Nothing in either text is read as markup.
    """
    depths = [1 if one.kind == "meaning" else 2 for one in evidence]
    asked = _marked(text.issue_text(issue), depths, [one.issue_span for one in evidence])
    told = _marked(text.company_text(company), depths, [one.company_span for one in evidence])
    name = escape(clean(company.name))
    return f"<table><tr>{_CELL}{asked}</td>{_CELL}<b>{name}</b><br>{told}</td></tr></table>"


def _marked(written: str, depths: Sequence[int], spans: Sequence[str]) -> str:
    """The text with every place of every span marked, as deep as the deepest that covers it."""
    levels = [0] * len(written)
    for depth, span in zip(depths, spans, strict=True):
        for found in re.finditer(re.escape(span), written) if span else ():
            for at in range(*found.span()):
                levels[at] = max(levels[at], depth)
    pieces = []
    for level, run in groupby(range(len(written)), key=levels.__getitem__):
        piece = escape(clean("".join(written[at] for at in run))).replace("\n", "<br>")
        shade = _SHADES[level]
        pieces.append(f'<mark style="background:{shade}">{piece}</mark>' if shade else piece)
    return "".join(pieces)
