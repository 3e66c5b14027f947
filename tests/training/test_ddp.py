"""Trainings by two processes, as the command line, torchrun and Slurm start them."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from pix2pix.core.atomic_files import write_text_atomic
from pix2pix.data.resume import EpochLayout, convert_progress, find_position
from pix2pix.data.samplers import EpochBatches
from pix2pix.inference.mode import InferenceMode
from pix2pix.models import UNet
from pix2pix.runs.metrics import read_metrics
from pix2pix.runs.run import Run
from pix2pix.training.callbacks.checkpoint import Checkpoints
from tests.conftest import TINY, TINY_FOLDER, command, noise_pairs, pix2pix, start_command, wait_until, weights

SCRIPTS = Path(__file__).parents[2] / "scripts"
TWO = ["trainer=ddp", "trainer.accelerator=cpu", "trainer.devices=2"]
# Fourteen pairs: the last step of an epoch has two, one for each process. Instance norm and no dropout: nothing depends
# on which process a pair is in. A larger epsilon: without, Adam makes steps of the rounding in idle biases.
SAME = ["data.source.train_pairs=14", "generator.norm=instance", "discriminator.norm=instance", "generator.dropout=0"]
SAME += [f"+optimizer.{network}.eps=1e-3" for network in ("generator", "discriminator")]
SAME += ["callbacks.checkpoint.every_n_epochs=1", "trainer.log_every_n_steps=1"]
ONE_BATCH = [*TINY, *SAME, "data.batch_size=4"]
SHARED_BATCH = [*TINY, *SAME, "data.batch_size=2"]


def assert_close(a: Run, b: Run) -> None:
    torch.testing.assert_close(weights(a), weights(b), rtol=1e-4, atol=1e-6)


def assert_equal(a: Run, b: Run) -> None:
    torch.testing.assert_close(weights(a), weights(b), rtol=0, atol=0)


def read_numbers(run: Run) -> list[dict[str, float]]:
    """The numbers of metrics.csv, but for the speed."""
    rows = read_metrics(run.path / "metrics.csv")
    return [{key: float(v) for key, v in row.items() if v and key != "images_per_second"} for row in rows]


def run_by(words: list[str], folder: Path, name: str, **options) -> Run:
    result = command("train", *words, f"output_dir={folder}", f"name={name}", timeout=300, **options)
    assert result.returncode == 0, result.stderr
    return Run(folder / name)


@pytest.fixture(scope="module")
def one(tmp_path_factory) -> Run:
    """A run of one process, four pairs a step, with a checkpoint from within its second epoch; not to be changed."""
    folder = tmp_path_factory.mktemp("one")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Checkpoints, "on_train_batch_end", save_sixth_step)
        pix2pix("train", *ONE_BATCH, f"output_dir={folder}", "name=run")
    return Run(folder / "run")


def save_sixth_step(keeper, trainer, *_) -> None:
    if trainer.global_step == 6:
        trainer.save_checkpoint(Path(trainer.default_root_dir) / "checkpoints" / "sixth.ckpt")


@pytest.fixture(scope="module")
def two(tmp_path_factory) -> Run:
    """The same run by two processes, two pairs a step each; not to be changed."""
    return run_by([*SHARED_BATCH, *TWO], tmp_path_factory.mktemp("two"), "run")


def after_its_first_epoch(run: Run, folder: Path, checkpoint: str = "epoch=1") -> Run:
    """A copy of a finished run as it was after one epoch, or when it saved another checkpoint."""
    copy = Run(shutil.copytree(run.path, folder / "run"))
    shutil.copyfile(copy.checkpoints / f"{checkpoint}.ckpt", copy.last_checkpoint)
    write_text_atomic(copy.provenance_file, json.dumps(copy.provenance() | {"finished": False}))
    return copy


def test_two_processes_train_as_one_that_has_all_pairs_of_a_step_in_its_batch(one, two):
    assert_close(one, two)
    for ours, theirs in zip(read_numbers(two), read_numbers(one), strict=True):
        assert ours == pytest.approx(theirs, rel=1e-3), "losses are means over all processes"


@pytest.mark.slow
def test_how_many_messages_the_gradients_go_in_changes_no_bit(two, tmp_path):
    a_gradient_a_message = "trainer.strategy.message_megabytes=0.0001"
    assert_equal(run_by([*SHARED_BATCH, *TWO, a_gradient_a_message], tmp_path, "run"), two)


def test_what_two_processes_leave_is_written_once(one, two):
    def files(run: Run) -> list[str]:
        return sorted(path.relative_to(run.path).as_posix().partition("tfevents")[0] for path in run.path.rglob("*"))

    assert files(two) == [name for name in files(one) if "sixth" not in name]
    assert len(two.provenance()["sessions"]) == 1
    assert [row["step"] for row in read_numbers(two)] == [1, 2, 3, 4, 4, 5, 6, 7, 8, 8]


@pytest.mark.slow
def test_two_processes_killed_and_started_again_end_with_the_weights_of_an_unbroken_run(tmp_path):
    """With batch norm, dropout and bf16, all of which keep or draw something in each process."""
    words = [*TINY, *TWO, "precision=bf16-mixed"]
    unbroken = run_by(words, tmp_path, "unbroken")
    killed = Run(tmp_path / "killed")
    with start_command("train", *words, f"output_dir={tmp_path}", "name=killed") as process:
        wait_until(killed.last_checkpoint.exists, process)
        process.kill()
        process.communicate(timeout=60)  # the other process holds the pipe, too: it ends by itself
    assert not killed.is_finished()
    assert_equal(run_by(words, tmp_path, "killed"), unbroken)
    assert read_numbers(killed) == read_numbers(unbroken)


def test_a_run_of_two_processes_goes_on_with_one_and_says_what_changes(one, two, tmp_path, capsys):
    run = after_its_first_epoch(two, tmp_path)
    pix2pix("train", *ONE_BATCH, f"output_dir={tmp_path}", "name=run")
    assert "Resuming with 1 process instead of 2, 4 pairs a step, 4 steps an epoch." in capsys.readouterr().out
    assert_close(run, one)
    assert [row["step"] for row in read_numbers(run)] == [row["step"] for row in read_numbers(one)]


def test_a_run_of_one_process_goes_on_with_two(one, two, tmp_path):
    after_its_first_epoch(one, tmp_path)
    assert_close(run_by([*SHARED_BATCH, *TWO], tmp_path, "run"), two)


@pytest.mark.slow
def test_an_epoch_that_one_process_began_is_ended_by_two(one, two, tmp_path):
    after_its_first_epoch(one, tmp_path, "sixth")
    assert_close(run_by([*SHARED_BATCH, *TWO], tmp_path, "run"), two)


@pytest.mark.slow
def test_a_begun_epoch_goes_on_with_another_number_of_pairs_a_step(one, tmp_path):
    """Two steps of four pairs were taken of fourteen: that is one of eight, and one is left."""
    run = after_its_first_epoch(one, tmp_path, "sixth")
    run_by([*ONE_BATCH, *TWO], tmp_path, "run")
    assert torch.load(run.last_checkpoint, weights_only=True)["global_step"] == 6 + 1


def test_a_run_goes_on_with_another_number_of_pairs_a_step(two, tmp_path, capsys):
    """Four steps of four pairs were the first epoch; the second takes seven of two."""
    run = after_its_first_epoch(two, tmp_path)
    pix2pix("train", *SHARED_BATCH, f"output_dir={tmp_path}", "name=run")
    assert (
        "1 process instead of 2, 2 pairs a step instead of 4, 7 steps an epoch instead of 4." in capsys.readouterr().out
    )
    assert torch.load(run.last_checkpoint, weights_only=True)["global_step"] == 4 + 7


def test_another_batch_size_is_refused_where_it_makes_other_steps(two, tmp_path):
    after_its_first_epoch(two, tmp_path)
    with pytest.raises(SystemExit, match=r"data.batch_size: 2 there, 3 here"):
        pix2pix("train", *SHARED_BATCH, "data.batch_size=3", f"output_dir={tmp_path}", "name=run")


def test_several_devices_without_the_strategy_for_two_players_are_refused(tmp_path):
    with pytest.raises(SystemExit, match=r"2 devices.*Choose trainer=ddp"):
        pix2pix("train", *TINY, "trainer.devices=2", f"output_dir={tmp_path}", "name=run")
    assert not any(tmp_path.iterdir())


def test_sigterm_ends_both_processes_after_the_same_step(tmp_path):
    words = ["train", *TINY, *TWO, f"output_dir={tmp_path}", "trainer.max_epochs=10000", "name=long"]
    with start_command(*words) as process:
        wait_until(Run(tmp_path / "long").last_checkpoint.exists, process)
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=60)
    assert process.returncode == 143
    assert output.count("Stopped.") == 1


def test_a_divergence_ends_both_processes(tmp_path):
    words = [*TINY, *TWO, f"output_dir={tmp_path}", "optimizer.lr=1e30", "name=diverging"]
    result = command("train", *words, timeout=120)
    assert result.returncode == 1
    assert "the training has diverged" in result.stderr


@pytest.mark.slow
def test_a_damaged_picture_ends_both_processes_and_is_named(tmp_path):
    """Only one of them meets it; the other says that it was left alone."""
    shades = np.random.default_rng(0)
    for split, count in (("train", 12), ("val", 1)):
        (tmp_path / "pairs" / split).mkdir(parents=True)
        for number in range(count):
            picture = Image.fromarray(shades.integers(0, 255, (32, 64, 3), dtype=np.uint8))
            picture.save(tmp_path / "pairs" / split / f"{number}.png")
    damaged = tmp_path / "pairs" / "train" / "7.png"
    damaged.write_bytes(damaged.read_bytes()[:2000])
    words = [*TINY[4:], *TWO, "data=folder", f"data.path={tmp_path}/pairs", "data.size=32", "data.cache=off"]
    result = command("train", *words, f"output_dir={tmp_path}", "name=run", timeout=120)
    assert result.returncode == 1
    assert f"pix2pix: {damaged}: cannot be read as a picture" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.slow
def test_torchrun_starts_the_same_training(two, tmp_path):
    call = [str(SCRIPTS / "torchrun.sh"), *SHARED_BATCH, TWO[1], f"output_dir={tmp_path}", "name=run"]
    environment = os.environ | {"PYTHON": sys.executable, "DEVICES": "2"}
    result = subprocess.run(call, env=environment, capture_output=True, text=True, check=False, timeout=120)
    assert result.returncode == 0, result.stderr
    assert_equal(Run(tmp_path / "run"), two)


SRUN = """#!/usr/bin/env bash
# Starts a process for each of two nodes, both on this machine, as Slurm's srun does; the first failure is the result.
shift  # --kill-on-bad-exit=1
for node in 0 1; do SLURM_PROCID=$node SLURM_NODEID=$node SLURM_LOCALID=0 "$@" & done
wait -n; code=$?; wait; exit $code
"""
NODES = {
    "SLURM_NNODES": "2",
    "SLURM_STEP_NUM_TASKS": "2",
    "SLURM_NTASKS": "2",
    "SLURM_NTASKS_PER_NODE": "1",
    "SLURM_NODELIST": "localhost",
}


def slurm(folder: Path, srun: str) -> dict[str, str]:
    """An environment in which Slurm's commands are stand-ins."""
    for name, script in (("srun", srun), ("scontrol", "#!/bin/sh\necho scontrol $@\n")):
        (folder / name).write_text(script)
        (folder / name).chmod(0o755)
    job = {"SLURM_JOB_ID": str(os.getpid()), "SLURM_JOB_NAME": "pix2pix", "PYTHON": sys.executable}
    return os.environ | NODES | job | {"PATH": f"{folder}:{os.environ['PATH']}"}


