"""Test-time settings of a generator: batch-norm statistics, dropout noise and its seed."""

import copy
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.dropout import _DropoutNd

from pix2pix.core.arguments import require_at_least, require_choice
from pix2pix.core.randomness import derive_seed

CHANNEL_DROPOUTS = (nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.FeatureAlphaDropout)
ALPHA_DROPOUTS = (nn.AlphaDropout, nn.FeatureAlphaDropout)
TORCH_FORWARDS = {kind.forward for kind in (nn.Dropout, *CHANNEL_DROPOUTS, *ALPHA_DROPOUTS)}
SELU_LIMIT = -1.7580993408473766  # limit of SELU(x) for x to -infinity
SEED_BITS = 48

Normalization = Literal["batch", "running"]
Dropout = Literal["on", "off"]
Noise = Callable[[Tensor, float], Tensor]
"""Maps a dropout's input x (B, C, H, W) and its keep probability to a mask of 0 and 1 (kept) in the shape of x.

Dropouts call it in the order in which the network runs them. A dropout of whole channels passes x of (B, C, 1, 1)."""
NormalizePicture = Callable[[nn.Module, Tensor], Tensor]
"""Maps a norm and its input to its output, in place of the norm's own `forward`."""


class InferenceMode:
    """The test-time settings of a run (paper, section 3.4: statistics of the test picture, dropout on).

    Pictures of one batch are independent: each is normalised by its own statistics and has its own noise. The noise
    comes from all of torch's dropout modules and classes derived from them.

    Args:
        normalization: `batch` normalises with the statistics of each picture, `running` with those of the training.
        dropout: `on` keeps dropout as the generator's noise, `off` disables it.
        seed: seed of the noise, at least 0; the same seed and picture name give the same noise.

    Raises:
        ValueError: for other values.
    """

    def __init__(self, *, normalization: Normalization = "batch", dropout: Dropout = "on", seed: int = 0) -> None:
        require_choice(normalization, "normalization", get_args(Normalization))
        require_choice(dropout, "dropout", get_args(Dropout))
        require_at_least(0, seed=seed)
        self.normalization, self.dropout, self.seed = normalization, dropout, seed

    def with_seed(self, seed: int) -> "InferenceMode":
        """A copy of these settings with another seed. Raises ValueError for a seed below 0."""
        require_at_least(0, seed=seed)
        other = copy.copy(self)
        other.seed = seed
        return other

    def generate(self, generator: nn.Module, source: Tensor, names: str | Sequence[str]) -> Tensor:
        """Maps source (B, C, H, W) to images (B, C, H, W) in [-1, 1]. Generator and random state are left unchanged.

        Args:
            generator: the network; two threads must not use it at once.
            source: the pictures, in [-1, 1].
            names: the name of each picture, or one for all; it selects the noise, the same on every device.
        """
        picture_names = [names] * len(source) if isinstance(names, str) else names
        with torch.no_grad(), self.apply_to(generator, make_noise([self.seed_of(name) for name in picture_names])):
            return generator(source)

    def seed_of(self, name: str) -> int:
        """The noise seed of the picture `name`. Unicode is normalised, because macOS stores accents decomposed."""
        return derive_seed(self.seed, "inference", unicodedata.normalize("NFC", name))

    @contextmanager
    def apply_to(self, generator: nn.Module, noise: Noise, normalize: NormalizePicture | None = None) -> Iterator[None]:
        """Context in which the generator follows these settings, with `noise` in its dropouts.

        `normalize` replaces the norms that use the picture's statistics; default: `normalize_by_picture`.
        """
        # Modules are not exchanged but given another `forward`: an attribute of the object hides that of its class, and
        # deleting it brings that back. So any network works, and its weights stay where they are.
        before = [(module, module.training) for module in generator.modules()]
        replaced = {norm: partial(normalize or normalize_by_picture, norm) for norm in self.picture_norms(generator)}
        replaced |= {module: partial(_drop, module, noise) for module in self.noise_dropouts(generator)}
        if self.dropout == "off":
            replaced |= dict.fromkeys(list_dropouts(generator), _identity)
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
        """The norms of the generator that use the statistics of the picture."""
        return [module for module in generator.modules() if self._uses_picture_statistics(module)]

    def _uses_picture_statistics(self, module: nn.Module) -> bool:
        if isinstance(module, nn.InstanceNorm2d):
            return not module.track_running_stats
        return isinstance(module, nn.BatchNorm2d | nn.SyncBatchNorm) and self.normalization == "batch"

    def noise_dropouts(self, generator: nn.Module) -> list[_DropoutNd]:
        """The dropouts that act as noise: all of them, or none if dropout is off."""
        return list_dropouts(generator) if self.dropout == "on" else []


