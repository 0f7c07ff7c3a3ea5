"""Texts that are safe in a cell: no formula wakes up, nothing is too long, and undoing is exact."""

import unicodedata

from matcher.report import wording

CELL_LIMIT = 32_767  # UTF-16 units that a cell holds; one more and Excel repairs the file
CUT_MARK = "…（以下略）"

# What a spreadsheet takes for the beginning of a formula. NFKC brings the full-width signs here,
# which a Japanese Excel reads as their half-width fellows when a cell is edited.
_FORMULA_SIGNS = frozenset("=+-@\u2212")


def neutralise(text: str) -> str:
    """The text with an apostrophe before it if a spreadsheet could read it as a formula.

    Writing a string cell is not enough: the cell becomes a formula when somebody edits it, or when
    the sheet travels as CSV. The apostrophe is part of the text, so it survives both, and an Excel
    that takes it for its own text prefix still keeps the cell a text. `restore` undoes it exactly.
    """
    return "'" + text if _could_be_formula(text) else text


def restore(cell: str) -> str:
    """The text that `neutralise` was given."""
    return cell[1:] if cell.startswith("'") and _could_be_formula(cell[1:]) else cell


def cell_text(text: str) -> str:
    """The cleaned, neutralised text, cut with a visible mark where a cell cannot hold it."""
    return _cut(neutralise(wording.clean(text)))


def _could_be_formula(text: str) -> bool:
    # Leading apostrophes do not count: "'=1" gets one more, or it could not be told from "=1".
    bare = text.lstrip("'")
    if bare.startswith(("\t", "\r", "\n")):
        return True
    first = bare.lstrip()[:1]
    return unicodedata.normalize("NFKC", first)[:1] in _FORMULA_SIGNS if first else False


def _cut(text: str) -> str:
    if _units(text) <= CELL_LIMIT:
        return text
    kept = text.encode("utf-16-le")[: 2 * (CELL_LIMIT - _units(CUT_MARK))]
    return kept.decode("utf-16-le", errors="ignore") + CUT_MARK  # no half of a surrogate pair


def _units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2
