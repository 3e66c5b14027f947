"""The configuration of a run, read from its config.yaml."""

import pytest
import yaml

from pix2pix.config.parse import parse_config
from pix2pix.config.saved import UnreadableConfigError, read_config
from tests.conftest import TINY, compose_mapping


def test_what_was_saved_is_read_again_and_old_names_are_those_of_today(tmp_path):
    config, file = compose_mapping(*TINY), tmp_path / "config.yaml"
    old = config | {"generator": config["generator"] | {"_target_": "pix2pix.networks.UNet"}}
    file.write_text(yaml.safe_dump(old))
    assert read_config(file) == parse_config(config)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "holds no settings"),
        (b"[1, 2]", "holds no settings"),
        (b"data: {}\ngenerator: {}", "lacks objective, optimizer, trainer"),
        (b"data: [", "cannot be read .*cut short or damaged"),
        (b"\xff\xfe", "cannot be read .*cut short or damaged"),
    ],
)
def test_a_file_that_is_no_configuration_says_why(tmp_path, content, why):
    (tmp_path / "config.yaml").write_bytes(content)
    with pytest.raises(UnreadableConfigError, match=why):
        read_config(tmp_path / "config.yaml")


@pytest.mark.parametrize("part", ["generator", "discriminator", "objective"])
def test_a_component_without_the_name_of_a_class_is_refused_in_words(tmp_path, part):
    config = compose_mapping(*TINY)
    for target in (None, 5, ["pix2pix.models.UNet"]):
        (tmp_path / "config.yaml").write_text(yaml.safe_dump(config | {part: config[part] | {"_target_": target}}))
        with pytest.raises(UnreadableConfigError, match=f"{part}: _target_=.* is no class"):
            read_config(tmp_path / "config.yaml")
