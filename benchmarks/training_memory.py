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

from benchmarks.machine import write_results
from pix2pix.core.tables import to_markdown_table

STEPS = 5  # of an epoch, and of the reference
SHORT = [f"trainer.limit_train_batches={STEPS}", "trainer.limit_val_batches=4", "trainer.max_epochs=2"]


def peak_of(command: list[str], text: str = "") -> float:
    """The largest memory of a program in MiB, which reads `text` from its standard input."""
    process = subprocess.Popen(
        [sys.executable, "-m", *command], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, encoding="utf-8"
    )
    assert process.stdin is not None
    with process.stdin as pipe:
        pipe.write(text)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{' '.join(command)} ended with {os.waitstatus_to_exitcode(status)}")
    return usage.ru_maxrss / 1024


def peak_of_training(data: Path, batch: int, cache: str) -> float:
    with tempfile.TemporaryDirectory() as folder:
        words = ["experiment=facades", f"data.root={data}", f"data.batch_size={batch}", f"data.cache={cache}"]
        return peak_of(["pix2pix", "train", *words, *SHORT, f"output_dir={folder}"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="the folder that holds facades")
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 4, 8])
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    results = []
    for batch in options.batches:
        reference = ["benchmarks.contenders", "reference", "--size", "256", "--batch", str(batch)]
        row = {
            "reference": peak_of(reference, f"{STEPS}\n"),
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
