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

from matcher import console, options, research
from matcher.errors import MatcherError

if TYPE_CHECKING:
    from matcher import types

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
    return console.status(outcome.faults, strict=strict)


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
    return console.status(built.faults, strict=strict)


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
) -> int:
    """同梱の実例（52の課題と110の企業）で match を動かします。"""
    from matcher.codes import data_folder
    from matcher.job import Options, match_tables

    data, chosen = data_folder(), Options(overwrite=overwrite)
    with console.progress(quiet=quiet) as stage:
        outcome = match_tables(data / "issues.csv", data / "companies.csv", out, chosen, stage)
    console.print_outcome(outcome, out, quiet=quiet)
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
        return console.DONE
    except OSError as error:
        # Disk full, no permission, a file that Excel holds open: for the user to mend.
        console.complain(
            f"{error.filename or '出力'} を読み書きできません（{error.strerror}）。"
            "空き容量と権限、ほかのソフトで開いていないかを確かめてください。"
        )
    else:
        if status == console.INTERRUPTED:
            console.complain("中断しました。書きかけのファイルは残っていません。")
        return int(status or console.DONE)
    return console.UNUSABLE
