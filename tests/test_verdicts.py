"""Words of results and reasons: what is plain is known, what is not is never guessed."""

import doctest
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from matcher import verdicts
from matcher.verdicts import cause_of, read_result, read_year

CONFIRMED = (
    "成立 締結 採択 実施 契約 契約済み 実施中 連携協定を締結 面談後に契約 検討の上、採用 CONFIRMED"
)
TALKING = (
    "面談 面談済み 面談を実施 協議中 検討中 実証中 実証実験を実施 契約協議中 契約予定 "
    "締結に向けて協議中 実施を検討中 面談予定 採択審査中 契約手続き中"
)
DECLINED = (
    "不調 見送り 辞退 不採択 断念 不成立 実施見送り 契約に至らず 契約には至らなかった 成立せず "
    "採択されず 実証中止 面談中止 検討したが見送り 協議の結果、不採択 協議が整わず 不採択決定 "
    "採用予定なし 成立は困難 契約しませんでした 取下げ 実施不可"
)
UNSAID = "未成立 連絡待ち 成立・不調 成立の可能性あり 成立未定 実証延期 辞退せず ？ 済 一次審査通過"


@pytest.mark.parametrize(
    ("words", "result"),
    [(CONFIRMED, "confirmed"), (TALKING, "talking"), (DECLINED, "declined"), (UNSAID, None)],
    ids=["confirmed", "talking", "declined", "neither"],
)
def test_words_of_a_result(words, result):
    assert {word: read_result(word) for word in words.split()} == dict.fromkeys(
        words.split(), result
    )


def test_width_case_and_blanks_of_a_result_do_not_matter():
    assert read_result("　成 立\n") == read_result("成立") == read_result("(成立)") == "confirmed"


@pytest.mark.parametrize(
    ("reason", "cause"),
    [
        ("対象が違う", "fit"),
        ("手段が合わない", "fit"),
        ("ニーズ不一致", "fit"),
        ("技術的に要件を満たさない", "fit"),
        ("予算は問題ないが、対象が違う", "fit"),
        ("予算", "other"),
        ("時期が合わない", "other"),
        ("体制が整わない", "other"),
        ("対象地域外", "other"),
        ("対象は合うが、予算がない", "other"),
        ("その他", "other"),
        ("", "unsaid"),
        ("いろいろ", "unsaid"),
    ],
)
def test_cause_of_a_refusal(reason, cause):
    assert cause_of(reason) == cause


@pytest.mark.parametrize(
    ("text", "year"),
    [
        ("2025", 2025),
        ("2025年度", 2025),
        ("令和7年度", 2025),
        ("Ｒ７", 2025),
        ("令和元年", 2019),
        ("2025-05-01", None),
        ("7", None),
        ("", None),
    ],
)
def test_year_of_a_cell(text, year):
    assert read_year(text) == year


@given(st.text())
def test_no_text_is_too_strange(text):
    assert read_result(text) in ("confirmed", "talking", "declined", None)
    assert cause_of(text) in ("fit", "other", "unsaid")
    assert read_year(text) is None or isinstance(read_year(text), int)


@pytest.mark.parametrize("word", ["対象", "面談", "契約に", "不", "辞退り", "1"])
def test_a_very_long_cell_costs_little(word):
    start = time.perf_counter()
    read_result(word * 50_000), cause_of(word * 50_000), read_year(word * 50_000)
    assert time.perf_counter() - start < 5


def test_examples_in_the_docstrings_run():
    assert doctest.testmod(verdicts).failed == 0
