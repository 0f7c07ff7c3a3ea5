"""Small literal tables and quick stand-ins for encoder and reader that several rooms share."""

import csv
import hashlib
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from matcher.bridge import Line
from matcher.types import Scores, Vectors

Table = Sequence[Mapping[str, str]]

ISSUES: Table = (
    {
        "課題ID": "i-1",
        "課題名": "農地周辺に現れる野生動物の被害を減らしたい",
        "課題内容": "農村部でイノシシの出没が続き、作物が荒らされている。見回りの人手も足りない。",
        "自治体名": "神戸市",
        "都道府県": "兵庫県",
        "SDGs": "2、15",
        "受付経路": "庁内照会",
    },
    {
        "課題ID": "i-2",
        "課題名": "一人で暮らす高齢者を見守りたい",
        "課題内容": "民生委員が減り、高齢者の異変に早く気づく見守りの手段が足りない。",
        "自治体名": "岡崎市",
        "都道府県": "愛知県",
        "SDGs": "3、11",
        "受付経路": "窓口",
    },
    {
        "課題ID": "i-3",
        "課題名": "路線バスの撤退後の移動手段を確保したい",
        "課題内容": "坂の多い住宅地から路線バスが撤退し、通院や買い物の交通手段がなくなった。",
        "自治体名": "日野市",
        "都道府県": "東京都",
        "SDGs": "11",
        "受付経路": "",
    },
    {
        "課題ID": "i-4",
        "課題名": "空き家を活用したい",
        "課題内容": "中心部の空き家が増えた。所有者と借り手をつなぎ、空き家の活用を進めたい。",
        "自治体名": "府中市",
        "都道府県": "",
        "SDGs": "11、17",
        "受付経路": "",
    },
    {
        "課題ID": "i-5",
        "課題名": "食品ロスを減らしたい",
        "課題内容": "市内の小売店で売れ残る食品の廃棄が多い。必要とする家庭へ届けたい。",
        "自治体名": "",
        "都道府県": "大阪府",
        "SDGs": "",
        "受付経路": "",
    },
    {
        "課題ID": "i-6",
        "課題名": "！！！",
        "課題内容": "……",
        "自治体名": "",
        "都道府県": "北海道",
        "SDGs": "",
        "受付経路": "",
    },
)


def _company(
    number: int, name: str, office: str, area: str, sdgs: str, profile: str, kind: str = "企業"
) -> Mapping[str, str]:
    return {
        "企業ID": f"c-{number:02}",
        "企業名": name,
        "本社所在地": office,
        "対応地域": area,
        "SDGs": sdgs,
        "事業内容": profile,
        "種別": kind,
        "従業員数": str(10 * number),
    }


COMPANIES: Table = (
    _company(
        1, "獣害センサー株式会社", "兵庫県神戸市中央区1-1", "全国", "9、15",
        "イノシシなど野生動物の出没をセンサーで知らせ、農地の見回りを省力化する。",
    ),
    _company(
        2, "里山の会", "兵庫県", "", "",
        "集落の農地で柵の点検と野生動物の追い払いを住民と続けている。", "NPO",
    ),
    _company(3, "オンライン診療株式会社", "東京都", "全国", "3", "医師と患者を結ぶ診療の仕組み。"),
    _company(
        4, "見守り電気株式会社", "愛知県", "愛知県、岐阜県", "3、11",
        "電気の使い方から一人暮らしの高齢者の異変に気づく見守りの機器を貸し出す。",
    ),
    _company(
        5, "相乗り交通株式会社", "愛知県", "中部", "11、13",
        "路線バスのない住宅地で、予約に応じて走る相乗りの交通を運営する。",
    ),
    _company(
        6, "もったいない食品株式会社", "大阪府", "近畿", "12",
        "小売店で売れ残る食品を安く引き取り、必要とする家庭へ届けて廃棄を減らす。",
    ),
    _company(7, "防災倉庫株式会社", "東京都", "全国", "11、13", "避難所の備蓄と運営を支援する。"),
    _company(8, "学びの窓株式会社", "東京都", "関東", "4", "学校の授業で使う教材を配信する。"),
    _company(
        9, "空き家つなぐ株式会社", "兵庫県", "近畿", "11",
        "空き家の所有者と借り手をつなぎ、改修と活用を助ける。",
    ),
    _company(10, "北の観光株式会社", "北海道", "北海道", "8", "北海道の観光の案内を作る。"),
    _company(11, "南の電力株式会社", "福岡県", "九州", "7、13", "太陽光の電力を学校に供給する。"),
    _company(
        12, "窓口改善株式会社", "東京都", "全国",
        "、".join(map(str, range(1, 18))), "役所の窓口の手続きを電子化する。",
    ),
)  # fmt: skip


