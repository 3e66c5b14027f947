"""Test-time settings of a generator: batch-norm statistics, dropout noise and its seed."""

import copy
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.dropout import _DropoutNd

from pix2pix.core.randomness import derive_seed

CHANNEL_DROPOUTS = (nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.FeatureAlphaDropout)
ALPHA_DROPOUTS = (nn.AlphaDropout, nn.FeatureAlphaDropout)
TORCH_FORWARDS = {kind.forward for kind in (nn.Dropout, *CHANNEL_DROPOUTS, *ALPHA_DROPOUTS)}
SELU_LIMIT = -1.7580993408473766  # what SELU makes of very negative values
SEED_BITS = 48

Normalization = Literal["batch", "running"]
Dropout = Literal["on", "off"]
Noise = Callable[[Tensor, float], Tensor]
"""From what a dropout is given, x (B, C, H, W), and the probability to keep a value, to 1 (kept) and 0 in x's shape.

Asked by one dropout after the other, in the order in which the network runs them. A dropout of whole channels asks with
an x of (B, C, 1, 1)."""
NormalizePicture = Callable[[nn.Module, Tensor], Tensor]
"""From a norm and what it is given to what it returns, in place of its own `forward`."""


class InferenceMode:
    """The test-time choices of a run (paper, section 3.4: statistics of the test picture, dropout on).

    Pictures of one batch know nothing of each other: each is normalised by its own statistics and has its own noise.
    Noise are all of torch's dropout modules, and classes derived from them.

    Args:
        normalization: `batch` normalises with the statistics of the picture at hand, `running` with those of training.
        dropout: `on` keeps dropout as the generator's noise, `off` passes values through.
        seed: of the noise; the same seed and name of a picture give the same noise.
    """

    def __init__(self, *, normalization: Normalization = "batch", dropout: Dropout = "on", seed: int = 0) -> None:
        self.normalization, self.dropout, self.seed = normalization, dropout, seed

    def with_seed(self, seed: int) -> "InferenceMode":
        """The same choices under other noise."""
        other = copy.copy(self)
        other.seed = seed
        return other

    def generate(self, generator: nn.Module, source: Tensor, names: str | Sequence[str]) -> Tensor:
        """Maps source (B, C, H, W) to an image in [-1, 1]; leaves the generator and the random state as found.

        Args:
            generator: the network; not to be used by two threads at once.
            source: the pictures.
            names: the name of each picture, or one for all of them; it chooses the noise, the same on every device.
        """
        each = [names] * len(source) if isinstance(names, str) else names
        with torch.no_grad(), self.apply_to(generator, make_noise([self.seed_of(name) for name in each])):
            return generator(source)

    def seed_of(self, name: str) -> int:
        """The seed of the noise of the picture `name`, however its accents are written: macOS takes them apart."""
        return derive_seed(self.seed, "inference", unicodedata.normalize("NFC", name))

    @contextmanager
    def apply_to(self, generator: nn.Module, noise: Noise, normalize: NormalizePicture | None = None) -> Iterator[None]:
        """Has the generator follow these choices, with `noise` in its dropouts, until the block ends.

        `normalize` takes the place of the norms that look at the picture; by default each uses its own statistics.
        """
        before = [(module, module.training) for module in generator.modules()]
        replaced = {norm: partial(normalize or normalize_by_picture, norm) for norm in self.picture_norms(generator)}
        replaced |= {module: partial(_drop, module, noise) for module in self.noise_dropouts(generator)}
        if self.dropout == "off":
            replaced |= dict.fromkeys(list_dropouts(generator), _pass)
        generator.eval()
        for module, forward in replaced.items():
            module.forward = forward
        try:
            yield
        finally:
            for module in replaced:
                del module.forward
            for module, training in before:
                module.training = training

    def picture_norms(self, generator: nn.Module) -> list[nn.Module]:
        """The norms of the generator whose statistics are those of the picture at hand."""
        return [module for module in generator.modules() if self._uses_picture_statistics(module)]

    def _uses_picture_statistics(self, module: nn.Module) -> bool:
        if isinstance(module, nn.InstanceNorm2d):
            return not module.track_running_stats
        return isinstance(module, nn.BatchNorm2d | nn.SyncBatchNorm) and self.normalization == "batch"

    def noise_dropouts(self, generator: nn.Module) -> list[_DropoutNd]:
        """The dropouts of the generator that make noise."""
        return list_dropouts(generator) if self.dropout == "on" else []


def list_dropouts(generator: nn.Module) -> list[_DropoutNd]:
    """All dropout modules of a generator."""
    return [module for module in generator.modules() if isinstance(module, _DropoutNd)]


def make_noise(seeds: Sequence[int]) -> Noise:
    """Noise for one picture after the other of a batch, each from its seed: what torch's own dropout would draw."""
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]

    def noise(x: Tensor, keep: float) -> Tensor:
        return torch.stack([torch.empty(x.shape[1:]).bernoulli_(keep, generator=generator) for generator in generators])

    return noise


def normalize_by_picture(norm: Any, x: Tensor) -> Tensor:
    """Normalises each picture of x (B, C, H, W) by its mean and variance; for one picture the norm's training mode."""
    return F.instance_norm(x, weight=norm.weight, bias=norm.bias, eps=norm.eps)


def _pass(x: Tensor) -> Tensor:
    return x


def _drop(dropout: _DropoutNd, noise: Noise, x: Tensor) -> Tensor:
    if has_custom_forward(dropout):
        return _run_custom_dropout(dropout, noise, x)
    keep = 1 - dropout.p
    if keep in {0.0, 1.0}:
        return x * keep
    channels = isinstance(dropout, CHANNEL_DROPOUTS)
    mask = noise(x.new_empty(*x.shape[:2], *[1] * (x.dim() - 2)) if channels else x, keep).to(x)
    return _alpha(x, mask, keep) if isinstance(dropout, ALPHA_DROPOUTS) else x * (mask / keep)


def _alpha(x: Tensor, mask: Tensor, keep: float) -> Tensor:
    """Puts SELU's lower end where the mask is 0, and keeps mean and variance (arXiv 1706.02515, section 3)."""
    scale = ((SELU_LIMIT**2 * (1 - keep) + 1) * keep) ** -0.5
    return scale * (x * mask + SELU_LIMIT * (1 - mask) - SELU_LIMIT * (1 - keep))


def has_custom_forward(dropout: _DropoutNd) -> bool:
    """Whether a class of one's own says how it drops."""
    return type(dropout).forward not in TORCH_FORWARDS


def _run_custom_dropout(dropout: _DropoutNd, noise: Noise, x: Tensor) -> Tensor:
    """Runs it as in training, on each picture by itself, under torch's own generator with a seed from the noise."""
    device = [x.device] if x.is_cuda else []
    bits = noise(x.new_empty(len(x), SEED_BITS, 1, 1), 0.5).reshape(len(x), SEED_BITS).cpu()
    seeds = (bits.double() @ 2.0 ** torch.arange(SEED_BITS).double()).long().tolist()
    dropout.training = True
    try:
        with torch.random.fork_rng(device):
            return torch.cat(
                [_run_with_seed(dropout, picture, seed) for picture, seed in zip(x.split(1), seeds, strict=True)]
            )
    finally:
        dropout.training = False


def _run_with_seed(dropout: _DropoutNd, picture: Tensor, seed: int) -> Tensor:
    torch.default_generator.manual_seed(seed)
    if picture.is_cuda:
        torch.cuda.manual_seed(seed)
    return type(dropout).forward(dropout, picture)
