"""An evaluation as a workbook: measures, comparisons, every issue, slices, effects, notes."""

from collections.abc import Iterator, Mapping, Sequence
from io import BytesIO

from matcher.evaluation import Comparison, Evaluation
from matcher.evaluation.effects import Ablation
from matcher.report import measured
from matcher.report.columns import Cell, Column, Style
from matcher.report.sheets import new_book, set_page, write_notes, write_table
from matcher.report.wording import PARTS, one_line

_TITLE = "候補の評価"
Titles = Mapping[str, str]

Fields = Mapping[str, Cell]  # of a row, by header


def evaluation_book(found: Evaluation, titles: Titles, effects: Ablation | None = None) -> bytes:
    """The workbook as XLSX; equal evaluations give equal bytes. No cell is a formula.

    Sheets: 指標, 課題別, 説明; 比較 and 変わった課題 where runs were compared, 区分別 where there
    are slices, 感度 and 僅差 with `effects`.
    """
    target = BytesIO()
    with new_book(target, _TITLE) as (book, looks):
        for name, rows in _tables(found, titles, effects):
            sheet = book.add_worksheet(name)
            write_table(sheet, _columns(rows), rows, looks)
            set_page(sheet, _TITLE)
        sheet = book.add_worksheet("説明")
        write_notes(sheet, _notes(found), looks)
        set_page(sheet, _TITLE)
    return target.getvalue()


def _tables(
    found: Evaluation, titles: Titles, effects: Ablation | None
) -> Iterator[tuple[str, list[Fields]]]:
    """The sheets that have rows, each with its own."""
    tables = {
        "指標": _measures(found),
        "比較": _comparisons(found),
        "変わった課題": _changes(found, titles),
        "課題別": _issues(found, titles),
        "区分別": _groups(found),
        "感度": _effects(effects) if effects else (),
        "僅差": _close(effects, titles) if effects else (),
    }
    for name, rows in tables.items():
        if told := list(rows):
            yield name, told


def _columns(rows: Sequence[Fields]) -> list[Column[Fields]]:
    """A column for each field that a row has."""
    headers = dict.fromkeys(header for row in rows for header in row)
    return [_column(header) for header in headers]


def _column(header: str) -> Column[Fields]:
    width, style, note = _HEADERS.get(header, (18, "figure", "この指標の値です。"))
    return Column(
        header=header, width=width, style=style, value=lambda row: row.get(header), note=note
    )


def _measures(found: Evaluation) -> Iterator[Fields]:
    for name, mean in found.means.items():
        row: dict[str, Cell] = {"指標": name, "平均": mean.mean}
        row |= {"下限": mean.low, "上限": mean.high}
        if bounds := found.bounds.get(name):
            row |= {"幅の下": bounds.low, "幅の上": bounds.high}
            row |= {"一覧外も含む幅の下": bounds.least}
        yield {**row, "課題数": found.issues}


def _comparisons(found: Evaluation) -> Iterator[Fields]:
    for other, compared in found.others.items():
        for name, one in compared.items():
            sides = {"こちら": one.ours, "相手の値": one.theirs}
            yield {"相手": other, "指標": name, **sides, **_gap(one)}


def _gap(one: Comparison) -> Fields:
    return {
        "差": one.difference.mean,
        "差の下限": one.difference.low,
        "差の上限": one.difference.high,
        "p": one.p,
        "p（ブートストラップ）": one.p_bootstrap,
        "p（補正）": one.p_corrected,
        "勝": one.better,
        "分": one.equal,
        "敗": one.worse,
        "課題数": one.issues,
    }


def _changes(found: Evaluation, titles: Titles) -> Iterator[Fields]:
    for other, compared in found.others.items():
        for name, one in compared.items():
            for change in one.changes:
                yield (
                    {"相手": other, "指標": name}
                    | _named(change.issue_id, titles)
                    | {
                        "相手の値": change.theirs,
                        "こちら": change.ours,
                        "差": change.ours - change.theirs,
                    }
                )


def _issues(found: Evaluation, titles: Titles) -> Iterator[Fields]:
    empty, absent = set(found.without_list), set(found.never_asked)
    for issue in next(iter(found.values.values()), {}):
        remark = "結果にない" if issue in absent else "候補なし" if issue in empty else ""
        values = {name: by_issue[issue] for name, by_issue in found.values.items()}
        yield _named(issue, titles) | values | {"備考": remark}


