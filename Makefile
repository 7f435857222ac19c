# One word a task. Everything goes into .venv/ of this checkout; what is installed is said first.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
SANDBOX := $(BIN)/ecr-widgets sandbox
# Where it is set, as in many containers, every process compiles this checkout anew: a third of what a short run costs.
unexport PYTHONDONTWRITEBYTECODE
# What is slow to import and used by no notebook: a second of each process of pytest.
test: export PYTHONPATH := $(CURDIR)/tests/absent$(if $(PYTHONPATH),:$(PYTHONPATH))

.PHONY: help setup system test-system check test demo lab bench faults engines docs clean

help:  ## say what there is
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

system:
	@PYTHON='$(PYTHON)' scripts/system-packages engine

test-system:
	@scripts/system-packages tests

setup: $(READY)  ## install the pinned packages into .venv/

$(READY): constraints.txt pyproject.toml scripts/venv
	@scripts/venv $(PYTHON) $(VENV)
	@touch $@

check: $(READY)  ## format, lint, types, import arrows, docs that must be true
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/unit/test_import_arrows.py tests/unit/test_docs.py

test: system $(READY) test-system  ## all tests that need no more than this machine
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	@# While mypy has one core, the other compiles all tests: four workers would each do that at the same time.
	@# Four at a time, since tests often wait; a file of tests in one of them: notebooks and fixtures of a file belong together.
	@echo $(BIN)/mypy; $(BIN)/mypy & types=$$!; \
	$(BIN)/python -m pytest -q --collect-only >/dev/null 2>&1; \
	echo $(BIN)/python -m pytest -n 4 --dist loadfile; $(BIN)/python -m pytest -n 4 --dist loadfile; tests=$$?; \
	wait $$types || { echo "mypy: see above"; exit 1; }; exit $$tests

demo: system $(READY)  ## the release runbook on the embedded sandbox
	@$(SANDBOX) up
	@$(SANDBOX) exec -- $(BIN)/ecr-widgets run release
	@echo "open it with:   $(BIN)/jupyter lab $(if $(filter 0,$(shell id -u)),--allow-root )runs"
	@echo "stop it all:    make clean"

lab: system $(READY)  ## sandbox and JupyterLab on a desk of your own
	@$(SANDBOX) up
	@$(SANDBOX) exec -- $(BIN)/ecr-widgets lab --no-browser --ServerApp.ip=127.0.0.1

bench: system $(READY)  ## side by side with what people use today; writes build/bench.json
	@mkdir -p build
	$(BIN)/python -m tests.bench

faults: system $(READY)  ## the fault plan at full tries; writes build/faults.json
	$(BIN)/python -m tests.faults
	$(BIN)/python -m tests.faults.page

engines: system $(READY)  ## every step on every kind of engine; writes build/engines.json
	@# As root on Debian: engines of its suites are unpacked below build/, some 2 GB, and run beside this machine's own.
	$(BIN)/python -m tests.engines

docs: $(READY)  ## the documentation as pages with search, under build/docs/
	@scripts/docs $(VENV)
	@echo "open build/docs/index.html"

clean:  ## stop and remove whatever the others started or made
	@if [ -x $(BIN)/ecr-widgets ]; then $(SANDBOX) down || true; fi
	@if [ -d build/engines ] && [ -x $(BIN)/python ]; then $(BIN)/python -m tests.engines.daemons; fi
	rm -rf $(VENV) build runs .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
	@scripts/kept
