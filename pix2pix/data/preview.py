"""A sheet of augmented training pairs: what the network will see under a configuration, before it is trained."""

from typing import Any

import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from pix2pix.components import build
from pix2pix.data.pairs import Pair, PairSource
from pix2pix.data.palettes import Palette, visible
from pix2pix.data.transforms import PairTransform
from pix2pix.pictures import sheet, shown
from pix2pix.randomness import pair_generator

DRAWS = 4
WIDEST = 192  # pixels of a picture on the sheet


def preview(config: dict[str, Any], views: int = 20) -> Image.Image:
    """A row for each of some training pairs: as it is evaluated, then as the first epochs draw it.

    Args:
        config: the resolved configuration of a run.
        views: how many augmented pairs to show, four of each pair.
    """
    pairs: PairSource = build(config["data"]["pairs"])
    transform: PairTransform = build(config["data"]["transform"])
    train = pairs.split("train")
    rows = []
    for row in range(min(-(-views // DRAWS), len(train))):
        index = row * len(train) // -(-views // DRAWS)
        pair = train[index]
        drawn = [transform.augment(pair, pair_generator(config["seed"], epoch, index)) for epoch in range(DRAWS)]
        rows.append([image for view in (transform.plain(pair), *drawn) for image in _pictures(view, config)])
    titles = ["input", "target"] + [text for epoch in range(DRAWS) for text in (f"epoch {epoch + 1}: input", "target")]
    return sheet(rows, titles)


def _pictures(pair: Pair, config: dict[str, Any]) -> tuple[Tensor, Tensor]:
    transform = config["data"]["transform"]
    source, target = (
        Palette(choice) if (choice := transform.get(f"{image}_palette")) else None for image in ("source", "target")
    )
    return _small(visible(pair.source, source)), _small(visible(pair.target, target, pair.source))


def _small(image: Tensor) -> Tensor:
    """The image to look at, averaged over squares where it is wider than the sheet shows it."""
    squares = -(-max(image.shape[1:]) // WIDEST)
    return F.avg_pool2d(shown(image), squares) if squares > 1 else shown(image)
