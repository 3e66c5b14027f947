"""Every command on data explains itself, and the catalogue and the experiments know the same sets."""

import click
import pytest

from pix2pix.cli.data import data
from pix2pix.datasets.download.catalogue import CATALOGUE
from tests.conftest import compose_mapping, pix2pix


def commands(group: click.Group, path: tuple[str, ...]) -> list[tuple[str, ...]]:
    """The words of every command in a group and the groups in it."""
    found = []
    for name, command in group.commands.items():
        found.append((*path, name))
        if isinstance(command, click.Group):
            found += commands(command, (*path, name))
    return found


@pytest.mark.parametrize("words", commands(data, ("data",)), ids=" ".join)
def test_every_command_on_data_has_help_with_an_example(words, capsys):
    pix2pix(*words, "--help")
    assert f"  pix2pix {' '.join(words)} " in capsys.readouterr().out.replace("\n", " \n")


@pytest.mark.parametrize("name", CATALOGUE)
def test_a_downloaded_set_lies_where_its_experiment_looks(name):
    assert compose_mapping(f"experiment={name}")["data"]["path"] == f"data/{name}"
