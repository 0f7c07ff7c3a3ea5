import pytest
from hypothesis import given
from hypothesis import strategies as st

from matcher import codes
from matcher.codes import (
    ALL_PREFECTURES,
    area_members,
    block_members,
    block_of,
    corporate_check_digit,
    data_folder,
    find_in_address,
    find_municipality,
    goals,
    is_personal_number,
    municipality_by_code,
    municipality_check_digit,
    northern_village,
    prefecture_code,
    prefecture_name,
)
from matcher.errors import DataError

EIGHT = ("北海道", "東北", "関東", "中部", "近畿", "中国", "四国", "九州")


def names(text: str, prefecture: str = "") -> list[str]:
    return [
        f"{prefecture_name(one.prefecture)}{one.name}"
        for one in find_municipality(text, prefecture)
    ]


def test_the_data_folder_has_the_tables():
    assert (data_folder() / "municipalities.csv").is_file()


def test_the_seventeen_goals_are_there_in_order():
    assert list(goals()) == list(range(1, 18))
    assert goals()[3].name == "すべての人に健康と福祉を"
    assert all(goal.phrases and goal.sentence for goal in goals().values())


@pytest.mark.parametrize("text", ["愛知県", "愛知", "23", "２３", " 愛知 県 ", "愛知県\u200b"])
def test_a_prefecture_is_read_by_name_or_code(text):
    assert prefecture_code(text) == "23"


@pytest.mark.parametrize("text", ["", "0", "48", "愛", "県", "愛知県岡崎市", "-1", "1.0"])
def test_what_is_no_prefecture_gives_none(text):
    assert prefecture_code(text) is None


def test_every_prefecture_is_found_by_its_full_and_its_short_name():
    for code in ALL_PREFECTURES:
        name = prefecture_name(code)
        assert prefecture_code(name) == code
        short = name if name == "北海道" else name[:-1]
        assert prefecture_code(short) == code


def test_the_eight_blocks_part_the_country():
    parts = [block_members(name) for name in EIGHT]
    assert frozenset().union(*parts) == ALL_PREFECTURES
    assert sum(map(len, parts)) == 47
    assert all(block_of(code) == name for name in EIGHT for code in block_members(name))


def test_blocks_have_their_common_spellings_and_no_others():
    assert block_members("関西") == block_members("近畿")
    assert block_members("九州・沖縄") == block_members("九州沖縄") == block_members("九州")
    for name in ("北陸", "東海", "首都圏", "東日本", "山陽", ""):
        assert not area_members(name)


def test_an_area_with_one_meaning_is_no_block():
    assert area_members("中四国") == block_members("中国") | block_members("四国")
    assert not block_members("中四国")


@pytest.mark.parametrize(
    ("five", "digit"),
    [("01100", "2"), ("13212", "8"), ("23202", "5"), ("14100", "3"), ("27140", "3")],
)
def test_municipality_check_digits_of_published_examples(five, digit):
    assert municipality_check_digit(five) == digit


@pytest.mark.parametrize(
    ("twelve", "digit"),
    [("123456789012", "7"), ("011001098993", "4"), ("010705000725", "7")],
)
def test_corporate_check_digits_of_published_examples(twelve, digit):
    assert corporate_check_digit(twelve) == digit


def test_check_digits_of_anything_but_digits_are_refused():
    with pytest.raises(DataError, match="5桁"):
        municipality_check_digit("1234")
    with pytest.raises(DataError, match="12桁"):
        corporate_check_digit("１２３４５６７８９０１２")
    with pytest.raises(DataError, match="01〜47"):
        prefecture_name("48")


def test_every_municipality_of_the_table_has_its_check_digit():
    every = codes._by_five_digits().values()
    assert len(every) == 47 + 1741
    assert all(municipality_check_digit(one.code[:5]) == one.code[5] for one in every)


# Eleven remainders share ten digits: 0 and 10 both give 1, the one slip that the rule cannot see.
@given(st.from_regex(r"[0-9]{5}", fullmatch=True), st.integers(0, 4), st.integers(1, 9))
def test_a_wrong_digit_changes_the_municipality_check_sum(five, at, step):
    wrong = five[:at] + str((int(five[at]) + step) % 10) + five[at + 1 :]
    weights = (6, 5, 4, 3, 2)
    remainder, other = (
        sum(int(d) * w for d, w in zip(code, weights, strict=True)) % 11 for code in (five, wrong)
    )
    assert remainder != other
    if {remainder, other} != {0, 10}:
        assert municipality_check_digit(five) != municipality_check_digit(wrong)


@given(st.from_regex(r"[0-9]{12}", fullmatch=True), st.integers(0, 11), st.integers(1, 9))
def test_a_wrong_digit_of_a_corporate_number_shows_unless_it_is_a_nought_for_a_nine(
    twelve, at, step
):
    digit = (int(twelve[at]) + step) % 10
    wrong = twelve[:at] + str(digit) + twelve[at + 1 :]
    same = corporate_check_digit(twelve) == corporate_check_digit(wrong)
    assert same == ({int(twelve[at]), digit} == {0, 9})


def test_a_corporate_number_never_begins_with_nought():
    assert corporate_check_digit("0" * 12) == "9"


