from hypothesis import given
from hypothesis import strategies as st

from matcher.formulas import neutralise, restore


@given(st.text(alphabet=st.sampled_from("'=+-@＝＋－＠−\t\r\n 　a1あ")) | st.text())
def test_neutralising_is_undone_exactly_and_leaves_no_formula(text):
    safe = neutralise(text)
    assert restore(safe) == text
    assert not safe.lstrip().startswith(tuple("=+-@＝＋－＠"))


def test_an_apostrophe_that_was_there_is_told_from_ours():
    assert neutralise("'=1") == "''=1"
    assert restore("''=1") == "'=1"
    assert restore("'01") == "'01"
