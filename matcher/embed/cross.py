"""A CrossEncoder of sentence-transformers as a reader, for those who have one."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from matcher.errors import MatcherError
from matcher.types import Advance, Scores

_BATCH = 32


class CrossReader:
    """A `Reader` on a CrossEncoder with one output, from a folder or by name.

    Raises `MatcherError` where the model cannot be loaded or gives more than one number a pair.
    """

    def __init__(self, name: str, threads: int | None = None) -> None:
        # Seconds and 420 MB: only when such a model is asked for.
        import torch
        from sentence_transformers import CrossEncoder

        if threads:
            torch.set_num_threads(threads)
        path = Path(name).expanduser()
        try:
            self._model = CrossEncoder(str(path) if path.exists() else name, device="cpu")
        except (OSError, ValueError) as error:
            message = f"読み手のモデル {name} を読み込めません（{error}）。名前を確かめてください。"
            raise MatcherError(message) from error
        if self._model.config.num_labels != 1:
            message = (
                f"読み手のモデル {name} は1組に{self._model.config.num_labels}個の数を返します。"
                "1つの数を返すモデル（num_labels=1）を指定してください。"
            )
            raise MatcherError(message)
        self._sigmoid = torch.nn.Sigmoid()
        self._id = f"cross-encoder {name} max_length={self._model.max_length}"

    @property
    def id(self) -> str:
        """Name of the model and its limit in tokens."""
        return self._id

    def read(self, pairs: Sequence[tuple[str, str]], *, advance: Advance | None = None) -> Scores:
        """For each pair the logistic function of the model's output, `(len(pairs),)`."""
        found = np.zeros(len(pairs))
        for start in range(0, len(pairs), _BATCH):
            block = list(pairs[start : start + _BATCH])
            # One pair at a time: padding is what would make a pair depend on its neighbours.
            found[start : start + len(block)] = self._model.predict(
                block, batch_size=1, show_progress_bar=False, activation_fn=self._sigmoid
            )
            if advance:
                advance(len(block))
        return found
