"""Generators, discriminators and losses: plain modules with typed arguments, free of configuration objects."""

from pix2pix.models.encoder_decoder import EncoderDecoder
from pix2pix.models.initialisation import initialise
from pix2pix.models.losses import CrossEntropy, Hinge, LeastSquares, Objective, Wasserstein
from pix2pix.models.multiscale import MultiscalePatchGAN
from pix2pix.models.patchgan import PatchGAN
from pix2pix.models.resnet import LocalEnhancer, ResNet
from pix2pix.models.unet import UNet

__all__ = [
    "CrossEntropy",
    "EncoderDecoder",
    "Hinge",
    "LeastSquares",
    "LocalEnhancer",
    "MultiscalePatchGAN",
    "Objective",
    "PatchGAN",
    "ResNet",
    "UNet",
    "Wasserstein",
    "initialise",
]
