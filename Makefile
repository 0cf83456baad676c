# Two commands do everything: `make run` opens the app, `make test` runs the checks and tests.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

OLDEST := .cache/transformers-oldest
NEWEST := .cache/newest
# Byte code is written at the first import: most of what is installed is never imported. It is
# written even where the shell forbids it, or else every start compiles for seven seconds.
unexport PYTHONDONTWRITEBYTECODE
INSTALL := $(BIN)/python -m pip install --quiet --no-compile
REQUIREMENTS := .ci/requirements.py
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest --dist worksteal

.PHONY: run test test-quick test-all test-slow test-oldest test-newest test-wheel check check-docs hooks
.PHONY: requirements constraints results report bench screenshots clean
.DELETE_ON_ERROR:

run: $(VENV)/.app  ## open the app, on PORT if given
	$(BIN)/python -m analysis app $(if $(PORT),--port $(PORT))

test: $(VENV)/.dev  ## what every change has to pass
	$(MAKE) --no-print-directory --jobs 2 check test-quick

# One process more than two cores: browsers, servers and workers are waited for.
test-quick: $(VENV)/.dev  ## the tests of `make test` without its checks
	$(PYTEST) -n 3 -m "not slow and not nightly"

test-all: $(VENV)/.dev check  ## everything, or what begins within BUDGET minutes
	$(PYTEST) -n 3 $(if $(BUDGET),--budget $(BUDGET))

test-slow: $(VENV)/.dev  ## what CI runs beside test, or what of it begins within BUDGET minutes
	$(PYTEST) -n 3 -m "slow and not nightly" $(if $(BUDGET),--budget $(BUDGET))

test-oldest: $(VENV)/.dev  ## what touches transformers, on the oldest minor that is admitted
	$(INSTALL) --no-deps --upgrade --target $(OLDEST) \
		"transformers$$(sed -n 's/^transformers>=\([0-9.]*\),.*/==\1.*/p' requirements.txt)"
	PYTHONPATH=$(OLDEST) $(PYTEST) -n 2 -m "not nightly and not weights" \
		tests/backbones/test_backbone.py tests/rerouting

test-newest:  ## the tests on the newest versions that pyproject.toml allows, beside constraints.txt
	$(MAKE) test VENV=$(NEWEST) CONSTRAINTS=

test-wheel: $(VENV)/.dev  ## the package built, installed in an environment of its own, and used
	$(BIN)/python -m pytest tests/system/test_wheel.py

check-docs: $(VENV)/.dev  ## links, commands, scripts and tables of the docs against the program
	$(PYTEST) -n 2 tests/test_docs.py tests/test_api.py tests/rerouting/test_families.py -m "not nightly"

check: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/typos
	$(BIN)/validate-pyproject pyproject.toml
	$(BIN)/lint-imports
	$(BIN)/mypy

hooks: $(VENV)/.dev  ## let git run the quick checks before every commit
	$(BIN)/pre-commit install

requirements: $(VENV)/.dev  ## make requirements.txt anew from pyproject.toml
	$(BIN)/python $(REQUIREMENTS)

constraints: $(VENV)/.dev  ## note the versions that are installed, once they have passed
	$(BIN)/python $(REQUIREMENTS) constraints

results: $(VENV)/.dev  ## compute the results that ship in assets/results anew
	$(BIN)/python -m benchmarks.shipped_results

report: $(VENV)/.app  ## compute the runs that are missing (KVE_CORPORA) and make docs/results.md anew
	$(BIN)/python -m benchmarks.report run

bench: $(VENV)/.app  ## measure the claims of docs/performance.md anew, on a machine that does nothing else
	$(BIN)/python -m benchmarks

screenshots: $(VENV)/.dev  ## take the pictures of the README anew
	$(BIN)/python -m tests.support.screenshots

CONSTRAINTS ?= --constraint constraints.txt

$(VENV)/.app: requirements.txt constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed")'
	$(PYTHON) -m venv $(VENV)
	$(INSTALL) --requirement requirements.txt $(CONSTRAINTS)
	$(BIN)/python $(REQUIREMENTS) list files > $(VENV)/files.txt
	$(INSTALL) --no-deps --requirement $(VENV)/files.txt $(CONSTRAINTS)
	$(BIN)/python -c 'import plotly.graph_objects, streamlit.web.bootstrap, umap, analysis.experiments.long_texts'
	touch $@

$(VENV)/.dev: $(VENV)/.app pyproject.toml
	$(BIN)/python $(REQUIREMENTS) list dev > $(VENV)/dev.txt
	$(INSTALL) --requirement $(VENV)/dev.txt $(CONSTRAINTS)
	touch $@

clean:
	rm -rf $(VENV) .cache .mypy_cache .ruff_cache .pytest_cache
