# escalatord: what can be done with a checkout. `make help` lists it; everything else is in pyproject.toml.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
SHELL := /bin/sh

VENV := .venv
BIN := $(VENV)/bin
LOCK := .ci/requirements.lock
LOCK_DEV := .ci/requirements-dev.lock
JOBS ?= 2
ARGS ?=
SEED ?= 1
DAYS ?= 14
YEARS ?= 100

# The newest Python that is new enough. `make PYTHON=/path/to/python3 …` chooses another one.
PYTHON ?= $(shell for name in python3.13 python3.12 python3.11 python3 python; do \
	$$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && command -v $$name && break; done)
PIP_INSTALL = $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-input

.PHONY: help venv venv-dev demo test lint bench faults sim sim-long clean

help: ## this list
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1\t\2/p' Makefile | expand -t 18

venv: $(BIN)/.run ## what the daemon needs, in .venv, by locked hashes

venv-dev: $(BIN)/.dev ## the same, and what tests and linters need

demo: $(BIN)/.run ## a whole company on this machine: alerts in, simulated phones out
	$(BIN)/escalatord demo $(ARGS)

test: $(BIN)/.dev ## every test (ARGS="-k ack" for some)
	$(BIN)/python -m pytest -n $(JOBS) --dist loadgroup $(ARGS)

lint: $(BIN)/.dev ## style, types, architecture, locks
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	@if grep -nE '[a-z+]+://|^ *(-i|-f|--(extra-)?index|--find-links|--trusted-host)' $(LOCK) $(LOCK_DEV); then \
		echo 'A lock file names an address: packages must come from wherever pip is configured to look.' >&2; exit 1; fi

bench: $(BIN)/.dev ## speed, printed; compare only figures of one run
	$(BIN)/python -m tests.bench $(ARGS)
	$(BIN)/python -m pytest tests/bench/speed_of_check.py -q -s -p no:randomly

faults: $(BIN)/.dev ## kills and starves the real process
	$(BIN)/python -m tests.faults.run $(ARGS)

sim: $(BIN)/.dev ## one simulated stretch on call, its trace and its hash (SEED=7 DAYS=14)
	$(BIN)/python -m tests.sim.years --seed $(SEED) --days $(DAYS)

sim-long: $(BIN)/.dev ## a hundred simulated years, 100,000 races, a death at every point; hours
	$(BIN)/python -m tests.sim.years --years $(YEARS) --seed $(SEED) --days $(DAYS)
	$(BIN)/python -m tests.sim.years.races --times 100000 --seed $(SEED)
	$(BIN)/python -m tests.sim.years.crashes
	$(BIN)/python -m tests.sim.years.crashes --unasked
	$(BIN)/python -m tests.faults.power --cuts 5000 --seed $(SEED)

clean: ## remove what was made here, .venv included
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache .coverage*
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@if [ -z "$(PYTHON)" ]; then \
		echo 'escalatord needs Python 3.11 or newer, and none was found. On Debian 12: apt install python3 python3-venv' >&2; \
		exit 1; fi
	@if ! "$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then \
		echo 'escalatord needs Python 3.11 or newer; $(PYTHON) is older.' >&2; exit 1; fi
	@if ! "$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null; then \
		echo '$(PYTHON) cannot make virtual environments. On Debian and Ubuntu: apt install python3-venv' >&2; exit 1; fi
	"$(PYTHON)" -m venv $(VENV)

# Stamps: a second `make test` installs nothing. A changed lock installs what changed.
$(BIN)/.run: $(LOCK) pyproject.toml | $(BIN)/python
	$(PIP_INSTALL) --require-hashes -r $(LOCK)
	$(PIP_INSTALL) --no-deps --no-build-isolation -e .
	@touch $@

$(BIN)/.dev: $(LOCK_DEV) $(BIN)/.run
	$(PIP_INSTALL) --require-hashes -r $(LOCK_DEV)
	@touch $@
