"""Personal data in a text, and the one number that is never repeated: the 個人番号 of a resident.

It has twelve digits, the last of which proves the others. Twelve digits that prove themselves are
hidden in every cell before anything else sees them; in a message any twelve digits are.
"""

import re

from matcher.codes import HIDDEN, is_personal_number

MASK = "*" * 12
MAIL = re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+", re.ASCII)  # in time of its length
PHONE = re.compile(
    r"(?<![\d-])(?:\(0\d{1,4}\) ?\d{1,4}-|0\d{1,4}[-‐−ー (]\d{1,4}[-‐−ー )])\d{3,4}(?![\d-])"
    r"|(?<![\d-])0\d{9,10}(?![\d-])"
)
# Not three years in a row, and not an amount.
TWELVE_DIGITS = re.compile(
    r"(?<!\d)(?<!\d-)(?!(?:(?:19|20)\d\d[- ]){2})\d{4}[-_ ]?\d{4}[-_ ]?\d{4}(?!-?\d|[円人件])"
)

_DIGIT = rf"\d[{HIDDEN}]{{0,3}}"
_GAP = r"[ \u3000\t._/／．＿‐-―−ー－-]?"
_FOURS = rf"(?:{_DIGIT}){{4}}{_GAP}(?:{_DIGIT}){{4}}{_GAP}(?:{_DIGIT}){{3}}\d"
_ANY_TWELVE = re.compile(rf"(?<!\d){_FOURS}(?!\d)")
# 7-1234-5678-9012 is a 法人番号, and an amount is nobody's number.
_ONE_PERSON = re.compile(
    rf"(?<!\d)(?<!\d-)(?:(?:{_DIGIT}){{11}}\d|(?<!\d ){_FOURS})(?!-?\d|\s?[円人件千万億])"
)
_MONTH = re.compile(r"(?:19|20)\d\d(?:0[1-9]|1[0-2])")  # 202604011230 is an hour of a day


def is_one(number: str) -> bool:
    """Whether 12 digits are taken for a 個人番号: they prove themselves and begin with no month."""
    return is_personal_number(number) and not _MONTH.match(number)


def hidden(text: str) -> str:
    """The text as written, with every 個人番号 in it turned into asterisks."""
    return _ONE_PERSON.sub(_hide, text)


def masked(text: str) -> str:
    """The text for a message: asterisks in the place of any twelve digits, proven or not."""
    return _ANY_TWELVE.sub(MASK, text)


def _hide(found: re.Match[str]) -> str:
    digits = "".join(str(int(char)) for char in found[0] if char.isdecimal())
    return MASK if is_one(digits) else found[0]
