"""Trains a run: the paper's training step, the LightningModule, callbacks, loggers, several GPUs."""

from typing import TYPE_CHECKING

from pix2pix.core.lazy import lazy_getattr

if TYPE_CHECKING:
    from pix2pix.training.gan_ddp_strategy import GANDDPStrategy
    from pix2pix.training.module import Pix2Pix

__all__ = ["GANDDPStrategy", "Pix2Pix"]

__getattr__ = lazy_getattr(__name__, {"Pix2Pix": "module", "GANDDPStrategy": "gan_ddp_strategy"})
