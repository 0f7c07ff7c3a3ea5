"""Codes of the public sector: 47 prefectures, eight blocks, municipalities, 17 goals, check digits.

The tables travel with the package and are read once, when they are first asked for. A name that
may be two places gives both: nothing here guesses. Old and other shapes of a letter (髙島, 廣島縣)
find the name that the table has; what was written is kept by whoever asks.
"""

import csv
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType

from matcher.errors import DataError

ALL_PREFECTURES: frozenset[str] = frozenset(f"{number:02d}" for number in range(1, 48))

# Other spellings of the eight blocks; only what everybody reads alike.
_BLOCK_SPELLINGS = {"関西": "近畿", "九州沖縄": "九州", "九州・沖縄": "九州"}

# Areas that are no block but have one meaning. 北陸, 東海, 山陽, 首都圏, 東日本 and their like are
# drawn differently by different offices, so they are not here.
_AREAS = {
    "中四国": ("31", "32", "33", "34", "35", "36", "37", "38", "39"),
    "中国四国": ("31", "32", "33", "34", "35", "36", "37", "38", "39"),
    "北東北": ("02", "03", "05"),
    "南東北": ("04", "06", "07"),
    "北関東": ("08", "09", "10"),
    "一都三県": ("11", "12", "13", "14"),
    "1都3県": ("11", "12", "13", "14"),
    "甲信越": ("15", "19", "20"),
    "信越": ("15", "20"),
    "山陰": ("31", "32"),
    "東北6県": ("02", "03", "04", "05", "06", "07"),
    "関東1都6県": ("08", "09", "10", "11", "12", "13", "14"),
    "近畿2府4県": ("25", "26", "27", "28", "29", "30"),
    "四国4県": ("36", "37", "38", "39"),
    "九州7県": ("40", "41", "42", "43", "44", "45", "46"),
}

# Wards of designated cities that bear the name of a special ward of Tokyo.
_SHARED_WARDS = {
    "中央区": frozenset(
        "札幌市 さいたま市 千葉市 相模原市 新潟市 浜松市 大阪市 神戸市 福岡市 熊本市".split()
    ),
    "北区": frozenset("札幌市 さいたま市 新潟市 名古屋市 京都市 大阪市 堺市 神戸市 岡山市".split()),
    "港区": frozenset({"名古屋市", "大阪市"}),
}

# The six villages of the Northern Territories have codes, but no office, and stand in no table.
_NORTHERN = {
    "01695": "色丹村",
    "01696": "泊村",
    "01697": "留夜別村",
    "01698": "留別村",
    "01699": "紗那村",
    "01700": "蘂取村",
}

# What a copy from a PDF holds in the place of letters, where NFKC gives none or an older shape.
RADICALS: Mapping[int, int] = str.maketrans(
    "\u2ea0\u2eae\u2ec1\u2ec4\u2ec6\u2ed1\u2ed8\u2edd\u2ee4\u2ee8\u2ee9\u2eeb\u2eed\u2eef\u2ef2"
    "\u2f3e\u2fad\u2fc8\u2fca",
    "民竹虎西角長青食鬼麦黄斉歯竜亀戸青黄黒",
)

# Inside a class of a regular expression: letters that take no place and mean nothing by themselves.
HIDDEN = (
    "\u00ad\u034f\u061c\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff"
    "\U000e0000-\U000e0fff"
)

