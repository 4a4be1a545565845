# Each target makes .venv itself, and again only when pyproject.toml or constraints.txt changed.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PYTEST_WORKERS ?= 2
# Seconds for each fuzz target.
FUZZ_SEC ?= 60
FUZZ_TARGETS ?= frames user rows reads recordings sources lists

.PHONY: run test check bench fuzz clean snapshots

run: $(READY)
	@$(BIN)/polymm-tui

test: check
	$(BIN)/pytest -n $(PYTEST_WORKERS) --dist worksteal

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(READY)
	$(BIN)/python -m benchmarks

fuzz: $(READY)
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[fuzz]'
	set -e; for target in $(FUZZ_TARGETS); do \
	  $(BIN)/python tests/fuzz/run.py $$target -max_total_time=$(FUZZ_SEC); \
	done

snapshots: $(READY)
	$(BIN)/pytest tests/widgets tests/polymm_tui --snapshot-update

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis snapshot_report.html
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@
