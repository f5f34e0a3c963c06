# The two commands of the README are `make reproduce` and `make test`; `make` lists all of them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
DOCS := .venv-docs
export PATH := $(CURDIR)/$(BIN):$(PATH)
export MLFLOW_DISABLE_TELEMETRY := true
# Container images set it. Then nothing is ever compiled, and each command imports torch and MLflow from source.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup plan reproduce search verify takeover test test-all test-kills kill-run test-cluster audit bench bench-quick lint format mlflow docs clean

help: ## list these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# pip would compile 17,000 files ahead. Python compiles what a command imports, most of it at the end of setup.
PIP_INSTALL = -m pip install --quiet --disable-pip-version-check --no-compile

setup: $(READY) ## create .venv with every package at its locked version

$(READY): pyproject.toml requirements/lock.txt requirements/torch.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python $(PIP_INSTALL) --require-hashes --no-deps -r requirements/lock.txt
	$(BIN)/python $(PIP_INSTALL) -r requirements/torch.txt
	$(BIN)/python $(PIP_INSTALL) --no-deps --no-build-isolation --editable .
	$(BIN)/python -c 'import torch, mlflow, pandas, matplotlib.pyplot, dvc.repo'
	touch $(READY)

# A part of the grid: CELLS="standard/*/three_dots"; set -f leaves the wildcards to the script.
plan: $(READY) ## what would run, how long it takes here, disk; CELLS="quick seeds/*/fixed_uniform"
	set -f; python stages/plan.py $(CELLS)

# On a cluster (docs/cluster.md): CLUSTER=slurm WORKERS=64 SLURM="--partition=gpu --gres=gpu:1", or
# CLUSTER=listen. JOBS: cells at once, of each worker. ADDRESS, SLICE: see stages/reproduce.py --help.
# Typed after make; variables of the environment that happen to be called so do not count.
typed = $(if $(filter command,$(origin $1)),--$2='$($1)')
ELSEWHERE = $(call typed,JOBS,jobs) $(call typed,CLUSTER,cluster) $(call typed,WORKERS,workers) \
    $(call typed,SLURM,sbatch) $(call typed,ADDRESS,address) $(call typed,SLICE,slice)

reproduce: $(READY) ## run everything: data, training, probe, report; or a part, CELLS=...
	set -f; python stages/reproduce.py $(CELLS) $(ELSEWHERE)

search: $(READY) ## run a study of searches.yaml, or what is left of it; STUDY=fixed (docs/search.md)
	python stages/search.py $(STUDY) $(ELSEWHERE)

verify: $(READY) ## the results in git beside those computed on this machine
	python stages/verify.py

takeover: $(READY) ## keep the results after a refactoring that leaves the same bytes (CONTRIBUTING.md)
	python stages/takeover.py

test: $(READY) ## run the tests and the linter
	ruff check .
	ruff format --check .
	pytest -n 2 --dist worksteal

test-all: $(READY) ## run the slow tests too
	pytest -n 2 -m ''

test-kills: $(READY) ## kill trainings, the parallel runner and DVC, and count what survives (10 minutes)
	pytest -n 2 -m '' tests/test_kills.py tests/test_kills_grid.py tests/test_kills_dvc.py

kill-run: $(READY) ## 1,000 SIGKILLs over every kind of stage, byte for byte; can be stopped and continued (an hour or more)
	python -m tests.kill_run

test-cluster: $(READY) ## lose nodes, time and driver of a real Slurm on this machine (as root, with apt)
	TEST_CLUSTER=1 pytest -rs -m '' tests/test_slurm.py tests/test_cluster.py

# --strict: a package that the service does not know is a failure, not a silent pass.
audit: $(READY) ## look up known vulnerabilities of the locked packages (asks pypi.org)
	pip-audit --strict --require-hashes --disable-pip --requirement requirements/lock.txt
	pip-audit --strict --no-deps --disable-pip --requirement requirements/torch.txt

bench: $(READY) ## speed beside the straightforward form, in full (half an hour; nothing else running)
	python -m benchmarks.run

bench-quick: $(READY) ## the same, the headline alone (3 to 4 minutes)
	python -m benchmarks.run --quick

lint: $(READY) ## check style
	ruff check .
	ruff format --check .

format: $(READY) ## mend style
	ruff check --fix .
	ruff format .

mlflow: $(READY) ## fill in missing runs, open the MLflow UI on this machine only (http://127.0.0.1:5000)
	python stages/track.py
	mlflow ui --backend-store-uri sqlite:///mlflow.db --host 127.0.0.1

# Its packages are no part of .venv. Nothing is imported to read the docstrings, so neither is torch.
docs: $(DOCS)/.ready ## build the documentation as a site, in site/ (open site/index.html)
	PATH="$(CURDIR)/$(DOCS)/bin:$$PATH" NO_MKDOCS_2_WARNING=1 mkdocs build --strict --quiet
	@echo "site/index.html; for the search: python3 -m http.server --directory site --bind 127.0.0.1"

$(DOCS)/.ready: requirements/docs.txt
	$(PYTHON) -m venv $(DOCS)
	$(DOCS)/bin/python $(PIP_INSTALL) --require-hashes --no-deps -r requirements/docs.txt
	touch $@

clean: ## remove checkpoints, kept data sets and runs by hand; never results that DVC knows
	rm -rf .checkpoints .cache runs
