"""What changed texts do to the ranking, and what a profile gains that tries to game its rank.

On the published cases under the default rules. Every line compares the lists after the change with
those before it on the same issues: nDCG@10, the paired difference, its 95 % interval. Of profiles
that try something it says where they end up, without and with the guards of `guards.py`, which
are not part of the product.
Run it: `python benchmarks/robustness.py [--no-reader] [--issues N]`.
"""

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial

import perturb
from conditions import conditions, save
from effects import PARTNER, Cases, Effect, effect, lists, load_cases
from guards import GUARDS, guarded, without_lists

from matcher import text
from matcher.types import Company, Entry, Issue

_OPEN, _GUARDED = "open", "guarded"

Attack = Callable[[Cases, Issue], tuple[list[Company], set[str]]]  # all companies, who to watch


def attacks() -> dict[str, Attack]:
    """What profiles may try, by its name."""
    return {
        "stuffed: 60 words": lambda cases, issue: stuffed(cases, issue, perturb.WORDS),
        "stuffed: 60 sentences": lambda cases, issue: stuffed(
            cases, issue, perturb.WORDS, perturb.stuffed_in_sentences
        ),
        "stuffed: words of all titles": lambda cases, issue: stuffed(
            cases, issue, perturb.title_words(cases.issues)
        ),
        "stuffed: 17 goals": lambda cases, issue: stuffed(cases, issue, perturb.goal_names()),
        "copied: the issue": lambda cases, issue: copied(cases, issue, text.issue_text),
        "copied: five times": lambda cases, issue: copied(
            cases, issue, lambda one: text.issue_text(one) * 5
        ),
        "copied: the title": lambda cases, issue: copied(
            cases, issue, lambda one: _some_profile(cases, one) + one.title + "。"
        ),
        "copied: half, behind a profile": lambda cases, issue: copied(
            cases, issue, lambda one: _some_profile(cases, one) + _half(one.description)
        ),
        "copied: 5 % typos, other endings": lambda cases, issue: copied(
            cases,
            issue,
            lambda one: perturb.typos(perturb.polite(text.issue_text(one)), 0.05, one.issue_id),
        ),
        "registered 6 times: partners": partners_again,
        "registered 6 times: best stranger": stranger_again,
        "added: 10 in English": lambda cases, _: added(cases, perturb.ENGLISH, "english"),
        "added: 10 that say nothing": lambda cases, _: added(cases, perturb.EMPTYISH, "empty"),
    }


