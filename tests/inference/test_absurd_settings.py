"""Files of weights and runs whose configuration holds numbers that no picture or network has: told in a sentence."""

import pytest
import torch
import yaml
from PIL import Image

from pix2pix.runs.run import Run
from tests.conftest import command, pix2pix

HUGE = 10**30
ABSURD = [
    *[(f"data.{name}", value) for name in ("height", "input_channels") for value in (HUGE, -1, 0, float("nan"), "x")],
    ("data.width", 10**9),
    ("data.load_height", HUGE),
    ("data.source_size", [HUGE, 0]),
    ("data.transform.width", HUGE),
    ("data.transform.source_inputs", "x"),
    ("data.transform.source_inputs", {}),
    ("data.transform.source_inputs", {"a": 1}),
    ("data.input_channels", 4),
    ("data.transform.source_range", [0, float("inf")]),
    ("data.batch_size", HUGE),
    ("data.num_workers", HUGE),
    ("generator.base_channels", HUGE),
    ("generator.in_channels", HUGE),
    ("inference.seed", -1),
]


def forge(run: Run, key: str, value: object) -> None:
    """Changes one setting in the run's configuration and in its last checkpoint."""
    content = torch.load(run.last_checkpoint, weights_only=True)
    *folders, name = key.split(".")
    part = content["config"]
    for folder in folders:
        part = part[folder]
    part[name] = value
    torch.save(content, run.last_checkpoint)
    (run.checkpoints / "SHA256SUMS").unlink(missing_ok=True)
    run.config_file.write_text(yaml.safe_dump(content["config"], sort_keys=False))


@pytest.mark.parametrize(("key", "value"), ABSURD, ids=lambda part: str(part)[:20])
def test_an_absurd_setting_of_a_file_is_told_in_a_sentence(run, tmp_path, key, value):
    forge(run, key, value)
    Image.new("RGB", (32, 32)).save(tmp_path / "a.png")
    words = [
        ["translate", run.path, tmp_path / "a.png", "-o", tmp_path / "out"],
        ["evaluate", run.path],
        ["export", run.path, "--format", "safetensors", "-o", tmp_path / "x.safetensors"],
    ]
    told = []
    for command_words in words:
        try:  # some settings matter to some commands; any other error would be a traceback
            pix2pix(*command_words)
        except SystemExit as end:
            told.append(str(end))
    assert told
    # An exit code of 1 alone is of translate, which names the picture and goes on with the next one.
    assert all(text == "1" or (text.startswith("pix2pix: ") and len(text) < 900) for text in told), told
    assert "C++" not in "".join(told)


def test_a_command_that_needs_more_memory_than_there_is_says_what_needs_less(run, tmp_path):
    Image.new("RGB", (64, 64)).save(tmp_path / "a.png")
    limit = "import resource, torch, pix2pix.inference.translator; "
    limit += "used = int(open('/proc/self/statm').read().split()[0]) * 4096; "
    limit += "resource.setrlimit(resource.RLIMIT_AS, (used + 700_000_000,) * 2)"
    words = ["translate", run.path, tmp_path / "a.png", "-o", tmp_path / "out", "--scale", "400"]
    result = command(*words, first=limit)
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    assert "memory" in result.stderr
