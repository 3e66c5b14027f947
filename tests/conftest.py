"""What tests share: the command line in this process, small runs, the real pictures beside the repository."""

import gc
import logging
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from pix2pix import cli
from pix2pix.config.compose import compose_settings
from pix2pix.config.parse import parse_config
from pix2pix.config.schema import RunConfig
from pix2pix.data.pair import Pair
from pix2pix.data.sources.synthetic import draw_facade
from pix2pix.data.sources.synthetic import pairs as synthetic_pairs
from pix2pix.runs.run import Run
from tests.composition import compose_once
from tests.warm import WarmPopen

DATASETS = Path(__file__).parents[2] / "shared" / "datasets"
needs_datasets = pytest.mark.skipif(not DATASETS.is_dir(), reason=f"the real data sets are not at {DATASETS}")

# Inside a shell of Slurm's or torchrun's the tests are what they are anywhere else.
CLUSTERS = ("SLURM_", "PMI", "OMPI_", "TORCHELASTIC_", "LSB_", "JSM_")
PLACES = {"RANK", "LOCAL_RANK", "GROUP_RANK", "NODE_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE"}
PLACES |= {"MASTER_ADDR", "MASTER_PORT"}
for name in [name for name in os.environ if name.startswith(CLUSTERS) or name in PLACES]:
    del os.environ[name]

# One thread each, so that tests side by side do not wait for each other's, and every process adds up in one order.
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # under nohup it is ignored, here and in every process that a test starts
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["PYTHONUTF8"] = "1"  # under a locale of ASCII the command line would start the process of the tests again
torch.set_num_threads(1)
compose_once()
synthetic_pairs.draw_facade = lru_cache(1000)(draw_facade)  # most trainings here see the same few facades
os.environ["PIX2PIX_TRUSTED_MODULES"] = str(Path(tempfile.mkdtemp()) / "trusted_modules")  # never the user's own

TINY = [
    "data.size=32",
    "data.source.train_pairs=12",
    "data.source.val_pairs=3",
    "data.source.test_pairs=2",
    "generator.base_channels=4",
    "discriminator.base_channels=4",
    "discriminator.receptive_field=16",
    "trainer.max_epochs=2",
    "trainer.log_every_n_steps=4",
    "data.batch_size=2",
]
TINY_FOLDER = ["data=folder", *(word for word in TINY if not word.startswith("data.source."))]


def pytest_configure(config: pytest.Config) -> None:
    """Hides GPUs, which trainer=auto would take, from all tests but those that are asked for by `-m gpu`."""
    if config.option.markexpr != "gpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = ""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skips tests of a GPU where none is to be seen; tests of anything else never see one."""
    if not torch.cuda.is_available():
        skipped = pytest.mark.skip(reason="needs a CUDA GPU, and `make test-gpu`")
        for item in filter(lambda item: item.get_closest_marker("gpu"), items):
            item.add_marker(skipped)


def pytest_collection_finish() -> None:
    """The collector leaves alone what all tests share, modules and themselves: a tenth of the time of small tests."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _nothing_of_this_machine(monkeypatch, tmp_path):
    """No data root of this machine's, and a list of trusted modules for each test."""
    monkeypatch.delenv("PIX2PIX_DATA", raising=False)
    monkeypatch.setenv("PIX2PIX_TRUSTED_MODULES", str(tmp_path / "settings" / "trusted_modules"))


@pytest.fixture(autouse=True)
def _no_handlers_of_other_tests():
    """A training in this process leaves handlers that write to the output of its own test, which is closed by then."""
    loggers = [logging.getLogger(), logging.getLogger("pix2pix")]
    before = [list(logger.handlers) for logger in loggers]
    yield
    for logger, handlers in zip(loggers, before, strict=True):
        for handler in [handler for handler in logger.handlers if handler not in handlers]:
            logger.removeHandler(handler)


def compose_mapping(*overrides: str) -> dict[str, Any]:
    """The settings that the command line would compose of `overrides`, as a mapping."""
    return compose_settings(overrides)


def make_config(*overrides: str) -> RunConfig:
    """The typed configuration of these settings."""
    return parse_config(compose_mapping(*overrides))


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


def command_line(*words: str, first: str = "") -> list[str]:
    """The words that start the command line in a process of its own, which runs `first`, lines of Python, before."""
    python = ["-c", f"{first}\nfrom pix2pix.cli import main; main()"] if first else ["-m", "pix2pix.cli"]
    return [sys.executable, *python, *map(str, words)]


def command(*words: str, timeout: float | None = None, **options) -> subprocess.CompletedProcess[str]:
    """Runs the command line as its users do, in a process of its own."""
    with start_command(*words, **options) as process:
        said, complaints = process.communicate(timeout=timeout)
    return subprocess.CompletedProcess(process.args, process.returncode, said, complaints)


@contextmanager
def start_command(*words: str, first: str = "", cold: bool = False, **options) -> Iterator[subprocess.Popen[str]]:
    """The command line in a process of its own, still running; it does not outlive the block.

    `cold`: Python itself is started, too, and imports everything anew; where the statement is about that.
    """
    start = subprocess.Popen if cold else WarmPopen
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
    with start(command_line(*words, first=first), text=True, **pipes) as process:
        try:
            yield process
        finally:
            process.kill()


@contextmanager
def forget_package(name: str) -> Iterator[None]:
    """Imports a package anew in the block, and forgets it afterwards: other tests have others of its name."""

    def forget() -> None:
        for module in [module for module in sys.modules if module.partition(".")[0] == name]:
            del sys.modules[module]

    forget()
    try:
        yield
    finally:
        forget()


def wait_until(condition: Callable[[], object], process: subprocess.Popen[str] | None = None) -> None:
    """Waits for what `process` is to bring about; fails where it ends before, or after two minutes."""
    until = time.monotonic() + 120
    while not condition():
        assert process is None or process.poll() is None, process.communicate()
        assert time.monotonic() < until
        time.sleep(0.01)


def noise_pairs(folder: Path, count: int) -> Path:
    """A folder of `count` training pairs, 0.jpg and so on, and one to validate, each 64x32 side by side."""
    for split, number in (("train", count), ("val", 1)):
        (folder / split).mkdir(parents=True)
        for place in range(number):
            Image.effect_noise((64, 32), 50).convert("RGB").save(folder / split / f"{place}.jpg")
    return folder


def copy_few(name: str, folder: Path, count: int = 4) -> Path:
    """A folder with the first pictures of each split of a real set."""
    for split in (split for split in (DATASETS / name).iterdir() if split.is_dir()):
        (folder / split.name).mkdir(parents=True)
        for file in sorted(split.iterdir())[:count]:
            shutil.copy(file, folder / split.name)
    return folder


def weights(run: Run, checkpoint: str = "last") -> dict[str, torch.Tensor]:
    """The weights in a checkpoint of a run."""
    return torch.load(run.checkpoint(checkpoint), weights_only=True)["state_dict"]


def same_pairs(a: Iterable[Pair], b: Iterable[Pair]) -> bool:
    """Whether these are the same pairs, by name and bit for bit."""
    return all(
        p.name == q.name and torch.equal(p.source, q.source) and torch.equal(p.target, q.target)
        for p, q in zip(a, b, strict=True)
    )


def same_weights(a: Run, b: Run) -> bool:
    """Whether two trainings ended with the same weights, bit for bit."""
    first, second = weights(a), weights(b)
    return first.keys() == second.keys() and all(torch.equal(first[key], second[key]) for key in first)


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
