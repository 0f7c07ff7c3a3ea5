import json
import time
import unicodedata
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from matcher import text
from matcher.codes import data_folder
from matcher.types import Company, Issue

# Any text at all (lone surrogates, unassigned, private use), and Japanese with what disturbs it.
ANY = st.text(st.characters(exclude_categories=()), max_size=40)
JAPANESE = st.text(
    "ごみゴミｺﾞﾐｶﾞﾊﾟか\u3099水道管の見守りを進め脱炭素再エネ駅市町村AaＺ09９,、。！？「」\n\r\t "
    "　\u200b\u202e\0\ufe0f\U000e0100\u0301\u1112\u1161\u11ab\ud800\ue000㍿①ﷺ",
    max_size=40,
)
MIXED = st.one_of(ANY, JAPANESE)


def lemma(word):
    """The only lemma of a text as written."""
    (found,) = text.lemmas(text.normalise(word))
    return found


def quoted(source):
    """Each content word with its quotation from the normalised text."""
    folded = text.normalise(source)
    return [(word.lemma, folded[word.start : word.end]) for word in text.words(folded)]


def names(source):
    """The quotations of the words that name things."""
    folded = text.normalise(source)
    return [folded[word.start : word.end] for word in text.words(folded) if word.is_name]


def test_query_is_title_newline_description():
    issue = Issue(issue_id="1", title="空き家", description="増えている。", department="建築課")
    assert text.issue_text(issue) == "空き家\n増えている。"


def test_document_is_the_profile_alone():
    company = Company(company_id="1", name="水道社", profile="漏水調査。", industry="建設業")
    assert text.company_text(company) == "漏水調査。"


# normalise


def test_width_and_compatibility_characters_are_folded():
    assert text.normalise("ｺﾞﾐ　ＡＢＣ１２３㍿①") == "ゴミ ABC123株式会社1"


@pytest.mark.parametrize(
    "hidden",
    [
        *("\0", "\x07", "\u200b", "\u200d", "\u2060", "\ufeff", "\u00ad"),  # controls, zero width
        *("\u202a", "\u202e", "\u2066", "\u200f"),  # direction
        *("\ud800", "\udfff"),  # halves of surrogate pairs
        *("\ufe0e", "\ufe0f", "\U000e0100", "\U000e01ef"),  # variation selectors
    ],
)
def test_what_only_hides_vanishes(hidden):
    assert text.normalise(f"葛{hidden}城市") == "葛城市"


def test_newlines_stay_and_other_line_ends_become_newlines():
    assert text.normalise("一\n二") == "一\n二"
    assert text.normalise("一\x0b二\x0c三\x85四\u2028五\u2029六") == "一\n二\n三\n四\n五\n六"
    assert text.normalise("一\r\n二").split("\n") == ["一", "", "二"]


def test_tabs_and_wide_blanks_become_blanks():
    assert text.normalise("一\t二\u3000三\u00a0四\u2003五") == "一 二 三 四 五"


def test_private_characters_stay():
    assert text.normalise("\ue000田") == "\ue000田"


def test_marks_join_the_character_before():
    assert text.normalise("か\u3099") == text.normalise("が") == "が"
    assert text.normalise("ｶ\u200bﾞ") == "ガ"


@settings(deadline=None, max_examples=300)
@given(MIXED)
def test_normalising_twice_is_normalising_once(source):
    once = text.normalise(source)
    assert text.normalise(once) == once


@settings(deadline=None, max_examples=300)
@given(MIXED)
def test_normalised_text_is_nfkc_and_holds_nothing_invisible(source):
    folded = text.normalise(source)
    assert unicodedata.is_normalized("NFKC", folded)
    assert all(char == "\n" or char.isprintable() or "\ue000" <= char for char in folded)
    folded.encode()


# words


def test_foreign_origin_is_cut_from_a_lemma():
    assert lemma("サービス") == "サービス"
    assert lemma("システム") == "システム"


