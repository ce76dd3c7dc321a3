# `make` lists the targets. Everything happens in .venv, made from the Python named by PYTHON (3.11 or newer).
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check install --quiet

.PHONY: help setup demo test check fmt golden docs bench reliability coverage clean

help:
	@echo "make demo    set up, train LeNet on the shipped Fashion-MNIST slice, export and verify ONNX (about two minutes)"
	@echo "make test    set up and run all tests"
	@echo "make setup   only make the environment (.venv)"
	@echo "make check   formatter, linter and type checker"
	@echo "make fmt     format the sources and the specs"
	@echo "make golden  run the tests and rewrite the golden files (look at the diff)"
	@echo "make docs    regenerate the generated documents and the parse table"
	@echo "make bench   measure training steps against PyTorch (installs torch)"
	@echo "make reliability   every campaign of docs/reliability.md, whole (hours; NAMES=\"graphs typos\" ARGS=\"--count 1000\" for less)"
	@echo "make coverage  the tests with branch coverage of dslc/ and runtime/ (installs coverage and torch)"
	@echo "make clean   remove the environment and caches"

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@echo "making the environment $(VENV) ..."
	@$(PYTHON) -m venv $(VENV) || { echo "the venv module is missing (Debian, Ubuntu: apt install python3-venv)"; rm -rf $(VENV); exit 1; }

$(VENV)/.core: $(BIN)/python pyproject.toml
	@echo "installing dslc with onnxruntime ..."
	@$(PIP) -e ".[ort]"
	@touch $@

$(VENV)/.test: $(BIN)/python pyproject.toml
	@echo "installing dslc with its test tools ..."
	@$(PIP) -e ".[test]"
	@touch $@

setup: $(VENV)/.test

demo: $(VENV)/.core
	@rm -rf runs/demo
	@$(BIN)/dslc train lenet --epochs 3 --data-dir runtime/data/shipped --out runs/demo
	@echo
	@echo "loss and accuracy on 2,000 test images it has never seen (dslc eval runs/demo):"
	@$(BIN)/dslc eval runs/demo --data-dir runtime/data/shipped
	@echo
	@echo "as ONNX, checked and compared with onnx.reference and onnxruntime (dslc export runs/demo):"
	@$(BIN)/dslc export runs/demo --output runs/demo/lenet.onnx
	@echo
	@echo "What to try next:"
	@echo "  $(BIN)/dslc show lenet                                 its layers with shapes, parameters and memory"
	@echo "  $(BIN)/dslc show lenet --graph lenet.svg               its picture"
	@echo "  $(BIN)/dslc train lenet --set lr=0.03 --epochs 5       other settings"
	@echo "  $(BIN)/dslc new mine && $(BIN)/dslc train mine.nn    a spec of your own"
	@echo "  $(BIN)/dslc --help                                     everything else"

test: $(VENV)/.test
	@$(BIN)/python -m pytest

check: $(VENV)/.test
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/python -m mypy
	@$(BIN)/dslc fmt --check specs/*.nn specs/std/*.nn tests/targets/*.nn

fmt: $(VENV)/.test
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .
	@$(BIN)/dslc fmt specs/*.nn specs/std/*.nn tests/targets/*.nn

golden: $(VENV)/.test
	@$(BIN)/python -m pytest --update-golden

docs: $(VENV)/.test
	@$(BIN)/python -m dslc.syntax.generate
	@$(BIN)/python -m dslc.ops.document
	@$(BIN)/python -m runtime.train.document
	@$(BIN)/python -m tests.reliability.hostile.document

bench: $(VENV)/.test
	@$(PIP) torch==2.13.0
	@$(BIN)/python -m bench.training_step

NAMES ?= all
reliability: $(VENV)/.test
	@$(BIN)/python -m tests.reliability $(NAMES) $(ARGS)

coverage: $(VENV)/.test
	@$(PIP) "coverage>=7.10" torch==2.13.0
	@$(BIN)/coverage erase
	@$(BIN)/coverage run -m pytest
	@$(BIN)/coverage combine --quiet
	@$(BIN)/coverage report
	@$(BIN)/coverage json --quiet -o .coverage_branches.json
	@$(BIN)/python -m tests.reliability.branches .coverage_branches.json

clean:
	rm -rf $(VENV) build dist .coverage* .pytest_cache .hypothesis .mypy_cache .ruff_cache
