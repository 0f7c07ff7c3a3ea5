import json
from dataclasses import fields

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from matcher import codes, records, shortlists
from matcher.types import Company, Constraint, Entry, Evidence, Issue, Shortlist

# Lone surrogates cannot be written to a file, and the tables let none in.
TEXT = st.text(max_size=12)
LINES = st.sampled_from(
    ["一\n二", "一\u2028二\u2029三\x85四", '"引用"\\', "\0\x1c", "㍿ｺﾞﾐ葛\U000e0100", ""]
)
ANY = st.one_of(TEXT, LINES)
GOALS = st.frozensets(st.integers(1, 17))
PREFECTURES = st.sampled_from(["", *sorted(codes.ALL_PREFECTURES)])
EXTRA = st.dictionaries(ANY, ANY, max_size=3)
NUMBERS = st.floats(-99, 99).map(lambda value: round(value, 6))

ISSUES = st.builds(
    Issue,
    **{field.name: ANY for field in fields(Issue)}
    | {"prefecture": PREFECTURES, "sdgs": GOALS, "extra": EXTRA},
)
COMPANIES = st.builds(
    Company,
    **{field.name: ANY for field in fields(Company)}
    | {
        "headquarters": PREFECTURES,
        "regions": st.frozensets(st.sampled_from(sorted(codes.ALL_PREFECTURES))),
        "is_area_declared": st.booleans(),
        "sdgs": GOALS,
        "is_sdgs_inferred": st.booleans(),
        "extra": EXTRA,
    },
)
ENTRIES = st.builds(
    Entry,
    rank=st.integers(1, 99),
    company=COMPANIES,
    score=NUMBERS,
    parts=st.dictionaries(
        st.sampled_from(["dense", "words", "bigrams", "sdgs", "region"]), NUMBERS
    ),
    shared_sdgs=GOALS,
    region_reason=ANY,
    evidence=st.lists(
        st.builds(
            Evidence,
            issue_span=ANY,
            company_span=ANY,
            kind=st.sampled_from(["meaning", "term"]),
        ),
        max_size=2,
    ).map(tuple),
    band=st.sampled_from([None, "A", "B", "C"]),
)


@st.composite
def any_shortlist(draw):
    issue = draw(ISSUES)
    return Shortlist(
        issue=issue,
        constraint=Constraint(
            region_rule=draw(st.sampled_from(["serves", "prefecture", "block", "any"])),
            prefecture=issue.prefecture,
            sdg_rule=draw(st.sampled_from(["prefer", "any", "all", "ignore"])),
            sdgs=issue.sdgs,
        ),
        status=draw(st.sampled_from(["ranked", "no_candidate", "routed", "unclear"])),
        considered=draw(st.integers(0, 999)),
        excluded={"region": draw(st.integers(0, 99)), "sdgs": draw(st.integers(0, 99))},
        entries=tuple(draw(st.lists(ENTRIES, max_size=2))),
    )


ISSUE = Issue(
    issue_id="iss-1",
    title="空き家",
    description="増えている。",
    municipality="豊田市",
    municipality_code="232114",
    prefecture="23",
    sdgs=frozenset({11, 3}),
    deadline="2026-04-01",
    extra={"年度": "令和8"},
)
COMPANY = Company(
    company_id="co-1",
    name="空き家社",
    profile="空き家の管理。",
    headquarters="13",
    regions=codes.ALL_PREFECTURES,
    sdgs=frozenset({11}),
    is_sdgs_inferred=True,
    extra={"資本金": "1億"},
)
RANKED = Shortlist(
    issue=ISSUE,
    constraint=Constraint(prefecture="23", sdgs=frozenset({3, 11})),
    status="ranked",
    considered=812,
    excluded={"region": 95, "sdgs": 0},
    entries=(
        Entry(
            rank=1,
            company=COMPANY,
            score=3.41,
            parts={"dense": 2.02, "words": 0.71, "bigrams": 0.6, "sdgs": 0.05, "region": 0.03},
            shared_sdgs=frozenset({11}),
            region_reason="全国対応",
            evidence=(Evidence(issue_span="空き家", company_span="空き家の", kind="term"),),
        ),
    ),
)


def through_json(kind, record):
    text = json.dumps(records.to_json(record), ensure_ascii=False)
    return records.from_json(kind, json.loads(text))


@settings(deadline=None)
@given(ISSUES)
def test_issue_comes_back_whole(issue):
    assert through_json(Issue, issue) == issue


@settings(deadline=None)
@given(COMPANIES)
def test_company_comes_back_whole(company):
    again = through_json(Company, company)
    assert again == company
    assert type(again.regions) is type(again.sdgs) is frozenset


