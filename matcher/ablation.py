"""What each part of the ranking is worth: switched off in turn, and its weight moved.

A weight that can be halved without a difference is decoration; a first place that a tenth more or
less overturns was never sure. Everything is encoded and read once, however often it is ranked.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from matcher.embed import load_reader
from matcher.embed.remembering import RememberingEncoder, RememberingReader
from matcher.errors import MatcherError
from matcher.evaluation import MEASURES
from matcher.evaluation.effects import Ablation, Variant, tell_apart
from matcher.pipeline import Matcher
from matcher.settings import Settings
from matcher.trec import QrelsSource, read_qrels
from matcher.types import Advance, Issue, RegionRule, SdgRule, Shortlist

FACTORS = (0.5, 0.9, 1.1, 1.5)
# Every issue gets a list, however little there is to go on.
_NO_LIMITS: Mapping[str, int] = dict.fromkeys(
    ("near_meaning", "fair_meaning", "fair_likely", "near_likely", "fair_words"), 0
)


def ablate(
    matcher: Matcher,
    issues: Sequence[Issue],
    qrels: QrelsSource,
    *,
    arms: Mapping[str, Matcher] | None = None,
    measures: Sequence[str] = MEASURES,
    top: int = 10,
    region_rule: RegionRule = "serves",
    sdg_rule: SdgRule = "prefer",
    advance: Advance | None = None,
) -> Ablation:
    """What becomes of the lists without each part, and with each weight a half and a tenth off.

    `arms` are whole matchers to compare besides, such as one with another encoder. p values are
    corrected over all variants and measures.

    Raises:
        MatcherError: a measure is unknown, or no issue has judgements.
    """
    judged = read_qrels(qrels)
    asked = [issue for issue in issues if issue.issue_id in judged]
    if not asked:
        message = "課題の表に、判定のある課題が1件もありません。課題IDが同じかを確かめてください。"
        raise MatcherError(message)
    tell = advance or (lambda _: None)
    known = _remembering(matcher)
    usual = _Rules(top, region_rule, sdg_rule)
    product = usual.lists(known, asked, tell)
    found: dict[Variant, list[Shortlist]] = {}
    skipped: list[Variant] = []
    for variant in variants(matcher.settings):
        ranked = _variant(known, variant, usual, asked, tell)
        if ranked is None:
            skipped.append(variant)
        else:
            found[variant] = ranked
    for name, arm in (arms or {}).items():
        found[Variant(name=name, kind="arm")] = usual.lists(arm, asked, tell)
    qrels_asked = {issue.issue_id: judged[issue.issue_id] for issue in asked}
    return tell_apart(product, found, qrels_asked, skipped=skipped, measures=measures)


def variants(settings: Settings) -> list[Variant]:
    """Every variant of these settings: parts and stages off, then weights moved."""
    parts = [name for name, weight in weights(settings).items() if weight]
    return [
        *(Variant(name=part, kind="off") for part in parts),
        Variant(name="region rule", kind="off"),
        Variant(name="limits", kind="off"),
        *(Variant(name=part, kind="weight", factor=f) for part in parts for f in FACTORS),
    ]


def weights(settings: Settings) -> dict[str, float]:
    """The weight of each part of the score by its name."""
    tail = "_weight"
    names = [field.name for field in fields(settings) if field.name.endswith(tail)]
    return {name.removesuffix(tail): getattr(settings, name) for name in names}


def _weight(part: str, weight: float) -> Mapping[str, Any]:
    return {f"{part}_weight": weight}


@dataclass(frozen=True, slots=True)
class _Rules:
    """How the lists of a variant are asked for."""

    top: int
    region: RegionRule
    sdgs: SdgRule

    def lists(self, matcher: Matcher, issues: Sequence[Issue], tell: Advance) -> list[Shortlist]:
        found = matcher.match(
            issues,
            top=self.top,
            region_rule=self.region,
            sdg_rule=self.sdgs,
            is_explained=False,
        )
        tell(1)
        return found


def _remembering(matcher: Matcher) -> Matcher:
    """The same matcher, which encodes no text twice and reads no pair twice."""
    encoder = RememberingEncoder(matcher.encoder)
    reader = load_reader() if matcher.reader == "bundled" else matcher.reader
    remembered = RememberingReader(reader) if reader else None
    return Matcher(matcher.catalog, encoder, matcher.settings, remembered)


def _variant(
    known: Matcher, variant: Variant, usual: _Rules, issues: Sequence[Issue], tell: Advance
) -> list[Shortlist] | None:
    """The lists of a variant; None where its settings cannot be."""
    rules, settings = usual, known.settings
    if variant.name == "region rule":
        rules = replace(usual, region="any")
    elif variant.name == "limits":
        settings = replace(settings, **_NO_LIMITS)
    else:
        weight = weights(settings)[variant.name] * variant.factor
        try:
            settings = replace(settings, **_weight(variant.name, weight))
        except MatcherError:
            return None
    return rules.lists(Matcher(known.catalog, known.encoder, settings, known.reader), issues, tell)
