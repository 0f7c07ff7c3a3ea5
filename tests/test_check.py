import pytest
from examples import ISSUES, changed, write_table

from matcher.check import check_tables, corrected_paths
from matcher.corpus import read_issues
from matcher.errors import MatcherError


def test_each_file_is_checked_and_an_unusable_one_stops_none_of_the_others(
    tmp_path, issues_csv, companies_csv
):
    files = [issues_csv, tmp_path / "ない.csv", companies_csv]
    found = list(check_tables(files))
    assert [one.path for one in found] == files
    assert [one.inspection and one.inspection.name for one in found] == [
        *("issues", None, "companies"),
    ]
    assert "見つかりません" in str(found[1].error)
    assert found[1].told == {"file": "ない.csv", "error": str(found[1].error)}


def test_a_corrected_table_is_written_for_each_file(tmp_path, issues_csv, companies_csv):
    files = [issues_csv, companies_csv]
    paths = corrected_paths(files, tmp_path / "out")
    found = list(check_tables(files, paths=paths))
    assert [one.written for one in found] == [
        tmp_path / "out" / "issues_直し.xlsx",
        tmp_path / "out" / "companies_直し.xlsx",
    ]
    assert sorted((tmp_path / "out").iterdir()) == sorted(paths.values())
    assert read_issues(found[0].written).records == read_issues(issues_csv).records


def test_a_name_that_ends_in_xlsx_is_that_of_one_table(tmp_path, issues_csv, companies_csv):
    out = tmp_path / "直し.xlsx"
    assert corrected_paths([issues_csv], out) == {issues_csv: out}
    with pytest.raises(MatcherError, match="--out にフォルダー名を"):
        corrected_paths([issues_csv, companies_csv], out)


def test_nothing_that_is_there_is_overwritten_unless_it_may_be(tmp_path, issues_csv):
    out = tmp_path / "直し.xlsx"
    out.write_bytes(b"")
    with pytest.raises(MatcherError, match=r"直し\.xlsx はすでにあります"):
        corrected_paths([issues_csv], out)
    assert corrected_paths([issues_csv], out, overwrite=True) == {issues_csv: out}


def test_the_table_itself_is_never_overwritten(tmp_path):
    path = tmp_path / "i.xlsx"
    write_table(path, ISSUES)
    with pytest.raises(MatcherError, match="元の表とは別の --out"):
        corrected_paths([path], path, overwrite=True)
    with pytest.raises(MatcherError, match="元の表とは別の --out"):
        corrected_paths([path], tmp_path / "x" / ".." / "i.xlsx", overwrite=True)


def test_two_tables_of_one_name_are_not_written_over_each_other(tmp_path):
    (tmp_path / "a").mkdir()
    files = [tmp_path / "i.csv", tmp_path / "a" / "i.csv"]
    with pytest.raises(MatcherError, match=r"i_直し\.xlsx という名前の直しが2つ"):
        corrected_paths(files, tmp_path / "out")


def test_no_encoder_is_asked_for(monkeypatch, issues_csv):
    monkeypatch.setattr("matcher.embed.load_encoder", None)
    assert next(check_tables([issues_csv])).inspection


def test_a_correction_is_read_again_without_the_fault(tmp_path):
    rows = [{**row, "団体コード": ""} for row in changed(ISSUES[:3], 0, 課題ID="a b")]
    path = write_table(tmp_path / "i.csv", rows)
    (first,) = check_tables([path], paths={path: tmp_path / "o.xlsx"})
    (again,) = check_tables([first.written])
    assert len(first.inspection.reading.faults) == 1
    assert again.inspection.reading.faults == ()
    assert again.inspection.unknown == ("受付経路",)
