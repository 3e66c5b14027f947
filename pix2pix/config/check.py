"""Checks that a configuration can run: validates it, then passes shapes through the networks on the meta device."""

import warnings

import torch

from pix2pix.config import schema
from pix2pix.config.identity import Config
from pix2pix.core.instantiate import build
from pix2pix.models.losses import Objective


def check(config: Config) -> None:
    """Raises ValueError, in words, for a configuration that cannot be run; builds and writes nothing."""
    schema.check(config)
    _rehearse(config)


def _rehearse(config: Config) -> None:
    """Sends one batch of shapes through both players on the meta device: whatever cannot fit fails here."""
    data = config["data"]
    size = data["height"], data["width"]
    with torch.device("meta"), torch.no_grad(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*copying from a non-meta parameter.*", UserWarning)  # weights of their own
        try:
            source = torch.empty(data["batch_size"], data["input_channels"], *size)
            fake = build(config["generator"])(source)
            target = torch.empty(data["batch_size"], data["output_channels"], *size)
            if fake.shape != target.shape:
                raise ValueError(f"the generator makes {tuple(fake.shape)}, the targets are {tuple(target.shape)}.")
            objective: Objective = build(config["objective"])
            if config["discriminator"]:
                objective.discriminate(build(config["discriminator"]), source, fake)
        except (ValueError, RuntimeError) as error:
            raise ValueError(f"the configuration cannot be run:\n  {error}") from error