def _line(field: str, problem: str, solution: str) -> Line:
    return Line(
        field=field, problem=tuple(problem.split("、")), solution=tuple(solution.split("、"))
    )


LINES = (
    _line("鳥獣被害", "イノシシの出没、野生動物の被害", "センサー、追い払い、柵の点検"),
    _line("見守り", "一人で暮らす高齢者、異変に気づかない", "見守りの機器、電気の使い方"),
    _line("移動支援", "路線バスの撤退、通院の足がない", "相乗り、予約に応じて走る"),
    _line("空き家", "所有者が分からない空き家", "借り手をつなぐ、改修"),
    _line("食品ロス", "売れ残る食品の廃棄", "安く引き取る、家庭へ届ける"),
    _line("窓口", "窓口の待ち時間", "電子化、予約"),
    _line("学び", "授業で使う教材が足りない", "教材を配信する"),
)


def write_table(path: Path, rows: Table) -> Path:
    """The path of a new UTF-8 CSV with these rows under the header of the first."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def changed(rows: Table, at: int, **cells: str) -> Table:
    """The rows with some cells of one row changed."""
    return [dict(row) | cells if place == at else row for place, row in enumerate(rows)]


class FakeEncoder:
    """Unit vectors of hashed character bigrams: texts with the same bigrams are near.

    Answers at once, is the same on every machine, and remembers which documents it was given.
    """

    dim = 256

    def __init__(self, name: str = "fake") -> None:
        self.id = name
        self.documents: list[str] = []

    def encode_queries(self, texts: Sequence[str], *, advance: object = None) -> Vectors:
        return self._encode(texts)

    def encode_documents(self, texts: Sequence[str], *, advance: object = None) -> Vectors:
        self.documents += texts
        return self._encode(texts)

    def pieces(self, texts: Sequence[str]) -> list[int]:
        return [1] * len(texts)

    def _encode(self, texts: Sequence[str]) -> Vectors:
        vectors = np.zeros((len(texts), self.dim), dtype=np.float32)
        for row, text in enumerate(texts):
            for start in range(len(text) + 1):
                digest = hashlib.sha256(f"{self.id}\0{text[start : start + 2]}".encode()).digest()
                vectors[row, digest[0] % self.dim] += 1
            vectors[row] /= np.sqrt(np.sum(vectors[row] ** 2, dtype=np.float64))
        return vectors


class FakeReader:
    """A probability for each pair out of the hash of its texts: any company may be moved up.

    Answers at once, is the same on every machine, and remembers which pairs it was given.
    """

    def __init__(self, name: str = "fake reader") -> None:
        self.id = name
        self.pairs: list[tuple[str, str]] = []

    def read(self, pairs: Sequence[tuple[str, str]], *, advance: object = None) -> Scores:
        self.pairs += pairs
        texts = ["\0".join((self.id, *pair)).encode() for pair in pairs]
        return np.array([hashlib.sha256(text).digest()[0] / 255 for text in texts])


class Crash(BaseException):
    """The power goes: nobody catches it, nobody tidies up."""


def crash_at(monkeypatch: object, step: int, error: type[BaseException] = Crash) -> Iterable[str]:
    """Let the `step`-th file operation from now on raise; the names of those that were begun.

    After a `Crash` every later one raises too, so that nobody tidies up. A file that is opened for
    writing counts twice: before it exists, and when it is there and empty.
    """
    begun: list[str] = []
    patch = monkeypatch.setattr

    def tick(name: str) -> None:
        begun.append(name)
        if len(begun) == step or (error is Crash and len(begun) > step):
            raise error(name)

    def watched(owner: object, name: str) -> None:
        plain = getattr(owner, name)

        def replacement(*args: object, **kwargs: object) -> object:
            tick(name)
            return plain(*args, **kwargs)

        patch(owner, name, replacement)

    open_plain = Path.open

    def open_watched(path: Path, mode: str = "r", *args: object, **kwargs: object) -> object:
        if "w" not in mode:
            return open_plain(path, mode, *args, **kwargs)
        tick("open")
        file = open_plain(path, mode, *args, **kwargs)
        try:
            tick("opened")
        except BaseException:
            file.close()
            raise
        return file

    patch(Path, "open", open_watched)
    for name in ("replace", "rename", "mkdir", "unlink"):
        watched(Path, name)
    watched(shutil, "rmtree")
    return begun
