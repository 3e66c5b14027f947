"""Kills real trainings at random moments, restarts them, and compares the results with an uninterrupted one.

python benchmarks/kill_and_resume.py --kills 50                    # the long one, `make soak`
python benchmarks/kill_and_resume.py --kills 100 --kind mix        # of all kinds, `make soak-kinds`
python benchmarks/kill_and_resume.py --kills 6 --kind shards --term
python benchmarks/kill_and_resume.py --kills 6 --words precision=bf16-mixed ema_decay=0.9

A training is killed with SIGKILL after a random number of milliseconds since it was last started, wherever it then is:
in a step, a validation, a checkpoint, a sheet of samples. With --term, every other kill is a SIGTERM. Once it is
finished, its weights, optimizers, metrics.csv and samples must equal those of the uninterrupted run, bit for bit. Then
another one begins.
"""

import argparse
import json
import os
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

from benchmarks.machine import describe_machine
from benchmarks.training_kinds import BASE, KINDS, Kind
from pix2pix.runs.metrics import read_metrics
from pix2pix.runs.run import Run


def command(folder: Path, name: str, words: list[str], first: str = "") -> list[str]:
    python = ["-c", f"{first}\nfrom pix2pix.cli import main; main()"] if first else ["-m", "pix2pix.cli"]
    return [sys.executable, *python, "train", *BASE, *words, f"output_dir={folder}", f"name={name}"]


def kill_until_finished(
    folder: Path, name: str, words: list[str], dice: random.Random, budget: int, term: bool, kind: Kind | None = None
) -> Counter[str]:
    """Restarts the run until it is finished. Returns how often it was killed, by signal and stage."""
    kills: Counter[str] = Counter()
    run, kind = Run(folder / name), kind or Kind(words)
    while not run.is_finished():
        arguments = command(folder, name, words, kind.first)
        process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        if kills.total() >= budget:
            _, output = process.communicate()
            if process.returncode:
                raise SystemExit(f"{name}: ended with {process.returncode}\n{output.decode()}")
            break
        wait_for_the_moment(process, run, dice, kind)
        number = signal.SIGTERM if term and kills.total() % 2 else signal.SIGKILL
        if process.poll() is None:
            victim = one_of(process, dice) if kind.one_of_two else ("", process.pid)
            kills[f"{signal.Signals(number).name} {victim[0]}{stage(run)}"] += 1
            os.kill(victim[1], number)
        _, output = process.communicate()
        ends = {0, -signal.SIGKILL, -signal.SIGTERM, 128 + signal.SIGTERM} | ({1} if kind.one_of_two else set())
        if process.returncode not in ends:
            raise SystemExit(f"{name}: ended with {process.returncode}\n{output.decode()}")
    return kills


