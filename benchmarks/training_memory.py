"""Peak memory of whole trainings, checkpoints and sample sheets included, beside that of the reference's steps.

    python -m benchmarks.training_memory ../shared/datasets --json benchmarks/results/training_memory.json

Each is a process of its own: some steps of the reference on one batch, and `pix2pix train experiment=facades` with two
short epochs, without its cache of pairs and with it. Times do not count, so other work may run beside it.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.interleaved import Contender
from benchmarks.machine import write_results
from pix2pix.core.tables import to_markdown_table

STEPS = 5  # of an epoch, and of the reference
SHORT = [f"trainer.limit_train_batches={STEPS}", "trainer.limit_val_batches=4", "trainer.max_epochs=2"]


def peak_of_reference(batch: int) -> float:
    """The largest memory of the reference in MiB, after some steps on one batch."""
    reference = Contender("reference", "benchmarks.contenders", ["reference", "--size", 256, "--batch", batch])
    peak = reference.take_turn(STEPS)["peak_mebibytes"]
    reference.end()
    return peak


def peak_of_training(data: Path, batch: int, cache: str) -> float:
    """The largest memory of `pix2pix train` in MiB."""
    with tempfile.TemporaryDirectory() as folder:
        words = ["experiment=facades", f"data.root={data}", f"data.batch_size={batch}", f"data.cache={cache}"]
        command = [sys.executable, "-m", "pix2pix", "train", *words, *SHORT, f"output_dir={folder}"]
        _, status, usage = os.wait4(subprocess.Popen(command, stdout=subprocess.DEVNULL).pid, 0)
    if status:
        raise SystemExit(f"{' '.join(command)} ended with {os.waitstatus_to_exitcode(status)}")
    return usage.ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="the folder that holds facades")
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 4, 8])
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    results = []
    for batch in options.batches:
        row = {
            "reference": peak_of_reference(batch),
            "without_cache": peak_of_training(options.data, batch, "off"),
            "with_cache": peak_of_training(options.data, batch, "memory"),
        }
        results.append({"batch": batch} | {name: round(value) for name, value in row.items()})
        print(results[-1], flush=True)
    cells = [
        [str(row["batch"]), str(row["reference"])]
        + [f"{row[side]} ({row[side] / row['reference']:.2f})" for side in ("without_cache", "with_cache")]
        for row in results
    ]
    print(to_markdown_table(["batch", "reference, MiB", "without a cache", "pairs cached in memory"], cells))
    write_results(options.json, results=results)


if __name__ == "__main__":
    main()
