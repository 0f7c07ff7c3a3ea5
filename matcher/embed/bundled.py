"""The bundled encoder: multilingual-e5-small from the packed weights, run by OpenVINO on the CPU.

No download, no torch, no unpacked copy on disk. Each inference runs on one thread, and `threads`
of them at a time: so the number of threads cannot change a bit of the result.
"""

import gc
import os
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from importlib.metadata import version
from queue import SimpleQueue
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from matcher.embed.packed import PackedModel, packed_path
from matcher.embed.pieces import Piece, Tokens, count_pieces, encode_in_pieces, unit
from matcher.embed.tokenizer import build_tokenizer
from matcher.types import Advance, Precision, Vectors

if TYPE_CHECKING:
    import openvino

MODEL_NAME = "multilingual-e5-small"
QUERY_PROMPT = "query: "
DOCUMENT_PROMPT = "passage: "


class BundledEncoder:
    """An `Encoder` that needs nothing but the installed packages; ready in about a second.

    `threads` texts are encoded at a time, by default as many as there are usable cores. `auto` is
    bf16 where the CPU computes in it, else f32: cosine between the two at least 0.9999, scores of
    the published cases up to 0.018 apart, rank 1 the same. The vectors do not depend on the batch,
    the order of the texts or `threads`. Raises `MatcherError` when the weights are missing or
    damaged.
    """

    def __init__(self, threads: int | None = None, precision: Precision = "auto") -> None:
        runtime = _import_openvino()
        self._threads = threads or _usable_cores()
        self._packed = PackedModel(packed_path())
        core = runtime.Core()
        capabilities = core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        chosen = "bf16" if precision == "auto" and "BF16" in capabilities else "f32"
        self._id = (
            f"{MODEL_NAME} sha256={self._packed.digest()[:12]} query={QUERY_PROMPT!r} "
            f"document={DOCUMENT_PROMPT!r} precision={chosen} openvino={version('openvino')}"
        )
        model = _build_graph(self._packed)
        # Building the tokenizer holds the interpreter's lock, compiling does not: 0.2 s less.
        with ThreadPoolExecutor(1) as aside:
            compiling = aside.submit(_compile, core, model, chosen, self._threads)
            with _no_collection():
                self._tokenizer = build_tokenizer(self._packed.pieces())
            compiled = compiling.result()
        self._requests: SimpleQueue[openvino.InferRequest] = SimpleQueue()
        for _ in range(self._threads):
            self._requests.put(compiled.create_infer_request())
        self._positions = _positions(self._packed)

    @property
    def id(self) -> str:
        """Model, hash of its weights, prompts, precision and OpenVINO's version."""
        return self._id

    @property
    def dim(self) -> int:
        """384."""
        return self._packed.shape.hidden_size

    def encode_queries(self, texts: Sequence[str], *, advance: Advance | None = None) -> Vectors:
        """A unit vector for each text behind `query: `, `(len(texts), 384)` float32."""
        return self._encode(texts, QUERY_PROMPT, advance)

    def encode_documents(self, texts: Sequence[str], *, advance: Advance | None = None) -> Vectors:
        """A unit vector for each text behind `passage: `, `(len(texts), 384)` float32."""
        return self._encode(texts, DOCUMENT_PROMPT, advance)

    def pieces(self, texts: Sequence[str]) -> list[int]:
        """How many pieces each text is read in, the same on both sides; 1 up to 512 tokens."""
        tokenise = partial(self._tokenise, DOCUMENT_PROMPT)
        return count_pieces(texts, tokenise, self._limit(DOCUMENT_PROMPT))

    def _encode(self, texts: Sequence[str], prompt: str, advance: Advance | None) -> Vectors:
        return encode_in_pieces(
            texts,
            tokenise=partial(self._tokenise, prompt),
            limit=self._limit(prompt),
            embed=self._embed,
            dim=self.dim,
            threads=self._threads,
            advance=advance,
        )

    def _limit(self, prompt: str) -> int:
        """Tokens left so that a text is cut at the same places behind either prompt."""
        longest = max(len(self._tokenise(each, "")) for each in (QUERY_PROMPT, DOCUMENT_PROMPT))
        return (
            self._packed.shape.max_position_embeddings - longest + len(self._tokenise(prompt, ""))
        )

    def _tokenise(self, prompt: str, text: str) -> Tokens:
        return np.array(self._tokenizer.encode(prompt + text).ids, np.int32)

    def _embed(self, pieces: Sequence[Piece]) -> Vectors:
        rows = self._packed.embedding_rows(np.stack([piece.tokens for piece in pieces]))
        rows += self._positions[: rows.shape[1]]
        request = self._requests.get()
        try:
            pooled = request.infer([rows], share_inputs=True)[0]
        finally:
            self._requests.put(request)
        return unit(pooled.astype(np.float64))


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


