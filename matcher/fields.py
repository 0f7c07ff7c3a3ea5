"""Single cells: goals, dates, ids, personal data. What cannot be read is said, never guessed."""

import calendar
import re
import unicodedata
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache

from matcher.codes import corporate_check_digit, goals
from matcher.types import Severity

# Words for "nothing here" in a cell that may be empty.
_NOTHING = frozenset(
    {"", "-", "－", "ー", "―", "なし", "無し", "特になし", "該当なし", "未定", "n/a"}
)
_UNDATED = _NOTHING | {"随時", "通年", "常時", "随時募集"}

_CIRCLED = re.compile("[①-⑳]")
_GOAL_PREFIX = r"(?:(?:sdgs?|goals?|目標|ゴール|no|#)[\s.:\-]*){0,3}"
_MARKS = r"\s,、，;・･/|。+&()\[\]「」『』【】\"'.:"
_AND = r"と|及び|および|and"
_GOAL_GAP = rf"[{_MARKS}]+|{_AND}"
_GOAL_WORD = rf"[^0-9{_MARKS}][^{_MARKS}]*"  # 第3期 is a word, and no goal
_LABELS = frozenset({"sdgs", "sdg", "目標", "ゴール"})
# A date or a range is no list of goals: 3/11 in a workbook easily becomes 2026-03-11.
_NO_GOALS = r"\d+(?:-\d+){2}[\d:\s]*|\d+\s*[-~〜–]\s*\d+|-\d+"

_ERAS = {"令和": 2018, "R": 2018, "平成": 1988, "H": 1988, "昭和": 1925, "S": 1925}
_YEAR = r"(?P<era>令和|平成|昭和|[RHS])?\s*(?P<year>\d{1,4}|元)"
_DAY = re.compile(
    _YEAR + r"\s*[年./-]\s*(?P<month>\d{1,2})\s*(?:[月./-]\s*(?P<day>\d{1,2})?(?!\d)日?|$)"
)
_FISCAL = re.compile(_YEAR + r"\s*年度")
_COMPACT = re.compile(r"(?P<era>)(?P<year>20\d\d)(?P<month>\d\d)(?P<day>\d\d)$")
_SERIAL = re.compile(r"[2-7]\d{4}(?:\.\d+)?")  # 1954 to 2119 as Excel counts days

