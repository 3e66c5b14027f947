"""What is saved, and when nothing is."""

from typing import Any

import pytest
import pytorch_lightning as pl
import torch

from pix2pix.callbacks.checkpoint import Checkpoints
from pix2pix.experiment import check
from pix2pix.run import Run
from tests.conftest import TINY, pix2pix, resolved
from tests.small import fit, module

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


class Score(pl.Callback):
    """Logs 1, 2, 3 ... in the validations of the epochs, under any name."""

    def __init__(self, name: str = "val/score") -> None:
        self.name = name

    def on_validation_batch_end(self, trainer: pl.Trainer, pl_module: Any, *_: Any) -> None:
        pl_module.log(self.name, float(trainer.current_epoch + 1), on_epoch=True, batch_size=1)


def best_epoch(folder, name: str, mode: Any, logged: str | None = None) -> int:
    keeper, score = Checkpoints(monitor=name, mode=mode), Score(logged or name)
    fit(module(), score, keeper, max_epochs=3, default_root_dir=folder, enable_checkpointing=True)
    return torch.load(folder / "checkpoints" / "best.ckpt", weights_only=True)["epoch"] + 1


@pytest.mark.parametrize(
    ("name", "mode", "best"),
    [
        *[("val/score", "max", 3), ("val/score", "min", 1), ("train/score", "max", 3), ("val/l1_of_edges", "min", 1)],
        *[("val/lpips", None, 1), ("val/fid", None, 1), ("val/class_iou", None, 3), ("val/lpips", "max", 3)],
    ],
)
def test_the_best_epoch_is_the_best_one_by_any_metric(tmp_path, name, mode, best):
    assert best_epoch(tmp_path, name, mode) == best


def test_a_metric_of_which_nobody_says_which_way_is_better_is_refused_before_the_training():
    with pytest.raises(ValueError, match=r"^val/score: nothing says whether .*callbacks.checkpoint.mode=max"):
        Checkpoints(monitor="val/score")
    config = resolved(*TINY, f"+callbacks.score={{_target_: {HERE}.Score}}", "callbacks.checkpoint.monitor=val/score")
    with pytest.raises(ValueError, match=r"val/score: nothing says .* Set callbacks.checkpoint.mode=max or min"):
        check(config)
    config["callbacks"]["checkpoint"]["mode"] = "max"
    check(config)
    config["callbacks"]["checkpoint"]["mode"] = "up"
    with pytest.raises(ValueError, match=r"callbacks\.checkpoint\.mode=up: input should be 'min' or 'max'"):
        check(config)


@pytest.mark.parametrize("name", ["correlation", "variation"])
def test_what_the_diagnosis_logs_can_choose_the_best_epoch(tmp_path, name):
    check(resolved(*TINY, f"callbacks.checkpoint.monitor=val/{name}"))
    assert Checkpoints(monitor=f"val/{name}").higher_is_better
    with pytest.raises(ValueError, match=rf"val/{name}: it takes 8 validation pairs at least, and this run has 2"):
        best_epoch(tmp_path, f"val/{name}", None)
    with pytest.raises(ValueError, match=rf"monitor=val/{name}: this run logs no such metric"):
        check(resolved(*TINY, f"callbacks.checkpoint.monitor=val/{name}", "~callbacks.diagnosis"))


def test_the_best_value_of_another_metric_is_forgotten():
    before, other = Checkpoints(monitor="val/ssim"), Checkpoints(monitor="val/l1")
    before.best = 0.7
    other.load_state_dict(before.state_dict())
    assert other.best is None
    same = Checkpoints(monitor="val/ssim")
    same.load_state_dict({"best": 0.7, "names": []})  # as checkpoints of before have it
    assert same.best == 0.7
