# On a machine with python3 (and its venv module), git and make, these do all the set-up:
#   make demo     scan an example repository with planted secrets, audit a server with its live ones, and
#                 find attacks on it in its audit log
#   make test     lint, types, the whole suite; its core on every other interpreter found
#   make bench    measure keywatch beside its peers, into bench/RESULTS.md
#   make docs     write docs/rules/, a page for each rule, docs/coverage.md, and README's picture and peers
#   make lock     write action/*.lock, what the GitHub Action installs, by hashes
#   make coverage the suite again, and which branches it takes; half as long again
#   make lint     the linters alone: of Python, of the action and of the workflows
#   make clean    remove what the others made

PYTHON ?= python3
WORKERS ?= 2
VERSIONS ?= 3.11 3.12 3.13 3.14

# What another interpreter runs: what reads, matches, judges and reports. All of it takes minutes more.
CORE ?= tests/detect tests/inputs tests/report tests/test_document.py tests/cli/test_hook.py \
  tests/cli/test_baseline_command.py tests/cli/test_rules_command.py tests/policy/test_judge.py \
  tests/scan/test_exact.py tests/scan/test_files.py

# Each worker begins with half of the tests, in order: what those of a file share is mostly made once.
SHARED := -n $(WORKERS) --dist worksteal

VENV := .venv
BIN := $(VENV)/bin
DEMO := build/demo
PIP_FLAGS := --quiet --disable-pip-version-check

# $(call interpreter,3.12): the first of that version that can make an environment, else nothing.
interpreter = $(firstword $(foreach python,python$(1) $(wildcard $(HOME)/.pyenv/versions/$(1).*/bin/python$(1)),$(shell \
  $(python) -c 'import ensurepip, venv' 2>/dev/null && echo $(python))))
HERE = $(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])')
OTHERS = $(foreach version,$(filter-out $(HERE),$(VERSIONS)),$(if $(call interpreter,$(version)),$(version)))

.PHONY: help demo demo-audit demo-trail test test-here test-others coverage bench docs lock lint clean
.SECONDARY: # keep the stamps of environments that only patterns name

help:
	@sed -n 's/^#  *make/make/p' Makefile

demo: $(VENV)/installed
	@rm -rf $(DEMO) && mkdir -p $(DEMO)
	@$(BIN)/python examples/plant.py plant $(DEMO)/agentaskit
	$(BIN)/keywatch scan $(DEMO)/agentaskit --now "$$($(BIN)/python examples/plant.py now)" \
	  --report terminal=- --report json=$(DEMO)/keywatch.json --report sarif=$(DEMO)/keywatch.sarif \
	  || test $$? -eq 1
	@$(BIN)/python examples/plant.py check $(DEMO)/keywatch.json
	@echo "SARIF: $(DEMO)/keywatch.sarif"
	@$(MAKE) --no-print-directory demo-audit demo-trail

demo-audit: $(VENV)/auditing
	@$(BIN)/python -m examples.live $(DEMO)
	@echo "SARIF: $(DEMO)/audit.sarif"

demo-trail: $(VENV)/auditing
	@$(BIN)/python -m examples.trail $(DEMO)
	@echo "SARIF: $(DEMO)/trail.sarif"

test: lint test-here test-others

lint: $(VENV)/developing
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/check-jsonschema --quiet --builtin-schema vendor.github-actions action.yml
	$(BIN)/check-jsonschema --quiet --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(BIN)/actionlint
	$(BIN)/zizmor --quiet --offline action.yml .github

test-here: $(VENV)/developing
	$(BIN)/python -m pytest $(SHARED)

coverage: $(VENV)/developing
	@$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest $(SHARED)
	@$(BIN)/coverage combine --quiet
	@$(BIN)/coverage report

# Made when the recipe runs: looking for the interpreters starts every one of them.
test-others:
	$(eval FOUND := $(OTHERS))
	@echo "other interpreters: $(or $(FOUND),none found)"
	@$(foreach version,$(FOUND),$(MAKE) --no-print-directory test-$(version) && ) true

test-3.%: .venv-3.%/testing
	$(<D)/bin/python -m pytest $(SHARED) -m "not slow and not unmeasured" --hypothesis-profile short -q $(CORE)

bench: $(VENV)/developing
	$(BIN)/python -m pip install $(PIP_FLAGS) --editable '.[train]'
	$(BIN)/python bench/run.py

docs: $(VENV)/installed
	$(BIN)/python -m docs.generate

# Wheels alone, so that an installation runs no code; for all platforms; scan.lock has what audit.lock has.
LOCK := uv pip compile --quiet --no-config --upgrade --universal --python-version 3.11 --only-binary :all: \
  --generate-hashes --no-annotate --custom-compile-command 'make lock' \
  --extra archives --extra history pyproject.toml

lock: $(VENV)/developing
	$(BIN)/$(LOCK) --extra aws --extra azure --extra kubernetes --extra vault --output-file action/audit.lock
	$(BIN)/$(LOCK) --constraint action/audit.lock --output-file action/scan.lock

$(VENV)/installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install $(PIP_FLAGS) --editable .
	@touch $@

$(VENV)/auditing: $(VENV)/installed
	$(BIN)/python -m pip install $(PIP_FLAGS) --editable '.[demo]'
	@touch $@

$(VENV)/developing: $(VENV)/installed
	$(BIN)/python -m pip install $(PIP_FLAGS) --editable '.[dev]'
	@touch $@

.venv-3.%/testing: pyproject.toml
	$(call interpreter,3.$*) -m venv $(@D)
	$(@D)/bin/python -m pip install $(PIP_FLAGS) --editable '.[test]'
	@touch $@

clean:
	rm -rf .venv .venv-3.* build dist .coverage .coverage.* .mypy_cache .ruff_cache .pytest_cache .hypothesis \
	  tests/node_modules
