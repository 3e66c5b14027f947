"""The run directory: differences in words, and how it begins."""

import pytest

from pix2pix.configuration import differences
from pix2pix.run import Run


def test_differences_are_named_by_their_dotted_key():
    there = {"a": {"b": 1, "c": [1, 2]}, "d": "x", "data": {"root": "/here"}}
    here = {"a": {"b": 2, "c": [1, 2]}, "e": None, "data": {"root": "/there"}}
    assert list(differences(there, here)) == [("a.b", 1, 2), ("d", "x", "nothing"), ("e", "nothing", None)]


def test_beginning_where_nothing_can_be_written_leaves_nothing(tmp_path):
    (tmp_path / "file").write_text("in the way")
    refused = pytest.raises(OSError, match=r"cannot write the run .*Set output_dir=")
    with refused, Run(tmp_path / "file" / "run").begun({}, "digest"):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