def test_spellings_of_a_word_meet_at_one_lemma():
    assert lemma("ｺﾞﾐ") == lemma("ごみ") == lemma("ゴミ") == "塵"
    assert lemma("ＩＣＴ") == lemma("ICT") == lemma("ict")


@pytest.mark.parametrize("compound", sorted(text.COMPOUNDS))
@pytest.mark.parametrize("frame", ["{}", "{}の支援", "町の{}", "{}。", "町の{}\n支援"])
def test_compound_of_the_field_is_one_word(compound, frame):
    assert (compound, compound) in quoted(frame.format(compound))


def test_compounds_are_listed_because_the_dictionary_cuts_them():
    assert all(len(text._tagger()(compound)) > 1 for compound in text.COMPOUNDS)


def test_compound_keeps_its_suffix_in_the_quotation():
    assert ("脱炭素", "脱炭素化") in quoted("脱炭素化を進める")
    assert ("高齢", "高齢者") in quoted("高齢者を支える")


def test_unknown_word_falls_back_to_its_surface_casefolded():
    assert quoted("QxZwv導入")[0] == ("qxzwv", "QxZwv")
    assert text.lemmas("STRASSE ZZQ") == ["strasse", "zzq"]


def test_numerals_particles_and_punctuation_carry_no_content():
    assert text.lemmas(text.normalise("１２３、三つの、がをにで。「」…1,200")) == []
    assert text.lemmas("水と空気が") == ["水", "空気"]


def test_verbs_meet_in_every_form():
    assert lemma("進める") == lemma("進めた") == lemma("進め、")


def test_words_that_name_things_are_told_from_those_that_only_say_something():
    assert names("見守りサービスを進め、効率よく学ぶ") == ["見守り", "サービス", "効率"]
    assert names("見守りに連携して取り組む") == ["見守り", "連携"]
    assert names("そのことのため、場合により") == []


def test_text_without_words_has_none():
    for source in ("", " ", "\n", "　\n　", "。。。", "水\n \n", " \n水"):
        assert text.lemmas(text.normalise(source)) == ["水"] * source.count("水")


@settings(deadline=None, max_examples=300)
@given(MIXED)
@example(" ")
@example("。 \n")
@example("脱炭素")
@example("\n脱炭素\0")
def test_any_text_gives_words_in_order_inside_the_text(source):
    folded = text.normalise(source)
    words = text.words(folded)
    assert text.lemmas(folded) == [word.lemma for word in words]
    at = 0
    for word in words:
        assert at <= word.start < word.end <= len(folded)
        assert word.lemma == word.lemma.casefold() != ""
        assert folded[word.start : word.end].strip() == folded[word.start : word.end]
        at = word.end


@settings(deadline=None, max_examples=100)
@given(st.lists(st.sampled_from(["水道管が古い。", "再エネ！", "\n", "空き家？"]), max_size=8))
def test_words_of_sentences_are_the_words_of_their_text(parts):
    together = [found for part in parts for found in text.lemmas(part)]
    assert text.lemmas("".join(parts)) == together


@pytest.mark.parametrize("unit", ["高齢者の見守り", "ア"])
def test_sentence_of_200000_characters_takes_seconds(unit):
    source = (unit * 200_000)[:200_000]
    began = time.process_time()
    text.words(source)
    assert time.process_time() - began < 5  # ア in one lattice takes 10 s, in pieces 0.8 s
    began = time.process_time()
    text.as_written(source)
    text.sentences(source)
    text.bigrams(source)
    assert time.process_time() - began < 5


# bigrams


def test_bigrams_overlap_and_a_lone_character_stays():
    assert text.bigrams("水道管") == ["水道", "道管"]
    assert text.bigrams("水") == ["水"]
    assert text.bigrams("") == []


def test_bigrams_do_not_cross_punctuation_blanks_or_lines():
    assert text.bigrams("水道。空 家\n火") == ["水道", "空", "家", "火"]


