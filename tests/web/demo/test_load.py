"""Many clients at once lose nothing, and the benchmark measures."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[3] / "benchmarks"


def report(*words: object) -> dict:
    """What a script of ours prints last."""
    result = subprocess.run([sys.executable, *map(str, words)], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    return json.loads(result.stdout.splitlines()[-1])


@pytest.mark.slow
def test_two_hundred_clients_lose_nothing_and_memory_stays_flat(tiny_run):
    seen = report(BENCHMARKS / "load_demo.py", tiny_run.path, "--clients", 200, "--seconds", 20)
    assert seen["lost"] == 0
    assert min(seen[kind] for kind in ("frames", "pictures", "refused nonsense")) > 20
    assert seen["memory grew by, MB"] < 64


@pytest.mark.slow
def test_the_benchmark_counts_frames_and_delay(tiny_run):
    seen = report(BENCHMARKS / "benchmark_demo.py", tiny_run.path, "--seconds", 3)
    assert seen["size"] == "32x32"
    assert seen["frames a second"] > 0
    assert seen["delay, median ms"] > 0
