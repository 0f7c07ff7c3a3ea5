"""What `check` shows: within 80 cells, inert, and all that was found."""

import io
import json

import pytest
from examples import ISSUES, changed, write_table
from rich.cells import cell_len
from rich.console import Console

from matcher.inspection import inspect
from matcher.report.inspected import SHOWN, account, print_inspection, problems


def shown(path, rows, width=80):
    console = Console(file=io.StringIO(), width=width, highlight=False)
    print_inspection(console, inspect(write_table(path / "課題.csv", rows)))
    return console.file.getvalue()


def test_it_says_what_the_table_is_and_how_it_was_read(tmp_path):
    rows = [{"件名" if name == "課題名" else name: cell for name, cell in row.items()}
            for row in [*ISSUES[:3], ISSUES[2]]]  # fmt: skip
    lines = shown(tmp_path, rows).splitlines()
    assert lines[0] == "課題.csv　課題の表"
    assert lines[1].split() == ["読んだ所", "UTF-8、見出しは1行目"]
    assert lines[2].split("行", 1)[1].strip() == "4行 ＝ 使える 3 ＋ 重複 1 ＋ 除外 0"
    assert "課題名＝件名、課題内容、" in lines[3]
    assert any(line.split() == ["そのまま", "受付経路"] for line in lines)
    assert "  問題 1件（除外0件、警告1件）" in lines


def test_a_table_without_a_fault_says_so(tmp_path):
    assert "問題なし" in shown(tmp_path, ISSUES[:3])
    assert problems(()) == "問題なし"


def test_rows_that_are_left_out_come_first_each_with_its_remedy(tmp_path):
    rows = changed(changed(ISSUES, 0, SDGs="18"), 4, 課題名="")
    text = shown(tmp_path, rows)
    places = [text.index(part) for part in ("6行目", "【除外】課題名", "→ 課題名を", "2行目")]
    assert places == sorted(places)


def test_only_the_first_twenty_problems_are_printed(tmp_path):
    rows = [{**ISSUES[0], "課題ID": f"i-{n}", "SDGs": "18"} for n in range(SHOWN + 3)]
    text = shown(tmp_path, rows)
    assert text.count("【警告】") == SHOWN
    assert "ほかに3件あります。--out を付けると、すべてを表に書きます。" in text


@pytest.mark.parametrize("width", [40, 80, 200])
def test_no_line_is_wider_than_the_terminal_or_eighty_cells(tmp_path, width):
    rows = changed(ISSUES, 0, SDGs="あ" * 300, 課題ID="x" * 200)
    rows = [{**row, "とても長い見出し" * 20: "1"} for row in rows]
    assert max(map(cell_len, shown(tmp_path, rows, width).splitlines())) <= min(width, 80)


def test_nothing_in_a_table_controls_the_terminal(tmp_path):
    rows = [{**row, "\x1b[31m[bold]見出し": "x"} for row in changed(ISSUES, 0, SDGs="\x1b]8;;\x07")]
    text = shown(tmp_path, rows)
    assert "\x1b" not in text and "\x07" not in text
    assert "[bold]見出し" in text


def test_a_personal_number_is_not_shown_wherever_it_stands(tmp_path):
    number = "123456789018"
    rows = [
        {**row, f"列{number}": number} for row in changed(ISSUES, 0, 課題ID=number, SDGs=number)
    ]
    inspection = inspect(write_table(tmp_path / "課題.csv", rows))
    assert number not in shown(tmp_path, rows)
    assert number not in json.dumps(account(inspection), ensure_ascii=False)


def test_the_account_says_the_same_in_plain_values(tmp_path):
    told = account(inspect(write_table(tmp_path / "課題.csv", ISSUES)))
    assert told == json.loads(json.dumps(told))
    assert (told["file"], told["table"], told["header_rows"]) == ("課題.csv", "issues", [1])
    assert told["rows"] == told["usable"] + told["merged"] + told["rejected"] == 6
    assert told["columns"]["課題名"] == ["課題名"]
    assert [problem["row"] for problem in told["problems"]] == [5]
