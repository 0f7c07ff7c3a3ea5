"""What goes wrong around the program: disks, locks, signals, memory, half-copied files."""

import errno
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from examples import COMPANIES, LINES, Crash, write_table
from filelock import FileLock

from matcher import outputs, segments
from matcher.catalog import Catalog
from matcher.console import INTERRUPTION
from matcher.embed import load_encoder, load_reader
from matcher.errors import StaleCatalog
from matcher.outputs import locked
from matcher.run import FILES, MANIFEST, load_run, write_run
from matcher.shelf import check_files

NAMES = sorted((*FILES, MANIFEST))
ACCEPTED = 6  # of the issues of the examples
QUICK = (sys.executable, str(Path(__file__).with_name("quick_command.py")))
REAL = (sys.executable, "-m", "matcher")
ROOT = Path(__file__).parents[1]
SOON = 60  # seconds: a hang, not a slow machine


@pytest.fixture(autouse=True)
def _quick(quick):
    """Nothing here depends on which encoder it is."""


@pytest.fixture
def out(call, tmp_path, issues_csv, companies_csv):
    """The folder of a run."""
    assert call("match", issues_csv, companies_csv, "--out", tmp_path / "結果", "--quiet")[0] == 0
    return tmp_path / "結果"


@pytest.fixture
def catalog(call, tmp_path, companies_csv):
    """The folder of a catalog."""
    assert call("build", companies_csv, "--catalog", tmp_path / "企業", "--quiet")[0] == 0
    return tmp_path / "企業"


@pytest.fixture
def again(call, issues_csv, companies_csv, tmp_path):
    """Match into a folder; gives the status and what its user reads, free of this test's folder."""

    def run(folder, *options, companies=companies_csv):
        given = ("match", issues_csv, companies, "--out", folder, "--quiet", "--top", 1)
        status, _, errors = call(*given, *options)
        return status, "\n".join(errors).replace(f"{tmp_path}{os.sep}", "")

    return run


def contents(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def failing(plain, at, error):
    """`plain`, whose call number `at` and all later ones raise instead."""
    calls = iter(range(1, 10_000))

    def replacement(*args, **kwargs):
        if next(calls) >= at:
            raise error
        return plain(*args, **kwargs)

    return replacement


def started(start, *arguments, env=(), **kwargs):
    known = {**os.environ, "PYTHONPATH": str(ROOT), **dict(env)}
    return subprocess.Popen(
        [*start, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        encoding="utf-8", env=known, **kwargs,
    )  # fmt: skip


def ended(process):
    """Status and what was read of a process, without the word that it is ready."""
    _, errors = process.communicate(timeout=SOON)
    return process.returncode, errors.removeprefix("ready\n").strip()


# Disk


@pytest.mark.parametrize(
    ("number", "name"),
    [(errno.ENOSPC, "ディスクがいっぱい"), (errno.EDQUOT, "割り当て（quota）の上限")],
)
def test_full_disk_while_a_run_is_written(again, out, monkeypatch, tried, number, name):
    before = contents(out)
    for at in range(1, len(NAMES) + 1):
        with monkeypatch.context() as patch:
            error = OSError(number, os.strerror(number), str(out / ".staged" / FILES[0]))
            patch.setattr("matcher.run.write", failing(outputs.write, at, error))
            status, reads = again(out)
        assert status == 2
        assert contents(out) == before
    assert again(out)[0] == 0
    assert sorted(path.name for path in out.iterdir()) == NAMES
    tried(7, f"match の途中で{name}", "前の6つのファイルがそのまま残る。終了状態2", reads)


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        OSError("1024 requested and 512 written"),  # numpy says it so, without a number
        RuntimeError("IO Error: Could not write file: No space left on device"),  # as DuckDB does
    ],
    ids=["system", "numpy", "duckdb"],
)
def test_full_disk_while_a_catalog_is_written(
    call, catalog, companies_csv, monkeypatch, tried, error
):
    before = contents(catalog)
    for place, at in (("numpy.save", 1), ("numpy.save", 4), ("matcher.segments.write_records", 1)):
        with monkeypatch.context() as patch:
            patch.setattr(place, failing(lambda *_, **__: None, at, error))
            status, _, reads = call("build", companies_csv, "--catalog", catalog)
        assert (status, len(reads)) == (2, 1)
        assert contents(catalog) == before
    tried(7, "build の途中でディスクがいっぱい", "前のカタログがそのまま残る。終了状態2", reads[0])


