# run: serve the lab on the address in .streamlit/config.toml
# develop: the same, watching files and keeping no figures, so that a change of the code is seen
# class: serve it on the network, for a teacher and students
# test: everything that .ci/run checks · bench · publish · format · clean
# Each target sets up .venv first, so all of them work from a fresh clone.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := run
.PHONY: run develop class test bench publish format clean system

PYTHON ?= python3.11 python3
BIN := .venv/bin
READY := .venv/ready

run: $(READY)
	$(BIN)/python -m pages.common.serve

develop: $(READY)
	IAL_PAGES_MB=0 $(BIN)/python -m pages.common.serve --server.fileWatcherType auto

class: $(READY)
	IAL_MODE=class $(BIN)/python -m pages.common.serve

# pytest comes last and sums up what it could not run.
test: $(READY) system
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy engine pages tests app.py asgi.py
	$(BIN)/pytest -n auto --dist worksteal

bench: $(READY)
	$(BIN)/python -m tests.benchmarks

publish: $(READY)
	$(BIN)/python -m engine publish

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Results, local and published, stay.
clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis test-output
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamp is written last: an interrupted set-up is taken up again, a finished one costs nothing.
$(READY): requirements.txt
	@for python in $(PYTHON); do \
		found=$$(command -v $$python) || continue; \
		$$found -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && break || found=; \
	done; \
	if [ -z "$${found:-}" ]; then \
		echo "Python 3.11 or newer is needed, and none of '$(PYTHON)' on the PATH is that." >&2; \
		echo "Install it, or name it: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)" >&2; \
		exit 1; \
	fi; \
	if ! $$found -c 'import ensurepip, venv' 2>/dev/null; then \
		$(call install,python3-venv) || { \
			echo "$$found cannot make virtual environments: install python3-venv." >&2; exit 1; }; \
	fi; \
	echo "Setting up .venv with $$found (once; PyTorch is a large download)"; \
	$$found -m venv .venv
	$(BIN)/python -m pip install --disable-pip-version-check -r requirements.txt
	@touch $@

# What the tests of the browser and of the proxy need from Debian.
system:
	@{ command -v caddy && command -v brotli; } >/dev/null || $(call install,caddy brotli) || \
		echo "Caddy is not installed and cannot be installed here: the proxy will not be tested."
	@command -v chromium >/dev/null || $(call install,chromium fonts-dejavu-core) || \
		echo "Chromium is not installed and cannot be installed here: tests/browser will not be run."

# Debian packages, where apt-get is there and nobody has to be asked for a password.
define install
{ as_root=; [ "$$(id -u)" = 0 ] || as_root="sudo -n"; \
	command -v apt-get >/dev/null && $$as_root true 2>/dev/null && \
	$$as_root apt-get update -qq </dev/null && \
	$$as_root env DEBIAN_FRONTEND=noninteractive \
		apt-get install -y -qq --no-install-recommends $(1) </dev/null; }
endef
