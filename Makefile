# Needs Python >= 3.11, make and git; everything else is installed into .venv.
PYTHON ?= python3
VENV := .venv
INSTALLED := $(VENV)/.installed
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)

.PHONY: repro test test-fast format check

repro: $(INSTALLED) data  ## Run the pipeline on the embedded data set; a second time nothing is left to do.
	dvc repro

test: $(INSTALLED)  ## Run every test.
	pytest

test-fast: $(INSTALLED)  ## Run the everyday tests.
	pytest -m "not slow"

format: $(INSTALLED)  ## Format the code and mend what can be mended automatically.
	ruff format .
	ruff check --fix .

check: $(INSTALLED)  ## Look for style errors, and whether dvc.lock is what the pipeline would do.
	ruff format --check .
	ruff check .
	dvc status --quiet

data: | $(INSTALLED)
	vireid synthesize data

$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(None if sys.version_info >= (3, 11) else "vireid needs Python 3.11 or later")'
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@
