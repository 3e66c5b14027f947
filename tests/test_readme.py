"""Every command of the README and of docs/training.md runs, on small pictures and small networks."""

import re
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.conftest import pix2pix

ROOT = Path(__file__).parents[1]
PAGES = (ROOT / "README.md", ROOT / "docs" / "training.md")
BLOCKS = [block for page in PAGES for block in re.findall(r"```(\w*)\n(.*?)```", page.read_text(), flags=re.DOTALL)]
LINES = [line for kind, block in BLOCKS if not kind for line in block.splitlines() if line.startswith("pix2pix ")]
SERVERS = ("pix2pix data download", "pix2pix dashboard", "pix2pix demo")  # which have tests of their own
COMMANDS = [line for line in LINES if not line.startswith(SERVERS)]
SMALL = ["data.size=64", "generator.base_channels=4", "discriminator.base_channels=4", "trainer.max_epochs=1"]
SMALL += ["generator.depth=3"]
FEW = ["data.source.train_pairs=8", "data.source.val_pairs=2"]


@pytest.fixture(scope="module")
def desk(tmp_path_factory) -> Path:
    """A folder with the files that the pages name."""
    folder = tmp_path_factory.mktemp("desk")
    noise = np.random.default_rng(0)

    def picture(path, width, height):
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(noise.integers(0, 256, (height, width, 3), np.uint8)).save(path)

    for split in ("train", "val", "test"):
        for number in range(3):
            picture(folder / "my" / "pairs" / split / f"{number}.png", 128, 64)
    shutil.copytree(folder / "my" / "pairs", folder / "data" / "facades")
    shutil.copytree(folder / "my" / "pairs" / "train", folder / "my" / "pictures")
    for name in ("labels", "photos"):
        shutil.copytree(folder / "my" / "pairs" / "train", folder / name)
    picture(folder / "photo.png", 70, 50)
    picture(folder / "drawing.png", 60, 80)
    picture(folder / "folder" / "another.png", 64, 64)
    return folder


def shorten(word: str) -> str:
    """A setting of thousands of steps becomes one of two."""
    return re.sub(r"=\d{4,}$", "=2", word)


def test_there_are_commands():
    assert len(COMMANDS) > 5


def test_every_command_runs_in_the_order_of_the_pages(desk, monkeypatch):
    monkeypatch.chdir(desk)
    monkeypatch.setattr("uvicorn.Server.run", lambda self, sockets: [listening.close() for listening in sockets])
    monkeypatch.setattr("webbrowser.open", lambda address: None)
    for line in COMMANDS:
        words = [shorten(word) for word in shlex.split(line, comments=True)[1:]]
        small = SMALL + FEW * ("experiment=demo" in words) if words[0] == "train" else []
        pix2pix(*words, *small)
    assert (desk / "translated" / "photo.png").is_file()
    assert (desk / "translated" / "drawing.png").is_file()
    (code,) = [block for kind, block in BLOCKS if kind == "python"]
    exec(code, {})
    with Image.open(desk / "translated.png") as translated:
        assert translated.size == (70, 50)