# Bounded repeats: a cell of 200,000 characters must not cost the square of its length.
_MAIL = re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+", re.ASCII)
_PHONE = re.compile(
    r"(?<![\d-])(?:\(0\d{1,4}\) ?\d{1,4}-|0\d{1,4}[-‐−ー (]\d{1,4}[-‐−ー )])\d{3,4}(?![\d-])"
    r"|(?<![\d-])0\d{9,10}(?![\d-])"
)
_PERSONAL = re.compile(  # not three years, not an amount
    r"(?<![\d-])(?!(?:(?:19|20)\d\d[- ]){2})\d{4}[-_ ]?\d{4}[-_ ]?\d{4}(?![\d-]|[円人件])"
)
_MASK = "*" * 12
_LONGEST_SHOWN = 60
_MOST_FINDINGS = 10  # in one cell; more help nobody


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a cell parser found: which field, the value, the problem and its remedy."""

    field: str
    value: str
    problem: str
    remedy: str
    severity: Severity = "警告"


def shown(text: str) -> str:
    """A value as it may be repeated: on its own short line, a number of 12 digits masked."""
    masked = _PERSONAL.sub(_MASK, unicodedata.normalize("NFKC", text))
    line = " ".join((masked if _MASK in masked else text).split())
    return line if len(line) <= _LONGEST_SHOWN else f"{line[:_LONGEST_SHOWN]}…"


def read_goals(text: str) -> tuple[frozenset[int], tuple[Finding, ...]]:
    """The goals in a cell, in any common spelling, and a finding for each part that is none."""
    spread = _CIRCLED.sub(lambda circled: f" {unicodedata.normalize('NFKC', circled[0])} ", text)
    rest = unicodedata.normalize("NFKC", spread).casefold().strip()
    if rest in _NOTHING:
        return frozenset(), ()
    found: set[int] = set()
    wrong: list[str] = []
    last = 0  # the goal whose number came just before: 3.健康と福祉
    for token in _goal_tokens().finditer(rest):
        goal = _goal_of(token)
        if goal:
            found.add(goal)
        elif token["gap"] is None and not _belongs(token[0], last):
            wrong.append(token[0].strip())
        last = goal or (last if token["gap"] else 0)
    return frozenset(found), tuple(
        _no_goal(value) for value in dict.fromkeys(wrong[:_MOST_FINDINGS])
    )


def _goal_of(token: re.Match[str]) -> int:
    """The goal that a token names by number, by name or by both alike; 0 when it names none."""
    named = next((n for n in goals() if token[f"name{n}"] or token[f"alone{n}"]), 0)
    if token["number"] is None:
        return named
    whole, _, fraction = token["number"].partition(".")
    number = int(whole) if len(whole) <= 3 and not fraction.strip("0") else 0
    if number not in goals() or named not in (0, number):
        return 0
    return number if not token["glued"] or _belongs(token["glued"], number) else 0


def _belongs(word: str, last: int) -> bool:
    """Whether a word is a label, or part of the name of the goal whose number precedes it."""
    bare = re.sub(r"\s", "", word)
    return bare in _LABELS or (last > 0 and bare in re.sub(r"\s", "", goals()[last].name))


def _no_goal(value: str) -> Finding:
    digits = re.sub(r"\D", "", value)
    problem = (
        f"SDGsの目標番号は1〜17です（{shown(value)} は使えません）。"
        if digits
        else f"「{shown(value)}」はSDGsの目標として読めません。"
    )
    remedy = "1〜17の番号を「3、11」のように書いてください。"
    return Finding(field="sdgs", value=shown(value), problem=problem, remedy=remedy)


@cache
def _goal_tokens() -> re.Pattern[str]:
    """What a cell of goals is made of: number and name, name alone, gaps, and the rest."""

    def names(prefix: str) -> str:
        spelled = {
            n: r"\s*".join(r"[\s、,・]*" if c == " " else re.escape(c) for c in goal.name)
            for n, goal in goals().items()
        }
        return "|".join(f"(?P<{prefix}{n}>{name})" for n, name in spelled.items())

    number = r"(?P<number>\d+(?:\.\d+)?)番?"
    label = rf"[\s.:\-「『(]*(?:{names('name')})[」』)]?"
    glued = rf"(?!{_AND})(?P<glued>{_GOAL_WORD})"
    return re.compile(
        rf"(?P<range>{_NO_GOALS})|{_GOAL_PREFIX}{number}(?:{label}|{glued})?"
        rf"|{_GOAL_PREFIX}(?:{names('alone')})|(?P<gap>{_GOAL_GAP})|{_GOAL_WORD}|."
    )


def parse_date(text: str) -> date | None:
    """The day a text names: ISO, 2026/3/31, 令和8年3月31日, R8.3.31, an Excel serial number.

    A month gives its last day, a 年度 its 31 March: a deadline lasts to its end. None when the
    text names no day that exists.
    """
    folded = unicodedata.normalize("NFKC", text).strip()
    if _SERIAL.fullmatch(folded):
        return date(1899, 12, 30) + timedelta(days=int(float(folded)))
    try:
        return _fiscal_end(folded) or _day(folded)
    except (ValueError, OverflowError):
        return None


def read_deadline(text: str) -> tuple[Finding, ...]:
    """A finding when a deadline names no day; the text itself is kept as written."""
    folded = unicodedata.normalize("NFKC", text).strip()
    if folded.casefold() in _UNDATED or parse_date(folded):
        return ()
    problem = f"「{shown(text)}」を日付として読めません。文字のまま残します。"
    remedy = "2026-03-31 のように西暦の年月日で書いてください。"
    return (Finding(field="deadline", value=shown(text), problem=problem, remedy=remedy),)


def _year(found: re.Match[str]) -> int:
    number = 1 if found["year"] == "元" else int(found["year"])
    if found["era"]:
        return _ERAS[found["era"]] + number
    if number < 1900:
        raise ValueError("a year without its era")
    return number


def _fiscal_end(folded: str) -> date | None:
    found = _FISCAL.match(folded)
    return date(_year(found) + 1, 3, 31) if found else None


def _day(folded: str) -> date | None:
    found = _DAY.match(folded) or _COMPACT.match(folded)
    if not found:
        return None
    year, month = _year(found), int(found["month"])
    last = calendar.monthrange(year, month)[1] if 1 <= month <= 12 else 0
    return date(year, month, int(found["day"]) if found["day"] else last)


def read_id(text: str) -> str:
    """An id in NFKC without blanks around it; blanks inside become `_`, as TREC asks."""
    return re.sub(r"\s+", "_", unicodedata.normalize("NFKC", text).strip())


def find_blanks(field: str, text: str, given: str) -> tuple[Finding, ...]:
    """A finding when the id `given`, read from `text`, had blanks inside."""
    if given != read_id(text) or not re.search(r"\s", unicodedata.normalize("NFKC", text).strip()):
        return ()
    problem = f"IDの中の空白を「_」に置き換え、{shown(given)} としました。"
    remedy = "IDから空白を除いてください。"
    return (Finding(field=field, value=shown(text), problem=problem, remedy=remedy),)


def read_company_id(text: str) -> tuple[str, tuple[Finding, ...]]:
    """A company's id, a 法人番号 as its 13 digits; "" for 12 digits, which may be a 個人番号."""
    given = read_id(text)
    digits = re.sub(r"^[Tt](?=[\d_])|[_\-‐−ー]", "", given)
    if re.fullmatch(r"[0-9]{12}", digits):
        problem = "12桁の番号は個人番号（マイナンバー）の恐れがあるため、受け取りません。"
        remedy = "13桁の法人番号か、独自の企業IDを入れ、元の番号は消してください。"
        return "", (_of_id(_MASK, problem, remedy, "除外"),)
    if re.fullmatch(r"\d(?:\.\d+)?[eE]\+?\d+", given):
        problem = f"番号がExcelの指数表記（{given}）になり、元の桁が失われています。"
        return given, (_of_id(given, problem, "列を文字列にして番号を入れ直してください。"),)
    if not re.fullmatch(r"[0-9]{13}", digits):
        return given, ()
    if corporate_check_digit(digits[1:]) == digits[0]:
        return digits, ()
    problem = f"法人番号 {digits} の検査数字が合いません。"
    return digits, (_of_id(digits, problem, "番号を確かめてください。"),)


def _of_id(value: str, problem: str, remedy: str, severity: Severity = "警告") -> Finding:
    return Finding(
        field="company_id", value=value, problem=problem, remedy=remedy, severity=severity
    )


def find_personal(field: str, text: str) -> tuple[Finding, ...]:
    """A finding for each kind of personal data in a text: mail, telephone, 12 digits (masked)."""
    folded = unicodedata.normalize("NFKC", text)
    if not re.search(r"[@\d]", folded):
        return ()
    kinds = (
        ("メールアドレス", _MAIL),
        ("電話番号", _PHONE),
        ("個人番号のような12桁の番号", _PERSONAL),
    )
    return tuple(
        Finding(
            field=field,
            value=shown(found[0]),
            problem=f"文の中に{kind}があります。",
            remedy="個人に関わる情報は消し、担当課の名前だけにしてください。",
        )
        for kind, pattern in kinds
        if (found := pattern.search(folded))
    )
