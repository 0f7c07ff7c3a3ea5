"""Who registers in order to be found: what it gains, as facts."""

import csv
import io
import json

import pytest
from examples import COMPANIES, ISSUES, LINES, FakeEncoder, write_table

from matcher.catalog import Catalog
from matcher.corpus import read_companies, read_issues
from matcher.fields import find_lookalikes
from matcher.pipeline import Matcher
from matcher.settings import Settings

ALL_GOALS = "、".join(map(str, range(1, 18)))
WORDS = (
    "見守り、移動支援、空き家、獣害、食品ロス、防災、観光、教育、医療、介護、子育て、農業、林業、"
    "漁業、脱炭素、再エネ、省エネ、水道、道路、橋、AI、IoT、ドローン、センサー、アプリ、DX、研修、"
    "調査、広報、計画、寄付、健康、運動、文化、スポーツ、移住、関係人口、就労、防犯、交通、物流"
)


@pytest.fixture
def lists(tmp_path):
    """The entries by issue of the small issues over some companies, with the quick encoder."""

    def match(companies, encoder=None, reader=None, top=50):
        supply = read_companies(write_table(tmp_path / "企業.csv", companies))
        asked = read_issues(write_table(tmp_path / "課題.csv", ISSUES[:5]))
        encoder = encoder or FakeEncoder()
        catalog = Catalog.build(supply, encoder, lines=LINES)
        settings = Settings() if reader else Settings(near_meaning=0)
        found = Matcher(catalog, encoder, settings, reader).match(asked, top=top, region_rule="any")
        return {one.issue.issue_id: one.entries for one in found}

    return match


def copy_of(at: int, **cells: str) -> dict[str, str]:
    return dict(COMPANIES[at]) | cells


def test_profile_with_all_seventeen_goals_gains_nothing(lists, tried):
    honest, blanket = copy_of(0, 企業ID="fit", SDGs="2、15"), copy_of(0, SDGs=ALL_GOALS)
    found = lists([honest, blanket])["i-1"]
    assert [entry.company.company_id for entry in found] == ["fit", "c-01"]
    assert [entry.parts["sdgs"] for entry in found] == [0.1, 0]
    tried(
        8,
        "SDGsの目標を17個すべて付けた企業",
        "共通する目標による加点は0。合う目標だけを付けた企業は最大の0.1",
    )


def test_profile_stuffed_with_words_comes_before_no_real_partner(
    lists, bundled, bundled_reader, tried
):
    stuffed = copy_of(2, 企業ID="stuffed", 企業名="なんでも株式会社", 事業内容=f"{WORDS}に対応。")
    found = lists([*COMPANIES, stuffed], bundled, bundled_reader)
    partners = {"i-1": "c-01", "i-2": "c-04", "i-3": "c-05", "i-4": "c-09", "i-5": "c-06"}
    for issue, partner in partners.items():
        ids = [entry.company.company_id for entry in found[issue]]
        assert ids.index(partner) < ids.index("stuffed")
    tried(
        8,
        "事業内容に41の流行の言葉を並べただけの企業",
        "5つの課題のどれでも、本当に合う企業より下に並ぶ",
    )


def test_registrations_under_several_ids_stand_side_by_side_with_one_score(lists, tried):
    again = [copy_of(0, 企業ID=f"again-{number}") for number in range(3)]
    found = lists([*COMPANIES, *again])["i-1"]
    scores = {entry.company.company_id: entry.score for entry in found}
    same = {scores[name] for name in ("c-01", "again-0", "again-1", "again-2")}
    assert len(same) == 1
    assert len(found) == len(COMPANIES) + 3
    tried(
        8,
        "同じ内容をIDだけ変えて4回登録した企業",
        "4件とも同じ得点で並ぶ（自動では消さない。同じ名前が続くので見て分かる）",
    )


@pytest.mark.parametrize(
    ("marks", "called_so"),
    [
        ("\u200b\u2060\ufeff", "幅のない空白"),
        ("\u202e\u2066\u200f", "文字の向きを変える印"),
        ("".join(chr(0xE0000 + ord(char)) for char in "animals"), "タグ文字で書いた隠し文"),
        ("\ufe0f\U000e0100", "異体字の印"),
    ],
)
def test_hidden_text_in_a_profile_changes_no_score(lists, marks, called_so, tried):
    plain = lists(COMPANIES)
    hidden = [
        dict(row) | {"事業内容": marks.join(row["事業内容"]) if at == 7 else row["事業内容"]}
        for at, row in enumerate(COMPANIES)
    ]
    found = lists(hidden)
    for issue, entries in plain.items():
        assert [(e.company.company_id, e.score) for e in entries] == [
            (e.company.company_id, e.score) for e in found[issue]
        ]
    tried(8, f"事業内容の文字の間に入れた{called_so}", "検索の前に除く。得点も順位も変わらない")


@pytest.mark.parametrize("name", ["Ѕony株式会社", "株式会社Gооgle", "ΑBC商事", "Ｓоｎｙ"])
def test_name_with_lookalike_letters_is_a_warning(call, quick, tmp_path, issues_csv, name, tried):
    companies = write_table(tmp_path / "企業.csv", [copy_of(0, 企業名=name), *COMPANIES[1:]])
    out = tmp_path / "out"
    assert call("match", issues_csv, companies, "--out", out, "--quiet")[0] == 0
    text = (out / "rejected.csv").read_bytes().decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    (found,) = (row for row in rows if "似た別の文字" in row["problem"])
    assert (found["severity"], found["column"], found["row"]) == ("警告", "企業名", "2")
    shown = (out / "shortlist.jsonl").read_text(encoding="utf-8")
    assert name in {e["name"] for line in shown.splitlines() for e in json.loads(line)["entries"]}
    tried(
        8,
        f"企業名 {name}（英字に似たキリル文字やギリシャ文字）",
        "使うが知らせる（警告）",
        found["problem"] + found["remedy"],
    )


@pytest.mark.parametrize(
    "name", ["株式会社ABC", "αテック", "μTAS研究所", "βeta", "Россия商会", "ΣLED", "ABC・Ω", "Ａ社"]
)
def test_names_in_one_script_or_with_signs_of_science_are_no_warning(name):
    assert find_lookalikes("name", name) == ()
