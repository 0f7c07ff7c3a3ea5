"""The terminal's tables: right in width, inert to markup and escape sequences."""

import io
import re
from dataclasses import replace

import pytest
import report_examples as examples
from hypothesis import example, given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from matcher.report.terminal import print_counts, print_shortlist, print_summary, wrap


def summary(*shortlists, width=80, **options) -> str:
    console = Console(file=io.StringIO(), width=width, **options)
    print_summary(console, shortlists)
    return console.file.getvalue()


def shown(shortlist, width=80, **options) -> str:
    console = Console(file=io.StringIO(), width=width, **options)
    print_shortlist(console, shortlist)
    return console.file.getvalue()


def squeezed(text: str) -> str:
    return "".join(text.split())


def test_summary_has_a_row_per_issue():
    lines = summary(*examples.ALL).splitlines()
    assert lines[0].split() == ["課題ID", "課題", "1位", "得点", "状態"]
    assert [line.split()[0] for line in lines[1:6]] == ["0017", "0018", "0019", "0020", "0021"]
    assert "株式会社イーマキーナ" in lines[1] and "3.41" in lines[1] and "候補あり" in lines[1]
    assert len(lines) == 6


def test_the_counts_of_a_run_add_up_and_name_what_was_left_out():
    statuses = {"ranked": 1_200, "no_candidate": 2, "unclear": 0, "routed": 1}
    counts = {
        "issues": {"rows": 1_206, "merged": 1, "rejected": 2, **statuses},
        "companies": {"rows": 12, "accepted": 12, "merged": 0, "rejected": 0},
    }
    console = Console(file=io.StringIO(), width=80)
    print_counts(console, counts)
    issues, companies = console.file.getvalue().splitlines()
    assert issues == (
        "課題 1,206行 ＝ 候補あり 1,200 ＋ 候補なし 2 ＋ 担当課へ 1 ＋ 重複 1 ＋ 除外 2"
    )
    assert companies == "企業 12行 ＝ 採用 12"
    whole, terms = issues.split("＝")
    figures = [int(figure.replace(",", "")) for figure in re.findall(r"[\d,]+", terms)]
    assert sum(figures) == int(re.search(r"[\d,]+", whole)[0].replace(",", ""))


def test_a_long_title_is_cut_with_an_ellipsis_and_an_id_never():
    long = examples.poisoned("あいうえおかきくけこさしすせそたちつてと" * 3)
    text = summary(long)
    assert "…" in text
    ids = "".join(line[:8] for line in text.splitlines()[1:])
    assert squeezed(ids).startswith(
        "あいうえおかきくけこさしすせそたちつてと"[: len(squeezed(ids))]
    )


def test_a_shortlist_shows_its_working():
    text = squeezed(shown(examples.RANKED))
    for part in (
        "0017農地周辺に現れる野生動物の被害を減らしたい",
        "兵庫県神戸市",
        "候補あり（12社を検討、95社を地域で除外）",
        "1株式会社イーマキーナ得点3.41",
        "意味の近さ+2.02、言葉の一致+0.71、文字の並びの一致+0.60、SDGs+0.05、地域+0.03",
        "意味の近さ-0.30",
        "全国対応",
        "15陸の豊かさも守ろう（企業の目標は推定）",
        "課題「作物が荒らされている」企業「現場の困りごと」",
        "窓口未登録",
    ):
        assert part in text


def test_seven_parts_stand_in_their_order_and_no_name_is_parted():
    text = shown(examples.FULL)
    at = text.index("内訳")
    assert text[at : at + 200].startswith(
        "内訳       意味の近さ +1.70、言葉の一致 +0.61、文字の並びの一致 +0.61、\n"
        "              橋渡しの言葉 +0.66、読み合わせ +2.00、SDGs +0.00、地域 +0.00\n"
    )


def test_parts_that_a_run_does_not_have_are_not_shown():
    text = shown(examples.RANKED)
    assert "橋渡しの言葉" not in text
    assert "読み合わせ" not in text
    only = examples.entry(1, examples.MAKER)
    one = replace(only, parts={"region": 0.03, "words": 0.5}, score=0.53)
    assert "内訳言葉の一致+0.50、地域+0.03地域全国対応" in squeezed(shown(examples.shortlist(one)))


def test_span_that_the_bridge_joins_says_by_which_line():
    lines = shown(examples.FULL).splitlines()
    at = lines.index("   根拠 橋渡し（鳥獣被害）")
    assert lines[at + 1 : at + 3] == [
        "              課題「作物が荒らされている。」",
        "              企業「機材」",
    ]
    assert "橋渡し" not in shown(examples.RANKED)


