"""The share of a training's time that is not steps: validations, samples, checkpoints, logs.

Narrow networks stand in for a fast device: their steps are short, and what lies between them shows.

python -m benchmarks.benchmark_epochs callbacks.checkpoint.min_seconds=30 execution.validation_batch=16
"""

import argparse
import contextlib
import json
import sys
import tempfile
from itertools import pairwise
from pathlib import Path

import torch

from benchmarks.machine import describe_machine
from pix2pix import cli

SMALL = ["data.size=32", "data.source.train_pairs=100", "data.source.val_pairs=25", "trainer.max_epochs=7"]
NARROW = ["trainer=cpu", "generator.base_channels=4", "discriminator.base_channels=4", "discriminator=patch16"]
BEGINS = {"steps": "epoch_begins", "validation": "validation_begins", "saving": "saving_begins"}
ENDS = {"steps": "steps_end", "validation": "validation_ends", "saving": "saving_ends"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("overrides", nargs="*")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory(dir=".") as folder:
        clock = Path(folder) / "clock"
        words = [*SMALL, *NARROW, f"output_dir={folder}", *options.overrides]
        words.append(f"+callbacks.clock={{_target_: benchmarks.gpu.clock.Clock, file: '{clock}'}}")
        sys.argv = ["pix2pix", "train", *words]
        with contextlib.suppress(SystemExit):
            cli.main()
        seconds = measure_phases(clock.read_text(encoding="utf-8").splitlines())
    total = seconds["total"]
    for name, value in seconds.items():
        print(f"{name:12} {value:7.2f} s  {value / total:6.1%}")
    print(f"not steps: {1 - seconds['steps'] / total:.1%}")
    if options.json:
        result = {"seconds": seconds, "overrides": options.overrides, "machine": describe_machine()}
        options.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


def measure_phases(lines: list[str]) -> dict[str, float]:
    """The seconds of each phase, after the first epoch, which warms up."""
    events = [(name, float(when)) for name, when in map(str.split, lines)]
    second = [when for name, when in events if name == "epoch_begins"][1]
    events = [(name, when) for name, when in events if when >= second]
    sums = {"total": events[-1][1] - second}
    for phase, begins in BEGINS.items():
        marks = [(name, when) for name, when in events if name in {begins, ENDS[phase]}]
        sums[phase] = sum(b - a for (name, a), (_, b) in pairwise(marks) if name == begins)
    return sums | {"rest": sums["total"] - sum(sums[phase] for phase in BEGINS)}


if __name__ == "__main__":
    main()
