import csv
import io
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
import xlsxwriter
from hypothesis import given, settings
from hypothesis import strategies as st

from matcher.codes import ALL_PREFECTURES, data_folder
from matcher.columns import COMPANY_HEADERS, ISSUE_HEADERS
from matcher.corpus import read_companies, read_issues
from matcher.errors import DataError, MatcherError
from matcher.tables.header import fold_header
from matcher.trec import read_qrels
from matcher.types import Company, Issue, Reading

ISSUE = {"issue_id": "i1", "title": "題", "description": "文", "prefecture": "愛知県"}
COMPANY = {
    "company_id": "c1",
    "name": "名",
    "profile": "文",
    "headquarters_prefecture": "東京都",
    "service_area": "全国",
}


def table(rows: list[dict[str, str]]) -> bytes:
    buffer = io.StringIO(newline="")
    writer = csv.DictWriter(buffer, list(dict.fromkeys(key for row in rows for key in row)))
    writer.writeheader()
    writer.writerows(rows)
    return buffer.getvalue().encode()


def issues(*rows: dict[str, str]) -> Reading[Issue]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "課題.csv"
        path.write_bytes(table(list(rows)))
        return accounted(read_issues(path))


def companies(*rows: dict[str, str]) -> Reading[Company]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "企業.csv"
        path.write_bytes(table(list(rows)))
        return accounted(read_companies(path))


def accounted(reading: Reading) -> Reading:
    assert reading.rows == len(reading.records) + reading.merged + reading.rejected
    return reading


def lines(reading: Reading) -> list[tuple[int | None, str, str]]:
    return [(fault.row, fault.column, fault.severity) for fault in reading.faults]


def test_the_published_cases_are_read_whole():
    found = accounted(read_issues(data_folder() / "issues.csv"))
    partners = accounted(read_companies(data_folder() / "companies.csv"))
    qrels = read_qrels(data_folder() / "qrels.tsv")
    assert (len(found), found.faults) == (52, ())
    assert len(partners) == 110
    assert all(issue.prefecture and len(issue.municipality_code) == 6 for issue in found)
    assert {issue.issue_id for issue in found} == qrels.keys()
    known = {company.company_id for company in partners}
    assert all(judged.keys() <= known for judged in qrels.values())


@pytest.mark.parametrize("headers", [ISSUE_HEADERS, COMPANY_HEADERS])
def test_no_header_stands_for_two_fields(headers):
    every = [
        name
        for field, aliases in headers.items()
        for name in {fold_header(one) for one in (field, *aliases)}
    ]
    assert len(every) == len(set(every))


def test_a_whole_issue_under_japanese_headers():
    (issue,) = issues(
        {
            "課題ＩＤ": " ｉ－１ ",
            "課題名（必須）": "ごみの\x07減量",
            "背景": "背景の文",
            "自治体名": "岡崎市",
            "団体コード": "23202",
            "SDGsゴール": "目標11、12",
            "詳細": "詳細の文",
            "担当課": "環境課",
            "募集期限": "令和8年度",
            "予算": "約300万円/年",
            "備考": "01",
        }
    )
    assert issue == Issue(
        issue_id="i-1",
        title="ごみの減量",
        description="背景の文\n詳細の文",
        municipality="岡崎市",
        municipality_code="232025",
        prefecture="23",
        sdgs=frozenset({11, 12}),
        department="環境課",
        deadline="令和8年度",
        budget="約300万円/年",
        extra={"備考": "01"},
    )


