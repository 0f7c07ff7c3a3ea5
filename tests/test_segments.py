import hashlib
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matcher import segments
from matcher.errors import StaleCatalog
from matcher.segments import (
    free_name,
    hashes,
    read_records,
    samples,
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


@pytest.fixture
def large(tmp_path, monkeypatch):
    """A segment with a large file, its hashes and its samples; reading it whole is an error."""
    monkeypatch.setattr(segments, "_LARGE", 999)
    monkeypatch.setattr(segments, "_PIECE", 4)
    segment = tmp_path / "segment"
    segment.mkdir()
    (segment / "large").write_bytes(os.urandom(1_000))
    (segment / "small").write_bytes(os.urandom(999))
    told = hashes(segment), samples(segment)

    def digest(path, plain=segments._digest):
        assert path.name == "small"
        return plain(path)

    monkeypatch.setattr(segments, "_digest", digest)
    return segment, *told


def test_only_large_files_are_sampled(large):
    segment, files, sampled = large
    assert files.keys() == {"large", "small"}
    assert sampled.keys() == {"large"}
    verify(segment, files, sampled)


@pytest.mark.parametrize("place", [0, 3, 15, 996, 999])
def test_byte_of_a_piece_that_differs_is_noticed(large, place):
    segment, files, sampled = large
    content = bytearray((segment / "large").read_bytes())
    content[place] ^= 1
    (segment / "large").write_bytes(content)
    with pytest.raises(StaleCatalog, match="segment/large が"):
        verify(segment, files, sampled)


@pytest.mark.parametrize("size", [0, 1, 3, 4, 5, 500, 999, 1_001, 5_000])
def test_large_file_of_another_size_is_noticed(large, size):
    segment, files, sampled = large
    os.truncate(segment / "large", size)
    with pytest.raises(StaleCatalog, match="segment/large が"):
        verify(segment, files, sampled)


def test_large_file_that_is_replaced_or_missing_is_noticed(large):
    segment, files, sampled = large
    (segment / "large").write_bytes(os.urandom(1_000))
    with pytest.raises(StaleCatalog, match="segment/large が"):
        verify(segment, files, sampled)
    (segment / "large").unlink()
    with pytest.raises(StaleCatalog, match="segment/large が"):
        verify(segment, files, sampled)


def test_small_file_beside_a_large_one_is_read_whole(large):
    segment, files, sampled = large
    content = bytearray((segment / "small").read_bytes())
    content[500] ^= 1
    (segment / "small").write_bytes(content)
    with pytest.raises(StaleCatalog, match="segment/small が"):
        verify(segment, files, sampled)


def test_pieces_of_a_sample_are_spread_from_the_first_byte_to_the_last(tmp_path):
    size = segments._LARGE + 1
    path = tmp_path / "sparse"
    path.touch()
    os.truncate(path, size)
    clean = samples(tmp_path)
    assert clean.keys() == {"sparse"}
    os.truncate(path, size + 1)
    assert samples(tmp_path) != clean  # zeros all, but one more
    os.truncate(path, size)
    for place in (0, size // 2, size - 1):
        with path.open("rb+") as file:
            file.seek(place)
            file.write(b"1")
        assert (samples(tmp_path) == clean) == (place == size // 2)
        os.truncate(path, 0)
        os.truncate(path, size)


def test_free_name_never_gives_a_taken_one(tmp_path):
    names = []
    for _ in range(3):
        path = free_name(tmp_path, "segment-a")
        path.mkdir()
        names.append(path.name)
    assert names == ["segment-a", "segment-a-2", "segment-a-3"]
