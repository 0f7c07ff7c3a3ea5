import csv
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from matcher.embed import load_reader
from matcher.embed.bundled import Reading
from matcher.embed.deltas import DOWN, LINEAR, UP, Deltas, save
from matcher.embed.packed import PackedModel, packed_path
from matcher.embed.pieces import cut
from matcher.embed.reader import LIMIT, BundledReader
from matcher.errors import MatcherError

DATA = Path(__file__).parents[1] / "data"
# The warnings of what transformers brings, none of them ours to mend.
THIRD_PARTY = [
    "ignore::DeprecationWarning:torch.*",
    "ignore::DeprecationWarning:transformers.*",
]
JOIN = 5
SENTENCE = "一人で暮らす高齢者の異変に、電気の使い方から気づく見守りの機器を貸し出しています。"
ODD = ["", " \n", "a\0b", "\ud83d", "😀👨‍👩‍👧", "</s>", "か\u3099", "query: ", "\ufdfa" * 20]
LONG = [SENTENCE * 14, "あ" * 700, SENTENCE * 60]  # of two, three and more than four pieces


def column(file, *names):
    with (DATA / file).open(encoding="utf-8-sig", newline="") as lines:
        return ["\n".join(row[name] for name in names) for row in csv.DictReader(lines)]


@cache
def pairs():
    """Pairs of texts of many lengths, some texts in several of them, some pairs twice."""
    issues = column("issues.csv", "title", "description")[:8]
    profiles = column("companies.csv", "profile")[:6]
    found = [(issue, profile) for issue in issues for profile in profiles[:4]]
    found += [(odd, profiles[0]) for odd in ODD] + [(issues[0], odd) for odd in ODD]
    found += [(LONG[0], profiles[0]), (issues[0], LONG[1]), (LONG[0], LONG[0]), ("", "")]
    return [*found, found[0], found[-2]]


def random_deltas():
    """Deltas of every matrix of a few layers on both sides of the join, and a head."""
    draw = np.random.default_rng(11)
    packed = PackedModel(packed_path())
    arrays = {}
    for layer in (0, 3, JOIN - 1, JOIN, 8, 11):
        for part in LINEAR:
            size = len(packed.tensor(f"l{layer}.{part}.b"))
            inside = len(packed.tensor(f"l{layer}.{part}.w")) // size
            arrays[f"l{layer}.{part}{DOWN}"] = draw.normal(0, 0.05, (4, inside))
            arrays[f"l{layer}.{part}{UP}"] = draw.normal(0, 0.05, (size, 4))
    for name in ("query_mean", "document_mean"):
        arrays[f"head.{name}"] = draw.normal(0, 0.03, 384)
    for name, deviation in (("product", 10), ("first", 1)):
        arrays[f"head.{name}"] = draw.normal(0, deviation, 384)
    arrays["head.numbers"] = np.array([20, -14.4, 2.5, 0.1])  # so that pairs differ
    return arrays, {"base": packed.digest(), "kind": "reader", "join": JOIN}


@pytest.fixture(scope="module")
def deltas(tmp_path_factory):
    path = tmp_path_factory.mktemp("deltas") / "reader.safetensors"
    save(path, *random_deltas())
    return Deltas.load(path)


@pytest.fixture(scope="module")
def reader(deltas):
    return BundledReader(deltas, threads=1)


@pytest.fixture(scope="module")
def twin(deltas):
    """The same reader on two threads."""
    return BundledReader(deltas, threads=2)


@pytest.fixture(scope="module")
def plain(deltas):
    """The same reader as on a CPU without bf16."""
    return BundledReader(deltas, threads=1, precision="f32")


@pytest.fixture(scope="module")
def found(reader):
    """What the reader says of all pairs together."""
    return reader.read(pairs())


@pytest.fixture(scope="module")
def reading():
    return Reading(PackedModel(packed_path()))


def pieces_of(text, reading, prompt):
    return cut(text, lambda part: len(reading.tokens(prompt + part)), LIMIT)


