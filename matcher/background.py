"""Shipped texts that stand for all issues and profiles: they tell an encoder's common direction."""

import json

from matcher.codes import data_folder


def issues() -> list[str]:
    """Thirty texts in the manner of issues: title, newline, description."""
    return [f"{line['title']}\n{line['description']}" for line in _lines("background.jsonl")]


def profiles() -> list[str]:
    """Thirty texts in the manner of profiles."""
    return [line["profile"] for line in _lines("background_profiles.jsonl")]


def general() -> list[tuple[str, str]]:
    """Headings and sections about anything but municipalities: what an encoder must not forget."""
    return [(line["heading"], line["section"]) for line in _lines("general.jsonl")]


def _lines(name: str) -> list[dict[str, str]]:
    content = (data_folder() / name).read_text(encoding="utf-8")
    return [json.loads(line) for line in content.splitlines()]
