"""What is saved, and when nothing is."""

import errno
import itertools
import os
import shutil
import signal
from types import SimpleNamespace
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import EarlyStopping, timer

from pix2pix.config.check import parse_and_check
from pix2pix.core.signals import TrainingInterrupted
from pix2pix.runs.checkpoints import AtomicCheckpointIO
from pix2pix.runs.run import Run
from pix2pix.training.build import build_trainer
from pix2pix.training.callbacks.checkpoint import Checkpoints
from pix2pix.training.stopping import update_callback_states
from tests.conftest import TINY, compose_mapping, make_config, pix2pix, same_weights
from tests.small import fit, module

HERE = "tests.training.callbacks.test_checkpoint"


class Spoil(pl.Callback):
    """Makes a weight NaN after a step, as a GPU may between two looks at the losses."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: Any, *_: Any) -> None:
        if trainer.global_step == self.step:
            next(pl_module.generator.parameters()).data[0] = float("nan")


def test_weights_that_are_not_finite_replace_no_checkpoint(tmp_path):
    """`~callbacks.nan_guard`: on a GPU it looks at losses with every logged row only, so that nothing raises before."""
    words = ["train", *TINY, f"output_dir={tmp_path}", "name=run", "trainer.limit_val_batches=0"]
    words += ["~callbacks.nan_guard", "~callbacks.samples", f"+callbacks.spoil={{_target_: {HERE}.Spoil, step: 12}}"]
    with pytest.raises(SystemExit, match=r"generator\.\S+: not finite at step 12, and not saved: the training has"):
        pix2pix(*words)
    run = Run(tmp_path / "run")
    assert torch.load(run.last_checkpoint, weights_only=True)["global_step"] == 6
    assert not run.is_finished()


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
    config = compose_mapping(
        *TINY, f"+callbacks.score={{_target_: {HERE}.Score}}", "callbacks.checkpoint.monitor=val/score"
    )
    with pytest.raises(ValueError, match=r"val/score: nothing says .* Set callbacks.checkpoint.mode=max or min"):
        parse_and_check(config)
    config["callbacks"]["checkpoint"]["mode"] = "max"
    parse_and_check(config)
    config["callbacks"]["checkpoint"]["mode"] = "up"
    with pytest.raises(ValueError, match=r"callbacks\.checkpoint\.mode=up: input should be 'min' or 'max'"):
        parse_and_check(config)


@pytest.mark.parametrize(("monitor", "mode"), [("val/ssim", "max"), ("val/l1", "min")])
def test_early_stopping_knows_which_way_a_metric_is_better(monitor, mode, tmp_path):
    early = f"+callbacks.early={{_target_: pytorch_lightning.callbacks.EarlyStopping, monitor: {monitor}}}"
    callbacks = build_trainer(make_config(*TINY, "trainer=cpu", early), Run(tmp_path)).callbacks
    (stopping,) = (callback for callback in callbacks if isinstance(callback, EarlyStopping))
    assert stopping.mode == mode


@pytest.mark.parametrize("name", ["correlation", "variation"])
def test_what_the_diagnosis_logs_can_choose_the_best_epoch(tmp_path, name):
    parse_and_check(compose_mapping(*TINY, f"callbacks.checkpoint.monitor=val/{name}"))
    assert Checkpoints(monitor=f"val/{name}").higher_is_better
    with pytest.raises(ValueError, match=rf"val/{name}: it needs at least 8 validation pairs, and this run has 2"):
        best_epoch(tmp_path, f"val/{name}", None)
    with pytest.raises(ValueError, match=rf"monitor=val/{name}: this run logs no such metric"):
        parse_and_check(
            compose_mapping(*TINY, f"callbacks.checkpoint.monitor=val/{name}", "~callbacks.collapse_monitor")
        )


def test_the_best_value_of_another_metric_is_forgotten():
    before, other = Checkpoints(monitor="val/ssim"), Checkpoints(monitor="val/l1")
    before.best = 0.7
    other.load_state_dict(before.state_dict())
    assert other.best is None
    same = Checkpoints(monitor="val/ssim")
    same.load_state_dict({"best": 0.7, "names": []})  # as checkpoints of before have it
    assert same.best == 0.7


def fit_and_save(folder, *callbacks: pl.Callback, epochs: int = 4) -> None:
    """A training of four steps an epoch, whose checkpoints are written as those of runs."""
    options: Any = {"default_root_dir": folder, "enable_checkpointing": True, "plugins": [AtomicCheckpointIO()]}
    fit(module(), *callbacks, max_epochs=epochs, **options)


class Saves(pl.Callback):
    """Notes the steps at which a checkpoint is saved."""

    def __init__(self) -> None:
        self.steps: list[int] = []

    def on_save_checkpoint(self, trainer: pl.Trainer, *_: Any) -> None:
        self.steps.append(trainer.global_step)


@pytest.mark.parametrize(
    ("options", "steps"),
    [
        ({"min_seconds": 0, "mode": "min"}, [4, 8, 12, 16]),
        ({"min_seconds": 3600, "mode": "min"}, [4, 16]),
        ({"min_seconds": 3600, "mode": "max"}, [4, 8, 12, 16]),
        ({"min_seconds": 3600, "mode": "min", "every_n_epochs": 3}, [4, 12, 16]),
    ],
    ids=["no limit", "the best and the last", "each is the best", "every third"],
)
def test_short_epochs_are_saved_no_more_often_than_asked(tmp_path, options, steps):
    """Scores are 1, 2, 3 ...: the first is the least."""
    keeper, saves = Checkpoints(monitor="val/score", **options), Saves()
    fit_and_save(tmp_path, Score(), saves, keeper)
    assert saves.steps == steps
    assert torch.load(tmp_path / "checkpoints" / "last.ckpt", weights_only=True)["global_step"] == 16


def test_a_signal_saves_an_epoch_that_was_too_short_to_be_saved(tmp_path):
    keeper = Checkpoints(monitor="val/score", mode="min", min_seconds=3600)

    class Stop(Score):
        def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
            if trainer.current_epoch == 2:
                keeper.signals.received = signal.SIGTERM

    with pytest.raises(TrainingInterrupted):
        fit_and_save(tmp_path, Stop(), keeper)
    assert torch.load(tmp_path / "checkpoints" / "last.ckpt", weights_only=True)["global_step"] == 12


def test_a_fault_of_the_writing_thread_ends_the_training_in_words(tmp_path, monkeypatch):
    def fail(*_: Any) -> None:
        raise TypeError("no such thing")

    monkeypatch.setattr("pix2pix.runs.checkpoints._save", fail)
    with pytest.raises(ValueError, match=r"last\.ckpt: the checkpoint could not be written \(TypeError: no such thing"):
        fit_and_save(tmp_path, Score(), Checkpoints(monitor="val/score", mode="min"), epochs=2)


@pytest.fixture
def clock(monkeypatch) -> None:
    """Half a second passes whenever a time limit looks at the clock."""
    seconds = itertools.count(0, 0.5)
    monkeypatch.setattr(timer, "time", SimpleNamespace(monotonic=lambda: next(seconds)))


@pytest.mark.usefixtures("clock")
def test_a_limit_of_time_ends_a_sitting_and_the_same_command_goes_on_to_the_same_weights(tmp_path, tiny_run, capsys):
    run = Run(tmp_path / "tiny")
    words = ["train", *TINY, f"output_dir={tmp_path}", "name=tiny", "+trainer.max_time=00:00:00:03"]
    steps = []
    while not run.is_finished():
        pix2pix(*words)
        steps.append(torch.load(run.last_checkpoint, weights_only=True)["global_step"])
    assert steps == sorted(set(steps))
    assert len(steps) > 2
    assert any(step % 6 for step in steps), "it must have been stopped within an epoch"
    output = capsys.readouterr().out
    assert output.count("Stopped: the time limit is reached. Run the same command again") == len(steps) - 1
    assert same_weights(run, tiny_run)


EARLY = "_target_: pytorch_lightning.callbacks.EarlyStopping, monitor: val/l1"


def test_a_run_that_was_stopped_early_is_finished_and_goes_on_where_nothing_stops_it(tmp_path, tiny_run, capsys):
    words = ["train", *TINY, f"output_dir={tmp_path}", "name=tiny"]
    early = f"+callbacks.early={{{EARLY}, stopping_threshold: 10}}"  # which every loss is below
    run = Run(tmp_path / "tiny")
    pix2pix(*words, early)
    assert torch.load(run.last_checkpoint, weights_only=True)["global_step"] == 6
    assert run.is_finished()
    pix2pix(*words, early)
    assert "is finished; nothing to do" in capsys.readouterr().out
    pix2pix(*words)
    assert same_weights(run, tiny_run)


def test_early_stopping_has_the_patience_of_the_settings_when_a_run_resumes():
    before, now = (EarlyStopping("val/l1", patience=patience) for patience in (1, 5))
    checkpoint = {"callbacks": {before.state_key: before.state_dict() | {"wait_count": 1}}}
    update_callback_states(checkpoint, [now])
    now.load_state_dict(checkpoint["callbacks"][now.state_key])
    assert (now.patience, now.wait_count) == (5, 1)


class StopAt(pl.Callback):
    """Ends the training after a step, as callbacks may."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        trainer.should_stop = trainer.global_step == self.step


