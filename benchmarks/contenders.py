"""One contender of a comparison, in its own process: takes training steps on request and reports their time.

python -m benchmarks.contenders ours --size 256 --batch 1

Reads a number of steps from each line of standard input and answers each with a line of JSON. Otherwise it waits.

A GPU works behind the program, so there the time of a turn counts, from an idle device to an idle device, and each
step has its share. Losses are read every hundred steps, as the authors do; on the CPU, where that costs nothing, in
every step.
"""

import argparse
import itertools
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch

from benchmarks.authors_step import AuthorsStep
from benchmarks.interleaved import ResultPipe, exit_process, read_step_counts, resource_usage
from benchmarks.reference_step import ReferenceStep, patchgan, unet
from pix2pix.config.compose import compose_settings
from pix2pix.config.parse import parse_config
from pix2pix.config.schema import RunConfig
from pix2pix.core.allocator import keep_freed_memory
from pix2pix.runs.run import Run
from pix2pix.training import build
from pix2pix.training import train as experiment
from pix2pix.training.step import pix2pix_step

NOT_FUSED = ["optimizer.generator.fused=false", "optimizer.discriminator.fused=false"]
FAST = ["precision=bf16-mixed", "execution.cuda_graph=true", "execution.channels_last=true"]
NARROW = ["generator.base_channels=4", "discriminator.base_channels=4"]  # so that what is around the step shows
# The overrides of each contender, and whether the allocator keeps freed memory.
CONTENDERS: dict[str, tuple[list[str], bool]] = {
    "plain": (NOT_FUSED, False),
    "fused": ([], False),
    "memory": (NOT_FUSED, True),
    "ours": ([], True),
    "bf16": (["precision=bf16-mixed"], True),
    "train": ([], True),
    "fast_train": (FAST, True),
    "narrow": (NARROW, True),
    "narrow_data": (NARROW, True),
    "narrow_train": (NARROW, True),
}
Step = Callable[[], Any]


def compose_benchmark_config(overrides: list[str], size: int, batch: int, device: str) -> RunConfig:
    words = [f"data.size={size}", f"data.batch_size={batch}", "data.cache=memory"]
    return parse_config(compose_settings([f"trainer={'gpu' if device == 'cuda' else 'cpu'}", *words, *overrides]))


def batch_of(size: int, batch: int, device: str) -> torch.Tensor:
    """A source and a target, (2, B, 3, H, W) in [-1, 1]; their values do not affect the speed."""
    pictures = torch.rand(2, batch, 3, size, size, generator=torch.Generator().manual_seed(0)) * 2 - 1
    return pictures.to(device)


def make_reference_step(size: int, batch: int, device: str, checkout: Path | None = None) -> Step:
    """The step of the authors' checkout, or else that of our copy of their algorithm."""
    source, target = batch_of(size, batch, device)
    read_every = 100 if device == "cuda" else 1
    if checkout:
        step = AuthorsStep(checkout, size, device, read_every=read_every)
    else:
        networks = unet(min(size.bit_length() - 1, 8)).to(device), patchgan().to(device)
        step = ReferenceStep(*networks, read_every=read_every)
    return lambda: step(source, target)


def make_own_step(side: str, size: int, batch: int, steps: int, device: str) -> Step:
    """The step of this package alone: the model and optimizers of the configuration, without Lightning.

    With `data` it takes the pairs of a training instead of repeating the same tensors.
    """
    config = compose_benchmark_config(CONTENDERS[side][0], size, batch, device)
    model = build.build_model(config).train().to(device)
    same = itertools.repeat(batch_of(size, batch, device))
    batches = load_batches(config, steps * batch) if side.endswith("data") else same
    update_g, update_d = map(make_update, model.configure_optimizers())

    def step() -> None:
        source, target, *_ = next(batches)
        with precision(config, device):
            parts = model.generator, model.discriminator, model.objective
            result = pix2pix_step(source, target, *parts, update_g, update_d)
        if device == "cpu":
            [loss.item() for loss in result["losses"].values()]

    return step


