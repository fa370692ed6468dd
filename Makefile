# Each target does its own set-up: on a fresh clone any of them is the first command. `make help` lists them.

PYTHON ?= python3
PY := .venv/bin/python
PYTEST := $(PY) -m pytest -q -n 4 --dist worksteal
export PORT

.DEFAULT_GOAL := help
.PHONY: help setup setup-dev run seed test test-postgres test-browser soak bench trial trouble lint messages lock

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' Makefile | column -t -s '|'

setup: ## .venv, packages, Pango and .env: after it `.venv/bin/python manage.py …` works
	@$(PYTHON) config/bootstrap.py

setup-dev:
	@$(PYTHON) config/bootstrap.py --dev

run: setup ## the whole portal on http://127.0.0.1:8000/ (PORT=8001 make run: on another port)
	@$(PY) manage.py portal

seed: setup ## the demo's unions, people and accounts into the database
	@$(PY) manage.py migrate --verbosity 0
	@$(PY) manage.py seed_demo

# Tables straight from the models: the migrations themselves run in test-postgres, and on SQLite in tests/config.
test: setup-dev ## the tests on the embedded parts: SQLite and Valkey
	@env -u DATABASE_URL -u REDIS_URL $(PYTEST) --nomigrations -m "not browser and not trouble"

test-postgres: setup-dev ## the same on PostgreSQL and Redis (DATABASE_URL and REDIS_URL, or those of this machine)
	@DATABASE_URL="$${DATABASE_URL:-postgres://postgres@127.0.0.1:5432/postgres}" \
	REDIS_URL="$${REDIS_URL:-redis://127.0.0.1:6379/9}" $(PYTEST) -m "not browser and not trouble and not once"

test-browser: setup-dev ## the tests that drive Debian's Chromium
	@env -u DATABASE_URL -u REDIS_URL $(PYTEST) --nomigrations -m browser

soak: setup-dev ## eight officers at once on the same people, two minutes on PostgreSQL (DATABASE_URL, or this machine's)
	@SOAK_SECONDS="$${SOAK_SECONDS:-120}" \
	DATABASE_URL="$${DATABASE_URL:-postgres://postgres@127.0.0.1:5432/postgres}" \
	REDIS_URL="$${REDIS_URL:-redis://127.0.0.1:6379/9}" $(PY) -m pytest -q tests/soak

bench: setup-dev ## the promises of docs/performance.md, measured (AREA=import|pages|search|paper|match, ON=postgresql|sqlite; all without)
	@$(PY) -m bench $(AREA) $(if $(ON),--on $(ON))

trial: setup-dev ## two web and two worker processes under load, one of each killed (MINUTES=10); ends with figures and a verdict
	@$(PY) -m bench.trial --minutes "$${MINUTES:-10}"

trouble: setup-dev ## the drills of docs/drills.md: servers of their own stopped, killed and filled up (as root)
	@env -u DATABASE_URL -u REDIS_URL $(PY) -m pytest -q -m trouble tests/trouble

lint: setup-dev ## style, imports downwards only, no missing migration
	@$(PY) -m ruff check --quiet .
	@$(PY) -m ruff format --quiet --check .
	@$(PY) -c "from importlinter.cli import lint_imports_command as lint; lint()"
	@$(PY) manage.py makemigrations --check --dry-run

messages: setup-dev ## collect the interface messages and compile them (needs gettext)
	@$(PY) manage.py makemessages --locale zh_Hans --no-location --no-wrap --no-obsolete --ignore .venv --ignore var
	@$(PY) manage.py compilemessages --locale zh_Hans --verbosity 0

lock: setup-dev ## the newest versions that pyproject.toml allows into requirements*.txt
	@CUSTOM_COMPILE_COMMAND="make lock" $(PY) -m piptools compile $(LOCK) --output-file requirements.txt pyproject.toml
	@CUSTOM_COMPILE_COMMAND="make lock" $(PY) -m piptools compile $(LOCK) --extra dev --constraint requirements.txt \
	--output-file requirements-dev.txt pyproject.toml
# --no-emit-…: package names only, no address of the index of whoever made it
LOCK := --quiet --upgrade --generate-hashes --strip-extras --allow-unsafe \
	--no-emit-index-url --no-emit-trusted-host --no-emit-find-links
