"""Texts that are safe in a cell: no formula wakes up, and nothing is too long."""

from matcher.formulas import neutralise
from matcher.report import wording

CELL_LIMIT = 32_767  # UTF-16 units that a cell holds; one more and Excel repairs the file
CUT_MARK = "…（以下略）"


def cell_text(text: str) -> str:
    """The cleaned, neutralised text, cut with a visible mark where a cell cannot hold it."""
    return _cut(neutralise(wording.clean(text)))


def _cut(text: str) -> str:
    if _units(text) <= CELL_LIMIT:
        return text
    kept = text.encode("utf-16-le")[: 2 * (CELL_LIMIT - _units(CUT_MARK))]
    return kept.decode("utf-16-le", errors="ignore") + CUT_MARK  # no half of a surrogate pair


def _units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2
