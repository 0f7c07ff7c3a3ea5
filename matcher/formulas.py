"""Texts that no spreadsheet takes for a formula; undoing it is exact."""

import unicodedata

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


def _could_be_formula(text: str) -> bool:
    # Leading apostrophes do not count: "'=1" gets one more, or it could not be told from "=1".
    if text.lstrip("'").startswith(("\t", "\r", "\n")):
        return True
    first = next((char for char in text if not _is_passed_over(char)), "")
    return unicodedata.normalize("NFKC", first)[:1] in _FORMULA_SIGNS if first else False


def _is_passed_over(char: str) -> bool:
    """Whether a program may drop the character before a sign: a blank, a quote, an unseen mark."""
    return char.isspace() or char in "'\"" or unicodedata.category(char) == "Cf"