def stuffed(
    cases: Cases,
    issue: Issue,
    words: Sequence[str],
    stuff: Callable[[Company, Sequence[str]], Company] = perturb.stuffed,
) -> tuple[list[Company], set[str]]:
    """A tenth of the strangers stuff their profiles."""
    strangers = sorted(company.company_id for company in cases.strangers(issue))
    chance = perturb.draw("stuffed", issue.issue_id)
    some = set(chance.sample(strangers, max(1, len(strangers) // 10)))
    changed = [stuff(one, words) if one.company_id in some else one for one in cases.companies]
    return changed, some


def copied(
    cases: Cases, issue: Issue, profile: Callable[[Issue], str]
) -> tuple[list[Company], set[str]]:
    """One newcomer more, with a profile made of the issue."""
    newcomer = perturb.newcomer(issue, profile(issue), "写し")
    return [*cases.companies, newcomer], {newcomer.company_id}


def _some_profile(cases: Cases, issue: Issue) -> str:
    strangers = sorted(cases.strangers(issue), key=lambda company: company.company_id)
    return perturb.draw("copied", issue.issue_id).choice(strangers).profile


def _half(description: str) -> str:
    sentences = text.sentences(description)
    return "".join(sentences[: (len(sentences) + 1) // 2])


def partners_again(cases: Cases, issue: Issue) -> tuple[list[Company], set[str]]:
    """Every partner five times more."""
    partners = {who for who, grade in cases.qrels[issue.issue_id].items() if grade == PARTNER}
    return _again(cases, partners)


def stranger_again(cases: Cases, issue: Issue) -> tuple[list[Company], set[str]]:
    """The best of those that are not judged five times more."""
    return _again(cases, {cases.strangers(issue)[0].company_id})


def _again(cases: Cases, some: set[str]) -> tuple[list[Company], set[str]]:
    more = [
        again
        for company in cases.companies
        if company.company_id in some
        for again in perturb.registered_again(company)
    ]
    return [*cases.companies, *more], some | {company.company_id for company in more}


def added(cases: Cases, profiles: Sequence[str], name: str) -> tuple[list[Company], set[str]]:
    """Companies more that serve everywhere."""
    more = [
        replace(perturb.newcomer(cases.issues[0], profile, f"{name}{at}"), headquarters="")
        for at, profile in enumerate(profiles)
    ]
    return [*cases.companies, *more], {company.company_id for company in more}


def try_attack(cases: Cases, attack: Attack) -> dict[str, Effect]:
    """What an attack does without guards, and with all of them."""
    found: dict[str, dict[str, Sequence[Entry]]] = {_OPEN: {}, _GUARDED: {}}
    watched: dict[str, set[str]] = {}
    for issue in cases.issues:
        name = issue.issue_id
        companies, watched[name] = attack(cases, issue)
        open_lists = lists(cases.over(companies, cases.matcher.catalog), [issue])
        plain = [without_lists(company) for company in companies]
        if plain != companies:
            shut_lists = lists(cases.over(plain, cases.matcher.catalog), [issue])
        else:
            shut_lists = open_lists
        found[_OPEN][name] = open_lists[name]
        found[_GUARDED][name] = guarded(issue, shut_lists[name], GUARDS)
    return {
        guards: effect(cases.clean, changed, cases.qrels, watched)
        for guards, changed in found.items()
    }


def try_change(cases: Cases, change: perturb.Change) -> dict[str, Effect]:
    """What a change of every issue does."""
    return _asked(cases, [change(issue) for issue in cases.issues])


def ruled_out(cases: Cases) -> dict[str, Effect]:
    """A sentence says that what some stranger does is not wanted; the stranger is watched."""
    changed, watched = [], {}
    for issue in cases.issues:
        strangers = sorted(cases.strangers(issue), key=lambda company: company.company_id)
        company = perturb.draw("ruled out", issue.issue_id).choice(strangers)
        changed.append(perturb.not_like(issue, company))
        watched[issue.issue_id] = {company.company_id}
    return _asked(cases, changed, watched)


def _asked(
    cases: Cases, changed: Sequence[Issue], watched: Mapping[str, set[str]] | None = None
) -> dict[str, Effect]:
    return {_OPEN: effect(cases.clean, lists(cases.matcher, changed), cases.qrels, watched)}


def two_in_one(cases: Cases) -> dict[str, Effect]:
    """Two issues joined, against the two lists of the issues asked by themselves, in turn."""
    pairs = [(one, _other(cases, one)) for one in cases.issues]
    joined = [perturb.joined(one, other) for one, other in pairs]
    asked = [
        replace(other, issue_id=one.issue_id, prefecture=one.prefecture) for one, other in pairs
    ]
    others = lists(cases.matcher, asked)
    qrels, apart = {}, {}
    for one, other in pairs:
        name, first = one.issue_id, cases.clean[one.issue_id]
        eligible = {entry.company.company_id for entry in first}
        grades = [cases.qrels.get(issue.issue_id, {}) for issue in (one, other)]
        qrels[name] = {
            who: max(each.get(who, 0) for each in grades)
            for who in (grades[0].keys() | grades[1]) & eligible
        }
        turns = [entry for pair in zip(first, others[name], strict=False) for entry in pair]
        apart[name] = list({entry.company.company_id: entry for entry in turns}.values())
    return {_OPEN: effect(apart, lists(cases.matcher, joined), qrels)}


def _other(cases: Cases, issue: Issue) -> Issue:
    others = [one for one in cases.issues if one.issue_id != issue.issue_id]
    return perturb.draw("two in one", issue.issue_id).choice(others)


def guard_costs(cases: Cases) -> dict[str, Effect]:
    """What each guard changes where nobody tries anything."""
    plain = [without_lists(company) for company in cases.companies]
    changed = {
        "lists": lists(cases.over(plain, cases.matcher.catalog), cases.issues),
        **{
            guard: {
                issue.issue_id: guarded(issue, cases.clean[issue.issue_id], [guard])
                for issue in cases.issues
            }
            for guard in ("copies", "twins")
        },
    }
    return {guard: effect(cases.clean, found, cases.qrels) for guard, found in changed.items()}


def main() -> None:
    """Prints the tables and writes `results/robustness.json`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--no-reader", action="store_true", help="rank without the reader")
    parser.add_argument("--issues", type=int, help="the first so many only; nothing is saved")
    asked = parser.parse_args()
    told, cases = conditions(), load_cases(not asked.no_reader, asked.issues)
    trials: dict[str, Callable[[], dict[str, Effect]]] = {
        **{name: partial(try_change, cases, change) for name, change in perturb.changes().items()},
        "means of a company ruled out": partial(ruled_out, cases),
        "two in one": partial(two_in_one, cases),
        **{name: partial(try_attack, cases, attack) for name, attack in attacks().items()},
        "guards on the cases as they are": partial(guard_costs, cases),
    }
    found = {}
    for name, trial in trials.items():
        found[name] = trial()
        show(name, found[name])
    if asked.issues is None:
        section = "without reader" if asked.no_reader else "with reader"
        told |= {"encoder": cases.encoder.id, "reader": cases.reader.id if cases.reader else None}
        save("robustness", {section: told | {name: _json(one) for name, one in found.items()}})


def show(title: str, effects: Mapping[str, Effect]) -> None:
    """A line for each effect, and where those stand that are watched."""
    print(f"\n{title}", flush=True)
    for name, one in effects.items():
        gap = one.difference
        told = f"{gap.mean:+.3f} [{gap.low:+.3f}, {gap.high:+.3f}]"
        empty = f"  {one.empty} without candidates" if one.empty else ""
        print(f"  {name:<9}{one.before:.3f} → {one.after:.3f}  {told}{empty}")
        for when, found in (("before", one.watched_before), ("after", one.watched)):
            if found:
                print(f"    {when:<8}" + ", ".join(f"{what} {n}" for what, n in found.items()))


def _json(effects: Mapping[str, Effect]) -> dict[str, object]:
    return {name: asdict(one) for name, one in effects.items()}


if __name__ == "__main__":
    main()
