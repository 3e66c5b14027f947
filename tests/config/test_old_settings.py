"""Settings under earlier names: read from earlier runs, refused with the present name where somebody types them."""

from pathlib import Path

import pytest
import yaml

from pix2pix.config.check import parse_and_check
from pix2pix.config.defaults import fill_in_defaults
from pix2pix.config.identity import flatten
from pix2pix.config.old_settings import find_new_name, update_setting_names
from pix2pix.config.saved import read_config
from pix2pix.evaluation.load_comparison import load_comparison
from pix2pix.runs.run import Run
from tests.conftest import TINY, compose_mapping, make_config, pix2pix

EARLIER = Path(__file__).parents[1] / "earlier"


@pytest.mark.parametrize(
    ("word", "sentence"),
    [
        ("data.pairs.train_pairs=5", "data.pairs is now data.source."),
        ("data/pairs=shards", "data/pairs is now data/source."),
        ("data.labels=A", "data.label_map."),
        ("step.compiled=true", "step is now execution."),
        ("generator.noise=reference", "generator.noise is now generator.dropout_placement."),
        ("+generator.noise=reference", "generator.noise is now generator.dropout_placement."),
        ("+data.pairs={}", "data.pairs is now data.source."),
        ("optimizer.decay_epochs=1", "optimizer.decay_epochs is now schedule.decay, a setting of schedule=linear."),
        ("+optimizer.decay_epochs=1", "optimizer.decay_epochs is now schedule.decay, a setting of schedule=linear."),
        ("~callbacks.watch", "callbacks.watch is now callbacks.nan_guard."),
        ("callbacks.diagnosis.likeness=0.1", "callbacks.diagnosis is now callbacks.collapse_monitor."),
        ("callbacks.collapse_monitor.likeness=0.1", "likeness is now callbacks.collapse_monitor.min_variation."),
    ],
)
def test_whoever_types_an_earlier_name_is_told_the_present_one(tmp_path, word, sentence):
    with pytest.raises(SystemExit) as error:
        pix2pix("train", *TINY, f"output_dir={tmp_path}", word)
    assert str(error.value).rstrip().endswith(sentence)
    assert not list(tmp_path.iterdir())


def test_an_earlier_name_in_a_file_of_the_users_own_is_refused_too(tmp_path):
    (tmp_path / "experiment").mkdir()
    own = "# @package _global_\ncallbacks: {diagnosis: {_target_: pix2pix.training.callbacks.CollapseMonitor}}"
    (tmp_path / "experiment" / "own.yaml").write_text(own)
    with pytest.raises(SystemExit, match=r"callbacks\.diagnosis is now callbacks\.collapse_monitor\."):
        pix2pix("train", "--config-dir", str(tmp_path), "experiment=own")


def test_a_callback_of_the_users_own_may_have_any_name():
    own = {"callbacks": {"watch": {"_target_": "mylab.Watch", "likeness": 1}}}
    assert update_setting_names(own) == own
    settings = compose_mapping(*TINY)
    settings["callbacks"]["watch"] = {"_target_": "pytorch_lightning.callbacks.EarlyStopping", "monitor": "val/l1"}
    parse_and_check(settings)


def test_an_earlier_configuration_has_the_present_names():
    config = read_config(EARLIER / "config_of_8fb8244.yaml")
    assert (config.data.label_map, config.data.label_map_side) == ("B", "source")
    assert config.data.source["train_pairs"] == 12
    assert config.data.transform["label_map"] == "source"
    assert list(config.callbacks)[2:4] == ["nan_guard", "collapse_monitor"]
    assert config.callbacks["collapse_monitor"]["min_variation"] == 0.05
    assert not config.execution.compiled


@pytest.mark.parametrize("decay", [0, 3])
def test_an_earlier_decay_of_the_last_epochs_is_the_linear_schedule(tmp_path, decay):
    settings = yaml.safe_load((EARLIER / "config_of_8fb8244.yaml").read_text())
    settings["optimizer"]["decay_epochs"] = decay
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(settings))
    config = read_config(tmp_path / "config.yaml")
    typed_today = ["schedule=linear", f"schedule.decay={decay}"] if decay else []
    assert fill_in_defaults(config)["schedule"] == fill_in_defaults(make_config(*TINY, *typed_today))["schedule"]
    assert not config.optimizer.model_extra


def test_comparing_an_earlier_run_with_one_of_today_shows_no_renamed_setting(tmp_path):
    earlier = dict(flatten(fill_in_defaults(read_config(EARLIER / "config_of_8fb8244.yaml"))))
    today = dict(flatten(fill_in_defaults(make_config(*TINY, "name=tiny"))))
    assert {key for key in earlier.keys() | today.keys() if earlier.get(key) != today.get(key)} == {
        "data.val_share",  # earlier versions held out nothing
        "logger.metrics_csv.directory",
        "logger.tensorboard.directory",
        *("precision", "trainer.precision"),  # today these four are chosen when a run starts
        *("execution.cuda_graph", "execution.channels_last"),
    }


def test_directories_of_an_earlier_sweep_name_the_present_settings(tmp_path):
    settings = yaml.safe_load((EARLIER / "config_of_8fb8244.yaml").read_text())
    runs = []
    for name, noise in (("generator.noise=paper", "paper"), ("generator.dropout_placement=reference", "reference")):
        run = Run(tmp_path / name)
        run.path.mkdir()
        run.config_file.write_text(yaml.safe_dump(settings | {"generator": settings["generator"] | {"noise": noise}}))
        runs.append(run)
    assert load_comparison(runs, "val").columns == ["generator.dropout_placement"]


def test_the_names_of_parts_below_a_renamed_one_are_present_ones():
    assert find_new_name("data.pairs.labels") == "data.source.label_map"
    assert find_new_name("data.source") is None
    assert find_new_name("data.pairs_of_mine") is None


def test_an_earlier_runs_own_config_yaml_makes_a_new_run_with_the_present_names(tmp_path):
    words = ["name=new", f"run_dir={tmp_path}/new", "trainer.max_epochs=1", "data.pairs.train_pairs=4"]
    pix2pix("train", "--config-dir", EARLIER / "finished", "--config-name", "config", *words)
    saved = yaml.safe_load((tmp_path / "new" / "config.yaml").read_text())
    assert saved["data"]["source"]["train_pairs"] == 4
    assert {"pairs", "labels"}.isdisjoint(saved["data"])
