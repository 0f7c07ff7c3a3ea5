"""The shortlists as one self-contained page: readable without a network, a script or a colour."""

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from matcher.report import wording
from matcher.types import Entry, Shortlist

_AXIS, _FULL = 25.0, 100.0  # where a bar begins, and the width of its drawing
_LEAST_UNIT = 1e-12  # scores have six decimals: what is below is no bar


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One part of a score: its name, its number, and its bar from the axis at 25 of 100."""

    label: str
    value: str
    note: str
    x: str
    width: str
    is_negative: bool


def page_html(shortlists: Sequence[Shortlist], *, as_of: str | None = None) -> str:
    """The page as one HTML text, to be saved as UTF-8. Equal shortlists give an equal text.

    `as_of` is printed as it is; without it no date appears but those in the data. Everything from
    the data is escaped and cleaned, and no address in it becomes a link.
    """
    template = _environment().get_template("page.html")
    return template.render(shortlists=shortlists, as_of=as_of)


def bars(shortlist: Shortlist, entry: Entry) -> list[Bar]:
    """A bar for each part of an entry, the largest first; one scale for the whole shortlist."""
    scale = _scale(shortlist)
    return [_bar(part, value, scale) for part, value in wording.largest_parts(entry)]


def _bar(part: str, value: float, scale: float) -> Bar:
    width = abs(value) * scale
    return Bar(
        label=wording.part_label(part),
        value=wording.signed(value).replace("-", "\u2212"),
        note=wording.PART_NOTES.get(part, ""),
        x=f"{_AXIS - width if value < 0 else _AXIS:.2f}",
        width=f"{width:.2f}",
        is_negative=value < 0,
    )


def _scale(shortlist: Shortlist) -> float:
    """Drawing units for one unit of score, so that no bar leaves its drawing."""
    values = [value for entry in shortlist.entries for value in entry.parts.values()]
    above, below = max(values, default=0.0), -min(values, default=0.0)
    need = max(above / (_FULL - _AXIS), below / _AXIS)
    return 1 / need if need > _LEAST_UNIT else 0.0


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent, encoding="utf-8"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_cleaned,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(words=wording, bars=bars)
    environment.filters["sha256"] = _sha256
    return environment


def _cleaned(value: object) -> object:
    # Every value that the template prints passes here, so that no field can be forgotten.
    return (
        wording.clean(value) if isinstance(value, str) and not isinstance(value, Markup) else value
    )


def _sha256(style: str) -> str:
    """The hash by which the page's policy knows its own style, and allows no other."""
    return base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
