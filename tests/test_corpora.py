from types import ModuleType

import numpy as np
import pytest
from examples import FakeEncoder
from test_benchmarks import script

from matcher import codes
from matcher.types import Constraint

COUNT, ASKED = 6_000, 400
PREFECTURES, GOALS = range(1, 48), range(1, 18)


@pytest.fixture(scope="module")
def corpora() -> ModuleType:
    return script("corpora")


@pytest.fixture(scope="module")
def made(corpora: ModuleType):
    return corpora.synthetic(COUNT, 7, queries=ASKED)


@pytest.fixture
def few(corpora: ModuleType, monkeypatch: pytest.MonkeyPatch):
    """Few texts stand for all."""
    texts = tuple(side[-80:] for side in corpora.real_texts())
    monkeypatch.setattr(corpora, "real_texts", lambda: texts)
    return texts


def everything(made) -> list[bytes]:
    corpus, asked = made
    arrays = (corpus.vectors, corpus.headquarters, corpus.serves, corpus.goals, asked)
    return [array.tobytes() for array in arrays]


def members(bits: np.unsignedinteger, among: range) -> set[int]:
    return {one for one in among if int(bits) >> one & 1}


def selectivities(corpora: ModuleType, corpus, questions) -> np.ndarray:
    return np.array([corpora.eligible(corpus, one.constraint).mean() for one in questions])


def kept(corpus, row: int, constraint: Constraint) -> bool:
    """The rules once more, in plain words."""
    office = f"{corpus.headquarters[row]:02d}"
    served = {f"{one:02d}" for one in members(corpus.serves[row], PREFECTURES)}
    goals = members(corpus.goals[row], GOALS)
    prefecture = constraint.prefecture
    in_region = {
        "any": True,
        "serves": prefecture in served if prefecture else len(served) == 47,
        "prefecture": office == prefecture,
        "block": bool(prefecture) and codes.block_of(office) == codes.block_of(prefecture),
    }
    wanted = constraint.sdgs
    in_goals = {"any": not wanted or bool(wanted & goals), "all": wanted <= goals}
    return in_region[constraint.region_rule] and in_goals.get(constraint.sdg_rule, True)


CONSTRAINTS = [
    Constraint(region_rule=region, prefecture=prefecture, sdg_rule=rule, sdgs=frozenset(goals))
    for region in ("serves", "prefecture", "block", "any")
    for prefecture in ("13", "01", "36", "")
    for rule in ("prefer", "any", "all", "ignore")
    for goals in ((), (11,), (3, 11), (1, 5, 14, 17))
]


def test_corpus_depends_on_its_seed_alone(corpora, made):
    assert everything(made) == everything(corpora.synthetic(COUNT, 7, queries=ASKED))
    assert everything(made) != everything(corpora.synthetic(COUNT, 8, queries=ASKED))
    corpus, _ = corpora.synthetic(COUNT, 7, queries=3)
    assert everything((corpus, made[1])) == everything(made)


def test_vectors_are_of_unit_length(made):
    corpus, asked = made
    assert (corpus.vectors.shape, asked.shape) == ((COUNT, 384), (ASKED, 384))
    for vectors in (corpus.vectors, asked):
        assert vectors.dtype == np.float32
        assert vectors.flags.c_contiguous
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)


def test_synthetic_cosines_are_like_those_of_real_texts(made):
    corpus, asked = made
    cosines = asked @ corpus.vectors.T
    assert 0.09 < cosines.std() < 0.11
    assert 0.42 < cosines.max(axis=1).mean() < 0.49
    among = corpus.vectors[:ASKED] @ corpus.vectors.T
    among[np.arange(ASKED), np.arange(ASKED)] = -1
    assert 0.45 < among.max(axis=1).mean() < 0.54


def test_facets_are_shared_out_as_in_generated_tables(corpora, made):
    corpus, _ = made
    generate = script("generate")
    served = np.bitwise_count(corpus.serves)
    assert set(served) == {1, 2, 3, 4, 47}
    assert abs(np.mean(served == 47) - generate._NATIONWIDE) < 0.02
    offices = np.bincount(corpus.headquarters, minlength=48)
    assert offices[0] == 0
    assert offices[1:].all()
    assert offices.argmax() == 13
    assert offices[13] > 0.35 * COUNT
    pursued = np.bitwise_count(corpus.goals)
    assert set(pursued) == {1, 2, 3, 4, 5, 6}
    shares = [np.mean(corpus.goals >> np.uint32(goal) & 1) for goal in GOALS]
    assert 1 + int(np.argmax(shares)) == 11
    assert min(shares) > 0.03
    assert not int(np.bitwise_or.reduce(corpus.goals)) & ~sum(1 << goal for goal in GOALS)


