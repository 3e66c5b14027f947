"""Time until a command answers, and until a training finishes its first step.

python benchmarks/benchmark_startup.py --json benchmarks/results/startup.json

The clock runs outside: from the start of the process to its end; of a training to the line that says that its first
step is over, its losses read. It trains in a new directory each time, with the callbacks and loggers that it has by
itself. Between the rounds nothing is kept but what the system keeps of files that were read. `--cold` empties that,
too, before each process: the first command after the machine was started (Linux, as root).
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.machine import describe_machine, read_results

ROOT = Path(__file__).parents[1]
PIX2PIX = ["-m", "pix2pix.cli"]
FIRST_STEP = "+callbacks.first_step._target_=benchmarks.first_step.FirstStep"
SHORT_RUNS = [
    *("experiment=demo", "data.size=32", "data.source.train_pairs=1", "data.source.val_pairs=1"),
    *("generator.base_channels=4", "discriminator.base_channels=4", "trainer.max_epochs=1"),
]
COMMANDS = {
    "python, doing nothing": ["-c", "pass"],
    "import torch": ["-c", "import torch"],
    "import pytorch_lightning": ["-c", "import pytorch_lightning"],
    "pix2pix --help": [*PIX2PIX, "--help"],
    "pix2pix evaluate --help": [*PIX2PIX, "evaluate", "--help"],
    "pix2pix train --help": [*PIX2PIX, "train", "--help"],
    "pix2pix train experiment=demoo (refused)": [*PIX2PIX, "train", "experiment=demoo"],
    "pix2pix train experiment=demo --cfg job": [*PIX2PIX, "train", "experiment=demo", "--cfg", "job"],
    "pix2pix train experiment=demo, to the end of step 1": [*PIX2PIX, "train", "experiment=demo", FIRST_STEP],
    "one run of one step, to its end": [*PIX2PIX, "train", *SHORT_RUNS],
    "pix2pix train -m seed=1,2,3,4,5,6: a sweep of six such runs": [
        *(*PIX2PIX, "train", "-m", *SHORT_RUNS),
        "seed=1,2,3,4,5,6",
    ],
}


def seconds(words: list[str]) -> float:
    """Seconds from the start of the process to its end, or to the end of the first step."""
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        started = time.perf_counter()
        command = [sys.executable, *words]
        with subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            encoding="utf-8",
        ) as process:
            assert process.stdout
            output = list(process.stdout)  # a training ends itself after its first step
            took = time.perf_counter() - started
    if words[-1] == FIRST_STEP and not any(line.startswith("first step") for line in output):
        raise SystemExit(f"the training took no step; it said: {''.join(output)}")
    return took


def forget_files() -> None:
    """Drops the system's file cache."""
    os.sync()
    Path("/proc/sys/vm/drop_caches").write_text("3", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--cold", action="store_true", help="empty the system's cache of files before each process")
    parser.add_argument("--json", type=Path, help="where to leave the numbers")
    options = parser.parse_args()
    taken: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for number in range(options.rounds + (not options.cold)):
        for name, words in COMMANDS.items():
            if options.cold:
                forget_files()
            one = seconds(words)
            taken[name] += [one] if number or options.cold else []  # the first round reads the files from the disk
    print("| command | seconds (median) | from | to |\n|---|---|---|---|")
    for name, each in taken.items():
        print(f"| {name} | {statistics.median(each):.2f} | {min(each):.2f} | {max(each):.2f} |")
    if options.json:
        recorded = read_results(options.json, "results") if options.json.is_file() else {}
        recorded["cold" if options.cold else "warm"] = {
            "machine": describe_machine(),
            "command": sys.argv,
            "seconds": taken,
        }
        options.json.write_text(json.dumps({"results": recorded}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
