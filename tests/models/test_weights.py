"""Weights drawn, saved, loaded, and brought over from the reference implementation."""

import pytest
import torch
from torch import Tensor, nn

from pix2pix.models import EncoderDecoder, PatchGAN, ResNet, UNet, initialise
from pix2pix.models.reference_weights import COUNTER, convert_reference_weights

# The reference's names for the layers of a 70x70 PatchGAN: its convolutions stand at 0, 2, 5, 8, 11, norms behind them.
REFERENCE = {f"layers.{i}": f"model.{i}" for i in range(12)}


def small_patchgan() -> PatchGAN:
    return PatchGAN(base_channels=2)


def reference_state(network: nn.Module) -> dict[str, Tensor]:
    state = {key.rpartition("."): value for key, value in network.state_dict().items()}
    return {f"{REFERENCE[layer]}.{leaf}": value for (layer, _, leaf), value in state.items()}


@pytest.mark.parametrize(
    "build",
    [
        lambda dropout: UNet(base_channels=2, depth=5, dropout=dropout),
        lambda dropout: EncoderDecoder(base_channels=2, depth=5, dropout=dropout),
        lambda dropout: ResNet(base_channels=2, blocks=2, dropout=dropout),
    ],
    ids=["unet", "encoder_decoder", "resnet"],
)
def test_a_saved_generator_loads_back_even_under_another_dropout(build):
    saved, loaded = build(0.5).eval(), build(0.0).eval()
    loaded.load_state_dict(saved.state_dict())
    image = torch.randn(1, 3, 32, 32)
    assert torch.equal(saved(image), loaded(image))


def test_a_generator_of_random_numbers_decides_the_weights_and_leaves_the_global_one_alone():
    networks = [UNet(base_channels=2, depth=3) for _ in range(2)]
    before = torch.get_rng_state()
    for network in networks:
        initialise(network, torch.Generator().manual_seed(7))
    assert torch.equal(torch.get_rng_state(), before)
    for one, other in zip(*(network.parameters() for network in networks), strict=True):
        assert torch.equal(one, other)


def test_linear_layers_and_affine_norms_are_initialised_and_plain_norms_left_alone():
    affine = [nn.BatchNorm2d(500), nn.InstanceNorm2d(500, affine=True), nn.GroupNorm(2, 500)]
    linear = nn.Linear(100, 100)
    initialise(nn.Sequential(linear, nn.InstanceNorm2d(4), *affine), torch.Generator().manual_seed(0))
    assert linear.weight.std().item() == pytest.approx(0.02, rel=0.05)
    assert not linear.bias.any()
    for norm in affine:
        assert norm.weight.mean().item() == pytest.approx(1, abs=5e-3)
        assert norm.weight.std().item() == pytest.approx(0.02, rel=0.15)
        assert not norm.bias.any()


def test_reference_weights_arrive_at_their_layers_in_whatever_order_the_file_has_them():
    network = small_patchgan()
    shuffled = dict(sorted(reference_state(network).items(), reverse=True))
    mapped = convert_reference_weights(shuffled, network)
    assert mapped.keys() == network.state_dict().keys()
    assert all(torch.equal(mapped[key], value) for key, value in network.state_dict().items())


def test_a_file_from_before_norms_counted_batches_still_loads():
    network = small_patchgan()
    old = {key: value for key, value in reference_state(network).items() if not key.endswith(COUNTER)}
    network.load_state_dict(convert_reference_weights(old, network))


def test_what_an_instance_norm_once_recorded_is_left_out():
    network = PatchGAN(base_channels=2, norm="instance")
    old = reference_state(network) | {"model.3.running_mean": torch.zeros(4), "model.3.running_var": torch.ones(4)}
    network.load_state_dict(convert_reference_weights(old, network))


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"model.2.bias": torch.zeros(4)}, r"layers\.2\.bias: the network has nothing, the file has \(4,\)"),
        ({"model.0.bias": torch.zeros(3)}, r"layers\.0\.bias: the network has \(2,\), the file has \(3,\)"),
        ({"model.14.weight": torch.zeros(3)}, r"the file has 9 layers with weights, the network 8"),
    ],
    ids=["a bias too many", "another width", "a layer too many"],
)
def test_weights_that_do_not_fit_are_refused_by_name(change, complaint):
    network = small_patchgan()
    with pytest.raises(ValueError, match=complaint):
        convert_reference_weights(reference_state(network) | change, network)
