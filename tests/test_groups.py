"""Labels of companies: everyone has one, and what is not told is 不明."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from matcher.codes import ALL_PREFECTURES
from matcher.errors import MatcherError
from matcher.groups import MOST, OTHERS, label
from matcher.types import Company


def made(number=1, **more) -> Company:
    return Company(company_id=f"c{number}", name="名", profile="文", **more)


def labels(name: str, *companies: Company) -> tuple[str, ...]:
    return label(companies, name).labels


@pytest.mark.parametrize(
    ("name", "company", "expected"),
    [
        ("地方", made(headquarters="23"), "中部"),
        ("block", made(), "不明"),
        ("本社都道府県", made(headquarters="01"), "北海道"),
        ("業種", made(industry="Ｇ　情報通信業"), "G 情報通信業"),
        ("kind", made(kind="NPO"), "NPO"),
        ("対応地域の広さ", made(regions=ALL_PREFECTURES), "全国"),
        ("area", made(regions=frozenset({"01"})), "1県"),
        ("対応地域", made(regions=frozenset({"01", "02"})), "複数県"),
        ("対応地域", made(), "不明"),
        ("認証 ", made(extra={"認証": " あり"}), "あり"),
        ("認証", made(extra={"認証": ""}), "不明"),
    ],
)
def test_label_of_a_company(name, company, expected):
    assert labels(name, company) == (expected,)


@pytest.mark.parametrize(
    ("column", "cell", "expected"),
    [
        ("従業員数", "20", "20人以下"),
        ("従業員数", "約３００名", "21〜300人"),
        ("従業員数（人）", "1,204", "301人以上"),
        ("従業員数", "10〜50人", "不明"),
        ("従業員数", "", "不明"),
        ("資本金", "10000000", "1,000万円以下"),
        ("資本金", "1億2,000万円", "1,000万円超3億円以下"),
        ("資本金(百万円)", "301", "3億円超"),
        ("資本金（千円）", "9,000", "1,000万円以下"),
        ("規模", "中小企業", "中小企業"),
    ],
)
def test_size_comes_from_the_column_that_tells_it(column, cell, expected):
    found = label([made(extra={"備考": "", column: cell})], "規模")
    assert (found.column, found.labels) == (column, (expected,))


def test_an_absent_size_is_said_and_a_misspelt_name_is_refused():
    found = label([made(extra={"備考": "x"})], "size")
    assert (found.column, found.labels) == ("", ())
    assert "ない" in found.note
    with pytest.raises(MatcherError, match="備考"):
        label([made(extra={"備考": "x"})], "備孝")


def test_the_rarest_of_too_many_labels_are_one_group():
    companies = [made(n, industry=f"業種{n // 2}") for n in range(2 * MOST + 3)]
    found = label(companies, "業種")
    assert len(set(found.labels)) == MOST
    assert OTHERS in found.labels and OTHERS in found.note


@given(st.lists(st.text(max_size=12), min_size=1))
def test_every_company_has_a_label_whatever_the_cells_say(cells):
    companies = [
        made(n, industry=cell, extra={"従業員数": cell, "資本金": cell})
        for n, cell in enumerate(cells)
    ]
    for name in ("業種", "規模", "資本金", "従業員数"):
        found = labels(name, *companies)
        assert len(found) == len(cells)
        assert all(found)