def test_folder_that_may_not_be_written_is_refused_before_the_work(
    again, out, monkeypatch, tried, quick
):
    before = contents(out)
    monkeypatch.setattr(os, "access", lambda _, mode: mode != os.W_OK)
    encoder = quick("idle")
    for folder in (out / "新しい", out):
        status, reads = again(folder)
        assert status == 2
        assert reads.startswith("結果 を読み書きできません")
    assert encoder.documents == []
    assert contents(out) == before
    tried(7, "書き込めないフォルダーへの --out", "計算を始める前に断る。終了状態2", reads)


# No folder refuses root, so there the refusal cannot be brought about.
@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write it all")
def test_folder_without_the_right_to_write_is_refused(again, out):
    before = contents(out)
    out.chmod(0o555)
    try:
        assert again(out)[0] == 2
        assert load_run(out)
    finally:
        out.chmod(0o755)
    assert contents(out) == before


def test_disk_that_is_mounted_read_only(again, out, monkeypatch, tried):
    before = contents(out)
    error = OSError(errno.EROFS, os.strerror(errno.EROFS))
    monkeypatch.setattr(FileLock, "acquire", failing(None, 1, error))
    status, reads = again(out)
    assert status == 2
    assert contents(out) == before
    assert load_run(out)
    tried(7, "読み取り専用のディスクへの --out", "断る。終了状態2", reads)


