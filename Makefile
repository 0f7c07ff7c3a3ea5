# Everything runs in .venv, which the first target makes by itself.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo test check tried eval bench bench-full

demo: $(READY)  ## the main job on the data that ships with the project, into out/
	$(BIN)/matcher demo --out out

test: $(READY)  ## every test, with the share of lines they reach
	$(BIN)/pytest -n auto --maxprocesses=4 --dist worksteal --cov --cov-report=term --cov-fail-under=90

check: $(READY)  ## format, lint, types and import directions
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

tried: $(READY)  ## docs/tried.md, written by the tests that try bad input
	$(BIN)/pytest --write-tried $$(grep -l "tried(" tests/test_*.py)

eval: $(READY)  ## the systems side by side on the published cases
	$(BIN)/python benchmarks/eval_systems.py

bench: $(READY)  ## speed, the short versions
	$(BIN)/python benchmarks/bench_encode.py
	$(BIN)/python benchmarks/bench_match.py
	$(BIN)/python benchmarks/bench_search.py
	$(BIN)/python benchmarks/bench_batch.py
	$(BIN)/python benchmarks/bench_build.py
	$(BIN)/python benchmarks/bench_scaling.py
	$(BIN)/python benchmarks/bench_lexical.py
	$(BIN)/python benchmarks/bench_evaluate.py

bench-full: $(READY)  ## speed and precision, as quoted in the README; peers come with .[bench]
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[bench]'
	$(BIN)/python benchmarks/bench_precision.py
	$(BIN)/python benchmarks/bench_encode.py
	$(BIN)/python benchmarks/bench_match.py --full
	$(BIN)/python benchmarks/bench_search.py --full
	$(BIN)/python benchmarks/bench_batch.py --full
	$(BIN)/python benchmarks/bench_build.py --full
	$(BIN)/python benchmarks/bench_scaling.py --full
	$(BIN)/python benchmarks/bench_lexical.py --full
	$(BIN)/python benchmarks/bench_walk.py --full
	$(BIN)/python benchmarks/plots.py

# torch comes first and pinned: where a CPU build of it is at hand, that is taken, and the several
# gigabytes of GPU packages stay away. The default path never imports it.
$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet torch==2.13.0
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[test]'
	touch $(READY)
