import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from matcher.cli import app
from matcher.completion import SHELLS, script
from matcher.errors import MatcherError

BASH = shutil.which("bash")
FOLDER = Path(sys.executable).parent  # where the script `matcher` stands


@pytest.mark.parametrize("shell", SHELLS)
def test_a_script_is_written_for_each_shell(call, shell):
    status, shown, errors = call("completion", shell)
    assert (status, errors) == (0, [])
    assert shown == script(app, shell) + "\n"
    assert "_MATCHER_COMPLETE" in shown
    assert f"complete_{shell}" in shown


def test_another_shell_is_refused_with_those_that_are_known(call):
    status, shown, errors = call("completion", "sh")
    assert (status, shown) == (2, "")
    assert "bash、zsh、fish、powershell" in errors[0]
    with pytest.raises(MatcherError):
        script(app, "bash ")


def test_the_help_has_no_options_of_completion(call):
    assert "--install-completion" not in call("--help")[1]


# No package brings bash, and the script of another shell would try nothing of it; the script
# itself calls the command by its name, which only an installation puts there.
@pytest.mark.skipif(BASH is None, reason="needs bash")
@pytest.mark.skipif(not (FOLDER / "matcher").exists(), reason="needs the installed command")
@pytest.mark.parametrize(
    ("words", "completed"),
    [(["matcher", "che"], "check"), (["matcher", "check", "--stri"], "--strict")],
)
def test_bash_completes_commands_and_options(words, completed):
    line = " ".join(words)
    code = (
        "source <(matcher completion bash)\n"
        f"COMP_WORDS=({line}); COMP_CWORD={len(words) - 1}; _matcher_completion matcher\n"
        'echo "${COMPREPLY[*]}"\n'
    )
    environment = {**os.environ, "PATH": f"{FOLDER}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(
        [BASH or "bash", "-c", code], capture_output=True, text=True, env=environment, check=True
    )
    assert done.stdout.split() == [completed]
