import csv
import io
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import xlsxwriter
from examples import LINES, FakeEncoder
from hypothesis import given, settings
from hypothesis import strategies as st

from matcher import text
from matcher.bridge import NEAREST, Bridge, Line, read_lines, shipped
from matcher.errors import DataError

HEADER = ("分野", "困りごと", "解決策")
ROWS = (
    ("見守り", "一人暮らしの高齢者、孤独死", "見守りセンサー、緊急通報"),
    ("移動支援", "坂が多くて外に出られない", "予約配車、乗合タクシー、㈱の送迎"),
)
READ = (
    Line(
        field="見守り",
        problem=("一人暮らしの高齢者", "孤独死"),
        solution=("見守りセンサー", "緊急通報"),
    ),
    Line(
        field="移動支援",
        problem=("坂が多くて外に出られない",),
        solution=("予約配車", "乗合タクシー", "(株)の送迎"),
    ),
)
WORDS = st.text("空き家熊水道バス。 見守", min_size=1, max_size=12)
QUERIES = st.text("空き家熊水道バス見守り高齢者が困る。", max_size=40)


def table(folder, rows=ROWS, header=HEADER, encoding="utf-8", name="橋渡し.csv"):
    written = io.StringIO()
    csv.writer(written).writerows([header, *rows])
    path = folder / name
    path.write_bytes(written.getvalue().encode(encoding))
    return path


def complaint(path):
    """The one sentence, or two, that a person reads."""
    with pytest.raises(DataError) as caught:
        read_lines(path)
    sentence = str(caught.value)
    assert sentence.endswith("。")
    assert "\n" not in sentence
    return sentence


def query_of(question, encoder=None):
    return (encoder or FakeEncoder()).encode_queries([question])[0]


def brute_force(lines, vectors, query):
    """Field, cosine and share of each line met, by plain loops."""
    cosines = []
    for vector in vectors:
        found = sum(float(a) * float(b) for a, b in zip(vector, query, strict=True))
        cosines.append(round(found, 6))
    order = sorted(range(len(lines)), key=lambda at: (-cosines[at], at))[:5]
    heat = [np.exp(cosines[at] / 0.05) for at in order]
    return [(lines[at], one / sum(heat)) for at, one in zip(order, heat, strict=True)]


# Reading


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp932", "utf-16"])
def test_lines_are_read_in_every_encoding(tmp_path, encoding):
    assert read_lines(table(tmp_path, encoding=encoding)) == READ


def test_lines_are_read_from_a_workbook(tmp_path):
    path = tmp_path / "橋渡し.xlsx"
    with xlsxwriter.Workbook(str(path)) as book:
        sheet = book.add_worksheet("表")
        for y, row in enumerate((HEADER, *ROWS)):
            sheet.write_row(y, 0, row)
    assert read_lines(path) == READ


@pytest.mark.parametrize(
    "header",
    [
        ("field", "problem", "solution"),
        ("分野", "困りごとの言葉", "解決の言葉"),
        ("分野（必須）", "課題の言葉", "解決策の言葉"),
    ],
)
def test_columns_have_names_in_both_languages(tmp_path, header):
    assert read_lines(table(tmp_path, header=header)) == READ


def test_columns_stand_in_any_order_among_others(tmp_path):
    rows = [(solution, "覚え", problem, field) for field, problem, solution in ROWS]
    header = ("解決策", "備考", "困りごと", "分野")
    assert read_lines(table(tmp_path, rows, header)) == READ


def test_terms_are_normalised_and_each_stands_once(tmp_path):
    rows = [(" ﾐﾏﾓﾘ ", "、孤独死、 孤独死 ,､ひとり､、", "ＩｏＴ電球、IoT電球、")]
    assert read_lines(table(tmp_path, rows)) == (
        Line(field="ミマモリ", problem=("孤独死", "孤独死 ,", "ひとり"), solution=("IoT電球",)),
    )


def test_name_may_be_a_string(tmp_path):
    assert read_lines(str(table(tmp_path))) == READ


@pytest.mark.parametrize("column", [0, 1, 2])
@pytest.mark.parametrize("blank", ["", " \u3000", "\u200b"])
def test_row_with_an_empty_cell_is_said_with_its_number(tmp_path, column, blank):
    bad = [*ROWS[0]]
    bad[column] = blank
    said = complaint(table(tmp_path, [ROWS[0], bad, ROWS[1]]))
    assert "橋渡し.csv" in said
    assert "3 行目" in said


@pytest.mark.parametrize("cell", ["、", "、、", "､ ､"])
@pytest.mark.parametrize("column", [1, 2])
def test_separators_alone_are_no_terms(tmp_path, column, cell):
    bad = [*ROWS[0]]
    bad[column] = cell
    assert "2 行目" in complaint(table(tmp_path, [bad]))


@pytest.mark.parametrize("missing", HEADER)
def test_missing_column_is_said(tmp_path, missing):
    header = [name if name != missing else "ほか" for name in HEADER]
    assert missing in complaint(table(tmp_path, header=header)).split("（見つかった")[0]


def test_missing_and_empty_files_are_said(tmp_path):
    assert "見つかりません" in complaint(tmp_path / "ない.csv")
    (tmp_path / "空.csv").write_bytes(b"")
    assert "空のファイル" in complaint(tmp_path / "空.csv")
    assert "フォルダー" in complaint(tmp_path)


