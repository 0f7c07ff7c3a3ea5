"""The first sheet of a workbook of judging: what to do, in plain words for officers."""

from collections.abc import Sequence

from xlsxwriter import Workbook
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

from matcher.judgements import GRADES, REASONS, UNSURE
from matcher.report.cells import cell_text
from matcher.report.sheets import height

_LABEL, _TEXT = 22, 96  # widths of the two columns
_SECONDS = (30, 60)  # that a pair takes, from a quick reader to a careful one
_PLAIN = {"font_size": 11, "valign": "vcenter", "indent": 1}
_COLOURS = {3: "#CDE7D0", 2: "#E3F1DC", 1: "#FBF0CE", 0: "#F3E1DC"}
_EXAMPLES = {
    3: "課題の困りごとそのものに答える事業をしている。すぐにでも話を聞きたい。",
    2: "できることの中に、この課題に役立ちそうなものがある。一度会って確かめたい。",
    1: "分野や言葉は近いが、別の困りごとのための事業である。",
    0: "この課題とは関わりがない。",
}


def write_guide(book: Workbook, sheet: Worksheet, *, judge: str | None, pairs: int) -> None:
    """Write the guide for a judge, or for whoever decides on disagreements where that is None."""
    sheet.set_column(0, 0, _LABEL)
    sheet.set_column(1, 1, _TEXT)
    sheet.hide_gridlines(2)
    plain = book.add_format({**_PLAIN, "text_wrap": True})
    label = book.add_format({**_PLAIN, "text_wrap": True, "bold": True})
    title = "判定の手引き" if judge is not None else "不一致を決めるための手引き"
    sheet.write_string(0, 0, title, book.add_format({"bold": True, "font_size": 18}))
    sheet.set_row(0, 34)
    y = 1
    for heading, rows in _sections(judge, pairs):
        y = _write_heading(book, sheet, y, heading)
        if heading == _SCALE:
            y = _write_scale(book, sheet, y)
        for head, text in rows:
            y = _write_row(sheet, y, (head, text), (label, plain))
        y += 1


def _write_heading(book: Workbook, sheet: Worksheet, y: int, heading: str) -> int:
    look = book.add_format({"bold": True, "font_size": 13, "font_color": "#FFFFFF"})
    look.set_bg_color("#2F5D8A")
    look.set_align("vcenter")
    look.set_indent(1)
    sheet.write_string(y, 0, heading, look)
    sheet.write_blank(y, 1, None, look)
    sheet.set_row(y, 24)
    return y + 1


