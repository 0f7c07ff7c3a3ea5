import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matcher.embed.bundled import BundledEncoder
from matcher.embed.deltas import DOWN, LINEAR, UP, Deltas, Weights, on_top, save
from matcher.embed.packed import PackedModel, packed_path
from matcher.embed.reader import BundledReader
from matcher.errors import MatcherError

TOLD = {"base": "0" * 64, "kind": "encoder", "recipe": {"rank": 2, "種": "一"}}


def arrays(seed=0, rank=3):
    """Deltas of two matrices, in numbers that half precision holds exactly."""
    draw = np.random.default_rng(seed)
    return {
        name: draw.integers(-64, 64, shape).astype(np.float32) / 64
        for name, shape in (
            (f"l0.q{DOWN}", (rank, 384)),
            (f"l0.q{UP}", (384, rank)),
            (f"l11.fo{DOWN}", (rank, 1536)),
            (f"l11.fo{UP}", (384, rank)),
            ("head.first", (384,)),
        )
    }


def saved(folder, held=None, told=TOLD, name="d.safetensors"):
    path = folder / name
    save(path, arrays() if held is None else held, told)
    return path


def complaint(path):
    """The one sentence, or two, that a person reads."""
    with pytest.raises(MatcherError) as caught:
        Deltas.load(path)
    sentence = str(caught.value)
    assert str(path) in sentence
    assert sentence.endswith("。")
    return sentence


@pytest.fixture(scope="module")
def packed():
    return PackedModel(packed_path())


@pytest.fixture(scope="module")
def base(packed):
    return {**TOLD, "base": packed.digest()}


# The file


def test_loaded_deltas_are_what_was_saved(tmp_path):
    found = Deltas.load(saved(tmp_path))
    assert found.told == TOLD
    for name, array in arrays().items():
        assert found.array(name).dtype == np.float32
        assert np.array_equal(found.array(name), array)
    with pytest.raises(KeyError):
        found.array("head.second")


def test_saved_again_the_bytes_are_the_same(tmp_path):
    first = saved(tmp_path)
    found = Deltas.load(first)
    again = saved(tmp_path, found.arrays(), found.told, name="e.safetensors")
    assert again.read_bytes() == first.read_bytes()
    assert Deltas.load(again).digest == found.digest


def test_order_and_layout_of_the_arrays_do_not_change_a_byte(tmp_path):
    held = {
        name: np.asfortranarray(array.astype(np.float64))
        for name, array in reversed(arrays().items())
    }
    told = dict(reversed(TOLD.items()))
    other = saved(tmp_path, held, told, name="e.safetensors")
    assert other.read_bytes() == saved(tmp_path).read_bytes()


def test_digest_changes_with_the_arrays_and_with_what_is_told(tmp_path):
    files = [
        saved(tmp_path, name="1.safetensors"),
        saved(tmp_path, arrays(seed=1), name="2.safetensors"),
        saved(tmp_path, told={**TOLD, "seed": 2}, name="3.safetensors"),
    ]
    assert len({Deltas.load(path).digest for path in files}) == 3


def test_numbers_are_kept_in_half_precision(tmp_path):
    held = {"x": np.array([1 / 3, 1e-9, 65504.0])}
    found = Deltas.load(saved(tmp_path, held)).array("x")
    assert found.tolist() == held["x"].astype(np.float16).astype(np.float32).tolist()


def test_others_may_read_the_file(tmp_path):
    path = saved(tmp_path)
    assert path.stat().st_mode & 0o777 == 0o644


def test_missing_file_is_said(tmp_path):
    complaint(tmp_path / "none.safetensors")
    complaint(tmp_path)


@pytest.mark.parametrize("content", [b"", b"\0" * 8, b"no weights at all" * 9, b"\xff" * 100])
def test_other_content_is_refused(tmp_path, content):
    path = tmp_path / "d.safetensors"
    path.write_bytes(content)
    complaint(path)


def test_file_cut_short_is_refused(tmp_path):
    path = saved(tmp_path)
    whole = path.read_bytes()
    for size in (4, 8, 100, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:size])
        complaint(path)


@pytest.mark.parametrize("told", [None, "", "{", "1", "null", "[1]", '"text"'])
def test_file_that_does_not_tell_how_it_came_about_is_refused(tmp_path, told):
    from safetensors.numpy import save_file

    path = tmp_path / "d.safetensors"
    save_file(arrays(), path, metadata=None if told is None else {"told": told})
    complaint(path)


def test_numbers_that_numpy_does_not_know_are_refused(tmp_path):
    header = json.dumps(
        {
            "__metadata__": {"told": json.dumps(TOLD)},
            "x": {"dtype": "BF16", "shape": [1], "data_offsets": [0, 2]},
        }
    ).encode()
    path = tmp_path / "d.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header + b"\0\0")
    try:
        assert Deltas.load(path).array("x").tolist() == [0]
    except MatcherError as error:
        assert str(error).endswith("。")


# The change of a weight


def test_change_is_up_times_down(tmp_path):
    found, held = Deltas.load(saved(tmp_path)), arrays()
    for name in ("l0.q", "l11.fo"):
        change = found.change(name)
        assert change.dtype == np.float32
        # whole multiples of 1/4096: the sum is exact in any order
        assert np.array_equal(change, held[name + UP] @ held[name + DOWN])


