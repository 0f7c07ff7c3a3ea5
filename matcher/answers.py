"""What comes back from judges: filled workbooks and tables of judgements, with every fault named.

Rows may be sorted, filtered, lost or doubled and columns moved: an answer belongs to its 判定ID.
"""

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from matcher.columns import Columns, Line, recognise
from matcher.errors import DataError
from matcher.fields import shown
from matcher.formulas import restore
from matcher.judgements import REASONS, UNSURE, Card, Judgement, Returned, State
from matcher.report import labels
from matcher.tables import Table, read_hidden_table, read_table
from matcher.types import Fault

_Place = Callable[..., Fault]  # a fault of this file, but for what is wrong and in which row

_TEXT_SUFFIXES = frozenset({".csv", ".tsv", ".tab", ".txt"})
_ANSWER_HEADERS: Mapping[str, tuple[str, ...]] = {
    "card_id": (labels.ID,),
    "grade": (labels.DECISION, labels.GRADE),
    "reason": (labels.REASON,),
    "memo": (labels.MEMO,),
    "title": (labels.TITLE,),
    "place": (labels.PLACE,),
    "issue": (labels.ISSUE,),
    "company": (labels.COMPANY,),
}
_TEXTS = ("title", "issue", "company")  # by which a row is known to be whole
_CSV_HEADERS: Mapping[str, tuple[str, ...]] = {
    "issue_id": ("課題ID",),
    "company_id": ("企業ID",),
    "judge": ("判定者",),
    "grade": (labels.GRADE,),
    "reason": (labels.REASON,),
    "memo": (labels.MEMO,),
}
_UNSURE = frozenset({UNSURE, "分からない", "判らない"})
_UNUSABLE = f"評点は 0・1・2・3・{UNSURE} のどれかにしてください。"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    """What one row says, or what is wrong with it."""

    row: int
    grade: int | None = None
    is_unsure: bool = False
    reason: str = ""
    memo: str = ""
    fault: Fault | None = None

    @property
    def is_blank(self) -> bool:
        return self.grade is None and not self.is_unsure


@dataclass(frozen=True, slots=True, kw_only=True)
class _Slot:
    """A pair that a workbook was given out with."""

    issue_id: str
    company_id: str
    judge: str
    digest: str


def read_back(path: str | Path) -> Returned:
    """The judgements of a filled workbook, or of a judgements.csv, and what is wrong with others.

    Raises:
        DataError: the file is neither, or the sheet that says which pair a 判定ID stands for is
            gone.
    """
    path = Path(path)
    return _read_csv(path) if path.suffix.lower() in _TEXT_SUFFIXES else _read_workbook(path)


def _read_workbook(path: Path) -> Returned:
    wanted = {labels.ID: (labels.ID,), labels.GRADE: (labels.GRADE, labels.DECISION)}
    table = read_table(path, required=wanted)
    slots = _read_slots(path)
    columns = recognise(table, _ANSWER_HEADERS)
    place = partial(Fault, file=table.source, sheet=table.sheet)
    faults = [] if columns.of.keys() >= set(_TEXTS) else [_unverified(place)]
    answers: dict[str, list[_Answer]] = defaultdict(list)
    cards: dict[str, Card] = {}
    for row in table.rows:
        line = columns.line(row)
        card_id = unicodedata.normalize("NFKC", line.cells["card_id"]).strip()
        at = partial(place, row=row.number)
        if card_id not in slots:
            faults += _strays(line, columns, card_id, at)
            continue
        card = _card(line, slots[card_id])
        answers[card_id].append(_answer(row.number, line, columns, at, slots[card_id], card))
        if card is not None and card.digest == slots[card_id].digest:
            cards[card_id] = card
    return _returned(table, slots, answers, tuple(cards[key] for key in sorted(cards)), faults)


def _read_slots(path: Path) -> dict[str, _Slot]:
    try:
        table = read_hidden_table(path, required={name: (name,) for name in labels.KEY_HEADER})
    except DataError as error:
        message = (
            f"「{path.name}」に判定IDの対応表（隠れたシート「{labels.KEY}」）がありません。"
            "行を写した別のファイルではなく、配った判定用紙そのものを保存して渡してください。"
        )
        raise DataError(message) from error
    at = [table.header.index(name) for name in labels.KEY_HEADER]
    rows = ([restore(row.cells[x]) for x in at] for row in table.rows)
    return {
        card_id: _Slot(issue_id=issue, company_id=company, judge=judge, digest=digest)
        for card_id, issue, company, judge, digest in rows
    }


