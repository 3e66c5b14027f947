"""The segmentation score: a scorer reads real photos better than noise, and says what it cannot read."""

import json

import pytest

from pix2pix.runs.run import Run
from tests.conftest import TINY, pix2pix

SCORER = ["data.direction=AtoB", "data.one_hot=true", "objective=labels"]
READING = [
    "callbacks.checkpoint.monitor=val/pixel_accuracy",
    *("generator.base_channels=8", "trainer.max_epochs=12", "optimizer.lr=0.003"),
]


@pytest.fixture(scope="module")
def scorer(tmp_path_factory) -> Run:
    folder = tmp_path_factory.mktemp("scorers")
    words = [word for word in TINY if "base_channels" not in word and "max_epochs" not in word]
    pix2pix("train", *words, *SCORER, *READING, f"output_dir={folder}", "name=scorer", "inference.dropout=off")
    return Run(folder / "scorer")


def test_the_scorer_reads_real_photos_better_than_those_of_an_untrained_run(run, scorer, capsys):
    pix2pix("evaluate", run.path, "--scorer", scorer.path, "--split", "test")
    summary = json.loads((run.evaluation / "test" / "metrics.json").read_text())
    assert 0 < summary["metrics"]["score_pixel_accuracy"] < summary["real_photos"]["score_pixel_accuracy"] <= 1
    assert summary["real_photos"]["score_pixel_accuracy"] > 0.35
    assert "the scorer on the real photos:" in capsys.readouterr().out


def test_a_scorer_is_judged_by_label_accuracy_and_writes_label_colours(scorer):
    pix2pix("evaluate", scorer.path)
    summary = json.loads((scorer.evaluation / "val" / "metrics.json").read_text())
    assert {"pixel_accuracy", "class_accuracy", "class_iou"} < summary["metrics"].keys()
    assert summary["metrics"]["pixel_accuracy"] > summary["metrics"]["class_iou"] > 0


def test_runs_that_do_not_fit_are_refused(run, scorer, tmp_path):
    with pytest.raises(SystemExit, match="a scorer needs photos made from label maps, which this run does not make"):
        pix2pix("evaluate", scorer.path, "--scorer", scorer.path)
    with pytest.raises(SystemExit, match="not a run from photos to cmp_facades labels"):
        pix2pix("evaluate", run.path, "--scorer", run.path)
    pix2pix("train", *TINY, "data.size=64", "trainer.max_epochs=1", f"output_dir={tmp_path}", "name=big")
    with pytest.raises(SystemExit, match="it was trained at 32x32, the run's pictures are 64x64"):
        pix2pix("evaluate", tmp_path / "big", "--scorer", scorer.path)
