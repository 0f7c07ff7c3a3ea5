"""The check of tables before they are used: each on its own, and a corrected table of each."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from matcher.correction import correct
from matcher.errors import DataError, MatcherError
from matcher.inspection import AnyInspection, TableName, inspect
from matcher.outputs import write_files
from matcher.records import Json
from matcher.report import inspected
from matcher.report.corrected import corrected_workbook

_SUFFIX = ".xlsx"


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What became of one file: an inspection, or the sentence on why there is none."""

    path: Path
    inspection: AnyInspection | None = None
    error: DataError | None = None
    written: Path | None = None  # its corrected table

    @property
    def told(self) -> Json:
        """The same as plain values."""
        if self.inspection is None:
            return {"file": self.path.name, "error": str(self.error)}
        written = None if self.written is None else str(self.written)
        return {**inspected.account(self.inspection), "corrected": written}


def corrected_paths(
    files: Sequence[Path], out: Path | None, *, overwrite: bool = False
) -> Mapping[Path, Path]:
    """Where the corrected table of each file is to be written; nowhere without `out`.

    A name that ends in .xlsx is that of one file's table, any other is a folder. Raises
    MatcherError where a file would be lost: an input, one that is there already, or one of two
    with one name.
    """
    if out is None:
        return {}
    is_file = out.suffix.lower() == _SUFFIX
    if is_file and len(files) > 1:
        message = (
            f"{len(files)}つのファイルの直しを1つのファイル {out} には書けません。"
            "--out にフォルダー名を指定してください。"
        )
        raise MatcherError(message)
    paths = {file: out if is_file else out / f"{file.stem}_直し{_SUFFIX}" for file in files}
    _refuse_loss(paths, overwrite=overwrite)
    return paths


def check_tables(
    files: Sequence[Path], name: TableName | None = None, paths: Mapping[Path, Path] | None = None
) -> Iterator[Checked]:
    """What each file holds, one after another; its corrected table is written to its path."""
    for file in files:
        try:
            inspection = inspect(file, name)
        except DataError as error:
            yield Checked(path=file, error=error)
            continue
        written = (paths or {}).get(file)
        if written:
            content = corrected_workbook(inspection, correct(inspection))
            write_files(written.parent, {written.name: content})
        yield Checked(path=file, inspection=inspection, written=written)


def _refuse_loss(paths: Mapping[Path, Path], *, overwrite: bool) -> None:
    inputs = {file.resolve() for file in paths}
    for path, times in Counter(paths.values()).items():
        if path.resolve() in inputs or path.is_dir():
            message = f"{path} には書けません。元の表とは別の --out を指定してください。"
            raise MatcherError(message)
        if times > 1:
            message = (
                f"{path.name} という名前の直しが{times}つになります。"
                "ファイルを分けて、1つずつ実行してください。"
            )
            raise MatcherError(message)
        if path.exists() and not overwrite:
            message = (
                f"{path} はすでにあります。別の --out を指定するか、"
                "上書きしてよければ --overwrite を付けてください。"
            )
            raise MatcherError(message)
