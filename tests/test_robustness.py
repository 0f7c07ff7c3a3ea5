from dataclasses import replace
from pathlib import Path

import pytest
from examples import COMPANIES, ISSUES, FakeEncoder, FakeReader, write_table
from test_benchmarks import script

from matcher import text
from matcher.catalog import Catalog
from matcher.corpus import read_companies, read_issues
from matcher.embed.remembering import RememberingEncoder, RememberingReader
from matcher.pipeline import Matcher
from matcher.types import Company

perturb, guards, effects, robustness = map(script, ("perturb", "guards", "effects", "robustness"))

QRELS = {
    "i-1": {"c-01": 3, "c-02": 1},
    "i-2": {"c-04": 3},
    "i-3": {"c-05": 3},
    "i-4": {"c-09": 3},
    "i-5": {"c-06": 3},
}
LIST = "、".join(perturb.WORDS)


@pytest.fixture(scope="module")
def cases(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tables")
    issues = read_issues(write_table(folder / "issues.csv", ISSUES)).records
    return effects.Cases(
        issues=[issue for issue in issues if issue.issue_id in QRELS],
        companies=read_companies(write_table(folder / "companies.csv", COMPANIES)).records,
        qrels=QRELS,
        encoder=RememberingEncoder(FakeEncoder()),
        reader=None,
    )


@pytest.fixture
def issue(cases):
    return cases.issues[0]


def company(profile: str, company_id: str = "c") -> Company:
    return Company(company_id=company_id, name="株式会社", profile=profile)


@pytest.mark.parametrize("name", perturb.changes())
def test_change_is_the_same_every_time_and_leaves_place_and_goals(issue, name):
    change = perturb.changes()[name]
    changed = change(issue)
    assert changed == change(issue)
    assert (changed.issue_id, changed.prefecture, changed.sdgs) == (
        issue.issue_id,
        issue.prefecture,
        issue.sdgs,
    )
    assert text.issue_text(changed) != text.issue_text(issue) or name in (
        "wrong kanji",  # where no word of the table stands
        "half- and full-width",  # where there is neither katakana nor a digit
    )


def test_other_width_is_undone_by_normalising():
    written = "ガードレールとAI、2026年の「パトロール」・ヴィラ。"
    narrow = perturb.other_width(written)
    assert narrow == "ｶﾞｰﾄﾞﾚｰﾙとＡＩ､２０２６年の｢ﾊﾟﾄﾛｰﾙ｣･ｳﾞｨﾗ｡"
    assert text.normalise(narrow) == text.normalise(written)


def test_rambling_adds_about_six_hundred_characters_around_the_matter(cases):
    for one in cases.issues:
        long = perturb.rambling(one).description
        assert 500 < len(long) - len(one.description) < 750
        assert one.description in long


def test_ruled_out_means_are_none_that_the_issue_speaks_of(cases):
    for one in cases.issues:
        sentence = perturb.negated(one).description.removeprefix(one.description)
        assert sentence.startswith("なお、")
        (named,) = [means for means in perturb._MEANS if means in sentence]
        assert not set(text.lemmas(named)) & set(text.lemmas(text.issue_text(one)))


@pytest.mark.parametrize(
    ("plain", "polite"),
    [
        ("被害が出ている。", "被害が出ています。"),
        ("仕組みを導入したい。", "仕組みを導入したいです。"),
        ("人手が足りない。", "人手が足りないです。"),
        ("足の確保が課題である。", "足の確保が課題です。"),
        ("空き家が増えた。", "空き家が増えました。"),
        ("調査を進める。", "調査を進めます。"),
        ("委託業者が見回る。", "委託業者が見回ります。"),
        ("相談が寄せられる。", "相談が寄せられます。"),
        ("計画を見直した。", "計画を見直しました。"),
        ("協定を結んだ。", "協定を結びました。"),
        ("実現を目標とする。", "実現を目標とします。"),
        ("支援が必要だ。", "支援が必要です。"),
        ("費用が大きかった。", "費用が大きかったです。"),
        ("一つ目。二つ目を見る。", "一つ目です。二つ目を見ます。"),
    ],
)
def test_endings_become_polite(plain, polite):
    assert perturb.polite(plain) == polite


def test_typos_change_the_share_asked_for():
    source = "農村部でイノシシの出没が続き、作物が荒らされている。" * 8
    for rate in (0.01, 0.03):
        changed = perturb.typos(source, rate, "one")
        assert changed != source
        assert abs(len(changed) - len(source)) <= rate * len(source) + 1
    assert perturb.typos(source, 0.03, "one") != perturb.typos(source, 0.03, "other")


def test_letter_that_is_swapped_or_dropped_stays_within_the_text():
    for name in map(str, range(40)):
        changed = perturb.typos("あいうえお", 0.2, name)
        assert set(changed) <= set("あいうえお")
        assert 4 <= len(changed) <= 6


def test_word_is_miswritten_only_by_one_of_its_own_reading():
    miswritten = perturb.wrong_kanji("移動の機会を増やす" * 5, "one")
    assert "異動" in miswritten
    assert set(miswritten) <= set("移異動の機会械を増やす")


def test_words_in_kana_read_the_same():
    assert perturb.in_kana("", "one") == ""
    changed = perturb.in_kana("森林の調査と空き家の活用。" * 5, "one")
    assert "ちょうさ" in changed or "しんりん" in changed or "かつよう" in changed


def test_sixty_words_are_sixty_different_ones():
    assert len(set(perturb.WORDS)) == 60


@pytest.mark.parametrize(
    "profile",
    [
        "{whole}",
        "{whole}{whole}",
        "総合コンサルタントです。{whole}",
        "防災倉庫の会社。{title}。備蓄と運営を支援する。",
        "当社は次の困りごとにお応えします。{half}",
    ],
)
def test_profile_that_repeats_the_issue_is_found(profile):
    title = "農地周辺に現れる野生動物の被害を減らしたい"
    half = "農村部でイノシシの出没が続き、作物が荒らされている。"
    whole = f"{title}\n{half}見回りの人手も足りない。"
    assert guards.copies(whole, profile.format(whole=whole, title=title, half=half))


def test_copy_with_typos_and_other_endings_is_found(cases):
    for one in cases.issues:
        whole = text.issue_text(one)
        changed = perturb.typos(perturb.polite(whole), 0.05, one.issue_id)
        assert guards.copies(whole, changed)


def test_no_published_profile_repeats_an_issue_or_is_a_twin_or_a_list(
    shipped_issues, shipped_companies
):
    profiles = [one.profile for one in shipped_companies]
    for one in shipped_issues:
        assert not any(guards.copies(text.issue_text(one), profile) for profile in profiles)
    for at, one in enumerate(shipped_companies):
        assert not any(guards.alike(one.profile, other) for other in profiles[:at])
        assert guards.without_lists(one) == one


def test_every_slight_change_is_the_same_registration(shipped_companies):
    for one in list(shipped_companies)[:20]:
        for again in perturb.registered_again(one):
            assert again.company_id != one.company_id
            assert guards.alike(again.profile, one.profile), again.profile


def test_short_texts_are_no_twins():
    assert not guards.alike("総合建設業。", "総合建設業。")


def test_overlong_list_is_left_out_and_the_sentences_around_it_stay():
    said = guards.without_lists(
        company(f"空き家の管理を行う会社。{LIST}に対応し、相談にも応じる。")
    )
    assert said.profile == "空き家の管理をに対応し、相談にも応じる。"
    short = company("空き家の管理を行う会社。草刈り、通風、清掃、見回り、郵便物の転送に対応。")
    assert guards.without_lists(short) == short
    english = company("We provide consulting, engineering, planning and operation for towns. " * 3)
    assert guards.without_lists(english) == english


def test_guarded_copy_loses_what_its_text_gave_and_parts_still_add_up(cases, issue):
    attacked, watched = robustness.copied(cases, issue, text.issue_text)
    entries = effects.lists(cases.over(attacked), [issue])[issue.issue_id]
    assert effects.standing({"i-1": entries}, {"i-1": watched})["mean place"] == 1
    shut = guards.guarded(issue, entries, ["copies"])
    assert len(shut) == len(entries)
    capped = next(entry for entry in shut if entry.company.company_id in watched)
    assert capped.score == pytest.approx(sum(capped.parts.values()))
    for name in guards._TEXT_PARTS & capped.parts.keys():
        assert capped.parts[name] == min(entry.parts[name] for entry in entries)
    assert shut.index(capped) > len(shut) / 2


def test_of_twins_the_first_stands_for_all(cases, issue):
    attacked, watched = robustness.partners_again(cases, issue)
    assert len(watched) == 6
    entries = effects.lists(cases.over(attacked), [issue])[issue.issue_id]
    first = next(entry for entry in entries if entry.company.company_id in watched)
    shut = guards.guarded(issue, entries, ["twins"])
    assert [e for e in shut if e.company.company_id in watched] == [first]


def test_ranking_without_quotations_is_that_of_the_product(cases):
    reader = RememberingReader(FakeReader())
    catalog = cases.matcher.catalog
    found = effects.lists(Matcher(catalog, cases.encoder, reader=reader), cases.issues)
    product = Matcher(catalog, cases.encoder, reader=FakeReader())
    for shortlist in product.match(cases.issues, top=100):
        listed = found[shortlist.issue.issue_id]
        assert [(e.company, e.score, e.parts) for e in listed] == [
            (e.company, e.score, e.parts) for e in shortlist.entries
        ]


def test_every_change_is_told_with_and_without_guards(cases):
    same = effects.effect(cases.clean, cases.clean, cases.qrels)
    assert (same.difference.mean, same.before) == (0.0, same.after)
    narrow = robustness.try_change(cases, perturb.changes()["half- and full-width"])
    assert [one.difference.mean for one in narrow.values()] == [0]
    refused = robustness.ruled_out(cases)
    assert refused["open"].difference.mean == 0  # the sentence is not searched by
    assert refused["open"].watched == refused["open"].watched_before
    assert list(robustness.two_in_one(cases)) == ["open"]


def test_first_registration_of_an_organisation_counts_where_it_stands(cases):
    entries = {entry.company.company_id: entry for entry in cases.clean["i-2"]}
    partner = entries["c-04"]
    again = perturb.registered_again(partner.company)
    other = [entry for name, entry in entries.items() if name != "c-04"]
    twice = [replace(partner, company=one) for one in again[:2]]
    run = effects._run({"i-2": [other[0], *twice, partner]})["i-2"]
    assert sorted(run, key=run.get, reverse=True) == [
        other[0].company.company_id,
        "c-04",
        "c-04-again-1 once more",
        "c-04 once more",
    ]


@pytest.mark.parametrize("name", robustness.attacks())
def test_attack_watches_companies_that_are_there(cases, name):
    found, watched = robustness.attacks()[name](cases, cases.issues[1])
    assert watched <= {one.company_id for one in found}
    assert len({one.company_id for one in found}) == len(found)
    assert (found, watched) == robustness.attacks()[name](cases, cases.issues[1])
    Catalog.build(found, cases.encoder, lines=[])


def test_attack_is_told_with_and_without_guards(cases, capsys):
    attack = robustness.attacks()["copied: the issue"]
    found = robustness.try_attack(cases, attack)
    assert found["open"].watched["mean place"] == 1
    assert found["guarded"].watched["mean place"] > 3
    robustness.show("copied", found)
    assert "mean place 1.0" in capsys.readouterr().out
    costs = robustness.guard_costs(cases)
    assert {name: one.difference.mean for name, one in costs.items()} == dict.fromkeys(
        ("lists", "copies", "twins"), 0.0
    )


def test_shipped_cases_are_loaded(monkeypatch):
    monkeypatch.setattr(effects, "load_encoder", FakeEncoder)
    loaded = effects.load_cases(with_reader=False, most=3)
    assert [issue.issue_id for issue in loaded.issues] == sorted(loaded.qrels)
    assert (len(loaded.qrels), loaded.reader) == (3, None)
    assert Path(robustness.__file__).name == "robustness.py"
