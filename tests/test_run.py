"""The run directory: how it begins, and what is said of files in it that are damaged."""

import json

import pytest

from pix2pix.run import Run
from tests.conftest import TINY, pix2pix


def test_beginning_where_nothing_can_be_written_leaves_nothing(tmp_path):
    (tmp_path / "file").write_text("in the way")
    refused = pytest.raises(OSError, match=r"cannot write the run .*Set output_dir=")
    with refused, Run(tmp_path / "file" / "run").begun({}, "digest"):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


DAMAGES = {
    "cut": lambda text: text[:900] + b"\n  x: [",
    "cut between lines": lambda text: text[: text.index(b"\ntrainer:")],
    "empty": lambda text: b"",
    "a list": lambda text: b"- 1\n- 2\n",
    "words": lambda text: b"hello",
    "no text": lambda text: b"\xff\xfe\x00" + text,
    "zeros": lambda text: bytes(500),
    "tags": lambda text: b"!!python/object/apply:os.system [id]",
    "another program's": lambda text: b"version: 2\nservices: {web: {image: x}}\n",
    "parts that are none": lambda text: b"data: 1\ngenerator: 2\nobjective: 3\noptimizer: 4\ntrainer: 5\n",
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_config_yaml_is_named_with_the_ways_on(run, tmp_path, damage):
    run.config_file.write_bytes(DAMAGES[damage](run.config_file.read_bytes()))
    named = rf"^pix2pix: {run.config_file}: .*Bring a copy back"
    with pytest.raises(SystemExit, match=named) as refused:
        pix2pix("train", *TINY, f"output_dir={tmp_path}", "name=tiny")
    assert f"resume={run.last}" in str(refused.value)
    with pytest.raises(SystemExit, match=named):
        pix2pix("evaluate", run.path)
    with pytest.raises(SystemExit, match=named):
        pix2pix("train", *TINY, f"output_dir={tmp_path}", "name=new", f"init_from={run.path}")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("content", ["", '{"finished": fal', "[1]", '{"sessions": 5}', "\x00\x00", '{"best": []}'])
def test_a_damaged_provenance_is_set_aside_and_the_run_goes_on(run, tmp_path, capsys, content):
    run.provenance_file.write_text(content)
    with pytest.raises(ValueError, match=rf"^{run.provenance_file}: cannot be read .*Bring a copy back, or remove it"):
        run.provenance()
    pix2pix("train", *TINY, f"output_dir={tmp_path}", "name=tiny")
    assert "It is set aside as provenance.unreadable-1.json; the run goes on" in capsys.readouterr().out
    assert run.finished()
    assert (run.path / "provenance.unreadable-1.json").read_text() == content
    assert json.loads(run.provenance_file.read_text())["best"]["val/ssim"] > 0
