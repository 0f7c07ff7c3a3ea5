"""In which groups of issues an evaluation is read: by field, place, size, length, words, goals.

A mean over all issues hides where a matcher fails. A slice gives every issue one label or several;
the issues that share a label are a group. Nothing here knows an engine or a measure.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction
from typing import TypeAlias

from matcher import codes, text
from matcher.columns import extra_cell
from matcher.errors import MatcherError
from matcher.tables.header import fold_header
from matcher.trec import QrelsSource, read_qrels
from matcher.types import Company, Issue, Qrels

Labels: TypeAlias = dict[str, tuple[str, ...]]  # issue_id → its labels

UNKNOWN = "不明"
NONE = "なし"
SIZES = ("都道府県", "政令指定都市", "中核市", "特別区", "市", "町", "村")
LENGTHS = ("〜100字", "101〜200字", "201〜400字", "401字〜")
OVERLAPS = ("少ない", "中くらい", "多い")

# By cabinet order under the Local Autonomy Act, five digits each, as they have been since April
# 2021: articles 252-19 (20 designated cities) and 252-22 (62 core cities).
DESIGNATED_CITIES = frozenset(
    "01100 04100 11100 12100 14100 14130 14150 15100 22100 22130 23100 26100 27100 27140 28100 "
    "33100 34100 40100 40130 43100".split()
)
CORE_CITIES = frozenset(
    "01202 01204 02201 02203 03201 05201 06201 07201 07203 07204 08201 09201 10201 10202 11201 "
    "11203 11222 12204 12217 13201 14201 16201 17201 18201 19201 20201 20202 21201 23201 23202 "
    "23203 23211 25201 27203 27205 27207 27210 27212 27215 27227 28201 28202 28203 28204 29201 "
    "30201 31201 32201 33202 34202 34207 35201 37201 38201 39201 40203 42201 42202 44201 45201 "
    "46201 47201".split()
)

_FIELD = (
    "分野",
    "field",
    "カテゴリ",
    "カテゴリー",
    "category",
    "テーマ分類",
    "課題分野",
    "政策分野",
)
_YEAR = ("年度", "year", "年")
_BOUNDS = (100, 200, 400)  # characters; a published case has 186 to 239


def slices(
    issues: Iterable[Issue],
    *,
    companies: Iterable[Company] = (),
    qrels: QrelsSource | None = None,
    statuses: Mapping[str, str] | None = None,
    columns: Sequence[str] = (),
) -> dict[str, Labels]:
    """The labels of every issue by slice: slice → issue_id → labels, slices in a fixed order.

    分野 and 年度 are there where the table had such a column; 都道府県, 地方, 自治体の規模 (by
    law), 文章の長さ (title and description) and SDGs always; 言葉の重なり where companies and
    qrels are given; 状態 where `statuses` tells it by issue_id, as a report words it (候補あり).
    Each of `columns` is a slice of its own name, in place of one above that bears it. What an
    issue does not tell is 不明; where it has no goals they are なし. The order of the issues
    changes no label.

    Raises:
        MatcherError: no issue has such a column, or the qrels cannot be read.
    """
    issues = list(issues)
    found = {
        "分野": _first_column(issues, _FIELD),
        "年度": _first_column(issues, _YEAR),
        "都道府県": _each(issues, _prefecture),
        "地方": _each(issues, _block),
        "自治体の規模": _each(issues, _size),
        "文章の長さ": _each(issues, _length),
        "言葉の重なり": _overlaps(issues, companies, {} if qrels is None else read_qrels(qrels)),
        "SDGs": {issue.issue_id: _goals(issue) for issue in issues},
        "状態": {} if statuses is None else _each(issues, lambda i: statuses.get(i.issue_id, "")),
    }
    found |= {name: _column(issues, name) for name in columns}
    return {name: labels for name, labels in found.items() if labels}


def _each(issues: Iterable[Issue], label: Callable[[Issue], str]) -> Labels:
    return {issue.issue_id: (label(issue) or UNKNOWN,) for issue in issues}


def _first_column(issues: Sequence[Issue], names: Sequence[str]) -> Labels:
    """The labels of the first of these columns that there is; none where there is none."""
    there = {fold_header(name) for issue in issues for name in issue.extra}
    name = next((name for name in names if fold_header(name) in there), None)
    return {} if name is None else _column(issues, name)


def _column(issues: Sequence[Issue], name: str) -> Labels:
    """What a column of the table says of each issue.

    Raises:
        MatcherError: there is no such column; the text names those that there are.
    """
    there = dict.fromkeys(key for issue in issues for key in issue.extra)
    if fold_header(name) not in map(fold_header, there):
        told = f"ある列: {'、'.join(there)}" if there else "課題の表にほかの列はありません"
        raise MatcherError(f"課題の表に「{name}」という列はありません（{told}）。")
    return _each(issues, lambda issue: (extra_cell(issue.extra, name) or "").strip())


def _prefecture(issue: Issue) -> str:
    return codes.prefecture_name(issue.prefecture) if issue.prefecture else ""


def _block(issue: Issue) -> str:
    return codes.block_of(issue.prefecture) if issue.prefecture else ""


def _size(issue: Issue) -> str:
    """What the municipality is by law, one of `SIZES`; "" where its code is not known."""
    municipality = codes.municipality_by_code(issue.municipality_code)
    if municipality is None:
        return ""
    five = municipality.code[:5]
    if five.endswith("000"):
        return "都道府県"
    if five in DESIGNATED_CITIES:
        return "政令指定都市"
    if five in CORE_CITIES:
        return "中核市"
    return "特別区" if municipality.name.endswith("区") else municipality.name[-1]


def _length(issue: Issue) -> str:
    characters = len(issue.title) + len(issue.description)
    return LENGTHS[sum(characters > bound for bound in _BOUNDS)]


def _goals(issue: Issue) -> tuple[str, ...]:
    """Each goal as its number and short name."""
    names = codes.goals()
    return tuple(f"{number} {names[number].name}" for number in sorted(issue.sdgs)) or (NONE,)


def _overlaps(issues: Sequence[Issue], companies: Iterable[Company], qrels: Qrels) -> Labels:
    """Whether an issue shares few, some or many words with its partners, by thirds of the issues.

    Who ties stands at the middle of the places that the tie takes up, so that equal shares have
    one label.
    """
    profiles = {one.company_id: one for one in companies}
    if not profiles or not qrels:
        return {}
    words: dict[str, frozenset[str]] = {}
    shares: dict[str, Fraction] = {}
    for issue in issues:
        partners = [profiles[id_] for id_ in _best(qrels, issue) if id_ in profiles]
        for one in partners:
            words.setdefault(one.company_id, _lemmas(text.company_text(one)))
        own = _lemmas(text.issue_text(issue))
        if partners and own:
            met = sum(len(own & words[one.company_id]) for one in partners)
            shares[issue.issue_id] = Fraction(met, len(own) * len(partners))
    ordered = sorted(shares.values())
    return _each(issues, lambda issue: _third(shares.get(issue.issue_id), ordered))


def _best(qrels: Qrels, issue: Issue) -> list[str]:
    """The judged companies of the issue's highest grade; a grade of 0 makes no partner."""
    grades = qrels.get(issue.issue_id, {})
    highest = max(grades.values(), default=0)
    return [company for company, grade in grades.items() if grade == highest > 0]


def _lemmas(written: str) -> frozenset[str]:
    return frozenset(text.lemmas(text.normalise(written)))


def _third(share: Fraction | None, ordered: Sequence[Fraction]) -> str:
    if share is None:
        return ""
    ends = bisect_left(ordered, share) + bisect_right(ordered, share)
    place = Fraction(ends, 2 * len(ordered))
    return OVERLAPS[(place >= Fraction(1, 3)) + (place > Fraction(2, 3))]
