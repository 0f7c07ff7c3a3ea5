import json
import random
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from examples import COMPANIES, LINES, Crash, FakeEncoder, changed, crash_at, write_table

from matcher import bridge, records, segments
from matcher.catalog import Catalog
from matcher.corpus import read_companies
from matcher.errors import DataError, ForeignOutput, MatcherError, StaleCatalog
from matcher.settings import Settings
from matcher.shelf import FORMAT, check_folder
from matcher.types import Company, Constraint


@pytest.fixture(autouse=True)
def short_bridge(request, monkeypatch):
    """The shipped lines, of which there are a thousand, are seven."""
    if "shipped_lines" not in request.fixturenames:
        monkeypatch.setattr(bridge, "shipped", lambda: LINES)


@pytest.fixture
def shipped_lines():
    return bridge.shipped()


def reading(folder, rows=COMPANIES):
    return read_companies(write_table(folder / "companies.csv", rows))


def files(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def assert_same(one: Catalog, other: Catalog) -> None:
    """The same records and the same arrays, to the last bit."""
    assert one.id == other.id
    assert one.companies == other.companies
    assert one.faults == other.faults
    assert one.provenance == other.provenance
    assert one.bridge.lines == other.bridge.lines
    assert (one.encoder_id, one.bm25, one.in_pieces) == (
        other.encoder_id, other.bm25, other.in_pieces
    )  # fmt: skip
    for ours, theirs in (
        (one.vectors, other.vectors),
        (one.centring.query_mean, other.centring.query_mean),
        (one.centring.document_mean, other.centring.document_mean),
        (one.bridge.vectors, other.bridge.vectors),
        (one.profiles, other.profiles),
        (one.dense.vectors, other.dense.vectors),
        (one.dense.lots, other.dense.lots),
        (one.dense.moments.mean, other.dense.moments.mean),
        (one.dense.moments.covariance, other.dense.moments.covariance),
    ):
        assert ours.dtype == theirs.dtype
        assert np.array_equal(ours, theirs)
    assert one.dense.budget == other.dense.budget
    for ours, theirs in ((one.words, other.words), (one.bigrams, other.bigrams)):
        tokens = ["野生", "動物", "見守り", "学校", "の農", "高齢"]
        assert np.array_equal(ours.everywhere(tokens).scores, theirs.everywhere(tokens).scores)
    for rule in ("serves", "prefecture", "block"):
        constraint = Constraint(region_rule=rule, prefecture="28", sdg_rule="any", sdgs={9, 11})
        ours, theirs = (catalog.facets.allowed(constraint) for catalog in (one, other))
        assert np.array_equal(ours.rows, theirs.rows)
        assert ours.excluded == theirs.excluded


@pytest.fixture
def catalog(tmp_path, fake):
    return Catalog.build(reading(tmp_path), fake)


def test_row_i_is_company_i_everywhere_in_company_id_order(tmp_path, fake):
    catalog = Catalog.build(reading(tmp_path, list(reversed(COMPANIES))), fake)
    assert [c.company_id for c in catalog.companies] == [row["企業ID"] for row in COMPANIES]
    for company, vector in zip(catalog.companies, catalog.vectors, strict=True):
        assert np.array_equal(vector, fake.encode_documents([company.profile])[0])


def test_vectors_are_stored_as_the_encoder_gave_them(catalog):
    assert catalog.vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(catalog.vectors, axis=1), 1, atol=1e-6)


def test_goals_are_inferred_only_where_none_were_declared_and_marked(catalog):
    inferred = {c.company_id for c in catalog.companies if c.is_sdgs_inferred}
    assert inferred == {"c-02"}
    assert catalog.companies[0].sdgs == {9, 15}


def test_saved_and_opened_catalog_is_the_same(catalog, tmp_path):
    catalog.save(tmp_path / "catalog")
    assert_same(Catalog.open(tmp_path / "catalog"), catalog)


def test_faults_of_the_table_travel_with_the_catalog(tmp_path, fake):
    rows = changed(COMPANIES, 0, SDGs="18", 企業名="=1+1\u2028髙﨑①")
    catalog = Catalog.build(reading(tmp_path, rows), fake)
    catalog.save(tmp_path / "catalog")
    again = Catalog.open(tmp_path / "catalog")
    assert catalog.faults
    assert again.faults == catalog.faults
    assert again.companies[0].name == catalog.companies[0].name


