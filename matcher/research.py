"""The commands of those who judge: measures, judgements, outcomes, training on what was learnt."""

from pathlib import Path
from typing import Annotated

import typer

from matcher import console, options
from matcher.errors import MatcherError

commands = typer.Typer()


@commands.command("evaluate")
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
    return console.PROBLEM if worse else console.DONE


@commands.command("label")
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
    return console.DONE


@commands.command("settle")
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
    return console.DONE


@commands.command("outcomes")
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
    return console.status(found.reading.faults, strict=strict)


@commands.command("train-encoder")
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
    return console.DONE


@commands.command("export-encoder")
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
    return console.DONE
