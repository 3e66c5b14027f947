"""Measures the step of a training alone and beside another one, with threads that spin and threads that give way.

python benchmarks/two_trainings.py --size 64 --json two_trainings.json
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

from benchmarks.machine import write_results
from pix2pix.core.spinning import FEW_SPINS, SPIN_VARIABLE

ROOT = Path(__file__).parents[1]
KINDS = {"spins": {}, "gives way": {SPIN_VARIABLE: FEW_SPINS}}
PAIRS = (("spins", "spins"), ("spins", "gives way"), ("gives way", "gives way"))


def start(kind: str, size: int) -> subprocess.Popen[str]:
    """A contender of this kind, ready for its first step."""
    command = [sys.executable, "-m", "benchmarks.contenders", "ours", "--size", str(size), "--steps", "1000"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    return subprocess.Popen(command, cwd=ROOT, env=os.environ | KINDS[kind], encoding="utf-8", **pipes)


def step_together(contenders: list[subprocess.Popen[str]], steps: int) -> list[float]:
    """Milliseconds a step of each, while all take `steps` steps at once; medians."""
    for contender in contenders:
        assert contender.stdin
        contender.stdin.write(f"{steps}\n")
        contender.stdin.flush()
    answers = [json.loads(contender.stdout.readline()) for contender in contenders if contender.stdout]
    return [1000 * statistics.median(answer["seconds"]) for answer in answers]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=64, help="side of the pictures, a power of two")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=10, help="of each turn")
    parser.add_argument("--json", type=Path, help="where to leave the numbers")
    options = parser.parse_args()
    both = {kind: [start(kind, options.size), start(kind, options.size)] for kind in KINDS}
    cases = {f"{kind}, alone": [both[kind][0]] for kind in KINDS}
    cases |= {f"{a} beside {b}": [both[a][0], both[b][1]] for a, b in PAIRS}
    turns: dict[str, list[list[float]]] = {case: [] for case in cases}
    for contender in (contender for pair in both.values() for contender in pair):
        step_together([contender], 4)  # warm-up
    for _ in range(options.rounds):
        for case, contenders in cases.items():
            turns[case].append(step_together(contenders, options.steps))
    for pair in both.values():
        for contender in pair:
            contender.communicate()
    rows = {case: [round(statistics.median(times), 1) for times in zip(*turns[case], strict=True)] for case in cases}
    for case, milliseconds in rows.items():
        print(f"{case:<26} {' and '.join(f'{time:.0f}' for time in milliseconds)} ms a step")
    write_results(options.json, milliseconds=rows)


if __name__ == "__main__":
    main()
