import math

import pytest
from examples import COMPANIES, ISSUES, LINES, FakeEncoder, write_table
from hypothesis import given, settings
from hypothesis import strategies as st

from matcher.catalog import Catalog
from matcher.codes import data_folder
from matcher.corpus import read_companies, read_issues
from matcher.errors import DataError, MatcherError
from matcher.evaluation import MEASURES, evaluate
from matcher.pipeline import Matcher
from matcher.trec import read_qrels, read_run

# Three issues: a turned round, b perfect, c without a list.
QRELS = {"a": {"x": 3, "y": 1}, "b": {"x": 3, "y": 0}, "c": {"z": 3}}
RUN = {"a": {"y": 2.0, "x": 1.0}, "b": {"x": 5.0, "y": 4.0, "w": 3.0}, "c": {}}
# Gain 1 first and 3 second, over 3 first and 1 second.
TURNED = (1 / math.log2(2) + 3 / math.log2(3)) / (3 / math.log2(2) + 1 / math.log2(3))


def trec(run):
    lines = [
        f"{issue} Q0 {company} {rank} {score} matcher\n"
        for issue, scores in run.items()
        for rank, (company, score) in enumerate(scores.items(), start=1)
    ]
    return "".join(lines)


def test_measures_agree_with_a_case_worked_by_hand():
    found = evaluate(RUN, QRELS)
    assert tuple(found.means) == tuple(found.values) == MEASURES
    assert found.values["nDCG@10"] == pytest.approx({"a": TURNED, "b": 1, "c": 0})
    assert found.values["R(rel=3)@10"] == {"a": 1, "b": 1, "c": 0}
    assert found.values["Success(rel=3)@1"] == {"a": 0, "b": 1, "c": 0}
    assert found.values["Judged@10"] == pytest.approx({"a": 1, "b": 2 / 3, "c": 0})
    assert found.means["nDCG@10"].mean == pytest.approx((TURNED + 1) / 3)


def test_cutoff_counts_places():
    found = evaluate(RUN, QRELS, measures=["R(rel=3)@1", "P@2", "RR", "AP(rel=3)"])
    assert found.values["R(rel=3)@1"] == {"a": 0, "b": 1, "c": 0}
    assert found.values["P@2"] == {"a": 1, "b": 0.5, "c": 0}
    assert found.values["RR"] == {"a": 1, "b": 1, "c": 0}
    assert found.values["AP(rel=3)"] == {"a": 0.5, "b": 1, "c": 0}


def test_issue_without_list_counts_zero_and_is_named():
    with_empty = evaluate(RUN, QRELS)
    without = evaluate({issue: RUN[issue] for issue in ("a", "b")}, QRELS)
    assert with_empty.without_list == without.without_list == ("c",)
    assert with_empty.means == without.means
    assert with_empty.issues == without.issues == 3


def test_run_without_any_list_is_zero_everywhere():
    found = evaluate({}, QRELS)
    assert found.without_list == ("a", "b", "c")
    assert {estimate.mean for estimate in found.means.values()} == {0}


def test_unjudged_issues_are_named_and_do_not_count():
    found = evaluate(RUN | {"u": {"x": 9.0}}, QRELS)
    assert found.unjudged_issues == ("u",)
    assert found.means == evaluate(RUN, QRELS).means


def test_unjudged_companies_lower_only_the_judged_share():
    found = evaluate({"b": {"x": 9.0, "n1": 8.0, "n2": 7.0}}, {"b": {"x": 3}})
    assert found.means["nDCG@10"].mean == 1
    assert found.means["Judged@10"].mean == pytest.approx(1 / 3)


def test_order_of_the_run_is_by_score_not_by_position():
    turned = {"a": {"x": 1.0, "y": 2.0}}
    assert evaluate(turned, QRELS).values == evaluate({"a": RUN["a"]}, QRELS).values


# Intervals and comparisons


def test_interval_holds_the_mean_and_repeats_to_the_last_digit():
    first, second = evaluate(RUN, QRELS), evaluate(RUN, QRELS)
    assert first == second
    estimate = first.means["nDCG@10"]
    assert estimate.low <= estimate.mean <= estimate.high
    assert (estimate.low, estimate.high) == (0, 1)  # three issues say very little


