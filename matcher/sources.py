"""The files that a former run was made of: where they are now, by the names that its manifest has.

A manifest has names and hashes but no folders, which are the machine's own affair.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from matcher.codes import data_folder
from matcher.errors import MatcherError


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A file or folder that was found, and where."""

    path: Path
    place: str  # in Japanese

    def told(self) -> str:
        """Its name and where it was found."""
        return f"{self.path.name}（{self.place}）"


def find(name: str, run: Path, *, sha256: str = "") -> Source | None:
    """The file or folder of this name: one with these bytes, else the first that there is.

    Looked for in the current folder, beside the run's folder, and, with these bytes only, among the
    tables that ship with the package.
    """
    found = list(_candidates(Path(name).name, run))
    same = (one for one in found if sha256 and file_sha256(one.path) == sha256)
    others = (one for one in found if one.path.parent != data_folder())
    return next(same, None) or next(others, None)


def require(kind: str, option: str, name: str, run: Path, *, sha256: str = "") -> Source:
    """As `find`. Raises MatcherError, which names the option to tell it by, where there is none."""
    found = find(name, run, sha256=sha256)
    if found is None:
        told = Path(name).name or "名前の記録なし"
        message = (
            f"{kind}「{told}」が、今のフォルダーにも実行結果のフォルダーの隣にもありません。"
            f"{option} で指定してください。"
        )
        raise MatcherError(message)
    return found


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, in hex; empty where there is no file."""
    if not path.is_file():
        return ""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _candidates(name: str, run: Path) -> Iterator[Source]:
    places = {
        Path(): "今のフォルダー",
        run.resolve().parent: "実行結果のフォルダーの隣",
        data_folder(): "同梱",
    }
    for folder, place in places.items():
        if name not in ("", "..") and (folder / name).exists():
            yield Source(path=folder / name, place=place)
