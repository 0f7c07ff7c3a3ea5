import subprocess
import sys

import numpy as np
import pytest
from vector_examples import budgets_for_few, clustered, found, in_lists, line, made, some_of

from matcher.index import backend
from matcher.index.dense import DenseIndex
from matcher.index.quantised import Quantised


@pytest.fixture(autouse=True)
def _fresh(monkeypatch):
    """Nothing is known of the machine, and few rows are enough."""
    monkeypatch.delenv("MATCHER_NATIVE", raising=False)
    monkeypatch.setattr(backend, "_FROM", 1_000)
    backend._loaded.cache_clear()
    yield
    backend._loaded.cache_clear()


def test_machine_code_is_for_many_rows():
    assert backend.native(999) is None
    assert backend.native(1_000).__name__ == "matcher.index.native"
    assert backend.native(1_000) is backend.native(10**9)


def test_variable_switches_machine_code_off(monkeypatch):
    monkeypatch.setenv("MATCHER_NATIVE", "0")
    assert backend.native(10**6) is None
    monkeypatch.setenv("MATCHER_NATIVE", "1")
    assert backend.native(10**6) is not None


def test_without_numba_there_is_no_machine_code(monkeypatch):
    monkeypatch.setattr(backend, "find_spec", lambda _: None)
    assert backend.native(10**6) is None


def test_few_rows_do_not_even_look_for_numba(monkeypatch):
    monkeypatch.setattr(backend, "find_spec", pytest.fail)
    assert backend.native(999) is None


@pytest.mark.parametrize("way", ["switched off", "without numba"])
def test_search_without_machine_code_finds_the_same(monkeypatch, way):
    rng = np.random.default_rng(1)
    vectors = clustered(rng, 1_500, 24, 20, 0.5)
    lists = in_lists(rng, vectors, 30)
    fast = made(vectors, True, lists, line(base=100))
    if way == "switched off":
        monkeypatch.setenv("MATCHER_NATIVE", "0")
    else:
        monkeypatch.setattr(backend, "find_spec", lambda _: None)
        backend._loaded.cache_clear()
    slow = DenseIndex(vectors, codes=Quantised.of(vectors), lists=lists, budget=fast.budget)
    assert (fast._native is None, slow._native is None) == (False, True)
    with budgets_for_few():
        for query in clustered(rng, 20, 24, 20, 0.5):
            mask = some_of(rng, 1_500, "most")
            for exact in (False, True):
                one, other = (found(each, query, 20, mask, exact=exact) for each in (fast, slow))
                assert one == other


@pytest.mark.parametrize(
    "broken",
    [
        # a folder that may not be written, and no home: numba cannot keep machine code
        "import numba.core.caching as caching; caching.CacheImpl._locator_classes = []",
        # a numpy that numba does not know
        "import sys; sys.modules['numba'] = None; import importlib.util as util;"
        "import matcher.index.backend as backend; backend.find_spec = lambda name: name",
    ],
    ids=["no cache", "no import"],
)
def test_numba_that_cannot_start_is_as_good_as_none(broken):
    code = f"{broken}; from matcher.index import backend; assert backend.native(10**6) is None"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
