"""The house keeps its own rules: one door an engine, short rooms, a docstring on what is public."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "matcher"
FILES = sorted(PACKAGE.rglob("*.py"))
TREES = {path.relative_to(PACKAGE).as_posix(): ast.parse(path.read_bytes()) for path in FILES}

# The rooms of training, which only a command that trains comes into: there torch is at home.
TRAINING = {"embed/layers.py", "embed/reader_training.py", "embed/training.py"} & TREES.keys()
DOORS = {
    "bm25s": {"index/lexical.py"},
    "duckdb": {"segments.py", "tables/objects.py", "views.py"},
    "faiss": {"index/dense.py", "index/engine.py", "index/lists.py"},
    "fugashi": {"text.py"},
    "ir_measures": {
        *("evaluation/__init__.py", "evaluation/bounds.py"),
        *("evaluation/comparison.py", "evaluation/measures.py"),
    },
    "jinja2": {"report/page.py"},
    "krippendorff": {"agreement.py"},
    "openvino": {"embed/graph.py"},
    "python_calamine": {"tables/sheets.py"},
    "sentence_transformers": {"embed/cross.py", "embed/sentence.py"},
    "statsmodels": {"agreement.py", "evaluation/intervals.py"},
    "tokenizers": {"embed/tokenizer.py"},
    "torch": {"embed/cross.py", "embed/sentence.py", *TRAINING},
    "xlsxwriter": {
        f"report/{room}.py" for room in ("corrected", "guide", "labels", "sheets", "workbook")
    },
}
# Seconds each: imported where they are needed, never when a module is.
HEAVY = {
    *("krippendorff", "openvino", "scipy", "sentence_transformers", "sklearn", "statsmodels"),
    *("torch", "transformers"),
}
PUBLIC = {
    *("read_issues", "read_companies", "load_encoder", "Catalog", "Matcher"),
    *("Constraint", "Shortlist", "load_run", "evaluate"),
}


def imported(node):
    """The modules that an import statement names."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        return [node.module or ""]
    return []


def is_type_checking(node):
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


def run_time(tree):
    """Every node but those that only a type checker reads."""
    for child in ast.iter_child_nodes(tree):
        if not is_type_checking(child):
            yield child
            yield from run_time(child)


def at_import(tree):
    """Every node that runs when the module is imported."""
    for child in ast.iter_child_nodes(tree):
        is_later = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        if not is_type_checking(child) and not is_later:
            yield child
            yield from at_import(child)


def users(package, walk):
    """The rooms that import a package or a part of it."""
    return {
        room
        for room, tree in TREES.items()
        for node in walk(tree)
        if any(name.split(".")[0] == package for name in imported(node))
    }


def publics(tree):
    """Public functions and classes of a module, and the public methods of those classes."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            yield node.name, node
            for inner in node.body if isinstance(node, ast.ClassDef) else ():
                if isinstance(inner, ast.FunctionDef) and not inner.name.startswith("_"):
                    yield f"{node.name}.{inner.name}", inner


def python(code):
    """What a fresh interpreter prints as JSON."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("engine", DOORS)
def test_engine_has_one_door(engine):
    assert users(engine, run_time) == DOORS[engine]


@pytest.mark.parametrize("engine", sorted(HEAVY))
def test_heavy_engine_is_imported_inside_a_function_only(engine):
    assert users(engine, at_import) - TRAINING == set()


def test_rooms_of_training_are_entered_inside_a_function_only():
    names = {Path(room).stem for room in TRAINING}
    for room in TREES.keys() - TRAINING:
        for node in at_import(TREES[room]):
            told = {name.split(".")[-1] for name in imported(node)}
            if isinstance(node, ast.ImportFrom) and node.module == "matcher.embed":
                told |= {alias.name for alias in node.names}
            assert not names & told, room


def test_pandas_is_nowhere():
    assert users("pandas", ast.walk) == set()


