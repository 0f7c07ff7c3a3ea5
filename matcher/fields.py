"""Single cells: goals, dates, ids, personal data. What cannot be read is said, never guessed."""

import calendar
import re
import unicodedata
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache

from matcher.codes import HIDDEN, corporate_check_digit, goals
from matcher.personal import MAIL, MASK, PHONE, TWELVE_DIGITS, hidden, masked
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

_ERA_ENDS = {  # a day after it has the name of the next era
    "平成": date(2019, 4, 30),
    "H": date(2019, 4, 30),
    "昭和": date(1989, 1, 7),
    "S": date(1989, 1, 7),
}
# A part of a month is no day, and of two days it is not known which is meant.
_NO_DAY = re.compile(r"[上中下]旬|頃|ごろ|以降|(?:[~〜–—]|から|より)(?:$|.*[年月日./-])")

_HIDDEN = re.compile(f"[{HIDDEN}]")
_EXPONENT = re.compile(r"(\d(?:\.\d+)?)[eE]\+?(\d+)")
_LETTERS = re.compile("[A-Za-z\u0370-\u04ff]{2,}")
_LOOKALIKE = re.compile("[ΑΒΕΖΗΙΚΜΝΟΡΤΥΧοЀ-ӿ]")
_LONG_ID = 60
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
    at: int | None = None  # its column, where the field does not tell


def shown(text: str) -> str:
    """A value as it may be repeated: on its own short line, a number of 12 digits masked."""
    line = " ".join(masked(text).split())
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
    text names no day that exists, a part of a month, or two days. A serial number counts from
    1900, as all do but those of old Macintosh workbooks.
    """
    folded = unicodedata.normalize("NFKC", text).strip()
    if _NO_DAY.search(folded[:_LONGEST_SHOWN]):
        return None
    if _SERIAL.fullmatch(folded):
        return date(1899, 12, 30) + timedelta(days=int(float(folded)))
    try:
        return _fiscal_end(folded) or _day(folded)
    except (ValueError, OverflowError):
        return None


def read_deadline(text: str) -> tuple[Finding, ...]:
    """A finding when a deadline names no day, or not in so many words; the text is kept."""
    folded = unicodedata.normalize("NFKC", text).strip()
    if folded.casefold() in _UNDATED:
        return ()
    day = parse_date(folded)
    remedy = "2026-03-31 のように西暦の年月日で書いてください。"
    if day is None:
        problem = f"「{shown(text)}」を日付として読めません。文字のまま残します。"
    elif _SERIAL.fullmatch(folded):
        problem = f"「{shown(text)}」は、Excelの日付の番号として {day} と読みました。"
        remedy += "1904年から数えるブックの番号なら、4年と1日あとの日です。"
    elif era := _ended_era(folded, day):
        problem = f"{era}はもう終わった元号です。「{shown(text)}」を {day} と読みました。"
    else:
        return ()
    return (Finding(field="deadline", value=shown(text), problem=problem, remedy=remedy),)


def _ended_era(folded: str, day: date) -> str:
    """The era by which a day is told that is not in it any more; "" when there is none."""
    fiscal = _FISCAL.match(folded)
    found = fiscal or _DAY.match(folded)
    era = (found["era"] or "") if found else ""
    first = date(day.year - 1, 4, 1) if fiscal else day  # 平成31年度 began in 平成
    if era not in _ERA_ENDS or first <= _ERA_ENDS[era]:
        return ""
    return {"H": "平成", "S": "昭和"}.get(era, era)


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
    """An id in NFKC without what nobody sees; blanks inside become `_`, as TREC asks."""
    bare = _HIDDEN.sub("", unicodedata.normalize("NFKC", _HIDDEN.sub("", text)))
    return re.sub(r"\s+", "_", bare.strip())


def read_issue_id(text: str) -> tuple[str, tuple[Finding, ...]]:
    """An issue's id; "" for one that holds a 個人番号."""
    given = read_id(text)
    return ("", (_refused("issue_id"),)) if hidden(given) != given else (given, ())