def test_bundled_is_what_load_reader_gives_by_default():
    reader = load_reader(threads=1)
    assert isinstance(reader, BundledReader)
    (one,) = reader.read([("水道管が古い", "水道管の診断")])
    assert 0 <= one <= 1


def test_probabilities_are_float64_between_zero_and_one(found):
    assert found.shape == (len(pairs()),)
    assert found.dtype == np.float64
    assert ((0 < found) & (found < 1)).all()
    assert len(set(found.tolist())) > 40


def test_no_pair_gives_no_probability(reader):
    assert reader.read([]).shape == (0,)


def test_advance_hears_of_each_pair_once(reader):
    heard = []
    reader.read(pairs()[:5], advance=heard.append)
    assert sum(heard) == 5


# A pair's probability is that of the pair


def test_alone_a_pair_has_the_bits_that_it_has_in_any_batch(reader, found):
    alone = np.concatenate([reader.read([pair]) for pair in pairs()])
    assert np.array_equal(alone, found)


def test_order_and_threads_do_not_change_a_bit(reader, twin, found):
    for seed, one in enumerate((reader, twin)):
        order = np.random.default_rng(seed).permutation(len(pairs()))
        assert np.array_equal(one.read([pairs()[at] for at in order]), found[order])


def test_blocks_do_not_change_a_bit(reader, found, monkeypatch):
    monkeypatch.setattr("matcher.embed.reader._BLOCK", 7)
    assert np.array_equal(reader.read(pairs()), found)


def test_equal_pairs_have_equal_probabilities(found):
    assert found[-2] == found[0]
    assert found[-1] == found[len(pairs()) - 4]


def test_f32_is_as_steady_and_near(plain, found):
    some = pairs()[:12] + pairs()[-8:]
    alone = np.concatenate([plain.read([pair]) for pair in some])
    assert np.array_equal(plain.read(some), alone)
    np.testing.assert_allclose(alone, np.r_[found[:12], found[-8:]], atol=0.1)


# Texts of every length


def test_long_text_is_read_piece_by_piece_and_the_best_counts(reader, reading):
    profile = "電気の使い方で見守る。"
    for text, most in zip(LONG, (2, 3, None), strict=True):
        pieces = pieces_of(text, reading, "query: ")
        assert len(pieces) == most or most is None
        apart = reader.read([(piece, profile) for piece in pieces[:4]])
        assert reader.read([(text, profile)])[0] == apart.max()


def test_long_texts_meet_with_every_piece_of_each_other(reader, reading):
    left = pieces_of(LONG[0], reading, "query: ")
    right = pieces_of(LONG[1], reading, "passage: ")
    apart = reader.read([(one, other) for one in left for other in right])
    assert len(apart) == 6
    assert reader.read([(LONG[0], LONG[1])])[0] == apart.max()


def test_what_stands_behind_the_fourth_piece_is_not_read(reader, reading):
    pieces = pieces_of(LONG[2], reading, "passage: ")
    assert len(pieces) > 4
    whole = f"{''.join(pieces[:5])}{'熊が出る。' * 90}"
    assert pieces_of(whole, reading, "passage: ")[:4] == pieces[:4]
    one, other = reader.read([("見守り", "".join(pieces[:4])), ("見守り", whole)])
    assert one == other


def test_text_at_the_limit_is_one_piece(reader, reading):
    longest = max(
        (text for text in ("水" * n for n in range(200, 300))
         if len(reading.tokens(f"query: {text}")) <= LIMIT),
        key=len,
    )  # fmt: skip
    assert pieces_of(longest, reading, "query: ") == [longest]
    assert np.isfinite(reader.read([(longest, longest[:-5])])).all()


def test_half_a_character_becomes_the_replacement_character(reader):
    halves, marks = (reader.read([(f"熊{c}", "空"), ("熊", f"{c}空")]) for c in "\udc80\ufffd")
    assert np.array_equal(halves, marks)


def test_empty_texts_are_read(reader):
    assert np.isfinite(reader.read([("", ""), ("熊", ""), ("", "熊")])).all()


