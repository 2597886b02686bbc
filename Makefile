# `make up` starts the example application, `make test` runs the tests (`make test-machines` includes the longest ones).
# Plain make and a POSIX shell; everything else is installed into .venv.

PYTHON ?= python3
ENVIRONMENT ?= dev
PYTEST_ARGS ?=
MUTANTS_SINCE ?= origin/main

VENV := .venv
BIN := $(VENV)/bin
REPORTS := .artifacts
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

# One process per processor: with more, machines booted so slowly that probes timed out. Tests that share a machine stay together.
ON_ENGINES := tests/contract tests/scenarios tests/unit/backends -n 2 --dist loadscope

# Behind a proxy that inspects TLS, the system's CA bundle contains the proxy's CA, pip's own does not.
SYSTEM_BUNDLE := $(firstword $(wildcard /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt /var/lib/ca-certificates/ca-bundle.pem))
ifneq ($(SYSTEM_BUNDLE),)
PIP_CERT ?= $(SYSTEM_BUNDLE)
export PIP_CERT
endif

# With this variable set, each of the tests' many processes would compile all its imports again.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help up test test-here test-elsewhere test-oldest test-containers test-usual-machines test-machines soak mutants check lint unit-first unit-rest bench docs pins wheel clean
.DELETE_ON_ERROR:

help: ## show this
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST)

up: $(VENV)/.runtime ## install everything missing and bring the example up
	$(BIN)/envctl doctor --fix
	$(BIN)/envctl up $(ENVIRONMENT)

test: $(VENV)/.dev ## run the suite, on a real engine and on virtual machines; takes about an hour on two cores
	@mkdir -p $(REPORTS)
	$(BIN)/envctl doctor --fix
	.ci/test-packages
	MAKE="$(MAKE)" .ci/stages $(REPORTS) "lint test-here test-elsewhere" "test-containers test-usual-machines"

test-here: $(VENV)/.dev
	$(BIN)/pytest -m "not engine" -n 2 --dist worksteal --junitxml=$(REPORTS)/quick.xml $(PYTEST_ARGS)

test-containers: $(VENV)/.dev
	$(BIN)/pytest -m "engine and not machines" $(ON_ENGINES) --junitxml=$(REPORTS)/engine.xml $(PYTEST_ARGS)

test-usual-machines: $(VENV)/.dev
	$(BIN)/envctl doctor --backend vagrant --fix
	$(BIN)/pytest -m "machines and not long" $(ON_ENGINES) --junitxml=$(REPORTS)/machines.xml $(PYTEST_ARGS)

test-elsewhere: $(VENV)/.dev ## run the quick tests on other versions of Python, and as an ordinary user
	.ci/elsewhere $(BIN)/python

test-oldest: $(VENV)/.dev ## run the quick tests with the oldest packages that pyproject.toml allows
	.ci/oldest $(BIN)/python

test-machines: $(VENV)/.dev ## run all tests on virtual machines, the longest included
	$(BIN)/envctl doctor --backend vagrant --fix
	$(BIN)/pytest -m machines $(ON_ENGINES) --junitxml=$(REPORTS)/machines.xml $(PYTEST_ARGS)

soak: $(VENV)/.dev ## kill a hundred runs, plant each difference by itself, compare untouched environments; takes hours
	@mkdir -p $(REPORTS)
	$(BIN)/envctl doctor --backend vagrant --fix
	$(BIN)/pytest tests/soak -s --junitxml=$(REPORTS)/soak.xml $(PYTEST_ARGS)

mutants: $(VENV)/.dev ## put small faults into the modules changed since MUTANTS_SINCE; make mutants MUTANTS_SINCE=all takes hours
	nice $(BIN)/python -m tests.mutation $(if $(filter all,$(MUTANTS_SINCE)),--all,--since $(MUTANTS_SINCE))

check: $(VENV)/.dev ## static checks and the quick unit tests side by side, with a tenth of the examples
	$(MAKE) --no-print-directory -j3 --output-sync=target unit-first unit-rest lint

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Two halves, one process each. If processes shared the tests, each would collect all of them and parse the whole package.
QUICKLY := $(BIN)/pytest -m "not engine and not slow" -q --hypothesis-profile=quick
FIRST := tests/architecture tests/unit/backends tests/unit/host tests/unit/imports tests/unit/lock tests/unit/plan tests/unit/planner
# The tests chosen by PYTEST_ARGS may all be in the other half.
NONE_IN_IT := [ "$$?/$(if $(PYTEST_ARGS),chosen)" = 5/chosen ]

unit-first: $(VENV)/.dev
	$(QUICKLY) $(FIRST) $(PYTEST_ARGS) || $(NONE_IN_IT)

unit-rest: $(VENV)/.dev
	$(QUICKLY) tests/unit $(FIRST:%=--ignore=%) $(PYTEST_ARGS) || $(NONE_IN_IT)

bench: $(VENV)/.dev ## measure, and print the numbers
	$(BIN)/python -m bench

docs: $(VENV)/.dev ## generate the reference pages
	$(BIN)/python docs/generate.py

wheel: $(VENV)/.dev ## build the wheel into dist/
	$(PIP) wheel --no-deps --no-build-isolation --wheel-dir dist .

clean: ## remove everything that these commands created here; running environments stay up
	rm -rf $(VENV) $(REPORTS) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

# --- the virtual environment ------------------------------------------------------------

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "$(PYTHON) is missing or older than 3.11; name another: make PYTHON=python3.12 …" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { \
	  echo "$(PYTHON) cannot make virtual environments; on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.runtime: requirements.txt requirements-build.txt pyproject.toml | $(VENV)/bin/python
	$(PIP) install --require-hashes -r requirements-build.txt -r requirements.txt
	$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: requirements-dev.txt $(VENV)/.runtime
	$(PIP) install --require-hashes -r requirements-dev.txt
	@touch $@

# --- pins -------------------------------------------------------------------------------

# Look up the versions again. See docs/decisions/pins.md.
COMPILE = pip-compile --quiet --upgrade --generate-hashes --allow-unsafe --strip-extras --no-header --no-annotate \
  --no-emit-index-url --no-emit-find-links --no-emit-trusted-host --no-emit-options

pins: ## renew the pinned versions and their hashes
	rm -rf build/pins && $(PYTHON) -m venv build/pins
	build/pins/bin/pip --quiet --disable-pip-version-check install pip-tools
	PIP_CONFIG_FILE=/dev/null PIP_FIND_LINKS= build/pins/bin/$(COMPILE) -o requirements.txt pyproject.toml
	PIP_CONFIG_FILE=/dev/null PIP_FIND_LINKS= build/pins/bin/$(COMPILE) --extra dev -o requirements-dev.txt pyproject.toml
	PIP_CONFIG_FILE=/dev/null PIP_FIND_LINKS= build/pins/bin/$(COMPILE) --build-deps-for editable --only-build-deps \
	  -o requirements-build.txt pyproject.toml
	rm -rf build/pins
