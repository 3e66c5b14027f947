"""Accuracies of label maps, worked out by hand; palettes there and back."""

import pytest
import torch

from pix2pix.data.images.class_colours import PALETTES
from pix2pix.data.images.palettes import Palette, to_displayable
from pix2pix.evaluation.confusion import ConfusionMatrix


def test_scores_of_a_small_map():
    """True: three of class 0, one of class 1. Predicted: one of the zeros as 1."""
    confusion = ConfusionMatrix(3)
    confusion.update(predicted=torch.tensor([[0, 0], [1, 1]]), true=torch.tensor([[0, 0], [0, 1]]))
    scores = confusion.compute()
    assert scores["pixel_accuracy"] == pytest.approx(3 / 4)
    assert scores["class_accuracy"] == pytest.approx((2 / 3 + 1) / 2)  # class 2 is nowhere and does not count
    assert scores["class_iou"] == pytest.approx((2 / 3 + 1 / 2) / 2)


def test_maps_add_up():
    whole, parts = ConfusionMatrix(4), ConfusionMatrix(4)
    predicted, true = (torch.randint(4, (6, 8, 8), generator=torch.Generator().manual_seed(s)) for s in (0, 1))
    whole.update(predicted, true)
    for one, other in zip(predicted, true, strict=True):
        parts.update(one, other)
    assert whole.compute() == parts.compute()


@pytest.mark.parametrize("name", PALETTES)
def test_painted_classes_are_read_back_even_when_a_jpeg_shifts_them(name):
    palette = Palette(name)
    classes = torch.arange(len(palette)).reshape(1, 1, -1)
    painted = palette.paint(classes)
    assert painted.shape == (1, 3, 1, len(palette))
    assert torch.equal(palette.classify(painted + 0.01), classes)
    assert torch.equal(to_displayable(palette.one_hot(classes), palette), painted)
    assert to_displayable(painted, palette) is painted


def test_an_unknown_palette_is_refused_with_those_there_are():
    with pytest.raises(ValueError, match=r"palette 'ade': .* Choose from cmp_facades, facades, cityscapes"):
        Palette("ade")
