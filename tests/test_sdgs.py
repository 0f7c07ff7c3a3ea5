import dataclasses
import json
import re
from collections.abc import Sequence

import numpy as np
import pytest
from examples import FakeEncoder
from numpy.typing import NDArray
from test_benchmarks import script
from test_data import most_alike

from matcher import sdgs, text
from matcher.codes import data_folder, goals
from matcher.index.facets import Facets
from matcher.types import Advance, Company, Constraint, Encoder, Issue, Reading, Vectors

PROFILE = "AIで橋の点検を省力化する。ドローンの画像から補修の順番を決める。"
NAMES = [goal.name for goal in goals().values()]
LISTS = (
    f"当社は{'、'.join(NAMES)}のすべてに取り組みます。",
    "".join(f"{name}。" for name in NAMES),
    "\n" + "\n".join(f"・{name}" for name in NAMES),
    "SDGsの17の目標すべてに貢献します。",
    "ＳＤＧｓの１７のゴールをめざします。",
    "貧困をなくそう、飢餓をゼロに、働きがいも経済成長も、つくる責任つかう責任を掲げる。",
)
# What a profile may add that wants to be found for everything, without calling a goal by its name.
STUFFING = (
    "貧困、飢餓、健康、教育、ジェンダー、水、エネルギー、雇用、産業、不平等、まちづくり、消費、"
    "気候、海、陸、平和、協働のすべてに貢献します。"
)


class Axes:
    """Each prototype text of goal g on axis g, everything else on the axis after the goals."""

    id = "axes"
    dim = 18

    def encode_queries(self, texts: Sequence[str], *, advance: Advance | None = None) -> Vectors:
        raise AssertionError("profiles and prototypes are on the answering side")

    def encode_documents(self, texts: Sequence[str], *, advance: Advance | None = None) -> Vectors:
        axis = {one: row for row, those in enumerate(sdgs.prototype_texts()) for one in those}
        return np.eye(18, dtype=np.float32)[[axis.get(one, 17) for one in texts]]

    def pieces(self, texts: Sequence[str]) -> list[int]:
        return [1] * len(texts)


def unit(vector: Sequence[float]) -> NDArray[np.float64]:
    return np.asarray(vector) / np.linalg.norm(vector)


def logit(likelihood: float) -> float:
    return float(np.log(likelihood / (1 - likelihood)))


def given_at(*likelihoods: float) -> tuple[int, ...]:
    """The goals that a text is given which speaks of goals 1, 2, … so likely."""
    biases = np.array([logit(one) for one in likelihoods])
    still = np.zeros((len(biases), 2))
    told = sdgs.GoalModel(np.zeros(2), still.astype(np.float32), still, biases)
    (given,) = told.given(np.array([[1, 0]], dtype=np.float32))
    return given


def test_texts_of_a_goal_are_its_name_its_sentence_and_its_phrases():
    texts = sdgs.prototype_texts()
    assert [len(those) for those in texts] == [7] * 17
    assert texts[12] == (goals()[13].name, goals()[13].sentence, *goals()[13].phrases)


def test_prototypes_are_centred_group_means():
    one, two = [1.0, 0.0], [0.0, 1.0]
    known = sdgs.from_vectors(
        np.array([one, one, two], dtype=np.float32), [2, 1], np.array([two], dtype=np.float32)
    )
    middle = np.array([2 / 3, 1 / 3])
    np.testing.assert_allclose(known.vectors[0], unit(one - middle), atol=1e-6)
    np.testing.assert_allclose(known.vectors[1], unit(two - middle), atol=1e-6)
    np.testing.assert_allclose(known.mean, (middle + two) / 2)
    assert known.spread == pytest.approx(1)  # one profile, its cosines are 1 and -1


def test_every_goal_has_a_prototype_and_they_stand_apart():
    known = sdgs.prototypes(Axes())
    assert known.vectors.shape == (17, 18)
    assert known.vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(known.vectors, axis=1), 1, atol=1e-6)
    phrases = [those[-1] for those in sdgs.prototype_texts()]
    assert sdgs.infer(phrases, Axes()) == [(goal,) for goal in range(1, 18)]


