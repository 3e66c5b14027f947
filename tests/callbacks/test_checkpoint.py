"""What is saved, and when nothing is."""

from typing import Any

import pytest
import pytorch_lightning as pl
import torch

from pix2pix.callbacks.checkpoint import Checkpoints
from pix2pix.run import Run
from tests.conftest import TINY, pix2pix

HERE = "tests.callbacks.test_checkpoint"


class Spoil(pl.Callback):
    """Makes a weight NaN after a step, as a GPU may between two looks at the losses."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: Any, *_: Any) -> None:
        if trainer.global_step == self.step:
            next(pl_module.generator.parameters()).data[0] = float("nan")


def test_weights_that_are_not_finite_replace_no_checkpoint(tmp_path):
    """`~callbacks.watch`: on a GPU losses are looked at with every logged row only, so that nothing raises before."""
    words = ["train", *TINY, f"output_dir={tmp_path}", "name=run", "trainer.limit_val_batches=0"]
    words += ["~callbacks.watch", "~callbacks.samples", f"+callbacks.spoil={{_target_: {HERE}.Spoil, step: 12}}"]
    with pytest.raises(SystemExit, match=r"generator\.\S+: not finite at step 12, and not saved: the training has"):
        pix2pix(*words)
    run = Run(tmp_path / "run")
    assert torch.load(run.last, weights_only=True)["global_step"] == 6
    assert not run.finished()


def test_losses_that_are_not_finite_replace_no_checkpoint(tmp_path):
    class Untouched:
        default_root_dir, global_step = tmp_path, 7

    keeper: Any = Checkpoints()
    keeper.losses = {"g_l1": torch.tensor(0.3), "d_real": torch.tensor(float("inf"))}
    with pytest.raises(ValueError, match=r"^d_real is inf at step 7, which is not saved: .* Nothing was saved before"):
        keeper._save(Untouched())
