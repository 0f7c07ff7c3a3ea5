"""What the commands of the command line can be told, and the sentences for what they cannot."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from matcher.errors import MatcherError

if TYPE_CHECKING:
    from matcher.settings import Settings

_NO_READER = "none"

Issues = Annotated[Path, typer.Argument(metavar="ISSUES", help="課題の表（CSV・XLSXなど）")]
Companies = Annotated[
    Path, typer.Argument(metavar="COMPANIES", help="企業の表、または matcher build のカタログ")
]
CompanyTable = Annotated[Path, typer.Argument(metavar="COMPANIES", help="企業の表")]
Out = Annotated[Path, typer.Option(help="結果を書くフォルダー")]
CatalogFolder = Annotated[Path, typer.Option("--catalog", help="カタログを書くフォルダー")]
StoredCatalog = Annotated[
    Path | None, typer.Option("--catalog", help="壊れていないか、ここで使えるかも調べるカタログ")
]
Top = Annotated[int, typer.Option(help="課題ごとの候補の数")]
RegionRule = Annotated[
    str, typer.Option(help="serves=対応地域 prefecture=同じ都道府県 block=同じ地方 any=問わない")
]
SdgRule = Annotated[
    str, typer.Option(help="prefer=小さく加点 any=1つ以上共通 all=すべて共通 ignore=見ない")
]
Encoder = Annotated[
    str,
    typer.Option(
        help="bundled、bundled-plain（公開時のまま）、train-encoder の .safetensors、"
        "モデルのフォルダー、モデル名（名前のときだけ通信）"
    ),
]
Reader = Annotated[
    str,
    typer.Option(
        help="上位の候補を課題と並べて読むモデル。bundled、none=読まない、フォルダー、"
        "モデル名（名前のときだけ通信）"
    ),
]
NoReader = Annotated[
    bool, typer.Option("--no-reader", help="候補を読まない（--reader none と同じ。大量の課題に）")
]
Bridge = Annotated[
    Path | None,
    typer.Option(help="自前の橋渡し表（分野・困りごと・解決策の列をもつCSVかExcel）"),
]
NoBridge = Annotated[bool, typer.Option("--no-bridge", help="橋渡し表を使わない")]
Threads = Annotated[int | None, typer.Option(help="使うスレッドの数（既定: すべて）")]
Precision = Annotated[
    str, typer.Option(help="auto=速い方 f32=bf16のない計算機とも得点をそろえる（同梱のみ）")
]
SettingsFile = Annotated[Path | None, typer.Option("--settings", help="設定ファイル（TOML）")]
AsOf = Annotated[str | None, typer.Option(help="基準日（例: 2026-04-01）。結果に載せます")]
AsJson = Annotated[bool, typer.Option("--json", help="表の代わりにJSONを標準出力に書く")]
Quiet = Annotated[bool, typer.Option("--quiet", help="進み具合と結果の表を出さない")]
Strict = Annotated[bool, typer.Option("--strict", help="除外された行があれば終了状態を1にする")]
LogFile = Annotated[
    Path | None, typer.Option("--log", help="実行の記録を書き足すファイル（表の中身は書かない）")
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="編集された前回の結果も上書きする")]
Measures = Annotated[
    list[str] | None, typer.Option("--measure", help="指標（例: nDCG@10）。何度でも書けます")
]
Against = Annotated[list[Path] | None, typer.Option(help="比べる相手の実行結果。何度でも書けます")]
Sliced = Annotated[
    bool, typer.Option("--slices", help="分野・地域・規模・長さ・SDGsなどの区分ごとにも表示する")
]
SliceBy = Annotated[list[str] | None, typer.Option(help="課題の表のこの列で区分する")]
Ablate = Annotated[
    bool,
    typer.Option(
        "--ablate",
        help="部分を一つずつ外し、重みを動かして並べ直す（--issues と --companies が要る）",
    ),
]
IssueTable = Annotated[Path | None, typer.Option("--issues", help="この実行の課題の表")]
KnownCompanies = Annotated[
    Path | None, typer.Option("--companies", help="この実行の企業の表、またはカタログ")
]
Guard = Annotated[
    float | None,
    typer.Option(help="相手より、この値以上かつ偶然を超えて下がっていたら終了状態を1にする"),
]
Book = Annotated[Path | None, typer.Option("--out", help="評価を書き出すExcelファイル（.xlsx）")]


Tables = Annotated[list[Path], typer.Argument(metavar="FILE...", help="課題の表か企業の表")]
TableKind = Annotated[
    str | None,
    typer.Option("--as", help="issues=課題の表 companies=企業の表（既定: 見出しで判断）"),
]
Corrected = Annotated[
    Path | None, typer.Option("--out", help="直した表を書くファイル（.xlsx）。複数ならフォルダー")
]
Shell = Annotated[str, typer.Argument(metavar="SHELL", help="bash、zsh、fish、powershell のどれか")]
Anew = Annotated[bool, typer.Option("--overwrite", help="同じ名前のファイルを上書きする")]
RunFolder = Annotated[Path, typer.Argument(metavar="RUN", help="matcher match が書いたフォルダー")]
Written = Annotated[
    Path, typer.Argument(metavar="RUN", help="matcher match か matcher build が書いたフォルダー")
]
RunBridge = Annotated[Path | None, typer.Option("--bridge", help="この実行の橋渡し表")]
RunEncoder = Annotated[str | None, typer.Option("--encoder", help="この実行のエンコーダー")]
RunReader = Annotated[str | None, typer.Option("--reader", help="この実行の読み合わせモデル")]
Kept = Annotated[Path | None, typer.Option("--out", help="やり直した結果を残すフォルダー")]


def new_file(path: Path | None, *, overwrite: bool) -> None:
    """Nothing, where a workbook may be written. Raises MatcherError otherwise."""
    if path is None:
        return
    if path.suffix != ".xlsx":
        message = f"--out の {path} は、.xlsx で終わるファイル名にしてください。"
        raise MatcherError(message)
    if path.exists() and not overwrite:
        message = (
            f"{path} はすでにあります。別の名前にするか、上書きしてよければ"
            " --overwrite を付けてください。"
        )
        raise MatcherError(message)


def guard(least: float | None, against: list[Path] | None) -> None:
    """Nothing, where there is something to guard. Raises MatcherError otherwise."""
    if least is not None and (not against or not least >= 0):
        message = "--guard は0以上の数にし、--against と一緒に指定してください。"
        raise MatcherError(message)


def tables(issues: Path | None, companies: Path | None) -> tuple[Path, Path]:
    """Both tables. Raises MatcherError where one is missing."""
    if issues is None or companies is None:
        message = (
            "--ablate には、この実行に使った --issues 課題の表 と --companies 企業の表"
            "（またはカタログ）が要ります。"
        )
        raise MatcherError(message)
    return issues, companies


def threads(count: int | None) -> int | None:
    """The number of threads. Raises MatcherError under one."""
    if count is not None and count < 1:
        message = f"--threads は1以上の整数にしてください（指定値: {count}）。"
        raise MatcherError(message)
    return count


def reader(name: str, *, is_off: bool) -> str | None:
    """The reader's name; None where nothing is to be read.

    Raises:
        MatcherError: one is named and switched off.
    """
    if is_off and name not in ("bundled", _NO_READER):
        message = f"--reader {name} と --no-reader は同時に使えません。どちらかにしてください。"
        raise MatcherError(message)
    return None if is_off or name == _NO_READER else name


def settings(
    path: Path | None, *, bridge: Path | None = None, is_bridge_off: bool = False
) -> "Settings":
    """The settings of a file, or the default ones; without the bridge where that is switched off.

    Raises:
        MatcherError: the file is unusable, or a bridge is named and switched off.
    """
    from dataclasses import replace

    from matcher.settings import Settings

    if bridge is not None and is_bridge_off:
        message = "--bridge と --no-bridge は同時に使えません。どちらかにしてください。"
        raise MatcherError(message)
    found = Settings() if path is None else Settings.load(path)
    return replace(found, bridge_weight=0.0) if is_bridge_off else found


def day(text: str | None) -> str | None:
    """The day of `--as-of` as ISO; 令和 and 2026/4/1 are understood.

    Raises:
        MatcherError: the text is no day.
    """
    from matcher.fields import parse_date

    if text is None:
        return None
    found = parse_date(text)
    if found is None:
        message = f"--as-of の「{text}」は日付として読めません。2026-04-01 のように書いてください。"
        raise MatcherError(message)
    return found.isoformat()
