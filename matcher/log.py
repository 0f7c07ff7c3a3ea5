"""A log for those who look after unattended runs: events, counts, times and file names.

Nothing that a table holds is in it, and no sentence of an error, for it may quote a cell. A line is
`time level pid=… command=… event=…` and more such pairs, in UTF-8 whatever the locale.
"""

import logging
import re
import time
import traceback
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from matcher import trouble
from matcher.errors import MatcherError
from matcher.personal import masked

if TYPE_CHECKING:
    from matcher.catalog import Catalog
    from matcher.check import Checked
    from matcher.job import Outcome, Stage
    from matcher.types import Advance, Fault

_LINE = "%(asctime)s %(levelname)s pid=%(process)d %(message)s"
_TIME = "%Y-%m-%dT%H:%M:%S%z"
_OURS = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d{4} [A-Z]+ pid=\d+ command=")
_BARE = re.compile(r"[\w.:/+-]+", re.ASCII)
_PACKAGE = Path(__file__).parent
_INTERRUPTED, _UNUSABLE, _BROKEN = 130, 2, 1  # exit statuses of what ends a command early


class Log:
    """The events of one command."""

    def __init__(self, logger: logging.Logger, command: str) -> None:
        self._logger = logger
        self._command = command
        self._began = time.monotonic()

    def tell(self, event: str, *, level: int = logging.INFO, **facts: object) -> None:
        """Write an event with its facts; a fact that is None is left out."""
        told = {"command": self._command, "event": event, **facts}
        pairs = (f"{name}={_value(fact)}" for name, fact in told.items() if fact is not None)
        self._logger.log(level, " ".join(pairs))

    def ended(self, status: int) -> int:
        """The exit status, written with the seconds that the command took."""
        level = (logging.INFO, logging.WARNING, logging.ERROR)[min(status, 2)]
        seconds = round(time.monotonic() - self._began, 1)
        self.tell("end", level=level, status=status, seconds=seconds)
        return status

    def failed(self, error: BaseException) -> None:
        """Write of an error its kind and its place in the program, and how the command ends."""
        told = traceback.extract_tb(error.__traceback__)
        ours = [frame for frame in told if _PACKAGE in Path(frame.filename).parents]
        file = Path(ours[-1].filename).relative_to(_PACKAGE).as_posix() if ours else ""
        place = f"{file}:{ours[-1].lineno}" if ours else None
        self.tell("error", level=logging.ERROR, kind=type(error).__name__, at=place)
        if isinstance(error, KeyboardInterrupt):
            self.ended(_INTERRUPTED)
        else:
            is_told = isinstance(error, MatcherError) or trouble.told(error)
            self.ended(_UNUSABLE if is_told else _BROKEN)

    def staged(self, stage: "Stage") -> "Stage":
        """The same stages, each written when it begins."""

        def begin(label: str, total: int) -> "Advance":
            self.tell("stage", name=label, items=total)
            return stage(label, total)

        return begin

    def outcome(self, outcome: "Outcome") -> None:
        """Write what a run read, what it gave and what it wrote."""
        manifest = outcome.manifest
        for kind, told in manifest["inputs"].items():
            counts = manifest["counts"][kind]
            rows = {name: counts.get(name) for name in ("rows", "merged", "rejected", "accepted")}
            file = masked(told["source"])
            self.tell("input", kind=kind, file=file, sha256=told["sha256"], **rows)
        self._problems(outcome.faults)
        statuses = ("ranked", "no_candidate", "unclear", "routed")
        counts = manifest["counts"]["issues"]
        self.tell("result", catalog=manifest["catalog"], **{n: counts[n] for n in statuses})
        for file, sha256 in manifest["outputs"].items():
            self.tell("output", file=file, sha256=sha256)

    def catalog(self, catalog: "Catalog") -> None:
        """Write what a catalog was made of."""
        told = catalog.provenance
        self.tell(
            "input",
            kind="companies",
            file=masked(told.source),
            sha256=told.sha256,
            rows=told.rows,
            merged=told.merged,
            rejected=told.rejected,
            accepted=told.accepted,
        )
        self._problems(catalog.faults)
        self.tell("result", catalog=catalog.id)

    def checked(self, checked: "Checked") -> None:
        """Write what became of a table that was checked."""
        if checked.inspection is None:
            kind = type(checked.error).__name__
            file = masked(checked.path.name)
            self.tell("unusable", level=logging.ERROR, file=file, kind=kind)
            return
        reading = checked.inspection.reading
        self.tell(
            "input",
            kind=checked.inspection.name,
            file=masked(reading.source),
            sha256=reading.sha256,
            rows=reading.rows,
            merged=reading.merged,
            rejected=reading.rejected,
            accepted=len(reading),
        )
        self._problems(reading.faults)
        if checked.written:
            self.tell("output", file=masked(checked.written.name))

    def _problems(self, faults: "Sequence[Fault]") -> None:
        rejected = sum(fault.severity == "除外" for fault in faults)
        level = logging.WARNING if faults else logging.INFO
        self.tell("problems", level=level, rejected=rejected, warned=len(faults) - rejected)


@contextmanager
def opened(path: Path | None, command: str, files: Iterable[Path]) -> Iterator[Log]:
    """The log of a command on these files, appended to `path`; written nowhere without one.

    Raises:
        MatcherError: the path cannot be written, or holds something that is no log of ours.
    """
    logger = logging.Logger(f"matcher.{command}")  # of this call alone: none that others share
    handler = logging.NullHandler() if path is None else _handler(path)
    logger.addHandler(handler)
    log = Log(logger, command)
    try:
        log.tell("start", files=",".join(masked(file.name) for file in files))
        yield log
    except BaseException as error:
        with suppress(OSError):  # of the log itself: the first error is what counts
            log.failed(error)
        raise
    finally:
        handler.close()


class _Handler(logging.FileHandler):
    """A file that is written or is said not to be: `logging` would print a trace and go on."""

    def handleError(self, record: logging.LogRecord) -> None:
        raise


def _handler(path: Path) -> logging.Handler:
    try:
        _refuse_foreign(path)
        handler = _Handler(path, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        message = (
            f"実行の記録 {path} に書けません。"
            "フォルダーがあり、書き込めることを確かめて、--log にファイルの名前を指定してください。"
        )
        raise MatcherError(message) from error
    handler.setFormatter(logging.Formatter(_LINE, _TIME))
    return handler


def _refuse_foreign(path: Path) -> None:
    """Refuse a file that begins otherwise than a log of ours: a table named by mistake."""
    if not path.is_file():
        return
    with path.open("rb") as file:
        first = file.readline(200)
    if first and not _OURS.match(first):
        message = (
            f"{path} は matcher の記録ではありません。--log に別のファイル名を指定してください。"
        )
        raise MatcherError(message)


def _value(fact: object) -> str:
    """A fact in one word, or in quotation marks without control characters."""
    text = str(fact)
    if _BARE.fullmatch(text):
        return text
    quoted = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in quoted) + '"'
