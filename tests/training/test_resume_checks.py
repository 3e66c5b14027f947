"""Going on: trained longer under the same name, as one training; and what cannot go on, said in words."""

import pathlib
import re

import pytest
import torch

from pix2pix.runs.metrics import read_metrics
from pix2pix.runs.progress import TrainingProgress, read_progress
from pix2pix.runs.run import Run
from pix2pix.training.resume import warn_about_schedule
from tests.conftest import TINY, make_config, pix2pix, same_weights


@pytest.fixture
def words(tmp_path) -> list[str]:
    """A command on the copy of the finished run that the fixture `run` makes."""
    return ["train", *TINY, f"output_dir={tmp_path}", "name=tiny"]


def history(run: Run) -> list[dict[str, str]]:
    rows = read_metrics(run.path / "metrics.csv")
    for row in rows:
        del row["images_per_second"]
    return rows


@pytest.mark.parametrize("first", [["trainer.max_epochs=1"], ["trainer.max_steps=4"], ["trainer.max_steps=6"]], ids=str)
def test_a_run_that_is_trained_longer_ends_as_one_that_was_begun_so(tmp_path, tiny_run, words, first, capsys):
    """A finished run; its end may lie within an epoch. One history: metrics.csv, samples, what was run when."""
    pix2pix(*words, *first)
    run = Run(tmp_path / "tiny")
    assert run.is_finished()
    pix2pix(*words)
    assert "tiny has another end than before: trainer.max_" in capsys.readouterr().out
    assert run.is_finished()
    assert same_weights(run, tiny_run)
    assert history(run) == history(tiny_run)
    assert {f.name for f in (run.path / "samples").iterdir()} == {f.name for f in (tiny_run.path / "samples").iterdir()}
    ((key, (before, now)),) = run.provenance()["sessions"][1]["changed"].items()
    assert f"{key}={before}" in first[0]
    assert now == {"trainer.max_epochs": 2, "trainer.max_steps": -1}[key]
    assert run.provenance()["sessions"][1]["step"] == (4 if first == ["trainer.max_steps=4"] else 6)
    assert run.config().trainer["max_epochs"] == 2


def test_fewer_epochs_than_there_were_are_refused_in_words(run, words):
    before = run.config_file.read_bytes()
    with pytest.raises(SystemExit, match=r"tiny: was trained for 2 epochs \(12 steps\) already, .*max_epochs=1 asks"):
        pix2pix(*words, "trainer.max_epochs=1")
    assert run.config_file.read_bytes() == before
    assert run.is_finished()


def test_a_finished_run_is_left_alone_by_a_limit_that_it_has_reached(run, words, capsys):
    """By a process that finds it finished, and by one that waited for its lock."""
    before = [file.read_bytes() for file in (run.config_file, run.provenance_file)]
    pix2pix(*words, "trainer.max_steps=12")
    assert "is finished" in capsys.readouterr().out
    config = run.config()
    config = config.replace(trainer=config.trainer | {"max_steps": 12})
    with run.open_session(config, run.provenance()["data_fingerprint"]) as is_unfinished:
        assert not is_unfinished
    assert [file.read_bytes() for file in (run.config_file, run.provenance_file)] == before


def test_what_no_weight_depends_on_may_change_in_between(tmp_path, tiny_run, words, capsys):
    pix2pix(*words, "trainer.max_epochs=1")
    more = ["+callbacks.lr={_target_: pytorch_lightning.callbacks.LearningRateMonitor}", "+trainer.profiler=simple"]
    pix2pix(*words, *more, "trainer.log_every_n_steps=1", "~callbacks.collapse_monitor")
    output = capsys.readouterr().out
    assert (
        "From here on: callbacks.collapse_monitor left out; callbacks.lr added; trainer.log_every_n_steps 4 -> 1"
        in output
    )
    run = Run(tmp_path / "tiny")
    assert same_weights(run, tiny_run)
    assert run.config().trainer["log_every_n_steps"] == 1
    assert run.provenance()["sessions"][1]["changed"]["trainer.log_every_n_steps"] == [4, 1]


