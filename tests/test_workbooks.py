import contextlib
import os
import signal
from pathlib import Path

import pytest
from workbook_examples import cells, xlsx

from matcher.errors import DataError
from matcher.tables import workbooks
from matcher.tables.grid import Span
from matcher.tables.workbooks import grids

ROWS = cells(1, ["課題名"]) + cells(2, ["あ"]) + cells(4, ["い"])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "表.xlsx").write_bytes(xlsx(ROWS))
    return tmp_path / "表.xlsx"


def test_every_sheet_is_a_grid_with_its_rows(path):
    with path.open("rb") as file:
        told = [(grid.sheet, grid.is_hidden, list(grid.records)) for grid in grids("表.xlsx", file)]
    assert told == [("課題", False, [(1, ["課題名"]), (2, ["あ"]), (4, ["い"])])]


def test_rows_that_nobody_walks_are_passed_over(tmp_path):
    import openpyxl

    book = openpyxl.Workbook()
    for name in ("一", "二"):
        sheet = book.create_sheet(name)
        sheet.append(["見出し", "a"])
        sheet.append(["b", "c"])
        sheet.merge_cells("A1:A2")
    book.save(tmp_path / "表.xlsx")
    with (tmp_path / "表.xlsx").open("rb") as file:
        told = [(grid.sheet, grid.spans) for grid in grids("表.xlsx", file)]
    merged = (Span(top=1, left=0, bottom=2, right=0),)
    assert told == [("Sheet", ()), ("一", merged), ("二", merged)]


def told_by(monkeypatch, folder, script):
    """The rows of a workbook that another script tells."""
    (folder / "script.py").write_text(script, encoding="utf-8")
    monkeypatch.setattr(workbooks, "_SCRIPT", folder / "script.py")
    (folder / "表.xlsx").write_bytes(xlsx(ROWS))
    with (folder / "表.xlsx").open("rb") as file:
        return [list(grid.records) for grid in grids("表.xlsx", file)]


@pytest.mark.parametrize(
    "script",
    [
        "",
        "import os; os.abort()",
        """print('{"sheet": "a", "hidden": false, "spans": []}')""",
        """print('{"sheet": "a", "hidden": false, "spans": []}\\n[1, ["x"]]')""",
    ],
)
def test_a_parser_that_dies_is_one_sentence(tmp_path, monkeypatch, script):
    with pytest.raises(DataError, match=r"「表\.xlsx」を読み切れません"):
        told_by(monkeypatch, tmp_path, script)


def test_a_parser_that_gives_up_is_one_sentence(tmp_path, monkeypatch):
    with pytest.raises(DataError, match="表として開けません"):
        told_by(monkeypatch, tmp_path, """print('{"end": "broken"}')""")


def test_the_parser_is_gone_when_the_workbook_is_left(tmp_path, monkeypatch):
    script = (
        """import os, time\nprint('{"sheet": "a", "hidden": false, "spans": []}')\n"""
        """print([os.getpid(), ["x"]], flush=True)\ntime.sleep(600)\n""".replace('["x"]', "[]")
    )
    (tmp_path / "script.py").write_text(script, encoding="utf-8")
    monkeypatch.setattr(workbooks, "_SCRIPT", tmp_path / "script.py")
    (tmp_path / "表.xlsx").write_bytes(xlsx(ROWS))
    with (tmp_path / "表.xlsx").open("rb") as file:
        walk = grids("表.xlsx", file)
        pid, _ = next(iter(next(walk).records))
        with contextlib.suppress(KeyboardInterrupt):
            walk.throw(KeyboardInterrupt())
    with pytest.raises(ProcessLookupError):
        os.kill(pid, signal.SIGCONT)
