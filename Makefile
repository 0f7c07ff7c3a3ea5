# Everything runs in .venv, which the first target makes by itself.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo test check tried eval bench bench-full bundle bundle-torch

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

# For a closed network (docs/閉域網での導入.md). A list names every wheel by its path and its hash, so
# that pip looks for nothing; PYTHON is the version that the other machine has.
BUNDLE ?= dist/bundle
DIRECT := import tomllib; \
	asked = tomllib.load(open("pyproject.toml", "rb"))["project"]["dependencies"]; \
	print(*(each for each in asked if not each.startswith("sentence-transformers")), sep="\n")
LIST := sha256sum wheels/*.whl | sed -E 's|^([0-9a-f]+) +(.*)|./\2 --hash=sha256:\1|'
SEAL := sha256sum *.md *.txt wheels/*.whl > SHA256SUMS && du -sh . && sha256sum SHA256SUMS

bundle:  ## wheels of all that the bundled model needs, and how to install them without an index
	rm -rf "$(BUNDLE)/wheels" "$(BUNDLE)/with-torch.txt"
	mkdir -p "$(BUNDLE)"
	cp docs/閉域網での導入.md "$(BUNDLE)"
	$(PYTHON) -c '$(DIRECT)' > "$(BUNDLE)/without-torch.txt"
	$(PYTHON) -m pip wheel --quiet --constraint constraints.txt --wheel-dir "$(BUNDLE)/wheels" \
		--requirement "$(BUNDLE)/without-torch.txt"
	$(PYTHON) -m pip wheel --quiet --no-deps --wheel-dir "$(BUNDLE)/wheels" .
	cd "$(BUNDLE)" && $(LIST) > without-torch.txt
	cd "$(BUNDLE)" && $(SEAL)

bundle-torch: bundle  ## the same with torch and sentence-transformers, for other models and training
	$(PYTHON) -m pip wheel --quiet --constraint constraints.txt --wheel-dir "$(BUNDLE)/wheels" \
		--find-links "$(BUNDLE)/wheels" sentence-transformers
	cd "$(BUNDLE)" && $(LIST) > with-torch.txt
	cd "$(BUNDLE)" && $(SEAL)

# torch comes first and pinned: where a CPU build of it is at hand, that is taken, and the several
# gigabytes of GPU packages stay away. The default path never imports it.
$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet torch==2.13.0
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[test]'
	touch $(READY)
