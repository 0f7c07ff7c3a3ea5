"""Training: what the deltas compute in torch is what OpenVINO computes from them."""

import random

import numpy as np
import pytest
import torch

from matcher.embed.bundled import QUERY_PROMPT, BundledEncoder
from matcher.embed.deltas import Deltas, Weights, save
from matcher.embed.layers import Input, Layers, hide
from matcher.embed.packed import PackedModel, packed_path
from matcher.embed.reader import BundledReader
from matcher.embed.reader_training import Graded, ReaderRecipe, train_reader
from matcher.embed.training import Recipe, adapt, ndcg_at_10, schedule
from matcher.errors import MatcherError
from matcher.types import Example

TEXTS = ("坂が多くて外に出られない。", "町内の商店がなくなり、買い物に困る人が増えた。")
FITS = (
    "予約に応じて走る乗合の車を運営する。",
    "移動販売の車で食品を届ける。",
    "電力の使い方から異変を知らせる。",
    "空き家の持ち主と借り手をつなぐ。",
    "農家と学校給食をつなぐ直売所。",
    "外国語の窓口を電話で支える。",
    "水道管の漏れを音で見つける。",
    "図書を車に積んで巡る。",
)
NEEDS = (
    "通院の足がない。",
    "買い物に行けない人がいる。",
    "独り暮らしの人の異変に気づけない。",
    "空いた家が増えている。",
    "給食に地元の野菜が使えない。",
    "窓口で言葉が通じない。",
    "水道の漏れが多い。",
    "本を借りに来られない。",
)
EXAMPLES = tuple(
    Example(issue=need, fits=(fit,), misses=(FITS[at - 1],), group=str(at))
    for at, (need, fit) in enumerate(zip(NEEDS, FITS, strict=True))
)


@pytest.fixture(scope="module")
def weights():
    return Weights(PackedModel(packed_path()))


def test_layers_in_torch_agree_with_the_encoder(weights):
    layers, start = Layers(weights, 0, 12, 4), Input(weights)
    with torch.no_grad():
        states, there = start([start.reading.tokens(QUERY_PROMPT + text) for text in TEXTS])
        last = layers(states, hide(there), layers.merged()).float()
    pooled = ((last * there[..., None]).sum(1) / there.sum(1, keepdim=True)).numpy()
    pooled /= np.linalg.norm(pooled, axis=1, keepdims=True)
    cosines = (pooled * BundledEncoder(1).encode_queries(TEXTS)).sum(1)
    assert cosines.min() > 0.999


def test_adaptation_keeps_what_ranks_the_examples_apart_best(tmp_path):
    recipe = Recipe(rank=2, epochs=2, batch=8, looks=2)
    arrays, told = adapt(EXAMPLES, EXAMPLES[:3], recipe)
    assert told["apart"]["after"] >= told["apart"]["before"]
    assert [point["step"] for point in told["curve"]] == [0, 1, 2]
    assert told["data"] | {"sha256": ""} == {"examples": 8, "apart": 3, "general": 0, "sha256": ""}
    save(tmp_path / "learnt.safetensors", arrays, told)
    learnt = Deltas.load(tmp_path / "learnt.safetensors")
    encoder = BundledEncoder(1, deltas=learnt)
    assert learnt.digest[:12] in encoder.id
    assert encoder.encode_queries(TEXTS).shape == (2, 384)


def test_adaptation_goes_on_from_what_was_learnt(tmp_path):
    arrays, told = adapt(EXAMPLES, EXAMPLES[:1], Recipe(rank=2, epochs=1, batch=8, looks=1))
    save(tmp_path / "first.safetensors", arrays, told)
    start = Deltas.load(tmp_path / "first.safetensors")
    again, _ = adapt(
        EXAMPLES, EXAMPLES[:1], Recipe(rank=2, rate=0.0, epochs=1, batch=8, looks=1), start=start
    )
    for name, array in start.arrays().items():
        assert np.allclose(again[name], array, atol=1e-6)


def test_general_texts_stay_nearer_where_they_were_when_moving_has_a_price(tmp_path):
    plain = BundledEncoder(1)
    headings = [
        ("鍋の焦げの落とし方", "重曹を溶かした湯を煮立て、冷めるまで置いてからこする。")
    ] * 2
    asked = ["星の等級とは何か", "糸の太さの選び方"]
    where = plain.encode_queries(asked)
    moved = []
    for still, anchor in ((0.0, 0.0), (500.0, 500.0)):
        recipe = Recipe(rank=2, rate=5e-3, epochs=4, batch=8, looks=4, still=still, anchor=anchor)
        arrays, told = adapt(EXAMPLES, EXAMPLES[:3], recipe, general=headings)
        assert told["data"]["general"] == 2
        save(tmp_path / "learnt.safetensors", arrays, told)
        learnt = BundledEncoder(1, deltas=Deltas.load(tmp_path / "learnt.safetensors"))
        moved.append(1 - (learnt.encode_queries(asked) * where).sum(1).mean())
    assert moved[1] < moved[0] / 2


@pytest.mark.parametrize("learnt, apart", [(EXAMPLES[:7], EXAMPLES[:1]), (EXAMPLES, ())])
def test_too_few_examples_are_refused_in_a_sentence(learnt, apart):
    with pytest.raises(MatcherError, match="足りません"):
        adapt(learnt, apart, Recipe())


def test_reader_computes_what_its_training_computed(tmp_path):
    """Trained for two steps, the reader orders pairs by the numbers that the training saw."""
    lists = [
        Graded(
            issue=need,
            candidates=tuple((fit, 3 if at == place else 0) for place, fit in enumerate(FITS)),
        )
        for at, need in enumerate(NEEDS)
    ]
    recipe = ReaderRecipe(rank=4, epochs=1, batch=4, candidates=6, looks=1, rate=5e-3)
    arrays, told = train_reader(lists, lists[:4], recipe)
    save(tmp_path / "reader.safetensors", arrays, told)
    reader = BundledReader(Deltas.load(tmp_path / "reader.safetensors"), 1, "f32")
    gains = np.array([3.0 if at == place else 0.0 for at in range(4) for place in range(8)])
    likely = reader.read([(one.issue, fit) for one in lists[:4] for fit, _ in one.candidates])
    found = [
        ndcg_at_10(likely[start : start + 8], gains[start : start + 8]) for start in range(0, 32, 8)
    ]
    # bf16 in training against f32 here: the order of near-equal candidates may differ
    assert abs(np.mean(found) - told["apart"]["after"]) < 0.1
    assert ((likely > 0) & (likely < 1)).all()


def test_rate_rises_then_falls_to_zero():
    rates = [schedule(step, 100) for step in range(1, 101)]
    assert rates.index(max(rates)) in range(8, 11)
    assert rates[-1] == pytest.approx(0.01)


def test_ndcg_is_the_fields_own():
    import ir_measures

    draw = random.Random(3)
    scores = np.array([draw.random() for _ in range(30)])
    gains = np.array([float(draw.choice((0, 0, 0, 1, 3))) for _ in range(30)])
    run = {"q": {str(at): float(score) for at, score in enumerate(scores)}}
    qrels = {"q": {str(at): int(gain) for at, gain in enumerate(gains)}}
    expected = ir_measures.calc_aggregate([ir_measures.nDCG @ 10], qrels, run)
    assert ndcg_at_10(scores, gains) == pytest.approx(next(iter(expected.values())))
