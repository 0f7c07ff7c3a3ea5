"""Vectors with facets in any number, and what issues ask of them: filtered search is measured here.

Two kinds of vectors, one kind of facets. *Synthetic* vectors lie in overlapping clusters; *real*
ones are profiles of the written set and the cases, as the bundled encoder reads them. Facets are
shared out as in generated tables, and vectors that are near each other favour the same goals: a
filter is not independent of what it lets through. The same seed gives the same bytes.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import generate
import numpy as np
import written
from numpy.random import Generator
from numpy.typing import NDArray
from scipy import sparse
from threadpoolctl import threadpool_limits

from matcher import background, codes, text
from matcher.corpus import read_companies, read_issues
from matcher.embed import load_encoder
from matcher.embed.centring import Centring
from matcher.types import Constraint, Encoder, RegionRule, SdgRule, Vectors

Mask = NDArray[np.bool_]
Bits = NDArray[np.uint32]  # (n,), a set of goals each: bit g for goal g
Prefectures = NDArray[np.uint64]  # (n,), a set of prefectures each: bit p for prefecture p

LEAST, MOST = 0.001, 0.55  # selectivities of stratified questions
NEARLY_NONE = 20  # rows
_BLOCK = 32_768  # rows made at a time
_REGION_RULES: tuple[RegionRule, ...] = ("serves", "prefecture", "block", "any")
_SDG_RULES: tuple[SdgRule, ...] = ("any", "all", "ignore")
_EVERYWHERE = np.uint64(2**48 - 2)
_MATES = 2_520  # a multiple of the number of prefectures in any block
_POPULAR = np.array(generate._ZIPF)[np.argsort(generate._GOALS)]  # goal 1 first
_HOW_MANY = np.array((2, 5, 6, 3, 2, 1))  # weights of one goal, two goals, …
_TOPICS, _FAVOUR = 64, 6  # a favourite goal of a topic is so many times as popular
_POOL = 2_000  # constraints that are counted, for questions of a wanted selectivity

# Synthetic vectors are set by the real ones (bundled encoder, centred). As many, real | synthetic:
# deviation of the cosines of issues with profiles 0.102 | 0.099; an issue's best 0.458 ± 0.055 |
# 0.456 ± 0.088, tenth 0.358 | 0.380, hundredth 0.253 | 0.258; a profile's nearest 0.496 ± 0.086 |
# 0.491 ± 0.097. Larger corpora are hardly denser: 0.50 at 100,000, 0.52 at a million.
_FLAT = 6  # the variance along axis i falls as 1 / (i + 6)
_TYPICAL = (3, 8)  # Beta: how much of a vector is its cluster's centre
_COMMON = (0.05, 0.4)  # what all documents share, and all queries

# Varied ones are: a real profile's nearest rises by 0.033 with each doubling, so to 0.63 at
# 100,000, where it is 0.64.
_NEIGHBOURS, _STEP, _NOISE = 24, 0.5, 0.3


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Corpus:
    """Companies as a filtered search sees them; row i is one company everywhere."""

    vectors: Vectors  # (n, dim), rows of unit length, C order
    headquarters: NDArray[np.uint8]  # (n,), prefecture 1..47
    serves: Prefectures  # nationwide is all 47
    goals: Bits

    def __len__(self) -> int:
        return len(self.vectors)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Question:
    """What one issue asks for."""

    vector: NDArray[np.float32]  # (dim,), of unit length
    constraint: Constraint


def synthetic(
    count: int, seed: int, dim: int = 384, *, queries: int = 1_000
) -> tuple[Corpus, Vectors]:
    """A corpus of clusters of skewed sizes, and vectors of issues to ask it with.

    A vector is its cluster's centre and noise, with a little that its whole side shares. How much
    is centre differs from vector to vector, so that clusters overlap. There are 2,000 of them, and
    fewer where `count` is below 200,000. Variance decays from axis to axis of a rotated frame.
    """
    world, *rngs, facets = np.random.default_rng(seed).spawn(4)
    axes = np.sqrt(1 / (np.arange(dim) + _FLAT))
    clusters = max(20, min(2_000, count // 100))
    with threadpool_limits(1):  # bytes don't depend on the number of threads
        rotation = np.linalg.qr(world.standard_normal((dim, dim)))[0]
        frame = (axes[:, None] / np.linalg.norm(axes) * rotation).astype(np.float32)
        centres = world.standard_normal((clusters, dim), dtype=np.float32) @ frame
        vectors, asked = (
            _clustered(rng, some, centres, frame, common)
            for rng, some, common in zip(rngs, (count, queries), _COMMON, strict=True)
        )
        return _with_facets(facets, vectors), asked


def real(
    count: int, seed: int, folder: Path, *, queries: int = 1_000, encoder: Encoder | None = None
) -> tuple[Corpus, Vectors]:
    """A corpus of real texts' vectors, and real issues' to ask it with; varied beyond their number.

    Real are the first 7,514 rows (the profiles of the written set, near misses too, and of the
    cases, in random order) and the first 2,520 queries. Every other row is varied and is no text's:
    a real vector moved towards one of its nearest by a random share, with noise in the directions
    in which those differ among themselves. `folder` keeps what the encoder gave.
    """
    profiles, issues = encoded(folder, encoder)
    documents, asking, facets = np.random.default_rng(seed).spawn(3)
    with threadpool_limits(1):
        vectors, asked = _varied(documents, profiles, count), _varied(asking, issues, queries)
        return _with_facets(facets, vectors), asked


def encoded(folder: Path, encoder: Encoder | None = None) -> tuple[Vectors, Vectors]:
    """Every real profile and issue, each side centred as in a catalog of these profiles.

    They are encoded once (in two minutes) for a folder, an encoder and these texts.
    """
    encoder = encoder or load_encoder()
    sides = [[text.normalise(one) for one in side] for side in real_texts()]
    told = json.dumps([encoder.id, sides])
    path = folder / f"{hashlib.sha256(told.encode()).hexdigest()[:16]}.npz"
    if not path.exists():
        encode = (encoder.encode_documents, encoder.encode_queries) * 2
        folder.mkdir(parents=True, exist_ok=True)
        staged = path.with_suffix(".staged.npz")
        np.savez(staged, *(read(side) for read, side in zip(encode, sides, strict=True)))
        staged.rename(path)
    with np.load(path) as held:
        profiles, issues, prior, asked = held.values()
    centring = Centring.fit(asked, profiles, prior)
    return centring.documents(profiles), centring.queries(issues)


def real_texts() -> tuple[list[str], list[str], list[str], list[str]]:
    """Profiles and issues; then the background's, which only centre them."""
    companies = (*written.companies(), *read_companies(codes.data_folder() / "companies.csv"))
    issues = (*written.issues(), *read_issues(codes.data_folder() / "issues.csv"))
    profiles, asked = map(text.company_text, companies), map(text.issue_text, issues)
    return list(profiles), list(asked), background.profiles(), background.issues()


