"""TensorBoard: its event files are read back."""

import shutil

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

from pix2pix.runs.metrics import read_metrics
from pix2pix.runs.run import Run
from pix2pix.runs.sample_sheets import read_sheets
from tests.conftest import TINY, pix2pix


def events(run: Run) -> EventAccumulator:
    found = EventAccumulator(str(run.path / "tensorboard"), size_guidance={"scalars": 0, "images": 0})
    return found.Reload()


def curves(run: Run) -> dict[str, list[tuple[int, float]]]:
    found = events(run)
    return {tag: [(e.step, e.value) for e in found.Scalars(tag)] for tag in found.Tags()["scalars"]}


def test_every_number_of_metrics_csv_is_a_point_of_a_curve(tiny_run):
    rows, found = read_metrics(tiny_run.path / "metrics.csv"), curves(tiny_run)
    assert set(found) == set(rows[0]) - {"step"}
    for name, points in found.items():
        assert points == [(int(row["step"]), pytest.approx(float(row[name]), rel=1e-4)) for row in rows if row[name]]


def test_each_pair_has_its_place_and_every_row_of_a_sheet_its_picture(tiny_run):
    found = events(tiny_run)
    assert set(found.Tags()["images"]) == {
        *(f"samples_val/{i}" for i in range(3)),
        *(f"samples_train/{i}" for i in range(4)),
    }
    assert [image.step for image in found.Images("samples_val/2")] == [6, 12]
    for sheet in read_sheets(tiny_run.path / "samples"):
        assert {strip.size for strip in sheet.strips()} == {(3 * 128 + 4 * 4, 128 + 4)}
        assert len(sheet.strips()) == len(sheet.names)


def test_settings_and_the_end_of_the_run_are_told(tiny_run):
    about = events(tiny_run).summary_metadata
    session = HParamsPluginData.FromString(about["_hparams_/session_start_info"].plugin_data.content)
    settings = session.session_start_info.hparams
    assert settings["discriminator.receptive_field"].number_value == 16
    assert settings["discriminator"].string_value == "PatchGAN"
    assert settings["data.direction"].string_value == "BtoA"
    assert not any("path" in name or "transform" in name for name in settings)
    assert "_hparams_/session_end_info" in about


def test_a_resumed_run_shows_no_step_twice(tiny_run, tmp_path):
    """The run is set back to the middle: its second half is logged once more, over what was there."""
    shutil.copytree(tiny_run.path, tmp_path / "tiny")
    run = Run(tmp_path / "tiny")
    words = ["train", *TINY, f"output_dir={tmp_path}"]
    pix2pix(*words, "name=once", "callbacks.checkpoint.every_n_epochs=1")
    half = Run(tmp_path / "once")
    half.checkpoint("epoch=1").replace(half.last_checkpoint)
    half.provenance_file.write_text(half.provenance_file.read_text().replace('"finished": true', '"finished": false'))
    pix2pix(*words, "name=once", "callbacks.checkpoint.every_n_epochs=1")
    for name, points in curves(run).items():
        assert [step for step, _ in curves(half)[name]] == [step for step, _ in points]
    assert torch.load(half.last_checkpoint, weights_only=True)["global_step"] == 12
