"""Generators and discriminators: plain modules with typed arguments, free of configuration objects."""

from pix2pix.networks.patchgan import PatchGAN
from pix2pix.networks.resnet import ResNet
from pix2pix.networks.unet import EncoderDecoder, UNet

__all__ = ["EncoderDecoder", "PatchGAN", "ResNet", "UNet"]
