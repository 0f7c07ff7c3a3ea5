"""Encoders: texts → unit vectors. Readers: pairs of texts → how likely they fit.

`load_encoder` and `load_reader` find the right one for a name.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING

from matcher.codes import data_folder
from matcher.errors import MatcherError

if TYPE_CHECKING:
    from matcher.embed.deltas import Deltas
    from matcher.types import Encoder, Precision, Reader


_DELTAS = ".safetensors"


def load_encoder(
    name: str = "bundled", *, threads: int | None = None, precision: "Precision" = "auto"
) -> "Encoder":
    """The encoder that `name` stands for.

    `"bundled"` is the one that travels with the installed packages, adapted to the language of
    municipal problems; `"bundled-plain"` is the same as published, and a `.safetensors` file adapts
    it as `matcher train-encoder` did. A folder is a sentence-transformers model on this machine.
    Anything else is a model's name, which is downloaded where it is not there yet: the only case
    that may reach a network. `threads` bounds the cores in use and never changes a vector of the
    bundled encoder. `precision="f32"` makes the bundled encoder agree across machines with and
    without bf16, at half the speed of bf16.

    Raises `MatcherError` for a folder that is missing or holds no model, a name that cannot be
    loaded, `threads` below 1, and a `precision` that is unknown or asked of another encoder.
    """
    _check(threads, precision)
    if _is_bundled(name):
        from matcher.embed.bundled import BundledEncoder

        return BundledEncoder(threads, precision, bundled_deltas(name))
    if precision != "auto":
        raise MatcherError("--precision は同梱のエンコーダー（bundled）だけに使えます。")
    from matcher.embed.sentence import SentenceEncoder

    if _is_path(name):
        _require_model(Path(name).expanduser(), "エンコーダー")
    return SentenceEncoder(name, threads)


def bundled_deltas(name: str = "bundled") -> "Deltas | None":
    """What adapts the bundled encoder under this name; None for `"bundled-plain"`.

    Raises `MatcherError` where the name stands for another encoder, or a file is unusable.
    """
    from matcher.embed.deltas import Deltas

    if not _is_bundled(name):
        raise MatcherError(
            f"「{name}」は同梱のエンコーダーではありません。bundled、bundled-plain、"
            "train-encoder の .safetensors のどれかを指定してください。"
        )
    if name == "bundled-plain":
        return None
    path = data_folder() / "encoder.safetensors" if name == "bundled" else Path(name).expanduser()
    return Deltas.load(path)


def load_reader(
    name: str = "bundled", *, threads: int | None = None, precision: "Precision" = "auto"
) -> "Reader":
    """The reader that `name` stands for.

    `"bundled"` is the one that travels with the package. A folder is a CrossEncoder of
    sentence-transformers on this machine; anything else is such a model's name, which is downloaded
    where it is not there yet. `precision` is that of the bundled one and nothing to another. Raises
    `MatcherError` for a folder that is missing or holds no model, a name that cannot be loaded,
    `threads` below 1 and an unknown `precision`.
    """
    _check(threads, precision)
    if name == "bundled":
        from matcher.embed.deltas import Deltas
        from matcher.embed.reader import BundledReader

        return BundledReader(Deltas.load(data_folder() / "reader.safetensors"), threads, precision)
    from matcher.embed.cross import CrossReader

    if _is_path(name):
        _require_model(Path(name).expanduser(), "読み合わせモデル")
    return CrossReader(name, threads)


def told_name(name: str) -> str:
    """The name as a manifest may repeat it: of a file or folder the last part, as `./last-part`.

    Where it lies is the machine's own affair, and `./` keeps it from being taken for a model's name
    that may be downloaded.
    """
    is_shipped = name in ("bundled", "bundled-plain")
    is_file = not is_shipped and (_is_path(name) or name.endswith(_DELTAS))
    return f"./{Path(name).expanduser().resolve().name}" if is_file else name


def _check(threads: int | None, precision: str) -> None:
    """Nothing, where both can be. Raises MatcherError otherwise."""
    if threads is not None and threads < 1:
        raise MatcherError(
            f"スレッド数は 1 以上の整数で指定してください（指定された値: {threads}）。"
        )
    if precision not in ("auto", "f32"):
        raise MatcherError(f"--precision は auto か f32 にしてください（指定値: {precision}）。")


def _is_bundled(name: str) -> bool:
    return name in ("bundled", "bundled-plain") or name.endswith(_DELTAS)


def _is_path(name: str) -> bool:
    """Whether a folder is meant: a model's name is a word, or two with a slash between."""
    return (
        name.startswith((".", "/", "~"))
        or name.count("/") > 1
        or "\\" in name
        or Path(name).exists()
    )


def _require_model(folder: Path, kind: str) -> None:
    looked_for = "modules.json または config.json"
    if not folder.exists():
        raise MatcherError(
            f"{kind}のフォルダー {folder} がありません。{looked_for} のあるフォルダーを"
            "指定するか、bundled を指定してください。"
        )
    if not any((folder / file).is_file() for file in ("modules.json", "config.json")):
        raise MatcherError(
            f"{folder} はモデルのフォルダーではありません（{looked_for} が見つかりません）。"
            "モデルを保存したフォルダーを指定するか、bundled を指定してください。"
        )
    for path in sorted(folder.rglob(f"*{_DELTAS}")):
        _require_whole(path, kind)


def _require_whole(path: Path, kind: str) -> None:
    """Nothing, where a file of weights is as long as its own table of contents says."""
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        told = file.read(length) if length < size else b""
    try:
        ends = [tensor["data_offsets"][1] for name, tensor in json.loads(told).items()
                if name != "__metadata__"]  # fmt: skip
    except (ValueError, KeyError, TypeError, IndexError, AttributeError):
        ends = []
    if not ends or size != 8 + length + max(ends):
        raise MatcherError(
            f"{kind}の重み {path} が途中で切れているか、壊れています（{size:,}バイト）。"
            "フォルダーをもう一度コピーするか、bundled を指定してください。"
        )
