"""`matcher outcomes`: qrels by source in a folder, and a table by rank."""

from datetime import date

import pytest
from examples import write_table

from matcher.errors import MatcherError
from matcher.feedback import FILES, split_day, write_feedback
from matcher.trec import read_qrels

ROWS = [
    {"課題ID": "i1", "企業ID": "a", "結果": "成立", "日付": "2026-06-01", "理由": "", "実行": "夏"},
    {"課題ID": "i1", "企業ID": "b", "結果": "不調", "日付": "2026-05-01", "理由": "対象が違う"},
    {"課題ID": "i2", "企業ID": "a", "結果": "協議中", "日付": "2025-05-01", "理由": ""},
    {"課題ID": "i2", "企業ID": "z", "結果": "辞退", "日付": "2025-05-02", "理由": "予算"},
    {"課題ID": "i3", "企業ID": "a", "結果": "？", "日付": "", "理由": ""},
    {"課題ID": "i3", "企業ID": "b", "結果": "面談", "日付": "", "理由": ""},
]
RUN = "i1 Q0 b 1 2.0 m\ni1 Q0 a 2 1.0 m\ni2 Q0 a 1 2.0 m\ni2 Q0 b 2 1.0 m\n"


@pytest.fixture
def table(tmp_path):
    return write_table(tmp_path / "結果.csv", ROWS)


@pytest.fixture
def run(tmp_path):
    path = tmp_path / "夏" / "run.trec"
    path.parent.mkdir()
    path.write_text(RUN, encoding="utf-8")
    return path


def test_command_writes_qrels_by_source_and_prints_ranks(call, table, run, tmp_path):
    out = tmp_path / "out"
    status, shown, errors = call(
        "outcomes", table, "--run", run, "--out", out, "--split", "令和8年度", "--top", "3"
    )
    assert (status, errors) == (0, [])
    assert sorted(path.name for path in out.iterdir()) == sorted(FILES)
    assert read_qrels(out / "qrels.tsv") == {
        "i1": {"a": 3, "b": 0},
        "i2": {"a": 2, "z": 1},
        "i3": {"b": 2},
    }
    assert read_qrels(out / "qrels-confirmed.tsv") == {"i1": {"a": 3}}
    assert read_qrels(out / "qrels-declined.tsv") == {"i1": {"b": 0}, "i2": {"z": 1}}
    assert read_qrels(out / "qrels-before.tsv") == {"i2": {"a": 2, "z": 1}}
    assert read_qrels(out / "qrels-after.tsv") == {"i1": {"a": 3, "b": 0}}
    assert "結果 5組（表の6行、まとめた0行、除外1行）" in shown
    assert "不調（提示なし）" in shown and "見られ方" in shown
    assert "2026-04-01 より前に終わった課題の 2組、以後の課題の 2組、日付が足りず" in shown
    assert "？" in (out / "rejected.csv").read_text(encoding="utf-8-sig")


def test_the_name_of_a_run_tells_the_rank(table, run, tmp_path):
    found = write_feedback(table, [run], tmp_path / "out", k=2)
    assert [(one.shown, one.acted, one.confirmed) for one in found.positions] == [
        (2, 2, 0),
        (2, 1, 1),
    ]
    sources = {(one.issue_id, one.company_id): one.source for one in found.judgements}
    assert sources["i1", "b"] == "declined"
    assert sources["i2", "z"] == "declined unseen"


def test_existing_files_stay_unless_they_may_go(call, table, tmp_path):
    out = tmp_path / "out"
    assert call("outcomes", table, "--out", out, "--split", "2026-01-01")[0] == 0
    before = (out / "qrels-after.tsv").read_bytes()
    status, shown, errors = call("outcomes", table, "--out", out)
    assert (status, shown, len(errors)) == (2, "", 1)
    assert "--overwrite" in errors[0]
    assert (out / "qrels-after.tsv").read_bytes() == before
    assert call("outcomes", table, "--out", out, "--overwrite", "--quiet")[:2] == (0, "")
    assert not (out / "qrels-after.tsv").exists()  # of another split: it would mislead


@pytest.mark.parametrize(
    "wrong", [("--top", "0"), ("--split", "いつか"), ("--run", "nowhere"), ("--run", "結果.csv")]
)
def test_what_is_unusable_is_one_sentence_and_nothing_is_written(call, table, tmp_path, wrong):
    option, value = wrong
    value = str(tmp_path / value) if option == "--run" else value
    status, _, errors = call("outcomes", table, "--out", tmp_path / "out", option, value)
    assert (status, len(errors)) == (2, 1)
    assert not (tmp_path / "out").exists()


def test_an_output_that_is_a_file_is_refused(call, table):
    assert call("outcomes", table, "--out", table)[0] == 2


def test_strict_tells_of_rejected_rows(call, table, tmp_path):
    assert call("outcomes", table, "--out", tmp_path / "out", "--strict")[0] == 1


def test_a_fiscal_year_is_split_at_its_first_day():
    assert split_day("令和8年度") == date(2026, 4, 1)
    assert split_day("2026/7/1") == date(2026, 7, 1)
    assert split_day(None) is None
    with pytest.raises(MatcherError, match="--split"):
        split_day("13月")


def test_same_input_gives_the_same_bytes(table, run, tmp_path):
    for name in ("one", "two"):
        write_feedback(table, [run], tmp_path / name, day=date(2026, 4, 1))
    for name in FILES:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
