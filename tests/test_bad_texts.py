"""Texts as they are pasted: read as they were written, or said, and no other list suffers."""

import json
import time

import pytest
from examples import COMPANIES, ISSUES, changed, write_table
from hypothesis import example, given
from hypothesis import strategies as st
from test_bad_codes import said
from test_corpus import COMPANY, ISSUE, accounted, companies, issues

from matcher import text
from matcher.catalog import Catalog
from matcher.columns import clean
from matcher.corpus import read_companies, read_issues
from matcher.fields import (
    find_personal,
    parse_date,
    read_company_id,
    read_deadline,
    read_goals,
    read_issue_id,
    shown,
)
from matcher.pipeline import Matcher
from matcher.places import read_area, read_headquarters, resolve_place
from matcher.query import query_of
from matcher.shortlists import from_lines
from matcher.types import Issue

BOILERPLATE = "ご確認のほどよろしくお願いいたします。詳細は担当課までお問い合わせください。"
BASE, OTHER = ISSUES[1], ISSUES[4]
HANG = 10  # seconds


@pytest.fixture
def match(call, quick, tmp_path):
    """The lists of the main job on these issues, by issue id."""

    def run(*rows, rule="serves"):
        issues_csv = write_table(tmp_path / "課題.csv", rows)
        companies_csv = write_table(tmp_path / "企業.csv", COMPANIES)
        out = tmp_path / "out"
        options = ("--out", out, "--region-rule", rule, "--no-reader", "--quiet")
        status, _, errors = call("match", issues_csv, companies_csv, *options)
        assert status == 0, errors
        lines = (out / "shortlist.jsonl").read_text(encoding="utf-8")
        return {one.issue.issue_id: one for one in from_lines(lines)}

    return run


def described(description: str) -> dict[str, str]:
    return dict(BASE) | {"課題内容": description}


def ids(shortlist) -> list[str]:
    return [entry.company.company_id for entry in shortlist.entries]


# nothing, or next to nothing


@pytest.mark.parametrize("blank", ["", " \u3000\n", "\u200b\u2060", "\u00ad\ufeff"])
def test_an_empty_text_is_rejected(blank, tried):
    reading = issues(ISSUE | {"description": blank}, ISSUE | {"issue_id": "i2"})
    assert ([one.issue_id for one in reading], reading.rejected) == (["i2"], 1)
    if not blank:
        tried(4, "課題内容 空（空白や見えない文字だけでも同じ）", "除外", said(reading))


@pytest.mark.parametrize(
    ("title", "name"), [("あ", "1文字だけ"), ("！！！", "記号だけ"), ("★☆→", "記号だけ（★☆→）")]
)
def test_one_character_or_symbols_alone_are_unclear(title, name, match, tried):
    found = match(
        dict(BASE) | {"課題名": title, "課題内容": "。" if title != "あ" else "あ"}, OTHER
    )
    assert found["i-2"].status == "unclear"
    assert found["i-5"] == match(OTHER)["i-5"]
    assert found["i-5"].status == "ranked"
    tried(4, f"課題名と課題内容 {name}", "unclear とし、候補を出さない。ほかの課題は変わらない")


# very long


def test_200_000_characters_are_read_to_the_end(match, tried):
    long = (BASE["課題内容"] * 7000)[:200_000]
    start = time.monotonic()
    found = match(described(long))
    assert time.monotonic() - start < 12 * HANG
    assert found["i-2"].issue.description == long
    reading = issues(ISSUE | {"description": long})
    tried(4, "課題内容 200,000文字", "最後まで読む（警告）", said(reading))


def test_a_long_text_is_read_by_the_bundled_encoder(bundled, issues_csv, companies_csv, tmp_path):
    long = (BASE["課題内容"] + "\n") * 200
    (issue,) = read_issues(write_table(tmp_path / "長文.csv", [described(long)]))
    catalog = Catalog.build(read_companies(companies_csv), bundled)
    start = time.monotonic()
    (found,) = Matcher(catalog, bundled, reader=None).match([issue])
    assert time.monotonic() - start < 6 * HANG
    assert ids(found)[0] == "c-04"