def test_company_serves_where_its_head_office_is(made):
    corpus, _ = made
    offices = corpus.headquarters.astype(np.uint64)
    assert (corpus.serves >> offices & np.uint64(1)).all()
    for row in np.flatnonzero(np.bitwise_count(corpus.serves) < 47)[:300]:
        served = {f"{one:02d}" for one in members(corpus.serves[row], PREFECTURES)}
        assert len({codes.block_of(code) for code in served}) == 1


def test_neighbours_share_more_goals_than_strangers(made):
    corpus, _ = made
    cosines = corpus.vectors[:2_000] @ corpus.vectors.T
    cosines[np.arange(2_000), np.arange(2_000)] = -1
    own = corpus.goals[:2_000]
    near, far = corpus.goals[cosines.argmax(axis=1)], corpus.goals[2_000:4_000]
    assert np.bitwise_count(own & near).mean() > 1.03 * np.bitwise_count(own & far).mean()


def test_eligible_is_what_a_plain_loop_finds(corpora):
    corpus, _ = corpora.synthetic(150, 3, dim=8, queries=1)
    for constraint in CONSTRAINTS:
        expected = [kept(corpus, row, constraint) for row in range(len(corpus))]
        assert corpora.eligible(corpus, constraint).tolist() == expected, constraint


def test_natural_questions_ask_as_issues_do(corpora, made):
    corpus, asked = made
    questions = corpora.natural(corpus, asked, 5)
    assert [one.constraint for one in questions] == [
        one.constraint for one in corpora.natural(corpus, asked, 5)
    ]
    assert all((one.vector == vector).all() for one, vector in zip(questions, asked, strict=True))
    assert 0.06 < selectivities(corpora, corpus, questions).mean() < 0.13
    rules = [one.constraint.region_rule for one in questions]
    assert set(rules) == {"serves", "prefecture", "block", "any"}
    assert rules.count("serves") > 0.6 * len(rules)
    assert {one.constraint.sdg_rule for one in questions} == {"any", "all", "ignore"}
    assert {len(one.constraint.sdgs) for one in questions} == {1, 2, 3, 4}
    assert len({one.constraint.prefecture for one in questions}) > 35


def test_stratified_questions_reach_every_bin_alike(corpora, made):
    corpus, asked = made
    found = selectivities(corpora, corpus, corpora.stratified(corpus, asked, 5))
    assert corpora.LEAST <= found.min() <= found.max() <= corpora.MOST
    edges = np.geomspace(corpora.LEAST, corpora.MOST, 9)
    filled, _ = np.histogram(found, edges)
    assert (abs(filled - ASKED / 8) <= 0.25 * ASKED / 8).all()


def test_nearly_empty_questions_have_none_to_twenty_rows(corpora, made):
    corpus, asked = made
    found = selectivities(corpora, corpus, corpora.nearly_empty(corpus, asked, 5)) * COUNT
    assert set(found.round()) == set(range(corpora.NEARLY_NONE + 1))


def test_real_corpus_begins_with_real_vectors(corpora, few, tmp_path):
    corpus, asked = corpora.real(300, 7, tmp_path, queries=100, encoder=FakeEncoder())
    profiles, issues = corpora.encoded(tmp_path, FakeEncoder())
    for vectors, texts in ((corpus.vectors, profiles), (asked, issues)):
        real = {vector.tobytes() for vector in texts}
        assert {vector.tobytes() for vector in vectors[: len(texts)]} == real
        assert not real & {vector.tobytes() for vector in vectors[len(texts) :]}
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    varied = corpus.vectors[len(profiles) :]
    assert (varied @ profiles.T).max(axis=1).mean() > 0.5
    same = corpora.real(300, 7, tmp_path, queries=100, encoder=FakeEncoder())
    assert everything(same) == everything((corpus, asked))


def test_small_real_corpus_is_a_part_of_the_real_vectors(corpora, few, tmp_path):
    corpus, asked = corpora.real(50, 7, tmp_path, queries=5, encoder=FakeEncoder())
    profiles, _ = corpora.encoded(tmp_path, FakeEncoder())
    assert (len(corpus), len(asked)) == (50, 5)
    kept = {vector.tobytes() for vector in corpus.vectors}
    assert len(kept) == 50
    assert kept < {vector.tobytes() for vector in profiles}


def test_real_texts_are_encoded_once_for_an_encoder(corpora, few, tmp_path):
    first, again, other = FakeEncoder(), FakeEncoder(), FakeEncoder("other")
    for encoder in (first, again, other):
        corpora.encoded(tmp_path / "cache", encoder)
    assert [len(one.documents) for one in (first, again, other)] == [110, 0, 110]
    assert len(list((tmp_path / "cache").iterdir())) == 2