def test_another_training_is_refused_with_what_differs_and_every_way_on(run, words):
    with pytest.raises(SystemExit, match=r"seed: 0 there, 1 here\n.*\n  name=") as error:
        pix2pix(*words, "seed=1", "trainer.max_epochs=3")
    assert f"name=... resume={run.last_checkpoint} continues from there" in str(error.value)
    assert f"name=... init_from={run.path} starts from the weights" in str(error.value)
    assert "delete that" not in str(error.value)


def test_a_run_that_saved_nothing_begins_again_with_what_it_is_told_now(tmp_path, words, capsys):
    with pytest.raises(SystemExit, match="diverged"):
        pix2pix(*words, "optimizer.lr=1e30", "trainer.max_epochs=1")
    assert not Run(tmp_path / "tiny").has_checkpoints()
    pix2pix(*words, "trainer.max_epochs=1")
    assert (
        "has saved no checkpoint yet: it starts over, with optimizer.discriminator.lr 1e+30 -> "
        in capsys.readouterr().out
    )
    assert Run(tmp_path / "tiny").config().optimizer.lr == 2e-4


@pytest.mark.parametrize(
    ("so_far", "ends", "message"),
    [
        (
            TrainingProgress(3, 3, 18),
            (3, 5),
            r"After epoch 3 it was 0\.333 of the .*; with the new end, epoch 5, it goes on with 0\.667",
        ),
        (TrainingProgress(1, 1, 6), (3, 5), None),  # it had not begun to fall
        (
            TrainingProgress(2, 3, 15),
            (5, 4),
            r"After epoch 3 it was 1 of the .*; with the new end, epoch 4, it goes on with 0\.333",
        ),
        (TrainingProgress(3, 3, 18), (3, 3), None),
    ],
)
def test_what_another_end_does_to_a_falling_learning_rate_is_said(caplog, so_far, ends, message):
    config = make_config(*TINY, "schedule=linear", "schedule.decay=2")
    there, here = (config.replace(trainer=config.trainer | {"max_epochs": end}) for end in ends)
    warn_about_schedule(Run("outputs/x"), so_far, there, here)
    assert bool(caplog.records) == bool(message)
    if message:
        assert caplog.text.count("\n") == 1
        assert re.search(message, caplog.text)


def test_a_checkpoint_tells_how_far_its_training_got(tiny_run):
    content = torch.load(tiny_run.last_checkpoint, weights_only=True)
    assert read_progress(content) == TrainingProgress(2, 2, 12)
    loop = content["loops"]["fit_loop"]["epoch_loop.batch_progress"]
    loop["is_last_batch"] = False
    assert read_progress(content) == TrainingProgress(1, 2, 12)


# What is no training to go on with


def forge(run: Run, folder, kind: str) -> str:
    """A file that `resume` must refuse."""
    file = folder / f"{kind.replace(' ', '_')}.ckpt"
    content = torch.load(run.last_checkpoint, weights_only=True)
    if kind == "text":
        file.write_text("this is no checkpoint")
    elif kind == "nothing":
        file.touch()
    elif kind == "half":
        file.write_bytes(run.last_checkpoint.read_bytes()[:5000])
    elif kind == "directory":
        return str(run.path)
    elif kind == "for translate":
        torch.save({key: content[key] for key in ("config", "state_dict", "global_step")}, file)
    elif kind == "other mapping":
        torch.save({"weights": torch.zeros(2)}, file)
    elif kind == "no mapping":
        torch.save([1, 2], file)
    elif kind == "a program":
        torch.save(content | {"callbacks": pathlib.Path("x")}, file)
    elif kind == "hollow":
        torch.save(content | {"loops": 3}, file)
    elif kind == "cut optimizer":
        kept = content["optimizer_states"][1]["state"][0]
        kept["exp_avg_sq"] = kept["exp_avg_sq"][:2]
        torch.save(content, file)
    elif kind == "other optimizer":
        content["config"]["optimizer"]["generator"]["_target_"] = "torch.optim.SGD"
        torch.save(content, file)
    return str(file)


