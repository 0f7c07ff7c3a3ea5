"""Small literal shortlists that the tests of the three reports share."""

from collections.abc import Mapping
from dataclasses import replace

from matcher.types import Company, Constraint, Entry, Evidence, Issue, Shortlist

ALL_PREFECTURES = frozenset(f"{n:02d}" for n in range(1, 48))

ISSUE = Issue(
    issue_id="0017",
    title="農地周辺に現れる野生動物の被害を減らしたい",
    description="農村部でイノシシの出没が続き、作物が荒らされている。\n見回りを担う人手も足りない。",
    municipality="神戸市",
    municipality_code="281000",
    prefecture="28",
    sdgs=frozenset({2, 15}),
    department="農水産課",
    extra={"受付経路": "庁内照会"},
)

MAKER = Company(
    company_id="0123456789012",
    name="株式会社イーマキーナ",
    profile="センサーや電子回路を生かし、現場の困りごとに合わせた機材を小ロットから開発する。",
    headquarters="28",
    regions=ALL_PREFECTURES,
    industry="製造業",
    sdgs=frozenset({9, 15}),
    contact="営業部 公共担当",
    extra={"従業員数": "25"},
)

COOP = Company(
    company_id="0000000000042",
    name="里山の会",
    profile="集落ぐるみの柵の点検と見回りを続けている。",
    headquarters="28",
    regions=frozenset({"28"}),
    is_area_declared=False,
    kind="NPO",
    sdgs=frozenset({15}),
    is_sdgs_inferred=True,
)


def entry(rank: int, company: Company, **parts: float) -> Entry:
    parts = dict.fromkeys(("dense", "words", "bigrams", "sdgs", "region"), 0.0) | parts
    return Entry(
        rank=rank,
        company=company,
        score=round(sum(parts.values()), 6),
        parts=parts,
        shared_sdgs=ISSUE.sdgs & company.sdgs,
        region_reason="全国対応" if len(company.regions) == 47 else "本社が兵庫県",
        evidence=(
            Evidence(
                issue_span="作物が荒らされている", company_span="現場の困りごと", kind="meaning"
            ),
            Evidence(issue_span="見回り", company_span="見回り", kind="term"),
        ),
    )


def shortlist(
    *entries: Entry,
    issue: Issue = ISSUE,
    status: str = "ranked",
    considered: int = 12,
    excluded: Mapping[str, int] | None = None,
    constraint: Constraint | None = None,
) -> Shortlist:
    return Shortlist(
        issue=issue,
        constraint=constraint or Constraint(prefecture=issue.prefecture, sdgs=issue.sdgs),
        status=status,
        considered=considered,
        excluded={"region": 95, "sdgs": 0} if excluded is None else excluded,
        entries=entries,
    )


RANKED = shortlist(
    entry(1, MAKER, dense=2.02, words=0.71, bigrams=0.6, sdgs=0.05, region=0.03),
    entry(2, COOP, dense=-0.3, words=1.25, sdgs=0.05),
)
# All seven parts, bands, a span that the bridge joins, and goals with what they were inferred from.
FULL = shortlist(
    replace(
        entry(1, MAKER, dense=1.7, words=0.61, bigrams=0.61, bridge=0.66, reader=2.0),
        band="A",
        evidence=(
            Evidence(
                issue_span="作物が荒らされている。",
                company_span="機材",
                kind="meaning",
                via="鳥獣被害",
            ),
        ),
    ),
    replace(
        entry(2, COOP, dense=-0.3, words=1.25, bridge=-0.02, reader=0.0),
        band="判定不能",
        goal_quotes={2: COOP.profile, 15: COOP.profile},
    ),
)
NOBODY_PASSED = shortlist(
    issue=Issue(
        issue_id="0018", title="離島の診療を続けたい", description="医師がいない。", prefecture="42"
    ),
    status="no_candidate",
    considered=0,
    excluded={"region": 95, "sdgs": 12},
    constraint=Constraint(region_rule="prefecture", prefecture="42", sdg_rule="all"),
)
NOTHING_IN_COMMON = shortlist(
    issue=Issue(issue_id="0019", title="書庫の整理", description="整理したい。", prefecture="28"),
    status="no_candidate",
)
UNCLEAR = shortlist(
    issue=Issue(issue_id="0020", title="相談", description="よろしく"), status="unclear"
)
ROUTED = shortlist(
    issue=Issue(issue_id="0021", title="防災協定を結びたい", description="協定の締結。"),
    status="routed",
    considered=0,
    excluded={},
)
ALL = (RANKED, NOBODY_PASSED, NOTHING_IN_COMMON, UNCLEAR, ROUTED)

# Texts that a spreadsheet, a browser or a terminal would act on if they were passed through.
PAYLOADS = (
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    "\t=1+1",
    "\r=1+1",
    "＝1+1",
    "＋1",
    "－1",
    "＠SUM(A1)",
    '=HYPERLINK("http://example.invalid","x")',
    "http://example.invalid/",
    "internal:A1",
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "{{ 7 * 7 }}",
    "[bold]太字[/bold]",
    "[/]",
    "\x1b[31m赤\x1b[0m",
    "\x9b31m赤",
    "\x00\x07鈴",
    "\u202e逆さ",
    "01",
    "_x000D_",
)


def poisoned(text: str) -> Shortlist:
    """A shortlist in which every text of the data is the given one."""
    issue = Issue(
        issue_id=text, title=text, description=text, municipality=text, prefecture="28",
        department=text, deadline=text, budget=text, extra={text: text},
    )  # fmt: skip
    company = Company(
        company_id=text, name=text, profile=text, headquarters="13", regions=frozenset({"28"}),
        industry=text, kind=text, contact=text, extra={text: text},
    )  # fmt: skip
    term = Evidence(issue_span=text, company_span=text, kind="term")
    bridged = Evidence(issue_span=text, company_span=text, kind="meaning", via=text)
    place = Entry(
        rank=1, company=company, score=1.0, parts={"dense": 1.0, text: 0.0},
        shared_sdgs=frozenset({3}), region_reason=text, evidence=(term, bridged), band=text,
        goal_quotes={3: text},
    )  # fmt: skip
    return shortlist(place, issue=issue)
