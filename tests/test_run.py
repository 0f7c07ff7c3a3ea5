import hashlib
import json
import math
from pathlib import Path

import pytest
from examples import (
    COMPANIES,
    ISSUES,
    LINES,
    Crash,
    FakeEncoder,
    FakeReader,
    crash_at,
    write_table,
)
from hypothesis import given
from hypothesis import strategies as st

from matcher.catalog import Catalog
from matcher.corpus import read_companies, read_issues
from matcher.errors import DataError, ForeignOutput, MatcherError
from matcher.evaluation import evaluate
from matcher.outputs import LOCK
from matcher.pipeline import Matcher
from matcher.run import FILES, MANIFEST, check_folder, load_run, write_run
from matcher.shortlists import from_lines, to_lines
from matcher.trec import run_lines
from matcher.types import Company, Constraint, Entry, Evidence, Fault, Issue, Shortlist

NAMES = sorted((*FILES, MANIFEST))
FAULT = Fault(
    file="表.csv",
    row=3,
    column="SDGs",
    value="18",
    severity="除外",
    problem="範囲外",
    remedy="直す",
)


@pytest.fixture(scope="module")
def shortlists(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tables")
    encoder = FakeEncoder()
    companies = read_companies(write_table(folder / "companies.csv", COMPANIES))
    issues = read_issues(write_table(folder / "issues.csv", ISSUES))
    catalog = Catalog.build(companies, encoder, lines=LINES)
    return Matcher(catalog, encoder, reader=FakeReader()).match(issues)


@pytest.fixture
def out(tmp_path, shortlists):
    """The folder of a run."""
    write_run(tmp_path / "out", shortlists, [FAULT], {"facts": "前"})
    return tmp_path / "out"


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def written(folder):
    """The contents without the lock that a process left which died."""
    return {name: content for name, content in contents(folder).items() if name != LOCK}


def stage(folder, files):
    """What a process that died left beside the run in the folder."""
    (folder / ".staged").mkdir()
    for name, content in files.items():
        (folder / ".staged" / name).write_bytes(content)


# What is written


def test_six_files_and_nothing_else(out):
    assert sorted(path.name for path in out.iterdir()) == NAMES


def test_manifest_says_format_facts_and_the_hash_of_each_output(out):
    manifest = json.loads((out / MANIFEST).read_text(encoding="utf-8"))
    assert manifest["format"] == 1
    assert manifest["facts"] == "前"
    assert manifest["outputs"] == {
        name: hashlib.sha256((out / name).read_bytes()).hexdigest() for name in FILES
    }


def test_manifest_is_given_back_as_it_stands_in_the_folder(tmp_path, shortlists):
    given_back = write_run(tmp_path / "out", shortlists, [], {"facts": 1})
    assert given_back == json.loads((tmp_path / "out" / MANIFEST).read_text(encoding="utf-8"))


def test_trec_line_is_issue_q0_company_rank_score_name(out, shortlists):
    lines = (out / "run.trec").read_text(encoding="utf-8").splitlines()
    assert lines == [
        f"{s.issue.issue_id} Q0 {e.company.company_id} {e.rank} {e.score:.6f} matcher"
        for s in shortlists
        for e in s.entries
    ]
    assert len(lines) > 5


def test_trec_ids_hold_no_blank():
    issue = Issue(issue_id="課題 1\u3000改", title="t", description="d")
    company = Company(company_id="a\tb", name="n", profile="p")
    entry = Entry(
        rank=1, company=company, score=1.0, parts={}, shared_sdgs=frozenset(), region_reason="",
        evidence=(),
    )  # fmt: skip
    one = Shortlist(
        issue=issue, constraint=Constraint(), status="ranked", considered=1, excluded={},
        entries=(entry,),
    )  # fmt: skip
    assert run_lines([one]).split() == [
        "課題_1_改", "Q0", "a_b", "1", "1.000000", "matcher"
    ]  # fmt: skip


def test_run_of_no_issue_is_written_and_read(tmp_path):
    write_run(tmp_path / "out", [], [], {})
    assert len(load_run(tmp_path / "out")) == 0


def test_missing_parents_of_the_folder_are_made(tmp_path, shortlists):
    write_run(tmp_path / "結果 4月" / "深い" / "所", shortlists, [], {})
    assert sorted(contents(tmp_path / "結果 4月" / "深い" / "所")) == NAMES


def test_other_files_in_the_folder_are_left_alone(out, shortlists):
    (out / "議事録.txt").write_text("大切", encoding="utf-8")
    write_run(out, shortlists[:1], [], {})
    assert (out / "議事録.txt").read_text(encoding="utf-8") == "大切"


# What is read back


def test_shortlists_come_back_as_they_were(out, shortlists):
    assert list(load_run(out).shortlists) == shortlists


def test_folder_may_be_given_as_text(out, shortlists):
    assert list(load_run(str(out)).shortlists) == shortlists


def test_saved_run_is_a_mapping_with_every_issue(out, shortlists):
    saved = load_run(out)
    assert list(saved) == [row["課題ID"] for row in ISSUES]
    assert len(saved) == len(ISSUES)
    assert dict(saved["i-6"]) == {}
    first = shortlists[0]
    assert dict(saved["i-1"]) == {e.company.company_id: e.score for e in first.entries}
    assert "i-99" not in saved


def test_saved_run_is_evaluated_like_its_trec_file(out):
    qrels = {"i-1": {"c-02": 3}, "i-2": {"c-04": 3}, "i-6": {"c-01": 3}}
    saved = evaluate(load_run(out), qrels)
    assert saved.values == evaluate(out, qrels).values
    assert saved.values == evaluate(out / "run.trec", qrels).values
    assert saved.without_list == ("i-6",)


def test_shortlist_of_one_issue_is_found_by_its_id(out, shortlists):
    assert load_run(out).shortlist("i-2") == shortlists[1]
    with pytest.raises(MatcherError, match="「i-99」"):
        load_run(out).shortlist("i-99")


@pytest.mark.parametrize("change", [b" ", b"\n{}\n"])
def test_tampered_shortlists_are_not_read(out, change):
    with (out / "shortlist.jsonl").open("ab") as file:
        file.write(change)
    with pytest.raises(DataError, match=r"shortlist\.jsonl .*書き換え"):
        load_run(out)


@pytest.mark.parametrize("name", [MANIFEST, "shortlist.jsonl"])
def test_folder_without_its_files_is_no_run(out, name):
    (out / name).unlink()
    with pytest.raises(DataError, match="matcher match の出力ではありません"):
        load_run(out)


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"outputs": []}', '{"outputs": {}}', "\udce3"]
)
def test_folder_with_another_manifest_is_no_run(out, content):
    (out / MANIFEST).write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(DataError, match="matcher match の出力ではありません"):
        load_run(out)


