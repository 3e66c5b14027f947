"""LPIPS, FID and KID: measured where their networks are at hand, explained where they are not."""

import importlib.util

import pytest
import torch
from torch import nn

from pix2pix.evaluation.perceptual import PerceptualMetrics
from tests.conftest import pix2pix


class Means(nn.Module):
    """Stands in for Inception: the mean of each quarter and channel of a picture."""

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        return nn.functional.adaptive_avg_pool2d(pictures.float(), 2).flatten(1)


def pictures(shift: float) -> torch.Tensor:
    noise = torch.rand(40, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    return noise - 0.5 + shift


def test_sets_of_equal_pictures_have_no_distance_and_shifted_ones_have():
    equal, shifted = PerceptualMetrics(Means()), PerceptualMetrics(Means())
    for number in range(40):
        one = pictures(0)[number : number + 1]
        equal.update(one, one, one)
        shifted.update(one + 0.4, one, one)
    assert equal.compute()["fid"] == pytest.approx(0, abs=0.1)
    assert abs(equal.compute()["kid"]) < 0.01 * shifted.compute()["kid"]
    # each of twelve features moves by 0.2 of the range, 51 levels: FID, with equal covariances, is the squared distance
    assert shifted.compute()["fid"] == pytest.approx(12 * 51**2, rel=0.05)


def test_grey_pictures_are_measured_as_colour_and_others_not_at_all(monkeypatch):
    """The networks take three channels."""
    seen = []
    monkeypatch.setattr(
        "pix2pix.evaluation.perceptual._lpips", lambda: lambda a, b, normalize: seen.extend([a, b]) or a
    )
    grey, colour = PerceptualMetrics(Means(), channels=1), PerceptualMetrics(Means())
    for number in range(2):
        one = pictures(0)[number : number + 1, :1]
        grey.update(one, one + 0.4, one)
        colour.update(one.expand(-1, 3, -1, -1), (one + 0.4).expand(-1, 3, -1, -1), one)
    assert grey.compute()["fid"] == colour.compute()["fid"] > 0
    grey.pair_metrics()["lpips"](one, one)
    assert [image.shape[1] for image in seen] == [3, 3]
    many = PerceptualMetrics(Means(), channels=5)
    assert many.missing.keys() == {"lpips", "fid", "kid"}
    assert "compares grey and RGB pictures; those of this run have 5 channels" in many.missing["fid"]
    assert (many.pair_metrics(), many.compute()) == ({}, {})


def test_one_picture_is_no_set_and_the_reason_said():
    metrics = PerceptualMetrics(Means())
    metrics.update(pictures(0)[:1], pictures(0)[:1])
    assert metrics.compute() == {}
    assert metrics.missing["fid"] == metrics.missing["kid"] == "is of a set of at least 2 pictures"


@pytest.mark.skipif(importlib.util.find_spec("torch_fidelity") is not None, reason="the extra is installed here")
def test_without_the_extra_the_rest_is_measured_and_the_reason_said(run, capsys):
    pix2pix("evaluate", run.path, "--perceptual", "--split", "test")
    output = capsys.readouterr().out
    assert "fid: not measured, needs the extra: pip install 'pix2pix[perceptual]'" in output
    assert "l1 0." in output


def test_weights_that_cannot_be_had_are_named_with_their_place(monkeypatch):
    def offline():
        raise OSError("Name or service not known")

    monkeypatch.setattr("pix2pix.evaluation.perceptual._lpips", offline)
    missing = PerceptualMetrics(Means()).missing["lpips"]
    assert "Name or service not known" in missing
    assert "Put alexnet-owt-7be5be79.pth at" in missing
    assert missing.endswith("checkpoints/alexnet-owt-7be5be79.pth")
