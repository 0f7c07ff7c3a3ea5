"""Runs and judgements come in from wherever they are held, and go out again as they came."""

import math
import re

import pandas
import polars
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from report_examples import FULL, NOBODY_PASSED, RANKED

from matcher.errors import DataError
from matcher.fields import read_id
from matcher.run import load_run, write_run
from matcher.trec import qrels_lines, read_qrels, read_run, run_lines, run_rows

FRAMES = pytest.mark.parametrize("frame", [pandas.DataFrame, polars.DataFrame])
RUN = {"i-1": {"c-2": 2.5, "c-1": -0.25}, "i-2": {"0042": 0.1}}
QRELS = {"i-1": {"c-1": 3, "c-2": 0}, "i-2": {"0042": 1}}
LISTS = (RANKED, NOBODY_PASSED)  # the second has no place
PLACES = {"0017": {"0123456789012": 3.41, "0000000000042": 1.0}, "0018": {}}
RUN_NAMES = [
    ("issue_id", "company_id", "score"),
    ("query_id", "doc_id", "score"),  # ir_measures
    ("q_id", "doc_id", "score"),  # ranx
    ("qid", "docno", "score"),  # PyTerrier
    ("課題ID", "企業ID", "得点"),
    ("Issue ID", "ＣＯＭＰＡＮＹ＿ＩＤ", "Score"),
]
QRELS_NAMES = [
    ("issue_id", "company_id", "grade"),
    ("query_id", "doc_id", "relevance"),
    ("q_id", "doc_id", "score"),
    ("qid", "docno", "label"),
    ("課題ID", "企業ID", "評価"),
]


def columns(names, values):
    """The columns of a frame, another one among them."""
    rows = [(issue, company, value) for issue in values for company, value in values[issue].items()]
    told = dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))
    return {"rank": list(range(len(rows)))} | told


def run_of(*rows):
    return dict(zip(("issue_id", "company_id", "score"), zip(*rows, strict=True), strict=True))


def qrels_of(*rows):
    return dict(zip(("issue_id", "company_id", "grade"), zip(*rows, strict=True), strict=True))


# Frames


@FRAMES
@pytest.mark.parametrize("names", RUN_NAMES)
def test_run_of_a_frame_is_read_under_the_names_of_other_libraries(frame, names):
    assert read_run(frame(columns(names, RUN))) == RUN


@FRAMES
@pytest.mark.parametrize("names", QRELS_NAMES)
def test_qrels_of_a_frame_are_read_under_the_names_of_other_libraries(frame, names):
    assert read_qrels(frame(columns(names, QRELS))) == QRELS


@FRAMES
def test_relevance_counts_before_a_score_beside_it(frame):
    table = columns(("query_id", "doc_id", "relevance"), QRELS) | {"score": [0.5, 0.25, 9.0]}
    assert read_qrels(frame(table)) == QRELS


@FRAMES
@pytest.mark.parametrize("source", [RUN, LISTS], ids=["mapping", "shortlists"])
def test_rows_make_a_frame_that_is_read_as_the_run_again(frame, source):
    table = frame(run_rows(source))
    assert list(table.columns) == ["issue_id", "company_id", "rank", "score"]
    placed = {issue: places for issue, places in read_run(source).items() if places}
    assert read_run(table) == placed


def test_rows_have_ranks_and_keep_the_order_of_equal_scores():
    rows = run_rows({"i": {"b": 1.0, "a": 1.0, "c": 2.0}})
    assert [(row["rank"], row["company_id"]) for row in rows] == [(1, "c"), (2, "b"), (3, "a")]


@FRAMES
def test_ids_of_a_frame_are_read_as_those_of_a_table(frame):
    table = frame(run_of((" ｉ－１", "株 式", 1.0), ("0017", "a\u3000b", 2.0)))
    assert read_run(table) == {"i-1": {"株_式": 1.0}, "0017": {"a_b": 2.0}}


def test_ids_that_a_gap_turned_into_floats_are_those_numbers():
    numbers = pandas.Series([1234567890123, None])  # what pandas makes of it are floats
    assert numbers.dtype == float
    table = pandas.DataFrame({"issue_id": [17.0], "company_id": numbers[:1], "score": [1]})
    assert read_run(table) == {"17": {"1234567890123": 1.0}}


