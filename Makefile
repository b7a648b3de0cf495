# Each target does its own set-up, once: it needs make and Python 3.11+ with venv, nothing else.

VENV ?= .venv
PYTHON ?=
LOCKED := requirements
BIN := $(VENV)/bin
SOURCES := $(foreach d,chord actors tests examples benchmarks,$(if $(wildcard $d/*.py $d/*/*.py),$d))
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.PHONY: check quick test peers lint types bench demo lock clean redis-server node curl chromium

check: quick lint types

quick: $(VENV)/.locked-dev
	HYPOTHESIS_PROFILE=quick $(BIN)/python -m pytest -q -m "not slow and not server"

test: $(VENV)/.locked-dev redis-server node curl chromium
	$(BIN)/python -m pytest

peers: $(VENV)/.locked-peers redis-server
	$(BIN)/python -m pytest -q tests/benchmarks/test_peers.py

lint: $(VENV)/.locked-dev
	$(BIN)/python -m ruff check .

types: $(VENV)/.locked-dev
	$(BIN)/python -m mypy $(SOURCES)

bench: $(VENV)/.locked-peers redis-server
	$(BIN)/python -m benchmarks $(or $(ARGS),all --quick)

demo: $(VENV)/.locked-demo
	$(BIN)/python -m examples.demo $(ARGS)

redis-server:
	@.ci/install redis-server redis-server "what needs a real Redis"

node:
	@.ci/install node nodejs "the tests of the JavaScript client"

curl:
	@.ci/install curl curl "what asks the door by curl"

chromium:
	@.ci/install chromium chromium "what is tested in a browser"

# What is locked: `make lock` keeps the versions that still fit, `make lock ARGS=--upgrade` does not.
COMPILE = $(BIN)/python -m uv pip compile --quiet --universal --python-version 3.11 \
	--generate-hashes --annotation-style line --no-emit-index-url --no-emit-find-links \
	--custom-compile-command "make lock" $(ARGS)

lock: $(VENV)/.locked-lock
	$(COMPILE) pyproject.toml --group dev -o $(LOCKED)/dev.txt
	$(COMPILE) pyproject.toml --group peers -c $(LOCKED)/dev.txt -o $(LOCKED)/peers.txt
	$(COMPILE) pyproject.toml --group demo -c $(LOCKED)/dev.txt -o $(LOCKED)/demo.txt
	$(COMPILE) --group build -c $(LOCKED)/dev.txt -o $(LOCKED)/build.txt
	$(COMPILE) --group lock -o $(LOCKED)/lock.txt

clean:
	rm -rf .venv .venv-* .hypothesis .mypy_cache .pytest_cache .ruff_cache build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# -- set-up: one stamp for each set of packages ---------------------------------------------------

$(VENV)/.locked-dev $(VENV)/.locked-demo $(VENV)/.locked-peers: $(VENV)/.locked-%: $(LOCKED)/%.txt $(VENV)/.locked-build pyproject.toml
	$(PIP_INSTALL) --require-hashes -r $<
	$(PIP_INSTALL) --no-build-isolation --no-deps --editable .
	@touch $@

$(VENV)/.locked-build $(VENV)/.locked-lock: $(VENV)/.locked-%: $(LOCKED)/%.txt | $(BIN)/python
	$(PIP_INSTALL) --require-hashes -r $<
	@touch $@

$(BIN)/python:
	@for candidate in "$(PYTHON)" python3 python3.13 python3.12 python3.11 python3.14; do \
		if "$$candidate" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' \
			2>/dev/null; then exec "$$candidate" -m venv --clear $(VENV); fi; \
		if [ -n "$(PYTHON)" ]; then break; fi; \
	done; \
	echo "Python 3.11 or newer with its venv module is needed$(if $(PYTHON),; PYTHON=$(PYTHON) is not that)." >&2; \
	echo "Install it (on Debian: python3 and python3-venv), or say where it is: make PYTHON=/path/to/python3" >&2; \
	exit 1