def natural(corpus: Corpus, vectors: Vectors, seed: int) -> list[Question]:
    """A question for each vector, as issues ask: some 9 % of the rows are eligible, on average.

    Prefectures are drawn as municipalities are, goals rather from those of the nearest of a
    thousand companies.
    """
    rng, count = np.random.default_rng(seed), len(vectors)
    towns = np.bincount([int(town["code"][:2]) for town in generate._municipalities()])
    some = rng.choice(len(corpus), min(len(corpus), 1_000), replace=False)
    with threadpool_limits(1):
        nearest = some[np.argmax(vectors @ corpus.vectors[some].T, axis=1)]
    constraints = map(
        _constraint,
        rng.choice(len(_REGION_RULES), count, p=(0.7, 0.13, 0.14, 0.03)),
        rng.choice(len(towns), count, p=towns / towns.sum()),
        rng.choice(len(_SDG_RULES), count, p=(0.3, 0.65, 0.05)),
        _some_goals(rng, corpus.goals[nearest], most=4),
    )
    return _questions(vectors, constraints)


def stratified(corpus: Corpus, vectors: Vectors, seed: int) -> list[Question]:
    """A question for each vector, spread evenly over the logarithm of the selectivity."""
    wanted = len(corpus) * np.geomspace(LEAST, MOST, len(vectors))
    return _spread(corpus, vectors, seed, wanted, most=4)


def nearly_empty(corpus: Corpus, vectors: Vectors, seed: int) -> list[Question]:
    """A question for each vector that has none to twenty eligible rows, each about as often."""
    wanted = np.resize(np.arange(NEARLY_NONE + 1.0), len(vectors))
    return _spread(corpus, vectors, seed, wanted, most=6)


