"""The command line: parse, call the library, print.

Everything heavy is imported inside a command, so that `matcher --help` answers at once.
"""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer
from typer.exceptions import TyperException

from matcher.errors import MatcherError

if TYPE_CHECKING:
    from rich.console import Console

    from matcher import types
    from matcher.evaluation import Comparison, Estimate, Evaluation
    from matcher.job import Outcome, Stage
    from matcher.settings import Settings
    from matcher.types import Advance, Fault, Run

app = typer.Typer(
    name="matcher",
    help="自治体の課題ごとに、連携先の候補を理由つきで並べます。",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

_DONE, _REJECTED, _UNUSABLE, _INTERRUPTED = 0, 1, 2, 130
_SHOWN = 20  # problems that build prints; it writes no rejected.csv

Issues = Annotated[Path, typer.Argument(metavar="ISSUES", help="課題の表（CSV・XLSXなど）")]
Companies = Annotated[
    Path, typer.Argument(metavar="COMPANIES", help="企業の表、または matcher build のカタログ")
]
Out = Annotated[Path, typer.Option(help="結果を書くフォルダー")]
Top = Annotated[int, typer.Option(help="課題ごとの候補の数")]
RegionRule = Annotated[
    str, typer.Option(help="serves=対応地域 prefecture=同じ都道府県 block=同じ地方 any=問わない")
]
SdgRule = Annotated[
    str, typer.Option(help="prefer=小さく加点 any=1つ以上共通 all=すべて共通 ignore=見ない")
]
Encoder = Annotated[
    str,
    typer.Option(help="bundled、モデルのフォルダー、モデル名（名前のときだけ通信）"),
]
Threads = Annotated[int | None, typer.Option(help="使うスレッドの数（既定: すべて）")]
Precision = Annotated[
    str, typer.Option(help="auto=速い方 f32=bf16のない計算機とも得点をそろえる（同梱のみ）")
]
SettingsFile = Annotated[Path | None, typer.Option("--settings", help="設定ファイル（TOML）")]
AsOf = Annotated[str | None, typer.Option(help="基準日（例: 2026-04-01）。結果に載せます")]
AsJson = Annotated[bool, typer.Option("--json", help="表の代わりにJSONを標準出力に書く")]
Quiet = Annotated[bool, typer.Option("--quiet", help="進み具合と結果の表を出さない")]
Strict = Annotated[bool, typer.Option("--strict", help="除外された行があれば終了状態を1にする")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="編集された前回の結果も上書きする")]


@app.command("match")
def match(
    issues: Issues,
    companies: Companies,
    out: Out,
    top: Top = 10,
    region_rule: RegionRule = "serves",
    sdg_rule: SdgRule = "prefer",
    encoder: Encoder = "bundled",
    threads: Threads = None,
    precision: Precision = "auto",
    settings: SettingsFile = None,
    as_of: AsOf = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    strict: Strict = False,
    overwrite: Overwrite = False,
) -> int:
    """課題ごとに候補の企業を並べ、6つのファイルに書きます。"""
    from matcher.job import Options, match_tables

    options = Options(
        top=top,
        region_rule=cast("types.RegionRule", region_rule),  # the job checks these three
        sdg_rule=cast("types.SdgRule", sdg_rule),
        encoder=encoder,
        threads=_threads(threads),
        precision=cast("types.Precision", precision),
        settings=_settings(settings),
        as_of=_date(as_of),
        overwrite=overwrite,
    )
    with _progress(quiet=quiet or as_json) as stage:
        outcome = match_tables(issues, companies, out, options, stage)
    _print_outcome(outcome, out, as_json=as_json, quiet=quiet)
    return _status(outcome.faults, strict=strict)


@app.command("build")
def build(
    companies: Annotated[Path, typer.Argument(metavar="COMPANIES", help="企業の表")],
    catalog: Annotated[Path, typer.Option(help="カタログを書くフォルダー")],
    encoder: Encoder = "bundled",
    threads: Threads = None,
    precision: Precision = "auto",
    settings: SettingsFile = None,
    quiet: Quiet = False,
    strict: Strict = False,
) -> int:
    """企業の表を読み取り、何度でも使えるカタログにします。2回目からは変わった企業だけを読みます。"""
    from matcher.job import Options, build_catalog

    options = Options(
        encoder=encoder,
        threads=_threads(threads),
        precision=cast("types.Precision", precision),
        settings=_settings(settings),
    )
    with _progress(quiet=quiet) as stage:
        built = build_catalog(companies, catalog, options, stage)
    if not quiet:
        told = built.provenance
        print(
            f"{catalog}: {told.accepted}社（表の{told.rows}行、"
            f"重複{told.merged}行、除外{told.rejected}行）"
        )
    for fault in built.faults[:_SHOWN]:
        _complain(_told(fault))
    if len(built.faults) > _SHOWN:
        _complain(
            f"ほかに{len(built.faults) - _SHOWN}件（match の rejected.csv にすべて載ります）。"
        )
    return _status(built.faults, strict=strict)


