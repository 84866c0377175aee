.DEFAULT_GOAL := help

PYTHON ?= python3
URL ?= http://localhost:8000
PHOTOS ?=
BENCH ?=
PEERS ?=
SECONDS ?= 600
UPGRADE ?=
NAME ?=

# An index for torch besides pip's own, whose torch for Linux brings gigabytes of CUDA.
# For an NVIDIA GPU: rm -rf .venv && make setup TORCH_INDEX=https://download.pytorch.org/whl/cu130
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu

# Test groups. Two Ray clusters must not run side by side. Those in IN_TURN start one each and wait more than they compute: they run one
# after the other, and the groups in BESIDE, which start none, run at the same time. Those in ALONE start one and get the whole machine.
IN_TURN := infra tune
BESIDE := unit openvino ui house client
ALONE := serve browser
ALL_GROUPS := $(IN_TURN) $(BESIDE) $(ALONE)
WORKERS ?= 2
RESULTS := build/test-results
PART := --no-print-directory --keep-going IN_PARTS=1
PYTEST = $(if $(IN_PARTS),GROUPS_FILE=$(RESULTS)/$(@:test-%=%)) $(BIN)/python -m pytest

# AVX2=1 runs the kernels for AVX2 where the processor has AVX-512 too: they round differently. The names are PyTorch's and MKL's,
# oneDNN's (PyTorch and OpenVINO) and NumPy's.
ifdef AVX2
export ATEN_CPU_CAPABILITY := avx2
export MKL_ENABLE_INSTRUCTIONS := AVX2
export DNNL_MAX_CPU_ISA := AVX2
export ONEDNN_MAX_CPU_ISA := AVX2
export NPY_DISABLE_CPU_FEATURES := X86_V4 AVX512_ICL AVX512_SPR
endif

BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -qq

# Local wheels (pip's find-links) come first: they need no network, and an unreachable index costs no timeout. Dependencies are left
# out because they come from pip's own index, as locked.
with_torch_index = { $(PIP) $(1) --no-deps --no-index 2> /dev/null || $(PIP) $(1) --no-deps --extra-index-url $(TORCH_INDEX); }

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: .venv/.installed ## Create .venv for the service and the training
setup-dev: .venv/.installed-dev ## Add what tests and checks need

serve: setup ## Run the service and its page on http://localhost:8000 (or API_HOST and API_PORT)
	@if command -v npm > /dev/null; then \
	  $(MAKE) --no-print-directory page || echo 'The page could not be built: the service runs without it, or with the previous build' >&2; \
	else echo 'npm is not installed, so the page is not built: the service runs without it' >&2; fi
	@exec $(BIN)/python -m serve_app --end-with-parent

page: ui/dist/index.html ## Build the page into ui/dist

page-api: setup ui/node_modules/.installed ## Generate the page's request types from the service's OpenAPI document
	@$(BIN)/python -m serve_app.commands.openapi_document > ui/openapi.json
	@cd ui && npm run --silent api

screenshots: setup-dev ## Take the README's screenshots of the page
	@$(BIN)/python -m pytest tests/browser/make_screenshots.py

test: ## Run all checks and tests; STRICT=1 turns each skip into a failure
	@rm -rf $(RESULTS) && mkdir -p $(RESULTS)
# What several groups use, side by side. Without the page or checkov, tests say so.
	@$(MAKE) --no-print-directory --jobs=2 setup-dev checkov $(shell command -v npm > /dev/null && echo page) || \
	  $(MAKE) --no-print-directory setup-dev
	@$(MAKE) $(PART) --jobs=2 --output-sync=target lint typecheck in-turn $(addprefix test-,$(BESIDE)) || touch $(RESULTS)/failed
	@$(MAKE) $(PART) --jobs=1 $(addprefix test-,$(ALONE)) || touch $(RESULTS)/failed
	@$(BIN)/python -m tests.support.groups $(addprefix $(RESULTS)/,$(ALL_GROUPS)) && test ! -e $(RESULTS)/failed || \
	  { echo 'make test failed: look for *** above' >&2; exit 1; }

in-turn:
	@for group in $(IN_TURN); do $(MAKE) $(PART) test-$$group || failed=1; done; test -z "$$failed"

test-unit: setup-dev ## Test single modules, with WORKERS=2 processes
	@$(PYTEST) --numprocesses=$(WORKERS) --dist=loadfile tests/unit
# Its own process: OpenVINO and training in one process have crashed.
test-openvino: setup-dev ## Test the OpenVINO runtime
	@$(PYTEST) tests/openvino
test-house: setup-dev ## Test documentation, lock files, import contracts and tracked files
	@$(PYTEST) tests/house
test-client: setup-dev ## Test the Python client and its command
	@$(PYTEST) --config-file pyproject.toml -p tests.support.groups clients/python/tests
test-infra: setup-dev checkov ## Test the Dockerfile, manifests, Terraform and deploy.sh
	@$(PYTEST) tests/infra
test-tune: setup-dev ## Test hyper-parameter search on a local Ray cluster
	@$(PYTEST) tests/tune
test-serve: setup-dev ## Test the service on a local Ray cluster
	@$(PYTEST) tests/serve
test-ui: setup-dev ## Test the page without a browser
	@$(PYTEST) tests/ui
test-browser: setup-dev ## Test the page and the service in a browser
	@$(PYTEST) tests/browser

