"""Completion of commands and options in a shell, as typer does it, without its English options."""

from contextlib import redirect_stdout
from io import StringIO

from typer import Typer
from typer.completion import get_completion_inspect_parameters, shell_complete
from typer.main import get_command

from matcher.errors import MatcherError

SHELLS = ("bash", "zsh", "fish", "powershell")
_PROGRAM, _ASKED = "matcher", "_MATCHER_COMPLETE"


def enable() -> None:
    """Let a call by a shell's completion script be answered."""
    get_completion_inspect_parameters()  # tells typer of the shells; nothing else public does


def script(app: Typer, shell: str) -> str:
    """What a shell is to read at its start. Raises MatcherError for a shell that typer lacks."""
    if shell not in SHELLS:
        message = f"「{shell}」は使えません。{'、'.join(SHELLS)} のどれかを指定してください。"
        raise MatcherError(message)
    told = StringIO()
    with redirect_stdout(told):
        shell_complete(get_command(app), {}, _PROGRAM, _ASKED, f"source_{shell}")
    return told.getvalue().rstrip()