@pytest.mark.parametrize(
    ("kind", "words", "message"),
    [
        ("text", [], r"cannot be read as a checkpoint \(it is no file of weights that torch saved\)\.$"),
        ("nothing", [], r"cannot be read as a checkpoint \(it is no file of weights that torch saved\)\.$"),
        ("a program", [], r"cannot be read as a checkpoint \(it holds more than tensors and plain values"),
        ("half", [], r"is damaged"),
        ("directory", [], r"is a directory, no checkpoint\. Give .*tiny/checkpoints/last\.ckpt"),
        ("for translate", [], r"holds weights, but no state to resume a training from: callbacks, .*init_from="),
        ("other mapping", [], r"is not a checkpoint of `pix2pix train`"),
        ("no mapping", [], r"is not a checkpoint of `pix2pix train`"),
        ("hollow", [], r"a training cannot go on from it: how far .* TypeError.* init_from="),
        ("other optimizer", [], r"optimizer\.generator\._target_: torch\.optim\.SGD there, torch\.optim\.Adam here"),
        ("cut optimizer", [], r"go on from it: exp_avg_sq of the discriminator's optimizer .*\(2, .* init_from="),
        ("missing", [], r"no such checkpoint\. Give auto, never, or the path"),
    ],
)
def test_a_file_that_cannot_be_gone_on_from_is_named_and_spends_no_name(tiny_run, tmp_path, kind, words, message):
    path = forge(tiny_run, tmp_path, kind)
    base = ["train", *TINY, f"output_dir={tmp_path}/out", "name=new", "trainer.max_epochs=3"]
    with pytest.raises(SystemExit, match=rf"(?s)^pix2pix: resume={path}.*{message}"):
        pix2pix(*base, f"resume={path}", *words)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["generator.base_channels=5"],
            r"other networks or optimizers:\n  generator\.\S+: \(4, .* there, \(5, .* here",
        ),
        (["discriminator.receptive_field=34"], r"  discriminator\.\S+: .*\n.*\n.*\n  and \d+ more"),
        (["objective=l1"], r"  discriminator\.\S+: \(.*\) there, nothing here"),
        (["ema_decay=0.9"], r"  average\.\S+: nothing there, "),
        ([], r"was trained for 2 epochs \(12 steps\) already, and trainer\.max_epochs=2"),
    ],
    ids=str,
)
def test_a_checkpoint_of_another_training_is_refused_before_anything_is_written(tiny_run, tmp_path, words, message):
    with pytest.raises(SystemExit, match=rf"^pix2pix: resume={tiny_run.last_checkpoint}: .*") as error:
        pix2pix("train", *TINY, f"output_dir={tmp_path}/out", "name=new", *words, f"resume={tiny_run.last_checkpoint}")
    assert re.search(message, str(error.value))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("kind", ["text", "nothing", "other mapping", "no mapping", "missing", "folder", "text.pth"])
def test_a_mistyped_init_from_leaves_nothing(tiny_run, tmp_path, kind):
    path = tmp_path / "text.pth" if kind == "text.pth" else forge(tiny_run, tmp_path, kind)
    if kind == "folder":
        path = tmp_path / "folder"
        path.mkdir()
    elif kind == "text.pth":
        path.write_text("no weights")
    with pytest.raises(SystemExit, match=rf"^pix2pix: .*{path}"):
        pix2pix("train", *TINY, f"output_dir={tmp_path}/out", "name=new", f"init_from={path}")
    assert not (tmp_path / "out").exists()


def test_a_run_without_its_last_checkpoint_is_told_what_to_begin_with(run, tmp_path):
    run.last_checkpoint.unlink()
    with pytest.raises(
        SystemExit, match=rf"init_from={run.path}: has no last\.ckpt.*: init_from={run.checkpoint('best')}$"
    ):
        pix2pix("train", *TINY, f"output_dir={tmp_path}/out", "name=new", f"init_from={run.path}")
    assert not (tmp_path / "out").exists()


