"""Runs: the same command gives the same weights, goes on, is left alone or refused."""

import csv
import json
import shutil
import signal

import pytest
import torch
import yaml
from PIL import Image

from pix2pix import load_translator
from pix2pix.runs.metrics import read_metrics
from pix2pix.runs.run import Run
from tests.conftest import (
    TINY,
    TINY_FOLDER,
    command,
    noise_pairs,
    pix2pix,
    same_weights,
    start_command,
    wait_until,
    weights,
)

LABELS = ["data.direction=AtoB", "data.one_hot=true", "objective=labels"]


def test_a_run_directory_tells_all(tiny_run):
    config = yaml.safe_load(tiny_run.config_file.read_text())
    assert (config["data"]["load_height"], config["generator"]["depth"]) == (36, 5)
    provenance = tiny_run.provenance()
    assert provenance["finished"]
    assert provenance["sessions"][0]["versions"]["torch"] in {torch.__version__, torch.__version__.partition("+")[0]}
    assert "trainer.max_epochs=2" in provenance["sessions"][0]["command"]
    sheets = {file.name for file in (tiny_run.path / "samples").iterdir()}
    assert sheets == {f"{split}_epoch000{n}.png" for split in ("train", "val") for n in (1, 2)}
    assert {file.name for file in tiny_run.path.iterdir()} == {
        *("config.yaml", "provenance.json", "provenance", "train.log", "checkpoints", "metrics.csv", "samples"),
        "tensorboard",
    }


def test_steps_are_counted_once_a_batch_whatever_the_number_of_players(tiny_run):
    rows = read_metrics(tiny_run.path / "metrics.csv")
    assert [(row["step"], bool(row["val/l1"])) for row in rows] == [
        *[("4", False), ("6", True), ("8", False), ("12", False), ("12", True)]
    ]
    checkpoint = torch.load(tiny_run.last_checkpoint, weights_only=True)
    assert (checkpoint["global_step"], checkpoint["epoch"]) == (12, 1)
    losses = ("loss/d_fake", "loss/d_real", "loss/g_gan", "loss/g_l1", "lr/generator", "images_per_second")
    assert all(float(rows[0][name]) > 0 for name in losses)


def test_checkpoints_hold_state_only_and_carry_their_configuration(tiny_run):
    checkpoint = torch.load(tiny_run.last_checkpoint, weights_only=True)
    assert checkpoint["config"] == tiny_run.config().to_mapping()
    assert "hyper_parameters" not in checkpoint
    assert not list(tiny_run.checkpoints.glob(".*"))


def test_the_same_command_gives_the_same_weights_bit_for_bit(tiny_run, tmp_path):
    pix2pix("train", *TINY, f"output_dir={tmp_path}", "name=tiny")
    assert same_weights(tiny_run, Run(tmp_path / "tiny"))


def test_loader_workers_change_nothing(tiny_run, tmp_path):
    pix2pix("train", *TINY, f"output_dir={tmp_path}", "name=workers", "data.num_workers=2")
    assert same_weights(tiny_run, Run(tmp_path / "workers"))


def test_validation_in_batches_gives_the_numbers_of_one_by_one(tiny_run, tmp_path):
    pix2pix("train", *TINY, f"output_dir={tmp_path}", "name=tiny", "execution.validation_batch=2")
    one, other = (
        [row for row in read_metrics(run.path / "metrics.csv") if row["val/ssim"]]
        for run in (tiny_run, Run(tmp_path / "tiny"))
    )
    assert len(one) == len(other) == 2
    for expected, found in zip(one, other, strict=True):
        for name in ("val/l1", "val/l2", "val/psnr", "val/ssim"):
            assert float(found[name]) == pytest.approx(float(expected[name]), rel=1e-5)
    assert same_weights(tiny_run, Run(tmp_path / "tiny"))


def test_another_seed_gives_other_weights(tiny_run, tmp_path):
    pix2pix("train", *TINY, f"output_dir={tmp_path}", "name=tiny", "seed=1")
    assert not same_weights(tiny_run, Run(tmp_path / "tiny"))


