from dataclasses import asdict, fields

import pytest

from matcher.errors import MatcherError
from matcher.settings import Settings

NAMES = [field.name for field in fields(Settings)]


@pytest.fixture
def toml(tmp_path):
    """Writes a settings file and gives its path."""

    def write(content):
        path = tmp_path / "設定.toml"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def complaint(path):
    """The one sentence that a person reads."""
    with pytest.raises(MatcherError) as caught:
        Settings.load(path)
    sentence = str(caught.value)
    assert str(path) in sentence or "設定の" in sentence
    assert sentence.endswith("。") or sentence.endswith("）。")
    return sentence


def test_defaults_are_what_was_measured():
    settings = Settings()
    weights = settings.dense_weight, settings.words_weight, settings.bigrams_weight
    assert weights == (0.75, 0.125, 0.125)
    assert (settings.bm25_k1, settings.bm25_b) == (1.2, 0.75)
    assert settings.sdgs_weight <= 0.1


def test_empty_file_gives_the_defaults(toml):
    assert Settings.load(toml("")) == Settings.load(toml("# なし\n")) == Settings()


def test_file_changes_what_it_names_and_nothing_else(toml):
    loaded = Settings.load(toml("dense_weight = 0.5\nspans = 2\nnear_meaning = 1\n"))
    assert asdict(loaded) == asdict(Settings()) | {
        "dense_weight": 0.5,
        "spans": 2,
        "near_meaning": 1,
    }


def test_every_name_can_be_set_to_its_default(toml):
    content = "".join(f"{name} = {value}\n" for name, value in asdict(Settings()).items())
    assert Settings.load(toml(content)) == Settings()


def test_byte_order_mark_and_windows_line_ends_do_no_harm(toml):
    assert Settings.load(toml(b"\xef\xbb\xbfspans = 2\r\nbm25_k1 = 2\r\n")).spans == 2


def test_unknown_name_is_said_with_those_that_exist(toml):
    sentence = complaint(toml("dense_wieght = 0.5"))
    assert "「dense_wieght」" in sentence
    assert all(name in sentence for name in NAMES)


def test_table_is_an_unknown_name(toml):
    assert "「weights」" in complaint(toml("[weights]\ndense_weight = 0.5"))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "value",
    [
        *("-1", "-0.5", "nan", "inf", "-inf", "1000001", "1e300", "9" * 400),
        *("true", "false", '"0.5"', "[0.5]", "{a = 1}", "2026-04-01"),
    ],
)
def test_value_that_cannot_be_is_said_with_its_name(toml, name, value):
    assert f"「{name}」" in complaint(toml(f"{name} = {value}"))


@pytest.mark.parametrize("name", ["spans", "fair_words", "read"])
def test_whole_numbers_stay_whole(toml, name):
    assert f"「{name}」" in complaint(toml(f"{name} = 2.0"))
    assert "整数" in complaint(toml(f"{name} = 2.5"))


def test_weights_cannot_all_be_zero(toml):
    zeros = "dense_weight = 0\nwords_weight = 0\nbigrams_weight = 0.0\n"
    sentence = complaint(toml(zeros))
    assert all(name in sentence for name in ("dense_weight", "words_weight", "bigrams_weight"))
    with pytest.raises(MatcherError, match="dense_weight"):
        Settings(dense_weight=0, words_weight=0, bigrams_weight=0)


@pytest.mark.parametrize("left", ["dense_weight", "words_weight", "bigrams_weight"])
def test_one_weight_is_enough(left):
    weights = {name: 0.0 for name in ("dense_weight", "words_weight", "bigrams_weight")}
    assert getattr(Settings(**weights | {left: 0.2}), left) == 0.2


def test_shared_goals_add_a_tenth_at_most(toml):
    assert Settings.load(toml("sdgs_weight = 0.1")).sdgs_weight == 0.1
    assert "sdgs_weight" in complaint(toml("sdgs_weight = 0.11"))
    assert "0.5" in complaint(toml("sdgs_weight = 0.5"))
    with pytest.raises(MatcherError, match="sdgs_weight"):
        Settings(sdgs_weight=0.2)


def test_length_of_a_document_counts_fully_at_most(toml):
    assert Settings.load(toml("bm25_b = 1")).bm25_b == 1
    assert "bm25_b" in complaint(toml("bm25_b = 1.01"))


def test_missing_file_and_folder_are_said(tmp_path):
    assert "開けません" in complaint(tmp_path / "ない.toml")
    assert "開けません" in complaint(tmp_path)


@pytest.mark.parametrize(
    "content",
    [
        "spans 3",
        "spans = ",
        "spans = 1\nspans = 2",
        "{",
        "spans = 3\0",
        b"spans = 3 # \xff\xfe",
        "# 予算".encode("cp932"),
        "spans = 3".encode("utf-16"),
        "spans = " + "9" * 5000,
    ],
)
def test_what_is_not_toml_is_said(toml, content):
    assert "TOML" in complaint(toml(content))
