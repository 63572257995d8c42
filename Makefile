# Two commands do everything: `make demo` and `make test`. Both set up what they need and ask nothing.

SHELL := /bin/sh
PYTHON := .venv/bin/python
STATE := .demo
CASES ?=
ON_WINDOWS := agent steps windows linux/ssh linux/local.py linux/install.py

.PHONY: help demo demo-stop test check bench conformance clean

help:
	@echo 'make demo         watch two environments being deployed, and one rolled back'
	@echo 'make demo-stop    stop and remove what make demo made'
	@echo 'make test         format, lint, types, import rules, all tests'
	@echo 'make bench        speed and memory, as ratios measured in one run'
	@echo 'make conformance  CASES=DIR: run cases taken from the reference systems'

.PHONY: environment
environment:
	@linux/environment.sh

demo: environment
	@$(PYTHON) -m linux.demo start --state $(STATE)

demo-stop: environment
	@$(PYTHON) -m linux.demo stop --state $(STATE)

test: check
	$(PYTHON) -m pytest -q -n 3 --dist loadfile

check: environment
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy
	.venv/bin/mypy --platform win32 --cache-dir .mypy_cache/win32 $(ON_WINDOWS)
	.venv/bin/lint-imports

bench: environment
	@$(PYTHON) -m tests.bench

conformance: environment
	@test -n '$(CASES)' || { echo 'say where the cases are: make conformance CASES=DIR' >&2; exit 2; }
	@$(PYTHON) -m tests.conformance '$(CASES)'

clean: demo-stop
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