def test_unknown_columns_travel_with_the_catalog(catalog, tmp_path):
    catalog.save(tmp_path / "catalog")
    extras = [c.extra for c in Catalog.open(tmp_path / "catalog").companies]
    assert extras == [{"従業員数": row["従業員数"]} for row in COMPANIES]


def test_nothing_is_pickled(catalog, tmp_path):
    folder = tmp_path / "catalog"
    catalog.save(folder)
    for path in folder.rglob("*.npy"):
        np.load(path, allow_pickle=False)
    assert not [name for name in files(folder) if name.endswith((".pkl", ".pickle"))]


def test_second_save_of_the_same_catalog_leaves_one_segment(catalog, tmp_path):
    folder = tmp_path / "catalog"
    catalog.save(folder)
    catalog.save(folder)
    assert len(list(folder.iterdir())) == 2  # manifest and segment
    assert_same(Catalog.open(folder), catalog)


def test_old_segments_are_removed_when_content_changes(catalog, tmp_path, fake):
    folder = tmp_path / "catalog"
    catalog.save(folder)
    newer = Catalog.build(reading(tmp_path, COMPANIES[:5]), fake)
    newer.save(folder)
    assert len(list(folder.iterdir())) == 2
    assert_same(Catalog.open(folder), newer)


def test_saved_catalog_may_be_moved(catalog, tmp_path):
    catalog.save(tmp_path / "catalog")
    moved = (tmp_path / "catalog").rename(tmp_path / "引っ越し 先")
    assert_same(Catalog.open(moved), catalog)


def test_others_may_read_a_saved_catalog(catalog, tmp_path):
    catalog.save(tmp_path / "catalog")
    plain = tmp_path / "plain"
    plain.mkdir()
    for path in (tmp_path / "catalog").rglob("*"):
        if path.is_dir():
            assert path.stat().st_mode == plain.stat().st_mode


# What is encoded again


def test_unchanged_companies_are_not_encoded_again(tmp_path, fake):
    former = Catalog.build(reading(tmp_path), fake)
    fake.documents.clear()
    again = Catalog.build(reading(tmp_path), fake, former=former)
    assert not {row["事業内容"] for row in COMPANIES} & set(fake.documents)
    assert_same(again, former)


def test_only_changed_profiles_are_encoded_again(tmp_path, fake):
    former = Catalog.build(reading(tmp_path), fake)
    rows = changed(COMPANIES, 6, 事業内容="避難所の段ボールベッドを備蓄する。")
    rows = [*rows[1:], dict(COMPANIES[3]) | {"企業ID": "c-99"}]  # one left, one copy came
    fake.documents.clear()
    again = Catalog.build(reading(tmp_path, rows), fake, former=former)
    profiles = {row["事業内容"] for row in (*COMPANIES, *rows)}
    assert [text for text in fake.documents if text in profiles] == [rows[5]["事業内容"]]
    assert_same(again, Catalog.build(reading(tmp_path, rows), FakeEncoder()))


def test_change_of_anything_but_the_profile_encodes_nothing(tmp_path, fake):
    former = Catalog.build(reading(tmp_path), fake)
    rows = changed(COMPANIES, 0, 企業名="新しい名前", SDGs="1", 対応地域="兵庫県")
    fake.documents.clear()
    again = Catalog.build(reading(tmp_path, rows), fake, former=former)
    assert not {row["事業内容"] for row in rows} & set(fake.documents)
    assert_same(again, Catalog.build(reading(tmp_path, rows), FakeEncoder()))


def test_update_through_the_disk_equals_a_build_from_scratch(tmp_path, fake):
    Catalog.build(reading(tmp_path), fake).save(tmp_path / "catalog")
    rows = [*COMPANIES[2:], dict(COMPANIES[0]) | {"企業ID": "c-50", "事業内容": "新しい事業。"}]
    former = Catalog.open(tmp_path / "catalog")
    again = Catalog.build(reading(tmp_path, rows), fake, former=former)
    again.save(tmp_path / "catalog")
    fresh = Catalog.build(reading(tmp_path, rows), FakeEncoder())
    assert_same(Catalog.open(tmp_path / "catalog"), fresh)


def test_vectors_of_another_encoder_are_never_reused(tmp_path):
    former = Catalog.build(reading(tmp_path), FakeEncoder("one"))
    other = FakeEncoder("other")
    again = Catalog.build(reading(tmp_path), other, former=former)
    assert {row["事業内容"] for row in COMPANIES} <= set(other.documents)
    assert_same(again, Catalog.build(reading(tmp_path), FakeEncoder("other")))


