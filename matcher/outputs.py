"""Files that a command writes into a folder: nobody's are lost, each is whole or not there."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from matcher.errors import ForeignOutput


def check_absent(folder: Path, names: Iterable[str], *, overwrite: bool = False) -> None:
    """Nothing, where files of these names may be written.

    Raises:
        ForeignOutput: the folder is a file, or one of them is there and may not be overwritten.
    """
    if folder.is_file():
        message = f"出力先 {folder} はファイルです。フォルダー名を指定してください。"
        raise ForeignOutput(message)
    for path in (folder / name for name in names):
        if path.is_dir() or (path.exists() and not overwrite):
            message = (
                f"{path} がすでにあります。"
                "別の --out を指定するか、上書きしてよければ --overwrite を付けてください。"
            )
            raise ForeignOutput(message)


def write_files(folder: Path, contents: Mapping[str, bytes]) -> None:
    """Write files into a folder, each whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        part = folder / f".{name}.part"
        try:
            part.write_bytes(content)
            part.replace(folder / name)
        finally:
            part.unlink(missing_ok=True)
