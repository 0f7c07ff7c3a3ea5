"""Mutated tables: a table file for any string of bytes, so that a fuzzer can look for bad ones.

The bytes choose a kind of file, nasty cells for a table of that kind, and damage to what was
written: to its bytes, or to the XML inside a workbook. Equal bytes give an equal file.
"""

import csv
import io
import json
import sys
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar
from xml.sax.saxutils import escape

_TESTS = Path(__file__).parents[1] / "tests"
sys.path.insert(0, str(_TESTS))
from workbook_examples import archive, cells, ods, ods_row, xlsb, xlsx  # noqa: E402  the tests write such too

_XLS = _TESTS / "data" / "issues.xls"

HEADERS = {
    "issues": [
        "課題ID",
        "課題名",
        "課題内容",
        "自治体名",
        "団体コード",
        "都道府県",
        "SDGs",
        "募集期限",
    ],
    "companies": [
        "法人番号",
        "企業名",
        "事業内容",
        "本社所在地",
        "対応地域",
        "種別",
        "SDGs",
        "備考",
    ],
}
ROWS = {
    "issues": [
        "i-1",
        "空き家が増えている",
        "屋根が傷む。",
        "岡崎市",
        "232025",
        "愛知県",
        "3、11",
        "R8.3.31",
    ],
    "companies": [
        *(
            "7123456789012",
            "あおば設備㈱",
            "空き家の見回りと修繕。",
            "愛知県岡崎市1-1",
            "東海、関東",
        ),
        *("企業", "11", "備考"),
    ],
}
NASTY = (
    *(
        "",
        " ",
        "　",
        "\0",
        "\n",
        "\r\n",
        '"',
        '""',
        '"x',
        "x\ty",
        ";",
        ",",
        "'",
        "=1+1",
        "@SUM",
        "－",
    ),
    *(
        "1100",
        "011002",
        "01100",
        "13",
        "府中市",
        "伊達市",
        "池田町",
        "髙槻市",
        "か\u3099",
        "\u202e",
        "\ufdfa",
    ),
    *(
        "1.01E+12",
        "123456789018",
        "T7123456789012",
        "令和元年",
        "平成36年",
        "2/30",
        "46477",
        "1、3、11",
    ),
    *(
        "SDG 11",
        "目標18",
        "全国",
        "関東(東京を除く)",
        "九州・沖縄",
        "（",
        "※注",
        "以上",
        "a" * 3000,
        "愛知" * 900,
    ),
    *(
        "<script>",
        "&e;",
        "\ud800",
        "\U000e0001",
        "\ue000",
        "🚌",
        "½",
        "①",
        "㈱",
        "∞",
        "NaN",
        "-0",
        "1e999",
    ),
)
_TEXTS = ("utf-8", "utf-8-sig", "cp932", "euc_jp", "utf-16", "utf-16-le", "iso2022_jp")
_DAMAGE = (b"", b"\0", b'"', b"\n", b"\r", b"\xff", b"\x80", b",", b"PK", b"\x1b$B", b"<", b"&#0;")

T = TypeVar("T")