def test_inferred_goals_are_shown_with_what_they_were_inferred_from():
    lines = shown(examples.FULL).splitlines()
    (line,) = (line for line in lines if "推定の根拠" in line)
    assert line == "   推定の根拠 2・15「集落ぐるみの柵の点検と見回りを続けている。」"
    assert "推定の根拠" not in shown(examples.RANKED)


def test_bands_are_shown_and_explained_where_there_are_any():
    text = shown(examples.FULL)
    assert " 1 株式会社イーマキーナ　得点 5.58　確からしさ A\n" in text
    assert " 2 里山の会　得点 0.93　確からしさ 判定不能\n" in text
    assert (
        "確からしさ A＝面談を勧められる、B＝検討の価値がある、C＝参考、\n"
        "           判定不能＝文章が短いか、企業の文章が課題の写しで、判断できない\n"
    ) in text
    assert "確からしさ" not in shown(examples.RANKED)


@pytest.mark.parametrize(
    ("shortlist", "said"),
    [
        (examples.NOBODY_PASSED, "地域の条件（本社か拠点が課題と同じ都道府県にあること）で95社"),
        (examples.NOBODY_PASSED, "SDGsの条件（課題の目標をすべて持つこと）で12社"),
        (examples.NOBODY_PASSED, "--region-rule serves"),
        (examples.NOBODY_PASSED, "--region-rule any"),
        (examples.NOBODY_PASSED, "--sdg-rule prefer"),
        (examples.NOTHING_IN_COMMON, "検討した12社に、この課題の文章と共通する点がある企業は"),
        (examples.UNCLEAR, "手掛かりとなる言葉がない"),
        (examples.UNCLEAR, "自治体・都道府県は不明"),
        (examples.ROUTED, "順位付けの対象から外しています"),
    ],
)
def test_an_issue_without_candidates_says_why(shortlist, said):
    assert squeezed(said) in squeezed(shown(shortlist))


def test_an_unknown_prefecture_and_an_empty_catalog_are_named_as_the_cause():
    nobody = examples.shortlist(issue=examples.UNCLEAR.issue, status="no_candidate", considered=0)
    assert "課題の都道府県が分かりません" in squeezed(shown(nobody))
    empty = examples.shortlist(status="no_candidate", considered=0, excluded={})
    assert "企業が一社も登録されていない" in squeezed(shown(empty))


@pytest.mark.parametrize("width", [40, 60, 80, 200])
def test_no_line_is_wider_than_the_terminal_or_80_cells(width):
    lists = (*examples.ALL, examples.FULL)
    for text in (summary(*lists, width=width), *(shown(s, width) for s in lists)):
        assert max(cell_len(line) for line in text.splitlines()) <= min(width, 80)


@settings(max_examples=100)
@given(st.text(), st.integers(40, 100))
def test_no_text_makes_a_line_too_wide_or_controls_the_terminal(text, width):
    poisoned = examples.poisoned(text)
    for output in (summary(poisoned, width=width), shown(poisoned, width)):
        assert all(cell_len(line) <= min(width, 80) for line in output.split("\n"))
        assert not any((ord(c) < 32 and c != "\n") or 127 <= ord(c) < 160 for c in output)


@pytest.mark.parametrize("payload", examples.PAYLOADS)
def test_markup_and_escape_sequences_are_inert(payload):
    poisoned = examples.poisoned(payload)
    output = summary(poisoned) + shown(poisoned)
    assert not {"\x1b", "\x9b", "\x00", "\x07", "\u202e", "\t", "\r"} & set(output)
    if payload.startswith(("[", "{")):
        assert payload in output


def test_colour_only_in_a_terminal():
    assert "\x1b" not in summary(*examples.ALL)
    assert "\x1b" in summary(*examples.ALL, force_terminal=True, color_system="standard")


def test_lines_break_by_japanese_rules():
    assert wrap("あいうえお。かき", 10) == ["あいうえ", "お。かき"]
    assert wrap("あいう「えお」", 8) == ["あいう", "「えお」"]
    assert wrap("実行時に --region-rule any を", 16) == ["実行時に", "--region-rule", "any を"]
    assert wrap("一\n二", 10) == ["一", "二"]
    assert wrap("", 10) == [""]


@given(st.text(), st.integers(2, 60))
@example("00 \u0300", 2)  # a mark without width that stands alone
def test_wrapping_keeps_every_character(text, width):
    lines = wrap(text, width)
    assert all(cell_len(line) <= width for line in lines)
    assert squeezed("".join(lines)) == squeezed(wrap(text, 10**6) and "".join(wrap(text, 10**6)))


def test_a_routed_issue_is_not_said_to_have_been_compared():
    assert "企業との比較はしていません" in shown(examples.ROUTED)
