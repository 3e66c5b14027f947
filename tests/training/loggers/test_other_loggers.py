"""Loggers of other packages receive what ours do: numbers by step, and the settings."""

import sys
import types
from pathlib import Path

import pytest
import yaml
from lightning_utilities.core.imports import RequirementCache

from pix2pix.runs.metrics import read_metrics
from tests.conftest import TINY, pix2pix


def validations(file: Path) -> dict[int, float]:
    """The L1 of each validation by its step."""
    return {int(row["step"]): float(row["val/l1"]) for row in read_metrics(file) if row["val/l1"]}


def test_a_logger_of_lightning_receives_the_settings_and_the_numbers(tmp_path):
    theirs = f"+logger.theirs={{_target_: pytorch_lightning.loggers.CSVLogger, save_dir: {tmp_path}/theirs}}"
    pix2pix("train", *TINY, f"output_dir={tmp_path}", "name=a", "logger=csv", theirs, "tags=[first]")
    (folder,) = tmp_path.glob("theirs/*/version_0")
    settings = yaml.safe_load((folder / "hparams.yaml").read_text())
    assert (settings["data"]["size"], settings["tags"]) == (32, ["first"])
    assert "logger" not in settings
    ours, theirs = (validations(place / "metrics.csv") for place in (tmp_path / "a", folder))
    assert theirs == pytest.approx(ours, abs=1e-6)
    assert list(ours) == [6, 12]


class Recorder(types.ModuleType):
    """The part of the package `trackio` that is called, where it is not installed: notes the calls."""

    def __init__(self) -> None:
        super().__init__("trackio")
        self.sessions, self.rows, self.ends = [], [], 0

    def init(self, **options):
        self.sessions.append(options)
        return self

    def log(self, row, step):
        self.rows.append((step, row))

    def finish(self):
        self.ends += 1


def test_trackio_receives_them_and_continues_a_run_that_resumes(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "trackio", trackio := Recorder())
    words = ["train", *TINY, f"output_dir={tmp_path}", "name=a", "logger=trackio"]
    pix2pix(*words)
    pix2pix(*words, "trainer.max_epochs=3")
    first, second = trackio.sessions
    assert (first["project"], first["name"], first["resume"], second["resume"]) == ("pix2pix", "a", "never", "allow")
    assert first["config"]["data"]["size"] == 32
    sent = {step: row["val/l1"] for step, row in trackio.rows if "val/l1" in row}
    assert sent == pytest.approx(validations(tmp_path / "a" / "metrics.csv"), abs=1e-6)
    assert trackio.ends == 2


OTHERS = [
    ("logger=trackio", "logger=trackio needs a package: pip install trackio"),
    (
        "logger=mlflow",
        "logger.mlflow needs a package that is not installed: pip install no-such-mlflow. Or leave it out.",
    ),
    (
        "+callbacks.rich={_target_: pytorch_lightning.callbacks.RichProgressBar}",
        "callbacks.rich needs a package that is not installed: pip install rich. Or leave it out.",
    ),
]


@pytest.mark.parametrize(("word", "message"), OTHERS, ids=["trackio", "mlflow", "rich"])
def test_a_part_whose_package_is_not_installed_is_refused_in_words_and_uses_up_no_name(
    tmp_path, monkeypatch, word, message
):
    monkeypatch.setitem(sys.modules, "trackio", None)
    for place in ("loggers.mlflow._MLFLOW", "callbacks.progress.rich_progress._RICH"):
        monkeypatch.setattr(f"pytorch_lightning.{place}_AVAILABLE", RequirementCache("no-such-mlflow"))
    with pytest.raises(SystemExit) as error:
        pix2pix("train", *TINY, f"output_dir={tmp_path}", "name=a", word)
    assert str(error.value) == f"pix2pix: {message}"
    assert not (tmp_path / "a").exists()
