"""Whether the ranking still works on texts that have nothing to do with municipalities.

A heading of a Japanese manual asks, and the section under it is the one right answer. The manuals
(system administration, music engraving, image and circuit editing) come from Debian packages, with
`apt-get download` or from a folder of .deb files, and nothing of them is kept. The rooms are those
of the product, with its means and weights; every section is a profile in a catalog. One figure is
given beside it: what encoder and fusion would be if the mean of queries came from other headings.
Run it: `python benchmarks/general_retrieval.py [--packages DIR] [--encoder NAME]...`.
"""

import argparse
import hashlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
from conditions import conditions, save

from matcher import text
from matcher.catalog import Catalog
from matcher.embed import load_encoder
from matcher.errors import MatcherError
from matcher.evaluation import Estimate, Evaluation, evaluate
from matcher.rank import features, fusion, ranker
from matcher.search import Search
from matcher.settings import Settings
from matcher.types import Company, Encoder, Hits, Qrels, Run

MANUALS = (
    *("aptitude-doc-ja", "debian-edu-doc-ja", "debian-faq-ja", "debian-policy-ja"),
    *("debian-reference-ja", "developers-reference-ja", "gimp-help-ja", "kicad-doc-ja"),
    *("lilypond-doc-html-ja", "maint-guide-ja"),
)
ENCODERS = ("bundled-plain", "bundled")  # as published, and as the product loads it
QUERIES, SECTIONS, FEWEST = 800, 2500, 500
_MEASURE, _K = "nDCG@10", 10
_SEED = "general-retrieval"  # of the sample: sections in the order of their hashes
_SHORTEST_HEADING, _SHORTEST, _LONGEST = 6, 60, 800  # characters
_SAME = 0.5  # of all bigrams shared: two editions of a section rather than two sections

_JAPANESE = "々〆ぁ-ヿ一-鿿"
_NUMBER = re.compile(
    r"^(?:第\s*\d+\s*[章部節]|付録\s*[A-Z]\b|(?:[A-Z]\.)?\d[\d.]*(?=\s)(?!\s+つ)|[A-Z]\.)[.\s]*"
)
_BREAK = re.compile(rf"(?<=[{_JAPANESE}、。])\s+(?=[{_JAPANESE}])")
_WHOLE_SENTENCES = re.compile(rf".{{{_SHORTEST - 1},{_LONGEST - 1}}}。", re.DOTALL)
_HEADINGS = {f"h{level}" for level in range(1, 7)}
_NO_PROSE = {"pre", "script", "style", "table"}


@dataclass(frozen=True, slots=True, order=True)
class Section:
    """A heading and the prose between it and the next heading."""

    manual: str  # the package
    heading: str
    prose: str

    @property
    def id(self) -> str:
        """A hash, so that the sample and the order of equals favour nothing."""
        return hashlib.sha256(f"{_SEED}\0{self.heading}\0{self.prose}".encode()).hexdigest()


def main() -> int:
    """Prints the tables and writes `results/general_retrieval.json`; 2 where that cannot be."""
    told, parser = conditions(), argparse.ArgumentParser()
    parser.add_argument("--packages", type=Path, metavar="DIR", help="where .deb files lie already")
    parser.add_argument("--encoder", action="append", metavar="NAME", help="may be repeated")
    options = parser.parse_args()
    try:
        encoders = {name: load_encoder(name) for name in options.encoder or ENCODERS}
        with tempfile.TemporaryDirectory() as folder:
            packages = options.packages or fetch(Path(folder))
            queries, sections = sample(read_packages(packages))
            files = sorted(path.name for path in packages.glob("*.deb"))
    except MatcherError as error:
        print(error, file=sys.stderr)
        return 2
    asked, held = (Counter(one.manual for one in some) for some in (queries, sections))
    for manual in sorted(held):
        print(f"{manual:<24}{held[manual]:>5} sections{asked[manual]:>5} queries")
    print(f"{'':<24}{len(sections):>5} sections{len(queries):>5} queries")
    told |= {"packages": files, "queries": asked, "sections": held}
    told["sha256"] = hashlib.sha256("".join(one.id for one in sections).encode()).hexdigest()
    save("general_retrieval", told | measure(encoders, queries, sections))
    return 0


