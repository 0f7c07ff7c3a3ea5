"""Texts that some program would act on, and tables with one of them in every cell."""

import json
from collections.abc import Sequence
from pathlib import Path

_SENTINEL = "document.title='RUN';fetch('http://127.0.0.1:9/')"

FORMULAS = (
    "=1+1", "+1+1", "-1+1", "@SUM(1,1)", "\t=1+1", "\r=1+1", "\n=1+1", "＝1+1", "＋1+1", "－1+1",
    "＠SUM(1,1)", "\u22121+1", "  =1+1", "\u3000=1+1", "\u200b=1+1", "\ufeff=1+1", "\u00a0=1+1",
    "'=1+1", '"=1+1"', "a;=1+1", "a\t=1+1", "a,=1+1", "=cmd|'/C calc'!A0", '=DDE("a";"b";"c")',
    '=HYPERLINK("http://127.0.0.1:9/","押す")', '=WEBSERVICE("http://127.0.0.1:9/")',
    '=IMPORTXML("http://127.0.0.1:9/","//a")',
)  # fmt: skip
MARKUP = (
    f"<script>{_SENTINEL}</script>", f"<img src=x onerror={_SENTINEL}>",
    f"<svg/onload={_SENTINEL}>", f'"><img src=x onerror="{_SENTINEL}">',
    f"' onmouseover='{_SENTINEL}", f"</style><script>{_SENTINEL}</script>",
    f"</title><script>{_SENTINEL}</script>", f"--><script>{_SENTINEL}</script>", "<!--", "]]>",
    f"javascript:{_SENTINEL}", "data:text/html,<script>alert(1)</script>",
    "<a href=javascript:alert(1)>押す</a>", "<meta http-equiv=refresh content=0;url=http://127.0.0.1:9/>",
    "<link rel=stylesheet href=http://127.0.0.1:9/x.css>", "<base href=http://127.0.0.1:9/>",
    "<iframe src=http://127.0.0.1:9/>", "&lt;b&gt;&amp;&#60;", "{{7*7}}", "{% include 'x' %}",
    "行\u2028と\u2029行",
)  # fmt: skip
CONTROLS = (
    "\x1b[31m赤\x1b[2J", "\x1b]8;;http://127.0.0.1:9/\x1b\\押す\x1b]8;;\x1b\\",
    "\x1b]52;c;cm0gLXJm\x07", "\x9b31m赤", "\u202e逆さ\u2066", "鈴\x07\x08\x08\x7f", "\x00無",
    "\ud800半分", "[bold red]太字[/bold red]", "[/]", "[link=http://127.0.0.1:9/]押す[/link]",
)  # fmt: skip
SEPARATORS = (
    'a"b', '"', 'a","b', "一\r\n二", "a b\tc", "a Q0 b 1 9.9 x", '{"a":1}', '\\"}]', "\\",
    "../../x", "/etc/passwd", "C:\\Windows\\x", "CON", "%s%n", "$(id)", "`id`", "; rm -rf /",
    "あ" * 300, "a" * 300,
)  # fmt: skip
EVERY = (*FORMULAS, *MARKUP, *CONTROLS, *SEPARATORS)

_ISSUE = "イノシシの被害を減らしたい"
_DETAIL = "農村部でイノシシの出没が続き、作物が荒らされている。見回りの人手も足りない。"
_PROFILE = "イノシシなど野生動物の出没をセンサーで知らせ、農地の見回りを省力化する。"


def write_lines(path: Path, rows: Sequence[dict[str, str]]) -> Path:
    """A table as JSON lines, in which every character can stand."""
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="ascii")
    return path


def issues(payloads: Sequence[str] = EVERY) -> list[dict[str, str]]:
    """An issue for each payload, with it in every field and in a column of its own."""
    return [
        {
            "課題ID": f"{text}-{n}", "課題名": f"{text}{_ISSUE}",
            "課題内容": f"{text}\n{_DETAIL}{text}", "自治体名": text, "団体コード": text,
            "都道府県": text, "SDGs": f"15、{text}", "担当課": text, "募集期限": text,
            "予算": text, f"{text}列": text,
        }
        for n, text in enumerate(payloads)
    ]  # fmt: skip


def companies(payloads: Sequence[str] = EVERY) -> list[dict[str, str]]:
    """A company for each payload, with it in every field and in a column of its own."""
    return [
        {
            "企業ID": f"{text}-{n}", "企業名": f"{text}獣害センサー",
            "事業内容": f"{text}\n{_PROFILE}{text}", "本社所在地": text, "対応地域": text,
            "SDGs": f"15、{text}", "業種": text, "種別": text, "窓口": text, f"{text}列": text,
        }
        for n, text in enumerate(payloads)
    ]  # fmt: skip