def _write_row(
    sheet: Worksheet, y: int, texts: tuple[str, str], looks: tuple[Format, Format]
) -> int:
    for x, (text, look) in enumerate(zip(texts, looks, strict=True)):
        sheet.write_string(y, x, cell_text(text), look)
    # The font of the guide is a tenth larger than the one that heights are reckoned for.
    widths = (_LABEL * 9 // 10, _TEXT * 9 // 10)
    sheet.set_row(y, height(zip(widths, texts, strict=True)) * 1.1 + 4)
    return y + 1


def _write_scale(book: Workbook, sheet: Worksheet, y: int) -> int:
    for grade in sorted(GRADES, reverse=True):
        fill = {"bg_color": _COLOURS[grade], "valign": "vcenter", "border": 1}
        fill |= {"border_color": "#C9D1DA"}
        figure = book.add_format({**fill, "bold": True, "font_size": 20, "align": "center"})
        meaning = book.add_format({**fill, **_PLAIN, "text_wrap": True})
        bold = book.add_format({"bold": True, "font_size": 12})
        plain = book.add_format({"font_size": 11})
        sheet.write_number(y, 0, grade, figure)
        parts = (bold, GRADES[grade], plain, f"\n{_EXAMPLES[grade]}", meaning)
        sheet.write_rich_string(y, 1, *parts)
        sheet.set_row(y, 40)
        y += 1
    return y


def _sections(judge: str | None, pairs: int) -> Sequence[tuple[str, Sequence[tuple[str, str]]]]:
    if judge is None:
        return (("この用紙について", _decide(pairs)), (_SCALE, ()), ("決めたあと", _AFTER_DECIDING))
    return (
        ("お願いしたいこと", _ask(judge, pairs)),
        (_SCALE, _UNSURE),
        ("理由とメモ", _REASONS),
        ("進め方", _PROCEED),
        ("終わったら", _AFTER),
    )


def _ask(judge: str, pairs: int) -> list[tuple[str, str]]:
    return [
        ("判定者", judge),
        (
            "すること",
            "シート「判定」の1行に、課題と企業・団体が1組ずつ並んでいます。"
            "課題を読み、その企業・団体がこの課題にどれほど合うかを、評点の欄で選んでください。",
        ),
        (
            "組の数と時間",
            f"全部で{pairs:,}組です。1組30秒から1分として、{_time(pairs)}が目安です。",
        ),
        (
            "見えないもの",
            "先入観なく読んでいただくため、順位や得点は載せず、並び順にも意味はありません。"
            "文中の「〔名前〕」は、企業・団体の名前を伏せた所です。",
        ),
    ]


def _decide(pairs: int) -> list[tuple[str, str]]:
    return [
        (
            "すること",
            f"判定者の評点が分かれた{pairs:,}組を、評点・理由・メモを並べて載せています。"
            "話し合うか、決める人を決めて、「決定」の欄に0から3を選んでください。",
        ),
        ("決められないとき", "空白のままでかまいません。決まっていない組として残ります。"),
        ("メモ", "決めた理由を書いておくと、あとで読み返すときに役立ちます。"),
    ]


def _time(pairs: int) -> str:
    """How long so many pairs take, from the quick reader to the careful one."""
    least, most = (max(1, round(pairs * seconds / 60)) for seconds in _SECONDS)
    return f"約{_minutes(least)}" if least == most else f"約{_minutes(least)}から{_minutes(most)}"


def _minutes(minutes: int) -> str:
    if minutes < 60:
        return f"{minutes}分"
    halves = round(minutes / 30)
    return f"{halves // 2}時間" + ("半" if halves % 2 else "")


_SCALE = "評点の意味"
_UNSURE = (
    (
        "迷ったとき",
        f"文章だけでは決められないときは「{UNSURE}」を選ぶか、空白のままにしてください。"
        "無理に選んだ評点より、空白のほうが役に立ちます。",
    ),
    (
        "空白の扱い",
        "評点のない組は「まだ判定していない」と扱い、「当たらない」とは数えません。",
    ),
    (
        "2と1の境目",
        "「会ってみたいか」で考えてください。会う理由を一言で言えるなら2、言えないなら1です。",
    ),
)
_REASONS = (
    (
        "理由",
        f"いちばん近いものを1つ選びます（{'、'.join(REASONS)}）。書かなくてもかまいませんが、"
        "評点が分かれたときの話し合いの手掛かりになります。",
    ),
    ("メモ", "自由に書いてください。知っている実例や、確かめたいことがあれば助かります。"),
)
_PROCEED = (
    (
        "相談しない",
        "判定が終わるまで、ほかの判定者と相談しないでください。"
        "別々に読んだ評点が合うかどうかを、あとで確かめます。",
    ),
    (
        "調べない",
        "紹介の文章だけで判断してください。検索して調べる必要はありません。",
    ),
    (
        "休みながら",
        "課題ごとに色の帯で分かれています。途中で保存し、何日かに分けて進められます。"
        "評点の欄は、選ぶと黄色から緑に変わります。",
    ),
    (
        "残りを見る",
        "評点の見出しの▼で「空白セル」だけを選ぶと、残りの組が見えます。"
        "並べ替えや絞り込みをしたまま保存しても、正しく読み取れます。",
    ),
    (
        "変えないでほしい所",
        "課題や企業の文章と、右端の「判定ID」は書き換えないでください。"
        "行を別の表に写すと、判定を読み取れません。",
    ),
)
_AFTER = (
    (
        "保存",
        "このファイルをそのまま（xlsx か ods で）保存し、配った人に返してください。"
        "CSVで保存すると、読み取れなくなります。",
    ),
)
_AFTER_DECIDING = (
    (
        "保存",
        "このファイルを保存し、判定用紙と一緒に matcher settle に渡すと、"
        "「決定」の欄が、その組の評点になります。",
    ),
)
