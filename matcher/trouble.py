"""What the machine refused, as a sentence: no room, no right, no memory."""

import errno
import re
from collections.abc import Iterator
from pathlib import Path

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_DENIED = {errno.EACCES, errno.EPERM, errno.EBUSY, errno.ETXTBSY}
_MANY = {errno.EMFILE, errno.ENFILE}
# numpy and DuckDB tell of a full disk in words alone, OpenVINO and the loader of a lack of memory.
_FULL_WORDS = re.compile(r"No space left on device|Disk quota exceeded|requested and \d+ written")
_MEMORY_WORDS = re.compile(
    r"bad_alloc|(can't|cannot|could not|couldn't|failed to|unable to) alloc|out of memory"
    r"|can't start new thread|Resource temporarily unavailable|failed to map segment"
    r"|could not create a memory",
    re.IGNORECASE,
)
_STAGED = ".staged"  # begins the names under which files are written before they are moved

_FULL_TOLD = (
    "{where}に書き込む空き容量がありません（ディスクがいっぱいか、割り当ての上限です）。"
    "空きを作るか、別の場所を指定してください。前回の出力はそのまま残っています。"
)
_MEMORY_TOLD = (
    "メモリーが足りないため、途中でやめました。ほかのソフトを閉じるか、--threads 1 を付けるか、"
    "表を分けて、もう一度実行してください。前回の出力はそのまま残っています。"
)
_DENIED_TOLD = (
    "{where}を読み書きできません（権限がないか、ほかのソフトで開いています）。"
    "Excelなどで開いていれば閉じ、書き込める場所かを確かめてから、もう一度実行してください。"
)
_TOLD = {
    errno.EROFS: "{where}は読み取り専用です。書き込める場所を指定してください。",
    errno.ENAMETOOLONG: "{where}は名前が長すぎます。短い名前の場所を指定してください。",
    errno.ENOENT: (
        "{where}がありません（途中で移されたか消されたおそれもあります）。"
        "場所を確かめて、もう一度実行してください。"
    ),
    errno.ENOTDIR: "{where}はフォルダーではありません。フォルダーの名前を指定してください。",
    errno.EEXIST: "{where}と同じ名前のものがすでにあります。別の名前を指定してください。",
    errno.EISDIR: "{where}はフォルダーです。ファイルの名前を指定してください。",
}
_NO_PLACE_FOR_A_WHILE = (
    "一時ファイルを置ける場所がありません。"
    "書き込めるフォルダーを環境変数 TMPDIR に指定してください。"
)
_MANY_TOLD = (
    "同時に開けるファイルの数の上限に達しました。ほかのソフトを閉じて、もう一度実行してください。"
)
_OTHER_TOLD = (
    "{where}を読み書きできません（{code}）。ディスクや共有フォルダーがつながっているかを"
    "確かめて、もう一度実行してください。"
)


def told(error: BaseException) -> str | None:
    """The sentence for what the machine refused; None where it is the program that is at fault."""
    for each in _chain(error):
        if isinstance(each, MemoryError) or _is(each, errno.ENOMEM, _MEMORY_WORDS):
            return _MEMORY_TOLD
        if any(_is(each, number, _FULL_WORDS) for number in _FULL):
            return _FULL_TOLD.format(where=_where(each))
    return _of_system(error) if isinstance(error, OSError) else None


def _of_system(error: OSError) -> str:
    if "No usable temporary directory" in str(error):
        return _NO_PLACE_FOR_A_WHILE
    if error.errno in _DENIED:
        return _DENIED_TOLD.format(where=_where(error))
    if error.errno in _MANY:
        return _MANY_TOLD
    sentence = _TOLD.get(error.errno or 0, _OTHER_TOLD)
    return sentence.format(where=_where(error), code=errno.errorcode.get(error.errno or 0, "不明"))


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """The error and what it came from, each once."""
    seen: list[BaseException] = []
    while error is not None and error not in seen:
        seen.append(error)
        yield error
        error = error.__cause__ or error.__context__


def _is(error: BaseException, number: int, words: re.Pattern[str]) -> bool:
    has_number = isinstance(error, OSError) and error.errno == number
    return has_number or bool(words.search(str(error)))


def _where(error: BaseException) -> str:
    """The file as its user knows it, with a blank behind; 出力先 where the system names none."""
    name = getattr(error, "filename", None)
    if not isinstance(name, str):
        return "出力先"
    parts = (part for part in Path(name).parts if not part.startswith(_STAGED))
    return f"{Path(*parts)} "
