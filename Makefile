# `make demo` and `make test` set up everything they need; Python >= 3.11 and make are enough.
PYTHON ?= python3
VENV ?= .venv
DEVICE ?= cpu
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.PHONY: help install demo test test-slow test-gpu test-slurm test-ray test-s3 test-hosts test-newest-torch soak soak-kinds check benchmark benchmark-check benchmark-gpu clean

help:
	@echo "make demo    train, evaluate and look at a small run (about 2 minutes of training on 2 cores)"
	@echo "make test    run the tests"
	@echo "make test-gpu  the few tests that need a CUDA GPU, where there is one (torch with CUDA must be installed)"
	@echo "make test-slurm  trainings on a Slurm cluster that it starts on this machine, as root (docs/clusters.md)"
	@echo "make test-ray  a sweep and a search on a Ray cluster that it starts on this machine; needs the extra ray"
	@echo "make test-hosts  a training on two hosts, in network namespaces of this machine, as root"
	@echo "make test-newest-torch  tests with the newest torch that pip offers, in an environment of its own (9 GB of disk)"
	@echo "make check   lint, format and types"
	@echo "make soak    kill trainings 60 times and compare what they leave with an unbroken one (about 10 minutes)"
	@echo "make soak-kinds  the same for sixteen kinds of trainings, 144 kills in all (more than half an hour)"
	@echo "make benchmark        measure the training step against the reference (about 6 minutes on 2 quiet cores)"
	@echo "make benchmark DEVICE=cuda  the same on a GPU"
	@echo "make benchmark REFERENCE=PATH  the same against a clone of the authors' repository"
	@echo "make benchmark-check  measure it again, and fail where it became slower"
	@echo "make benchmark-gpu    what a CUDA GPU makes of it, in a quarter of an hour: docs/gpu.md"

install: $(INSTALLED)

$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if v >= (3, 11) else f"Python >= 3.11 is needed, this is {v.major}.{v.minor}: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt torch
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

demo: install
	$(BIN)/pix2pix train experiment=demo
	$(BIN)/pix2pix evaluate outputs/demo
	$(BIN)/python scripts/baselines.py outputs/demo
	@echo
	@echo "The picture:  outputs/demo/samples/val_epoch0020.png"
	@echo "The page:     outputs/demo/evaluation/val/index.html"
	@echo
	@echo "To draw on a translator that was trained for longer, the one in the box:  $(BIN)/pix2pix demo"

test: install
	$(BIN)/python -m pytest -n 2 --dist worksteal -m "not slow"

test-slow: install
	$(BIN)/python -m pytest -m slow

test-gpu: install
	$(BIN)/python -m pytest -m gpu

test-newest-torch: install
	scripts/try_newest_torch.sh

test-slurm: install
	$(BIN)/python -m pytest -m slow -s -v tests/slurm

test-ray: install
	$(BIN)/python -m pytest -m slow -s -v tests/ray_cluster

test-hosts: install
	$(BIN)/python -m pytest -m slow -s -v tests/hosts

test-s3: install
	$(BIN)/python -m pytest -m slow -s -v tests/object_store

soak: install
	$(BIN)/python benchmarks/kill_and_resume.py --kills 60 --term --json benchmarks/results/soak.json

soak-kinds: install
	$(BIN)/python benchmarks/kill_and_resume.py --kind mix --kills 144 --term --json benchmarks/results/soak_kinds.json

check: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/basedpyright

benchmark: install
	$(BIN)/python benchmarks/benchmark.py --device $(DEVICE) $(if $(REFERENCE),--reference '$(REFERENCE)') \
		--json benchmarks/results/$(if $(REFERENCE),authors_)step$(if $(filter cuda,$(DEVICE)),_cuda).json

benchmark-check: install
	$(BIN)/python benchmarks/benchmark.py --check benchmarks/results/step*.json

benchmark-gpu: install
	$(BIN)/python -m benchmarks.gpu --data ../shared/datasets --out outputs/gpu

clean:
	rm -rf $(VENV) outputs/demo
