"""The encoder-decoder: the U-Net without its skips (paper, section 6.1.1 and table 2)."""

from pix2pix.models.unet import UNet


class EncoderDecoder(UNet):
    """Maps x to y as `UNet` does, with its arguments and errors, but all that y knows of x passes the bottleneck."""

    skips = False
