"""The machine: its processor, and how much of its cores and memory this process may use.

Read from /proc and /sys/fs/cgroup, where Linux keeps them; what cannot be read is empty or None.
"""

import os
import platform
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_CGROUPS = "sys/fs/cgroup"
_LEAST = 9 * 2**28  # bytes of addresses: one thread without the reader took 2.3 GiB


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """The processor as it calls itself, and what a container or a service leaves of it."""

    cpu: str
    vendor: str  # AuthenticAMD, GenuineIntel
    flags: frozenset[str]  # the kernel's names of instruction sets: avx2, avx512_bf16, amx_tile
    quota: float | None  # cores' worth of time that the control group grants; None: no limit
    memory: int | None  # bytes, the limit of the control group included
    available: int | None  # bytes of it that are free or can be made so

    @classmethod
    def read(cls, root: Path = Path("/")) -> "Machine":
        """The machine that this runs on; another one, whose files were copied below `root`."""
        processor = _fields(root / "proc/cpuinfo")
        sizes = _fields(root / "proc/meminfo")
        limits = [_bytes(_text(group / name)) for group, name in _memory_files(root)]
        return cls(
            cpu=processor.get("model name") or platform.processor() or platform.machine(),
            vendor=processor.get("vendor_id", ""),
            flags=frozenset((processor.get("flags") or processor.get("Features") or "").split()),
            quota=min(filter(None, map(_quota, _groups(root, "cpu"))), default=None),
            memory=_least(_bytes(sizes.get("MemTotal", "")), *limits),
            available=_least(_bytes(sizes.get("MemAvailable", "")), *limits),
        )

    def has(self, *flags: str) -> bool:
        """Whether the processor has every one of these instruction sets."""
        return self.flags.issuperset(flags)


def usable_cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def check_memory() -> None:
    """Nothing, where a job with a model has the memory that the least of them takes.

    Raises:
        MemoryError: the system grants this process less (`ulimit -v`): libraries that are not
            written in Python would end it without a word.
    """
    if sys.platform == "win32":
        return
    import resource

    granted = resource.getrlimit(resource.RLIMIT_AS)[0]
    if granted != resource.RLIM_INFINITY and granted < _LEAST:
        raise MemoryError(f"{granted} bytes granted, {_LEAST} needed")


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""  # another system, or not for us to see


def _fields(path: Path) -> dict[str, str]:
    """The `name : value` lines of a file; the first of a name counts (cores repeat them all)."""
    found: dict[str, str] = {}
    for line in _text(path).splitlines():
        name, _, value = line.partition(":")
        found.setdefault(name.strip(), value.strip())
    return found


def _groups(root: Path, controller: str) -> Iterator[Path]:
    """The folders of the control groups that this process is in, inner to outer, v2 and v1."""
    for line in _text(root / "proc/self/cgroup").splitlines():
        controllers, _, path = line.partition(":")[2].partition(":")
        if controllers and controller not in controllers.split(","):
            continue
        base = root / _CGROUPS / (controller if controllers else "")
        parts = [part for part in path.split("/") if part not in ("", "..")]
        yield from (base.joinpath(*parts[:depth]) for depth in range(len(parts), -1, -1))


def _quota(group: Path) -> float | None:
    """The cores' worth of time that one group grants; None: no limit."""
    version_2 = _text(group / "cpu.max").split()
    version_1 = [_text(group / f"cpu.cfs_{name}_us") for name in ("quota", "period")]
    quota, period = version_2 if len(version_2) == 2 else version_1
    return int(quota) / int(period) if quota.isdigit() and period.isdigit() else None


def _memory_files(root: Path) -> Iterator[tuple[Path, str]]:
    for group in _groups(root, "memory"):
        yield from ((group, name) for name in ("memory.max", "memory.limit_in_bytes"))


def _bytes(text: str) -> int | None:
    """`123 kB`, or a bare number of bytes; None for `max` and for nothing."""
    number, _, unit = text.partition(" ")
    return int(number) * (1024 if unit == "kB" else 1) if number.isdigit() else None


def _least(*sizes: int | None) -> int | None:
    return min((size for size in sizes if size is not None), default=None)