# Letters of these names and their other shapes: the first is what they are compared by. Only what
# is one letter to everybody; shapes that NFKC joins by itself are not here.
_SHAPES = """
与與 予豫 亀龜 会會 余餘 児兒 函凾 剣劍劔剱釼 区區 双雙 台臺 呉吳 国國圀 塩鹽 場塲 増增 壮壯
壱壹 売賣 奥奧 宝寶寳 富冨 寿壽 峰峯 島嶋嶌嶹 岡崗 岩巖巌 崎﨑嵜碕 広廣 弥彌 帯帶 徳德悳 恵惠
戸戶 来來 条條 松枩 栄榮 桜櫻 検檢 楽樂 様樣 横橫 橋𣘺 檜桧 気氣 沖冲 沢澤 浅淺 浜濱濵 涌湧 淵渕
清淸 温溫 渋澁澀 湾灣 満滿 滝瀧 潟泻 瀬瀨 焼燒 狭狹 猪豬 県縣 真眞 砺礪 礼禮 祢禰 秋穐 稲稻 穂穗
竜龍 総總 縄繩 舎舍 館舘 船舩 芦蘆 芸藝 荘莊 蔵藏 観觀 諫諌 読讀 豊豐 軽輕 辺邊邉 郷鄕 釜竈竃 野埜
鎌鐮 関關 隠隱 青靑 静靜 騨驒 高髙 鯵鰺 鶴靏靎 黒黑 万萬 糸絲 曽曾 粕糟 対對 姫姬 覇霸 倶俱 桑桒
垂埀 梁樑 柏栢 当當 鰐鱷 発發 麻蔴 須湏 摂攝 柳栁 恋戀 帰歸 寝寢 仙僊 土圡 吉𠮷 郎郞 巣巢
"""
_PLAIN = {ord(other): group[0] for group in _SHAPES.split() for other in group[1:]}
_KANJI = "一-鿿々〆"
_GA = re.compile(f"(?<=[{_KANJI}])[がガカか](?=[{_KANJI}])")  # 龍が崎, 鎌カ谷; つがる stays
_NO = re.compile(f"(?<=[{_KANJI}])[のノ之](?=[{_KANJI}])")  # 山の内, 上之国