def test_a_whole_company_under_japanese_headers():
    (company,) = companies(
        {
            "法人番号": "T7123456789012",
            "会社名": "㈱髙﨑",
            "強み": "強みの文",
            "本社": "愛知県岡崎市十王町",
            "対応エリア": "中部",
            "業種": "Ｇ",
            "種別": "NPO",
            "SDGs": "3.すべての人に健康と福祉を",
            "窓口": "営業部",
            "事業内容": "事業の文",
        }
    )
    assert company == Company(
        company_id="7123456789012",
        name="㈱髙﨑",
        profile="強みの文\n事業の文",
        headquarters="23",
        regions=frozenset(f"{code}" for code in range(15, 24)),
        industry="Ｇ",
        kind="NPO",
        sdgs=frozenset({3}),
        contact="営業部",
        extra={},
    )


def test_what_is_absent_has_its_default():
    (company,) = reading = companies({k: COMPANY[k] for k in list(COMPANY)[:4]})
    assert (company.kind, company.sdgs, company.is_sdgs_inferred) == ("企業", frozenset(), False)
    assert (company.regions, company.is_area_declared) == ({"13"}, False)
    assert reading.faults == ()


def test_the_english_name_comes_before_an_alias_and_the_loser_is_kept():
    (issue,) = issues({"番号": "9", **ISSUE, "タイトル": "別", "title ": "三"})
    assert (issue.issue_id, issue.title) == ("i1", "題")
    assert issue.extra == {"番号": "9", "タイトル": "別", "title": "三"}


def test_columns_of_one_name_are_all_kept(tmp_path):
    path = tmp_path / "課題.csv"
    path.write_text("title,description,備考,備考,\n題,文,一,二,三\n", encoding="utf-8")
    # A value in a column without a header cannot be told from one that a stray comma moved.
    assert read_issues(path).rejected == 1
    path.write_text("title,,description,備考,備考\n題,三,文,一,二\n", encoding="utf-8")
    (issue,) = read_issues(path)
    assert issue.extra == {"2列目": "三", "備考": "一", "備考 (2)": "二"}


def test_a_table_without_ids_gets_stable_ones_and_says_so():
    row = {key: value for key, value in ISSUE.items() if key != "issue_id"}
    reading = issues(row, row | {"title": "別の題"})
    again = issues(row | {"title": "別の題"}, row | {"title": " 題 "})
    assert reading.records == again.records
    assert all(issue.issue_id.startswith("issue-") for issue in reading)
    assert lines(reading) == [(None, "", "警告")]
    (company,) = companies({k: v for k, v in COMPANY.items() if k != "company_id"})
    assert len(company.company_id) == len("company-") + 10


@pytest.mark.parametrize("field", ["issue_id", "title", "description"])
@pytest.mark.parametrize("value", ["", " \u3000", "\u200b", "\x00\x01"])
def test_an_issue_without_a_required_cell_is_rejected(field, value):
    reading = issues(ISSUE | {field: value}, ISSUE | {"issue_id": "i2"})
    assert [issue.issue_id for issue in reading] == ["i2"]
    assert reading.rejected == 1
    assert (2, field, "除外") in lines(reading)


@pytest.mark.parametrize("field", ["company_id", "name", "profile"])
def test_a_company_without_a_required_cell_is_rejected(field):
    reading = companies(COMPANY | {field: ""})
    assert (len(reading), reading.rejected) == (0, 1)
    assert lines(reading) == [(2, field, "除外")]


def test_identical_rows_are_one_record():
    reading = issues(ISSUE, ISSUE, ISSUE)
    assert (len(reading), reading.merged, reading.rejected) == (1, 2, 0)
    assert lines(reading) == [(3, "issue_id", "警告"), (4, "issue_id", "警告")]


def test_rows_that_say_the_same_otherwise_are_identical():
    reading = issues(ISSUE | {"sdgs": "3,11"}, ISSUE | {"sdgs": "目標3・11", "issue_id": "ｉ１"})
    assert (len(reading), reading.merged) == (1, 1)


def test_one_id_with_two_contents_rejects_both_with_a_line_each():
    reading = issues(ISSUE, ISSUE | {"title": "別"}, ISSUE | {"issue_id": "i2"}, ISSUE)
    assert [issue.issue_id for issue in reading] == ["i2"]
    assert (reading.merged, reading.rejected) == (0, 3)
    assert lines(reading) == [(row, "issue_id", "除外") for row in (2, 3, 5)]


