"""Sheets of the same pairs: after epochs, and every so many steps within one."""

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, PngImagePlugin

from pix2pix.runs.run import Run
from pix2pix.runs.sample_sheets import newest_sheet, read_sheets
from tests.conftest import TINY, TINY_FOLDER, noise_pairs, pix2pix, same_weights


@pytest.fixture(scope="module")
def often(tmp_path_factory) -> Run:
    """A run of two epochs of six steps, with sheets every four steps; not to be changed."""
    folder = tmp_path_factory.mktemp("samples")
    pix2pix("train", *TINY, f"output_dir={folder}", "name=often", "callbacks.samples.every_n_steps=4")
    return Run(folder / "often")


def test_sheets_within_an_epoch_are_named_by_epoch_and_step(often):
    names = {file.name for file in (often.path / "samples").glob("val_*")}
    # Step 12 ends the second epoch, and so its sheet is that of the epoch.
    within = {"val_epoch0001-step0000004.png", "val_epoch0002-step0000008.png"}
    assert names == within | {"val_epoch0001.png", "val_epoch0002.png"}


def test_sheets_are_read_in_the_order_of_their_steps(often):
    assert [(sheet.kind, sheet.step) for sheet in read_sheets(often.path / "samples")] == [
        (kind, step) for kind in ("train", "val") for step in (4, 6, 8, 12)
    ]
    newest, unreadable = newest_sheet(often.path / "samples", "val")
    assert newest is not None
    assert (newest.step, unreadable) == (12, [])


def test_the_last_step_of_an_epoch_has_one_sheet_though_no_epoch_is_due(tmp_path):
    words = ["callbacks.samples.every_n_epochs=9", "callbacks.samples.every_n_steps=6", "trainer.max_epochs=3"]
    pix2pix("train", *TINY, f"output_dir={tmp_path}", "name=run", *words)
    names = {file.name for file in (tmp_path / "run" / "samples").glob("val_*")}
    assert names == {f"val_epoch000{epoch}.png" for epoch in (1, 2, 3)}


def test_short_epochs_have_no_more_sheets_than_asked_and_the_first_and_last_have_theirs(tmp_path):
    words = ["callbacks.samples.min_seconds=3600", "trainer.max_epochs=3", "trainer.limit_train_batches=2"]
    pix2pix("train", *TINY, f"output_dir={tmp_path}", "name=run", *words)
    names = {file.name for file in (tmp_path / "run" / "samples").glob("val_*")}
    assert names == {"val_epoch0001.png", "val_epoch0003.png"}


def test_a_sheet_changes_no_weight_and_a_resumed_run_makes_the_same(often, tiny_run, tmp_path):
    assert same_weights(often, tiny_run)
    words = ["train", *TINY, f"output_dir={tmp_path}", "name=often", "callbacks.samples.every_n_steps=4"]
    pix2pix(*words, "trainer.max_steps=7")  # within the second epoch, before its first sheet
    pix2pix(*words)
    ours, unbroken = (
        {file.name: file.read_bytes() for file in (run.path / "samples").iterdir()}
        for run in (Run(tmp_path / "often"), often)
    )
    assert ours == unbroken


def test_inputs_without_targets_have_sheets_of_their_own_and_no_part_in_the_training(tmp_path, capsys):
    words = ["train", *TINY_FOLDER, f"output_dir={tmp_path}", "trainer.max_epochs=1", "data.num_workers=0"]
    data = noise_pairs(tmp_path / "pairs", 4)
    pix2pix(*words, f"data.path={data}", "name=without")
    (data / "test").mkdir()
    for number in range(2):
        Image.effect_noise((32, 32), 50).save(data / "test" / f"{number}.png")
    (data / "test" / "damaged.png").write_bytes(b"no picture")
    pix2pix(*words, f"data.path={data}", "name=with")
    runs = [Run(tmp_path / name) for name in ("with", "without")]
    assert same_weights(*runs)
    assert {file.name for file in (runs[1].path / "samples").iterdir()} == {"train_epoch0001.png", "val_epoch0001.png"}
    sheet, _ = newest_sheet(runs[0].path / "samples", "inputs")
    assert sheet is not None
    assert sheet.names == ["0", "1"]
    assert {strip.width for strip in sheet.strips()} == {2 * (128 + 4) + 4}  # an input and its output
    assert "damaged.png: cannot be read as a picture" in capsys.readouterr().out


def write_about(path: Path, size: tuple[int, int] = (400, 300), **about: Any) -> None:
    """A PNG that says of itself what a sheet says."""
    info = PngImagePlugin.PngInfo()
    info.add_itxt("pix2pix", json.dumps({"kind": "val", "step": 5, "names": ["a", "b"]} | about))
    Image.new("RGB", size).save(path, pnginfo=info)


@pytest.mark.parametrize(
    "about",
    [{"names": []}, {"names": 5}, {"names": [1]}, {"names": ["a"] * 500}, {"step": "x"}, {"kind": "q"}, {"other": 1}],
)
def test_a_sheet_that_says_what_no_training_writes_is_left_out_by_name(tmp_path, about, caplog):
    write_about(tmp_path / "val_epoch0001.png")
    write_about(tmp_path / "val_epoch0002.png", **about)
    assert [sheet.epoch for sheet in read_sheets(tmp_path)] == [1]
    assert "val_epoch0002.png: cannot be read" in caplog.text


def test_copies_of_sheets_under_other_names_are_no_sheets(tmp_path):
    write_about(tmp_path / "val_epoch0010.png")
    for name in ("val_epoch0010 (1).png", "val_epoch0010_best.png", "val_epochs.png", "val_epoch.png"):
        write_about(tmp_path / name)
    sheet, errors = newest_sheet(tmp_path, "val")
    assert sheet is not None
    assert (sheet.epoch, errors) == (10, [])
    assert [sheet.path.name for sheet in read_sheets(tmp_path)] == ["val_epoch0010.png"]
