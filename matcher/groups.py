"""Companies by one of their properties: block, prefecture, industry, kind, area, size, any column.

Every company has exactly one label; what its record does not tell is 不明, and never left out.
"""

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from matcher.codes import ALL_PREFECTURES, block_of, prefecture_name
from matcher.errors import MatcherError
from matcher.tables.header import fold_header
from matcher.types import Company

UNKNOWN = "不明"
OTHERS = "その他の区分"
MOST = 200  # labels of one labelling; the rarest beyond are one group

_SIZE = "規模"
# A header that begins so tells the size, the first of these that any company has.
_SIZE_COLUMNS = ("従業員", "社員数", "職員数", "資本金", "規模", "企業規模")
_STAFF = ((20, "20人以下"), (300, "21〜300人"), (math.inf, "301人以上"))
_CAPITAL = ((1e7, "1,000万円以下"), (3e8, "1,000万円超3億円以下"), (math.inf, "3億円超"))
_UNITS = {"": 1.0, "千": 1e3, "万": 1e4, "百万": 1e6, "億": 1e8}
_UNIT = re.compile("(百万|千|万|億)円")
_AMOUNT = re.compile(r"(\d{1,15}(?:\.\d{1,6})?)(百万|千|万|億)?")

Classes = Sequence[tuple[float, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelling:
    """A label for each company, in their order."""

    name: str  # 地方, 都道府県, 業種, 種別, 対応地域, 規模, or the header of a column
    column: str  # of the company table's own columns; "" where it is none
    note: str  # in Japanese: what is to be known of it; "" when nothing is
    labels: tuple[str, ...]  # empty where no column tells the size


def label(companies: Sequence[Company], name: str) -> Labelling:
    """The companies by a property, or by an unknown column of their table.

    The size comes from the first column that tells it (従業員数, 資本金, 規模 …): numbers of staff
    are cut at 20 and 300, capital at 10 and 300 million yen, as laws on small business do.

    Raises:
        MatcherError: there is no such property or column.
    """
    wanted = _ALIASES.get(name.casefold(), name)
    if wanted in _PROPERTIES:
        labels = [_PROPERTIES[wanted](company) for company in companies]
        return _labelling(wanted, "", "", labels)
    columns = list(dict.fromkeys(header for company in companies for header in company.extra))
    column = _size_column(columns) if wanted == _SIZE else _named(columns, wanted)
    if column:
        return _by_column(companies, wanted, column)
    if wanted == _SIZE:
        note = "企業の表に規模を表す列（従業員数・資本金・規模など）がないため、分けていません。"
        return Labelling(name=wanted, column="", note=note, labels=())
    others = "・".join([*_PROPERTIES, _SIZE, *columns])
    message = f"「{name}」で企業を分けられません。次のどれかにしてください: {others}。"
    raise MatcherError(message)


def _by_column(companies: Sequence[Company], name: str, column: str) -> Labelling:
    """The companies by a column: classes of staff or capital, else what stands in the cell."""
    cells = [company.extra.get(column, "") for company in companies]
    for beginnings, classes, what in (
        (("従業員", "社員数", "職員数"), _STAFF, "人数"),
        (("資本金",), _CAPITAL, "金額"),
    ):
        if fold_header(column).startswith(beginnings):
            unit = _UNIT.search(unicodedata.normalize("NFKC", column))
            factor = _UNITS[unit[1]] if unit else 1.0
            labels = [_class_of(cell, factor, classes) for cell in cells]
            note = f"規模は「{column}」の列の{what}で分けています。"
            return _labelling(name, column, note, labels)
    plain = [" ".join(unicodedata.normalize("NFKC", cell).split()) or UNKNOWN for cell in cells]
    return _labelling(name, column, "", plain)


def _labelling(name: str, column: str, note: str, labels: Sequence[str]) -> Labelling:
    """The labels, the rarest of too many under one name."""
    counts = Counter(labels)
    common = sorted(counts, key=lambda one: (-counts[one], one))[: MOST - 1]
    if len(counts) > MOST:
        note += f"区分が{len(counts):,}あるため、少ないものは「{OTHERS}」にまとめています。"
        labels = [one if one in set(common) else OTHERS for one in labels]
    return Labelling(name=name, column=column, note=note, labels=tuple(labels))


def _named(columns: Sequence[str], wanted: str) -> str:
    return next((one for one in columns if fold_header(one) == fold_header(wanted)), "")


def _size_column(columns: Sequence[str]) -> str:
    starts = ((start, one) for start in _SIZE_COLUMNS for one in columns)
    return next((one for start, one in starts if fold_header(one).startswith(start)), "")


def _class_of(cell: str, factor: float, classes: Classes) -> str:
    """The class of the amount in a cell: 25, 約300名, 5,000万円, 3億5000万円."""
    folded = re.sub(r"[,\s]", "", unicodedata.normalize("NFKC", cell))
    found = _AMOUNT.findall(folded)
    if not found or re.search(r"\d[-~〜−から]+\d|\d/", folded):
        return UNKNOWN
    is_scaled = any(unit for _, unit in found)
    scaled = (float(number) * _UNITS[unit] for number, unit in found)
    amount = sum(scaled) if is_scaled else float(found[0][0]) * factor
    return next(name for most, name in classes if amount <= most)


def _block(company: Company) -> str:
    return block_of(company.headquarters) if company.headquarters else UNKNOWN


def _prefecture(company: Company) -> str:
    return prefecture_name(company.headquarters) if company.headquarters else UNKNOWN


def _area(company: Company) -> str:
    if len(company.regions) == len(ALL_PREFECTURES):
        return "全国"
    return {0: UNKNOWN, 1: "1県"}.get(len(company.regions), "複数県")


def _industry(company: Company) -> str:
    return " ".join(unicodedata.normalize("NFKC", company.industry).split()) or UNKNOWN


def _kind(company: Company) -> str:
    return " ".join(unicodedata.normalize("NFKC", company.kind).split()) or UNKNOWN


_PROPERTIES: Mapping[str, Callable[[Company], str]] = {
    "地方": _block,
    "都道府県": _prefecture,
    "業種": _industry,
    "種別": _kind,
    "対応地域": _area,
}
_ALIASES: Mapping[str, str] = {
    "block": "地方",
    "地方ブロック": "地方",
    "prefecture": "都道府県",
    "本社都道府県": "都道府県",
    "industry": "業種",
    "kind": "種別",
    "area": "対応地域",
    "対応地域の広さ": "対応地域",
    "size": _SIZE,
    "企業規模": _SIZE,
}
