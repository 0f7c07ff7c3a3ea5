"""The text that bytes stand for, its encoding decided by proof and never guessed.

A byte order mark, else strict UTF-8, else strict CP932, else an error.
"""

import re

from matcher.errors import DataError

_MARKS = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}


def decode(source: str, data: bytes) -> str:
    """The text of a file of that name. Raises `DataError` when no encoding fits."""
    for mark, encoding in _MARKS.items():
        if data.startswith(mark):
            return _strictly(source, data, encoding)
    _refuse_foreign(source, data)
    if not _is(data, "utf-8"):
        _refuse_mixture(source, data)
    return _strictly(source, data, "utf-8" if _is(data, "utf-8") else "cp932")


def _is(data: bytes, encoding: str) -> bool:
    try:
        return data.decode(encoding) is not None
    except UnicodeDecodeError:
        return False


def _strictly(source: str, data: bytes, encoding: str) -> str:
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        raise DataError(_unreadable(source, data[: error.start].count(b"\n") + 1)) from error
    # Python's CP932 lets five bytes pass that stand for no character.
    stray = re.search("[\x80\xa0\uf8f0-\uf8f3]", text) if encoding == "cp932" else None
    if stray:
        raise DataError(_unreadable(source, text.count("\n", 0, stray.start()) + 1))
    return text


def _unreadable(source: str, line: int) -> str:
    return (
        f"「{source}」の{line}行目に読めない文字があります。"
        "Excelなどで開き、「CSV UTF-8」で保存し直してください。"
    )


def _refuse_foreign(source: str, data: bytes) -> None:
    """Refuse encodings that would pass as another: each has bytes that give it away."""
    named = ""
    if b"\x1b$B" in data or b"\x1b$@" in data:
        named = "JIS（ISO-2022-JP）"
    elif data[:1000].count(0) * 8 > len(data[:1000]):
        named = "BOMのないUTF-16"
    elif not _is(data, "utf-8") and _is(data, "euc_jp"):
        named = "EUC-JP"
    if named:
        raise DataError(
            f"「{source}」の文字コードは{named}のようですが、確かではありません。"
            "「CSV UTF-8」で保存し直してください。"
        )


def _refuse_mixture(source: str, data: bytes) -> None:
    """Refuse lines of UTF-8 among lines that are none: as CP932 they would read as nonsense."""
    for number, line in enumerate(data.split(b"\n"), start=1):
        # Half-width kana of CP932 can look like two-byte UTF-8; Japanese in UTF-8 takes three.
        if _is(line, "utf-8") and max(line.decode("utf-8"), default="") >= "\u3000":
            raise DataError(
                f"「{source}」の{number}行目だけ文字コードが違います（UTF-8が混ざっています）。"
                "全体を「CSV UTF-8」で保存し直してください。"
            )
