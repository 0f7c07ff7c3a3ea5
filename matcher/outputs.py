"""Files that a command writes into a folder: nobody's are lost, each is whole or not there."""

import errno
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from matcher.errors import ForeignOutput, OutputInUse

LOCK = ".lock"
_PATIENCE = 60.0  # seconds: the files of a run are written in a few, those of a large catalog too
_NO_FOLDER_SYNC = {errno.EINVAL, errno.ENOTSUP, errno.EBADF, errno.EACCES, errno.EPERM}


@contextmanager
def locked(folder: Path, *, patience: float | None = None) -> Iterator[None]:
    """The folder to oneself; whoever else asks for it waits, for a minute or `patience` seconds.

    Nothing of it stays behind in the folder, and the system gives it back however the
    process ends.

    Raises:
        OutputInUse: another one had it all the while.
        OSError: the folder is not there, or nothing can be written into it.
    """
    if not folder.is_dir():  # filelock would make it
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(folder))
    path = folder / LOCK
    lock = FileLock(path, timeout=_PATIENCE if patience is None else patience)
    try:
        lock.acquire()
    except Timeout as error:
        message = (
            f"{folder} には、ほかの matcher がいま書き込んでいます。"
            "終わってからもう一度実行するか、別のフォルダーを指定してください。"
        )
        raise OutputInUse(message) from error
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(folder)) from error
    try:
        yield
    finally:
        _unlock(lock, path)


def _unlock(lock: FileLock, path: Path) -> None:
    """Give the lock back; its file goes first, so that who waits at that one begins anew."""
    try:
        path.unlink(missing_ok=True)
    except PermissionError:  # Windows deletes no file that is open
        lock.release()
        with suppress(OSError):  # the next one has opened it, and deletes it in its turn
            path.unlink()
    except KeyboardInterrupt:
        path.unlink(missing_ok=True)
        raise
    finally:
        lock.release()


def check_room(folder: Path) -> None:
    """Nothing, where something may be written into a folder, or one that is not there be made.

    Raises:
        OSError: nothing may be written there, or what stands above it is no folder.
    """
    whole = folder.absolute()
    above = next(path for path in (whole, *whole.parents) if path.exists())
    if not above.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(above))
    if not os.access(above, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(above))


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
    """Write files into a folder, each whole or not at all.

    Raises:
        OutputInUse: somebody else is writing there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder):
        for name, content in contents.items():
            part = folder / f".{name}.part"
            try:
                write(part, content)
                part.replace(folder / name)
            finally:
                part.unlink(missing_ok=True)
        flush_folder(folder)


def write(path: Path, content: bytes) -> None:
    """Write a file so that it is on the disk before anything else is done."""
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def flush_folder(folder: Path) -> None:
    """Bring the names in a folder to the disk, where the system can: Windows cannot."""
    try:
        opened = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)
    except OSError as error:
        if error.errno not in _NO_FOLDER_SYNC:
            raise
