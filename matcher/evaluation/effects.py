"""What changing one thing of the ranking does to the lists: measures, first places, close calls."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from matcher.evaluation import MEASURES, Comparison, Evaluation, evaluate
from matcher.types import Qrels, Shortlist

FIRST = 3  # places that a coordinator looks at
_CLOSE = 0.1  # a weight moved by no more than this must not change them

Kind = Literal["off", "weight", "arm"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """The product with one thing changed."""

    name: str  # of the part or stage: "dense", "reader", "region rule", "limits", …
    kind: Kind
    factor: float = 0.0  # of its weight; 0 where it is off


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """What the change does."""

    variant: Variant
    against: Mapping[str, Comparison]  # measure → the variant minus the product
    first: tuple[str, ...]  # issues with another company in the first place
    first_three: tuple[str, ...]  # issues whose first three places are not the same, in order
    without_list: int  # issues without candidates


@dataclass(frozen=True, slots=True, kw_only=True)
class Ablation:
    """The product and every variant of it on the same issues."""

    product: Evaluation
    effects: tuple[Effect, ...]
    close: Mapping[str, tuple[str, ...]]  # 僅差: issue → weights of which a tenth swaps rank 1–3
    skipped: tuple[Variant, ...]  # settings that cannot be, such as goals above their limit

    def rows(self) -> list[dict[str, str | int | float | None]]:
        """A row for each variant and measure, for a data frame."""
        return [
            {
                "part": effect.variant.name,
                "kind": effect.variant.kind,
                "factor": effect.variant.factor,
                "measure": measure,
                "value": compared.ours,
                "difference": compared.difference.mean,
                "low": compared.difference.low,
                "high": compared.difference.high,
                "p": compared.p_corrected,
                "first": len(effect.first),
                "first_three": len(effect.first_three),
            }
            for effect in self.effects
            for measure, compared in effect.against.items()
        ]


def tell_apart(
    product: Sequence[Shortlist],
    found: Mapping[Variant, Sequence[Shortlist]],
    qrels: Qrels,
    *,
    skipped: Sequence[Variant] = (),
    measures: Sequence[str] = MEASURES,
) -> Ablation:
    """What each variant's lists are beside the product's, p values corrected over all of them.

    Raises:
        MatcherError: a measure is unknown.
    """
    # The variants are "others" of the product: their difference has the other sign.
    names = {f"{at}": variant for at, variant in enumerate(found)}
    evaluation = evaluate(
        product,
        qrels,
        measures=measures,
        others={name: found[variant] for name, variant in names.items()},
    )
    before = _placed(product)
    effects = []
    for name, variant in names.items():
        after = _placed(found[variant])
        moved = [issue for issue in before if before[issue] != after[issue]]
        effects.append(
            Effect(
                variant=variant,
                against={m: one.turned() for m, one in evaluation.others[name].items()},
                first=tuple(issue for issue in moved if before[issue][:1] != after[issue][:1]),
                first_three=tuple(moved),
                without_list=sum(not one.entries for one in found[variant]),
            )
        )
    bare = replace(evaluation, against={}, others={}, not_compared={})
    return Ablation(
        product=bare, effects=tuple(effects), close=_close(effects), skipped=tuple(skipped)
    )


def _placed(shortlists: Sequence[Shortlist]) -> dict[str, tuple[str, ...]]:
    """The companies in the first places of each issue."""
    return {
        one.issue.issue_id: tuple(entry.company.company_id for entry in one.entries[:FIRST])
        for one in shortlists
    }


def _close(effects: Sequence[Effect]) -> dict[str, tuple[str, ...]]:
    swaps: dict[str, list[str]] = {}
    for issue, name in _swaps(effects):
        if name not in swaps.setdefault(issue, []):
            swaps[issue].append(name)
    return {issue: tuple(names) for issue, names in sorted(swaps.items())}


def _swaps(effects: Sequence[Effect]) -> Iterator[tuple[str, str]]:
    for effect in effects:
        variant = effect.variant
        if variant.kind == "weight" and abs(variant.factor - 1) <= _CLOSE + 1e-9:
            yield from ((issue, variant.name) for issue in effect.first_three)
