# You need python3 (with its venv module), git and make. Each target installs what else it needs:
#   make demo     scan an example repository with planted secrets, review who may read which secret,
#                 audit a server with live ones, and find attacks in its log
#   make test     run the linters, the type checker and all tests that are not slow
#   make nightly  run all tests, also the slow ones, and the core tests on each other Python found
#   make bench    compare keywatch with other scanners and write bench/RESULTS.md
#   make docs     write docs/rules/, docs/coverage.md, and the picture and the comparison in README.md
#   make lock     write action/*.lock: the packages that the GitHub Action installs, with hashes
#   make coverage run all tests and measure branch coverage
#   make lint     run only the linters
#   make clean    remove everything that the other targets made

PYTHON ?= python3
WORKERS ?= 3
VERSIONS ?= 3.11 3.12 3.13 3.14

# The tests that run on other interpreters: reading, matching, judging and reporting.
CORE ?= tests/detect tests/inputs tests/report tests/test_document.py tests/cli/test_hook.py \
  tests/cli/test_baseline_command.py tests/cli/test_rules_command.py tests/policy/test_judge.py \
  tests/scan/test_exact.py tests/scan/test_files.py

# Each worker starts with a part of the tests, in order, so most fixtures of a file are built only once.
# A third of the time is waiting for servers, so three workers keep two cores busy.
PARALLEL := -n $(WORKERS) --dist worksteal

# Objects that have schemas of Kubernetes. tests/project/test_deploy_dask.py checks the others.
DASK := $(addprefix deploy/dask/,gitconfig.yaml job.yaml networkpolicy.yaml rbac.yaml)

VENV := .venv
BIN := $(VENV)/bin
DEMO := build/demo
PIP_FLAGS := --quiet --disable-pip-version-check

# $(call interpreter,3.12): the first Python 3.12 that can create environments, or nothing.
interpreter = $(firstword $(foreach python,python$(1) $(wildcard $(HOME)/.pyenv/versions/$(1).*/bin/python$(1)),$(shell \
  $(python) -c 'import ensurepip, venv' 2>/dev/null && echo $(python))))
HERE = $(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])')
OTHERS = $(foreach version,$(filter-out $(HERE),$(VERSIONS)),$(if $(call interpreter,$(version)),$(version)))

.PHONY: help demo demo-audit demo-trail test nightly test-all test-others coverage bench docs lock lint lint-deploy clean
.SECONDARY: # otherwise make deletes the stamp files of environments

help:
	@sed -n 's/^#  *make/make/p' Makefile

demo: $(VENV)/installed
	@rm -rf $(DEMO) && mkdir -p $(DEMO)
	@$(BIN)/python examples/story.py introduction $(DEMO)
	@$(BIN)/python examples/plant.py plant $(DEMO)/agentaskit
	@$(BIN)/python examples/story.py scan $(DEMO)
	$(BIN)/keywatch scan $(DEMO)/agentaskit --now "$$($(BIN)/python examples/plant.py now)" \
	  --report terminal=- --report json=$(DEMO)/keywatch.json --report sarif=$(DEMO)/keywatch.sarif \
	  || test $$? -eq 1
	@$(BIN)/python examples/plant.py check $(DEMO)/keywatch.json
	@$(BIN)/python examples/story.py access $(DEMO)
	$(BIN)/keywatch access review $(DEMO)/agentaskit || test $$? -eq 1
	@$(MAKE) --no-print-directory demo-audit demo-trail
	@$(BIN)/python examples/story.py summary $(DEMO)

demo-audit: $(VENV)/auditing
	@$(BIN)/python examples/story.py audit $(DEMO)
	@$(BIN)/python -m examples.live $(DEMO)

demo-trail: $(VENV)/auditing
	@$(BIN)/python examples/story.py trail $(DEMO)
	@$(BIN)/python -m examples.trail $(DEMO)

test: lint
	$(BIN)/python -m pytest $(PARALLEL) -m "not slow"

nightly: lint test-all test-others

lint: $(VENV)/developing lint-deploy
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/check-jsonschema --quiet --builtin-schema vendor.github-actions action.yml
	$(BIN)/check-jsonschema --quiet --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(BIN)/actionlint
	$(BIN)/zizmor --quiet --offline action.yml .github

# $(call with,tool,Debian package,command): run the command. Without the tool, CI fails, and a
# developer reads what was not checked.
with = @if command -v $(1) >/dev/null; then set -x; $(3); else \
  echo "NOT CHECKED: there is no $(1) (apt-get install $(2))"; test "$$CI" != true; fi

lint-deploy: $(VENV)/developing
	$(BIN)/hadolint deploy/Containerfile deploy/dask/Containerfile
	$(BIN)/shellcheck .ci/run hooks/* deploy/base/run.sh
	$(BIN)/kubernetes-validate --quiet --strict $(DASK)
	@mkdir -p build
	$(call with,kustomize,kustomize,kustomize build deploy/base -o build/deploy.yaml \
	  && $(BIN)/kubernetes-validate --quiet --strict build/deploy.yaml)
	$(call with,systemd-analyze,systemd,systemd-analyze verify deploy/systemd/*)
	$(call with,promtool,prometheus,promtool check rules docs/prometheus-rules.yaml)

test-all: $(VENV)/developing
	$(BIN)/python -m pytest $(PARALLEL)

coverage: $(VENV)/developing
	@$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest $(PARALLEL)
	@$(BIN)/coverage combine --quiet
	@$(BIN)/coverage report

# Evaluated only when this recipe runs, because the search starts each interpreter.
test-others:
	$(eval FOUND := $(OTHERS))
	@echo "other interpreters: $(or $(FOUND),none found)"
	@$(foreach version,$(FOUND),$(MAKE) --no-print-directory test-$(version) && ) true

test-3.%: .venv-3.%/testing
	$(<D)/bin/python -m pytest $(PARALLEL) -m "not slow and not unmeasured" --hypothesis-profile short -q $(CORE)

bench: $(VENV)/developing
	$(BIN)/python -m pip install $(PIP_FLAGS) --editable '.[train]'
	$(BIN)/python bench/run.py

docs: $(VENV)/installed
	$(BIN)/python -m docs.generate

# Only wheels, so that an installation runs no code; for all platforms. Both files lock the same versions.
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