def test_folder_of_a_catalog_is_no_run(tmp_path, companies_csv, fake):
    Catalog.build(read_companies(companies_csv), fake).save(tmp_path / "catalog")
    with pytest.raises(DataError, match="matcher match の出力ではありません"):
        load_run(tmp_path / "catalog")
    with pytest.raises(ForeignOutput):
        check_folder(tmp_path / "catalog")


def test_folder_that_is_not_there_is_no_run_and_is_not_made(tmp_path):
    with pytest.raises(DataError, match="matcher match の出力ではありません"):
        load_run(tmp_path / "none")
    assert not (tmp_path / "none").exists()


TEXTS = st.text(st.characters(exclude_categories=("Cs",)), max_size=12)
NUMBERS = st.floats(-1e6, 1e6).map(lambda value: round(value, 6) + 0.0)
GOALS = st.frozensets(st.integers(1, 17))
ISSUE = st.builds(
    Issue, issue_id=TEXTS, title=TEXTS, description=TEXTS, municipality=TEXTS, department=TEXTS,
    prefecture=st.sampled_from(["", "13"]), sdgs=GOALS, deadline=TEXTS, budget=TEXTS,
    extra=st.dictionaries(TEXTS, TEXTS, max_size=2),
)  # fmt: skip
COMPANY = st.builds(
    Company, company_id=TEXTS, name=TEXTS, profile=TEXTS, headquarters=st.sampled_from(["", "13"]),
    regions=st.frozensets(st.sampled_from(["01", "13"])), is_area_declared=st.booleans(),
    industry=TEXTS, kind=TEXTS, sdgs=GOALS, is_sdgs_inferred=st.booleans(), contact=TEXTS,
    extra=st.dictionaries(TEXTS, TEXTS, max_size=2),
)  # fmt: skip
ENTRY = st.builds(
    Entry, rank=st.integers(1, 9), company=COMPANY, score=NUMBERS,
    parts=st.dictionaries(st.sampled_from(["dense", "words"]), NUMBERS), shared_sdgs=GOALS,
    region_reason=TEXTS, band=st.none() | st.just("A"),
    goal_quotes=st.dictionaries(st.integers(1, 17), TEXTS, max_size=3),
    evidence=st.lists(
        st.builds(
            Evidence, issue_span=TEXTS, company_span=TEXTS,
            kind=st.sampled_from(["meaning", "term"]), via=st.just("") | TEXTS,
        ),
        max_size=2,
    ).map(tuple),
)  # fmt: skip


