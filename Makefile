# make demo: from nothing to an accuracy, on the embedded dataset; make test: all tests; make dist:
# what is published. CI runs the last two.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip
FRESH := .venv-dist
DDC := $(BIN)/ddc

DEMO := demo
DEMO_BUDGET := 1k
DEMO_FILE := $(DEMO)/glyphs.ddc
DEMO_DISTILL := --steps 30 --fit-steps 80 --pool random --no-validate
DEMO_EVAL := --protocol glance --repeats 1 --references coded

# One core for each thread, and none that spins while it waits.
export OMP_WAIT_POLICY ?= PASSIVE

MUTATIONS := 100000
FINDS := finds
FUZZ_SECONDS := 1800

.PHONY: help install lint check test dist docs demo fuzz fuzz-coverage kills disks matrix clean

help:
	@echo "make demo   distill glyphs, decode, evaluate beside real images (minutes)"
	@echo "make check  lint, types and the quick tests (about a minute)"
	@echo "make test   lint, types and all tests (minutes)"
	@echo "make dist   wheel and sdist, the wheel tried in a fresh environment"
	@echo "make docs   the documentation site, in site/"
	@echo "make kills  kill commands at random moments, go on, compare (half an hour)"
	@echo "make disks  let commands meet full and read-only disks, go on, compare"
	@echo "make fuzz   hostile files by the thousand (MUTATIONS=100000)"
	@echo "make fuzz-coverage  the same guided by coverage, for half an hour (FUZZ_SECONDS=1800)"
	@echo "make matrix the golden files in many environments, each made by uv"
	@echo "make clean  remove the environments and what was made"

# The package is installed in place: only its dependencies can be out of date.
$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --quiet -c constraints.txt -e .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(PIP) install --quiet -c constraints.txt -e '.[dev]'
	@touch $@

install: $(VENV)/.installed

$(VENV)/.installed-docs: $(VENV)/.installed
	$(PIP) install --quiet -c constraints.txt -e '.[docs]'
	@touch $@

$(VENV)/.installed-dist: $(VENV)/.installed
	$(PIP) install --quiet -c constraints.txt -e '.[dist]'
	@touch $@

$(VENV)/.installed-fuzz: $(VENV)/.installed
	$(PIP) install --quiet -c constraints.txt -e '.[fuzz]'
	@touch $@

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Spread over a few processes of one thread each: most tests keep only one core busy. Files go in the
# order of tests/conftest.py, the longest first.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile \
	--no-loadscope-reorder

check: lint
	$(PYTEST) -m "not slow and not long"

test: lint
	$(PYTEST)

# The smoke test runs outside the repository: nothing of it may stand in for the wheel.
dist: $(VENV)/.installed-dist
	rm -rf build dist $(FRESH)
	$(BIN)/python -m build --outdir dist .
	$(BIN)/twine check --strict dist/*
	$(PYTHON) -m venv $(FRESH)
	$(FRESH)/bin/python -m pip install --quiet -c constraints.txt dist/*.whl
	cd / && "$(CURDIR)/$(FRESH)/bin/python" "$(CURDIR)/tests/check_dist.py" "$(CURDIR)/examples/cifar10-3k.ddc"

docs: $(VENV)/.installed-docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

demo: $(VENV)/.installed
	@mkdir -p $(DEMO)
	$(DDC) distill glyphs --bpc $(DEMO_BUDGET) $(DEMO_DISTILL) -o $(DEMO_FILE) --force
	$(DDC) inspect $(DEMO_FILE)
	$(DDC) verify $(DEMO_FILE)
	$(DDC) decode $(DEMO_FILE) -o $(DEMO)/glyphs --force
	$(DDC) view $(DEMO_FILE) -o $(DEMO)/glyphs.png --force
	$(DDC) eval $(DEMO_FILE) --data glyphs $(DEMO_EVAL)

# Of every way to make something; the figures in SECURITY.md are of this.
kills: $(VENV)/.installed
	nice $(BIN)/python benchmarks/safety/kills.py

# The same against disks that are full, read-only or somebody else's; as root it mounts them.
disks: $(VENV)/.installed
	nice $(BIN)/python benchmarks/safety/disks.py

# A find of either is a file in $(FINDS), and the exit status is not 0.
fuzz: $(VENV)/.installed
	OMP_NUM_THREADS=1 $(BIN)/python tests/hostile/fuzz.py --mutations $(MUTATIONS) --finds $(FINDS)

fuzz-coverage: $(VENV)/.installed-fuzz
	mkdir -p $(FINDS)
	OMP_NUM_THREADS=1 $(BIN)/python tests/hostile/coverage_guided.py $(FINDS)/corpus \
		-artifact_prefix=$(FINDS)/ -max_total_time=$(FUZZ_SECONDS)

# Environments are made anew, without torch, which decoding does not need.
matrix: $(VENV)/.installed
	$(BIN)/python tests/matrix.py

clean:
	rm -rf $(VENV) $(FRESH) $(DEMO) $(FINDS) build dist site
