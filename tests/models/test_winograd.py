"""Winograd's convolution is the plain one, but for rounding."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from pix2pix.models.winograd import WinogradConvolution, convolve

SIZES = pytest.mark.parametrize("size", [3, 4])


@SIZES
@pytest.mark.parametrize("shape", [(1, 2, 4, 4), (1, 3, 6, 6), (2, 5, 7, 12), (3, 4, 34, 9)])
def test_outputs_and_gradients_are_those_of_the_plain_convolution(shape, size):
    x = torch.randn(shape, requires_grad=True)
    weight = torch.randn(7, shape[1], size, size, requires_grad=True)
    ours, plain = convolve(x, weight), F.conv2d(x, weight)
    into = torch.randn_like(plain)
    for one, other in zip(
        (ours, *torch.autograd.grad(ours, (x, weight), into)),
        (plain, *torch.autograd.grad(plain, (x, weight), into)),
        strict=True,
    ):
        assert one.shape == other.shape
        torch.testing.assert_close(one, other, rtol=0, atol=1e-5 * float(other.detach().abs().max()))


@SIZES
def test_rounding_is_hardly_more_than_that_of_the_plain_convolution(size):
    x, weight = torch.randn(1, 256, 20, 20), torch.randn(64, 256, size, size) * 0.02
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


@pytest.mark.parametrize(
    "settings", [{"padding": 1}, {"bias": False}, {"padding": 1, "padding_mode": "reflect"}], ids=str
)
@SIZES
def test_the_layer_is_the_plain_layer_with_its_weights(size, settings):
    torch.manual_seed(0)
    layer, plain = WinogradConvolution(128, 136, size, **settings), nn.Conv2d(128, 136, size, **settings)
    plain.load_state_dict(layer.state_dict())
    for side, is_faster in ((36, True), (5, False)):
        x = torch.randn(1, 128, side, side + 1)
        assert layer.is_faster(x.shape) == is_faster
        torch.testing.assert_close(layer(x), plain(x), rtol=0, atol=5e-5)


def test_other_precisions_are_left_to_torch():
    layer, x = WinogradConvolution(64, 64, 4), torch.randn(1, 64, 20, 20)
    assert layer.is_faster(x.shape)
    with torch.autocast("cpu", torch.bfloat16):
        assert layer(x).dtype == torch.bfloat16
    assert torch.equal(layer.double()(x.double()), nn.Conv2d.forward(layer, x.double()))


def test_exporters_see_the_plain_convolution():
    program = torch.export.export(WinogradConvolution(64, 64, 4), (torch.randn(1, 64, 20, 20),))
    operations = [str(node.target) for node in program.graph.nodes if node.op == "call_function"]
    assert operations == ["aten.conv2d.default"]
