"""Every issue stands in every slice, by what it tells and by nothing else."""

import csv

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matcher.codes import data_folder, municipality_by_code
from matcher.errors import DataError, MatcherError
from matcher.slices import CORE_CITIES, DESIGNATED_CITIES, LENGTHS, OVERLAPS, SIZES, slices
from matcher.types import Company, Issue

ALWAYS = ["都道府県", "地方", "自治体の規模", "文章の長さ", "SDGs"]
DESIGNATED = (
    "札幌市 仙台市 さいたま市 千葉市 横浜市 川崎市 相模原市 新潟市 静岡市 浜松市 名古屋市 京都市 "
    "大阪市 堺市 神戸市 岡山市 広島市 北九州市 福岡市 熊本市"
)
CORE = (
    "函館市 旭川市 青森市 八戸市 盛岡市 秋田市 山形市 福島市 郡山市 いわき市 水戸市 宇都宮市 "
    "前橋市 高崎市 川越市 川口市 越谷市 船橋市 柏市 八王子市 横須賀市 富山市 金沢市 福井市 "
    "甲府市 長野市 松本市 岐阜市 豊橋市 岡崎市 一宮市 豊田市 大津市 豊中市 吹田市 高槻市 枚方市 "
    "八尾市 寝屋川市 東大阪市 姫路市 尼崎市 明石市 西宮市 奈良市 和歌山市 鳥取市 松江市 倉敷市 "
    "呉市 福山市 下関市 高松市 松山市 高知市 久留米市 長崎市 佐世保市 大分市 宮崎市 鹿児島市 "
    "那覇市"
)


def issue(issue_id="i-1", description="困っている。", **fields):
    return Issue(issue_id=issue_id, title="題", description=description, **fields)


def label(name, **fields):
    return slices([issue(**fields)])[name]["i-1"]


# What the laws list


def municipalities():
    text = (data_folder() / "municipalities.csv").read_text(encoding="utf-8")
    return {row["code"][:5]: row["municipality"] for row in csv.DictReader(text.splitlines())}


@pytest.mark.parametrize(
    ("listed", "names", "count"), [(DESIGNATED_CITIES, DESIGNATED, 20), (CORE_CITIES, CORE, 62)]
)
def test_listed_cities_are_those_of_the_law(listed, names, count):
    table = municipalities()
    assert [table[code] for code in sorted(listed)] == names.split()
    assert len(listed) == count


@pytest.mark.parametrize(
    ("code", "size"),
    [
        ("230006", "都道府県"),
        ("130001", "都道府県"),
        ("281000", "政令指定都市"),
        ("28100", "政令指定都市"),
        ("28101", "政令指定都市"),  # 東灘区, read as its city
        ("232025", "中核市"),
        ("131016", "特別区"),
        ("131237", "特別区"),
        ("132128", "市"),
        ("131", "不明"),
        ("282014", "中核市"),
        ("284645", "町"),
        ("473014", "村"),
        ("", "不明"),
        ("999999", "不明"),
    ],
)
def test_size_is_what_the_municipality_is_by_law(code, size):
    assert label("自治体の規模", municipality_code=code) == (size,)


def test_every_municipality_has_a_size():
    issues = [issue(code, municipality_code=code) for code in municipalities()]
    found = slices(issues)["自治体の規模"]
    counts = {size: sum(labels == (size,) for labels in found.values()) for size in SIZES}
    assert counts == {
        "都道府県": 47,
        "政令指定都市": 20,
        "中核市": 62,
        "特別区": 23,
        "市": 792 - 20 - 62,
        "町": 743,
        "村": 183,
    }
    assert municipality_by_code("47353") is not None


# What an issue tells


def test_place_is_told_by_name_and_block():
    assert label("都道府県", prefecture="28") == ("兵庫県",)
    assert label("地方", prefecture="28") == ("近畿",)
    assert label("都道府県") == label("地方") == ("不明",)


@pytest.mark.parametrize(
    ("characters", "expected"),
    [(1, 0), (100, 0), (101, 1), (200, 1), (201, 2), (400, 2), (401, 3), (9999, 3)],
)
def test_length_counts_title_and_description(characters, expected):
    assert label("文章の長さ", description="字" * (characters - 1)) == (LENGTHS[expected],)


def test_issue_stands_under_each_of_its_goals():
    assert label("SDGs", sdgs=frozenset({11, 3})) == (
        "3 すべての人に健康と福祉を",
        "11 住み続けられるまちづくりを",
    )
    assert label("SDGs") == ("なし",)


def test_slices_that_nothing_tells_of_are_absent():
    assert list(slices([issue()])) == ALWAYS
    assert slices([]) == {}


@pytest.mark.parametrize(
    "column", ["分野", "field", "Field", "カテゴリ", "テーマ分類", "ｶﾃｺﾞﾘ", "政策分野"]
)
def test_field_is_a_column_under_any_of_its_names(column):
    some = [issue("a", extra={column: " 福祉 "}), issue("b", extra={column: ""}), issue("c")]
    assert slices(some)["分野"] == {"a": ("福祉",), "b": ("不明",), "c": ("不明",)}


@pytest.mark.parametrize("column", ["年度", "year", "Year", "年"])
def test_year_is_a_slice_where_the_table_has_one(column):
    assert slices([issue(extra={column: "2024"})])["年度"] == {"i-1": ("2024",)}


def test_status_is_told_by_whoever_matched():
    some = [issue("a"), issue("b"), issue("c")]
    found = slices(some, statuses={"a": "候補あり", "b": "候補なし", "other": "内容不足"})
    assert found["状態"] == {"a": ("候補あり",), "b": ("候補なし",), "c": ("不明",)}


