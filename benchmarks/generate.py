"""Issues and companies in any number, realistic in what costs time: texts, regions, goals.

The sentences are those of the shipped cases, background texts and goals, cut at a comma and joined
anew, so that words and lengths are those of real tables while nearly every sentence is new. Names
are invented. What the texts say makes no sense: measure speed and memory with them, never quality.
The same seed gives the same bytes, and a larger table begins with the smaller one.
"""

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path
from random import Random

from matcher import codes
from matcher.text import sentences

ISSUE_COLUMNS = (
    *("issue_id", "title", "description", "municipality", "prefecture", "municipality_code"),
    *("sdgs", "department"),
)
COMPANY_COLUMNS = (
    *("company_id", "name", "headquarters_prefecture", "service_area", "industry", "profile"),
    *("sdgs", "kind"),
)
_GOALS = (11, 3, 8, 9, 4, 17, 12, 13, 7, 2, 10, 16, 15, 6, 14, 5, 1)  # the most popular first
_ZIPF = tuple(1 / place for place in range(1, len(_GOALS) + 1))
_HEAD_OFFICES = {"13": 45, "27": 9, "14": 6, "23": 6, "40": 4, "28": 3, "01": 3, "26": 2, "20": 2}
_NATIONWIDE = 0.3
_A_BLOCK = 0.2  # of those that don't serve all Japan
_LONG_TAIL = 0.05  # texts beyond the usual length: websites pasted into a cell
_LONGEST = 2500  # characters, about
_SYLLABLES = "アイエカキクケコサシスセソタツテトナニノハヒフホマミムメモラリルレロワ"
_KANJI = "明光栄和協共創信誠大東西南北中央新広瑞穂日進清水青空緑山海陽都里友愛未来拓結環実樹"
_LEGAL = ("株式会社{}", "{}株式会社", "合同会社{}", "一般社団法人{}", "特定非営利活動法人{}")
_KINDS = {"一般社団法人": "団体", "特定非営利活動法人": "NPO"}
_DEPARTMENTS = (
    "企画政策課",
    "福祉課",
    "産業振興課",
    "環境課",
    "防災安全課",
    "教育総務課",
    "建設課",
)
_OFFERS = (
    "「{name}」の名で{phrase}を自治体に提供する。",
    "{place}などで、{phrase}に「{name}」を役立てている。",
    "{phrase}では{count}の市町村と組み、「{name}」を共同で運営した。",
)


@dataclass(frozen=True, slots=True)
class Theme:
    """A shipped text, taken apart."""

    title: str
    sentences: tuple[str, ...]
    industry: str = ""


def write_companies(path: Path, count: int, seed: int) -> None:
    """A company table of so many rows, as `matcher match` reads it."""
    _write(path, COMPANY_COLUMNS, "profile", _rows(_company, f"companies {seed}"), count)


def write_issues(path: Path, count: int, seed: int) -> None:
    """An issue table of so many rows, as `matcher match` reads it."""
    _write(path, ISSUE_COLUMNS, "description", _rows(_issue, f"issues {seed}"), count)


