"""A model of data-parallel training on many GPUs: the speed that remains after the exchange of gradients.

python benchmarks/ddp_model.py                                    # tables for 8 and 64 GPUs
python benchmarks/ddp_model.py --step-ms 0.6 2.1 --message-megabytes 5 25 1000
python benchmarks/ddp_model.py --gradient-bytes 2                 # were they sent in bfloat16
python benchmarks/ddp_model.py --measure                          # what two processes on this machine really do

Adam takes the time of its bytes at the memory's rate; the rest of a step is shared out by floating point operations,
layer by layer. Gradients are sent in messages as they become complete, one after the other over the links; what is not
sent when a backward pass ends, D's or G's, is waited for, and so are the sums' division and the means of the losses. No
GPU is used, and none was: step times are given, links are four fifths of what their data sheets say.
"""

import argparse
import csv
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from count_operations import ADAM, FLOAT, weights
from torch import Tensor, nn

from benchmarks.machine import describe_machine
from pix2pix.models import PatchGAN, UNet

ADAM_RATE = 4.8e12  # bytes a second: the memory of an H200
STEPS_MS = {1: 0.6, 16: 2.1}  # by batch: the floor of an H200, the hardest case for its links


@dataclass(frozen=True)
class Links:
    """The links between GPUs; the time of a ring all-reduce follows from the bytes per link and a delay.

    Args:
        inside: bytes a second in each direction between the GPUs of a machine.
        between: likewise between machines, for each GPU; None for one machine.
        delay: seconds before the first byte, whatever the size.
    """

    name: str
    gpus: int
    inside: float
    between: float | None
    delay: float

    def seconds(self, size: float) -> float:
        local = min(self.gpus, 8)
        time = self.delay + 2 * (local - 1) / local * size / self.inside
        if self.between is not None:
            machines = self.gpus // local  # each GPU exchanges its part with those of its place in the other machines
            time += 2 * (machines - 1) / machines * size / local / self.between
        return time


LINKS = [
    Links("8 by NVLink", 8, 0.8 * 450e9, None, 20e-6),
    Links("8 by PCIe 4", 8, 0.8 * 32e9, None, 20e-6),
    Links("64: NVLink, 400 Gbit/s a GPU", 64, 0.8 * 450e9, 0.8 * 50e9, 60e-6),
    Links("64: NVLink, 100 Gbit/s a machine", 64, 0.8 * 450e9, 0.8 * 12.5e9 / 8, 60e-6),
]


@dataclass(frozen=True)
class Layer:
    """A convolution: its forward operations, and the bytes of its gradient."""

    operations: float
    size: int


def layers(network: nn.Module, source: Tensor, width: int) -> list[Layer]:
    """The convolutions in the order in which they run, traced on the meta device."""
    result: list[Layer] = []

    def note(layer: Any, inputs: tuple[Tensor, ...], made: Tensor) -> None:
        positions = inputs[0] if isinstance(layer, nn.ConvTranspose2d) else made
        macs = layer.weight.numel() * positions.shape[0] * positions.shape[2] * positions.shape[3]
        result.append(Layer(2 * macs, sum(p.numel() for p in layer.parameters()) * width))

    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            module.register_forward_hook(note)
    network(source)
    return result


def exposed_time(passed: Sequence[Layer], rate: float, links: Links, least: float) -> float:
    """Seconds of waiting for gradients after a backward pass at `rate` operations per second."""
    clock = link_free = 0.0
    waiting = 0
    for number, layer in enumerate(reversed(passed), start=1):
        clock += 2 * layer.operations / rate
        waiting += layer.size  # small ones wait for each other
        if waiting >= least or number == len(passed):
            link_free = max(clock, link_free) + links.seconds(waiting)
            waiting = 0
    return max(0.0, link_free - clock)


def efficiency(step: float, batch: int, links: Links, least: float, width: int) -> float:
    """The speed per GPU as a share of the speed of a single GPU."""
    with torch.device("meta"):
        generator, discriminator = UNet(), PatchGAN(6)
        of_g = layers(generator, torch.empty(batch, 3, 256, 256), width)
        of_d = layers(discriminator, torch.empty(batch, 6, 256, 256), width)
    adam = (weights(generator) + weights(discriminator)) * FLOAT * ADAM / ADAM_RATE
    forward_g, forward_d = (sum(layer.operations for layer in passed) for passed in (of_g, of_d))
    whole = 3 * forward_g + 3 * forward_d + 2 * 2 * forward_d + forward_d  # backward is twice forward; once through D
    rate = whole / (step - adam)
    twice = [Layer(2 * layer.operations, layer.size) for layer in of_d]  # D on the fake and on the real pair
    waited = (
        exposed_time(twice, rate, links, least) + exposed_time(of_g, rate, links, least) + links.delay
    )  # the losses' means
    divided = 2 * (weights(generator) + weights(discriminator)) * width / ADAM_RATE  # sums become means
    return step / (step + waited + divided)


