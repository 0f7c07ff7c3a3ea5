"""Which span of the issue meets which span of the profile: quotations of both, nothing else."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from matcher import codes, text
from matcher.bridge import Crossing
from matcher.text import Word
from matcher.types import Company, Constraint, Evidence, Vectors

# Of a text of 200,000 characters, or of one word said again and again, all pairs are too many.
_MOST_COMPARED = 1000  # sentences
_MOST_PLACES = 50  # of one word


@dataclass(frozen=True, slots=True, eq=False)
class Passage:
    """A text taken apart for quoting."""

    sentences: tuple[str, ...]  # as written, each once
    vectors: Vectors  # centred, one for each sentence
    words: tuple[Word, ...]  # content words, placed in the text as written
    source: str  # the text as written


def passages(
    sources: Sequence[str],
    encode: Callable[[Sequence[str]], Vectors],
    centre: Callable[[Vectors], Vectors],
) -> list[Passage]:
    """A passage for each text; the sentences of all of them are encoded together."""
    split = [tuple(dict.fromkeys(text.sentences(source))) for source in sources]
    every = sorted({sentence for sentences in split for sentence in sentences})
    vectors = centre(encode([text.normalise(sentence) for sentence in every]))
    at = {sentence: i for i, sentence in enumerate(every)}
    return [
        Passage(found, vectors[[at[s] for s in found]], tuple(_placed_words(source)), source)
        for source, found in zip(sources, split, strict=True)
    ]


def region_reason(company: Company, constraint: Constraint) -> str:
    """In Japanese, how the company stands to the issue's prefecture: nearest reason first."""
    reason = _nearness(company, constraint.prefecture)
    if company.is_area_declared:
        return reason
    return f"{reason}（対応地域の記載なし、本社所在地のみとみなす）"


def _nearness(company: Company, here: str) -> str:
    home = codes.prefecture_name(company.headquarters) if company.headquarters else "不明"
    if here and company.headquarters == here:
        return f"本社が同じ都道府県（{home}）"
    if company.regions == codes.ALL_PREFECTURES:
        return "全国対応"
    if here in company.regions:
        return f"対応地域に{codes.prefecture_name(here)}を含む（本社 {home}）"
    if not here:
        return f"課題の都道府県が不明（本社 {home}）"
    block = codes.block_of(here)
    if company.headquarters in codes.block_members(block):
        return f"本社が同じ地域ブロック（{block}、{home}）"
    return f"対応地域の外（本社 {home}）"


def evidence(
    issue: Passage,
    company: Passage,
    crossings: Sequence[Crossing],
    rarity: Callable[[str], float],
    most: int,
) -> tuple[Evidence, ...]:
    """At most so many pairs of spans: nearest sentences, what the bridge joins, shared terms.

    `rarity` weighs a lemma; the terms whose words weigh most come first, ties in the issue's order.
    """
    found = [
        *_nearest_sentences(issue, company),
        *_bridged(issue, company, crossings, rarity),
        *_shared_terms(issue, company, rarity),
    ]
    return tuple(found[:most])


def _placed_words(source: str) -> Iterator[Word]:
    """The content words of a text, placed in the text as written."""
    folded, starts, ends = text.as_written(source)
    for word in text.words(folded):
        yield replace(word, start=starts[word.start], end=ends[word.end - 1])


def _nearest_sentences(issue: Passage, company: Passage) -> Iterator[Evidence]:
    """The pair of sentences with the highest cosine, where there is one above zero.

    In a very long text it is looked for among the first ones.
    """
    if not issue.sentences or not company.sentences:
        return
    # einsum adds in a fixed order; six decimals, so that the first of equals is always the same
    sides = (passage.vectors[:_MOST_COMPARED] for passage in (issue, company))
    cosines = np.round(np.einsum("id,jd->ij", *sides, dtype=np.float64), 6)
    at, to = np.unravel_index(int(cosines.argmax()), cosines.shape)
    if cosines[at, to] > 0:
        yield Evidence(
            issue_span=issue.sentences[at], company_span=company.sentences[to], kind="meaning"
        )


