"""Pools, workbooks given out and read back: nothing is lost on the way."""

import csv
import io
import itertools
from dataclasses import replace
from pathlib import Path

import label_examples as examples
import office
import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from matcher.answers import read_back
from matcher.errors import DataError, ForeignOutput, MatcherError
from matcher.judgements import DECIDED, Judgement
from matcher.label import (
    compare_files,
    give_out,
    judge_names,
    pool,
    settle_files,
    shuffled,
    workbooks,
)
from matcher.report.labels import judge_workbook, judgements_csv
from matcher.trec import read_qrels

POOL = pool([examples.run(1)])
JUDGES = judge_names()
BOOKS = workbooks(POOL, JUDGES)
SMALL = pool([examples.run(1, issues=2, places=3)])


def pairs(found):
    return {(card.issue_id, card.company_id) for card in found.cards}


def small_book(tmp_path: Path, *rows: tuple[object, str, str], judge: str = "甲") -> Path:
    """A workbook of six pairs in which the first rows are filled in."""
    book = openpyxl.load_workbook(io.BytesIO(judge_workbook(SMALL.cards, judge)))
    for y, values in enumerate(rows, start=2):
        for x, value in enumerate(values, start=6):
            book["判定"].cell(y, x).value = value
    path = tmp_path / f"{judge}.xlsx"
    book.save(path)
    return path


def rewritten(path: Path, change) -> Path:
    """The workbook after somebody has had his way with it."""
    book = openpyxl.load_workbook(path)
    change(book["判定"])
    book.save(path)
    return path


def accounts(one):
    assert one.pairs == one.graded + one.unsure + one.blank + one.faulty
    return one.pairs, one.graded, one.unsure, one.blank, one.faulty


def test_pool_is_the_union_of_the_first_places():
    first, second = examples.run(1), examples.run(2)
    found = pool([first, second], depth=3)
    assert pairs(found) == {
        (s.issue.issue_id, e.company.company_id) for s in (*first, *second) for e in s.entries[:3]
    }
    assert found == pool([second, first], depth=3)
    assert len(pool([first, first]).cards) == 300


def test_pairs_that_are_settled_are_left_out():
    card = SMALL.cards[0]
    former = {card.issue_id: {card.company_id: 0}, "別": {"別": 3}}
    found = pool([examples.run(1, issues=2, places=3)], former=former)
    assert (len(found.cards), found.settled) == (5, 1)
    assert pairs(SMALL) - pairs(found) == {(card.issue_id, card.company_id)}


def test_nothing_left_to_judge_is_said():
    settled = {}
    for issue, company in pairs(SMALL):
        settled.setdefault(issue, {})[company] = 1
    with pytest.raises(MatcherError, match="判定する組がありません"):
        pool([examples.run(1, issues=2, places=3)], former=settled)
    with pytest.raises(MatcherError, match="--depth"):
        pool([], depth=0)


def test_runs_that_tell_different_things_of_a_pair_are_refused():
    first = examples.run(1, issues=1, places=1)
    changed = [replace(first[0], issue=replace(first[0].issue, description="別の文章"))]
    with pytest.raises(MatcherError, match="課題「0001」の文章が実行結果によって違います"):
        pool([first, changed])


def test_order_is_each_judges_own_and_the_same_for_a_seed():
    orders = [shuffled(POOL.cards, judge) for judge in JUDGES]
    assert orders[0] == shuffled(reversed(POOL.cards), JUDGES[0])
    assert orders[0] != orders[1] != orders[2] != orders[0]
    assert orders[0] != shuffled(POOL.cards, JUDGES[0], seed=2)
    for order in orders:
        assert set(order) == set(POOL.cards)
        issues = [card.issue_id for card in order]
        assert sum(a != b for a, b in itertools.pairwise(issues)) == 29  # in blocks
    assert workbooks(POOL, JUDGES[:1]) == {"判定用紙_判定者1.xlsx": BOOKS["判定用紙_判定者1.xlsx"]}


def test_names_are_hidden_in_the_profile_too_unless_asked_for():
    assert all("みまもり" not in card.company for card in POOL.cards)
    assert "〔名前〕は、" in POOL.cards[0].company
    shown = pool([examples.run(1)], with_names=True)
    assert all(card.company.startswith("株式会社みまもり") for card in shown.cards)