def test_a_long_run_without_a_sign_or_a_word_is_read(match):
    found = match(described("あ" * 50_000), OTHER)
    assert found["i-2"].issue.description == "あ" * 50_000
    assert found["i-5"].status == "ranked"


def test_u_fdfa_does_not_grow_in_the_search(tried):
    assert len(text.normalise("\ufdfa" * 1000)) == 1000
    (issue,) = issues(ISSUE | {"description": "\ufdfaごみ"})
    assert issue.description == "\ufdfaごみ"
    assert text.lemmas(text.normalise(issue.description)) == ["塵"]
    tried(4, "U+FDFA（1文字が18文字に展開される合字）", "検索では空白とみなす。表示はそのまま")


# of other kinds


@pytest.mark.parametrize(
    ("body", "name"),
    [
        (BOILERPLATE * 3, "決まり文句だけ"),
        ("We want to look after elderly people who live alone.", "英語だけ"),
        ('=HYPERLINK("http://example.jp","x")&cmd|\' /C calc\'!A0', "数式の文字"),
        ("'; DROP TABLE issues; -- SELECT * FROM companies", "SQLのような文字"),
        ("{{7*7}} ${jndi:ldap://x} %s %n ../../etc/passwd", "テンプレートや経路の記号"),
    ],
)
def test_other_texts_are_taken_as_text(body, name, match, tried):
    found = match(described(body), OTHER)
    assert found["i-2"].issue.description == body
    assert found["i-2"].status in ("ranked", "unclear", "no_candidate")
    assert found["i-5"] == match(OTHER)["i-5"]
    assert not issues(ISSUE | {"description": body}).faults
    tried(4, f"課題内容 {name}", "ただの文として読む。ほかの課題の一覧は変わらない")


def test_pasted_html_and_script_are_said_and_stay_text(match, tried):
    body = "<p>高齢者の&nbsp;見守り</p><script>alert(1)</script>"
    found = match(described(body))
    assert found["i-2"].issue.description == body
    reading = issues(ISSUE | {"description": body})
    assert len(reading.faults) == 1
    tried(4, "課題内容 HTMLやscriptの貼り付け", "文字として扱い、動かさない（警告）", said(reading))


def test_html_in_a_page_is_shown_and_not_run(match, tmp_path):
    match(described("<script>alert(1)</script>"))
    page = (tmp_path / "out" / "shortlist.html").read_text(encoding="utf-8")
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page


# the same again


def test_the_same_issue_100_times_gets_the_same_list_100_times(match, tried):
    found = match(*(dict(BASE) | {"課題ID": f"b-{n}"} for n in range(100)))
    assert len(found) == 100
    lists = {
        tuple((entry.company.company_id, entry.score) for entry in one.entries)
        for one in found.values()
    }
    assert len(lists) == 1
    assert len(lists.pop()) > 3
    tried(4, "同じ課題を100件（IDは別）", "100件とも同じ一覧")


def test_100_identical_rows_of_one_id_are_one_issue(match, tried):
    assert list(match(*[BASE] * 100)) == ["i-2"]
    reading = issues(*[ISSUE] * 100)
    assert (len(reading), reading.merged, len(reading.faults)) == (1, 99, 99)
    tried(4, "同じIDの同じ行を100行", "1件にまとめる（99件の警告）", said(reading))


def test_an_issue_that_copies_a_profile_is_not_taken_for_a_sure_partner(match, monkeypatch, tried):
    monkeypatch.setattr("matcher.rank.bands.is_calibrated", lambda *_: True)
    found = match(described(COMPANIES[3]["事業内容"]))
    bands = {entry.company.company_id: entry.band for entry in found["i-2"].entries}
    assert bands["c-04"] == "判定不能"
    assert set(bands.values()) > {"判定不能"}
    tried(4, "課題内容が企業の事業内容の写し", "その企業の確かさを「判定不能」とする")


# what an issue says besides


