"""What tests share: the command line in this process, small runs, the real pictures beside the repository."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import hydra
import pytest
import torch

from pix2pix import cli
from pix2pix.composition import CONFIGS, resolve
from pix2pix.configuration import Config
from pix2pix.run import Run

DATASETS = Path(__file__).parents[2] / "shared" / "datasets"
needs_datasets = pytest.mark.skipif(not DATASETS.is_dir(), reason=f"the real data sets are not at {DATASETS}")

# One thread each, so that tests side by side do not wait for each other's, and every process adds up in one order.
os.environ["OMP_NUM_THREADS"] = "1"
torch.set_num_threads(1)
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")  # trainer=auto would take a GPU, where there is one

TINY = [
    "data.size=32",
    "data.pairs.train_pairs=12",
    "data.pairs.val_pairs=3",
    "data.pairs.test_pairs=2",
    "generator.base_channels=4",
    "discriminator.base_channels=4",
    "discriminator.receptive_field=16",
    "trainer.max_epochs=2",
    "trainer.log_every_n_steps=4",
    "data.batch_size=2",
]


@pytest.fixture(autouse=True)
def _no_data_root(monkeypatch):
    """No data root of this machine's."""
    monkeypatch.delenv("PIX2PIX_DATA", raising=False)


def resolved(*overrides: str) -> Config:
    """The resolved configuration that the command line would make of `overrides`."""
    with hydra.initialize_config_dir(str(CONFIGS), version_base="1.3"):
        return resolve(hydra.compose("train", overrides=list(overrides)))


def pix2pix(*words: str) -> None:
    """Runs the command line in this process; a refused command raises SystemExit with what it says."""
    before = sys.argv
    sys.argv = ["pix2pix", *map(str, words)]
    try:
        cli.main()
    except SystemExit as end:
        if end.code:
            raise
    finally:
        sys.argv = before


def command(*words: str, **options) -> subprocess.CompletedProcess[str]:
    """Runs the command line as its users do, in a process of its own."""
    python = [sys.executable, "-m", "pix2pix.cli"]
    return subprocess.run([*python, *map(str, words)], capture_output=True, text=True, check=False, **options)


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory) -> Run:
    """A finished run of two epochs on twelve drawn facades; not to be changed."""
    folder = tmp_path_factory.mktemp("runs")
    pix2pix("train", *TINY, f"output_dir={folder}", "name=tiny")
    return Run(folder / "tiny")


@pytest.fixture
def run(tiny_run, tmp_path) -> Run:
    """A copy of the finished run, to do with as a test likes."""
    shutil.copytree(tiny_run.path, tmp_path / "tiny")
    return Run(tmp_path / "tiny")
