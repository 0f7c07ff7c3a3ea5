"""What a run may be tuned by, in one flat record."""

import tomllib
from dataclasses import dataclass, fields
from pathlib import Path

from matcher.errors import MatcherError

_MOST = 1_000_000  # of any value: what is beyond is a slip, and 1e300 would overflow


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Weights are in z units of the catalog.

    They were chosen on graded lists of fields that nothing was learnt from, where the optimum is
    flat (`benchmarks/fit_weights.py`); words count more there than the fit alone would have it,
    as they did on four other sets.

    Raises:
        MatcherError: a value that cannot be, or values that cannot be together.
    """

    dense_weight: float = 0.75  # meaning: centred cosine of the encoder
    words_weight: float = 0.125  # BM25 over content words
    bigrams_weight: float = 0.125  # BM25 over character bigrams: catches what the dictionary splits
    bridge_weight: float = 0.15  # BM25 over the words of solutions that the bridge leads to
    reader_weight: float = 5.0  # the most that the reader can add
    read: int = 20  # companies that the reader reads for an issue; 0 = none
    sdgs_weight: float = 0.1  # the most that shared goals can add
    region_weight: float = 0.05  # the most that a near head office can add
    bm25_k1: float = 1.2
    bm25_b: float = 0.75
    # What counts as evidence of any fit at all. The reader is asked too, where there is one. The
    # limits were chosen with sight of written issues that nothing was trained on, of the published
    # ones (all pass) and of 30 texts about something else entirely (none passes); a larger catalog
    # lets more of both through.
    near_meaning: float = 3.5  # a cosine, in spreads of the background: enough by itself
    fair_meaning: float = 2.2  # the same: enough with some words in common
    fair_likely: float = 0.22  # the probability without which neither is enough
    near_likely: float = 0.4  # the probability that is enough by itself
    fair_words: int = 2  # different content words; one where the issue has under ten
    spans: int = 4  # most pieces of evidence shown for a pair

    @classmethod
    def load(cls, path: Path) -> "Settings":
        """The settings of a TOML file; what it does not name keeps its default.

        Raises:
            MatcherError: no such file, not TOML, an unknown name, or a value that cannot be.
        """
        found = _read(path)
        known = sorted(field.name for field in fields(cls))
        for name in found:
            if name not in known:
                message = (
                    f"設定ファイル {path} の「{name}」は知らない項目です。"
                    f"使える項目: {'、'.join(known)}。"
                )
                raise MatcherError(message)
        try:
            return cls(**found)  # type: ignore[arg-type]  # __post_init__ looks at every value
        except MatcherError as error:
            message = f"設定ファイル {path} の値が使えません。{error}"
            raise MatcherError(message) from error

    def __post_init__(self) -> None:
        for field in fields(self):
            _check_number(field.name, getattr(self, field.name), field.default)
        if self.dense_weight + self.words_weight + self.bigrams_weight <= 0:
            names = "dense_weight・words_weight・bigrams_weight"
            message = f"設定の {names} は、少なくとも1つを0より大きくしてください。"
            raise MatcherError(message)
        ones = ("bm25_b", 1), ("fair_likely", 1), ("near_likely", 1)  # shares and probabilities
        for name, most in (("sdgs_weight", 0.1), *ones):
            if getattr(self, name) > most:
                message = f"設定の {name} は {most} 以下にしてください（{getattr(self, name)}）。"
                raise MatcherError(message)


def _read(path: Path) -> dict[str, object]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))  # Notepad may write a BOM
    except OSError as error:
        message = f"設定ファイル {path} を開けません（{error.strerror}）。名前を確かめてください。"
        raise MatcherError(message) from error
    except ValueError as error:  # not TOML, not UTF-8, or a number of 5,000 digits
        message = f"設定ファイル {path} をTOMLとして読めません（{error}）。書式を直してください。"
        raise MatcherError(message) from error


def _check_number(name: str, value: object, default: object) -> None:
    """Nothing for a number from 0 to a million, whole where the default is."""
    whole = isinstance(default, int)
    is_number = isinstance(value, int) or (isinstance(value, float) and not whole)
    if isinstance(value, int | float) and not isinstance(value, bool) and is_number:
        if 0 <= value <= _MOST:  # not nan either
            return
    wanted = f"0以上{_MOST}以下の{'整数' if whole else '数'}"
    message = f"設定の「{name}」は{wanted}にしてください（指定値: {value}）。"
    raise MatcherError(message)