def test_a_sentence_that_rules_something_out_is_not_searched_by(match, tried):
    sentence = "アプリは求めていない。"
    found = match(described(BASE["課題内容"] + sentence))
    assert found["i-2"].unsearched == (sentence,)
    assert found["i-2"].issue.description.endswith(sentence)
    assert ids(found["i-2"]) == ids(match(BASE)["i-2"])
    tried(4, "「アプリは求めていない。」という文", "検索に使わず、使わなかったことを表示する")


def test_several_issues_in_one_row_are_all_searched_by(match, tried):
    both = f"(1) {BASE['課題内容']}\n(2) 空き家の所有者と借り手をつなぎたい。"
    found = match(described(both), rule="any")["i-2"]
    assert found.unsearched == ()
    places = ids(found)
    alone = ids(match(BASE, rule="any")["i-2"])
    assert places[:2] != alone[:2]
    assert set(places[:2]) == {"c-04", "c-09"}
    tried(4, "1つの行に複数の課題", "どれも検索に使う（1件の課題として並べる）")


def test_personal_data_inside_is_said_and_a_personal_number_hidden(tried):
    body = "連絡は yamada@example.jp か 090-1234-5678、番号は1234-5678-9018。"
    (issue,) = reading = issues(ISSUE | {"description": body})
    assert issue.description == body.replace("1234-5678-9018", "*" * 12)
    assert len(reading.faults) == 3
    assert "9018" not in repr(reading)
    told = said(reading)
    tried(
        4,
        "課題内容にメールアドレス、電話番号、個人番号",
        "使う。個人番号だけは伏せる（警告）",
        told,
    )


# letters


@pytest.mark.parametrize(
    ("body", "name"),
    [
        ("ご\u200bみ\u2060の\u00ad減量", "ゼロ幅の空白、ソフトハイフン"),
        ("葛\U000e0100飾区のごみの減量", "異体字の印（IVS）"),
        ("こ\u3099みの減量", "濁点が別の文字（NFD）"),
        ("ｺﾞﾐの減量", "半角カナ"),
        ("ごみの減量👨\u200d👩\u200d👧🎉", "絵文字"),
        ("ごみの\u2028減量", "行区切り（U+2028）"),
        ("ごみ⼾別収集と⺠間", "PDFからの部首の文字（⼾⺠）"),
    ],
)
def test_letters_that_differ_unseen_are_searched_by_as_what_they_mean(body, name, tried):
    (issue,) = reading = issues(ISSUE | {"description": body})
    assert issue.description == body.replace("\u2028", "\n")
    assert not reading.faults
    lemmas = text.lemmas(text.normalise(issue.description))
    assert "塵" in lemmas
    if "⼾" in body:
        assert text.normalise(body) == "ごみ戸別収集と民間"
    tried(4, f"文中の{name}", "意味する文字として検索する。表示はそのまま")


@pytest.mark.parametrize(
    ("body", "kept", "name"),
    [
        ("ごみの\u202e減量", "ごみの減量", "文字の向きを変える印"),
        (
            "ごみの減量\U000e0041\U000e0042",
            "ごみの減量",
            "隠し文字（タグ文字 U+E0041など）",
        ),
        ("ごみの\x07\x1b[31m減量", "ごみの[31m減量", "制御文字、端末の命令"),
        ("吉\ue000さんのごみ", "吉\ue000さんのごみ", "外字"),
        ("ごみ\ufffdの減量", "ごみ\ufffdの減量", "文字化けの跡（U+FFFD）"),
    ],
)
def test_letters_that_mislead_are_said(body, kept, name, tried):
    (issue,) = reading = issues(ISSUE | {"description": body})
    assert issue.description == kept
    (fault,) = reading.faults
    assert (fault.row, fault.column, fault.severity) == (2, "description", "警告")
    tried(4, f"文中の{name}", "使う（警告）", said(reading))


def test_a_lone_surrogate_is_dropped_and_said(tmp_path, tried):
    path = tmp_path / "課題.jsonl"
    path.write_text(json.dumps(ISSUE | {"description": "ご\ud800み"}) + "\n", encoding="utf-8")
    (issue,) = reading = accounted(read_issues(path))
    assert issue.description == "ごみ"
    assert [fault.column for fault in reading.faults] == ["description"]
    tried(4, "片割れのサロゲート（JSONLの\\ud800）", "除いて使う（警告）", said(reading))


