"""Objects in processes of their own: a contestant's threads, settings and memory are only its own.

    with Worker(Seat, folder, label, threads=1) as seat:
        built = seat.call("build")

Who is not called is asleep, so that several workers can take turns on one core.
"""

import os
import re
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Self

from peers import environment

_MIB = 2**10  # in the kernel's kB
_PATIENCE = 10  # seconds that a worker has to leave


class Fallen(RuntimeError):
    """A worker that could not do what it was called for; its words are the message."""


class Worker:
    """An object that another process holds; its methods are called from here, one at a time."""

    def __init__(
        self,
        make: Callable[..., object],
        *arguments: object,
        threads: int = 1,
        variables: Mapping[str, str] | None = None,
    ) -> None:
        """`make(*arguments)` is called over there, under these variables of the environment."""
        context = get_context("spawn")
        self._pipe, there = context.Pipe()
        self._process = context.Process(target=_serve, args=(there, make, arguments), daemon=True)
        # A library reads them when it is imported, and the process is born with them.
        with _under({**environment(threads), **(variables or {})}):
            self._process.start()
        there.close()
        self._answer()

    def call(self, method: str, *arguments: object) -> Any:  # noqa: ANN401  # what it returns
        """What the method returns.

        Raises:
            Fallen: it raised something, or its process is no more.
        """
        try:
            self._pipe.send((method, arguments))
        except OSError as error:
            raise Fallen(str(error)) from error
        return self._answer()

    def _answer(self) -> object:
        try:
            result, trouble = self._pipe.recv()
        except (EOFError, OSError) as error:
            self._process.join(_PATIENCE)
            message = f"its process ended with exit code {self._process.exitcode}"
            raise Fallen(message) from error
        if trouble:
            raise Fallen(trouble)
        return result

    def close(self) -> None:
        """End the process; its memory is free again."""
        self._pipe.close()  # it reads the end of the pipe, and leaves
        self._process.join(_PATIENCE)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def memory(kind: str = "RssAnon") -> float | None:
    """MiB of this process, as Linux counts them; None elsewhere.

    `RssAnon` is what it holds by itself, `VmRSS` that and the mapped files in memory, `VmHWM` the
    most that VmRSS ever was.
    """
    status = Path("/proc/self/status")
    if not status.exists():
        return None
    found = re.search(rf"^{kind}:\s+(\d+)", status.read_text(encoding="ascii"), re.MULTILINE)
    return round(int(found[1]) / _MIB, 1) if found else None


def _serve(pipe: Connection, make: Callable[..., object], arguments: tuple[object, ...]) -> None:
    def answered(work: Callable[[], object]) -> None:
        try:
            result, trouble = work(), ""
        except Exception:  # whatever it is, the one who called is to read it
            result, trouble = None, traceback.format_exc()
        pipe.send((result, trouble))

    held: list[object] = []
    answered(lambda: held.append(make(*arguments)))
    while held:
        try:
            method, told = pipe.recv()
        except EOFError:
            return
        answered(lambda: getattr(held[0], method)(*told))  # noqa: B023  # called at once


@contextmanager
def _under(variables: Mapping[str, str]) -> Iterator[None]:
    former = dict(os.environ)
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(former)
