"""Bootstrap intervals: as wide as theory says, and of pictures, not of outputs or pixels."""

import json
import math
import statistics

import pytest
import torch

from pix2pix.evaluation.bootstrap import bootstrap_intervals, mean_intervals
from pix2pix.evaluation.confusion import ConfusionMatrix
from pix2pix.evaluation.evaluate import evaluate
from tests.conftest import pix2pix


def test_the_interval_of_a_mean_is_that_of_its_standard_error():
    values = torch.randn(400, generator=torch.Generator().manual_seed(0), dtype=torch.float64).tolist()
    low, high = mean_intervals({"l1": values})["l1"]
    error = statistics.stdev(values) / math.sqrt(len(values))
    assert (low + high) / 2 == pytest.approx(statistics.fmean(values), abs=0.1 * error)
    assert high - low == pytest.approx(2 * 1.96 * error, rel=0.1)
    assert mean_intervals({"l1": values})["l1"] == (low, high)  # the same every time


def test_a_single_picture_and_infinite_values_have_no_interval():
    assert mean_intervals({"l1": [0.1]}) == {}
    assert mean_intervals({"psnr": [math.inf, 20.0], "l1": [0.1, 0.2]}).keys() == {"l1"}
    assert bootstrap_intervals(lambda counts: {"x": counts.sum(dim=1)}, 5) == {"x": (5, 5)}


def test_accuracies_are_resampled_by_picture():
    """Half of the pictures are all right, half all wrong: the accuracy of 40 varies like the share of 40 coins."""
    confusion, true = ConfusionMatrix(2), torch.zeros(40, 8, 8, dtype=torch.int64)
    predicted = true.clone()
    predicted[::2] = 1
    names = [str(number) for number in range(40)]
    confusion.update(predicted, true, names)
    low, high = confusion.intervals()["pixel_accuracy"]
    assert (low, high) == pytest.approx((0.5 - 1.96 * 0.5 / math.sqrt(40), 0.5 + 1.96 * 0.5 / math.sqrt(40)), abs=0.03)
    confusion.update(predicted, true, names)  # more outputs for the same inputs are no more pictures
    assert confusion.intervals()["pixel_accuracy"] == (low, high)


def test_intervals_are_recorded_shown_and_printed(run, capsys):
    pix2pix("evaluate", run.path, "--split", "train")
    folder = run.evaluation / "train"
    summary = json.loads((folder / "metrics.json").read_text())
    low, high = summary["intervals"]["ssim"]
    assert low < summary["metrics"]["ssim"] < high
    assert f"ssim {summary['metrics']['ssim']:.4f} ({low:.4f} to {high:.4f})" in capsys.readouterr().out
    assert f"{low:.3g} to {high:.3g}" in (folder / "index.html").read_text()


class Means(torch.nn.Module):
    """Stands in for Inception: the mean of each quarter and channel of a picture."""

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.adaptive_avg_pool2d(pictures.float(), 2).flatten(1)


def test_lpips_has_intervals_kid_a_spread_and_fid_the_number_of_pictures(run, monkeypatch, capsys):
    def net(output, target, normalize):
        return (output - target).square().mean(dim=(1, 2, 3), keepdim=True)

    def inception(cls):
        return lambda feature, **options: cls(feature=Means(), **options)

    from torchmetrics.image import fid, kid

    monkeypatch.setattr("pix2pix.evaluation.perceptual._lpips", lambda: net)
    monkeypatch.setattr("pix2pix.evaluation.perceptual.KID_SUBSET", 5)
    monkeypatch.setattr(fid, "FrechetInceptionDistance", inception(fid.FrechetInceptionDistance))
    monkeypatch.setattr(kid, "KernelInceptionDistance", inception(kid.KernelInceptionDistance))
    result = evaluate(run, split="train", perceptual=True)
    low, high = result.intervals["lpips"]
    assert low < result.totals["lpips"] < high
    assert all(row["lpips"] == pytest.approx(4 * row["l2"], rel=1e-3) for row in result.rows)
    assert result.spread["kid"] > 0
    assert result.describe("fid") == f"fid {result.totals['fid']:.4f} (12 pictures)"
    pix2pix("evaluate", run.path, "--split", "train", "--perceptual")
    assert "(12 pictures)" in capsys.readouterr().out
    assert "of 12 pictures" in (result.folder / "index.html").read_text()
