"""What the tests of one process compose again from memory is what Hydra composes from the files."""

import pytest
from hydra._internal import config_loader_impl
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.defaults_list import create_defaults_list
from omegaconf import OmegaConf
from omegaconf.grammar_parser import parse

from pix2pix.config.compose import compose_settings, run_with_hydra
from tests import composition


def compose_whole(*words: str) -> dict:
    """The configuration of a command line, with Hydra's own part."""
    found = []
    run_with_hydra(lambda cfg: found.append(OmegaConf.to_container(cfg)), list(words))
    return found[0]


@pytest.mark.parametrize(
    "words",
    [
        ["name=a"],
        ["name=a", "data.size=64", "+callbacks.mine={_target_: mylab.Mine}"],
        ["name=b", "experiment=facades", "objective=l1", "discriminator=none"],
        ["data=folder", "data.path=x", "callbacks=[]", "logger=[csv,tensorboard]"],
    ],
    ids=" ".join,
)
def test_what_is_remembered_is_what_hydra_composes(words, monkeypatch):
    remembered = [compose_whole(*words), compose_whole(*words)]
    monkeypatch.setattr(config_loader_impl, "create_defaults_list", create_defaults_list)
    monkeypatch.setattr(ConfigLoaderImpl, "_compose_config_from_defaults_list", composition.merge)
    for module in (composition._utils, composition.base):
        monkeypatch.setattr(module, "parse", parse)
    assert remembered == [compose_whole(*words)] * 2


def test_what_a_test_changes_in_a_configuration_is_not_remembered():
    def change(cfg):
        cfg.data.size = 16
        cfg.generator = None

    run_with_hydra(change, ["name=a"])
    settings = compose_settings(["name=a"])
    assert settings["data"]["size"] == 256
    assert settings["generator"]


def test_the_files_of_another_folder_are_read_every_time(tmp_path):
    (tmp_path / "experiment").mkdir()
    for seed in (7, 8):
        (tmp_path / "experiment" / "mine.yaml").write_text(f"# @package _global_\nseed: {seed}\n")
        assert compose_settings(["experiment=mine"], tmp_path)["seed"] == seed
