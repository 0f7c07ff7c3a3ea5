"""A CrossEncoder of sentence-transformers as a reader, for those who have one."""

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from matcher.embed.pieces import readable
from matcher.embed.sentence import cached_folder, digest_of, quiet, require_torch, trouble
from matcher.errors import MatcherError
from matcher.types import Advance, Scores

_BATCH = 32
_WITH_HEAD = ("ForSequenceClassification", "ForCausalLM")


class CrossReader:
    """A `Reader` on a CrossEncoder with one output; what is over its limit in tokens is cut off.

    `name` is a folder, read without any network, or a model's name, downloaded where it is not
    there yet. `threads` sets torch's threads for the whole process. Raises `MatcherError` where the
    model cannot be loaded, gives more than one number a pair, or has not learnt to give any; or
    torch is missing.
    """

    def __init__(self, name: str, threads: int | None = None) -> None:
        require_torch(f"モデル {name} を使う")
        # Seconds and 420 MB: only when such a model is asked for.
        import torch
        from sentence_transformers import CrossEncoder

        if threads:
            torch.set_num_threads(threads)
        folder = Path(name).expanduser()
        is_folder = folder.is_dir()
        try:
            with quiet():
                self._model = CrossEncoder(
                    str(folder) if is_folder else name, device="cpu", local_files_only=is_folder
                )
        except Exception as error:  # each loader and each network layer raises its own kind
            raise MatcherError(trouble(name, is_folder, error)) from error
        _check_output(name, self._model)
        self._sigmoid = torch.nn.Sigmoid()
        digest = digest_of(folder if is_folder else cached_folder(name))
        self._id = (
            f"cross-encoder {folder.resolve().name if is_folder else name} sha256={digest[:12]} "
            f"tokens={self._model.tokenizer.model_max_length} "
            f"sentence-transformers={version('sentence-transformers')} torch={version('torch')}"
        )

    @property
    def id(self) -> str:
        """Name of the model, hash of its files, its limit in tokens and library versions."""
        return self._id

    def read(self, pairs: Sequence[tuple[str, str]], *, advance: Advance | None = None) -> Scores:
        """For each pair the logistic function of the model's output, `(len(pairs),)`."""
        found = np.zeros(len(pairs))
        for start in range(0, len(pairs), _BATCH):
            block = [
                (readable(issue), readable(profile))
                for issue, profile in pairs[start : start + _BATCH]
            ]
            # One pair at a time: padding is what would make a pair depend on its neighbours.
            found[start : start + len(block)] = self._model.predict(
                block, batch_size=1, show_progress_bar=False, activation_fn=self._sigmoid
            )
            if advance:
                advance(len(block))
        return found


def _check_output(name: str, model: Any) -> None:  # noqa: ANN401  # the library ships no types
    """Nothing, where a model gives one number a pair and has learnt to. Raises MatcherError."""
    architectures = model.config.architectures or []
    is_bare = len(list(model.children())) == 1  # no layer of its own behind the transformer
    if is_bare and not any(one.endswith(_WITH_HEAD) for one in architectures):
        # The library would draw the missing layer at random and say nothing.
        message = (
            f"{name} は2つの文章を読み比べるモデルではありません（出力の層がありません）。"
            "CrossEncoder として学習されたモデルを指定してください。"
        )
        raise MatcherError(message)
    if model.num_labels != 1:
        message = (
            f"読み手のモデル {name} は1組に{model.num_labels}個の数を返します。"
            "1つの数を返すモデル（num_labels=1）を指定してください。"
        )
        raise MatcherError(message)