def _returned(
    table: Table,
    slots: Mapping[str, _Slot],
    answers: Mapping[str, Sequence[_Answer]],
    cards: tuple[Card, ...],
    faults: list[Fault],
) -> Returned:
    """The account of a workbook: every pair that it was given out with is in one count."""
    place = partial(Fault, file=table.source, sheet=table.sheet)
    states: Counter[State] = Counter()
    judgements: list[Judgement] = []
    for card_id, slot in sorted(slots.items()):
        those = answers.get(card_id, ())
        state, found = _combine(those, place)
        states[state] += 1
        faults += found
        if state != "faulty":
            judgements += _judgement(slot, those)
    return Returned(
        source=table.source,
        judges=tuple(sorted({slot.judge for slot in slots.values()})),
        pairs=len(slots),
        graded=states["graded"],
        unsure=states["unsure"],
        blank=states["blank"],
        missing=len(slots.keys() - answers.keys()),
        faulty=states["faulty"],
        judgements=tuple(judgements),
        cards=cards,
        faults=tuple(sorted(faults, key=lambda fault: (fault.row or 0, fault.problem))),
    )


def _card(line: Line, slot: _Slot) -> Card | None:
    """What the row shows of its pair; None where a column of texts was taken away."""
    if not line.has >= set(_TEXTS):
        return None
    texts = {name: restore(line.cells[name]) for name in ("place", *_TEXTS) if name in line.cells}
    return Card(issue_id=slot.issue_id, company_id=slot.company_id, **({"place": ""} | texts))


def _answer(
    row: int, line: Line, columns: Columns, at: _Place, slot: _Slot, card: Card | None
) -> _Answer:
    if card is not None and card.digest != slot.digest:
        return _Answer(row=row, fault=_shifted(at, line))
    given = unicodedata.normalize("NFKC", line.cells["grade"]).strip()
    whole = re.fullmatch(r"([0-3])(?:\.0+)?", given)
    if given and not whole and given not in _UNSURE:
        fault = at(
            column=columns.place("grade")[1],
            value=line.cells["grade"],
            severity="除外",
            problem=f"評点「{shown(line.cells['grade'])}」は使えません。",
            remedy=_UNUSABLE,
        )
        return _Answer(row=row, fault=fault)
    return _Answer(
        row=row,
        grade=int(whole[1]) if whole else None,
        is_unsure=given in _UNSURE,
        reason=restore(line.cells.get("reason", "")),
        memo=restore(line.cells.get("memo", "")),
    )


def _combine(answers: Sequence[_Answer], place: _Place) -> tuple[State, list[Fault]]:
    """What the rows of one 判定ID come to: one row as a rule, none where it was deleted."""
    faults = [one.fault for one in answers if one.fault is not None]
    said = {(one.grade, one.is_unsure) for one in answers if not one.is_blank}
    if len(said) > 1 or (faults and len(answers) > len(faults)):
        rows = "、".join(f"{one.row}行目" for one in answers)
        usable = [one for one in answers if one.fault is None]
        return "faulty", faults + [_double(place, one.row, rows) for one in usable]
    if faults:
        return "faulty", faults
    warned = [_merged(place, one.row, answers[0].row) for one in answers[1:]]
    warned += [_unlisted(place, one) for one in answers if one.reason not in ("", *REASONS)]
    if not said:
        return "blank", warned
    return "unsure" if any(is_unsure for _, is_unsure in said) else "graded", warned


def _judgement(slot: _Slot, answers: Sequence[_Answer]) -> list[Judgement]:
    """What was said of a pair, if anything; a remark without a grade is kept as well."""
    grades = [one.grade for one in answers if one.grade is not None]
    is_unsure = any(one.is_unsure for one in answers)
    reason, memo = _joined(one.reason for one in answers), _joined(one.memo for one in answers)
    if not (grades or is_unsure or reason or memo):
        return []
    return [
        Judgement(
            issue_id=slot.issue_id,
            company_id=slot.company_id,
            judge=slot.judge,
            grade=grades[0] if grades else None,
            is_unsure=is_unsure,
            reason=reason,
            memo=memo,
        )
    ]


