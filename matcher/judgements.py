"""Judgements of pairs: what a judge is shown, what each said, and the grade that follows."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from matcher.columns import clean
from matcher.trec import token
from matcher.types import Fault, Qrels

Key = tuple[str, str]  # issue_id, company_id
State = Literal["graded", "unsure", "blank", "faulty"]
Outcome = Literal["agreed", "lowered", "decided", "kept", "open", "unanswered"]

GRADES: Mapping[int, str] = {
    0: "当たらない",
    1: "近いが、別の必要に答える",
    2: "一度会う価値がある",
    3: "まさにこの課題を解く、または実際に組んだ",
}
UNSURE = "わからない"
REASONS = (
    "困りごとに合う",
    "対象が違う",
    "手段が合わない",
    "条件（地域・予算・時期）が合わない",
    "一部だけ担える",
    "情報が足りない",
)
DECIDED = "決定"  # stands as the judge of what was decided after a disagreement


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """What a judge sees of a pair. Its texts are such as a cell of a workbook can hold."""

    issue_id: str
    company_id: str
    title: str
    place: str
    issue: str
    company: str

    @property
    def id(self) -> str:
        """What stands for the pair in a workbook: it tells nothing of either."""
        digest = hashlib.sha256(f"{self.issue_id}\0{self.company_id}".encode()).hexdigest()
        return f"J-{digest[:10]}"

    @property
    def digest(self) -> str:
        """The texts in a word, to see whether a row still holds those that belong together."""
        # Blanks and a leading apostrophe may change on the way through a spreadsheet program.
        texts = (self.title, self.issue, self.company)
        plain = ("".join(clean(text).split()).lstrip("'") for text in texts)
        return hashlib.sha256("\0".join(plain).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What one judge said of one pair."""

    issue_id: str
    company_id: str
    judge: str
    grade: int | None  # 0..3; None: no grade, but unsure or with a remark
    is_unsure: bool = False
    reason: str = ""
    memo: str = ""

    @property
    def key(self) -> Key:
        """The pair as TREC files name it."""
        return token(self.issue_id), token(self.company_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What was written for the judges."""

    pairs: int
    issues: int
    settled: int  # pairs left out, for they have a grade
    files: tuple[str, ...]  # names, a file for each judge


@dataclass(frozen=True, slots=True, kw_only=True)
class Returned:
    """A file that came back. `pairs == graded + unsure + blank + faulty`, always."""

    source: str  # file name without its folder
    judges: tuple[str, ...]
    pairs: int  # what the file was given out with
    graded: int
    unsure: int
    blank: int  # missing rows among them
    missing: int  # pairs whose row is gone
    faulty: int  # pairs whose answer cannot be used; each has its fault
    judgements: tuple[Judgement, ...]
    cards: tuple[Card, ...]
    faults: tuple[Fault, ...]  # in row order


@dataclass(frozen=True, slots=True, kw_only=True)
class Disagreement:
    """A pair that is not settled: all that was said of it, by judge."""

    issue_id: str
    company_id: str
    judgements: tuple[Judgement, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """A pair of the former qrels that was judged again with another result; the former stands."""

    issue_id: str
    company_id: str
    former: int
    found: int | None  # None: the judges did not agree


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """What the judgements come to. The counts are of pairs and add up to `pairs`."""

    qrels: Qrels  # the former grades, all of them, and the new ones
    judgements: tuple[Judgement, ...]  # each once, in the order of ids and judges
    disagreements: tuple[Disagreement, ...]
    revisions: tuple[Revision, ...]
    pairs: int
    agreed: int  # all grades equal
    lowered: int  # one apart: the lower median
    decided: int  # somebody decided
    kept: int  # settled before: the former grade
    unanswered: int  # nobody gave a grade


def settle(
    judgements: Iterable[Judgement], *, former: Qrels | None = None, strictly: bool = False
) -> Settlement:
    """The grades that follow from what all judges said, whatever order it comes in.

    Equal grades are the grade; grades one apart give their lower median (of two judges the lower);
    more than one apart, or a judge who said two things, is a disagreement and gives no grade until
    there is a judgement of the judge 決定. `strictly` takes one apart for a disagreement too. A
    pair of `former` keeps its grade, and another result is told as a revision.
    """
    told = tuple(sorted(set(judgements), key=_place))
    by_pair: dict[Key, list[Judgement]] = defaultdict(list)
    for one in told:
        by_pair[one.key].append(one)
    qrels = {issue: dict(grades) for issue, grades in (former or {}).items()}
    disagreements, revisions = [], []
    counts: Counter[Outcome] = Counter()
    for (issue, company), those in sorted(by_pair.items()):
        outcome, grade = _outcome(those, strictly=strictly)
        stands = (former or {}).get(issue, {}).get(company)
        if stands is not None:
            if grade != stands and outcome != "unanswered":
                revisions.append(_revision(those[0], stands, grade))
            outcome = "kept"
        elif grade is not None:
            qrels.setdefault(issue, {})[company] = grade
        elif outcome == "open":
            disagreements.append(_disagreement(those))
        counts[outcome] += 1
    return Settlement(
        qrels=qrels,
        judgements=told,
        disagreements=tuple(disagreements),
        revisions=tuple(revisions),
        pairs=len(by_pair),
        agreed=counts["agreed"],
        lowered=counts["lowered"],
        decided=counts["decided"],
        kept=counts["kept"],
        unanswered=counts["unanswered"],
    )


def grades_by_judge(judgements: Iterable[Judgement]) -> dict[str, dict[Key, int]]:
    """Judge → pair → grade, without decisions; a pair of which a judge said two things is out."""
    said: dict[tuple[str, Key], set[int]] = defaultdict(set)
    for one in judgements:
        if one.grade is not None and one.judge != DECIDED:
            said[one.judge, one.key].add(one.grade)
    grades: dict[str, dict[Key, int]] = {}
    for (judge, key), found in sorted(said.items()):
        if len(found) == 1:
            grades.setdefault(judge, {})[key] = next(iter(found))
    return grades


def _place(one: Judgement) -> tuple[str, str, str, int, bool, str, str]:
    grade = -1 if one.grade is None else one.grade
    return (*one.key, one.judge, grade, one.is_unsure, one.reason, one.memo)


def _outcome(those: Iterable[Judgement], *, strictly: bool) -> tuple[Outcome, int | None]:
    """How the judgements of one pair come out, and the grade if they give one."""
    said: dict[str, set[int]] = defaultdict(set)
    for one in those:
        if one.grade is not None:
            said[one.judge].add(one.grade)
    decisions = said.pop(DECIDED, set())
    if len(decisions) == 1:
        return "decided", next(iter(decisions))
    if decisions or any(len(grades) > 1 for grades in said.values()):
        return "open", None
    grades = sorted(grade for (grade,) in said.values())
    if not grades:
        return "unanswered", None
    if grades[0] == grades[-1]:
        return "agreed", grades[0]
    if strictly or grades[-1] - grades[0] > 1:
        return "open", None
    return "lowered", grades[(len(grades) - 1) // 2]


def _disagreement(those: list[Judgement]) -> Disagreement:
    first = those[0]
    return Disagreement(
        issue_id=first.issue_id, company_id=first.company_id, judgements=tuple(those)
    )


def _revision(one: Judgement, former: int, found: int | None) -> Revision:
    return Revision(issue_id=one.issue_id, company_id=one.company_id, former=former, found=found)