def test_equal_profiles_are_encoded_once(tmp_path, fake):
    rows = [dict(COMPANIES[0]) | {"企業ID": f"c-{number}"} for number in range(5)]
    catalog = Catalog.build(reading(tmp_path, rows), fake)
    assert fake.documents.count(COMPANIES[0]["事業内容"]) == 1
    assert len({vector.tobytes() for vector in catalog.vectors}) == 1


# The bridge


def test_catalog_holds_the_shipped_lines_by_default(tmp_path, fake, shipped_lines):
    catalog = Catalog.build(reading(tmp_path), fake)
    assert len(shipped_lines) > len(LINES)
    assert catalog.bridge.lines == shipped_lines
    catalog.save(tmp_path / "catalog")
    assert_same(Catalog.open(tmp_path / "catalog"), catalog)


@pytest.mark.parametrize("lines", [(), LINES[:1], LINES[::-1]])
def test_lines_of_ones_own_take_the_place_of_the_shipped_ones(tmp_path, fake, lines):
    catalog = Catalog.build(reading(tmp_path), fake, lines=lines)
    assert catalog.bridge.lines == lines
    assert catalog.bridge.vectors.shape == (len(lines), fake.dim)
    catalog.save(tmp_path / "catalog")
    assert_same(Catalog.open(tmp_path / "catalog"), catalog)


def test_id_changes_with_the_lines(tmp_path, fake):
    ids = {
        Catalog.build(reading(tmp_path), fake, lines=lines).id
        for lines in ((), LINES, LINES[1:], LINES[::-1], list(LINES))
    }
    assert len(ids) == 4


def test_unchanged_lines_are_not_encoded_again(tmp_path, fake):
    former = Catalog.build(reading(tmp_path), fake)
    again = Catalog.build(reading(tmp_path, COMPANIES[1:]), fake, former=former)
    assert again.bridge is former.bridge
    other = Catalog.build(reading(tmp_path), fake, former=former, lines=LINES[1:])
    assert other.bridge.lines == LINES[1:]
    assert_same(other, Catalog.build(reading(tmp_path), FakeEncoder(), lines=LINES[1:]))


# Identity


def test_id_does_not_depend_on_row_order(tmp_path, catalog, fake):
    rows = list(COMPANIES)
    for seed in range(3):
        random.Random(seed).shuffle(rows)
        shuffled = Catalog.build(reading(tmp_path, rows), fake)
        assert shuffled.id == catalog.id


@pytest.mark.parametrize(
    "cells",
    [
        {"企業名": "別名"},
        {"SDGs": "1"},
        {"対応地域": "東京都"},
        {"事業内容": "別"},
        {"従業員数": "9"},
    ],
)
def test_id_changes_with_any_content(tmp_path, catalog, fake, cells):
    rows = changed(COMPANIES, 0, **cells)
    assert Catalog.build(reading(tmp_path, rows), fake).id != catalog.id


def test_id_changes_with_encoder_and_bm25(tmp_path, catalog, fake):
    assert Catalog.build(reading(tmp_path), FakeEncoder("other")).id != catalog.id
    settings = replace(Settings(), bm25_b=0.5)
    assert Catalog.build(reading(tmp_path), fake, settings=settings).id != catalog.id


# Small catalogs


@pytest.mark.parametrize("size", [1, 2])
def test_small_catalogs_are_built_saved_and_opened(tmp_path, fake, size):
    catalog = Catalog.build(reading(tmp_path, COMPANIES[:size]), fake)
    catalog.save(tmp_path / "catalog")
    assert_same(Catalog.open(tmp_path / "catalog"), catalog)


def test_catalog_without_companies_is_built_saved_and_opened(tmp_path, fake):
    rejected = reading(tmp_path, [dict(COMPANIES[0]) | {"企業名": ""}])
    assert len(rejected) == 0
    catalog = Catalog.build(rejected, fake)
    catalog.save(tmp_path / "catalog")
    again = Catalog.open(tmp_path / "catalog")
    assert_same(again, catalog)
    assert again.provenance.rejected == again.provenance.rows == 1


