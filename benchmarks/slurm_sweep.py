"""Runs a sweep of many very short runs on a Slurm cluster of this machine, and measures what each job costs beside it.

python -m benchmarks.slurm_sweep --json benchmarks/results/slurm_sweep.json    # as root, with Debian's slurm-wlm, munge

Each run takes one step. The cluster is that of the tests: one node, which runs as many jobs at once as there are cores.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from benchmarks.machine import describe_machine
from pix2pix.core.cpu_cores import count_cores
from tests.slurm.cluster import missing, start_cluster

ROOT = Path(__file__).parents[1]
SMALL = [
    *("data.size=32", "data.source.train_pairs=2", "data.source.val_pairs=1", "data.source.test_pairs=1"),
    *("generator.base_channels=4", "discriminator.base_channels=4", "discriminator.receptive_field=16"),
    *("trainer.max_steps=1", "logger=csv"),
]


def call(folder: Path, environment: Mapping[str, str], *words: str) -> tuple[float, str]:
    """Runs the command line, and returns its seconds and what it said."""
    began = time.monotonic()
    command = [sys.executable, "-m", "pix2pix.cli", *words]
    options: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    result = subprocess.run(command, cwd=folder, env=environment, check=False, **options)
    if result.returncode:
        raise SystemExit(result.stdout)
    return time.monotonic() - began, result.stdout


def measure(folder: Path, environment: Mapping[str, str], runs: int) -> dict[str, float]:
    """Seconds, bytes and files of a sweep, of the same command again, and of the comparison."""
    jobs = count_cores()
    alone = min(call(folder, environment, "train", *SMALL, f"name=alone_{number}")[0] for number in range(3))
    launcher = ["hydra/launcher=slurm", "hydra.launcher.timeout_min=30", f"hydra.launcher.array_parallelism={jobs}"]
    words = ["train", "-m", *SMALL, f"seed=range(1,{runs + 1})", *launcher, "name=many"]
    submitting, _ = call(folder, environment, *words, "hydra.launcher.detach=true")
    waiting, said = call(folder, environment, *words)
    finished = re.search(rf"{runs} runs, (\d+) (?:finished|skipped)(?:, (\d+) (?:finished|skipped))?\n", said)
    if not finished or sum(int(count or 0) for count in finished.groups()) != runs:
        raise SystemExit(said)
    again, _ = call(folder, environment, *words)
    sweep = folder / "outputs" / "many_sweep"
    before = {path for path in sweep.rglob("*") if path.is_file()}
    comparing, _ = call(folder, environment, "compare", str(sweep))
    page = sum(path.stat().st_size for path in sweep.rglob("*") if path.is_file() and path not in before)
    return {
        "runs": runs,
        "jobs_at_once": jobs,
        "seconds_of_a_run_alone": alone,
        "seconds_to_submit": submitting,
        "seconds_in_all": submitting + waiting,
        "seconds_a_job": (submitting + waiting) * jobs / runs,
        "seconds_of_the_same_command_again": again,
        "kilobytes_a_run": kilobytes_of(before, lambda path: path.is_relative_to(sweep / "seed=1")),
        "kilobytes_of_submitit_a_run": kilobytes_of(before, lambda path: ".submitit" in path.parts) / runs,
        "files_a_run": sum(path.is_relative_to(sweep / "seed=1") for path in before),
        "seconds_to_compare": comparing,
        "megabytes_of_the_comparison": page / 1e6,
    }


def kilobytes_of(files: set[Path], chosen: Callable[[Path], bool]) -> float:
    """Kilobytes of the chosen files."""
    return sum(path.stat().st_size for path in files if chosen(path)) / 1000


def main() -> None:
    """Measures, prints and writes."""
    parser = argparse.ArgumentParser(description=str(__doc__), formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=300)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    if why := missing():
        raise SystemExit(f"No cluster can be started here: {why}.")
    with start_cluster() as cluster, tempfile.TemporaryDirectory() as name:
        environment = cluster.environment | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        result = measure(Path(name), environment, arguments.runs)
    for what, number in result.items():
        print(f"{what.replace('_', ' ')}: {number:.4g}")
    if arguments.json:
        record = {
            "command": " ".join(["python -m benchmarks.slurm_sweep", *sys.argv[1:]]),
            "machine": describe_machine(),
            **result,
        }
        record["load"] = os.getloadavg()
        arguments.json.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
