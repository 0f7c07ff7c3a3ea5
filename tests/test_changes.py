import copy

import pytest
from examples import ISSUES, changed, write_table

from matcher.changes import changes
from matcher.corpus import read_issues
from matcher.records import sealed

RUN = {
    "inputs": {"issues": {"sha256": "a" * 64}, "companies": {"sha256": "b" * 64}},
    "settings": {"dense_weight": 0.75},
    "options": {"top": 10, "threads": 2, "as_of": None},
    "encoder": "e5 sha256=aaaa precision=bf16 openvino=2026.1",
    "reader": "reader sha256=cccc",
    "bridge": "d" * 64,
    "catalog": "e" * 64,
    "libraries": {"matcher": "0.1.0", "numpy": "2.4.6"},
    "python": "3.11.9",
    "cpu": {"machine": "x86_64", "instruction_set": ["SSE42", "AVX2", "AVX512F"]},
}


def altered(**values):
    """The run with the value at the end of each path another: `settings__spans=3`."""
    run = copy.deepcopy(RUN)
    for path, value in values.items():
        *keys, last = path.split("__")
        at = run
        for key in keys:
            at = at[key]
        at[last] = value
    return run


def told(then, now):
    return [(one.kind, one.told) for one in changes(then, now)]


def test_nothing_changed_between_a_run_and_itself():
    assert changes(RUN, copy.deepcopy(RUN)) == ()


@pytest.mark.parametrize(
    ("now", "kind", "sentence"),
    [
        (
            altered(libraries__numpy="2.5.0"),
            "version",
            "numpy の版が違います（2.4.6 → 2.5.0）。",
        ),
        (
            altered(libraries={"matcher": "0.1.0"}),
            "version",
            "numpy の版が違います（2.4.6 → なし）。",
        ),
        (altered(python="3.12.1"), "version", "Python の版が違います（3.11.9 → 3.12.1）。"),
        (altered(cpu__machine="aarch64"), "cpu", "CPUの種類が違います（x86_64 → aarch64）。"),
        (
            altered(cpu__instruction_set=["SSE42", "AVX2", "AMX"]),
            "cpu",
            "CPUの命令セットが違います（なくなったもの: AVX512F、増えたもの: AMX）。",
        ),
        (
            altered(encoder="e5 sha256=aaaa precision=f32 openvino=2026.1"),
            "encoder",
            "エンコーダーが違います（precision=bf16 → precision=f32）。",
        ),
        (
            altered(reader=None),
            "reader",
            "読み合わせのモデルが違います（reader sha256=cccc → なし）。",
        ),
        (altered(bridge="f" * 64), "bridge", "橋渡し表が違います（dddddddd → ffffffff）。"),
        (altered(bridge=None), "bridge", "橋渡し表が違います（dddddddd → なし）。"),
        (altered(catalog="0" * 64), "catalog", "カタログのIDが違います（eeeeeeee → 00000000）。"),
        (
            altered(settings__dense_weight=0.5),
            "settings",
            "設定「dense_weight」が違います（0.75 → 0.5）。",
        ),
        (
            altered(settings__new_weight=0.1),
            "settings",
            "設定「new_weight」は、実行のときにはありませんでした（今は 0.1）。",
        ),
        (altered(options__top=5), "options", "オプション「top」が違います（10 → 5）。"),
    ],
)  # fmt: skip
def test_one_difference_is_named_then_and_now(now, kind, sentence):
    assert told(RUN, now) == [(kind, sentence)]


def test_threads_are_no_difference():
    assert changes(RUN, altered(options__threads=16)) == ()


@pytest.fixture
def run_of(tmp_path):
    """A run with a table of these issues."""

    def make(rows, **values):
        read = read_issues(write_table(tmp_path / "issues.csv", rows))
        return altered(inputs__issues__sha256=read.sha256, **values) | {
            "fingerprints": {"issues": read.fingerprints}
        }

    return make


def test_changed_cell_is_named_by_id_and_header(run_of):
    assert told(run_of(ISSUES), run_of(changed(ISSUES, 2, 課題内容="別の内容")))[1:] == [
        ("input", "課題の表: 課題ID i-3 の「課題内容」が変わっています。")
    ]


def test_rows_and_columns_that_came_and_went_are_named(run_of):
    rows = [dict(row) | {"備考": ""} for row in ISSUES[1:]]
    fresh = rows[0] | {"課題ID": "i-9", "課題名": "別の課題"}
    first, *rest = told(run_of(ISSUES), run_of([*rows, fresh]))
    assert first[1].startswith("課題の表が、実行に使ったものと違います（SHA-256 ")
    assert [sentence for _, sentence in rest] == [
        "課題の表: 課題ID i-9 の行が増えています。",
        "課題の表: 課題ID i-1 の行がなくなっています。",
        "課題の表: 列「備考」が増えています。",
    ]


def test_changed_id_is_named_with_what_it_is_now(run_of):
    sentences = told(run_of(ISSUES), run_of(changed(ISSUES, 0, 課題ID="i-7")))
    assert sentences[1][1] == "課題の表: 課題ID i-1 の「課題ID」が変わっています（今は i-7）。"


def test_other_bytes_of_the_same_cells_are_told_as_such(run_of):
    (_, told_) = told(run_of(ISSUES), run_of(ISSUES[::-1]))
    assert "どの欄の内容も同じです" in told_[1]


def test_run_of_an_older_version_names_what_it_can(run_of):
    then = run_of(ISSUES)
    del then["fingerprints"], then["python"], then["reader"]
    found = told(then, run_of(changed(ISSUES, 0, 課題名="別"), libraries__numpy="2.5.0"))
    assert [kind for kind, _ in found] == ["input", "input", "version"]
    assert "どの欄が違うかは分かりません" in found[1][1]


def test_edited_manifest_is_told(run_of):
    seal = sealed(RUN)
    assert changes(seal, RUN) == ()
    edited = seal | {"catalog": RUN["catalog"], "time": "2020-01-01"}
    assert told(edited, RUN) == [
        ("manifest", "実行の記録（manifest.json）が、実行のあとに書き換えられています。")
    ]


@pytest.mark.parametrize(
    "broken",
    [
        {},
        {"inputs": 3, "settings": [], "options": None, "libraries": "x", "cpu": 1},
        RUN | {"fingerprints": {"issues": {"columns": 3, "rows": 5}}},
        RUN | {"fingerprints": {"issues": "x"}, "inputs": {"issues": {"sha256": 5}}},
    ],
)
def test_whatever_stands_in_a_manifest_is_compared_without_a_trace(broken, run_of):
    changes(broken, run_of(ISSUES))
    assert changes(broken, broken) == ()