@FRAMES
@pytest.mark.parametrize("grades", [[3.0, 0.0, 1.0], ["3", "０", "1"]])
def test_grades_may_be_whole_floats_or_texts(frame, grades):
    table = columns(("issue_id", "company_id", "x"), QRELS) | {"grade": grades}
    assert read_qrels(frame(table)) == QRELS


@FRAMES
@pytest.mark.parametrize(
    ("read", "table", "says"),
    [
        (
            read_run,
            {"issue_id": ["i"], "score": [1.0]},
            r"^表に company_id の列がありません（ある列: issue_id、score）。company_id / doc_id / "
            r".* のどれかの名前にしてください。$",
        ),
        (
            read_run,
            {"issue_id": ["i"], "doc_id": ["c"]},
            "^表に score の列がありません（ある列: issue_id、doc_id）。",
        ),
        (read_qrels, {"docid": ["c"], "rel": [1]}, "^表に issue_id の列がありません"),
        (
            read_run,
            run_of(("i", "c", 1.0), ("i", "d", math.nan)),
            "^結果の表の2行目は得点「nan」が数ではありません。直してください。$",
        ),
        (read_run, run_of(("i", "c", math.inf)), "^結果の表の1行目は得点「inf」が数では"),
        (read_run, run_of(("i", "c", "高い")), "^結果の表の1行目は得点「高い」が数では"),
        (
            read_run,
            run_of(("i", "c", 1.0), ("i", "ｃ ", 2.0)),
            r"^結果の表の2行目は同じ組（i と c）の2度目です。直してください。$",
        ),
        (read_run, run_of(("i", None, 1.0)), "^結果の表の1行目は課題IDか企業IDが空です。直して"),
        (read_run, run_of(("　", "c", 1.0)), "^結果の表の1行目は課題IDか企業IDが空です。"),
        (read_run, run_of((math.nan, "c", 1.0)), "^結果の表の1行目は課題IDか企業IDが空です。"),
        (read_qrels, qrels_of(("i", "c", 4)), r"^判定の表の1行目: 評価は0〜3です（4 は使えません"),
        (read_qrels, qrels_of(("i", "c", 0), ("i", "d", -1)), "^判定の表の2行目: 評価は0〜3です"),
        (read_qrels, qrels_of(("i", "c", 2.5)), r"（2\.5 は使えません）。$"),
        (read_qrels, qrels_of(("i", "c", math.nan)), "（nan は使えません）。$"),
        (
            read_qrels,
            qrels_of(("i", "c", 3), ("i", "c", 1)),
            "^判定の表の2行目: i と c に違う評価が2つあります。1つにしてください。$",
        ),
        (
            read_qrels,
            qrels_of((None, "c", 3)),
            "^判定の表の1行目: 課題IDか企業IDが空です。入れてください。$",
        ),
        (
            read_qrels,
            {"issue_id": [], "company_id": [], "grade": []},
            "^判定の表に行がありません。課題ID・企業ID・評点の行を入れてください。$",
        ),
    ],
)
def test_frame_that_cannot_be_read_says_why(frame, read, table, says):
    with pytest.raises(DataError, match=says):
        read(frame(table))


def test_missing_id_of_the_nullable_types_of_pandas_is_empty():
    table = pandas.DataFrame(run_of(("i", "c", 1.0)))
    table["company_id"] = pandas.array([None], dtype="Int64")
    with pytest.raises(DataError, match="企業IDが空です"):
        read_run(table)


@FRAMES
def test_frame_without_rows_is_a_run_of_nothing(frame):
    assert read_run(frame({"issue_id": [], "company_id": [], "score": []})) == {}


# Mappings and shortlists


def test_shortlists_are_a_run_with_an_empty_list_where_nobody_stands():
    assert read_run(LISTS) == read_run(iter(LISTS)) == PLACES