@contextmanager
def _no_collection() -> Iterator[None]:
    """No garbage collection meanwhile: over 250,000 pieces it takes 0.2 s and finds nothing."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _usable_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _positions(packed: PackedModel) -> NDArray[np.float32]:
    """What is added to the word vectors by place, `(512, 384)`; all tokens are of type 0."""
    hidden = packed.shape.hidden_size
    return packed.tensor("emb.pos").reshape(-1, hidden) + packed.tensor("emb.type")[:hidden]


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


def _build_graph(packed: PackedModel) -> "openvino.Model":
    """Word and position vectors `(n, tokens, 384)` → mean of the last layer `(n, 384)`.

    A post-norm BERT without a mask, for nothing is padded.
    """
    import openvino
    from openvino import opset13 as ops

    hidden = packed.shape.hidden_size
    words = ops.parameter([-1, -1, hidden], np.float32, name="words")
    states = _normed(packed, "emb.ln", words)
    for layer in range(packed.shape.num_hidden_layers):
        name = f"l{layer}"
        met = _linear(packed, f"{name}.ao", _attention(packed, name, states))
        states = _normed(packed, f"{name}.aln", ops.add(states, met))
        wide = ops.gelu(_linear(packed, f"{name}.fi", states), "erf")
        narrow = _linear(packed, f"{name}.fo", wide)
        states = _normed(packed, f"{name}.oln", ops.add(states, narrow))
    mean = ops.reduce_mean(states, ops.constant([1], np.int64), keep_dims=False)
    return openvino.Model([mean], [words], MODEL_NAME)


def _attention(packed: PackedModel, layer: str, states: "openvino.Node") -> "openvino.Node":
    from openvino import opset13 as ops

    heads = packed.shape.num_attention_heads
    apart = ops.constant([0, 0, heads, packed.shape.hidden_size // heads], np.int64)
    together = ops.constant([0, 0, packed.shape.hidden_size], np.int64)
    swap = ops.constant([0, 2, 1, 3], np.int64)  # tokens ↔ heads
    query, key, value = (
        ops.transpose(ops.reshape(_linear(packed, f"{layer}.{part}", states), apart, True), swap)
        for part in "qkv"
    )
    met = ops.scaled_dot_product_attention(query, key, value)
    return ops.reshape(ops.transpose(met, swap), together, True)


def _linear(packed: PackedModel, name: str, states: "openvino.Node") -> "openvino.Node":
    from openvino import opset13 as ops

    bias = packed.tensor(f"{name}.b")
    weight = packed.tensor(f"{name}.w").reshape(len(bias), -1)
    product = ops.matmul(states, ops.constant(weight), False, True)
    return ops.add(product, ops.constant(bias.reshape(1, 1, -1)))


def _normed(packed: PackedModel, name: str, states: "openvino.Node") -> "openvino.Node":
    from openvino import opset13 as ops

    last = ops.constant([-1], np.int64)
    even = ops.mvn(states, last, True, packed.shape.layer_norm_eps, "inside_sqrt")
    scaled = ops.multiply(even, ops.constant(packed.tensor(f"{name}.w").reshape(1, 1, -1)))
    return ops.add(scaled, ops.constant(packed.tensor(f"{name}.b").reshape(1, 1, -1)))
