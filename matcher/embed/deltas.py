"""Low-rank changes to the bundled weights: what training leaves behind, in a small file.

A layer's weight `W` of shape (out, in) becomes `W + up @ down`, with `down` (rank, in) and `up`
(out, rank): Hu and others, LoRA: Low-Rank Adaptation of Large Language Models, 2021. The bundled
file itself is never changed, and a delta names the weights that it was trained on.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from matcher.embed.packed import PackedModel, Shape
from matcher.errors import MatcherError

DOWN, UP = ".down", ".up"
LINEAR = ("q", "k", "v", "ao", "fi", "fo")  # the packed names of a layer's six matrices


class Deltas:
    """The low-rank changes of one file, with whatever else it carries (a reader's head).

    `told` is what the training wrote about itself: recipe, seed, hash of the data, curves.
    """

    def __init__(
        self, arrays: Mapping[str, NDArray[np.float32]], told: Mapping[str, object], digest: str
    ) -> None:
        self._arrays = arrays
        self.told = told
        self.digest = digest  # SHA-256 of the file, in hex

    @classmethod
    def load(cls, path: Path) -> "Deltas":
        """The deltas that `save` wrote.

        Raises:
            MatcherError: no such file, or not one of this format.
        """
        from safetensors import SafetensorError, safe_open

        try:
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            with safe_open(path, framework="np") as file:
                names = list(file.keys())
                arrays = {name: file.get_tensor(name).astype(np.float32) for name in names}
                told = dict(json.loads((file.metadata() or {})["told"]))
        # TypeError: numpy does not know the type of the arrays, or what is told is no record.
        except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
            raise MatcherError(
                f"{path} は学習結果（重みの差分）のファイルとして読めません（{error}）。"
                "matcher train-encoder で作ったファイルを指定してください。"
            ) from error
        return cls(arrays, told, digest)

    def arrays(self) -> dict[str, NDArray[np.float32]]:
        """Every array by its name, float32."""
        return dict(self._arrays)

    def array(self, name: str) -> NDArray[np.float32]:
        """An array beside the layers', float32. Raises `KeyError` where there is none."""
        return self._arrays[name]

    def require(self, kind: str) -> None:
        """Nothing, where these are of a kind, `encoder` or `reader`. Raises MatcherError if not."""
        if self.told.get("kind") != kind:
            message = (
                f"学習結果（重みの差分）の種類が違います（必要な種類: {kind}、"
                f"ファイルの種類: {self.told.get('kind')}）。別のファイルを指定してください。"
            )
            raise MatcherError(message)

    def change(self, name: str) -> NDArray[np.float32] | None:
        """What is added to the weight of a layer's matrix, (out, in); None: nothing is."""
        if name + DOWN not in self._arrays:
            return None
        up, down = self._arrays[name + UP], self._arrays[name + DOWN]
        # A sum of products of half precision has room in 64 bits, in whatever order a machine's
        # BLAS adds; in 32, kernels and threads gave up to 3 % of them another last bit.
        return (up.astype(np.float64) @ down.astype(np.float64)).astype(np.float32)


def save(path: Path, arrays: Mapping[str, NDArray[np.float32]], told: Mapping[str, object]) -> None:
    """Write deltas and what is told about them, in half precision; equal input, equal bytes."""
    from safetensors.numpy import save_file

    packed = {name: np.ascontiguousarray(arrays[name], dtype=np.float16) for name in sorted(arrays)}
    text = json.dumps(told, ensure_ascii=False, sort_keys=True)
    save_file(packed, path, metadata={"told": text})
    path.chmod(0o644)  # the library writes for the owner alone


def on_top(
    first: Mapping[str, NDArray[np.float32]], second: Mapping[str, NDArray[np.float32]]
) -> dict[str, NDArray[np.float32]]:
    """The arrays of deltas that change a matrix as the first do, and then as the second do.

    Their ranks add up: `up1 @ down1 + up2 @ down2` is one product of the matrices side by side.
    """
    both = dict(first) | dict(second)
    for name in first.keys() & second.keys():
        axis = 0 if name.endswith(DOWN) else 1
        both[name] = np.concatenate([first[name], second[name]], axis=axis)
    return both


class Weights:
    """The bundled weights, with or without deltas: what a graph is built from."""

    def __init__(self, packed: PackedModel, deltas: Deltas | None = None) -> None:
        """Raises MatcherError where the deltas were trained on other weights."""
        if deltas is not None and deltas.told.get("base") != packed.digest():
            raise MatcherError(
                "学習結果（重みの差分）は別の版の同梱エンコーダーから作られています。"
                "matcher train-encoder で作り直すか、--encoder bundled-plain を指定してください。"
            )
        self.packed = packed
        self.deltas = deltas

    @property
    def shape(self) -> Shape:
        """The numbers of the model."""
        return self.packed.shape

    def tensor(self, name: str) -> NDArray[np.float32]:
        """The values of one tensor, flat float32."""
        values = self.packed.tensor(name)
        change = self.deltas.change(name.removesuffix(".w")) if self.deltas else None
        return values if change is None else values + change.reshape(-1)
