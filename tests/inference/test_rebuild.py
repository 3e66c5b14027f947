"""The configuration that a file carries: whole, sane, and of the weights beside it, or words that name the file."""

import copy
from typing import Any

import pytest
import torch

import pix2pix as package
from pix2pix.config.saved import config_in_weights

resource = pytest.importorskip("resource", reason="Windows does not tell how much memory was taken")


@pytest.fixture
def loaded(tiny_run, tmp_path):
    """Loads the finished run's best checkpoint with another configuration, and says why that was refused."""
    content = torch.load(tiny_run.checkpoint("best"), weights_only=True)

    def load(change) -> str:
        other = copy.deepcopy(content)
        change(other["config"])
        torch.save(other, tmp_path / "other.ckpt")
        with pytest.raises(ValueError, match=r"other\.ckpt") as words:
            package.load_translator(tmp_path / "other.ckpt")
        return str(words.value)

    return load


@pytest.mark.parametrize("part", ["data", "generator", "inference"])
def test_a_part_that_is_missing_is_named(loaded, part):
    assert f"it lacks {part}" in loaded(lambda config: config.pop(part))


@pytest.mark.parametrize("name", ["direction", "height", "palette", "transform", "source_channels"])
def test_a_setting_that_is_missing_is_named(loaded, name):
    assert f"it lacks data.{name}" in loaded(lambda config: config["data"].pop(name))


@pytest.mark.parametrize(
    ("group", "name", "value"),
    [
        ("data", "direction", "sideways"),
        ("data", "height", "32"),
        ("data", "width", -1),
        ("data", "palette", "no such palette"),
        ("data", "source_channels", None),
        ("data", "source_depth", 7),
        ("data", "folders", 5),
        ("inference", "dropout", "maybe"),
        ("inference", "seed", "x"),
        ("inference", "colour", 1),
    ],
)
def test_a_setting_that_is_nonsense_is_named(loaded, group, name, value):
    assert f"{group}.{name}" in loaded(lambda config: config[group].update({name: value}))


def test_a_transform_that_is_nonsense_is_named(loaded):
    change = {"source_palette": {"a": "b"}}
    assert "data.transform.source_palette" in loaded(lambda config: config["data"]["transform"].update(change))


@pytest.mark.parametrize(
    "change",
    [{"base_channels": 4000}, {"base_channels": 10**15}, {"depth": 10**9}, {"depth": 16}, {"depth": 1}],
    ids=str,
)
def test_a_network_that_the_file_does_not_hold_takes_no_memory(loaded, change):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert "other.ckpt" in loaded(lambda config: config["generator"].update(change))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # KiB; 4000 channels took 80 GB


def test_a_network_of_endless_blocks_is_not_built(loaded):
    endless = {"_target_": "pix2pix.models.ResNet", "blocks": 10**9}
    assert "many more weights than the file" in loaded(lambda config: config.update(generator=endless))


def test_what_later_or_earlier_versions_say_beside_is_passed_over(tiny_run):
    config: dict[str, Any] = tiny_run.config().to_mapping()
    config["data"].pop("one_hot")
    config["data"]["new"] = config["new"] = 1
    read = config_in_weights(config, tiny_run.last_checkpoint)
    assert (read.name, read.data.one_hot) == ("tiny", False)