ENDS = {
    "epochs": (["trainer.max_epochs=1"], 6),
    "steps": (["trainer.max_steps=4"], 4),
    "steps of whole epochs": (["trainer.max_steps=6"], 6),
    "a callback": ([f"+callbacks.stop={{_target_: {HERE}.StopAt, step: 4}}"], 4),
    "a part of each epoch": (["trainer.max_epochs=1", "trainer.limit_train_batches=3"], 3),
}


@pytest.mark.parametrize("how", ENDS)
def test_the_end_of_a_training_is_saved_whatever_ends_it_or_the_command_fails(tmp_path, monkeypatch, how):
    words, step = ENDS[how]
    words = ["train", *TINY, f"output_dir={tmp_path}", "name=run", "~callbacks.samples", *words]
    run = Run(tmp_path / "run")

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("pix2pix.runs.checkpoints.flush_to_disk", full)
        with pytest.raises(SystemExit, match=r"last\.ckpt: the checkpoint could not be saved .* Free some space"):
            pix2pix(*words)
    assert not run.is_finished()
    pix2pix(*words)
    assert run.is_finished()
    assert torch.load(run.last_checkpoint, weights_only=True)["global_step"] == step


@pytest.mark.parametrize("how", ["steps", "a callback"])
def test_a_training_that_ended_within_an_epoch_can_be_trained_longer(tmp_path, tiny_run, how):
    """To the weights of one that was never cut short."""
    words = ["train", *TINY, f"output_dir={tmp_path}", "~callbacks.samples"]
    pix2pix(*words, "name=short", *ENDS[how][0])
    pix2pix(*words, "name=longer", f"resume={Run(tmp_path / 'short').last_checkpoint}")
    assert same_weights(Run(tmp_path / "longer"), tiny_run)


