# Everything a checkout can do. `make run` and `make test` are the two that matter; `make help` lists the rest.
export PYTHON ?= python3
PORT ?= 8080
VENV := .venv
BIN := $(VENV)/bin
INTEROP := tests/interop
PASTURE := fediverse-pasture-inputs==0.3.0
# Extra arguments for pytest: make test ARGS="-k signatures"
ARGS ?=

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help run run-reset test lint format catalogues changelog bench system clean

help:  ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /	/' | expand -t 14

run: $(VENV)/.run  ## start an instance at http://localhost:8080, made at the first call
	@$(BIN)/python tools/run.py --port $(PORT) instance

run-reset:  ## forget that instance and everything in it
	rm -rf instance

test: system $(VENV)/.dev $(if $(wildcard $(INTEROP)/package.json),$(INTEROP)/node_modules/.installed)  ## everything CI runs
	@$(MAKE) --no-print-directory lint
	@$(BIN)/python -m pytest $(ARGS)

lint: $(VENV)/.dev  ## style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/.dev  ## let the formatter have its way
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

catalogues: $(VENV)/.dev  ## bring fedi/locale in step with the sentences of code and templates, then check
	$(BIN)/python tools/catalogues.py

changelog: $(VENV)/.run  ## move the fragments in changes/ into CHANGELOG.md
	$(BIN)/python tools/changelog.py

bench: $(VENV)/.dev  ## measure; results in bench/results/
	$(BIN)/python -m bench $(ARGS)

system:  # what pip cannot bring: the browser, fonts for it, node
	@tools/system_packages.sh

clean:  ## remove what was built, not the instance
	rm -rf $(VENV) $(INTEROP)/node_modules build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "fedi needs Python 3.11 or newer; make PYTHON=...")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.run: pyproject.toml | $(BIN)/python
	$(BIN)/pip install -q --disable-pip-version-check -e .
	@touch $@

# The inputs come without their dependencies, which pin an old cryptography; tests/support/pasture.py stands in.
$(VENV)/.dev: pyproject.toml Makefile | $(BIN)/python
	$(BIN)/pip install -q --disable-pip-version-check -e '.[dev]'
	$(BIN)/pip install -q --disable-pip-version-check --no-deps $(PASTURE)
	@touch $@ $(VENV)/.run

$(INTEROP)/node_modules/.installed: $(wildcard $(INTEROP)/package.json $(INTEROP)/package-lock.json)
	cd $(INTEROP) && if [ -f package-lock.json ]; then npm ci --no-audit --no-fund; else npm install --no-audit --no-fund; fi
	@touch $@
