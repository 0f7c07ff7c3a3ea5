"""The companies, ready to be searched: records, vectors and tokens, in memory and on disk.

A saved catalog is a segment in a folder (see `shelf`): the records (DuckDB), the vectors as the
encoder gave them, the means, and the indexes as they are searched: large arrays stay on the disk
until a search touches them.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from matcher import background, bridge, records, sdgs, segments, shelf, text
from matcher.bridge import Bridge, Line
from matcher.embed.centring import Centring, sound
from matcher.errors import MatcherError, StaleCatalog
from matcher.index.calibration import calibrate
from matcher.index.dense import DenseIndex
from matcher.index.facets import Facets
from matcher.index.lexical import LexicalIndex
from matcher.index.lists import arrange
from matcher.settings import Settings
from matcher.types import Advance, Company, Encoder, Fault, Fingerprints, Reading, Rows, Vectors


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """Where the companies came from, as the manifest of every run repeats it."""

    source: str
    sha256: str
    rows: int
    accepted: int
    merged: int
    rejected: int
    fingerprints: Fingerprints | None = None


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Catalog:
    """Everything about the companies that a match needs; row i is `companies[i]` everywhere."""

    id: str  # of content, encoder and BM25 parameters
    encoder_id: str
    bm25: tuple[float, float]  # k1, b
    companies: tuple[Company, ...]  # in company_id order; many are laid out by `index.lists`
    in_pieces: int  # profiles longer than the encoder's limit, read in several pieces
    provenance: Provenance
    faults: tuple[Fault, ...]
    vectors: Vectors  # as the encoder gave them
    centring: Centring
    dense: DenseIndex
    words: LexicalIndex
    bigrams: LexicalIndex
    bridge: Bridge
    facets: Facets
    profiles: NDArray[np.uint64]  # (n,) a number for each text: equal where profiles are

    def alike(self, rows: Rows) -> Rows:
        """These rows and all that have the profile of one of them, ascending."""
        return np.flatnonzero(np.isin(self.profiles, self.profiles[rows])).astype(np.int64)

    @classmethod
    def build(
        cls,
        companies: Iterable[Company],
        encoder: Encoder,
        *,
        settings: Settings | None = None,
        lines: Sequence[Line] | None = None,
        former: "Catalog | None" = None,
        advance: Advance | None = None,
    ) -> "Catalog":
        """The catalog of a reading, or of companies made in code.

        `lines` are those of the vocabulary bridge, by default the shipped ones. What `former`
        holds already is not encoded again.

        Raises:
            MatcherError: two companies have one id (a reading never holds such).
        """
        settings, reading = settings or Settings(), _reading(companies)
        documents = [text.normalise(text.company_text(company)) for company in reading]
        vectors = _encode(documents, encoder, former, advance)
        told = _with_goals(reading.records, vectors, encoder)
        crossed = _bridge(bridge.shipped() if lines is None else tuple(lines), encoder, former)
        asked, centring = _centring(vectors, encoder)
        bm25 = settings.bm25_k1, settings.bm25_b
        content = _content_id(encoder.id, bm25, told, vectors, crossed.id)
        laid = arrange(centring.documents(vectors), *Facets.columns(told))
        told = tuple(told[row] for row in laid.order)
        documents = [documents[row] for row in laid.order]
        vectors, facets = vectors[laid.order], Facets.build(told)
        lots = np.array([_number(company.company_id) for company in told], dtype=np.uint64)
        dense = DenseIndex.build(centring.documents(vectors), lots=lots, lists=laid.lists)
        dense.budget = calibrate(dense, facets, np.concatenate([asked, crossed.vectors]))
        return cls(
            id=content,
            encoder_id=encoder.id,
            bm25=bm25,
            companies=told,
            in_pieces=sum(count > 1 for count in encoder.pieces(documents)),
            provenance=_provenance(reading),
            faults=reading.faults,
            vectors=vectors,
            centring=centring,
            dense=dense,
            words=_lexical("words", text.lemmas, documents, bm25),
            bigrams=_lexical("bigrams", text.bigrams, documents, bm25),
            bridge=crossed,
            facets=facets,
            profiles=np.array([_number(document) for document in documents], dtype=np.uint64),
        )

    @classmethod
    def open(cls, folder: Path | str) -> "Catalog":
        """The catalog that `save` wrote.

        Raises:
            DataError: the folder holds no catalog.
            StaleCatalog: another version wrote it, a file in it has changed since, or its parts
                do not belong together.
        """
        return shelf.read(Path(folder), cls._load)

    @classmethod
    def _load(cls, segment: Path, manifest: records.Json) -> "Catalog":
        segments.verify(segment, manifest["files"], manifest["samples"])
        companies, faults = segments.read_records(segment / "records.duckdb")
        query_mean, document_mean = np.load(segment / "means.npy")
        catalog = cls(
            id=manifest["id"],
            encoder_id=manifest["encoder"],
            bm25=(manifest["bm25"]["k1"], manifest["bm25"]["b"]),
            companies=companies,
            in_pieces=manifest["in_pieces"],
            provenance=Provenance(**manifest["provenance"]),
            faults=faults,
            vectors=np.load(segment / "vectors.npy", mmap_mode="r"),
            centring=Centring(query_mean, document_mean, manifest["spread"]),
            dense=DenseIndex.load(segment / "dense"),
            words=LexicalIndex.load("words", len(companies), segment / "words"),
            bigrams=LexicalIndex.load("bigrams", len(companies), segment / "bigrams"),
            bridge=Bridge(_lines(segment / "bridge.json"), np.load(segment / "bridge.npy")),
            facets=Facets.load(segment / "facets"),
            profiles=np.load(segment / "profiles.npy", mmap_mode="r"),
        )
        _check_parts(catalog, manifest["companies"])
        return catalog

    def save(self, folder: Path | str) -> None:
        """Write the catalog into a folder, in place of the catalog that may be there.

        Raises:
            ForeignOutput: the folder holds something else.
            OutputInUse: another process is writing there.
            OSError: nothing can be written there; the former catalog is still whole.
        """
        told = {
            "id": self.id,
            "encoder": self.encoder_id,
            "bm25": {"k1": self.bm25[0], "b": self.bm25[1]},
            "spread": self.centring.spread,
            "companies": len(self.companies),
            "in_pieces": self.in_pieces,
            "provenance": asdict(self.provenance),
            "budget": self.dense.budget.told() if self.dense.budget else [],
        }
        shelf.replace(Path(folder), self.id[:16], self._write, told)

    def _write(self, staged: Path) -> None:
        """Everything but what the manifest tells, into an empty folder."""
        np.save(staged / "vectors.npy", self.vectors)
        means = np.stack([self.centring.query_mean, self.centring.document_mean])
        np.save(staged / "means.npy", means)
        np.save(staged / "profiles.npy", self.profiles)
        self.dense.save(staged / "dense")
        self.facets.save(staged / "facets")
        self.words.save(staged / "words")
        self.bigrams.save(staged / "bigrams")
        np.save(staged / "bridge.npy", self.bridge.vectors)
        told = json.dumps([asdict(line) for line in self.bridge.lines], ensure_ascii=False)
        (staged / "bridge.json").write_text(told, encoding="utf-8")
        segments.write_records(staged / "records.duckdb", self.companies, self.faults)


def _check_parts(catalog: Catalog, told: int) -> None:
    """Nothing, where every part is of as many companies as the manifest tells."""
    for name, found in (
        ("企業", len(catalog.companies)),
        ("ベクトル", len(catalog.vectors)),
        ("意味の索引", len(catalog.dense.vectors)),
        ("くじ", len(catalog.dense.lots)),
        ("単語の索引", catalog.words.documents),
        ("文字の索引", catalog.bigrams.documents),
        ("地域とSDGs", catalog.facets.everyone.size),
        ("事業内容の番号", len(catalog.profiles)),
    ):
        if found != told:
            message = (
                f"カタログの中身が食い違っています（目録: {told} 社、{name}: {found} 社分）。"
                "matcher build で作り直してください。"
            )
            raise StaleCatalog(message)


def _encode(
    documents: Sequence[str], encoder: Encoder, former: Catalog | None, advance: Advance | None
) -> Vectors:
    """A vector for each document; those that the former catalog holds are taken from there."""
    known: dict[str, NDArray[np.float32]] = {}
    if former is not None and former.encoder_id == encoder.id:
        texts = [text.normalise(text.company_text(company)) for company in former.companies]
        known = dict(zip(texts, former.vectors, strict=True))
    fresh = sorted({document for document in documents if document not in known})
    encoded = sound(encoder.encode_documents(fresh, advance=advance))
    known |= zip(fresh, encoded, strict=True)
    vectors = np.empty((len(documents), encoder.dim), dtype=np.float32)
    for row, document in enumerate(documents):
        vectors[row] = known[document]
    return vectors


def _centring(vectors: Vectors, encoder: Encoder) -> tuple[Vectors, Centring]:
    """The background's issues, centred, and the means by which that is done."""
    queries = encoder.encode_queries([text.normalise(one) for one in background.issues()])
    prior = encoder.encode_documents([text.normalise(one) for one in background.profiles()])
    centring = Centring.fit(queries, vectors, prior)
    return centring.queries(queries), centring


