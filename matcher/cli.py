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

from matcher import console, log, machine, options, research, trouble
from matcher.completion import enable, script
from matcher.errors import MatcherError

if TYPE_CHECKING:
    from matcher import types

_WITH_MODELS = ("match", "build", "demo", "replay")

app = typer.Typer(
    name="matcher",
    help="自治体の課題ごとに、連携先の候補を理由つきで並べます。",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


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
    log_file: options.LogFile = None,
) -> int:
    """課題ごとに候補の企業を並べ、6つのファイルに書きます。"""
    from matcher.job import Options, match_tables

    with log.opened(log_file, "match", (issues, companies)) as told:
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
            outcome = match_tables(issues, companies, out, chosen, told.staged(stage))
        told.outcome(outcome)
        console.print_outcome(outcome, out, as_json=as_json, quiet=quiet)
        return told.ended(console.status(outcome.faults, strict=strict))


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
    log_file: options.LogFile = None,
) -> int:
    """企業の表を読み取り、何度でも使えるカタログにします。2回目からは変わった企業だけを読みます。"""
    from matcher.job import Options, build_catalog

    with log.opened(log_file, "build", (companies,)) as told:
        chosen = Options(
            encoder=encoder,
            bridge=bridge,
            threads=options.threads(threads),
            precision=cast("types.Precision", precision),
            settings=options.settings(settings),
        )
        with console.progress(quiet=quiet) as stage:
            built = build_catalog(companies, catalog, chosen, told.staged(stage))
        told.catalog(built)
        console.print_built(built, catalog, quiet=quiet)
        return told.ended(console.status(built.faults, strict=strict))


@app.command("show")
def show(
    issue_id: Annotated[str, typer.Argument(metavar="ISSUE_ID", help="課題ID")],
    run: Annotated[Path, typer.Option(help="matcher match が書いたフォルダー")],
) -> int:
    """1つの課題の候補を、根拠とともに表示します。"""
    from matcher.run import load_run

    console.print_shortlist(load_run(run).shortlist(issue_id))
    return console.DONE


@app.command("demo")
def demo(
    out: options.Out = Path("out"),
    quiet: options.Quiet = False,
    overwrite: options.Overwrite = False,
    log_file: options.LogFile = None,
) -> int:
    """同梱の実例（52の課題と110の企業）で match を動かします。"""
    from matcher.codes import data_folder
    from matcher.job import Options, match_tables

    issues, companies = data_folder() / "issues.csv", data_folder() / "companies.csv"
    with log.opened(log_file, "demo", (issues, companies)) as told:
        with console.progress(quiet=quiet) as stage:
            chosen = Options(overwrite=overwrite)
            outcome = match_tables(issues, companies, out, chosen, told.staged(stage))
        told.outcome(outcome)
        console.print_outcome(outcome, out, quiet=quiet)
        return told.ended(console.DONE)


@app.command("check")
def check(
    files: options.Tables,
    kind: options.TableKind = None,
    out: options.Corrected = None,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
    strict: options.Strict = False,
    overwrite: options.Anew = False,
    log_file: options.LogFile = None,
) -> int:
    """表を点検し、直すところを行ごとに示します。--out を付けると、直した表を書きます。"""
    from matcher.check import check_tables, corrected_paths
    from matcher.inspection import table_name

    with log.opened(log_file, "check", files) as told:
        paths = corrected_paths(files, out, overwrite=overwrite)
        found = []
        for one in check_tables(files, table_name(kind), paths):
            told.checked(one)
            console.print_checked(one, quiet=quiet or as_json)
            found.append(one)
        if as_json:
            console.print_json([one.told for one in found])
        return told.ended(max(console.checked_status(one, strict=strict) for one in found))


@app.command("verify")
def verify(
    run: options.Written,
    issues: options.IssueTable = None,
    companies: options.KnownCompanies = None,
    as_json: options.AsJson = False,
) -> int:
    """結果やカタログが、書いたときのままかを確かめます。"""
    from matcher.integrity import verify

    found = verify(run, issues=issues, companies=companies)
    console.print_verification(found, as_json=as_json)
    return console.DONE if found.is_whole else console.PROBLEM


@app.command("replay")
def replay(
    run: options.RunFolder,
    issues: options.IssueTable = None,
    companies: options.KnownCompanies = None,
    bridge: options.RunBridge = None,
    encoder: options.RunEncoder = None,
    reader: options.RunReader = None,
    out: options.Kept = None,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
    overwrite: options.Overwrite = False,
) -> int:
    """同じ表と設定で実行をやり直し、同じ結果になるか、違えば何が変わったかを示します。"""
    from matcher.rerun import replay

    with console.progress(quiet=quiet or as_json) as stage:
        found = replay(
            run,
            stage,
            issues=issues,
            companies=companies,
            bridge=bridge,
            encoder=encoder,
            reader=reader,
            out=out,
            overwrite=overwrite,
        )
    console.print_replay(found, as_json=as_json, quiet=quiet)
    return console.DONE if found.is_same else console.PROBLEM


@app.command("completion")
def completion(shell: options.Shell) -> int:
    """コマンドやオプションを Tab キーで補うためのスクリプトを書き出します。"""
    print(script(app, shell))
    return console.DONE


@app.command("doctor")
def doctor(catalog: options.StoredCatalog = None, as_json: options.AsJson = False) -> int:
    """この計算機で matcher が十分な速さで動くかを調べ、直し方を示します。通信はしません。"""
    from matcher.doctor import examine

    found = examine(catalog)
    if as_json:
        console.print_json(asdict(found))
    else:
        console.print_diagnosis(found)
    return console.PROBLEM if found.has_problem else console.DONE


app.add_typer(research.commands)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit with 0, 1, 2 or 130, as the interface says."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")  # a CP932 console has no 😀: ? and not a trace
    enable()
    sys.exit(_call(arguments))


def _call(arguments: Sequence[str] | None) -> int:
    """The exit status of a call; what a user can mend is one sentence on stderr, no trace."""
    given = arguments or sys.argv[1:] or ["--help"]
    try:
        if given[0] in _WITH_MODELS:
            machine.check_memory()
        status = app(given, standalone_mode=False)
    except TyperException as error:
        console.complain(
            f"コマンドの書き方が違います（{error.format_message()}）。"
            "「matcher --help」で確かめてください。"
        )
        return console.UNUSABLE
    except MatcherError as error:
        console.complain(str(error))
        return console.UNUSABLE
    except BrokenPipeError:
        sys.stdout = None  # whoever read us has left: say no more
        return console.DONE
    except KeyboardInterrupt:
        status = console.INTERRUPTED
    except Exception as error:
        sentence = trouble.told(error)
        if sentence is None:
            raise  # ours to mend
        console.complain(sentence)
        return console.UNUSABLE
    if status == console.INTERRUPTED:
        console.complain(console.INTERRUPTION)
    return int(status or console.DONE)