def find_blanks(field: str, text: str, given: str) -> tuple[Finding, ...]:
    """A finding when the id `given`, read from `text`, had blanks inside."""
    if given != read_id(text) or not re.search(r"\s", unicodedata.normalize("NFKC", text).strip()):
        return ()
    problem = f"IDの中の空白を「_」に置き換え、{shown(given)} としました。"
    remedy = "IDから空白を除いてください。"
    return (Finding(field=field, value=shown(text), problem=problem, remedy=remedy),)


def find_length(field: str, given: str) -> tuple[Finding, ...]:
    """A finding when the id `given` is as long as a text."""
    if len(given) <= _LONG_ID:
        return ()
    problem = f"IDが{len(given):,}文字あります。別の列の文が入っているかもしれません。"
    remedy = f"IDは{_LONG_ID}文字までの番号や記号にしてください。"
    return (Finding(field=field, value=shown(given), problem=problem, remedy=remedy),)


def read_company_id(text: str) -> tuple[str, tuple[Finding, ...]]:
    """A company's id, a 法人番号 as its 13 digits; "" for 12 digits, which may be a 個人番号."""
    given = read_id(text)
    digits, is_shortened = _digits(given)
    if re.fullmatch(r"[0-9]{12}", digits) or hidden(given) != given:
        return "", (_refused("company_id"),)
    if is_shortened:
        problem = f"番号がExcelの指数表記（{given}）になり、元の桁が失われています。"
        return given, (_of_id(given, problem, "列を文字列にして番号を入れ直してください。"),)
    if not re.fullmatch(r"[0-9]{13}", digits):
        return given, ()
    if corporate_check_digit(digits[1:]) == digits[0]:
        return digits, ()
    problem = f"法人番号 {digits} の検査数字が合いません。"
    return digits, (_of_id(digits, problem, "番号を確かめてください。"),)


def _digits(given: str) -> tuple[str, bool]:
    """A number without what is written round it, and whether Excel has shortened it."""
    short = _EXPONENT.fullmatch(given)
    if not short:
        return re.sub(r"^'?[Tt]?(?=[\d_])|[_\-‐-―−ー]|(?<=\d)\.0+$", "", given), False
    known, length = short[1].replace(".", ""), min(int(short[2]), 99) + 1
    return known.ljust(length, "0"), len(known) < length


def _refused(field: str) -> Finding:
    own = "13桁の法人番号か、独自の企業ID" if field == "company_id" else "独自の課題ID"
    return Finding(
        field=field,
        value=MASK,
        problem="12桁の番号は個人番号（マイナンバー）の恐れがあるため、受け取りません。",
        remedy=f"{own}を入れ、元の番号は消してください。",
        severity="除外",
    )


def _of_id(value: str, problem: str, remedy: str) -> Finding:
    return Finding(field="company_id", value=value, problem=problem, remedy=remedy)


def find_personal(field: str, text: str) -> tuple[Finding, ...]:
    """A finding for each kind of personal data in a text: mail, telephone, 12 digits (masked)."""
    folded = unicodedata.normalize("NFKC", text)
    if not re.search(r"[@\d]", folded):
        return ()
    kinds = (
        ("メールアドレス", MAIL),
        ("電話番号", PHONE),
        ("個人番号のような12桁の番号", TWELVE_DIGITS),
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


def find_lookalikes(field: str, text: str) -> tuple[Finding, ...]:
    """A finding where a Cyrillic or Greek letter stands for a Latin one within a word.

    Such a name is read like another and found by none that is typed.
    """
    for word in _LETTERS.findall(unicodedata.normalize("NFKC", text)):
        found = _LOOKALIKE.search(word)
        if found and re.search("[A-Za-z]", word):
            problem = f"英字に似た別の文字（U+{ord(found[0]):04X}）が、英字に混じっています。"
            remedy = "英字で書き直してください。その文字で正しければ、そのままでかまいません。"
            return (Finding(field=field, value=shown(word), problem=problem, remedy=remedy),)
    return ()
