"""Lab colours against published values, histogram intersections against hand-counted ones."""

import pytest
import torch

from pix2pix.evaluation.lab_histograms import LabHistograms, rgb_to_lab


def flat(*rgb: float) -> torch.Tensor:
    return torch.tensor(rgb).reshape(1, 3, 1, 1).expand(1, 3, 8, 8) * 2 - 1


@pytest.mark.parametrize(
    ("rgb", "lab"),
    [
        ((0, 0, 0), (0, 0, 0)),
        ((1, 1, 1), (100, 0, 0)),
        ((1, 0, 0), (53.24, 80.09, 67.20)),  # the primaries as Lindbloom's calculator gives them
        ((0, 1, 0), (87.73, -86.18, 83.18)),
        ((0, 0, 1), (32.30, 79.19, -107.86)),
        ((0.5, 0.5, 0.5), (53.39, 0, 0)),
    ],
)
def test_lab_of_known_colours(rgb, lab):
    assert rgb_to_lab(flat(*rgb))[0, :, 0, 0].tolist() == pytest.approx(lab, abs=0.05)


def test_equal_pictures_intersect_whole_and_different_ones_not_at_all():
    same, other = LabHistograms(), LabHistograms()
    same.update(flat(1, 0, 0), flat(1, 0, 0))
    other.update(flat(1, 0, 0), flat(0, 1, 0))
    assert same.compute() == pytest.approx({"lab_l": 1, "lab_a": 1, "lab_b": 1})
    assert other.compute() == pytest.approx({"lab_l": 0, "lab_a": 0, "lab_b": 0})


def test_half_the_pixels_of_the_right_colour_intersect_in_half():
    """Over the whole set: it does not matter in which picture the colour is."""
    histograms = LabHistograms()
    histograms.update(flat(1, 0, 0), flat(0, 1, 0))
    histograms.update(flat(0, 0, 1), flat(1, 0, 0))
    assert histograms.compute() == pytest.approx({"lab_l": 0.5, "lab_a": 0.5, "lab_b": 0.5})


def test_curves_are_log_probabilities_that_add_up_to_one():
    histograms = LabHistograms()
    histograms.update(torch.rand(1, 3, 32, 32) * 2 - 1, torch.rand(1, 3, 32, 32) * 2 - 1)
    for curve in histograms.curves().values():
        assert sum(10**value for value in curve["output"]) == pytest.approx(1, abs=1e-4)
        assert len(curve["centre"]) == len(curve["target"])


def test_rounding_does_not_choose_the_bin_of_a_grey():
    """Greys have an a and b of 0, where two bins meet, but not exactly so once they are computed."""
    greys = (torch.arange(256) / 127.5 - 1).reshape(1, 1, 16, 16).expand(1, 3, 16, 16)
    warmer = greys + torch.tensor([2e-7, 0, -2e-7]).reshape(1, 3, 1, 1)
    histograms = LabHistograms()
    histograms.update(greys, warmer)
    assert histograms.compute() == pytest.approx({"lab_l": 1, "lab_a": 1, "lab_b": 1})
    assert max(histograms.curves()["a"]["output"]) == max(histograms.curves()["b"]["output"]) == 0  # all in one bin


def test_colours_beyond_the_bins_count_in_the_outermost():
    histograms = LabHistograms()
    histograms.update(flat(0, 0, 1), flat(1, 1, 1))
    assert histograms.counts["target"][0][-1] == 64  # an L of 100, the upper edge
    assert [int(counts.sum()) for counts in histograms.counts["output"]] == [64, 64, 64]
