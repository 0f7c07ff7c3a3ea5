"""Findings on what computes: processor, cores, memory, the BLAS of numpy and of FAISS."""

import platform
from collections.abc import Mapping
from typing import TYPE_CHECKING

from matcher.doctor.finding import Finding, Value, install, set_variable
from matcher.machine import Machine

if TYPE_CHECKING:
    from matcher.index.engine import Blas, Build, Speed

CORETYPE = "OPENBLAS_CORETYPE"

_GIB = 1 << 30
_PEAK = 3 * _GIB  # 2,000 issues and 20,000 companies take 2.7 GiB (bench_match)
_READ = _GIB // 4  # bytes: more than the cache that a few cores share
_SLOW_READ = 8.0  # GB/s: half of one channel of the slowest DDR4
_ROW = 384 * 4  # bytes of a company's vector
_LOST = 0.7  # below this share of numpy's speed FAISS has the wrong kernel
_GAIN, _HARM = 1.2, 0.9  # what a kernel must bring to one library, and leave to the other
_AVX2 = ("avx2", "fma")
_AVX512 = ("avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl")
_WIDEST = {"SkylakeX", "Cooperlake", "SapphireRapids"}
_KERNELS = {_AVX512: _WIDEST, _AVX2: {"Haswell", "Zen", *_WIDEST}}  # of OpenBLAS, widest first
_SETS = {  # as an operator knows them: any of the kernel's names
    "AVX2": ("avx2",),
    "AVX-512": ("avx512f",),
    "VNNI": ("avx512_vnni", "avx_vnni"),
    "bf16": ("avx512_bf16", "amx_bf16"),
    "AMX": ("amx_tile",),
}
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")
_SIMD = ("FAISS_SIMD_LEVEL", "FAISS_OPT_LEVEL", "FAISS_DISABLE_CPU_FEATURES")


def processor(machine: Machine) -> Finding:
    """The CPU, and the instruction sets that matter here."""
    name = f"{machine.cpu}（{platform.machine()}）"
    values: dict[str, Value] = {"cpu": machine.cpu, "machine": platform.machine()}
    if not machine.has("sse2"):  # ARM, or a system that does not tell
        return Finding(topic="CPU", found=name, values=values)
    sets = {title: any(map(machine.has, flags)) for title, flags in _SETS.items()}
    told = "　".join(f"{title} {'○' if has else '×'}" for title, has in sets.items())
    finding = Finding(topic="CPU", found=f"{name}\n{told}", values={**values, **sets})
    if machine.has(*_AVX2):
        return finding
    return finding.but(
        "注意",
        "AVX2がないため、どの計算も本来の数分の1の速さです。",
        "仮想マシンなら、CPUの種類をホストと同じ（host など）にしてください。そうでなければ、"
        "AVX2のある計算機に移してください。",
    )


def cores(machine: Machine, usable: int, load: float) -> Finding:
    """The cores that this process may use, and how much of their time it is granted."""
    quota = machine.quota
    busy = "混んでいるので、下の実測は低めに出ることがあります。" if load >= usable else ""
    finding = Finding(
        topic="コア",
        found=f"{usable}コアを使えます（いまの負荷 {load:.1f}）。{busy}",
        values={"cores": usable, "quota": quota, "load": round(load, 2)},
    )
    if quota is None or quota >= usable:
        return finding
    count = max(1, int(quota))
    exports = "と".join(set_variable(name, count) for name in _THREADS)
    return finding.but(
        "注意",
        f"割り当てられた時間は{quota:.3g}コア分（cgroupの上限）です。コアの数だけスレッドを"
        "動かすと、途中で止められて遅くなります。",
        f"--threads {count} を付け、起動前に{exports}を実行してください。",
    )


