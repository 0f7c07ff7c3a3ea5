"""Whether matcher runs here as fast as this machine allows: findings, each with what to do.

Everything is looked at and measured on the spot, in a few seconds; nothing is written, and nothing
leaves the machine.
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from matcher.doctor import computing, installed
from matcher.doctor.finding import Finding
from matcher.errors import DataError, MatcherError
from matcher.machine import Machine, usable_cores


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """All findings, and how long it took to come by them."""

    findings: tuple[Finding, ...]
    seconds: float

    @property
    def has_problem(self) -> bool:
        """Whether something is missing without which matcher does not run."""
        return any(finding.level == "問題" for finding in self.findings)


def examine(catalog: Path | None = None) -> Diagnosis:
    """What there is to say of this machine, and of a saved catalog on it.

    Raises:
        DataError: the folder holds no catalog.
    """
    started = perf_counter()
    stored = _guarded("カタログ", lambda: [installed.catalog(catalog)] if catalog else [])
    machine, cores = Machine.read(), usable_cores()
    findings = (
        computing.processor(machine),
        computing.cores(machine, cores, _load()),
        computing.memory(machine),
        *_guarded("計算の部品", lambda: _measured(machine, cores)),
        *_guarded("エンコーダー", lambda: [installed.encoder(installed.capabilities())]),
        *_guarded("重み", lambda: [installed.weights()]),
        *_guarded("辞書", lambda: [installed.dictionary()]),
        *_guarded("検索の加速", lambda: [installed.native()]),
        *_guarded("別のモデル", lambda: [installed.other_models()]),
        *_guarded("ライブラリー", lambda: [installed.libraries()]),
        *stored,
    )
    return Diagnosis(findings=findings, seconds=round(perf_counter() - started, 2))


def _measured(machine: Machine, cores: int) -> Iterator[Finding]:
    """What numpy and FAISS find here; another kernel is tried where one that is loaded is weak."""
    from matcher.index import engine

    speed = engine.measure()
    kernel = computing.better_kernel(machine, speed)
    trial = engine.measure_fresh({computing.CORETYPE: kernel}) if kernel else None
    if trial:  # on both sides of the trial: a machine may be busy for a moment
        speed = engine.faster(speed, engine.measure())
    yield computing.build(machine, engine.build(), os.environ)
    yield computing.matrices(speed, trial, kernel, os.environ)
    yield computing.threads(speed, cores, os.environ)
    yield computing.reading(engine.bandwidth(cores, computing.read_size(machine)))


def _guarded(topic: str, look: Callable[[], Iterator[Finding] | list[Finding]]) -> list[Finding]:
    """The findings, or the one that there can be none: a part is missing or broken."""
    try:
        return list(look())
    except DataError:
        raise  # there is no catalog to speak of
    except MatcherError as error:
        return [Finding(topic=topic, level="問題", found=str(error))]
    except (ImportError, OSError, RuntimeError) as error:  # RuntimeError: MeCab, OpenVINO
        return [installed.broken(topic, error)]


def _load() -> float:
    """How many processes wanted a core in the last minute; 0 where nobody counts."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
