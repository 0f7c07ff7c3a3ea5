import os
import threading
from pathlib import Path

import pytest

from matcher import outputs
from matcher.errors import ForeignOutput, OutputInUse
from matcher.outputs import check_absent, check_room, flush_folder, locked, write_files


def test_files_are_written_whole_and_nothing_is_left_beside(tmp_path):
    write_files(tmp_path / "新", {"a": b"1", "b": b""})
    assert {path.name: path.read_bytes() for path in (tmp_path / "新").iterdir()} == {
        "a": b"1", "b": b"",
    }  # fmt: skip


def test_what_is_there_is_only_replaced_where_that_was_asked_for(tmp_path):
    write_files(tmp_path, {"a": b"1"})
    check_absent(tmp_path, ["b"])
    check_absent(tmp_path, ["a", "b"], overwrite=True)
    with pytest.raises(ForeignOutput, match="--overwrite"):
        check_absent(tmp_path, ["b", "a"])


def test_a_file_is_no_folder_and_a_folder_no_file(tmp_path):
    write_files(tmp_path, {"a": b"1"})
    (tmp_path / "b").mkdir()
    with pytest.raises(ForeignOutput, match="ファイルです"):
        check_absent(tmp_path / "a", [])
    with pytest.raises(ForeignOutput, match="すでにあります"):
        check_absent(tmp_path, ["b"], overwrite=True)


# The lock


def test_nothing_of_a_lock_stays_in_the_folder(tmp_path):
    with locked(tmp_path):
        assert len(list(tmp_path.iterdir())) == 1
    assert list(tmp_path.iterdir()) == []


def test_who_asks_for_a_locked_folder_waits_and_is_refused_after_its_patience(tmp_path):
    with locked(tmp_path):
        for patience in (0, 0.2):
            with (
                pytest.raises(OutputInUse, match="いま書き込んでいます"),
                locked(tmp_path, patience=patience),
            ):
                pass
    with locked(tmp_path, patience=0):
        pass


def test_one_at_a_time_is_in_a_locked_folder(tmp_path):
    inside, most, turns = [], [], 20

    def enter():
        for _ in range(turns):
            with locked(tmp_path):
                inside.append(1)
                most.append(len(inside))
                inside.pop()

    threads = [threading.Thread(target=enter) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1] * 4 * turns
    assert list(tmp_path.iterdir()) == []


def test_lock_that_a_dead_process_left_is_no_obstacle(tmp_path):
    (tmp_path / outputs.LOCK).touch()
    with locked(tmp_path, patience=0):
        pass
    assert list(tmp_path.iterdir()) == []


def test_lock_file_that_cannot_be_deleted_while_it_is_open_goes_afterwards(tmp_path, monkeypatch):
    unlink, refused = Path.unlink, []

    def as_windows_does(path, missing_ok=False):
        if not refused:
            refused.append(path.name)
            raise PermissionError
        return unlink(path, missing_ok=missing_ok)

    monkeypatch.setattr(Path, "unlink", as_windows_does)
    with locked(tmp_path):
        pass
    assert refused == [outputs.LOCK]
    assert list(tmp_path.iterdir()) == []


def test_folder_that_is_not_there_cannot_be_locked(tmp_path):
    with pytest.raises(OSError, match="none"), locked(tmp_path / "none"):
        pass


# Room


def test_room_is_asked_of_the_nearest_folder_that_there_is(tmp_path, monkeypatch):
    check_room(tmp_path / "a" / "b")
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError):
        check_room(tmp_path / "file" / "b")
    monkeypatch.setattr(os, "access", lambda path, _: path != tmp_path)
    with pytest.raises(PermissionError, match=tmp_path.name):
        check_room(tmp_path / "a" / "b")


def test_names_are_flushed_where_the_system_can(tmp_path, monkeypatch):
    flush_folder(tmp_path)

    def refuse(*_):
        raise PermissionError(13, "a folder")  # as Windows says to whoever opens one

    monkeypatch.setattr(os, "open", refuse)
    flush_folder(tmp_path)