def test_bigrams_do_not_tell_case():
    assert text.bigrams("DX") == text.bigrams("dx") == ["dx"]


@settings(deadline=None)
@given(st.text("水道管空家AZß、。 \n", max_size=30))
def test_bigrams_are_the_pairs_of_neighbouring_word_characters(source):
    folded = source.casefold()
    pairs = [a + b for a, b in pairwise(folded) if (a + b).isalnum()]
    assert [gram for gram in text.bigrams(source) if len(gram) == 2] == pairs


# sentences


def test_sentences_keep_their_ends_and_closing_brackets():
    assert text.sentences("人手が足りない。どうする？！「増やす。」と言う\n次") == [
        "人手が足りない。",
        "どうする？！",
        "「増やす。」",
        "と言う",
        "次",
    ]


def test_half_width_stops_end_a_sentence_too():
    assert text.sentences("ｺﾞﾐが多い｡空き家も｡") == ["ｺﾞﾐが多い｡", "空き家も｡"]


def test_lines_without_a_word_are_no_sentences():
    assert text.sentences("一\n\n ・ \n。。\n二") == ["一", "二"]
    assert text.sentences("") == text.sentences("……") == []


def test_only_long_sentences_are_cut_by_clause():
    clause = "高齢者の見守りに人手が足りず、"
    short, long = clause * 8, clause * 9  # 120 and 135 characters
    assert (len(short), len(long)) == (120, 135)
    assert text.sentences(short) == [short]
    assert text.sentences(long) == [clause] * 9


def test_number_is_never_cut_at_its_comma():
    clause = "住民1,200人と事業所3，400か所を回り、"
    assert text.sentences(clause * 6) == [clause] * 6


@settings(deadline=None, max_examples=300)
@given(st.one_of(MIXED, JAPANESE.map(lambda source: source * 9)))
def test_sentences_stand_in_the_text_as_written_and_in_order(source):
    at = 0
    for sentence in text.sentences(source):
        assert sentence == sentence.strip() != ""
        at = source.index(sentence, at) + len(sentence)


@settings(deadline=None)
@given(JAPANESE)
def test_sentences_leave_out_no_word_character(source):
    kept = "".join(text.sentences(source))
    assert [c for c in source if c.isalnum()] == [c for c in kept if c.isalnum()]


# as_written


@settings(deadline=None, max_examples=500)
@given(MIXED)
@example("ｶ\u200bﾞ")
@example("\u1112\u1161\u11ab")
@example("\u031b\u2dbf\uff9f")
def test_as_written_gives_the_normalised_text(source):
    folded, starts, ends = text.as_written(source)
    assert folded == text.normalise(source)
    assert len(folded) == len(starts) == len(ends)


@settings(deadline=None, max_examples=300)
@given(MIXED)
def test_quotation_of_a_word_is_its_text_as_written(source):
    folded, starts, ends = text.as_written(source)
    for word in text.words(folded):
        start, end = starts[word.start], ends[word.end - 1]
        assert 0 <= start < end <= len(source)
        assert folded[word.start : word.end] in text.normalise(source[start:end])


def test_quotation_is_exact():
    source = "本市\0の　ｺﾞﾐ\u200bや㍿の葛\U000e0100城で、か\u3099いちゅう\r\nＤＸ"
    folded, starts, ends = text.as_written(source)
    found = [source[starts[w.start] : ends[w.end - 1]] for w in text.words(folded)]
    assert "ｺﾞﾐ\u200b" in found
    assert "ＤＸ" in found
    assert any("葛\U000e0100" in quotation for quotation in found)


def test_words_of_the_published_texts_quote_back_exactly():
    lines = (data_folder() / "background.jsonl").read_text(encoding="utf-8").split("\n")
    for line in filter(None, lines):
        source = json.loads(line)["description"]
        folded, starts, ends = text.as_written(source)
        for word in text.words(folded):
            quotation = source[starts[word.start] : ends[word.end - 1]]
            assert text.normalise(quotation) == folded[word.start : word.end]
