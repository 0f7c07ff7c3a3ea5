"""Agreement of judges, beside the same figures from another library (nltk)."""

import itertools
import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nltk.metrics.agreement import AnnotationTask

from matcher.agreement import (
    NO_PAIR,
    ONE_GRADE,
    ONE_JUDGE,
    agreement,
    compare,
    leaning,
    reading,
)
from matcher.judgements import DECIDED, Judgement, settle

JUDGES = ("甲", "乙", "丙")
GRADES = st.integers(0, 3)


def said(table, judges=JUDGES):
    """The judgements of a table: a row for each pair, a column for each judge, None for none."""
    return [
        Judgement(
            issue_id="01", company_id=f"{n:03d}", judge=judge, grade=grade,
            is_unsure=grade is None,
        )
        for n, row in enumerate(table)
        for judge, grade in zip(judges, row, strict=True)
    ]  # fmt: skip


def task(table, distance=None, judges=JUDGES):
    data = [
        (judge, n, grade)
        for n, row in enumerate(table)
        for judge, grade in zip(judges, row, strict=True)
        if grade is not None
    ]
    return AnnotationTask(data, distance) if distance else AnnotationTask(data)


def ordinal(table):
    """Krippendorff's ordinal distance, from how often each grade is given where two are."""
    each = [[grade for grade in row if grade is not None] for row in table]
    counts = Counter(grade for row in each if len(row) > 1 for grade in row)

    def distance(a, b):
        low, high = sorted((a, b))
        between = sum(counts[grade] for grade in range(low, high + 1))
        return (between - (counts[low] + counts[high]) / 2) ** 2

    return distance


def random_table(seed, gaps=False):
    rng = random.Random(seed)
    rows = []
    for _ in range(60):
        grade = rng.randrange(4)
        row = [min(3, max(0, grade + rng.choice((-1, 0, 0, 0, 1, 2)))) for _ in JUDGES]
        rows.append([None if gaps and rng.random() < 0.2 else one for one in row])
    return rows


@pytest.mark.parametrize("seed", range(6))
def test_figures_equal_those_of_another_library(seed):
    table = random_table(seed)
    found = agreement(said(table))
    assert found.fleiss.value == pytest.approx(task(table).pi(), abs=1e-12)
    assert found.alpha.value == pytest.approx(task(table, ordinal(table)).alpha(), abs=1e-9)
    assert found.equal.value == pytest.approx(task(table).avg_Ao(), abs=1e-12)
    assert (found.fleiss.pairs, found.alpha.pairs, found.equal.pairs) == (60, 60, 60)
    for one in found.between:
        kappa = task(table).kappa_pairwise(*one.judges)
        assert one.kappa.value == pytest.approx(kappa, abs=1e-12)
        squared = task(table, lambda a, b: (a - b) ** 2)
        weighted = squared.weighted_kappa_pairwise(*one.judges)  # the scale cancels out
        assert one.weighted.value == pytest.approx(weighted, abs=1e-12)


@pytest.mark.parametrize("seed", range(4))
def test_alpha_allows_gaps_and_says_how_many_pairs_it_rests_on(seed):
    table = random_table(seed, gaps=True)
    found = agreement(said(table))
    shared = [row for row in table if sum(grade is not None for grade in row) > 1]
    assert found.alpha.value == pytest.approx(task(shared, ordinal(table)).alpha(), abs=1e-9)
    assert found.alpha.pairs == len(shared)
    assert found.fleiss.pairs == sum(None not in row for row in table)
    whole = [row for row in table if None not in row]
    assert found.fleiss.value == pytest.approx(task(whole).pi(), abs=1e-12)
    couples = [
        a == b
        for row in shared
        for a, b in itertools.combinations([g for g in row if g is not None], 2)
    ]
    assert found.equal.value == pytest.approx(sum(couples) / len(couples))
    assert found.graded == {j: sum(row[x] is not None for row in table) for x, j in
                            sorted(enumerate(JUDGES), key=lambda one: one[1])}  # fmt: skip


def test_kappa_by_hand():
    # Equal in 3 of 4. Counts of 3, 0, 1: 2, 1, 1 and 2, 2, 0.
    found = agreement(said([(3, 3), (3, 3), (0, 0), (1, 0)], ("甲", "乙")))
    chance = (2 * 2 + 1 * 2 + 1 * 0) / 16
    assert found.between[0].kappa.value == pytest.approx((0.75 - chance) / (1 - chance))
    assert found.between[0].equal.value == 0.75


