# Needs Python >= 3.11, make and git; everything else is installed into .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
# The stages are started as `python stages/...`.
export PATH := $(CURDIR)/$(BIN):$(PATH)
# Two processes, which compute in one thread each, as does what they start; one that has run out of tests takes
# over half of what the other has left.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/pytest --numprocesses 2 --dist worksteal

.PHONY: repro restore test test-fast format check help

repro: $(INSTALLED) data  ## Run the pipeline on the embedded data set; a second time nothing is left to do.
	@test ! -L data || { echo "error: data is a symbolic link, and DVC would delete files behind it." >&2; \
		echo "  remedy: rm data (the link only), then set dataset.root in params.yaml to the folder itself" >&2; exit 1; }
	$(BIN)/dvc repro

restore: $(INSTALLED)  ## Bring the last run back that this machine's cache has, without running anything.
	$(BIN)/vireid restore

test: $(INSTALLED)  ## Run every test.
	$(PYTEST)

test-fast: $(INSTALLED)  ## Run the everyday tests.
	$(PYTEST) -m "not slow"

format: $(INSTALLED)  ## Format the code and mend what can be mended automatically.
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

check: $(INSTALLED)  ## Look for errors of style and types, and whether dvc.lock is what the pipeline would do.
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	@plan=$$($(BIN)/dvc repro --allow-missing --dry) && ! echo "$$plan" | grep --quiet "Running stage" || \
		{ echo "$$plan"; echo "error: DVC does not say that dvc.lock stands for this code and these parameters" >&2; \
		echo "  remedy: mend what it says above, or make repro, then commit dvc.lock and results" >&2; exit 1; }

help:  ## List what can be made.
	@grep -E '^[a-z-]+:.*  ## ' $(MAKEFILE_LIST) | sed 's/:.*  ## /\t/' | expand -t 12

data: | $(INSTALLED)
	$(BIN)/vireid synthesize data

$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(None if sys.version_info >= (3, 11) else "vireid needs Python 3.11 or later; name one with: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@