def test_interval_does_not_depend_on_the_order_of_issues():
    turned = evaluate(dict(reversed(RUN.items())), dict(reversed(QRELS.items())))
    assert turned.means == evaluate(RUN, QRELS).means


@pytest.mark.parametrize("issues", [1, 2, 7])
def test_constant_values_give_an_interval_of_no_width(issues):
    qrels = {f"i{n}": {"x": 3} for n in range(issues)}
    found = evaluate({issue: {"x": 1.0} for issue in qrels}, qrels).means["nDCG@10"]
    assert found.mean == found.low == found.high == 1


def test_one_issue_gives_an_interval_of_no_width():
    found = evaluate(RUN, {"a": QRELS["a"]}).means["nDCG@10"]
    assert found.mean == found.low == found.high == pytest.approx(TURNED)


def test_run_against_itself_differs_by_nothing():
    for name, compared in evaluate(RUN, QRELS, against=RUN).against.items():
        gap, untested = compared.difference, name == "Judged@10"
        assert (gap.mean, gap.low, gap.high) == (0, 0, 0)
        assert compared.p == compared.p_bootstrap == compared.p_corrected
        assert compared.p is None if untested else compared.p == 1
        assert (compared.better, compared.worse, compared.equal) == (0, 0, 3)
        assert (compared.ours, compared.changes) == (compared.theirs, ())


def test_difference_is_this_run_minus_the_other():
    better = RUN | {"a": {"x": 2.0, "y": 1.0}, "c": {"z": 1.0}}
    up = evaluate(better, QRELS, against=RUN).against["nDCG@10"]
    down = evaluate(RUN, QRELS, against=better).against["nDCG@10"]
    assert up.difference.mean == pytest.approx((1 - TURNED + 0 + 1) / 3)
    assert down.difference.mean == -up.difference.mean
    assert (up.better, up.worse, up.equal) == (down.worse, down.better, down.equal) == (2, 0, 1)
    assert down.p == up.p


def test_permutation_test_is_that_of_all_signs():
    # Five issues, each better by 1: of 32 sign patterns two are as extreme.
    qrels = {f"i{n}": {"x": 3} for n in range(5)}
    nothing = {issue: {} for issue in qrels}
    found = evaluate({issue: {"x": 1.0} for issue in qrels}, qrels, against=nothing)
    assert found.against["nDCG@10"].p == pytest.approx(2 / 32)


def test_comparison_of_one_issue_says_nothing():
    found = evaluate({"a": {"x": 1.0}}, {"a": {"x": 3}}, against={"a": {"y": 1.0}})
    assert found.against["nDCG@10"].p == 1


def test_nothing_is_compared_unless_asked():
    assert evaluate(RUN, QRELS).against == {}


grades = st.dictionaries(st.sampled_from("xyzuvw"), st.integers(0, 3), min_size=1)
lists = st.dictionaries(st.sampled_from("xyzuvw"), st.integers(-5, 5).map(float))


@settings(max_examples=12)  # each collects all garbage (statsmodels)
@given(st.dictionaries(st.sampled_from("abcd"), grades, min_size=1),
       st.dictionaries(st.sampled_from("abcde"), lists))  # fmt: skip
def test_every_value_lies_between_zero_and_one_for_every_judged_issue(qrels, run):
    run = run | {issue: {} for issue in qrels.keys() - run.keys()}
    found = evaluate(run, qrels, resamples=200, against=run | {issue: {} for issue in qrels})
    for values in found.values.values():
        assert values.keys() == qrels.keys()
        assert all(0 <= value <= 1 for value in values.values())
    for estimate in found.means.values():
        assert estimate.low <= estimate.mean + 1e-12
        assert estimate.mean <= estimate.high + 1e-12
    tested = [one for name, one in found.against.items() if name != "Judged@10"]
    assert all(0 < one.p <= one.p_corrected <= 1 for one in tested)


