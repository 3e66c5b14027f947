"""A network of a user's own that cannot be trained is named, in words, before the training."""

import pytest
from torch import nn

from pix2pix.config.check import parse_and_check
from tests.conftest import compose_mapping
from tests.small import fit, module

HERE = __name__


def make_text(in_channels: int) -> nn.Module:
    return "no network"  # pyright: ignore[reportReturnType]


class Asks(nn.Conv2d):
    def forward(self, input):
        return super().forward(input) if input.mean().item() < 9 else input


class Frozen(nn.Conv2d):
    def __init__(self, in_channels: int, out_channels: int, kernel_size: int) -> None:
        super().__init__(in_channels, out_channels, kernel_size)
        self.requires_grad_(False)


class Lazy(nn.LazyConv2d):
    def __init__(self) -> None:
        super().__init__(3, 1)


class WithoutWeights(nn.Module):
    def __init__(self) -> None:
        raise RuntimeError("no weights at /x")


class TwoInputs(nn.Conv2d):
    def forward(self, input, image):  # pyright: ignore[reportIncompatibleMethodOverride]
        return super().forward(input + image)


LINE = rf"\({__file__}, line \d+\)"


@pytest.mark.parametrize(
    ("generator", "message"),
    [
        ({"_target_": f"{HERE}.make_text", "in_channels": 3}, "made a str, not an nn.Module"),
        (
            {"_target_": f"{HERE}.Asks", "in_channels": 3, "out_channels": 3, "kernel_size": 1},
            "forward must not ask for any",
        ),
        ({"_target_": f"{HERE}.Lazy"}, "generator: .*Lazy has a Lazy, whose weights have no size"),
        ({"_target_": f"{HERE}.WithoutWeights"}, rf"generator: {HERE}.WithoutWeights: no weights at /x {LINE}"),
        (
            {"_target_": "torch.nn.Conv2d", "in_channels": 4, "out_channels": 3, "kernel_size": 1},
            r"generator: torch.nn.Conv2d, given a source \(1, 3, 256, 256\): .*channel",
        ),
        (
            {"_target_": f"{HERE}.TwoInputs", "in_channels": 3, "out_channels": 3, "kernel_size": 1},
            "given a source .*missing 1 required positional argument: 'image'",
        ),
    ],
    ids=["no network", "values", "lazy", "constructor", "channels", "two inputs"],
)
def test_a_network_that_cannot_be_tried_is_named(generator, message):
    with pytest.raises(ValueError, match=message):
        parse_and_check(compose_mapping() | {"generator": generator})


def test_a_discriminator_for_other_channels_is_named_with_what_it_was_given():
    discriminator = {"_target_": f"{HERE}.TwoInputs", "in_channels": 6, "out_channels": 1, "kernel_size": 1}
    with pytest.raises(ValueError, match=r"discriminator: .*TwoInputs, given \(1, 6, 256, 256\): .*missing 1"):
        parse_and_check(compose_mapping() | {"discriminator": discriminator})


def test_a_network_without_weights_to_train_is_named():
    with pytest.raises(ValueError, match="generator: Frozen has no weights to train"):
        fit(module(Frozen(3, 3, 1)), max_steps=1)
