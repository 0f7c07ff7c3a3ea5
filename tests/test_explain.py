import csv
import hashlib
import math
from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matcher import codes, text
from matcher.bridge import Crossing, Line
from matcher.codes import data_folder
from matcher.rank import explain
from matcher.types import Company, Constraint, Evidence

DIM = 24
AICHI, GIFU, TOKYO = "23", "21", "13"

WRITTEN = st.text(
    "高齢者の見守りと移動サービスを進め空き家ｺﾞﾐか\u3099ＡＩ脱炭素　、。\n\u200b\0\ud800",
    max_size=60,
)
TERMS = st.sampled_from(["見守り", "移動サービス", "空き家", "ゴミ", "AI", "高齢者", "★"])


@cache
def letters(source: str) -> np.ndarray:
    """A vector of the bigrams of a text: near texts share letters."""
    vector = np.zeros(DIM, dtype=np.float32)
    for gram in text.bigrams(source):
        vector[hashlib.sha256(gram.encode()).digest()[0] % DIM] += 1
    return vector / max(1, float(np.linalg.norm(vector)))


def encode(sources: Sequence[str]) -> np.ndarray:
    return np.array([letters(source) for source in sources], dtype=np.float32).reshape(-1, DIM)


def as_is(vectors: np.ndarray) -> np.ndarray:
    return vectors


def passage(source, vectors=None):
    """A passage, with the vectors given for its sentences where there are some."""
    (found,) = explain.passages([source], encode, as_is)
    if vectors is None:
        return found
    return replace(found, vectors=np.array(vectors, dtype=np.float32))


def rare(lemma: str) -> float:
    return 1.0


def crossing(*solution, field="橋", vector=None, share=1.0):
    """A line that the issue meets, whose problem lies where it is said."""
    line = Line(field=field, problem=("困りごと",), solution=solution)
    at = np.zeros(DIM) if vector is None else vector
    return Crossing(line=line, vector=np.array(at, dtype=np.float32), share=share)


def bridged(issue, company, crossings, rarity=rare):
    """What the bridge joins: field, quotation of the issue, quotation of the profile."""
    found = explain.evidence(issue, company, crossings, rarity, 9)
    return [(one.via, one.issue_span, one.company_span) for one in found if one.via]


def terms(issue, company, rarity=rare, most=9):
    """The pairs of quotations of shared terms."""
    found = explain.evidence(passage(issue), passage(company), (), rarity, most)
    return [(one.issue_span, one.company_span) for one in found if one.kind == "term"]


@cache
def published() -> list[tuple[str, str]]:
    """Pairs of an issue and a profile that the shipped judgements bring together."""

    def texts(file, key, *columns):
        with (data_folder() / file).open(encoding="utf-8", newline="") as lines:
            return {row[key]: "\n".join(row[c] for c in columns) for row in csv.DictReader(lines)}

    issues = texts("issues.csv", "issue_id", "title", "description")
    companies = texts("companies.csv", "company_id", "profile")
    lines = (data_folder() / "qrels.tsv").read_text(encoding="utf-8").splitlines()
    judged = [line.split() for line in lines]
    return [
        (issues[issue], companies[company])
        for issue, _, company, *_ in judged
        if issue in issues and company in companies
    ]


# passages


def test_passage_is_a_text_taken_apart():
    source = "ｺﾞﾐが多い。空き家も。"
    found = passage(source)
    assert found.source == source
    assert found.sentences == ("ｺﾞﾐが多い。", "空き家も。")
    assert found.vectors.shape == (2, DIM)
    quotations = [(word.lemma, source[word.start : word.end]) for word in found.words]
    assert quotations == [("塵", "ｺﾞﾐ"), ("多い", "多い"), ("空き家", "空き家")]


def test_sentences_are_encoded_normalised_once_each_and_centred():
    seen = []

    def listening(sources):
        seen.append(list(sources))
        return encode(sources)

    found = explain.passages(
        ["ｺﾞﾐが多い。空き家。", "空き家。", ""], listening, lambda vectors: -vectors
    )
    assert seen == [["空き家。", "ゴミが多い。"]]
    np.testing.assert_array_equal(found[0].vectors[0], -letters("ゴミが多い。"))
    np.testing.assert_array_equal(found[0].vectors[1], found[1].vectors[0])
    assert found[2].sentences == found[2].words == ()
    assert found[2].vectors.shape == (0, DIM)


