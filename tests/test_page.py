"""The page, parsed as a browser would."""

import base64
import hashlib
import itertools
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
import report_examples as examples
from hypothesis import given, settings
from hypothesis import strategies as st

from matcher.report import page, wording
from matcher.report.page import page_html

VOID = {"meta", "rect", "line", "br", "link", "img"}


class Reader(HTMLParser):
    """Collects tags, attributes and text; a tag closed out of order fails at once."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not {"style", "title"} & set(self.open):
            self.words.append(data)

    @property
    def text(self) -> str:
        return "".join(self.words)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.tags if name == tag]


def read(*shortlists, as_of=None) -> Reader:
    return Reader(page_html(shortlists, as_of=as_of))


def test_the_page_is_japanese_utf8_and_begins_with_its_doctype():
    html = page_html(examples.ALL)
    assert html.startswith("<!DOCTYPE html>")
    page_read = Reader(html)
    assert page_read.all("html") == [{"lang": "ja"}]
    assert {"charset": "utf-8"} in page_read.all("meta")
    html.encode("utf-8")


def test_equal_shortlists_give_an_equal_page():
    assert page_html(examples.ALL, as_of="x") == page_html(examples.ALL, as_of="x")


def test_nothing_is_loaded_and_nothing_runs():
    tags = read(*examples.ALL).tags
    names = {name for name, _ in tags}
    assert not names & {"script", "link", "img", "iframe", "object", "embed", "base", "form"}
    for _, attrs in tags:
        assert "src" not in attrs and "style" not in attrs
        assert not any(name.startswith("on") for name in attrs)
        assert attrs.get("href", "#").startswith("#")


def test_the_policy_allows_the_page_its_own_style_and_nothing_else():
    html = page_html(examples.ALL)
    style = re.search("<style>(.*?)</style>", html, re.DOTALL)[1]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    (policy,) = [m["content"] for m in Reader(html).all("meta") if "http-equiv" in m]
    assert policy.split("; ") == [
        "default-src 'none'",
        f"style-src 'sha256-{digest}'",
        "base-uri 'none'",
        "form-action 'none'",
    ]
    assert "url(" not in style and "@import" not in style


@pytest.mark.parametrize("payload", examples.PAYLOADS)
def test_a_payload_adds_no_tag_and_no_attribute(payload):
    tame, wild = read(examples.poisoned("x")), read(examples.poisoned(payload), as_of=payload)
    dated = read(examples.poisoned("x"), as_of="x")
    assert wild.tags == dated.tags
    assert len(wild.tags) == len(tame.tags) + 1  # the line of the date


def test_payloads_are_shown_as_they_are_written():
    text = read(examples.poisoned("<script>{{ 7 * 7 }}</script>")).text
    assert "<script>{{ 7 * 7 }}</script>" in text
    assert "\x1b" not in page_html([examples.poisoned("\x1b[31m\ud800")])


def test_every_issue_is_in_the_contents_with_its_status_and_its_link_arrives():
    page_read = read(*examples.ALL)
    targets = [a["href"][1:] for a in page_read.all("a")]
    ids = {attrs["id"] for _, attrs in page_read.tags if "id" in attrs}
    assert set(targets) <= ids
    assert [t for t in targets if t.startswith("issue-")] == [f"issue-{n}" for n in range(1, 6)]
    for label in ("候補あり", "候補なし", "内容不足", "担当課へ"):
        assert label in page_read.text


def test_headings_descend_without_a_gap():
    levels = [int(name[1]) for name, _ in read(*examples.ALL).tags if re.fullmatch("h[1-6]", name)]
    assert levels.count(1) == 1 and levels[0] == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))


def test_table_headers_have_a_scope():
    headers = read(*examples.ALL).all("th")
    assert headers and all(th["scope"] in ("col", "row") for th in headers)


def test_an_entry_shows_its_working():
    text = read(examples.RANKED).text
    for shown in (
        "兵庫県神戸市",
        "12社を検討、95社を地域で除外",
        "1位",
        "株式会社イーマキーナ",
        "3.41",
        "意味の近さ",
        "+2.02",
        "−0.30",
        "全国対応",
        "15 陸の豊かさも守ろう",
        "企業のSDGsは推定",
        "営業部 公共担当",
        "窓口未登録",
        "「作物が荒らされている」",
        "「現場の困りごと」",
        "記載なし（本社のある都道府県のみとして扱います）",
        "庁内照会",
        "従業員数",
    ):
        assert shown in text


def test_seven_parts_are_shown_and_explained():
    text = read(examples.FULL).text
    for label, note in (
        ("橋渡しの言葉", "課題の困りごとに答える言い方"),
        ("読み合わせ", "読んだ候補だけに付きます"),
    ):
        assert label in text
        assert text.count(note) == 3  # in the glossary, and in the table of either entry
        assert label not in read(examples.RANKED).text
        assert note not in read(examples.RANKED).text
    assert "+0.66" in text and "−0.02" in text


def test_the_three_largest_parts_stand_open():
    html = page_html([examples.FULL])
    first = html[html.index('<article class="entry">') : html.index('<div class="evidence">')]
    assert re.findall(r"<li><span>(.*?)</span>", first) == [
        "読み合わせ",
        "意味の近さ",
        "橋渡しの言葉",
    ]


def test_span_that_the_bridge_joins_says_by_which_line():
    page_read = read(examples.FULL)
    assert "橋渡し（鳥獣被害）課題「作物が荒らされている。」" in "".join(page_read.text.split())
    assert [ul for ul in page_read.all("ul") if ul.get("class") == "bridged"] == [
        {"class": "bridged"}
    ]
    assert not any("bridged" in (ul.get("class") or "") for ul in read(examples.RANKED).all("ul"))


def test_inferred_goals_are_shown_with_what_they_were_inferred_from():
    page_read = read(examples.FULL)
    assert "推定の根拠 2・15「集落ぐるみの柵の点検と見回りを続けている。」" in page_read.text
    assert len([p for p in page_read.all("p") if p.get("class") == "ground"]) == 1
    assert not any(p.get("class") == "ground" for p in read(examples.RANKED).all("p"))


def test_bands_are_shown_and_explained_where_there_are_any():
    text = read(examples.FULL).text
    assert "得点 5.58確からしさ A" in text
    assert "得点 0.93確からしさ 判定不能" in text
    assert "確からしさ：A＝面談を勧められる、B＝検討の価値がある、C＝参考、" in text
    assert "確からしさ" not in read(*examples.ALL).text


def test_bars_share_one_scale_and_stay_in_their_drawing():
    first, second = examples.RANKED.entries
    drawn = {(e.rank, b.label): b for e in (first, second) for b in page.bars(examples.RANKED, e)}
    assert drawn[1, "意味の近さ"].width == "75.00"  # the largest fills the right of the axis
    negative = drawn[2, "意味の近さ"]
    assert negative.is_negative and negative.value == "−0.30"
    assert negative.width == f"{0.3 * 75 / 2.02:.2f}"
    assert float(negative.x) + float(negative.width) == pytest.approx(25, abs=0.01)


@given(st.lists(st.floats(-50, 50), min_size=7, max_size=7))
def test_no_bar_leaves_its_drawing(values):
    parts = dict(zip(wording.PARTS, values, strict=True))
    shortlist = examples.shortlist(examples.entry(1, examples.MAKER, **parts))
    for bar in page.bars(shortlist, shortlist.entries[0]):
        assert -0.01 <= float(bar.x) <= float(bar.x) + float(bar.width) <= 100.01


def test_an_issue_without_candidates_says_why_and_what_to_try():
    text = read(examples.NOBODY_PASSED).text
    assert "95社" in text and "12社" in text
    assert "--region-rule any" in text and "--sdg-rule prefer" in text


def test_a_date_appears_when_given_and_only_then():
    assert "基準日 2025年4月1日" in read(examples.RANKED, as_of="2025年4月1日").text
    plain = page_html(examples.ALL)
    assert "基準日" not in plain
    assert not re.search(r"(19|20)\d\d|令和|[0-9]+月[0-9]+日", Reader(plain).text)


def test_an_address_in_the_data_is_text_only():
    page_read = read(examples.poisoned("https://example.invalid/"))
    assert "https://example.invalid/" in page_read.text
    assert all(a["href"].startswith("#") for a in page_read.all("a"))


def test_no_shortlists_give_a_page_that_says_so():
    assert "課題 0件" in read().text


@settings(max_examples=30)
@given(st.text())
def test_any_text_gives_a_page_that_parses_and_encodes(text):
    html = page_html([examples.poisoned(text)])
    html.encode("utf-8")
    assert len(Reader(html).tags) > 50


def test_a_deadline_before_the_day_of_reference_is_marked():
    issue = replace(examples.RANKED.issue, deadline="令和8年3月31日")
    passed = page_html([replace(examples.RANKED, issue=issue)], as_of="2026-04-01")
    open_still = page_html([replace(examples.RANKED, issue=issue)], as_of="2026-03-31")
    assert "令和8年3月31日（基準日の時点で過ぎています）" in passed
    assert "過ぎています" not in open_still
    assert "過ぎています" not in page_html([replace(examples.RANKED, issue=issue)])
