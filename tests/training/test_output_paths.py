"""A run made of another run's configuration writes into its own directory only."""

import hashlib

import pytest

from pix2pix.runs.metrics import read_metrics
from pix2pix.runs.run import Run
from pix2pix.training.output_paths import keep_outputs_in_run
from pix2pix.training.train import train
from tests.conftest import pix2pix


def digests(run: Run) -> dict[str, str]:
    files = (file for file in sorted(run.path.rglob("*")) if file.is_file())
    return {str(file): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


@pytest.mark.parametrize("how", ["command line", "python"])
def test_a_run_made_of_another_runs_configuration_leaves_that_run_alone(run, tmp_path, how, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before, again = digests(run), Run(tmp_path / "again")
    if how == "python":
        config = run.config()
        config = config.replace(name="again", run_dir=str(again.path))
        config.trainer["max_epochs"] = 1
        config.logger["metrics_csv"]["directory"] = str(run.path)  # as a run of an earlier version has it
        train(config)
    else:
        words = ["name=again", f"run_dir={again.path}", "trainer.max_epochs=1"]
        pix2pix("train", "--config-dir", run.path, "--config-name", "config", *words)
    assert digests(run) == before
    assert {file.name for file in tmp_path.iterdir()} == {"tiny", "again"}
    assert [row["step"] for row in read_metrics(again.path / "metrics.csv")] == ["4", "6"]
    assert len(list((again.path / "tensorboard").iterdir())) == 1
    assert {file.name for file in (again.path / "samples").iterdir()} == {"val_epoch0001.png", "train_epoch0001.png"}
    assert "directory" not in again.config().logger["metrics_csv"]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("logger.csv.save_dir", "{other}"),
        ("logger.mlflow.tracking_uri", "file:{other}/mlruns"),
        ("callbacks.top.dirpath", "{other}/checkpoints/top"),
        ("trainer.profiler.dirpath", "{other}"),
    ],
)
def test_parts_of_others_that_would_write_into_another_run_are_refused(tiny_run, tmp_path, key, value):
    group, name, argument = key.split(".")
    here = Run(tmp_path / "here")
    for place, refused in ((value.format(other=tiny_run.path), True), (value.format(other=here.path), False)):
        part = {name: {"_target_": "pytorch_lightning.loggers.CSVLogger", argument: place}}
        config = tiny_run.config().replace(**{"logger": {}, "callbacks": {}, "trainer": {}} | {group: part})
        if refused:
            with pytest.raises(ValueError, match=rf"^{key}=.* lies in another run, .*tiny.*\. Set {key}=.*here"):
                keep_outputs_in_run(config, here)
        else:
            assert keep_outputs_in_run(config, here) == config


def test_flags_that_are_no_paths_are_left_alone(tiny_run, tmp_path, monkeypatch):
    monkeypatch.chdir(tiny_run.path)
    logger = {"_target_": "pytorch_lightning.loggers.CSVLogger", "name": "plain", "version": 3, "flag": None}
    config = tiny_run.config().replace(logger={"csv": logger}, callbacks={}, trainer={})
    assert keep_outputs_in_run(config, Run(tmp_path / "here")) == config
