# Davylamp: one command each. `make help` lists them.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Tests start the command some hundred times: each would compile all modules anew.
unexport PYTHONDONTWRITEBYTECODE
PIP := $(BIN)/python -m pip --disable-pip-version-check -q

.DEFAULT_GOAL := help
.PHONY: help setup scan example check test test-live test-rest docs golden new bench requirements lint types layers system clean

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/.runtime ## virtual environment in .venv with the davylamp command

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(0 if (3, 11) <= sys.version_info < (3, 15) else "davylamp needs Python 3.11 to 3.14: make PYTHON=python3.11 setup")'
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.runtime: requirements/runtime.txt pyproject.toml | $(VENV)/bin/python
	@echo "setting up .venv (once)"
	@$(PIP) install --require-hashes -r requirements/runtime.txt
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: requirements/dev.txt $(VENV)/.runtime
	@$(PIP) install --require-hashes -r requirements/dev.txt
	@touch $@

$(VENV)/.spark: requirements/spark.txt $(VENV)/.dev
	@$(PIP) install --require-hashes -r requirements/spark.txt
	@touch $@

scan: setup ## scan the sample evidence: the story here, the page in davylamp-report.html
	@$(BIN)/davylamp scan examples/story --format html --output davylamp-report.html || test $$? -eq 4
	@$(BIN)/davylamp scan examples/story || test $$? -eq 4
	@echo; echo "The same as a page: davylamp-report.html"

example: $(VENV)/.dev ## make the sample evidence anew: a real SSH server, our own miner and pool, cut off from the world
	@$(BIN)/python -m examples.make

check: $(VENV)/.dev lint types layers ## under a minute: lint, types, layers, house rules, rooms
	@$(BIN)/python -m pytest tests/meta tests/rooms -m "not slow" -n 2

# Tests that look at this machine wait most of their time, and one after another: beside the others they cost no time.
# The checks of types take one core for most of a minute: the tests have the other meanwhile.
test: system $(VENV)/.spark ## everything that CI runs: lint, types, layers, test-live and test-rest side by side
	@$(MAKE) --no-print-directory --jobs=3 --output-sync=line --keep-going lint layers types test-live test-rest

test-live: $(VENV)/.spark ## tests that look at this machine or play on it, one after another
	@$(BIN)/python -m pytest -m live --durations=15

test-rest: $(VENV)/.spark ## all other tests, on two cores
	@$(BIN)/python -m pytest -m "not live" -n 2 --dist worksteal --durations=15

lint: $(VENV)/.dev
	@$(BIN)/ruff format --check -q . && $(BIN)/ruff check -q .

types: $(VENV)/.dev
	@$(BIN)/mypy --no-error-summary

layers: $(VENV)/.dev
	@$(BIN)/lint-imports --no-cache > /tmp/davylamp-layers.$$$$ 2>&1 || { cat /tmp/davylamp-layers.$$$$; rm -f /tmp/davylamp-layers.$$$$; exit 1; }; rm -f /tmp/davylamp-layers.$$$$

system: ## Debian packages that the tests use (browser, SSH server, Java)
	@tools/system_packages.sh

docs: $(VENV)/.dev ## write docs/reference anew from the units' docstrings
	@$(BIN)/python -m tools.reference

golden: $(VENV)/.dev ## write tests/golden anew from the data sets beside the checkout (or in DAVYLAMP_DATA)
	@$(BIN)/python -m tools.golden

new: $(VENV)/.dev ## scaffold a unit with failing cases: make new KIND=detection NAME=my_unit
	@$(BIN)/python -m tools.new_unit "$(KIND)" "$(NAME)"

bench: $(VENV)/.dev ## measure against named baselines; results in bench/results
	@$(BIN)/python -m bench

requirements: $(VENV)/.dev ## pin the requirement files anew, with hashes and without addresses
	@tools/pin_requirements.sh

clean: ## remove what the commands above made
	@rm -rf $(VENV) davylamp-report.html .mypy_cache .ruff_cache .pytest_cache .hypothesis