def _write(
    path: Path, columns: Sequence[str], text: str, rows: Iterable[Mapping[str, str]], count: int
) -> None:
    """The first so many rows that differ in their text."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(islice(_distinct(rows, text), count))


def _distinct(rows: Iterable[Mapping[str, str]], column: str) -> Iterator[Mapping[str, str]]:
    seen: set[str] = set()
    for row in rows:
        if row[column] not in seen:
            seen.add(row[column])
            yield row


def _rows(
    make: Callable[[Random, int], Mapping[str, str]], seed: str
) -> Iterator[Mapping[str, str]]:
    """Rows without end."""
    rng, number = Random(seed), 0
    while True:
        number += 1
        yield make(rng, number)


def _company(rng: Random, number: int) -> dict[str, str]:
    theme, name, goals = rng.choice(_profiles()), _company_name(rng), _some_goals(rng, most=6)
    headquarters = _head_office(rng)
    own = (_offer(rng, goals) for _ in range(rng.randint(0, 2)))
    kinds = (kind for form, kind in _KINDS.items() if name.startswith(form))
    return {
        "company_id": f"gen-c{number:06d}",
        "name": name,
        "headquarters_prefecture": codes.prefecture_name(headquarters),
        "service_area": _service_area(rng, headquarters),
        "industry": theme.industry or rng.choice(_industries()),
        "profile": _text(rng, theme, _profiles(), own, _length(rng, 130, 170, 300)),
        "sdgs": "、".join(map(str, goals)),
        "kind": next(kinds, "企業"),
    }


def _issue(rng: Random, number: int) -> dict[str, str]:
    theme, place = rng.choice(_problems()), rng.choice(_municipalities())
    goals = _some_goals(rng, most=4)
    wish = f"{_phrase(rng, goals)}を{rng.choice(('進めたい', '広げたい', '見直したい'))}"
    return {
        "issue_id": f"gen-i{number:06d}",
        "title": theme.title if rng.random() < 0.5 else wish,
        "description": _text(rng, theme, _problems(), (), _length(rng, 150, 190, 350)),
        "municipality": place["municipality"],
        "prefecture": place["prefecture"],
        "municipality_code": place["code"],
        "sdgs": "、".join(map(str, goals)),
        "department": rng.choice(_DEPARTMENTS),
    }


def _text(
    rng: Random, theme: Theme, others: Sequence[Theme], own: Iterable[str], length: int
) -> str:
    """Sentences on a theme, each ending as one of another text does, of about this length."""
    found = [*map(str, own)]
    opening = list(theme.sentences)
    while sum(map(len, found)) < length:
        head = opening.pop(0) if opening else rng.choice(rng.choice(others).sentences)
        found.insert(len(theme.sentences) - len(opening) - 1, _crossed(rng, head, others))
    return "".join(found)


def _crossed(rng: Random, head: str, others: Sequence[Theme]) -> str:
    """A sentence up to one of its commas, then another's from one of its commas on.

    One without commas is told of a place instead, so that sentences seldom repeat.
    """
    tail = rng.choice(rng.choice(others).sentences)
    cuts, ends = _commas(head), _commas(tail)
    if not cuts or not ends:
        return f"{rng.choice(_municipalities())['municipality']}では、{head}"
    return head[: rng.choice(cuts)] + tail[rng.choice(ends) :]


def _commas(sentence: str) -> list[int]:
    """The places behind the commas that stand outside brackets."""
    found, depth = [], 0
    for at, char in enumerate(sentence, start=1):
        depth += (char in "「『（") - (char in "」』）")
        if char == "、" and not depth:
            found.append(at)
    return found


def _offer(rng: Random, goals: Sequence[int]) -> str:
    """A sentence on a product of an invented name: names are what makes a vocabulary grow."""
    return rng.choice(_OFFERS).format(
        name=_katakana(rng, 3, 6),
        phrase=_phrase(rng, goals),
        place=rng.choice(_municipalities())["municipality"],
        count=rng.randint(2, 60),
    )


def _phrase(rng: Random, goals: Sequence[int]) -> str:
    return rng.choice(codes.goals()[rng.choice(goals)].phrases)


def _length(rng: Random, least: int, usual: int, most: int) -> int:
    """Characters: a triangle, with a long tail."""
    if rng.random() < _LONG_TAIL:
        return min(_LONGEST, most + int(rng.expovariate(1 / 400)))
    return int(rng.triangular(least, most, usual))


def _some_goals(rng: Random, most: int) -> list[int]:
    """One goal to so many, by Zipf's law, ascending."""
    wanted = rng.choices(range(1, most + 1), weights=(2, 5, 6, 3, 2, 1)[:most])[0]
    found: set[int] = set()
    while len(found) < wanted:
        found.update(rng.choices(_GOALS, weights=_ZIPF))
    return sorted(found)


def _head_office(rng: Random) -> str:
    every = sorted(codes.ALL_PREFECTURES)
    return rng.choices(every, weights=[_HEAD_OFFICES.get(code, 0.6) for code in every])[0]


def _service_area(rng: Random, headquarters: str) -> str:
    """All Japan, the block of the head office, or its prefecture with up to three others."""
    if rng.random() < _NATIONWIDE:
        return "全国"
    block = codes.block_of(headquarters)
    if rng.random() < _A_BLOCK:
        return block
    near = sorted(codes.block_members(block) - {headquarters})
    served = {headquarters, *rng.sample(near, min(len(near), rng.randint(0, 3)))}
    return "、".join(map(codes.prefecture_name, sorted(served)))


def _company_name(rng: Random) -> str:
    kanji = "".join(rng.sample(_KANJI, rng.randint(2, 3)))
    short = rng.choice((_katakana(rng, 3, 6), kanji, kanji + _katakana(rng, 2, 4)))
    return rng.choices(_LEGAL, weights=(50, 30, 8, 6, 6))[0].format(short)


def _katakana(rng: Random, least: int, most: int) -> str:
    return "".join(rng.choices(_SYLLABLES, k=rng.randint(least, most)))


@cache
def _profiles() -> tuple[Theme, ...]:
    """The shipped profiles and the background ones."""
    shipped = (
        Theme("", tuple(sentences(row["profile"])), row["industry"])
        for row in _table("companies.csv")
    )
    background = (
        Theme("", tuple(sentences(row["profile"]))) for row in _lines("background_profiles.jsonl")
    )
    return (*shipped, *background)


@cache
def _problems() -> tuple[Theme, ...]:
    """The shipped issues and the background ones."""
    found = (*_table("issues.csv"), *_lines("background.jsonl"))
    return tuple(Theme(row["title"], tuple(sentences(row["description"]))) for row in found)


@cache
def _industries() -> tuple[str, ...]:
    return tuple(sorted({theme.industry for theme in _profiles() if theme.industry}))


@cache
def _municipalities() -> tuple[Mapping[str, str], ...]:
    return tuple(row for row in _table("municipalities.csv") if row["municipality"])


def _table(name: str) -> list[dict[str, str]]:
    with (codes.data_folder() / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _lines(name: str) -> list[dict[str, str]]:
    content = (codes.data_folder() / name).read_text(encoding="utf-8")
    return [json.loads(line) for line in content.splitlines()]
