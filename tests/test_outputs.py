import pytest

from matcher.errors import ForeignOutput
from matcher.outputs import check_absent, write_files


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
