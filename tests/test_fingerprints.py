import json

import pytest
from examples import COMPANIES, ISSUES, changed, write_table
from hypothesis import given
from hypothesis import strategies as st

from matcher import fingerprints
from matcher.corpus import read_companies, read_issues
from matcher.fingerprints import Edits, edits

# Letters that everybody sees, whatever becomes of the invisible ones.
WRITTEN = st.text("あいうアイウ山川田見守電aBc", min_size=1, max_size=12)


@pytest.fixture
def seen(tmp_path):
    """The fingerprints of a table of these rows."""

    def read(rows, kind=read_issues):
        return kind(write_table(tmp_path / "t.csv", rows)).fingerprints

    return read


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("tables")


@pytest.mark.parametrize(
    ("rows", "kind", "id_name"),
    [(ISSUES, read_issues, "課題ID"), (COMPANIES, read_companies, "企業ID")],
)
def test_any_one_changed_cell_is_named_exactly(folder, rows, kind, id_name):
    before = kind(write_table(folder / "before.csv", rows)).fingerprints

    @given(at=st.integers(0, len(rows) - 1), column=st.sampled_from(list(rows[0])), cell=WRITTEN)
    def check(at, column, cell):
        cell = cell if cell != rows[at][column] else f"{cell}改"
        after = kind(write_table(folder / "after.csv", changed(rows, at, **{column: cell})))
        found = edits(before, json.loads(json.dumps(after.fingerprints)))
        (told,) = found.cells
        assert told[:2] == (rows[at][id_name], column)
        assert (told[2] == rows[at][id_name]) == (column != id_name)
        assert found == Edits(cells=(told,))

    check()


def test_emptied_cell_is_named_where_it_made_the_row_unusable_too(seen):
    for column in ("課題名", "課題内容", "課題ID"):
        found = edits(seen(ISSUES), seen(changed(ISSUES, 2, **{column: ""})))
        assert [told[:2] for told in found.cells] == [("i-3", column)]
        assert (found.added, found.removed) == ((), ())


def test_several_changed_cells_are_each_named(seen):
    rows = changed(changed(ISSUES, 0, 課題名="別", 都道府県="東京都"), 4, SDGs="1")
    found = edits(seen(ISSUES), seen(rows))
    assert {told[:2] for told in found.cells} == {
        ("i-1", "課題名"), ("i-1", "都道府県"), ("i-5", "SDGs"),
    }  # fmt: skip


def test_rows_that_came_and_went_are_named(seen):
    fresh = dict(ISSUES[0]) | {"課題ID": "i-9", "課題名": "新しい課題"}
    found = edits(seen(ISSUES), seen([*ISSUES[1:], fresh]))
    assert found == Edits(added=("i-9",), removed=("i-1",))


def test_columns_that_came_and_went_are_named(seen):
    rows = [{name: cell for name, cell in row.items() if name != "SDGs"} | {"備考": "あ"}
            for row in ISSUES]  # fmt: skip
    assert edits(seen(ISSUES), seen(rows)) == Edits(
        columns_added=("備考",), columns_removed=("SDGs",)
    )


def test_order_of_rows_and_columns_and_blanks_around_a_cell_are_no_edit(seen):
    rows = [dict(reversed(row.items())) for row in reversed(ISSUES)]
    rows[0]["課題名"] = f"  {rows[0]['課題名']}\r\n"
    assert edits(seen(ISSUES), seen(rows)) == Edits()


def test_row_without_an_id_is_known_by_its_other_cells(seen):
    bare = [{name: cell for name, cell in row.items() if name != "課題ID"} for row in ISSUES]
    found = edits(seen(bare), seen(changed(bare[::-1], 5, 課題名="別の課題")))
    ((former, column, now),) = found.cells
    assert column == "課題名"
    assert former != now  # the id comes from the content
    assert (found.added, found.removed) == ((), ())


def test_second_row_of_an_id_is_compared_with_its_own_former_self(seen):
    rows = [*ISSUES, dict(ISSUES[0]) | {"課題名": "別の課題"}]
    found = edits(seen(rows), seen(changed(rows, 6, 課題名="また別の課題")))
    assert found == Edits(cells=(("i-1", "課題名", "i-1"),))


def test_columns_of_one_name_are_told_apart_by_their_place(tmp_path):
    def read(second):
        path = tmp_path / "t.csv"
        path.write_text(
            f"課題ID,課題名,課題内容,,備考,備考\na,b,c,d,e,{second}\n", encoding="utf-8"
        )
        return read_issues(path).fingerprints

    assert read("x")["columns"][3:] == ["（4列目）", "備考", "備考（6列目）"]
    assert edits(read("x"), read("y")) == Edits(cells=(("a", "備考（6列目）", "a"),))


def test_id_written_with_blanks_and_a_personal_number_are_safe(tmp_path):
    rows = changed(changed(COMPANIES, 0, 企業ID="a b c"), 1, 企業ID="123456789018")
    known = read_companies(write_table(tmp_path / "t.csv", rows)).fingerprints
    assert "123456789018" not in json.dumps(known)
    assert known["rows"][0].endswith(" a_b_c")
    after = changed(rows, 0, 種別="大学")
    found = edits(known, read_companies(write_table(tmp_path / "t.csv", after)).fingerprints)
    assert found == Edits(cells=(("a_b_c", "種別", "a_b_c"),))


def test_no_text_of_a_cell_is_kept(seen):
    kept = json.dumps(seen(ISSUES), ensure_ascii=False)
    cells = {cell for row in ISSUES for name, cell in row.items() if name != "課題ID" and cell}
    assert not [cell for cell in cells if len(cell) > 2 and cell in kept]


def test_all_rows_changed_are_compared_at_once(seen):
    rows = [dict(ISSUES[0]) | {"課題ID": f"i-{n}", "予算": str(n)} for n in range(3000)]
    found = edits(seen(rows), seen([row | {"予算": f"{row['予算']}円"} for row in rows]))
    assert len(found.cells) == 3000


def test_no_fingerprints_of_a_table_too_large(seen, monkeypatch):
    monkeypatch.setattr(fingerprints, "_MOST_ROWS", len(ISSUES) - 1)
    assert seen(ISSUES) is None
    assert seen(ISSUES[1:]) is not None


@pytest.mark.parametrize(
    "known", [{"columns": ["a", "b"], "rows": ["-"]}, {"columns": ["a"], "rows": [""]}]
)
def test_rows_that_are_not_ours_are_refused(known, seen):
    with pytest.raises(ValueError, match="columns"):
        edits(known, {"columns": ["a"], "rows": ["- x"]})