class Choices:
    """Decisions read from bytes; past their end every decision is the first."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def number(self, below: int) -> int:
        """A whole number from 0, below the bound."""
        size = max(1, ((below - 1).bit_length() + 7) // 8)
        part = self._data[self._at : self._at + size]
        self._at += size
        return int.from_bytes(part, "little") % below

    def one(self, of: Sequence[T]) -> T:
        """One of several."""
        return of[self.number(len(of))]


@dataclass(frozen=True, slots=True)
class Mutant:
    """A table file: which table it was, its name, its bytes, and how many rows it must show."""

    kind: str  # issues, companies
    name: str
    data: bytes
    rows: int | None  # under the header, where nothing was damaged after they were written


def mutant(data: bytes) -> Mutant:
    """The table that a string of bytes stands for."""
    choose = Choices(data)
    kind = choose.one(tuple(HEADERS))
    rows = _rows(choose, kind)
    name, write = choose.one(_FORMATS)
    file = write(choose, rows)
    damaged = _damaged(choose, file) if choose.number(2) else file
    plain = _escaped if name == "表.xlsx" else _encodable
    told = sum(any(plain(cell).strip() for cell in row) for row in rows[1:])
    is_whole = damaged == file and name in _EXACT
    return Mutant(kind, name, damaged, told if is_whole else None)


def _rows(choose: Choices, kind: str) -> list[list[str]]:
    """A header and up to five rows, some cells nasty, the shape sometimes odd."""
    rows = [list(HEADERS[kind])] + [list(ROWS[kind]) for _ in range(choose.number(6))]
    for at, row in enumerate(rows[1:]):
        row[0] = row[0] if choose.number(3) else f"{row[0]}{at}"
    for _ in range(choose.number(8)):
        row = choose.one(rows[1:] or rows)
        row[choose.number(len(row))] = choose.one(NASTY)
    if choose.number(8) == 1:
        rows[0][choose.number(len(rows[0]))] = choose.one(NASTY)
    if choose.number(8) == 1:
        choose.one(rows).append(choose.one(NASTY))
    if choose.number(8) == 1:
        del choose.one(rows)[choose.number(8) :]
    if choose.number(8) == 1:
        rows.insert(1 + choose.number(len(rows)), [choose.one(NASTY)])
    return rows


def _csv(choose: Choices, rows: list[list[str]]) -> bytes:
    file = io.StringIO()
    csv.writer(
        file, delimiter=choose.one(",\t;"), quoting=choose.one((csv.QUOTE_ALL, 0))
    ).writerows(rows)
    return file.getvalue().encode(choose.one(_TEXTS), "ignore")


def _exact_csv(choose: Choices, rows: list[list[str]]) -> bytes:
    file = io.StringIO()
    csv.writer(file, quoting=csv.QUOTE_ALL).writerows(rows)
    return file.getvalue().encode("utf-8", "ignore")


def _lines(choose: Choices, rows: list[list[str]]) -> bytes:
    told = (dict(zip(rows[0], row, strict=False)) for row in rows[1:])
    return "".join(
        json.dumps(one, ensure_ascii=bool(choose.number(2))) + "\n" for one in told
    ).encode("utf-8", "ignore")


def _xlsx(choose: Choices, rows: list[list[str]]) -> bytes:
    xml = "".join(
        cells(at, [_escaped(cell) for cell in row]) for at, row in enumerate(rows, start=1)
    )
    return xlsx(xml, more={"xl/sharedStrings.xml": "<sst/>"} if choose.number(2) else None)


def _xlsb(choose: Choices, rows: list[list[str]]) -> bytes:
    return xlsb([[_encodable(cell)[:500] for cell in row] for row in rows])


def _ods(choose: Choices, rows: list[list[str]]) -> bytes:
    times = choose.one(("", ' table:number-rows-repeated="2"', ' table:number-rows-repeated="99"'))
    told = ([_escaped(cell) for cell in row] for row in rows)
    return ods("".join(ods_row(row, times if at else "") for at, row in enumerate(told)))


def _xls(choose: Choices, rows: list[list[str]]) -> bytes:
    return _XLS.read_bytes()


def _escaped(cell: str) -> str:
    kept = "".join(char for char in cell if char >= " " or char in "\t\n")
    return escape(_encodable(kept))


def _encodable(cell: str) -> str:
    return cell.encode("utf-8", "ignore").decode()


_FORMATS: Sequence[tuple[str, Callable[[Choices, list[list[str]]], bytes]]] = (
    ("表.csv", _csv),
    ("表.txt", _exact_csv),
    ("表.jsonl", _lines),
    ("表.xlsx", _xlsx),
    ("表.csv", _csv),
    ("表.ods", _ods),
    ("表.xlsb", _xlsb),
    ("表.xls", _xls),
)
_EXACT = frozenset({"表.txt", "表.xlsx"})


def _damaged(choose: Choices, file: bytes) -> bytes:
    """The file with some bytes changed; of a zip, mostly those of an entry, packed again."""
    if file.startswith(b"PK") and choose.number(4):
        with zipfile.ZipFile(io.BytesIO(file)) as whole:
            entries = {name: whole.read(name) for name in whole.namelist()}
        name = choose.one(sorted(entries))
        entries[name] = _struck(choose, entries[name])
        return archive(entries)
    return _struck(choose, file)


def _struck(choose: Choices, data: bytes) -> bytes:
    """A few strokes: bytes put in, taken out, repeated or turned."""
    for _ in range(1 + choose.number(4)):
        at = choose.number(len(data) + 1)
        size = choose.number(64)
        part = data[at : at + size]
        changed = (
            choose.one(_DAMAGE),
            part * 2,
            bytes([choose.number(256)]),
            part[::-1],
            choose.one(_DAMAGE) + part,
            b"1048576" if part[:1].isdigit() else b"",
        )
        data = data[:at] + choose.one(changed) + data[at + size :]
    return data
