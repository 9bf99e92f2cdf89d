# `make run` and `make test` are all a fresh clone needs: Python 3.11 or newer, make and a package index.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

# npm, where there is one and its Node can run server/
NPM := $(shell node -e 'const [a, b] = process.versions.node.split("."); process.exit(+(a * 100 + +b < 2011))' 2>/dev/null && command -v npm)

.PHONY: run test test-python test-proxy check check-python check-proxy bench soak clean

run: $(VENV)/.installed
	@echo "Scanning the embedded simulated exchange; Ctrl-C ends it."
	@SCANNER_SIMULATED=1 SCANNER_AUTOSTART=1 exec $(BIN)/python scanner_api.py

test: test-python test-proxy
check: check-python check-proxy

test-python: $(VENV)/.installed-dev
	@$(BIN)/python -m pytest -n auto --dist loadfile

check-python: $(VENV)/.installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

ifdef NPM
test-proxy: node_modules/.installed $(VENV)/.installed-dev
	@PYTHON="$(CURDIR)/$(BIN)/python" $(NPM) test --silent

check-proxy: node_modules/.installed
	$(NPM) run check --silent

node_modules/.installed: package-lock.json package.json server/package.json
	@echo "Installing what package-lock.json names"
	@$(NPM) ci --loglevel=error
	@touch $@
else
test-proxy check-proxy:
	@echo "Left out: $@ needs npm and Node 20.11 or newer."
endif

bench: $(VENV)/.installed
	@$(BIN)/python -m benchmarks.bench_core
	@$(BIN)/python -m benchmarks.bench_budget
	@$(BIN)/python -m benchmarks.bench_cycle
	@$(BIN)/python -m benchmarks.bench_api --markets 300 --seconds 15 --interval 10 --pace 20 --server built-in

# a day of market time with random faults, then a server killed 200 times: make soak, make soak SEED=7 HOURS=2 KILLS=20
soak: $(VENV)/.installed-dev
	@$(BIN)/python -m tests.soak $(if $(SEED),--seed $(SEED)) $(if $(HOURS),--hours $(HOURS))
	@$(BIN)/python -m tests.store.killing --kills $(or $(KILLS),200)

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, this is " + sys.version.split()[0] + "; name another one: make PYTHON=python3.12")'
	@echo "Making the environment in $(VENV)"
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: requirements.txt | $(VENV)/bin/python
	@echo "Installing what requirements.txt names"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

$(VENV)/.installed-dev: requirements-dev.txt requirements-examples.txt requirements.txt | $(VENV)/bin/python
	@echo "Installing what requirements-dev.txt names"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@ $(VENV)/.installed

clean:
	rm -rf $(VENV) node_modules server/dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
