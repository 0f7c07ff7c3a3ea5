import json
import math

from hypothesis import given
from hypothesis import strategies as st
from vector_examples import budgets_for_few, line

from matcher.index import budget as room
from matcher.index.budget import Band, Budget

KS = st.integers(1, 200)
ELIGIBLE = st.integers(1, 3_000_000)
SHARES = st.floats(0, 1)
BANDS = st.builds(
    Band, low=SHARES, high=SHARES, queries=st.integers(1, 999), recall=SHARES, worst=SHARES
)
LINES = st.builds(
    line,
    k=st.sampled_from([10, 100, 1_000]),
    base=st.sampled_from([1.0, 100.0, 1_600.0]),
    slope=st.sampled_from([0.0, 1.0, 4.0]),
    reach=st.floats(-0.1, 0.4),
    most=st.sampled_from([1.0, 10.0, 40.0]),
    bands=st.lists(BANDS, max_size=3).map(tuple),
)


@given(LINES, KS, ELIGIBLE)
def test_first_rows_are_at_least_k_and_at_most_everyone(bounds, k, eligible):
    rows = bounds.first(k, eligible)
    assert min(k, eligible) <= rows <= eligible
    assert rows == min(eligible, max(k, round(bounds.base + bounds.slope * math.sqrt(eligible))))
    assert rows <= bounds.first(k + 1, eligible) <= bounds.first(k + 1, eligible + 1)


@given(LINES, KS, ELIGIBLE)
def test_last_rows_are_no_fewer_than_the_first_and_at_most_everyone(bounds, k, eligible):
    assert bounds.first(k, eligible) <= bounds.last(k, eligible) <= eligible


@given(st.lists(LINES, max_size=3), KS, ELIGIBLE | st.integers(1, 2_000))
def test_a_line_is_for_as_many_hits_and_spares_rows_or_there_is_none(lines, k, eligible):
    budget = Budget(tuple(sorted(lines, key=lambda one: one.k)))
    fit = [one for one in budget.lines if k <= one.k and one.first(k, eligible) < eligible]
    best = fit[0] if fit else None
    assert budget.line(k, eligible) == (best if eligible > room.FEW else None)
    with budgets_for_few():
        assert budget.line(k, eligible) == best


def test_few_allowed_rows_are_all_looked_at():
    budget = Budget((line(k=100, base=1),))
    assert budget.line(10, room.FEW) is None
    assert budget.line(10, room.FEW + 1) is not None
    assert Budget(()).line(10, 10**6) is None


def test_who_asks_for_more_hits_than_were_measured_has_everyone_looked_at():
    ten, hundred = line(k=10), line(k=100)
    budget = Budget((ten, hundred))
    assert budget.line(10, 10_000) is ten
    assert budget.line(11, 10_000) is hundred
    assert budget.line(101, 10_000) is None


@given(st.lists(LINES, max_size=3))
def test_what_was_told_of_a_budget_gives_it_back(lines):
    budget = Budget(tuple(lines))
    assert Budget.of(json.loads(json.dumps(budget.told()))) == budget
    assert Budget.of(budget.told()) == budget
