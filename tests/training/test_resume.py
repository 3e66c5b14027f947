"""Killed at any moment and started again, a run ends as if it had never stopped; and no fault loses what was saved."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch
from PIL import Image
from pytorch_lightning.plugins.precision import MixedPrecision

from pix2pix.runs.checkpoints import PREVIOUS
from pix2pix.runs.metrics import read_metrics
from pix2pix.runs.run import Run
from pix2pix.training.callbacks.metrics_logging import TrainingLog
from tests.conftest import TINY, TINY_FOLDER, command, noise_pairs, pix2pix, start_command, wait_until, weights
from tests.small import fit, module
from tests.warm import WarmPopen

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
import random

import kill_and_resume as soak

from benchmarks.training_kinds import PLAIN

LESS_COMMON = ["precision=bf16-mixed", "ema_decay=0.9", "data.num_workers=1", "data.cache=memory"]


@pytest.mark.parametrize("words", [[], pytest.param(LESS_COMMON, marks=pytest.mark.slow)], ids=str)
def test_a_run_killed_again_and_again_ends_as_an_unbroken_one(tmp_path, words, monkeypatch):
    """Real processes, SIGKILL and SIGTERM in turns at random moments; `make soak` does it at length."""
    monkeypatch.setattr(subprocess, "Popen", WarmPopen)
    words = [*PLAIN, *words]
    subprocess.run(soak.command(tmp_path, "unbroken", words), check=True, capture_output=True)
    kills = soak.kill_until_finished(tmp_path, "broken", words, random.Random(len(words)), 2, term=True)
    assert kills.total() >= 1
    assert soak.differences(Run(tmp_path / "unbroken"), Run(tmp_path / "broken")) == []


def stop_within_an_epoch(run: Run, words: list[str], number: int, steps: int) -> subprocess.CompletedProcess[str]:
    """Starts the run, sends the signal in its second epoch, after the first of so many steps, and waits for its end."""
    with start_command(*words) as process:
        wait_until(lambda: any(int(row["step"]) > steps for row in read_metrics(run.path / "metrics.csv")), process)
        process.send_signal(number)
        output, complaints = process.communicate()
    return subprocess.CompletedProcess(words, process.returncode, output, complaints)


def test_a_signal_saves_the_steps_of_the_epoch_that_it_interrupts(tmp_path):
    run = Run(tmp_path / "run")
    words = [
        "train",
        *TINY,
        f"output_dir={tmp_path}",
        "name=run",
        "data.source.train_pairs=200",
        "trainer.max_epochs=9",
    ]
    ended = stop_within_an_epoch(run, words, signal.SIGTERM, steps=100)
    assert ended.returncode == 143
    assert "Stopped. Run the same command again" in ended.stdout
    step = torch.load(run.last_checkpoint, weights_only=True)["global_step"]
    assert step > 100
    assert step % 100, "it must have been saved within an epoch"


def test_a_damaged_checkpoint_is_found_and_the_one_before_it_taken(tmp_path, tiny_run, capsys):
    run = copy_as_unfinished(tiny_run, tmp_path)
    damage(run.last_checkpoint)
    pix2pix("train", *TINY, f"output_dir={tmp_path}", "name=tiny")
    output = capsys.readouterr().out
    assert "last.ckpt is damaged: its checksum differs from the one in SHA256SUMS" in output
    assert f"resuming from {run.checkpoints / PREVIOUS}" in output
    assert soak.same(weights(run), weights(tiny_run))
    assert soak.same(weights(run, "best"), weights(tiny_run, "best"))


def test_a_finished_run_with_a_cut_checkpoint_is_trained_longer_from_the_one_before_it(tmp_path, tiny_run, capsys):
    run = Run(shutil.copytree(tiny_run.path, tmp_path / "tiny"))
    os.truncate(run.last_checkpoint, 1000)
    words = ["train", *TINY, f"output_dir={tmp_path}", "name=tiny", "trainer.max_epochs=4"]
    pix2pix(*words)
    assert f"resuming from {run.checkpoints / PREVIOUS}" in capsys.readouterr().out
    assert weights(run).keys() == weights(tiny_run).keys()
    for file in run.resume_checkpoints():
        os.truncate(file, 1000)
    with pytest.raises(SystemExit, match=r"its checkpoints are damaged .*resume=never, which renames this run"):
        pix2pix(*words, "trainer.max_epochs=5")


def test_checkpoints_that_are_all_damaged_are_refused_and_can_be_set_aside(tmp_path, tiny_run, capsys):
    run = copy_as_unfinished(tiny_run, tmp_path)
    damage(run.last_checkpoint)
    damage(run.checkpoints / PREVIOUS)
    words = ["train", *TINY, f"output_dir={tmp_path}", "name=tiny"]
    with pytest.raises(SystemExit, match=r"its checkpoints are damaged .*resume=never, which renames this run"):
        pix2pix(*words)
    pix2pix(*words, "resume=never")
    assert f"the old run was renamed to {tmp_path}/tiny.before-1" in capsys.readouterr().out
    assert (tmp_path / "tiny.before-1" / "config.yaml").is_file()
    assert soak.same(weights(run), weights(tiny_run))


def test_a_run_that_is_to_be_replaced_keeps_its_name_if_the_new_one_cannot_start(tmp_path, tiny_run, capsys):
    run = Run(shutil.copytree(tiny_run.path, tmp_path / "tiny"))
    words = [*TINY, f"output_dir={tmp_path}", "name=tiny", "resume=never", f"init_from={tmp_path}/nothing.ckpt"]
    with pytest.raises(SystemExit, match=r"nothing\.ckpt"):
        pix2pix("train", *words)
    assert f"the old run is called {run.path} again" in capsys.readouterr().out
    assert run.is_finished()
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == ["tiny"]


def test_a_run_goes_on_from_a_checkpoint_of_elsewhere(tmp_path, tiny_run):
    half = tmp_path / "half.ckpt"
    shutil.copy(tiny_run.checkpoints / PREVIOUS, half)
    pix2pix("train", *TINY, f"output_dir={tmp_path}", "name=again", f"resume={half}")
    again = Run(tmp_path / "again")
    assert soak.same(weights(again), weights(tiny_run))
    assert [row["step"] for row in read_metrics(again.path / "metrics.csv")] == ["8", "12", "12"]
    with pytest.raises(SystemExit, match=r"resume=.*nothing\.ckpt: no such checkpoint"):
        pix2pix("train", *TINY, f"output_dir={tmp_path}", "name=x", f"resume={tmp_path}/nothing.ckpt")


def test_a_kill_between_a_checkpoint_and_its_other_names_is_made_up_for(tmp_path, tiny_run):
    run = copy_as_unfinished(tiny_run, tmp_path)
    shutil.copy(run.checkpoints / PREVIOUS, run.last_checkpoint)  # as if killed before best.ckpt was linked
    (run.checkpoints / "best.ckpt").unlink()
    words = ["train", *TINY, f"output_dir={tmp_path}", "name=tiny"]
    pix2pix(*words)
    assert soak.same(weights(run, "best"), weights(tiny_run, "best"))


def test_a_run_killed_before_it_had_a_configuration_begins_again(tmp_path):
    """Found by the soak: the folders were made, config.yaml was not yet in place."""
    (tmp_path / "run" / "checkpoints").mkdir(parents=True)
    (tmp_path / "run" / ".config.yaml.part").write_text("name: r")
    pix2pix("train", *TINY, f"output_dir={tmp_path}", "name=run", "trainer.max_epochs=1")
    assert Run(tmp_path / "run").is_finished()


def test_a_checkpoint_within_an_epoch_takes_no_name_of_the_one_before(tmp_path, tiny_run):
    """Found by the soak: resumed from the end of an epoch, the next save within one became `best.ckpt`, too."""
    half = tmp_path / "half.ckpt"
    shutil.copy(tiny_run.checkpoints / PREVIOUS, half)  # the first epoch's, which is also best.ckpt
    run = Run(tmp_path / "run")
    words = ["train", *TINY, f"output_dir={tmp_path}", "name=run", "callbacks.checkpoint.every_n_steps=2"]
    pix2pix(*words, f"resume={half}", "trainer.limit_val_batches=0")
    assert {file.name for file in run.checkpoints.glob("*.ckpt")} == {"last.ckpt", PREVIOUS}


def cut_short(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-300])


def make_smaller_than_the_crop(file: Path) -> None:
    Image.effect_noise((40, 20), 50).convert("RGB").save(file)


@pytest.mark.parametrize("cache", ["off", "memory"])
def test_a_pair_that_cannot_be_used_is_passed_over_on_request_and_a_limit_kept(tmp_path, capsys, cache):
    data = noise_pairs(tmp_path / "pairs", 6)
    cut_short(data / "train" / "1.jpg")
    make_smaller_than_the_crop(data / "train" / "4.jpg")
    (data / "train" / "6.jpg").symlink_to("/nowhere.jpg")
    words = ["train", *TINY_FOLDER, f"data.path={data}", f"output_dir={tmp_path}", "data.num_workers=0"]
    words += [f"data.cache={cache}", "data.preprocess=crop", "trainer.max_epochs=1"]
    pix2pix(*words, "name=skipping", "data.on_error=skip")
    output = capsys.readouterr().out
    assert output.count("Skipped (") == 3
    assert "6.jpg: is a link to /nowhere.jpg, which is not there" in output
    assert "1.jpg: cannot be read as a picture" in output
    assert "pair 4: 20x20 pixels are less than the crop 32x32" in output
    with pytest.raises(SystemExit, match=r"[23] pairs could not be used, but data\.skip_limit=1"):
        pix2pix(*words, "name=limited", "data.on_error=skip", "data.skip_limit=1")


@pytest.mark.parametrize("cache", ["off", "memory", "disk"])
def test_an_unreadable_validation_pair_has_no_part_in_the_training(tmp_path, capsys, cache):
    """The metrics are those of the other pairs, to the bit, as if the file were not there."""
    words = ["train", *TINY_FOLDER, "data.num_workers=0", "trainer.max_epochs=1", "data.on_error=skip"]
    words += [f"data.cache={cache}", f"data.cache_dir={tmp_path}/cache", f"output_dir={tmp_path}"]
    words += ["data.preprocess=crop"]
    data = noise_pairs(tmp_path / "damaged", 5)
    for number in (3, 4):
        (data / "train" / f"{number}.jpg").rename(data / "val" / f"{number}.jpg")
    shutil.copytree(data, tmp_path / "without")
    cut_short(data / "val" / "3.jpg")
    make_smaller_than_the_crop(data / "val" / "5.jpg")
    (tmp_path / "without" / "val" / "3.jpg").unlink()
    for name in ("damaged", "without"):
        pix2pix(*words, f"data.path={tmp_path / name}", f"name={name}_run")
    assert capsys.readouterr().out.count("Left out of the validation (") == 2
    runs = [Run(tmp_path / f"{name}_run") for name in ("damaged", "without")]
    ours, theirs = (read_metrics(run.path / "metrics.csv")[-1] for run in runs)
    assert ours["val/l1"] == theirs["val/l1"]
    assert soak.same(*map(weights, runs))
    assert (runs[0].path / "samples" / "val_epoch0001.png").exists()


def test_more_unreadable_validation_pairs_than_the_limit_end_a_training(tmp_path):
    data = noise_pairs(tmp_path / "pairs", 2)
    for number in (0, 1):
        (data / "val" / f"{number}.jpg").write_bytes(b"no picture")
    words = ["train", *TINY_FOLDER, f"data.path={data}", f"output_dir={tmp_path}", "name=run", "data.on_error=skip"]
    with pytest.raises(SystemExit, match=r"2 pairs could not be used, but data\.skip_limit=1"):
        pix2pix(*words, "data.skip_limit=1")
    with pytest.raises(SystemExit, match=r"none of the validation pairs can be used"):
        pix2pix(*words)


def test_an_error_between_steps_keeps_what_was_learnt(tmp_path):
    data = noise_pairs(tmp_path / "pairs", 12)
    words = ["train", *TINY_FOLDER, f"data.path={data}", f"output_dir={tmp_path}", "name=run"]
    words += ["data.num_workers=0", "data.cache=off"]
    file = data / "train" / "7.jpg"
    whole = file.read_bytes()
    file.write_bytes(whole[:-300])
    with pytest.raises(SystemExit, match=r"7\.jpg: cannot be read"):
        pix2pix(*words)
    run = Run(tmp_path / "run")
    saved = torch.load(run.last_checkpoint, weights_only=True)["global_step"] if run.last_checkpoint.exists() else 0
    file.write_bytes(whole)
    pix2pix(*words, "allow_changed_data=true")  # the mended file is another one
    pix2pix(*words[:-3], "name=unbroken", *words[-2:])
    assert soak.same(weights(run), weights(Run(tmp_path / "unbroken")))
    assert 0 < saved < 12


def test_changed_data_are_refused_unless_allowed(tmp_path):
    data = noise_pairs(tmp_path / "pairs", 6)
    words = ["train", *TINY_FOLDER, f"data.path={data}", f"output_dir={tmp_path}", "name=run"]
    pix2pix(*words, "data.num_workers=0")
    run = Run(tmp_path / "run")
    run.provenance_file.write_text(run.provenance_file.read_text().replace('"finished": true', '"finished": false'))
    (data / "train" / "5.jpg").unlink()
    with pytest.raises(SystemExit, match=r"was trained on other data.*allow_changed_data=true"):
        pix2pix(*words, "data.num_workers=0")
    before = run.provenance()["data_fingerprint"]
    pix2pix(*words, "data.num_workers=0", "allow_changed_data=true")
    assert run.is_finished()
    assert run.provenance()["data_fingerprint"] != before


def test_out_of_memory_says_what_to_lower(tmp_path):
    """A real limit on memory stands in for a small machine."""
    words = ["train", *TINY, f"output_dir={tmp_path}", "name=huge", "data.size=256", "data.batch_size=12"]
    words += ["generator.base_channels=16", "discriminator.base_channels=16"]
    limit = "import resource; import torch, pytorch_lightning; import pix2pix.training.train; "
    limit += "used = int(open('/proc/self/statm').read().split()[0]) * 4096; "
    limit += "resource.setrlimit(resource.RLIMIT_AS, (used + 500_000_000,) * 2)"
    result = command(*words, first=limit)
    assert result.returncode == 1
    assert "out of memory with data.batch_size=12 at 256x256" in result.stderr
    assert "lower data.batch_size, data.size or generator.base_channels" in result.stderr


def test_fine_tuning_begins_with_the_weights_of_a_run_and_names_what_did_not_fit(tmp_path, tiny_run, capsys):
    start = [
        *TINY,
        f"output_dir={tmp_path}",
        "trainer.max_epochs=1",
        "optimizer.lr=1e-12",
        f"init_from={tiny_run.path}",
    ]
    pix2pix("train", *start, "name=same")
    assert "weights taken" in capsys.readouterr().out
    tuned, origin = weights(Run(tmp_path / "same")), weights(tiny_run)
    learnt = [key for key in origin if key.endswith("weight")]
    assert all(torch.allclose(tuned[key], origin[key], atol=1e-6) for key in learnt)
    pix2pix("train", *start, "name=wider", "discriminator.base_channels=6")
    output = capsys.readouterr().out
    assert "discriminator.layers.0.weight keeps its own initialisation: (4, 6, 4, 4) there, (6, 6, 4, 4) here" in output
    with pytest.raises(SystemExit, match=r"init_from=.*nowhere: no such file or directory"):
        pix2pix("train", *start[:-1], "name=no", f"init_from={tmp_path}/nowhere")


def test_overflowing_steps_of_half_precision_are_counted():
    log, scaler = TrainingLog(), torch.amp.GradScaler("cpu", init_scale=4.0, growth_interval=1000)
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], 0.1)
    counted = []
    for gradient in (float("inf"), 1.0, float("inf"), 1.0):  # the very first step, whose scale is the largest, too
        scaler.scale(torch.ones(1))
        optimizer.param_groups[0]["params"][0].grad = torch.tensor([gradient])
        scaler.step(optimizer)
        scaler.update()
        counted.append(int(log.count_overflow(scaler)))
        state, log = log.state_dict(), TrainingLog()  # stopped and resumed after every step
        log.load_state_dict(state)
    assert counted == [1, 1, 2, 2]
    resumed, again = TrainingLog(), torch.amp.GradScaler("cpu")
    again.load_state_dict(scaler.state_dict())
    again.scale(torch.ones(1))
    assert int(resumed.count_overflow(again)) == 0, "the scale that was saved is where the resumed run begins"


def test_a_training_in_half_precision_that_is_resumed_has_the_scale_and_weights_of_an_unbroken_one(tmp_path):
    """With a scale that overflows in the first steps. On the CPU, where pix2pix itself refuses 16-mixed."""

    def train(epochs: int, resume: Path | None = None) -> tuple[pl.Trainer, list[torch.Tensor]]:
        torch.manual_seed(0)
        scaler = torch.amp.GradScaler("cpu", init_scale=2.0**40, growth_interval=3)
        plugin = MixedPrecision("16-mixed", "cpu", scaler)
        trained = module(torch.nn.Conv2d(3, 3, 3, padding=1))
        trainer = fit(trained, resume=resume, max_epochs=epochs, default_root_dir=tmp_path, plugins=[plugin])
        return trainer, [*trained.state_dict().values(), torch.tensor(scaler.get_scale())]

    half, _ = train(4)
    half.save_checkpoint(tmp_path / "half.ckpt")
    _, unbroken = train(8)
    _, resumed = train(8, tmp_path / "half.ckpt")
    assert all(torch.equal(one, other) for one, other in zip(unbroken, resumed, strict=True))
    assert 1 < float(unbroken[-1]) < 2.0**40, "it overflowed, and found a scale"


def copy_as_unfinished(finished: Run, folder: Path) -> Run:
    """A copy of a run, as if it had been killed before it could say that it is finished."""
    shutil.copytree(finished.path, folder / finished.path.name)
    run = Run(folder / finished.path.name)
    run.provenance_file.write_text(run.provenance_file.read_text().replace('"finished": true', '"finished": false'))
    return run


def damage(file: Path) -> None:
    """Turns over one byte in the middle, in a file of its own."""
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 0xFF
    file.unlink()
    file.write_bytes(content)
