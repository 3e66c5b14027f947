"""Which pictures the comparison page holds, and that they are those of the runs."""

import base64
import io
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from pix2pix.evaluation import page_pictures
from pix2pix.evaluation.load_comparison import load_comparison
from pix2pix.runs.find import find_runs
from pix2pix.runs.sample_sheets import read_epoch_sheets


@pytest.fixture
def comparison(sweep):
    return load_comparison(find_runs([sweep]), "val")


def decode(uri: str) -> np.ndarray:
    """The pixels of a data URI."""
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))).convert("RGB"))


def read(file) -> np.ndarray:
    with Image.open(file) as picture:
        return np.asarray(picture.convert("RGB"))


def test_results_are_without_loss_and_inputs_and_targets_are_of_the_same_pair(comparison):
    pictures = page_pictures.collect_pictures(comparison, 2)
    assert pictures.is_lossless
    assert len(pictures.rows) == 2
    for number, group in enumerate(comparison.groups):
        images = group.entries[0].evaluation_folder / "images"
        for row in pictures.rows:
            assert (decode(row["outputs"][number]) == read(images / f"{row['name']}_output.png")).all()
            for kind in ("input", "target"):
                assert (decode(row[kind]) == read(images / f"{row['name']}_{kind}.png")).all()


def test_the_table_of_a_foreign_run_brings_no_other_files_into_the_page(comparison, tmp_path, monkeypatch):
    for kind in ("input", "target", "output"):
        Image.new("RGB", (8, 8), "red").save(tmp_path / f"secret_{kind}.png")
    entry = comparison.groups[0].entries[0]
    up = "../" * len(entry.evaluation_folder.parts)
    names = [str(tmp_path / "secret"), f"{up}{tmp_path}/secret", *entry.picture_rows]
    monkeypatch.setattr(entry, "picture_rows", {name: {"l1": 0.0} for name in names})
    rows = page_pictures.collect_pictures(comparison, 9).rows
    assert [row["name"] for row in rows] == names[2:]


def test_samples_of_the_trainings_are_those_of_the_sheets(comparison):
    (row, *_) = page_pictures.collect_pictures(comparison, 2).samples
    for number, group in enumerate(comparison.groups):
        (sheet,) = read_epoch_sheets(group.entries[0].run.path / "samples").values()
        source, output, target = sheet.cells()[sheet.names.index(row["name"])]
        ((epoch, shown),) = row["outputs"][number]
        assert epoch == 1
        for found, expected in ((row["input"], source), (shown, output), (row["target"], target)):
            difference = np.abs(decode(found).astype(int) - np.asarray(expected.convert("RGB")))
            assert difference.mean() < 8  # with loss


def test_samples_of_very_many_trainings_are_left_out(comparison, monkeypatch):
    monkeypatch.setattr(page_pictures, "MAX_SAMPLED_GROUPS", len(comparison.groups) - 1)
    pictures = page_pictures.collect_pictures(comparison, 2)
    assert pictures.samples == []
    assert pictures.rows


@pytest.mark.parametrize(("groups", "count"), [(1, 8), (120, 8), (300, 3), (5000, 2)])
def test_a_page_of_very_many_runs_shows_fewer_inputs(groups, count):
    assert page_pictures.default_count(SimpleNamespace(groups=range(groups))) == count