def test_a_finished_run_is_left_alone_and_says_so(tiny_run, capsys):
    before = tiny_run.last_checkpoint.stat().st_mtime_ns
    pix2pix("train", *TINY, f"output_dir={tiny_run.path.parent}", "name=tiny")
    assert tiny_run.last_checkpoint.stat().st_mtime_ns == before
    assert "is finished; nothing to do" in capsys.readouterr().out


def test_another_configuration_in_the_same_directory_is_refused_with_the_difference(tiny_run):
    before = tiny_run.config_file.read_bytes()
    with pytest.raises(SystemExit, match=r"another configuration:\n  objective\.l1_weight: 100\.0 there, 10 here\n"):
        pix2pix("train", *TINY, f"output_dir={tiny_run.path.parent}", "name=tiny", "objective.l1_weight=10")
    assert tiny_run.config_file.read_bytes() == before


def test_a_directory_that_holds_something_else_is_refused_and_kept(tmp_path):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.txt").write_text("precious")
    with pytest.raises(SystemExit, match=r"thesis: holds files but no run"):
        pix2pix("train", *TINY, f"output_dir={tmp_path}", "name=thesis")
    assert [file.name for file in (tmp_path / "thesis").iterdir()] == ["chapter.txt"]


def test_an_interrupted_run_goes_on_and_ends_with_the_weights_of_an_unbroken_one(tiny_run, tmp_path):
    """Killed with SIGKILL as soon as the first epoch's checkpoint is there; the same command then finishes it."""
    words = ["train", *TINY, f"output_dir={tmp_path}", "name=tiny"]
    run = Run(tmp_path / "tiny")
    with start_command(*words) as process:
        wait_until(run.last_checkpoint.exists, process)
    assert not run.is_finished()
    saved = torch.load(run.last_checkpoint, weights_only=True)["global_step"]
    second = command(*words)
    assert second.returncode == 0, second.stderr
    assert f"is unfinished: resuming from {run.last_checkpoint}" in second.stdout
    assert saved in {6, 12}
    assert run.is_finished()
    assert same_weights(tiny_run, run)
    assert len(run.provenance()["sessions"]) == 2
    ours, unbroken = read_metrics(run.path / "metrics.csv"), read_metrics(tiny_run.path / "metrics.csv")
    for row in (*ours, *unbroken):
        del row["images_per_second"]
    assert ours == unbroken


def test_which_way_is_better_is_known_of_the_metric(tmp_path):
    words = ["trainer.max_epochs=4", "callbacks.checkpoint.monitor=val/l1"]
    pix2pix("train", *TINY[:-3], "data.batch_size=4", f"output_dir={tmp_path}", "name=l1", *words)
    run = Run(tmp_path / "l1")
    l1 = [float(row["val/l1"]) for row in read_metrics(run.path / "metrics.csv") if row["val/l1"]]
    assert torch.load(run.checkpoint("best"), weights_only=True)["epoch"] == l1.index(min(l1))


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_a_run_with_its_own_exit_code_and_the_same_command_goes_on(tmp_path, tiny_run, number, code):
    words = ["train", *TINY, f"output_dir={tmp_path}", "name=tiny"]
    run = Run(tmp_path / "tiny")
    with start_command(*words) as process:
        wait_until(run.last_checkpoint.exists, process)
        process.send_signal(number)
        output, _ = process.communicate()
    assert process.returncode == code
    assert f"Stopped. Run the same command again to resume {run.path} from its last checkpoint." in output
    assert not run.is_finished()
    pix2pix(*words)
    assert same_weights(tiny_run, run)


def test_a_training_that_diverges_is_stopped_and_keeps_its_checkpoint(tmp_path):
    words = ["train", *TINY, f"output_dir={tmp_path}", "name=bad", "optimizer.lr=1e30"]
    with pytest.raises(SystemExit, match=r"is (nan|inf) at step \d+ \(pairs train_\d+, .*: the training has diverged"):
        pix2pix(*words)
    run = Run(tmp_path / "bad")
    assert not run.is_finished()
    assert all(
        value.isfinite().all() for file in run.checkpoints.glob("*.ckpt") for value in weights(run, str(file)).values()
    )


