"""Networks, losses and schedules: plain classes with typed arguments, free of configuration objects."""

from pix2pix.models.encoder_decoder import EncoderDecoder
from pix2pix.models.initialisation import initialise
from pix2pix.models.losses import CrossEntropy, Hinge, LeastSquares, Wasserstein
from pix2pix.models.multiscale import MultiscalePatchGAN
from pix2pix.models.objective import Objective
from pix2pix.models.patchgan import PatchGAN
from pix2pix.models.perceptual import LPIPS, Perceptual
from pix2pix.models.resnet import LocalEnhancer, ResNet
from pix2pix.models.schedules import ConstantRate, CosineDecay, LinearDecay, PlateauDecay, StepDecay
from pix2pix.models.terms import (
    L1,
    L2,
    SSIM,
    Dice,
    EdgeLoss,
    FeatureMatching,
    FocalFrequency,
    LabelCrossEntropy,
    SmoothL1,
    Term,
    Weighted,
)
from pix2pix.models.unet import UNet

__all__ = [
    "L1",
    "L2",
    "LPIPS",
    "SSIM",
    "ConstantRate",
    "CosineDecay",
    "CrossEntropy",
    "Dice",
    "EdgeLoss",
    "EncoderDecoder",
    "FeatureMatching",
    "FocalFrequency",
    "Hinge",
    "LabelCrossEntropy",
    "LeastSquares",
    "LinearDecay",
    "LocalEnhancer",
    "MultiscalePatchGAN",
    "Objective",
    "PatchGAN",
    "Perceptual",
    "PlateauDecay",
    "ResNet",
    "SmoothL1",
    "StepDecay",
    "Term",
    "UNet",
    "Wasserstein",
    "Weighted",
    "initialise",
]
