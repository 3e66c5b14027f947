"""Boundaries between the objects of an instance map."""

import numpy as np
import torch
from torch import Tensor

from pix2pix.data.images.decode import Picture


def find_boundaries(picture: Picture) -> Tensor:
    """Where the instance of a pixel differs from that of one of its four neighbours: 255 there, else 0; (1, H, W).

    Section 3.3 of pix2pixHD (Wang et al. 2018, arXiv 1711.11585). Instances are told apart by the values of their
    pixels, of any type and in any number of channels, as in Cityscapes' `*_instanceIds.png`.
    """
    ids = np.asarray(picture)
    ids = ids.reshape(*ids.shape[:2], -1)
    boundaries = np.zeros(ids.shape[:2], bool)
    # Both pixels beside a boundary belong to it.
    across, down = (ids[:, 1:] != ids[:, :-1]).any(axis=2), (ids[1:] != ids[:-1]).any(axis=2)
    boundaries[:, 1:] |= across
    boundaries[:, :-1] |= across
    boundaries[1:] |= down
    boundaries[:-1] |= down
    return torch.from_numpy(boundaries)[None].to(torch.uint8) * 255
