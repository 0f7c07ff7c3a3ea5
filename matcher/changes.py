"""What is different between two runs by their manifests, one Japanese sentence for each difference.

The number of threads is never one: no byte of a result depends on it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from matcher import records
from matcher.fields import shown
from matcher.fingerprints import Edits, edits

Kind = Literal[
    "manifest", "input", "bridge", "encoder", "reader", "version", "cpu", "settings", "options",
    "catalog",
]  # fmt: skip
_TABLES = {"issues": ("課題の表", "課題ID"), "companies": ("企業の表", "企業ID")}
_MODELS: Mapping[Kind, str] = {"encoder": "エンコーダー", "reader": "読み合わせのモデル"}
_HASHES: Mapping[Kind, str] = {"bridge": "橋渡し表", "catalog": "カタログのID"}
_NONE = "なし"
_SHORT = 8  # characters of a hash that are enough to tell two apart


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One difference: of which kind, and what a person reads of it."""

    kind: Kind
    told: str


def changes(then: records.Json, now: records.Json) -> tuple[Change, ...]:
    """What is different, the nearest to the user first: tables, models, settings, versions, CPU.

    What a manifest of an older version does not hold is compared with nothing.
    """
    found: tuple[tuple[Kind, Iterator[str]], ...] = (
        ("manifest", _manifest(then)),
        ("input", _inputs(then, now)),
        *((kind, _hash(then, now, kind, name)) for kind, name in _HASHES.items()),
        *((kind, _value(then, now, kind, name)) for kind, name in _MODELS.items()),
        ("options", _named(then, now, "options", "オプション「{}」が違います")),
        ("settings", _named(then, now, "settings", "設定「{}」が違います")),
        ("version", _named(then, now, "libraries", "{} の版が違います")),
        ("version", _value(then, now, "python", "Python の版")),
        ("cpu", _cpu(then, now)),
    )
    return tuple(Change(kind=kind, told=told) for kind, sentences in found for told in sentences)


def _manifest(then: records.Json) -> Iterator[str]:
    if records.is_as_sealed(then) is False:
        yield "実行の記録（manifest.json）が、実行のあとに書き換えられています。"


def _inputs(then: records.Json, now: records.Json) -> Iterator[str]:
    for side, (table, id_name) in _TABLES.items():
        old, new = (_at(one, "inputs", side, "sha256") for one in (then, now))
        if old != new:
            hashes = f"SHA-256 {_short(old)} → {_short(new)}"
            yield f"{table}が、実行に使ったものと違います（{hashes}）。"
            for told in _edits(then, now, side, id_name):
                yield f"{table}: {told}"


def _edits(then: records.Json, now: records.Json, side: str, id_name: str) -> Iterator[str]:
    old, new = (_at(one, "fingerprints", side) for one in (then, now))
    try:
        found = edits(old, new)  # type: ignore[arg-type]  # what is none of ours is said below
    except (TypeError, ValueError, KeyError, AttributeError):
        yield "どちらかの記録に欄ごとの値がないため、どの欄が違うかは分かりません。"
        return
    if found == Edits():
        yield "どの欄の内容も同じです。行や列の順序か、ファイルの形式だけが違います。"
    yield from _sentences(found, id_name)


def _sentences(found: Edits, id_name: str) -> Iterator[str]:
    for former, column, label in found.cells:
        now = "" if former == label else f"（今は {label}）"
        yield f"{id_name} {former} の「{column}」が変わっています{now}。"
    for label in found.added:
        yield f"{id_name} {label} の行が増えています。"
    for label in found.removed:
        yield f"{id_name} {label} の行がなくなっています。"
    for name in found.columns_added:
        yield f"列「{name}」が増えています。"
    for name in found.columns_removed:
        yield f"列「{name}」がなくなっています。"


def _hash(then: records.Json, now: records.Json, kind: str, name: str) -> Iterator[str]:
    old, new = then.get(kind), now.get(kind)
    if kind in then and old != new:
        yield f"{name}が違います（{_short(old)} → {_short(new)}）。"


def _value(then: records.Json, now: records.Json, key: str, name: str) -> Iterator[str]:
    old, new = then.get(key), now.get(key)
    if key in then and old != new:
        yield f"{name}が違います（{_apart(old, new)} → {_apart(new, old)}）。"


def _named(then: records.Json, now: records.Json, group: str, sentence: str) -> Iterator[str]:
    old, new = (one if isinstance(one, dict) else {} for one in (_at(then, group), _at(now, group)))
    for name in old:
        if name != "threads" and old[name] != new.get(name):
            yield f"{sentence.format(name)}（{_told(old[name])} → {_told(new.get(name))}）。"
    for name in sorted(new.keys() - old.keys()) if group == "settings" else ():
        yield f"設定「{name}」は、実行のときにはありませんでした（今は {_told(new[name])}）。"


def _cpu(then: records.Json, now: records.Json) -> Iterator[str]:
    old, new = (_at(one, "cpu", "machine") for one in (then, now))
    if old and old != new:
        yield f"CPUの種類が違います（{_told(old)} → {_told(new)}）。"
    had, has = (_at(one, "cpu", "instruction_set") for one in (then, now))
    if isinstance(had, list) and isinstance(has, list) and had != has:
        lost, got = ("、".join(_less(*pair)) or _NONE for pair in ((had, has), (has, had)))
        yield f"CPUの命令セットが違います（なくなったもの: {lost}、増えたもの: {got}）。"


def _less(some: list[str], others: list[str]) -> list[str]:
    return [str(name) for name in some if name not in others]


def _at(manifest: records.Json, *keys: str) -> object:
    """What stands at the end of a path of keys; None where the path breaks off."""
    found: object = manifest
    for key in keys:
        found = found.get(key) if isinstance(found, dict) else None
    return found


def _short(digest: object) -> str:
    return str(digest)[:_SHORT] if digest else _NONE


def _apart(value: object, other: object) -> str:
    """The words of an id that the other one has not: 「precision=bf16」 of a whole line."""
    words = [word for word in str(value).split() if word not in str(other).split()]
    return " ".join(words) if value is not None and words else _told(value)


def _told(value: object) -> str:
    return _NONE if value is None else shown(str(value))
