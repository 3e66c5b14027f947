"""The home folder, as ~ in a path."""

from pathlib import Path

from pix2pix.config.resolvers import absolute_path
from pix2pix.core.home_folder import expand_home


def test_a_tilde_is_the_home_folder_or_begins_the_name_of_a_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert expand_home("~/pairs") == tmp_path / "pairs"
    assert expand_home("~nobody-of-this-name/pairs") == Path("~nobody-of-this-name/pairs")
    assert absolute_path("~nobody-of-this-name") == str(tmp_path / "~nobody-of-this-name")