def test_record_is_its_fields_by_name_with_sets_ascending():
    values = records.to_json(ISSUE)
    assert list(values) == [field.name for field in fields(Issue)]
    assert values["sdgs"] == [3, 11]
    assert values["extra"] == {"年度": "令和8"}
    assert records.to_json(COMPANY)["regions"] == [f"{n:02d}" for n in range(1, 48)]


def test_values_are_copies():
    values = records.to_json(ISSUE)
    values["extra"]["年度"] = "令和9"
    assert ISSUE.extra == {"年度": "令和8"}


@pytest.mark.parametrize("kind", [Issue, Company])
def test_missing_and_unknown_fields_are_refused(kind):
    values = records.to_json(ISSUE if kind is Issue else COMPANY)
    with pytest.raises(TypeError, match="nickname"):
        records.from_json(kind, values | {"nickname": "x"})
    del values["issue_id" if kind is Issue else "company_id"]
    with pytest.raises(TypeError, match="_id"):
        records.from_json(kind, values)


@settings(deadline=None)
@given(st.lists(any_shortlist(), max_size=2))
@example([])
@example([RANKED, RANKED])
def test_shortlists_come_back_whole(several):
    lines = shortlists.to_lines(several)
    assert shortlists.from_lines(lines) == several
    assert lines.count("\n") == len(several)  # a line each, whatever the texts hold
    assert shortlists.to_lines(shortlists.from_lines(lines)) == lines


def test_line_separator_in_a_text_survives():
    issue = Issue(issue_id="1", title="一\u2028二", description="三\n四\x85五")
    bare = Shortlist(
        issue=issue,
        constraint=Constraint(),
        status="unclear",
        considered=0,
        excluded={"region": 0, "sdgs": 0},
        entries=(),
    )
    lines = shortlists.to_lines([bare])
    assert "\u2028" in lines
    assert shortlists.from_lines(lines) == [bare]


def test_line_holds_every_key_of_the_interface():
    line = json.loads(shortlists.to_lines([RANKED]))
    wanted = {
        "issue_id": "iss-1",
        "title": "空き家",
        "municipality": "豊田市",
        "prefecture": "23",
        "status": "ranked",
        "considered": 812,
        "excluded": {"region": 95, "sdgs": 0},
        "extra": {"年度": "令和8"},
    }
    assert {key: line[key] for key in wanted} == wanted
    (entry,) = line["entries"]
    wanted = {
        "rank": 1,
        "company_id": "co-1",
        "name": "空き家社",
        "score": 3.41,
        "band": None,
        "parts": {"dense": 2.02, "words": 0.71, "bigrams": 0.6, "sdgs": 0.05, "region": 0.03},
        "sdgs": {"shared": [11], "inferred": True, "quotes": {}},
        "region": {"rule": "serves", "reason": "全国対応"},
        "evidence": [{"issue_span": "空き家", "company_span": "空き家の", "kind": "term"}],
    }
    assert {key: entry[key] for key in wanted} == wanted


def test_keys_stand_in_the_order_of_the_interface():
    line = json.loads(shortlists.to_lines([RANKED]))
    first = ["issue_id", "title", "municipality", "prefecture", "status", "considered", "excluded"]
    assert list(line)[:7] == first
    (entry,) = line["entries"]
    assert list(entry)[:6] == ["rank", "company_id", "name", "score", "band", "parts"]


def test_japanese_stands_as_it_is():
    assert "空き家の管理。" in shortlists.to_lines([RANKED])


def test_no_lines_are_no_shortlists():
    assert shortlists.to_lines([]) == ""
    assert shortlists.from_lines("") == []


@pytest.mark.parametrize("line", ["{", "{}", "[]", '{"issue_id": "1"}'])
def test_foreign_line_is_refused(line):
    with pytest.raises((ValueError, KeyError, TypeError)):
        shortlists.from_lines(line + "\n")


# Values under a seal

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
VALUES = st.dictionaries(TEXT.filter(lambda name: name != "seal"), JSON, min_size=1, max_size=4)


@given(VALUES)
def test_seal_outlives_a_file_and_any_layout(values):
    sealed = records.sealed(values)
    written = json.dumps(sealed, ensure_ascii=False, indent=2, sort_keys=True)
    assert records.is_as_sealed(json.loads(written)) is True


@given(VALUES, JSON)
def test_any_value_that_changed_or_went_breaks_the_seal(values, other):
    sealed, name = records.sealed(values), min(values)
    is_same = json.dumps(values[name], sort_keys=True) == json.dumps(other, sort_keys=True)
    assert records.is_as_sealed(sealed | {name: other}) is is_same
    del sealed[name]
    assert records.is_as_sealed(sealed) is False


def test_values_without_a_seal_are_neither_as_sealed_nor_edited():
    assert records.is_as_sealed({"format": 1}) is None