def test_nothing_inside_imports_the_package_root():
    for room, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                assert "matcher" not in imported(node), room
            if isinstance(node, ast.ImportFrom):
                assert node.level == 0, room
                if node.module == "matcher":  # a room of it, not one of its public names
                    for alias in node.names:
                        inside = PACKAGE / alias.name
                        assert inside.is_dir() or inside.with_suffix(".py").exists(), room


def test_help_imports_nothing_heavy():
    code = (
        "import contextlib, io, json, sys\n"
        "from matcher.cli import main\n"
        "with contextlib.redirect_stdout(io.StringIO()) as told, contextlib.suppress(SystemExit):\n"
        "    main(['--help'])\n"
        "assert 'match' in told.getvalue()\n"
        "print(json.dumps(sorted(name.split('.')[0] for name in sys.modules)))\n"
    )
    slow = {"numpy", "faiss", "openvino", "duckdb", "sklearn", "torch", "scipy", "fugashi", "bm25s"}
    assert not slow & set(python(code))


def test_import_of_the_package_imports_no_room():
    code = (
        "import json, sys, matcher\n"
        "print(json.dumps([name for name in sys.modules if name.startswith('matcher.')]))"
    )
    assert python(code) == []


def test_public_names_are_those_of_all_and_each_resolves():
    code = (
        "import json, sys\nspace = {}\n"
        "exec('from matcher import *', space)\n"
        "del space['__builtins__']\n"
        "print(json.dumps({name: [type(value).__name__, value.__module__, bool(value.__doc__)]\n"
        "                  for name, value in space.items()}))"
    )
    found = python(code)
    names = ast.literal_eval(
        next(
            node.value
            for node in TREES["__init__.py"].body
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
        )
    )
    assert set(found) == set(names)
    assert len(names) == len(set(names))
    assert names == sorted(names)
    assert set(names) >= PUBLIC
    for name, (kind, home, has_docstring) in found.items():
        assert home.startswith("matcher."), name
        assert kind in ("type", "function", "_ProtocolMeta"), name
        assert has_docstring, name


def test_evaluate_is_the_function_whatever_was_imported_first():
    code = (
        "import json, matcher.evaluation, matcher.job, matcher.cli\n"
        "for name in reversed(matcher.__all__):\n    getattr(matcher, name)\n"
        "print(json.dumps(callable(matcher.evaluate)))"
    )
    assert python(code) is True


def test_unknown_name_is_refused():
    code = (
        "import json, matcher\n"
        "try:\n    matcher.Macher\n"
        "except AttributeError as error:\n    print(json.dumps(str(error)))"
    )
    assert python(code) == "module 'matcher' has no attribute 'Macher'"


def test_the_walk_is_at_most_forty_lines():
    (match,) = (node for name, node in publics(TREES["pipeline.py"]) if name == "Matcher.match")
    assert match.end_lineno - match.lineno + 1 <= 40


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_no_file_is_over_400_lines(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400


def test_no_room_is_a_drawer():
    drawers = {"util", "utils", "helper", "helpers", "common", "misc", "base", "core"}
    assert not drawers & {path.stem for path in FILES}
    assert not drawers & {path.parent.name for path in FILES}


@pytest.mark.parametrize("room", TREES)
def test_every_public_name_has_a_docstring(room):
    assert ast.get_docstring(TREES[room]), "the room itself"
    bare = [name for name, node in publics(TREES[room]) if not ast.get_docstring(node)]
    assert bare == []


@pytest.mark.parametrize("room", TREES)
def test_no_assert_and_no_bare_except_outside_tests(room):
    for node in ast.walk(TREES[room]):
        assert not isinstance(node, ast.Assert), node.lineno
        assert not (isinstance(node, ast.ExceptHandler) and node.type is None), node.lineno


def test_only_exceptions_inherit_from_our_classes():
    ours = {
        n.name for tree in TREES.values() for n in ast.walk(tree) if isinstance(n, ast.ClassDef)
    }
    for room, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef) and room != "errors.py":
                assert not ours & {ast.unparse(base) for base in node.bases}, node.name
