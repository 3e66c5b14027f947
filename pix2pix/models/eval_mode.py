"""Modules that keep the networks in them in evaluation mode."""

from typing import Self

from torch import nn


class EvalModeModule(nn.Module):
    """A module that keeps the networks in it in evaluation mode."""

    def __init__(self) -> None:  # torch's takes any arguments; the signature is the schema of a loss
        super().__init__()

    def train(self, mode: bool = True) -> Self:
        """Sets the mode of this module alone; the networks in it stay in evaluation mode."""
        super().train(mode)
        for module in self.modules():  # a ModuleDict of terms has no mode; Lightning would warn of it
            module.training = mode and isinstance(module, EvalModeModule | nn.ModuleDict)
        return self