_MUNICIPALITY_WEIGHTS = (6, 5, 4, 3, 2)
_LONGEST_NAME = 12  # characters, with a ward behind its city
_MOST_WARDS = 30  # the numbers of a designated city's wards follow its own: 14100, 14101 … 14118
_OFFICE = re.compile(r"(?<=[都道府県市区町村])(?:役所|役場|庁)$")
_DISTRICT = re.compile(r"^.{1,5}?郡(?=.)")
_WARD = re.compile(r"^(.+?市).{1,4}区$")
_UNSEEN = re.compile(f"[\\s{HIDDEN}]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """One of the 17 goals of the SDGs."""

    number: int
    name: str
    sentence: str
    phrases: tuple[str, ...]  # how municipal work speaks of it


@dataclass(frozen=True, slots=True, kw_only=True)
class Municipality:
    """A municipality, or a prefecture as a local government (its code: 000 + check digit)."""

    code: str  # six digits
    prefecture: str  # "01".."47"
    name: str  # without its prefecture: 府中市; 愛知県 for the prefecture itself


def data_folder() -> Path:
    """The folder of the tables: inside the installed package, else beside it in the repository."""
    inside = Path(__file__).parent / "data"
    return inside if inside.is_dir() else Path(__file__).parent.parent / "data"


def goals() -> Mapping[int, Goal]:
    """The 17 goals by number, in order. Raises `DataError` when the package's table is missing."""
    return _goals()


def prefecture_code(text: str) -> str | None:
    """The code of a prefecture's name (愛知県, 愛知, 廣島縣) or code (23, ２３, 1), else None."""
    folded = fold_name(text)
    if re.fullmatch(r"[0-9]{1,2}", folded):
        code = folded.zfill(2)
        return code if code in ALL_PREFECTURES else None
    return _codes_by_name().get(_plain(folded))


def prefecture_name(code: str) -> str:
    """The name of a prefecture, with 県. Raises `DataError` for what is not a code 01–47."""
    return _prefecture(code)[0]


def block_of(code: str) -> str:
    """The block of a prefecture, one of the eight. Raises `DataError` for what is not 01–47."""
    return _prefecture(code)[1]


def block_members(name: str) -> frozenset[str]:
    """The prefectures of a block (九州 with 沖縄; 関西 is 近畿); empty for any other name."""
    folded = fold_name(name)
    block = _BLOCK_SPELLINGS.get(folded, folded)
    return frozenset(code for code, (_, of) in _prefectures().items() if of == block)


def area_members(name: str) -> frozenset[str]:
    """The prefectures of a block or of another area with one meaning (中四国); else empty."""
    return block_members(name) or frozenset(_AREAS.get(fold_name(name), ()))


def municipality_check_digit(five: str) -> str:
    """The sixth digit of a local government code. Raises `DataError` unless `five` is 5 digits."""
    _require_digits(five, 5)
    total = sum(
        int(digit) * weight for digit, weight in zip(five, _MUNICIPALITY_WEIGHTS, strict=True)
    )
    return str((11 - total % 11) % 10)


def corporate_check_digit(twelve: str) -> str:
    """The first digit of a 法人番号, from its other twelve; never 0.

    The rule cannot tell 0 from 9: both add a multiple of nine. Raises `DataError` unless `twelve`
    is 12 digits.
    """
    _require_digits(twelve, 12)
    total = sum(int(digit) * (1 + at % 2) for at, digit in enumerate(reversed(twelve)))
    return str(9 - total % 9)


def is_personal_number(text: str) -> bool:
    """Whether a text is 12 digits of which the last proves the others, as in a 個人番号."""
    if not re.fullmatch(r"[0-9]{12}", text):
        return False
    total = sum(int(digit) * (2 + at % 6) for at, digit in enumerate(reversed(text[:11])))
    return int(text[11]) == (11 - total % 11) % 11 % 10


def find_municipality(name: str, prefecture: str = "") -> tuple[Municipality, ...]:
    """Every municipality that may be meant, in code order; within `prefecture` when it is given.

    Reads a prefecture or 郡 in front, the ward of a designated city (as its city), ケ and ヶ, 役所
    behind, other shapes of a letter, and a prefecture itself. Empty when the name is unknown or
    contradicts `prefecture`.
    """
    rest, own = _without_prefecture(_OFFICE.sub("", fold_name(name)))
    within = {own, prefecture} - {""}
    for written, table in ((rest, _by_name()), (_plain(rest), _by_plain_name())):
        found = tuple(one for one in _named(written, table) if within <= {one.prefecture})
        if found:  # 鹿島市 is not 鹿嶋市, unless 茨城県 stands before it
            return found
    return ()


def find_in_address(address: str) -> tuple[Municipality, ...]:
    """Every municipality whose name an address may begin with; the longest name decides.

    A 町 or 村 counts only behind its 郡 or alone: 石川町1丁目 is also a corner of a city.
    """
    rest, own = _without_prefecture(fold_name(address))
    bare = _DISTRICT.sub("", rest)
    for length in range(min(len(rest), _LONGEST_NAME), 1, -1):
        for start in (rest, bare):
            name = start[:length]
            is_proven = name.endswith(("市", "区")) or start != rest or name == rest
            if is_proven and (found := _known(name)):
                return tuple(one for one in found if not own or one.prefecture == own)
    return ()


def municipality_by_code(code: str) -> Municipality | None:
    """The municipality of a 5- or 6-digit code; the ward of a designated city gives its city.

    None when the sixth digit is wrong or no municipality of today bears the code.
    """
    if not re.fullmatch(r"[0-9]{5,6}", code):
        return None
    five = code[:5]
    if len(code) == 6 and municipality_check_digit(five) != code[5]:
        return None
    return _by_five_digits().get(five) or _city_of_ward(five)


def northern_village(code: str) -> str:
    """The village of the Northern Territories with a code of 5 or 6 digits; "" for other codes."""
    proven = len(code) == 5 or code[5:] == municipality_check_digit(code[:5])
    return _NORTHERN.get(code[:5], "") if proven else ""


def fold_name(text: str) -> str:
    """A name as these tables compare it: NFKC, no blanks and nothing unseen, ヶ and ケ alike."""
    bare = _UNSEEN.sub("", unicodedata.normalize("NFKC", text.translate(RADICALS)))
    return bare.replace("ヶ", "ケ").replace("ヵ", "カ")


def _plain(folded: str) -> str:
    """A folded name in one shape for each letter, of the same length."""
    return _NO.sub("ノ", _GA.sub("ケ", folded.translate(_PLAIN)))


def _require_digits(text: str, count: int) -> None:
    if not re.fullmatch(rf"[0-9]{{{count}}}", text):
        raise DataError(f"検査数字は半角の数字{count}桁から計算します（{text!r} は使えません）。")


def _without_prefecture(folded: str) -> tuple[str, str]:
    """The text after a prefecture's full name, with that prefecture's code; else all and ""."""
    plain = _plain(folded)
    for code, (name, _) in _prefectures().items():
        if plain.startswith(name) and plain != name:
            return folded[len(name) :], code
    return folded, ""


def _known(folded: str) -> tuple[Municipality, ...]:
    return _named(folded, _by_name()) or _named(_plain(folded), _by_plain_name())


def _named(
    folded: str, by_name: Mapping[str, tuple[Municipality, ...]]
) -> tuple[Municipality, ...]:
    """The municipalities of exactly this name, else without its 郡, else the city of a ward."""
    if folded in by_name:
        return by_name[folded]
    district = _DISTRICT.sub("", folded)
    if district != folded and district.endswith(("町", "村")) and district in by_name:
        return by_name[district]
    ward = _WARD.match(folded)
    cities = by_name.get(ward[1], ()) if ward else ()
    return tuple(city for city in cities if _is_designated(city))


def _is_designated(city: Municipality) -> bool:
    return city.code[2] == "1" and city.prefecture != "13"


def _city_of_ward(five: str) -> Municipality | None:
    """The designated city whose number is the next at or below the ward's."""
    cities = [
        city
        for city in _by_five_digits().values()
        if _is_designated(city) and 0 < int(five) - int(city.code[:5]) < _MOST_WARDS
    ]
    return max(cities, key=lambda city: city.code, default=None)


def _prefecture(code: str) -> tuple[str, str]:
    if code not in ALL_PREFECTURES:
        raise DataError(f"都道府県コードは01〜47です（{code!r} は使えません）。")
    return _prefectures()[code]


def _read(name: str) -> Iterator[dict[str, str]]:
    path = data_folder() / name
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise DataError(f"同梱の表「{name}」が見つかりません。入れ直してください。") from error
    return iter(csv.DictReader(text.splitlines()))


@cache
def _goals() -> Mapping[int, Goal]:
    rows = (
        Goal(
            number=int(row["number"]),
            name=row["name"],
            sentence=row["sentence"],
            phrases=tuple(row["phrases"].split("|")),
        )
        for row in _read("sdgs.csv")
    )
    return MappingProxyType({goal.number: goal for goal in rows})


@cache
def _prefectures() -> dict[str, tuple[str, str]]:
    """Name and block by code."""
    return {row["code"]: (row["name"], row["block"]) for row in _read("prefectures.csv")}


@cache
def _codes_by_name() -> dict[str, str]:
    full = {name: code for code, (name, _) in _prefectures().items()}
    return full | {name[:-1]: code for name, code in full.items() if name != "北海道"}


@cache
def _by_five_digits() -> dict[str, Municipality]:
    codes = _codes_by_name()
    return {
        row["code"][:5]: Municipality(
            code=row["code"],
            prefecture=codes[row["prefecture"]],
            name=row["municipality"] or row["prefecture"],
        )
        for row in _read("municipalities.csv")
    }


@cache
def _by_name() -> dict[str, tuple[Municipality, ...]]:
    found: dict[str, list[Municipality]] = defaultdict(list)
    for one in _by_five_digits().values():
        found[fold_name(one.name)].append(one)
    for ward, cities in _SHARED_WARDS.items():
        found[ward] += [found[city][0] for city in sorted(cities)]
    return {name: tuple(sorted(them, key=lambda one: one.code)) for name, them in found.items()}


@cache
def _by_plain_name() -> dict[str, tuple[Municipality, ...]]:
    found: dict[str, set[Municipality]] = defaultdict(set)
    for name, them in _by_name().items():
        found[_plain(name)].update(them)
    return {name: tuple(sorted(them, key=lambda one: one.code)) for name, them in found.items()}