def test_profiles_without_a_word_are_carried(tmp_path, fake):
    rows = [dict(row) | {"事業内容": "★"} for row in COMPANIES[:2]]
    catalog = Catalog.build(reading(tmp_path, rows), fake)
    catalog.save(tmp_path / "catalog")
    assert_same(Catalog.open(tmp_path / "catalog"), catalog)


# What is refused


def test_folder_without_catalog_is_said_with_the_command_that_makes_one(tmp_path):
    with pytest.raises(DataError, match="matcher build"):
        Catalog.open(tmp_path)


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", '"catalog"', "{}", '{"format": 1}', '{"format": 1, "outputs": {"a": "b"}}'],
)
def test_folder_with_another_manifest_is_no_catalog(tmp_path, content):
    (tmp_path / "manifest.json").write_text(content, encoding="utf-8")
    with pytest.raises((DataError, StaleCatalog), match="matcher build"):
        Catalog.open(tmp_path)
    with pytest.raises(ForeignOutput):
        check_folder(tmp_path)


def test_other_format_is_said_with_both_numbers(catalog, tmp_path):
    folder = tmp_path / "catalog"
    catalog.save(folder)
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    (folder / "manifest.json").write_text(json.dumps(manifest | {"format": 99}), encoding="utf-8")
    with pytest.raises(StaleCatalog, match=rf"99 .*{FORMAT} .*matcher build"):
        Catalog.open(folder)
    check_folder(folder)  # a build may replace it


def test_any_flipped_byte_is_noticed(catalog, tmp_path):
    folder = tmp_path / "catalog"
    catalog.save(folder)
    segment = next(folder.glob("segment-*"))
    for path in [path for path in segment.rglob("*") if path.is_file()]:
        content = path.read_bytes()
        middle = len(content) // 2
        path.write_bytes(content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :])
        with pytest.raises(StaleCatalog, match=path.name):
            Catalog.open(folder)
        path.write_bytes(content)
    assert_same(Catalog.open(folder), catalog)


def test_missing_file_is_noticed(catalog, tmp_path):
    folder = tmp_path / "catalog"
    catalog.save(folder)
    next(folder.glob("segment-*/vectors.npy")).unlink()
    with pytest.raises(StaleCatalog, match=r"vectors\.npy"):
        Catalog.open(folder)


@pytest.mark.parametrize(
    ("part", "name"),
    [
        ("vectors.npy", "ベクトル"),
        ("dense", "意味の索引"),
        ("dense/lots.npy", "くじ"),
        ("words", "単語の索引"),
        ("bigrams", "文字の索引"),
        ("facets", "地域とSDGs"),
        ("profiles.npy", "事業内容の番号"),
        ("records.duckdb", "企業"),
    ],
)
def test_part_of_another_catalog_is_noticed(catalog, tmp_path, fake, part, name):
    folder, foreign = tmp_path / "catalog", tmp_path / "foreign"
    catalog.save(folder)
    Catalog.build(reading(tmp_path, COMPANIES[:5]), fake).save(foreign)
    (segment,), (other,) = ([*one.glob("segment-*")] for one in (folder, foreign))
    if (segment / part).is_dir():
        shutil.rmtree(segment / part)
        shutil.copytree(other / part, segment / part)
    else:
        shutil.copyfile(other / part, segment / part)
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text(encoding="utf-8"))
    whole = records.sealed(manifest | {"files": segments.hashes(segment)})
    path.write_text(json.dumps(whole), encoding="utf-8")
    with pytest.raises(StaleCatalog, match=f"目録: 12 社、{name}: 5 社分.*matcher build"):
        Catalog.open(folder)


def test_companies_with_one_profile_are_alike(tmp_path, fake):
    twins = [dict(COMPANIES[0]) | {"企業ID": f"c-9{at}", "対応地域": "北海道"} for at in range(2)]
    catalog = Catalog.build(reading(tmp_path, [*COMPANIES, *twins]), fake)
    assert catalog.alike(np.array([0])).tolist() == [0, 12, 13]
    assert catalog.alike(np.array([13, 2])).tolist() == [0, 2, 12, 13]
    assert catalog.alike(np.array([4])).tolist() == [4]
    assert catalog.alike(np.array([], dtype=np.int64)).tolist() == []


def test_missing_segment_is_noticed(catalog, tmp_path):
    folder = tmp_path / "catalog"
    catalog.save(folder)
    next(folder.glob("segment-*")).rename(tmp_path / "elsewhere")
    with pytest.raises(StaleCatalog, match="matcher build"):
        Catalog.open(folder)


