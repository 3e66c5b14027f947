"""Numbers recorded from the reference implementation; they lie beside the repository and are not part of it."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from pix2pix import models
from pix2pix.models.reference_weights import convert_reference_weights

FOLDER = Path(__file__).parents[2] / "shared" / "parity"
NAMES = ("unet128_pixel_lsgan", "unet256_patch70_vanilla", "resnet9_patch70_instance")
needs_fixtures = pytest.mark.skipif(not FOLDER.is_dir(), reason=f"the parity fixtures are not at {FOLDER}")


class Fixture:
    """One recorded training: options, initial and final weights, forward passes, losses."""

    def __init__(self, name: str) -> None:
        from safetensors.torch import load_file

        self.recorded = load_file(FOLDER / f"{name}.safetensors")
        content = json.loads((FOLDER / f"{name}.json").read_text())
        self.options: dict[str, Any] = content["options"]
        self.losses: list[dict[str, float]] = content["losses"]
        self.source, self.target = (self.recorded[key].float() / 127.5 - 1 for key in "AB")

    def state(self, key: str, network: nn.Module) -> dict[str, Tensor]:
        below = {k.removeprefix(f"{key}."): v for k, v in self.recorded.items() if k.startswith(f"{key}.")}
        return convert_reference_weights(below, network)

    def generator(self) -> nn.Module:
        kind, norm, base = self.options["netG"], self.options["norm"], self.options["ngf"]
        if kind.startswith("unet"):
            depth = int(kind.removeprefix("unet_")).bit_length() - 1
            network: nn.Module = models.UNet(base_channels=base, depth=depth, norm=norm, dropout=0.0)
        else:
            network = models.ResNet(base_channels=base, blocks=9, norm=norm)
        network.load_state_dict(self.state("init.G", network))
        return network

    def discriminator(self) -> nn.Module:
        field = 1 if self.options["netD"] == "pixel" else 70
        options = {"receptive_field": field, "base_channels": self.options["ndf"], "norm": self.options["norm"]}
        network = models.PatchGAN(6, **options)
        network.load_state_dict(self.state("init.D", network))
        return network


def relative_error_of_change(network: nn.Module, recorded: dict[str, Tensor], before: dict[str, Tensor]) -> float:
    """How far the weights are from the recorded ones, as a share of the way that these went from `before`.

    Adam moves a weight by its whole rate even where the gradient is rounding noise, so single weights differ by the
    kind of CPU. The same three steps in float64 are 8.4 % from the recording for the U-Net of depth 8, and 0.6 % for
    the one of depth 7.
    """

    def join(state: dict[str, Tensor]) -> Tensor:
        return torch.cat([state[name].double().flatten() for name, _ in network.named_parameters()])

    now, then, first = join(network.state_dict()), join(recorded), join(before)
    return ((now - then).norm() / (then - first).norm()).item()


@pytest.fixture(params=NAMES)
def fixture(request) -> Fixture:
    torch.manual_seed(0)
    return Fixture(request.param)