def list_dropouts(generator: nn.Module) -> list[_DropoutNd]:
    """All dropout modules of a generator."""
    return [module for module in generator.modules() if isinstance(module, _DropoutNd)]


def make_noise(seeds: Sequence[int]) -> Noise:
    """Returns the noise of a batch with one seed per picture, drawn as torch's own dropout draws it."""
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]

    def noise(x: Tensor, keep: float) -> Tensor:
        return torch.stack([torch.empty(x.shape[1:]).bernoulli_(keep, generator=generator) for generator in generators])

    return noise


def normalize_by_picture(norm: Any, x: Tensor) -> Tensor:
    """Normalises each picture of x (B, C, H, W) by its own mean and variance, as the norm in training mode with B=1."""
    # An export takes pictures of any number, and the number of parts below would become fixed.
    is_traced = torch.compiler.is_compiling()
    if is_traced or x.is_contiguous() or not x.is_contiguous(memory_format=torch.channels_last):
        return F.instance_norm(x, weight=norm.weight, bias=norm.bias, eps=norm.eps)
    # In channels_last, instance_norm would copy the features; batch_norm of one picture is the same.
    normalize = partial(F.batch_norm, weight=norm.weight, bias=norm.bias, training=True, eps=norm.eps)
    pictures = [normalize(picture, None, None) for picture in x.split(1)]
    return torch.cat(pictures) if len(pictures) > 1 else pictures[0]


def _identity(x: Tensor) -> Tensor:
    return x


def _drop(dropout: _DropoutNd, noise: Noise, x: Tensor) -> Tensor:
    if has_custom_forward(dropout):
        return _run_custom_dropout(dropout, noise, x)
    # Whole channels draw one value for each; both kinds scale what is kept, so that the mean stays the same.
    keep = 1 - dropout.p
    if keep in {0.0, 1.0}:
        return x * keep
    channels = isinstance(dropout, CHANNEL_DROPOUTS)
    mask = noise(x.new_empty(*x.shape[:2], *[1] * (x.dim() - 2)) if channels else x, keep).to(x)
    return _alpha(x, mask, keep) if isinstance(dropout, ALPHA_DROPOUTS) else x * (mask / keep)


def _alpha(x: Tensor, mask: Tensor, keep: float) -> Tensor:
    """Sets dropped values to SELU's limit and preserves mean and variance (arXiv 1706.02515, section 3)."""
    scale = ((SELU_LIMIT**2 * (1 - keep) + 1) * keep) ** -0.5
    return scale * (x * mask + SELU_LIMIT * (1 - mask) - SELU_LIMIT * (1 - keep))


def has_custom_forward(dropout: _DropoutNd) -> bool:
    """Whether the module's class overrides torch's `forward`."""
    return type(dropout).forward not in TORCH_FORWARDS


def _run_custom_dropout(dropout: _DropoutNd, noise: Noise, x: Tensor) -> Tensor:
    """Runs a custom dropout in training mode on each picture alone. The noise seeds torch's global generator."""
    device = [x.device] if x.is_cuda else []
    # The foreign forward draws by torch's global generator: a seed of random bits for each picture makes it follow the
    # picture's noise.
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