def test_epochs_are_kept_on_request_and_best_is_the_best(tmp_path, capsys):
    words = ["callbacks.checkpoint.every_n_epochs=2", "trainer.max_epochs=4"]
    pix2pix("train", *TINY[:-3], "data.batch_size=4", f"output_dir={tmp_path}", "name=kept", *words)
    run = Run(tmp_path / "kept")
    assert {file.stem for file in run.checkpoints.glob("*.ckpt")} == {"last", "previous", "best", "epoch=2", "epoch=4"}
    ssim = [float(row["val/ssim"]) for row in read_metrics(run.path / "metrics.csv") if row["val/ssim"]]
    best = torch.load(run.checkpoint("best"), weights_only=True)
    assert best["epoch"] == ssim.index(max(ssim))
    assert run.best_value() == pytest.approx(max(ssim), abs=1e-5)
    assert torch.load(run.checkpoint("epoch=2"), weights_only=True)["epoch"] == 1
    which = "the same epoch" if best["epoch"] == 3 else f"epoch {best['epoch'] + 1}"
    output = capsys.readouterr().out
    assert f"{run.last_checkpoint} (epoch 4) is what evaluate, translate, demo and export load." in output
    assert f"best.ckpt is {which}: val/ssim {max(ssim):.4g}. Load it with --checkpoint best." in output


def test_a_metric_nobody_logs_cannot_choose_the_best_checkpoint(tmp_path):
    with pytest.raises(
        SystemExit, match=r"monitor=val/lpips: this run logs no such.*val/l1, val/l2, val/psnr, val/ssim"
    ):
        pix2pix("train", *TINY, f"output_dir={tmp_path}", "name=x", "callbacks.checkpoint.monitor=val/lpips")
    assert not list(tmp_path.iterdir())


def test_other_data_under_the_name_of_a_run_are_refused(tmp_path):
    for name in ("one", "two"):
        for split in ("train", "val"):
            (tmp_path / name / split).mkdir(parents=True)
            Image.effect_noise((64, 32), 50).convert("RGB").save(tmp_path / name / split / f"{name}.png")
    words = ["train", *TINY_FOLDER, f"output_dir={tmp_path}", "name=run", "data.num_workers=0"]
    pix2pix(*words, f"data.path={tmp_path}/one")
    with pytest.raises(SystemExit, match="was trained on other data than these"):
        pix2pix(*words, f"data.path={tmp_path}/two")
    (tmp_path / "one").rename(tmp_path / "moved")
    pix2pix(*words, f"data.path={tmp_path}/moved")  # the same data at another place are the same data


@pytest.mark.parametrize("flags", ["--cfg job", "-m -c job", "--config-dir . --cfg job"])
def test_showing_the_configuration_of_a_sweep_starts_nothing(tmp_path, capsys, flags, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pix2pix("train", *flags.split(), "sweep=loss", *TINY)
    assert yaml.safe_load(capsys.readouterr().out)["data"]["load_width"] == 36
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "words",
    [
        ["objective=l1"],
        ["objective=l2", "ema_decay=0.9"],
        ["objective=gan", "objective/adversarial=least_squares"],
        ["objective=l1_gan", "objective/adversarial=hinge", "optimizer.clip_norm=0.1", "schedule=linear"],
        ["objective=cgan", "objective/adversarial=wasserstein", "discriminator.norm=instance"],
        [
            "precision=bf16-mixed",
            "schedule=per_network",
            "schedule@schedule.generator=cosine",
            "schedule.generator.warmup=2",
        ],
        ["objective/terms=[edge,ssim,focal_frequency]", "objective.terms.edge.weight=3", "objective.l1_weight=0"],
        ["generator=encoder_decoder", "data.direction=AtoB", "inference.normalization=running"],
        [*LABELS, "callbacks.checkpoint.monitor=val/pixel_accuracy"],
        ["data.one_hot=true"],
        ["generator=resnet6", "generator.norm=instance", "data.width=64", "data.jitter=false", "data.mirror=false"],
        ["generator.pad_to_multiple=true", "data.height=36", "data.width=44", "discriminator.spectral_norm=true"],
    ],
    ids=" ".join,
)
def test_every_kind_of_run_trains(tmp_path, words):
    pix2pix("train", *TINY, f"output_dir={tmp_path}", "name=kind", "trainer.max_epochs=1", *words)
    run = Run(tmp_path / "kind")
    (loss, *_) = read_metrics(run.path / "metrics.csv")
    assert all(float(value) == float(value) for name, value in loss.items() if name.startswith("loss/"))
    assert all(value.isfinite().all() for value in weights(run).values())


