import importlib
import json
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


@pytest.fixture(scope="module")
def fonts():
    """What matplotlib knows of fonts, kept on disk; a notebook that makes it first complains."""
    return importlib.import_module("matplotlib.font_manager").fontManager


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
# Third-party parts of the notebook client warn of their own futures.
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_a_notebook_runs_to_its_end_without_a_complaint(path, fonts):
    notebook = nbformat.read(path, as_version=4)
    resources = {"metadata": {"path": str(path.parent)}}
    NotebookClient(notebook, timeout=300, resources=resources).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    assert outputs
    assert not [output for output in outputs if output.get("name") == "stderr"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_kept_with_its_outputs_so_that_it_can_be_read_without_running(path):
    notebook = nbformat.read(path, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert code
    assert all(cell.outputs for cell in code)
    assert not any("def " in cell.source or "class " in cell.source for cell in code)


def test_the_gains_in_the_notebook_on_training_are_those_that_were_measured():
    notebook = nbformat.read(ROOT / "notebooks" / "05_training.ipynb", as_version=4)
    shown = str([cell.get("outputs") for cell in notebook.cells])
    results = ROOT / "benchmarks" / "results" / "eval_stages.json"
    for name, systems in json.loads(results.read_text(encoding="utf-8"))["sets"].items():
        lead = systems["product"]["against"]["nDCG@10"]["difference"]
        assert f"| {name} |" in shown
        assert f"| {lead['mean']:+.3f} | [{lead['low']:+.3f}, {lead['high']:+.3f}] |" in shown
