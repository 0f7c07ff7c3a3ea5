"""Whether the files of a run or a catalog are as they were written, by the hashes they came with.

This finds damage and edits. It proves nothing of who wrote them: whoever edits on purpose can write
new hashes and a new seal.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from matcher import records, segments
from matcher.errors import DataError
from matcher.run import FILES, MANIFEST, read_current
from matcher.sources import Source, file_sha256, find

Role = Literal["記録", "出力", "入力", "カタログ"]
State = Literal["一致", "違う", "ない", "未確認"]
_TABLES = {"issues": "課題の表", "companies": "企業の表"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """One file, and what it is now."""

    name: str
    role: Role
    state: State
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """Every file of a run or a catalog, checked."""

    files: tuple[Checked, ...]

    @property
    def is_whole(self) -> bool:
        """Whether nothing differs and nothing is missing; what could not be checked aside."""
        return not self.count("違う") and not self.count("ない")

    def count(self, state: State) -> int:
        """How many files are in this state."""
        return sum(one.state == state for one in self.files)


def verify(
    folder: Path | str, *, issues: Path | None = None, companies: Path | None = None
) -> Verification:
    """Every output of a run hashed anew, and its tables as far as they are told or found by name.

    Of a catalog every file, by its whole content. `companies` may be a catalog.

    Raises:
        DataError: the folder holds neither, or a table that was told is missing.
    """
    folder = Path(folder)
    manifest = read_manifest(folder)
    if "segment" in manifest:
        return Verification(files=(_sealed(manifest), *_catalog_files(folder, manifest)))
    folder = folder if folder.is_dir() else folder.parent
    tables = (
        _table(manifest, side, folder, told)
        for side, told in (("issues", issues), ("companies", companies))
    )
    found = Verification(files=(_sealed(manifest), *_outputs(folder, manifest), *tables))
    if read_manifest(folder) != manifest:  # another set came in meanwhile
        return verify(folder, issues=issues, companies=companies)
    return found


def read_manifest(folder: Path | str) -> records.Json:
    """The manifest of a run or a catalog; a file of a run stands for its folder.

    Raises:
        DataError: there is none, or it is damaged.
    """
    path = Path(folder)
    try:
        told = read_current(path.parent if path.is_file() else path, MANIFEST)
        manifest = json.loads(told or b"")
    except ValueError:
        manifest = None
    groups = ("inputs", "outputs", "options", "settings")
    is_run = _has(manifest, *groups) and _has(manifest["inputs"], *_TABLES)
    is_catalog = _has(manifest, "files") and "segment" in manifest
    if not is_run and not is_catalog:
        message = (
            f"{folder} は matcher match の出力でも matcher build のカタログでもないか、"
            f"{MANIFEST} が壊れています。フォルダー名を確かめてください。"
        )
        raise DataError(message)
    found: records.Json = manifest
    return found


def _has(value: object, *names: str) -> bool:
    return isinstance(value, dict) and all(isinstance(value.get(name), dict) for name in names)


def _sealed(manifest: records.Json) -> Checked:
    is_same = records.is_as_sealed(manifest)
    if is_same is None:
        note = "前の版の記録で、書き換えの有無は分かりません"
        return Checked(name=MANIFEST, role="記録", state="未確認", note=note)
    return Checked(name=MANIFEST, role="記録", state="一致" if is_same else "違う")


def _outputs(folder: Path, manifest: records.Json) -> Iterator[Checked]:
    told = manifest["outputs"]
    for name in FILES:
        note = "" if name in told else f"{MANIFEST} に記録がありません"
        content = read_current(folder, name)
        state: State = "一致" if _is(content, told.get(name)) else "違う"
        yield Checked(name=name, role="出力", state="ない" if content is None else state, note=note)


def edited_outputs(folder: Path, manifest: records.Json) -> tuple[str, ...]:
    """The outputs of a run that are no longer as it wrote them, or gone."""
    return tuple(one.name for one in _outputs(folder, manifest) if one.state != "一致")


def _is(content: bytes | None, digest: object) -> bool:
    return content is not None and hashlib.sha256(content).hexdigest() == digest


def _table(manifest: records.Json, side: str, folder: Path, told: Path | None) -> Checked:
    known = manifest["inputs"][side]
    name, digest = str(known.get("source", "")), str(known.get("sha256", ""))
    if told is not None and told.is_dir():
        return _catalog(told, manifest)
    if told is not None and not told.exists():
        message = f"{_TABLES[side]}「{told}」が見つかりません。ファイル名と場所を確かめてください。"
        raise DataError(message)
    source = Source(path=told, place="指定") if told else find(name, folder, sha256=digest)
    if source is None or not source.path.is_file():
        note = f"{_TABLES[side]}が見つかりません。--{side} で指定できます"
        return Checked(name=Path(name).name, role="入力", state="未確認", note=note)
    note = f"{_TABLES[side]}、{source.place}"
    state: State = "一致" if file_sha256(source.path) == digest else "違う"
    return Checked(name=source.path.name, role="入力", state=state, note=note)


def _catalog(folder: Path, manifest: records.Json) -> Checked:
    """Whether a catalog is the one of the run, and whole."""
    own = read_manifest(folder)
    files = _catalog_files(folder, own) if "segment" in own else ()
    damaged = [one.name for one in files if one.state != "一致"]
    state: State = "違う" if damaged or own.get("id") != manifest.get("catalog") else "一致"
    note = f"カタログ、{damaged[0]} が壊れています" if damaged else "カタログ、指定"
    return Checked(name=folder.name, role="入力", state=state, note=note)


def _catalog_files(folder: Path, manifest: records.Json) -> Iterator[Checked]:
    segment = folder / Path(str(manifest["segment"])).name
    found = segments.hashes(segment) if segment.is_dir() else {}
    for name in sorted(manifest["files"].keys() | found.keys()):
        told = f"{segment.name}/{name}"
        if name not in manifest["files"]:
            note = f"{MANIFEST} に記録がありません"
            yield Checked(name=told, role="カタログ", state="違う", note=note)
        else:
            same: State = "一致" if found.get(name) == manifest["files"][name] else "違う"
            yield Checked(name=told, role="カタログ", state=same if name in found else "ない")
