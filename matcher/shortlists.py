"""Shortlists as lines of JSON and back: the form that notebooks and other programs read."""

import json
from collections.abc import Iterable, Mapping

from matcher import records
from matcher.types import Company, Constraint, Entry, Evidence, Issue, Shortlist

# Of a company these stand in the entry itself; the rest of the record stands under "company".
_IN_ENTRY = ("company_id", "name", "extra")
_IN_LINE = ("issue_id", "title", "municipality", "prefecture", "extra")


def to_lines(shortlists: Iterable[Shortlist]) -> str:
    """A line for each shortlist, keys in a fixed order, Japanese as it is."""
    return "".join(json.dumps(_line(one), ensure_ascii=False) + "\n" for one in shortlists)


def from_lines(lines: str) -> list[Shortlist]:
    r"""The shortlists that `to_lines` wrote; only \n ends a line (texts may hold U+2028).

    Raises:
        ValueError, KeyError, TypeError: the text was not written by `to_lines`.
    """
    return [_shortlist(json.loads(line)) for line in lines.split("\n") if line]


def _line(shortlist: Shortlist) -> records.Json:
    issue = records.to_json(shortlist.issue)
    line = {key: issue.pop(key) for key in _IN_LINE[:-1]}
    extra = issue.pop("extra")
    rules = {"region": shortlist.constraint.region_rule, "sdgs": shortlist.constraint.sdg_rule}
    return line | {
        "status": shortlist.status,
        "considered": shortlist.considered,
        "excluded": dict(shortlist.excluded),
        "rules": rules,
        "unsearched": list(shortlist.unsearched),
        "extra": extra,
        "issue": issue,
        "entries": [_entry(entry, shortlist.constraint) for entry in shortlist.entries],
    }


def _entry(entry: Entry, constraint: Constraint) -> records.Json:
    company = records.to_json(entry.company)
    own = {key: company.pop(key) for key in _IN_ENTRY}
    return {
        "rank": entry.rank,
        "company_id": own["company_id"],
        "name": own["name"],
        "score": entry.score,
        "band": entry.band,
        "parts": dict(entry.parts),
        "sdgs": {
            "shared": sorted(entry.shared_sdgs),
            "inferred": entry.company.is_sdgs_inferred,
            "quotes": {str(goal): quote for goal, quote in sorted(entry.goal_quotes.items())},
        },
        "region": {"rule": constraint.region_rule, "reason": entry.region_reason},
        "evidence": [
            {"issue_span": e.issue_span, "company_span": e.company_span, "kind": e.kind}
            | ({"via": e.via} if e.via else {})
            for e in entry.evidence
        ],
        "extra": own["extra"],
        "company": company,
    }


def _shortlist(line: records.Json) -> Shortlist:
    issue = records.from_json(Issue, {key: line[key] for key in _IN_LINE} | line["issue"])
    return Shortlist(
        issue=issue,
        constraint=Constraint(
            region_rule=line["rules"]["region"],
            prefecture=issue.prefecture,
            sdg_rule=line["rules"]["sdgs"],
            sdgs=issue.sdgs,
        ),
        status=line["status"],
        considered=line["considered"],
        excluded=line["excluded"],
        entries=tuple(_read_entry(entry) for entry in line["entries"]),
        unsearched=tuple(line.get("unsearched", ())),
    )


def _read_entry(entry: Mapping[str, object]) -> Entry:
    values: records.Json = dict(entry)
    company = {key: values[key] for key in _IN_ENTRY} | values["company"]
    return Entry(
        rank=values["rank"],
        company=records.from_json(Company, company),
        score=values["score"],
        parts=values["parts"],
        shared_sdgs=frozenset(values["sdgs"]["shared"]),
        region_reason=values["region"]["reason"],
        evidence=tuple(Evidence(**one) for one in values["evidence"]),
        band=values["band"],
        goal_quotes={int(n): quote for n, quote in values["sdgs"].get("quotes", {}).items()},
    )