def test_sides_are_told_apart(reader):
    one, other = reader.read([("熊が出る", "空き家"), ("空き家", "熊が出る")])
    assert one != other


# The same network in torch


@pytest.fixture(scope="module")
def bert(exported, deltas):
    """The exported folder in transformers, with the deltas merged into its layers."""
    import torch
    from transformers import AutoTokenizer, BertModel

    torch.set_num_threads(1)  # two that wait for each other take minutes on a busy machine
    names = {
        "q": "attention.self.query",
        "k": "attention.self.key",
        "v": "attention.self.value",
        "ao": "attention.output.dense",
        "fi": "intermediate.dense",
        "fo": "output.dense",
    }
    model = BertModel.from_pretrained(exported, attn_implementation="eager").eval()
    with torch.no_grad():
        for name in deltas.arrays():
            if name.endswith(UP):
                layer, part = name.removesuffix(UP).split(".")
                matrix = model.encoder.layer[int(layer[1:])].get_submodule(names[part])
                change = deltas.array(name) @ deltas.array(f"{layer}.{part}{DOWN}")
                matrix.weight += torch.from_numpy(change)
    return model, AutoTokenizer.from_pretrained(exported)


def layers(model, states, some):
    for layer in model.encoder.layer[some]:
        states = layer(states)
        states = states[0] if isinstance(states, tuple) else states
    return states


def expected_probability(bert, deltas, issue, profile):
    """Lower layers text by text, upper layers over both; the head as its docstring says it."""
    import torch

    model, tokenizer = bert

    def unit(vector):
        return vector / np.linalg.norm(vector)

    with torch.no_grad():
        read = []
        for text in (f"query: {issue}", f"passage: {profile}"):
            tokens = tokenizer(text, return_tensors="pt").input_ids
            read.append(layers(model, model.embeddings(tokens), slice(0, JOIN)))
        last = layers(model, torch.cat(read, dim=1), slice(JOIN, None))[0].double().numpy()
    split = read[0].shape[1]
    query = unit(unit(last[:split].mean(axis=0)) - deltas.array("head.query_mean"))
    document = unit(unit(last[split:].mean(axis=0)) - deltas.array("head.document_mean"))
    scale, bias, slope, shift = deltas.array("head.numbers").tolist()
    logit = (
        scale * (query @ document)
        + (query * document) @ deltas.array("head.product")
        + unit(last[0]) @ deltas.array("head.first")
        + bias
    )
    return 1 / (1 + np.exp(-(slope * logit + shift)))


@pytest.mark.filterwarnings(*THIRD_PARTY)
def test_probability_is_that_of_the_same_network_in_torch(bert, deltas, plain):
    some = [pair for pair in pairs()[::3] if not {*ODD, *LONG} & {*pair}]
    assert len(some) > 8
    expected = [expected_probability(bert, deltas, *pair) for pair in some]
    assert np.std(expected) > 0.1  # they say something
    np.testing.assert_allclose(plain.read(some), expected, atol=1e-3)


# Identity, and what is refused


def test_id_names_deltas_and_precision_and_not_threads(reader, twin, plain, deltas):
    assert deltas.digest[:12] in reader.id
    assert twin.id == reader.id
    assert "precision=f32" in plain.id
    other = Deltas(deltas.arrays(), deltas.told, "0" * 64)
    assert BundledReader(other, threads=1).id != reader.id


def test_deltas_of_other_weights_are_refused(deltas):
    told = {**deltas.told, "base": "0" * 64}
    with pytest.raises(MatcherError, match="別の版"):
        BundledReader(Deltas(deltas.arrays(), told, ""))


@pytest.mark.parametrize("threads", [0, -1])
def test_less_than_one_thread_is_refused(threads):
    with pytest.raises(MatcherError, match="1 以上"):
        load_reader(threads=threads)


def test_unknown_precision_is_refused():
    with pytest.raises(MatcherError, match="auto か f32"):
        load_reader(precision="f16")
