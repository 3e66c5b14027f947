"""Kills real trainings at random moments, starts them again, and compares what they leave with an unbroken one.

python scripts/soak.py --kills 50            # the long one, `make soak`
python scripts/soak.py --kills 6 --words precision=bf16-mixed ema_decay=0.9

A training is killed with SIGKILL after a random number of milliseconds since it was last started, wherever it then is:
in a step, a validation, a checkpoint, a sheet of samples. With --term, every other kill is a SIGTERM. Once it is
finished, its weights, optimizers, metrics.csv and samples must equal the unbroken run's, bit for bit; then another one
begins.
"""

import argparse
import json
import os
import platform
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from pix2pix.loggers.metrics_csv import read
from pix2pix.run import Run

WORDS = [
    *("data.size=32", "data.pairs.train_pairs=24", "data.pairs.val_pairs=4", "data.batch_size=2", "data.num_workers=0"),
    *("generator.base_channels=4", "discriminator.base_channels=4", "discriminator.receptive_field=16"),
    *("trainer.max_epochs=4", "trainer.log_every_n_steps=3", "optimizer.decay_epochs=2"),
    *("callbacks.checkpoint.every_n_steps=2", "callbacks.checkpoint.every_n_epochs=2", "logger=csv"),
]


def command(folder: Path, name: str, words: list[str]) -> list[str]:
    python = [sys.executable, "-m", "pix2pix.cli", "train"]
    return [*python, *WORDS, *words, f"output_dir={folder}", f"name={name}"]


def killed_until_finished(
    folder: Path, name: str, words: list[str], dice: random.Random, budget: int, term: bool
) -> Counter[str]:
    """Starts the run again and again until it is finished; says how often it was killed, and in which stage."""
    kills: Counter[str] = Counter()
    run = Run(folder / name)
    while not run.finished():
        process = subprocess.Popen(command(folder, name, words), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        if kills.total() >= budget:
            _, said = process.communicate()
            if process.returncode:
                raise SystemExit(f"{name}: ended with {process.returncode}\n{said.decode()}")
            break
        wait_for_the_first_step(process, run)
        time.sleep(dice.uniform(0, 0.7))
        number = signal.SIGTERM if term and kills.total() % 2 else signal.SIGKILL
        if process.poll() is None:
            kills[f"{signal.Signals(number).name} {stage(run)}"] += 1
            process.send_signal(number)
        _, said = process.communicate()
        if process.returncode not in {0, -signal.SIGKILL, -signal.SIGTERM, 128 + signal.SIGTERM}:
            raise SystemExit(f"{name}: ended with {process.returncode}\n{said.decode()}")
    return kills


def wait_for_the_first_step(process: subprocess.Popen[bytes], run: Run) -> None:
    """Kills before that would prove nothing: the start takes seconds, the whole training hardly one."""
    begun = newest(run)
    while process.poll() is None and newest(run) == begun:
        time.sleep(0.002)


def newest(run: Run) -> float:
    files = [file for file in run.path.rglob("*") if file.name != "provenance.json"] if run.path.is_dir() else []
    return max((file.stat().st_mtime_ns for file in files if file.exists()), default=0)


def stage(run: Run) -> str:
    """Where the training seems to be, by the files that are half written."""
    parts = {part.suffixes[0] for part in run.path.rglob(".*.part")}
    return "within a checkpoint" if ".ckpt" in parts else "within a picture" if ".png" in parts else "elsewhere"


def differences(unbroken: Run, broken: Run) -> list[str]:
    """What the two runs do not have in common, bit for bit, but for speeds, names and dates."""
    found = []
    for name in ("last", "best", "epoch=2", "epoch=4"):
        ours, theirs = (torch.load(run.checkpoint(name), weights_only=True) for run in (broken, unbroken))
        keys = ("state_dict", "optimizer_states", "global_step", "epoch", "callbacks")
        found += [f"{name}.ckpt: {key}" for key in keys if not same(ours[key], theirs[key])]
    rows = [read(run.path / "metrics.csv") for run in (broken, unbroken)]
    for row in (*rows[0], *rows[1]):
        row.pop("images_per_second")
    found += ["metrics.csv"] if rows[0] != rows[1] else []
    names = [sorted(file.name for file in (run.path / "samples").iterdir()) for run in (broken, unbroken)]
    found += ["the names of the samples"] if names[0] != names[1] else []
    for name in names[1]:
        with Image.open(broken.path / "samples" / name) as ours, Image.open(unbroken.path / "samples" / name) as theirs:
            found += [f"samples/{name}"] if ours.tobytes() != theirs.tobytes() else []
    leftovers = [str(file) for file in broken.path.rglob(".*") if file.suffix == ".part"]
    return found + leftovers


def same(a: Any, b: Any) -> bool:
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--term", action="store_true")
    parser.add_argument("--words", nargs="*", default=[], help="more overrides for the trainings")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    dice, kills, found, runs, started = random.Random(options.seed), Counter(), [], 0, time.monotonic()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        subprocess.run(command(folder, "unbroken", options.words), check=True, capture_output=True)
        while kills.total() < options.kills:
            runs += 1
            left = options.kills - kills.total()
            kills += killed_until_finished(folder, f"broken{runs}", options.words, dice, min(left, 8), options.term)
            found += differences(Run(folder / "unbroken"), Run(folder / f"broken{runs}"))
            print(
                f"{kills.total()} kills, {runs} trainings finished, differences: {', '.join(found) or 'none'}",
                flush=True,
            )
    result = {
        "kills": kills,
        "trainings": runs,
        "differences": found,
        "minutes": (time.monotonic() - started) / 60,
        "words": [*WORDS, *options.words],
        "machine": f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, torch {torch.__version__}",
    }
    for what, count in sorted(kills.items()):
        print(f"  {count:4d}  {what}")
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    raise SystemExit(bool(found))


if __name__ == "__main__":
    main()
