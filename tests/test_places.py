import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matcher.codes import ALL_PREFECTURES, block_members, prefecture_name
from matcher.places import read_area, read_headquarters, read_prefecture, resolve_place


def problems(place) -> str:
    return " ".join(one.problem for one in place.findings)


@pytest.mark.parametrize(
    ("cells", "prefecture", "code"),
    [
        (("愛知県", "232025", "岡崎市"), "23", "232025"),
        (("愛知", "23202", "岡崎市"), "23", "232025"),
        (("", "２３２０２", ""), "23", "232025"),
        (("", "", "岡崎市"), "23", "232025"),
        (("23", "", "岡崎市"), "23", "232025"),
        (("東京都", "", "府中市"), "13", "132063"),
        (("", "", "東京都府中市"), "13", "132063"),
        (("", "34208", "府中市"), "34", "342084"),
        (("", "", "西多摩郡瑞穂町"), "13", "133035"),
        (("", "14101", "鶴見区"), "14", "141003"),
        (("", "", "横浜市鶴見区"), "14", "141003"),
        (("", "", "愛知県"), "23", "230006"),
        (("愛知県", "", ""), "23", ""),
    ],
)
def test_a_place_is_resolved_from_what_is_known(cells, prefecture, code):
    place = resolve_place(*cells)
    assert (place.prefecture, place.municipality_code, place.findings) == (prefecture, code, ())


@pytest.mark.parametrize("name", ["府中市", "伊達市"])
def test_a_name_of_two_places_lists_both_and_is_not_guessed(name):
    place = resolve_place("", "", name)
    assert (place.prefecture, place.municipality_code) == ("", "")
    assert problems(place).count(name) == 3


@pytest.mark.parametrize(
    "cells",
    [
        ("愛知県", "011002", ""),
        ("広島県", "13206", "府中市"),
        ("愛知県", "", "札幌市"),
        ("愛知県", "", "北海道ない町"),
        ("", "232025", "札幌市"),
        ("", "", ""),
        ("", "", "ない町"),
        ("まち", "", ""),
    ],
)
def test_what_is_unknown_or_contradicts_itself_is_no_place(cells):
    place = resolve_place(*cells)
    assert (place.prefecture, place.municipality_code) == ("", "")
    assert len(place.findings) == 1


def test_a_lost_zero_is_restored_where_the_check_digit_proves_it():
    place = resolve_place("", "11002", "")
    assert (place.prefecture, place.municipality_code) == ("01", "011002")
    assert "011002" in problems(place)


def test_a_lost_zero_without_check_digit_is_not_restored():
    place = resolve_place("", "1100", "")
    assert (place.prefecture, place.municipality_code) == ("", "")
    assert "01100" in place.findings[0].remedy


@pytest.mark.parametrize(
    ("cells", "code", "said"),
    [
        (("", "12203", ""), "122033", 1),  # 市川市, or 士別市 (012203) without its zero
        (("千葉県", "12203", ""), "122033", 0),
        (("", "12203", "市川市"), "122033", 0),
        (("北海道", "12203", ""), "012203", 1),
        (("", "12203", "士別市"), "012203", 1),
    ],
)
def test_five_digits_that_are_two_codes_are_settled_by_the_other_cells(cells, code, said):
    place = resolve_place(*cells)
    assert (place.municipality_code, len(place.findings)) == (code, said)


def test_a_wrong_check_digit_is_said_and_the_code_not_used():
    place = resolve_place("", "232026", "岡崎市")
    assert (place.prefecture, place.municipality_code) == ("23", "232025")
    assert "検査数字" in problems(place)


def test_a_retired_code_still_proves_its_prefecture():
    place = resolve_place("", "044237", "")
    assert (place.prefecture, place.municipality_code) == ("04", "")
    assert "廃止" in problems(place)
    assert "宮城県" in problems(place)
    unproven = resolve_place("", "04423", "")
    assert (unproven.prefecture, unproven.municipality_code) == ("", "")


def test_a_village_without_an_office_is_named_and_proves_its_prefecture():
    place = resolve_place("", "017001", "")
    assert (place.prefecture, place.municipality_code) == ("01", "")
    assert "蘂取村" in problems(place)


def test_an_unknown_name_leaves_a_known_prefecture():
    for cells in (("東京都", "", "ない町"), ("", "", "東京都ない町")):
        place = resolve_place(*cells)
        assert place.prefecture == "13"
        assert "見つかりません" in problems(place)


