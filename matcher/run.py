"""A run folder: the six files of a match, written together, verified and read back.

The new set is staged beside the old one, in `.staged/`, its manifest last: from then on the set is
whole and only has to be moved, file by file, manifest last; each former file is kept until then. A
process that dies before that leaves the former set; one that dies during the moves leaves a staged
manifest, and whoever comes next finishes the moves. A move that the system refuses, as Windows does
while Excel holds a file open, takes back those before it. One process at a time writes; a reader
needs no lock, for it reads a whole staged set where there is one.
"""

import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from matcher import records
from matcher.errors import DataError, ForeignOutput, MatcherError, OutputInUse
from matcher.outputs import check_room, flush_folder, locked, write
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
_PART = f"{MANIFEST}.part"  # in the staged set, until it is whole
_FORMER = "former"  # in the staged set, what its files have taken the place of
_TRIES = 3


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
        told, content = _current(folder, MANIFEST), _current(folder, FILES[0])
        manifest = json.loads(told)
        expected = manifest["outputs"][FILES[0]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        message = (
            f"{folder} は matcher match の出力ではありません。フォルダー名を確かめてください。"
        )
        raise DataError(message) from error
    if _sha256(content) == expected:
        return SavedRun(manifest, from_lines(content.decode("utf-8")))
    if _current(folder, MANIFEST) != told:
        return load_run(folder)  # another set came in between the two
    message = f"{folder / FILES[0]} は実行後に書き換えられています。実行をやり直してください。"
    raise DataError(message)


def check_folder(folder: Path, *, overwrite: bool = False) -> None:
    """Nothing, where a run may be written.

    Raises:
        ForeignOutput: it is a file, or holds a file of these names that this program did not
            write or that somebody has edited since, unless it may be overwritten; or a folder of
            such a name.
        OutputInUse: another run is being written there.
        OSError: nothing may be written there, or another program holds one of the files open.
    """
    _require_folder(folder)
    check_room(folder)
    if folder.exists():
        with locked(folder):
            _settle(folder)
            _check_files(folder, overwrite=overwrite)


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
        ForeignOutput, OutputInUse, OSError: as `check_folder`; the former set is still whole.
    """
    _require_folder(folder)
    contents = {
        "shortlist.jsonl": to_lines(shortlists).encode("utf-8"),
        "run.trec": run_lines(shortlists).encode("utf-8"),
        "shortlist.xlsx": workbook_bytes(shortlists, as_of=as_of),
        "shortlist.html": page_html(shortlists, as_of=as_of).encode("utf-8"),
        "rejected.csv": rejected_csv(faults),
    }
    outputs = {name: _sha256(content) for name, content in contents.items()}
    manifest = records.sealed({"format": FORMAT, **facts, "outputs": outputs})
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder):
        _settle(folder)
        _check_files(folder, overwrite=overwrite)
        _replace(folder, contents, manifest)
    return manifest


def _require_folder(folder: Path) -> None:
    if folder.is_file():
        message = f"出力先 {folder} はファイルです。フォルダー名を指定してください。"
        raise ForeignOutput(message)


def _check_files(folder: Path, *, overwrite: bool) -> None:
    """Nothing, where each file may be written over, and nobody holds it."""
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
        if path.exists():
            path.replace(path)  # changes nothing; Windows refuses it while Excel holds the file


def _replace(folder: Path, contents: Mapping[str, bytes], manifest: records.Json) -> None:
    """Put a set in the place of the former one; the former one stays where that is refused."""
    staged = folder / _STAGED
    staged.mkdir()
    try:
        for name, content in contents.items():
            write(staged / name, content)
        write(staged / _PART, json.dumps(manifest, ensure_ascii=False, indent=2).encode("utf-8"))
        flush_folder(staged)
        # In one step: half a manifest would pass for a whole set.
        (staged / _PART).replace(staged / MANIFEST)
        _settle(folder)
    except OSError:
        if (staged / MANIFEST).exists():
            (staged / MANIFEST).replace(staged / _PART)  # from here on the former set comes back
        raise
    finally:
        try:
            _settle(folder)
        except KeyboardInterrupt:
            _settle(folder)  # a whole set that has begun to move in is moved in whole
            raise


def _settle(folder: Path) -> None:
    """Finish what was begun: a whole staged set moves in, one that was refused or partial goes.

    Only for whoever holds the lock of the folder.
    """
    staged = folder / _STAGED
    if not staged.is_dir():
        return
    if (staged / MANIFEST).exists():
        _move_in(folder, staged)
    elif (staged / _PART).exists() and (staged / _FORMER).is_dir():
        _take_back(folder, staged)
    shutil.rmtree(staged)


def _move_in(folder: Path, staged: Path) -> None:
    """Move a whole staged set in, its manifest last; each step may be the last of this process."""
    flush_folder(staged)
    flush_folder(folder)
    former = staged / _FORMER
    former.mkdir(exist_ok=True)
    for name in FILES:
        if (staged / name).exists():
            if (folder / name).exists():
                (folder / name).replace(former / name)
            (staged / name).replace(folder / name)
    (staged / MANIFEST).replace(folder / MANIFEST)
    flush_folder(folder)


def _take_back(folder: Path, staged: Path) -> None:
    """Undo what `_move_in` has done so far; each step may be the last of this process."""
    former = staged / _FORMER
    for name in FILES:
        if not (staged / name).exists():
            (folder / name).replace(staged / name)
        if (former / name).exists():
            (former / name).replace(folder / name)
    flush_folder(folder)
    former.rmdir()  # the former set is back: from here on the staged one is only to be removed


def _finish(folder: Path) -> None:
    """Let a reader finish the moves of a process that died, where it may and nobody is at it."""
    staged = folder / _STAGED
    if (staged / MANIFEST).exists() or (staged / _FORMER).is_dir():
        with suppress(OSError, OutputInUse), locked(folder, patience=0):
            _settle(folder)


def _current(folder: Path, name: str) -> bytes:
    """A file of the set that counts, wherever it is by now.

    That is a whole staged set; without one, or where it is being taken back, the former set.
    """
    staged = folder / _STAGED
    for _ in range(_TRIES):  # it may be moved between a look and a read
        moved = staged if (staged / MANIFEST).exists() else staged / _FORMER
        if moved == staged or (staged / _PART).exists():
            with suppress(FileNotFoundError):
                return (moved / name).read_bytes()
        with suppress(FileNotFoundError):
            return (folder / name).read_bytes()
    raise FileNotFoundError(folder / name)


def _written(folder: Path) -> Mapping[str, str]:
    """Hashes of the files that a former run wrote here; empty where there was none."""
    try:
        outputs = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["outputs"]
        return {str(name): str(digest) for name, digest in outputs.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}  # not ours: whatever stands here is somebody else's


def _file_sha256(path: Path) -> str:
    return _sha256(path.read_bytes()) if path.is_file() else ""


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def read_current(folder: Path, name: str) -> bytes | None:
    """A file of the set that counts, finished first if need be; None where there is none."""
    _finish(folder)
    try:
        return _current(folder, name)
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        return None
