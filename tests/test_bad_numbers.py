"""Numbers and dates as they come from desks, and options that cannot be."""

import unicodedata
from datetime import date

import numpy as np
import pytest
from examples import COMPANIES, ISSUES, LINES, FakeEncoder, changed, write_table
from hypothesis import given
from hypothesis import strategies as st
from test_bad_codes import said
from test_corpus import ISSUE, issues

from matcher.catalog import Catalog
from matcher.corpus import read_companies, read_issues
from matcher.errors import MatcherError
from matcher.fields import _UNDATED, parse_date
from matcher.pipeline import Matcher
from matcher.settings import Settings
from matcher.shortlists import from_lines


@pytest.fixture
def match(call, quick, tmp_path):
    """The main job with these options; status, the lines of its errors and its shortlists."""

    def run(*options, rows=ISSUES):
        issues_csv = write_table(tmp_path / "課題.csv", rows)
        companies_csv = write_table(tmp_path / "企業.csv", COMPANIES)
        out = tmp_path / "out"
        status, _, errors = call("match", issues_csv, companies_csv, "--out", out, *options)
        lines = out / "shortlist.jsonl"
        found = from_lines(lines.read_text(encoding="utf-8")) if lines.exists() else ()
        return status, errors, found

    return run


def due(deadline: str) -> tuple[date | None, str]:
    """The day of a deadline, and what is said of it; its text stays."""
    reading = issues(ISSUE | {"deadline": deadline})
    assert reading.records[0].deadline == deadline
    return parse_date(deadline), said(reading)


# dates


@pytest.mark.parametrize(
    ("text", "day", "told"),
    [
        ("令和元年5月1日", date(2019, 5, 1), "2019-05-01"),
        ("令和元年度", date(2020, 3, 31), "年度の終わり 2020-03-31"),
        ("2026年度", date(2027, 3, 31), "年度の終わり 2027-03-31"),
        ("Ｒ８．３．３１", date(2026, 3, 31), "2026-03-31"),
        ("2026年3月末", date(2026, 3, 31), "月の終わり 2026-03-31"),
        ("平成31年度", date(2020, 3, 31), "年度の終わり 2020-03-31"),
        ("令和8年3月31日（火）17時から18時", date(2026, 3, 31), "2026-03-31"),
    ],
)
def test_a_japanese_date_is_read_and_its_text_stays(text, day, told, tried):
    assert due(text) == (day, "")
    tried(5, f"期限 {text}", f"{told} と読む。文字はそのまま")


def test_heisei_36_is_read_and_said_for_the_era_has_ended(tried):
    for text, day in (
        ("平成36年4月1日", date(2024, 4, 1)),
        ("H36.4.1", date(2024, 4, 1)),
        ("平成36年度", date(2025, 3, 31)),
        ("昭和100年8月15日", date(2025, 8, 15)),
    ):
        assert due(text)[0] == day
        assert "もう終わった元号" in due(text)[1]
    tried(
        5,
        "期限 平成36年4月1日（終わった元号）",
        "2024-04-01 と読む（警告）",
        due("平成36年4月1日")[1],
    )


def test_the_last_days_of_an_era_are_in_it():
    for text in ("平成31年4月30日", "昭和64年1月7日", "平成31年度", "昭和63年度"):
        assert due(text)[1] == ""
    for text in ("平成31年5月1日", "昭和64年1月8日", "平成32年度"):
        assert due(text)[1]


def test_a_serial_number_of_excel_is_read_and_said(tried):
    day, told = due("46112")
    assert day == date(2026, 3, 31)
    assert "1904" in told
    tried(5, "期限 46112（Excelの日付の番号）", "2026-03-31 と読む（警告）", told)


@pytest.mark.parametrize(
    "text",
    [
        *("2/30", "2026/2/30", "2026年13月1日", "令和元年", "平成36年", "令和8年3月中旬"),
        *("2026年4月1日〜6月30日", "2026年4月1日から6月30日まで", "2026年3月31日頃", "３月末"),
    ],
)
def test_what_names_no_one_day_is_said_and_stays_text(text, tried):
    day, told = due(text)
    assert day is None
    assert text in told
    if text in ("2/30", "令和元年", "平成36年", "令和8年3月中旬", "2026年4月1日〜6月30日"):
        tried(5, f"期限 {text}", "日付とせず、文字のまま残す（警告）", told)


WRITTEN = st.text("令平成昭和元年度月日末RHS0123456789/.-~〜から 旬頃", max_size=20)


@given(st.one_of(WRITTEN, st.text(max_size=20)))
def test_any_deadline_is_a_day_or_said(text):
    reading = issues(ISSUE | {"deadline": text})
    kept = unicodedata.normalize("NFKC", reading.records[0].deadline).strip().casefold()
    assert parse_date(reading.records[0].deadline) or said(reading) or kept in _UNDATED


