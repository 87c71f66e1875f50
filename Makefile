# Everything a newcomer types. `make run` and `make test` do all the set-up.
SHELL := /bin/sh
VENV ?= .venv
BIN := $(VENV)/bin
PYTHONS := 3.14 3.13 3.12 3.11
PYTHON ?= $(shell for p in python3 $(addprefix python,$(PYTHONS)); do \
  $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)

# Programs start often here. Without bytecode each start would compile the whole house again.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help run test demo check lint docs lock bench soak fresh pythons images deb release clean

help: ## what there is to type
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 10

run: $(VENV)/.run ## install, then watch from this machine; page and metrics on http://127.0.0.1:10100
	$(BIN)/shutwatch run

# Six at a time, however few processors there are: the longest wait for packets, and come first
# (tests/conftest.py). A file's tests stay together, for the labs they share. In a fresh checkout one
# process compiles the tests first: six would each do it all at the same time.
test: $(VENV)/.dev ## install, also what the tests need, then run every test
	@sh requirements/test-tools.sh
	@sh requirements/prometheus.sh $(VENV)/prometheus
	@[ -d tests/__pycache__ ] || $(BIN)/python -m pytest --collect-only -q $(ARGS) >/dev/null || :
	PATH="$(abspath $(VENV))/prometheus/usr/bin:$$PATH" $(BIN)/python -m pytest -n 6 --dist loadfile --no-loadscope-reorder $(ARGS)

demo: $(VENV)/.run ## install, then watch an invented country block X: no root, no internet, a minute
	$(BIN)/shutwatch demo $(ARGS)

lint: $(VENV)/.dev ## style, types and import rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

check: lint test ## lint and test: what a commit must pass

docs: $(VENV)/.dev ## the documents as a site, which the program then serves at /docs
	$(BIN)/zensical build

bench: $(VENV)/.dev ## measure the prober beside what a user would pick instead, and a fleet
	$(BIN)/python benchmarks/probe.py
	$(BIN)/python benchmarks/fleet.py

soak: $(VENV)/.dev ## the long proofs, hours; writes their output under docs/
	$(BIN)/python -m pytest -m soak $(ARGS)
	$(BIN)/python -m pytest -m hypothesis --hypothesis-profile=soak --timeout=0 $(ARGS)

fresh: ## try the first hour, run and test on a new Debian machine (SUITE=trixie); needs root and debootstrap
	ARGS="$(ARGS)" sh tests/fresh/run.sh

pythons: ## unit tests with each supported Python that is here
	@for version in $(PYTHONS); do \
	  python$$version -c '' 2>/dev/null || { echo "python$$version is not here"; continue; }; \
	  $(MAKE) test VENV=.venv-$$version PYTHON=python$$version ARGS="tests/unit $(ARGS)" || exit; \
	done

LOCK = $(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url --no-emit-find-links --no-annotate
# What `make run` uses: archives need 85 MB more, and few have any.
EXTRAS = notify report spreadsheet
# What typer asks for to paint on a terminal. An agent never does (monitor/cli/main.py).
PAINTING = rich pygments markdown-it-py mdurl

lock: $(VENV)/.dev ## pin every dependency again, with hashes
	$(BIN)/python -m pip install -q uv
	$(LOCK) --all-extras pyproject.toml -o requirements/full.lock
	$(LOCK) -c requirements/full.lock $(addprefix --extra ,$(EXTRAS)) pyproject.toml -o requirements/run.lock
	$(LOCK) -c requirements/build.lock requirements/release.in requirements/build.in -o requirements/release.lock
	$(LOCK) -c requirements/full.lock $(addprefix --no-emit-package ,$(PAINTING)) requirements/agent.in -o requirements/agent.lock
	$(LOCK) --all-extras --group dev -c requirements/full.lock pyproject.toml -o requirements/dev.lock

images: ## pin the images of Dockerfile and compose files by content, as the registry has them now
	sh requirements/pin-images.sh

# Tools of their own, so that nothing of a developer's environment is in a release.
release: .venv-release/.made ## wheel, source, Debian package, SBOM, SHA-256 and signature (RELEASE_KEY=…) into dist/release
	sh requirements/release.sh "$(CURDIR)/.venv-release/bin/python" dist/release

deb: .venv-release/.made ## a Debian package for this machine's release of Debian, into dist
	sh requirements/deb.sh "$(CURDIR)/.venv-release/bin/python" dist

.venv-release/.made: requirements/release.lock
	$(PYTHON) -m venv .venv-release
	.venv-release/bin/pip install -q --no-compile --disable-pip-version-check --require-hashes -r requirements/release.lock
	@touch $@

clean: ## remove the environment and caches
	rm -rf $(VENV) .venv-* dist build monitor/server/site .cache .pytest_cache .mypy_cache .ruff_cache .import_linter_cache

# Debian's python3 comes without ensurepip; say so, or install it where we may.
$(VENV)/bin/pip:
	@test -n "$(PYTHON)" || { echo "shutwatch needs Python 3.11 or newer: apt-get install python3" >&2; exit 2; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || sh requirements/ensure-venv.sh $(PYTHON)
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.run: $(VENV)/bin/pip requirements/run.lock requirements/build.lock pyproject.toml
	@echo "Installing shutwatch and its libraries into $(VENV): 300 MB, a minute or two, only this once"
	@$(BIN)/pip install -q --disable-pip-version-check --require-hashes -r requirements/build.lock -r requirements/run.lock
	@$(BIN)/pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: $(VENV)/.run requirements/dev.lock
	@echo "Installing what developers need besides: 700 MB, only this once"
	@$(BIN)/pip install -q --disable-pip-version-check --require-hashes -r requirements/dev.lock
	@touch $@