def submit(environment: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    call = ["bash", str(SCRIPTS / "slurm_multinode.sbatch"), *words]
    return subprocess.run(call, env=environment, capture_output=True, text=True, check=False, timeout=120)


@pytest.mark.slow
def test_slurm_starts_the_same_training_on_two_nodes(two, tmp_path):
    words = [*SHARED_BATCH, TWO[1], f"output_dir={tmp_path}/outputs", "name=run"]
    result = submit(slurm(tmp_path, SRUN), *words)
    assert result.returncode == 0, result.stderr
    assert_equal(Run(tmp_path / "outputs" / "run"), two)


def test_a_job_of_slurm_that_was_stopped_is_put_into_the_queue_again(tmp_path):
    stopped = submit(slurm(tmp_path, "#!/bin/sh\nexit 143\n"))
    assert (stopped.returncode, stopped.stdout) == (143, f"scontrol requeue {os.getpid()}\n")
    failed = submit(slurm(tmp_path, "#!/bin/sh\nexit 1\n"))
    assert (failed.returncode, failed.stdout) == (1, "")


@pytest.mark.parametrize("length", [12, 14, 16])
def test_the_processes_batches_of_a_step_are_one_batch_of_one_process(length):
    whole = list(EpochBatches(length, 4, 1, lambda: (3, 0)))
    shares = [list(EpochBatches(length, 2, 1, lambda: (3, 0), rank=rank, processes=2)) for rank in range(2)]
    assert [sorted(step) for step in whole] == [sorted(a + b) for a, b in zip(*shares, strict=True)]


def trainer_at(steps: int, of_epoch: int, limit: float = 1.0) -> SimpleNamespace:
    """As Lightning restores a checkpoint that was saved at the end of a batch: the last one is not yet completed."""
    progress = SimpleNamespace()
    for name, count in (("total", steps), ("current", of_epoch)):
        vars(progress)[name] = SimpleNamespace(ready=count, started=count, processed=count, completed=count - 1)
    loop = SimpleNamespace(epoch_loop=SimpleNamespace(batch_progress=progress))
    return SimpleNamespace(fit_loop=loop, limit_train_batches=limit)


@pytest.mark.parametrize(
    ("saved", "present", "steps", "expected", "again"),
    [
        (EpochLayout(2, 2, 24), EpochLayout(1, 4, 24), 8, (1, 2), 0),  # the same pairs a step: the same steps
        (EpochLayout(2, 2, 24), EpochLayout(1, 2, 24), 8, (1, 4), 0),  # two steps of four pairs are four of two
        (
            EpochLayout(1, 2, 24),
            EpochLayout(2, 2, 24),
            17,
            (1, 2),
            2,
        ),  # five steps of two pairs: two of four, and two more
        (EpochLayout(2, 2, 24), EpochLayout(4, 4, 24), 5, (0, 1), 4),
        (EpochLayout(2, 2, 24), EpochLayout(3, 1, 24), 12, (2, 0), 0),  # the end of an epoch is its end
    ],
)
def test_a_begun_epoch_goes_on_with_its_first_pair_not_yet_taken(saved, present, steps, expected, again):
    trainer = trainer_at(steps, (steps - 1) % saved.steps(1.0) + 1)
    message = convert_progress(trainer, saved, present)
    assert find_position(trainer, present) == expected
    progress = trainer.fit_loop.epoch_loop.batch_progress
    assert progress.current.processed == (expected[1] or present.steps(1.0))
    assert progress.total.completed == progress.total.processed - 1
    assert (f"{again} pairs of this epoch are used twice" in message) == (again > 0)


def test_nothing_is_said_or_moved_where_nothing_changes():
    trainer = trainer_at(8, 2)
    assert convert_progress(trainer, EpochLayout(2, 2, 24), EpochLayout(2, 2, 24)) is None
    assert convert_progress(trainer, None, EpochLayout(1, 1, 24)) is None
    assert find_position(trainer, EpochLayout(2, 2, 24)) == (1, 2)


def test_synchronised_norms_ask_no_other_process_for_a_picture(monkeypatch):
    """Pictures are made by one process while the others wait: asked, they would never answer."""
    torch.manual_seed(0)
    plain = UNet(base_channels=4, depth=3, dropout=0.0)
    picture = torch.rand(1, 3, 16, 16)
    expected = InferenceMode().generate(plain, picture, "a")
    synchronised = torch.nn.SyncBatchNorm.convert_sync_batchnorm(plain)
    monkeypatch.setattr("torch.distributed.is_initialized", lambda: True)
    monkeypatch.setattr("torch.distributed.get_world_size", lambda *_: pytest.fail("asks how many others there are"))
    assert torch.equal(InferenceMode().generate(synchronised, picture, "a"), expected)


@pytest.mark.slow
def test_two_processes_leave_out_the_same_unreadable_validation_pair(tmp_path):
    """Neither waits for the other, and the metrics are those of one process."""
    data = noise_pairs(tmp_path / "pairs", 5)
    (data / "train" / "4.jpg").rename(data / "val" / "4.jpg")
    (data / "val" / "1.jpg").write_bytes(b"no picture")
    words = [*TINY_FOLDER, f"data.path={data}", "data.on_error=skip", "trainer.max_epochs=1", *SAME[1:]]
    two = run_by([*words, *TWO, "data.batch_size=1"], tmp_path, "two")
    one = run_by([*words, "data.batch_size=2"], tmp_path, "one")
    assert read_numbers(two)[-1]["val/l1"] == pytest.approx(read_numbers(one)[-1]["val/l1"], rel=1e-3)
