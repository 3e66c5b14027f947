"""Winograd's convolution is the plain one, but for rounding."""

import pytest
import torch
import torch.nn.functional as F

from pix2pix.models.winograd import WinogradConvolution, convolve


@pytest.mark.parametrize("shape", [(1, 2, 4, 4), (1, 3, 6, 6), (2, 5, 7, 12), (3, 4, 34, 9)])
def test_outputs_and_gradients_are_those_of_the_plain_convolution(shape):
    x = torch.randn(shape, requires_grad=True)
    weight = torch.randn(7, shape[1], 4, 4, requires_grad=True)
    ours, plain = convolve(x, weight), F.conv2d(x, weight)
    into = torch.randn_like(plain)
    for one, other in zip(
        (ours, *torch.autograd.grad(ours, (x, weight), into)),
        (plain, *torch.autograd.grad(plain, (x, weight), into)),
        strict=True,
    ):
        assert one.shape == other.shape
        torch.testing.assert_close(one, other, rtol=0, atol=1e-5 * float(other.detach().abs().max()))


def test_rounding_is_hardly_more_than_that_of_the_plain_convolution():
    """At the shape that the discriminator of 70 pixels has in the middle of a 256x256 picture."""
    x, weight = torch.randn(1, 256, 20, 20), torch.randn(64, 256, 4, 4) * 0.02
    exact = F.conv2d(x.double(), weight.double())
    error, usual = ((y.double() - exact).square().mean().sqrt() for y in (convolve(x, weight), F.conv2d(x, weight)))
    assert error < 2 * usual


def test_gradients_of_gradients_are_right():
    """Those that the R1 penalty takes."""
    x = torch.randn(1, 2, 7, 7, requires_grad=True)
    weight = torch.randn(2, 2, 4, 4, requires_grad=True)
    penalties = []
    for convolution in (convolve, F.conv2d):
        (slope,) = torch.autograd.grad(convolution(x, weight).square().sum(), x, create_graph=True)
        penalties.append(torch.autograd.grad(slope.square().sum(), weight)[0])
    torch.testing.assert_close(*penalties, rtol=1e-4, atol=1e-4 * float(penalties[1].abs().max()))


@pytest.mark.parametrize("bias", [True, False])
def test_the_layer_is_the_plain_layer_with_its_weights(bias):
    torch.manual_seed(0)
    layer, plain = WinogradConvolution(64, 72, bias=bias), torch.nn.Conv2d(64, 72, 4, padding=1, bias=bias)
    plain.load_state_dict(layer.state_dict())
    for size in (18, 5):  # the smaller one is computed as the plain layer does
        x = torch.randn(1, 64, size, size + 1)
        torch.testing.assert_close(layer(x), plain(x), rtol=0, atol=1e-5)
    with torch.autocast("cpu", torch.bfloat16):
        assert layer(torch.randn(1, 64, 18, 18)).dtype == torch.bfloat16
    assert layer.double()(torch.randn(1, 64, 18, 18).double()).dtype == torch.float64
