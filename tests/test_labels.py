"""The workbooks of judging, opened by a second reader; and the two commands."""

import io
import re
import zipfile

import label_examples as examples
import openpyxl
import pytest
import report_examples
from rich.console import Console

from matcher.agreement import agreement, compare
from matcher.answers import read_back
from matcher.judgements import GRADES, REASONS, UNSURE, Judgement, settle
from matcher.label import pool
from matcher.report import judging
from matcher.report.labels import disagreement_workbook, judge_workbook, judgements_csv
from matcher.run import write_run

SMALL = pool([examples.run(1, issues=2, places=3)])
DATA = judge_workbook(SMALL.cards, "判定者1")
PROFILE = report_examples.MAKER.profile


@pytest.fixture
def book():
    return openpyxl.load_workbook(io.BytesIO(DATA))


def test_sheets_stand_in_their_order_and_the_key_is_out_of_sight(book):
    assert book.sheetnames == ["手引き", "判定", "鍵"]
    assert [sheet.sheet_state for sheet in book] == ["visible", "visible", "veryHidden"]
    assert book.active.title == "手引き"


def test_columns_are_those_that_a_judge_needs(book):
    assert [cell.value for cell in book["判定"][1]] == [
        "番号", "課題", "自治体", "課題の内容", "企業の紹介", "評点", "理由", "メモ", "判定ID",
    ]  # fmt: skip
    row = [cell.value for cell in book["判定"][2]]
    assert row[0] == 1
    assert row[2] == "兵庫県\n神戸市"
    assert row[3].endswith("［予算：100万円］")
    assert row[4].startswith("［企業・製造業／対応地域：兵庫県］\n〔名前〕は")
    assert row[5:8] == [None, None, None]
    assert re.fullmatch("J-[0-9a-f]{10}", row[8])


def test_workbook_tells_nothing_of_ids_ranks_or_names(book):
    shown = "".join(
        str(cell.value) for name in ("手引き", "判定") for row in book[name] for cell in row
    )
    for card in SMALL.cards:
        assert card.company_id not in shown
        assert card.issue_id not in shown.replace(card.id, "")
    assert "みまもり" not in shown


def test_key_says_which_pair_each_id_stands_for(book):
    header, *rows = book["鍵"].iter_rows(values_only=True)
    assert header == ("判定ID", "issue_id", "company_id", "judge", "texts")
    assert {row[:4] for row in rows} == {
        (card.id, card.issue_id, card.company_id, "判定者1") for card in SMALL.cards
    }


def test_grades_and_reasons_are_chosen_from_lists_with_help(book):
    found = {str(v.sqref): v for v in book["判定"].data_validations.dataValidation}
    grade, reason = found["F2:F7"], found["G2:G7"]
    assert grade.formula1 == f'"{",".join(map(str, sorted(GRADES)))},{UNSURE}"'
    assert reason.formula1 == f'"{",".join(REASONS)}"'
    for one in (grade, reason):
        assert one.prompt and one.promptTitle and one.error and one.errorTitle
        assert one.errorStyle in (None, "stop") and one.showErrorMessage


def test_sheet_is_made_to_be_worked_in(book):
    sheet = book["判定"]
    assert (sheet.freeze_panes, sheet.auto_filter.ref) == ("C2", "A1:I7")
    assert (sheet.page_setup.paperSize, sheet.page_setup.orientation) == (9, "landscape")
    assert sheet.print_title_rows == "$1:$1"
    first, same, other = (sheet.cell(y, 4) for y in (2, 3, 5))
    assert first.fill.fgColor.rgb == same.fill.fgColor.rgb != other.fill.fgColor.rgb
    assert first.alignment.wrap_text
    assert same.font.color.rgb == "FF5F6B78"
    assert sheet.cell(2, 4).border.top.style == sheet.cell(5, 4).border.top.style == "medium"
    assert all(sheet.row_dimensions[y].height for y in range(1, 8))


