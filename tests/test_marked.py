from html.parser import HTMLParser

from matcher.report.marked import side_by_side
from matcher.types import Company, Evidence, Issue

ISSUE = Issue(issue_id="i", title="足の確保", description="路線バスが減った。<b>通院</b>に困る。")
PROFILE = "路線バスの予約配車を行う。\n通院も。"
COMPANY = Company(company_id="c", name="<i>交通</i>", profile=PROFILE)
EVIDENCE = (
    Evidence(issue_span="路線バスが減った。", company_span=PROFILE.split("\n")[0], kind="meaning"),
    Evidence(issue_span="路線バス", company_span="路線バス", kind="term"),
)


class Reading(HTMLParser):
    """The text of the cells, and what was marked by its colour."""

    def __init__(self):
        super().__init__()
        self.cells, self.marks, self.shade = [], [], ""

    def handle_starttag(self, tag, attrs):
        if tag == "td":
            self.cells.append("")
        if tag == "mark":
            self.shade = dict(attrs)["style"]
        if tag == "br":
            self.cells[-1] += "\n"
        assert tag in {"table", "tr", "td", "mark", "b", "br"}

    def handle_endtag(self, tag):
        if tag == "mark":
            self.shade = ""

    def handle_data(self, data):
        self.cells[-1] += data
        if self.shade:
            self.marks.append((data, self.shade))


def read(*arguments):
    reading = Reading()
    reading.feed(side_by_side(*arguments))
    return reading


def test_both_texts_stand_whole_and_nothing_in_them_is_markup():
    asked, told = read(ISSUE, COMPANY, EVIDENCE).cells
    assert asked == f"{ISSUE.title}\n{ISSUE.description}"
    assert told == f"{COMPANY.name}\n{COMPANY.profile}"


def test_a_term_is_darker_than_the_sentence_around_it():
    marks = read(ISSUE, COMPANY, EVIDENCE).marks
    words = [word for word, _ in marks]
    assert words == ["路線バス", "が減った。", "路線バス", "の予約配車を行う。"]
    assert marks[0][1] == marks[2][1] != marks[1][1] == marks[3][1]


def test_without_evidence_nothing_is_marked():
    assert read(ISSUE, COMPANY, ()).marks == []