@st.composite
def any_shortlist(draw):
    issue = draw(ISSUE)
    return Shortlist(
        issue=issue,
        constraint=Constraint(
            region_rule=draw(st.sampled_from(["serves", "any"])), prefecture=issue.prefecture,
            sdg_rule=draw(st.sampled_from(["prefer", "all"])), sdgs=issue.sdgs,
        ),
        status=draw(st.sampled_from(["ranked", "no_candidate", "routed", "unclear"])),
        considered=draw(st.integers(0, 9)),
        excluded=draw(st.dictionaries(st.sampled_from(["region", "sdgs"]), st.integers(0, 9))),
        entries=tuple(draw(st.lists(ENTRY, max_size=2))),
    )  # fmt: skip


@given(st.lists(any_shortlist(), max_size=3))
def test_lines_come_back_as_the_same_shortlists(shortlists):
    lines = to_lines(shortlists)
    assert from_lines(lines) == shortlists
    assert lines.count("\n") == len(shortlists)


def test_line_has_the_keys_of_the_interface(out):
    line = json.loads((out / "shortlist.jsonl").read_text(encoding="utf-8").split("\n")[0])
    assert line.keys() >= {
        "issue_id", "title", "municipality", "prefecture", "status", "considered", "excluded",
        "extra", "entries",
    }  # fmt: skip
    assert line["excluded"].keys() == {"region", "sdgs"}
    assert line["extra"] == {"受付経路": "庁内照会"}
    entry = line["entries"][0]
    assert entry.keys() >= {
        "rank", "company_id", "name", "score", "band", "parts", "sdgs", "region", "evidence",
    }  # fmt: skip
    assert list(entry["parts"]) == [
        "dense", "words", "bigrams", "bridge", "reader", "sdgs", "region"
    ]  # fmt: skip
    assert entry["sdgs"].keys() == {"shared", "inferred", "quotes"}
    inferred = next(one for one in line["entries"] if one["sdgs"]["inferred"])
    assert inferred["sdgs"]["quotes"].keys() == {str(goal) for goal in inferred["sdgs"]["shared"]}
    assert all(quote in inferred["company"]["profile"]
               for quote in inferred["sdgs"]["quotes"].values())  # fmt: skip
    assert entry["region"].keys() == {"rule", "reason"}
    keys = {"issue_span", "company_span", "kind"}
    assert all(one.keys() == keys | ({"via"} & one.keys()) for one in entry["evidence"])
    assert any(one.get("via") for one in entry["evidence"])
    assert entry["band"] is None
    assert math.isclose(sum(entry["parts"].values()), entry["score"], abs_tol=1e-6)


def test_lines_of_a_run_without_quotations_of_goals_are_read(shortlists):
    lines = [json.loads(line) for line in to_lines(shortlists).splitlines()]
    for line in lines:
        for entry in line["entries"]:
            del entry["sdgs"]["quotes"]
    former = from_lines("".join(json.dumps(line) + "\n" for line in lines))
    assert [[e.company for e in s.entries] for s in former] == [
        [e.company for e in s.entries] for s in shortlists
    ]
    assert not any(entry.goal_quotes for one in former for entry in one.entries)


# What is not written over


@pytest.mark.parametrize("name", FILES)
def test_edited_output_is_refused_unless_overwritten(out, shortlists, name):
    with (out / name).open("ab") as file:
        file.write("追記".encode())
    before = contents(out)
    with pytest.raises(ForeignOutput, match=f"{name} .*--overwrite"):
        check_folder(out)
    with pytest.raises(ForeignOutput, match=name):
        write_run(out, shortlists[:1], [], {})
    assert contents(out) == before
    write_run(out, shortlists[:1], [], {}, overwrite=True)
    assert list(load_run(out).shortlists) == shortlists[:1]


@pytest.mark.parametrize("name", NAMES)
def test_file_of_that_name_that_we_did_not_write_is_refused(tmp_path, shortlists, name):
    out = tmp_path / "out"
    out.mkdir()
    (out / name).write_text("人の手による", encoding="utf-8")
    with pytest.raises(ForeignOutput, match=name):
        write_run(out, shortlists, [], {})
    assert contents(out) == {name: "人の手による".encode()}
    write_run(out, shortlists, [], {}, overwrite=True)
    assert list(load_run(out).shortlists) == shortlists


@pytest.mark.parametrize("name", NAMES)
def test_folder_in_the_place_of_a_file_is_never_written_over(tmp_path, shortlists, name):
    out = tmp_path / "out"
    (out / name).mkdir(parents=True)
    for overwrite in (False, True):
        with pytest.raises(ForeignOutput, match=name):
            write_run(out, shortlists, [], {}, overwrite=overwrite)
    assert [path.name for path in out.iterdir()] == [name]


def test_deleted_output_is_written_again(out, shortlists):
    (out / "shortlist.html").unlink()
    write_run(out, shortlists, [], {})
    assert sorted(contents(out)) == NAMES


