import pytest

from matcher.errors import DataError
from matcher.trec import read_qrels


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