def memory(machine: Machine) -> Finding:
    """The memory that is left for a run."""
    total, free = machine.memory, machine.available
    values = {"memory": total, "available": free}
    if total is None or free is None:
        return Finding(topic="メモリー", found="この計算機では確かめられません。", values=values)
    told = f"{total / _GIB:.1f}GiB（空き {free / _GIB:.1f}GiB）"
    finding = Finding(topic="メモリー", found=told, values=values)
    if free >= _PEAK:
        return finding
    return finding.but(
        "注意",
        "大きな仕事が途中で止まることがあります（2,000課題×20,000社で約2.7GiBを使います）。",
        "ほかの処理を止めるか、メモリーの割り当てを増やしてください。",
    )


def build(machine: Machine, loaded: "Build", environment: Mapping[str, str]) -> Finding:
    """The FAISS that is loaded, and whether it uses the instructions that the CPU has."""
    finding = Finding(
        topic="FAISS",
        found=f"{loaded.version}、{loaded.simd} の命令で動きます（{loaded.module}）。\n"
        f"ビルドの構成: {loaded.options}",
        values={
            "version": loaded.version,
            "options": loaded.options,
            "module": loaded.module,
            "simd": loaded.simd,
        },
    )
    level = loaded.simd.partition("_")[0]
    if machine.has(*_AVX512) and level != "AVX512":
        lost = "AVX-512"
    elif machine.has(*_AVX2) and level not in ("AVX2", "AVX512"):
        lost = "AVX2"
    else:
        return finding
    named = _named(_SIMD, environment)
    return finding.but(
        "注意",
        f"CPUにある{lost}を使わないため、1件ずつの検索が遅くなります。",
        f"環境変数 {named} を外してください。" if named else install("faiss-cpu"),
    )


def better_kernel(machine: Machine, speed: "Speed") -> str | None:
    """The OpenBLAS kernel that suits this CPU, where one that is loaded uses less of it."""
    loaded = [blas.kernel for blas in _sides(speed).values() if blas.name == "openblas"]
    best = next((flags for flags in _KERNELS if machine.has(*flags)), None)
    if best is None or _KERNELS[best].issuperset(loaded):
        return None
    if best == _AVX512:
        return "SkylakeX"  # FAISS's OpenBLAS (0.3.15) does not know the later ones
    return "Zen" if machine.vendor in ("AuthenticAMD", "HygonGenuine") else "Haswell"


def matrices(
    speed: "Speed", trial: "Speed | None", kernel: str | None, environment: Mapping[str, str]
) -> Finding:
    """How fast matrices are multiplied, and what another kernel brought where one was tried.

    `trial` is the speed of a fresh process under `kernel`: advised is only what was measured.
    """
    ratio = speed.faiss_gflops / speed.numpy_gflops
    finding = Finding(
        topic="行列計算",
        found=f"numpy: {speed.numpy_gflops:.0f} GFLOP/s{_described(speed.numpy)}\n"
        f"FAISS: {speed.faiss_gflops:.0f} GFLOP/s{_described(speed.faiss)}\n"
        f"1コアでの実測。FAISSはnumpyの{ratio:.0%}の速さです。",
        values={
            **_speeds("numpy", speed.numpy, speed.numpy_gflops),
            **_speeds("faiss", speed.faiss, speed.faiss_gflops),
            "faiss_to_numpy": round(ratio, 3),
            "coretype": environment.get(CORETYPE) or None,
            "tried": kernel,
            "tried_numpy_gflops": round(trial.numpy_gflops, 1) if trial else None,
            "tried_faiss_gflops": round(trial.faiss_gflops, 1) if trial else None,
        },
    )
    if kernel and trial and _is_better(trial, speed):
        now = environment.get(CORETYPE)
        return finding.but(
            "注意",
            "課題をまとめて総当たりで照合するときの計算が、このCPUの力を出していません。\n"
            f"{CORETYPE}={kernel} での実測: {_gains(trial, speed)}",
            f"起動前に{set_variable(CORETYPE, kernel)}を実行してください"
            + (f"（いまの設定は {now} です）。" if now else "。")
            # A kernel adds up in its own order: Haswell and SkylakeX were 0.004 apart in the demo.
            + "得点の小数第3位が変わることがあるので、結果を比べる実行では設定をそろえてください。",
        )
    if ratio >= _LOST:
        return finding
    return finding.but(
        "注意",
        f"課題をまとめて総当たりで照合するとき、FAISSの計算に約{1 / ratio:.1f}倍の時間が"
        "かかります。",
        "設定で速くする方法は、この計算機では見つかりませんでした。",
    )


