"""Codes and names as they come from desks: each entry is read, or said, and never guessed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_corpus import COMPANY, ISSUE, accounted, companies, issues, table

from matcher.codes import (
    corporate_check_digit,
    find_municipality,
    is_personal_number,
    municipality_check_digit,
)
from matcher.corpus import read_companies, read_issues
from matcher.types import Reading

PLACELESS = {name: ISSUE[name] for name in ("issue_id", "title", "description")}
NUMBER = "7123456789012"
PERSONAL = "123456789018"


def placed(**cells: str) -> Reading:
    """The reading of one issue whose place is told by these cells."""
    return issues(PLACELESS | cells)


def said(reading: Reading) -> str:
    """What a user reads of it in rejected.csv."""
    return " ".join(dict.fromkeys(fault.problem + fault.remedy for fault in reading.faults))


def where(reading: Reading) -> tuple[str, str]:
    (issue,) = reading
    return issue.prefecture, issue.municipality_code


# municipality codes


def test_1100_for_01100_is_not_restored_for_nothing_proves_it(tried):
    reading = placed(municipality_code="1100")
    assert where(reading) == ("", "")
    assert "01100" in said(reading)
    tried(
        3,
        "団体コード 1100（01100の先頭の0が落ちた形）",
        "使わない。推測しない（警告）",
        said(reading),
    )


def test_a_code_of_six_digits_without_its_zero_is_restored_by_its_check_digit(tried):
    reading = placed(municipality_code="11002")
    assert where(reading) == ("01", "011002")
    tried(
        3,
        "団体コード 11002（011002の先頭の0が落ちた形）",
        "検査数字が合うので戻す（警告）",
        said(reading),
    )


def test_five_digits_that_prove_two_codes_are_read_as_written_and_said(tried):
    reading = placed(municipality_code="12203")
    assert where(reading) == ("12", "122033")
    assert "士別市" in said(reading)
    tried(
        3,
        "団体コード 12203（市川市とも、0の落ちた士別市とも読める）",
        "市川市と読む（警告）",
        said(reading),
    )


def test_011002_and_01100_are_one_place(tried):
    readings = [placed(municipality_code=code) for code in ("011002", "01100", "０１１００２")]
    assert [where(one) for one in readings] == [("01", "011002")] * 3
    assert not any(one.faults for one in readings)
    tried(3, "団体コード 011002、01100、全角の０１１００２", "どれも札幌市と読む")


def test_wrong_check_digit(tried):
    reading = placed(municipality_code="011003")
    assert where(reading) == ("", "")
    tried(3, "団体コード 011003（検査数字の誤り）", "使わない（警告）", said(reading))


def test_a_retired_code_proves_its_prefecture_only(tried):
    reading = placed(municipality_code="044237")
    assert where(reading) == ("04", "")
    tried(
        3,
        "団体コード 044237（廃止された富谷町のコード）",
        "都道府県だけを使う（警告）",
        said(reading),
    )


@pytest.mark.parametrize("code", ["14101", "141011"])
def test_the_code_of_a_ward_is_that_of_its_city(code, tried):
    assert where(placed(municipality_code=code)) == ("14", "141003")
    if len(code) == 5:
        tried(3, "団体コード 14101（横浜市鶴見区）", "横浜市と読む")


@pytest.mark.parametrize("five", ["01695", "01696", "01697", "01698", "01699", "01700"])
def test_codes_of_the_northern_territories_are_of_hokkaido(five, tried):
    six = five + municipality_check_digit(five)
    assert where(placed(municipality_code=five)) == ("01", "")
    assert where(placed(municipality_code=six)) == ("01", "")
    wrong = five + str((int(six[5]) + 1) % 10)
    assert where(placed(municipality_code=wrong)) == ("", "")
    if five == "01700":
        happened = "北海道とし、コードは使わない（警告）"
        tried(
            3,
            "団体コード 01700（北方領土の蘂取村）",
            happened,
            said(placed(municipality_code=five)),
        )


def test_the_tomari_of_hokkaido_is_not_the_one_of_the_northern_territories():
    assert where(placed(municipality="泊村")) == ("01", "014036")


def test_a_prefecture_alone(tried):
    readings = [placed(prefecture=text) for text in ("愛知県", "愛知", "23", "２３")]
    readings += [placed(municipality_code="230006"), placed(municipality="愛知県")]
    assert {where(one)[0] for one in readings} == {"23"}
    assert not any(one.faults for one in readings)
    tried(3, "都道府県だけ（愛知県、愛知、23、全角の２３、団体コード 230006）", "愛知県と読む")


def test_a_code_with_decimals_from_another_program_is_read():
    assert where(placed(municipality_code="23202.0")) == ("23", "232025")


@pytest.mark.parametrize(
    ("cells", "name"),
    [
        ({"prefecture": "東京都", "municipality_code": "232025"}, "東京都と、岡崎市の団体コード"),
        ({"prefecture": "愛知県", "municipality": "札幌市"}, "愛知県と、札幌市という名"),
        (
            {"municipality_code": "232025", "municipality": "札幌市"},
            "岡崎市の団体コードと、札幌市という名",
        ),
    ],
)
def test_cells_that_contradict_one_another_give_no_place(cells, name, tried):
    reading = placed(**cells)
    assert where(reading) == ("", "")
    tried(3, name, "都道府県は不明とし、全国対応の企業だけを候補にする（警告）", said(reading))


# names


@pytest.mark.parametrize(
    ("name", "count"),
    [("府中市", 2), ("伊達市", 2), ("池田町", 4), ("朝日町", 3), ("美郷町", 3), ("川崎町", 2)],
)
def test_a_name_of_several_places_is_said_with_all_of_them(name, count, tried):
    reading = placed(municipality=name)
    places = find_municipality(name)
    assert where(reading) == ("", "")
    assert len(places) == count
    assert said(reading).count(name) == 1 + count
    tried(3, f"自治体名 {name}だけ", f"{count}か所あるので決めない（警告）", said(reading))


def test_a_name_of_several_places_is_settled_by_its_prefecture(tried):
    assert where(placed(municipality="池田町", prefecture="岐阜県")) == ("21", "214043")
    assert where(placed(municipality="岐阜県揖斐郡池田町")) == ("21", "214043")
    tried(3, "自治体名 池田町と、都道府県 岐阜県", "岐阜県池田町と読む")


@pytest.mark.parametrize(
    ("written", "code"),
    [
        *(("髙﨑市", "102024"), ("濵松市", "221309"), ("德島市", "362018"), ("滝澤市", "032166")),
        *(("竜ケ崎市", "082082"), ("龍が崎市", "082082"), ("茅ケ崎市", "142077")),
        *(("鎌ヶ谷市", "122246"), ("桧原村", "133078"), ("檜原村", "133078")),
        *(("蘆屋市", "282065"), ("塩釜市", "042030"), ("諌早市", "422045"), ("鯵ヶ沢町", "023213")),
        *(("冨山市", "162019"), ("廣島縣廣島市", "341002"), ("國分寺市", "132144")),
        *(("葛\U000e0100城市", "292117"), ("か\u3099ま郡嘉麻市", ""), ("つか\u3099る市", "022098")),
        *(("上の国町", "013625"), ("日ノ出町", "133051"), ("中ノ条町", "104213")),
        *(("⻄宮市", "282049"), ("神⼾市", "281000"), ("\u2fa4\u2f2c見市", "")),
        *(("ﾂｶﾞﾙ市", ""), ("蒲郡 市", "232149")),
    ],
)
def test_other_shapes_of_a_letter_find_the_place_and_stay_as_written(written, code):
    reading = placed(municipality=written)
    assert where(reading)[1] == code
    assert reading.records[0].municipality == written


def test_other_shapes_of_letters_in_names(tried):
    names = ("髙﨑市", "濵松市", "竜が崎市", "塩釜市", "廣島縣廣島市", "葛\U000e0100城市", "神⼾市")
    readings = [placed(municipality=name) for name in names]
    assert all(where(one)[1] and not one.faults for one in readings)
    shown = "、".join(name.replace("\U000e0100", "（異体字の印つき）") for name in names)
    tried(3, f"自治体名 {shown}", "正式な名の市と読み、表示は書かれたまま")


def test_kashima_in_saga_and_kashima_in_ibaraki_are_not_confused(tried):
    assert where(placed(municipality="鹿島市"))[0] == "41"
    assert where(placed(municipality="鹿嶋市"))[0] == "08"
    assert where(placed(municipality="鹿島市", prefecture="茨城県")) == ("08", "082228")
    reading = placed(municipality="鹿嶌市")
    assert where(reading) == ("", "")
    tried(3, "自治体名 鹿嶌市（鹿島市とも鹿嶋市とも読める）", "決めない（警告）", said(reading))


def test_service_areas_and_head_offices_are_read_in_old_letters():
    (company,) = companies(
        COMPANY | {"headquarters_prefecture": "埼玉縣川口市", "service_area": "廣島縣、德島縣"}
    )
    assert (company.headquarters, company.regions) == ("11", {"34", "36"})


# corporate numbers


@pytest.mark.parametrize(
    "written",
    [
        *(NUMBER, f"T{NUMBER}", f"Ｔ{NUMBER}", "７１２３４５６７８９０１２", "7-1234-5678-9012"),
        *("7 1234 5678 9012", "７１２３ー４５６７８９０１２", f"'{NUMBER}", f"{NUMBER}.0"),
        *("7.123456789012E+12", f"{NUMBER}\u200b", "7\u20111234\u20115678\u20119012"),
    ],
)
def test_a_corporate_number_is_read_however_it_is_typed(written):
    (company,) = reading = companies(COMPANY | {"company_id": written})
    assert company.company_id == NUMBER
    assert not reading.faults


def test_corporate_numbers_in_every_common_spelling(tried):
    for written in (f"T{NUMBER}", "７１２３４５６７８９０１２", "7-1234-5678-9012"):
        assert companies(COMPANY | {"company_id": written}).records[0].company_id == NUMBER
    tried(3, "法人番号 T＋13桁、全角、ハイフンや空白入り", "13桁の法人番号と読む")


@pytest.mark.parametrize("written", ["1.01E+12", "1.01001E+12", "１．０１Ｅ＋１２"])
def test_1_01e_12_is_said_to_have_lost_its_digits(written, tried):
    reading = companies(COMPANY | {"company_id": written})
    assert len(reading) == 1
    assert "指数表記" in said(reading)
    if written == "1.01E+12":
        tried(3, "法人番号 1.01E+12（Excelの指数表記）", "そのまま使う（警告）", said(reading))


def test_two_companies_whose_numbers_excel_made_one_are_both_rejected(tried):
    reading = companies(
        COMPANY | {"company_id": "1.01E+12"}, COMPANY | {"company_id": "1.01E+12", "name": "別"}
    )
    assert (len(reading), reading.rejected) == (0, 2)
    tried(3, "2社の法人番号が、どちらも 1.01E+12", "どちらも除外", said(reading))


@pytest.mark.parametrize(
    "written",
    [
        *(PERSONAL, "1234-5678-9018", "１２３４５６７８９０１８", "1234 5678 9018"),
        *("123456789017", f"T{PERSONAL}", f"No.{PERSONAL}", "1.23456789018E+11", "1.23457E+11"),
        *("1234\u200b56789018", f"{PERSONAL}.0"),
    ],
)
def test_12_digits_for_a_company_are_refused_and_not_repeated(written, tried):
    reading = companies(COMPANY | {"company_id": written})
    assert (len(reading), reading.rejected) == (0, 1)
    assert "5678" not in repr(reading)
    assert "23457" not in repr(reading)
    if written == PERSONAL:
        tried(3, "企業ID 12桁の番号", "除外し、番号はどこにも出さない", said(reading))


def test_an_issue_id_that_is_a_personal_number_is_refused(tried):
    reading = issues(ISSUE | {"issue_id": PERSONAL}, ISSUE | {"issue_id": "202604011230"})
    assert [issue.issue_id for issue in reading] == ["202604011230"]
    assert "5678" not in repr(reading)
    tried(3, "課題ID 個人番号として正しい12桁", "除外し、番号はどこにも出さない", said(reading))


def test_a_personal_number_in_any_cell_is_hidden_and_said(tmp_path, tried):
    row = ISSUE | {"備考": f"担当 {PERSONAL}", "budget": "１２３４－５６７８－９０１８"}
    reading = issues(row | {"description": f"住民{PERSONAL}の件"})
    (issue,) = reading
    assert issue.extra == {"備考": "担当 ************"}
    assert (issue.budget, issue.description) == ("*" * 12, "住民************の件")
    assert [fault.column for fault in reading.faults] == ["description", "備考", "budget"]
    assert "9018" not in repr(reading)
    path = tmp_path / "企業.csv"
    path.write_bytes(table([COMPANY | {f"担当{PERSONAL}": "x"}]))
    assert "9018" not in repr(accounted(read_companies(path)))
    happened = "伏せて使う。結果のどこにも出さない（警告）"
    tried(
        3, "個人番号（備考などの知らない列、予算、課題内容）", happened, reading.faults[1].problem
    )


def test_twelve_digits_that_are_no_personal_number_stay():
    (issue,) = issues(
        ISSUE | {"製品番号": "123456789017", "更新": "202604011230", "budget": "123456789018円"}
    )
    assert issue.extra == {"製品番号": "123456789017", "更新": "202604011230"}
    assert issue.budget == "123456789018円"


def test_a_nought_typed_for_a_nine_cannot_be_seen(tried):
    wrong = NUMBER.replace("9", "0")
    assert corporate_check_digit(wrong[1:]) == wrong[0]
    (company,) = reading = companies(COMPANY | {"company_id": wrong})
    assert (company.company_id, reading.faults) == (wrong, ())
    tried(
        3, "法人番号 0と9の打ち間違い", "検査数字では分からない（番号の決まりの限界）。そのまま使う"
    )


def test_other_slips_in_a_corporate_number_are_said(tried):
    reading = companies(COMPANY | {"company_id": "7123456789013"})
    assert len(reading) == 1
    tried(3, "法人番号 7123456789013（1桁の打ち間違い）", "使う（警告）", said(reading))


def test_one_number_under_two_names_is_both_rejected(tried):
    row = COMPANY | {"company_id": NUMBER}
    reading = companies(row, row | {"name": "別の名"})
    assert (len(reading), reading.rejected) == (0, 2)
    tried(3, "同じ法人番号で名前の違う2行", "どちらも除外", reading.faults[0].problem)


def test_a_branch_under_the_number_of_its_company(tried):
    row = COMPANY | {"company_id": NUMBER}
    reading = companies(row, row | {"name": "名 大阪支店", "headquarters_prefecture": "大阪府"})
    assert reading.rejected == 2
    assert "支店" in reading.faults[0].remedy
    own = companies(row, row | {"company_id": "osaka-1", "name": "名 大阪支店"})
    assert len(own) == 2
    tried(3, "支店を、本社と同じ法人番号の別の行に", "どちらも除外", reading.faults[0].remedy)


# ids


def test_an_id_of_blanks_alone(tried):
    reading = issues(ISSUE | {"issue_id": " \u3000\u200b"}, ISSUE | {"issue_id": "i2"})
    assert (len(reading), reading.rejected) == (1, 1)
    tried(3, "課題ID 空白や見えない文字だけ", "除外", said(reading))


def test_ids_in_hiragana_and_in_full_width_are_read():
    reading = issues(ISSUE | {"issue_id": "いちばん"}, ISSUE | {"issue_id": "Ａ－１"})
    assert [issue.issue_id for issue in reading] == ["A-1", "いちばん"]
    assert not reading.faults


def test_ids_that_differ_in_width_alone_are_one(tried):
    reading = issues(ISSUE | {"issue_id": "A-1"}, ISSUE | {"issue_id": "Ａ－１", "title": "別"})
    assert (len(reading), reading.rejected) == (0, 2)
    assert issues(ISSUE | {"issue_id": "A-1"}, ISSUE | {"issue_id": "Ａ－１"}).merged == 1
    tried(
        3,
        "課題ID A-1 と全角の Ａ－１、内容は別",
        "同じIDとみて、どちらも除外",
        reading.faults[0].problem,
    )


def test_ids_that_differ_in_case_alone_are_two_and_said(tried):
    reading = issues(ISSUE | {"issue_id": "A-1"}, ISSUE | {"issue_id": "a-1"})
    assert (len(reading), reading.rejected) == (2, 0)
    assert [fault.row for fault in reading.faults] == [2, 3]
    tried(3, "課題ID A-1 と a-1", "別の課題として使う（警告）", said(reading))


def test_a_very_long_id_is_said(tried):
    reading = issues(ISSUE | {"issue_id": "課" * 5000})
    assert len(reading) == 1
    assert max(len(fault.value) for fault in reading.faults) < 100
    tried(3, "課題ID 5,000文字", "使う（警告）", said(reading))


# whatever stands in a cell

DIGITS = st.text("0123456789０１-－ .E+T'\u200b", max_size=20)
CELLS = st.one_of(DIGITS, st.text(max_size=20), st.sampled_from(["府中市", "01100", "髙﨑市"]))
FIELDS = ("issue_id", "title", "description", "municipality_code", "municipality", "prefecture")


@given(st.lists(st.fixed_dictionaries(dict.fromkeys(FIELDS, CELLS)), min_size=1, max_size=4))
def test_any_cells_of_codes_are_read_or_said(rows):
    reading = issues(ISSUE | {"issue_id": "sound"}, *rows)
    assert reading.rejected == len({f.row for f in reading.faults if f.severity == "除外"})


@given(st.integers(0, 99_999_999_999), st.sampled_from(["", "-", " ", "－", "\u200b"]), st.data())
def test_a_personal_number_never_appears_in_what_is_said_or_kept(stem, gap, data):
    eleven = f"{stem:011}"
    (number,) = [eleven + str(d) for d in range(10) if is_personal_number(eleven + str(d))]
    written = gap.join((number[:4], number[4:8], number[8:]))
    around = data.draw(st.sampled_from(["{}", "No.{}", "住民{}の件", "（{}）"]))
    field = data.draw(st.sampled_from([*FIELDS, "deadline", "sdgs", "備考"]))
    told = repr(issues(ISSUE | {field: around.format(written)}))
    for spelt in (number, written) if not number.startswith(("19", "20")) else ():
        assert spelt not in told


def test_reading_a_file_and_a_row_agree(tmp_path):
    path = tmp_path / "課題.csv"
    path.write_bytes(table([ISSUE | {"municipality_code": "11002"}]))
    assert accounted(read_issues(path)).faults[0].row == 2
