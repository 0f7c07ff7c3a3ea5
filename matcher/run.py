"""A run folder: the six files of a match, written together, verified and read back.

The new set is staged beside the old one, in `.staged/`, its manifest last: from then on the set is
whole and only has to be moved, file by file, manifest last. A process that dies before that leaves
the former set; one that dies during the moves leaves a staged manifest, and whoever comes next
finishes the moves.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from matcher import records
from matcher.errors import DataError, ForeignOutput, MatcherError
from matcher.report.page import page_html
from matcher.report.rejected import rejected_csv
from matcher.report.workbook import workbook_bytes
from matcher.shortlists import from_lines, to_lines
from matcher.trec import run_lines
from matcher.types import Fault, Shortlist

FORMAT = 1
MANIFEST = "manifest.json"
FILES = ("shortlist.jsonl", "run.trec", "shortlist.xlsx", "shortlist.html", "rejected.csv")
_STAGED = ".staged"


class SavedRun(Mapping[str, Mapping[str, float]]):
    """A run that was read back: issue id → company id → score, as a measure wants it.

    An issue without candidates is in it with nothing.
    """

    def __init__(self, manifest: records.Json, shortlists: Sequence[Shortlist]) -> None:
        self.manifest = manifest
        self.shortlists = tuple(shortlists)
        self._scores = {
            s.issue.issue_id: {e.company.company_id: e.score for e in s.entries} for s in shortlists
        }

    def __getitem__(self, issue_id: str) -> Mapping[str, float]:
        return self._scores[issue_id]

    def __iter__(self) -> Iterator[str]:
        return iter(self._scores)

    def __len__(self) -> int:
        return len(self._scores)

    def shortlist(self, issue_id: str) -> Shortlist:
        """The shortlist of one issue. Raises MatcherError when the run has none of that id."""
        for shortlist in self.shortlists:
            if shortlist.issue.issue_id == issue_id:
                return shortlist
        message = (
            f"この実行結果に課題ID「{issue_id}」はありません。一覧で課題IDを確かめてください。"
        )
        raise MatcherError(message)


def load_run(folder: Path | str) -> SavedRun:
    """The run that `write_run` wrote.

    Raises:
        DataError: the folder holds no run, or its shortlists differ from what the manifest says.
    """
    folder = Path(folder)
    _finish(folder)
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        content = (folder / FILES[0]).read_bytes()
        expected = manifest["outputs"][FILES[0]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        message = (
            f"{folder} は matcher match の出力ではありません。フォルダー名を確かめてください。"
        )
        raise DataError(message) from error
    if _sha256(content) != expected:
        message = f"{folder / FILES[0]} は実行後に書き換えられています。実行をやり直してください。"
        raise DataError(message)
    return SavedRun(manifest, from_lines(content.decode("utf-8")))


def check_folder(folder: Path, *, overwrite: bool = False) -> None:
    """Nothing, where a run may be written.

    Raises:
        ForeignOutput: it is a file, or holds a file of these names that this program did not
            write or that somebody has edited since, unless it may be overwritten; or a folder of
            such a name.
    """
    if folder.is_file():
        message = f"出力先 {folder} はファイルです。フォルダー名を指定してください。"
        raise ForeignOutput(message)
    _settle(folder)
    outputs = _written(folder)
    for name in (*FILES, MANIFEST):
        path = folder / name
        if path.is_dir():
            message = f"{path} はフォルダーです。別の --out を指定してください。"
            raise ForeignOutput(message)
        ours = bool(outputs) if name == MANIFEST else outputs.get(name) == _file_sha256(path)
        if path.exists() and not ours and not overwrite:
            message = (
                f"{path} は前回の実行のあとに編集されたか、別に作られたファイルです。"
                "別の --out を指定するか、上書きしてよければ --overwrite を付けてください。"
            )
            raise ForeignOutput(message)


def write_run(
    folder: Path,
    shortlists: Sequence[Shortlist],
    faults: Sequence[Fault],
    facts: Mapping[str, object],
    *,
    as_of: str | None = None,
    overwrite: bool = False,
) -> records.Json:
    """The manifest of the run, after the six files stand in the folder in place of the former six.

    `facts` are what the manifest says beside format, output hashes and time of writing.

    Raises:
        ForeignOutput: as `check_folder`.
    """
    check_folder(folder, overwrite=overwrite)
    contents = {
        "shortlist.jsonl": to_lines(shortlists).encode("utf-8"),
        "run.trec": run_lines(shortlists).encode("utf-8"),
        "shortlist.xlsx": workbook_bytes(shortlists, as_of=as_of),
        "shortlist.html": page_html(shortlists, as_of=as_of).encode("utf-8"),
        "rejected.csv": rejected_csv(faults),
    }
    outputs = {name: _sha256(content) for name, content in contents.items()}
    manifest: records.Json = {"format": FORMAT, **facts, "outputs": outputs}
    staged = folder / _STAGED
    staged.mkdir(parents=True)
    try:
        for name, content in contents.items():
            _write(staged / name, content)
        part = staged / f"{MANIFEST}.part"
        _write(part, json.dumps(manifest, ensure_ascii=False, indent=2).encode("utf-8"))
        part.replace(staged / MANIFEST)  # in one step: half a manifest would pass for a whole set
    finally:
        try:
            _settle(folder)
        except KeyboardInterrupt:
            _settle(folder)  # a whole set that has begun to move in is moved in whole
            raise
    return manifest


def _settle(folder: Path) -> None:
    """Finish what an interrupted run left: a whole staged set moves in, a partial one goes."""
    _finish(folder)
    staged = folder / _STAGED
    if staged.is_dir():
        shutil.rmtree(staged)


def _finish(folder: Path) -> None:
    """Move a whole staged set in, its manifest last; a partial one may still be being written."""
    staged = folder / _STAGED
    if not (staged / MANIFEST).exists():
        return
    for name in (*FILES, MANIFEST):
        if (staged / name).exists():
            (staged / name).replace(folder / name)
    shutil.rmtree(staged)


def _written(folder: Path) -> Mapping[str, str]:
    """Hashes of the files that a former run wrote here; empty where there was none."""
    try:
        outputs = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["outputs"]
        return {str(name): str(digest) for name, digest in outputs.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}  # not ours: whatever stands here is somebody else's


def _write(path: Path, content: bytes) -> None:
    """Write a file so that it is on the disk before the next one is begun."""
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _file_sha256(path: Path) -> str:
    return _sha256(path.read_bytes()) if path.is_file() else ""


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
