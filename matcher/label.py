"""Judging: pairs pooled from runs, a workbook for each judge, and what the answers come to."""

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from matcher.agreement import Agreement, Comparison, agreement, compare
from matcher.answers import read_back
from matcher.errors import DataError, ForeignOutput, MatcherError
from matcher.formulas import restore
from matcher.judgements import DECIDED, Card, Given, Judgement, Key, Returned, Settlement, settle
from matcher.outputs import check_absent, write_files
from matcher.report import labels, wording
from matcher.report.cells import cell_text
from matcher.trec import qrels_lines, read_qrels, token
from matcher.types import Company, Issue, Qrels, Shortlist

QRELS, JUDGEMENTS, DISAGREEMENTS = "qrels.tsv", "judgements.csv", "不一致.xlsx"
DEPTH, SEED = 10, 1

_HIDDEN_NAME = "〔名前〕"
_LEAST_MASKED = 4  # letters of a name without 株式会社; a shorter one may be an ordinary word
_LEGAL_FORMS = re.compile(
    "(?:(?:株式|有限|合同|合資|合名|相互)会社|(?:一般|公益|特定非営利活動|独立行政|国立大学|社会福祉|"
    "医療|学校|認定)?(?:社団|財団)?法人|NPO法人|[(（][株有同][)）]|㈱|㈲)"
)
_UNFIT_FOR_A_FILE = re.compile(r'[\\/:*?"<>|\x00-\x1f]|^[ .]|[ .]$')


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """The pairs that are to be judged."""

    cards: tuple[Card, ...]  # in the order of ids
    settled: int  # pairs left out, for a former qrels has their grade


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """What a round of judging came to."""

    returned: tuple[Returned, ...]  # in the order of the files
    settlement: Settlement
    agreement: Agreement
    written: tuple[str, ...]  # file names


def pool(
    runs: Iterable[Iterable[Shortlist]],
    *,
    depth: int = DEPTH,
    former: Qrels | None = None,
    with_names: bool = False,
) -> Pool:
    """The first `depth` places of every issue in every run, each pair once.

    Pairs that `former` has a grade for are left out; without it none is. Names of companies are
    not shown, not in their profiles either, unless `with_names`.

    Raises:
        MatcherError: there is no pair left, or two runs tell different things of one pair.
    """
    if depth < 1:
        raise MatcherError(f"--depth は1以上の整数にしてください（指定値: {depth}）。")
    cards: dict[Key, Card] = {}
    for shortlists in runs:
        for shortlist in shortlists:
            for entry in shortlist.entries:
                if entry.rank <= depth:
                    card = _card(shortlist.issue, entry.company, with_names=with_names)
                    _take_in(cards, card)
    old = {(i, c) for i, grades in (former or {}).items() for c in grades}
    fresh = {key: card for key, card in cards.items() if (token(key[0]), token(key[1])) not in old}
    if not fresh:
        message = (
            "判定する組がありません。実行結果に候補があるか、"
            "前回までの判定（--qrels）がすべての組を含んでいないか確かめてください。"
        )
        raise MatcherError(message)
    _refuse_doubles(fresh.values())
    return Pool(cards=tuple(fresh[key] for key in sorted(fresh)), settled=len(cards) - len(fresh))


def judge_names(count: int | None = None, names: Sequence[str] = ()) -> tuple[str, ...]:
    """The names of the judges: those given, or 判定者1, 判定者2 and so on (three by default).

    Raises:
        MatcherError: both are given, there is no judge, or a name cannot stand in a file name.
    """
    if names and count is not None:
        message = "--judges と --judge は同時に使えません。どちらかにしてください。"
        raise MatcherError(message)
    if count is not None and count < 1:
        raise MatcherError(f"--judges は1以上の整数にしてください（指定値: {count}）。")
    given = tuple(wording.one_line(name) for name in names)
    for name in given:
        folded = unicodedata.normalize("NFKC", name)
        if not name or len(name) > 40 or _UNFIT_FOR_A_FILE.search(folded):
            message = f"判定者の名前「{name}」はファイル名に使えません。短い名前にしてください。"
            raise MatcherError(message)
        if name == DECIDED or [unicodedata.normalize("NFKC", n) for n in given].count(folded) > 1:
            message = f"判定者の名前「{name}」は使えません。互いに違う名前にしてください。"
            raise MatcherError(message)
    return given or tuple(f"判定者{n}" for n in range(1, (count or 3) + 1))


