"""A finding: one thing looked at, how it stands, what that costs and what to do."""

import platform
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

Level = Literal["良好", "注意", "問題"]  # fine · works, slower or not all of it · does not work
Value = str | int | float | bool | tuple[str, ...] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing looked at, in sentences for an operator and as `values` for a program."""

    topic: str
    level: Level = "良好"
    found: str
    cost: str = ""
    remedy: str = ""
    values: Mapping[str, Value] = field(default_factory=dict)

    def but(self, level: Level, cost: str, remedy: str = "") -> "Finding":
        """The same, with what is wrong about it."""
        return replace(self, level=level, cost=cost, remedy=remedy)


def set_variable(name: str, value: object) -> str:
    """The line that sets an environment variable in this system's shell."""
    word = "set" if platform.system() == "Windows" else "export"
    return f"「{word} {name}={value}」"


def install(*packages: str) -> str:
    """How to install packages, on a closed network as well."""
    named = " ".join(f'"{package}"' for package in packages)
    return (
        f"「pip install {named}」で入れてください（閉じた網では、ほかの計算機で pip download した"
        "フォルダーを --no-index --find-links で指定します）。"
    )
