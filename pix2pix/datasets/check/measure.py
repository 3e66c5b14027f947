"""Measures one pair for `pix2pix data check`: file types and small statistics of both images."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageOps, ImageStat
from tqdm import tqdm

from pix2pix.core.prefetch import map_in_threads
from pix2pix.data.images.class_numbers import highest_class
from pix2pix.data.images.picture_files import open_image
from pix2pix.datasets.check.scan import ScannedPair
from pix2pix.datasets.near_duplicates import Thumbnail, make_thumbnail, picture_digest

ORIENTATION = 0x0112  # EXIF
SCALE = 256  # both images are measured at this size
GRID = 64
STEPS = (2, 6, 12, 24, 48)  # differences of neighbours, in 255ths
SAMPLE = 600  # pairs whose edges are kept and compared with each other; those of a million would fill the memory


@dataclass(frozen=True)
class FileInfo:
    """What a file's header says.

    Args:
        size: width and height in pixels, before any rotation.
        mode: Pillow's.
        format: Pillow's.
        frames: their number.
        orientation: of EXIF; 1 is upright, 5 to 8 exchange width and height.
        has_transparency: whether any pixel is not opaque.
    """

    size: tuple[int, int]
    mode: str
    format: str
    frames: int
    orientation: int
    has_transparency: bool


class ImageStats(NamedTuple):
    """Measures of one image of a pair.

    Args:
        size: width and height in pixels.
        thumbnail: uint8 (16, 16, 3).
        digest: of size and pixels.
        spread: the largest standard deviation of a channel, in 255ths.
        mean: of all pixels, in 255ths.
        colours: square roots of the shares of 64 colours, then the shares of neighbours that differ by at most STEPS.
        edges: strength of edges on a grid, (64, 64); None where nobody asked for it.
        is_grey: whether no pixel has a colour.
        highest_class: the highest class, where the values look like the classes of a label map; None for a picture.
    """

    size: tuple[int, int]
    thumbnail: Thumbnail
    digest: bytes
    spread: float
    mean: float
    colours: np.ndarray
    edges: np.ndarray | None
    is_grey: bool
    highest_class: int | None


@dataclass(frozen=True)
class PairStats:
    """The measures of a pair, or why it cannot be read.

    Args:
        entry: the pair.
        file_infos: of each readable file.
        sides: the measures of A and B; None when they cannot be read or split.
        seam: of a side-by-side file, the contrast at its middle relative to beside it; None when it is too flat.
        unreadable: each file that cannot be read, and the reason.
    """

    entry: ScannedPair
    file_infos: list[FileInfo] = field(default_factory=list)
    sides: tuple[ImageStats, ImageStats] | None = None
    seam: float | None = None
    unreadable: dict[Path, str] = field(default_factory=dict)

    @property
    def has_odd_width(self) -> bool:
        """Whether it is a side-by-side file of odd width, which has no two equal halves."""
        return len(self.entry.files) == 1 and bool(self.file_infos) and self._upright_width() % 2 == 1

    def _upright_width(self) -> int:
        kind = self.file_infos[0]
        return kind.size[1] if kind.orientation in {5, 6, 7, 8} else kind.size[0]


def measure_pairs(pairs: Sequence[ScannedPair], workers: int | None = None) -> list[PairStats]:
    """Reads and measures all pairs in threads. A file that cannot be read is noted in the result, not raised.

    Edges are kept of every n-th pair only, of SAMPLE pairs in all.
    """
    step = -(-len(pairs) // SAMPLE)
    stats = map_in_threads(lambda i: measure_pair(pairs[i], edges=i % step == 0), range(len(pairs)), threads=workers)
    return list(tqdm(stats, total=len(pairs), unit="pair", desc="reading", disable=None))


def measure_pair(pair: ScannedPair, *, edges: bool = True) -> PairStats:
    """Reads and measures one pair."""
    infos, images, unreadable = [], [], {}
    for file in pair.files:
        try:
            info, image = _open(file)
            infos.append(info)
            images.append(image)
        except Exception as error:  # decoders raise all kinds of errors for damaged files
            unreadable[file] = str(error) or type(error).__name__
    stats = PairStats(pair, infos, unreadable=unreadable)
    if unreadable or stats.has_odd_width:
        return stats
    seam = _seam_strength(images[0]) if len(images) == 1 else None
    a, b = images if len(images) == 2 else _split_halves(images[0])
    return PairStats(pair, infos, (measure_image(a, edges=edges), measure_image(b, edges=edges)), seam)


def _open(file: Path) -> tuple[FileInfo, Image.Image]:
    with open_image(file) as image:
        orientation = image.getexif().get(ORIENTATION, 1)
        frames = getattr(image, "n_frames", 1)
        mode, size = image.mode, image.size
        image.load()
        kind = FileInfo(size, mode, str(image.format), frames, orientation, _has_transparent_pixels(image))
        return kind, to_rgb(ImageOps.exif_transpose(image))


def _has_transparent_pixels(image: Image.Image) -> bool:
    """Whether any pixel is not opaque."""
    if not image.has_transparency_data:
        return False
    return image.convert("RGBA").getchannel("A").histogram()[255] < image.width * image.height


def to_rgb(image: Image.Image) -> Image.Image:
    """Converts to RGB. 16-bit integers are scaled by the range of their type, other deep pixels by their maximum."""
    if image.mode.startswith(("I", "F")):
        values = np.asarray(image, np.float64)
        largest = 65535.0 if image.mode.startswith("I") and values.max() <= 65535 else max(float(values.max()), 1e-12)
        image = Image.fromarray((np.clip(values / largest, 0, 1) * 255).astype(np.uint8))
    return image if image.mode == "RGB" else image.convert("RGB")


def _split_halves(image: Image.Image) -> tuple[Image.Image, Image.Image]:
    middle = image.width // 2
    return image.crop((0, 0, middle, image.height)), image.crop((middle, 0, image.width, image.height))


def measure_image(image: Image.Image, *, edges: bool = True) -> ImageStats:
    """Measures a picture of mode RGB."""
    # Nearest pixels keep the values of a label map, where averages would invent new ones.
    nearest = image.resize((SCALE, SCALE), Image.Resampling.NEAREST)
    statistics = ImageStat.Stat(nearest)
    points = np.asarray(nearest).astype(np.int16)
    small = np.asarray(image.resize((GRID, GRID), Image.Resampling.BOX)).astype(np.int16)
    grey = bool((points == points[..., :1]).all())
    return ImageStats(
        image.size,
        make_thumbnail(image),
        picture_digest(image),
        spread=max(statistics.stddev),
        mean=sum(statistics.mean) / 3,
        colours=_color_features(small, points),
        edges=_edge_grid(image) if edges else None,
        is_grey=grey,
        highest_class=highest_class(points.transpose(2, 0, 1)),
    )


def _color_features(small: np.ndarray, points: np.ndarray) -> np.ndarray:
    # Four levels a channel make 64 colours, numbered in base 4. Square roots, so that rare colours count as well.
    shares = np.bincount((small // 64 @ np.array([16, 4, 1])).ravel(), minlength=64) / small[..., 0].size
    steps = _neighbour_differences(points)
    return np.concatenate([np.sqrt(shares), [(steps <= step).mean() for step in STEPS]]).astype(np.float32)


def _edge_grid(image: Image.Image) -> np.ndarray:
    """Strength of edges, (GRID, GRID), cut at the 95th percentile so that strong edges do not hide the others."""
    smooth = np.asarray(image.resize((SCALE, SCALE), Image.Resampling.BILINEAR)).astype(np.int16)
    steps = np.pad(_neighbour_differences(smooth), ((0, 1), (0, 1))).astype(np.float32)
    cut = np.minimum(steps, np.percentile(steps, 95) + 1)
    cell = SCALE // GRID
    return cut.reshape(GRID, cell, GRID, cell).mean(axis=(1, 3)).astype(np.float16)


def _neighbour_differences(pixels: np.ndarray) -> np.ndarray:
    """The largest difference of each pixel from its right and lower neighbour, over all channels."""
    planes = np.ascontiguousarray(pixels.transpose(2, 0, 1))  # far faster than interleaved channels
    down, right = np.abs(planes[:, 1:] - planes[:, :-1]), np.abs(planes[:, :, 1:] - planes[:, :, :-1])
    return np.maximum(down[:, :, :-1], right[:, :-1]).max(axis=0)


def _seam_strength(image: Image.Image) -> float | None:
    """How much more neighbours differ across the middle than beside it; None for a flat picture."""
    middle = image.width // 2
    if middle < 3:
        return None
    columns = np.asarray(image.crop((middle - 3, 0, middle + 3, image.height))).astype(np.int16)
    # Of six columns around the middle, five steps; the third crosses the seam.
    steps = np.abs(np.diff(columns, axis=1)).mean(axis=(0, 2))
    beside = float(np.delete(steps, 2).mean())
    return float(steps[2]) / beside if beside > 2 else None