def test_cosine_counts_in_units_of_the_spread():
    known = sdgs.Prototypes(np.eye(2, dtype=np.float32), np.zeros(2), spread=0.1)
    wide = dataclasses.replace(known, spread=0.2)
    near = np.array([[1, 0]], dtype=np.float32)
    biases = np.array([-1.0, -2.0])
    assert sdgs.calibrated(known, 0.3, biases).logits(near).tolist() == [[2.0, -2.0]]
    assert sdgs.calibrated(wide, 0.3, biases).logits(near).tolist() == [[0.5, -2.0]]


def test_likely_goals_are_given_the_likeliest_first():
    assert given_at(0.31, 0.29, 0.9) == (3, 1)


def test_at_most_three_goals_and_ties_go_to_the_lower_number():
    assert given_at(0.4, 0.6, 0.6, 0.6, 0.6) == (2, 3, 4)


def test_a_text_that_speaks_of_no_goal_has_none():
    assert given_at(0.1, 0.2, 0.29) == ()


@pytest.mark.parametrize("empty", ["", " \n", "。、！"])
def test_a_text_without_a_word_has_no_goals(empty: str):
    assert sdgs.infer([empty], FakeEncoder()) == [()]
    assert sdgs.quotations([empty], [(3,)], FakeEncoder()) == [{}]


def test_incidence_has_a_column_for_each_goal_and_counts_which_goals_meet():
    asked = sdgs.incidence([frozenset({3, 11}), (11,), ()])
    answering = sdgs.incidence([{11, 17}, [9, 11], (1,)])
    assert asked.shape == answering.shape == (3, 17)
    assert asked.sum(axis=0).tolist() == [0, 0, 1, *[0] * 7, 2, *[0] * 6]
    met = asked.T @ answering
    assert met[11 - 1, 11 - 1] == 2  # both pairs
    assert met[3 - 1, 17 - 1] == met[3 - 1, 11 - 1] == 1  # the first
    assert met[:, 1 - 1].sum() == 0  # who answers with goal 1 was asked for none
    assert (asked.T @ asked)[3 - 1, 11 - 1] == 1


def test_incidence_of_nothing_has_its_columns_and_unknown_numbers_count_nowhere():
    assert sdgs.incidence([]).shape == (0, 17)
    assert sdgs.incidence([{0, 18}]).sum() == 0


def test_no_texts_give_no_goals():
    assert sdgs.infer([], FakeEncoder()) == []
    assert sdgs.quotations([], [], FakeEncoder()) == []


def test_goals_do_not_depend_on_the_neighbours():
    texts = [phrase for goal in goals().values() for phrase in goal.phrases]
    together = sdgs.infer(texts, FakeEncoder())
    assert [sdgs.infer([one], FakeEncoder())[0] for one in texts[:10]] == together[:10]
    assert sdgs.infer(texts[::-1], FakeEncoder())[::-1] == together


def test_known_vectors_are_not_made_again(fake: FakeEncoder):
    sdgs.infer([PROFILE], fake, fake.encode_documents([PROFILE]))
    assert fake.documents.count(PROFILE) == 1


@pytest.mark.parametrize("stuffing", LISTS)
def test_a_list_of_goals_gains_nothing(stuffing: str, fake: FakeEncoder):
    stuffed = PROFILE + stuffing
    plain = sdgs.infer([PROFILE], fake)
    assert plain != [()]
    assert sdgs.infer([stuffed], fake) == plain
    assert sdgs.infer([stuffed], fake, fake.encode_documents([stuffed])) == plain


@pytest.mark.parametrize("stuffing", LISTS)
def test_a_text_that_only_lists_goals_has_none(stuffing: str, fake: FakeEncoder):
    assert sdgs.infer([stuffing], fake) == [()]
    assert sdgs.quotations([stuffing], [(3, 17)], fake) == [{}]


def test_a_text_may_name_as_many_goals_as_it_can_be_given(fake: FakeEncoder):
    named = PROFILE + "産業と技術革新の基盤をつくろう、住み続けられるまちづくりをに取り組む。"
    sdgs.infer([named], fake)
    assert named in fake.documents


