from dataclasses import replace

import pytest
from examples import COMPANIES, ISSUES, LINES, FakeEncoder, FakeReader, write_table

from matcher.ablation import FACTORS, ablate, variants, weights
from matcher.catalog import Catalog
from matcher.corpus import read_companies, read_issues
from matcher.errors import MatcherError
from matcher.evaluation import evaluate
from matcher.pipeline import Matcher
from matcher.settings import Settings

QRELS = {"i-1": {"c-02": 3, "c-01": 1}, "i-2": {"c-01": 3}, "i-3": {"c-03": 2}}
PARTS = {"dense", "words", "bigrams", "bridge", "reader", "sdgs", "region"}
MEASURES = ["nDCG@10", "RR"]


class Counting(FakeEncoder):
    """Counts the texts that it is asked for."""

    texts = 0

    def encode_queries(self, texts, *, advance=None):
        self.texts += len(texts)
        return super().encode_queries(texts, advance=advance)


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tables")
    issues = read_issues(write_table(folder / "i.csv", ISSUES)).records
    return issues, read_companies(write_table(folder / "c.csv", COMPANIES))


@pytest.fixture(scope="module")
def matcher(tables):
    encoder = Counting()
    catalog = Catalog.build(tables[1], encoder, lines=LINES)
    return Matcher(catalog, encoder, reader=FakeReader())


@pytest.fixture(scope="module")
def found(matcher, tables):
    return ablate(matcher, tables[0], QRELS, measures=MEASURES)


def test_every_part_is_switched_off_and_every_weight_moved():
    asked = variants(Settings())
    assert weights(Settings()).keys() == PARTS
    off = {one.name for one in asked if one.kind == "off"}
    assert off == PARTS | {"region rule", "limits"}
    moved = {(one.name, one.factor) for one in asked if one.kind == "weight"}
    assert moved == {(part, factor) for part in PARTS for factor in FACTORS}


def test_a_part_that_weighs_nothing_is_not_switched_off_again():
    names = {one.name for one in variants(Settings(bridge_weight=0.0, reader_weight=0.0))}
    assert names == PARTS - {"bridge", "reader"} | {"region rule", "limits"}


def test_effects_are_those_of_a_match_with_these_settings(matcher, tables, found):
    issues, judged = tables[0], [one for one in tables[0] if one.issue_id in QRELS]
    base = matcher.match(judged)
    for effect in found.effects:
        variant = effect.variant
        if variant.name in ("region rule", "limits"):
            continue
        weight = weights(Settings())[variant.name] * variant.factor
        settings = replace(Settings(), **{f"{variant.name}_weight": weight})
        other = Matcher(matcher.catalog, matcher.encoder, settings, matcher.reader)
        lists = other.match(judged)
        direct = evaluate(lists, QRELS, measures=MEASURES, against=base).against
        for name, compared in effect.against.items():
            assert compared.difference.mean == pytest.approx(direct[name].difference.mean)
            assert (compared.better, compared.worse) == (direct[name].better, direct[name].worse)
        places = [
            [[e.company.company_id for e in s.entries[:3]] for s in run] for run in (base, lists)
        ]
        moved = [s.issue.issue_id for s, a, b in zip(base, *places, strict=True) if a != b]
        assert list(effect.first_three) == moved
        first = [s.issue.issue_id for s, a, b in zip(base, *places, strict=True) if a[:1] != b[:1]]
        assert list(effect.first) == first
    assert len(issues) > len(judged)


def test_the_region_rule_off_lets_everybody_through(matcher, tables, found):
    (effect,) = (one for one in found.effects if one.variant.name == "region rule")
    judged = [one for one in tables[0] if one.issue_id in QRELS]
    direct = evaluate(matcher.match(judged, region_rule="any"), QRELS, measures=MEASURES)
    assert effect.against["nDCG@10"].ours == pytest.approx(direct.means["nDCG@10"].mean)


def test_close_calls_are_issues_that_a_tenth_of_a_weight_changes(found):
    told = {}
    for effect in found.effects:
        if effect.variant.kind == "weight" and effect.variant.factor in (0.9, 1.1):
            for issue in effect.first_three:
                told.setdefault(issue, set()).add(effect.variant.name)
    assert {issue: set(names) for issue, names in found.close.items()} == told


def test_settings_that_cannot_be_are_named_and_not_dropped_silently(found):
    assert {(one.name, one.factor) for one in found.skipped} == {("sdgs", 1.1), ("sdgs", 1.5)}
    asked = set(variants(Settings()))
    assert {one.variant for one in found.effects} | set(found.skipped) == asked


def test_p_values_are_corrected_over_all_variants(found):
    tested = [one for effect in found.effects for one in effect.against.values()]
    assert all(one.p <= one.p_corrected <= 1 for one in tested)
    least = min(tested, key=lambda one: one.p)
    assert least.p_corrected == pytest.approx(min(1, least.p * len(tested)))


def test_another_matcher_is_an_arm(matcher, tables):
    other = Matcher(matcher.catalog, matcher.encoder, Settings(dense_weight=0.1), matcher.reader)
    found = ablate(matcher, tables[0], QRELS, arms={"another": other}, measures=MEASURES)
    assert found.effects[-1].variant.name == "another"
    assert found.effects[-1].variant.kind == "arm"


def test_nothing_is_encoded_or_read_twice(tables):
    encoder, pairs = Counting(), []

    class Recording(FakeReader):
        def read(self, asked, *, advance=None):
            pairs.extend(asked)
            return super().read(asked, advance=advance)

    catalog = Catalog.build(tables[1], encoder, lines=LINES)
    encoder.texts = 0
    done = []
    ablate(Matcher(catalog, encoder, reader=Recording()), tables[0], QRELS, advance=done.append)
    assert encoder.texts == len(QRELS)  # an issue each; none is long
    assert len(pairs) == len(set(pairs))
    assert sum(done) == 1 + len(variants(Settings())) - 2  # the two that cannot be


def test_issues_without_judgements_are_refused(matcher, tables):
    with pytest.raises(MatcherError, match="判定のある課題が1件もありません"):
        ablate(matcher, tables[0], {"other": {"c-01": 3}})


def test_rows_are_one_for_each_variant_and_measure(found):
    rows = found.rows()
    assert len(rows) == len(found.effects) * len(MEASURES)
    assert {row["part"] for row in rows} == PARTS | {"region rule", "limits"}
