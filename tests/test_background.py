import csv

from matcher.background import general, issues, profiles
from matcher.codes import data_folder


def test_background_is_thirty_issues_and_thirty_profiles():
    assert (len(set(issues())), len(set(profiles()))) == (30, 30)
    assert all(title and text for title, _, text in (one.partition("\n") for one in issues()))
    assert all(profile.strip() for profile in profiles())


def test_background_holds_no_published_text():
    def column(file, name):
        with (data_folder() / file).open(encoding="utf-8", newline="") as lines:
            return {row[name] for row in csv.DictReader(lines)}

    titles = {issue.partition("\n")[0] for issue in issues()}
    assert not titles & column("issues.csv", "title")
    assert not set(profiles()) & column("companies.csv", "profile")


def test_general_texts_are_headings_with_their_sections():
    headings, sections = zip(*general(), strict=True)
    assert len(set(sections)) == len(sections) == 420
    assert all(4 <= len(heading) <= 40 for heading in headings)
    assert all(len(section) > 60 for section in sections)
    assert not any("自治体" in section or "市町村" in section for section in sections)