def _joined(texts: Iterable[str]) -> str:
    return "／".join(sorted(set(filter(None, texts))))


def _read_csv(path: Path) -> Returned:
    needed = ("issue_id", "company_id", "judge", "grade")
    table = read_table(path, required={name: (name, *_CSV_HEADERS[name]) for name in needed})
    columns = recognise(table, _CSV_HEADERS)
    place = partial(Fault, file=table.source, sheet=table.sheet)
    judges: set[str] = set()
    judgements: list[Judgement] = []
    faults = [fault for fault in table.faults if fault.severity == "除外"]
    states: Counter[State] = Counter({"faulty": table.rejected})
    for row in table.rows:
        line = columns.line(row)
        ids = [restore(line.cells[name]) for name in needed[:3]]
        slot = _Slot(issue_id=ids[0], company_id=ids[1], judge=ids[2], digest="")
        at = partial(place, row=row.number)
        answer = _answer(row.number, line, columns, at, slot, None)
        if not all(ids):
            answer = _Answer(row=row.number, fault=_nameless(at))
        state, found = _combine([answer], place)
        states[state] += 1
        faults += found
        if state != "faulty":
            judges.add(slot.judge)
            judgements += _judgement(slot, [answer])
    return Returned(
        source=table.source,
        judges=tuple(sorted(judges)),
        pairs=len(table.rows) + table.rejected,
        graded=states["graded"],
        unsure=states["unsure"],
        blank=states["blank"],
        missing=0,
        faulty=states["faulty"],
        judgements=tuple(judgements),
        cards=(),
        faults=tuple(faults),
    )


def _strays(line: Line, columns: Columns, card_id: str, at: _Place) -> list[Fault]:
    """The fault of a row that belongs to no pair of this workbook, unless it says nothing."""
    if not card_id and not any(line.cells.get(name) for name in ("grade", "reason", "memo")):
        return []
    problem = (
        f"判定ID「{shown(card_id)}」は、この判定用紙で配ったものではありません。"
        if card_id
        else "判定IDがない行に、評点か理由かメモがあります。"
    )
    remedy = "元の判定用紙の同じ組の行に、評点を書き写してください。"
    column = columns.place("card_id")[1]
    return [at(column=column, value=card_id, severity="除外", problem=problem, remedy=remedy)]


def _shifted(at: _Place, line: Line) -> Fault:
    return at(
        column=labels.ID,
        value=line.cells["card_id"],
        severity="除外",
        problem="課題か企業の文章が、判定IDを配ったときのものと違います。",
        remedy="一部の列だけを並べ替えていないか、文章を書き換えていないか確かめてください。",
    )


def _double(place: _Place, row: int, rows: str) -> Fault:
    return place(
        row=row,
        column=labels.ID,
        severity="除外",
        problem=f"同じ判定IDの行がいくつもあり（{rows}）、評点が食い違います。",
        remedy="正しい行だけを残してください。",
    )


def _merged(place: _Place, row: int, first: int) -> Fault:
    return place(
        row=row,
        column=labels.ID,
        severity="警告",
        problem=f"{first}行目と同じ判定IDの行なので、1件にまとめました。",
        remedy="重なった行を消してください。",
    )


def _unlisted(place: _Place, answer: _Answer) -> Fault:
    return place(
        row=answer.row,
        column=labels.REASON,
        value=answer.reason,
        severity="警告",
        problem=f"理由「{shown(answer.reason)}」は一覧にありません。書かれたまま残しました。",
        remedy="一覧から選び、書き足すことはメモに書いてください。",
    )


def _unverified(place: _Place) -> Fault:
    return place(
        severity="警告",
        problem="課題か企業の文章の列がないため、行のずれを確かめられません。",
        remedy="配った判定用紙の列を消さずに保存してください。",
    )


def _nameless(at: _Place) -> Fault:
    return at(
        severity="除外",
        problem="課題ID・企業ID・判定者のどれかが空です。",
        remedy="3つとも書いてください。",
    )