def test_an_enhancer_is_trained_around_a_global_generator_of_half_the_size(tmp_path):
    words = ["train", *TINY, f"output_dir={tmp_path}", "trainer.max_epochs=1", "trainer.limit_train_batches=1"]
    pix2pix(*words, "name=coarse", "generator=pix2pixhd_global", "generator.blocks=1")
    enhancer = ["generator=pix2pixhd_local", "generator.blocks=1", "generator.freeze_global=true"]
    pix2pix(*words, "name=fine", "data.size=64", *enhancer, f"init_from={tmp_path}/coarse")
    coarse, fine = weights(Run(tmp_path / "coarse")), weights(Run(tmp_path / "fine"))
    taken = [name for name in coarse if name.startswith("generator.") and name in fine]
    assert len(taken) == len([name for name in fine if name.startswith("generator.layers.")])
    assert all(torch.equal(coarse[name], fine[name]) for name in taken)
    picture = load_translator(tmp_path / "fine", tile=64)(Image.new("RGB", (150, 70)))
    assert picture.size == (150, 70)


def test_clipping_limits_both_players(tmp_path):
    """With next to no gradient left, SGD leaves the weights where they were drawn."""
    sgd = [f"optimizer.{network}._target_=torch.optim.SGD" for network in ("generator", "discriminator")]
    sgd += [f"~optimizer.{network}.{key}" for network in ("generator", "discriminator") for key in ("betas", "fused")]
    for name, more in (
        ("start", ["trainer.limit_train_batches=1", "optimizer.lr=1e-12"]),
        ("clipped", ["optimizer.clip_norm=1e-9"]),
    ):
        pix2pix("train", *TINY, *sgd, f"output_dir={tmp_path}", f"name={name}", "optimizer.lr=1.0", *more)
    start, clipped = weights(Run(tmp_path / "start")), weights(Run(tmp_path / "clipped"))
    learnt = [key for key in start if key.endswith("weight")]
    assert {key.split(".")[0] for key in learnt} == {"generator", "discriminator"}
    assert all(torch.allclose(start[key], clipped[key], atol=1e-6) for key in learnt)


def test_the_average_of_the_weights_is_what_pictures_are_made_with(tmp_path):
    pix2pix("train", *TINY, f"output_dir={tmp_path}", "name=ema", "ema_decay=0.999")
    state = weights(Run(tmp_path / "ema"))
    average, last = state["average.module.down.0.0.weight"], state["generator.down.0.0.weight"]
    assert not torch.equal(average, last)
    from pix2pix.inference.generator import load_generator

    assert torch.equal(load_generator(tmp_path / "ema").generator.state_dict()["down.0.0.weight"], average)


@pytest.mark.parametrize("wrong", ["generator.dept=7", "+generator.dept=7", "data.size=30", "discriminator=patch7"])
def test_a_wrong_choice_leaves_nothing_behind(tmp_path, wrong):
    with pytest.raises(SystemExit, match="pix2pix: "):
        pix2pix("train", *TINY, f"output_dir={tmp_path}", "name=wrong", wrong)
    assert not list(tmp_path.iterdir())