def test_judges_that_agree_on_everything_reach_one():
    found = agreement(said([(3, 3, 3), (0, 0, 0), (1, 1, 1)]))
    for figure in (found.fleiss, found.alpha, found.equal, found.between[0].weighted):
        assert figure.value == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("table", "why"),
    [
        ([(3, None, None), (1, None, None)], ONE_JUDGE),
        ([], ONE_JUDGE),
        ([(3, None, None), (None, 2, None)], NO_PAIR),
        ([(2, 2, 2), (2, 2, 2)], ONE_GRADE),
    ],
)
def test_what_is_not_defined_is_none_and_says_why(table, why):
    found = agreement(said(table))
    assert (found.fleiss.value, found.fleiss.why) == (None, why)
    assert (found.alpha.value, found.alpha.why) == (None, why)
    for one in found.between:
        assert one.kappa.value is None and one.weighted.value is None
        assert one.kappa.why == why


@given(st.lists(st.tuples(*[st.none() | GRADES] * 3), max_size=8))
@settings(max_examples=60)
def test_no_table_crashes_or_gives_nan(table):
    found = agreement(said(table))
    figures = [found.fleiss, found.alpha, found.equal]
    figures += [figure for one in found.between for figure in (one.kappa, one.weighted, one.equal)]
    for figure in figures:
        assert (figure.value is None) == bool(figure.why)
        assert figure.value is None or -1.0 - 1e-9 <= figure.value <= 1.0 + 1e-9
        assert figure.pairs <= len(table)


def test_decisions_and_judges_who_said_two_things_do_not_count():
    told = said([(3, 3, 3), (0, 1, 0)])
    more = [
        Judgement(issue_id="01", company_id="000", judge=DECIDED, grade=0),
        Judgement(issue_id="01", company_id="000", judge="甲", grade=0),
    ]
    found = agreement([*told, *more])
    assert found.judges == ("丙", "乙", "甲")
    assert found.graded == {"丙": 2, "乙": 2, "甲": 1}


def test_readings_are_plain_words():
    words = [reading(value) for value in (None, -0.1, 0.1, 0.3, 0.5, 0.7, 0.9)]
    assert len(set(words)) == 7
    assert reading(0.7) == "かなり一致しています"
    assert [leaning(shift) for shift in (None, 0.3, -0.3, 0.1)] == [
        "比べられません", "甘い", "辛い", "ほぼ同じ",
    ]  # fmt: skip


def test_a_judge_beside_settled_grades():
    qrels = {"01": {"000": 3, "001": 0, "002": 2, "003": 1}, "02": {"009": 3}}
    told = [
        Judgement(issue_id="01", company_id="000", judge="弟子", grade=1, reason="対象が違う"),
        Judgement(issue_id="01", company_id="001", judge="弟子", grade=3, memo="近い"),
        Judgement(issue_id="01", company_id="002", judge="弟子", grade=2),
        Judgement(issue_id="01", company_id="004", judge="弟子", grade=2),
        Judgement(issue_id="01", company_id="003", judge="弟子", grade=None, is_unsure=True),
    ]
    peers = [
        Judgement(issue_id="01", company_id="000", judge="師", grade=3, reason="困りごとに合う"),
        Judgement(issue_id="01", company_id="000", judge="他", grade=2, reason="一部だけ担える"),
        *told,
    ]
    found = compare("弟子", told, qrels, peers=peers)
    assert (found.pairs, found.unsettled) == (3, 1)
    assert found.equal.value == pytest.approx(1 / 3)
    assert found.shift == pytest.approx((-2 + 3 + 0) / 3)
    assert found.confusion == ((0, 0, 0, 1), (0, 0, 0, 0), (0, 0, 1, 0), (0, 1, 0, 0))
    assert [(gap.company_id, gap.settled, gap.grade) for gap in found.gaps] == [
        ("001", 0, 3), ("000", 3, 1),
    ]  # fmt: skip
    assert (found.gaps[0].reason, found.gaps[0].settled_reason) == ("近い", "")
    assert (found.gaps[1].reason, found.gaps[1].settled_reason) == ("対象が違う", "困りごとに合う")


def test_a_judge_without_common_pairs_is_no_fault():
    found = compare("甲", [], {"01": {"000": 3}})
    assert (found.pairs, found.shift, found.equal.value, found.kappa.why) == (
        0,
        None,
        None,
        NO_PAIR,
    )