def test_no_texts_give_no_passages():
    assert explain.passages([], encode, as_is) == []


# spans


@settings(deadline=None, max_examples=150)
@given(WRITTEN, WRITTEN, st.lists(st.lists(TERMS, min_size=1), max_size=3), st.integers(0, 6))
def test_every_span_is_a_quotation_of_its_text(issue, company, solutions, most):
    lines = [crossing(*solution, field="橋") for solution in solutions]
    found = explain.evidence(passage(issue), passage(company), lines, rare, most)
    assert len(found) <= most
    assert sum(one.via == "橋" for one in found) <= 1
    assert all(one.via in ("", "橋") for one in found)
    assert [one.kind for one in found] == sorted(one.kind for one in found)  # meaning, then terms
    for one in found:
        assert one.issue_span in issue
        assert one.company_span in company
        assert one.issue_span.strip() and one.company_span.strip()


def test_spans_of_the_published_cases_are_quotations():
    pairs = published()
    assert len(pairs) > 30
    counted = 0
    for issue, company in pairs:
        found = explain.evidence(passage(issue), passage(company), (), rare, 99)
        for one in found:
            assert one.issue_span in issue
            assert one.company_span in company
        counted += len(found)
    assert counted > len(pairs)


def test_evidence_is_the_same_every_time():
    for issue, company in published()[:20]:
        first = explain.evidence(passage(issue), passage(company), (), rare, 6)
        assert explain.evidence(passage(issue), passage(company), (), rare, 6) == first
        assert explain.evidence(passage(issue), passage(company), (), rare, 3) == first[:3]


# meaning


def test_nearest_sentences_are_the_pair_with_the_highest_cosine():
    issue = passage("水道。空き家。", [[1, 0, 0], [0, 1, 0]])
    company = passage("熊よけ。管路調査。", [[0, 0, 1], [0.8, 0.6, 0]])
    (one,) = explain.evidence(issue, company, (), rare, 9)
    assert one == Evidence(issue_span="水道。", company_span="管路調査。", kind="meaning")


def test_first_of_equal_pairs_is_quoted():
    issue = passage("水道。空き家。", [[1, 0], [1, 0]])
    company = passage("熊よけ。管路調査。", [[1, 1e-9], [1, 0]])
    (one,) = explain.evidence(issue, company, (), rare, 9)
    assert (one.issue_span, one.company_span) == ("水道。", "熊よけ。")


@pytest.mark.parametrize("far", [[-1.0, 0.0], [0.0, 1.0], [1e-9, 1.0]])
def test_sentences_that_are_not_near_are_no_evidence(far):
    issue, company = passage("水道。", [[1, 0]]), passage("熊。", [far])
    assert explain.evidence(issue, company, (), rare, 9) == ()


@pytest.mark.parametrize(("issue", "company"), [("", "水道。"), ("水道。", ""), ("", "")])
def test_empty_text_has_no_evidence(issue, company):
    assert explain.evidence(passage(issue), passage(company), (), rare, 9) == ()


def test_most_bounds_all_evidence_together():
    issue, company = passage("空き家、水道、熊。"), passage("空き家。水道。熊。")
    found = explain.evidence(issue, company, (), rare, 9)
    assert [one.kind for one in found] == ["meaning", "term", "term", "term"]
    for most in range(5):
        assert explain.evidence(issue, company, (), rare, most) == found[:most]


# what the bridge joins


def test_bridged_evidence_quotes_the_nearest_sentence_and_the_term():
    issue = passage("水道が古い。坂が多くて出られない。", [[1, 0], [0.6, 0.8]])
    company = passage("町で予約配車を行う。", [[-1, 0]])
    found = explain.evidence(
        issue, company, [crossing("予約配車", field="移動支援", vector=[0, 1])], rare, 9
    )
    assert found == (
        Evidence(
            issue_span="坂が多くて出られない。",
            company_span="予約配車",
            kind="meaning",
            via="移動支援",
        ),
    )