@pytest.mark.parametrize("name", ["企画書.docx", "manifest.txt", ".git"])
def test_save_refuses_a_folder_with_something_else(catalog, tmp_path, name):
    folder = tmp_path / "catalog"
    folder.mkdir()
    (folder / name).write_text("大切", encoding="utf-8")
    with pytest.raises(ForeignOutput, match=name):
        catalog.save(folder)
    assert files(folder) == [name]


def test_save_refuses_the_folder_of_a_run(catalog, tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    manifest = json.dumps({"format": 1, "outputs": {"run.trec": "0"}})
    (folder / "manifest.json").write_text(manifest, encoding="utf-8")
    (folder / "run.trec").write_text("", encoding="utf-8")
    with pytest.raises(ForeignOutput):
        catalog.save(folder)
    assert files(folder) == ["manifest.json", "run.trec"]
    assert (folder / "manifest.json").read_text(encoding="utf-8") == manifest


def test_save_refuses_a_file(catalog, tmp_path):
    (tmp_path / "catalog").write_text("", encoding="utf-8")
    with pytest.raises(ForeignOutput, match="フォルダー名"):
        catalog.save(tmp_path / "catalog")


# Interruption


def crash_steps(save, monkeypatch):
    """Call `save(n)` with the n-th file operation failing, n = 1, 2 …, until it gets through."""
    for step in range(1, 200):
        with monkeypatch.context() as patch:
            crash_at(patch, step)
            try:
                save(step)
                return
            except Crash:
                pass
        yield step


def test_crash_at_any_file_operation_leaves_the_former_or_the_new_catalog(
    tmp_path, fake, monkeypatch
):
    former = Catalog.build(reading(tmp_path), fake)
    newer = Catalog.build(reading(tmp_path, COMPANIES[:5]), fake)
    former.save(tmp_path / "former")

    def save_over(step):
        newer.save(shutil.copytree(tmp_path / "former", tmp_path / f"over-{step}"))

    seen = []
    for step in crash_steps(save_over, monkeypatch):
        seen.append(Catalog.open(tmp_path / f"over-{step}").id)
    assert seen == sorted(seen, key=[former.id, newer.id].index)
    assert set(seen) == {former.id, newer.id}
    newer.save(tmp_path / f"over-{len(seen)}")  # a crash while tidying up leaves an old segment
    newer.save(tmp_path / "over-10")
    for step in (10, len(seen), len(seen) + 1):
        assert len(list((tmp_path / f"over-{step}").iterdir())) == 2
        assert_same(Catalog.open(tmp_path / f"over-{step}"), newer)


def test_first_build_that_was_interrupted_can_be_repeated(tmp_path, fake, monkeypatch):
    catalog = Catalog.build(reading(tmp_path, COMPANIES[:1]), fake)
    for step in crash_steps(lambda step: catalog.save(tmp_path / f"first-{step}"), monkeypatch):
        folder = tmp_path / f"first-{step}"
        check_folder(folder)
        if step % 10 == 0 or list(folder.glob("segment-*")):
            catalog.save(folder)
            assert len(list(folder.iterdir())) == 2
            assert_same(Catalog.open(folder), catalog)


def test_disk_that_is_full_leaves_nothing_behind(catalog, tmp_path, monkeypatch):
    folder = tmp_path / "catalog"
    catalog.save(folder)
    before = files(folder)
    with monkeypatch.context() as patch:
        patch.setattr(np, "save", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left")))
        with pytest.raises(OSError, match="No space left"):
            catalog.save(folder)
    assert files(folder) == before


def test_open_takes_a_name_as_well_as_a_path(catalog, tmp_path):
    catalog.save(Path(str(tmp_path / "catalog")))
    assert_same(Catalog.open(str(tmp_path / "catalog")), catalog)


def test_companies_made_in_code_give_the_catalog_of_their_table(tmp_path):
    read, encoder = reading(tmp_path), FakeEncoder()
    made = Catalog.build(reversed(read.records), encoder)
    assert made.id == Catalog.build(read, encoder).id
    assert made.provenance.accepted == len(read)


def test_one_id_for_two_companies_is_refused():
    twice = [Company(company_id="a", name=name, profile="水") for name in ("甲", "乙")]
    with pytest.raises(MatcherError, match="「a」が2つ"):
        Catalog.build(twice, FakeEncoder())
