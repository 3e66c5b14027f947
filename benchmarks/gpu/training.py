"""Parts `train` and `good`: `pix2pix train` alone, many at once, and to the end."""

import json
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
from pix2pix.evaluation.folders import evaluation_folder
from pix2pix.runs.run import Run

LONG, AT_ONCE = "facades_256", 8

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
            job.kill()
        shutil.rmtree(folder, ignore_errors=True)
        if dead:
            notes.add_finding(f"{len(dead)} of {number} trainings at once ended", dead[0])
        result = {"images_per_second": sum(each), "each": each} | watching.mean(since, until)
        notes.put(f"{title}: {number}", result)


# ----------------------------------------------------------------------------------------------------------------- good


def good_runs(options: Options) -> dict[str, list[str]]:
    """The long training, then the paper's ablations at half the size and width, the most important first."""
    every = [
        *fastest_settings(options),
        "logger=csv",
        "trainer.check_val_every_n_epoch=40",
        "callbacks.samples.every_n_epochs=40",
    ]
    small = [
        *every,
        "generator.base_channels=32",
        "discriminator.base_channels=32",
        "data.size=128",
        "data.batch_size=4",
    ]
    fields = {field: [f"discriminator={field}"] for field in ("patch70", "patch16", "pixel", "patch142", "image")}
    others = {name: [f"objective={name}"] for name in ("l1", "cgan", "l1_gan", "gan")}
    others |= {"encoder_decoder": ["generator=encoder_decoder"]}
    if options.tiny:
        return {LONG: [*every, "trainer.max_epochs=4"], "l1_seed1": [*every, "objective=l1", "trainer.max_epochs=2"]}
    runs = {LONG: [*every, "ema_decay=0.999"]}
    for seed in (1, 2, 3):
        of_seed = [*small, "trainer.max_epochs=60", f"seed={seed}"]
        runs |= {f"{name}_seed{seed}": [*of_seed, *words] for name, words in (fields | others).items()}
    return runs


def good(options: Options, notes: Notes) -> None:
    """Trains the long run alone, then the others, eight at once."""
    folder, runs, rest = Path(options.work) / "good", good_runs(options), (25 if options.tiny else 60)
    waiting, going, longest = list(runs), {}, 0.0
    with mps(options, notes):
        while going or (waiting and notes.seconds_left() - rest > 1.2 * longest):
            alone = LONG in going or LONG in waiting
            while waiting and len(going) < (1 if alone else AT_ONCE) and notes.seconds_left() - rest > 1.2 * longest:
                name = waiting.pop(0)
                going[name] = Job(options, name, facades(options, folder, name, *runs[name]), clock=True)
            for name, job in list(going.items()):
                if notes.seconds_left() < rest:
                    job.stop()
                if job.is_over() or notes.seconds_left() < rest - 12:
                    job.kill()
                    _note_run(notes, name, going.pop(name))
                    longest = longest if name == LONG else max(longest, job.seconds())
            time.sleep(0.2)
    notes.put("not begun", waiting)
    _evaluate(options, notes, [Run(folder / name) for name in runs if Run(folder / name).last_checkpoint.is_file()])


def _note_run(notes: Notes, name: str, job: Job) -> None:
    at, code = job.read_clock(), job.process.exitcode
    begun_and_ended = [*at.get("training_begins", []), *at.get("training_ends", [])]
    result = {"exit": code, "steps": job.steps(), "seconds": job.seconds(), "begun_and_ended": begun_and_ended}
    notes.put(name, result | {"words": job.words})
    if code != 0:
        notes.add_finding(f"{name} ends with {code} after {job.steps()} steps", job.last_output(3))


def _evaluate(options: Options, notes: Notes, runs: list[Run]) -> None:
    """Evaluates every run on the test pairs; `compare` then writes a page with the same pictures side by side."""
    waiting, going, result = list(runs), {}, {}
    while (waiting or going) and notes.seconds_left() > 6:
        if waiting and len(going) < AT_ONCE:
            run = waiting.pop(0)
            words = ["evaluate", run.path, "--split", "test", "--device", options.device]
            going[run.path.name] = run, Job(options, f"evaluate_{run.path.name}", words)
        for name, (run, job) in list(going.items()):
            if job.is_over():
                going.pop(name)
                with notes.record_errors(f"evaluation of {name}: {job.last_output(2)}"):
                    folder = evaluation_folder(run, run.config(), "test")
                    content = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
                    result[name] = {key: content[key] for key in ("step", "pairs")} | content["metrics"]
                    notes.put(f"{name}, last, {content['pairs']} test pairs", result[name])
        time.sleep(0.1)
    out, done = Path(options.out).resolve(), [run for run in runs if run.path.name in result]
    words = ["--split", "test", "--no-evaluate", "--pictures", "12"]
    words += ["-o", out / "gpu_good.html", "--csv", out / "gpu_good.csv"]
    job = Job(options, "compare", ["compare", *(run.path for run in done), *words])
    if job.wait(notes.until - 1) != 0:
        notes.add_finding("compare fails", job.last_output())


TRAIN = {"one": (one, 20, 90), "many": (many, 25, 150)}
GOOD = {"good": (good, 60, 100_000)}
