"""Issues and companies as plain JSON values and back, without loss; and values under a seal."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import fields
from typing import Any, TypeVar

from matcher.types import Company, Issue

Json = dict[str, Any]  # what json.dumps takes and json.loads gives
_SEAL = "seal"
_R = TypeVar("_R", Issue, Company)


def to_json(record: Issue | Company) -> Json:
    """The record's fields by name; sets as ascending lists."""
    return {field.name: _plain(getattr(record, field.name)) for field in fields(record)}


def from_json(kind: type[_R], values: Mapping[str, Any]) -> _R:
    """The record that `to_json` gave the values of.

    Raises:
        TypeError: a field is missing or unknown.
    """
    sets = {field.name for field in fields(kind) if "frozenset" in str(field.type)}
    whole: Json = {name: frozenset(v) if name in sets else v for name, v in values.items()}
    return kind(**whole)


def sealed(values: Json) -> Json:
    """The values, and under `seal` the SHA-256 of them all, so that a later edit shows.

    No signature: whoever edits on purpose can seal anew.
    """
    return values | {_SEAL: _digest(values)}


def is_as_sealed(values: Json) -> bool | None:
    """Whether the values are those that were sealed; None where they never were."""
    return values[_SEAL] == _digest(values) if _SEAL in values else None


def _digest(values: Json) -> str:
    told = {name: value for name, value in values.items() if name != _SEAL}
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def _plain(value: object) -> object:
    if isinstance(value, frozenset):
        return sorted(value)
    return dict(value) if isinstance(value, Mapping) else value
