"""What a run is worth, in the terminal: measures with their doubt, comparisons, slices, effects."""

from collections.abc import Iterable, Mapping, Sequence

from rich.console import Console
from rich.text import Text

from matcher.evaluation import Comparison, Estimate, Evaluation
from matcher.evaluation.effects import Ablation, Effect, Variant
from matcher.report.terminal import plain_table, wrap
from matcher.report.wording import PARTS, one_line

_WIDEST = 80
_TO_READ = 5  # issues named at each end of a comparison
_FEW = 20  # issues under which an interval covers less than it says
FEWEST = 5  # and under which it says nothing, and is not shown
_LONG = 20  # labels of a slice that a terminal shows
STAGES: Mapping[str, str] = {
    "region rule": "地域の条件",
    "limits": "候補なしの判断",
}

Titles = Mapping[str, str]  # issue_id → its title


def print_evaluation(console: Console, found: Evaluation, titles: Titles) -> None:
    """Print each measure with interval and bounds, what did not count, comparisons, slices."""
    _print_measures(console, found)
    for sentence in sentences(found):
        _say(console, sentence)
    for name, compared in found.others.items():
        _print_comparison(console, name, compared, titles)
    _print_slices(console, found)


def print_ablation(console: Console, found: Ablation, titles: Titles) -> None:
    """Print what each part is worth, and the issues of which a tenth of a weight decides."""
    measure = next(iter(found.product.means))
    _say(console, "")
    _say(console, f"一つずつ変えたとき（{measure}、製品との差、課題{found.product.issues}件）")
    table = plain_table(("変えたもの",), ("差", "95%区間", "p(補正)", "1位交代", "3位まで"))
    for effect in found.effects:
        table.add_row(*_effect(effect, measure))
    console.print(table)
    for variant in found.skipped:
        _say(console, f"{label(variant)} は、設定の上限を超えるため試していません。")
    for sentence in close_sentences(found, titles):
        _say(console, sentence)


def sentences(found: Evaluation) -> list[str]:
    """What a reader must know beside the figures."""
    told = [f"判定のある課題 {found.issues}件の平均です。"]
    if found.bounds:
        told.append(
            "幅は、判定のない候補がすべて外れか当たりかで動きうる範囲です。"
            "判定のない候補は「外れ」として平均に入っています。"
        )
    if found.without_list:
        told.append(
            f"候補のない課題 {len(found.without_list)}件は0点として数えています"
            f"（{_some(found.without_list)}）。"
        )
    if found.never_asked:
        told.append(
            f"うち {len(found.never_asked)}件は結果にありません"
            f"（実行されていないか、候補なし: {_some(found.never_asked)}）。"
        )
    if found.unjudged_issues:
        told.append(f"判定のない課題 {len(found.unjudged_issues)}件は数えていません。")
    if found.issues < _FEW:
        told.append(f"課題が{_FEW}件に満たないため、区間は実際より狭く出ることがあります。")
    return told


def close_sentences(found: Ablation, titles: Titles) -> list[str]:
    """Which issues are close calls, and by which weights."""
    if not found.close:
        return ["僅差の課題はありません（重みを1割動かしても3位までは変わりません）。"]
    return [
        f"僅差の課題 {len(found.close)}件（どれかの重みを1割動かすと、3位までが入れ替わります）:",
        *(line for issue, names in found.close.items() for line in _close(issue, names, titles)),
    ]


def _close(issue: str, names: Sequence[str], titles: Titles) -> tuple[str, str]:
    return (
        f"  {_named(issue, titles)}",
        f"      {'、'.join(PARTS.get(name, name) for name in names)}",
    )


def label(variant: Variant) -> str:
    """What is changed, in a few words."""
    name = PARTS.get(variant.name) or STAGES.get(variant.name, variant.name)
    if variant.kind == "weight":
        return f"{name}の重み {variant.factor - 1:+.0%}"
    return f"{name} なし"


