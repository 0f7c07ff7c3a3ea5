"""Guards against texts that mislead the ranking, as they are tried out; no part of the product.

Of an issue: sentences that rule something out, and in a long one those that are about procedure,
are not searched by. Of profiles: `copies`, one that repeats the issue says nothing of its own;
`lists`, a long row of words that no sentence ties together is not read; `twins`, near copies of one
profile take one place.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from matcher import text
from matcher.rank.copies import repeats as copies
from matcher.rank.copies import shingles
from matcher.types import Company, Entry, Issue, Vectors

GUARDS = ("copies", "lists", "twins")
_LONG = 300  # characters of an issue; of a shorter one every sentence is searched by
_BESIDE = 0.2  # by how much a sentence lies nearer to procedure than to the title
_ALIKE = 0.6  # of the shingles of the shorter profile; honest ones 0.4 at most
_LEAST = 16  # shingles; a shorter text repeats another by chance
_LIST = 80  # characters without a particle; the longest stretch of 4,910 honest profiles has 70
_PLACES = 10
_TIE = re.compile("([をがはにでへ])")  # と, や and の stand in lists too
_TEXT_PARTS = frozenset({"dense", "words", "bigrams", "bridge", "reader"})
_REFUSED = re.compile(
    "[はもを]、?(?:特に|今回は?)?(?:"
    "求め(?:てい|ておりま|)(?:ない|ません|せん)|不要|必要(?:は|と(?:は)?してい)?(?:ない|ありません|ません)"
    "|望(?:んでい|ま)(?:ない|ません)|想定してい(?:ない|ません)|考えてい(?:ない|ません)"
    "|対象(?:外|と(?:は)?し(?:ない|ません))|[い要]ら(?:ない|ん)|[い要]りません|お断り|行う考えはない"
    ")(?:です|だ|である|とする|とします)?[。！]?$"
)

# What a sheet says of its own making, whatever it is about.
PROCEDURE = (
    "提案書は期限までに所定の様式で提出してください。",
    "応募に関する質問は電子メールで受け付けます。",
    "審査の結果は後日文書で通知する。",
    "契約の締結に当たっては市の財務規則に従う。",
    "予算は議会の議決を経て決定される。",
    "来年度の予算要求に向けて財政課と協議中である。",
    "日頃より市政にご協力いただきありがとうございます。",
    "ご不明な点がありましたら担当までお問い合わせください。",
    "ご確認のほどよろしくお願いいたします。",
    "本資料は検討段階のものであり、内容が変更となる場合があります。",
    "参加に要する費用は参加者の負担とする。",
    "秘密保持と個人情報の保護について協定で定める。",
    "本市の人口は約五万人で、面積は二百平方キロメートルである。",
    "第三次総合計画の重点施策に位置付けている。",
    "有識者会議や庁内の会議で進捗を確認する。",
    "パブリックコメントを実施し、広報紙で周知する。",
    "担当者の異動により引き継ぎが十分でない。",
    "添付書類として会社概要と納税証明書を求める。",
    "説明会の日程は改めてお知らせします。",
    "部内の決裁を経て公表する予定です。",
)


def matter(issue: Issue, encode: Callable[[Sequence[str]], Vectors]) -> Issue:
    """The issue with the sentences that say what is wanted; `encode` gives centred vectors."""
    kept = [one for one in text.sentences(issue.description) if not _REFUSED.search(one)]
    if len(issue.description) > _LONG:
        asked, usual = encode([issue.title, *kept]), encode(PROCEDURE)
        beside = (asked[1:] @ usual.T).max(axis=1) - asked[1:] @ asked[0]
        kept = [one for one, much in zip(kept, beside, strict=True) if much <= _BESIDE]
    elif len(kept) == len(text.sentences(issue.description)):
        return issue
    return replace(issue, description="".join(kept))


def alike(one: str, other: str) -> bool:
    """Whether two profiles are nearly the same registration."""
    ours, theirs = shingles(one), shingles(other)
    least = min(len(ours), len(theirs))
    return least >= _LEAST and len(ours & theirs) >= _ALIKE * least


def without_lists(company: Company) -> Company:
    """The company without the overlong lists of its profile.

    Whoever names sixty fields says nothing of any. A stretch of Latin letters has no particles.
    """
    stretches = _TIE.split(company.profile)
    return replace(company, profile="".join(one for one in stretches if not _is_list(one)))


def _is_list(stretch: str) -> bool:
    japanese = len(re.findall("[ぁ-ヿ一-龯]", stretch))
    return len(stretch) > _LIST and japanese > len(stretch) / 3


def guarded(issue: Issue, entries: Sequence[Entry], guards: Iterable[str]) -> list[Entry]:
    """The entries in their order under these guards.

    What copies the issue has no text of its own: its parts are the least that any company has. Of
    near copies of one profile the first stands for all.
    """
    kept = list(entries)
    if "copies" in guards:
        asked = text.issue_text(issue)
        least = {
            name: min(entry.parts[name] for entry in kept)
            for name in (kept[0].parts if kept else ())
            if name in _TEXT_PARTS
        }
        kept = [_as_least(e, least) if copies(asked, e.company.profile) else e for e in kept]
        kept.sort(key=lambda entry: -entry.score)  # stable: equals stay in their order
    if "twins" in guards:
        first: list[Entry] = []
        for entry in kept:
            if not any(
                alike(entry.company.profile, one.company.profile) for one in first[:_PLACES]
            ):
                first.append(entry)
        kept = first
    return kept


def _as_least(entry: Entry, least: Mapping[str, float]) -> Entry:
    parts = {**entry.parts, **least}
    return replace(entry, parts=parts, score=sum(parts.values()))
