"""Keeps networks inside a loss in evaluation mode."""

from typing import Self

from torch import nn


class KeepsNetworksInEvalMode(nn.Module):
    """A module whose networks stay in evaluation mode while it is itself in training mode."""

    def __init__(self) -> None:  # torch's takes any arguments; the signature is the schema of a loss
        super().__init__()

    def train(self, mode: bool = True) -> Self:
        """Sets the mode of this module alone; the networks in it stay in evaluation mode."""
        super().train(mode)
        for module in self.modules():  # a ModuleDict of terms has no mode; Lightning would warn of it
            module.training = mode and isinstance(module, KeepsNetworksInEvalMode | nn.ModuleDict)
        return self
