"""The folder of a saved catalog: a manifest, and beside it the one segment that it names.

The manifest is replaced last and in one step, so that a build that is interrupted leaves the former
catalog whole. One process at a time writes; readers need no lock.
"""

import json
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from matcher import outputs, records, segments
from matcher.errors import DataError, ForeignOutput, StaleCatalog

# 2 holds the bridge and the spread of cosines, 3 the index as it is searched, 4 is sealed
FORMAT = 4
_MANIFEST = "manifest.json"
_SEGMENT = "segment-"
_STAGED = ".staged-"

_T = TypeVar("_T")


def check_folder(folder: Path) -> None:
    """Nothing, where a catalog may be written.

    Raises:
        ForeignOutput: it is a file, or a folder that holds something other than a catalog.
        OSError: nothing may be written there.
    """
    if folder.is_file():
        message = f"カタログの出力先 {folder} はファイルです。フォルダー名を指定してください。"
        raise ForeignOutput(message)
    outputs.check_room(folder)
    if folder.is_dir() and manifest_of(folder) is None:
        # Without a manifest a segment is what an interrupted first build left.
        ours = (_STAGED, _SEGMENT, outputs.LOCK)
        others = [path for path in folder.iterdir() if not path.name.startswith(ours)]
        if others:
            message = (
                f"{folder} にはカタログ以外のもの（{others[0].name} など）があります。"
                "空のフォルダーか新しい名前を指定してください。"
            )
            raise ForeignOutput(message)


def replace(
    folder: Path, name: str, write: Callable[[Path], None], told: Mapping[str, object]
) -> None:
    """Put a new segment into a folder, in place of the catalog that may be there.

    `write` fills an empty folder; `told` is what the manifest says beside format, segment and
    files.

    Raises:
        ForeignOutput: the folder holds something else.
        OutputInUse: another process is writing there.
        OSError: nothing can be written there; the former catalog is still whole.
    """
    check_folder(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with outputs.locked(folder):
        staged = segments.free_name(folder, f"{_STAGED}{os.getpid()}")
        part = folder / f"{_STAGED}{_MANIFEST}"
        try:
            staged.mkdir()
            write(staged)
            segments.flush(staged)
            segment = segments.free_name(folder, _SEGMENT + name)
            outputs.write(part, _manifest(staged, segment.name, told))
            staged.rename(segment)
            outputs.flush_folder(folder)
            part.replace(folder / _MANIFEST)
            outputs.flush_folder(folder)
        finally:  # they are there only if something went wrong
            shutil.rmtree(staged, ignore_errors=True)
            part.unlink(missing_ok=True)
        for other in folder.iterdir():
            if other.name.startswith((_SEGMENT, _STAGED)) and other != segment:
                # Windows keeps what a reader has open: the next build removes it.
                shutil.rmtree(other, ignore_errors=True)


def _manifest(staged: Path, segment: str, told: Mapping[str, object]) -> bytes:
    manifest = records.sealed(
        {
            "format": FORMAT,
            "segment": segment,
            **told,
            "files": segments.hashes(staged),
            "samples": segments.samples(staged),
        }
    )
    return json.dumps(manifest, ensure_ascii=False, indent=2).encode("utf-8")


def read(folder: Path, load: Callable[[Path, records.Json], _T]) -> _T:
    """What `load` gives of the folder's segment and manifest; anew where a build replaced them.

    Raises:
        DataError: the folder holds no catalog.
        StaleCatalog: another version wrote it, or its manifest has changed since.
    """
    manifest = read_manifest(folder)
    try:
        return load(folder / manifest["segment"], manifest)
    except Exception:
        if read_manifest(folder) == manifest:
            raise
    return read(folder, load)


def check_files(folder: Path) -> None:
    """Nothing, where every file of a saved catalog is as it was written; each is read whole.

    Raises:
        DataError: the folder holds no catalog.
        StaleCatalog: another version wrote it, or a file in it is missing or has changed since.
    """
    read(folder, lambda segment, manifest: segments.verify(segment, manifest["files"]))


def read_manifest(folder: Path) -> records.Json:
    """The manifest of the catalog in the folder, as it was written.

    Raises:
        DataError: the folder holds no catalog.
        StaleCatalog: another version wrote it, or it has changed since.
    """
    manifest = manifest_of(folder)
    if manifest is None:
        message = (
            f"{folder} はカタログではありません（カタログの {_MANIFEST} を読めません）。"
            "「matcher build 企業表 --catalog フォルダー」で作ってください。"
        )
        raise DataError(message)
    if manifest["format"] != FORMAT:
        message = (
            f"カタログ {folder} の形式は {manifest['format']} ですが、"
            f"この版が読めるのは {FORMAT} です。matcher build で作り直してください。"
        )
        raise StaleCatalog(message)
    if not records.is_as_sealed(manifest):
        message = (
            f"カタログ {folder} の {_MANIFEST} が壊れているか、書き換えられています。"
            "matcher build で作り直してください。"
        )
        raise StaleCatalog(message)
    return manifest


def manifest_of(folder: Path) -> records.Json | None:
    """The manifest of a catalog of any format; None where there is none, or that of a run."""
    try:
        manifest = json.loads((folder / _MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    is_catalog = isinstance(manifest, dict) and {"format", "segment"} <= manifest.keys()
    return manifest if is_catalog else None
