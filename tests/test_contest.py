"""The contest of the search benchmarks measures what it says."""

import importlib
import os

import numpy as np
import pytest

from matcher.types import Constraint

marks = importlib.import_module("marks")
corpora = importlib.import_module("corpora")
contest = importlib.import_module("contest")
standings = importlib.import_module("standings")
workers = importlib.import_module("workers")
ground_room = importlib.import_module("ground")
ours = importlib.import_module("ours")

EVERYWHERE = np.uint64(2**48 - 2)


@pytest.fixture
def corpus():
    """Six rows from one axis to the other, that on the first axis first; all serve everybody."""
    angles = np.linspace(0, np.pi / 2, 6)
    return corpora.Corpus(
        vectors=np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32),
        headquarters=np.array([13, 13, 13, 1, 1, 1], dtype=np.uint8),
        serves=np.full(6, EVERYWHERE),
        goals=np.array([2, 4, 2, 4, 2, 4], dtype=np.uint32),  # goal 1, goal 2, …
    )


def asked(**limits):
    return corpora.Question(
        vector=np.array([1, 0], dtype=np.float32), constraint=Constraint(**limits)
    )


ANYONE = {"region_rule": "any"}
TOKYO = {"region_rule": "prefecture", "prefecture": "13"}
GOAL_2 = {"region_rule": "any", "sdg_rule": "any", "sdgs": frozenset({2})}
NOBODY = {"region_rule": "prefecture", "prefecture": "47"}


def test_truth_is_the_best_of_the_eligible_rows(corpus):
    questions = [asked(**limits) for limits in (ANYONE, TOKYO, GOAL_2, NOBODY)]
    exact = marks.truth(corpus, questions, 2)
    assert [one.eligible for one in exact] == [6, 3, 3, 0]
    assert [one.rows.tolist() for one in exact] == [[0, 1], [0, 1], [1, 3], []]
    assert exact[1].scores == pytest.approx(np.cos([0, np.pi / 10]))


def test_truth_is_the_same_block_by_block(monkeypatch):
    corpus, vectors = corpora.synthetic(500, 1, dim=16, queries=20)
    questions = corpora.stratified(corpus, vectors, 1)
    whole = marks.truth(corpus, questions, 5)
    monkeypatch.setattr(marks, "_BLOCK", 64)
    for one, other, question in zip(
        whole, marks.truth(corpus, questions, 5), questions, strict=True
    ):
        assert one.rows.tolist() == other.rows.tolist()
        scores = corpus.vectors.astype(np.float64) @ question.vector.astype(np.float64)
        scores[~corpora.eligible(corpus, question.constraint)] = -2
        assert one.rows.tolist() == np.argsort(-scores)[: len(one.rows)].tolist()
        assert len(one.rows) == min(5, one.eligible)


@pytest.mark.parametrize(
    ("limits", "rows", "recall", "is_short", "violations"),
    [
        (ANYONE, [0, 1, 2, 3], 1.0, False, 0),
        (ANYONE, [3, 2, 1, 0], 1.0, False, 0),  # order is not recall's
        (ANYONE, [0, 1, 4, 5], 0.5, False, 0),
        (ANYONE, [0, 1], 0.5, True, 0),
        (ANYONE, [0, 0, 1, 2], 0.75, True, 1),  # one of them twice
        (TOKYO, [0, 1, 2], 1.0, False, 0),  # three are all there are
        (TOKYO, [0, 1, 2, 3], 1.0, False, 1),
        (TOKYO, [0, 3, 4, 5], 1 / 3, True, 3),
        (NOBODY, [], 1.0, False, 0),
        (NOBODY, [4], 1.0, False, 1),
    ],
)
def test_mark_by_hand(corpus, limits, rows, recall, is_short, violations):
    question, rows = asked(**limits), np.array(rows, dtype=np.int64)
    (exact,) = marks.truth(corpus, [question], 4)
    given = marks.mark(corpus, question, exact, rows, 4)
    assert (given.recall, given.is_short, given.violations) == (recall, is_short, violations)
    assert marks.short_or_wrong(corpus, question, exact.eligible, rows, 4) == (is_short, violations)


def test_either_of_two_equals_is_found():
    twice = np.array([[1, 0], [0.6, 0.8], [0.6, 0.8], [0, 1]], dtype=np.float32)
    corpus = corpora.Corpus(
        vectors=twice,
        headquarters=np.ones(4, np.uint8),
        serves=np.full(4, EVERYWHERE),
        goals=np.ones(4, np.uint32),
    )
    (exact,) = marks.truth(corpus, [asked(**ANYONE)], 2)
    for rows, recall in (([0, 1], 1), ([0, 2], 1), ([0, 3], 0.5)):
        rows = np.array(rows)
        assert marks.mark(corpus, asked(**ANYONE), exact, rows, 2).recall == recall
        assert marks.is_exactly(corpus, asked(**ANYONE), exact, rows) is (recall == 1)
    assert not marks.is_exactly(corpus, asked(**ANYONE), exact, np.array([1, 0]))
    assert not marks.is_exactly(corpus, asked(**ANYONE), exact, np.array([0]))


def test_report_by_hand():
    given = [marks.Mark(1.0, False, 0)] * 197 + [
        marks.Mark(0.0, True, 2),
        marks.Mark(0.5, False, 0),
        marks.Mark(0.9, False, 0),
    ]
    found = marks.report(given, [0.02] * 100 + [0.003] * 97 + [0.5] * 3)
    assert found["recall"] == (197 + 0 + 0.5 + 0.9) / 200
    assert found["recall of the worst 1 %"] == (0 + 0.5) / 2
    assert found["recall, 1st percentile"] == 0.5  # the second lowest of two hundred
    assert found["under-fill"] == 1 / 200
    assert found["violations"] == 2
    assert found["bands"] == [
        {"over": 0.0, "to": 0.003, "questions": 97, "recall": 1.0},
        {"over": 0.01, "to": 0.03, "questions": 100, "recall": 1.0},
        {"over": 0.3, "to": 1.0, "questions": 3, "recall": round(1.4 / 3, 4)},
    ]


