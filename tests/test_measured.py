from io import StringIO

import pytest
from openpyxl import load_workbook
from rich.cells import cell_len
from rich.console import Console

from matcher.evaluation import evaluate
from matcher.evaluation.effects import Variant, tell_apart
from matcher.report import measured
from matcher.report.evaluation_book import evaluation_book
from matcher.types import Company, Constraint, Entry, Issue, Shortlist

QRELS = {f"i{n:02}": {"x": 3, "y": 1} for n in range(24)}
GOOD = {issue: {"x": 2.0, "y": 1.0} for issue in QRELS}
MIXED = GOOD | {f"i{n:02}": {"y": 2.0, "x": 1.0} for n in range(9)} | {"i20": {}}
TITLES = dict.fromkeys(QRELS, "山あいの集落で 買い物に困る人を支える仕組みを広げたい") | {
    "i03": '=HYPERLINK("x")'
}
SLICES = {
    "分野": {issue: ("福祉" if issue < "i20" else "交通",) for issue in QRELS},
    "都道府県": {issue: (f"{issue}県",) for issue in QRELS},
}


def shown(print_it, *arguments, width=80):
    target = StringIO()
    print_it(Console(file=target, width=width, highlight=False), *arguments)
    return target.getvalue()


@pytest.fixture(scope="module")
def found():
    run = {issue: places for issue, places in MIXED.items() if issue != "i21"}
    return evaluate(
        run | {"unjudged": {"x": 1.0}}, QRELS, others={"前の版": GOOD, "同じ版": run}, slices=SLICES
    )


def shortlist(issue_id, *names):
    issue = Issue(issue_id=issue_id, title="題", description="文")
    entries = tuple(
        Entry(
            rank=at, company=Company(company_id=name, name=name, profile="文"), score=9.0 - at,
            parts={}, shared_sdgs=frozenset(), region_reason="", evidence=(),
        )
        for at, name in enumerate(names, start=1)
    )  # fmt: skip
    return Shortlist(
        issue=issue, constraint=Constraint(), status="ranked", considered=3, excluded={},
        entries=entries,
    )  # fmt: skip


@pytest.fixture(scope="module")
def effects():
    product = [shortlist(issue, "x", "y") for issue in QRELS]
    turned = [shortlist("i00", "y", "x"), *product[1:]]
    return tell_apart(
        product,
        {
            Variant(name="dense", kind="off"): [shortlist(issue, "y", "x") for issue in QRELS],
            Variant(name="reader", kind="weight", factor=1.1): turned,
            Variant(name="region rule", kind="off"): product,
        },
        QRELS,
        skipped=[Variant(name="sdgs", kind="weight", factor=1.5)],
    )


def test_no_line_is_wider_than_a_terminal(found, effects):
    told = shown(measured.print_evaluation, found, TITLES)
    told += shown(measured.print_ablation, effects, TITLES)
    wide = [line for line in told.splitlines() if cell_len(line.rstrip()) > 80]
    assert wide == []


def test_what_does_not_count_is_said(found):
    told = shown(measured.print_evaluation, found, TITLES)
    assert "候補のない課題 2件は0点として数えています（i20、i21）" in told
    assert "うち 1件は結果にありません" in told
    assert "判定のない課題 1件は数えていません" in told
    assert "判定次第の幅" in told


def test_issues_to_read_are_named_with_their_titles(found):
    told = shown(measured.print_evaluation, found, TITLES)
    assert "前の版 との差（同じ課題 23件）" in told
    assert "下がった課題（nDCG@10、10件）" in told
    assert "i20 山あいの集落で" in told
    assert "上がった課題" not in told


def test_groups_of_few_issues_have_no_interval_and_long_slices_are_counted(found):
    told = shown(measured.print_evaluation, found, TITLES)
    traffic = next(line for line in told.splitlines() if line.startswith("交通"))
    assert traffic.split()[-1] == "－"
    assert "都道府県は24区分あります" in told


def test_effects_are_named_in_japanese(effects):
    told = shown(measured.print_ablation, effects, TITLES)
    assert "意味の近さ なし" in told
    assert "読み合わせの重み +10%" in told
    assert "地域の条件 なし" in told
    assert "SDGsの重み +50% は、設定の上限を超えるため試していません" in told
    assert "僅差の課題 1件" in told
    assert "読み合わせ" in told.splitlines()[-1]


def test_few_issues_are_warned_of():
    few = evaluate({"a": {"x": 1.0}}, {"a": {"x": 3}})
    assert any("20件に満たない" in told for told in measured.sentences(few))


def test_chance_is_told_without_false_precision():
    assert [measured.chance(p) for p in (None, 0.0002, 0.04, 1.0)] == [
        "",
        "<0.001",
        "0.040",
        "1.000",
    ]


# The workbook


@pytest.fixture(scope="module")
def book(found, effects, tmp_path_factory):
    path = tmp_path_factory.mktemp("book") / "b.xlsx"
    path.write_bytes(evaluation_book(found, TITLES, effects))
    return load_workbook(path)


def rows(sheet):
    header, *others = sheet.iter_rows(values_only=True)
    return [dict(zip(header, row, strict=True)) for row in others]


def test_workbook_has_a_sheet_for_each_question(book):
    assert book.sheetnames == [
        "指標", "比較", "変わった課題", "課題別", "区分別", "感度", "僅差", "説明",
    ]  # fmt: skip


def test_figures_are_those_of_the_evaluation(book, found, effects):
    for row in rows(book["指標"]):
        mean = found.means[row["指標"]]
        assert (row["平均"], row["下限"], row["上限"]) == (mean.mean, mean.low, mean.high)
    values = {row["課題ID"]: row["nDCG@10"] for row in rows(book["課題別"])}
    assert values == found.values["nDCG@10"]
    remarks = {row["課題ID"]: row["備考"] for row in rows(book["課題別"]) if row["備考"]}
    assert remarks == {"i20": "候補なし", "i21": "結果にない"}
    assert len(rows(book["比較"])) == 2 * len(found.means)
    assert len(rows(book["区分別"])) == len(found.slice_rows())
    assert len(rows(book["感度"])) == len(effects.rows())


def test_no_cell_is_a_formula_and_codes_are_text(book):
    for sheet in book:
        for row in sheet.iter_rows():
            assert all(cell.data_type != "f" for cell in row)
    titles = [row["課題名"] for row in rows(book["課題別"])]
    assert any(title.startswith("'=HYPERLINK") for title in titles)


def test_equal_evaluations_give_equal_bytes(found, effects):
    assert evaluation_book(found, TITLES, effects) == evaluation_book(found, TITLES, effects)


def test_a_plain_evaluation_has_only_its_own_sheets(tmp_path):
    plain = evaluate(GOOD, QRELS, measures=["NumRet"])
    (tmp_path / "b.xlsx").write_bytes(evaluation_book(plain, {}))
    assert load_workbook(tmp_path / "b.xlsx").sheetnames == ["指標", "課題別", "説明"]


def test_names_of_slices_and_runs_are_no_markup_and_no_escape_sequence():
    names = ("[/]", "[bold]太字[/bold]", "\x1b[31m赤\n二行目")
    slices = {name: {issue: (name,) for issue in QRELS} for name in names}
    hostile = evaluate(GOOD, QRELS, others={name: MIXED for name in names}, slices=slices)
    text = shown(measured.print_evaluation, hostile, TITLES)
    assert text.count("[bold]太字[/bold]") == 3  # a run, a slice and its group
    assert "[/] との差" in text
    assert "[31m赤 二行目 との差" in text
    assert "\x1b" not in text
