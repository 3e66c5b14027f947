"""Part `several`: one training on several GPUs."""

import os
import signal
import statistics
import subprocess
import sys
from pathlib import Path

import torch

from benchmarks.gpu.notes import Notes, Options, cards, facades, trainer
from pix2pix.runs.run import Run

SAME = ["generator.norm=instance", "discriminator.norm=instance", "generator.dropout=0", "trainer.max_epochs=2"]
SAME += [f"+optimizer.{network}.eps=1e-3" for network in ("generator", "discriminator")]  # no steps of rounding alone


def several(options: Options, notes: Notes) -> None:
    """One training on several GPUs: speed, equality with one GPU, and resuming with another number of GPUs."""
    count = 2 if options.device == "cpu" else cards(options)
    if count < 2:
        notes.put("several", "not measured: one GPU is here")
        return
    folder = Path(options.work) / "several"
    for number in [2] if options.tiny else [2, count]:
        clock = folder.with_name(f"several_{number}.clock")
        words = facades(options, folder, f"speed_{number}", *_several_gpus(options, number), "trainer.max_epochs=2")
        code = _start(
            notes, [*words, "+callbacks.clock._target_=benchmarks.gpu.clock.Clock", f"+callbacks.clock.file={clock}"]
        )
        with notes.record_errors(f"{number} GPUs: the training ended with {code}"):
            steps = [
                float(line.split()[1])
                for line in clock.read_text(encoding="utf-8").splitlines()
                if line.startswith("step ")
            ]
            gaps = [b - a for a, b in zip(steps[len(steps) // 2 :], steps[len(steps) // 2 + 1 :], strict=False)]
            notes.put(
                f"{number} GPUs",
                {"ms": 1000 * statistics.median(gaps), "images_per_second": number / statistics.median(gaps)},
            )
    alone = [*trainer(options), "data.batch_size=2"]
    for name, words in {"one": alone, "two": [*_several_gpus(options, 2), "data.batch_size=1"]}.items():
        _start(notes, facades(options, folder, name, *SAME, "callbacks.checkpoint.every_n_epochs=1", *words))
    with notes.record_errors("two against one"):
        notes.put("two GPUs against one", _weight_distance(folder / "one", folder / "two"))
        kept = folder / "two" / "checkpoints" / "epoch=1.ckpt"
        _start(
            notes, facades(options, folder, "resumed", *SAME, *alone, f"resume={kept}".replace("epoch=", "epoch\\="))
        )
        notes.put("begun by two, ended by one", _weight_distance(folder / "one", folder / "resumed"))


def _several_gpus(options: Options, number: int) -> list[str]:
    return [
        "trainer=ddp",
        f"trainer.devices={number}",
        *(["trainer.accelerator=cpu"] if options.device == "cpu" else []),
    ]


def _start(notes: Notes, words: list[str]) -> int:
    """Starts a training by the command line, because Lightning starts the other processes that way, too."""
    command = [sys.executable, "-m", "pix2pix.cli", *words]
    done = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, encoding="utf-8", start_new_session=True
    )
    try:
        output, _ = done.communicate(timeout=max(1.0, notes.seconds_left() - 2))
    except subprocess.TimeoutExpired:
        os.killpg(done.pid, signal.SIGKILL)
        output = "killed: its time was up"
    if done.returncode != 0:
        notes.add_finding(f"{' '.join(words[:6])} ... ends with {done.returncode}", output[-1000:])
    return done.returncode


def _weight_distance(one: Path, other: Path) -> dict[str, float]:
    """The distance of the weights of two runs, relative to their norm."""
    first, second = (
        torch.load(Run(run).last_checkpoint, map_location="cpu", weights_only=True)["state_dict"]
        for run in (one, other)
    )
    a, b = (torch.cat([v.double().flatten() for v in state.values()]) for state in (first, second))
    return {"relative": float((a - b).norm() / a.norm()), "most": float((a - b).abs().max())}


ITEMS = {"several": (several, 60, 240)}