def eligible(corpus: Corpus, constraint: Constraint) -> Mask:
    """Which rows keep every rule, by plain masks: the truth that the filters are held to."""
    return _in_region(corpus, constraint) & _in_goals(corpus, constraint)


def _in_region(corpus: Corpus, constraint: Constraint) -> Mask:
    rule, prefecture = constraint.region_rule, int(constraint.prefecture or 0)
    if rule == "any":
        return np.ones(len(corpus), dtype=bool)
    if rule == "serves":
        # An unknown prefecture is only surely served by those who serve all of them.
        asked = np.uint64(1 << prefecture) if prefecture else _EVERYWHERE
        return np.asarray(corpus.serves & asked == asked)
    if rule == "block" and prefecture:
        return np.isin(np.arange(48), _mates(constraint.prefecture))[corpus.headquarters]
    return np.asarray(corpus.headquarters == prefecture)


def _in_goals(corpus: Corpus, constraint: Constraint) -> Mask:
    if constraint.sdg_rule not in ("any", "all") or not constraint.sdgs:
        return np.ones(len(corpus), dtype=bool)
    asked = np.uint32(sum(1 << goal for goal in constraint.sdgs))
    shared = corpus.goals & asked
    return np.asarray(shared > 0 if constraint.sdg_rule == "any" else shared == asked)


def _spread(
    corpus: Corpus, vectors: Vectors, seed: int, wanted: NDArray[np.float64], most: int
) -> list[Question]:
    """A question for each vector that about so many rows may answer, from a pool of all kinds."""
    rng = np.random.default_rng(seed)
    regions, prefectures = rng.integers(len(_REGION_RULES), size=_POOL), rng.integers(1, 48, _POOL)
    goals = _some_goals(rng, np.zeros(_POOL, dtype=np.uint32), most)
    pool = [*map(_constraint, regions, prefectures, rng.integers(2, size=_POOL), goals)]
    sizes = np.array([np.count_nonzero(eligible(corpus, one)) for one in pool])
    inside = np.flatnonzero((wanted.min() <= sizes) & (sizes <= wanted.max()))
    # The fractions mean nothing: of constraints with one size chance takes one.
    order = np.argsort(keys := sizes[inside] + rng.random(len(inside)))
    places = np.searchsorted(keys[order], wanted + rng.random(len(wanted)))
    chosen = inside[order[np.minimum(places, len(order) - 1)]]
    return _questions(vectors, [pool[at] for at in chosen])


def _questions(vectors: Vectors, constraints: Iterable[Constraint]) -> list[Question]:
    pairs = zip(vectors, constraints, strict=True)
    return [Question(vector=vector, constraint=constraint) for vector, constraint in pairs]


def _constraint(region: int, prefecture: int, rule: int, goals: int) -> Constraint:
    return Constraint(
        region_rule=_REGION_RULES[region],
        prefecture=f"{prefecture:02d}",
        sdg_rule=_SDG_RULES[rule],
        sdgs=frozenset(goal for goal in range(1, 18) if goals >> goal & 1),
    )


def _clustered(
    rng: Generator, count: int, centres: Vectors, frame: Vectors, common: float
) -> Vectors:
    """So many vectors, in little more memory than they take."""
    vectors = np.empty((count, len(frame)), dtype=np.float32)
    shared = common * _unit(rng.standard_normal((1, len(frame)), dtype=np.float32))
    sizes = 1 / (np.arange(len(centres)) + len(centres) / 200 + 5)
    for block in _blocks(0, count):
        rows = vectors[block]
        clusters = rng.choice(len(centres), len(rows), p=sizes / sizes.sum())
        typical = rng.beta(*_TYPICAL, size=(len(rows), 1)).astype(np.float32)
        noise = rng.standard_normal(rows.shape, dtype=np.float32) @ frame
        rows[:] = np.sqrt(typical) * centres[clusters] + np.sqrt(1 - typical) * noise + shared
        rows[:] = _unit(rows)
    return vectors


