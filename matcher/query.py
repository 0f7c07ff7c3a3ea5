"""What an issue is searched by: its text without the sentences that would mislead a search.

A sentence that rules something out (カメラは求めていない) is near to exactly those who offer it,
and in a long text what is said of procedure drowns what is wanted. Both stay on every sheet; they
are only not searched by, and the shortlist says which they were.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import compress

import numpy as np

from matcher import text
from matcher.types import Issue, Vectors

_LONG = 300  # characters of a description; in a shorter one nothing is taken for procedure
_BESIDE = 0.2  # by how much a sentence lies nearer to procedure than to the title
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


@dataclass(frozen=True, slots=True)
class Query:
    """The issue as it is searched by, and the sentences of its description that are left out."""

    issue: Issue
    left_out: tuple[str, ...] = ()


def query_of(
    issue: Issue, encode: Callable[[Sequence[str]], Vectors], procedure: Callable[[], Vectors]
) -> Query:
    """What the issue is searched by.

    `encode` gives the centred vectors of queries, `procedure` those of `PROCEDURE`; neither is
    called for a short issue.

    The title is always searched by, and an issue of which nothing would be left is as it is.
    """
    sentences = text.sentences(issue.description)
    normalised = [text.normalise(one) for one in sentences]
    kept = np.array([not _REFUSED.search(one) for one in normalised], dtype=bool)
    if len(issue.description) > _LONG and kept.any():
        asked = encode([text.normalise(issue.title), *compress(normalised, kept)])
        # einsum adds in a fixed order, whatever the number of threads
        beside = np.einsum("id,jd->ij", asked[1:], procedure(), dtype=np.float64).max(axis=1)
        about = np.einsum("id,d->i", asked[1:], asked[0], dtype=np.float64)
        far = np.round(beside - about, 6) > _BESIDE
        kept[kept] = ~far
    if kept.all() or not (kept.any() or issue.title.strip()):
        return Query(issue)
    searched = replace(issue, description="".join(compress(sentences, kept)))
    return Query(searched, tuple(compress(sentences, ~kept)))
