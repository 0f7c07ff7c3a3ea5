"""Vectors in one byte a component, with a bound on what that costs a score."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from matcher.index.backend import frozen
from matcher.types import Vectors

_LEVELS = 127
_BLOCK = 4_096  # rows quantised at a time: few enough to stay in the cache


@dataclass(frozen=True, slots=True, eq=False)
class Quantised:
    """Row i is about `codes[i] * scales[i]`, in a quarter of the memory that it would take.

    For a query of unit length no inner product is off by more than `error`, by the inequality of
    Cauchy and Schwarz. So a search may choose by codes and still be exact: whoever is within twice
    the error of the k-th best is scored again.
    """

    codes: NDArray[np.int8]  # (n, dim)
    scales: NDArray[np.float32]  # (n,)
    error: float  # the longest difference between a row and its codes

    def __post_init__(self) -> None:
        # Once here rather than at each query: a view of a mapped array takes 2 µs.
        object.__setattr__(self, "codes", frozen(self.codes))
        object.__setattr__(self, "scales", frozen(self.scales))

    @classmethod
    def of(cls, vectors: Vectors) -> "Quantised":
        """The vectors quantised, each by its own largest component."""
        codes = np.empty(vectors.shape, dtype=np.int8)
        scales = np.empty(len(vectors), dtype=np.float32)
        error = 0.0
        for start in range(0, len(vectors), _BLOCK):
            some = slice(start, start + _BLOCK)
            codes[some], scales[some] = rounded(vectors[some], _LEVELS)
            # In float32 the bound would be off by its own rounding.
            lost = codes[some] * scales[some, None].astype(np.float64) - vectors[some]
            error = max(error, float(np.sqrt(np.einsum("ij,ij->i", lost, lost).max(initial=0.0))))
        return cls(codes, scales, error)

    def save(self, folder: Path) -> None:
        """Write codes and scales into a new folder."""
        folder.mkdir()
        np.save(folder / "codes.npy", self.codes)
        np.save(folder / "scales.npy", self.scales)
        np.save(folder / "error.npy", self.error)

    @classmethod
    def load(cls, folder: Path) -> "Quantised":
        """What `save` wrote, read from disk as it is touched."""
        return cls(
            np.load(folder / "codes.npy", mmap_mode="r"),
            np.load(folder / "scales.npy", mmap_mode="r"),
            float(np.load(folder / "error.npy")),
        )


def rounded(vectors: Vectors, levels: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Whole numbers from -levels to levels (float32) for each row, and the scale of each row.

    Of one vector (dim,) the scale is an array of no dimension.
    """
    largest = np.abs(vectors).max(axis=-1, initial=0.0)
    scales = np.asarray(np.maximum(largest, np.float32(1e-30)) / np.float32(levels), np.float32)
    return np.rint(vectors / scales[..., None]), scales


def coarse_levels(dim: int) -> int:
    """Levels of a query beside codes, so that sums stay below 2^24: float32 holds them exactly."""
    return min(_LEVELS, 2**24 // (_LEVELS * dim))


def fine_levels(dim: int) -> int:
    """Levels of a query beside codes, so that sums stay below 2^31 and fit an int32."""
    return min(8_191, 2**31 // (_LEVELS * dim) - 1)
