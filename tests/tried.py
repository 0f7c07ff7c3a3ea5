"""What was tried on the program, as `docs/tried.md` tells it: written by the tests themselves.

A test says what it put in, what happened and what the user read. Without `--write-tried` the page
must already say so, word for word; with it, run without other processes, the page is written.
"""

import re
from pathlib import Path

PAGE = Path(__file__).parents[1] / "docs" / "tried.md"
GROUPS = {
    1: "文字コードと文字",
    2: "表の形とファイル",
    3: "コードと名前",
    4: "文章",
    5: "数と日付",
    6: "条件",
    7: "動かす環境",
    8: "悪意のある入力",
}
_OPENING = """# 試した入力と、そのときの動き

役所や企業から届く表と、動かす環境で起きることを一つずつ試した記録です。**この表はテストが書いています。**
左の入力を本当に与え、まん中のようになることと、右の文が画面か `rejected.csv` に出ることを、
`make test` のたびに確かめています（書き直すには `make tried`）。

「除外」はその行を使わないこと、「警告」は使ったうえで知らせることです。どちらの場合も、
行が黙って消えることはありません。
"""
_HEADER = "| 試した入力 | どうなるか | 利用者が読む文 |\n|---|---|---|\n"


def row(name: str, happened: str, reads: str) -> str:
    """A row of the page; what could end a cell, or be taken for markup, is shown as itself."""
    return f"| {_plain(name)} | {_plain(happened)} | {_plain(reads) or '（なし）'} |"


def page(rows: dict[int, list[str]]) -> str:
    """The whole page: a table for each group, in the order that the tests ran."""
    sections = (
        f"\n## {group}　{GROUPS[group]}\n\n{_HEADER}" + "\n".join(dict.fromkeys(found)) + "\n"
        for group, found in sorted(rows.items())
    )
    return _OPENING + "".join(sections)


def _plain(text: str) -> str:
    shown = "".join(
        char if char.isprintable() else f"\\u{ord(char):04x}" for char in text.replace("\n", " ")
    )
    return re.sub(r"([\\|<>*_`\[\]])", r"\\\1", " ".join(shown.split()))
