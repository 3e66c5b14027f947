"""Shared by all parts: results written at once, trainings in their own processes, the card's counters."""

import argparse
import datetime
import json
import multiprocessing
import os
import statistics
import subprocess
import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import pytorch_lightning
import torch

from benchmarks.machine import describe_machine
from pix2pix.cli import main as pix2pix

Options = argparse.Namespace
FORK = multiprocessing.get_context("fork")  # importing torch and Lightning takes 20 s on a fresh machine: done once
SKIPPED = "skipped: not enough time"


class Notes:
    """The results of an item so far, written to its file after every change."""

    def __init__(self, options: Options) -> None:
        self.file, self.until = Path(options.work) / f"{options.item}.json", options.until
        self.data: dict[str, Any] = {"results": {}, "findings": []}

    def put(self, name: str, value: Any) -> None:
        self.data["results"][name] = value
        self.save()

    def add_finding(self, what: str, output: str = "") -> None:
        """Records a failure and the last lines of output."""
        print(f"FINDING: {what}" + (f"\n{output}" if output else ""), flush=True)
        self.data["findings"].append({"what": what, "said": output.splitlines()})
        self.save()

    def save(self) -> None:
        part = self.file.with_suffix(".part")
        part.write_text(json.dumps(self.data, indent=1, default=str), encoding="utf-8")
        part.replace(self.file)

    def seconds_left(self) -> float:
        return self.until - time.time()

    @contextmanager
    def record_errors(self, what: str) -> Iterator[None]:
        """Turns an exception in the block into a finding; the item continues."""
        try:
            yield
        except Exception:
            self.add_finding(f"{what} fails", last_lines(traceback.format_exc()))


def read_notes(options: Options, item: str) -> dict[str, Any]:
    """The results of an item so far."""
    file = Path(options.work) / f"{item}.json"
    return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}


def last_lines(text: str, count: int = 6) -> str:
    return "\n".join([line.rstrip() for line in text.splitlines() if line.strip(" ^~\t")][-count:])[-1500:]


def show(results: dict[str, Any]) -> None:
    """Prints a table of results, with a column for each number and short word."""
    rows = {name: result if isinstance(result, dict) else {"": result} for name, result in results.items()}
    columns = list(dict.fromkeys(key for row in rows.values() for key, value in row.items() if not _is_long(value)))
    cells = [["", *columns], *([name, *(_short(row.get(key)) for key in columns)] for name, row in rows.items())]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        print("  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)))
    sys.stdout.flush()


def _is_long(value: Any) -> bool:
    return isinstance(value, list | dict)


def _short(value: Any) -> str:
    return "" if value is None or _is_long(value) else f"{value:.3g}" if isinstance(value, float) else str(value)


def describe_machine_and_card(options: Options) -> dict[str, Any]:
    """The card and its driver, versions, the commit. Does not initialise CUDA, because processes are forked later."""
    about: dict[str, Any] = describe_machine() | {
        "lightning": pytorch_lightning.__version__,
        "commit": options.commit or run_command(["git", "rev-parse", "HEAD"]) or "unknown",
        "changed_files": run_command(["git", "status", "--porcelain", "--untracked-files=no"]).splitlines(),
    }
    if options.device == "cuda":
        query = ["nvidia-smi", "--query-gpu=name,driver_version,memory.total,power.limit", "--format=csv,noheader"]
        cards = run_command(query).splitlines()
        cudnn = [each.version for each in distributions() if "cudnn" in each.name]  # asking torch would start CUDA
        about |= {"cards": cards, "cuda": torch.version.cuda, "cudnn": cudnn}
    return about


def cards(options: Options) -> int:
    return len(run_command(["nvidia-smi", "-L"]).splitlines()) if options.device == "cuda" else 0


def run_command(command: Sequence[str]) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=False).stdout.strip()
    except OSError:
        return ""


