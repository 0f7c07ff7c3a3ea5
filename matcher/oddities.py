"""What is odd in a cell, whatever its column: unseen letters, 外字, markup, the length of a book.

It is said; a text is searched by as it was written.
"""

import re

from matcher.fields import Finding, shown
from matcher.personal import MASK

# Not for a cell: controls, halves of surrogate pairs, and marks that hide a text or turn it round.
UNWANTED = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff\ufffe\uffff"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)
_QUIET = "\0\ufeff"  # the first is said where the table is cut, the second is in every other file
_BROKEN = re.compile("[\ufffd\ud800-\udfff]")
_GAIJI = re.compile("[\ue000-\uf8ff\U000f0000-\U000ffffd\U00100000-\U0010fffd]")
_TAG = re.compile(
    r"</?(?:a|b|br|body|div|em|font|form|h[1-6]|head|hr|html|i|iframe|img|input|li|link|meta|ol|p"
    r"|pre|script|span|strong|style|svg|table|tbody|td|th|thead|tr|u|ul)(?=[\s/>])|<!--"
    r"|&(?:nbsp|amp|lt|gt|quot|#\d{1,6});",
    re.IGNORECASE,
)
_LONG = 10_000  # characters; the longest published issue has under a thousand
_AROUND = 10  # characters shown before and after what is meant


def find_in_cell(at: int, written: str, kept: str) -> tuple[Finding, ...]:
    """A finding for each odd thing in the cell of column `at`, as `written` and as it is `kept`."""
    told: list[tuple[str, str, str]] = []
    if MASK in kept and MASK not in written:
        problem = "個人番号（マイナンバー）と思われる12桁の番号を伏せました。結果にも出ません。"
        told.append((kept, problem, "元の表からも番号を消してください。"))
    if found := _GAIJI.search(kept):
        problem = f"外字（{_code(found)}）があります。ほかの計算機では別の字や□に見えます。"
        told.append((_around(kept, found), problem, "一般の漢字か、かなに置き換えてください。"))
    if found := _BROKEN.search(written):
        problem = "読めなくなった文字（文字化けの跡）があります。"
        told.append((_around(written, found), problem, "元の文を見て、入力し直してください。"))
    if found := _unseen(written):
        problem = f"見えない文字（{_code(found)}など）が入っていたので除きました。"
        told.append((_around(written, found), problem, "この文を入力し直してください。"))
    return tuple(
        Finding(
            field="", at=at, value=shown(UNWANTED.sub("", value)), problem=problem, remedy=remedy
        )
        for value, problem, remedy in told
    )


def find_in_text(field: str, text: str) -> tuple[Finding, ...]:
    """A finding for markup in a text that is searched by, and for the length of a book."""
    found: list[Finding] = []
    if tag := _TAG.search(text):
        problem = "文の中にHTMLのタグや記号があります。タグも文字として検索に使われます。"
        remedy = "画面の文をコピーし、書式なしで貼り直してください。"
        value = shown(_around(text, tag))
        found.append(Finding(field=field, value=value, problem=problem, remedy=remedy))
    if len(text) > _LONG:
        problem = f"文が{len(text):,}文字あります。長い資料では要点が薄まり、順位が粗くなります。"
        remedy = "課題や強みの要点を数百文字にまとめ、別々の課題は行を分けてください。"
        found.append(Finding(field=field, value=shown(text), problem=problem, remedy=remedy))
    return tuple(found)


def _unseen(written: str) -> re.Match[str] | None:
    """The first of the characters that were taken out and that nothing else speaks of."""
    every = UNWANTED.finditer(written)
    return next((one for one in every if one[0] not in _QUIET and not _BROKEN.match(one[0])), None)


def _code(found: re.Match[str]) -> str:
    return f"U+{ord(found[0]):04X}"


def _around(text: str, found: re.Match[str]) -> str:
    return text[max(0, found.start() - _AROUND) : found.end() + _AROUND]
