import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matcher.errors import MatcherError
from matcher.evaluation import Change, evaluate

QRELS = {f"i{n:02}": {"x": 3, "y": 1} for n in range(20)}
GOOD = {issue: {"x": 2.0, "y": 1.0} for issue in QRELS}
POOR = {issue: {"y": 2.0, "x": 1.0} for issue in QRELS}


def test_an_arm_that_never_ran_is_refused_and_not_called_worse():
    for nothing in ({}, {"another": {"x": 1.0}}):
        with pytest.raises(MatcherError, match="判定のある課題が1件もありません"):
            evaluate(GOOD, QRELS, against=nothing)


def test_issues_that_an_arm_was_never_asked_are_named_and_not_compared():
    half = {issue: POOR[issue] for issue in sorted(POOR)[:8]}
    found = evaluate(GOOD, QRELS, against=half)
    compared = found.against["nDCG@10"]
    whole = evaluate(GOOD, QRELS, against=POOR).against["nDCG@10"]
    assert (compared.issues, compared.better) == (8, 8)
    assert compared.difference.mean == pytest.approx(whole.difference.mean)
    assert found.not_compared == {"against": tuple(sorted(QRELS)[8:])}
    assert found.issues == 20  # the mean of the run itself is over all


def test_an_empty_list_is_an_answer_and_counts_as_zero():
    empty = GOOD | {"i00": {}}
    found = evaluate(GOOD, QRELS, against=empty)
    assert found.against["nDCG@10"].changes == (Change(issue_id="i00", ours=1.0, theirs=0.0),)
    assert found.not_compared == {"against": ()}


def test_changes_are_the_issues_to_read_the_most_lost_first():
    mixed = GOOD | {"i03": {"y": 1.0}, "i05": {}, "i07": POOR["i07"]}
    down = evaluate(mixed, QRELS, measures=["nDCG@10"], against=GOOD).against["nDCG@10"]
    assert [change.issue_id for change in down.changes] == ["i05", "i03", "i07"]
    assert (down.better, down.worse, down.equal) == (0, 3, 17)
    up = evaluate(GOOD, QRELS, measures=["nDCG@10"], against=mixed).against["nDCG@10"]
    assert [change.issue_id for change in up.changes] == ["i07", "i03", "i05"]


def test_correction_is_over_every_measure_and_arm():
    one = evaluate(GOOD, QRELS, measures=["nDCG@10"], against=POOR)
    many = evaluate(
        GOOD, QRELS, measures=["nDCG@10", "RR(rel=3)", "Judged@10"], others={"a": POOR, "b": GOOD}
    )
    alone, among = one.against["nDCG@10"], many.others["a"]["nDCG@10"]
    assert alone.p_corrected == alone.p == among.p
    assert among.p_corrected == pytest.approx(4 * among.p)  # two measures, two arms
    assert many.others["b"]["nDCG@10"].p_corrected == 1
    assert many.others["a"]["Judged@10"].p_corrected is None
    assert many.against == many.others["a"]


def test_worse_is_what_fell_by_more_than_chance_and_by_enough():
    down = evaluate(POOR, QRELS, against=GOOD).against["nDCG@10"]
    assert down.is_worse()
    assert down.is_worse(by=0.05)
    assert not down.is_worse(by=0.9)
    assert not evaluate(GOOD, QRELS, against=POOR).against["nDCG@10"].is_worse()
    once = evaluate(GOOD | {"i00": {}}, QRELS, against=GOOD).against["nDCG@10"]
    assert once.difference.mean < 0
    assert not once.is_worse()


def test_rows_hold_both_sides_where_both_were_asked():
    half = {issue: POOR[issue] for issue in sorted(POOR)[:8]}
    rows = evaluate(GOOD, QRELS, measures=["RR(rel=3)"], against=half).rows()
    assert [(row["value"], row["theirs"]) for row in rows] == [(1, 0.5)] * 8 + [(1, None)] * 12


lists = st.fixed_dictionaries(
    {
        issue: st.dictionaries(st.sampled_from("xyz"), st.integers(1, 5).map(float))
        for issue in "abc"
    }
)


@settings(max_examples=8)  # each collects all garbage twice (statsmodels)
@given(lists, lists)
def test_difference_turned_round_has_the_other_sign_and_the_same_p(ours, theirs):
    qrels = {issue: {"x": 3, "y": 1} for issue in "abc"}
    found = evaluate(ours, qrels, measures=["nDCG@10"], against=theirs, resamples=50)
    turned = evaluate(theirs, qrels, measures=["nDCG@10"], against=ours, resamples=50)
    one, other = found.against["nDCG@10"], turned.against["nDCG@10"]
    assert one.difference.mean == pytest.approx(-other.difference.mean)
    assert (one.better, one.worse, one.p) == (other.worse, other.better, other.p)
    assert one.ours - one.theirs == pytest.approx(one.difference.mean)
