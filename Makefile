# The words of this project. `make help` lists them.
PYTHON ?= python3
BIN := .venv/bin
RUN_ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help setup run demo test unit e2e check fix bench bench-three bench-spectators bench-latency lock clean

help: ## list these words
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

setup: .venv/.runtime web/static/vendor/.collected ## environment in .venv, browser libraries in web/static/vendor

run: setup ## set up and serve on http://localhost:8080
	$(BIN)/debate-bridge serve $(RUN_ARGS)

demo: setup ## set up, serve, and put one debate with two drawn debaters on air
	$(BIN)/debate-bridge demo $(RUN_ARGS)

test: .venv/.dev web/static/vendor/.collected web/node_modules/.dev ## set up, then every test: unit, component, browser
	tests/install-debian.sh
	cd web && npm test
	$(BIN)/python -m pytest

unit: .venv/.dev ## the tests that need no browser and no server
	$(BIN)/python -m pytest tests/unit tests/architecture

e2e: .venv/.dev web/static/vendor/.collected ## the tests in real browsers against real servers
	tests/install-debian.sh
	$(BIN)/python -m pytest tests/e2e

check: .venv/.dev web/node_modules/.dev web/static/vendor/.collected ## format, lint, types, import contracts, JavaScript types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	cd web && npm run --silent check

fix: .venv/.dev ## format and mend what can be mended
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: .venv/.dev setup ## print the tables that tests/bench/RESULTS.md keeps
	tests/install-debian.sh
	$(BIN)/python -m tests.bench

bench-three: .venv/.dev setup ## three debates at once for five minutes: what is skipped
	tests/install-debian.sh
	$(BIN)/python -m tests.bench three_debates

bench-spectators: .venv/.dev setup ## how many spectators one server answers in time, alone and behind Varnish
	tests/install-debian.sh
	$(BIN)/python -m tests.bench spectators

bench-latency: .venv/.dev setup ## from a debater's screen to a spectator's, by a clock burnt into the picture
	tests/install-debian.sh
	$(BIN)/python -m tests.bench latency

lock: .venv/.dev ## renew the lock files from requirements/*.in and web/package.json
	for name in build runtime dev; do \
	  $(BIN)/uv pip compile requirements/$$name.in --python-version 3.11 --universal --quiet \
	    --upgrade --generate-hashes --no-annotate --no-header --no-emit-index-url \
	    --no-emit-find-links -o requirements/$$name.lock || exit 1; \
	done
	cd web && npm install --package-lock-only

clean: ## remove everything that set-up made
	rm -rf .venv web/node_modules web/static/vendor .mypy_cache .ruff_cache .pytest_cache

.venv/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed")'
	$(PYTHON) -m venv .venv

.venv/.runtime: .venv/bin/python requirements/build.lock requirements/runtime.lock pyproject.toml
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/build.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/runtime.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

.venv/.dev: .venv/.runtime requirements/dev.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.lock
	touch $@

web/static/vendor/.collected: web/package-lock.json web/collect.mjs
	cd web && { [ -d node_modules ] || npm ci --silent --omit=dev; } && node collect.mjs
	touch $@

web/node_modules/.dev: web/package-lock.json
	cd web && npm ci --silent
	touch $@
