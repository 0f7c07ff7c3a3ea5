"""The command line: parse, call the library, print.

Everything heavy is imported inside a command, so that `matcher --help` answers at once.
"""

import sys
from collections.abc import Sequence
from dataclasses import asdict
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer
from typer.exceptions import TyperException

from matcher import console, options
from matcher.errors import MatcherError

if TYPE_CHECKING:
    from matcher import types
    from matcher.types import Fault

app = typer.Typer(
    name="matcher",
    help="自治体の課題ごとに、連携先の候補を理由つきで並べます。",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

_DONE, _REJECTED, _PROBLEM, _UNUSABLE, _INTERRUPTED = 0, 1, 1, 2, 130


@app.command("match")
def match(
    issues: options.Issues,
    companies: options.Companies,
    out: options.Out,
    top: options.Top = 10,
    region_rule: options.RegionRule = "serves",
    sdg_rule: options.SdgRule = "prefer",
    encoder: options.Encoder = "bundled",
    reader: options.Reader = "bundled",
    no_reader: options.NoReader = False,
    bridge: options.Bridge = None,
    no_bridge: options.NoBridge = False,
    threads: options.Threads = None,
    precision: options.Precision = "auto",
    settings: options.SettingsFile = None,
    as_of: options.AsOf = None,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
    strict: options.Strict = False,
    overwrite: options.Overwrite = False,
) -> int:
    """課題ごとに候補の企業を並べ、6つのファイルに書きます。"""
    from matcher.job import Options, match_tables

    chosen = Options(
        top=top,
        region_rule=cast("types.RegionRule", region_rule),  # the job checks these three
        sdg_rule=cast("types.SdgRule", sdg_rule),
        encoder=encoder,
        reader=options.reader(reader, is_off=no_reader),
        bridge=bridge,
        threads=options.threads(threads),
        precision=cast("types.Precision", precision),
        settings=options.settings(settings, bridge=bridge, is_bridge_off=no_bridge),
        as_of=options.day(as_of),
        overwrite=overwrite,
    )
    with console.progress(quiet=quiet or as_json) as stage:
        outcome = match_tables(issues, companies, out, chosen, stage)
    console.print_outcome(outcome, out, as_json=as_json, quiet=quiet)
    return _status(outcome.faults, strict=strict)


@app.command("build")
def build(
    companies: options.CompanyTable,
    catalog: options.CatalogFolder,
    encoder: options.Encoder = "bundled",
    bridge: options.Bridge = None,
    threads: options.Threads = None,
    precision: options.Precision = "auto",
    settings: options.SettingsFile = None,
    quiet: options.Quiet = False,
    strict: options.Strict = False,
) -> int:
    """企業の表を読み取り、何度でも使えるカタログにします。2回目からは変わった企業だけを読みます。"""
    from matcher.job import Options, build_catalog

    chosen = Options(
        encoder=encoder,
        bridge=bridge,
        threads=options.threads(threads),
        precision=cast("types.Precision", precision),
        settings=options.settings(settings),
    )
    with console.progress(quiet=quiet) as stage:
        built = build_catalog(companies, catalog, chosen, stage)
    console.print_built(built, catalog, quiet=quiet)
    return _status(built.faults, strict=strict)


@app.command("show")
def show(
    issue_id: Annotated[str, typer.Argument(metavar="ISSUE_ID", help="課題ID")],
    run: Annotated[Path, typer.Option(help="matcher match が書いたフォルダー")],
) -> int:
    """1つの課題の候補を、根拠とともに表示します。"""
    from matcher.run import load_run

    console.print_shortlist(load_run(run).shortlist(issue_id))
    return _DONE


@app.command("evaluate")
def evaluate(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="実行結果のフォルダーか run.trec")],
    qrels: Annotated[Path, typer.Argument(metavar="QRELS", help="判定（TRECのqrels）")],
    measure: options.Measures = None,
    against: options.Against = None,
    slices: options.Sliced = False,
    slice_by: options.SliceBy = None,
    ablate: options.Ablate = False,
    issues: options.IssueTable = None,
    companies: options.KnownCompanies = None,
    guard: options.Guard = None,
    out: options.Book = None,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
    overwrite: options.Overwrite = False,
) -> int:
    """結果を判定と突き合わせ、指標を95%信頼区間とともに表示します。"""
    from matcher.evaluation import MEASURES
    from matcher.rerun import ablate_run
    from matcher.study import study

    options.new_file(out, overwrite=overwrite)
    options.guard(guard, against)
    measures = measure or MEASURES
    found = study(
        run,
        qrels,
        measures=measures,
        against=against or (),
        is_sliced=slices,
        columns=slice_by or (),
        issues=issues,
        companies=None if companies is None or companies.is_dir() else companies,
    )
    effects = None
    if ablate:
        tables = options.tables(issues, companies)
        with console.progress(quiet=quiet or as_json) as stage:
            effects = ablate_run(run, *tables, qrels, stage, measures=measures)
    console.print_study(found, effects, out, as_json=as_json, quiet=quiet)
    worse = guard is not None and found.is_worse(guard)
    return _PROBLEM if worse else _DONE


