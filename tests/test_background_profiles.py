import csv
import json
from itertools import combinations
from pathlib import Path

DATA = Path(__file__).parent.parent / "data"
LINES = (DATA / "background_profiles.jsonl").read_text(encoding="utf-8").splitlines()
ROWS = [json.loads(line) for line in LINES]
PROFILES = [row["profile"] for row in ROWS]
MOST_SHARED = 0.10


def rows_of(name):
    with (DATA / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def grams(text):
    text = "".join(text.split())
    return {text[i : i + 5] for i in range(len(text) - 4)}


def containment(one, other):
    # Of the shorter, so that neither text holds much of the other.
    a, b = grams(one), grams(other)
    return len(a & b) / min(len(a), len(b))


def close(pairs):
    return [(a, b) for a, b in pairs if containment(a, b) >= MOST_SHARED]


def test_there_are_thirty_lines_of_field_and_profile():
    assert len(ROWS) == 30
    assert all(list(row) == ["field", "profile"] for row in ROWS)


def test_every_field_is_another():
    fields = {row["field"].strip() for row in ROWS}
    assert "" not in fields
    assert len(fields) == 30


def test_profiles_have_110_to_220_characters():
    assert [p for p in PROFILES if not 110 <= len(p) <= 220] == []


def test_no_profile_is_close_to_a_company():
    companies = [row["profile"] for row in rows_of("companies.csv")]
    assert len(companies) > 0
    assert close((p, c) for p in PROFILES for c in companies) == []


def test_no_profile_is_close_to_an_issue():
    issues = [f"{row['title']}\n{row['description']}" for row in rows_of("issues.csv")]
    assert len(issues) > 0
    assert close((p, i) for p in PROFILES for i in issues) == []


def test_no_two_profiles_are_close():
    assert close(combinations(PROFILES, 2)) == []


def test_two_equal_texts_are_close():
    assert containment(PROFILES[0], PROFILES[0]) == 1
    assert containment(PROFILES[0], f"前置き。{PROFILES[0]}") == 1


def test_no_profile_names_a_company_or_a_municipality():
    companies = {row["name"] for row in rows_of("companies.csv")}
    municipalities = {row["municipality"] for row in rows_of("municipalities.csv")} - {""}
    assert [n for n in companies | municipalities if any(n in p for p in PROFILES)] == []
