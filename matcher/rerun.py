"""A run done again from its manifest, with something changed: what its parts are worth."""

from collections.abc import Sequence
from pathlib import Path

from matcher import records, run
from matcher.ablation import ablate, variants
from matcher.catalog import Catalog
from matcher.corpus import read_issues
from matcher.embed import load_encoder
from matcher.errors import MatcherError
from matcher.evaluation import MEASURES
from matcher.evaluation.effects import Ablation
from matcher.job import Options, Stage, lines_of_run, load_matcher
from matcher.pipeline import Matcher
from matcher.settings import Settings


def ablate_run(
    folder: Path,
    issues: Path,
    companies: Path,
    qrels: Path,
    stage: Stage,
    *,
    measures: Sequence[str] = MEASURES,
) -> Ablation:
    """A run done again without each of its parts, and with every weight moved.

    With the bundled encoder, the one as published is an arm besides.

    Raises:
        MatcherError: the tables are not those of the run, or its bridge is not at hand.
    """
    manifest = run.load_run(folder).manifest
    options = _options_of(manifest)
    asked = read_issues(issues)
    matcher, _ = load_matcher(companies, lines_of_run(companies, options), options, stage)
    _check_same("課題の表", issues, manifest["inputs"]["issues"]["sha256"], asked.sha256)
    _check_same("企業の表", companies, manifest["catalog"], matcher.catalog.id)
    arms = {"エンコーダーの適応": _plain(matcher, options)} if options.encoder == "bundled" else {}
    count = 1 + len(variants(matcher.settings)) + len(arms)
    return ablate(
        matcher,
        asked.records,
        qrels,
        arms=arms,
        measures=measures,
        top=options.top,
        region_rule=options.region_rule,
        sdg_rule=options.sdg_rule,
        advance=stage("一つずつ変えて並べ直し中", count),
    )


def _plain(matcher: Matcher, options: Options) -> Matcher:
    """The same over the encoder as it was published."""
    encoder = load_encoder("bundled-plain", threads=options.threads, precision=options.precision)
    catalog = Catalog.build(
        matcher.catalog.companies,
        encoder,
        settings=options.settings,
        lines=matcher.catalog.bridge.lines,
    )
    return Matcher(catalog, encoder, options.settings, matcher.reader)


def _options_of(manifest: records.Json) -> Options:
    """How a run was made. Raises MatcherError where it had a bridge of its own."""
    told = manifest["options"]
    if told["bridge"]:
        message = (
            f"この実行は自前の橋渡し表（{told['bridge']}）を使っています。"
            "橋渡し表を入れたカタログを作り、それで実行した結果を指定してください。"
        )
        raise MatcherError(message)
    return Options(**told, settings=Settings(**manifest["settings"]))


def _check_same(name: str, path: Path, told: str, found: str) -> None:
    if told != found:
        message = (
            f"{name} {path} は、この実行に使ったものと違います。"
            "実行に使った表を指定するか、matcher match をやり直してください。"
        )
        raise MatcherError(message)