def test_twelve_digits_reject_a_company_and_are_never_repeated():
    reading = companies(COMPANY | {"company_id": "1234-5678-9018"})
    assert (len(reading), reading.rejected) == (0, 1)
    assert [fault.severity for fault in reading.faults] == ["除外"]
    assert "9018" not in repr(reading)


def test_an_id_with_blanks_is_made_fit_for_trec_files_and_that_is_said():
    reading = issues(ISSUE | {"issue_id": "課題 １"})
    assert reading.records[0].issue_id == "課題_1"
    assert lines(reading) == [(2, "issue_id", "警告")]
    assert companies(COMPANY | {"company_id": "7 1234 5678 9012"}).faults == ()


def test_a_wrong_corporate_number_is_a_warning():
    reading = companies(COMPANY | {"company_id": "8123456789012"})
    assert [company.company_id for company in reading] == ["8123456789012"]
    assert lines(reading) == [(2, "company_id", "警告")]


def test_goals_that_a_workbook_has_turned_into_a_number_or_date_are_said(tmp_path):
    book = xlsxwriter.Workbook(str(tmp_path / "課題.xlsx"))
    sheet = book.add_worksheet("課題一覧")
    sheet.write_row(0, 0, ["課題ID", "課題名", "課題内容", "都道府県", "SDGs"])
    sheet.write_row(1, 0, ["i1", "題", "文", 23, 311])
    sheet.write_row(2, 0, ["i2", "題", "文", "愛知県", 3.11])
    sheet.write_row(3, 0, ["i3", "題", "文", "愛知", 11])
    book.close()
    reading = accounted(read_issues(tmp_path / "課題.xlsx"))
    assert [sorted(issue.sdgs) for issue in reading] == [[], [], [11]]
    assert [(fault.row, fault.sheet, fault.value) for fault in reading.faults] == [
        (2, "課題一覧", "311"),
        (3, "課題一覧", "3.11"),
    ]


def test_a_wrong_goal_says_what_and_how():
    reading = issues(ISSUE | {"SDGs": "3,18"})
    (fault,) = reading.faults
    assert (fault.file, fault.row, fault.column, fault.value) == ("課題.csv", 2, "SDGs", "18")
    assert fault.problem == "SDGsの目標番号は1〜17です（18 は使えません）。"
    assert reading.records[0].sdgs == {3}


def test_an_ambiguous_place_is_said_and_not_guessed():
    row = {"issue_id": "i1", "title": "題", "description": "文", "municipality": "府中市"}
    reading = issues(row)
    assert (reading.records[0].prefecture, reading.records[0].municipality) == ("", "府中市")
    assert lines(reading) == [(2, "municipality", "警告")]


def test_a_table_without_places_says_so_once():
    row = {"title": "題", "description": "文", "issue_id": "i1"}
    assert lines(issues(row, row | {"issue_id": "i2"})) == [(None, "", "警告")]
    firm = {"company_id": "c1", "name": "名", "profile": "文", "service_area": "全国"}
    assert lines(companies(firm, firm | {"company_id": "c2"})) == [(None, "", "警告")]


def test_an_unknown_head_office_and_area_are_said():
    row = COMPANY | {"headquarters_prefecture": "米国", "service_area": "北陸、愛知県"}
    (company,) = reading = companies(row)
    assert (company.headquarters, company.regions) == ("", {"23"})
    assert lines(reading) == [
        (2, "headquarters_prefecture", "警告"),
        (2, "service_area", "警告"),
    ]


def test_nationwide_is_all_prefectures():
    assert companies(COMPANY).records[0].regions == ALL_PREFECTURES


