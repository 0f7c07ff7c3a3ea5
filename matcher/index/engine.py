"""What computes inner products: the BLAS of numpy, the BLAS and the build of FAISS, their speed.

The wheels of numpy and FAISS each bring their own OpenBLAS, which picks its kernel when it is
loaded. One that does not know a newer processor takes a kernel of twenty years ago.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import PurePath
from time import perf_counter

import faiss
import numpy as np
from threadpoolctl import ThreadpoolController

from matcher.types import Vectors

_SIDE = 768  # of the matrices: 0.9 GFLOP, 4 ms on a good core
_SECONDS, _TIMES = 0.1, 3  # each product is tried so long, and so often
_PATIENCE = 30  # seconds until a fresh process is given up
# The path goes along: a checkout that is not installed is found as well.
_FRESH = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from matcher.index import engine; print(engine.told())"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Blas:
    """A BLAS that is loaded, as it tells of itself."""

    name: str  # openblas, mkl, blis
    version: str
    kernel: str  # the processor that its kernel was written for: Haswell, SkylakeX, Prescott
    threads: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Speed:
    """What multiplies matrices, and how fast on one core; None: a BLAS that tells nothing."""

    numpy: Blas | None
    faiss: Blas | None
    numpy_gflops: float
    faiss_gflops: float
    openmp: tuple[str, ...]  # the OpenMP libraries that are loaded, with their owners


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """FAISS as it was built, and the instructions it runs on."""

    version: str
    options: str
    module: str
    simd: str  # NONE, AVX2, AVX512, AVX512_SPR, ARM_NEON


def build() -> Build:
    """The FAISS that is loaded."""
    module = faiss.IndexFlatIP.__module__
    dispatched = getattr(faiss, "SIMDConfig", None)  # since 1.14; before, a module for each
    simd = dispatched.get_level_name() if dispatched else module.partition("swigfaiss_")[2].upper()
    return Build(
        version=faiss.__version__,
        options=faiss.get_compile_options().strip(),
        module=module,
        simd=simd or "NONE",
    )


def measure() -> Speed:
    """The speed of both libraries in this process, on one core, in about 0.3 s."""
    left, right = np.random.default_rng(0).random((2, _SIDE, _SIDE), dtype=np.float32)
    pools = ThreadpoolController()
    report = pools.info()
    # Threads that wait for each other on a busy machine measure its neighbours: 36 to 462 GFLOP/s.
    with pools.limit(limits=1):
        numpy_gflops = _gflops(lambda: left @ right)
        faiss_gflops = _batch_gflops(left, right)
    return Speed(
        numpy=blas_of("numpy", report),
        faiss=blas_of("faiss", report),
        numpy_gflops=numpy_gflops,
        faiss_gflops=faiss_gflops,
        openmp=tuple(
            sorted(
                f"{library['prefix']}（{_owner(library) or '共用'}）"
                for library in report
                if library["user_api"] == "openmp"
            )
        ),
    )


def measure_fresh(environment: Mapping[str, str]) -> Speed | None:
    """The same in a new process that starts with these variables; None where that fails.

    A BLAS chooses its kernel once, when it is loaded.
    """
    command = [sys.executable, "-B", "-c", _FRESH, json.dumps(sys.path)]
    try:
        done = subprocess.run(
            command,
            env=os.environ | environment,
            capture_output=True,
            timeout=_PATIENCE,
            check=True,
        )
        found = json.loads(done.stdout)
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    for owner in ("numpy", "faiss"):
        found[owner] = found[owner] and Blas(**found[owner])
    return Speed(**found | {"openmp": tuple(found["openmp"])})


def faster(one: Speed, other: Speed) -> Speed:
    """The better of two measurements of one process: neighbours only ever slow one down."""
    return replace(
        one,
        numpy_gflops=max(one.numpy_gflops, other.numpy_gflops),
        faiss_gflops=max(one.faiss_gflops, other.faiss_gflops),
    )


def told() -> str:
    """`measure` as JSON: what a fresh process answers."""
    return json.dumps(asdict(measure()))


def blas_of(package: str, report: Iterable[Mapping[str, object]]) -> Blas | None:
    """The BLAS that a package brought, or one that belongs to none, in threadpoolctl's report."""
    libraries = [library for library in report if library["user_api"] == "blas"]
    own = [library for library in libraries if _owner(library) == package]
    shared = [library for library in libraries if not _owner(library)]
    for library in own or shared:
        return Blas(
            name=str(library["internal_api"]),
            version=str(library["version"] or ""),
            kernel=str(library.get("architecture") or ""),
            threads=int(str(library["num_threads"])),
        )
    return None


def bandwidth(threads: int, size: int) -> float:
    """Gigabytes a second that so many threads read from an array of `size` bytes."""
    values = np.ones(size // 4, np.int32)
    parts = np.array_split(values, threads)
    with ThreadPoolExecutor(threads) as pool:  # numpy lets go of the interpreter's lock meanwhile
        seconds = _fastest(lambda: list(pool.map(np.max, parts)))
    return values.nbytes / seconds / 1e9


def _owner(library: Mapping[str, object]) -> str:
    """The package whose wheel carries a library (numpy.libs, faiss_cpu.libs); "" if none does."""
    folders = PurePath(str(library["filepath"])).parent.parts
    for at, folder in enumerate(folders):
        if folder.endswith(".libs"):
            return folder.removesuffix(".libs").partition("_")[0]
        if folder in (".dylibs", "lib", ".libs") and folders[at - 1] in ("numpy", "faiss", "torch"):
            return folders[at - 1]
    return ""


def _batch_gflops(queries: Vectors, documents: Vectors) -> float:
    index = faiss.IndexFlatIP(documents.shape[1])
    index.add(documents)
    threshold = faiss.cvar.distance_compute_blas_threshold
    faiss.cvar.distance_compute_blas_threshold = 1  # else FAISS's own loops answer a small batch
    try:
        return _gflops(lambda: index.search(queries, 1))
    finally:
        faiss.cvar.distance_compute_blas_threshold = threshold


def _gflops(product: Callable[[], object]) -> float:
    product()  # starts the threads
    return 2 * _SIDE**3 / _fastest(product) / 1e9


def _fastest(work: Callable[[], object]) -> float:
    """The seconds of the quickest of several times."""
    times: list[float] = []
    while len(times) < _TIMES or sum(times) < _SECONDS:
        start = perf_counter()
        work()
        times.append(perf_counter() - start)
    return min(times)