def one_of(process: subprocess.Popen[bytes], dice: random.Random) -> tuple[str, int]:
    """One of the two processes of a training and its pid; the first one if the second has not started."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    others = [int(pid) for pid in children.read_text(encoding="utf-8").split() if b"pix2pix" in _command_of(int(pid))]
    return ("second process, ", others[0]) if others and dice.random() < 0.5 else ("first process, ", process.pid)


def _command_of(pid: int) -> bytes:
    file = Path(f"/proc/{pid}/cmdline")
    return file.read_bytes() if file.exists() else b""


def wait_for_the_moment(process: subprocess.Popen[bytes], run: Run, dice: random.Random, kind: Kind) -> None:
    """Waits for a random time after the first step, or for a random one of the first moments of saving.

    Kills before the first step would prove nothing: start-up takes seconds, the whole training hardly one.
    """
    initial = newest(run)
    while process.poll() is None and newest(run) == initial:
        time.sleep(0.002)
    if not kind.at_saves:
        time.sleep(dice.uniform(0, 0.7))
        return
    saves, saving = dice.randint(1, 20), False
    while process.poll() is None and saves:
        now = any(run.checkpoints.glob(".*.part"))
        saves -= now and not saving
        saving = now
    time.sleep(dice.uniform(0, 0.01))


def newest(run: Run) -> float:
    files = [file for file in run.path.rglob("*") if file.name != "provenance.json"] if run.path.is_dir() else []
    return max(map(_modification_time, files), default=0)


def _modification_time(file: Path) -> int:
    """The modification time of a file in nanoseconds; 0 if it has vanished, as temporary files do."""
    try:
        return file.stat().st_mtime_ns
    except FileNotFoundError:
        return 0


def stage(run: Run) -> str:
    """The stage of the training, judged by its partly written files."""
    parts = " ".join(part.name for part in run.path.rglob(".*.part"))
    within = {".ckpt": "within a checkpoint", "SHA256SUMS": "within the checksums", ".png": "within a picture"}
    return next((words for name, words in within.items() if name in parts), "elsewhere")


def differences(uninterrupted: Run, interrupted: Run) -> list[str]:
    """The differences of two runs, bit for bit, apart from speeds, names and dates."""
    problems = []
    for name in ("last", "best", "epoch=2", "epoch=4"):
        ours, theirs = (torch.load(run.checkpoint(name), weights_only=True) for run in (interrupted, uninterrupted))
        keys = ("state_dict", "optimizer_states", "global_step", "epoch", "callbacks")
        problems += [f"{name}.ckpt: {key}" for key in keys if not same(ours[key], theirs[key])]
    rows = [read_metrics(run.path / "metrics.csv") for run in (interrupted, uninterrupted)]
    for row in (*rows[0], *rows[1]):
        row.pop("images_per_second")
    problems += ["metrics.csv"] if rows[0] != rows[1] else []
    names = [sorted(file.name for file in (run.path / "samples").iterdir()) for run in (interrupted, uninterrupted)]
    problems += ["the names of the samples"] if names[0] != names[1] else []
    for name in names[1]:
        with (
            Image.open(interrupted.path / "samples" / name) as ours,
            Image.open(uninterrupted.path / "samples" / name) as theirs,
        ):
            problems += [f"samples/{name}"] if ours.tobytes() != theirs.tobytes() else []
    leftovers = [str(file) for file in interrupted.path.rglob(".*") if file.suffix == ".part"]
    return problems + leftovers


def same(a: Any, b: Any) -> bool:
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b


def run_kind(name: str, kind: Kind, folder: Path, options: argparse.Namespace, dice: random.Random) -> dict[str, Any]:
    """Kills trainings of a kind `options.kills` times in all, and returns the results."""
    kills, problems, runs = Counter(), [], 0
    words = [*kind.schedule, *kind.words, *kind.prepare(folder / "data"), *options.words]
    subprocess.run(command(folder, "uninterrupted", words), check=True, capture_output=True)
    while kills.total() < options.kills:
        runs += 1
        budget = min(options.kills - kills.total(), 8)
        kills += kill_until_finished(folder, f"interrupted{runs}", words, dice, budget, options.term, kind)
        problems += differences(Run(folder / "uninterrupted"), Run(folder / f"interrupted{runs}"))
        output = ", ".join(problems) or "none"
        print(f"{name}: {kills.total()} kills, {runs} trainings finished, differences: {output}", flush=True)
    return {"kills": kills, "trainings": runs, "differences": problems, "words": [*BASE, *words]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50, help="in all, shared out among the kinds")
    parser.add_argument("--kind", choices=[*KINDS, "mix"], default="plain", help="mix: all of them")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--term", action="store_true", help="every other kill is a SIGTERM")
    parser.add_argument("--words", nargs="*", default=[], help="more overrides for the trainings")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    names = list(KINDS) if options.kind == "mix" else [options.kind]
    options.kills = -(-options.kills // len(names))
    dice, started, results = random.Random(options.seed), time.monotonic(), {}
    for name in names:
        with tempfile.TemporaryDirectory() as place:
            results[name] = run_kind(name, KINDS[name], Path(place), options, dice)
    for name, result in results.items():
        for what, count in sorted(result["kills"].items()):
            print(f"  {count:4d}  {name}: {what}")
    if options.json:
        write_results(options.json, results, (time.monotonic() - started) / 60)
    raise SystemExit(any(result["differences"] for result in results.values()))


def write_results(path: Path, results: dict[str, Any], minutes: float) -> None:
    total = sum(result["kills"].total() for result in results.values())
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {"kills": total, "minutes": minutes, "machine": describe_machine(), "kinds": results}
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