def test_issues_made_in_code_may_hold_any_letters(fake, companies_csv):
    catalog = Catalog.build(read_companies(companies_csv), fake)
    matcher = Matcher(catalog, fake, reader=None)
    odd = "ご\ud800み\U000e0041\ue000\u202e\0\ufdfa減量"
    (found,) = matcher.match([Issue(issue_id="x", title=odd, description=odd, prefecture="23")])
    assert found.issue.title == odd


@pytest.mark.parametrize("field", ["name", "profile"])
def test_a_company_is_read_with_the_same_care(field):
    reading = companies(COMPANY | {field: "吉\ue000の<p>店</p> a@example.jp 123456789018"})
    assert len(reading) == 1
    assert len(reading.faults) == 4
    assert {fault.column for fault in reading.faults} == {field}


# anything at all

ODD = "ごみア①㈱髙\u200b\u202e\ue000\ufffd\U000e0041\ufdfa\u2028<p>&nbsp;@.-0123456789 \n"
CELLS = st.one_of(st.text(ODD, max_size=30), st.text(max_size=30))
SOUND = {"issue_id": "sound", "title": "題", "description": "文", "prefecture": "愛知県"}
FIELDS = ("issue_id", "title", "description", "prefecture", "sdgs", "備考")


@given(st.lists(st.fixed_dictionaries(dict.fromkeys(FIELDS, CELLS)), min_size=1, max_size=4))
@example([{"issue_id": "0" * 12, "title": "-", "description": "-"}])
def test_any_texts_are_read_or_said(rows):
    reading = issues(SOUND, *rows)
    assert reading.rejected == len({f.row for f in reading.faults if f.severity == "除外"})
    for fault in reading.faults:
        assert fault.problem.endswith(("。", "）"))
        assert len(fault.value) <= 80


READERS = {
    "goals": read_goals,
    "date": parse_date,
    "deadline": read_deadline,
    "company id": read_company_id,
    "issue id": read_issue_id,
    "personal": lambda cell: find_personal("title", cell),
    "shown": shown,
    "clean": clean,
    "prefecture": lambda cell: resolve_place(cell, "", ""),
    "code": lambda cell: resolve_place("", cell, ""),
    "municipality": lambda cell: resolve_place("", "", cell),
    "head office": read_headquarters,
    "area": lambda cell: read_area(cell, "23"),
    "normalise": text.normalise,
    "sentences": text.sentences,
    "query": lambda cell: query_of(
        Issue(issue_id="x", title="", description=cell[:300]), lambda _: 1 / 0, lambda: 1 / 0
    ),
}
LONG = 20_000


UNITS = (
    *("1", "1-", "1 ", "０", "a", "a.", "a@", "@a.", "-", " ", "\t", "(", "()", "（全国", "を除く"),
    *("年", "1年", "令和", "1〜", "~", "から", "R8.", "地方", "エリア", "対応", "など", "県", "市"),
    *("郡", "区", "市区", "東京都", "、", "。", "」", "1,", "<", "<p", "&#1", "目標", "sdg ", "3."),
    *(
        "求め",
        "は求めていない",
        "と",
        "及び",
        "ノ",
        "が",
        "髙",
        "\u200b",
        "\U000e0100",
        "〒",
        "本社:",
    ),
)


@pytest.mark.parametrize("name", READERS)
def test_no_repetition_makes_a_reader_hang(name):
    for unit in UNITS:
        start = time.monotonic()
        READERS[name](unit * (LONG // len(unit)) + "!")
        assert time.monotonic() - start < HANG, unit


def test_changed_rows_are_those_that_change(match):
    first = match(*ISSUES)
    second = match(*changed(ISSUES, 3, 課題内容="<b>" + "あ" * 300 + "</b>"))
    assert {name for name in first if first[name] != second[name]} == {"i-4"}
