# Needs python 3.11 or newer, git and make. Everything is installed into .venv, once.
# PYTHON       interpreter for .venv                               make PYTHON=python3.12 test
# TORCH_INDEX  package index to take torch from, for example the one with CPU-only builds that
#              pytorch.org names: a smaller download on Linux machines without an NVIDIA GPU
# JOBS         processes that run tests side by side                make JOBS=8 test
# ARGS         arguments for pytest, the bench command or sphinx    make test ARGS="-k soil -x"

PYTHON ?= python3
TORCH_INDEX ?=
ARGS ?=
JOBS ?= 2

VENV := .venv
BIN := $(VENV)/bin
BASE := $(VENV)/.base
READY := $(VENV)/.ready
DEMO := runs/demo
EVIDENCE := runs/evidence

.DEFAULT_GOAL := help
.PHONY: help demo test test-fast lint type bench evidence docs clean

help:  ## show this help
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  \1\t/' | expand -t 14

demo: $(BASE)  ## make the demo data, train, evaluate and project on them
	rm -rf $(DEMO)
	$(BIN)/neuralcrop data demo
	$(BIN)/neuralcrop train experiment=demo hydra.run.dir=$(DEMO)/train
	$(BIN)/neuralcrop evaluate run=$(DEMO)/train dataset=data/demo/yields.nc \
	    weather=data/demo/weather.nc output=$(DEMO)/metrics.json
	$(BIN)/neuralcrop project run=$(DEMO)/train forcing=demo_globe soil=demo_globe scenario=demo \
	    hydra.run.dir=$(DEMO)/project
	@echo "Results are in $(DEMO): train, metrics.json, project (NetCDF files and maps)."

test: $(READY)  ## run all tests
	$(BIN)/python -m pytest --numprocesses $(JOBS) --dist worksteal $(ARGS)

test-fast: $(READY)  ## run the tests that take no more than a few seconds each
	$(BIN)/python -m pytest --numprocesses $(JOBS) --dist worksteal -m "not slow and not network" $(ARGS)

lint: $(READY)  ## check the style of the code
	$(BIN)/ruff check .

type: $(READY)  ## check the types
	$(BIN)/mypy

bench: $(READY)  ## measure the speed on this machine
	$(BIN)/neuralcrop bench $(ARGS)

evidence: $(BASE)  ## compare hybrids with baselines, nulls and physics on county yields
	$(BIN)/python scripts/evidence.py $(EVIDENCE)/soybean experiment=us_soybean \
	    --seeds 0 1 2 3 4 --nulls shuffled random lat_lon constant --page docs/evidence.md
	$(BIN)/python scripts/evidence.py $(EVIDENCE)/maize experiment=us_maize \
	    --tests drought last_years --train 2012 2014 --score 2015 2016 \
	    --seeds 0 1 2 3 4 --page docs/evidence.md

docs: $(READY)  ## build the documentation into docs/_build
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[docs]'
	$(BIN)/sphinx-build -W --keep-going $(ARGS) docs docs/_build

clean:  ## remove .venv, demo data and run, caches and builds
	rm -rf $(VENV) $(DEMO) data/demo docs/_build build dist
	rm -rf .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# torch first and by itself, so that TORCH_INDEX is asked for nothing else; modules are compiled
# when they are first imported, few of them ever are
$(BASE): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit( \
	    "neuralcrop needs Python 3.11 or newer, this is " + sys.version.split()[0] + \
	    "; name another with: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --no-compile --constraint constraints.txt torch \
	    $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX))
	$(BIN)/pip install --quiet --no-compile --constraint constraints.txt --editable .
	@touch $@

$(READY): $(BASE)
	$(BIN)/pip install --quiet --no-compile --constraint constraints.txt --editable '.[dev]'
	@touch $@