def test_bridged_evidence_stands_between_sentences_and_terms():
    issue, company = passage("空き家と坂。", [[1, 0]]), passage("空き家の配車。", [[1, 0]])
    found = explain.evidence(issue, company, [crossing("配車", vector=[1, 0])], rare, 9)
    assert [(one.kind, one.via) for one in found] == [
        ("meaning", ""),
        ("meaning", "橋"),
        ("term", ""),
    ]
    for most in range(4):
        assert (
            explain.evidence(issue, company, [crossing("配車", vector=[1, 0])], rare, most)
            == found[:most]
        )


@pytest.mark.parametrize(
    ("term", "profile", "quoted"),
    [
        ("ゴミ", "ｺﾞﾐを集める", "ｺﾞﾐ"),
        ("移動サービス", "安全な移動サービスの運営", "移動サービス"),
        ("高齢者", "高齢の方へ", "高齢"),
        ("AI", "ＡＩで見る", "ＡＩ"),
    ],
)
def test_term_of_the_bridge_is_quoted_as_written(term, profile, quoted):
    found = bridged(passage("坂。"), passage(profile), [crossing(term)])
    assert found == [("橋", "坂。", quoted)]


@pytest.mark.parametrize(
    "profile", ["移動とサービス", "移動、サービス", "移動 サービス", "サービス移動", "移動", ""]
)
def test_term_of_several_words_must_stand_together(profile):
    assert bridged(passage("坂。"), passage(profile), [crossing("移動サービス")]) == []


def test_nearest_line_with_a_term_in_the_profile_speaks_alone():
    lines = [crossing("熊", field="一"), crossing("配車", field="二"), crossing("坂", field="三")]
    assert bridged(passage("町。"), passage("坂と配車。"), lines) == [("二", "町。", "配車")]


def test_rarest_term_of_a_line_is_quoted_and_of_equals_the_first():
    issue, company = passage("町。"), passage("熊、配車、水道。")
    line = [crossing("配車", "熊", "水道")]
    assert bridged(issue, company, line) == [("橋", "町。", "配車")]
    rarity = {"水道": 3.0, "熊": 2.0}
    found = bridged(issue, company, line, lambda lemma: rarity.get(lemma, 1.0))
    assert found == [("橋", "町。", "水道")]


def test_term_that_stands_twice_is_quoted_where_it_stands_first():
    found = bridged(passage("町。"), passage("ｺﾞﾐとごみ。"), [crossing("ゴミ")])
    assert found == [("橋", "町。", "ｺﾞﾐ")]


@pytest.mark.parametrize("solution", [("★",), ("、",), ("123", "の")])
def test_terms_without_a_content_word_join_nothing(solution):
    assert bridged(passage("町。"), passage("★の123、。"), [crossing(*solution)]) == []


def test_issue_without_a_sentence_is_joined_by_nothing():
    assert bridged(passage(""), passage("配車。"), [crossing("配車")]) == []


def test_first_of_equally_near_sentences_is_quoted():
    issue = passage("水道。空き家。", [[1, 0], [1, 1e-9]])
    company = passage("配車。", [[-1, 0]])
    assert bridged(issue, company, [crossing("配車", vector=[1, 0])]) == [("橋", "水道。", "配車")]


# terms


def test_term_is_quoted_from_both_texts_as_written():
    assert terms("ｺﾞﾐが多い", "ごみを減らす") == [("ｺﾞﾐ", "ごみ")]
    assert terms("高齢者を支える", "高齢の方へ") == [("高齢者", "高齢")]


def test_terms_name_things():
    found = terms("見守りサービスを進め、増やしたい", "見守り活動を進め、増やす")
    assert found == [("見守り", "見守り")]


def test_verb_that_one_side_uses_as_a_name_is_a_term():
    assert terms("高齢者の暮らしを見守りたい", "見守りサービス") == [("見守り", "見守り")]
    assert terms("暮らしを見守りたい", "家族が見守る") == []


def test_longest_run_of_words_wins():
    company = "移動の支援。サービス業。移動サービスの運営。"
    assert terms("住民の移動サービスが要る", company) == [("移動サービス", "移動サービス")]


def test_words_apart_are_no_run():
    found = terms("移動サービス", "移動とサービス")
    assert found == [("移動", "移動"), ("サービス", "サービス")]


