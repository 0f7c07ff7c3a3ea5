"""The peers of the speed benchmark answer what they are asked."""

import importlib
from dataclasses import dataclass
from itertools import product

import numpy as np
import pytest
from numpy.typing import NDArray

from matcher import codes
from matcher.types import Constraint

libraries = importlib.import_module("libraries")
peers = importlib.import_module("peers")
databases = importlib.import_module("databases")

CONTESTANTS = (*libraries.CONTESTANTS, *databases.CONTESTANTS)
EXACT = [contestant for contestant in CONTESTANTS if contestant.is_exact]
COUNT, DIM, K = 2000, 32, 10


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Columns:
    """What a peer may know of `corpora.Corpus`."""

    vectors: NDArray[np.float32]
    headquarters: NDArray[np.uint8]
    serves: NDArray[np.uint64]
    goals: NDArray[np.uint32]


def units(rng, count):
    vectors = rng.standard_normal((count, DIM)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.fixture(scope="module")
def corpus():
    rng = np.random.default_rng(7)
    headquarters = rng.integers(1, 48, COUNT).astype(np.uint8)
    serves = np.uint64(1) << headquarters.astype(np.uint64)
    serves |= np.uint64(1) << rng.integers(1, 48, COUNT).astype(np.uint64)
    serves[rng.random(COUNT) < 0.3] = np.uint64(sum(1 << p for p in range(1, 48)))
    goals = np.uint32(1) << rng.integers(1, 18, COUNT).astype(np.uint32)
    goals |= np.uint32(1) << rng.integers(1, 18, COUNT).astype(np.uint32)
    goals[:20] = 0  # who names none
    return Columns(vectors=units(rng, COUNT), headquarters=headquarters, serves=serves, goals=goals)


QUESTIONS = [
    Constraint(region_rule=region, prefecture=prefecture, sdg_rule=sdg, sdgs=frozenset(sdgs))
    for (region, prefecture), (sdg, sdgs) in product(
        [
            *[("serves", "23"), ("serves", ""), ("prefecture", "13")],
            *[("block", "40"), ("block", ""), ("any", "")],
        ],
        [("any", {3, 11}), ("all", {3, 11}), ("any", {17}), ("prefer", {3}), ("any", ())],
    )
]


def is_allowed(corpus, row, constraint):
    """The rules of `matcher/index/facets.py`, said once more and slowly."""
    prefecture = constraint.prefecture
    serves = {p for p in range(1, 48) if int(corpus.serves[row]) >> p & 1}
    goals = {g for g in range(1, 18) if int(corpus.goals[row]) >> g & 1}
    office = f"{corpus.headquarters[row]:02d}"
    in_region = {
        "serves": lambda: int(prefecture) in serves if prefecture else len(serves) == 47,
        "prefecture": lambda: office == prefecture,
        "block": lambda: bool(prefecture) and codes.block_of(office) == codes.block_of(prefecture),
        "any": lambda: True,
    }[constraint.region_rule]()
    if not constraint.sdgs or constraint.sdg_rule not in ("any", "all"):
        return in_region
    shared = constraint.sdgs & goals
    return in_region and bool(shared if constraint.sdg_rule == "any" else shared == constraint.sdgs)


@pytest.fixture(scope="module")
def questions(corpus):
    """Vector, constraint, and all allowed rows, best first."""
    vectors = units(np.random.default_rng(8), len(QUESTIONS))
    found = []
    for vector, constraint in zip(vectors, QUESTIONS, strict=True):
        rows = [row for row in range(COUNT) if is_allowed(corpus, row, constraint)]
        scores = corpus.vectors[rows].astype(np.float64) @ vector.astype(np.float64)
        found.append((vector, constraint, np.array(rows, dtype=int)[np.argsort(-scores)]))
    return found


@pytest.fixture(scope="module", params=CONTESTANTS, ids=lambda contestant: contestant.label)
def contestant(request):
    for package in request.param.packages:
        pytest.importorskip(package)
    return request.param


@pytest.fixture(scope="module")
def peer(contestant, corpus):
    return contestant.build(corpus)


def test_questions_leave_nobody_few_and_many(questions):
    counts = [len(allowed) for _, _, allowed in questions]
    assert 0 in counts
    assert any(0 < count < K for count in counts)
    assert COUNT in counts


def test_peer_finds_allowed_rows_once_and_best_first(contestant, peer, corpus, questions):
    for options in contestant.grid:
        tuned = peer.configured(**options)
        for vector, constraint, allowed in questions:
            rows = tuned.search(vector, constraint, K)
            assert rows.dtype == np.int64
            assert len(rows) == len(set(rows.tolist())) <= K, tuned.name
            assert set(rows.tolist()) <= set(allowed.tolist()), (tuned.name, constraint)
            assert (np.diff(corpus.vectors[rows] @ vector) < 1e-5).all(), tuned.name


@pytest.mark.parametrize("contestant", EXACT, indirect=True, ids=lambda exact: exact.label)
def test_exact_peer_equals_brute_force(contestant, peer, questions):
    for options in contestant.grid:
        tuned = peer.configured(**options)
        for vector, constraint, allowed in questions:
            found = tuned.search(vector, constraint, K).tolist()
            assert found == allowed[:K].tolist(), (tuned.name, constraint)


def test_lists_read_to_the_end_leave_nobody_out(corpus, questions):
    peer = libraries.FaissLists.build(corpus).configured(nprobe=COUNT)
    for cached, (vector, constraint, allowed) in product((True, False), questions):
        rows = peer.configured(cached=cached).search(vector, constraint, K)
        assert rows.tolist() == allowed[:K].tolist()


def test_tuning_changes_a_copy_and_its_name(corpus):
    peer = libraries.Products.build(corpus)
    tuned = peer.configured(cached=True)
    assert (peer.cached, tuned.cached) == (False, True)
    assert tuned.name == "numpy, order filter first, cached"
    assert tuned.filters is peer.filters
    with pytest.raises(ValueError, match="not by"):
        peer.configured(nprobe=3)


def test_only_contestants_with_their_package_are_installed():
    absent = peers.Contestant(
        label="absent", packages=("no_such_package",), build=libraries.Products.build
    )
    found = list(peers.installed([*CONTESTANTS, absent], only="numpy"))
    assert [contestant.label for contestant in found] == ["numpy"]
    assert not list(peers.installed([absent]))