def _groups(found: Evaluation) -> Iterator[Fields]:
    for row in found.slice_rows():
        is_few = isinstance(row["issues"], int) and row["issues"] < measured.FEWEST
        yield {
            "区分": row["slice"],
            "内容": row["label"],
            "指標": row["measure"],
            "平均": row["mean"],
            "下限": None if is_few else row["low"],
            "上限": None if is_few else row["high"],
            "課題数": row["issues"],
        }


def _effects(found: Ablation) -> Iterator[Fields]:
    for effect in found.effects:
        first, three = len(effect.first), len(effect.first_three)
        for name, one in effect.against.items():
            changed = {"変えたもの": measured.label(effect.variant), "指標": name}
            yield {**changed, **_gap(one), "1位が替わる課題": first, "3位までが替わる課題": three}


def _close(found: Ablation, titles: Titles) -> Iterator[Fields]:
    for issue, names in found.close.items():
        told = "、".join(PARTS.get(name, name) for name in names)
        yield _named(issue, titles) | {"1割で3位までが替わる重み": told}


def _named(issue: str, titles: Titles) -> dict[str, Cell]:
    return {"課題ID": one_line(issue), "課題名": one_line(titles.get(issue, ""))}


def _notes(found: Evaluation) -> list[tuple[str, str]]:
    """Rows of 説明; a row without a meaning is a heading."""
    return [
        ("この資料について", ""),
        *((f"{at}", told) for at, told in enumerate(measured.sentences(found), start=1)),
        ("言葉の意味", ""),
        *((header, note) for header, (_, _, note) in _HEADERS.items() if note),
    ]


_HEADERS: Mapping[str, tuple[int, Style, str]] = {
    "課題ID": (14, "code", ""),
    "課題名": (44, "text", ""),
    "指標": (
        20,
        "text",
        "nDCG@10 は上位10社の並びの良さ、R(rel=3)@10 は実際の相手が10位までに入った割合、"
        "Success(rel=3)@1 は1位が実際の相手だった割合、Judged@10 は10社のうち判定のある割合です。",
    ),
    "平均": (10, "figure", "判定のあるすべての課題の平均です。候補のない課題は0です。"),
    "下限": (10, "figure", "95%区間の下の端です。別の課題で測れば平均はこの辺りまで下がりえます。"),
    "上限": (10, "figure", "95%区間の上の端です。"),
    "幅の下": (
        10,
        "figure",
        "一覧にあって判定のない候補を、0から3のどれに判定しても、値はこれより下がりません。",
    ),
    "幅の上": (10, "figure", "同じく、これより上がりません。"),
    "一覧外も含む幅の下": (
        13,
        "figure",
        "一覧にも判定にもない企業の中に合う相手がいくらいても、値はこれより下がりません。",
    ),
    "課題数": (9, "count", "平均や差のもとになった課題の数です。"),
    "相手": (22, "text", "比べた相手の実行結果です。"),
    "こちら": (10, "figure", "評価した実行結果の値です。"),
    "相手の値": (10, "figure", "比べた相手の値です。"),
    "差": (
        10,
        "difference",
        "こちらから相手を引いた値です。感度では、変えた後から製品を引きます。",
    ),
    "差の下限": (10, "difference", "差の95%区間です。0をまたげば、差があるとは言えません。"),
    "差の上限": (10, "difference", ""),
    "p": (9, "figure", "本当は差がないのに、これほどの差が偶然に出る割合です（並べ替え検定）。"),
    "p（ブートストラップ）": (14, "figure", "同じことを、課題を引き直して調べた割合です。"),
    "p（補正）": (
        10,
        "figure",
        "多くの比較を一度にすると、偶然の当たりが混ざります。それを抑えたp（Holmの方法）です。"
        "0.05を下回るものだけを、差があったと読みます。",
    ),
    "勝": (7, "count", "こちらの値が高い課題の数です。"),
    "分": (7, "count", ""),
    "敗": (7, "count", "こちらの値が低い課題の数です。"),
    "備考": (14, "text", ""),
    "区分": (
        18,
        "text",
        "課題の分け方です。一つの課題が複数の内容に入ることがあります。"
        f"課題が{measured.FEWEST}件に満たない内容には区間を出していません。",
    ),
    "内容": (26, "text", ""),
    "変えたもの": (34, "text", "これ一つだけを変えて、すべての課題を並べ直しました。"),
    "1位が替わる課題": (11, "count", "1位の企業が替わった課題の数です。"),
    "3位までが替わる課題": (11, "count", "3位までの企業か順番が替わった課題の数です。"),
    "1割で3位までが替わる重み": (60, "text", "僅差です。会議では上位をまとめて検討してください。"),
}