def test_names_of_judges_must_differ_and_fit_a_file():
    assert judge_names(2) == ("判定者1", "判定者2")
    assert judge_names(names=["山田", "鈴木"]) == ("山田", "鈴木")
    for names in (["山田", "山田"], ["a/b"], [""], [DECIDED], ["甲", "Ａ", "A"], [".."]):
        with pytest.raises(MatcherError, match="判定者の名前"):
            judge_names(names=names)
    with pytest.raises(MatcherError, match="同時に"):
        judge_names(2, ["山田"])
    with pytest.raises(MatcherError, match="1以上"):
        judge_names(0)


@pytest.mark.parametrize("judge", JUDGES)
def test_three_hundred_pairs_come_back_sorted_and_with_columns_moved(judge, tmp_path):
    book, told = examples.filled(BOOKS[f"判定用紙_{judge}.xlsx"], seed=JUDGES.index(judge))
    path = tmp_path / "返却.xlsx"
    path.write_bytes(examples.reordered(book, seed=7))
    check_return(read_back(path), told, judge)


def check_return(found, told, judge):
    cards = examples.by_id(POOL.cards)
    assert told.keys() == cards.keys()
    wanted = set()
    for card_id, (written, reason, memo) in told.items():
        grade, is_unsure = examples.expected(written)
        if grade is not None or is_unsure or reason or memo:
            card = cards[card_id]
            wanted.add(
                Judgement(
                    issue_id=card.issue_id,
                    company_id=card.company_id,
                    judge=judge,
                    grade=grade,
                    is_unsure=is_unsure,
                    reason=reason,
                    memo=memo,
                )
            )
    assert set(found.judgements) == wanted
    assert len(found.judgements) == len(wanted)
    assert (found.pairs, found.faulty, found.missing) == (300, 0, 0)
    assert found.graded == sum(examples.expected(v[0])[0] is not None for v in told.values())
    assert found.unsure == sum(v[0] == "わからない" for v in told.values())
    accounts(found)
    assert found.faults == ()
    assert set(found.cards) == set(POOL.cards)


# No package index has LibreOffice; without it openpyxl's walk above stands for what a person does.
@pytest.mark.skipif(office.SOFFICE is None, reason="soffice (LibreOffice) is not installed")
@pytest.mark.parametrize("suffix", ["xlsx", "ods"])
def test_what_libreoffice_stores_is_read_back(suffix, tmp_path):
    book, told = examples.filled(BOOKS["判定用紙_判定者1.xlsx"], seed=4)
    path = tmp_path / "判定.xlsx"
    path.write_bytes(examples.reordered(book, seed=5))
    stored = office.convert(path, suffix, tmp_path / "stored")
    check_return(read_back(stored), told, "判定者1")


def test_rows_sorted_and_filtered_in_libreoffice_keep_every_id_and_grade(tmp_path):
    # LibreOffice sorts and filters only through uno, which comes with it or as python3-uno, and
    # from no package index; the same with openpyxl runs everywhere.
    if office.SOFFICE is None:
        # No package index has LibreOffice, see above.
        pytest.skip("soffice (LibreOffice) is not installed")
    python = office.uno_python()
    if python is None:
        # It comes with LibreOffice's system packages alone; the test above needs none of it.
        pytest.skip("no Python here can import uno (package python3-uno)")
    wanted = {}
    for seed, judge in enumerate(JUDGES):
        book, wanted[judge] = examples.filled(BOOKS[f"判定用紙_{judge}.xlsx"], seed=seed)
        (tmp_path / f"{judge}.xlsx").write_bytes(examples.saved(book))
    paths = [tmp_path / f"{judge}.xlsx" for judge in JUDGES]
    hidden = office.sort_and_filter(python, paths, tmp_path / "stored")
    assert all(rows > 100 for rows in hidden)  # the filter was on when it was stored
    for judge in JUDGES:
        for suffix in ("xlsx", "ods"):
            stored = tmp_path / "stored" / f"{judge}.{suffix}"
            check_return(read_back(stored), wanted[judge], judge)
        sheet = openpyxl.load_workbook(tmp_path / "stored" / f"{judge}.xlsx")["判定"]
        assert [sheet.cell(y, 1).value for y in range(2, 302)] != list(range(1, 301))


