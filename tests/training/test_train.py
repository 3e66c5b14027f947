"""What Lightning's own flags do in a run, and that the machine's surroundings change nothing."""

from typing import Any

import pytest
import pytorch_lightning as pl

from pix2pix.runs.metrics import read_metrics
from pix2pix.runs.run import Run
from pix2pix.training.build import build_trainer
from pix2pix.training.callbacks.metrics_logging import TrainingLog
from pix2pix.training.callbacks.progress_bar import format_epoch
from pix2pix.training.length import count_steps
from tests.conftest import TINY, make_config, pix2pix


class Batches(pl.Callback):
    """Notes what each epoch trains on, and what it validates."""

    seen: dict[int, list[Any]]

    def __init__(self) -> None:
        Batches.seen = {}

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        what = (*batch.name, *batch.source.flatten()[:200].tolist(), *batch.target.flatten()[:200].tolist())
        self.seen.setdefault(trainer.current_epoch, []).append(what)

    def on_validation_batch_end(self, trainer, pl_module, outputs, batch, batch_idx, dataloader_idx=0):
        self.seen[trainer.current_epoch].append(("validated", *batch.name))


def test_lightnings_flags_for_trying_things_out_do_what_they_promise(tmp_path, capsys):
    words = ["trainer.max_epochs=3", "+trainer.overfit_batches=2", f"+callbacks.seen={{_target_: {__name__}.Batches}}"]
    shown = ["+trainer.profiler=simple", "trainer.enable_model_summary=true"]
    pix2pix("train", *TINY, *words, *shown, f"output_dir={tmp_path}", "name=run", "logger=csv")
    first, *others = Batches.seen.values()
    trained = [("train_0000", "train_0001"), ("train_0002", "train_0003")]
    assert [batch[:2] for batch in first] == [*trained, ("validated", "val_0000"), ("validated", "val_0001")]
    assert len(others) == 2
    assert all(epoch == first for epoch in others)
    output = "".join(capsys.readouterr())
    assert "Profiler Report" in output
    assert "run_training_batch" in output
    assert "Total params" in output


@pytest.mark.parametrize("epochs", ["-1", "null"])
def test_a_training_of_so_many_steps_says_so_and_shows_its_last_epoch(tmp_path, capsys, epochs):
    words = [f"trainer.max_epochs={epochs}", "trainer.max_steps=12", "callbacks.samples.every_n_epochs=10"]
    pix2pix("train", *TINY, *words, f"output_dir={tmp_path}", "name=run", "logger=csv")
    output = "".join(capsys.readouterr())
    assert "32x32; max_steps=12)" in output
    assert "epoch 2  step 12" in output
    run = Run(tmp_path / "run")
    assert {row["lr/generator"] for row in read_metrics(run.path / "metrics.csv")} - {""} == {"0.0002"}
    assert sorted(sheet.name for sheet in (run.path / "samples").glob("val_*")) == [
        "val_epoch0001.png",
        "val_epoch0002.png",
    ]
    assert run.checkpoint("best").is_file()


def test_progress_counts_to_the_end_that_comes_first():
    class Trainer:
        current_epoch, num_training_batches = 4, 10

    def count_and_format(epochs, steps):
        Trainer.max_epochs, Trainer.max_steps = epochs, steps
        return count_steps(Trainer()), format_epoch(Trainer())  # pyright: ignore[reportArgumentType]

    assert count_and_format(5, -1) == (50, "epoch 5/5")
    assert count_and_format(5, 12) == (12, "epoch 5/5")
    assert count_and_format(-1, 12) == (12, "epoch 5")
    assert count_and_format(None, -1) == (None, "epoch 5")


def test_checkpoints_of_lightning_are_among_those_of_the_run_and_go_on_with_it(tmp_path):
    top = "{_target_: pytorch_lightning.callbacks.ModelCheckpoint, save_top_k: 2, monitor: val/ssim}"
    for epochs in (2, 3):
        words = [f"+callbacks.top={top}", f"trainer.max_epochs={epochs}", f"output_dir={tmp_path}", "name=run"]
        pix2pix("train", *TINY, *words, "logger=csv")
    run = Run(tmp_path / "run")
    assert len(list(run.checkpoints.glob("epoch=*-step=*.ckpt"))) == 2
    assert not list(run.path.glob("*/checkpoints"))


def test_a_training_without_callbacks_leaves_no_weights_and_says_so(tmp_path, capsys):
    pix2pix("train", *TINY, f"output_dir={tmp_path}", "name=run", "logger=[]", "callbacks=[]")
    assert not list((tmp_path / "run").rglob("*.ckpt"))
    assert "keeps no weights, as it has no callbacks.checkpoint" in "".join(capsys.readouterr())


def test_the_precision_of_the_trainer_is_that_of_the_run(tmp_path):
    config = make_config(*TINY, "trainer.precision=bf16-mixed")
    assert config.precision == "bf16-mixed"
    assert build_trainer(config, Run(tmp_path / "run")).precision == "bf16-mixed"


def test_the_training_log_comes_after_the_callbacks_that_log_and_before_those_that_save(tmp_path):
    config = make_config(*TINY, "logger=csv", f"+callbacks.seen={{_target_: {__name__}.Batches}}")
    callbacks: list[Any] = build_trainer(config, Run(tmp_path / "run")).callbacks  # pyright: ignore
    kinds = [type(callback).__name__ for callback in callbacks]
    assert kinds.index("Batches") < kinds.index(TrainingLog.__name__) < kinds.index("Checkpoints")