def test_a_run_that_goes_on_from_anothers_checkpoint_has_a_best_of_its_own(tiny_run, tmp_path):
    """The other run's best value must not stand in its way."""
    content = torch.load(tiny_run.last_checkpoint, weights_only=True)
    content["callbacks"]["Checkpoints"]["best"] = 0.99
    torch.save(content, tmp_path / "half.ckpt")
    words = ["train", *TINY, f"output_dir={tmp_path}", "name=new", "trainer.max_epochs=3"]
    pix2pix(*words, f"resume={tmp_path}/half.ckpt")
    run = Run(tmp_path / "new")
    assert torch.load(run.checkpoint("best"), weights_only=True)["global_step"] == 18
    assert 0 < run.provenance()["best"]["val/ssim"] < 0.5
    (tmp_path / "half.ckpt").unlink()
    pix2pix(*words[:-1], "trainer.max_epochs=4", f"resume={tmp_path}/half.ckpt")  # it goes on from its own
    assert run.provenance()["sessions"][1]["checkpoint"] == str(run.last_checkpoint)


def test_a_best_of_another_metric_is_no_bar(run, words):
    pix2pix(*words, "trainer.max_epochs=3", "callbacks.checkpoint.monitor=val/l1")
    assert run.provenance()["best"].keys() == {"val/l1"}
    assert torch.load(run.checkpoint("best"), weights_only=True)["global_step"] == 18


def test_an_imported_run_is_told_how_its_weights_are_trained_on(run, words):
    content = torch.load(run.last_checkpoint, weights_only=True)
    for file in run.checkpoints.glob("*.ckpt"):
        file.unlink()
    torch.save({key: content[key] for key in ("config", "state_dict", "global_step", "epoch")}, run.last_checkpoint)
    with pytest.raises(
        SystemExit,
        match=r"last\.ckpt: holds weights, but no state to resume a training from: .* name=\.\.\. init_from=",
    ):
        pix2pix(*words, "trainer.max_epochs=3")


def test_a_finished_run_without_a_last_checkpoint_is_told_so(run, words):
    for name in ("last.ckpt", "previous.ckpt"):
        (run.checkpoints / name).unlink()
    with pytest.raises(SystemExit, match=r"is finished, and has no last\.ckpt to train it longer from"):
        pix2pix(*words, "trainer.max_epochs=3")


def test_a_run_that_has_lost_its_configuration_is_told_how_its_checkpoints_go_on(run, words):
    """Nothing may advise to clear its folder."""
    run.config_file.unlink()
    with pytest.raises(SystemExit, match=r"config\.yaml: is missing, and the run has checkpoints\. Restore") as error:
        pix2pix(*words, "trainer.max_epochs=3")
    assert f"name=... resume={run.last_checkpoint}" in str(error.value)
    assert "clear" not in str(error.value)


@pytest.mark.parametrize("name", ["last", "best"])
def test_a_folder_in_the_place_of_a_checkpoint_is_told_before_the_training(run, words, name, capsys):
    """Its last epoch could not be saved."""
    run.checkpoint(name).unlink()
    (run.checkpoints / f"{name}.ckpt").mkdir()
    with pytest.raises(SystemExit, match=rf"{name}\.ckpt: is a folder, where the training will save a checkpoint"):
        pix2pix(*words, "trainer.max_epochs=3")
    assert "epoch 3" not in capsys.readouterr().out


RUBBISH = [
    {"loops": 5},
    {"loops": {}},
    {"global_step": "many"},
    {"global_step": -3},
    {"callbacks": [1]},
    {"optimizer_states": 5},
    {"optimizer_states": [{"state": {}, "param_groups": []}] * 2},
    {"pytorch-lightning_version": "99.banana"},
]


@pytest.mark.parametrize("rubbish", RUBBISH, ids=str)
def test_a_state_of_the_training_that_is_rubbish_is_named_with_its_file(run, words, rubbish):
    """The file is sound, and its weights too: another program wrote it. The run goes on from a copy."""
    content = run.last_checkpoint.read_bytes()
    torch.save(torch.load(run.last_checkpoint, weights_only=True) | rubbish, run.last_checkpoint)
    for file in (run.checkpoints / "SHA256SUMS", run.checkpoints / "previous.ckpt"):
        file.unlink()
    with pytest.raises(SystemExit, match=r"^pix2pix: \S*/last\.ckpt: a training cannot go on from it: .*init_from="):
        pix2pix(*words, "trainer.max_epochs=3")
    run.last_checkpoint.write_bytes(content)
    pix2pix(*words, "trainer.max_epochs=3")
    assert run.is_finished()