def _lexical(
    source: str,
    cut: Callable[[str], Sequence[str]],
    documents: Sequence[str],
    bm25: tuple[float, float],
) -> LexicalIndex:
    k1, b = bm25
    return LexicalIndex.build(source, [cut(document) for document in documents], k1=k1, b=b)


def _number(content: str) -> int:
    """64 bits of a text's SHA-256: equal for equal texts, and in no order that favours anybody."""
    return int.from_bytes(hashlib.sha256(content.encode()).digest()[:8])


def _bridge(lines: tuple[Line, ...], encoder: Encoder, former: Catalog | None) -> Bridge:
    """The bridge of these lines; as the former catalog holds it where it is the same."""
    if former and former.encoder_id == encoder.id and former.bridge.lines == lines:
        return former.bridge
    return Bridge.build(lines, encoder)


def _lines(path: Path) -> tuple[Line, ...]:
    return tuple(
        Line(field=line["field"], problem=tuple(line["problem"]), solution=tuple(line["solution"]))
        for line in json.loads(path.read_text(encoding="utf-8"))
    )


def _with_goals(
    companies: tuple[Company, ...], vectors: Vectors, encoder: Encoder
) -> tuple[Company, ...]:
    """The companies with goals read from the profile where none were declared, marked as such."""
    rows = [row for row, company in enumerate(companies) if not company.sdgs]
    if not rows:
        return companies
    inferred = list(companies)
    profiles = [text.normalise(text.company_text(companies[row])) for row in rows]
    goals = sdgs.infer(profiles, encoder, vectors[rows])
    for row, found in zip(rows, goals, strict=True):
        inferred[row] = replace(companies[row], sdgs=frozenset(found), is_sdgs_inferred=True)
    return tuple(inferred)