def interval(estimate: Estimate) -> str:
    """Both ends of an interval."""
    return f"{estimate.low:.3f}–{estimate.high:.3f}"


def difference(estimate: Estimate) -> tuple[str, str]:
    """A difference with its sign, and its interval."""
    return f"{estimate.mean:+.3f}", f"{estimate.low:+.3f}–{estimate.high:+.3f}"


def chance(p: float | None) -> str:
    """A p value; nothing where nothing was tested."""
    if p is None:
        return ""
    return "<0.001" if p < 0.001 else f"{p:.3f}"


def _print_measures(console: Console, found: Evaluation) -> None:
    table = plain_table(("指標",), ("平均", "95%区間", *(["判定次第の幅"] if found.bounds else [])))
    for name, estimate in found.means.items():
        cells = [name, f"{estimate.mean:.3f}", interval(estimate)]
        if bounds := found.bounds.get(name):
            cells.append(f"{bounds.low:.3f}–{bounds.high:.3f}")
        table.add_row(*cells)
    console.print(table)


def _print_comparison(
    console: Console, name: str, compared: Mapping[str, Comparison], titles: Titles
) -> None:
    first = next(iter(compared.values()))
    _say(console, "")
    _say(console, f"{one_line(name)} との差（同じ課題 {first.issues}件）")
    table = plain_table(("指標",), ("差", "95%区間", "p", "p(補正)", "勝・分・敗"))
    for measure, one in compared.items():
        counts = f"{one.better}・{one.equal}・{one.worse}"
        cells = difference(one.difference)
        table.add_row(measure, *cells, chance(one.p), chance(one.p_corrected), counts)
    console.print(table)
    _print_changes(console, next(iter(compared)), first, titles)


def _print_changes(console: Console, measure: str, compared: Comparison, titles: Titles) -> None:
    """The issues to read: the most lost, then the most won."""
    lost = [change for change in compared.changes if change.ours < change.theirs]
    won = [change for change in compared.changes if change.ours > change.theirs][::-1]
    for heading, changes in (("下がった課題", lost), ("上がった課題", won)):
        if changes:
            _say(console, f"{heading}（{measure}、{len(changes)}件）")
        for change in changes[:_TO_READ]:
            told = _named(change.issue_id, titles)
            _say(console, f"  {change.theirs:.3f} → {change.ours:.3f}  {told}")


def _print_slices(console: Console, found: Evaluation) -> None:
    """A table for each slice that is not too long; without an interval where issues are few."""
    measure = next(iter(found.means))
    for name, groups in found.slices.items():
        _say(console, "")
        if len(groups) > _LONG:
            _say(
                console,
                f"{one_line(name)}は{len(groups)}区分あります（--out か --json で見られます）。",
            )
            continue
        table = plain_table((one_line(name),), ("課題", measure, "95%区間"))
        for told, group in groups.items():
            mean = group.means[measure]
            sure = interval(mean) if len(group.issues) >= FEWEST else "－"
            cells = (f"{len(group.issues)}", f"{mean.mean:.3f}", sure)
            table.add_row(Text(one_line(told)), *cells)
        console.print(table)
    if found.slices:
        _say(console, f"課題が{FEWEST}件に満たない区分には区間を出していません。")


def _effect(effect: Effect, measure: str) -> Iterable[str]:
    compared = effect.against[measure]
    return (
        label(effect.variant),
        *difference(compared.difference),
        chance(compared.p_corrected),
        f"{len(effect.first)}",
        f"{len(effect.first_three)}",
    )


def _some(issues: Sequence[str]) -> str:
    shown = "、".join(map(one_line, issues[:_TO_READ]))
    return shown + ("…" if len(issues) > _TO_READ else "")


def _named(issue: str, titles: Titles) -> str:
    return f"{one_line(issue)} {one_line(titles.get(issue, ''))}".strip()


def _say(console: Console, sentence: str) -> None:
    for line in wrap(sentence, min(console.width, _WIDEST)) if sentence else [""]:
        console.print(Text(line), soft_wrap=True)