@pytest.mark.parametrize(
    ("given", "grade"),
    [(3, 3), (3.0, 3), ("3", 3), ("３", 3), (" 2 ", 2), ("2.0", 2), (0, 0), ("０", 0)],
)
def test_grade_is_read_as_people_write_it(given, grade, tmp_path):
    found = read_back(small_book(tmp_path, (given, "", "")))
    assert [one.grade for one in found.judgements] == [grade]
    assert accounts(found) == (6, 1, 0, 5, 0)


@pytest.mark.parametrize("given", [4, -1, 2.5, "良い", "1か2", "TRUE", "３点"])
def test_wrong_grade_is_named_with_its_row(given, tmp_path):
    found = read_back(small_book(tmp_path, (1, "", ""), (given, "", "大事なメモ")))
    assert accounts(found) == (6, 1, 0, 4, 1)
    (fault,) = found.faults
    assert (fault.file, fault.sheet, fault.row, fault.column) == ("甲.xlsx", "判定", 3, "評点")
    assert fault.severity == "除外"
    assert str(given).removesuffix(".0") in fault.problem


def test_unsure_and_remarks_without_a_grade_are_kept(tmp_path):
    found = read_back(small_book(tmp_path, ("わからない", "", ""), (None, "対象が違う", "要確認")))
    assert accounts(found) == (6, 0, 1, 5, 0)
    assert {(one.grade, one.is_unsure, one.reason, one.memo) for one in found.judgements} == {
        (None, True, "", ""),
        (None, False, "対象が違う", "要確認"),
    }


def test_deleted_rows_are_counted(tmp_path):
    path = rewritten(small_book(tmp_path, (1, "", "")), lambda sheet: sheet.delete_rows(3, 2))
    found = read_back(path)
    assert (found.missing, accounts(found)) == (2, (6, 1, 0, 5, 0))


def test_unknown_and_missing_ids_are_named_when_something_is_said(tmp_path):
    def change(sheet):
        sheet["I2"].value = "J-0000000000"
        sheet["I3"].value = None
        sheet["I4"].value = None

    path = rewritten(small_book(tmp_path, (1, "", ""), (2, "", "")), change)
    found = read_back(path)
    assert [(f.row, f.severity) for f in found.faults] == [(2, "除外"), (3, "除外")]
    assert "J-0000000000" in found.faults[0].problem
    assert (found.missing, accounts(found)) == (3, (6, 0, 0, 6, 0))


def test_id_written_twice_with_two_grades_is_no_judgement(tmp_path):
    def double(grade):
        def change(sheet):
            row = [cell.value for cell in sheet[2]]
            row[5] = grade
            sheet.append(row)

        return change

    path = rewritten(small_book(tmp_path, (1, "", "")), double(3))
    found = read_back(path)
    assert [(f.row, f.severity) for f in found.faults] == [(2, "除外"), (8, "除外")]
    assert "2行目、8行目" in found.faults[0].problem
    assert accounts(found) == (6, 0, 0, 5, 1)
    for grade, faults in ((1, ["警告"]), (None, ["警告"])):
        found = read_back(rewritten(small_book(tmp_path, (1, "", "")), double(grade)))
        assert [fault.severity for fault in found.faults] == faults
        assert accounts(found) == (6, 1, 0, 5, 0)
    found = read_back(rewritten(small_book(tmp_path, (1, "", "")), double(9)))
    assert [fault.row for fault in found.faults] == [2, 8]
    assert accounts(found) == (6, 0, 0, 5, 1)


def test_columns_sorted_without_the_others_are_noticed(tmp_path):
    def change(sheet):
        sheet["I2"].value, sheet["I3"].value = sheet["I3"].value, sheet["I2"].value

    found = read_back(rewritten(small_book(tmp_path, (1, "", ""), (2, "", "")), change))
    assert [fault.row for fault in found.faults] == [2, 3]
    assert "配ったときのものと違います" in found.faults[0].problem
    assert accounts(found) == (6, 0, 0, 4, 2)


def test_without_the_columns_of_texts_that_is_said_and_the_rest_is_read(tmp_path):
    path = rewritten(small_book(tmp_path, (1, "", "")), lambda sheet: sheet.delete_cols(4))
    found = read_back(path)
    assert [(f.row, f.severity) for f in found.faults] == [(None, "警告")]
    assert (found.graded, found.cards) == (1, ())


