# `make demo` shows autolog at work, `make test` checks all of it. Both set up what they need.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.NOTPARALLEL:
.PHONY: demo test test-core test-frameworks services lint bench bench-programs clean

demo: $(VENV)/.demo
	@BIN="$(abspath $(BIN))" sh examples/demo.sh

test: $(VENV)/.frameworks services lint
	$(BIN)/python -m pytest -n 2 --dist loadfile

# Without the frameworks: set up and done in a minute. Where they are installed, it tests with their values too.
test-core: $(VENV)/.dev
	$(BIN)/python -m pytest -n 2 tests/core

# A browser and a database, which the tests of the server start for themselves; without them those tests are skipped.
services:
	@{ command -v chromium && ls /usr/lib/postgresql/*/bin/initdb; } >/dev/null 2>&1 || sh .ci/apt.sh chromium postgresql || true

# The oldest and the latest supported version of each named framework, in environments below .venv-frameworks/, and one
# outside of what is supported. Takes its time; `make test-frameworks ONLY=keras` is one framework.
test-frameworks: $(VENV)/.dev
	$(BIN)/python tests/frameworks/matrix.py $(ONLY)

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(VENV)/.dev
	$(BIN)/python -m benchmarks

# Public programs, bare and under autolog.
bench-programs: $(VENV)/.frameworks
	$(BIN)/python -m benchmarks.programs --repeat 3 $(ONLY)

clean:
	rm -rf $(VENV) .venv-frameworks build dist *.egg-info

# A stamp each, so that pip runs only when pyproject.toml changes.
$(VENV)/.demo: pyproject.toml | $(VENV)/bin/pip
	$(BIN)/pip install --quiet -e '.[ui,demo]'
	$(BIN)/python -m compileall -q autolog integrations backends
	@touch $@

$(VENV)/.dev: pyproject.toml | $(VENV)/bin/pip
	$(BIN)/pip install --quiet -e '.[dev]'
	$(BIN)/python -m compileall -q autolog integrations backends
	@touch $@

$(VENV)/.frameworks: pyproject.toml | $(VENV)/bin/pip
	$(BIN)/pip install --quiet -e '.[dev,frameworks]'
	$(BIN)/python -m compileall -q autolog integrations backends
	@touch $(VENV)/.dev $@

# Debian and Ubuntu ship python3 without venv; as root it is installed, otherwise the error says what to do.
$(VENV)/bin/pip:
	@command -v git >/dev/null || sh .ci/apt.sh git
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || sh .ci/apt.sh python3-venv
	$(PYTHON) -m venv $(VENV)
