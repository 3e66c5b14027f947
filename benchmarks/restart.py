"""Stops a training by SIGTERM and starts it again: the seconds to its end, and from the start to its next step.

python -m benchmarks.restart --data ../shared/datasets    # the paper's networks at 256x256 on the facades

This is what a spot machine that is taken away with notice costs, beside the next machine's own start.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=str(__doc__), formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/datasets"), help="the folder that holds facades/")
    parser.add_argument("--stops", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        log = ["logger=csv", "trainer.log_every_n_steps=1", f"output_dir={folder}", "name=run"]
        words = ["train", "experiment=facades", f"data.root={options.data.resolve()}", *log]
        rows = Path(folder) / "run" / "metrics.csv"
        training = start(words)
        wait_for_rows(4, rows, training)
        for _ in range(options.stops):
            began = time.monotonic()
            training.send_signal(signal.SIGTERM)
            training.wait()
            ended, count = time.monotonic(), rows_of(rows)
            training = start(words)
            wait_for_rows(count + 1, rows, training)
            seconds = ended - began, time.monotonic() - ended
            load = os.getloadavg()[0]
            print(f"to the end {seconds[0]:.1f} s, to the next step {seconds[1]:.1f} s, load {load:.0f}", flush=True)
        training.kill()
        training.wait()


def start(words: list[str]) -> subprocess.Popen[bytes]:
    """Starts the command line, whose output is of no interest."""
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    return subprocess.Popen([sys.executable, "-m", "pix2pix.cli", *words], **quiet)


def rows_of(file: Path) -> int:
    """How many steps are logged."""
    return len(file.read_text(encoding="utf-8").splitlines()) - 1 if file.is_file() else 0


def wait_for_rows(count: int, file: Path, training: subprocess.Popen[bytes]) -> None:
    """Waits until so many steps are logged. Raises RuntimeError if the training ends before."""
    while rows_of(file) < count:
        if training.poll() is not None:
            raise RuntimeError(f"the training ended with exit code {training.returncode}")
        time.sleep(0.05)


if __name__ == "__main__":
    main()