def test_mapping_stays_as_it_is_and_is_not_shared():
    run = {"i 1": {"ｃ": 1.0}, "i-2": {}}
    found = read_run(run)
    assert found == run
    found["i 1"]["other"] = 0.0
    assert run == {"i 1": {"ｃ": 1.0}, "i-2": {}}
    assert read_qrels(QRELS) == QRELS
    assert read_qrels({}) == {}


def test_whole_grades_of_a_mapping_are_numbers_without_a_fraction():
    (grade,) = read_qrels({"i": {"c": 3.0}})["i"].values()
    assert (grade, type(grade)) == (3, int)


@pytest.mark.parametrize("score", [math.nan, -math.inf, None, "高い"])
def test_score_of_a_mapping_is_a_number(score):
    says = f"^課題 i と企業 c の得点「{score}」が数ではありません。直してください。$"
    with pytest.raises(DataError, match=says):
        read_run({"i": {"b": 1.0, "c": score}})


@pytest.mark.parametrize("grade", [4, -1, 2.5, math.nan, None, "3"])
def test_grade_of_a_mapping_is_one_of_four(grade):
    says = re.escape(f"課題 i と企業 c の評価: 評価は0〜3です（{grade} は使えません）。")
    with pytest.raises(DataError, match=says):
        read_qrels({"i": {"c": grade}})


# ranx


@pytest.fixture(scope="module")
def ranx():
    """It compiles itself for 20 s in every process: only where it is asked for."""
    import ranx

    return ranx


def test_run_of_ranx_comes_in(ranx):
    assert read_run(ranx.Run(RUN)) == RUN
    assert read_run(ranx.Run({"０1": {"株 式": 1.0}})) == {"01": {"株_式": 1.0}}


def test_qrels_of_ranx_come_in(ranx):
    found = read_qrels(ranx.Qrels(QRELS))
    assert found == QRELS
    assert {type(grade) for grades in found.values() for grade in grades.values()} == {int}


def test_grade_of_ranx_beyond_three_is_refused(ranx):
    with pytest.raises(DataError, match=r"^判定の表の1行目: 評価は0〜3です"):
        read_qrels(ranx.Qrels({"i": {"c": 4}}))


def test_shortlists_and_qrels_go_out_to_ranx_and_come_back(ranx):
    placed = {issue: scores for issue, scores in read_run(LISTS).items() if scores}
    run = ranx.Run(placed)  # it takes no issue without places
    assert list(run["0017"]) == ["0123456789012", "0000000000042"]
    assert read_run(run) == placed
    assert read_qrels(ranx.Qrels(read_qrels(QRELS))) == QRELS


@FRAMES
def test_frame_goes_out_to_ranx(ranx, frame):
    table = frame(run_rows(RUN))
    assert read_run(ranx.Run(read_run(table))) == RUN


class Told:
    """A run of another library, with an issue that has no places."""

    def to_dict(self):
        return {"i": {"c": math.nan}} if self.is_wrong else {"i 1": {"c": 1}, "i 2": {}}

    def __init__(self, is_wrong=False):
        self.is_wrong = is_wrong


def test_whatever_tells_a_mapping_of_mappings_is_read():
    assert read_run(Told()) == {"i_1": {"c": 1.0}, "i_2": {}}
    with pytest.raises(DataError, match="得点「nan」が数ではありません"):
        read_run(Told(is_wrong=True))


# TREC files

# Blanks, full width, what NFKC joins, zeros in front, and marks of the format itself.
IDS = st.text("0１1aＡ \u3000\tｶﾞ神Q-_T#", min_size=1, max_size=6).filter(read_id)
SCORES = st.floats(-1e6, 1e6).map(lambda score: round(score, 6) + 0.0)


def files(grades):
    return st.dictionaries(
        IDS, st.dictionaries(IDS, grades, min_size=1, max_size=3), min_size=1, max_size=3
    )


def folded(values):
    """The same with ids as a table gives them; only where none of them fall together."""
    found = {read_id(i): {read_id(c): v for c, v in those.items()} for i, those in values.items()}
    assume(len(found) == len(values))
    assume(all(map(lambda one, other: len(one) == len(other), found.values(), values.values())))
    return found


