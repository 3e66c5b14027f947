"""Runs outlive the version of pix2pix that began them: a setting that was added since has its default."""

import copy
from pathlib import Path

import pytest
import yaml

from pix2pix.config.check import check
from pix2pix.config.defaults import alike, completed
from pix2pix.config.identity import flat
from pix2pix.config.schema import RunConfig
from pix2pix.core.old_names import update_class_names
from pix2pix.runs.changes import compare_configs, decisive_differences
from tests.conftest import TINY, resolved

EARLIER = Path(__file__).parents[1] / "earlier" / "config_of_8fb8244.yaml"


def without(config, key):
    tree = node = copy.deepcopy(config)
    *groups, name = key.split(".")
    for group in groups:
        node = node[group]
    del node[name]
    return tree


def test_a_run_of_an_earlier_version_is_the_same_run_and_its_configuration_still_trains():
    """Where this fails, a setting was added: it needs a default, in the schema or in the signature of its class."""
    earlier = update_class_names(yaml.safe_load(EARLIER.read_text(encoding="utf-8")))
    today = completed(resolved(*TINY, "name=tiny"))
    assert compare_configs(*alike(earlier, today)).decisive == []
    check(completed(earlier))


@pytest.mark.parametrize(
    "key", ["step.compiled", "step", "inference", "generator.dropout", "optimizer.clip_norm", "data.transform.mirror"]
)
def test_a_setting_that_is_absent_there_and_has_its_default_here_is_no_difference(key):
    today = completed(resolved(*TINY))
    earlier = without(today, key)
    assert decisive_differences(*alike(earlier, today)) == []
    assert decisive_differences(*alike(today, earlier)) == []  # nor is one that was left out since
    assert completed(earlier).keys() == today.keys()


def test_a_setting_that_is_absent_there_and_has_another_value_here_is_one():
    today = completed(resolved(*TINY, "step.compiled=true", "generator.norm=instance"))
    earlier = without(without(today, "step.compiled"), "generator.norm")
    assert decisive_differences(*alike(earlier, today)) == [
        ("generator.norm", "batch", "instance"),
        ("step.compiled", False, True),
    ]


def test_tuples_and_paths_of_python_are_those_of_a_file(tmp_path):
    today = completed(resolved(*TINY, f"run_dir={tmp_path}"))
    python = completed(copy.deepcopy(today) | {"run_dir": tmp_path})
    python["optimizer"]["betas"] = tuple(today["optimizer"]["betas"])
    assert completed(python) == today


def test_classes_that_only_the_run_on_disk_names_are_not_imported():
    today = completed(resolved(*TINY))
    foreign = today | {"generator": {"_target_": "no_such_module.Net"}}
    assert ("generator._target_", "no_such_module.Net", today["generator"]["_target_"]) in decisive_differences(
        *alike(foreign, today)
    )


def test_the_defaults_of_the_schema_are_those_of_the_configuration_files():
    configured = dict(flat(resolved("data=folder", "data.path=x")))
    defaults = dict(flat(completed({"data": {}, "optimizer": {}})))
    both = {key: (configured[key], value) for key, value in defaults.items() if key in configured}
    del both["data.cache_dir"]  # of the environment
    assert len(both) > 20
    assert {key: pair for key, pair in both.items() if pair[0] != pair[1]} == {}
    assert RunConfig.model_fields["data"].is_required()
