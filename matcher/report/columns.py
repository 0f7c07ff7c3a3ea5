"""The columns of the workbook as data: header, width, style, meaning, and how a cell is found."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from matcher.report import wording
from matcher.types import Entry, Evidence, Shortlist

Cell = str | int | float | None
Style = Literal[
    "code",
    "text",
    "count",
    "score",
    "figure",
    "difference",
    "part",
    "mark",
    "link",
    "asked",
    "asked text",
]
Row = TypeVar("Row")

_FIRST_SHOWN = 3  # partners that the overview names


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A row of the details: one entry of a shortlist, or none where it has none."""

    shortlist: Shortlist
    entry: Entry | None

    @property
    def is_first(self) -> bool:
        """Whether the block of an issue begins here."""
        return self.entry is None or self.entry is self.shortlist.entries[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Column(Generic[Row]):
    """One column of a sheet."""

    header: str
    width: int  # in half-width characters; a full-width one takes two
    value: Callable[[Row], Cell]
    note: str  # what it means, for the reader
    style: Style = "text"
    is_printed: bool = True


def places(shortlists: Iterable[Shortlist]) -> list[Place]:
    """The rows of the details, issue after issue: every entry, or one row that stands for none."""
    return [
        Place(shortlist=shortlist, entry=entry)
        for shortlist in shortlists
        for entry in shortlist.entries or (None,)
    ]


def overview_columns(
    shortlists: Sequence[Shortlist], as_of: str | None = None
) -> list[Column[Shortlist]]:
    """The columns of 一覧; unknown columns of the issues come last."""
    extras = _keys(shortlist.issue.extra for shortlist in shortlists)
    return [
        *_OVERVIEW,
        *(column for rank in range(_FIRST_SHOWN) for column in _partner(rank)),
        *_OVERVIEW_TAIL,
        _deadline(as_of),
        *_OVERVIEW_TEXTS,
        *(_issue_extra(key) for key in extras),
    ]


def detail_columns(shortlists: Sequence[Shortlist]) -> list[Column[Place]]:
    """The columns of 課題別; unknown columns of the issues and the companies come last."""
    entries = [entry for shortlist in shortlists for entry in shortlist.entries]
    return [
        *_DETAIL,
        *([_BAND] if wording.has_bands(shortlists) else []),
        *(_part(key) for key in wording.part_keys(shortlists)),
        *_DETAIL_GOALS,
        *([_GROUNDS] if any(entry.goal_quotes for entry in entries) else []),
        *_DETAIL_REASONS,
        *_DETAIL_TAIL,
        *(_place_issue_extra(key) for key in _keys(s.issue.extra for s in shortlists)),
        *(_company_extra(key) for key in _keys(e.company.extra for e in entries)),
    ]


def _keys(extras: Iterable[Mapping[str, str]]) -> list[str]:
    return list(dict.fromkeys(key for extra in extras for key in extra))


def _of_entry(value: Callable[[Entry], Cell]) -> Callable[[Place], Cell]:
    return lambda place: None if place.entry is None else value(place.entry)


def _excluded(key: str) -> Callable[[Shortlist], Cell]:
    return lambda shortlist: shortlist.excluded.get(key, 0)


def _goals(numbers: frozenset[int]) -> str:
    return "\n".join(wording.goal_names(numbers))


def _remark(shortlist: Shortlist) -> str:
    return wording.reason(shortlist) + wording.advice(shortlist)


def _company_name(place: Place) -> str:
    if place.entry is None:
        return f"{wording.status_label(place.shortlist)}：{wording.reason(place.shortlist)}"
    return wording.one_line(place.entry.company.name)


def _spans(entry: Entry, span: Callable[[Evidence], str]) -> str:
    # Numbered, so that the two cells of a row can be read across.
    return "\n".join(
        f"{n} {wording.evidence_label(e)}「{wording.one_line(span(e))}」"
        for n, e in enumerate(entry.evidence, start=1)
    )


def _partner(position: int) -> tuple[Column[Shortlist], Column[Shortlist]]:
    rank = position + 1

    def name(shortlist: Shortlist) -> Cell:
        entries = shortlist.entries[position:rank]
        return wording.one_line(entries[0].company.name) if entries else None

    def score(shortlist: Shortlist) -> Cell:
        entries = shortlist.entries[position:rank]
        return entries[0].score if entries else None

    return (
        Column(header=f"{rank}位", width=20, value=name, note=f"{rank}番目の候補の名前です。"),
        Column(
            header=f"{rank}位の得点",
            width=10,
            value=score,
            style="score",
            note=f"{rank}番目の候補の得点です。意味は「課題別」の「得点」と同じです。",
        ),
    )


def _part(key: str) -> Column[Place]:
    return Column(
        header=f"内訳：{wording.part_label(key)}",
        width=7,
        style="part",
        value=_of_entry(lambda entry: entry.parts.get(key, 0.0)),
        note=wording.PART_NOTES.get(key, "得点の内訳の一つです。"),
    )


def _beside(header: str, width: int, value: Callable[[Row], Cell], note: str) -> Column[Row]:
    return Column(header=header, width=width, value=value, note=note, is_printed=False)


def _carried(side: str, key: str, value: Callable[[Row], Cell]) -> Column[Row]:
    return _beside(f"{side}：{wording.one_line(key)}", 18, value, _CARRIED)


def _deadline(as_of: str | None) -> Column[Shortlist]:
    note = (
        "課題の募集期限です。元の表の書き方のままです。基準日より前のものには、そう書き添えます。"
    )
    return _beside("募集期限", 14, lambda s: wording.deadline(s.issue, as_of), note)


def _issue_extra(key: str) -> Column[Shortlist]:
    return _carried("課題", key, lambda shortlist: shortlist.issue.extra.get(key, ""))


def _place_issue_extra(key: str) -> Column[Place]:
    return _carried("課題", key, lambda place: place.shortlist.issue.extra.get(key, ""))


def _company_extra(key: str) -> Column[Place]:
    return _carried("企業", key, _of_entry(lambda entry: entry.company.extra.get(key, "")))


_CARRIED = "元の表にあった列を、そのまま載せています。"

_OVERVIEW: tuple[Column[Shortlist], ...] = (
    Column(
        header="課題ID",
        width=12,
        style="code",
        value=lambda s: wording.one_line(s.issue.issue_id),
        note="課題の番号です。文字として書いてあるため、先頭の0は消えません。",
    ),
    Column(
        header="課題名",
        width=30,
        value=lambda s: wording.one_line(s.issue.title),
        note="課題の題名です。",
    ),
    Column(
        header="自治体",
        width=12,
        value=lambda s: wording.one_line(s.issue.municipality),
        note="課題を出した自治体です。元の表の書き方のままです。",
    ),
    Column(
        header="都道府県",
        width=9,
        value=lambda s: wording.prefecture(s.issue.prefecture),
        note="課題の都道府県です。「不明」は、名前や団体コードから決められなかったものです。",
    ),
    Column(
        header="状態",
        width=9,
        value=wording.status_label,
        note="候補を挙げられたかどうかです。意味は「状態の見方」をご覧ください。",
    ),
    Column(
        header="候補",
        width=8,
        style="link",
        value=lambda _: "表示",
        note="押すと、「課題別」のその課題の行に移ります。",
    ),
    Column(
        header="検討数",
        width=7,
        style="count",
        value=lambda s: s.considered,
        note="地域とSDGsの条件に合い、比べた企業の数です。",
    ),
    Column(
        header="地域で除外",
        width=10,
        style="count",
        value=_excluded("region"),
        note="地域の条件に合わず、比べなかった企業の数です。両方の条件に合わない企業はここに数えます。",
    ),
    Column(
        header="SDGsで除外",
        width=10,
        style="count",
        value=_excluded("sdgs"),
        note="SDGsの条件に合わず、比べなかった企業の数です。",
    ),
)
_OVERVIEW_TAIL: tuple[Column[Shortlist], ...] = (
    Column(
        header="備考",
        width=46,
        value=_remark,
        note="候補がないときの理由と、次に試せることです。",
    ),
    _beside("SDGs", 30, lambda s: _goals(s.issue.sdgs), "課題のSDGsの目標です。"),
    _beside("担当課", 18, lambda s: s.issue.department, "課題の担当課です。"),
)
_OVERVIEW_TEXTS: tuple[Column[Shortlist], ...] = (
    _beside("予算", 16, lambda s: s.issue.budget, "課題の予算です。元の表の書き方のままです。"),
    _beside("課題の内容", 70, lambda s: s.issue.description, "課題の文章です。"),
)
_DETAIL: tuple[Column[Place], ...] = (
    Column(
        header="課題ID",
        width=10,
        style="code",
        value=lambda p: wording.one_line(p.shortlist.issue.issue_id),
        note="課題の番号です。",
    ),
    Column(
        header="課題名",
        width=20,
        value=lambda p: wording.one_line(p.shortlist.issue.title),
        note="課題の題名です。",
    ),
    Column(
        header="順位",
        width=5,
        style="count",
        value=_of_entry(lambda e: e.rank),
        note="得点の高い順です。得点が同じときは、名前や登録順によらない決まりで並べます。",
    ),
    Column(
        header="企業ID",
        width=15,
        style="code",
        value=_of_entry(lambda e: wording.one_line(e.company.company_id)),
        note="法人番号か、元の表の番号です。文字として書いてあります。",
    ),
    Column(
        header="企業名",
        width=20,
        value=_company_name,
        note="企業・団体の名前です。候補がない課題では、その理由を書いています。",
    ),
    Column(
        header="種別",
        width=7,
        value=_of_entry(lambda e: wording.one_line(e.company.kind)),
        note="企業、NPO、大学などの別です。",
    ),
    Column(
        header="業種",
        width=12,
        value=_of_entry(lambda e: wording.one_line(e.company.industry)),
        note="元の表の業種です。",
    ),
    Column(
        header="本社",
        width=8,
        value=_of_entry(lambda e: wording.prefecture(e.company.headquarters)),
        note="本社のある都道府県です。",
    ),
    Column(
        header="窓口",
        width=14,
        value=_of_entry(lambda e: wording.contact(e.company)),
        note="連絡先の部署です。「窓口未登録」は、元の表に記載がないものです。",
    ),
    Column(
        header="得点",
        width=7,
        style="score",
        value=_of_entry(lambda e: e.score),
        note=wording.SCORE_NOTE,
    ),
)
_BAND: Column[Place] = Column(
    header=wording.BAND,
    width=11,
    style="mark",
    value=_of_entry(lambda e: wording.one_line(e.band or "")),
    note=f"得点を段階に分けた目安です。{'、'.join(wording.band_meanings())}。",
)
_DETAIL_GOALS: tuple[Column[Place], ...] = (
    Column(
        header="共通するSDGs",
        width=20,
        value=_of_entry(lambda e: _goals(e.shared_sdgs)),
        note="課題と企業に共通するSDGsの目標です。",
    ),
    Column(
        header="推定",
        width=6,
        style="mark",
        value=_of_entry(lambda e: wording.INFERRED if e.company.is_sdgs_inferred else ""),
        note=wording.INFERRED_NOTE,
    ),
)
_GROUNDS: Column[Place] = Column(
    header=wording.GROUNDS,
    width=24,
    value=_of_entry(lambda e: "\n".join(wording.grounds(e))),
    note=wording.GROUNDS_NOTE,
)
_DETAIL_REASONS: tuple[Column[Place], ...] = (
    Column(
        header="地域の理由",
        width=14,
        value=_of_entry(lambda e: e.region_reason),
        note="地域の条件に合うとした理由です。",
    ),
    Column(
        header="根拠（課題側）",
        width=40,
        value=_of_entry(lambda e: _spans(e, lambda evidence: evidence.issue_span)),
        note="課題の文章からの引用です。同じ番号の「根拠（企業側）」と対になります。"
        + wording.EVIDENCE_NOTE,
    ),
    Column(
        header="根拠（企業側）",
        width=40,
        value=_of_entry(lambda e: _spans(e, lambda evidence: evidence.company_span)),
        note="企業の事業内容からの引用です。",
    ),
)
_DETAIL_TAIL: tuple[Column[Place], ...] = (
    _beside(
        "対応地域",
        24,
        _of_entry(lambda e: wording.service_area(e.company)),
        "企業が対応できる地域です。記載のない企業は、本社のある都道府県のみとして扱います。",
    ),
    _beside(
        "企業のSDGs",
        30,
        _of_entry(lambda e: _goals(e.company.sdgs)),
        "企業のSDGsの目標です。「推定」の列もあわせてご覧ください。",
    ),
    _beside(
        "事業内容",
        70,
        _of_entry(lambda e: e.company.profile),
        "企業の事業内容です。元の表の文章のままです。",
    ),
)
