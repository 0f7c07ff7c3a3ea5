import shutil

import numpy as np
import pytest

from matcher.embed import load_reader
from matcher.embed.cross import CrossReader
from matcher.errors import MatcherError

# The warnings of what sentence-transformers brings, none of them ours to mend.
pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning:torch.*",
    "ignore::DeprecationWarning:transformers.*",
    "ignore::DeprecationWarning:sentence_transformers.*",
)

LIMIT = 40
ISSUES = ["空き家が多い。", "熊が出る。", "", "バスがない。" * 9, "熊"]
PROFILES = ["借り手をつなぐ。", "熊を知らせるセンサー。", "", "相乗りの車。" * 9]
PAIRS = [(issue, profile) for issue in ISSUES for profile in PROFILES]


def save_model(folder, outputs=1, *, has_head=True):
    """A model of two layers and 32 dimensions, a token a character."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from torch import manual_seed
    from transformers import (
        BertConfig,
        BertForSequenceClassification,
        BertModel,
        PreTrainedTokenizerFast,
    )

    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    characters = sorted({*"".join(ISSUES + PROFILES)})
    vocabulary = {token: at for at, token in enumerate([*special, *characters])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, "[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        model_max_length=LIMIT,
    ).save_pretrained(folder)
    manual_seed(7)
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=LIMIT,
        num_labels=outputs,
        initializer_range=0.3,  # so that pairs differ
    )
    (BertForSequenceClassification if has_head else BertModel)(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    import torch

    torch.set_num_threads(1)  # two that wait for each other take minutes on a busy machine
    return save_model(tmp_path_factory.mktemp("model") / "tiny")


@pytest.fixture(scope="module")
def reader(folder):
    return load_reader(str(folder))


def test_folder_of_a_cross_encoder_is_a_reader(reader):
    assert isinstance(reader, CrossReader)
    found = reader.read(PAIRS)
    assert found.shape == (len(PAIRS),)
    assert found.dtype == np.float64
    assert ((0 < found) & (found < 1)).all()
    assert len(set(found.tolist())) > 10


def test_probability_is_the_logistic_function_of_the_output(reader, folder):
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    expected = []
    for issue, profile in PAIRS:
        tokens = tokenizer([issue], [profile], truncation=True, return_tensors="pt")
        with torch.no_grad():
            expected.append(torch.sigmoid(model(**tokens).logits[0, 0]).item())
    np.testing.assert_allclose(reader.read(PAIRS), expected, atol=1e-5)


def test_batch_and_order_do_not_change_a_bit(reader):
    many = PAIRS * 3  # over one batch
    alone = np.concatenate([reader.read([pair]) for pair in PAIRS])
    assert np.array_equal(reader.read(many), np.tile(alone, 3))
    order = np.random.default_rng(5).permutation(len(many))
    assert np.array_equal(reader.read([many[at] for at in order]), np.tile(alone, 3)[order])


def test_sides_are_told_apart(reader):
    one, other = reader.read([("熊が出る。", "空き家が多い。"), ("空き家が多い。", "熊が出る。")])
    assert one != other


def test_half_a_character_becomes_the_replacement_character(reader):
    halves, marks = (reader.read([(f"熊{c}", "空"), ("熊", f"{c}空")]) for c in "\ud800\ufffd")
    assert np.array_equal(halves, marks)


def test_no_pair_gives_no_probability(reader):
    assert reader.read([]).shape == (0,)


def test_advance_hears_of_each_pair_once(reader):
    heard = []
    reader.read(PAIRS * 2, advance=heard.append)
    assert sum(heard) == 2 * len(PAIRS)
    assert len(heard) > 1


def test_id_is_that_of_the_content_wherever_it_lies(reader, folder, tmp_path):
    moved = tmp_path / folder.name
    shutil.copytree(folder, moved)
    assert load_reader(str(moved)).id == reader.id
    assert str(folder.parent) not in reader.id
    assert f"tokens={LIMIT}" in reader.id
    config = moved / "config.json"
    config.write_text(config.read_text().replace('"gelu"', '"relu"'))
    assert load_reader(str(moved)).id != reader.id


def test_nothing_is_printed_while_it_loads(folder, capfd):
    load_reader(str(folder), threads=1).read(PAIRS[:1])
    assert capfd.readouterr() == ("", "")


# What is refused


def complaint(name):
    """The one sentence, or two, that a person reads."""
    with pytest.raises(MatcherError) as caught:
        load_reader(str(name))
    sentence = str(caught.value)
    assert sentence.endswith("。")
    assert "\n" not in sentence
    return sentence


@pytest.mark.parametrize("outputs", [2, 3])
def test_model_with_several_outputs_is_refused(tmp_path, outputs):
    said = complaint(save_model(tmp_path / "model", outputs))
    assert f"{outputs}個の数" in said
    assert "num_labels=1" in said


def test_encoder_is_no_reader(tmp_path):
    assert "出力の層がありません" in complaint(save_model(tmp_path / "model", has_head=False))


def test_folder_that_is_missing_or_holds_no_model_is_refused(tmp_path):
    assert "ありません" in complaint(tmp_path / "missing")
    assert "config.json" in complaint(tmp_path)


@pytest.mark.parametrize("content", ["", "{", "{}", '{"model_type": "bert"}'])
def test_damaged_folder_is_refused(tmp_path, content):
    (tmp_path / "config.json").write_text(content)
    assert str(tmp_path) in complaint(tmp_path)


@pytest.mark.parametrize("cut", [0, 100, 3000])
def test_weights_cut_short_are_refused(folder, tmp_path, cut):
    broken = shutil.copytree(folder, tmp_path / "broken")
    weights = broken / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:cut])
    assert str(broken) in complaint(broken)


def test_file_is_no_model(tmp_path):
    (tmp_path / "reader.safetensors").write_bytes(b"")
    complaint(tmp_path / "reader.safetensors")