@app.command("show")
def show(
    issue_id: Annotated[str, typer.Argument(metavar="ISSUE_ID", help="課題ID")],
    run: Annotated[Path, typer.Option(help="matcher match が書いたフォルダー")],
) -> int:
    """1つの課題の候補を、根拠とともに表示します。"""
    from matcher.report.terminal import print_shortlist
    from matcher.run import load_run

    print_shortlist(_console(), load_run(run).shortlist(issue_id))
    return _DONE


@app.command("evaluate")
def evaluate(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="実行結果のフォルダーか run.trec")],
    qrels: Annotated[Path, typer.Argument(metavar="QRELS", help="判定（TRECのqrels）")],
    measure: Annotated[list[str] | None, typer.Option(help="指標（例: nDCG@10）")] = None,
    against: Annotated[Path | None, typer.Option(help="比べる相手の実行結果")] = None,
    as_json: AsJson = False,
) -> int:
    """結果を判定と突き合わせ、指標を95%信頼区間とともに表示します。"""
    from matcher.evaluation import MEASURES
    from matcher.evaluation import evaluate as evaluate_run

    found = evaluate_run(
        _run(run),
        qrels,
        measures=measure or MEASURES,
        against=_run(against) if against else None,
    )
    if as_json:
        _print_json(asdict(found))
    else:
        _print_evaluation(found)
    return _DONE


@app.command("demo")
def demo(
    out: Out = Path("out"),
    quiet: Quiet = False,
    overwrite: Overwrite = False,
) -> int:
    """同梱の実例（52の課題と110の企業）で match を動かします。"""
    from matcher.codes import data_folder
    from matcher.job import Options, match_tables

    data, options = data_folder(), Options(overwrite=overwrite)
    with _progress(quiet=quiet) as stage:
        outcome = match_tables(data / "issues.csv", data / "companies.csv", out, options, stage)
    _print_outcome(outcome, out, quiet=quiet)
    return _DONE


@app.command("export-encoder")
def export(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="新しいフォルダー")],
) -> int:
    """同梱のエンコーダーを sentence-transformers のモデルとして書き出します（約470MB）。"""
    from matcher.embed.export import export_encoder

    export_encoder(folder)
    print(f"{folder} に書き出しました。--encoder {folder} で使えます。")
    return _DONE


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit with 0, 1, 2 or 130, as the interface says."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")  # a CP932 console has no 😀: ? and not a trace
    sys.exit(_call(arguments))


def _call(arguments: Sequence[str] | None) -> int:
    """The exit status of a call; what a user can mend is one sentence on stderr, no trace."""
    try:
        status = app(arguments or sys.argv[1:] or ["--help"], standalone_mode=False)
    except TyperException as error:
        _complain(
            f"コマンドの書き方が違います（{error.format_message()}）。"
            "「matcher --help」で確かめてください。"
        )
    except MatcherError as error:
        _complain(str(error))
    except BrokenPipeError:
        sys.stdout = None  # whoever read us has left: say no more
        return _DONE
    except OSError as error:
        # Disk full, no permission, a file that Excel holds open: for the user to mend.
        _complain(
            f"{error.filename or '出力'} を読み書きできません（{error.strerror}）。"
            "空き容量と権限、ほかのソフトで開いていないかを確かめてください。"
        )
    else:
        if status == _INTERRUPTED:
            _complain("中断しました。書きかけのファイルは残っていません。")
        return int(status or _DONE)
    return _UNUSABLE


def _complain(sentence: str) -> None:
    print(" ".join(sentence.split()), file=sys.stderr)


def _threads(count: int | None) -> int | None:
    if count is not None and count < 1:
        message = f"--threads は1以上の整数にしてください（指定値: {count}）。"
        raise MatcherError(message)
    return count


