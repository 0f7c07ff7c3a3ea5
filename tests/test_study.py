import json

import pytest
from examples import COMPANIES, ISSUES, changed, write_table
from python_calamine import CalamineWorkbook

from matcher.errors import MatcherError
from matcher.job import Options, match_tables
from matcher.rerun import ablate_run
from matcher.run import load_run
from matcher.settings import Settings
from matcher.study import study


@pytest.fixture(autouse=True)
def encoder(quick):
    return quick


def silent(label, total):
    return lambda done: None


@pytest.fixture
def run(issues_csv, companies_csv, tmp_path):
    match_tables(issues_csv, companies_csv, tmp_path / "out", Options(), silent)
    return tmp_path / "out"


@pytest.fixture
def other(issues_csv, companies_csv, tmp_path):
    options = Options(settings=Settings(dense_weight=0.01))
    match_tables(issues_csv, companies_csv, tmp_path / "other", options, silent)
    return tmp_path / "other"


@pytest.fixture
def qrels(tmp_path):
    path = tmp_path / "qrels.tsv"
    path.write_text("i-1 0 c-02 3\ni-2 0 c-01 3\ni-3 0 c-03 3\ni-6 0 c-01 1\n", encoding="utf-8")
    return path


def test_a_folder_tells_of_its_issues_by_itself(run, other, qrels):
    found = study(run, qrels, against=[other], is_sliced=True)
    assert found.titles["i-1"] == ISSUES[0]["課題名"]
    assert found.evaluation.others.keys() == {"other"}
    sizes = found.evaluation.slices["自治体の規模"]
    assert sum(len(group.issues) for group in sizes.values()) == 4
    assert found.evaluation.slices["状態"].keys() == {"候補あり", "候補なし", "内容不足"}


def test_a_trec_file_needs_a_table_to_be_sliced(run, qrels, issues_csv, companies_csv):
    with pytest.raises(MatcherError, match="--issues"):
        study(run / "run.trec", qrels, is_sliced=True)
    found = study(
        run / "run.trec", qrels, columns=["受付経路"], issues=issues_csv, companies=companies_csv
    )
    assert list(found.evaluation.slices) == ["受付経路"]
    both = study(
        run / "run.trec", qrels, is_sliced=True, issues=issues_csv, companies=companies_csv
    )
    assert {"言葉の重なり", "SDGs"} <= both.evaluation.slices.keys()


def test_two_runs_of_one_name_are_told_apart(run, qrels, tmp_path):
    again = tmp_path / "again" / "out"
    again.parent.mkdir()
    again.symlink_to(run)
    found = study(run, qrels, against=[run, again])
    assert found.evaluation.others.keys() == {str(run), str(again)}


def test_worse_is_told_for_any_measure_and_arm(run, qrels):
    assert not study(run, qrels, against=[run]).is_worse(0.0)
    assert not study(run, qrels).is_worse(0.0)


# A run done again


def test_ablation_of_a_run_begins_with_the_run_itself(run, qrels, issues_csv, companies_csv):
    stages = []

    def stage(label, total):
        stages.append(label)
        return lambda done: None

    found = ablate_run(run, issues_csv, companies_csv, qrels, stage)
    judged = study(run, qrels).evaluation
    assert found.product.values == judged.values
    assert found.effects[-1].variant.kind == "arm"  # the encoder as it was published
    assert stages[-1] == "一つずつ変えて並べ直し中"


def test_other_tables_than_those_of_the_run_are_refused(
    run, qrels, tmp_path, issues_csv, companies_csv
):
    issues = write_table(tmp_path / "i2.csv", changed(ISSUES, 0, 課題名="別の題"))
    with pytest.raises(MatcherError, match=r"課題の表 .*i2\.csv は、この実行に使った"):
        ablate_run(run, issues, companies_csv, qrels, silent)
    companies = write_table(tmp_path / "c2.csv", changed(COMPANIES, 0, 企業名="別の名"))
    with pytest.raises(MatcherError, match=r"企業の表 .*c2\.csv は、この実行に使った"):
        ablate_run(run, issues_csv, companies, qrels, silent)


def test_a_run_with_a_bridge_of_its_own_asks_for_a_catalog(run, qrels, issues_csv, companies_csv):
    manifest = json.loads((run / "manifest.json").read_text(encoding="utf-8"))
    manifest["options"]["bridge"] = "自前.csv"
    (run / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    with pytest.raises(MatcherError, match=r"自前\.csv"):
        ablate_run(run, issues_csv, companies_csv, qrels, silent)
    assert load_run(run).manifest["options"]["bridge"] == "自前.csv"


# The command


def test_command_prints_writes_a_workbook_and_guards(
    call, run, other, qrels, tmp_path, issues_csv, companies_csv
):
    status, shown, errors = call(
        "evaluate", run, qrels, "--against", other, "--slices", "--ablate", "--issues", issues_csv,
        "--companies", companies_csv, "--guard", "0.01", "--out", tmp_path / "評価.xlsx",
    )  # fmt: skip
    assert (status, errors) == (0, [])
    for told in ("判定次第の幅", "other との差", "一つずつ変えたとき", "意味の近さ なし", "僅差"):
        assert told in shown
    book = CalamineWorkbook.from_path(tmp_path / "評価.xlsx")
    assert {"指標", "比較", "課題別", "区分別", "感度", "説明"} <= set(book.sheet_names)
    status, _, errors = call("evaluate", run, qrels, "--out", tmp_path / "評価.xlsx")
    assert (status, ["すでにあります" in line for line in errors]) == (2, [True])
    assert call("evaluate", run, qrels, "--out", tmp_path / "評価.csv")[0] == 2
    assert call("evaluate", run, qrels, "--ablate")[0] == 2


def test_guard_ends_with_one_where_quality_fell_beyond_chance(call, tmp_path):
    issues = [f"i{n}" for n in range(20)]
    (tmp_path / "qrels").write_text("".join(f"{i} 0 x 3\n" for i in issues), encoding="utf-8")
    for name, second in (("good", 1), ("poor", 3)):
        lines = [f"{i} Q0 {c} 1 {s} m\n" for i in issues for c, s in (("x", 2), ("y", second))]
        (tmp_path / name).write_text("".join(lines), encoding="utf-8")
    good, poor = tmp_path / "good", tmp_path / "poor"
    against = ("evaluate", poor, tmp_path / "qrels", "--against", good)
    assert call(*against, "--guard", "0.01")[0] == 1
    assert call(*against)[0] == 0
    assert call(*against, "--guard", "1.1")[0] == 0
    assert call("evaluate", poor, tmp_path / "qrels", "--guard", "0.01")[0] == 2
    assert call(*against, "--guard", "-1")[0] == call(*against, "--guard", "nan")[0] == 2
    turned = ("evaluate", good, tmp_path / "qrels", "--against", poor, "--guard", "0")
    assert call(*turned)[0] == 0


def test_json_is_whole_and_nothing_else_is_printed(call, run, qrels, issues_csv, companies_csv):
    status, shown, errors = call(
        "evaluate", run, qrels, "--json", "--ablate", "--issues", issues_csv,
        "--companies", companies_csv,
    )  # fmt: skip
    found = json.loads(shown)
    assert (status, errors) == (0, [])
    assert found["ablation"]["effects"][0]["variant"] == {
        "name": "dense", "kind": "off", "factor": 0.0,
    }  # fmt: skip
    assert found["bounds"]["nDCG@10"].keys() == {"least", "low", "high"}
