"""Measures what misaligned pairs cost: trainings on facades whose photos are shifted against their label maps.

    python benchmarks/shift_cost.py ../shared/datasets/facades

Small networks at 64x64. Only the training pairs are shifted, by pixels of the 256x256 files. The table is of the
validation pairs, which are as they were. The same command continues trainings that were stopped.
"""

import argparse
import shutil
from pathlib import Path

import numpy as np
from natsort import natsorted
from PIL import Image
from torch import Tensor

from pix2pix import evaluate, train
from pix2pix.config.metric_names import PairMetric
from pix2pix.core.atomic_files import atomic_dir
from pix2pix.core.errors import exit_with_message

SETTINGS = ["data=facades", "data.size=64", "data.batch_size=4", "generator.base_channels=16"]
SETTINGS += ["discriminator=patch16", "discriminator.base_channels=16", "trainer.accelerator=cpu"]


class Sharpness(PairMetric):
    """Mean step between neighbouring pixels of the output, as a share of that of the target."""

    higher_is_better = True

    def __call__(self, output: Tensor, target: Tensor) -> Tensor:
        """Maps outputs and targets, (B, C, H, W), to a share for each picture, (B,)."""
        return _mean_step(output) / _mean_step(target)


def _mean_step(images: Tensor) -> Tensor:
    return images.diff(dim=2).abs().mean(dim=(1, 2, 3)) + images.diff(dim=3).abs().mean(dim=(1, 2, 3))


def shift_photo(pair: Image.Image, right: int, down: int) -> Image.Image:
    """A pair side by side whose left half is shifted, with the pixels of its border repeated."""
    pixels, middle = np.asarray(pair), pair.width // 2
    rows, columns = np.arange(pair.height) - down, np.arange(middle) - right
    photo = pixels[rows.clip(0, pair.height - 1)][:, columns.clip(0, middle - 1)]
    return Image.fromarray(np.concatenate([photo, pixels[:, middle:]], axis=1))


def write_pairs(source: Path, target: Path, shifts: np.ndarray) -> None:
    """A copy of the data set whose training pairs are shifted; `shifts`, (pairs, 2), are right and down."""
    with atomic_dir(target) as part:
        shutil.copytree(source / "val", part / "val")
        (part / "train").mkdir()
        files = natsorted((source / "train").iterdir(), key=str)
        for file, (right, down) in zip(files, shifts, strict=True):
            with Image.open(file) as pair:
                shift_photo(pair.convert("RGB"), right, down).save(part / "train" / f"{file.stem}.png")


def draw_shifts(pairs: int, distances: list[int]) -> dict[str, np.ndarray]:
    """The shifts of all pairs in each training: none, all the same to the right, each another one up to a distance."""
    random, shifts = np.random.default_rng(0), {"aligned": np.zeros((pairs, 2), int)}
    for distance in distances:
        shifts[f"all_by_{distance}"] = np.tile([distance, 0], (pairs, 1))
        shifts[f"each_by_up_to_{distance}"] = random.integers(-distance, distance + 1, (pairs, 2))
    return shifts


def main() -> None:
    """Prints a table: shift of the training pairs, then L1, SSIM and sharpness on the validation pairs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="the facades, with train/ and val/")
    parser.add_argument("--distances", type=int, nargs="+", default=[8], help="in pixels of the files")
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--output", type=Path, default=Path("outputs/shift_cost"))
    options = parser.parse_args()
    shifts = draw_shifts(len(list((options.folder / "train").iterdir())), options.distances)
    for name, of_pairs in shifts.items():
        data = options.output / "data" / name
        if not data.exists():
            write_pairs(options.folder, data, of_pairs)
        words = [f"data.path={data}", f"run_dir={options.output / name}", f"trainer.max_epochs={options.epochs}"]
        result = evaluate(train([*SETTINGS, *words]), metrics=["shift_cost.Sharpness"], device="cpu")
        print(f"{name:20}", *(result.describe(metric) for metric in ("l1", "ssim", "sharpness")), sep="  ", flush=True)


if __name__ == "__main__":
    with exit_with_message():
        main()