@given(files(SCORES))
def test_run_is_the_same_after_a_trec_file(tmp_path_factory, run):
    expected = folded(run)
    path = tmp_path_factory.mktemp("trec") / "run.trec"
    path.write_text(run_lines(run), encoding="utf-8")
    assert read_run(path) == expected
    assert run_lines(path) == run_lines(expected)


@given(files(st.integers(0, 3)))
def test_qrels_are_the_same_after_a_trec_file(tmp_path_factory, qrels):
    expected = folded(qrels)
    path = tmp_path_factory.mktemp("trec") / "qrels.tsv"
    path.write_text(qrels_lines(qrels), encoding="utf-8")
    assert read_qrels(path) == expected
    assert qrels_lines(path) == qrels_lines(expected)


@given(files(SCORES))
def test_run_is_the_same_after_a_frame(run):
    expected = folded(run)
    assert read_run(pandas.DataFrame(run_rows(run))) == expected
    assert read_run(polars.DataFrame(run_rows(run))) == expected


def test_file_of_a_run_folder_is_its_run(tmp_path):
    write_run(tmp_path / "out", [FULL], [], {})
    expected = read_run([FULL])
    assert read_run(tmp_path / "out") == read_run(str(tmp_path / "out")) == expected
    assert read_run(tmp_path / "out" / "run.trec") == read_run(load_run(tmp_path / "out"))


def test_lines_are_those_of_trec():
    assert run_lines({"i 1": {"c\u3000a": 0.5, "b": 2}}, name="甲 乙") == (
        "i_1 Q0 b 1 2.000000 甲_乙\ni_1 Q0 c_a 2 0.500000 甲_乙\n"
    )
    assert qrels_lines({"b": {"y": 1, "x": 0}, "a": {"z": 3}}) == (
        "a\t0\tz\t3\nb\t0\tx\t0\nb\t0\ty\t1\n"
    )


def test_byte_order_mark_is_no_part_of_an_id(tmp_path):
    (tmp_path / "r.trec").write_text("i-1 Q0 c-1 1 0.5 x\n", encoding="utf-8-sig")
    assert read_run(tmp_path / "r.trec") == {"i-1": {"c-1": 0.5}}


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ("i Q0 c 1 0.5\n", r"の1行目はTRECの形（課題ID Q0 企業ID 順位 得点 名前）ではありません。"),
        ("i Q0 c 1 0.5 x\n\n", "の2行目はTRECの形"),
        ("i Q0 c 1 nan x\n", "の1行目は得点「nan」が数ではありません。直してください。$"),
        ("i Q0 c 1 1 x\ni Q0 c 2 0 x\n", "の2行目は同じ組（i と c）の2度目です。"),
    ],
)
def test_wrong_line_of_a_run_is_named(tmp_path, lines, says):
    (tmp_path / "r.trec").write_text(lines, encoding="utf-8")
    with pytest.raises(DataError, match=says):
        read_run(tmp_path / "r.trec")


def test_run_that_is_not_there_or_no_text_is_refused(tmp_path):
    (tmp_path / "r.trec").write_bytes(b"\xff\xfe\x00")
    for path in (tmp_path / "none", tmp_path, tmp_path / "r.trec"):
        with pytest.raises(DataError, match=r"を読めません。実行結果のフォルダーか run\.trec を"):
            read_run(path)


def test_judgements_are_read_with_any_blanks(tmp_path):
    (tmp_path / "q.tsv").write_text("i1 0 c1 3\r\n\ni1\t0\tc2  0\ni1 0 c1 3\n", encoding="utf-8")
    assert read_qrels(tmp_path / "q.tsv") == {"i1": {"c1": 3, "c2": 0}}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("i1 0 c1 3\ni1 0 c2\n", "2行目.*4つ"),
        ("i1 0 c1 4\n", "1行目: 評価は0〜3"),
        ("i1 0 c1 x\ni1 0\n", "1行目.*ほかに1行"),
        ("i1 0 c1 3\ni1 0 c1 1\n", "2行目.*違う評価"),
        ("\n", "評価がありません"),
    ],
)
def test_a_wrong_judgement_names_its_line(tmp_path, text, says):
    (tmp_path / "q.tsv").write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=says):
        read_qrels(tmp_path / "q.tsv")
