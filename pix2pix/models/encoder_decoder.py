"""The encoder-decoder: the U-Net without its skips (paper, section 6.1.1 and table 2)."""

from pix2pix.models.unet import UNet


class EncoderDecoder(UNet):
    """`UNet` without skip connections: everything passes the bottleneck. Arguments, shapes and errors as `UNet`."""

    skips = False