def test_speed_by_hand():
    seconds = np.array([[0.001, 0.003], [0.002, 0.004], [0.009, 0.011]])
    found = marks.speed(seconds)
    assert found["rounds"] == [500, 333.3, 100]
    assert found["queries per second"] == 333.3  # of the median round
    assert (found["mean ms"], found["p50 ms"]) == (3, 3)  # of 2 and 4, the medians of each
    assert found["p99 ms"] == pytest.approx(3.98)


def test_ratio_is_the_median_of_the_rounds():
    ours, theirs = np.array([[1, 1], [1, 1], [1, 1]]), np.array([[2, 4], [1, 1], [50, 50]])
    assert marks.times_faster(ours, theirs) == 3


def trials(*pairs):
    return [marks.Trial({"at": at}, *pair) for at, pair in enumerate(pairs)]


def at(found):
    return [one.options["at"] for one in found]


def test_fastest_with_enough_recall_is_best_or_else_the_one_with_most():
    tried = trials((0.98, 1.0), (0.991, 3.0), (1.0, 4.0), (0.99, 2.0))
    assert at([marks.best(tried, 0.99)]) == [3]
    assert at([marks.best(tried[:1], 0.99)]) == [0]
    assert at([marks.best(trials((0.7, 1), (0.9, 5), (0.9, 4)), 0.99)]) == [2]


def test_promising_are_all_with_enough_recall_or_else_a_few():
    tried = trials((0.98, 3.0), (0.5, 1.0), (0.97, 2.0), (1.0, 9.0))
    assert at(marks.promising(tried, 0.97, 1)) == [2, 0, 3]
    assert at(marks.promising(tried, 1.1, 2)) == [3, 0]


def test_front_is_what_nothing_else_beats():
    tried = trials((0.5, 1.0), (0.4, 2.0), (0.9, 3.0), (0.9, 4.0), (1.0, 9.0))
    assert at(marks.front(tried)) == [0, 2, 4]


def test_slow_contestants_answer_evenly_spread_questions():
    assert contest.spread(100, 1e9).tolist() == list(range(100))
    assert contest.spread(100, 12).tolist() == [9 * place for place in range(12)]
    assert len(contest.spread(100, 0.1)) == 10
    assert contest.spread(4, 0).tolist() == [0, 1, 2, 3]


class Adder:
    """Something to be called in another process."""

    def __init__(self, start):
        self.total = start

    def add(self, number):
        self.total += number
        return self.total

    def told(self, name):
        return os.environ.get(name), os.getpid()

    def leave(self):
        os._exit(3)


def test_worker_is_another_process_with_its_own_environment():
    before = dict(os.environ)
    with workers.Worker(Adder, 1, threads=3, variables={"MATCHER_NATIVE": "0"}) as worker:
        assert (worker.call("add", 2), worker.call("add", 3)) == (3, 6)
        with pytest.raises(workers.Fallen, match="TypeError"):
            worker.call("add", "x")
        assert worker.call("add", 0) == 6
        assert worker.call("told", "MATCHER_NATIVE")[0] == "0"
        threads, process = worker.call("told", "OMP_NUM_THREADS")
        assert (threads, process == os.getpid()) == ("3", False)
        with pytest.raises(workers.Fallen, match="exit code 3"):
            worker.call("leave")
    assert dict(os.environ) == before


def test_small_contest_from_end_to_end(tmp_path, capsys):
    corpus, vectors = corpora.synthetic(2_000, 1, dim=32, queries=70)
    samples, tuning, asked = vectors[:20], vectors[20:40], vectors[40:]
    sets = {
        "tuning": corpora.stratified(corpus, tuning, 2),
        "stratified": corpora.stratified(corpus, asked, 3),
    }
    ground = ground_room.lay(tmp_path, corpus, samples, sets)
    assert ground.vectors.tobytes() == corpus.vectors.tobytes()
    labels = (ours.NUMPY, "FAISS Flat, selector", "FAISS Flat, filter after")
    absent = contest.Contestant(label="absent", packages=("no_such_package",), build=print)
    with contest.Contest(ground) as held:
        held.enter([*(one for one in contest.EVERYONE if one.label in labels), absent])
        found = held.hold("stratified", "tuning", k=10, rounds=2)
    standings.show("a small one", found)
    told = capsys.readouterr().out
    assert "absent: not installed" in told
    assert told.count("built in") == 2  # both of FAISS sit on one seat
    cached = "FAISS Flat, selector, filters cached"
    assert set(found) == {*labels, cached}
    for label in (ours.NUMPY, "FAISS Flat, selector", cached):
        assert (found[label]["recall"], found[label]["under-fill"]) == (1, 0), label
    assert found["FAISS Flat, filter after"]["violations"] == 0
    for one in found.values():
        assert len(one["rounds"]) == 2
        assert sum(band["questions"] for band in one["bands"]) == one["questions"] == 30
        assert one["times as fast as FAISS"] > 0
    (rival,) = (label for label, one in found.items() if one.get("is the fastest plain FAISS"))
    assert found[rival]["times as fast as plain FAISS"] == 1
    assert not found[cached]["is plain FAISS"]