def test_a_name_of_two_places_gives_both():
    assert names("府中市") == ["東京都府中市", "広島県府中市"]
    assert names("府中市", "34") == ["広島県府中市"]
    assert names("東京都府中市") == ["東京都府中市"]
    assert names("東京都府中市", "34") == []
    assert names("伊達市") == ["北海道伊達市", "福島県伊達市"]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("西多摩郡瑞穂町", "133035"),
        ("東京都西多摩郡瑞穂町", "133035"),
        ("横浜市鶴見区", "141003"),
        ("京都府京都市左京区", "261009"),
        ("龍ヶ崎市", "082082"),
        ("金ヶ崎町", "033812"),
        ("郡山市", "072036"),
        ("大和郡山市", "292036"),
        ("赤穂郡上郡町", "284815"),
        ("四日市市", "242021"),
        ("岡崎市役所", "232025"),
        ("愛知県", "230006"),
        ("愛知県庁", "230006"),
        ("ｵｶｻﾞｷ", None),
        ("鶴見区", None),
        ("", None),
    ],
)
def test_a_municipality_is_found_however_it_is_written(text, code):
    assert [one.code for one in find_municipality(text)] == ([code] if code else [])


def test_a_ward_name_shared_with_designated_cities_is_not_tokyo_alone():
    assert "東京都港区" in names("港区")
    assert "大阪府大阪市" in names("港区")
    assert names("港区", "13") == names("東京都港区") == ["東京都港区"]
    assert names("渋谷区") == ["東京都渋谷区"]


def test_every_municipality_is_found_alone_within_its_prefecture():
    for one in codes._by_five_digits().values():
        assert find_municipality(one.name, one.prefecture) == (one,)


def test_other_shapes_of_any_letter_find_the_same_place():
    shapes = {group[0]: group for group in codes._SHAPES.split()}
    for one in codes._by_five_digits().values():
        for at, letter in enumerate(one.name):
            for other in shapes.get(codes._plain(letter), letter):
                written = one.name[:at] + other + one.name[at + 1 :]
                assert find_municipality(written, one.prefecture) == (one,)


def test_only_kashima_may_become_two_places_by_the_shape_of_a_letter():
    spellings: dict[str, list[str]] = {}
    for name in codes._by_name():
        spellings.setdefault(codes._plain(name), []).append(name)
    assert [them for them in spellings.values() if len(them) > 1] == [["鹿嶋市", "鹿島市"]]
    assert names("鹿島市") == ["佐賀県鹿島市"]
    assert names("鹿嶌市") == ["茨城県鹿嶋市", "佐賀県鹿島市"]
    assert names("鹿島市", "08") == names("茨城県鹿島市") == ["茨城県鹿嶋市"]


def test_every_letter_with_other_shapes_stands_in_a_name_and_in_one_group():
    letters = {codes._plain(char) for name in codes._by_name() for char in name}
    groups = codes._SHAPES.split()
    assert {group[0] for group in groups} <= letters
    every = "".join(groups)
    assert len(set(every)) == len(every)


def test_prefectures_are_read_in_old_letters():
    for code in ALL_PREFECTURES:
        assert prefecture_code(prefecture_name(code).replace("県", "縣")) == code
    assert prefecture_code("廣島縣") == "34"
    assert prefecture_code("德島") == "36"
    assert prefecture_code("\u2ed1野県") == "20"  # as a PDF gives 長


@pytest.mark.parametrize(
    ("number", "proven"),
    [
        *(("123456789018", True), ("123456789017", False), ("023456789018", False)),
        *(("000000000000", True), ("12345678901", False), ("１２３４５６７８９０１８", False)),
    ],
)
def test_a_personal_number_is_proven_by_its_last_digit(number, proven):
    assert is_personal_number(number) is proven


@pytest.mark.parametrize(
    ("code", "village"),
    [("01695", "色丹村"), ("016951", "色丹村"), ("016952", ""), ("01694", ""), ("01700", "蘂取村")],
)
def test_the_villages_of_the_northern_territories_have_codes(code, village):
    assert northern_village(code) == village


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("01100", "札幌市"),
        ("011002", "札幌市"),
        ("01101", "札幌市"),
        ("14101", "横浜市"),
        ("14131", "川崎市"),
        ("14150", "相模原市"),
        ("27141", "堺市"),
        ("40131", "福岡市"),
        ("13101", "千代田区"),
        ("230006", "愛知県"),
    ],
)
def test_a_code_gives_its_municipality_and_a_ward_its_city(code, name):
    found = municipality_by_code(code)
    assert found and found.name == name


@pytest.mark.parametrize("code", ["011003", "99999", "13100", "1100", "", "２３２０２", "01695"])
def test_an_unknown_or_wrong_code_gives_none(code):
    assert municipality_by_code(code) is None


@pytest.mark.parametrize(
    ("address", "code"),
    [
        ("岡崎市十王町2-9", "232025"),
        ("東村山市本町", "132136"),
        ("横浜市西区みなとみらい", "141003"),
        ("西多摩郡瑞穂町大字箱根ケ崎", "133035"),
        ("上里町", "113859"),
        ("石川町1丁目", None),
        ("丸の内1-1", None),
    ],
)
def test_an_address_proves_its_municipality_or_nothing(address, code):
    assert [one.code for one in find_in_address(address)] == ([code] if code else [])
