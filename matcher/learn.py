"""From what coordinators confirmed to an encoder that knows it: `matcher train-encoder`."""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from matcher import background, text
from matcher.corpus import read_companies, read_issues
from matcher.errors import MatcherError
from matcher.trec import read_qrels
from matcher.types import Company, Example, Issue, Qrels

FITS_FROM = 2  # the grade from which a partner is one
_APART = 10  # one issue in so many is never learnt from: it tells when to stop

Told = Mapping[str, object]


def train_encoder(
    issues: Path,
    companies: Path,
    qrels: Path,
    out: Path,
    *,
    epochs: float | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> Told:
    """Adapt the bundled encoder to confirmed pairs and write the deltas into `out` (3 MB).

    Partners of grade 2 and 3 fit, those of grade 0 and 1 only look so. It goes on from the shipped
    deltas, so that few pairs are enough; one issue in ten, chosen by a hash of its id, is kept
    apart to see when to stop. `--encoder FILE` uses the result. What comes back is the record that
    the file holds: recipe, hash of the data, curve, quality on the issues kept apart.

    Raises:
        MatcherError: too few pairs, `out` is there already, a table is unusable, or no torch.
    """
    if out.exists() or out.suffix != ".safetensors":
        message = (
            f"書き出し先 {out} が使えません。"
            "まだ無いファイルの名前を、.safetensors で終わるように指定してください。"
        )
        raise MatcherError(message)
    found = examples(read_issues(issues), read_companies(companies), read_qrels(qrels))
    # Seconds and 400 MB: only when something is to be learnt.
    from matcher.embed import bundled_deltas
    from matcher.embed.deltas import save
    from matcher.embed.sentence import require_torch

    require_torch("train-encoder で学習する")
    from matcher.embed.training import Recipe, adapt

    recipe = Recipe() if epochs is None else Recipe(epochs=epochs)
    apart = [example for issue_id, example in found.items() if is_apart(issue_id)]
    learnt = [example for issue_id, example in found.items() if not is_apart(issue_id)]
    general = background.general()
    start = bundled_deltas()
    arrays, told = adapt(learnt, apart, recipe, general=general, start=start, tell=tell)
    save(out, arrays, told)
    return told


def examples(
    issues: Iterable[Issue], companies: Iterable[Company], qrels: Qrels
) -> dict[str, Example]:
    """For each issue with a partner that fits: its text, the profiles that fit, and the misses."""
    profiles = {
        company.company_id: text.normalise(text.company_text(company)) for company in companies
    }
    found: dict[str, Example] = {}
    for issue in issues:
        grades = qrels.get(issue.issue_id, {})
        known = {profiles[one]: grade for one, grade in grades.items() if one in profiles}
        fits = tuple(profile for profile, grade in known.items() if grade >= FITS_FROM)
        misses = tuple(profile for profile, grade in known.items() if grade < FITS_FROM)
        if fits:
            query = text.normalise(text.issue_text(issue))
            found[issue.issue_id] = Example(issue=query, fits=fits, misses=misses)
    return found


def is_apart(issue_id: str) -> bool:
    """Whether an issue is kept apart: the same for ever, whatever else is in the table."""
    return int(hashlib.sha256(issue_id.encode()).hexdigest(), 16) % _APART == 0
