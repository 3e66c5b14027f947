"""Training by steps: validations, samples and checkpoints every so many steps, over the ends of epochs."""

from typing import Any

import pytest
import pytorch_lightning as pl
import torch

from pix2pix.runs.metrics import read_metrics
from pix2pix.runs.run import Run
from tests.conftest import TINY, pix2pix, same_weights

BY_STEPS = [
    *(*TINY, "trainer.max_epochs=null", "trainer.max_steps=13", "trainer.val_check_interval=4", "logger=csv"),
    *("schedule=cosine", "schedule.warmup=2"),
]
"""Six steps an epoch: validated after the steps 4 and 8, within epochs, and 12, at the end of one; then one more."""


@pytest.fixture(scope="module")
def steps_run(tmp_path_factory) -> Run:
    folder = tmp_path_factory.mktemp("steps")
    pix2pix("train", *BY_STEPS, f"output_dir={folder}", "name=steps")
    return Run(folder / "steps")


def rows(run: Run) -> list[dict[str, str]]:
    found = read_metrics(run.path / "metrics.csv")
    for row in found:
        row.pop("images_per_second", None)
    return found


def test_validations_and_samples_count_steps_over_the_ends_of_epochs(steps_run):
    assert [row["step"] for row in rows(steps_run) if row["val/l1"]] == ["4", "8", "12"]
    names = sorted(sheet.name for sheet in (steps_run.path / "samples").glob("val_*"))
    assert names == [
        "val_epoch0001-step0000004.png",
        "val_epoch0002-step0000008.png",
        "val_epoch0002.png",  # after step 12
        "val_epoch0003.png",  # after the last one
    ]


def test_best_ckpt_holds_the_weights_of_the_best_validation(steps_run):
    best = torch.load(steps_run.checkpoint("best"), weights_only=True)
    values = {row["step"]: float(row["val/ssim"]) for row in rows(steps_run) if row["val/ssim"]}
    assert str(best["global_step"]) == max(values, key=lambda step: values[step])
    assert torch.load(steps_run.last_checkpoint, weights_only=True)["global_step"] == 13


class StopAt(pl.Callback):
    """Fails once before a step, or after a validation, as a process that is killed."""

    def __init__(self, step: int, *, validated: bool) -> None:
        self.step, self.validated = step, validated

    def on_train_batch_start(self, trainer: pl.Trainer, *_: Any) -> None:
        if not self.validated and trainer.global_step == self.step:
            raise KeyboardInterrupt

    def on_validation_end(self, trainer: pl.Trainer, *_: Any) -> None:
        if self.validated and trainer.global_step == self.step:
            raise KeyboardInterrupt


@pytest.mark.parametrize("validated", [False, True])
@pytest.mark.parametrize("step", [4, 8, 12])
def test_a_training_that_is_killed_around_a_validation_ends_as_one_that_was_not(tmp_path, steps_run, step, validated):
    words = ["train", *BY_STEPS, f"output_dir={tmp_path}", "name=steps", "callbacks.checkpoint.every_n_steps=1"]
    stop = f"+callbacks.stop={{_target_: tests.training.test_steps.StopAt, step: {step}, validated: {validated}}}"
    with pytest.raises(SystemExit):
        pix2pix(*words, stop)
    pix2pix(*words)
    run = Run(tmp_path / "steps")
    assert run.is_finished()
    assert same_weights(run, steps_run)
    assert rows(run) == rows(steps_run)
    best = [torch.load(each.checkpoint("best"), weights_only=True)["global_step"] for each in (run, steps_run)]
    assert best[0] == best[1]
    assert {f.name for f in (run.path / "samples").iterdir()} == {
        f.name for f in (steps_run.path / "samples").iterdir()
    }


def test_a_share_of_an_epoch_validates_within_each(tmp_path):
    words = [*TINY, "trainer.val_check_interval=0.5", f"output_dir={tmp_path}", "name=half", "logger=csv"]
    pix2pix("train", *words)
    assert [row["step"] for row in rows(Run(tmp_path / "half")) if row["val/l1"]] == ["3", "6", "9", "12"]