def threads(speed: "Speed", usable: int, environment: Mapping[str, str]) -> Finding:
    """How many threads multiply matrices, and the OpenMP libraries that are loaded."""
    counts = {name: blas.threads for name, blas in _sides(speed).items()}
    told = "、".join(f"{name} {count}" for name, count in counts.items())
    finding = Finding(
        topic="スレッド",
        found=f"行列計算: {told or '不明'}。OpenMP: {'、'.join(speed.openmp) or 'なし'}",
        values={f"{name.lower()}_threads": count for name, count in counts.items()}
        | {"openmp": speed.openmp},
    )
    if all(count >= usable for count in counts.values()):
        return finding
    named = _named(_THREADS, environment)
    return finding.but(
        "注意",
        f"行列計算が、使える{usable}コアの一部しか使いません。",
        f"環境変数 {named} を外してください。" if named else "",
    )


def read_size(machine: Machine) -> int:
    """How many bytes to read for a measurement: less where little is free."""
    return _READ if (machine.available or _GIB) >= _GIB else _READ // 8


def reading(gigabytes: float) -> Finding:
    """How fast memory is read, in GB/s: it limits a single exact search."""
    finding = Finding(
        topic="メモリー速度",
        found=f"{gigabytes:.0f} GB/s（100万社を1回総当たりするのに、少なくとも"
        f"{_ROW / gigabytes:,.0f}ミリ秒）",  # bytes / (GB/s) = ns a row, ms a million
        values={"gigabytes_per_second": round(gigabytes, 1)},
    )
    if gigabytes >= _SLOW_READ:
        return finding
    return finding.but(
        "注意",
        "大きなカタログを1件ずつ検索するのが遅くなります。",
        "仮想マシンなら、同じホストのほかの仮想マシンと混んでいないかを確かめてください。",
    )


def _sides(speed: "Speed") -> dict[str, "Blas"]:
    sides = {"numpy": speed.numpy, "FAISS": speed.faiss}
    return {name: blas for name, blas in sides.items() if blas}


def _described(blas: "Blas | None") -> str:
    if blas is None:
        return "（種類は不明）"
    return f"（{blas.name} {blas.version}{f'、{blas.kernel}向け' if blas.kernel else ''}）"


def _speeds(side: str, blas: "Blas | None", gflops: float) -> dict[str, Value]:
    return {
        f"{side}_blas": f"{blas.name} {blas.version}" if blas else None,
        f"{side}_kernel": blas.kernel if blas else None,
        f"{side}_gflops": round(gflops, 1),
    }


def _ratios(trial: "Speed", speed: "Speed") -> tuple[float, float]:
    """How many times as fast the trial was, for numpy and for FAISS."""
    return (
        trial.numpy_gflops / speed.numpy_gflops,
        trial.faiss_gflops / speed.faiss_gflops,
    )


def _is_better(trial: "Speed", speed: "Speed") -> bool:
    """Whether a library that took another kernel gained by it, and neither lost."""
    ratios = _ratios(trial, speed)
    changed = (trial.numpy != speed.numpy, trial.faiss != speed.faiss)
    gains = [ratio for ratio, has_changed in zip(ratios, changed, strict=True) if has_changed]
    return max(gains, default=0.0) >= _GAIN and min(ratios) >= _HARM


def _gains(trial: "Speed", speed: "Speed") -> str:
    numpy, faiss = _ratios(trial, speed)
    return (
        f"numpy {trial.numpy_gflops:.0f}（{numpy:.1f}倍）、"
        f"FAISS {trial.faiss_gflops:.0f} GFLOP/s（{faiss:.1f}倍）"
    )


def _named(names: tuple[str, ...], environment: Mapping[str, str]) -> str:
    """The variables of these that are set, with their values."""
    return "、".join(f"{name}={environment[name]}" for name in names if environment.get(name))