def load_batches(config: RunConfig, count: int) -> Iterator[Any]:
    """Batches of `count` pairs, loaded, cached and augmented as in a training, without Lightning's loop."""
    config.data.source.update({"train_pairs": count, "val_pairs": 1})
    data = build.build_data(config)
    data.trainer = build.build_trainer(config.replace(logger={}, callbacks={}), Run(config.run_dir))
    data.setup("fit")
    for batch in data.train_dataloader():
        yield data.on_after_batch_transfer(batch, 0)


def precision(config: RunConfig, device: str) -> AbstractContextManager[Any]:
    """Autocast as Lightning sets it, without a cache of cast weights."""
    half = config.precision == "bf16-mixed"
    return torch.autocast(device, torch.bfloat16, cache_enabled=False) if half else nullcontext()


def make_update(optimizer: torch.optim.Optimizer) -> Callable[[torch.Tensor], None]:
    def update(loss: torch.Tensor) -> None:
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()

    return update


def time_steps(step: Step, steps: int, device: str) -> list[float]:
    """The seconds of each of so many steps."""
    marks = [time.perf_counter()]
    for number in range(steps):
        step()
        if device == "cuda" and number == steps - 1:
            torch.cuda.synchronize()
        marks.append(time.perf_counter())
    return share_turn([after - before for before, after in itertools.pairwise(marks)], device)


def share_turn(seconds: list[float], device: str) -> list[float]:
    """The seconds of each step; on a GPU, whose steps end later than the calls that start them, those of a mean one."""
    return seconds if device == "cpu" else [sum(seconds) / len(seconds)] * len(seconds)


class Turns(pl.Callback):
    """Times the steps of a whole training, each from the end of the one before; waits after each turn."""

    def __init__(self, device: str) -> None:
        self.step_counts, self.device = read_step_counts(), device

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._wait([])

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx) -> None:
        if self.device == "cuda" and len(self.seconds) == self.steps - 1:
            torch.cuda.synchronize()
        now = time.perf_counter()
        self.seconds.append(now - self.since)
        self.since = now
        if len(self.seconds) == self.steps:
            self._wait(self.seconds)

    def _wait(self, seconds: list[float]) -> None:
        if seconds:
            ANSWERS.send(share_turn(seconds, self.device), self.before)
        self.steps = next(self.step_counts, 0) or exit_process()
        self.seconds, self.before, self.since = [], resource_usage(), time.perf_counter()


def train(overrides: list[str], size: int, batch: int, steps: int, device: str) -> None:
    """Trains as `pix2pix train` does: Lightning, the default callbacks and loggers, cached pairs from a loader."""
    with tempfile.TemporaryDirectory() as folder:
        pairs = [f"data.source.train_pairs={steps * batch}", "data.source.val_pairs=1", f"run_dir='{folder}/run'"]
        config = compose_benchmark_config([*overrides, *pairs], size, batch, device)
        run, data = Run(config.run_dir), build.build_data(config)
        with run.open_session(config, data.pairs.fingerprint()):
            trainer = build.build_trainer(config, run)
            trainer.callbacks.append(Turns(device))
            trainer.fit(build.build_model(config), data)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("side", choices=["reference", *CONTENDERS])
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--steps", type=int, default=100, help="of a whole training, at most: no epoch ends before")
    parser.add_argument("--threads", type=int, default=0, help="0: as torch chooses")
    parser.add_argument("--reference", type=Path, help="a checkout of the authors' repository, for `reference`")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    if options.side != "reference" and CONTENDERS[options.side][1]:
        keep_freed_memory()
    if options.device == "cuda":
        torch.backends.cudnn.benchmark = True  # as the authors set it, and as a training does
    if options.side.endswith("train"):
        experiment.prepare_process()
        train(CONTENDERS[options.side][0], options.size, options.batch, options.steps, options.device)
    shape = options.size, options.batch
    step = (
        make_reference_step(*shape, options.device, options.reference)
        if options.side == "reference"
        else make_own_step(options.side, *shape, options.steps, options.device)
    )
    for steps in read_step_counts():
        before = resource_usage()
        ANSWERS.send(time_steps(step, steps, options.device), before)


if __name__ == "__main__":
    ANSWERS = ResultPipe()
    main()
