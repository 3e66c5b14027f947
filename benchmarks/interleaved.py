"""Interleaved measurements: contenders in their own processes take turns; while one works, the others wait.

A contender reads a number of steps from each line of its input, takes them, and answers with a line of JSON.
"""

import json
import os
import resource
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

from benchmarks.machine import peak_mebibytes

ROOT = Path(__file__).parents[1]
RATIOS = ("times_as_fast", "processor_times")


class Contender:
    """A process `python -m MODULE WORDS`, and the turns that it has taken."""

    def __init__(self, name: str, module: str, words: Sequence[Any]) -> None:
        command = [sys.executable, "-m", module, *map(str, words)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        self.name, self.turns = name, []
        self.process = subprocess.Popen(command, cwd=ROOT, encoding="utf-8", **pipes)

    def take_turn(self, steps: int) -> dict[str, Any]:
        assert self.process.stdin
        assert self.process.stdout
        try:
            self.process.stdin.write(f"{steps}\n")
            self.process.stdin.flush()
            return json.loads(self.process.stdout.readline())
        except (OSError, json.JSONDecodeError) as error:
            output = self.process.stderr.read() if self.process.stderr else ""
            raise SystemExit(f"the contender {self.name} ended:\n{output}") from error

    def end(self) -> None:
        self.process.communicate()  # closes its input


def run_in_turns(sides: Sequence[Contender], rounds: int, steps: int, *, first: int) -> None:
    """Lets every contender take a turn of `first` steps for warm-up, then one of `steps` in each round."""
    try:
        for side in sides:
            side.take_turn(first)
        for number in range(rounds):
            for side in sides if number % 2 else reversed(sides):
                side.turns.append(side.take_turn(steps))
    finally:
        for side in sides:
            side.end()


def summarize(turns: list[dict[str, Any]], against: list[dict[str, Any]]) -> dict[str, Any]:
    """Medians over the rounds, and the speed relative to `against`."""
    own, theirs = ([statistics.median(turn["seconds"]) for turn in side] for side in (turns, against))
    processor, of_theirs = ([turn["processor_seconds"] for turn in side] for side in (turns, against))
    return {
        "ms": quartiles([1000 * seconds for seconds in own]),
        "times_as_fast": quartiles([b / a for a, b in zip(own, theirs, strict=True)]),
        "processor_ms": quartiles([1000 * seconds for seconds in processor]),
        "processor_times": quartiles([b / a for a, b in zip(processor, of_theirs, strict=True)]),
        "ms_more": quartiles([1000 * (a - b) for a, b in zip(own, theirs, strict=True)]),
        "page_faults": statistics.median(turn["page_faults"] for turn in turns),
        "peak_mebibytes": round(turns[-1]["peak_mebibytes"]),
    }


def quartiles(values: list[float]) -> dict[str, float]:
    low, median, high = statistics.quantiles(values, n=4)
    return {"median": round(median, 4), "low": round(low, 4), "high": round(high, 4)}


def format_quartiles(value: dict[str, float], digits: int) -> str:
    return f"{value['median']:.{digits}f} ({value['low']:.{digits}f} to {value['high']:.{digits}f})"


class ResultPipe:
    """The contender's end of the pipe. Everything else that the process prints goes to standard error."""

    def __init__(self) -> None:
        self.file = os.dup(1)
        os.dup2(2, 1)

    def send(self, seconds: list[float], before: tuple[float, int]) -> None:
        """Sends the seconds of each step, and the resources used since `before`, a `resource_usage()`."""
        processor, faults = (now - then for now, then in zip(resource_usage(), before, strict=True))
        per_step = {"processor_seconds": processor / len(seconds), "page_faults": faults / len(seconds)}
        result = {"seconds": seconds, **per_step, "peak_mebibytes": peak_mebibytes()}
        os.write(self.file, (json.dumps(result) + "\n").encode())


def read_step_counts() -> Iterator[int]:
    """The requested numbers of steps, until the comparison ends."""
    for line in sys.stdin:
        yield int(line)


def exit_process() -> NoReturn:
    raise SystemExit(0)


def resource_usage() -> tuple[float, int]:
    """Seconds of CPU time and page faults so far."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime, used.ru_minflt