@app.command("label")
def label(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="実行結果のフォルダー")],
    out: options.Out,
    judges: Annotated[int | None, typer.Option(help="判定者の人数（既定: 3）")] = None,
    judge: Annotated[list[str] | None, typer.Option(help="判定者の名前（人数分くり返す）")] = None,
    depth: Annotated[int, typer.Option(help="課題ごとに、上位何社までを判定するか")] = 10,
    seed: Annotated[int, typer.Option(help="並べ方の種。同じ種なら同じ並び")] = 1,
    qrels: Annotated[Path | None, typer.Option(help="済んだ判定（qrels）。その組は除く")] = None,
    with_names: Annotated[bool, typer.Option("--with-names", help="企業名を見せる")] = False,
    quiet: options.Quiet = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="前のファイルを上書きする")
    ] = False,
) -> int:
    """実行結果の上位の組を集め、順位を伏せた判定用紙（xlsx）を判定者ごとに作ります。"""
    from rich.console import Console

    from matcher.label import give_out, judge_names
    from matcher.report.judging import print_given
    from matcher.run import load_run

    given = give_out(
        (load_run(run).shortlists for run in runs),
        out,
        judges=judge_names(judges, judge or ()),
        depth=depth,
        seed=seed,
        former=qrels,
        with_names=with_names,
        overwrite=overwrite,
    )
    print_given(Console(highlight=False, quiet=quiet), given, out)
    return _DONE


@app.command("settle")
def settle(
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE...", help="記入した判定用紙、不一致.xlsx、judgements.csv"),
    ],
    out: Annotated[Path | None, typer.Option(help="結果を書くフォルダー")] = None,
    former: Annotated[Path | None, typer.Option(help="以前の評点（qrels）。すべて残す")] = None,
    strictly: Annotated[
        bool, typer.Option("--strictly", help="1つ違いも不一致とし、決定を待つ")
    ] = False,
    against: Annotated[
        Path | None, typer.Option(help="書き出さずに、判定者をこの評点（qrels）と比べる")
    ] = None,
    quiet: options.Quiet = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="前のファイルを上書きする")
    ] = False,
) -> int:
    """記入した判定用紙を読み取り、評点を決め、判定者どうしの一致を表示します。"""
    from rich.console import Console

    from matcher.label import compare_files, settle_files
    from matcher.report import judging

    shown = Console(highlight=False, quiet=quiet)
    if out is not None and against is None:
        done = settle_files(files, out, former=former, strictly=strictly, overwrite=overwrite)
        returned = done.returned
        written = [out / name for name in done.written]
        judging.print_round(shown, returned, done.settlement, done.agreement, written)
    elif against is not None and out is None and former is None and not strictly:
        returned, comparisons = compare_files(files, against)
        judging.print_comparisons(shown, returned, comparisons)
    else:
        message = "評点を決めるには --out を、比べるには --against だけを指定してください。"
        raise MatcherError(message)
    judging.print_faults(Console(highlight=False, stderr=True), returned)
    return _DONE


