"""The cost of a pixel of large pictures, which are translated in tiles: processor time and peak memory by size.

python benchmarks/large_pictures.py --json benchmarks/results/large_pictures.json
python benchmarks/large_pictures.py --sizes 2048 2304 --rounds 1 --short

The pictures are label maps of random rectangles for the built-in translator of facades. The sizes take turns, in an
order that turns round. One thread, and processor time: other work on the machine changes it little. `--short` measures
what tiles cost where no memory is free to keep begun ones.
"""

import argparse
import statistics
import time
from contextlib import nullcontext
from pathlib import Path
from unittest import mock

import numpy as np
import torch
from PIL import Image

from benchmarks.machine import STATUS, peak_mebibytes, write_results
from pix2pix import load_translator
from pix2pix.data.images.class_colours import FACADES
from pix2pix.inference import tile_pass


def draw_label_map(side: int) -> Image.Image:
    """A square label map of the colours of facades: as many rectangles for each area, whatever the size."""
    random, colours = np.random.default_rng(0), np.array(list(FACADES.values()), np.uint8)
    pixels = np.full((side, side, 3), colours[0], np.uint8)
    for _ in range(side * side // 8000):
        (top, left), (height, width) = random.integers(0, side, 2), random.integers(16, 160, 2)
        pixels[top : top + height, left : left + width] = random.choice(colours)
    return Image.fromarray(pixels)


def forget_peak_memory() -> None:
    """Linux counts the peak memory of this process anew."""
    if STATUS.is_file():
        STATUS.with_name("clear_refs").write_text("5", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1024, 2048, 2304, 3072, 4096], help="sides in pixels")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--tile", type=int, default=2048)
    parser.add_argument("--short", action="store_true", help="as if no memory were free to keep begun tiles")
    parser.add_argument("--json", type=Path, help="where to leave the numbers")
    options = parser.parse_args()
    torch.set_num_threads(1)
    translator = load_translator("facades", device="cpu", scale="own", tile=options.tile)
    translator(draw_label_map(256))  # sets things up
    rows = {size: {"microseconds_a_pixel": [], "peak_mebibytes": []} for size in options.sizes}
    with mock.patch.object(tile_pass, "free_bytes", return_value=0) if options.short else nullcontext():
        for number in range(options.rounds):
            for size in options.sizes if number % 2 == 0 else reversed(options.sizes):
                picture = draw_label_map(size)
                forget_peak_memory()
                before = time.process_time()
                translator(picture)
                rows[size]["microseconds_a_pixel"].append(1e6 * (time.process_time() - before) / size**2)
                rows[size]["peak_mebibytes"].append(peak_mebibytes())
    print("| side | microseconds a pixel, lowest to highest | peak memory, MiB |\n|---|---|---|")
    for size, row in rows.items():
        times = row["microseconds_a_pixel"]
        cost = f"{statistics.median(times):.2f} ({min(times):.2f} to {max(times):.2f})"
        print(f"| {size} | {cost} | {max(row['peak_mebibytes']):.0f} |")
    write_results(options.json, rows=rows)


if __name__ == "__main__":
    main()