def fetch(folder: Path) -> Path:
    """The folder, with those of the manuals in it that the package index knows.

    Raises:
        MatcherError: there is none to be had.
    """
    for name in MANUALS if shutil.which("apt-get") else ():
        subprocess.run(["apt-get", "download", name], cwd=folder, capture_output=True, check=False)
    if not any(folder.glob("*.deb")):
        raise MatcherError(
            "apt-get gave none of the manuals; run `apt-get update` on a Debian system, "
            "or name a folder of .deb files with --packages."
        )
    return folder


def read_packages(folder: Path) -> Iterator[Section]:
    """The sections of every page in the packages of a folder.

    Raises:
        MatcherError: a package cannot be unpacked.
    """
    for package in sorted(folder.glob("*.deb")):
        with tempfile.TemporaryDirectory() as unpacked:
            try:
                command = ["dpkg-deb", "-x", str(package.resolve()), unpacked]
                subprocess.run(command, capture_output=True, check=True)
            except (OSError, subprocess.CalledProcessError) as error:
                raise MatcherError(f"dpkg-deb cannot unpack {package.name}.") from error
            for path in sorted(Path(unpacked).rglob("*.html")):
                if path.is_file() and not path.is_symlink():
                    page = Page()
                    page.feed(path.read_text(encoding="utf-8", errors="replace"))
                    yield from page.sections(package.name.split("_")[0])


class Page(HTMLParser):
    """What stands under each heading of a page in paragraphs, code and tables left out."""

    def __init__(self) -> None:
        super().__init__()
        self._found: list[tuple[list[str], list[list[str]]]] = []  # heading, its paragraphs
        self._target: list[str] = []  # where text goes
        self._outside = 0  # how many elements without prose are open

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        """A heading opens a section, and so do footnotes, which have none."""
        self._outside += tag in _NO_PROSE
        if tag in _HEADINGS or ("class", "footnotes") in attrs:
            self._found.append(([], []))
            self._target = self._found[-1][0] if tag in _HEADINGS else []
        elif tag == "p" and self._found:
            self._target = []
            self._found[-1][1].append(self._target)

    def handle_endtag(self, tag: str) -> None:
        """What follows a heading or a paragraph belongs to neither."""
        self._outside = max(0, self._outside - (tag in _NO_PROSE))
        if tag == "p" or tag in _HEADINGS:
            self._target = []

    def handle_data(self, data: str) -> None:
        """Text goes where it belongs."""
        if not self._outside:
            self._target.append(data)

    def sections(self, manual: str) -> Iterator[Section]:
        """The sections with a Japanese heading and enough Japanese prose."""
        for heading, paragraphs in self._found:
            title = _NUMBER.sub("", _tidy(heading).rstrip("¶"), count=1)
            told = [one for one in map(_tidy, paragraphs) if "。" in one and _is_japanese(one)]
            whole = _WHOLE_SENTENCES.match("\n".join(told))
            if whole and title and _is_japanese(title):
                yield Section(manual, title, whole[0])


def _tidy(pieces: Iterable[str]) -> str:
    """One line, without the line breaks of the source between Japanese characters."""
    return _BREAK.sub("", " ".join("".join(pieces).split()))


def _is_japanese(line: str) -> bool:
    return 2 * len(re.findall(f"[{_JAPANESE}]", line)) >= len(line)


def sample(found: Iterable[Section]) -> tuple[list[Section], list[Section]]:
    """The sections that are asked for, and all those that are searched.

    A heading asks if it is long enough and no other section has it.

    Raises:
        MatcherError: there are too few.
    """
    kept: dict[str, list[Section]] = {}  # by heading
    grams: dict[Section, set[str]] = {}
    told: set[str] = set()
    for section in sorted(set(found)):
        grams[section] = own = set(text.bigrams(section.prose))
        others = [grams[other] for other in kept.get(section.heading, ())]
        is_new = all(len(own & other) < _SAME * len(own | other) for other in others)
        if is_new and section.prose not in told:
            kept.setdefault(section.heading, []).append(section)
            told.add(section.prose)
    every = sorted((one for group in kept.values() for one in group), key=lambda one: one.id)
    alone = [one for one in every if len(kept[one.heading]) == 1]
    queries = [one for one in alone if len(one.heading) >= _SHORTEST_HEADING][:QUERIES]
    if len(queries) < FEWEST:
        raise MatcherError(f"The packages give {len(queries)} queries; {FEWEST} are needed.")
    return queries, list(dict.fromkeys([*queries, *every]))[:SECTIONS]


