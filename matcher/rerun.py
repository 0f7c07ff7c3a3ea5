"""A run done again from its manifest: to the same bytes, or with something changed.

The first shows that a result can be repeated, and what changed where it cannot; the second what
the parts of a score are worth.
"""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from matcher import records, run
from matcher.ablation import ablate, variants
from matcher.catalog import Catalog
from matcher.changes import Change, changes
from matcher.corpus import read_issues
from matcher.embed import load_encoder
from matcher.errors import DataError, MatcherError
from matcher.evaluation import MEASURES
from matcher.evaluation.effects import Ablation
from matcher.integrity import edited_outputs, read_manifest
from matcher.job import Options, Stage, lines_of_run, load_matcher, match_tables
from matcher.pipeline import Matcher
from matcher.sources import Source, require
from matcher.types import Shortlist

# What a run is made of: its name, and the option to tell it by.
_KINDS = {
    "issues": ("課題の表", "--issues"),
    "companies": ("企業の表", "--companies"),
    "bridge": ("橋渡し表", "--bridge"),
    "encoder": ("エンコーダー", "--encoder"),
    "reader": ("読み合わせのモデル", "--reader"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """An issue whose shortlist came out differently, with its first place then and now."""

    issue_id: str
    then: str  # the company's name; "" where there was no candidate
    now: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """What a run gave when it was done again, beside what it gave then."""

    taken: Mapping[str, str]  # which file was taken for what, and where it was, in Japanese
    files: Mapping[str, bool]  # whether an output has the same bytes
    changes: tuple[Change, ...]
    moved: tuple[Moved, ...]
    edited: tuple[str, ...]  # outputs of the former run that are no longer as it wrote them

    @property
    def is_same(self) -> bool:
        """Whether every output has the same bytes."""
        return all(self.files.values())


def replay(
    folder: Path | str,
    stage: Stage = lambda *_: lambda _: None,
    *,
    issues: Path | None = None,
    companies: Path | None = None,
    bridge: Path | None = None,
    encoder: str | None = None,
    reader: str | None = None,
    out: Path | None = None,
    overwrite: bool = False,
) -> Replay:
    """A run done again as its manifest tells, and compared with what it gave, byte by byte.

    Files and models that are not told are looked for by their names, in the current folder and
    beside the run's folder. The new run is kept in `out`, or nowhere.

    Raises:
        MatcherError: there is no run, something of it cannot be found, or `out` is unusable.
    """
    folder, manifest = Path(folder), read_manifest(folder)
    if "segment" in manifest:
        message = f"{folder} はカタログです。matcher match の出力を指定してください。"
        raise MatcherError(message)
    folder = folder if folder.is_dir() else folder.parent
    told = {
        **{"issues": issues, "companies": companies, "bridge": bridge},
        **{"encoder": _path(encoder), "reader": _path(reader)},
    }
    taken = _taken(manifest, folder, {key: path for key, path in told.items() if path})
    options = _options(manifest, taken, encoder, reader)
    with _place(folder, out) as new:
        tables = taken["issues"].path, taken["companies"].path
        again = match_tables(*tables, new, replace(options, overwrite=overwrite), stage).manifest
        outputs = manifest["outputs"]
        return Replay(
            taken={_KINDS[key][0]: source.told() for key, source in taken.items()},
            files={name: again["outputs"][name] == outputs.get(name) for name in run.FILES},
            changes=changes(manifest, again),
            moved=tuple(_moved(_shortlists(folder), _shortlists(new))),
            edited=edited_outputs(folder, manifest),
        )


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
    options = Options.of(manifest)
    _check_bridge(options)
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


def _taken(manifest: records.Json, folder: Path, told: Mapping[str, Path]) -> dict[str, Source]:
    """Every file that a run is made of, as told or as found by the name that its manifest has."""
    options = Options.of(manifest)
    tables = manifest["inputs"]
    named = {
        side: (str(tables[side].get("source", "")), str(tables[side].get("sha256", "")))
        for side in ("issues", "companies")
    }
    named |= {"bridge": (options.bridge.name, "")} if options.bridge else {}
    models = {"encoder": options.encoder, "reader": options.reader or ""}
    named |= {key: (name, "") for key, name in models.items() if name.startswith("./")}
    given = {key: Source(path=path, place="指定") for key, path in told.items()}
    return given | {
        key: require(*_KINDS[key], name, folder, sha256=digest)
        for key, (name, digest) in named.items()
        if key not in told
    }


def _options(
    manifest: records.Json, taken: Mapping[str, Source], encoder: str | None, reader: str | None
) -> Options:
    """How the run was made, with bridge and models where they are now."""
    options = Options.of(manifest)
    found = {key: str(source.path) for key, source in taken.items()}
    return replace(
        options,
        bridge=taken["bridge"].path if "bridge" in taken else None,
        encoder=encoder or found.get("encoder", options.encoder),
        reader=reader or found.get("reader", options.reader),
    )


def _path(name: str | None) -> Path | None:
    return Path(name) if name else None


@contextmanager
def _place(folder: Path, out: Path | None) -> Iterator[Path]:
    """Where the new run is written: a folder of its own, gone afterwards, where none is told."""
    if out is None:
        with tempfile.TemporaryDirectory(prefix="matcher-") as temporary:
            yield Path(temporary) / "run"
    elif out.resolve() == folder.resolve():
        message = f"--out {out} は比べる相手の実行結果です。別のフォルダーを指定してください。"
        raise MatcherError(message)
    else:
        yield out


def _shortlists(folder: Path) -> Mapping[str, Shortlist]:
    """The shortlists of a run by their issues; none where they are not as the run wrote them."""
    try:
        return {one.issue.issue_id: one for one in run.load_run(folder).shortlists}
    except DataError:
        return {}


def _moved(then: Mapping[str, Shortlist], now: Mapping[str, Shortlist]) -> Iterator[Moved]:
    """The issues of both whose shortlists differ."""
    for issue_id in sorted(then.keys() & now.keys()):
        if then[issue_id] != now[issue_id]:
            firsts = [_first(one[issue_id]) for one in (then, now)]
            yield Moved(issue_id=issue_id, then=firsts[0], now=firsts[1])


def _first(shortlist: Shortlist) -> str:
    return shortlist.entries[0].company.name if shortlist.entries else ""


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


def _check_bridge(options: Options) -> None:
    """Nothing for a run without a bridge of its own. Raises MatcherError otherwise."""
    if options.bridge:
        message = (
            f"この実行は自前の橋渡し表（{options.bridge}）を使っています。"
            "橋渡し表を入れたカタログを作り、それで実行した結果を指定してください。"
        )
        raise MatcherError(message)


def _check_same(name: str, path: Path, told: str, found: str) -> None:
    if told != found:
        message = (
            f"{name} {path} は、この実行に使ったものと違います。"
            "実行に使った表を指定するか、matcher match をやり直してください。"
        )
        raise MatcherError(message)