class Job:
    """`pix2pix WORDS` in a process forked from this one, with its output in a file.

    With `clock`, a training records the times of its steps, validations and checkpoints.
    """

    def __init__(self, options: Options, name: str, words: Sequence[Any], *, clock: bool = False) -> None:
        self.words, work = list(map(str, words)), Path(options.work)
        self.log, self.clock = work / f"{name}.log", work / f"{name}.clock"
        if clock:
            self.words += [
                "+callbacks.clock._target_=benchmarks.gpu.clock.Clock",
                f"+callbacks.clock.file={self.clock}",
            ]
        self.process = FORK.Process(target=_run_pix2pix, args=(self.words, self.log, work))
        self.process.start()
        self.started, self.ended, self.told = time.time(), 0.0, False

    def is_over(self) -> bool:
        if not self.ended and not self.process.is_alive():
            self.ended = time.time()
        return bool(self.ended)

    def wait(self, until: float) -> int | None:
        """The exit code; None if the process was killed at the deadline."""
        self.process.join(max(0.0, until - time.time()))
        if self.is_over():
            return self.process.exitcode
        self.kill()
        return None

    def stop(self) -> None:
        """Asks the process to save and end."""
        if not self.told and not self.is_over():
            self.process.terminate()
            self.told = True

    def kill(self) -> None:
        self.process.kill()
        self.process.join()
        self.is_over()

    def seconds(self) -> float:
        return round((self.ended or time.time()) - self.started, 1)

    def last_output(self, count: int = 6) -> str:
        return last_lines(self.log.read_text(encoding="utf-8", errors="replace"), count) if self.log.is_file() else ""

    def read_clock(self) -> dict[str, list[float]]:
        """The times of all events, by event."""
        result: dict[str, list[float]] = {}
        for line in self.clock.read_text(encoding="utf-8").splitlines() if self.clock.is_file() else []:
            what, _, when = line.partition(" ")
            result.setdefault(what, []).append(float(when or 0))
        return result

    def steps(self, since: float = 0.0, until: float = float("inf")) -> int:
        return sum(since <= when < until for when in self.read_clock().get("step", []))


def _run_pix2pix(words: list[str], log: Path, work: Path) -> None:
    enter_job(words, log, work)
    pix2pix()


def enter_job(words: list[str], log: Path, work: Path) -> None:
    """Prepares this process to run `pix2pix WORDS`, with its output in a file."""
    output = os.open(log, os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
    for stream in (1, 2):
        os.dup2(output, stream)
    os.chdir(work)
    torch.set_num_threads(1)  # many trainings share the processor
    sys.argv = ["pix2pix", *words]


PLAIN = ["precision=32", "execution.cuda_graph=false", "execution.channels_last=false"]


def default_trainer(options: Options) -> list[str]:
    """The device; the rest as a user gets it."""
    return ["trainer=cpu"] if options.device == "cpu" else ["trainer=auto"]


def trainer(options: Options) -> list[str]:
    """The device, and plain steps, whatever the training would choose by itself."""
    return ["trainer=cpu" if options.device == "cpu" else "trainer=gpu", *PLAIN]


def fastest_settings(options: Options) -> list[str]:
    """The fastest settings of the project, without those that a CPU does not support."""
    also = [] if options.device == "cpu" else ["precision=bf16-mixed", "execution.cuda_graph=true"]
    return [*trainer(options), *also, "execution.channels_last=true"]


def facades(options: Options, folder: Path, name: str, *words: str, experiment: str = "facades") -> list[str]:
    """A training on the real pairs; narrow, small and short to try this program."""
    tiny = ["data.size=64", "generator.base_channels=8", "discriminator.base_channels=8", "logger=csv"]
    tiny += ["trainer.limit_train_batches=10", "trainer.limit_val_batches=4", "trainer.log_every_n_steps=5"]
    place = [f"data.root={Path(options.data).resolve()}", f"output_dir={folder}", f"name={name}"]
    return ["train", f"experiment={experiment}", *place, *(tiny if options.tiny else []), *words]


class GpuMonitor:
    """Records utilisation and power of the card by nvidia-smi, five times a second."""

    def __init__(self, options: Options) -> None:
        self.file = Path(options.work) / f"card_{time.time():.0f}.csv"
        query = ["nvidia-smi", "--query-gpu=timestamp,utilization.gpu,power.draw", "--format=csv,noheader,nounits"]
        if options.device == "cuda":
            with self.file.open("wb") as file:
                self.process = subprocess.Popen([*query, "-lms", "200"], stdout=file, stderr=subprocess.DEVNULL)

    def mean(self, since: float, until: float) -> dict[str, float]:
        """The share of time in which a kernel ran, and watts."""
        seen = [values for when, *values in self._values() if since <= when < until]
        if not seen:
            return {}
        busy, watts = (statistics.mean(column) for column in zip(*seen, strict=True))
        return {"gpu_busy_percent": busy, "watts": watts}

    def _values(self) -> Iterator[tuple[float, float, float]]:
        for line in self.file.read_text(encoding="utf-8").splitlines() if self.file.is_file() else []:
            try:
                when, busy, watts = line.split(",")
                yield datetime.datetime.strptime(when, "%Y/%m/%d %H:%M:%S.%f").timestamp(), float(busy), float(watts)
            except ValueError:  # the last line may be half written
                continue

    def end(self) -> None:
        if hasattr(self, "process"):
            self.process.kill()
