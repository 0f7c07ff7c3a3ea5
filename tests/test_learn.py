"""What coordinators confirmed becomes examples; what cannot be learnt from is said."""

import pytest
from examples import COMPANIES, ISSUES, write_table

from matcher import learn
from matcher.corpus import read_companies, read_issues
from matcher.errors import MatcherError


@pytest.fixture
def tables(tmp_path):
    issues, companies = tmp_path / "issues.csv", tmp_path / "companies.csv"
    write_table(issues, ISSUES)
    write_table(companies, COMPANIES)
    return issues, companies


def test_partners_of_grade_two_and_three_fit_and_lower_ones_miss(tables):
    issues, companies = tables
    qrels = {"i-1": {"c-01": 3, "c-02": 2, "c-03": 1, "c-04": 0}, "i-2": {"c-03": 1}}
    found = learn.examples(read_issues(issues), read_companies(companies), qrels)
    assert list(found) == ["i-1"]  # nobody fits i-2: nothing to learn
    assert len(found["i-1"].fits) == len(found["i-1"].misses) == 2
    assert "センサー" in found["i-1"].fits[0]


def test_judgement_of_a_company_that_is_not_in_the_table_is_left_out(tables):
    issues, companies = tables
    qrels = {"i-1": {"c-01": 3, "c-99": 3}}
    found = learn.examples(read_issues(issues), read_companies(companies), qrels)
    assert len(found["i-1"].fits) == 1


def test_one_issue_in_ten_is_kept_apart_whatever_else_there_is():
    apart = [name for name in map(str, range(2000)) if learn.is_apart(name)]
    assert 150 < len(apart) < 250


def test_too_few_pairs_are_refused_in_a_sentence(tables, tmp_path):
    (tmp_path / "qrels.tsv").write_text("i-1 0 c-01 3\n", encoding="utf-8")
    out = tmp_path / "own.safetensors"
    with pytest.raises(MatcherError, match="足りません"):
        learn.train_encoder(*tables, tmp_path / "qrels.tsv", out)
    assert not out.exists()


def test_training_without_torch_is_refused_in_a_sentence(tables, tmp_path, monkeypatch):
    (tmp_path / "qrels.tsv").write_text("i-1 0 c-01 3\n", encoding="utf-8")
    monkeypatch.setattr("matcher.embed.sentence.find_spec", lambda _: None)
    with pytest.raises(MatcherError, match=r"train-encoder.*torch"):
        learn.train_encoder(*tables, tmp_path / "qrels.tsv", tmp_path / "own.safetensors")


@pytest.mark.parametrize("name", ["there.safetensors", "own.bin"])
def test_file_that_is_there_or_has_another_ending_is_refused(tables, tmp_path, name):
    (tmp_path / "there.safetensors").write_bytes(b"")
    with pytest.raises(MatcherError, match="書き出し先"):
        learn.train_encoder(*tables, tmp_path / "qrels.tsv", tmp_path / name)
