"""Japanese text: normalised, cut into words, character bigrams and sentences.

The same functions serve issues and profiles, so that the two sides meet. NFKC comes before the
tagger: half-width ｺﾞﾐ has no lemma in UniDic, ゴミ and ごみ meet at 塵.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import fugashi

from matcher.codes import RADICALS
from matcher.types import Company, Issue

# Parts of speech that carry content in UniDic, but for sub-classes that support another word.
_CONTENT = frozenset({"名詞", "動詞", "形容詞", "形状詞"})
_SUPPORT = frozenset({"非自立可能", "数詞", "助動詞語幹"})

# Words of the field that unidic-lite cuts apart. Each has a test.
COMPOUNDS = frozenset({"脱炭素", "オンデマンド", "再エネ", "道の駅", "ヤングケアラー"})
_LONGEST_COMPOUND = 3  # in words of the dictionary
_COMPOUND_STARTS = frozenset(compound[0] for compound in COMPOUNDS)

# Nouns that only hold a sentence together (やること, そのため): they name nothing to be met.
_FORMAL = frozenset(
    "事 物 所 為 時 方 中 内 間 際 場合 上 下 後 前 今 他 等 自分 もの こと".split()
)

_SENTENCE = re.compile(r"[^。｡！？!?\n]+[。｡！？!?]*[」｣』）)]*")
_CLAUSE = re.compile(r"(?:[^、､，,;；]|(?<=\d)[，,](?=\d))+[、､，,;；]*")  # 1,000 is one number
_RUN = re.compile(r"\w+")
_VARIATION = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]")
# U+FDFA alone becomes eighteen letters in NFKC: a short cell would be searched by a book.
_FOLDED: dict[int, int | str] = {**RADICALS, 0xFDFA: " ", 0xFDFB: " "}
_LONG_SENTENCE = 120  # characters; a longer one is quoted by clauses
_LONG_LATTICE = 2000  # characters given to the tagger at once: its lattice grows with the sentence


@dataclass(frozen=True, slots=True)
class Word:
    """A content word: its dictionary form and where it stands in the normalised text."""

    lemma: str
    start: int
    end: int
    is_name: bool  # names a thing (見守り, 水道管); 進め and 効率よく only say something of one


def issue_text(issue: Issue) -> str:
    """The query of an issue: title, newline, description, as written."""
    return f"{issue.title}\n{issue.description}"


def company_text(company: Company) -> str:
    """The document of a company: the profile alone (name and industry in front cost 0.06 nDCG)."""
    return company.profile


def normalise(text: str) -> str:
    """The text in NFKC without controls, invisible marks and lone surrogates; newlines stay."""
    seen = text.translate(_SEEN).translate(_FOLDED)
    return unicodedata.normalize("NFKC", seen).translate(_SEEN)


def words(text: str) -> list[Word]:
    """The content words of a normalised text in their order, compounds of the field joined."""
    return [word for piece, start in _pieces(text) for word in _tag(piece, start)]


def lemmas(text: str) -> list[str]:
    """The dictionary forms of the content words of a normalised text, in their order."""
    return [word.lemma for word in words(text)]


def bigrams(text: str) -> list[str]:
    """The character bigrams of a normalised text, none across punctuation; a lone one stays."""
    runs = _RUN.findall(text.casefold())
    return [run[i : i + 2] for run in runs for i in range(max(1, len(run) - 1))]


def sentences(text: str) -> list[str]:
    """The sentences of a text exactly as written, blanks around them cut; long ones by clause."""
    found: list[str] = []
    for sentence in _SENTENCE.findall(text):
        parts = _CLAUSE.findall(sentence) if len(sentence) > _LONG_SENTENCE else [sentence]
        found += [part.strip() for part in parts if _RUN.search(part)]
    return found


def as_written(text: str) -> tuple[str, list[int], list[int]]:
    """The normalised text with, for each of its characters, where its source starts and ends.

    Lets a word found in the normalised text be quoted from the text as written.
    """
    folded: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    for start, end in _clusters(text):
        piece = normalise(text[start:end])
        folded.append(piece)
        starts += [start] * len(piece)
        ends += [end] * len(piece)
    return "".join(folded), starts, ends


def _visible(char: str) -> str:
    """The character; a blank for a control that separates, nothing for one that only hides."""
    if _VARIATION.match(char):
        return ""  # 葛 with and without a variation selector is one word
    if char == "\n" or char.isprintable():
        return char
    if char in "\t\v\f\r\x1c\x1d\x1e\x85\u2028\u2029" or char.isspace():
        return "\n" if char in "\v\f\r\x85\u2028\u2029" else " "
    return char if unicodedata.category(char) == "Co" else ""  # 外字 stay: they are somebody's name


class _Seen(dict[int, str]):
    """What is seen of each character, found out once."""

    def __missing__(self, code: int) -> str:
        return self.setdefault(code, _visible(chr(code)))


_SEEN = _Seen()


def _clusters(text: str) -> Iterator[tuple[int, int]]:
    """Start and end of each character with those that melt into it (ｶﾞ, か + dakuten)."""
    start = 0
    for at in range(1, len(text) + 1):
        if at == len(text) or not _melts(text[at]):
            yield start, at
            start = at


@cache
def _melts(char: str) -> bool:
    """Whether NFKC may join a character to the one before: a mark, a Hangul vowel or final.

    One that leaves nothing stays with the one before too: the mark after it still joins.
    """
    first = normalise(char)[:1]
    return not first or unicodedata.category(first)[0] == "M" or "\u1160" <= first <= "\u11ff"


def _pieces(text: str) -> Iterator[tuple[str, int]]:
    """Sentences, cut where they would be too long for one lattice, with their place."""
    for sentence in _SENTENCE.finditer(text):
        for at in range(sentence.start(), sentence.end(), _LONG_LATTICE):
            yield text[at : min(at + _LONG_LATTICE, sentence.end())], at


@cache
def _tagger() -> fugashi.Tagger:
    return fugashi.Tagger()


@dataclass(frozen=True, slots=True)
class _Node:
    """What the tagger found at a place: content words have a lemma."""

    surface: str
    start: int
    lemma: str | None
    is_name: bool
    is_suffix: bool


def _tag(piece: str, offset: int) -> list[Word]:
    """The content words of one sentence."""
    found = _tagger()(piece)
    nodes: list[_Node] = []
    at = offset
    for node, after in zip(found, [*found[1:], None], strict=False):  # a line of blanks has none
        at += len(node.white_space)
        suffix = node.feature.pos1 == "接尾辞" and node.feature.pos2 == "名詞的"
        nodes.append(_Node(node.surface, at, _content_lemma(node), _names(node, after), suffix))
        at += len(node.surface)
    return list(_join(nodes))


def _content_lemma(node: fugashi.UnidicNode) -> str | None:
    """The lemma of a content word (サービス-service → サービス), the surface of an unknown one."""
    feature = node.feature
    if feature.pos1 not in _CONTENT or feature.pos2 in _SUPPORT or not _RUN.search(node.surface):
        return None
    lemma = (feature.lemma or node.surface).split("-")[0] or node.surface
    return str(lemma).casefold()


def _names(node: fugashi.UnidicNode, after: fugashi.UnidicNode | None) -> bool:
    """Whether the word is a noun, or a verb used as one: 見守りを, 見守りサービス."""
    if node.feature.pos1 != "動詞":
        return bool(node.feature.pos1 == "名詞" and node.feature.lemma not in _FORMAL)
    if not str(node.feature.cForm).startswith("連用形"):
        return False
    follows = after.feature if after else None
    return follows is not None and (follows.pos1 == "名詞" or follows.pos2 in ("格助詞", "係助詞"))


def _join(nodes: list[_Node]) -> Iterator[Word]:
    """Words, with neighbours that spell a compound of the field joined to one."""
    at = 0
    while at < len(nodes):
        span = _compound(nodes, at)
        node, last = nodes[at], nodes[at + span - 1]
        end = last.start + len(last.surface)
        at += span
        if at < len(nodes) and nodes[at].is_suffix and nodes[at].start == end:
            end += len(nodes[at].surface)  # 高齢 + 者: quoted whole, found by 高齢
        if span > 1:
            joined = "".join(one.surface for one in nodes[at - span : at])
            yield Word(joined, node.start, end, is_name=True)
        elif node.lemma is not None:
            yield Word(node.lemma, node.start, end, node.is_name)


def _compound(nodes: list[_Node], at: int) -> int:
    """How many nodes from here spell a compound of the field; 1 when none do."""
    if nodes[at].surface[:1] not in _COMPOUND_STARTS:
        return 1  # a third of the time of a text went into trying
    for span in range(min(_LONGEST_COMPOUND, len(nodes) - at), 1, -1):
        if "".join(node.surface for node in nodes[at : at + span]) in COMPOUNDS:
            return span
    return 1