def shuffled(cards: Iterable[Card], judge: str, *, seed: int = SEED) -> list[Card]:
    """The cards as one judge gets them: issues in an order of his own, and companies within."""

    def lot(*parts: str) -> str:
        return hashlib.sha256("\0".join((str(seed), judge, *parts)).encode()).hexdigest()

    return sorted(
        cards,
        key=lambda card: (
            lot(card.issue_id),
            card.issue_id,
            lot(card.issue_id, card.company_id),
        ),
    )


def give_out(
    runs: Iterable[Iterable[Shortlist]],
    out: Path,
    *,
    judges: Sequence[str],
    depth: int = DEPTH,
    seed: int = SEED,
    former: Path | str | None = None,
    with_names: bool = False,
    overwrite: bool = False,
) -> Given:
    """Pool the runs and write a workbook for each judge.

    Raises:
        ForeignOutput: such a workbook is there, unless it may be overwritten.
        MatcherError: as `pool`.
    """
    check_absent(out, map(_file_name, judges), overwrite=overwrite)
    qrels = read_qrels(former) if former else None
    found = pool(runs, depth=depth, former=qrels, with_names=with_names)
    files = workbooks(found, judges, seed=seed)
    write_files(out, files)
    issues = len({card.issue_id for card in found.cards})
    return Given(pairs=len(found.cards), issues=issues, settled=found.settled, files=tuple(files))


def workbooks(found: Pool, judges: Iterable[str], *, seed: int = SEED) -> dict[str, bytes]:
    """A workbook for each judge by its file name; equal pool, judges and seed give equal bytes."""
    return {
        _file_name(judge): labels.judge_workbook(shuffled(found.cards, judge, seed=seed), judge)
        for judge in judges
    }


def settle_files(
    files: Sequence[Path | str],
    out: Path,
    *,
    former: Path | str | None = None,
    strictly: bool = False,
    overwrite: bool = False,
) -> Round:
    """Read filled workbooks and tables of judgements, settle them and write what they come to.

    Written are qrels.tsv, judgements.csv and, where there are disagreements, 不一致.xlsx.

    Raises:
        DataError: a file cannot be read back.
        ForeignOutput: a file of these names is there, unless it may be overwritten; or it holds
            judgements or decisions that would be lost.
    """
    check_absent(out, (QRELS, JUDGEMENTS, DISAGREEMENTS), overwrite=overwrite)
    returned = tuple(read_back(path) for path in files)
    judgements = [one for each in returned for one in each.judgements]
    for name in (JUDGEMENTS, DISAGREEMENTS):
        _refuse_loss(out / name, judgements)
    settlement = settle(
        judgements, former=read_qrels(former) if former else None, strictly=strictly
    )
    contents = {
        QRELS: qrels_lines(settlement.qrels).encode(),
        JUDGEMENTS: labels.judgements_csv(settlement.judgements),
    }
    if settlement.disagreements:
        cards = {(c.issue_id, c.company_id): c for each in returned for c in each.cards}
        contents[DISAGREEMENTS] = labels.disagreement_workbook(settlement.disagreements, cards)
    write_files(out, contents)
    if not settlement.disagreements:
        (out / DISAGREEMENTS).unlink(missing_ok=True)  # of a former round: all is settled now
    return Round(
        returned=returned,
        settlement=settlement,
        agreement=agreement(judgements),
        written=tuple(contents),
    )


