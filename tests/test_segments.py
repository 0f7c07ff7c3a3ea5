import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matcher.errors import StaleCatalog
from matcher.segments import (
    free_name,
    hashes,
    read_records,
    replace_text,
    verify,
    write_records,
)
from matcher.types import Company, Fault

# Everything a JSON text can carry: DuckDB reads the records from UTF-8.
TEXTS = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)
COMPANIES = st.builds(
    Company,
    company_id=TEXTS,
    name=TEXTS,
    profile=TEXTS,
    headquarters=st.sampled_from(["", "01", "47"]),
    regions=st.frozensets(st.sampled_from(["01", "13", "47"])),
    is_area_declared=st.booleans(),
    industry=TEXTS,
    kind=TEXTS,
    sdgs=st.frozensets(st.integers(1, 17)),
    is_sdgs_inferred=st.booleans(),
    contact=TEXTS,
    extra=st.dictionaries(TEXTS, TEXTS, max_size=3),
)
FAULTS = st.builds(
    Fault,
    file=TEXTS,
    sheet=TEXTS,
    row=st.none() | st.integers(1, 2**40),
    column=TEXTS,
    value=TEXTS,
    severity=st.sampled_from(["除外", "警告"]),
    problem=TEXTS,
    remedy=TEXTS,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("segments")


@settings(max_examples=25)
@given(st.lists(COMPANIES, max_size=6), st.lists(FAULTS, max_size=4))
def test_records_come_back_as_they_were_in_their_order(folder, companies, faults):
    path = folder / "records.duckdb"
    path.unlink(missing_ok=True)
    write_records(path, companies, faults)
    assert read_records(path) == (tuple(companies), tuple(faults))


def test_records_file_is_all_that_is_left(tmp_path):
    company = Company(company_id="c", name="名", profile="文")
    write_records(tmp_path / "records.duckdb", [company], [])
    assert [path.name for path in tmp_path.iterdir()] == ["records.duckdb"]


def test_null_like_texts_stay_texts(tmp_path):
    texts = ["", "null", "NULL", "NaN", "\\N", "001", "1e5", "true", "[1]", "a\0b", "'; DROP TABLE"]
    companies = [
        Company(company_id=text, name=text, profile=text, extra={text: text}) for text in texts
    ]
    write_records(tmp_path / "records.duckdb", companies, [])
    assert read_records(tmp_path / "records.duckdb")[0] == tuple(companies)


def test_long_text_comes_back_whole(tmp_path):
    company = Company(company_id="c", name="名", profile="長い文。" * 500_000)
    write_records(tmp_path / "records.duckdb", [company], [])
    assert read_records(tmp_path / "records.duckdb")[0] == (company,)


def test_hashes_are_those_of_every_file_below(tmp_path):
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "a").write_bytes(b"1")
    (tmp_path / "b").write_bytes(b"")
    assert hashes(tmp_path) == {
        "b": hashlib.sha256(b"").hexdigest(),
        "inner/a": hashlib.sha256(b"1").hexdigest(),
    }


def test_verify_names_the_file_that_differs_or_is_missing(tmp_path):
    (tmp_path / "a").write_bytes(b"1")
    expected = hashes(tmp_path)
    verify(tmp_path, expected)
    with pytest.raises(StaleCatalog, match="/b が"):
        verify(tmp_path, expected | {"b": "0"})
    (tmp_path / "a").write_bytes(b"2")
    with pytest.raises(StaleCatalog, match="/a が"):
        verify(tmp_path, expected)


def test_free_name_never_gives_a_taken_one(tmp_path):
    names = []
    for _ in range(3):
        path = free_name(tmp_path, "segment-a")
        path.mkdir()
        names.append(path.name)
    assert names == ["segment-a", "segment-a-2", "segment-a-3"]


def test_replaced_text_stands_alone(tmp_path):
    path = tmp_path / "manifest.json"
    replace_text(path, "前")
    replace_text(path, "後")
    assert [one.name for one in tmp_path.iterdir()] == ["manifest.json"]
    assert path.read_text(encoding="utf-8") == "後"