@pytest.mark.parametrize("stuffing", LISTS)
def test_a_list_of_goals_is_not_quoted(stuffing: str, fake: FakeEncoder):
    (found,) = sdgs.quotations([stuffing + "\n" + PROFILE], [tuple(range(1, 18))], fake)
    assert set(found) == set(range(1, 18))
    assert set(found.values()) <= set(text.sentences(PROFILE))


def test_the_sentence_nearest_to_a_goal_speaks_for_it():
    health, waste = goals()[3].phrases[1], goals()[12].phrases[0]
    source = f"本社は港の近くにある。\n{waste}\n{health}"
    assert sdgs.quotations([source], [(12, 3)], Axes()) == [{12: waste, 3: health}]


def test_the_first_of_equal_sentences_speaks_for_a_goal():
    assert sdgs.quotations(["港がある。空がある。"], [(3,)], Axes()) == [{3: "港がある。"}]


def test_a_quotation_stands_in_the_text_as_written(fake: FakeEncoder):
    source = "　ｺﾞﾐの減量を ＡＩ で支える。\n\n使わなくなった家具を、必要な人へ届ける。"
    (found,) = sdgs.quotations([source], [(9, 12)], fake)
    assert set(found) == {9, 12}
    assert all(quotation in source for quotation in found.values())


def test_a_text_without_goals_has_no_quotation(fake: FakeEncoder):
    assert sdgs.quotations([PROFILE, PROFILE], [(), (9,)], fake)[0] == {}


def test_another_encoder_has_its_prototypes_calibrated(fake: FakeEncoder):
    found, known = sdgs.model(fake), sdgs.prototypes(fake)
    slope, biases = sdgs.calibration()
    assert slope > 0
    np.testing.assert_array_equal(found.prototypes, known.vectors)
    np.testing.assert_allclose(found.directions, known.vectors * (slope / known.spread), rtol=1e-5)
    np.testing.assert_array_equal(found.biases, biases)


def test_fitted_model_asks_for_the_weights_and_not_for_the_precision():
    ours = "small sha256=1 query='q: ' document='p: ' precision=bf16 openvino=1"
    assert sdgs.weights_id(ours) == sdgs.weights_id(ours.replace("bf16", "f32"))
    assert sdgs.weights_id(ours) != sdgs.weights_id(ours.replace("sha256=1", "sha256=2"))
    assert sdgs.weights_id("any other encoder") == "any other encoder"


def test_fitted_model_belongs_to_the_bundled_encoder(bundled: Encoder):
    # Where this fails: python benchmarks/train_sdgs.py
    with np.load(data_folder() / sdgs.MODEL) as arrays:
        assert str(arrays["encoder"]) == sdgs.weights_id(bundled.id)
        assert str(arrays["sources"]) == script("train_sdgs").sources()
    assert sdgs.model(bundled).directions.shape == (17, bundled.dim)


