"""Machine code or numpy: which of the two a search of so many rows takes."""

import os
from functools import cache
from importlib.util import find_spec
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

_FROM = 50_000  # rows; below, loading numba (a second) takes longer than it saves


def native(rows: int) -> ModuleType | None:
    """The room of machine code; None for few rows, without numba, or where it is switched off.

    Results are bit-equal either way. MATCHER_NATIVE=0 in the environment switches it off.
    """
    if rows < _FROM or os.environ.get("MATCHER_NATIVE") == "0":
        return None
    return _loaded()


@cache
def _loaded() -> ModuleType | None:
    if find_spec("numba") is None:
        return None
    try:
        from matcher.index import native as room
    except (ImportError, RuntimeError):
        # A numpy that numba does not know, or no folder where it may keep machine code.
        return None
    return room


def frozen(array: NDArray[Any]) -> NDArray[Any]:
    """A read-only view: what is mapped from disk and what is held have one type in machine code."""
    view = np.asarray(array).view()
    view.flags.writeable = False
    return view
