import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from matcher.codes import data_folder
from matcher.embed.deltas import Deltas
from matcher.rank import bands
from matcher.settings import Settings

SCORES = st.floats(-20, 40)


def band(score, *, is_read=True, issue_words=20, company_words=20):
    return bands.band(score, is_read=is_read, issue_words=issue_words, company_words=company_words)


@given(st.lists(SCORES, min_size=2, max_size=9), st.booleans())
def test_likelihood_rises_with_the_score_between_zero_and_one(scores, is_read):
    found = [bands.likelihood(score, is_read=is_read) for score in sorted(scores)]
    assert all(0 <= one <= 1 for one in found)
    assert found == sorted(found)


@given(SCORES, st.booleans())
def test_band_says_on_which_side_of_the_two_limits_the_likelihood_lies(score, is_read):
    likely = bands.likelihood(score, is_read=is_read)
    expected = "A" if likely >= bands.SURE else "B" if likely >= bands.WORTH else "C"
    assert band(score, is_read=is_read) == expected


def test_every_band_is_given():
    assert {band(score) for score in np.linspace(-20, 40, 200)} == {"A", "B", "C"}


@pytest.mark.parametrize("words", [(0, 20), (20, 0), (4, 4)])
@pytest.mark.parametrize("score", [-20, 0, 40])
def test_texts_of_few_words_are_not_judged(words, score):
    issue_words, company_words = words
    assert band(score, issue_words=issue_words, company_words=company_words) == "判定不能"
    assert band(score, issue_words=5, company_words=5) != "判定不能"


@pytest.mark.parametrize("score", [-20, 0, 40])
def test_a_copy_of_the_issue_is_not_judged(score):
    found = bands.band(score, is_read=True, issue_words=20, company_words=20, is_copied=True)
    assert found == "判定不能"


@pytest.mark.parametrize("reader", [bands.READER, None])
def test_scores_of_the_shipped_stages_are_calibrated(reader):
    assert bands.is_calibrated(Settings(), f"e5 {bands.ENCODER} f32", reader)


@pytest.mark.parametrize(
    ("encoder", "reader"),
    [("e5", bands.READER), (bands.ENCODER, "another"), ("deltas=000000000000", None)],
)
def test_scores_of_other_models_are_not(encoder, reader):
    assert not bands.is_calibrated(Settings(), encoder, reader)


@pytest.mark.parametrize(
    "name",
    [f"{part}_weight" for part in ("dense", "words", "bigrams", "bridge", "reader", "sdgs")],
)
def test_scores_under_another_weight_are_not(name):
    other = Settings(**{name: getattr(Settings(), name) / 2})
    assert not bands.is_calibrated(other, bands.ENCODER, bands.READER)


def test_what_is_no_part_of_a_score_does_not_matter():
    assert bands.is_calibrated(Settings(spans=1, near_meaning=0), bands.ENCODER, bands.READER)


def test_bands_were_fitted_with_the_models_that_ship():
    for told, name in ((bands.ENCODER, "encoder"), (bands.READER, "reader")):
        shipped = Deltas.load(data_folder() / f"{name}.safetensors")
        assert told == f"deltas={shipped.digest[:12]}"


def test_scales_are_those_that_were_fitted():
    results = Path(__file__).parents[1] / "benchmarks" / "results" / "fit_weights.json"
    fitted = json.loads(results.read_text(encoding="utf-8"))
    for name, (slope, shift) in (("read", bands.READ), ("unread", bands.UNREAD)):
        found = fitted[name]["settings"]
        assert slope == pytest.approx(found["slope"], abs=1e-4)
        assert shift == pytest.approx(found["shift"], abs=1e-4)