def test_labels_are_of_issues_and_profiles_with_one_to_three_goals():
    lines = (data_folder() / "sdgs_labels.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    assert len({row["text"] for row in rows}) == len(rows) == 320
    assert [row["side"] for row in rows].count("issue") == 160
    assert {row["side"] for row in rows} == {"issue", "profile"}
    assert all(list(row) == ["text", "side", "field", "goals"] for row in rows)
    assert all(1 <= len(set(row["goals"])) == len(row["goals"]) <= 3 for row in rows)
    assert {goal for row in rows for goal in row["goals"]} == set(range(1, 18))


def test_no_label_is_a_copy_of_a_published_case(
    shipped_issues: Reading[Issue], shipped_companies: Reading[Company]
):
    cases = [text.issue_text(one) for one in shipped_issues]
    cases += [one.profile for one in shipped_companies]
    # 0.11 measured: 「を専門とするコンサルティング会社。」 in a text of three lines
    assert most_alike([one.text for one in script("train_sdgs").load_labels()], cases) < 0.15


def test_no_field_is_in_two_parts():
    labels = script("train_sdgs").load_labels()
    parts = {(one.field, one.part) for one in labels}
    assert len(parts) == len({field for field, _ in parts})
    counts = [sum(one.part == part for one in labels) for part in ("train", "dev", "held")]
    assert counts == [223, 39, 58]


def test_bundled_encoder_finds_goals_of_unseen_fields(bundled: Encoder):
    train, evaluate = script("train_sdgs"), script("eval_sdgs")
    held = [one for one in train.load_labels() if one.part == "held"]
    vectors, model = train.encode(held, bundled), sdgs.model(bundled)
    truth = train.truths([one.goals for one in held])
    texts = evaluate.Texts(vectors=vectors, truth=truth, main=[one.goals[0] for one in held])
    product = evaluate.quality(evaluate.likely(vectors, model), texts)
    before = evaluate.quality(evaluate.nearest(vectors, sdgs.prototypes(bundled)), texts)
    assert product.first > 0.65  # 0.71 measured
    assert product.in_three > 0.90  # 0.93 measured
    assert product.micro_f1 > 0.58  # 0.64 measured
    assert product.micro_f1 > before.micro_f1 + 0.05  # 0.13 measured
    assert product.calibration_error < 0.03  # 0.02 measured


def in_three(likelihoods: NDArray[np.float64], declared: Sequence[frozenset[int]]) -> float:
    best = np.argsort(-likelihoods, axis=1, kind="stable")[:, :3] + 1
    return float(np.mean([bool(a & set(b)) for a, b in zip(declared, best.tolist(), strict=True)]))


def test_bundled_encoder_finds_declared_goals(
    bundled: Encoder, shipped_issues: Reading[Issue], shipped_companies: Reading[Company]
):
    issues = [text.normalise(text.issue_text(one)) for one in shipped_issues]
    profiles = [text.normalise(text.company_text(one)) for one in shipped_companies]
    model = sdgs.model(bundled)
    asked = model.likelihoods(bundled.encode_documents(issues))
    answering = model.likelihoods(bundled.encode_documents(profiles))
    assert in_three(asked, [one.sdgs for one in shipped_issues]) >= 0.93  # 1.00 measured
    assert in_three(answering, [one.sdgs for one in shipped_companies]) >= 0.95  # 0.98 measured
    inferred = sdgs.infer(profiles, bundled)
    right = sum(
        len(one.sdgs & set(those)) for one, those in zip(shipped_companies, inferred, strict=True)
    )
    assert all(1 <= len(those) <= 3 for those in inferred)
    assert right / sum(map(len, inferred)) > 0.70  # 0.75 measured
    assert right / sum(len(one.sdgs) for one in shipped_companies) > 0.65  # 0.71 measured


def test_stuffing_gains_nothing_on_the_published_issues(
    bundled: Encoder, shipped_issues: Reading[Issue], shipped_companies: Reading[Company]
):
    fifth = shipped_companies.records[::5]
    plain = [text.normalise(text.company_text(one)) for one in fifth]
    for stuffing in (STUFFING, LISTS[0]):
        stuffed = [profile + stuffing for profile in plain]
        sums = []
        for profiles in (plain, stuffed):
            inferred = sdgs.infer(profiles, bundled)
            companies = [
                dataclasses.replace(one, sdgs=frozenset(found))
                for one, found in zip(fifth, inferred, strict=True)
            ]
            facets, rows = Facets.build(companies), np.arange(len(companies), dtype=np.int64)
            constraints = [Constraint(sdgs=issue.sdgs) for issue in shipped_issues]
            sums.append(sum(facets.shared_goals(one, rows).scores.sum() for one in constraints))
        assert sums[1] <= sums[0]


def test_quotations_of_published_profiles_are_their_own_sentences(
    bundled: Encoder, shipped_companies: Reading[Company]
):
    profiles = [one.profile for one in shipped_companies][::10]
    given = sdgs.infer([text.normalise(one) for one in profiles], bundled)
    found = sdgs.quotations(profiles, given, bundled)
    assert [tuple(those) for those in found] == given
    assert all(
        quotation in text.sentences(profile)
        for profile, those in zip(profiles, found, strict=True)
        for quotation in those.values()
    )
    energy = next(q[7] for q in found if 7 in q)
    assert re.search("発電|電力|エネルギー", energy)
