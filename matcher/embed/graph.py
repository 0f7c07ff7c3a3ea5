"""The bundled model as an OpenVINO graph: the one door to that engine.

Each inference runs on one thread, and as many of them at a time as asked for: so the number of
threads cannot change a bit of a result. Nothing is padded, so a graph needs no mask.
"""

import sys
from collections.abc import Iterable
from importlib import import_module
from importlib.metadata import version
from queue import SimpleQueue
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from matcher.embed.deltas import Weights
from matcher.types import Precision

if TYPE_CHECKING:
    import openvino


class Engine:
    """A compiled graph, ready for `threads` inferences at a time.

    `precision` says what it computes in, `bf16` or `f32`: `auto` is bf16 where the CPU has it.
    """

    def __init__(self, model: "openvino.Model", threads: int, precision: str) -> None:
        compiled = _compile(_import_openvino().Core(), model, precision, threads)
        self._requests: SimpleQueue[openvino.InferRequest] = SimpleQueue()
        for _ in range(threads):
            self._requests.put(compiled.create_infer_request())

    def infer(self, inputs: list[NDArray[np.float32]]) -> list[NDArray[np.float32]]:
        """The outputs of one inference, copied; waits while all requests are busy."""
        request = self._requests.get()
        try:
            found = request.infer(inputs, share_inputs=True)
            return [np.array(found[at]) for at in range(len(found))]
        finally:
            self._requests.put(request)


def choose_precision(precision: Precision) -> str:
    """`bf16` or `f32`: what `auto` is on this machine."""
    return "bf16" if precision == "auto" and "BF16" in capabilities() else "f32"


def capabilities() -> tuple[str, ...]:
    """What this CPU computes in, as OpenVINO reports it: FP32, BF16, INT8 and more."""
    return tuple(_import_openvino().Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"))


def engine_version() -> str:
    """OpenVINO's version: a part of every id, for another one may round otherwise."""
    return version("openvino")


def _import_openvino() -> ModuleType:
    """OpenVINO, told that its telemetry package is not installed.

    With it, the import alone writes a client id into the user's home and reports itself to a
    server. The package stays importable for whoever wants it.
    """
    hidden = "openvino_telemetry"
    if "openvino" in sys.modules or hidden in sys.modules:
        return import_module("openvino")
    sys.modules[hidden] = None  # type: ignore[assignment]  # Python's way to say "not there"
    try:
        return import_module("openvino")
    finally:
        del sys.modules[hidden]


def _compile(
    core: "openvino.Core", model: "openvino.Model", precision: str, threads: int
) -> "openvino.CompiledModel":
    """The model, ready for `threads` inferences at a time on one thread each."""
    options = {
        "INFERENCE_PRECISION_HINT": precision,
        "NUM_STREAMS": threads,
        "INFERENCE_NUM_THREADS": threads,
        "ENABLE_CPU_PINNING": False,
    }
    return core.compile_model(model, "CPU", options)


def encoder_graph(weights: Weights) -> "openvino.Model":
    """Word and position vectors `(n, tokens, 384)` → mean of the last layer `(n, 384)`."""
    _import_openvino()  # before any other import of it
    from openvino import Model
    from openvino import opset13 as ops

    words = ops.parameter([-1, -1, weights.shape.hidden_size], np.float32, name="words")
    every = range(weights.shape.num_hidden_layers)
    states = _layers(weights, _normed(weights, "emb.ln", words), every)
    mean = ops.reduce_mean(states, ops.constant([1], np.int64), keep_dims=False)
    return Model([mean], [words], "encoder")


def separate_graph(weights: Weights, join: int) -> "openvino.Model":
    """Word and position vectors `(n, tokens, 384)` → their states after `join` layers."""
    _import_openvino()  # before any other import of it
    from openvino import Model
    from openvino import opset13 as ops

    words = ops.parameter([-1, -1, weights.shape.hidden_size], np.float32, name="words")
    states = _layers(weights, _normed(weights, "emb.ln", words), range(join))
    return Model([states], [words], "separate")


def joint_graph(weights: Weights, join: int) -> "openvino.Model":
    """States `(n, tokens, 384)` and shares `(n, 3, tokens)` → `(n, 3, 384)` after the last layer.

    An output row is the mean of the last layer under one row of shares, which sum to one.
    """
    _import_openvino()  # before any other import of it
    from openvino import Model
    from openvino import opset13 as ops

    met = ops.parameter([-1, -1, weights.shape.hidden_size], np.float32, name="states")
    shares = ops.parameter([-1, 3, -1], np.float32, name="shares")
    states = _layers(weights, met, range(join, weights.shape.num_hidden_layers))
    return Model([ops.matmul(shares, states, False, False)], [met, shares], "joint")


def _layers(weights: Weights, states: "openvino.Node", layers: Iterable[int]) -> "openvino.Node":
    """The states after some layers of a post-norm BERT."""
    from openvino import opset13 as ops

    for layer in layers:
        name = f"l{layer}"
        met = _linear(weights, f"{name}.ao", _attention(weights, name, states))
        states = _normed(weights, f"{name}.aln", ops.add(states, met))
        wide = ops.gelu(_linear(weights, f"{name}.fi", states), "erf")
        narrow = _linear(weights, f"{name}.fo", wide)
        states = _normed(weights, f"{name}.oln", ops.add(states, narrow))
    return states


def _attention(weights: Weights, layer: str, states: "openvino.Node") -> "openvino.Node":
    from openvino import opset13 as ops

    heads = weights.shape.num_attention_heads
    apart = ops.constant([0, 0, heads, weights.shape.hidden_size // heads], np.int64)
    together = ops.constant([0, 0, weights.shape.hidden_size], np.int64)
    swap = ops.constant([0, 2, 1, 3], np.int64)  # tokens ↔ heads
    query, key, value = (
        ops.transpose(ops.reshape(_linear(weights, f"{layer}.{part}", states), apart, True), swap)
        for part in "qkv"
    )
    met = ops.scaled_dot_product_attention(query, key, value)
    return ops.reshape(ops.transpose(met, swap), together, True)


def _linear(weights: Weights, name: str, states: "openvino.Node") -> "openvino.Node":
    from openvino import opset13 as ops

    bias = weights.tensor(f"{name}.b")
    weight = weights.tensor(f"{name}.w").reshape(len(bias), -1)
    product = ops.matmul(states, ops.constant(weight), False, True)
    return ops.add(product, ops.constant(bias.reshape(1, 1, -1)))


def _normed(weights: Weights, name: str, states: "openvino.Node") -> "openvino.Node":
    from openvino import opset13 as ops

    last = ops.constant([-1], np.int64)
    even = ops.mvn(states, last, True, weights.shape.layer_norm_eps, "inside_sqrt")
    scaled = ops.multiply(even, ops.constant(weights.tensor(f"{name}.w").reshape(1, 1, -1)))
    return ops.add(scaled, ops.constant(weights.tensor(f"{name}.b").reshape(1, 1, -1)))