def compare_files(
    files: Sequence[Path | str], settled: Path | str
) -> tuple[tuple[Returned, ...], tuple[Comparison, ...]]:
    """Each judge of these files beside settled grades, and the files as they were read.

    The reasons of the other side come from the judgements.csv beside the settled grades, where
    there is one.

    Raises:
        DataError: a file cannot be read.
    """
    returned = tuple(read_back(path) for path in files)
    qrels = read_qrels(settled)
    beside = Path(settled).parent / JUDGEMENTS
    judgements = [one for each in returned for one in each.judgements]
    peers = [*judgements, *(read_back(beside).judgements if beside.is_file() else ())]
    judges = sorted({name for each in returned for name in each.judges} - {DECIDED})
    found = (compare(judge, judgements, qrels, peers=peers) for judge in judges)
    return returned, tuple(found)


def _file_name(judge: str) -> str:
    return f"判定用紙_{judge}.xlsx"


def _take_in(cards: dict[Key, Card], card: Card) -> None:
    known = cards.setdefault((card.issue_id, card.company_id), card)
    if known != card:
        side = "課題" if (known.title, known.issue) != (card.title, card.issue) else "企業"
        named = card.issue_id if side == "課題" else card.company_id
        message = (
            f"{side}「{named}」の文章が実行結果によって違います。"
            "同じ表から作った実行結果を指定してください。"
        )
        raise MatcherError(message)


def _refuse_doubles(cards: Iterable[Card]) -> None:
    """Two pairs with one 判定ID would be one; among 10,000 pairs the odds are 1 in 20,000."""
    seen: dict[str, Card] = {}
    for card in cards:
        if seen.setdefault(card.id, card) != card:
            message = f"判定ID {card.id} が2組に重なります。実行結果を分けて配ってください。"
            raise MatcherError(message)


def _refuse_loss(path: Path, judgements: Iterable[Judgement]) -> None:
    """What holds former judgements or decisions is only replaced where they are read too."""
    if not path.is_file():
        return
    try:
        former = read_back(path).judgements
    except DataError:
        return  # it holds no judgements, and may be overwritten, as was said
    kept = {(*one.key, one.judge) for one in judgements}
    lost = sum((*one.key, one.judge) not in kept for one in former)
    if lost:
        message = (
            f"{path} にある判定のうち{lost}件が失われます。"
            f"{path} も読むファイルに加えるか、別の --out を指定してください。"
        )
        raise ForeignOutput(message)


def _card(issue: Issue, company: Company, *, with_names: bool) -> Card:
    profile = company.profile if with_names else _without_name(company.profile, company.name)
    facts = "・".join(filter(None, map(wording.one_line, (company.kind, company.industry))))
    about = f"［{facts}／対応地域：{wording.service_area(company)}］"
    terms = (("予算", issue.budget), ("募集期限", issue.deadline))
    told = "／".join(f"{label}：{wording.one_line(text)}" for label, text in terms if text.strip())
    named = [wording.one_line(company.name)] if with_names else []
    return Card(
        issue_id=issue.issue_id,
        company_id=company.company_id,
        title=_held(wording.one_line(issue.title)),
        place=_held(_place(issue)),
        issue=_held("\n".join(filter(None, (issue.description, told and f"［{told}］")))),
        company=_held("\n".join([*named, about, profile])),
    )


def _held(text: str) -> str:
    """The text as a cell holds it, so that what is read back can be compared with it."""
    return restore(cell_text(text))


def _place(issue: Issue) -> str:
    municipality = wording.one_line(issue.municipality)
    prefecture = wording.prefecture(issue.prefecture) if issue.prefecture else ""
    if municipality.startswith(prefecture):
        return municipality
    return "\n".join(filter(None, (prefecture, municipality)))


def _without_name(profile: str, name: str) -> str:
    """The profile with a mark wherever it says the company's name."""
    whole = wording.one_line(name)
    bare = _LEGAL_FORMS.sub("", unicodedata.normalize("NFKC", whole)).strip()
    for each in sorted({whole, bare, _LEGAL_FORMS.sub("", whole).strip()}, key=len, reverse=True):
        if each == whole or len(each) >= _LEAST_MASKED:
            profile = profile.replace(each, _HIDDEN_NAME) if len(each) > 1 else profile
    return profile
