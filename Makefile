# The few commands of this project; `make help` lists them. They need Python 3.11 or newer, make and the package index.
PYTHON ?= python3
BIN := .venv/bin
DEMO := build/demo
INSTALLED := .venv/.installed

.DEFAULT_GOAL := help
.PHONY: help setup lab test package demo bench bench-audit bench-gpu lint pins clean

help:  ## list these commands
	@grep -E '^[a-z-]+:.*## ' Makefile | sed -E 's/^([a-z-]+):.*## (.*)/make \1	\2/' | expand -t 18

setup: $(INSTALLED)  ## make .venv and install everything in it (the other commands do it when needed)

$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo >&2 \
	"cvtune needs Python 3.11 or newer: install one and name it, for example: make setup PYTHON=python3.12"; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --disable-pip-version-check --quiet -c constraints.txt -e '.[test,dev]'
	@touch $@

lab: setup  ## open the workbook in JupyterLab: notebook 00, on this machine only
	$(BIN)/cvtune lab

test: lint  ## check style and types, then run all tests, those in a real browser included
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile

package: setup  ## build wheel and sdist, install the wheel into an empty environment and try it there
	rm -rf build/package
	$(BIN)/python -m tests.installed --work build/package
	mkdir -p dist
	mv build/package/dist/* dist/
	rm -rf build/package

# of the two rungs that the demo climbs; a comma in a call would end its argument
SIZES := 96,128
# $(call notebook,NAME,PARAMETERS): run one notebook headless and keep the executed copy
notebook = CVTUNE_HOME="$(CURDIR)/$(DEMO)" $(BIN)/papermill --cwd notebooks --kernel python3 --no-progress-bar \
	notebooks/$(1).ipynb $(DEMO)/$(1).ipynb $(2)

demo: setup  ## run the whole workbook on the sample photos, without a browser; starts build/demo anew
	rm -rf $(DEMO)
	mkdir -p $(DEMO)
	$(BIN)/cvtune sample $(DEMO)/sample --images-per-class 60
	$(call notebook,00_start_here,-p DATA ../$(DEMO)/sample)
	$(call notebook,01_data_quality_audit)
	$(call notebook,02_frozen_dnn_svm_baseline)
	$(call notebook,03_dnn_fine_tuning,-p IMAGE_SIZE 96 -p EPOCHS 2)
	$(call notebook,04_parameter_escalation,-p EPOCHS 1 -r IMAGE_SIZES $(SIZES) -p BUDGET_MINUTES 2)
	$(call notebook,05_export_and_use)
	$(BIN)/cvtune sample $(DEMO)/scenes --kind scenes --images-per-class 40
	$(call notebook,06_small_objects,-p DATA ../$(DEMO)/scenes -p IMAGE_SIZE 256 -p EPOCHS 2)
	$(call notebook,07_image_similarity,-p IMAGE_SIZE 96 -p EPOCHS 2)
	@echo "executed notebooks: $(DEMO)"
	@echo "exported model:     $$(ls -d $(DEMO)/workspaces/*/exports/*)"

PEERS := build/peers/.installed
$(PEERS): $(INSTALLED) tests/benchmarks/peers.txt
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --no-deps --upgrade --target build/peers \
	-r tests/benchmarks/peers.txt
	@touch $@

bench: $(PEERS)  ## measure features and training beside the limit, timm and fastai: make bench DATA=folder ONLY=epoch
	$(BIN)/python -m tests.benchmarks $(if $(DATA),--data "$(DATA)") $(if $(ONLY),--only "$(ONLY)") \
	--work build/bench --peers build/peers

bench-audit: $(PEERS)  ## measure the audit beside cleanlab, CleanVision and imagededup: make bench-audit DATA=folder
	$(BIN)/python -m tests.benchmarks.audit --data "$(DATA)" --work build/bench-audit --peers build/peers

bench-gpu: $(PEERS)  ## measure features and training on a GPU beside the bare network, timm and fastai: ten minutes
	$(BIN)/python -m tests.benchmarks.gpu --out build/bench/gpu.md --peers build/peers

lint: setup  ## check style, format and types
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/basedpyright --pythonpath $(BIN)/python

pins: setup  ## write constraints.txt anew: the newest versions that go together
	$(PYTHON) -m venv --clear build/pins
	build/pins/bin/python -m pip install --disable-pip-version-check --quiet '.[test,dev]'
	{ sed '/^[^#]/d' constraints.txt; \
	  build/pins/bin/python -m pip freeze --all --exclude cvtune-nb --exclude pip; } > build/constraints.txt
	mv build/constraints.txt constraints.txt
	rm -rf build/pins

clean:  ## remove what was built here; never data/, a workspace or .venv
	rm -rf build dist .pytest_cache .ruff_cache test-results *.egg-info
	find cvtune_nb tests notebooks -name __pycache__ -type d -prune -exec rm -rf {} +
	find notebooks -name .ipynb_checkpoints -type d -prune -exec rm -rf {} +
