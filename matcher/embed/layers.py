"""The bundled model's layers in torch, with low-rank deltas that learn: the floor of training.

Written out instead of taken from a library, because training must fit two CPU cores: everything in
bfloat16 but the deltas, attention spelled out, no dropout masks where none are asked for. Measured
beside the same layers of `transformers` under autocast it trains eight times faster.
"""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import torch
import torch.nn.functional as functional
from numpy.typing import NDArray

from matcher.embed.bundled import Reading
from matcher.embed.deltas import DOWN, LINEAR, UP, Weights
from matcher.embed.pieces import Tokens

Merged = list[list[torch.Tensor]]  # by layer and matrix, in the order of LINEAR
_HIDDEN = -1e4  # added to the attention to padding


class Layers(torch.nn.Module):
    """Layers `first` to `last` (not included); `rank` 0: nothing of them learns."""

    def __init__(
        self, weights: Weights, first: int, last: int, rank: int, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self._names = [[f"l{layer}.{part}" for part in LINEAR] for layer in range(first, last)]
        self._heads = weights.shape.num_attention_heads
        self._epsilon = weights.shape.layer_norm_eps
        self._rank, self._dropout = rank, dropout
        self._plain = [[_matrix(weights, name) for name in row] for row in self._names]
        self._bias = [[_vector(weights, f"{n}.b") for n in row] for row in self._names]
        self._norms = [
            [_vector(weights, f"l{layer}.{n}") for n in _NORMS] for layer in range(first, last)
        ]
        self.down, self.up = torch.nn.ParameterList(), torch.nn.ParameterList()
        for row in self._plain if rank else ():
            for matrix in row:
                wide, narrow = matrix.shape
                self.down.append(torch.nn.Parameter(torch.randn(rank, narrow) / math.sqrt(narrow)))
                self.up.append(torch.nn.Parameter(torch.zeros(wide, rank)))

    def to_device(self, device: torch.device) -> "Layers":
        """The layers on a device, what does not learn too."""
        self.to(device)
        for kept in (self._plain, self._bias, self._norms):
            for row in kept:
                row[:] = [tensor.to(device) for tensor in row]
        return self

    def merged(self) -> Merged:
        """The matrices that the layers compute with, in bfloat16."""
        if not self._rank:
            return [[matrix.bfloat16() for matrix in row] for row in self._plain]
        pairs = iter(zip(self.up, self.down, strict=True))
        return [
            [
                (matrix + up @ down).bfloat16()
                for matrix, (up, down) in zip(row, pairs, strict=False)
            ]
            for row in self._plain
        ]

    def forward(self, states: torch.Tensor, hidden: torch.Tensor, merged: Merged) -> torch.Tensor:
        """States `(n, tokens, 384)` after the layers; `hidden` is what `hide` gives."""
        for matrices, bias, norms in zip(merged, self._bias, self._norms, strict=True):
            states = self._layer(states, hidden, matrices, bias, norms)
        return states

    def _layer(
        self,
        states: torch.Tensor,
        hidden: torch.Tensor,
        matrices: Sequence[torch.Tensor],
        bias: Sequence[torch.Tensor],
        norms: Sequence[torch.Tensor],
    ) -> torch.Tensor:
        count, tokens, size = states.shape
        apart = (count, tokens, self._heads, size // self._heads)
        query, key, value = (
            functional.linear(states, matrices[at], bias[at]).view(apart).transpose(1, 2)
            for at in range(3)
        )
        weights = query @ key.transpose(-1, -2) / math.sqrt(apart[-1]) + hidden
        met = (torch.softmax(weights, -1) @ value).transpose(1, 2).reshape(states.shape)
        met = self._dropped(functional.linear(met, matrices[3], bias[3]))
        states = functional.layer_norm(states + met, (size,), norms[0], norms[1], self._epsilon)
        wide = functional.gelu(functional.linear(states, matrices[4], bias[4]))
        narrow = self._dropped(functional.linear(wide, matrices[5], bias[5]))
        return functional.layer_norm(states + narrow, (size,), norms[2], norms[3], self._epsilon)

    def _dropped(self, states: torch.Tensor) -> torch.Tensor:
        if not self.training or not self._dropout:
            return states
        return functional.dropout(states, self._dropout)

    def deltas(self) -> dict[str, NDArray[np.float32]]:
        """What was learnt, by the names that `Deltas` reads."""
        names = [name for row in self._names for name in row]
        arrays: dict[str, NDArray[np.float32]] = {}
        for name, down, up in zip(names, self.down, self.up, strict=True):
            arrays[name + DOWN] = down.detach().float().cpu().numpy().copy()
            arrays[name + UP] = up.detach().float().cpu().numpy().copy()
        return arrays

    def restore(self, arrays: Mapping[str, NDArray[np.float32]]) -> None:
        """Learn on from what was learnt before."""
        names = [name for row in self._names for name in row]
        with torch.no_grad():
            for name, down, up in zip(names, self.down, self.up, strict=True):
                down.copy_(torch.from_numpy(arrays[name + DOWN]))
                up.copy_(torch.from_numpy(arrays[name + UP]))


class Input(torch.nn.Module):
    """Tokens → the states before the first layer."""

    def __init__(self, weights: Weights) -> None:
        super().__init__()
        self.reading = Reading(weights.packed)
        self._weight, self._bias = (_vector(weights, f"emb.ln.{part}") for part in "wb")
        self._epsilon = weights.shape.layer_norm_eps

    def forward(self, tokens: Sequence[Tokens]) -> tuple[torch.Tensor, torch.Tensor]:
        """States `(n, longest, 384)` and which of them are tokens `(n, longest)`."""
        longest = max(len(one) for one in tokens)
        padded = np.zeros((len(tokens), longest), np.int32)
        there = torch.zeros(len(tokens), longest)
        for row, one in enumerate(tokens):
            padded[row, : len(one)] = one
            there[row, : len(one)] = 1
        words = torch.from_numpy(self.reading.vectors(padded)).bfloat16()
        size = words.shape[-1]
        states = functional.layer_norm(words, (size,), self._weight, self._bias, self._epsilon)
        return states, there


def hide(there: torch.Tensor) -> torch.Tensor:
    """What is added to the attention so that no token looks at padding, `(n, 1, 1, tokens)`."""
    return ((1 - there)[:, None, None, :] * _HIDDEN).bfloat16()


def learn(layers: Layers, merged: Merged) -> None:
    """Carry the gradients of merged matrices, gathered over a step, on to the deltas."""
    fresh = [matrix for row in layers.merged() for matrix in row]
    gradients = [matrix.grad for row in merged for matrix in row]
    torch.autograd.backward(fresh, gradients)


def leaves(layers: Layers) -> Merged:
    """The merged matrices as leaves: the products of the deltas are then made once a step."""
    return [[matrix.detach().requires_grad_(True) for matrix in row] for row in layers.merged()]


_NORMS = ("aln.w", "aln.b", "oln.w", "oln.b")


def _matrix(weights: Weights, name: str) -> torch.Tensor:
    bias = weights.tensor(f"{name}.b")
    return torch.from_numpy(weights.tensor(f"{name}.w").reshape(len(bias), -1).copy())


def _vector(weights: Weights, name: str) -> torch.Tensor:
    return torch.from_numpy(weights.tensor(name).copy()).bfloat16()
