"""Trains a run: the paper's training step, the LightningModule, callbacks, loggers, several GPUs."""

from typing import TYPE_CHECKING

from pix2pix.core.lazy import lazy_getattr

if TYPE_CHECKING:
    from pix2pix.training.gan_ddp_strategy import GANDDPStrategy
    from pix2pix.training.module import Pix2Pix
    from pix2pix.training.moving_average import MovingAverage
    from pix2pix.training.optimization import Optimization
    from pix2pix.training.step_options import Pix2PixStep

__all__ = ["GANDDPStrategy", "MovingAverage", "Optimization", "Pix2Pix", "Pix2PixStep"]

__getattr__ = lazy_getattr(
    __name__,
    {
        "GANDDPStrategy": "gan_ddp_strategy",
        "MovingAverage": "moving_average",
        "Optimization": "optimization",
        "Pix2Pix": "module",
        "Pix2PixStep": "step_options",
    },
)
