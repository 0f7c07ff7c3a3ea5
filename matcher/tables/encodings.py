"""The encodings in which a file can be read, decided by proof and never guessed.

A byte order mark, else strict UTF-8, else whatever Japanese encoding every byte obeys. Where two
are left, it is for the reader of the table to prove one by its header.
"""

import codecs
import io
import re
from collections.abc import Iterator
from typing import BinaryIO

from matcher.errors import DataError

_MARKS = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
_CHUNK = 2**20
_HEAD = 1000  # bytes that tell UTF-16 without a mark
_STRAY = re.compile("[\x80\xa0\uf8f0-\uf8f3]")  # what Python's CP932 lets pass for five bytes
_JIS = re.compile(rb"\x1b\$[@B]")  # what switches ISO-2022-JP to Japanese

NAMES = {
    "utf-8": "UTF-8",
    "utf-8-sig": "UTF-8（BOMつき）",
    "cp932": "CP932（シフトJIS）",
    "euc_jp": "EUC-JP",
    "euc_jis_2004": "EUC-JP",
    "iso2022_jp": "JIS（ISO-2022-JP）",
    "utf-16": "UTF-16",
    "utf-16-le": "UTF-16（BOMなし）",
    "utf-16-be": "UTF-16（BOMなし）",
}
_SAVE = "Excelなどで開き、「CSV UTF-8」で保存し直してください。"


def encodings_of(source: str, file: BinaryIO) -> tuple[str, ...]:
    """Every encoding that all bytes of a seekable file obey, one where it is proven.

    Raises `DataError`, which names the first line that does not fit, when there is none.
    """
    file.seek(0)
    head = file.read(_HEAD)
    for mark, encoding in _MARKS.items():
        if head.startswith(mark):
            return _all_or_none(source, file, (encoding,))
    if head.count(0) * 8 > len(head):
        return _all_or_none(source, file, ("utf-16-le", "utf-16-be"))
    if _has(file, _JIS):
        return _all_or_none(source, file, ("iso2022_jp",))
    if _obeys(file, "utf-8"):
        return ("utf-8",)
    _refuse_mixture(source, file)
    # JIS X 0213 has the ① and ㈱ that plain EUC-JP lacks; where both read a file they agree.
    euc = "euc_jp" if _obeys(file, "euc_jp") else "euc_jis_2004"
    return _all_or_none(source, file, ("cp932", euc))


def lines(file: BinaryIO, encoding: str) -> Iterator[str]:
    r"""The lines of a seekable file with their ends, from its start; the file stays open.

    Only \r and \n end a line. Of several such walks over one file, the last begun is right.
    """
    file.seek(0)
    text = io.TextIOWrapper(file, encoding=encoding, newline="")
    try:
        for line in text:  # noqa: UP028  `yield from` would close the file with the walk
            yield line
    finally:
        if not file.closed:  # a walk that was left half-way may end after its file
            text.detach()


def decode(source: str, data: bytes) -> str:
    """The text of a file of that name. Raises `DataError` when it has none, or two readings."""
    found = encodings_of(source, io.BytesIO(data))
    if len(found) > 1:
        raise DataError(undecided(source, found))
    return data.decode(found[0])


def undecided(source: str, encodings: tuple[str, ...]) -> str:
    """The sentence for a file that several encodings read, each in its own way."""
    names = "とも".join(dict.fromkeys(NAMES[one] for one in encodings))
    return f"「{source}」の文字コードは{names}とも読め、どちらか決められません。{_SAVE}"


def _all_or_none(source: str, file: BinaryIO, encodings: tuple[str, ...]) -> tuple[str, ...]:
    """Those that the file obeys; the sentence of the first where it obeys none."""
    obeyed = tuple(encoding for encoding in encodings if _obeys(file, encoding))
    if obeyed:
        return obeyed
    line = _first_wrong_line(file, encodings[0])
    raise DataError(
        f"「{source}」の{line}行目に、{NAMES[encodings[0]]}として読めない文字があります。{_SAVE}"
    )


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    file.seek(0)
    while chunk := file.read(_CHUNK):
        yield chunk


def _obeys(file: BinaryIO, encoding: str) -> bool:
    """Whether every byte of the file is text in the encoding."""
    strict = codecs.getincrementaldecoder(encoding)("strict")
    try:
        for chunk in _chunks(file):
            if _strays(strict.decode(chunk), encoding):
                return False
        strict.decode(b"", final=True)
    except UnicodeError:
        return False
    return True


def _strays(text: str, encoding: str) -> bool:
    return encoding == "cp932" and _STRAY.search(text) is not None


def _has(file: BinaryIO, pattern: re.Pattern[bytes]) -> bool:
    """Whether a file of ASCII bytes holds the pattern, across two chunks too."""
    tail = b""
    for chunk in _chunks(file):
        if not chunk.isascii():
            return False
        if pattern.search(tail + chunk):
            return True
        tail = chunk[-2:]
    return False


def _first_wrong_line(file: BinaryIO, encoding: str) -> int:
    """The number of the first line that the encoding does not read."""
    strict = codecs.getincrementaldecoder(encoding)("strict")
    number = 1
    for chunk in _chunks(file):
        for line in chunk.splitlines(keepends=True):
            try:
                text = strict.decode(line)
            except UnicodeError:
                return number
            if _strays(text, encoding):
                return number
            number += text.count("\n")
    return number


def _refuse_mixture(source: str, file: BinaryIO) -> None:
    """Refuse lines of UTF-8 among lines that are none: as CP932 they would read as nonsense."""
    first: tuple[int, bool] | None = None
    file.seek(0)
    for number, line in enumerate(file, start=1):
        kind = _kind(line)
        if first is None and kind is not None:
            first = number, kind
        if first is not None and kind not in (None, first[1]):
            told = ("UTF-8", "UTF-8以外")
            raise DataError(
                f"「{source}」は{number}行目から文字コードが違います（{first[0]}行目は"
                f"{told[not first[1]]}、{number}行目は{told[first[1]]}）。全体を「CSV UTF-8」で"
                "保存し直してください。"
            )


def _kind(line: bytes) -> bool | None:
    """Whether a line is Japanese in UTF-8; None where it may be anything."""
    if line.isascii():
        return None
    try:
        # Half-width kana of CP932 can look like two-byte UTF-8; Japanese in UTF-8 takes three.
        return True if max(line.decode("utf-8")) >= "\u3000" else None
    except UnicodeDecodeError:
        return False