smoke: export URL := $(URL)
smoke: export PHOTOS := $(PHOTOS)
smoke: setup ## Smoke-test a running service: URL=http://... PHOTOS=folder
	@$(BIN)/python -m serve_app.commands.smoke "$$URL" $${PHOTOS:+"$$PHOTOS"}

checkov: .venv-checkov/.installed ## Install checkov, which looks at terraform/, in an environment of its own

keys: export NAME := $(NAME)
keys: setup ## Make an API key: NAME=whose
	@$(BIN)/python -m serve_app.commands.keys "$$NAME"

bench: setup-dev $(if $(PEERS),.venv-peers/.installed) ## Benchmark the service; PEERS=1 adds other servers, BENCH passes options to python -m benchmarks run
	@$(BIN)/python -m benchmarks run $(if $(PEERS),--peers) $(BENCH)

soak: setup-dev ## Load the service for SECONDS=600 with good, bad and huge photos
	@$(BIN)/python -m benchmarks soak --seconds $(SECONDS)

lint: setup-dev ## Check style, format and import contracts
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/lint-imports

typecheck: setup-dev ## Check types
	@$(BIN)/mypy

format: setup-dev ## Format the code and apply safe fixes
	@$(BIN)/ruff check --fix-only
	@$(BIN)/ruff format

env-example: setup ## Write .env.example from the settings
	@$(BIN)/python -m serve_app.commands.env_example > .env.example

manifests: setup ## Write what k8s/ takes from serve_config.yaml and the service's environment
	@$(BIN)/python -m k8s.generate

module-docs: ## Write the READMEs of Terraform's modules from their variables, outputs and resources
	@$(PYTHON) -m cloud.module_docs

# The lock fits every build of torch, so `2.13.0+cpu` becomes `2.13.0`; it is resolved with a build that does not depend on CUDA.
# setuptools is locked too (--allow-unsafe), because it builds the project in .venv.
COMPILE = $(BIN)/pip-compile --quiet $(UPGRADE) --no-header --no-annotate --strip-extras --allow-unsafe --build-deps-for editable \
  --no-emit-index-url --no-emit-trusted-host --no-emit-find-links --find-links build/torch pyproject.toml
lock: setup-dev ## Write the lock files from pyproject.toml; UPGRADE=--upgrade takes newer versions
	@rm -rf build/torch
	@$(call with_torch_index,download --dest build/torch '$(shell grep -o 'torch[>=][^"]*' pyproject.toml)')
	@$(COMPILE) --output-file requirements.lock
	@$(COMPILE) --extra dev --constraint requirements.lock --output-file requirements-dev.lock
	@for lock in requirements.lock requirements-dev.lock; do \
	  sed -e 's/^\(torch==[^+]*\)+.*/\1/' -e '/^#/d' -e '/^$$/d' $$lock | LC_ALL=C sort > build/lock && mv build/lock $$lock; \
	done

.venv/.installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo '"$(PYTHON)" is older than Python 3.11. Name a newer one: make $(MAKECMDGOALS) PYTHON=python3.12' >&2; exit 1; }
	@test -x $(BIN)/python || { echo 'Creating .venv'; $(PYTHON) -m venv .venv; }
	@echo 'Installing requirements.lock: a few minutes the first time'
	@$(call with_torch_index,install $(shell grep '^torch==' requirements.lock))
	@$(PIP) install --requirement requirements.lock
	@$(PIP) install --no-deps --no-index --no-build-isolation --editable .
	@$(BIN)/python -m serve_app.commands.prepare_models || echo 'The models will be prepared when the service starts' >&2
	@touch $@

.venv/.installed-dev: requirements-dev.lock .venv/.installed
	@echo 'Installing requirements-dev.lock'
	@$(PIP) install --requirement requirements-dev.lock
	@touch $@

ui/node_modules/.installed: ui/package-lock.json ui/package.json
	@echo 'Installing ui/package-lock.json'
	@cd ui && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

ui/dist/index.html: ui/node_modules/.installed $(shell find ui/src ui/public ui/scripts ui/index.html ui/vite.config.ts ui/vite.offline.ts -type f -not -path 'ui/src/api/dist/*')
	@cd ui && npm run --silent build || { rm -f dist/index.html; exit 1; }

# The peers' own environment; they import what they share with us (torch, transformers) from .venv.
.venv-peers/.installed: benchmarks/peers/requirements.txt .venv/.installed
	@echo 'Installing $<'
	@test -x .venv-peers/bin/python || $(PYTHON) -m venv .venv-peers
	@rm -f .venv-peers/lib/*/site-packages/ours.pth && mkdir -p build
	@.venv-peers/bin/python -m pip --disable-pip-version-check -qq install --requirement $<
	@$(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))' > build/ours.pth
	@mv build/ours.pth "$$(.venv-peers/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')"
	@touch $@

# Its own environment: it pins an old boto3.
.venv-checkov/.installed: terraform/requirements-checkov.txt .venv/.installed
	@echo 'Installing $<'
	@test -x .venv-checkov/bin/python || $(PYTHON) -m venv .venv-checkov
	@.venv-checkov/bin/python -m pip --disable-pip-version-check -qq install --requirement $< && touch $@ || \
	  echo 'checkov could not be installed: its tests are skipped' >&2

.PHONY: help setup setup-dev serve page page-api screenshots test in-turn $(addprefix test-,$(ALL_GROUPS)) smoke checkov keys bench soak lint typecheck format env-example manifests module-docs lock
