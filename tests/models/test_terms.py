"""Terms of the objective against values computed by hand."""

import cmath
import math

import pytest
import torch
from torch import nn

from pix2pix.evaluation.metrics import pair_metrics
from pix2pix.models import LPIPS, SSIM, EdgeLoss, FocalFrequency, Objective, Perceptual, Weighted
from pix2pix.models.terms import sobel_gradients
from tests.conftest import TINY, pix2pix
from tests.small import fit, module


def picture(*rows: list[float]) -> torch.Tensor:
    return torch.tensor([[rows]])


RANDOM = torch.rand(2, 2, 3, 24, 24, generator=torch.Generator().manual_seed(0)) * 2 - 1


def test_sobel_gradients_of_a_slope_are_its_slope():
    y, x = torch.meshgrid(torch.arange(5.0), torch.arange(6.0), indexing="ij")
    along_x, along_y = sobel_gradients((3 * x - 2 * y)[None, None])
    assert along_x.shape == (1, 1, 3, 4)
    assert (along_x == 3).all()
    assert (along_y == -2).all()


def test_edges_are_compared_by_their_gradients():
    # One bright pixel beside the centre: Sobel's x weight there is 2 / 8, its y weight 0.
    fake, target = picture([0, 0, 0], [0, 0, 1], [0, 0, 0]), picture([0, 0, 0], [0, 0, 0], [0, 0, 0])
    assert EdgeLoss()(fake, target).item() == pytest.approx((2 / 8 + 0) / 2)
    assert EdgeLoss()(RANDOM[0], RANDOM[0] + 0.3).item() == pytest.approx(0, abs=1e-6)  # colours alone: no edge


def spectrum(values: list[list[float]]) -> list[complex]:
    """The orthonormal discrete Fourier transform, by its definition."""
    height, width = len(values), len(values[0])
    return [
        sum(
            values[y][x] * cmath.exp(-2j * math.pi * (u * x / width + v * y / height))
            for y in range(height)
            for x in range(width)
        )
        / math.sqrt(height * width)
        for v in range(height)
        for u in range(width)
    ]


@pytest.mark.parametrize("alpha", [0.0, 1.0, 2.0])
def test_the_focal_frequency_loss_is_its_formula(alpha):
    values = [[0.5, -1.0, 0.25], [0.75, 0.0, -0.5]]
    squared = [abs(z) ** 2 for z in spectrum(values)]
    weights = [(math.sqrt(d) / math.sqrt(max(squared))) ** alpha for d in squared]
    expected = sum(w * d for w, d in zip(weights, squared, strict=True)) / 6
    fake = torch.tensor([[values]])
    assert FocalFrequency(alpha=alpha)(fake, torch.zeros_like(fake)).item() == pytest.approx(expected, rel=1e-5)


def test_equal_pictures_cost_nothing_and_give_finite_gradients():
    for term in (SSIM(), EdgeLoss(), FocalFrequency()):
        fake = RANDOM[0].clone().requires_grad_()
        loss = term(fake, RANDOM[0])
        loss.backward()
        assert loss.item() == pytest.approx(0, abs=1e-6)
        assert fake.grad is not None
        assert fake.grad.isfinite().all()


def test_ssim_is_1_minus_the_metric():
    expected = 1 - pair_metrics(*RANDOM)["ssim"].mean()
    assert SSIM()(*RANDOM).item() == pytest.approx(expected.item(), abs=1e-6)


@pytest.mark.parametrize("term", [SSIM(), EdgeLoss(), FocalFrequency()], ids=lambda term: type(term).__name__)
def test_terms_are_computed_in_float32_under_any_precision(term):
    with torch.autocast("cpu", torch.bfloat16):
        rounded = term(*RANDOM)
    assert torch.equal(rounded, term(*RANDOM))


def test_any_loss_of_torch_can_be_a_term():
    huber = Weighted(nn.HuberLoss(delta=0.5), weight=3)
    terms = Objective(None, l1_weight=0, terms={"huber": huber}).generator_terms(None, *RANDOM, RANDOM[0])
    assert terms["huber"].item() == nn.HuberLoss(delta=0.5)(RANDOM[0], RANDOM[1]).item()


@pytest.fixture
def vgg(monkeypatch) -> None:
    """Stands in for VGG-19, whose weights are not here: every layer passes on what it gets."""
    monkeypatch.setattr("pix2pix.models.perceptual._load_vgg", lambda: nn.ModuleList(nn.Identity() for _ in range(30)))


@pytest.mark.usefixtures("vgg")
def test_perceptual_loss_weighs_the_layers_of_normalised_pictures():
    # A difference of 1 in the red channel is 1 / 2 / 0.229 of what the network sees, a third of that in the mean.
    fake, target = torch.zeros(1, 3, 4, 4), torch.zeros(1, 3, 4, 4)
    fake[:, 0] = 1
    layers = 1 / 32 + 1 / 16 + 1 / 8 + 1 / 4 + 1
    assert Perceptual()(fake, target).item() == pytest.approx(layers / 2 / 0.229 / 3)
    grey = Perceptual()(torch.ones(1, 1, 4, 4), torch.zeros(1, 1, 4, 4))
    assert grey.item() == pytest.approx(layers / 2 * (1 / 0.229 + 1 / 0.224 + 1 / 0.225) / 3)
    with pytest.raises(ValueError, match="compare grey and RGB pictures; these have 5 channels"):
        Perceptual()(torch.ones(1, 5, 4, 4), torch.zeros(1, 5, 4, 4))


class Net(nn.Module):
    """Stands in for the network of LPIPS."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(3, 3, 1)

    def forward(self, a, b, normalize):
        assert not normalize
        return (self.layer(a) - self.layer(b)).square().mean(dim=(1, 2, 3), keepdim=True)


def test_the_networks_of_terms_are_neither_trained_nor_saved(monkeypatch, tmp_path):
    monkeypatch.setattr("pix2pix.models.perceptual.load_lpips", lambda net: Net())
    trained = module(objective=Objective(None, terms={"lpips": LPIPS(0.5)}))
    before = trained.objective.terms["lpips"].net.layer.weight.clone()
    trainer = fit(trained, max_epochs=1)
    assert torch.equal(trained.objective.terms["lpips"].net.layer.weight, before)
    trainer.save_checkpoint(tmp_path / "last.ckpt")
    assert list(torch.load(tmp_path / "last.ckpt", weights_only=True)["state_dict"]) == [
        "generator.weight",
        "generator.bias",
    ]


def test_weights_that_cannot_be_had_are_named_with_their_place_before_anything_runs(monkeypatch, tmp_path):
    def offline():
        raise OSError("Name or service not known")

    monkeypatch.setattr("pix2pix.models.perceptual._load_vgg", offline)
    with pytest.raises(SystemExit, match=r"perceptual could not download its weights .*Put vgg19-dcbb9e9d\.pth at "):
        pix2pix("train", *TINY, f"output_dir={tmp_path}", "objective/terms=perceptual")
    assert not list(tmp_path.iterdir())
