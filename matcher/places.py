"""Where an issue and a company are: prefecture, municipality, head office, service area.

Facts that contradict one another give "unknown" and a finding, never the likelier of the two.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field

from matcher.codes import (
    ALL_PREFECTURES,
    Municipality,
    area_members,
    find_in_address,
    find_municipality,
    fold_name,
    municipality_by_code,
    municipality_check_digit,
    northern_village,
    prefecture_code,
    prefecture_name,
)
from matcher.fields import Finding, shown

_NATIONWIDE = frozenset(
    "全国 日本全国 全国対応 全国対応可 全国対応可能 全都道府県 47都道府県 全国47都道府県 全国各地 "
    "全国一円 全国全域 全国どこでも 日本全域 日本国内 国内全域 全国エリア 全国可".split()
)
_JOINING = re.compile(r"及び|および|並びに|ならびに|(?<=[都道府県国方])と")
_AREA_TOKEN = re.compile(r"([^,、;・/|\s()]+)\s*(?:\(([^()]*)\))?|\(([^()]*)\)")
_AREA_TAIL = re.compile(
    r"(?:地方|地域|エリア|全域|一円|各地|(?<=[都道府県])内|対応|対応可|対応可能|(?<=関[東西])圏)$"
)
_VAGUE_TAIL = re.compile(r"(?:など|等|ほか|他|中心|を中心に|近郊|周辺)$")
_WITHOUT = re.compile(r"^(?:(.+?)(?:を|は)?除く?|除く(.+)|(.+)以外)$")
_POSTCODE = re.compile(r"^(?:〒\s*\d{3}-?\d{4}|\d{3}-\d{4})\s*")
_LABEL = re.compile(r"^(?:本社|本店|所在地|住所)\s*[:/]?\s*")

_LONGEST_AREA = 200  # letters; 47 prefectures run together have 150
_MOST_FINDINGS = 10  # in one cell; more help nobody

_WRITE_PREFECTURE = "「愛知県」のように都道府県名を書いてください。"
_WRITE_CODE = "5桁か6桁の団体コードを、列を文字列にして入れ直してください。"
_WRITE_AREA = "「全国」、都道府県名、「関東」などの8つの地方名で書いてください。"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where an issue is: "" for what is unknown or ambiguous."""

    prefecture: str = ""  # "01".."47"
    municipality_code: str = ""  # six digits
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Area:
    """Where a company can deliver."""

    regions: frozenset[str]  # prefecture codes
    is_declared: bool  # False: nothing usable was given, so the head office's prefecture only
    findings: tuple[Finding, ...] = ()


@dataclass(slots=True)
class _Notes:
    """Findings as they are gathered."""

    found: list[Finding] = field(default_factory=list)

    def add(self, about: str, value: str, problem: str, remedy: str) -> None:
        self.found.append(Finding(field=about, value=shown(value), problem=problem, remedy=remedy))


def read_prefecture(text: str) -> str:
    """The code of the prefecture that a text is, or begins with in full; "" when neither."""
    folded = _LABEL.sub("", _POSTCODE.sub("", unicodedata.normalize("NFKC", text).strip()))
    first = re.split(r"[\s,、]", folded, maxsplit=1)[0]
    whole = re.match(r"北海道|東京都|(?:京都|大阪)府|..[県縣]|...[県縣]", fold_name(folded))
    candidates = (folded, "" if first.isdigit() else first, whole[0] if whole else "")
    return next((code for one in candidates if (code := prefecture_code(one))), "")


def resolve_place(prefecture: str, code: str, municipality: str) -> Place:
    """Prefecture and code of an issue, from its three cells; each may be empty."""
    notes = _Notes()
    given = _given_prefecture(prefecture, notes)
    coded, from_code = _read_code(code, given, municipality, notes)
    if given and from_code and given != from_code:
        problem = (
            f"団体コードは{prefecture_name(from_code)}、都道府県は{prefecture_name(given)}です。"
        )
        notes.add("municipality_code", code, problem, "どちらが正しいか確かめてください。")
        return _place("", None, notes)
    known = given or from_code
    if not municipality.strip():
        return _place(known, coded, notes)
    return _by_name(municipality, known, coded, notes)


def _place(prefecture: str, one: Municipality | None, notes: _Notes) -> Place:
    if not prefecture and not notes.found:
        problem = "都道府県が分かりません。全国対応の企業だけが候補になります。"
        notes.add("prefecture", "", problem, _WRITE_PREFECTURE)
    return Place(
        prefecture=prefecture,
        municipality_code=one.code if one else "",
        findings=tuple(notes.found),
    )


def _given_prefecture(text: str, notes: _Notes) -> str:
    code = read_prefecture(text)
    if text.strip() and not code:
        notes.add("prefecture", text, "都道府県として読めません。", _WRITE_PREFECTURE)
    return code