def test_guide_tells_each_grade_the_rules_and_the_time(book):
    told = "\n".join(str(c.value) for row in book["手引き"] for c in row if c.value is not None)
    assert all(
        text in told for text in (*REASONS, UNSURE, "相談しない", "全部で6組", "約3分から6分")
    )
    rich = openpyxl.load_workbook(io.BytesIO(DATA), rich_text=True)["手引き"]
    told = "\n".join(str(c.value) for row in rich for c in row if c.value is not None)
    assert all(meaning in told for meaning in GRADES.values())


def test_equal_cards_give_equal_bytes():
    assert judge_workbook(SMALL.cards, "判定者1") == DATA != judge_workbook(SMALL.cards, "判定者2")


@pytest.mark.parametrize("payload", report_examples.PAYLOADS)
def test_no_text_becomes_a_formula_or_a_link(payload):
    cards = pool([[report_examples.poisoned(payload)]], with_names=True).cards
    told = [
        Judgement(issue_id=payload, company_id=payload, judge=judge, grade=g, reason=payload,
                  memo=payload)
        for judge, g in ((f"甲{payload}", 0), ("乙", 3))
    ]  # fmt: skip
    by_ids = {(card.issue_id, card.company_id): card for card in cards}
    settled = disagreement_workbook(settle(told).disagreements, by_ids)
    for data in (judge_workbook(cards, payload), settled):
        for sheet in openpyxl.load_workbook(io.BytesIO(data)):
            for cell in (cell for row in sheet.iter_rows() for cell in row):
                assert cell.data_type != "f" and cell.hyperlink is None
                if isinstance(cell.value, str):
                    assert not cell.value.startswith(tuple("=+-@＝＋－＠\t\r"))
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            parts = [archive.read(name) for name in archive.namelist() if "worksheets" in name]
        assert b"<f>" not in b"".join(parts)
    for line in judgements_csv(told).decode("utf-8-sig").split("\r\n"):
        assert not line.startswith(tuple("=+-@＝＋－＠\t"))


def test_cards_of_any_text_know_their_row_again(tmp_path):
    for n, payload in enumerate(report_examples.PAYLOADS):
        found = pool([[report_examples.poisoned(f"文{payload}")]], with_names=True)
        path = tmp_path / f"{n}.xlsx"
        path.write_bytes(judge_workbook(found.cards, "甲"))
        back = read_back(path)
        assert (back.faults, len(back.cards)) == ((), 1), payload


def saved_run(folder, seed=1):
    write_run(folder, examples.run(seed, issues=2, places=3), [], {})
    return folder


def answered(path, *grades):
    book = openpyxl.load_workbook(path)
    sheet = book["判定"]
    rows = sorted(range(2, sheet.max_row + 1), key=lambda y: sheet.cell(y, 9).value)
    for y, grade in zip(rows, grades, strict=False):
        sheet.cell(y, 6).value = grade
    book.save(path)
    return path


def test_the_two_commands_walk_from_a_run_to_qrels(call, tmp_path):
    run, given, out = saved_run(tmp_path / "run"), tmp_path / "用紙", tmp_path / "out"
    status, told, err = call("label", run, run, "--out", given, "--judge", "甲", "--judge", "乙")
    assert (status, err) == (0, [])
    assert "課題2件の6組を、2冊の判定用紙にしました。" in told
    one = answered(given / "判定用紙_甲.xlsx", 3, 2, 0, 1, "わからない")
    other = answered(given / "判定用紙_乙.xlsx", 3, 3, 3, 1, 7)

    status, told, err = call("settle", one, other, "--out", out)
    assert status == 0
    assert "一致 2組" in told and "不一致 1組" in told and "評点なし 1組" in told
    assert "クリッペンドルフのα" in told and "フライスのカッパ: " in told
    assert ["評点「7」は使えません" in line for line in err] == [True]
    assert sorted(path.name for path in out.iterdir()) == sorted(
        ["qrels.tsv", "judgements.csv", "不一致.xlsx"]
    )
    status, told, err = call("settle", one, other, "--out", out)
    assert (status, told) == (2, "") and ["--overwrite" in line for line in err] == [True]
    status, told, err = call("settle", one, other, "--out", out, "--overwrite", "--strictly")
    assert status == 0 and "不一致 2組" in told

    status, told, err = call("settle", one, "--against", out / "qrels.tsv")
    assert status == 0 and "甘さ・辛さ: 平均 +0.00（ほぼ同じ）" in told

    more = tmp_path / "次"
    status, told, _ = call("label", run, "--out", more, "--qrels", out / "qrels.tsv")
    assert status == 0 and "判定の済んだ2組は除きました。" in told
    assert len(list(more.iterdir())) == 3
    status, told, err = call(
        "settle", out / "judgements.csv", "--out", tmp_path / "再", "--former", out / "qrels.tsv"
    )
    assert status == 0 and "以前の評点のまま 2組" in told
    status, told, err = call("settle", one, "--out", tmp_path / "静", "--quiet")
    assert (status, told) == (0, "")