def test_run_does_not_cross_what_stands_between_the_words():
    for between in ("・", "、", " ", "\n", "。"):
        found = terms(f"移動{between}サービス", "移動サービス")
        assert ("移動", "移動") in found
        assert all(between not in span for span, _ in found)


def test_term_is_told_once():
    assert terms("空き家、空き家、空き家。", "空き家。空き家。") == [("空き家", "空き家")]


def test_part_of_a_told_run_is_not_told_again():
    found = terms("移動サービスと移動", "移動サービス、移動")
    assert found == [("移動サービス", "移動サービス")]


def test_rarest_term_comes_first_and_equals_in_the_order_of_the_issue():
    issue, company = "空き家と水道と熊", "熊、水道、空き家"
    assert [span for span, _ in terms(issue, company)] == ["空き家", "水道", "熊"]
    rarity = {"水道": 3.0, "熊": 5.0}
    found = terms(issue, company, lambda lemma: rarity.get(lemma, 1.0))
    assert [span for span, _ in found] == ["熊", "水道", "空き家"]


def test_weight_of_a_run_is_the_sum_of_its_words():
    weights = {"移動": math.log(3), "サービス": math.log(3), "熊": math.log(8)}
    found = terms("熊と移動サービス", "移動サービスと熊", lambda lemma: weights[lemma])
    assert [span for span, _ in found] == ["移動サービス", "熊"]  # log 9 > log 8


def test_texts_without_words_in_common_share_no_term():
    assert terms("空き家が多い", "水道管の調査") == []


# region_reason


def company(**fields):
    return Company(company_id="c", name="企業", profile="事業", **fields)


def reason(here, **fields):
    return explain.region_reason(company(**fields), Constraint(prefecture=here))


def test_head_office_in_the_prefecture_is_the_nearest_reason():
    assert reason(AICHI, headquarters=AICHI) == "本社が同じ都道府県（愛知県）"
    nationwide = reason(AICHI, headquarters=AICHI, regions=codes.ALL_PREFECTURES)
    assert nationwide == "本社が同じ都道府県（愛知県）"


def test_nationwide_is_said_wherever_the_issue_is():
    for here in (AICHI, ""):
        for home in (TOKYO, ""):
            said = reason(here, headquarters=home, regions=codes.ALL_PREFECTURES)
            assert said == "全国対応"


def test_served_prefecture_is_named_with_the_head_office():
    served = frozenset({AICHI, GIFU})
    assert reason(AICHI, headquarters=TOKYO, regions=served) == (
        "対応地域に愛知県を含む（本社 東京都）"
    )
    assert reason(AICHI, regions=served) == "対応地域に愛知県を含む（本社 不明）"


def test_same_block_is_named():
    said = reason(AICHI, headquarters=GIFU, regions=frozenset({GIFU}))
    assert said == "本社が同じ地域ブロック（中部、岐阜県）"


def test_outside_is_said():
    assert reason(AICHI, headquarters=TOKYO) == "対応地域の外（本社 東京都）"
    assert reason(AICHI) == "対応地域の外（本社 不明）"


def test_unknown_prefecture_of_the_issue_is_said():
    assert reason("", headquarters=TOKYO) == "課題の都道府県が不明（本社 東京都）"
    assert reason("") == "課題の都道府県が不明（本社 不明）"


@pytest.mark.parametrize("home", [AICHI, GIFU, TOKYO])
def test_missing_service_area_is_said_where_it_was_assumed(home):
    fields = {"headquarters": home, "regions": frozenset({home})}
    declared, assumed = (reason(AICHI, **fields, is_area_declared=area) for area in (True, False))
    assert assumed == f"{declared}（対応地域の記載なし、本社所在地のみとみなす）"


@settings(deadline=None)
@given(
    st.sampled_from(["", *sorted(codes.ALL_PREFECTURES)]),
    st.sampled_from(["", *sorted(codes.ALL_PREFECTURES)]),
    st.frozensets(st.sampled_from(sorted(codes.ALL_PREFECTURES))),
    st.booleans(),
)
def test_every_company_has_a_reason(here, home, regions, declared):
    said = reason(here, headquarters=home, regions=regions, is_area_declared=declared)
    assert said
    if here and here in regions:
        assert "対応地域の外" not in said
    if here and home == here:
        assert said.startswith("本社が同じ都道府県")