# What it takes


def test_run_and_judgements_may_be_files(tmp_path):
    (tmp_path / "run.trec").write_text(trec(RUN), encoding="utf-8")
    (tmp_path / "qrels.tsv").write_text(
        "".join(f"{i}\t0\t{c}\t{g}\n" for i, those in QRELS.items() for c, g in those.items()),
        encoding="utf-8",
    )
    for run in (tmp_path, str(tmp_path), tmp_path / "run.trec", str(tmp_path / "run.trec")):
        for qrels in (tmp_path / "qrels.tsv", str(tmp_path / "qrels.tsv"), QRELS):
            found = evaluate(run, qrels)
            assert found.values == evaluate(RUN, QRELS).values
            assert found.never_asked == ("c",)  # a file cannot tell of an empty list


def test_run_may_be_shortlists(tmp_path):
    encoder = FakeEncoder()
    companies = read_companies(write_table(tmp_path / "c.csv", COMPANIES))
    catalog = Catalog.build(companies, encoder, lines=LINES)
    issues = read_issues(write_table(tmp_path / "i.csv", ISSUES))
    shortlists = Matcher(catalog, encoder, reader=None).match(issues)
    qrels = {"i-1": {"c-02": 3}, "i-6": {"c-01": 2}}
    found = evaluate(shortlists, qrels)
    assert found == evaluate(iter(shortlists), qrels)
    assert found == evaluate(read_run(shortlists), qrels)
    assert found.without_list == ("i-6",)
    assert found.unjudged_issues == ("i-2", "i-3", "i-4", "i-5")
    assert found.values["nDCG@10"]["i-1"] == pytest.approx(1 / math.log2(3))  # second place


def test_shipped_judgements_can_be_met_perfectly():
    qrels = read_qrels(data_folder() / "qrels.tsv")
    perfect = {i: {c: float(g) for c, g in those.items()} for i, those in qrels.items()}
    found = evaluate(perfect, data_folder() / "qrels.tsv")
    assert found.issues == 52
    assert found.means["nDCG@10"].mean == pytest.approx(1)


# What is refused


@pytest.mark.parametrize(
    "line",
    ["a Q0 x 1 1.0", "a Q0 x 1 1.0 m m", "a Q0 x 1 eins m", "a Q0 x 1 nan m", "a Q0 x 1 inf m", ""],
)
def test_broken_run_line_is_named_by_its_number(tmp_path, line):
    (tmp_path / "run.trec").write_text(f"a Q0 w 1 2.0 m\n{line}\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"run\.trec の2行目は"):
        evaluate(tmp_path, QRELS)


def test_pair_that_stands_twice_in_a_run_is_named(tmp_path):
    (tmp_path / "run.trec").write_text("a Q0 x 1 2.0 m\na Q0 x 2 1.0 m\n", encoding="utf-8")
    with pytest.raises(DataError, match="2行目は同じ組（a と x）"):
        evaluate(tmp_path, QRELS)


@pytest.mark.parametrize("line", ["a 0 x", "a 0 x 4", "a 0 x -1", "a 0 x 1 2", "a 0 w 1"])
def test_broken_judgement_is_named_by_its_number(tmp_path, line):
    (tmp_path / "qrels.tsv").write_text(f"a 0 w 3\n\n{line}\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"qrels\.tsv」の3行目"):
        evaluate(RUN, tmp_path / "qrels.tsv")


@pytest.mark.parametrize("qrels", [{}, "empty"])
def test_no_judgement_at_all_is_said(tmp_path, qrels):
    (tmp_path / "empty").write_text("\n", encoding="utf-8")
    with pytest.raises(MatcherError, match="ありません"):
        evaluate(RUN, tmp_path / qrels if qrels else qrels)


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00", "dir"])
def test_run_that_cannot_be_read_is_said(tmp_path, content):
    path = tmp_path / "run.trec"
    if content == "dir":
        path.mkdir()
    elif content:
        path.write_bytes(content)
    with pytest.raises(DataError, match=r"run\.trec を読めません"):
        evaluate(tmp_path, QRELS)
