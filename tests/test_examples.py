"""The worked package: docs/extending.md shows its lines, and a user in its folder trains with all of its parts."""

import json
import re
from pathlib import Path

import pytest
from PIL import Image

from pix2pix.runs.metrics import read_metrics
from pix2pix.runs.run import Run
from tests.conftest import forget_package, pix2pix, same_weights

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "examples" / "mylab"
PAGE = (ROOT / "docs" / "extending.md").read_text()
BLOCKS = dict(re.findall(r"```(?:python|yaml)\n# (\S+)\n(.*?)```", PAGE, flags=re.DOTALL))
PARTS = [file for file in (*EXAMPLE.glob("mylab/*.py"), *EXAMPLE.glob("configs/**/*.yaml")) if file.stem != "__init__"]

RATE = 2e-4  # before the schedule


@pytest.mark.parametrize("file", PARTS, ids=lambda file: file.relative_to(EXAMPLE).as_posix())
def test_the_page_shows_each_part_as_it_is(file):
    docstring = r'""".*?"""\n\n'
    shown = re.sub(rf"\A{docstring}", "", file.read_text(), flags=re.DOTALL)
    assert BLOCKS[file.relative_to(EXAMPLE).as_posix()] == shown


def test_the_page_shows_nothing_else():
    assert sorted(BLOCKS) == sorted(file.relative_to(EXAMPLE).as_posix() for file in PARTS)


def test_all_parts_train_and_resume_exactly_and_the_run_is_evaluated_and_translates(tmp_path, monkeypatch):
    monkeypatch.chdir(EXAMPLE)
    monkeypatch.syspath_prepend(EXAMPLE)
    words = [
        "train",
        "experiment=discs",
        f"output_dir={tmp_path}",
        "trainer=cpu",
        "data.size=32",
        "data.source.pairs=6",
    ]
    run, unbroken = Run(tmp_path / "run"), Run(tmp_path / "unbroken")
    with forget_package("mylab"):
        for epochs in (1, 2):
            pix2pix(*words, "name=run", f"trainer.max_epochs={epochs}")
        pix2pix(*words, "name=unbroken", "trainer.max_epochs=2")
        assert same_weights(run, unbroken)

        rows = read_metrics(run.path / "metrics.csv")
        logged = {name for row in rows for name, value in row.items() if value}
        assert {"loss/g_colours", "val/edges", "train/largest_weight_norm"} <= logged
        assert min(float(row["lr/generator"]) for row in rows if row.get("lr/generator")) < RATE

        pix2pix("evaluate", run.path, "--split", "test")
        assert json.loads((run.evaluation / "test" / "metrics.json").read_text())["metrics"]["edges"] > 0

        Image.new("RGB", (32, 32), "white").save(tmp_path / "white.png")
        pix2pix("translate", run.path, tmp_path / "white.png", "--output", tmp_path / "translated")
        assert (tmp_path / "translated" / "white.png").is_file()