def test_row_that_cannot_be_cut_into_columns_is_said_with_its_number(tmp_path):
    path = tmp_path / "橋渡し.csv"
    for row in ("見守り,独居,高齢者,センサー", '見守り,独居,"センサー" 通報"'):
        path.write_text(f"分野,困りごと,解決策\n移動,坂,配車\n{row}\n", encoding="utf-8")
        said = complaint(path)
        assert "橋渡し.csv" in said
        assert "3 行目" in said
        assert "引用符" in said


def test_table_without_rows_is_said(tmp_path):
    assert "行がありません" in complaint(table(tmp_path, rows=[]))


def test_shipped_lines_are_whole():
    lines = shipped()
    assert len(lines) > 900
    assert len(set(lines)) == len(lines)
    for line in lines:
        assert line.field
        assert all(term == text.normalise(term).strip() for term in (*line.problem, *line.solution))
        assert any(line.lemmas())


def test_lemmas_are_those_of_each_term():
    line = Line(field="f", problem=("p",), solution=("乗合タクシー", "★", "見守り"))
    assert line.lemmas() == [text.lemmas(term) for term in line.solution]
    assert line.lemmas()[1] == []


# Crossing


def test_vectors_are_centred_unit_vectors_of_the_problems():
    encoder = FakeEncoder()
    bridge = Bridge.build(LINES, encoder)
    found = encoder.encode_queries(["、".join(line.problem) for line in LINES]).astype(np.float64)
    found -= found.mean(axis=0)
    found /= np.linalg.norm(found, axis=1, keepdims=True)
    assert bridge.vectors.dtype == np.float32
    np.testing.assert_allclose(bridge.vectors, found, atol=1e-6)


@settings(max_examples=40)
@given(st.lists(WORDS, max_size=12, unique=True), QUERIES)
def test_crossings_are_the_five_nearest_and_their_softmax(problems, question):
    lines = [Line(field=one, problem=(one,), solution=("熊",)) for one in problems]
    encoder = FakeEncoder()
    bridge, query = Bridge.build(lines, encoder), query_of(question, encoder)
    found = bridge.crossings(query)
    expected = brute_force(lines, bridge.vectors, query)
    assert [crossing.line for crossing in found] == [line for line, _ in expected]
    np.testing.assert_allclose(
        [crossing.share for crossing in found], [share for _, share in expected], rtol=1e-4
    )
    assert len(found) == min(NEAREST, len(lines))
    assert sum(crossing.share for crossing in found) == pytest.approx(1 if found else 0)
    shares = [crossing.share for crossing in found]
    assert shares == sorted(shares, reverse=True)
    for crossing in found:
        at = lines.index(crossing.line)
        assert np.array_equal(crossing.vector, bridge.vectors[at])


def test_line_that_says_what_the_issue_says_comes_first():
    bridge = Bridge.build(LINES, FakeEncoder())
    for line in LINES:
        found = bridge.crossings(query_of("、".join(line.problem)))
        assert found[0].line == line
        assert found[0].share == max(crossing.share for crossing in found)


@settings(max_examples=30)
@given(st.permutations(range(len(LINES))), QUERIES)
def test_order_of_lines_changes_nothing(order, question):
    query = query_of(question)
    plain = Bridge.build(LINES, FakeEncoder()).crossings(query)
    moved = Bridge.build([LINES[at] for at in order], FakeEncoder()).crossings(query)
    cosines = [float(crossing.vector @ query) for crossing in plain]
    if all(one - other > 1e-5 for one, other in pairwise(cosines)):  # no ties
        assert [one.line for one in moved[:-1]] == [one.line for one in plain[:-1]]
    np.testing.assert_allclose(
        [one.share for one in moved], [one.share for one in plain], rtol=1e-4
    )


def test_lines_that_tie_come_in_the_order_of_the_table():
    twins = [replace(LINES[0], field=name) for name in "乙甲丙"]
    query = query_of("イノシシの出没、野生動物の被害")
    found = Bridge.build([LINES[1], *twins], FakeEncoder()).crossings(query)
    assert [crossing.line.field for crossing in found[:3]] == ["乙", "甲", "丙"]
    assert len({crossing.share for crossing in found[:3]}) == 1


def test_bridge_without_lines_leads_nowhere():
    empty = Bridge.build([], FakeEncoder())
    assert empty.vectors.shape == (0, 256)
    assert empty.vectors.dtype == np.float32
    assert empty.crossings(query_of("熊")) == []


def test_one_line_has_no_direction_of_its_own_and_takes_the_whole_share():
    (found,) = Bridge.build(LINES[:1], FakeEncoder()).crossings(query_of("熊"))
    assert found.share == 1
    assert np.array_equal(found.vector, np.zeros(256, np.float32))


def test_same_crossings_every_time():
    query = query_of("バスがない")
    one, other = (Bridge.build(LINES, FakeEncoder()).crossings(query) for _ in range(2))
    assert [(c.line, c.share) for c in one] == [(c.line, c.share) for c in other]


# Identity


def test_id_is_that_of_the_lines_and_changes_with_each():
    bridge = Bridge.build(LINES, FakeEncoder())
    assert bridge.id == Bridge.build(list(LINES), FakeEncoder("other")).id
    others = [
        LINES[1:],
        [*LINES[1:], LINES[0]],
        [replace(LINES[0], field="別"), *LINES[1:]],
        [replace(LINES[0], problem=("別",)), *LINES[1:]],
        [replace(LINES[0], solution=(*LINES[0].solution, "別")), *LINES[1:]],
        [],
    ]
    ids = {Bridge.build(lines, FakeEncoder()).id for lines in others} | {bridge.id}
    assert len(ids) == len(others) + 1