@pytest.mark.parametrize("at", [1, 2, 3])  # before the work, before the writing, in the moves
@pytest.mark.parametrize("name", NAMES)
def test_file_that_another_program_holds_open(again, out, monkeypatch, tried, name, at):
    before, replace, met = contents(out), Path.replace, []

    def held(path, target):
        """As Windows moves nothing from or to a file that Excel has open."""
        if out / name in (path, Path(target)):
            met.append(path)
            if len(met) == at:
                raise PermissionError(errno.EACCES, "in use", str(path))
        return replace(path, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", held)
        status, reads = again(out)
    assert status == 2
    assert len(met) >= at
    assert contents(out) == before
    assert again(out)[0] == 0
    if name == "shortlist.xlsx" and at == 1:
        tried(7, "前回の shortlist.xlsx をExcelで開いたまま実行", "前の6つのまま。終了状態2", reads)


def test_crash_while_a_refused_move_is_taken_back(out, monkeypatch, tmp_path):
    shortlists, before, replace = load_run(out).shortlists[:1], contents(out), Path.replace
    for step in range(1, 40):
        folder = shutil.copytree(out, tmp_path / f"{step}")
        moves = iter(range(1, 1000))

        def held(path, target, folder=folder, moves=moves, step=step):
            """The fourth file is held; of the moves after that the `step`-th is the last one."""
            if (path, Path(target).parent.name) == (folder / FILES[3], "former"):
                monkeypatch.setattr(Path, "replace", last)
                raise PermissionError(errno.EACCES, "in use", str(path))
            return replace(path, target)

        def last(path, target, moves=moves, step=step):
            if next(moves) >= step:
                raise Crash
            return replace(path, target)

        monkeypatch.setattr(Path, "replace", held)
        try:
            write_run(folder, shortlists, [], {})
            raise AssertionError
        except Crash:
            is_over = False
        except PermissionError:
            is_over = True
        monkeypatch.setattr(Path, "replace", replace)
        assert load_run(folder).keys() in (load_run(out).keys(), {shortlists[0].issue.issue_id})
        write_run(folder, shortlists, [], {})
        assert sorted(path.name for path in folder.iterdir()) == NAMES
        if is_over:
            break
    assert step > 5  # the mark that nothing is whole any more, and each file back on both ways
    assert contents(out) == before


def test_folder_that_is_removed_before_the_writing(again, out, monkeypatch, tried):
    def removed(*_, **__):
        shutil.rmtree(out)
        return b""

    with monkeypatch.context() as patch:
        patch.setattr("matcher.run.workbook_bytes", removed)
        assert again(out)[0] == 0
    assert sorted(path.name for path in out.iterdir()) == NAMES
    tried(7, "計算中に出力フォルダーが消された", "作り直して6つのファイルを書く")


def test_folder_that_is_removed_during_the_writing(again, out, monkeypatch, tried):
    def removed(path, content):
        shutil.rmtree(out, ignore_errors=True)
        outputs.write(path, content)

    monkeypatch.setattr("matcher.run.write", removed)
    status, reads = again(out)
    assert status == 2
    assert not out.exists()
    tried(7, "書き込み中に出力フォルダーが消された", "やめる。終了状態2", reads)


# Names and places


@pytest.mark.parametrize("name", ["空 白", "日本語　全角空白", "é＋😀", "-o", "a" * 240])
def test_folder_with_an_odd_name(again, tmp_path, name, tried):
    folder = tmp_path / "深い" / name
    assert again(folder)[0] == 0
    assert len(load_run(folder)) == ACCEPTED
    if name == "空 白":
        tried(7, "空白や日本語を含むフォルダー名", "ふつうに動く")


def test_path_of_more_than_260_characters(again, tmp_path, tried):
    folder = tmp_path.joinpath(*["とても長い名前のフォルダー" * 3] * 8)
    assert len(str(folder)) > 300
    assert again(folder)[0] == 0
    assert sorted(path.name for path in folder.iterdir()) == NAMES
    tried(7, "260字を超えるパス", "ふつうに動く（Linux）")


def test_name_that_is_longer_than_the_system_allows(again, tmp_path, tried):
    status, reads = again(tmp_path / ("長" * 200))
    assert status == 2
    tried(
        7, "200字のフォルダー名（600バイト）", "断る。終了状態2", reads.replace("長" * 200, "長…長")
    )


@pytest.mark.parametrize(
    "language",
    [
        {"LC_ALL": "C", "LANG": "C", "PYTHONIOENCODING": "ascii"},
        {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
    ],
    ids=["C", "C without UTF-8"],
)
def test_locale_without_japanese(tmp_path, issues_csv, companies_csv, language, tried):
    table = issues_csv.rename(tmp_path / "課題 一覧.csv")
    folder = tmp_path / "出力 先"
    with started(QUICK, "match", table, companies_csv, "--out", folder, env=language) as process:
        assert ended(process)[0] == 0
    assert sorted(path.name for path in folder.iterdir()) == NAMES
    assert load_run(folder).manifest["inputs"]["issues"]["source"] == "課題 一覧.csv"
    tried(
        7, "LANG=C・LC_ALL=C（画面が日本語を出せない）", "ふつうに動く。画面の日本語だけ ? になる"
    )


def test_table_whose_name_is_no_utf8(again, tmp_path, companies_csv, tried):
    try:
        odd = tmp_path / os.fsdecode("企業.csv".encode("cp932"))
        companies_csv.rename(odd)
    except OSError:
        # macOS refuses such a name itself: nobody can give it to the program there.
        pytest.skip("this file system takes UTF-8 names only")
    assert again(tmp_path / "out", companies=odd)[0] == 0
    tried(
        7,
        "名前がUTF-8でない表（Windowsから写したもの）",
        "ふつうに動く。名前の読めない字は � になる",
    )


def test_without_home_and_without_any_other_variable(tmp_path, issues_csv, companies_csv, tried):
    table, out = tmp_path / "one.csv", tmp_path / "out"
    rows = issues_csv.read_text(encoding="utf-8").splitlines(keepends=True)
    table.write_text("".join(rows[:2]), encoding="utf-8")
    given = ("match", table, companies_csv, "--out", out, "--no-bridge", "--no-reader")
    for start, home in ((REAL, {}), (QUICK, {"HOME": "/proc/nobody"})):
        done = subprocess.run(
            [*start, *map(str, given)], env={"PYTHONPATH": str(ROOT), **home}, cwd=tmp_path,
            capture_output=True, encoding="utf-8", timeout=SOON, check=False,
        )  # fmt: skip
        assert (done.returncode, "Traceback" in done.stderr) == (0, False)
    assert sorted(path.name for path in out.iterdir()) == NAMES
    tried(7, "HOME がない、または書き込めない", "ふつうに動く（何も書きに行かない）")


def test_without_a_place_for_temporary_files(
    again, call, tmp_path, out, monkeypatch, tried, companies_csv
):
    def nowhere():
        raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found in ['/tmp']")

    monkeypatch.setattr(tempfile, "gettempdir", nowhere)
    monkeypatch.setattr(tempfile, "_get_candidate_names", nowhere)
    assert again(out)[0] == 0
    assert call("build", companies_csv, "--catalog", tmp_path / "c")[0] == 0
    tried(7, "一時ファイルを置ける場所（TMPDIR）がない", "ふつうに動く（使わない）")


# macOS and Windows have no call that binds a process to one core.
@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="cores are bound on Linux alone")
def test_one_core_gives_the_same_files(out, tmp_path, issues_csv, companies_csv, tried):
    one = {min(os.sched_getaffinity(0))}
    for number, options in enumerate(((), ("--threads", "1"))):
        folder = tmp_path / f"one-{number}"
        with started(
            QUICK, "match", issues_csv, companies_csv, "--out", folder, *options,
            preexec_fn=lambda: os.sched_setaffinity(0, one),
        ) as process:  # fmt: skip
            assert ended(process)[0] == 0
        for name in FILES:
            assert (folder / name).read_bytes() == (out / name).read_bytes()
    tried(7, "1コアだけ、または --threads 1", "同じ結果（1バイトも違わない）")


def test_clock_that_was_set_back(again, out, monkeypatch, tried):
    class Earlier(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime(1980, 1, 1, tzinfo=tz or UTC)

    monkeypatch.setattr("matcher.job.datetime", Earlier)
    assert again(out)[0] == 0
    assert load_run(out).manifest["time"].startswith("1980")
    assert sorted(path.name for path in out.iterdir()) == NAMES
    tried(7, "時計が戻っている（前回より前の時刻）", "ふつうに動く（時刻では判断しない）")


# Models


@pytest.fixture
def loads(monkeypatch):
    """Lets the encoder, or the reader, be loaded in earnest."""

    def earnest(option):
        if option == "--encoder":
            monkeypatch.setattr("matcher.job.load_encoder", load_encoder)
        else:
            monkeypatch.setattr("matcher.job.load_reader", load_reader)

    return earnest


def weights(folder, length):
    """A model's folder whose weights, of one array of 4,000 bytes, are so many bytes long."""
    folder.mkdir()
    (folder / "config.json").write_text("{}", encoding="utf-8")
    array = {"dtype": "F32", "shape": [1000], "data_offsets": [0, 4000]}
    told = json.dumps({"words": array, "__metadata__": {"format": "pt"}}).encode()
    whole = len(told).to_bytes(8, "little") + told + bytes(4000)
    (folder / "model.safetensors").write_bytes(whole[:length])
    return folder


@pytest.mark.parametrize("option", ["--encoder", "--reader"])
def test_model_folder_that_is_missing_or_half_copied(again, out, tmp_path, tried, loads, option):
    loads(option)
    before, kind = contents(out), {"--encoder": "エンコーダー", "--reader": "読み合わせ"}[option]
    missing, empty = tmp_path / "モデルなし", tmp_path / "設定なし"
    weights(empty, 99)
    (empty / "config.json").unlink()
    cut = [weights(tmp_path / f"途中{length}", length) for length in (0, 7, 60, 2000, 4095)]
    for folder, name in (
        (missing, "フォルダーがない"),
        (empty, "フォルダーに設定（config.json）がない"),
        *((one, "重み（.safetensors）が途中まで") for one in cut),
    ):
        status, reads = again(out, option, folder)
        assert status == 2
        assert folder.name in reads
        assert contents(out) == before
        if folder not in cut[:-1]:
            tried(7, f"{option} の{kind}モデルの{name}", "断る。終了状態2", reads)


def test_bundled_weights_that_are_cut_short(again, out, tmp_path, monkeypatch, tried, loads):
    from matcher.embed import bundled, packed

    loads("--encoder")
    whole, before = packed.packed_path(), contents(out)
    cut = tmp_path / whole.name
    size = whole.stat().st_size
    for length in (1000, size // 2, size - 1):
        with whole.open("rb") as file:
            cut.write_bytes(file.read(length))
        with monkeypatch.context() as patch:
            patch.setattr(bundled, "packed_path", lambda: cut)
            status, reads = again(out)
        assert status == 2
        assert cut.name in reads
    assert contents(out) == before
    tried(7, "同梱の重みのファイルが途中まで", "断る。終了状態2", reads)


# Catalogs


def test_catalog_of_another_version_or_encoder(again, out, catalog, quick, tried):
    before, path = contents(out), catalog / MANIFEST
    quick("another")
    status, reads = again(out, companies=catalog)
    assert status == 2
    tried(7, "別のエンコーダーで作ったカタログ", "断る。終了状態2", reads)
    quick()
    manifest = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(manifest | {"format": 1}), encoding="utf-8")
    status, reads = again(out, companies=catalog)
    assert status == 2
    tried(7, "別の版の matcher で作ったカタログ", "断る。終了状態2", reads)
    assert contents(out) == before


def test_byte_that_is_flipped_in_any_file_of_a_catalog(again, out, catalog, tried):
    before = contents(out)
    files = [path for path in catalog.rglob("*") if path.is_file()]
    assert len(files) > 15
    for path in files:
        plain = path.read_bytes()
        for place in {0, len(plain) // 3, len(plain) - 1}:
            path.write_bytes(flipped(plain, place))
            status, reads = again(out, companies=catalog)
            assert status == 2, (path, place)
            assert place == 0 or path.name in reads
        path.write_bytes(plain)
        if path.name == "vectors.npy" and path.parent.name.startswith("segment-"):
            tried(7, "カタログのファイルの1ビットが変わった", "見つけて断る。終了状態2", reads)
    assert contents(out) == before
    assert again(out, companies=catalog)[0] == 0


def test_byte_between_the_samples_of_a_large_file_is_found_by_doctor(
    call, companies_csv, tmp_path, monkeypatch, tried
):
    monkeypatch.setattr(segments, "_LARGE", 4000)
    monkeypatch.setattr(segments, "_PIECE", 8)
    folder = tmp_path / "企業"
    assert call("build", companies_csv, "--catalog", folder)[0] == 0
    path = next(folder.glob("segment-*/vectors.npy"))
    plain = path.read_bytes()
    path.write_bytes(flipped(plain, len(plain) // 2 + 10))
    Catalog.open(folder)  # only the samples are read
    with pytest.raises(StaleCatalog, match=r"vectors\.npy"):
        check_files(folder)
    status, shown, _ = call("doctor", "--catalog", folder, "--json")
    (found,) = [one for one in json.loads(shown)["findings"] if one["topic"] == "カタログ"]
    assert (status, found["level"], "vectors.npy" in found["found"]) == (1, "問題", True)
    tried(
        7, "64MiBを超えるファイルの、標本の間の1ビットが変わった",
        "開くときは標本だけを確かめる。matcher doctor --catalog は全部を読んで見つける",
        found["found"],
    )  # fmt: skip


def flipped(content, place):
    return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]


# Memory


# The limit of address space is of no effect on macOS and unknown to Windows.
@pytest.mark.skipif(sys.platform != "linux", reason="Linux alone bounds the memory of a process")
@pytest.mark.parametrize("mib", [600, 2000])
def test_memory_that_no_job_can_do_with(out, issues_csv, companies_csv, tried, mib):
    import resource

    before = contents(out)
    limit = lambda: resource.setrlimit(resource.RLIMIT_AS, (mib << 20, mib << 20))  # noqa: E731
    with started(
        REAL, "match", issues_csv, companies_csv, "--out", out, preexec_fn=limit
    ) as process:
        status, reads = ended(process)
    assert status == 2
    assert "\n" not in reads
    assert contents(out) == before
    tried(7, "使えるメモリーが足りない（上限2GB）", "前の6つのまま。終了状態2", reads)


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        np.exceptions.AxisError("Unable to allocate 3.1 GiB for an array"),
        RuntimeError("[CPU] FullyConnected node with name 'Add_22' can't allocate"),
        ImportError("libx.so: failed to map segment from shared object"),
    ],
    ids=["python", "numpy", "openvino", "loader"],
)
@pytest.mark.parametrize(
    "place", ["matcher.job.read_issues", "matcher.run.workbook_bytes", "matcher.run.write"]
)
def test_memory_that_runs_out(again, out, monkeypatch, place, error):
    before = contents(out)
    monkeypatch.setattr(place, failing(None, 1, error))
    status, reads = again(out)
    assert status == 2
    assert reads.startswith("メモリーが足りない")
    assert contents(out) == before


# Two at once


def test_run_into_a_folder_that_another_run_is_writing(again, out, monkeypatch, tried):
    before = contents(out)
    monkeypatch.setattr(outputs, "_PATIENCE", 0.2)
    with locked(out):
        assert len(load_run(out)) == ACCEPTED  # a reader need not wait
        status, reads = again(out)
    assert status == 2
    assert contents(out) == before
    assert again(out)[0] == 0
    tried(7, "別の match が同じフォルダーに書いている", "1分待ち、それでもなら断る", reads)


def test_build_into_a_folder_that_another_build_is_writing(
    call, catalog, companies_csv, monkeypatch, tried, tmp_path
):
    before = contents(catalog)
    monkeypatch.setattr(outputs, "_PATIENCE", 0.2)
    staged = catalog / ".staged-1"
    with locked(catalog):
        staged.mkdir()
        Catalog.open(catalog)
        status, _, reads = call("build", companies_csv, "--catalog", catalog)
        assert staged.is_dir()  # it is the other one's
    assert (status, len(reads)) == (2, 1)
    assert contents(catalog) == before
    reads = reads[0].replace(f"{tmp_path}{os.sep}", "")
    tried(7, "別の build が同じカタログに書いている", "1分待ち、それでもなら断る", reads)


def test_two_runs_at_once_leave_the_one_set_or_the_other(out, issues_csv, companies_csv, tried):
    for _ in range(2):
        processes = [
            started(QUICK, "match", issues_csv, companies_csv, "--out", out, "--top", str(top))
            for top in (1, 2, 3)
        ]
        for process in processes:
            with process:
                assert ended(process)[0] == 0
        saved = load_run(out)
        assert max(map(len, saved.values())) == saved.manifest["options"]["top"]
        assert sorted(path.name for path in out.iterdir()) == NAMES
        assert again_is_unchanged(out)
    tried(7, "同じフォルダーに同時に3つの match", "順に書く。6つは必ずどれか1回分")


def again_is_unchanged(out):
    """Whether each file is the one that the manifest names: none is of another run."""
    outputs = load_run(out).manifest["outputs"]
    return {n: hashlib.sha256((out / n).read_bytes()).hexdigest() for n in FILES} == outputs


def test_two_builds_at_once_leave_the_one_catalog_or_the_other(catalog, tmp_path, tried):
    tables = [write_table(tmp_path / f"{n}.csv", COMPANIES[n:]) for n in range(1, 4)]
    processes = [started(QUICK, "build", table, "--catalog", catalog) for table in tables]
    for process in processes:
        with process:
            assert ended(process)[0] == 0
    check_files(catalog)
    assert len(Catalog.open(catalog).companies) in (9, 10, 11)
    assert len(list(catalog.iterdir())) == 2
    tried(7, "同じカタログに同時に3つの build", "順に書く。カタログは必ずどれか1回分")


def test_readers_beside_a_writer_read_the_one_set_or_the_other(out, catalog, tmp_path, fake):
    few, many = load_run(out).shortlists[:2], load_run(out).shortlists
    stopped, seen, opened = threading.Event(), set(), set()
    other = Catalog.build(Catalog.open(catalog).companies[:5], fake, lines=LINES)
    whole = Catalog.open(catalog)

    def read():
        while not stopped.is_set():
            seen.add(len(load_run(out)))
            opened.add(len(Catalog.open(catalog).companies))

    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(read)
        for turn in range(12):
            write_run(out, few if turn % 2 else many, [], {})
            (other if turn % 2 else whole).save(tmp_path / "企業")
        stopped.set()
        reading.result(timeout=SOON)
    assert seen <= {2, ACCEPTED}
    assert opened <= {5, 12}


# Signals


@pytest.mark.parametrize("command", ["match", "build"])
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_signal_at_any_moment(out, catalog, issues_csv, companies_csv, tried, command, name):
    folder = {"match": out, "build": catalog}[command]
    before = contents(folder)
    given = {
        "match": ("match", issues_csv, companies_csv, "--top", 1, "--out", out),
        "build": ("build", companies_csv, "--catalog", catalog),
    }[command]
    for delay in (0, 0.3):
        with started(QUICK, *given) as process:
            assert process.stderr.readline() == "ready\n"
            time.sleep(delay)
            process.send_signal(getattr(signal, name))
            status, reads = ended(process)
        assert status in ((130, 0) if delay else (130,)), reads
        if status == 130:
            assert reads == INTERRUPTION
            if not delay:
                assert contents(folder) == before
    if name == "SIGTERM" and command == "match":
        tried(7, "Ctrl-C、または SIGTERM（終了の合図）", "片づけて終わる。終了状態130", reads)


def test_signal_that_comes_where_nobody_can_catch_it(tmp_path):
    program = tmp_path / "deaf.py"
    program.write_text(
        "import os, signal, time\n"
        "from matcher import cli\n"
        "from matcher.__main__ import main\n"
        "class Deaf:\n"
        "    def __del__(self):\n"
        "        os.kill(os.getpid(), signal.SIGTERM)\n"
        "        time.sleep(0.1)\n"
        "def call():\n"
        "    Deaf()\n"
        "    time.sleep(60)\n"
        "cli.main = call\n"
        "main()\n",
        encoding="utf-8",
    )
    with started((sys.executable, str(program))) as process:
        assert ended(process) == (130, INTERRUPTION)


def test_signal_that_an_import_turns_into_another_error(tmp_path):
    program = tmp_path / "turned.py"
    program.write_text(
        "import os, signal, time\n"
        "from matcher import cli\n"
        "from matcher.__main__ import main\n"
        "def call():\n"
        "    try:\n"
        "        os.kill(os.getpid(), signal.SIGTERM)\n"
        "        time.sleep(60)\n"
        "    except KeyboardInterrupt:\n"
        "        raise ImportError('half imported') from None\n"
        "cli.main = call\n"
        "main()\n",
        encoding="utf-8",
    )
    with started((sys.executable, str(program))) as process:
        assert ended(process) == (130, INTERRUPTION)


def test_error_of_the_program_itself_shows_its_trace(again, out, monkeypatch):
    monkeypatch.setattr("matcher.run.workbook_bytes", failing(None, 1, KeyError("bug")))
    with pytest.raises(KeyError, match="bug"):
        again(out)
