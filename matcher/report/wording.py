"""The Japanese words that terminal, workbook and page share, so that one thing has one name."""

import re
from collections.abc import Iterable, Iterator, Mapping

from matcher.codes import goals, prefecture_name
from matcher.fields import parse_date
from matcher.types import (
    Company,
    Entry,
    Evidence,
    Issue,
    RegionRule,
    SdgRule,
    Shortlist,
    Status,
)

STATUSES: Mapping[Status, str] = {
    "ranked": "候補あり",
    "no_candidate": "候補なし",
    "unclear": "内容不足",
    "routed": "担当課へ",
}
PARTS: Mapping[str, str] = {
    "dense": "意味の近さ",
    "words": "言葉の一致",
    "bigrams": "文字の並びの一致",
    "bridge": "橋渡しの言葉",
    "reader": "読み合わせ",
    "sdgs": "SDGs",
    "region": "地域",
}
PART_NOTES: Mapping[str, str] = {
    "dense": "課題と企業の文章の意味がどれほど近いかです。全企業の平均が0です。",
    "words": "課題と企業の文章に共通する言葉の多さです。全企業の平均が0です。",
    "bigrams": "課題と企業の文章に共通する文字の並びの多さです。全企業の平均が0です。",
    "bridge": "課題の困りごとに答える言い方が、企業の文章にどれほどあるかです。"
    "全企業の平均が0です。",
    "reader": "課題と企業の文章を並べて読み、合う見込みを0から上限までの点にしたものです。"
    "読んだ候補だけに付きます。",
    "sdgs": "SDGsの目標が共通することによる、わずかな加点です。",
    "region": "地域の近さによる、わずかな加点です。",
}
SCORE_NOTE = (
    "内訳の合計です。この課題にとってどの企業が合いそうかを比べるためのもので、"
    "100点満点の点数でも、成功の見込みでもありません。小数第3位を四捨五入して表示しています。"
)
BAND = "確からしさ"
BANDS: Mapping[str, str] = {
    "A": "面談を勧められる",
    "B": "検討の価値がある",
    "C": "参考",
    "判定不能": "文章が短いか、企業の文章が課題の写しで、判断できない",
}
EVIDENCE_KINDS: Mapping[str, str] = {"meaning": "意味", "term": "言葉"}
BRIDGED = "橋渡し"
EVIDENCE_NOTE = (
    "「意味」は意味が近い箇所、「言葉」は同じ言葉がある箇所、「橋渡し」は、困りごとの言い方と"
    "それに答える言い方を結ぶ表（橋渡し表）でつながる箇所です。"
)
EXCLUSIONS: Mapping[str, str] = {"region": "地域", "sdgs": "SDGs"}
REGION_RULES: Mapping[RegionRule, str] = {
    "serves": "対応地域が課題の都道府県を含むか、全国であること",
    "prefecture": "本社か拠点が課題と同じ都道府県にあること",
    "block": "本社か拠点が課題と同じ地方にあること",
    "any": "地域を問わない",
}
SDG_RULES: Mapping[SdgRule, str] = {
    "prefer": "共通する目標があればわずかに加点する",
    "any": "課題と共通する目標が一つはあること",
    "all": "課題の目標をすべて持つこと",
    "ignore": "SDGsを見ない",
}
UNKNOWN = "不明"
NO_CONTACT = "窓口未登録"
INFERRED = "推定"
INFERRED_NOTE = (
    "「推定」は、企業のSDGsが申告されたものではなく、"
    "事業内容から推し量ったものであることを示します。"
)
GROUNDS = "推定の根拠"
GROUNDS_NOTE = (
    "推定したSDGsの目標ごとに、その目標に最も近い一文を企業の事業内容から引用しています。"
)
DISCLAIMER = (
    "この資料は、課題と企業の文章の近さなどから候補を機械的に並べたものです。"
    "得点は企業の優劣や実現性を示すものではなく、並び順は採否を決めるものでもありません。"
    "協議、選定、契約は、各自治体の規程と調達の手続きに従って行ってください。"
)
QUOTED = (
    "課題と企業の文章は、すべて元の資料からの引用です。"
    "この資料のために新しく作った文章はありません。"
)

