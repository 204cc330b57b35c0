# Seedrail's tasks. `make help` explains them; each one installs what it needs first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Workers take tests from each other at the end, so that none waits for the slowest.
# Tests are compiled once, whatever the shell says of bytecode: to rewrite their asserts takes each worker seconds.
PYTEST := env -u PYTHONDONTWRITEBYTECODE $(BIN)/python -m pytest -n auto --dist worksteal -q

.DEFAULT_GOAL := help
.PHONY: help install dev seed rollback test test-rest test-long bench docs reference format lint types alembic-check check clean

help: ## Show this help
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: ## Create .venv with the pinned dependencies and the project
	@scripts/environment "$(PYTHON)" $(VENV) ""

dev: ## Add what tests and checks need
	@scripts/environment "$(PYTHON)" $(VENV) dev

seed: install ## Bring the database (DATABASE_URL, or a SQLite file) to the newest schema and seeds
	$(BIN)/python -m app.scripts.db.seed

rollback: install ## Take the seeds back; schema and users' data stay
	$(BIN)/python -m app.scripts.db.rollback_seed

test: dev ## Run the tests on SQLite and on a real PostgreSQL (TEST_POSTGRES_URL uses yours)
	$(PYTEST) -m "not long"

test-rest: dev ## Run the tests that `make test` leaves out: more of the same kinds, five minutes
	$(PYTEST) -m long

test-long: dev ## Run all tests, with thousands of generated examples: an hour
	HYPOTHESIS_PROFILE=long $(PYTEST)

bench: ## Measure against the limits and the usual ways (BENCH="--sizes 2000 --rounds 2" for less)
	@scripts/environment "$(PYTHON)" $(VENV) dev,bench
	$(BIN)/python -m benchmarks $(BENCH)

docs: dev ## Build the documentation as a site, in build/docs; a warning is an error
	$(BIN)/python -m sphinx -W -n --keep-going --fresh-env -q -b html -d build/doctrees docs build/docs
	@echo "build/docs/index.html is its first page"

reference: dev ## Write what pages say of the code (settings, commands, exit codes, formats) anew
	$(BIN)/python -m scripts.reference

format: dev ## Format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lint: dev ## Check format and lint
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: dev ## Check types
	$(BIN)/mypy

alembic-check: dev ## Fail where models or seed documents have changes that no revision ships
	@set -e; dir=$$(mktemp -d); trap 'rm -rf "$$dir"' EXIT; \
	export DATABASE_URL="sqlite:///$$dir/check.db"; \
	$(BIN)/alembic upgrade head 2>/dev/null && $(BIN)/alembic check

check: lint types alembic-check docs test ## Everything that must pass: format, lint, types, alembic check, docs, tests

clean: ## Remove .venv, caches and the built site; the database stays
	rm -rf $(VENV) .mypy_cache .ruff_cache .hypothesis build *.egg-info