def test_missing_data_leaves_nothing_behind(tmp_path):
    with pytest.raises(SystemExit, match=r"no folder '.*/pairs'"):
        pix2pix("train", "data=folder", f"data.path={tmp_path}/pairs", f"output_dir={tmp_path}", "name=wrong")
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written_is_named():
    with pytest.raises(SystemExit, match=r"/proc/outputs/x: cannot write the run .*Set output_dir="):
        pix2pix("train", *TINY, "output_dir=/proc/outputs", "name=x")


def test_a_full_disk_is_told_of_and_training_goes_on_with_what_it_has(tmp_path):
    """A real limit on file size stands in for the disk: no checkpoint fits, and the last one must."""
    words = ["train", *TINY, f"output_dir={tmp_path}", "name=full"]
    limit = "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
    limit += "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))"
    result = command(*words, first=limit)
    assert result.returncode == 1
    assert "step 6: " in result.stdout
    assert "the checkpoint could not be saved" in result.stdout
    assert "Free some space" in result.stderr
    run = Run(tmp_path / "full")
    assert {file.name for file in run.checkpoints.iterdir()} <= {"SHA256SUMS"}
    assert read_metrics(run.path / "metrics.csv")[-1]["step"] == "12"
    assert not run.is_finished()


@pytest.mark.parametrize("workers", [0, 1])
def test_a_damaged_picture_in_the_middle_is_named_and_the_run_goes_on_once_it_is_mended(tmp_path, workers):
    file = noise_pairs(tmp_path / "pairs", 4) / "train" / "2.jpg"
    whole = file.read_bytes()
    file.write_bytes(whole[:-300])
    words = ["train", *TINY_FOLDER, f"data.path={tmp_path}/pairs", f"output_dir={tmp_path}"]
    words += ["name=run", f"data.num_workers={workers}"]
    with pytest.raises(SystemExit, match=r"^pix2pix: .*train/2\.jpg: cannot be read as a picture.*truncated"):
        pix2pix(*words)
    file.write_bytes(whole)
    pix2pix(*words)
    assert Run(tmp_path / "run").is_finished()


def test_a_users_own_configs_add_to_ours(tmp_path):
    (tmp_path / "configs" / "experiment").mkdir(parents=True)
    (tmp_path / "configs" / "experiment" / "mine.yaml").write_text(
        "# @package _global_\nname: mine\ngenerator: {base_channels: 4}\ntrainer: {max_epochs: 1}\n"
    )
    words = [word for word in TINY if not word.startswith(("generator", "trainer.max"))]
    result = command("train", "--config-dir", "configs", "experiment=mine", *words, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert Run(tmp_path / "outputs" / "mine").config().generator["base_channels"] == 4


def test_metrics_csv_is_a_table_any_tool_reads(tiny_run):
    with (tiny_run.path / "metrics.csv").open() as file:
        table = list(csv.reader(file))
    assert len({len(row) for row in table}) == 1
    assert json.loads(tiny_run.provenance_file.read_text())["data_fingerprint"]


def test_a_moved_run_goes_on_being_a_run(tiny_run, tmp_path):
    shutil.copytree(tiny_run.path, tmp_path / "elsewhere" / "tiny")
    pix2pix("train", *TINY, f"output_dir={tmp_path}/elsewhere", "name=tiny")
    pix2pix("evaluate", tmp_path / "elsewhere" / "tiny")


def test_the_resolved_configuration_can_be_seen_without_running(tmp_path, capsys):
    words = ["train", *TINY, f"output_dir={tmp_path}"]
    pix2pix(*words, "--cfg", "job", "objective=l1")
    config = yaml.safe_load(capsys.readouterr().out)
    assert (config["data"]["load_width"], config["generator"]["depth"], config["discriminator"]) == (36, 5, None)
    assert not list(tmp_path.iterdir())


def test_help_shows_groups_and_examples(capsys):
    pix2pix("train", "--help")
    output = capsys.readouterr().out
    assert "discriminator: image, multiscale, none, patch142, patch16, patch34, patch70, pixel" in output
    assert "pix2pix train experiment=demo" in output
