"""How a trained generator is run: which statistics normalise, whether dropout is the noise, from which seed."""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import torch
from torch import Tensor, nn

from pix2pix.randomness import derive

Normalization = Literal["batch", "running"]
Dropout = Literal["on", "off"]


class InferenceMode:
    """The test-time choices of a run (paper, section 3.4: statistics of the test batch, dropout on).

    Args:
        normalization: `batch` normalises with the statistics of the pictures at hand, `running` with those of training.
        dropout: `on` keeps dropout as the generator's noise.
        seed: of the noise; the same seed and name of a picture give the same noise.
    """

    def __init__(self, *, normalization: Normalization = "batch", dropout: Dropout = "on", seed: int = 0) -> None:
        self.normalization, self.dropout, self.seed = normalization, dropout, seed

    def with_seed(self, seed: int) -> "InferenceMode":
        """The same choices under other noise."""
        other = copy.copy(self)
        other.seed = seed
        return other

    def generate(self, generator: nn.Module, source: Tensor, name: str) -> Tensor:
        """Maps source (B, C, H, W) to an image in [-1, 1]; leaves the generator and the random state as found."""
        devices = [source.device] if source.is_cuda else []
        with torch.no_grad(), torch.random.fork_rng(devices), self._applied_to(generator):
            torch.manual_seed(derive(self.seed, "inference", name))
            return generator(source)

    @contextmanager
    def _applied_to(self, generator: nn.Module) -> Iterator[None]:
        before = [(module, module.training) for module in generator.modules()]
        norms = [module for module in generator.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
        generator.eval()
        for module in generator.modules():
            if isinstance(module, nn.modules.dropout._DropoutNd):
                module.training = self.dropout == "on"
        statistics = [(norm, norm.running_mean, norm.running_var) for norm in norms]
        for norm in norms if self.normalization == "batch" else []:
            norm.running_mean = norm.running_var = None  # then the picture's own, and other processes are not asked
        try:
            yield
        finally:
            for norm, mean, variance in statistics:
                norm.running_mean, norm.running_var = mean, variance
            for module, training in before:
                module.training = training
