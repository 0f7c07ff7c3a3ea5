"""How fast the bundled encoder is beside sentence-transformers, and how near its vectors are.

Both run the same weights on the same 300-character texts from `data/`: OpenVINO in the precision
that the CPU offers, torch in float32, one thread each, in turn, five rounds. Run it on a machine
that does nothing else: `python benchmarks/bench_encode.py`.
"""

import csv
import json
import os
import platform
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import date
from importlib.metadata import version
from pathlib import Path
from statistics import median

import numpy as np

from matcher.embed.bundled import BundledEncoder
from matcher.embed.export import export_encoder

HERE = Path(__file__).parent
ROUNDS = 5
TEXTS = 96
CHARACTERS = 300


def main() -> None:
    """Prints a table and writes `results/bench_encode.json`."""
    from sentence_transformers import SentenceTransformer
    from torch import set_num_threads

    texts = read_texts()
    where = machine()
    started = time.perf_counter()
    one = BundledEncoder(threads=1)
    ready = time.perf_counter() - started
    two = BundledEncoder(threads=2)
    plain = BundledEncoder(threads=1, precision="f32")  # as on a CPU without bf16
    with tempfile.TemporaryDirectory() as folder:
        exported = export_encoder(Path(folder) / "e5")
        model = SentenceTransformer(str(exported), device="cpu", local_files_only=True)
    set_num_threads(1)

    contestants: dict[str, Callable[[Sequence[str]], np.ndarray]] = {
        "bundled": one.encode_documents,
        "bundled_two_threads": two.encode_documents,
        "bundled_f32": plain.encode_documents,
        "sentence_transformers": lambda texts: model.encode_document(
            list(texts), show_progress_bar=False
        ),
    }
    vectors = {name: encode(texts) for name, encode in contestants.items()}  # and warm
    rates: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(ROUNDS):
        for name, encode in contestants.items():
            rates[name].append(rate(encode, texts))
    cosines = (vectors["bundled"] * vectors["sentence_transformers"]).sum(axis=1)
    theirs = rates["sentence_transformers"]
    result = {
        "date": date.today().isoformat(),
        "machine": where,
        "versions": {
            name: version(name) for name in ("openvino", "torch", "sentence-transformers", "numpy")
        },
        "encoder": one.id,
        "texts": {"count": len(texts), "characters": CHARACTERS, "source": "data/"},
        "documents_per_second": {name: round(median(found), 2) for name, found in rates.items()},
        "rounds": {name: [round(each, 2) for each in found] for name, found in rates.items()},
        "ratio_one_thread": ratio(rates["bundled"], theirs),
        "ratio_one_thread_f32": ratio(rates["bundled_f32"], theirs),
        "cosine": {"minimum": float(cosines.min()), "mean": float(cosines.mean())},
        "seconds_until_ready": round(ready, 2),
        "bits_equal_for_one_and_two_threads": bool(
            np.array_equal(vectors["bundled"], vectors["bundled_two_threads"])
        ),
    }
    show(result)
    target = HERE / "results" / "bench_encode.json"
    target.parent.mkdir(exist_ok=True)
    target.write_text(json.dumps(result, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


def read_texts() -> list[str]:
    """`TEXTS` texts of exactly `CHARACTERS` characters, evenly spaced over profiles and issues."""
    found: list[str] = []
    for file, column in (("companies.csv", "profile"), ("issues.csv", "description")):
        path = HERE.parent / "data" / file
        with path.open(encoding="utf-8-sig", newline="") as lines:
            found += [row[column] for row in csv.DictReader(lines)]
    whole = "".join(found)
    step = (len(whole) - CHARACTERS) // (TEXTS - 1)
    return [whole[at * step : at * step + CHARACTERS] for at in range(TEXTS)]


def rate(encode: Callable[[Sequence[str]], np.ndarray], texts: Sequence[str]) -> float:
    """Texts a second."""
    started = time.perf_counter()
    encode(texts)
    return len(texts) / (time.perf_counter() - started)


def machine() -> dict[str, str | int | float | None]:
    """What the numbers depend on."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    named = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return {
        "cpu": named[0] if named else platform.processor(),
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),  # about 0 before a run that deserves trust
        "system": platform.system(),
        "python": platform.python_version(),
    }


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """The median of the ratios round by round."""
    return round(median(one / other for one, other in zip(ours, theirs, strict=True)), 2)


def show(result: dict) -> None:
    """The result as a small table."""
    for name, found in result["documents_per_second"].items():
        print(f"{name:<24}{found:>8.1f} documents/s")
    print(f"{'ratio, one thread each':<24}{result['ratio_one_thread']:>8.2f} ×")
    print(f"{'the same in f32':<24}{result['ratio_one_thread_f32']:>8.2f} ×")
    print(f"{'minimum cosine':<24}{result['cosine']['minimum']:>8.5f}")
    print(f"{'ready after':<24}{result['seconds_until_ready']:>8.2f} s")


if __name__ == "__main__":
    main()