_NATIONWIDE = 47
_LINE_ENDS = re.compile("\r\n?|[\x0b\x0c\x85\u2028\u2029]")
# Controls (escape sequences among them), marks that turn the direction of text, and what neither
# XML nor UTF-8 can carry. The tab and the line feed stay.
_UNPRINTABLE = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]"
)
# Begins at the first blank of a run: tried at each, a run would cost the square of its length.
_LINE_GAP = re.compile(r"(?<![ \t])[ \t]*[\n\t]\s*")


def clean(text: str) -> str:
    r"""The text with `\n` for every line end and without what cannot be shown safely.

    Removed are control characters, marks that reverse the direction of text, lone surrogates and
    noncharacters. Letters, symbols and emoji stay as they are.
    """
    return _UNPRINTABLE.sub("", _LINE_ENDS.sub("\n", text))


def one_line(text: str) -> str:
    """The cleaned text on one line: for names, titles and ids."""
    return _LINE_GAP.sub(" ", clean(text)).strip()


def status_label(shortlist: Shortlist) -> str:
    """The status in a word, e.g. 「候補あり」."""
    return STATUSES[shortlist.status]


def part_label(part: str) -> str:
    """The name of a part of the score; a part without a Japanese name keeps its own."""
    return PARTS.get(part, part)


def part_keys(shortlists: Iterable[Shortlist]) -> tuple[str, ...]:
    """The parts that any entry carries, in the order in which they are shown."""
    entries = (entry for shortlist in shortlists for entry in shortlist.entries)
    return parts_in_order(part for entry in entries for part in entry.parts)


def parts_in_order(parts: Iterable[str]) -> tuple[str, ...]:
    """Each part once: the named ones in the order of their names, then any other."""
    seen = dict.fromkeys(parts)
    return (
        *(part for part in PARTS if part in seen),
        *(part for part in seen if part not in PARTS),
    )


def largest_parts(entry: Entry) -> list[tuple[str, float]]:
    """The parts of an entry, the one that moves the score most first; equal ones by their name."""
    return sorted(entry.parts.items(), key=lambda item: (-abs(item[1]), item[0]))


def signed(value: float) -> str:
    """A part with its sign and two decimals; what rounds to nothing is +0.00, never -0.00."""
    return f"{round(value, 2) + 0.0:+.2f}"


def number(value: float) -> str:
    """A score with two decimals, never -0.00."""
    return f"{round(value, 2) + 0.0:.2f}"


def prefecture(code: str) -> str:
    """The name of a prefecture, 「不明」 where there is no code."""
    return prefecture_name(code) if code else UNKNOWN


def place(shortlist: Shortlist) -> str:
    """Prefecture and municipality of the issue, the prefecture once."""
    issue = shortlist.issue
    municipality = one_line(issue.municipality)
    if not issue.prefecture:
        return f"{municipality}（都道府県は不明）" if municipality else "自治体・都道府県は不明"
    name = prefecture(issue.prefecture)
    return municipality if municipality.startswith(name) else name + municipality


def goal_names(numbers: Iterable[int]) -> tuple[str, ...]:
    """Each goal as its number and name, in order, e.g. 「3 すべての人に健康と福祉を」."""
    known = goals()
    return tuple(f"{n} {known[n].name}" for n in sorted(numbers))


def contact(company: Company) -> str:
    """Whom to call: the registered office, or 「窓口未登録」."""
    return one_line(company.contact) or NO_CONTACT


def service_area(company: Company) -> str:
    """Where the company works, in words; says so where it was not declared."""
    if not company.is_area_declared:
        return "記載なし（本社のある都道府県のみとして扱います）"
    if len(company.regions) == _NATIONWIDE:
        return "全国"
    return "、".join(prefecture(code) for code in sorted(company.regions)) or UNKNOWN


def deadline(issue: Issue, as_of: str | None) -> str:
    """The deadline as written, marked where it lies before the day of `as_of` (ISO)."""
    day = parse_date(issue.deadline) if as_of else None
    passed = day is not None and as_of is not None and day.isoformat() < as_of
    return f"{issue.deadline}（基準日の時点で過ぎています）" if passed else issue.deadline


def evidence_label(evidence: Evidence) -> str:
    """The kind of evidence in a word: 「意味」, 「言葉」 or 「橋渡し（買い物支援）」."""
    if evidence.via:
        return f"{BRIDGED}（{one_line(evidence.via)}）"
    return EVIDENCE_KINDS[evidence.kind]


