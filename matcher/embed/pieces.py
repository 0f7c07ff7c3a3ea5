"""Texts of any length through an encoder of limited length: nothing is cut off, no padding.

A text over the limit is read in pieces that end where sentences end. Only pieces of equal token
count share an inference: padding is what would make a vector depend on its neighbours
(10–78 % of the rows changed in their last bits when padded, none without).
"""

import re
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from matcher.types import Advance, Vectors

_SENTENCE_END = re.compile(r"(?:[。．！？!?]+[」』）)】\]]*|\.(?=\s)|\n)\s*")
_SURROGATE = re.compile("[\ud800-\udfff]")

# Texts in one inference. Few sizes, because OpenVINO keeps 0.5–1 MiB for every shape it has met
# (texts × tokens): with any size up to 64, a job of 2,000 issues × 20,000 companies ended at
# 3.8 GB. In batches of 1, 4, 16 one thread encodes 221, 402, 454 texts of 15 tokens a second, and
# 45, 50, 49 of 150 tokens.
SIZES = (16, 4, 1)
_LONGEST_TOKEN = 32  # letters; those of the vocabulary have at most sixteen
_BATCH_TOKENS = 2400  # 46 texts of 150 tokens a second in batches of 64: more gains nothing

Tokens = NDArray[np.int32]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Piece:
    """A text, or the part of one that fits the encoder."""

    owner: int  # position of its text
    text: str  # without the prompt
    tokens: Tokens  # with the prompt


def encode_in_pieces(
    texts: Sequence[str],
    *,
    tokenise: Callable[[str], Tokens],
    limit: int,
    embed: Callable[[Sequence[Piece]], Vectors],
    dim: int,
    threads: int = 1,
    sizes: Sequence[int] = SIZES,
    advance: Advance | None = None,
) -> Vectors:
    """A unit vector for each text, `(len(texts), dim)` float32, whatever its length.

    `embed` gives the unit vectors of pieces of equal token count, as many as one of `sizes` says
    (the largest first, 1 last), and is called from `threads` threads. The vector of a text in
    several pieces is their mean, weighted by token count. `advance` hears how many texts are done
    whenever a batch is.
    """
    pieces = list(_read(texts, tokenise, limit))
    vectors: Vectors = np.empty((len(pieces), dim), np.float32)
    left = Counter(piece.owner for piece in pieces)
    batches = in_batches([len(piece.tokens) for piece in pieces], sizes)
    pool = ThreadPoolExecutor(threads)
    try:
        spread = pool.map if threads > 1 else map
        done = spread(lambda rows: embed([pieces[row] for row in rows]), batches)
        for rows, found in zip(batches, done, strict=True):
            vectors[rows] = found
            left.subtract(pieces[row].owner for row in rows)
            if advance:
                advance(sum(left[owner] == 0 for owner in {pieces[row].owner for row in rows}))
    finally:
        pool.shutdown(cancel_futures=True)
    return _joined(vectors, pieces, len(texts))


def count_pieces(texts: Sequence[str], tokenise: Callable[[str], Tokens], limit: int) -> list[int]:
    """How many pieces each text is read in."""
    counts = Counter(piece.owner for piece in _read(texts, tokenise, limit))
    return [counts[owner] for owner in range(len(texts))]


def cut(text: str, count: Callable[[str], int], limit: int) -> list[str]:
    """Consecutive parts of `text`, none of more than `limit` tokens by `count`.

    A part is as many whole sentences as fit; a sentence that does not fit alone is cut where the
    limit falls. The parts laid end to end are the text. A single character is never cut.
    """
    ends = [match.end() for match in _SENTENCE_END.finditer(text)]
    if not ends or ends[-1] < len(text):
        ends.append(len(text))
    parts: list[str] = []
    start = 0
    while start < len(text):
        first = bisect_right(ends, start)
        # Where a sentence is as long as a book, counting it for each of its parts would take long.
        most = min(first + limit, len(ends))
        last = bisect_right(ends, start + _LONGEST_TOKEN * limit, first, most)
        end = (
            _furthest(text, start, ends[first:last], count, limit)
            or _furthest(text, start, range(start + 1, ends[first] + 1), count, limit)
            or start + 1
        )
        parts.append(text[start:end])
        start = end
    return parts


def in_batches(lengths: Sequence[int], sizes: Sequence[int] = SIZES) -> list[list[int]]:
    """Positions of pieces in batches of equal length, the longest first, of the given sizes."""
    groups: dict[int, list[int]] = defaultdict(list)
    for row, length in enumerate(lengths):
        groups[length].append(row)
    batches: list[list[int]] = []
    for length in sorted(groups, reverse=True):
        rows = groups[length]
        for size in sizes:
            while len(rows) >= size and (size == 1 or size * length <= _BATCH_TOKENS):
                batches.append(rows[:size])
                rows = rows[size:]
    return batches


def readable(text: str) -> str:
    """The text without halves of characters, which no tokenizer accepts."""
    return _SURROGATE.sub("\ufffd", text)


def unit(rows: NDArray[np.float64]) -> Vectors:
    """The rows brought to length 1, float32."""
    lengths = np.sqrt((rows * rows).sum(axis=-1, keepdims=True))
    scaled: Vectors = (rows / lengths).astype(np.float32)
    return scaled


def _read(texts: Sequence[str], tokenise: Callable[[str], Tokens], limit: int) -> Iterator[Piece]:
    """The pieces of all texts, in order; each has at most `limit` tokens."""
    for owner, text in enumerate(texts):
        whole = readable(text)
        tokens = tokenise(whole)
        if len(tokens) <= limit:
            yield Piece(owner=owner, text=whole, tokens=tokens)
            continue
        for part in cut(whole, lambda part: len(tokenise(part)), limit):
            yield Piece(owner=owner, text=part, tokens=tokenise(part))


def _furthest(
    text: str, start: int, ends: Sequence[int], count: Callable[[str], int], limit: int
) -> int | None:
    """The last of `ends` up to which the text from `start` fits; None when the first is too far.

    Steps double until one overshoots, so that no call counts much more than what fits.
    """
    fitting, step = -1, 1
    while fitting + step < len(ends) and count(text[start : ends[fitting + step]]) <= limit:
        fitting += step
        step *= 2
    beyond = min(fitting + step, len(ends))
    while beyond - fitting > 1:
        middle = (fitting + beyond) // 2
        if count(text[start : ends[middle]]) <= limit:
            fitting = middle
        else:
            beyond = middle
    return ends[fitting] if fitting >= 0 else None


def _joined(vectors: Vectors, pieces: Sequence[Piece], texts: int) -> Vectors:
    """One vector per text from those of its pieces, which stand together."""
    if len(pieces) == texts:
        return vectors
    starts = np.searchsorted([piece.owner for piece in pieces], np.arange(texts + 1))
    joined = vectors[starts[:-1]]
    for owner in np.flatnonzero(np.diff(starts) > 1):
        own = slice(starts[owner], starts[owner + 1])
        weights = np.array([len(piece.tokens) for piece in pieces[own]], np.float64)
        joined[owner] = unit(weights @ vectors[own].astype(np.float64))
    return joined