def test_personal_data_and_odd_deadlines_are_warnings():
    reading = issues(ISSUE | {"description": "a@example.jp 123456789018", "deadline": "二月"})
    assert lines(reading) == [
        (2, "description", "警告"),
        (2, "description", "警告"),
        (2, "deadline", "警告"),
    ]
    assert all("123456789018" not in repr(fault) for fault in reading.faults)


def test_cp932_of_a_town_hall_is_read(tmp_path):
    text = "課題名,課題内容,自治体名\r\n①ごみ～減量,㈱髙﨑の跡地,東京都府中市\r\n"
    (tmp_path / "課題.csv").write_bytes(text.encode("cp932"))
    (issue,) = read_issues(tmp_path / "課題.csv")
    assert (issue.title, issue.prefecture) == ("①ごみ～減量", "13")
    assert issue.description == "㈱髙﨑の跡地"


def test_texts_stay_as_written_but_for_what_cannot_be_shown():
    (issue,) = issues(ISSUE | {"title": "ｺﾞﾐ\u202eの\x1b①", "description": "一\r\n二\u2028三"})
    assert issue.title == "ｺﾞﾐの①"
    assert issue.description == "一\n二\n三"


def test_a_companies_table_is_no_issues_table(tmp_path):
    (tmp_path / "企業.csv").write_bytes(table([COMPANY]))
    with pytest.raises(DataError, match="課題名（title）、課題内容（description）"):
        read_issues(tmp_path / "企業.csv")


some_issue = st.fixed_dictionaries(
    {
        "issue_id": st.sampled_from(["i1", "i2", "i3", "", "ｉ１"]),
        "title": st.sampled_from(["題", "題二", "", " "]),
        "description": st.sampled_from(["文", "電話 0564-23-6000", "文,\n改行"]),
        "municipality": st.sampled_from(["岡崎市", "府中市", "ない町", ""]),
        "municipality_code": st.sampled_from(["", "232025", "23202", "232026", "1100"]),
        "sdgs": st.sampled_from(["3,11", "18", "", "目標3"]),
    }
)


def without_rows(reading: Reading) -> list[str]:
    return sorted(repr(replace(fault, row=None)) for fault in reading.faults)


@settings(deadline=None, max_examples=60)
@given(st.lists(some_issue, min_size=1, max_size=6), st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(rows, rng):
    shuffled = rng.sample(rows, len(rows))
    first, second = issues(*rows), issues(*shuffled)
    assert first.records == second.records
    assert (first.merged, first.rejected) == (second.merged, second.rejected)
    assert without_rows(first) == without_rows(second)


@settings(deadline=None, max_examples=60)
@given(st.lists(some_issue, min_size=1, max_size=6))
def test_records_are_in_id_order_and_faults_in_row_order(rows):
    reading = issues(*rows)
    ids = [issue.issue_id for issue in reading]
    assert ids == sorted(set(ids))
    numbers = [fault.row or 0 for fault in reading.faults]
    assert numbers == sorted(numbers)
    rejected = {fault.row for fault in reading.faults if fault.severity == "除外"}
    assert len(rejected) == reading.rejected


@settings(deadline=None, max_examples=60)
@given(st.lists(st.fixed_dictionaries(dict.fromkeys(COMPANY, st.text(max_size=20))), min_size=1))
def test_any_cells_are_read_or_reported(rows):
    data = "\n".join([",".join(COMPANY), *(",".join(row.values()) for row in rows)]).encode(
        "utf-8", "ignore"
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "企業.csv"
        path.write_bytes(data)
        try:
            accounted(read_companies(path))
        except MatcherError as error:
            assert str(error)


def test_twenty_thousand_companies_take_seconds(tmp_path):
    rows = [COMPANY | {"company_id": f"c{n}", "sdgs": "3、11、17"} for n in range(20_000)]
    (tmp_path / "企業.csv").write_bytes(table(rows))
    assert len(read_companies(tmp_path / "企業.csv")) == 20_000
