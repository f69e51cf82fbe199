# make demo: from nothing to an accuracy, on the embedded dataset; make test: everything CI checks.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip
DDC := $(BIN)/ddc

DEMO := demo
DEMO_BUDGET := 1k
DEMO_FILE := $(DEMO)/glyphs.ddc
DEMO_DISTILL := --steps 60 --pool random
DEMO_EVAL := --protocol glance --repeats 1

# One core for each thread, and none that spins while it waits.
export OMP_WAIT_POLICY ?= PASSIVE

.PHONY: help install test demo clean

help:
	@echo "make demo   distill glyphs at 1 kB per class, decode, evaluate (minutes)"
	@echo "make test   lint, types and tests"
	@echo "make clean  remove the environment and the demo"

# The package is installed in place: only its dependencies can be out of date.
$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --quiet -c constraints.txt -e .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(PIP) install --quiet -c constraints.txt -e '.[dev]'
	@touch $@

install: $(VENV)/.installed

# Spread over a few processes of one thread each: most tests keep only one core busy.
test: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile

demo: $(VENV)/.installed
	@mkdir -p $(DEMO)
	$(DDC) distill glyphs --bpc $(DEMO_BUDGET) $(DEMO_DISTILL) -o $(DEMO_FILE) --force
	$(DDC) inspect $(DEMO_FILE)
	$(DDC) verify $(DEMO_FILE)
	$(DDC) decode $(DEMO_FILE) -o $(DEMO)/glyphs --force
	$(DDC) view $(DEMO_FILE) -o $(DEMO)/glyphs.png --force
	$(DDC) eval $(DEMO_FILE) --data glyphs $(DEMO_EVAL)

clean:
	rm -rf $(VENV) $(DEMO)
