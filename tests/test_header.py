from hypothesis import given
from hypothesis import strategies as st

from matcher.tables.header import DEPTH, Header, find_header, fold_header, missing

NAMES = {"課題名（title）": ("title", "課題名"), "課題内容（description）": ("description", "内容")}
KNOWN = {"title", "課題名", "description", "内容", "都道府県", "市区町村", "担当課"}


def records(*rows: list[str]) -> list[tuple[int, list[str]]]:
    return list(enumerate(rows, start=1))


def test_the_first_row_with_every_required_column_is_the_header():
    head = records(["課題一覧"], [], ["課題名"], ["番号", "課題名", "内容"], ["1", "あ", "い"])
    assert find_header(head, NAMES, KNOWN) == Header(
        names=("番号", "課題名", "内容"), rows=(4,), behind=4
    )


def test_without_required_columns_the_first_row_that_says_something_is_the_header():
    found = find_header(records(["", " "], ["あ", ""]), {})
    assert found == Header(names=("あ",), rows=(2,), behind=2)


def test_a_header_is_looked_for_in_the_first_rows_only():
    rows = [["題"]] * (DEPTH - 1)
    assert find_header(records(*rows, ["課題名", "内容"], ["あ", "い"]), NAMES)
    assert find_header(records(*rows, ["題"], ["課題名", "内容"], ["あ", "い"]), NAMES) is None


def test_names_that_merged_cells_left_above_belong_to_the_header():
    head = records(
        ["番号", "担当課", "課題", ""], ["", "", "課題名", "内容"], ["1", "福", "あ", "い"]
    )
    found = find_header(head, NAMES, KNOWN)
    assert found == Header(names=("番号", "担当課", "課題名", "内容"), rows=(1, 2), behind=2)


def test_a_title_above_is_no_name():
    head = records(["令和8年度の課題"], ["", "課題名", "内容"], ["1", "あ", "い"])
    found = find_header(head, NAMES, KNOWN)
    assert found == Header(names=("", "課題名", "内容"), rows=(2,), behind=2)


def test_names_of_parts_below_belong_to_the_header():
    head = records(
        ["課題名", "内容", "場所", ""], ["", "", "都道府県", "番地"], ["あ", "い", "愛知", "1"]
    )
    found = find_header(head, NAMES, KNOWN)
    assert found == Header(names=("課題名", "内容", "都道府県", "場所 番地"), rows=(1, 2), behind=2)


def test_a_row_with_a_required_cell_is_data_whatever_it_says():
    head = records(["課題名", "内容", "区分"], ["担当課", "都道府県", "担当課"])
    assert find_header(head, NAMES, KNOWN) == Header(
        names=("課題名", "内容", "区分"), rows=(1,), behind=1
    )


def test_a_row_that_names_nothing_is_data():
    head = records(["課題名", "内容", "区分"], ["", "", "福祉"], ["あ", "い", "う"])
    found = find_header(head, NAMES, KNOWN)
    assert found is not None
    assert found.rows == (1,)


def test_two_rows_that_have_the_columns_only_together_are_the_header():
    head = records(["課題名", "説明", ""], ["", "内容", "効果"], ["あ", "い", "う"])
    found = find_header(head, NAMES, KNOWN)
    assert found == Header(names=("課題名", "内容", "説明 効果"), rows=(1, 2), behind=2)


def test_rows_apart_are_no_header_together():
    head = [(1, ["課題名"]), (3, ["", "内容"]), (4, ["あ", "い"])]
    assert find_header(head, NAMES, KNOWN) is None


def test_a_spoilt_row_is_no_header():
    assert find_header([(1, None), (2, None)], NAMES, KNOWN) is None
    assert find_header([(1, None), (2, ["課題名", "内容"])], NAMES, KNOWN) is not None


def test_missing_columns_are_named_as_the_reader_knows_them():
    assert missing(["Title ", "備考"], NAMES) == ["課題内容（description）"]


@given(
    st.lists(
        st.lists(st.sampled_from(["", "課題名", "内容", "都道府県", "あ"]), max_size=5), max_size=6
    )
)
def test_a_header_always_has_the_required_columns(rows):
    found = find_header(records(*rows), NAMES, KNOWN)
    if found:
        assert not missing(found.names, NAMES)
        assert 1 <= found.behind <= len(rows)
        assert found.rows[-1] == found.behind


@given(st.text())
def test_folding_a_header_twice_changes_nothing_more(text):
    assert fold_header(fold_header(text)) == fold_header(fold_header(fold_header(text)))