def test_any_other_column_may_be_a_slice():
    some = [issue("a", extra={"受付経路": "窓口", "分野": "福祉"}), issue("b", extra={"備考": ""})]
    found = slices(some, columns=["受付経路", "備考"])
    assert list(found) == ["分野", *ALWAYS, "受付経路", "備考"]
    assert found["受付経路"] == {"a": ("窓口",), "b": ("不明",)}


def test_column_takes_the_place_of_a_slice_of_its_name():
    found = slices(
        [issue(extra={"状態": "受付済"})], statuses={"i-1": "候補あり"}, columns=["状態"]
    )
    assert found["状態"] == {"i-1": ("受付済",)}


def test_unknown_column_is_refused_with_those_that_there_are():
    with pytest.raises(MatcherError, match=r"「経路」.*ある列: 受付経路、備考"):
        slices([issue(extra={"受付経路": "", "備考": ""})], columns=["経路"])
    with pytest.raises(MatcherError, match="ほかの列はありません"):
        slices([issue()], columns=["経路"])


# Words shared with partners

WORDS = ("見守り", "高齢者", "バス", "農地", "空き家", "食品", "学校", "観光", "防災")


def company(company_id, profile):
    return Company(company_id=company_id, name="企業", profile=profile)


def asking(issue_id, *words):
    return Issue(issue_id=issue_id, title="", description="、".join(words))


def overlaps(issues, companies, qrels):
    found = slices(issues, companies=companies, qrels=qrels)["言葉の重なり"]
    return {issue_id: label for issue_id, (label,) in found.items()}


def test_overlap_parts_the_issues_by_thirds():
    issues = [asking(f"i-{n}", *WORDS[:3]) for n in range(6)]
    companies = [company(f"c-{n}", "、".join(WORDS[3 - n : 3]) or "観光") for n in range(4)]
    shares = [0, 1, 2, 3, 0, 3]  # thirds of the words: i-0 and i-4 none, i-3 and i-5 all
    qrels = {f"i-{n}": {f"c-{share}": 3} for n, share in enumerate(shares)}
    assert overlaps(issues, companies, qrels) == {
        "i-0": "少ない", "i-1": "中くらい", "i-2": "中くらい",
        "i-3": "多い", "i-4": "少ない", "i-5": "多い",
    }  # fmt: skip


def test_overlap_is_that_with_the_partners_of_the_highest_grade_on_average():
    issues = [asking("i-1", *WORDS[:2]), asking("i-2", *WORDS[:2]), asking("i-3", *WORDS[:2])]
    none, half, whole = "観光", WORDS[0], "、".join(WORDS[:2])
    companies = [company("none", none), company("half", half), company("whole", whole)]
    qrels = {
        "i-1": {"whole": 2, "none": 3},  # 0
        "i-2": {"whole": 3, "none": 3, "half": 1},  # (1 + 0) / 2
        "i-3": {"whole": 1, "absent": 1, "none": 0},  # 1
    }
    assert list(overlaps(issues, companies, qrels).values()) == list(OVERLAPS)


def test_equal_overlaps_have_one_label():
    issues = [asking(f"i-{n}", WORDS[0]) for n in range(5)]
    qrels = {f"i-{n}": {"c": 3} for n in range(5)}
    assert set(overlaps(issues, [company("c", WORDS[0])], qrels).values()) == {"中くらい"}


def test_overlap_of_an_issue_without_a_known_partner_is_unknown():
    issues = [asking("i-1", WORDS[0]), asking("i-2", WORDS[0]), asking("i-3"), asking("i-4", "空")]
    qrels = {"i-1": {"c": 0}, "i-2": {"absent": 3}, "i-3": {"c": 3}}
    assert set(overlaps(issues, [company("c", WORDS[0])], qrels).values()) == {"不明"}


def test_overlap_needs_companies_and_judgements():
    given_ = {"companies": [company("c", WORDS[0])]}
    assert "言葉の重なり" not in slices([asking("i-1")], **given_)
    assert "言葉の重なり" not in slices([asking("i-1")], qrels={"i-1": {"c": 3}})
    with pytest.raises(DataError):
        slices([asking("i-1")], qrels="ない.tsv", **given_)


@settings(max_examples=30)
@given(st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8)), min_size=1, max_size=7), st.data())
def test_overlap_is_monotone_neutral_and_the_same_in_any_order(drawn, data):
    issues = [asking(f"i-{n}", *WORDS[: own + 1]) for n, (own, _) in enumerate(drawn)]
    companies = [company(f"c-{n}", "、".join(WORDS[:has])) for n, (_, has) in enumerate(drawn)]
    qrels = {f"i-{n}": {f"c-{n}": 3} for n in range(len(drawn))}
    found = overlaps(issues, companies, qrels)
    assert overlaps(data.draw(st.permutations(issues)), companies[::-1], qrels) == found
    shares = [min(own + 1, has) / (own + 1) for own, has in drawn]
    places = [OVERLAPS.index(found[f"i-{n}"]) for n in range(len(drawn))]
    pairs = sorted(zip(shares, places, strict=True))
    assert [place for _, place in pairs] == sorted(places)
    assert len({share for share, _ in pairs}) == len(set(pairs))


def test_order_of_the_issues_changes_no_label(shipped_issues, shipped_companies):
    options = {"companies": shipped_companies, "qrels": data_folder() / "qrels.tsv"}
    found = slices(shipped_issues, **options)
    assert found == slices(list(shipped_issues)[::-1], **options)
    assert list(found) == ["分野", "年度", *ALWAYS[:-1], "言葉の重なり", "SDGs"]
    assert all(set(labels) == {one.issue_id for one in shipped_issues} for labels in found.values())
    counts = [list(found["言葉の重なり"].values()).count((name,)) for name in OVERLAPS]
    assert max(counts) - min(counts) <= 4