def _reading(companies: Iterable[Company]) -> Reading[Company]:
    """What a table gave as it is; companies made in code in id order, as if from a table."""
    if isinstance(companies, Reading):
        return companies
    made = tuple(sorted(companies, key=lambda company: company.company_id))
    for one, other in pairwise(made):
        if one.company_id == other.company_id:
            message = (
                f"企業ID「{one.company_id}」が2つあります。1つの企業には1つのIDを付けてください。"
            )
            raise MatcherError(message)
    return Reading(
        source="", sha256="", rows=len(made), merged=0, rejected=0, records=made, faults=()
    )


def _provenance(companies: Reading[Company]) -> Provenance:
    return Provenance(
        source=companies.source,
        sha256=companies.sha256,
        rows=companies.rows,
        accepted=len(companies),
        merged=companies.merged,
        rejected=companies.rejected,
        fingerprints=companies.fingerprints,
    )


def _content_id(
    encoder_id: str,
    bm25: tuple[float, float],
    companies: Sequence[Company],
    vectors: Vectors,
    bridge_id: str,
) -> str:
    digest = hashlib.sha256(json.dumps([shelf.FORMAT, encoder_id, bm25, bridge_id]).encode())
    for company in companies:
        digest.update(json.dumps(records.to_json(company), sort_keys=True).encode())
    digest.update(np.ascontiguousarray(vectors).tobytes())
    return digest.hexdigest()
