"""Pixels of every type to [-1, 1] and back."""

import numpy as np
import pytest
import torch

from pix2pix.data.images.value_range import denormalize, normalize


@pytest.mark.parametrize(
    ("depth", "limits", "values"),
    [
        (8, None, range(256)),
        (8, (50, 200), range(50, 201)),
        (16, None, range(65536)),
        (16, (0, 4095), range(4096)),
        (32, (-1024, 3071), range(-1024, 3072)),
        (32, (-(2**23), 2**23), range(-(2**23), 2**23, 997)),
    ],
)
def test_every_integer_comes_back(depth, limits, values):
    types = {8: torch.uint8, 16: torch.uint16, 32: torch.int32}
    pixels = torch.tensor(list(values)).to(types[depth]).reshape(1, 1, -1)
    scaled = normalize(pixels, limits)
    assert scaled.dtype == torch.float32
    assert (float(scaled.min()), float(scaled.max())) == pytest.approx((-1, 1), abs=2e-4)
    assert np.array_equal(denormalize(scaled, depth, limits).transpose(2, 0, 1), pixels.numpy())


def test_values_beyond_the_range_are_cut_to_it():
    assert normalize(torch.tensor([-5.0, 0.0, 5.0, 10.0, 20.0]), (0, 10)).tolist() == [-1, -1, 0, 1, 1]


def test_floats_come_back_and_their_tensor_is_left_as_it_was():
    image = torch.linspace(0, 1, 64).reshape(1, 8, 8)
    before = image.clone()
    assert np.allclose(denormalize(normalize(image), "float")[..., 0], image[0].numpy(), atol=1e-7)
    assert torch.equal(image, before)


def test_a_range_wider_than_its_pixels_ends_at_the_smallest_and_the_largest():
    """In eight bits 300 would become 44."""
    ends = torch.tensor([-1.0, 1.0]).reshape(1, 1, 2)
    assert denormalize(ends, 8, (-50, 300)).flatten().tolist() == [0, 255]
    assert denormalize(ends, 32, (-5e9, 5e9)).flatten().tolist() == [-(2**31), 2**31 - 1]