def _bridged(
    issue: Passage,
    company: Passage,
    crossings: Sequence[Crossing],
    rarity: Callable[[str], float],
) -> Iterator[Evidence]:
    """The rarest term of a line's solution that stands in the profile, of the nearest such line.

    Of the issue the sentence is quoted that lies nearest to the line.
    """
    if not issue.sentences:
        return
    for crossing in crossings:
        terms = [
            (sum(map(rarity, lemmas)), -at, to, len(lemmas))
            for at, lemmas in enumerate(crossing.line.lemmas())
            if lemmas and (to := _stands(lemmas, company)) is not None
        ]
        if terms:
            _, _, to, length = max(terms)
            cosines = np.einsum("id,d->i", issue.vectors, crossing.vector, dtype=np.float64)
            yield Evidence(
                issue_span=issue.sentences[int(np.round(cosines, 6).argmax())],
                company_span=_quote(company, to, length),
                kind="meaning",
                via=crossing.line.field,
            )
            return


def _stands(lemmas: Sequence[str], passage: Passage) -> int | None:
    """The first place where these words stand side by side in the passage."""
    words, length = passage.words, len(lemmas)
    for to in range(len(words) - length + 1):
        run = words[to : to + length]
        if [word.lemma for word in run] == list(lemmas) and all(
            one.end == other.start for one, other in pairwise(run)
        ):
            return to
    return None


def _shared_terms(
    issue: Passage, company: Passage, rarity: Callable[[str], float]
) -> Iterator[Evidence]:
    """The longest runs of words that stand in both texts, the rarest first, no word twice.

    A run that names nothing on either side (進め) is no reason for a partnership.
    """
    runs = sorted(_runs(issue, company), key=lambda run: (-_weight(issue, run, rarity), run.at))
    told: set[str] = set()
    for run in runs:
        words = issue.words[run.at : run.at + run.length]
        met = company.words[run.to : run.to + run.length]
        lemmas = {word.lemma for word in words}
        if lemmas <= told or not any(word.is_name for word in (*words, *met)):
            continue
        told |= lemmas
        yield Evidence(
            issue_span=_quote(issue, run.at, run.length),
            company_span=_quote(company, run.to, run.length),
            kind="term",
        )


@dataclass(frozen=True, slots=True)
class _Run:
    """So many neighbouring words at a place in the issue and at a place in the profile."""

    at: int
    to: int
    length: int


def _runs(issue: Passage, company: Passage) -> Iterator[_Run]:
    """For each word of the issue that opens a shared run, the longest one."""
    places: dict[str, list[int]] = {}
    for to, word in enumerate(company.words):
        places.setdefault(word.lemma, []).append(to)
    at = 0
    while at < len(issue.words):
        here = places.get(issue.words[at].lemma, ())[:_MOST_PLACES]
        length, to = max(((_reach(issue, at, company, to), -to) for to in here), default=(0, 0))
        if length:
            yield _Run(at, -to, length)
        at += max(1, length)


def _reach(issue: Passage, at: int, company: Passage, to: int) -> int:
    """How many words from these two places on are the same and stand side by side in both texts."""
    length = 1
    while (
        at + length < len(issue.words)
        and to + length < len(company.words)
        and issue.words[at + length].lemma == company.words[to + length].lemma
        and issue.words[at + length].start == issue.words[at + length - 1].end
        and company.words[to + length].start == company.words[to + length - 1].end
    ):
        length += 1
    return length


def _weight(issue: Passage, run: _Run, rarity: Callable[[str], float]) -> float:
    return sum(rarity(word.lemma) for word in issue.words[run.at : run.at + run.length])


def _quote(passage: Passage, at: int, length: int) -> str:
    return passage.source[passage.words[at].start : passage.words[at + length - 1].end]
