import random

import ir_measures
import pytest
import pytrec_eval

from matcher.errors import MatcherError
from matcher.evaluation import evaluate
from matcher.evaluation.measures import is_quality, parse, values

QRELS = {"a": {"x": 3, "y": 1}, "b": {"x": 3, "y": 0}, "c": {"z": 3}}
RUN = {"a": {"y": 2.0, "x": 1.0}, "b": {"x": 5.0, "y": 4.0, "w": 3.0}, "c": {}}
NAMES = (
    *("nDCG@10", "nDCG", "R(rel=3)@10", "R@5", "P@5", "P(rel=2)@1", "Success(rel=3)@1", "RR"),
    *("RR(rel=3)", "AP", "AP(rel=2)@10", "Rprec", "Judged@10", "Bpref", "SetF", "IPrec@0.2"),
    *("RBP(rel=1)", "infAP", "Compat"),
)
TREC = {  # the names of trec_eval itself, for measures at grade 1
    "nDCG@10": "ndcg_cut_10",
    "nDCG": "ndcg",
    "R@5": "recall_5",
    "P@5": "P_5",
    "RR": "recip_rank",
    "AP": "map",
    "Rprec": "Rprec",
    "Bpref": "bpref",
}


def random_case(seed):
    """A run and judgements with everything that happens: empty lists, missing issues, ties."""
    rng = random.Random(seed)
    companies = [f"c{n}" for n in range(rng.randint(2, 25))]
    issues = [f"i{n}" for n in range(rng.randint(1, 5))]
    qrels = {
        issue: {
            one: rng.choice((0, 0, 1, 2, 3))
            for one in rng.sample(companies, rng.randint(1, len(companies)))
        }
        for issue in issues
    }
    run = {
        issue: {
            one: rng.choice((rng.random(), round(rng.random(), 1)))
            for one in rng.sample(companies, rng.randint(0, len(companies)))
        }
        for issue in [*issues, "nobody judged this"]
        if rng.random() < 0.8
    }
    return run, qrels


@pytest.mark.parametrize("hundred", range(10))
def test_values_are_those_of_ir_measures_and_of_trec_eval_on_random_runs(hundred):
    measures = [parse(name) for name in NAMES]
    for seed in range(100 * hundred, 100 * hundred + 100):
        run, qrels = random_case(seed)
        found = values(run, qrels, measures)
        listed = {issue: scores for issue, scores in run.items() if scores}
        direct = {(str(measure), issue): 0.0 for measure in measures for issue in qrels}
        for metric in ir_measures.iter_calc(measures, qrels, listed) if listed else ():
            direct[str(metric.measure), metric.query_id] = metric.value
        told = {(name, issue): v for name, those in found.items() for issue, v in those.items()}
        assert told.keys() == direct.keys()
        assert told == pytest.approx(direct, abs=1e-12)
        trec = pytrec_eval.RelevanceEvaluator(qrels, set(TREC.values())).evaluate(listed)
        for name, known_as in TREC.items():
            for issue in qrels:
                value = trec.get(issue, {}).get(known_as, 0.0)
                assert found[name][issue] == pytest.approx(value, abs=1e-12)


@pytest.mark.parametrize("ids", [("課題 1", "府中市"), ("01", "1"), ("a\tb", "'; --")])
def test_any_id_of_an_issue_goes_through_every_program(ids):
    qrels = {ids[0]: {"x": 3, "y": 1}, ids[1]: {"x": 1}}
    run = {ids[0]: {"y": 2.0, "x": 1.0}, ids[1]: {"x": 1.0}}
    plain = {"a": qrels[ids[0]], "b": qrels[ids[1]]}
    measures = [parse(name) for name in (*NAMES, "ERR@20")]
    found = values(run, qrels, measures)
    known = values({"a": run[ids[0]], "b": run[ids[1]]}, plain, measures)
    for name, those in found.items():
        assert (those[ids[0]], those[ids[1]]) == (known[name]["a"], known[name]["b"])


def test_counts_are_no_quality():
    names = ("nDCG@10", "RBP(rel=1)", "Judged@10", "NumRet", "NumRel", "NumQ")
    assert [is_quality(parse(name)) for name in names] == [True, True, False, False, False, False]


@pytest.mark.parametrize(
    "name",
    [
        "ndcg@10", "foo", "", " ", "nDCG@", "nDCG@x", "nDCG@0", "nDCG@-1", "nDCG@1.5", "nDCG＠10",
        "nDCG@True", "P", "P@0", "R(rel=0)@10", "R(rel=x)@10", "R(foo=1)@3", "R(rel=1.5)@3", "(",
        "Judged(rel=2)@10", "Judged@0", "Success(cutoff=0)", "RR@0", "ERR@0", "INST", "BPM",
        "nDCG(gains={'a':2})@10", "nDCG(gains={1:-2})@10", "IPrec@2", "P@100000000000000000000",
        "alpha_nDCG@10", "RR(judged_only=1)", "AP(rel=0)",
        "nDCG@10 P@5", "__import__('os').system('true')", "日本",
    ],
)  # fmt: skip
def test_measure_that_cannot_be_is_said_with_an_example(name):
    with pytest.raises(MatcherError, match=r"nDCG@10、R\(rel=3\)@10") as raised:
        evaluate(RUN, QRELS, measures=[name])
    assert f"「{name}」" in str(raised.value)


@pytest.mark.parametrize(
    "name",
    [
        *("nDCG", "nDCG@5", "AP", "AP(rel=2)@3", "RR(rel=3)@10", "Rprec", "Success@1", "P@1000"),
        *(
            "nDCG(dcg='exp-log2')@10",
            "nDCG(gains={1:2})@10",
            "ERR@20",
            "IPrec@0.2",
            "Bpref",
            "infAP",
        ),
        *("INST(max_rel=3)", "BPM(max_rel=3)@10", "NERR10(max_rel=3)", "SetF(beta=2.0)", "NumRet"),
        *("P(judged_only=True)@5", "Compat(p=0.8)"),
    ],
)
def test_usual_measures_are_taken_under_their_usual_spelling(name):
    assert list(evaluate(RUN, QRELS, measures=[name]).means) == [name]


def test_measure_that_fails_on_these_data_is_said():
    with pytest.raises(MatcherError, match=r"Accuracy.*計算できませんでした"):
        evaluate(RUN, QRELS, measures=["Accuracy"])


def test_a_measure_named_twice_is_computed_once():
    found = evaluate(RUN, QRELS, measures=["P@2", "P@2", "P(cutoff=2)"])
    assert list(found.means) == ["P@2"]
