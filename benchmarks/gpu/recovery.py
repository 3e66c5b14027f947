"""The item `trainings` of part `correct`: trainings that are killed and resumed, overflow or diverge."""

import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmarks.gpu.notes import Job, Notes, Options, last_lines, trainer


def trainings(options: Options, notes: Notes) -> None:
    """Runs `pix2pix train` killed and resumed, in 16-mixed, and diverging; and the tests marked `gpu`."""
    folder, cpu = Path(options.work) / "trainings", options.device == "cpu"
    width, pairs = (4, 60) if options.tiny else (32, 200)
    small = [*trainer(options), f"data.size={32 if options.tiny else 128}", f"output_dir={folder}", "logger=csv"]
    small += [f"generator.base_channels={width}", f"discriminator.base_channels={width}", "data.source.val_pairs=8"]
    exact = [*small, "trainer.deterministic=true", "trainer.max_epochs=2", f"data.source.train_pairs={pairs}"]
    exact += [f"callbacks.checkpoint.every_n_steps={15 if options.tiny else 30}"]
    kinds = {"eager": []} if cpu else {"eager": [], "graph": ["execution.cuda_graph=true"]}
    half = [*small, "precision=bf16-mixed" if cpu else "precision=16-mixed", "data.source.train_pairs=100"]
    jobs = {f"{kind}_unbroken": [*exact, *words] for kind, words in kinds.items()}
    jobs |= {f"{kind}_killed": [*exact, *words] for kind, words in kinds.items()}
    jobs |= {"half": [*half, "trainer.max_epochs=1", "trainer.log_every_n_steps=10"]}
    jobs |= {"diverging": [*small, "trainer.max_epochs=8", "data.source.train_pairs=30", "optimizer.lr=1e12"]}
    going = {name: Job(options, name, ["train", f"name={name}", *words]) for name, words in jobs.items()}
    for kind in kinds:
        _kill_once_saved(notes, going[f"{kind}_killed"], folder / f"{kind}_killed")
        name = f"{kind}_killed"
        going[f"{kind}_resumed"] = Job(options, f"{kind}_resumed", ["train", f"name={name}", *jobs[name]])
    tests = None if cpu else _start_tests()
    for name, job in going.items():
        code = job.wait(notes.until - 15)
        notes.put(name, {"exit": code, "seconds": job.seconds(), "said": job.last_output(2).splitlines()})
        if code != 0 and not name.endswith("_killed") and name != "diverging":
            notes.add_finding(f"{name} ends with {code}", job.last_output())
    _check_results(options, notes, folder, kinds)
    if tests is not None:
        output = tests.communicate(timeout=max(1.0, notes.seconds_left() - 2))[0]
        (Path(options.out) / "gpu_tests.log").write_text(output, encoding="utf-8")
        notes.put("the tests marked gpu", {"exit": tests.returncode, "said": last_lines(output).splitlines()})


def _start_tests() -> "subprocess.Popen[str]":
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "gpu", "tests/test_gpu.py"]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, encoding="utf-8")


def _kill_once_saved(notes: Notes, job: Job, run: Path) -> None:
    while not (run / "checkpoints" / "last.ckpt").is_file() and not job.is_over() and notes.seconds_left() > 20:
        time.sleep(0.02)
    job.kill()


def _check_results(options: Options, notes: Notes, folder: Path, kinds: dict[str, Any]) -> None:
    """Checks the results of the trainings."""
    for kind in kinds:
        with notes.record_errors(f"comparing {kind}"):
            one, other = (_last_state(folder / f"{kind}_{which}") for which in ("unbroken", "killed"))
            unequal = [name for name, value in one.items() if not torch.equal(value, other[name])]
            notes.put(
                f"{kind}: resumed against unbroken", {"equal": not unequal, "unequal": unequal[:5], "tensors": len(one)}
            )
            if unequal:
                notes.add_finding(
                    f"{kind}: the resumed run is not bit-equal to the unbroken one", ", ".join(unequal[:5])
                )
    with notes.record_errors("what the diverging run left"):
        checkpoint = folder / "diverging" / "checkpoints" / "last.ckpt"
        count = (
            sum(int((~v.isfinite()).sum()) for v in _last_state(folder / "diverging").values())
            if checkpoint.is_file()
            else 0
        )
        notes.put("diverging: numbers in last.ckpt that are not finite", {"count": count})
    with notes.record_errors("overflows of 16-mixed"):
        lines = (folder / "half" / "metrics.csv").read_text(encoding="utf-8").splitlines()
        rows = [dict(zip(lines[0].split(","), line.split(","), strict=True)) for line in lines[1:]]
        last = [{name: row.get(name) for name in ("step", "overflow_steps", "loss_scale")} for row in rows[-2:]]
        notes.put("16-mixed: overflows", {"rows": last})
    shutil.rmtree(folder, ignore_errors=True)


def _last_state(run: Path) -> dict[str, Tensor]:
    """The weights and optimizer states of a run's last checkpoint."""
    content = torch.load(run / "checkpoints" / "last.ckpt", map_location="cpu", weights_only=True)
    states = [
        (n, k, v) for n, o in enumerate(content["optimizer_states"]) for k, s in o["state"].items() for v in s.values()
    ]
    moments = {f"optimizer {n} {k} {i}": v for i, (n, k, v) in enumerate(states) if isinstance(v, Tensor)}
    return content["state_dict"] | moments
