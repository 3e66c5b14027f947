"""What makes a run the same run: settings that change its weights, and those that do not."""

import copy
import logging
from typing import Any

import pytest

from pix2pix.config.parse import parse_config
from pix2pix.runs import changes
from pix2pix.runs.changes import Changes, Difference, log_changes, refusal_message, summarize
from tests.conftest import TINY, compose_mapping

Config = dict[str, Any]
CALLBACK = "pytorch_lightning.callbacks."


@pytest.fixture(scope="module")
def config() -> Config:
    return compose_mapping(*TINY, "name=tiny", "precision=32")


def change(config: Config, key: str, value: object) -> Config:
    """The configuration with another value, a new one or, for None, none at a dotted key."""
    tree = node = copy.deepcopy(config)
    *groups, name = key.split(".")
    for group in groups:
        node = node.setdefault(group, {})
    node[name] = value
    if value is None:
        del node[name]
    return tree


def compare_configs(there: Config, here: Config) -> Changes:
    return changes.compare_configs(parse_config(there), parse_config(here))


def decisive_differences(there: Config, here: Config) -> list[Difference]:
    return changes.compare_configs(parse_config(there), parse_config(here)).decisive


def test_differences_are_named_by_their_dotted_key(config):
    there = change(config, "data.root", "/here") | {"a": {"b": 1, "c": [1, 2]}, "d": "x"}
    here = change(config, "data.root", "/there") | {"a": {"b": 2, "c": [1, 2]}, "e": None}
    assert decisive_differences(there, here) == [("a.b", 1, 2), ("d", "x", "nothing"), ("e", "nothing", None)]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("trainer.log_every_n_steps", 1),
        ("trainer.check_val_every_n_epoch", 5),
        ("trainer.val_check_interval", 0.5),
        ("trainer.limit_val_batches", 0),
        ("trainer.profiler", "simple"),
        ("trainer.profiler", {"_target_": "pytorch_lightning.profilers.SimpleProfiler", "dirpath": "x"}),
        ("trainer.enable_model_summary", True),
        ("trainer.num_sanity_val_steps", 2),
        ("callbacks.samples.every_n_epochs", 7),
        ("callbacks.checkpoint.every_n_minutes", 1),
        ("callbacks.checkpoint.monitor", "val/l1"),
        ("callbacks.training_log.gradient_norms", True),
        ("callbacks.lr", {"_target_": CALLBACK + "LearningRateMonitor"}),
        ("callbacks.early", {"_target_": CALLBACK + "EarlyStopping", "monitor": "val/l1"}),
        ("callbacks.collapse_monitor", None),
        ("logger.csv", {"_target_": "pytorch_lightning.loggers.CSVLogger"}),
        ("inference.dropout", "off"),
        ("data.on_error", "skip"),
        ("tags", ["final"]),
        ("notes", "with the new labels"),
        ("provenance.code", False),
    ],
)
def test_what_no_weight_depends_on_is_no_part_of_what_a_run_is(config, key, value):
    found = compare_configs(config, change(config, key, value))
    assert found.other
    assert found.other == found.all()


@pytest.mark.parametrize("value", [None, "auto"])
def test_what_is_left_to_the_machine_differs_from_no_decision(config, value):
    undecided = change(config, "precision", "auto") | {"precision": value}
    assert not compare_configs(config, undecided).all()
    assert not compare_configs(undecided, config).all()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("seed", 1),
        ("objective.l1_weight", 10),
        ("schedule.warmup", 1),
        ("data.batch_size", 3),
        ("generator.base_channels", 5),
        ("precision", "bf16-mixed"),
        ("trainer.limit_train_batches", 3),
        ("trainer.overfit_batches", 1),
        ("callbacks.average", {"_target_": CALLBACK + "StochasticWeightAveraging", "swa_lrs": 0.1}),
        ("callbacks.accumulate", {"_target_": CALLBACK + "GradientAccumulationScheduler", "scheduling": {4: 2}}),
        ("name", "again"),
    ],
)
def test_what_changes_the_weights_makes_another_run(config, key, value):
    found = compare_configs(config, change(config, key, value))
    assert found.decisive
    assert found.decisive == found.all()


@pytest.mark.parametrize(
    ("key", "value"),
    [("trainer.devices", 4), ("data.path", "moved"), ("data.num_workers", 3), ("logger.metrics_csv.directory", "x")],
)
def test_place_devices_and_loading_may_change(config, key, value):
    found = compare_configs(config, change(config, key, value))
    assert found.place
    assert found.place == found.all()


def test_a_run_that_was_renamed_with_its_directory_is_the_same_run(config):
    moved = config | {"name": "again", "run_dir": "outputs/again"}
    assert decisive_differences(config, moved) == []


def test_the_end_is_told_apart(config):
    longer = change(config, "trainer.max_epochs", 9)
    assert (
        compare_configs(config, longer).length
        == compare_configs(config, longer).all()
        == [("trainer.max_epochs", 2, 9)]
    )
    limits = [parse_config(each).limits for each in (config, longer)]
    assert limits == [(2, float("inf")), (9, float("inf"))]
    for epochs in (None, -1):
        trainer = config["trainer"] | {"max_epochs": epochs, "max_steps": 5}
        assert parse_config(config | {"trainer": trainer}).limits == (float("inf"), 5)


def test_callbacks_of_the_users_own_go_on_with_a_warning(config, caplog):
    mine = change(config, "callbacks.mine", {"_target_": "mylab.WarmUp", "steps": 500})
    found = compare_configs(config, mine)
    assert found.unknown == found.all()
    with caplog.at_level(logging.INFO):
        log_changes("outputs/tiny", compare_configs(mine, change(mine, "callbacks.mine.steps", 100)))
    assert "callbacks.mine.steps 500 -> 100. Callbacks of your own may change how the weights" in caplog.text


def test_differences_are_said_in_short(config):
    new = change(config, "callbacks.lr", {"_target_": CALLBACK + "LearningRateMonitor", "log_momentum": True})
    new = change(new, "trainer.log_every_n_steps", 1)
    assert summarize(compare_configs(config, new).all()) == "callbacks.lr added; trainer.log_every_n_steps 4 -> 1"
    assert summarize(compare_configs(new, config).all()) == "callbacks.lr left out; trainer.log_every_n_steps 1 -> 4"


def test_a_refusal_names_what_differs_and_every_way_on(config):
    text = refusal_message(
        "outputs/tiny", compare_configs(config, change(config, "seed", 1)), "outputs/tiny/checkpoints/last.ckpt"
    )
    assert "  seed: 0 there, 1 here\n" in text
    assert "name=... resume=outputs/tiny/checkpoints/last.ckpt" in text
    assert "name=... init_from=outputs/tiny" in text
    assert "the old run is renamed, not deleted" in text
    assert "run_dir" not in text
    assert "run_dir=..., too" in refusal_message(
        "outputs/tiny", compare_configs(config, change(config, "name", "again")), None
    )
