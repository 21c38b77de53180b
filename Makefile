# The whole interface for a contributor. Needs Python 3.11 or later (with venv) and make;
# every target sets up .venv by itself.

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test coverage lint format docs schema bench bench-quick bench-large soak browser screenshots interop lowest dist clean

help: ## show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 20

demo: .venv/runtime.stamp ## a tour: create, append, search, fork, export
	$(BIN)/chatledger demo

test: .venv/dev.stamp ## every test but the soaks
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist worksteal

# Apart from `test`, which it would slow down by a third.
coverage: .venv/dev.stamp ## the same, and which lines they reach
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist worksteal --cov --cov-report=term:skip-covered

lint: .venv/dev.stamp ## ruff (lint and format) and mypy --strict
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: .venv/dev.stamp ## let ruff write what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: .venv/dev.stamp ## the documentation as a site, in site/
	$(BIN)/mkdocs build --strict

schema: .venv/dev.stamp ## write what is made from the models and the revisions: models/tables.py, schema/*.sql
	$(BIN)/python -m tests.architecture.table_file
	$(BIN)/python -m tests.migrations.schema_files

bench: .venv/dev.stamp ## the speed table, as a ratio to raw drivers
	$(BIN)/python -m benchmarks

bench-quick: .venv/dev.stamp ## the same in under a minute
	$(BIN)/python -m benchmarks --quick

bench-large: .venv/dev.stamp ## the same with a million messages and their memory, for an hour
	$(BIN)/python -m benchmarks --large

# Overrides the time limit of an ordinary test, which a thousand kills would exceed.
soak: .venv/dev.stamp ## kills, crowds and random operations, for minutes
	$(BIN)/python -m pytest -m soak --timeout=3600 --junitxml=soak.xml
	$(BIN)/python -m pytest --hypothesis-profile=random --junitxml=soak-random.xml $$(grep -rl "^from hypothesis" tests)
	$(BIN)/python -m pytest --junitxml=soak-rest.xml $$($(BIN)/python -m tests.faults.safety_table --files)
	$(BIN)/python -m tests.faults.safety_table soak.xml soak-rest.xml

browser: .venv/dev.stamp ## what the tests need to look at pages in Chromium, which the system brings
	$(PIP) install -e '.[browser]'

screenshots: browser ## the pictures of the documentation, taken in Chromium
	mkdir -p docs/images
	CHATLEDGER_SCREENSHOTS=docs/images $(BIN)/python -m pytest tests/web/test_in_a_browser.py -k pictures

interop: .venv/runtime.stamp ## the adapters' tests, each with its framework in an environment of its own
	$(BIN)/python -m tests.interop.frameworks

lowest: .venv/dev.stamp ## the tests with the lowest versions that pyproject.toml allows, frameworks included
	$(BIN)/python -m tests.support.lowest
	$(BIN)/python -m tests.interop.frameworks --lowest

dist: .venv/dev.stamp ## the sdist and the wheel in dist/, installed into new environments, and the README and the pages followed
	$(BIN)/python -m tests.docs.installed

clean: ## remove .venv and everything generated
	rm -rf .venv .venv-dist .venv-interop .venv-lowest build dist htmlcov site .coverage .coverage.* .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# A stamp is younger than pyproject.toml when what it names is installed.

.venv/runtime.stamp: pyproject.toml | .venv/bin/python
	$(PIP) install -e .
	@touch $@

# Holds the runtime too, so that `make demo` after `make test` installs nothing.
.venv/dev.stamp: pyproject.toml | .venv/bin/python
	$(PIP) install -e '.[dev,postgres]'
	@touch .venv/runtime.stamp $@

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "chatledger needs Python 3.11 or later, and '$(PYTHON)' is not. Try: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; \
		exit 1; }
	@$(PYTHON) -m venv .venv || { rm -rf .venv; \
		echo "'$(PYTHON) -m venv' failed: install Python's venv module (on Debian and Ubuntu: python3-venv)." >&2; \
		exit 1; }