def _read_code(
    text: str, given: str, municipality: str, notes: _Notes
) -> tuple[Municipality | None, str]:
    """The municipality of a code and the prefecture that the code proves; None and "" if none."""
    code = re.sub(r"(?<=\d)\.0$", "", fold_name(text))  # 23202.0: once a number elsewhere
    if not code:
        return None, ""
    if not re.fullmatch(r"[0-9]{5,6}", code):
        remedy = f"先頭の0が落ちていれば 0{code} と" if re.fullmatch(r"[0-9]{4}", code) else ""
        notes.add(
            "municipality_code",
            text,
            "団体コードは5桁か6桁の数字です。このコードは使いません。",
            f"{remedy}書き、列を文字列にしてください。" if remedy else _WRITE_CODE,
        )
        return None, ""
    if len(code) == 6 and municipality_check_digit(code[:5]) != code[5]:
        problem = "団体コードの検査数字が合いません。このコードは使いません。"
        notes.add("municipality_code", text, problem, "正しいコードに直してください。")
        return None, ""
    return _known_code(code, given, municipality, notes)


def _known_code(
    code: str, given: str, municipality: str, notes: _Notes
) -> tuple[Municipality | None, str]:
    plain = municipality_by_code(code)
    restored = municipality_by_code(f"0{code}") if len(code) == 5 else None
    if restored and (not plain or _agrees(restored, plain, given, municipality)):
        problem = f"先頭の0が落ちた6桁のコードです。検査数字が合うので 0{code} として読みました。"
        notes.add("municipality_code", code, problem, "列を文字列にしてください。")
        return restored, restored.prefecture
    if plain:
        if restored and not given and not municipality.strip():
            problem = (
                f"{plain.name}のコードとして読みました。{restored.name}（0{code}）とも読めます。"
            )
            notes.add("municipality_code", code, problem, _WRITE_PREFECTURE)
        return plain, plain.prefecture
    if village := northern_village(code):
        problem = f"北方領土の{village}のコードです。都道府県は北海道とし、コードは使いません。"
        remedy = "課題を出した自治体のコードかどうか確かめてください。"
        notes.add("municipality_code", code, problem, remedy)
        return None, "01"
    proven = code[:2] if len(code) == 6 and code[:2] in ALL_PREFECTURES else ""
    problem = "現在の団体コードの一覧にありません。廃止されたコードかもしれません。"
    if proven:
        problem += f"都道府県（{prefecture_name(proven)}）だけを使います。"
    notes.add("municipality_code", code, problem, "現在のコードに直してください。")
    return None, proven


def _agrees(restored: Municipality, plain: Municipality, given: str, municipality: str) -> bool:
    """Whether the other cells speak for the code with its zero and against the plain one."""
    if given:
        return restored.prefecture == given != plain.prefecture
    named = find_municipality(municipality)
    return restored in named and plain not in named


def _by_name(name: str, known: str, coded: Municipality | None, notes: _Notes) -> Place:
    """The place when there is a name: it completes the other cells, or contradicts them."""
    matches = find_municipality(name, known)
    if coded:
        return _with_code(name, known, coded, matches, notes)
    if len(matches) == 1:
        return _place(matches[0].prefecture, matches[0], notes)
    if matches:
        return _ambiguous(name, known, matches, notes)
    return _unmatched(name, known, notes)


def _with_code(
    name: str,
    known: str,
    coded: Municipality,
    matches: tuple[Municipality, ...],
    notes: _Notes,
) -> Place:
    elsewhere = matches or find_municipality(name)
    if coded in elsewhere or not elsewhere:
        return _place(known, coded, notes)
    where = f"{prefecture_name(coded.prefecture)}{coded.name}".replace(coded.name * 2, coded.name)
    problem = f"団体コードは{where}のものですが、自治体名は「{shown(name)}」です。"
    notes.add("municipality", name, problem, "どちらが正しいか確かめてください。")
    return _place(known if matches else "", None, notes)


def _ambiguous(name: str, known: str, matches: tuple[Municipality, ...], notes: _Notes) -> Place:
    prefectures = {one.prefecture for one in matches}
    problem = f"「{shown(name)}」は1つに決まりません（{_listed(matches)}）。"
    remedy = "都道府県名か団体コードを書き添えてください。"
    notes.add("municipality", name, problem, remedy)
    return _place(known or (prefectures.pop() if len(prefectures) == 1 else ""), None, notes)


def _unmatched(name: str, known: str, notes: _Notes) -> Place:
    elsewhere = find_municipality(name)
    own = "" if elsewhere else read_prefecture(name)
    if known and (elsewhere or own not in ("", known)):
        told = _listed(elsewhere) or prefecture_name(own)
        problem = f"都道府県は{prefecture_name(known)}ですが、自治体名は{told}のものです。"
        notes.add("municipality", name, problem, "どちらが正しいか確かめてください。")
        return _place("", None, notes)
    problem = f"「{shown(name)}」は市区町村の一覧に見つかりません。"
    if not (known or own):
        problem += "都道府県が分からないため、全国対応の企業だけが候補になります。"
    notes.add("municipality", name, problem, "正式な市区町村名か、都道府県名を書いてください。")
    return _place(known or own, None, notes)