def measure(
    encoders: Mapping[str, Encoder], queries: Sequence[Section], sections: Sequence[Section]
) -> dict[str, object]:
    """Every system with every encoder, and what an encoder gains on the first one; printed."""
    qrels: Qrels = {section.id: {section.id: 1} for section in queries}
    told: dict[str, object] = {}
    former: dict[str, Run] = {}
    for name, encoder in encoders.items():
        start = time.perf_counter()
        runs = run_systems(encoder, queries, sections)
        seconds = round(time.perf_counter() - start, 1)
        systems = {
            system: evaluate(run, qrels, measures=[_MEASURE], against=former.get(system))
            for system, run in runs.items()
        }
        former = former or runs
        show(name, systems)
        told[name] = {"id": encoder.id, "seconds": seconds, "systems": as_json(systems)}
    return {"measure": _MEASURE, "encoders": told}


def show(encoder: str, systems: Mapping[str, Evaluation]) -> None:
    """The table of one encoder: means with 95 % intervals, and the gain on the first encoder."""
    print(f"\n{encoder:<28}{_MEASURE:<22}minus the first encoder")
    for system, found in systems.items():
        gains = [
            f"{_told(lead.difference, '+')}  p {lead.p:.4f}  "
            f"{lead.better} better {lead.equal} equal {lead.worse} worse"
            for lead in found.against.values()
        ]
        print(f"  {system:<26}{_told(found.means[_MEASURE]):<22}{''.join(gains)}".rstrip())


def as_json(systems: Mapping[str, Evaluation]) -> dict[str, object]:
    """The mean of each system, and its gain on the first encoder where there is one."""
    return {
        system: asdict(found.means[_MEASURE])
        | {"minus the first": {name: asdict(lead) for name, lead in found.against.items()}}
        for system, found in systems.items()
    }


def run_systems(
    encoder: Encoder, queries: Sequence[Section], sections: Sequence[Section]
) -> dict[str, Run]:
    """The first ten sections for every heading, by each system."""
    companies = [Company(company_id=s.id, name=s.heading, profile=s.prose) for s in sections]
    catalog, rows = Catalog.build(companies, encoder), np.arange(len(sections))
    unbridged = Settings(bridge_weight=0.0)
    asked = [text.normalise(query.heading) for query in queries]
    others = sorted({s.heading for s in sections} - {query.heading for query in queries})
    background = encoder.encode_queries([text.normalise(heading) for heading in others])
    # The product's mean of queries is that of issues; this one is of headings that don't ask.
    mean = background.mean(axis=0, dtype=np.float64)
    own = replace(catalog.centring, query_mean=mean)
    vectors = encoder.encode_queries(asked)
    runs: dict[str, dict[str, dict[str, float]]] = {}
    for section, query, *both in zip(
        queries, asked, catalog.centring.queries(vectors), own.queries(vectors), strict=True
    ):
        usual, moved = (Search(catalog, query, vector, unbridged) for vector in both)
        dense, *lexical = map(_part, usual.hits(rows))
        headings = _part(moved.dense(rows))
        systems = {
            "dense": dense,
            "lexical": fusion.total(lexical),
            "fusion": fusion.total([dense, *lexical]),
            "dense, mean of headings": headings,
            "fusion, mean of headings": fusion.total([headings, *lexical]),
        }
        for name, hits in systems.items():
            places = ranker.first(hits, [], _K, section.id, catalog.companies)
            listed = {catalog.companies[place.row].company_id: place.score for place in places}
            runs.setdefault(name, {})[section.id] = listed
    return dict(runs)


def _part(hits: Hits) -> Hits:
    """The hits as the part of the score that the product makes of them."""
    weight: float = getattr(Settings(), f"{hits.source}_weight")
    return features.weigh(features.standardise(hits), weight)


def _told(found: Estimate, sign: str = "") -> str:
    return f"{found.mean:{sign}.3f} [{found.low:{sign}.3f}, {found.high:{sign}.3f}]"


if __name__ == "__main__":
    sys.exit(main())
