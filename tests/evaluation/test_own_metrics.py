"""Metrics of the user: the example of docs/metrics.md, in validations, evaluations, comparisons and searches."""

import csv
import json
import re
from pathlib import Path

import pytest

from pix2pix.config.metric_names import find_mode
from pix2pix.evaluation.evaluate import evaluate
from pix2pix.evaluation.load_comparison import load_comparison
from pix2pix.runs.metrics import read_metrics
from pix2pix.runs.run import Run
from tests.conftest import TINY, forget_package, pix2pix

PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"
CLASS = "mylab.metrics.EdgeError"
TARGET = f"+metrics.edges._target_={CLASS}"


@pytest.fixture
def mylab(tmp_path, monkeypatch):
    """The module that docs/metrics.md shows, on Python's path."""
    (code,) = re.findall(r"```python\n(# mylab/metrics.py.*?)```", PAGE.read_text(), flags=re.DOTALL)
    (tmp_path / "path" / "mylab").mkdir(parents=True)
    (tmp_path / "path" / "mylab" / "metrics.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path / "path")
    with forget_package("mylab"):
        yield


def test_the_command_line_names_a_metric_for_any_run(mylab, run, capsys):
    pix2pix("evaluate", run.path, "--metric", CLASS, "--metric", f"edges={CLASS}")
    folder = run.evaluation / "val"
    summary = json.loads((folder / "metrics.json").read_text())
    assert summary["metrics"]["edge_error"] == summary["metrics"]["edges"] > 0
    assert summary["own_metrics"]["edges"]["higher_is_better"] is False
    assert summary["intervals"]["edges"][0] < summary["metrics"]["edges"] < summary["intervals"]["edges"][1]
    assert "Mean absolute difference of horizontal gradients" in (folder / "index.html").read_text()
    assert "edge_error 0." in capsys.readouterr().out


def test_a_comparison_measures_it_where_it_is_missing_and_knows_its_direction(mylab, run, tmp_path):
    evaluate(run)
    pix2pix("compare", run.path, "--metric", f"edges={CLASS}", "--csv", tmp_path / "t.csv", "-o", tmp_path / "p.html")
    with (tmp_path / "t.csv").open() as file:
        assert float(next(csv.DictReader(file))["edges"]) > 0
    assert "edges ↓" in (tmp_path / "p.html").read_text()
    assert not load_comparison([run], "val").known_metrics["edges"].higher_is_better


def test_the_configuration_names_it_for_validations_and_the_best_checkpoint(mylab, tmp_path):
    words = [f"output_dir={tmp_path}", "name=run", TARGET, "callbacks.checkpoint.monitor=val/edges"]
    pix2pix("train", *TINY, *words)
    run = Run(tmp_path / "run")
    values = [float(row["val/edges"]) for row in read_metrics(run.path / "metrics.csv") if row.get("val/edges")]
    assert run.best_value() == pytest.approx(min(values), abs=1e-5)  # lower is better, as its class says
    assert evaluate(run, checkpoint="best").totals["edges"] == pytest.approx(min(values), rel=1e-3)


def test_a_search_takes_the_direction_of_its_class(mylab):
    metrics = {"edges": {"_target_": CLASS}}
    assert find_mode("val/edges", None, metrics) == "min"
    assert find_mode("val/edges", "max", metrics) == "max"
    assert find_mode("val/ssim", None, metrics) == "max"  # a metric of this package has its own direction
    assert find_mode("val/of_a_callback", None, metrics) is None


def test_what_is_no_metric_or_has_the_name_of_one_is_refused(mylab, run, tmp_path):
    with pytest.raises(SystemExit, match=r"--metric pix2pix\.models\.UNet"):
        pix2pix("evaluate", run.path, "--metric", "pix2pix.models.UNet")
    with pytest.raises(SystemExit, match="--metric ssim: a built-in metric has this name"):
        pix2pix("evaluate", run.path, "--metric", f"ssim={CLASS}")
    with pytest.raises(SystemExit, match=r"metrics\.l1: a built-in metric has this name"):
        pix2pix("train", *TINY, f"output_dir={tmp_path}", f"+metrics.l1._target_={CLASS}")


def test_a_run_of_others_does_not_import_its_metrics(mylab, tmp_path, monkeypatch):
    pix2pix("train", *TINY, f"output_dir={tmp_path}", "name=run", "trainer.max_epochs=1", TARGET)
    monkeypatch.setenv("PIX2PIX_TRUSTED_MODULES", str(tmp_path / "nothing_trusted"))
    with pytest.raises(SystemExit, match=r"(?s)metrics\.edges.*mylab"):
        pix2pix("evaluate", tmp_path / "run")
    pix2pix("evaluate", tmp_path / "run", "--trust", "mylab")


def test_the_built_in_metrics_are_listed(capsys):
    pix2pix("evaluate", "--list-metrics")
    assert re.search(r"^lpips +lower +learned perceptual distance", capsys.readouterr().out, flags=re.MULTILINE)
