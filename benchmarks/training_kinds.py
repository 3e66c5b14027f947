"""The kinds of trainings that benchmarks/kill_and_resume.py kills."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

BASE = [
    *("data.size=32", "data.batch_size=2", "generator.base_channels=4"),
    *("trainer.max_epochs=4", "trainer.log_every_n_steps=3"),
    *("callbacks.checkpoint.every_n_steps=2", "callbacks.checkpoint.every_n_epochs=2", "logger=csv"),
]
LINEAR = ("schedule=linear", "schedule.decay=2")
DRAWN = ["data.source.train_pairs=24", "data.source.val_pairs=4", "data.num_workers=0"]
PATCHES = ["discriminator.base_channels=4", "discriminator.receptive_field=16"]
PLAIN = [*DRAWN, *PATCHES]
STEPS = ["trainer.max_steps=50", "trainer.val_check_interval=5"]
AUGMENTED = ["training_step.augmentation=[color,translation,cutout]", "training_step.pool_size=4"]
R1 = ["training_step.r1_weight=0.1", "training_step.r1_every=3", "discriminator.norm=instance"]
STEP_OPTIONS = [*AUGMENTED, *R1, "training_step.discriminator_steps=2", "ema_decay=0.9", "ema_warmup=true"]
TWO = ["trainer=ddp", "trainer.accelerator=cpu", "trainer.devices=2"]


@dataclass
class Kind:
    """A kind of training, and when it is killed.

    Args:
        words: its overrides.
        prepare: writes its data to a folder, and returns the overrides that name them.
        at_saves: whether it is killed while saving.
        one_of_two: whether only one of its two processes is killed.
        first: Python code that runs before the training.
        schedule: the overrides of the learning rates.
    """

    words: list[str]
    prepare: Callable[[Path], list[str]] = lambda folder: []
    at_saves: bool = False
    one_of_two: bool = False
    first: str = ""
    schedule: tuple[str, ...] = LINEAR


NO_LINKS = """
import errno, os
def link(*_, **__): raise OSError(errno.EPERM, "no hard links here")
os.link = link
"""


def pictures(folder: Path, size: tuple[int, int] = (64, 32)) -> list[str]:
    """Side-by-side pairs, which are also single pictures."""
    for split, count in (("train", 24), ("val", 4)):
        (folder / split).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            Image.effect_noise(size, 50 + number).convert("RGB").save(folder / split / f"{number}.png")
    return [f"data.path={folder}"]


def shards(folder: Path) -> list[str]:
    """The same pairs in several shards."""
    pictures(folder / "pairs", size=(512, 256))  # noise compresses badly: seven megabytes of them
    command = [sys.executable, "-m", "pix2pix.cli", "data", "shard", str(folder / "pairs"), str(folder / "shards")]
    subprocess.run([*command, "--megabytes", "1"], check=True, capture_output=True)
    return [f"data.path={folder / 'shards'}"]


def cache_options(folder: Path) -> list[str]:
    """The same pairs, with their own cache on disk."""
    return [*pictures(folder / "pairs"), f"data.cache_dir={folder / 'cache'}"]


KINDS = {
    "plain": Kind(PLAIN),
    "ema": Kind([*PLAIN, "ema_decay=0.9"]),
    "bf16": Kind([*PLAIN, "precision=bf16-mixed"]),
    "decay": Kind([*PLAIN, "schedule.decay=4", "optimizer.clip_norm=1"]),
    "steps": Kind([*PLAIN, "trainer.max_epochs=null", *STEPS], schedule=("schedule=cosine", "schedule.warmup=4")),
    "plateau": Kind(PLAIN, schedule=("schedule=plateau", "schedule.patience=0")),
    "wasserstein": Kind([*PLAIN, "objective/adversarial=wasserstein", "discriminator.norm=instance"]),
    "labels": Kind([*DRAWN, "objective=labels", "discriminator=none", "data.direction=AtoB", "data.one_hot=true"]),
    "derived": Kind([*PATCHES, "data=derived", "data.operation=inpaint", "data.num_workers=2"], pictures),
    "shards": Kind([*PATCHES, "data=shards", "data.num_workers=2"], shards),
    "disk_cache": Kind([*PATCHES, "data=folder", "data.cache=disk", "data.num_workers=2"], cache_options),
    "step_options": Kind([*PLAIN, *STEP_OPTIONS]),
    "micro_batches": Kind([*PLAIN, *AUGMENTED, "training_step.micro_batches=2"]),
    "one_of_two": Kind([*PLAIN, *TWO], one_of_two=True),
    "saving": Kind([*PLAIN, "generator.base_channels=16"], at_saves=True),
    "saving_without_links": Kind([*PLAIN, "generator.base_channels=16"], at_saves=True, first=NO_LINKS),
}
