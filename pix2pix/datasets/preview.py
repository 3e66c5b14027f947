"""Draws a sheet of augmented training pairs, as the networks see them."""

import math

import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from pix2pix.core.instantiate import build
from pix2pix.core.randomness import pair_generator
from pix2pix.core.sequences import evenly_spaced
from pix2pix.data.images.palettes import to_displayable
from pix2pix.data.images.pictures import make_contact_sheet, select_channels
from pix2pix.data.pair import Pair, PairSource
from pix2pix.data.settings import DataSettings
from pix2pix.data.transforms import PairTransform

DRAWS = 4  # augmentations of each pair, as in as many epochs
MAX_SIDE = 192  # pixels of a picture on the sheet


def draw_preview(data: DataSettings, seed: int = 0, views: int = 20) -> Image.Image:
    """Draws a row for each of some training pairs: without augmentation, then as in the first epochs.

    Args:
        data: the `data` settings of a run.
        seed: the seed of the run.
        views: number of augmented pairs, DRAWS for each pair.
    """
    pairs: PairSource = build(data.source)
    transform: PairTransform = build(data.transform)
    train = pairs.split("train")
    rows = []
    for index in evenly_spaced(len(train), math.ceil(views / DRAWS)):
        pair = train[index]
        drawn = [
            transform.transform_for_training(pairs.redraw(pair, *place), pair_generator(*place))
            for place in ((seed, epoch, index) for epoch in range(DRAWS))
        ]
        rows.append(
            [image for view in (transform.transform_for_eval(pair), *drawn) for image in _render_pair(view, data)]
        )
    # The columns: the pair as it is evaluated, then the same pair as epochs 1, 2, ... would draw it.
    titles = ["input", "target"] + [text for epoch in range(DRAWS) for text in (f"epoch {epoch + 1}: input", "target")]
    return make_contact_sheet(rows, titles)


def _render_pair(pair: Pair, data: DataSettings) -> tuple[Tensor, Tensor]:
    source = data.source_image_spec.show(pair.source, data.source_palette)
    return _shrink(source), _shrink(select_channels(to_displayable(pair.target, data.target_palette, pair.source)))


def _shrink(image: Tensor) -> Tensor:
    """Averages an image (C, H, W) over squares if it is larger than MAX_SIDE."""
    squares = math.ceil(max(image.shape[1:]) / MAX_SIDE)
    return F.avg_pool2d(image, squares) if squares > 1 else image
