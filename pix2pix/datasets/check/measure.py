"""Measures one pair for `pix2pix data check`: file types and small statistics of both images."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageStat

from pix2pix.core.prefetch import map_in_threads
from pix2pix.core.progress_bars import tqdm
from pix2pix.data.images.class_numbers import highest_class
from pix2pix.data.images.decode import Picture, open_picture, pil_to_tensor, to_known_type
from pix2pix.data.images.deep_formats import PILLOW_DEEP_MODES
from pix2pix.data.images.resize import Size, flip_size
from pix2pix.data.sources.image_spec import split_halves
from pix2pix.datasets.check.file_info import FileInfo, describe_file, describe_reason
from pix2pix.datasets.check.scan import ScannedPair
from pix2pix.datasets.near_duplicates import Thumbnail, make_thumbnail, picture_digest

SCALE = 256  # both images are measured at this size
GRID = 64
STEPS = (2, 6, 12, 24, 48)  # differences of neighbours, in 255ths
SAMPLE = 600  # pairs whose edges are kept and compared with each other; those of a million would fill the memory
FINE_SAMPLE = 200  # pairs whose edges are kept in full resolution, to measure shift and scale


class ImageStats(NamedTuple):
    """Measures of one image of a pair.

    Args:
        size: height and width in pixels.
        thumbnail: uint8 (16, 16, 3).
        digest: a hash of size and pixels.
        spread: the largest standard deviation of a channel, in 255ths.
        mean: the mean over all pixels, in 255ths.
        colours: square roots of the shares of 64 colours, then the shares of neighbours that differ by at most STEPS.
        edges: strength of edges on a grid, (64, 64); None if not requested.
        fine_edges: the same in full resolution, uint8 (256, 256); None if not requested.
        is_grey: whether no pixel has a colour.
        highest_class: the highest class, where the values look like the classes of a label map; None for a picture.
    """

    size: Size
    thumbnail: Thumbnail
    digest: bytes
    spread: float
    mean: float
    colours: np.ndarray
    edges: np.ndarray | None
    fine_edges: np.ndarray | None
    is_grey: bool
    highest_class: int | None


@dataclass(frozen=True)
class PairStats:
    """The measures of a pair, or why it cannot be read.

    Args:
        entry: the pair.
        file_infos: what each readable file holds.
        sides: the measures of A and B; None when they cannot be read or split.
        unreadable: each file that cannot be read, and the reason.
    """

    entry: ScannedPair
    file_infos: dict[Path, FileInfo] = field(default_factory=dict)
    sides: tuple[ImageStats, ImageStats] | None = None
    unreadable: dict[Path, str] = field(default_factory=dict)

    @property
    def has_odd_width(self) -> bool:
        """Whether it is a side-by-side file of odd width, which has no two equal halves."""
        return len(self.entry.files) == 1 and any(info.size[1] % 2 for info in self.file_infos.values())


def measure_pairs(pairs: Sequence[ScannedPair], workers: int | None = None, files_of_a: int = 1) -> list[PairStats]:
    """Reads and measures all pairs in threads. A file that cannot be read is noted in the result, not raised.

    Edges are kept of every n-th pair only, of SAMPLE pairs in all, and in full resolution of FINE_SAMPLE. Where A has
    several files, the first is measured.
    """
    step, fine_step = -(-len(pairs) // SAMPLE), -(-len(pairs) // FINE_SAMPLE)

    def measure(number: int) -> PairStats:
        kept = {"edges": number % step == 0, "fine_edges": number % fine_step == 0}
        return measure_pair(pairs[number], files_of_a=files_of_a, **kept)

    stats = map_in_threads(measure, range(len(pairs)), threads=workers)
    return list(tqdm(stats, total=len(pairs), unit="pair", desc="reading", disable=None))


def measure_pair(pair: ScannedPair, *, files_of_a: int = 1, edges: bool = True, fine_edges: bool = False) -> PairStats:
    """Reads and measures one pair."""
    infos, pictures, unreadable = {}, {}, {}
    for file in dict.fromkeys(pair.files):
        try:
            pictures[file] = open_picture(file)
            infos[file] = describe_file(file, pictures[file])
        except (ValueError, OSError) as error:
            unreadable[file] = describe_reason(error, file)
    stats = PairStats(pair, infos, unreadable=unreadable)
    if unreadable or stats.has_odd_width:
        return stats
    a, b = read_images(pair.files, files_of_a, pictures.__getitem__)
    kept = {"edges": edges, "fine_edges": fine_edges}
    return PairStats(pair, infos, (measure_image(a, **kept), measure_image(b, **kept)))


def read_images(
    files: Sequence[Path], files_of_a: int, read: Callable[[Path], Picture] = open_picture
) -> tuple[Picture, Picture]:
    """A and B of a pair: the halves of its only file, or the first file of each."""
    first = read(files[0])
    return split_halves(first, files[0]) if len(files) == 1 else (first, read(files[files_of_a]))


def to_rgb(picture: Picture) -> Image.Image:
    """A picture in RGB, to look at and to measure: deep pixels are scaled by their type, or else by their values."""
    if isinstance(picture, Image.Image) and picture.mode not in PILLOW_DEEP_MODES:
        return Image.fromarray(pil_to_tensor(picture, "RGB").permute(1, 2, 0).numpy())
    values = to_known_type(picture, "picture")
    values = values[..., :3] if values.shape[2] >= 3 else values[..., :1].repeat(3, axis=2)
    if values.dtype != np.uint8:
        low, high = (0, 65535) if values.dtype == np.uint16 else (float(values.min()), float(values.max()))
        values = ((values.astype(np.float64) - low) / max(high - low, 1e-12) * 255).astype(np.uint8)
    return Image.fromarray(np.ascontiguousarray(values))


def measure_image(picture: Picture, *, edges: bool = True, fine_edges: bool = False) -> ImageStats:
    """Measures one image of a pair."""
    image = to_rgb(picture)
    # Nearest pixels keep the values of a label map, where averages would invent new ones.
    nearest = image.resize((SCALE, SCALE), Image.Resampling.NEAREST)
    statistics = ImageStat.Stat(nearest)
    points = np.asarray(nearest).astype(np.int16)
    small = np.asarray(image.resize((GRID, GRID), Image.Resampling.BOX)).astype(np.int16)
    strength = _edge_strength(image) if edges or fine_edges else np.empty(0)
    grey = bool((points == points[..., :1]).all())
    return ImageStats(
        flip_size(image.size),
        make_thumbnail(image),
        picture_digest(image),
        spread=max(statistics.stddev),
        mean=sum(statistics.mean) / 3,
        colours=_color_features(small, points),
        edges=_edge_grid(strength) if edges else None,
        fine_edges=strength.astype(np.uint8) if fine_edges else None,
        is_grey=grey,
        highest_class=_find_highest_class(picture, image, points),
    )


def _find_highest_class(picture: Picture, image: Image.Image, points: np.ndarray) -> int | None:
    """The highest class of all pixels if the picture looks like a label map; a few pixels rule out most pictures."""
    if isinstance(picture, Image.Image) and picture.mode not in PILLOW_DEEP_MODES:
        if highest_class(points.transpose(2, 0, 1)) is None:
            return None
        return highest_class(np.asarray(image).transpose(2, 0, 1))
    return highest_class(to_known_type(picture, "picture").transpose(2, 0, 1))


def _color_features(small: np.ndarray, points: np.ndarray) -> np.ndarray:
    # Four levels a channel make 64 colours, numbered in base 4. Square roots, so that rare colours count as well.
    shares = np.bincount((small // 64 @ np.array([16, 4, 1])).ravel(), minlength=64) / small[..., 0].size
    steps = _neighbour_differences(points)
    return np.concatenate([np.sqrt(shares), [(steps <= step).mean() for step in STEPS]]).astype(np.float32)


def _edge_strength(image: Image.Image) -> np.ndarray:
    """Strength of edges, (SCALE, SCALE), cut at the 95th percentile so that strong edges do not hide the others."""
    smooth = np.asarray(image.resize((SCALE, SCALE), Image.Resampling.BILINEAR)).astype(np.int16)
    steps = np.pad(_neighbour_differences(smooth), ((0, 1), (0, 1))).astype(np.float32)
    return np.minimum(steps, np.percentile(steps, 95) + 1)


def _edge_grid(strength: np.ndarray) -> np.ndarray:
    """Mean strength of edges in the cells of a grid, (GRID, GRID)."""
    cell = SCALE // GRID
    return strength.reshape(GRID, cell, GRID, cell).mean(axis=(1, 3)).astype(np.float16)


def _neighbour_differences(pixels: np.ndarray) -> np.ndarray:
    """The largest difference of each pixel from its right and lower neighbour, over all channels."""
    planes = np.ascontiguousarray(pixels.transpose(2, 0, 1))  # far faster than interleaved channels
    down, right = np.abs(planes[:, 1:] - planes[:, :-1]), np.abs(planes[:, :, 1:] - planes[:, :, :-1])
    return np.maximum(down[:, :, :-1], right[:, :-1]).max(axis=0)
