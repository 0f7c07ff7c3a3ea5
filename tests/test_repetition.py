"""Fifty thousand characters of little but repetition: whatever reads them comes to an end."""

import io
import time
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import report_examples as examples
from rich.console import Console

from matcher import text
from matcher.rank import copies, explain
from matcher.report import cells, page, terminal, wording, workbook
from matcher.report.marked import side_by_side
from matcher.report.rejected import rejected_csv
from matcher.types import Company, Evidence, Fault, Issue

LENGTH, LIMIT = 50_000, 10.0  # characters; seconds of this process, however busy the machine

REPEATED = {
    "blanks": "a" + " " * LENGTH + "b",
    "opening brackets": "「" * LENGTH,
    "a kanji": "犬" * LENGTH,
    "apostrophes": "'" * LENGTH,
    "marks without width": "か" + "\u3099" * LENGTH,
    "unseen marks": "\u200b" * LENGTH + "=1",
    "a word and a comma": "犬、" * (LENGTH // 2),
    "two words": "犬猫" * (LENGTH // 2),
}
each = pytest.mark.parametrize("told", REPEATED.values(), ids=REPEATED)


# Tracing lines would take several times what is looked at.
pytestmark = pytest.mark.no_cover


@pytest.fixture(autouse=True)
def _in_time() -> Iterator[None]:
    """Nothing uses more than ten seconds of computing."""
    start = time.process_time()
    yield
    assert time.process_time() - start < LIMIT


def alike(texts):
    """One vector for every text: to encode them would take the time that is looked at."""
    return np.full((len(texts), 4), 0.5, dtype=np.float32)


def poisoned(told: str):
    """A shortlist with the text where long ones stand: not in every small field at once."""
    shortlist = examples.RANKED
    issue = replace(shortlist.issue, title=told, description=told, extra={"備考": told})
    (first, second) = shortlist.entries
    evidence = (Evidence(issue_span=told, company_span=told, kind="meaning"),)
    company = replace(first.company, profile=told)
    long = replace(first, company=company, evidence=evidence)
    return replace(shortlist, issue=issue, entries=(long, second))


@each
def test_wording_and_cells_come_to_an_end(told):
    assert len(wording.one_line(told)) <= len(told)
    assert len(cells.cell_text(told)) <= cells.CELL_LIMIT
    fault = Fault(file="表.csv", value=told, severity="警告", problem=told, remedy=told)
    assert rejected_csv([fault]).count(b"\r\n") == 2


@each
def test_terminal_comes_to_an_end(told):
    assert "".join("".join(terminal.wrap(told, 69)).split()) == "".join(told.split())
    console = Console(file=io.StringIO(), width=80)
    shortlist = poisoned(told)
    terminal.print_summary(console, [shortlist])
    terminal.print_shortlist(console, shortlist)
    assert "里山の会" in console.file.getvalue()


@each
def test_page_and_workbook_come_to_an_end(told):
    shortlist = poisoned(told)
    assert "里山の会" in page.page_html([shortlist])
    assert workbook.workbook_bytes([shortlist]).startswith(b"PK")


@pytest.mark.parametrize("told", ["犬" * LENGTH, " " * LENGTH])
def test_a_text_marked_beside_another_comes_to_an_end(told):
    issue = Issue(issue_id="i", title="犬", description=told)
    company = Company(company_id="c", name="犬", profile=told)
    span = Evidence(issue_span="犬", company_span="犬", kind="term")
    assert side_by_side(issue, company, [span]).endswith("</table>")


@each
def test_copies_come_to_an_end(told):
    assert copies.repeats(f"見守り{told}", f"見守り{told}") is bool(copies.shingles(told))
    other = "あいうえおかきくけこ" * (LENGTH // 10)
    assert not copies.repeats(told, other)


@each
def test_evidence_comes_to_an_end(told):
    long, short = (f"イノシシの出没。{told}" for told in (told, "見回り。"))
    asked, other = explain.passages([long, short], alike, lambda them: them)
    for issue, company in ((asked, asked), (other, asked)):
        found = explain.evidence(issue, company, [], lambda _: 1.0, 3)
        assert found[0].issue_span in issue.source
        assert found[0].company_span in company.source
        assert {one.kind for one in found} == {"meaning", "term"}


def test_many_different_sentences_come_to_an_end():
    source = "".join(f"{number}番の犬。" for number in range(LENGTH // 8))
    (passage,) = explain.passages([source], alike, lambda them: them)
    assert len(passage.sentences) == LENGTH // 8
    assert explain.evidence(passage, passage, [], lambda _: 1.0, 3)


def test_sentence_that_stands_often_is_quoted_like_one_that_stands_once():
    once, often = "犬が出た。猫を見た。", "犬が出た。猫を見た。" * 3
    (one, many) = explain.passages([once, often], alike, lambda them: them)
    assert one.sentences == many.sentences == tuple(text.sentences(once))
