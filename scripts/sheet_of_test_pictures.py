"""Writes test pairs as one picture: rows of sources, translations and targets.

python scripts/sheet_of_test_pictures.py facades --data ../shared/datasets/facades --output docs/images/facades_256.jpg
"""

import argparse
from pathlib import Path

import torch
from torch import Tensor

from pix2pix.core.errors import exit_with_message
from pix2pix.core.utf8 import ensure_utf8
from pix2pix.data.images.palettes import to_displayable
from pix2pix.data.images.pictures import make_contact_sheet, save_picture, select_channels
from pix2pix.inference.generator import TrainedGenerator, load_generator


def main() -> None:
    """Translates every N-th pair of the test set, with the noise that an evaluation uses."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", help="a run, a file of weights, or a built-in translator")
    parser.add_argument("--data", type=Path, help="the folder of pairs; default: that of the training")
    parser.add_argument("--every", type=int, default=13, help="distance between pairs, from the first on")
    parser.add_argument("--count", type=int, default=8, help="how many pairs")
    parser.add_argument("--columns", type=int, default=4, help="pairs side by side; further pairs are below")
    parser.add_argument("--quality", type=int, default=85, help="of a JPEG")
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    triples = translate_pairs(
        load_generator(options.run), options.data, range(0, options.every * options.count, options.every)
    )
    blocks = [triples[first : first + options.columns] for first in range(0, len(triples), options.columns)]
    rows = [row for block in blocks for row in zip(*block, strict=True)]
    save_picture(make_contact_sheet(rows), options.output, quality=options.quality)


def translate_pairs(
    trained: TrainedGenerator, data: Path | None, indices: range
) -> list[tuple[Tensor, Tensor, Tensor]]:
    """Source, translation and target of these test pairs, (3, H, W) in [-1, 1]."""
    pairs, transform = trained.open_pairs(data).split("test"), trained.build_transform()
    triples = []
    if not pairs:
        raise ValueError(f"{data}: has no test pairs.")
    for index in range(len(pairs))[indices.start : indices.stop : indices.step]:
        source, target, name = transform.transform_for_eval(pairs[index])
        print(f"pair {name}")
        with torch.inference_mode():
            (output,) = trained.generate(source[None], [name])
        images = (
            to_displayable(source, trained.config.data.source_palette),
            output,
            to_displayable(target, trained.config.data.target_palette, source),
        )
        triples.append(tuple(map(select_channels, images)))
    return triples


if __name__ == "__main__":
    ensure_utf8()
    with exit_with_message():
        main()
