import csv
import json
from collections.abc import Iterable
from itertools import product
from pathlib import Path

import pytest

from matcher.codes import data_folder

LEAST_SHARE_OF_A_COPY = 0.1  # 5-grams that two texts of different origin stay under


def table(name: str) -> list[dict[str, str]]:
    text = (data_folder() / name).read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


def lines(path: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def qrels() -> list[tuple[str, str, int]]:
    text = (data_folder() / "qrels.tsv").read_text(encoding="utf-8")
    rows = [line.split() for line in text.splitlines()]
    return [(issue, company, int(grade)) for issue, _, company, grade in rows]


def joined(row: dict[str, str]) -> str:
    return f"{row['title']}\n{row['description']}"


def grams(text: str) -> frozenset[str]:
    squeezed = "".join(text.split())
    return frozenset(squeezed[start : start + 5] for start in range(len(squeezed) - 4))


def containment(left: str, right: str) -> float:
    """Share of the shorter text's 5-grams that the other has too."""
    one, other = grams(left), grams(right)
    return len(one & other) / min(len(one), len(other))


def most_alike(ours: Iterable[str], published: Iterable[str]) -> float:
    return max(containment(left, right) for left, right in product(ours, published))


@pytest.fixture(scope="module")
def cases() -> list[str]:
    return [joined(row) for row in table("issues.csv")] + [
        row["profile"] for row in table("companies.csv")
    ]


def off_topic_folder() -> Path:
    return Path(__file__).parent / "data"


def test_published_cases_are_complete():
    issues, companies = table("issues.csv"), table("companies.csv")
    assert len({row["issue_id"] for row in issues}) == len(issues) == 52
    assert len({row["company_id"] for row in companies}) == len(companies) == 110
    assert all(row["title"] and row["description"] for row in issues)
    assert all(row["name"] and row["profile"] for row in companies)


def test_judgements_name_known_issues_and_companies():
    pairs = qrels()
    assert len(pairs) == len({(issue, company) for issue, company, _ in pairs}) == 146
    assert sum(grade == 3 for *_, grade in pairs) == 80
    assert {grade for *_, grade in pairs} == {1, 3}
    assert {issue for issue, *_ in pairs} == {row["issue_id"] for row in table("issues.csv")}
    assert {company for _, company, _ in pairs} <= {
        row["company_id"] for row in table("companies.csv")
    }


def test_every_issue_has_a_reported_partner():
    assert {issue for issue, _, grade in qrels() if grade == 3} == {
        row["issue_id"] for row in table("issues.csv")
    }


def test_municipality_codes_carry_their_check_digit():
    rows = table("municipalities.csv")
    assert len({row["code"] for row in rows}) == len(rows) == 1788
    assert sum(not row["municipality"] for row in rows) == 47
    for row in rows:
        digits = [int(digit) for digit in row["code"]]
        weighted = sum(
            weight * digit for weight, digit in zip((6, 5, 4, 3, 2), digits[:5], strict=True)
        )
        assert digits[5] == (11 - weighted % 11) % 10, row["code"]


def test_issue_municipalities_are_on_the_code_list():
    known = {row["code"][:5]: row["municipality"] for row in table("municipalities.csv")}
    for row in table("issues.csv"):
        assert known[row["municipality_code"]] == row["municipality"]


def test_seventeen_goals_with_five_phrases_each():
    goals = table("sdgs.csv")
    assert [int(row["number"]) for row in goals] == list(range(1, 18))
    assert all(row["name"] and row["sentence"] for row in goals)
    phrases = [row["phrases"].split("|") for row in goals]
    assert [len(those) for those in phrases] == [5] * 17
    assert len({phrase for those in phrases for phrase in those}) == 85


def test_background_issues_are_typical_and_each_of_another_field():
    rows = lines(data_folder() / "background.jsonl")
    assert len({row["field"] for row in rows}) == len(rows) == 30
    assert all(set(row) == {"field", "title", "description"} for row in rows)
    assert all(12 <= len(row["title"]) <= 30 for row in rows)
    assert all(120 <= len(row["description"]) <= 260 for row in rows)


def test_background_is_not_close_to_any_case(cases: list[str]):
    issues = [joined(row) for row in lines(data_folder() / "background.jsonl")]
    profiles = [row["profile"] for row in lines(data_folder() / "background_profiles.jsonl")]
    assert most_alike(issues + profiles, cases) < LEAST_SHARE_OF_A_COPY


def test_background_names_no_municipality_and_no_company():
    issues = [joined(row) for row in lines(data_folder() / "background.jsonl")]
    profiles = [row["profile"] for row in lines(data_folder() / "background_profiles.jsonl")]
    text = "\n".join(issues + profiles)
    names = {row["municipality"] for row in table("municipalities.csv")} - {""}
    assert not [
        name for name in names | {row["name"] for row in table("companies.csv")} if name in text
    ]


@pytest.mark.parametrize(("name", "count"), [("off_topic", 30), ("off_topic_held", 10)])
def test_off_topic_texts_are_all_different(name: str, count: int, cases: list[str]):
    rows = lines(off_topic_folder() / f"{name}.jsonl")
    assert len({row["title"] for row in rows}) == len(rows) == count
    assert all(80 <= len(row["description"]) <= 250 for row in rows)
    assert most_alike([joined(row) for row in rows], cases) < LEAST_SHARE_OF_A_COPY


def test_held_texts_are_not_in_the_open_set():
    open_set, held = (
        {row["title"] for row in lines(off_topic_folder() / f"{name}.jsonl")}
        for name in ("off_topic", "off_topic_held")
    )
    assert not open_set & held
