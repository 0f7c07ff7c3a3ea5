"""Issues and companies as plain JSON values and back, without loss."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, TypeVar

from matcher.types import Company, Issue

Json = dict[str, Any]  # what json.dumps takes and json.loads gives
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


def _plain(value: object) -> object:
    if isinstance(value, frozenset):
        return sorted(value)
    return dict(value) if isinstance(value, Mapping) else value