@settings(deadline=None)
@given(st.text(), st.text(), st.text())
def test_any_three_cells_give_a_place(prefecture, code, municipality):
    place = resolve_place(prefecture, code, municipality)
    assert place.prefecture in ALL_PREFECTURES | {""}
    assert place.prefecture or place.findings


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("東京都", "13"),
        ("東京", "13"),
        ("13", "13"),
        ("愛知県岡崎市十王町", "23"),
        ("〒444-8601 愛知県岡崎市十王町2-9", "23"),
        ("本社：神奈川県横浜市", "14"),
        ("大阪 大阪市北区", "27"),
        ("岡崎市十王町", "23"),
        ("京都市中京区", "26"),
        ("長野原町", "10"),
        ("石川町1-2", ""),
        ("府中市宮西町", ""),
        ("米国", ""),
        ("", ""),
    ],
)
def test_a_head_office_is_known_where_its_prefecture_is_proven(text, code):
    found, findings = read_headquarters(text)
    assert found == code
    assert bool(findings) == (not code)


def test_a_prefecture_is_read_in_full_at_the_start_only():
    assert read_prefecture("京都府京都市") == "26"
    assert read_prefecture("当県は愛知県") == ""


@pytest.mark.parametrize(
    ("text", "regions"),
    [
        *((text, ALL_PREFECTURES) for text in ("全国", "全国対応", "日本全国", "47都道府県")),
        ("東京都、神奈川県", {"13", "14"}),
        ("東京・神奈川", {"13", "14"}),
        ("東京都及び神奈川県", {"13", "14"}),
        ("東京都と神奈川県", {"13", "14"}),
        ("東京都神奈川県", {"13", "14"}),
        ("13, 14", {"13", "14"}),
        ("関東・近畿", block_members("関東") | block_members("近畿")),
        ("関東地方", block_members("関東")),
        ("九州・沖縄", block_members("九州")),
        ("中国・四国", block_members("中国") | block_members("四国")),
        ("愛知県全域", {"23"}),
        ("九州（沖縄県を除く）", block_members("九州") - {"47"}),
        ("全国（北海道、沖縄を除く）", ALL_PREFECTURES - {"01", "47"}),
    ],
)
def test_a_service_area_is_read(text, regions):
    area = read_area(text, "23")
    assert (area.regions, area.is_declared, area.findings) == (regions, True, ())


@pytest.mark.parametrize(
    ("text", "regions"),
    [
        ("全国（離島を除く）", ALL_PREFECTURES),
        ("首都圏、岐阜県", {"21"}),
        ("東京など", {"13"}),
        ("名古屋市", {"23"}),
    ],
)
def test_a_service_area_read_in_part_says_so(text, regions):
    area = read_area(text, "01")
    assert (area.regions, area.is_declared, len(area.findings)) == (regions, True, 1)


@pytest.mark.parametrize("text", ["北陸", "東日本", "火星", "(仮)"])
def test_an_area_without_one_meaning_leaves_the_head_office(text):
    area = read_area(text, "23")
    assert (area.regions, area.is_declared) == ({"23"}, False)
    assert area.findings


def test_an_area_of_endless_tails_or_parts_is_read_in_time_and_said_briefly():
    for text in ("地方" * 10_000, "対応" * 10_000, "あ、い、" * 5_000):
        area = read_area(text, "23")
        assert (area.regions, area.is_declared) == ({"23"}, False)
        assert 1 <= len(area.findings) <= 11
    parts = "、".join(f"ない町{n}" for n in range(1000))
    assert len(read_area(parts, "23").findings) == 11


def test_all_prefectures_run_together_are_read():
    whole = "".join(prefecture_name(code) for code in sorted(ALL_PREFECTURES))
    assert read_area(whole, "23").regions == ALL_PREFECTURES


def test_no_area_is_the_head_office_and_no_fault():
    area = read_area("", "23")
    assert (area.regions, area.is_declared, area.findings) == ({"23"}, False, ())


def test_neither_area_nor_head_office_is_said():
    area = read_area("", "")
    assert (area.regions, area.is_declared, len(area.findings)) == (frozenset(), False, 1)


@settings(deadline=None)
@given(st.text(alphabet="全国関東近畿都府県()（）、・を除く離島愛知 と及び23"))
def test_any_area_gives_prefectures(text):
    assert read_area(text, "23").regions <= ALL_PREFECTURES