def tables(steps_ms: dict[int, float], sizes: Sequence[float], width: int) -> Iterator[dict[str, Any]]:
    for batch, floor in steps_ms.items():
        for slower in (1, 3):
            step = floor * slower / 1000
            for links in LINKS:
                result = {f"{mb:g} MB": efficiency(step, batch, links, 1e6 * mb, width) for mb in sizes}
                yield {"batch": batch, "step_ms": 1000 * step, "links": links.name, "efficiency": result}


def images_per_second(folder: Path, words: Sequence[str], least: float | None) -> float:
    """Images per second of a training with one process, or with two and messages of at least `least` megabytes.

    The median of its logged intervals but the first.
    """
    run = folder / f"run{sum(1 for _ in folder.iterdir())}"
    chosen = ["trainer=cpu"]
    if least is not None:
        chosen = ["trainer=ddp", "trainer.accelerator=cpu", "trainer.devices=2"]
        chosen += [f"trainer.strategy.message_megabytes={least}"]
    chosen += [f"output_dir={folder}", f"name={run.name}", "trainer.log_every_n_steps=4", "logger=csv"]
    command = [sys.executable, "-m", "pix2pix.cli", "train", *chosen, *words]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=os.environ | {"OMP_NUM_THREADS": "1"})
    with (run / "metrics.csv").open(encoding="utf-8") as file:
        rates = [float(row["images_per_second"]) for row in csv.DictReader(file) if row["images_per_second"]]
    return statistics.median(rates[1:])


def measure(rounds: int, sizes: Sequence[float]) -> Iterator[dict[str, Any]]:
    """Measures one process, then two for each message size, in turn; full networks, synthetic pairs at 256x256."""
    for batch in (1, 4):
        words = ["data.size=256", f"data.batch_size={batch}", "data.source.val_pairs=1", "trainer.max_epochs=1"]
        words += ["data.cache=memory", "callbacks.samples.pairs=1"]
        alone: list[float] = []
        together: dict[float, list[float]] = {mb: [] for mb in sizes}
        with tempfile.TemporaryDirectory() as folder:
            for _ in range(rounds):
                alone.append(images_per_second(Path(folder), [*words, f"data.source.train_pairs={13 * batch}"], None))
                for mb, result in together.items():
                    pairs = f"data.source.train_pairs={26 * batch}"
                    result.append(images_per_second(Path(folder), [*words, pairs], mb))
        for mb, result in together.items():
            ratios = sorted(two / (2 * one) for one, two in zip(alone, result, strict=True))
            speed = {"one": statistics.median(alone), "two": statistics.median(result)}
            yield {"batch": batch, "message_megabytes": mb, "images_per_second": speed, "efficiency": ratios}


def show_measured(rows: Sequence[dict[str, Any]]) -> None:
    print("| batch per process | messages of | one process | two | efficiency |\n|---|---|---|---|---|")
    for row in rows:
        speed, ratios = row["images_per_second"], row["efficiency"]
        share = f"{statistics.median(ratios):.0%} ({ratios[0]:.0%} to {ratios[-1]:.0%})"
        case = f"| {row['batch']} | {row['message_megabytes']:g} MB"
        print(f"{case} | {speed['one']:.2f} images/s | {speed['two']:.2f} images/s | {share} |")


def show(rows: Sequence[dict[str, Any]]) -> None:
    sizes = list(rows[0]["efficiency"])
    print("| batch per GPU | ms a step alone | GPUs |", " | ".join(sizes), "|\n|---|---|---|" + "---|" * len(sizes))
    for row in rows:
        shares = " | ".join(f"{share:.0%}" for share in row["efficiency"].values())
        print(f"| {row['batch']} | {row['step_ms']:.1f} | {row['links']} | {shares} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--step-ms", type=float, nargs=2, help="of one GPU alone, at batch 1 and 16")
    parser.add_argument("--message-megabytes", type=float, nargs="+", default=[1, 4, 25, 1000])
    parser.add_argument("--gradient-bytes", type=int, default=FLOAT, help="of each weight")
    parser.add_argument("--measure", action="store_true", help="two processes on this machine's CPU instead")
    parser.add_argument("--rounds", type=int, default=3, help="of measuring")
    parser.add_argument("--json", type=Path, help="where to leave the numbers")
    options = parser.parse_args()
    if options.measure:
        rows = list(measure(options.rounds, options.message_megabytes))
        show_measured(rows)
    else:
        steps = dict(zip((1, 16), options.step_ms, strict=True)) if options.step_ms else STEPS_MS
        rows = list(tables(steps, options.message_megabytes, options.gradient_bytes))
        show(rows)
    if options.json:
        options.json.write_text(
            json.dumps({"machine": describe_machine(), "rows": rows}, indent=1) + "\n", encoding="utf-8"
        )


if __name__ == "__main__":
    main()
