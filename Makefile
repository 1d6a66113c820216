# Everything here works on a machine that has git, make and Python 3.11 or newer with venv; the rest goes into .venv.

TRACK ?= meadow
OUT ?= runs/demo
PYTHON ?=
VENV := .venv
BIN := $(VENV)/bin

# pip's ROS must not meet a sourced one: `make` looks away from the latter.
ifdef ROS_DISTRO
unexport PYTHONPATH AMENT_PREFIX_PATH CMAKE_PREFIX_PATH LD_LIBRARY_PATH
endif

.DEFAULT_GOAL := help
.PHONY: help demo test quick faults check bench mutants clean

help: ## List what can be made
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 10

demo: $(VENV)/.demo ## Train a camera policy and race it; TRACK= names the track, OUT= the folder for the results
	@$(BIN)/outlap demo --track "$(TRACK)" --out "$(OUT)"

test: $(VENV)/.test ## Run the tests
	@$(BIN)/python -m pytest -n 3 --dist worksteal

quick: $(VENV)/.test ## Run the tests that are neither live nor slow, in a minute and a half
	@$(BIN)/python -m pytest -q -n 2 --dist worksteal -m "not live and not slow"

faults: $(VENV)/.test ## Inject every fault at full length, about forty minutes, and print the table; docs/faults.md
	@$(BIN)/python tests/faults/table.py

check: $(VENV)/.test ## Check format, style and types
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/pyright

bench: $(VENV)/.bench ## Measure us and a peer; each program ends with one JSON line
	@set -e; for program in bench/*.py; do echo "$$program"; $(BIN)/python "$$program"; done

mutants: $(VENV)/.mutants ## Change the safety gate in every small way, and see that a test notices; docs/safety.md
	@$(BIN)/python -m coverage run --branch --include='outlap/safety/*' -m pytest -q tests/safety
	@$(BIN)/python -m coverage report --fail-under=100
	@rm -rf mutants .coverage && $(BIN)/mutmut run | tail -1 && $(BIN)/mutmut results

clean: ## Remove everything that make and the tools made, except runs/
	rm -rf $(VENV) build install log dist *.egg-info .pytest_cache .ruff_cache mutants .coverage
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.demo: EXTRAS = sim,train,ros
$(VENV)/.test: EXTRAS = car,sim,train,ros,dev
$(VENV)/.bench: EXTRAS = sim,train,ros,bench
$(VENV)/.mutants: EXTRAS = sim,train,ros,car,dev,mutants
$(VENV)/.demo $(VENV)/.test $(VENV)/.bench $(VENV)/.mutants: setup.py pyproject.toml | $(VENV)/.made
	@echo "Installing Outlap and what it needs ($(EXTRAS)) into $(VENV); a few minutes the first time."
	@$(BIN)/python -m pip install --disable-pip-version-check --editable '.[$(EXTRAS)]'
	@touch $@

# An environment that was left half made has no stamp and is made anew; one that works is kept.
$(VENV)/.made:
	@found=; good=; \
	if ! $(BIN)/python -m pip --version >/dev/null 2>&1; then \
	  for python in $(or $(PYTHON),python3 python3.14 python3.13 python3.12 python3.11); do \
	    "$$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 15))' 2>/dev/null || continue; \
	    found=$$python; \
	    "$$python" -c 'import ensurepip, venv' 2>/dev/null || continue; \
	    good=$$python; break; \
	  done; \
	  if [ -z "$$found" ]; then \
	    echo "error: Outlap needs Python 3.11 to 3.14, and none was found; install one, or name it with PYTHON=…" >&2; exit 1; \
	  elif [ -z "$$good" ]; then \
	    echo "error: $$found has no venv module; install it (on Debian and Ubuntu: apt install $$found-venv)." >&2; exit 1; \
	  fi; \
	  echo "Making $(VENV) with $$good."; \
	  "$$good" -m venv --clear $(VENV); \
	fi
	@touch $@