def test_wrong_options_are_one_sentence(call, tmp_path):
    run = saved_run(tmp_path / "run")
    for arguments in (
        ("label", run, "--out", tmp_path, "--judges", 2, "--judge", "甲"),
        ("label", run, "--out", tmp_path, "--judges", 0),
        ("label", run, "--out", tmp_path, "--depth", 0),
        ("label", tmp_path / "無", "--out", tmp_path),
        ("settle", tmp_path / "無.xlsx", "--out", tmp_path),
        ("settle", run / "shortlist.xlsx", "--out", tmp_path / "out"),
        ("settle", tmp_path / "無.xlsx"),
        ("settle", tmp_path / "無.xlsx", "--out", tmp_path, "--against", tmp_path),
        ("settle", tmp_path / "無.xlsx", "--against", tmp_path, "--strictly"),
    ):
        status, told, err = call(*arguments)
        assert (status, told, len(err)) == (2, "", 1), arguments


def printed(show, *values):
    target = io.StringIO()
    show(Console(file=target, width=80, highlight=False), *values)
    return target.getvalue()


def test_comparison_is_printed_with_confusion_leaning_and_both_reasons():
    told = [
        Judgement(issue_id="01", company_id=f"c{n}", judge="[b]山田", grade=grade, reason="遠い")
        for n, grade in enumerate((3, 3, 1, 2))
    ]
    qrels = {"01": {"c0": 0, "c1": 3, "c2": 1}}
    peers = [Judgement(issue_id="01", company_id="c0", judge="師", grade=0, reason="対象が違う")]
    shown = printed(judging.print_comparison, compare("[b]山田", told, qrels, peers=peers))
    assert shown.startswith("[b]山田　3組（ほかに、決まった評点のない1組）\n")
    assert "一致率: 67%（3組）" in shown and "平均 +1.00（甘い）" in shown
    assert "2つ以上違う組 1組" in shown
    assert "対象が違う" in shown and "遠い" in shown
    nothing = printed(judging.print_comparison, compare("甲", [], qrels))
    assert "一致率: 計算できません（評点の重なる組がありません）。" in nothing


def test_revisions_and_undefined_figures_are_printed():
    told = [
        Judgement(issue_id="01", company_id=f"c{n:02d}", judge=judge, grade=2)
        for n in range(25)
        for judge in ("甲", "乙")
    ]
    former = {"01": {f"c{n:02d}": 0 for n in range(25)}}
    shown = printed(judging.print_settlement, settle(told, former=former))
    assert "以前の評点と違う結果が25組" in shown and "ほかに5組。" in shown
    shown = printed(judging.print_agreement, agreement(told))
    assert "フライスのカッパ: 計算できません（評点がすべて同じで" in shown
    assert "－は計算できなかったものです" in shown
    alone = printed(judging.print_agreement, agreement(told[::2]))
    assert alone == "判定者どうしの一致: 計算できません（評点を付けた判定者が1人以下です）。\n"


def test_missing_rows_and_faults_are_printed(tmp_path):
    book = openpyxl.load_workbook(io.BytesIO(DATA))
    book["判定"]["F2"].value = 9
    book["判定"].delete_rows(5)
    book.save(tmp_path / "返却.xlsx")
    returned = [read_back(tmp_path / "返却.xlsx")]
    shown = printed(judging.print_returned, returned)
    assert "返却.xlsx からは1組の行がなくなっています" in shown
    assert printed(judging.print_faults, returned).startswith("除外 返却.xlsx 判定 2行目 評点: ")