@pytest.mark.parametrize(
    "words", [["trainer.limit_train_batches=0"], ["trainer.max_epochs=0"], ["trainer.max_steps=0"]]
)
def test_a_training_without_a_step_is_not_finished(tmp_path, words):
    with pytest.raises(SystemExit, match="no step was trained, so no checkpoint was saved"):
        pix2pix("train", *TINY, f"output_dir={tmp_path}", "name=run", *words)
    assert not Run(tmp_path / "run").is_finished()


def test_trying_out_with_fast_dev_run_touches_no_run_and_takes_no_name(tmp_path, capsys):
    words = ["train", *TINY, f"output_dir={tmp_path}", "name=run"]
    pix2pix(*words, "+trainer.fast_dev_run=2", "resume=never")
    output = capsys.readouterr().out
    assert "2: as many batches went through. Nothing is kept of it" in output
    assert "precision 32" in output
    assert list(tmp_path.iterdir()) == []


def test_a_best_checkpoint_that_finds_no_room_is_made_up_for(tmp_path, monkeypatch, capsys):
    """Without hard links, and with no room for a copy, `last.ckpt` is saved and goes on."""

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    words = ["train", *TINY, f"output_dir={tmp_path}", "name=run", "~callbacks.samples"]
    run = Run(tmp_path / "run")
    with monkeypatch.context() as patched:
        patched.setattr(os, "link", full)
        patched.setattr(shutil, "copyfile", full)
        with pytest.raises(SystemExit, match=r"best\.ckpt: could not be saved"):
            pix2pix(*words)
    assert "step 6: " in capsys.readouterr().out, "the first epoch's is told of, and the training goes on"
    assert not run.is_finished()
    assert not (run.checkpoints / "best.ckpt").exists()
    pix2pix(*words)
    content = torch.load(run.checkpoint("best"), weights_only=True)
    assert content["global_step"] == 12
    assert run.best_value() == content["callbacks"]["Checkpoints"]["best"]
