"""Ranked, explained shortlists of partners for what troubles a municipality.

Five lines do the main job:

    import matcher
    encoder = matcher.load_encoder()
    catalog = matcher.Catalog.build(matcher.read_companies("companies.csv"), encoder)
    shortlists = matcher.Matcher(catalog, encoder).match(matcher.read_issues("issues.csv"))
    print(shortlists[0].entries[0].company.name)
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matcher.ablation import ablate
    from matcher.catalog import Catalog
    from matcher.corpus import read_companies, read_issues
    from matcher.embed import load_encoder
    from matcher.errors import MatcherError
    from matcher.evaluation import evaluate
    from matcher.integrity import verify
    from matcher.outcomes import read_outcomes
    from matcher.pipeline import Matcher
    from matcher.rerun import replay
    from matcher.run import load_run
    from matcher.standing import missed, standings
    from matcher.trec import read_qrels, read_run
    from matcher.types import Company, Constraint, Issue, Shortlist
    from matcher.views import open_views

__version__ = "0.1.0"

# Imported when first asked for: `matcher --help` must not wait for numpy, faiss or openvino.
_HOMES = {
    "Catalog": "catalog",
    "Company": "types",
    "Constraint": "types",
    "Issue": "types",
    "Matcher": "pipeline",
    "MatcherError": "errors",
    "Shortlist": "types",
    "ablate": "ablation",
    "evaluate": "evaluation",
    "load_encoder": "embed",
    "load_run": "run",
    "missed": "standing",
    "open_views": "views",
    "read_companies": "corpus",
    "read_issues": "corpus",
    "read_outcomes": "outcomes",
    "read_qrels": "trec",
    "read_run": "trec",
    "replay": "rerun",
    "standings": "standing",
    "verify": "integrity",
}

__all__ = [
    "Catalog",
    "Company",
    "Constraint",
    "Issue",
    "Matcher",
    "MatcherError",
    "Shortlist",
    "ablate",
    "evaluate",
    "load_encoder",
    "load_run",
    "missed",
    "open_views",
    "read_companies",
    "read_issues",
    "read_outcomes",
    "read_qrels",
    "read_run",
    "replay",
    "standings",
    "verify",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        message = f"module 'matcher' has no attribute {name!r}"
        raise AttributeError(message)
    value = getattr(import_module(f"matcher.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