def _varied(rng: Generator, texts: Vectors, count: int) -> Vectors:
    """The vectors of texts in random order, then as many varied ones as are missing."""
    own = rng.permutation(len(texts))[:count]
    vectors = np.empty((count, texts.shape[1]), dtype=np.float32)
    vectors[: len(own)] = texts[own]
    # Itself first, then the others in no order.
    near = np.argpartition(-(texts @ texts.T), (0, _NEIGHBOURS), axis=1)[:, : 1 + _NEIGHBOURS]
    often = rng.gamma(4, size=len(texts))  # each text about as often, give or take half
    for block in _blocks(len(own), count):
        parts = near[rng.choice(len(texts), len(vectors[block]), p=often / often.sum())]
        shares = _NOISE * rng.standard_normal(parts.shape, dtype=np.float32)
        shares -= shares[:, 1:].mean(axis=1, keepdims=True)
        step = rng.uniform(0, _STEP, len(parts)).astype(np.float32)
        shares[:, 0] = 1 - step
        shares[np.arange(len(parts)), rng.integers(1, parts.shape[1], len(parts))] += step
        ends = np.arange(0, parts.size + 1, parts.shape[1])
        weights = sparse.csr_array((shares.ravel(), parts.ravel(), ends), (len(parts), len(texts)))
        vectors[block] = _unit(weights @ texts)
    return vectors


def _with_facets(rng: Generator, vectors: Vectors) -> Corpus:
    """The corpus of these vectors: a topic is what is nearest to one of some vectors."""
    topics = vectors[rng.choice(len(vectors), min(len(vectors), _TOPICS), replace=False)]
    likings = np.uint32(1) << rng.integers(1, 18, (len(topics), 3), dtype=np.uint32)
    favourites = np.bitwise_or.reduce(likings, axis=1)
    every = sorted(codes.ALL_PREFECTURES)
    offices = np.array([generate._HEAD_OFFICES.get(code, 0.6) for code in every])
    headquarters = rng.choice(np.arange(1, 48), len(vectors), p=offices / offices.sum())
    goals = [
        _some_goals(rng, favourites[np.argmax(vectors[block] @ topics.T, axis=1)], most=6)
        for block in _blocks(0, len(vectors))
    ]
    return Corpus(
        vectors=vectors,
        headquarters=headquarters.astype(np.uint8),
        serves=_served(rng, headquarters),
        goals=np.concatenate(goals),
    )


def _served(rng: Generator, headquarters: NDArray[np.int64]) -> Prefectures:
    """All Japan, or the head office's prefecture with up to three others of its block."""
    mates = np.array([np.resize(_mates(code), _MATES) for code in sorted(codes.ALL_PREFECTURES)])
    served = np.uint64(1) << headquarters.astype(np.uint64)
    others = rng.integers(4, size=len(served))
    for place in range(3):
        other = mates[headquarters - 1, rng.integers(_MATES, size=len(served))]
        served |= (np.int64(place < others) << other).astype(np.uint64)
    served[rng.random(len(served)) < generate._NATIONWIDE] = _EVERYWHERE
    return served


def _some_goals(rng: Generator, favourites: Bits, most: int) -> Bits:
    """One goal to so many for each, the popular and the favourite ones more often."""
    goals = np.arange(1, 18, dtype=np.uint32)
    weights = _POPULAR * np.where(favourites[:, None] >> goals & 1, _FAVOUR, 1)
    first = np.argsort(rng.exponential(size=weights.shape) / weights, axis=1)[:, :most]
    usual = _HOW_MANY[:most] / _HOW_MANY[:most].sum()
    wanted = rng.choice(np.arange(1, most + 1), (len(favourites), 1), p=usual)
    chosen = np.where(np.arange(most) < wanted, np.uint32(1) << goals[first], np.uint32(0))
    return np.asarray(np.bitwise_or.reduce(chosen, axis=1))


def _mates(prefecture: str) -> list[int]:
    """The prefectures of a prefecture's block."""
    return sorted(int(code) for code in codes.block_members(codes.block_of(prefecture)))


def _unit(vectors: Vectors) -> Vectors:
    norms = np.sqrt(np.einsum("ij,ij->i", vectors, vectors))
    return np.asarray(vectors / norms[:, None], dtype=np.float32)


def _blocks(start: int, stop: int) -> Iterator[slice]:
    """Consecutive slices of rows."""
    return (slice(at, min(at + _BLOCK, stop)) for at in range(start, stop, _BLOCK))