def test_file_in_the_place_of_the_folder_is_refused(tmp_path, shortlists):
    (tmp_path / "out").write_text("", encoding="utf-8")
    with pytest.raises(ForeignOutput, match="フォルダー名"):
        write_run(tmp_path / "out", shortlists, [], {}, overwrite=True)


def test_same_run_again_changes_no_output(out, shortlists):
    before = contents(out)
    write_run(out, shortlists, [FAULT], {"facts": "前"})
    assert contents(out) == before


# Interruption


@pytest.fixture
def newer(tmp_path, shortlists):
    """The six files of another run."""
    write_run(tmp_path / "newer", shortlists[:2], [], {"facts": "後"})
    return contents(tmp_path / "newer")


@pytest.mark.parametrize("moved", range(len(FILES) + 1))
def test_whole_staged_set_is_finished_by_whoever_comes_next(out, newer, moved):
    stage(out, newer)
    for name in FILES[:moved]:
        (out / ".staged" / name).replace(out / name)
    load_run(out)
    assert contents(out) == newer
    assert not (out / ".staged").exists()


def test_whole_staged_set_is_finished_by_the_next_run(out, newer, shortlists):
    stage(out, newer)
    check_folder(out)
    assert contents(out) == newer
    write_run(out, shortlists, [], {})
    assert list(load_run(out).shortlists) == shortlists


def test_staged_set_without_manifest_is_left_by_a_reader_and_removed_by_a_writer(out, newer):
    before = contents(out)
    stage(out, {name: content for name, content in newer.items() if name != MANIFEST})
    load_run(out)  # somebody may still be writing it
    assert (out / ".staged").is_dir()
    check_folder(out)
    assert not (out / ".staged").exists()
    assert contents(out) == before


def test_ctrl_c_while_a_whole_set_moves_in_leaves_it_whole(tmp_path, shortlists, monkeypatch):
    for moved in range(6):
        out = tmp_path / f"run{moved}"
        write_run(out, shortlists, [FAULT], {"facts": "前"})
        replace, calls = Path.replace, iter(range(100))

        def interrupted(path, target, moved=moved, calls=calls, replace=replace):
            if path.parent.name == ".staged" and path.suffix != ".part" and next(calls) == moved:
                raise KeyboardInterrupt
            return replace(path, target)

        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(Path, "replace", interrupted)
            write_run(out, shortlists[:1], [], {"facts": "後"})
        whole = json.loads((out / MANIFEST).read_text(encoding="utf-8"))
        assert whole["facts"] == "後"
        assert len(load_run(out)) == 1
        check_folder(out)  # every file is the one that the manifest names
        assert not (out / ".staged").exists()


def crash_steps(write, monkeypatch):
    """Call `write(n)` with the n-th file operation failing, n = 1, 2 …, until it gets through."""
    for step in range(1, 100):
        with monkeypatch.context() as patch:
            crash_at(patch, step)
            try:
                write(step)
                return
            except Crash:
                pass
        yield step


def test_crash_at_any_file_operation_leaves_the_old_or_the_new_set(
    tmp_path, shortlists, newer, monkeypatch
):
    def write_over(step):
        write_run(tmp_path / f"out-{step}", shortlists[:2], [], {"facts": "後"})

    write_run(tmp_path / "old", shortlists, [FAULT], {})
    old = contents(tmp_path / "old")
    for step in range(1, 100):
        (tmp_path / f"out-{step}").mkdir()
        for name, content in old.items():
            (tmp_path / f"out-{step}" / name).write_bytes(content)
    seen = []
    for step in crash_steps(write_over, monkeypatch):
        out = tmp_path / f"out-{step}"
        load_run(out)
        assert written(out) in (old, newer)
        seen.append(written(out) == newer)
        check_folder(out)  # and nobody is accused of having edited it
        assert sorted(path.name for path in out.iterdir()) == NAMES
    assert seen == sorted(seen)
    assert set(seen) == {False, True}
    assert len(seen) > 20  # two for each file written, one for each moved


def test_crash_during_the_first_run_leaves_all_or_nothing(tmp_path, shortlists, monkeypatch):
    def write(step):
        write_run(tmp_path / f"out-{step}", shortlists[:2], [], {})

    for step in crash_steps(write, monkeypatch):
        out = tmp_path / f"out-{step}"
        check_folder(out)
        assert not out.exists() or sorted(contents(out)) in ([], NAMES)
        assert not (out / ".staged").exists()


def test_disk_that_is_full_leaves_the_old_set_and_nothing_else(out, shortlists, monkeypatch):
    before = contents(out)
    for step in range(1, 2 + 2 * len(NAMES)):  # every operation before the first move
        with monkeypatch.context() as patch:
            begun = crash_at(patch, step, OSError)
            with pytest.raises(OSError, match=r"."):
                write_run(out, shortlists[:1], [], {})
            assert len(begun) >= step
        assert contents(out) == before
        assert not (out / ".staged").exists()
