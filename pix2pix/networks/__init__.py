"""Generators and discriminators: plain modules with typed arguments, free of configuration objects."""

from pix2pix.networks.encoder_decoder import EncoderDecoder
from pix2pix.networks.initialisation import initialise
from pix2pix.networks.patchgan import PatchGAN
from pix2pix.networks.resnet import ResNet
from pix2pix.networks.unet import UNet

__all__ = ["EncoderDecoder", "PatchGAN", "ResNet", "UNet", "initialise"]
