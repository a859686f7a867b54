# `make demo` and `make test` do all their own set-up in .venv; what is already there is not done again.

PYTHON ?= python3
VENV ?= .venv
# Which PyTorch to install; TORCH=torch==X.Y.Z takes another one, one already in .venv is kept if it will do.
TORCH ?= torch
# Handed to pytest by `make test`, for example PYTEST_ARGS='-k journal -x'.
PYTEST_ARGS ?=

# The official vastai package pins cryptography and pillow to one release each: it has an environment of its own, which
# finds everything else in .venv.
VAST_VENV ?= .venv-vast
# Accelerate and Lightning, whose users' scripts are run as they are; nothing of ours depends on them.
FRAMEWORKS_VENV ?= .venv-frameworks

BIN := $(VENV)/bin
# npm, jupyter-builder and the choline command are found here first; no Node.js is needed on the machine.
export PATH := $(abspath $(BIN)):$(PATH)
export PIP_DISABLE_PIP_VERSION_CHECK := 1

DEMO_READY := $(VENV)/.demo-ready
DEV_READY := $(VENV)/.dev-ready
VAST_READY := $(VAST_VENV)/.ready
FRAMEWORKS_READY := $(FRAMEWORKS_VENV)/.ready
FRONT_END := package.json package-lock.json tsconfig.json \
	$(shell find labextension/src labextension/style -type f -not -path '*/__tests__/*')

PRELOAD := $(wildcard choline_jupyter/preload/*.c choline_jupyter/preload/*.h)

# Most tests wait for other processes: three at a time keep two cores busy. `make unit SPREAD=` runs them one by one.
SPREAD := -n 3 --dist loadfile

QUICKSTART := notebooks/quickstart.ipynb
EXECUTED := notebooks/quickstart.executed.ipynb

.NOTPARALLEL:
.PHONY: demo lab test lint types jest vast unit system fakes bench faults frameworks format clean

demo: $(DEMO_READY)
	$(BIN)/python notebooks/execute.py $(QUICKSTART) $(EXECUTED)
	@echo "The executed notebook is $(EXECUTED). To open it in JupyterLab: make lab"

lab: $(DEMO_READY)
	$(BIN)/jupyter lab $(if $(filter 0,$(shell id -u)),--allow-root) $(or $(wildcard $(EXECUTED)),$(QUICKSTART))

test: system lint types jest vast unit

lint: $(DEV_READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(DEV_READY) node_modules/.package-lock.json
	$(BIN)/mypy
	$(BIN)/npm run --silent typecheck

jest: $(DEV_READY) node_modules/.package-lock.json
	$(BIN)/npm test --silent

# What drives the official vastai package, and Lambda's generated client.
vast: $(VAST_READY)
	@$(VAST_VENV)/bin/python -m pytest -q $(SPREAD) -m "vast or oracle"

# Fakes of the providers, to rent from without an account, until Ctrl-C.
fakes: $(VAST_READY)
	$(VAST_VENV)/bin/python -m tests.fakes

# Unit, contract and end-to-end tests; pytest's closing line is the last one.
unit: $(DEV_READY)
	@$(BIN)/python -m pytest $(SPREAD) $(PYTEST_ARGS)

# `make bench BENCH=tests/benchmarks/test_files.py` runs some of them.
BENCH = tests/benchmarks
bench: $(DEV_READY)
	$(BIN)/python -m pytest -m bench -s --timeout=1800 $(BENCH)

faults: $(DEV_READY)
	$(BIN)/python -m pytest -m faults --timeout=600 tests/faults tests/e2e/ranks

frameworks: $(FRAMEWORKS_READY)
	$(FRAMEWORKS_VENV)/bin/python -m pytest -m frameworks tests/e2e/frameworks

format: $(DEV_READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf build dist node_modules labextension/lib labextension/tsconfig.tsbuildinfo choline_jupyter/labextension \
		choline_jupyter/preload/*.so \
		.hypothesis .mypy_cache .pytest_cache .ruff_cache $(EXECUTED) $(DEMO_READY) $(DEV_READY) $(VAST_READY) \
		$(FRAMEWORKS_READY)

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

# The editable install builds the front end and the preload shim and copies the former into .venv, so it is repeated
# when one of them changes.
$(DEMO_READY): pyproject.toml $(FRONT_END) $(PRELOAD) | $(BIN)/python
	$(BIN)/python -m pip install "$(TORCH)" --editable ".[demo]"
	@touch $@

$(DEV_READY): pyproject.toml $(FRONT_END) $(PRELOAD) | $(BIN)/python
	$(BIN)/python -m pip install "$(TORCH)" --editable ".[dev]"
	@touch $@ $(DEMO_READY)

$(VAST_READY): $(DEV_READY)
	$(BIN)/python -m venv $(VAST_VENV)
	sed -nE 's/^(vast|oracle) = \["(.*)"\]$$/\2/p' pyproject.toml | sed 's/", "/"/g' | tr '"\n' '\0\0' | xargs -0 $(VAST_VENV)/bin/python -m pip install
	packages() { "$$1" -c 'import sysconfig; print(sysconfig.get_path("purelib"))'; }; \
	echo "import site; site.addsitedir('$$(packages $(BIN)/python)')" > "$$(packages $(VAST_VENV)/bin/python)/zz-choline.pth"
	@touch $@

$(FRAMEWORKS_READY): $(DEV_READY)
	$(BIN)/python -m venv $(FRAMEWORKS_VENV)
	packages() { "$$1" -c 'import sysconfig; print(sysconfig.get_path("purelib"))'; }; \
	echo "import site; site.addsitedir('$$(packages $(BIN)/python)')" > "$$(packages $(FRAMEWORKS_VENV)/bin/python)/zz-choline.pth"
	$(FRAMEWORKS_VENV)/bin/python -m pip install accelerate lightning
	@touch $@

node_modules/.package-lock.json: package-lock.json | $(DEV_READY)
	$(BIN)/npm ci
	@touch $@

# Programs that the tests drive. Where they cannot be installed, the tests that need one are skipped with the reason.
system:
	@missing=; \
	for need in chromium:chromium chromium:fonts-liberation sshd:openssh-server ip:iproute2 debootstrap:debootstrap cc:gcc; do \
		PATH="$$PATH:/usr/sbin:/sbin" command -v "$${need%%:*}" >/dev/null || missing="$$missing $${need#*:}"; \
	done; \
	if [ -z "$$missing" ]; then exit 0; fi; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends $$missing </dev/null; \
	else \
		echo "Some tests will be skipped. On Debian, as root: apt-get install$$missing"; \
	fi
