"""Metrics against values worked out by hand."""

import math

import pytest
import torch
from torchmetrics.functional.image import (
    multiscale_structural_similarity_index_measure,
    structural_similarity_index_measure,
)

from pix2pix.config.metric_names import METRICS, higher_is_better
from pix2pix.evaluation.metrics import pair_metrics


def test_l1_and_psnr_of_a_constant_difference():
    target = torch.zeros(2, 3, 16, 16)
    output = target.clone()
    output[1] += 0.2  # a tenth of the range from -1 to 1
    metrics = pair_metrics(output, target)
    assert metrics["l1"].tolist() == pytest.approx([0, 0.1])
    assert metrics["psnr"][0] == math.inf
    assert float(metrics["psnr"][1]) == pytest.approx(-10 * math.log10(0.1**2), abs=1e-4)


def test_ssim_of_flat_pictures_is_its_luminance_term():
    """Without variance, SSIM = (2ab + c) / (a^2 + b^2 + c) with c = 0.01^2 (Wang et al. 2004, equation 6)."""
    a, b = 0.25, 0.75
    metrics = pair_metrics(torch.full((1, 3, 32, 32), a * 2 - 1), torch.full((1, 3, 32, 32), b * 2 - 1))
    c = 0.01**2
    assert float(metrics["ssim"]) == pytest.approx((2 * a * b + c) / (a * a + b * b + c), abs=5e-4)  # float32


def test_l2_is_the_square():
    target = torch.zeros(1, 3, 16, 16)
    assert float(pair_metrics(target + 0.2, target)["l2"]) == pytest.approx(0.01)


def test_ms_ssim_is_there_from_176_pixels_on_and_1_for_equal_pictures():
    picture = torch.rand(1, 3, 176, 176, generator=torch.Generator().manual_seed(0)) * 2 - 1
    assert float(pair_metrics(picture, picture)["ms_ssim"]) == pytest.approx(1)
    assert float(pair_metrics(-picture, picture)["ms_ssim"]) < 0.5
    assert "ms_ssim" not in pair_metrics(picture[..., :175], picture[..., :175])


def test_every_metric_says_what_it_is():
    picture = torch.zeros(1, 3, 176, 176)
    assert pair_metrics(picture, picture).keys() < METRICS.keys()
    assert all(metric.meaning for metric in METRICS.values())
    assert higher_is_better("ssim")
    assert not higher_is_better("l1")
    assert higher_is_better("val/correlation")


@pytest.mark.parametrize("name", ["val/score", "loss/g_gan", "val/", ""])
def test_which_way_is_better_has_to_be_said_of_a_metric_that_is_not_known(name):
    with pytest.raises(ValueError, match=r"more or less of it is better\. Set callbacks.checkpoint.mode=max or min"):
        higher_is_better(name)
    assert higher_is_better(name, "max")
    assert not higher_is_better(name, "min")


def test_each_picture_has_its_own_numbers():
    generator = torch.Generator().manual_seed(0)
    output, target = torch.rand(3, 3, 32, 32, generator=generator), torch.rand(3, 3, 32, 32, generator=generator)
    together = pair_metrics(output, target)
    alone = [pair_metrics(output[i : i + 1], target[i : i + 1]) for i in range(3)]
    for name, values in together.items():
        assert values.tolist() == pytest.approx([float(one[name]) for one in alone], abs=1e-5)


def test_outputs_beyond_the_range_count_as_its_ends():
    target = torch.ones(1, 3, 16, 16)
    assert float(pair_metrics(target * 3, target)["l1"]) == 0


def test_both_similarities_are_those_of_torchmetrics():
    generator = torch.Generator().manual_seed(0)
    output, target = (torch.rand(2, 3, 176, 200, generator=generator) * 2 - 1 for _ in range(2))
    found = pair_metrics((output + target) / 2, target)
    given = ((output + target) / 2 + 1) / 2, (target + 1) / 2
    expected = {
        "ssim": structural_similarity_index_measure(*given, data_range=1.0, reduction="none"),
        "ms_ssim": multiscale_structural_similarity_index_measure(*given, data_range=1.0, reduction="none"),
    }
    for name, values in expected.items():
        assert found[name].tolist() == pytest.approx(values.tolist(), rel=1e-5)