@app.command("outcomes")
def outcomes(
    table: Annotated[
        Path, typer.Argument(metavar="OUTCOMES", help="結果の記録（課題ID・企業ID・結果の列）")
    ],
    out: options.Out,
    run: Annotated[
        list[Path] | None, typer.Option(help="担当者に示した実行結果（何度でも書けます）")
    ] = None,
    split: Annotated[
        str | None, typer.Option(help="この日（年度なら4月1日）の前と後に課題を分ける")
    ] = None,
    top: Annotated[int, typer.Option(help="何位までの反応を数えるか")] = 10,
    quiet: options.Quiet = False,
    strict: options.Strict = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="同じ名前のファイルを上書きする")
    ] = False,
) -> int:
    """連携の結果の記録を、出所を分けた判定（qrels）にし、順位ごとの反応を表示します。"""
    from rich.console import Console

    from matcher.feedback import split_day, write_feedback
    from matcher.report import happened

    day = split_day(split)
    found = write_feedback(table, run or (), out, day=day, k=top, overwrite=overwrite)
    if not quiet:
        shown = Console(highlight=False)
        happened.print_feedback(
            shown, found.reading, found.judgements, found.positions, found.examinations
        )
        if day:
            sides = len(found.before), len(found.after)
            happened.print_split(shown, f"{day}", len(found.reading), *sides)
        print(f"{len(found.files)}つのファイルを {out} に書きました。")
    return _status(found.reading.faults, strict=strict)


@app.command("demo")
def demo(
    out: options.Out = Path("out"),
    quiet: options.Quiet = False,
    overwrite: options.Overwrite = False,
) -> int:
    """同梱の実例（52の課題と110の企業）で match を動かします。"""
    from matcher.codes import data_folder
    from matcher.job import Options, match_tables

    data, chosen = data_folder(), Options(overwrite=overwrite)
    with console.progress(quiet=quiet) as stage:
        outcome = match_tables(data / "issues.csv", data / "companies.csv", out, chosen, stage)
    console.print_outcome(outcome, out, quiet=quiet)
    return _DONE


@app.command("train-encoder")
def train(
    issues: options.Issues,
    companies: options.CompanyTable,
    qrels: Annotated[Path, typer.Argument(metavar="QRELS", help="確認された組（TRECのqrels）")],
    out: Annotated[Path, typer.Option(help="新しいファイル（.safetensors）")],
    epochs: Annotated[float | None, typer.Option(help="学習を繰り返す回数（既定: 3）")] = None,
    quiet: options.Quiet = False,
) -> int:
    """確認された組（評価2と3）から、同梱のエンコーダーを自分の地域の言葉に合わせます。"""
    from matcher.learn import train_encoder

    tell = (lambda _: None) if quiet else console.complain
    told = train_encoder(issues, companies, qrels, out, epochs=epochs, tell=tell)
    if not quiet:
        console.print_training(told, out)
    return _DONE


@app.command("export-encoder")
def export(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="新しいフォルダー")],
    encoder: Annotated[
        str, typer.Option(help="bundled、bundled-plain、train-encoder の .safetensors")
    ] = "bundled",
) -> int:
    """同梱のエンコーダーを sentence-transformers のモデルとして書き出します（約470MB）。"""
    from matcher.embed import bundled_deltas
    from matcher.embed.export import export_encoder

    export_encoder(folder, bundled_deltas(encoder))
    print(f"{folder} に書き出しました。--encoder {folder} で使えます。")
    return _DONE


@app.command("doctor")
def doctor(catalog: options.StoredCatalog = None, as_json: options.AsJson = False) -> int:
    """この計算機で matcher が十分な速さで動くかを調べ、直し方を示します。通信はしません。"""
    from matcher.doctor import examine

    found = examine(catalog)
    if as_json:
        console.print_json(asdict(found))
    else:
        console.print_diagnosis(found)
    return _PROBLEM if found.has_problem else _DONE


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
        console.complain(
            f"コマンドの書き方が違います（{error.format_message()}）。"
            "「matcher --help」で確かめてください。"
        )
    except MatcherError as error:
        console.complain(str(error))
    except BrokenPipeError:
        sys.stdout = None  # whoever read us has left: say no more
        return _DONE
    except OSError as error:
        # Disk full, no permission, a file that Excel holds open: for the user to mend.
        console.complain(
            f"{error.filename or '出力'} を読み書きできません（{error.strerror}）。"
            "空き容量と権限、ほかのソフトで開いていないかを確かめてください。"
        )
    else:
        if status == _INTERRUPTED:
            console.complain("中断しました。書きかけのファイルは残っていません。")
        return int(status or _DONE)
    return _UNUSABLE


def _status(faults: "Sequence[Fault]", *, strict: bool) -> int:
    rejected = any(fault.severity == "除外" for fault in faults)
    return _REJECTED if strict and rejected else _DONE
