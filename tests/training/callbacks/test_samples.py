"""Sheets of the same pairs: after epochs, and every so many steps within one."""

import pytest

from pix2pix.runs.run import Run
from pix2pix.runs.sample_sheets import newest_sheet, read_sheets
from tests.conftest import TINY, pix2pix, same_weights


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