def grounds(entry: Entry) -> tuple[str, ...]:
    """What inferred goals were inferred from, each quotation once, e.g. 3・11「異変を知らせる」."""
    goals_of: dict[str, list[str]] = {}
    for goal, quote in sorted(entry.goal_quotes.items()):
        goals_of.setdefault(one_line(quote), []).append(str(goal))
    return tuple(f"{'・'.join(numbers)}「{quote}」" for quote, numbers in goals_of.items())


def band_meanings() -> tuple[str, ...]:
    """What each band means, e.g. 「B＝検討の価値がある」."""
    return tuple(f"{band}＝{meaning}" for band, meaning in BANDS.items())


def has_bands(shortlists: Iterable[Shortlist]) -> bool:
    """Whether any entry has been given a band."""
    return any(entry.band for shortlist in shortlists for entry in shortlist.entries)


def companies(count: int) -> str:
    """A number of companies, e.g. 「1,204社」."""
    return f"{count:,}社"


def considered_sentence(shortlist: Shortlist) -> str:
    """How many were compared and how many left out, e.g. 「12社を検討、95社を地域で除外」.

    Sentences of the issue that it was not searched by are counted too.
    """
    if shortlist.status == "routed":
        return "企業との比較はしていません"
    left_out = [f"{companies(n)}を{EXCLUSIONS.get(k, k)}で除外" for k, n in _excluded(shortlist)]
    unsearched = len(shortlist.unsearched)
    set_aside = [f"課題のうち{unsearched}文は検索に使わず"] if unsearched else []
    considered = f"{companies(shortlist.considered)}を検討"
    return "、".join([considered, *(left_out or ["除外なし"]), *set_aside])


def reason(shortlist: Shortlist) -> str:
    """Why there is no candidate; empty for a ranked issue."""
    if shortlist.status == "unclear":
        return "課題の文章に手掛かりとなる言葉がないため、順位を付けていません。"
    if shortlist.status == "routed":
        return "振り分けの規則により、順位付けの対象から外しています。"
    if shortlist.status == "ranked":
        return ""
    if shortlist.considered:
        return (
            f"検討した{companies(shortlist.considered)}に、"
            "この課題の文章と共通する点がある企業はありませんでした。"
        )
    return _nobody_passed(shortlist)


def advice(shortlist: Shortlist) -> str:
    """What may be tried where there is no candidate; empty for a ranked issue."""
    if shortlist.status == "ranked":
        return ""
    if shortlist.status == "routed":
        return "所管の部署にご確認ください。"
    if shortlist.status == "no_candidate" and not shortlist.considered:
        return "".join(_ways_to_loosen(shortlist))
    return "だれが、どこで、何に困り、どうなりたいのかを、課題の内容に書き足してください。"


def _excluded(shortlist: Shortlist) -> list[tuple[str, int]]:
    order = list(EXCLUSIONS)
    counted = [(key, n) for key, n in shortlist.excluded.items() if n]
    return sorted(counted, key=lambda kn: (order.index(kn[0]) if kn[0] in order else 99, kn[0]))


def _nobody_passed(shortlist: Shortlist) -> str:
    excluded = _excluded(shortlist)
    if not excluded:
        return "企業が一社も登録されていないため、候補がありません。"
    rules = {
        "region": f"（{REGION_RULES[shortlist.constraint.region_rule]}）",
        "sdgs": f"（{SDG_RULES[shortlist.constraint.sdg_rule]}）",
    }
    counts = "、".join(
        f"{EXCLUSIONS.get(key, key)}の条件{rules.get(key, '')}で{companies(n)}"
        for key, n in excluded
    )
    return f"条件に合う企業がありませんでした。{counts}が対象から外れています。"


def _ways_to_loosen(shortlist: Shortlist) -> Iterator[str]:
    limits = {key for key, _ in _excluded(shortlist)}
    if not limits:
        yield "企業の表をご確認ください。"
    if "region" in limits and not shortlist.constraint.prefecture:
        yield "課題の都道府県が分かりません。都道府県か団体コードの欄をご確認ください。"
    if "region" in limits:
        if shortlist.constraint.region_rule in ("prefecture", "block"):
            yield "対応地域で探すには、実行時に --region-rule serves を付けてください。"
        yield "地域を問わずに探すには、実行時に --region-rule any を付けてください。"
    if "sdgs" in limits:
        yield "SDGsで絞らずに探すには、実行時に --sdg-rule prefer を付けてください。"