@pytest.mark.parametrize("budget", ["約300万円/年", "300〜500万円", "-5", "▲5", "０円", "1e9"])
def test_a_budget_stays_as_written(budget, tried):
    (issue,) = reading = issues(ISSUE | {"budget": budget})
    assert (issue.budget, reading.faults) == (budget, ())
    if budget in ("約300万円/年", "300〜500万円", "-5"):
        tried(5, f"予算 {budget}", "書かれた文字のまま載せる")


# options


@pytest.mark.parametrize(
    ("options", "name"),
    [
        (("--top", "0"), "--top 0（k = 0）"),
        (("--top", "-3"), "--top -3"),
        (("--threads", "0"), "--threads 0"),
        (("--as-of", "2026-02-30"), "--as-of 2026-02-30"),
        (("--as-of", "きのう"), "--as-of きのう"),
        (("--as-of", "令和8年3月中旬"), "--as-of 令和8年3月中旬"),
    ],
)
def test_an_option_that_cannot_be_ends_with_a_sentence(options, name, match, tried):
    status, errors, found = match(*options)
    assert (status, len(errors), found) == (2, 1, ())
    tried(5, name, "終了状態2。何も書かない", errors[0])


def test_k_greater_than_n_gives_every_company(match, tried):
    status, _, found = match("--top", "1000", "--region-rule", "any", "--quiet")
    assert status == 0
    ranked = [one for one in found if one.status == "ranked"]
    assert ranked
    for one in ranked:
        assert [entry.rank for entry in one.entries] == list(range(1, len(COMPANIES) + 1))
    tried(5, "--top 1000（k > n、企業は12社）", "いる企業だけを、順位の隙間なく並べる")


@pytest.mark.parametrize(
    ("lines", "name"),
    [
        (
            "dense_weight = 0\nwords_weight = 0\nbigrams_weight = 0",
            "設定 意味・単語・文字の重みがすべて0（weights summing to 0）",
        ),
        ("near_likely = 1.5", "設定 near_likely = 1.5（floor > 1）"),
        ("fair_likely = 2", "設定 fair_likely = 2（floor > 1）"),
        ("dense_weight = nan", "設定 dense_weight = nan"),
        ("words_weight = inf", "設定 words_weight = inf"),
        ("reader_weight = -1", "設定 reader_weight = -1（負の重み）"),
    ],
)
def test_settings_that_cannot_be_end_with_a_sentence(lines, name, match, tmp_path, tried):
    path = tmp_path / "設定.toml"
    path.write_text(lines, encoding="utf-8")
    status, errors, found = match("--settings", path)
    assert (status, len(errors), found) == (2, 1, ())
    tried(5, name, "終了状態2。何も書かない", errors[0].replace(str(path), path.name))


def test_a_floor_of_one_lets_nobody_through_by_the_reader(match, tmp_path):
    path = tmp_path / "設定.toml"
    path.write_text("near_likely = 1\nfair_likely = 1", encoding="utf-8")
    status, _, found = match("--settings", path, "--quiet")
    assert (status, len(found)) == (0, len(ISSUES))


class Spoilt(FakeEncoder):
    """The quick encoder, whose first vector on one side is of one value throughout."""

    def __init__(self, value: float, *, documents: bool) -> None:
        super().__init__()
        self.value, self.documents_too, self.is_on = value, documents, documents

    def encode_documents(self, texts, *, advance=None):
        return self._spoilt(super().encode_documents(texts), is_meant=self.documents_too)

    def encode_queries(self, texts, *, advance=None):
        return self._spoilt(super().encode_queries(texts), is_meant=not self.documents_too)

    def _spoilt(self, vectors, *, is_meant):
        if is_meant and self.is_on and len(vectors):
            vectors[0] = self.value
        return vectors


@pytest.mark.parametrize(("value", "name"), [(np.nan, "NaN"), (np.inf, "無限大"), (0.0, "長さ0")])
def test_a_vector_without_direction_ends_with_a_sentence(
    value, name, issues_csv, companies_csv, tried
):
    companies = read_companies(companies_csv)
    with pytest.raises(MatcherError) as raised:
        Catalog.build(companies, Spoilt(value, documents=True), lines=LINES)
    encoder = Spoilt(value, documents=False)
    matcher = Matcher(Catalog.build(companies, encoder, lines=LINES), encoder, reader=None)
    encoder.is_on = True
    with pytest.raises(MatcherError, match="使えないベクトル"):
        matcher.match(read_issues(issues_csv))
    tried(5, f"エンコーダーが返した{name}のベクトル", "終了状態2。何も書かない", str(raised.value))


def test_a_negative_capacity_in_an_unknown_column_is_carried(match, tried):
    status, _, found = match("--quiet", rows=changed(ISSUES, 0, 受付経路="-5"))
    assert status == 0
    assert found[0].issue.extra["受付経路"] == "-5"
    tried(5, "知らない列の負の数（-5）", "そのまま結果に載せる")


def test_weights_are_checked_where_they_are_made():
    with pytest.raises(MatcherError):
        Settings(dense_weight=0, words_weight=0, bigrams_weight=0)