def test_matrix_without_deltas_is_left_alone(tmp_path):
    assert Deltas.load(saved(tmp_path)).change("l0.k") is None


@settings(max_examples=10)
@given(st.integers(1, 8), st.integers(0, 99))
def test_weight_with_deltas_is_the_weight_and_the_change(packed, base, rank, seed):
    held = arrays(seed, rank)
    deltas = Deltas(held, base, "")
    weights, plain = Weights(packed, deltas), Weights(packed)
    for name, rows in (("l0.q", 384), ("l11.fo", 384)):
        expected = plain.tensor(f"{name}.w").reshape(rows, -1) + held[name + UP] @ held[name + DOWN]
        found = weights.tensor(f"{name}.w")
        assert found.dtype == np.float32
        assert np.array_equal(found.reshape(rows, -1), expected)
    assert weights.shape == plain.shape == packed.shape


def test_what_has_no_deltas_stays_as_it_is(packed, base):
    weights = Weights(packed, Deltas(arrays(), base, ""))
    for name in ("l0.q.b", "l0.k.w", "l11.fo.b", "l3.aln.w", "emb.ln.b"):
        assert np.array_equal(weights.tensor(name), packed.tensor(name))


def test_zero_deltas_change_nothing(packed, base):
    nothing = {name: np.zeros_like(array) for name, array in arrays().items()}
    weights = Weights(packed, Deltas(nothing, base, ""))
    assert np.array_equal(weights.tensor("l0.q.w"), packed.tensor("l0.q.w"))


def test_every_matrix_of_a_layer_may_have_deltas(packed, base):
    for part in LINEAR:
        size = len(packed.tensor(f"l5.{part}.b"))
        inside = len(packed.tensor(f"l5.{part}.w")) // size
        held = {
            f"l5.{part}{DOWN}": np.ones((1, inside), np.float32),
            f"l5.{part}{UP}": np.ones((size, 1), np.float32),
        }
        found = Weights(packed, Deltas(held, base, "")).tensor(f"l5.{part}.w")
        assert np.array_equal(found, packed.tensor(f"l5.{part}.w") + 1)


def test_number_of_threads_does_not_change_a_bit_of_a_change(tmp_path):
    draw = np.random.default_rng(3)
    held = {
        f"l0.fo{DOWN}": draw.normal(size=(64, 1536)).astype(np.float32),
        f"l0.fo{UP}": draw.normal(size=(384, 64)).astype(np.float32),
    }
    path = saved(tmp_path, held)
    code = (
        "import hashlib, sys\n"
        "from pathlib import Path\n"
        "from matcher.embed.deltas import Deltas\n"
        "change = Deltas.load(Path(sys.argv[1])).change('l0.fo')\n"
        "print(hashlib.sha256(change.tobytes()).hexdigest())\n"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", code, str(path)],
            env={"OPENBLAS_NUM_THREADS": threads, "OMP_NUM_THREADS": threads, "PATH": ""},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for threads in ("1", "2", "3")
    }
    assert len(said) == 1


def test_deltas_on_top_of_deltas_change_a_matrix_by_both():
    draw = np.random.default_rng(1)
    first, second = (
        {
            f"l{layer}.q.down": draw.normal(size=(rank, 6)).astype(np.float32),
            f"l{layer}.q.up": draw.normal(size=(5, rank)).astype(np.float32),
        }
        for layer, rank in ((3, 2), (3, 4))
    )
    below = {"l0.q.down": np.ones((2, 6), np.float32), "l0.q.up": np.ones((5, 2), np.float32)}
    both = Deltas(on_top(first | below, second | {"head.first": np.zeros(6)}), {}, "")
    expected = sum(one["l3.q.up"] @ one["l3.q.down"] for one in (first, second))
    assert np.allclose(both.change("l3.q"), expected, atol=1e-5)
    assert np.allclose(both.change("l0.q"), 2.0)
    assert both.array("head.first").shape == (6,)


# What belongs together


@pytest.mark.parametrize("told", [{}, {"base": ""}, {"base": "0" * 64}, {"base": None}])
def test_deltas_of_other_weights_are_refused(packed, told):
    with pytest.raises(MatcherError, match="別の版の同梱エンコーダー"):
        Weights(packed, Deltas(arrays(), told, ""))


def test_encoder_and_reader_refuse_the_deltas_of_each_other(base):
    with pytest.raises(MatcherError, match=r"encoder.*reader"):
        BundledEncoder(threads=1, deltas=Deltas(arrays(), {**base, "kind": "reader"}, ""))
    for kind in ({"kind": "encoder"}, {"kind": None}):
        with pytest.raises(MatcherError, match="reader"):
            BundledReader(Deltas(arrays(), base | kind, ""))


def test_shipped_deltas_belong_to_the_bundled_weights(packed):
    data = Path(__file__).parents[1] / "data"
    for kind in ("encoder", "reader"):
        deltas = Deltas.load(data / f"{kind}.safetensors")
        assert deltas.told["kind"] == kind
        Weights(packed, deltas)
