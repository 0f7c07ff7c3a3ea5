import os
import sys
from dataclasses import replace

import faiss
import pytest
from threadpoolctl import threadpool_info

from matcher.index import engine
from matcher.index.engine import Blas, Speed, blas_of

SITE = "/home/op/.venv/lib/python3.11/site-packages"


def library(path, kernel="Haswell", **changes):
    """A line of threadpoolctl's report."""
    return {
        "user_api": "blas",
        "internal_api": "openblas",
        "prefix": "libopenblas",
        "filepath": path,
        "version": "0.3.15",
        "architecture": kernel,
        "num_threads": 4,
    } | changes


NUMPY = library(f"{SITE}/numpy.libs/libscipy_openblas64_-32a4b2a6.so", "SkylakeX")
SCIPY = library(f"{SITE}/scipy.libs/libscipy_openblas-68440149.so", "Zen")
FAISS = library(f"{SITE}/faiss_cpu.libs/libopenblaso-r0-d77a1985.3.15.so", "Prescott")
SYSTEM = library("/opt/conda/lib/libopenblasp-r0.3.28.so", "Haswell")
GOMP = library(f"{SITE}/faiss_cpu.libs/libgomp-e985bcbb.so.1.0.0", user_api="openmp")


@pytest.mark.parametrize("report", [[SCIPY, NUMPY, GOMP, FAISS], [FAISS, GOMP, SCIPY, NUMPY]])
def test_each_blas_is_told_by_the_folder_it_lies_in_and_not_by_its_order(report):
    assert blas_of("numpy", report).kernel == "SkylakeX"
    assert blas_of("faiss", report) == Blas(
        name="openblas", version="0.3.15", kernel="Prescott", threads=4
    )


def test_a_blas_of_the_system_serves_whoever_brought_none():
    assert blas_of("numpy", [SYSTEM, FAISS]).kernel == "Haswell"
    assert blas_of("faiss", [SYSTEM, FAISS]).kernel == "Prescott"


def test_folders_of_a_mac_are_told_apart_too():
    report = [
        library(f"{SITE}/numpy/.dylibs/libscipy_openblas64_.dylib", "neoversen1"),
        library(f"{SITE}/faiss/.dylibs/libopenblas.0.dylib", "armv8"),
    ]
    assert blas_of("numpy", report).kernel == "neoversen1"
    assert blas_of("faiss", report).kernel == "armv8"


def test_blas_that_tells_nothing_is_none():
    assert blas_of("numpy", [FAISS, SCIPY, GOMP]) is None


def test_measurement_leaves_threshold_and_threads_as_they_were():
    before = faiss.cvar.distance_compute_blas_threshold, threadpool_info()
    speed = engine.measure()
    assert (faiss.cvar.distance_compute_blas_threshold, threadpool_info()) == before
    assert speed.numpy_gflops > 1
    assert speed.faiss_gflops > 1
    assert engine.bandwidth(2, 1 << 22) > 0.1


def test_faster_is_the_better_of_each_library():
    one = Speed(numpy=None, faiss=None, numpy_gflops=3.0, faiss_gflops=1.0, openmp=())
    found = engine.faster(one, replace(one, numpy_gflops=2.0, faiss_gflops=5.0))
    assert (found.numpy_gflops, found.faiss_gflops) == (3.0, 5.0)


def test_threshold_is_put_back_after_an_error(monkeypatch):
    before = faiss.cvar.distance_compute_blas_threshold

    def interrupted(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(engine, "_gflops", interrupted)
    with pytest.raises(KeyboardInterrupt):
        engine._batch_gflops(*[engine.np.ones((4, 4), engine.np.float32)] * 2)
    assert faiss.cvar.distance_compute_blas_threshold == before


def test_fresh_process_starts_with_the_variables_and_leaves_ours(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    speed = engine.measure_fresh({"OMP_NUM_THREADS": "1"})
    assert isinstance(speed, Speed)
    assert speed.faiss is None or speed.faiss.threads == 1
    assert "OMP_NUM_THREADS" not in os.environ


@pytest.mark.parametrize("program", ["/bin/false", "/bin/echo", "/no/such/python"])
def test_fresh_process_that_fails_measures_nothing(monkeypatch, program):
    monkeypatch.setattr(sys, "executable", program)
    assert engine.measure_fresh({}) is None


def test_build_is_that_of_the_loaded_library():
    built = engine.build()
    assert built.version == faiss.__version__
    assert built.module in sys.modules
    assert built.simd.isupper()