def test_reason_of_ones_own_is_kept_and_said(tmp_path):
    found = read_back(small_book(tmp_path, (1, "遠い", "")))
    assert found.judgements[0].reason == "遠い"
    assert [(f.row, f.severity) for f in found.faults] == [(2, "警告")]


def test_file_that_is_no_workbook_of_ours_is_refused(tmp_path):
    path = small_book(tmp_path, (1, "", ""))
    book = openpyxl.load_workbook(path)
    del book["鍵"]
    book.save(path)
    with pytest.raises(DataError, match="対応表"):
        read_back(path)
    other = tmp_path / "表.csv"
    other.write_text("課題ID,課題名\n1,あ\n", encoding="utf-8")
    with pytest.raises(DataError, match="company_id"):
        read_back(other)


def test_judgements_come_back_from_their_table(tmp_path):
    told = [
        Judgement(issue_id="01", company_id="001", judge="甲", grade=3, memo="=1+1\n,二行目"),
        Judgement(issue_id="01", company_id="001", judge="乙", grade=None, is_unsure=True),
        Judgement(issue_id="01", company_id="002", judge="乙", grade=None, reason="対象が違う"),
    ]
    path = tmp_path / "judgements.csv"
    path.write_bytes(judgements_csv(told))
    assert path.read_bytes().startswith(b"\xef\xbb\xbfissue_id,company_id,judge,grade,")
    assert b",=1" not in path.read_bytes()
    found = read_back(path)
    assert sorted(found.judgements, key=told.index) == told
    assert accounts(found) == (3, 1, 1, 1, 0)
    path.write_bytes(path.read_bytes() + "01,003,甲,9,,\r\n01,,甲,1,,\r\n".encode())
    found = read_back(path)
    assert accounts(found) == (5, 1, 1, 1, 2)
    assert [fault.row for fault in found.faults] == [5, 6] or len(found.faults) == 2


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["01", "02", ""]),
            st.sampled_from(["甲", "乙"]),
            st.sampled_from(["0", "3", "２", "わからない", "", "4", "良", " 1.0 "]),
            st.sampled_from(["", "メモ", "=1", "改\n行", '"引用"', "@"]),
        ),
        min_size=1,
    )
)
def test_every_row_of_a_table_is_in_one_count(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("表") / "judgements.csv"
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        lines = csv.writer(file)
        lines.writerow(["issue_id", "company_id", "judge", "grade", "memo"])
        lines.writerows((issue, "c", judge, grade, memo) for issue, judge, grade, memo in rows)
    found = read_back(path)
    assert accounts(found)[0] == len(rows)
    assert found.faulty == sum(not row[0] or row[2] in ("4", "良") for row in rows)
    assert len(found.faults) == found.faulty
    back = path.with_name("back.csv")
    back.write_bytes(judgements_csv(found.judgements))
    if found.judgements:
        assert read_back(back).judgements == found.judgements


def test_round_settles_what_judges_agree_on_and_asks_about_the_rest(tmp_path):
    one = small_book(tmp_path, (3, "", ""), (2, "", ""), (0, "対象が違う", ""), judge="甲")
    other = small_book(tmp_path, (3, "", ""), (3, "", ""), (3, "", "実例あり"), judge="乙")
    out = tmp_path / "out"
    done = settle_files([one, other], out)
    assert done.written == ("qrels.tsv", "judgements.csv", "不一致.xlsx")
    a, b, c = SMALL.cards[:3]
    assert read_qrels(out / "qrels.tsv") == {a.issue_id: {a.company_id: 3, b.company_id: 2}}
    sheet = openpyxl.load_workbook(out / "不一致.xlsx")["不一致"]
    header, row = sheet.iter_rows(values_only=True)
    seen = dict(zip(header, row, strict=True))
    assert (seen["評点：甲"], seen["評点：乙"]) == ("0", "3")
    assert (seen["理由とメモ：甲"], seen["理由とメモ：乙"]) == ("対象が違う", "実例あり")
    assert (seen["課題"], seen["判定ID"], seen["決定"]) == (c.title, c.id, None)

    with pytest.raises(ForeignOutput, match="--overwrite"):
        settle_files([one, other], out)
    decided = tmp_path / "決めた.xlsx"
    book = openpyxl.load_workbook(out / "不一致.xlsx")
    book["不一致"].cell(2, header.index("決定") + 1).value = 1
    book["不一致"].cell(2, header.index("メモ") + 1).value = "会議で決めた"
    book.save(decided)
    with pytest.raises(ForeignOutput, match="失われます"):
        settle_files([one], out, overwrite=True)
    done = settle_files([one, other, decided], out, overwrite=True)
    assert done.settlement.decided == 1
    assert read_qrels(out / "qrels.tsv")[c.issue_id][c.company_id] == 1
    assert not (out / "不一致.xlsx").exists()
    again = settle_files([out / "judgements.csv"], tmp_path / "again")
    assert again.settlement == done.settlement
    for name in ("qrels.tsv", "judgements.csv"):
        assert (tmp_path / "again" / name).read_bytes() == (out / name).read_bytes()


def test_decisions_that_nobody_handed_in_are_not_overwritten(tmp_path):
    one = small_book(tmp_path, (0, "", ""), judge="甲")
    other = small_book(tmp_path, (3, "", ""), judge="乙")
    settle_files([one, other], tmp_path / "out")
    path = tmp_path / "out" / "不一致.xlsx"
    book = openpyxl.load_workbook(path)
    sheet = book["不一致"]
    sheet.cell(2, examples.cell_of(sheet, "決定")).value = 2
    book.save(path)
    with pytest.raises(ForeignOutput, match=r"不一致.xlsx にある判定のうち1件が失われます"):
        settle_files([one, other], tmp_path / "out", overwrite=True)


def test_disagreement_without_texts_is_named_by_its_ids(tmp_path):
    path = tmp_path / "judgements.csv"
    path.write_bytes(
        judgements_csv(
            Judgement(issue_id="01", company_id="001", judge=judge, grade=grade)
            for judge, grade in (("甲", 0), ("乙", 3))
        )
    )
    settle_files([path], tmp_path / "out")
    book = openpyxl.load_workbook(tmp_path / "out" / "不一致.xlsx")
    assert book["不一致"]["B2"].value == "課題ID 01"


def test_comparison_takes_the_other_reasons_from_beside_the_grades(tmp_path):
    teacher = small_book(tmp_path, (3, "困りごとに合う", ""), (1, "", ""), judge="師")
    out = tmp_path / "out"
    settle_files([teacher], out)
    learner = small_book(tmp_path, (0, "対象が違う", "高齢者向け"), (1, "", ""), judge="弟子")
    returned, (found,) = compare_files([learner], out / "qrels.tsv")
    assert len(returned) == 1
    (gap,) = found.gaps
    assert (gap.settled, gap.grade) == (3, 0)
    assert (gap.settled_reason, gap.reason) == ("困りごとに合う", "対象が違う：高齢者向け")


def test_workbooks_are_not_overwritten_unless_asked(tmp_path):
    runs = [examples.run(1, issues=1)]
    given = give_out(runs, tmp_path, judges=("甲", "乙"))
    assert given.files == ("判定用紙_甲.xlsx", "判定用紙_乙.xlsx")
    assert (given.pairs, given.issues, given.settled) == (10, 1, 0)
    with pytest.raises(ForeignOutput, match="判定用紙_乙"):
        give_out(runs, tmp_path, judges=("丙", "乙"))
    assert not (tmp_path / "判定用紙_丙.xlsx").exists()
    give_out(runs, tmp_path, judges=("丙", "乙"), overwrite=True)
    with pytest.raises(ForeignOutput, match="ファイルです"):
        give_out(runs, tmp_path / "判定用紙_丙.xlsx", judges=("甲",))


def test_two_pairs_never_share_an_id(monkeypatch):
    monkeypatch.setattr("matcher.label.Card.id", "J-0000000000")
    with pytest.raises(MatcherError, match="J-0000000000 が2組に重なります"):
        pool([examples.run(1, issues=1, places=2)])


def test_a_file_of_somebody_else_is_overwritten_when_asked(tmp_path):
    (tmp_path / "judgements.csv").write_text("メモ\n買い物\n", encoding="utf-8")
    (tmp_path / "qrels.tsv").mkdir()
    one = small_book(tmp_path, (3, "", ""))
    with pytest.raises(ForeignOutput, match="qrels"):
        settle_files([one], tmp_path, overwrite=True)
    (tmp_path / "qrels.tsv").rmdir()
    done = settle_files([one], tmp_path, overwrite=True)
    assert done.settlement.agreed == 1
    assert not [path for path in tmp_path.iterdir() if path.suffix == ".part"]
