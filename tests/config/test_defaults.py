"""Runs outlive the version of pix2pix that began them: a setting that was added since has its default."""

import copy
from pathlib import Path

import pytest
from pydantic import BaseModel

from pix2pix.config.check import parse_and_check
from pix2pix.config.identity import flatten
from pix2pix.config.parse import parse_config
from pix2pix.config.saved import read_config, read_settings
from pix2pix.config.schema import RunConfig
from pix2pix.runs.changes import compare_configs
from tests.conftest import TINY, compose_mapping, make_config

EARLIER = Path(__file__).parents[1] / "earlier" / "config_of_8fb8244.yaml"


def without(config, key):
    tree = node = copy.deepcopy(config)
    *groups, name = key.split(".")
    for group in groups:
        node = node[group]
    del node[name]
    return tree


def differences(there, here):
    return compare_configs(parse_config(there), parse_config(here)).decisive


def defaults_of(model: type[BaseModel]) -> dict:
    """The defaults of a model's settings, those of its parts among them."""
    found = {}
    for name, field in model.model_fields.items():
        kind = field.annotation
        if field.is_required():
            found |= {name: defaults_of(kind)} if isinstance(kind, type) and issubclass(kind, BaseModel) else {}
        else:
            default = field.get_default(call_default_factory=True)
            found[name] = default.model_dump() if isinstance(default, BaseModel) else default
    return found


def test_a_run_of_an_earlier_version_is_the_same_run_and_its_configuration_still_trains():
    """Where this fails, a setting was added: it needs a default, in the schema or in the signature of its class."""
    assert compare_configs(read_config(EARLIER), make_config(*TINY, "name=tiny")).decisive == []
    parse_and_check(read_settings(EARLIER))


@pytest.mark.parametrize(
    "key",
    [
        "execution.compiled",
        "execution",
        "inference",
        "generator.dropout",
        "optimizer.clip_norm",
        "data.transform.mirror",
    ],
)
def test_a_setting_that_is_absent_there_and_has_its_default_here_is_no_difference(key):
    today = compose_mapping(*TINY)
    earlier = without(today, key)
    assert differences(earlier, today) == []
    assert differences(today, earlier) == []  # nor is one that was left out since
    assert parse_config(earlier).to_mapping().keys() == today.keys()


def test_a_setting_that_is_absent_there_and_has_another_value_here_is_one():
    today = compose_mapping(*TINY, "execution.compiled=true", "generator.norm=instance")
    earlier = without(without(today, "execution.compiled"), "generator.norm")
    assert differences(earlier, today) == [("execution.compiled", False, True), ("generator.norm", "batch", "instance")]


def test_tuples_and_paths_of_python_are_those_of_a_file(tmp_path):
    today = compose_mapping(*TINY, f"run_dir={tmp_path}")
    python = copy.deepcopy(today) | {"run_dir": tmp_path}
    python["optimizer"]["betas"] = tuple(today["optimizer"]["betas"])
    assert parse_config(python) == parse_config(today)
    assert parse_config(python).to_mapping()["optimizer"]["betas"] == today["optimizer"]["betas"]


def test_classes_that_only_the_run_on_disk_names_are_not_imported():
    today = compose_mapping(*TINY)
    foreign = today | {"generator": {"_target_": "no_such_module.Net"}}
    assert ("generator._target_", "no_such_module.Net", today["generator"]["_target_"]) in differences(foreign, today)


def test_the_defaults_of_the_schema_are_those_of_the_configuration_files():
    configured = dict(flatten(compose_mapping("data=folder", "data.path=x")))
    defaults = dict(flatten(defaults_of(RunConfig)))
    both = {key: (configured[key], value) for key, value in defaults.items() if key in configured}
    del both["data.cache_dir"]  # of the environment
    # A new run decides these at its start; runs of before are as they were.
    assert both.pop("precision") == (None, 32)
    assert [both.pop(f"execution.{name}") for name in ("cuda_graph", "channels_last")] == [("auto", False)] * 2
    assert len(both) > 20
    assert {key: pair for key, pair in both.items() if pair[0] != pair[1]} == {}
    assert RunConfig.model_fields["data"].is_required()
