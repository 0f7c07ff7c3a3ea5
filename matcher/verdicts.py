"""The words of an outcome: which result a cell tells, why a pair was declined, and in which year.

What tells nothing, or two things at once, is not guessed.
"""

import re
import unicodedata
from typing import Literal

from matcher.fields import parse_date

Result = Literal["confirmed", "talking", "declined"]
Cause = Literal["", "fit", "other", "unsaid"]  # of a refusal; "" where there was none

_DONE = "成立|締結|採択|採用|実施|契約|合意|導入"
_HELD = "面談|協議|検討|交渉|商談|調整|打ち?合わ?せ|ヒアリング|実証(?:実験|事業)?"
_ENDED = (
    "不調|見合わせ|不可|不成立|見送|辞退|断念|中止|解除|破棄|決裂|打ち?切|取り?(?:消|下げ|やめ)"
)
_NOT = (
    "至ら|至りませ|なら(?:ず|な)|なりませ|せず|しな|しませ|されず|されな|されませ|できず|できな|できませ|"
    "なし|整わ|困難|難し|(?:予定|見込み?)[はが]?(?:な[いし]|ありませ)"
)
# At one place the earlier alternative wins: 不成立 before 成立, 面談の結果 before 面談.
_WORDS = re.compile(
    rf"(?P<past>(?:{_DONE})?の?(?:{_HELD})(?:中(?!止))?(?:[をの]?実施)?"
    r"(?:の結果|のうえ|の上|後|を経て|したが|するも))"
    rf"|(?P<unknown>未(?:{_DONE})|(?:{_ENDED})[りらをは]{{0,2}}(?:せず|しな|ず))"
    rf"|(?P<declined>不(?:{_DONE}|調)|(?:{_DONE}|{_HELD})(?:には|とは|[にをはがとの]|まで)?"
    rf"(?:{_ENDED}|{_NOT})|{_ENDED}|却下|落選|お?断り|declined)"
    rf"|(?P<talking>(?:{_DONE})(?:書|条件|手続き?|事務)?(?:[のを]|に向け[たて])?"
    rf"(?:予定|見込み?|待ち|手続き?中|(?:確認|準備|審査|{_HELD})中?)"
    rf"|(?:{_HELD})[をの]?(?:実施)?(?:中(?!止)|予定|待ち)?|talking)"
    rf"|(?P<confirmed>{_DONE}|confirmed)"
)

# Beside a good word these may turn it round: better no result than a wrong one.
_DOUBT = re.compile("不|未|否|無[いし]|な[いしかく]|ず|ませ|難|可能|予定|待ち|延期|保留|[?]")

_CLAUSE_END = re.compile(r"[、。,;・/\n]+")
_OTHER = re.compile(
    "予算|費用|経費|価格|金額|高額|財源|時期|時間|期限|期間|日程|納期|スケジュール|年度|体制|人員|人手|"
    "人材|担当|多忙|余力|地域|エリア|遠方|距離|契約|手続|調達|入札|議会|法令|規制|条例|個人情報|連絡|"
    "回答|異動|方針|都合|他社|競合|その他"
)
_FIT = re.compile(
    "(?:対象|手段|内容|趣旨|目的|ニーズ|要件|技術|機能|性能|分野|専門|解決|提案|課題|方向)"
    "(?:$|[^、。]{0,20}(?:違|異な|ちが|合わ|合致し|一致し|不一致|ずれ|ズレ|外|不足|満た|な[いくし]|弱|乏し))"
    "|ミスマッチ|不一致|不適合|適合性|(?:合わ|適さ|適合し|合致し|そぐわ)な"
)


def read_result(text: str) -> Result | None:
    """The result that a cell tells; None when it tells none, or more than one.

    >>> read_result("検討の結果、不採択"), read_result("面談を実施"), read_result("契約済み")
    ('declined', 'talking', 'confirmed')
    """
    folded = re.sub(r"\s", "", unicodedata.normalize("NFKC", text)).casefold()
    kinds = {found.lastgroup for found in _WORDS.finditer(folded)} - {"past"}
    if kinds == {"declined"}:
        return "declined"
    if _DOUBT.search(_WORDS.sub("", folded)):
        return None
    results: tuple[Result, ...] = ("confirmed", "talking")
    return next((result for result in results if kinds == {result}), None)


def cause_of(reason: str) -> Cause:
    """Why a pair was declined: one clause about the fit decides, else one about anything else."""
    clauses = _CLAUSE_END.split(unicodedata.normalize("NFKC", reason))
    kinds = {
        "other" if _OTHER.search(clause) else "fit" if _FIT.search(clause) else "unsaid"
        for clause in map(str.strip, clauses)
    }
    return "fit" if "fit" in kinds else "other" if "other" in kinds else "unsaid"


def read_year(text: str) -> int | None:
    """The year that a text is: 2025, 2025年度, 令和7年度, R7; None for anything else, days too."""
    bare = re.sub(r"年度?$", "", unicodedata.normalize("NFKC", text).strip())
    end = parse_date(f"{bare}年度") if re.fullmatch(r"\D{0,3}(?:\d{1,4}|元)", bare) else None
    return end.year - 1 if end else None