# Settling.

JUDGEMENTS = st.lists(
    st.builds(
        Judgement,
        issue_id=st.sampled_from(["01", "02"]),
        company_id=st.sampled_from(["a", "b", "c"]),
        judge=st.sampled_from([*JUDGES, DECIDED]),
        grade=st.none() | GRADES,
        is_unsure=st.just(False),
        reason=st.sampled_from(["", "対象が違う"]),
        memo=st.just(""),
    ),
    max_size=14,
)
FORMER = st.dictionaries(
    st.sampled_from(["01", "02", "03"]),
    st.dictionaries(st.sampled_from(["a", "b", "z"]), GRADES, min_size=1),
)


@pytest.mark.parametrize(
    ("grades", "lenient", "strict"),
    [
        ((2, 2), 2, 2),
        ((2, 3), 2, None),
        ((2, 2, 3), 2, None),
        ((2, 3, 3), 3, None),
        ((2, 2, 3, 3), 2, None),
        ((1, 3), None, None),
        ((0, 1, 2), None, None),
        ((3,), 3, 3),
        ((3, None), 3, 3),
    ],
)
def test_rule_of_settling(grades, lenient, strict):
    told = said([grades], tuple(f"判定者{n}" for n in range(len(grades))))
    for strictly, grade in ((False, lenient), (True, strict)):
        found = settle(told, strictly=strictly)
        assert found.qrels == ({} if grade is None else {"01": {"000": grade}})
        assert len(found.disagreements) == (grade is None)


def test_nobody_could_say_is_neither_zero_nor_a_disagreement():
    found = settle(said([(None, None)], ("甲", "乙")))
    assert (found.qrels, found.disagreements, found.unanswered) == ({}, (), 1)


def test_decision_settles_and_two_decisions_do_not():
    told = said([(0, 3)], ("甲", "乙"))
    decision = Judgement(issue_id="01", company_id="000", judge=DECIDED, grade=1)
    assert settle([*told, decision]).qrels == {"01": {"000": 1}}
    other = Judgement(issue_id="01", company_id="000", judge=DECIDED, grade=2)
    assert len(settle([*told, decision, other]).disagreements) == 1


def test_former_grade_stands_and_another_result_is_told():
    told = said([(3, 3), (0, 3), (1, 1)], ("甲", "乙"))
    former = {"01": {"000": 1, "001": 2, "002": 1}, "02": {"x": 0}}
    found = settle(told, former=former)
    assert found.qrels == former
    assert [(one.company_id, one.former, one.found) for one in found.revisions] == [
        ("000", 1, 3), ("001", 2, None),
    ]  # fmt: skip
    assert (found.kept, found.disagreements) == (3, ())


def test_ids_with_blanks_are_those_of_the_qrels():
    told = [Judgement(issue_id="A 1", company_id="c", judge="甲", grade=3)]
    assert settle(told, former={"A_1": {"c": 2}}).revisions[0].former == 2
    assert settle(told).qrels == {"A_1": {"c": 3}}


@given(JUDGEMENTS, FORMER, st.booleans(), st.randoms(use_true_random=False))
def test_order_and_repetition_change_nothing(told, former, strictly, rng):
    found = settle(told, former=former, strictly=strictly)
    mixed = [*told, *told[:3]]
    rng.shuffle(mixed)
    assert settle(mixed, former=former, strictly=strictly) == found
    again = settle(found.judgements, former=former, strictly=strictly)
    assert again == found


@given(JUDGEMENTS, FORMER, st.booleans())
def test_former_grades_are_never_lost_and_every_pair_is_accounted_for(told, former, strictly):
    found = settle(told, former=former, strictly=strictly)
    for issue, grades in former.items():
        for company, grade in grades.items():
            assert found.qrels[issue][company] == grade
    assert found.pairs == len({one.key for one in told}) == (
        found.agreed + found.lowered + found.decided + found.kept + found.unanswered
        + len(found.disagreements)
    )  # fmt: skip
    assert set(found.judgements) == set(told)
    new = sum(map(len, found.qrels.values())) - sum(map(len, former.values()))
    assert new == found.agreed + found.lowered + found.decided
    told_grades = {(*one.key, one.grade) for one in told}
    for issue, grades in found.qrels.items():
        for company, grade in grades.items():  # a grade is always one that somebody gave
            assert former.get(issue, {}).get(company) == grade or (
                (issue, company, grade) in told_grades
            )