def _settings(path: Path | None) -> "Settings":
    from matcher.settings import Settings

    return Settings() if path is None else Settings.load(path)


def _date(text: str | None) -> str | None:
    """The day of `--as-of` as ISO; 令和 and 2026/4/1 are understood."""
    from matcher.fields import parse_date

    if text is None:
        return None
    day = parse_date(text)
    if day is None:
        message = f"--as-of の「{text}」は日付として読めません。2026-04-01 のように書いてください。"
        raise MatcherError(message)
    return day.isoformat()


def _run(path: Path) -> "Run | Path":
    """A run folder, verified and read; any other path as it is."""
    from matcher.run import load_run

    return load_run(path) if path.is_dir() else path


def _status(faults: "Sequence[Fault]", *, strict: bool) -> int:
    rejected = any(fault.severity == "除外" for fault in faults)
    return _REJECTED if strict and rejected else _DONE


def _console() -> "Console":
    from rich.console import Console

    return Console(highlight=False)


@contextmanager
def _progress(*, quiet: bool) -> "Iterator[Stage]":
    """A bar on stderr for each stage of a long job, with counts and the time left."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    shown = Console(stderr=True)
    with Progress(*columns, console=shown, disable=quiet or not shown.is_terminal) as progress:

        def stage(label: str, total: int) -> "Advance":
            task = progress.add_task(label, total=total)
            return lambda done: progress.advance(task, done)

        yield stage


def _print_outcome(
    outcome: "Outcome", out: Path, *, as_json: bool = False, quiet: bool = False
) -> None:
    if as_json:
        _print_json(outcome.manifest)
    elif not quiet:
        from matcher.report.terminal import print_summary
        from matcher.run import FILES

        print_summary(_console(), outcome.shortlists)
        print(f"{len(FILES) + 1}つのファイルを {out} に書きました。")
        pieces = outcome.manifest["counts"]["read_in_pieces"]
        if any(pieces.values()):
            print(
                f"長い文章（課題{pieces['issues']}件・企業{pieces['companies']}件）は、"
                "いくつかに分けて全文を読みました。"
            )
    _print_faults(outcome.faults)


def _told(fault: "Fault") -> str:
    """One problem of a table on one line: where, what, and how to mend it."""
    from matcher.report.wording import one_line

    row = "" if fault.row is None else f"{fault.row}行目"
    place = " ".join(filter(None, (fault.file, fault.sheet, row, fault.column)))
    return one_line(f"{fault.severity} {place}: {fault.problem}{fault.remedy}")


def _print_faults(faults: "Sequence[Fault]") -> None:
    """One line on stderr that counts the problems; each stands in rejected.csv."""
    if faults:
        rejected = sum(fault.severity == "除外" for fault in faults)
        warned = len(faults) - rejected
        _complain(f"表の問題: 除外{rejected}件、警告{warned}件（内容と直し方は rejected.csv）。")


def _print_json(value: object) -> None:
    import json

    is_unicode = "utf" in (sys.stdout.encoding or "utf-8").lower()  # else \uXXXX loses nothing
    print(json.dumps(value, ensure_ascii=not is_unicode, indent=2))


def _print_evaluation(found: "Evaluation") -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for header in ("指標", "平均", "95%区間"):
        table.add_column(header, justify="left" if header == "指標" else "right")
    for header in ("差", "95%区間", "p", "勝・分・敗") if found.against else ():
        table.add_column(header, justify="right")
    for name, estimate in found.means.items():
        compared = _comparison(found.against[name]) if found.against else ()
        table.add_row(name, f"{estimate.mean:.3f}", _interval(estimate), *compared)
    _console().print(table)
    print(f"判定のある課題 {found.issues}件（うち候補なし {len(found.without_list)}件は0点）。")
    if found.unjudged_issues:
        print(f"判定のない課題 {len(found.unjudged_issues)}件は数えていません。")


def _interval(estimate: "Estimate") -> str:
    return f"{estimate.low:.3f}–{estimate.high:.3f}"


def _comparison(compared: "Comparison") -> tuple[str, str, str, str]:
    gap = compared.difference
    return (
        f"{gap.mean:+.3f}",
        f"{gap.low:+.3f}–{gap.high:+.3f}",
        f"{compared.p:.3f}",
        f"{compared.better}・{compared.equal}・{compared.worse}",
    )