def _listed(matches: tuple[Municipality, ...]) -> str:
    return "、".join(
        one.name if one.code[2:5] == "000" else f"{prefecture_name(one.prefecture)}{one.name}"
        for one in matches
    )


def read_headquarters(text: str) -> tuple[str, tuple[Finding, ...]]:
    """The prefecture of a head office: a prefecture, or an address that proves one; else ""."""
    code = read_prefecture(text)
    if code:
        return code, ()
    folded = _LABEL.sub("", _POSTCODE.sub("", unicodedata.normalize("NFKC", text).strip()))
    matches = find_in_address(folded)
    prefectures = {one.prefecture for one in matches}
    if len(prefectures) == 1:
        return prefectures.pop(), ()
    problem = "本社の都道府県が分かりません。"
    if matches:
        problem = f"本社の都道府県が1つに決まりません（{_listed(matches)}）。"
    finding = Finding(
        field="headquarters_prefecture",
        value=shown(text),
        problem=problem,
        remedy=_WRITE_PREFECTURE,
    )
    return "", (finding,)


def read_area(text: str, headquarters: str) -> Area:
    """The service area in a cell; without a usable one, the head office's prefecture only."""
    home = frozenset({headquarters} if headquarters else ())
    notes = _Notes()
    regions = frozenset[str]()
    for members in _areas(unicodedata.normalize("NFKC", text).strip(), notes):
        regions |= members
    notes.found = list(dict.fromkeys(notes.found))[:_MOST_FINDINGS]
    if regions:
        return Area(regions=regions, is_declared=True, findings=tuple(notes.found))
    if text.strip():
        problem = "対応地域を読めないため、本社の都道府県だけとして扱います。"
        notes.add("service_area", text, problem, _WRITE_AREA)
    if not home:
        problem = "対応地域も本社も分からないため、地域を問わない検索にだけ現れます。"
        notes.add("service_area", text, problem, _WRITE_AREA)
    return Area(regions=home, is_declared=False, findings=tuple(notes.found))


def _areas(folded: str, notes: _Notes) -> Iterator[frozenset[str]]:
    """The prefectures of each part of a list of areas."""
    if area_members(folded):  # 九州・沖縄 is one block: before the list is taken apart
        yield area_members(folded)
        return
    for token in _AREA_TOKEN.finditer(_JOINING.sub("、", folded)):
        name, aside = token[1], token[2]
        if name is None:
            notes.add("service_area", token[0], f"「{shown(token[0])}」は読みません。", _WRITE_AREA)
            continue
        members = _area(name, notes)
        yield members - _exception(aside, token[0], members, notes) if aside else members


def _area(name: str, notes: _Notes) -> frozenset[str]:
    """The prefectures of one name; a municipality counts for its prefecture, and that is said."""
    bare = name[:_LONGEST_AREA]
    while bare not in _NATIONWIDE and not _members(bare) and _AREA_TAIL.search(bare):
        bare = _AREA_TAIL.sub("", bare)
    members = _members(bare)
    vague = _VAGUE_TAIL.sub("", bare)
    if not members and vague != bare:
        return _read_as(name, vague, _members(vague), notes)
    if not members:
        prefectures = {one.prefecture for one in find_municipality(bare)}
        one = prefectures.pop() if len(prefectures) == 1 else ""
        return _read_as(name, prefecture_name(one) if one else "", frozenset({one} - {""}), notes)
    return members


def _read_as(name: str, told: str, members: frozenset[str], notes: _Notes) -> frozenset[str]:
    if members:
        problem = f"「{shown(name)}」は「{told}」として読みました。"
    else:
        problem = f"「{shown(name)}」は対応地域として読めません。ほかの地域だけを使います。"
    notes.add("service_area", name, problem, _WRITE_AREA)
    return members


def _members(name: str) -> frozenset[str]:
    if name in _NATIONWIDE:
        return ALL_PREFECTURES
    code = prefecture_code(name)
    return frozenset({code}) if code else area_members(name) or _run_together(name)


def _run_together(name: str) -> frozenset[str]:
    """The prefectures of full names written without separators: 東京都神奈川県."""
    full = [prefecture_name(code) for code in sorted(ALL_PREFECTURES)]
    if not re.fullmatch(f"(?:{'|'.join(full)}){{2,47}}", name):
        return frozenset()
    codes = (prefecture_code(found) for found in re.findall("|".join(full), name))
    return frozenset(code for code in codes if code)


def _exception(aside: str, whole: str, members: frozenset[str], notes: _Notes) -> frozenset[str]:
    """The prefectures that a remark takes away: （沖縄県を除く）. Any other remark is said."""
    without = _WITHOUT.match(aside.strip())
    if without:
        names = re.split(r"[,、;・/|\sと]+", without[1] or without[2] or without[3])
        parts = [_members(name) for name in names if name]
        if parts and all(parts) and not any(part >= members for part in parts):
            return frozenset().union(*parts)
    told = whole[: whole.index("(")].strip()
    problem = f"「{shown(whole)}」は「{told}」として読みました（ただし書きは使いません）。"
    notes.add("service_area", whole, problem, _WRITE_AREA)
    return frozenset()
