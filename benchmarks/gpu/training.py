"""Part `train`: `pix2pix train` alone, and many at once."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.gpu.notes import (
    SKIPPED,
    GpuMonitor,
    Job,
    Notes,
    Options,
    default_trainer,
    facades,
    fastest_settings,
)

# ---------------------------------------------------------------------------------------------------------------- train


def one(options: Options, notes: Notes) -> None:
    """Two epochs of facades with default and fastest settings: time per phase, and utilisation of the card."""
    folder = Path(options.work) / "one"
    for name, words in {"quickest": fastest_settings(options), "defaults": default_trainer(options)}.items():
        if notes.seconds_left() < (10 if options.tiny else 20):
            notes.put(name, SKIPPED)
            continue
        watching = GpuMonitor(options)
        job = Job(options, f"one_{name}", facades(options, folder, name, "trainer.max_epochs=2", *words), clock=True)
        code = job.wait(notes.until - 2)
        watching.end()
        with notes.record_errors(f"{name}: the training, which ended with {code}, and its clock"):
            result = time_per_phase(job)
            notes.put(name, result | watching.mean(*result.pop("second_epoch")) | {"exit": code, "words": words})
        shutil.rmtree(folder / name, ignore_errors=True)


def time_per_phase(job: Job) -> dict[str, Any]:
    """The seconds of each phase of a training, without imports."""
    at = job.read_clock()
    kinds = {"steps": ("epoch_begins", "steps_end")}
    kinds |= {what: (f"{what}_begins", f"{what}_ends") for what in ("validation", "saving")}
    sums = {
        what: sum(b - a for a, b in zip(at.get(begins, []), at.get(ends, []), strict=False))
        for what, (begins, ends) in kinds.items()
    }
    begins, ends = at["epoch_begins"][-1], at["steps_end"][-1]
    second = begins, at["training_ends"][0]
    steady = [when for when in at["step"] if begins <= when <= ends]
    steady = steady[len(steady) // 4 :]
    rate = (len(steady) - 1) / (steady[-1] - steady[0])
    known = {"start": at["training_begins"][0] - job.started, "images_per_second": rate}
    return known | sums | {"second_epoch": second, "second_epoch_seconds": second[1] - second[0]}


@contextmanager
def mps(options: Options, notes: Notes) -> Iterator[bool]:
    """NVIDIA's multi-process service, if available: kernels of several processes run concurrently."""
    control, folder = shutil.which("nvidia-cuda-mps-control"), Path(options.work) / "mps"
    if options.device == "cpu" or control is None:
        notes.put("mps", "no nvidia-cuda-mps-control here")
        yield False
        return
    folder.mkdir(exist_ok=True)
    os.environ |= {"CUDA_MPS_PIPE_DIRECTORY": str(folder), "CUDA_MPS_LOG_DIRECTORY": str(folder)}
    started = subprocess.run([control, "-d"], capture_output=True, text=True, encoding="utf-8", check=False)
    notes.put("mps", {"exit": started.returncode, "said": started.stdout + started.stderr})
    try:
        yield started.returncode == 0
    finally:
        subprocess.run(
            [control], input="quit\n", text=True, encoding="utf-8", capture_output=True, timeout=10, check=False
        )
        for name in ("CUDA_MPS_PIPE_DIRECTORY", "CUDA_MPS_LOG_DIRECTORY"):
            os.environ.pop(name, None)


def many(options: Options, notes: Notes) -> None:
    """1, 2, 4 and 8 trainings at once, with and without MPS: images per second of all together."""
    with mps(options, notes) as is_running:
        if is_running:
            _train_many(options, notes, "under MPS")
    _train_many(options, notes, "without MPS")


def _train_many(options: Options, notes: Notes, title: str) -> None:
    window = 1 if options.tiny else 4
    for number in [1, 2] if options.tiny else [1, 8, 4, 2]:
        if notes.seconds_left() < (8 if options.tiny else 20):
            notes.put(f"{title}: {number}", SKIPPED)
            continue
        folder = Path(options.work) / f"many_{number}"
        pure = [
            *fastest_settings(options),
            "trainer.max_epochs=100000",
            "trainer.check_val_every_n_epoch=100000",
            "logger=csv",
        ]
        names = [f"{title[:4].strip()}_{number}_{each}" for each in range(number)]
        jobs = [Job(options, name, facades(options, folder, name, *pure), clock=True) for name in names]
        while any(job.steps() < 20 and not job.is_over() for job in jobs) and notes.seconds_left() > window + 3:
            time.sleep(0.1)
        watching, since = GpuMonitor(options), time.time()
        time.sleep(window)
        until = time.time()
        each = [job.steps(since, until) / (until - since) for job in jobs]
        dead = [job.last_output() for job in jobs if job.is_over()]
        watching.end()
        for job in jobs:
            job.stop()  # a process that is killed may take the service with it
        for job in jobs:
            job.wait(time.time() + 8)
        shutil.rmtree(folder, ignore_errors=True)
        if dead:
            notes.add_finding(f"{len(dead)} of {number} trainings at once ended", dead[0])
        result = {"images_per_second": sum(each), "each": each} | watching.mean(since, until)
        notes.put(f"{title}: {number}", result)


TRAIN = {"one": (one, 20, 60), "many": (many, 25, 45)}
