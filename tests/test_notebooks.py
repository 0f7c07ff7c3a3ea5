import ast
import importlib
import json
import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
MOST_OUTPUT = 1_500_000  # bytes a notebook: it is read in a browser and kept in the repository
LONGEST_FUNCTION = 5  # lines; what is longer belongs to the library
# /home/…, C:\Users\…: of the machine on which it ran. A page of the web has letters before it.
ABSOLUTE = re.compile(r"(?<![\w.:/<~-])/[A-Za-z]\w*/\w|\b[A-Z]:\\")

every_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


@pytest.fixture(scope="module")
def fonts():
    """What matplotlib knows of fonts, kept on disk; a notebook that makes it first complains."""
    return importlib.import_module("matplotlib.font_manager").fontManager


def code_of(path):
    cells = nbformat.read(path, as_version=4).cells
    return [cell for cell in cells if cell.cell_type == "code"]


def complaints(cells):
    """What went to stderr, such as a warning that a font lacks a glyph, and whatever failed."""
    outputs = [output for cell in cells for output in cell.get("outputs", ())]
    return [one for one in outputs if one.get("name") == "stderr" or one.output_type == "error"]


def texts(cells):
    """The text that the cells gave, pictures left out."""
    for cell in cells:
        for output in cell.outputs:
            yield output.get("text", "")
            yield from (
                value
                for kind, value in output.get("data", {}).items()
                if kind.startswith("text/") and isinstance(value, str)
            )


def files():
    """Every file that a notebook can reach, with its size and the time of its last change."""
    folders = ("notebooks", "data", "benchmarks")
    found = [path for folder in folders for path in (ROOT / folder).rglob("*") if path.is_file()]
    kept = [path for path in found if "__pycache__" not in path.parts]
    return {path: (path.stat().st_size, path.stat().st_mtime_ns) for path in kept}


@every_notebook
# Third-party parts of the notebook client warn of their own futures.
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_a_notebook_runs_to_its_end_without_a_complaint_and_leaves_the_checkout_as_it_was(
    path, fonts, remembered_path
):
    before = files()
    notebook = nbformat.read(path, as_version=4)
    remember = (
        f"import sys\nsys.path.append({str(ROOT / 'tests')!r})\n"
        f"import remembered\nremembered.install({str(remembered_path)!r})"
    )
    notebook.cells.insert(0, nbformat.v4.new_code_cell(remember))
    resources = {"metadata": {"path": str(path.parent)}}
    NotebookClient(notebook, timeout=180, resources=resources).execute()
    assert any(cell.get("outputs") for cell in notebook.cells)
    assert not complaints(notebook.cells)
    assert files() == before


@every_notebook
def test_a_notebook_is_kept_with_its_outputs_so_that_it_can_be_read_without_running(path):
    code = code_of(path)
    assert code
    assert all(cell.outputs for cell in code)
    assert not complaints(code)


@every_notebook
def test_a_notebook_calls_the_library_and_defines_nothing_that_belongs_in_it(path):
    nodes = [node for cell in code_of(path) for node in ast.walk(ast.parse(cell.source))]
    functions = [one for one in nodes if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)]
    assert not [node.name for node in nodes if isinstance(node, ast.ClassDef)]
    long = [one.name for one in functions if one.end_lineno - one.lineno >= LONGEST_FUNCTION]
    assert not long
    imported = {name.name for node in nodes if isinstance(node, ast.Import) for name in node.names}
    imported |= {node.module for node in nodes if isinstance(node, ast.ImportFrom)}
    assert "matcher" in {name.split(".")[0] for name in imported if name}


@every_notebook
def test_a_notebook_tells_nothing_of_the_machine_it_ran_on_and_is_of_a_modest_size(path):
    code = code_of(path)
    told = "\n".join(texts(code))
    assert not ABSOLUTE.findall(told)
    assert "Traceback" not in told
    assert len(json.dumps([cell.outputs for cell in code]).encode()) <= MOST_OUTPUT


@pytest.mark.parametrize("told", ["/home/one/data.csv", "in '/tmp/out'", "C:\\Users\\one"])
def test_an_absolute_path_is_seen(told):
    assert ABSOLUTE.search(told)


@pytest.mark.parametrize("told", ["https://example.com/a/b", "../data/issues.csv", "<b>1</b>/2"])
def test_an_address_and_a_relative_path_are_no_absolute_path(told):
    assert not ABSOLUTE.search(told)


def test_the_shares_of_pairs_with_a_common_goal_are_those_of_the_data():
    told = "\n".join(texts(code_of(ROOT / "notebooks" / "02_data_and_sdgs.ipynb")))
    assert "課題 52 件、企業など 110 団体、判定 146 件" in told
    assert "80組のうち 97.5% が共有" in told  # 78 of 80
    assert "5,574組のうち 60.0% が共有" in told  # 52 × 110 - 146 pairs


def test_the_gains_in_the_notebook_on_training_are_those_that_were_measured():
    notebook = nbformat.read(ROOT / "notebooks" / "05_training.ipynb", as_version=4)
    shown = str([cell.get("outputs") for cell in notebook.cells])
    results = ROOT / "benchmarks" / "results" / "eval_stages.json"
    for name, systems in json.loads(results.read_text(encoding="utf-8"))["sets"].items():
        lead = systems["product"]["against"]["nDCG@10"]["difference"]
        assert f"| {name} |" in shown
        assert f"| {lead['mean']:+.3f} | [{lead['low']:+.3f}, {lead['high']:+.3f}] |" in shown
