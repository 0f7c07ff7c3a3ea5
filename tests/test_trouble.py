import errno
import os
from pathlib import Path

import pytest

from matcher.trouble import told


def refused(number, name="結果/shortlist.xlsx"):
    return OSError(number, os.strerror(number), name)


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "空き容量がありません"),
        (errno.EDQUOT, "空き容量がありません"),
        (errno.EACCES, "ほかのソフトで開いています"),
        (errno.EPERM, "ほかのソフトで開いています"),
        (errno.EROFS, "読み取り専用"),
        (errno.ENAMETOOLONG, "名前が長すぎます"),
        (errno.ENOENT, "がありません"),
        (errno.ENOTDIR, "フォルダーではありません"),
        (errno.EIO, "EIO"),
    ],
)
def test_sentence_names_the_file_the_problem_and_what_to_do(number, words):
    sentence = told(refused(number))
    assert words in sentence
    assert "shortlist.xlsx" in sentence
    assert sentence.endswith("ください。") or "ください。前回の出力はそのまま" in sentence
    assert os.strerror(number) not in sentence


def test_file_that_is_being_written_is_named_as_it_will_be_called():
    staged = refused(errno.ENOSPC, str(Path("結果", ".staged", "run.trec")))
    assert told(staged).startswith(f"結果{os.sep}run.trec に")


def test_error_without_a_file_speaks_of_the_output():
    assert told(OSError(errno.ENOSPC, "full")).startswith("出力先に")
    assert told(OSError("1024 requested and 512 written")).startswith("出力先に書き込む空き容量が")


def test_too_many_open_files_and_no_place_for_temporary_ones():
    assert "数の上限" in told(refused(errno.EMFILE))
    nowhere = FileNotFoundError(errno.ENOENT, "No usable temporary directory found in ['/tmp']")
    assert "TMPDIR" in told(nowhere)


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        OSError(errno.ENOMEM, "Cannot allocate memory"),
        RuntimeError("std::bad_alloc"),
        RuntimeError("can't start new thread"),
        ImportError("libm.so: failed to map segment from shared object"),
    ],
)
def test_lack_of_memory_is_known_by_any_of_its_names(error):
    assert told(error).startswith("メモリーが足りない")
    outer = ValueError("import failed")
    outer.__cause__ = error
    assert told(outer).startswith("メモリーが足りない")


@pytest.mark.parametrize("error", [KeyError("a"), ValueError("b"), RuntimeError("c")])
def test_fault_of_the_program_has_no_sentence(error):
    assert told(error) is None


def test_causes_in_a_circle_end():
    one, other = ValueError("1"), ValueError("2")
    one.__cause__, other.__cause__ = other, one
    assert told(one) is None
