"""Estimates how B lies against A over a set of pairs, by phase correlation of their edges.

The product of two spectra, one of them conjugate, with all amplitudes set to 1, is the spectrum of a surface that has
its peak at the shift (Kuglin and Hines, The phase correlation image alignment method, 1975). Edges are what a photo and
its label map have in common. The surfaces of all pairs are added up: a peak that no single pair shows is clear in
their sum.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import NamedTuple

import numpy as np

BLUR = 1.0  # pixels; smooths the surface, so that its peak can be placed between pixels
GUARD = 6  # pixels around a peak that are not part of its background
MAX_QUARTER_SHIFT = 14  # pixels, of a quarter of the picture against the whole
CLEAR_QUARTER = 8.0  # standard deviations


class Shift(NamedTuple):
    """By how many pixels B lies right of A and below A, and by how many standard deviations the peak stands out."""

    right: float
    down: float
    clarity: float


class Alignment(NamedTuple):
    """How B lies against A over a set.

    Args:
        shift: the shift of the whole set, at the centre of the picture.
        scale: how much wider and higher things are in B, as factors; 1 where it cannot be told.
        pairs: the shift of each pair alone.
    """

    shift: Shift
    scale: tuple[float, float]
    pairs: list[Shift]


def estimate_alignment(a: Sequence[np.ndarray], b: Sequence[np.ndarray]) -> Alignment:
    """The alignment of maps of edges, (side, side) each and all of one even size."""
    pairs, total = [], 0.0
    for own, unrelated in _cross_powers(a, b, lambda image: image[None]):
        pairs.append(_find_peak(_surface(own[0])))
        # What unrelated pictures also have in common, such as a border, says nothing of the pairs.
        total = total + own[0] - unrelated[0]
    shift = _find_peak(_surface(np.asarray(total)))
    moved = [np.roll(image, (-round(shift.down), -round(shift.right)), axis=(0, 1)) for image in b]
    return Alignment(shift, _estimate_scale(a, moved), pairs)


def _estimate_scale(a: Sequence[np.ndarray], b: Sequence[np.ndarray]) -> tuple[float, float]:
    """Fits a line to the shifts of the quarters: where B is larger, they are shifted outwards."""
    total = 0.0
    for own, unrelated in _cross_powers(a, b, _cut_quarters):
        total = total + own - unrelated
    shifts = [_find_peak(_surface(spectrum), MAX_QUARTER_SHIFT) for spectrum in np.asarray(total)]
    clear = np.array([shift.clarity > CLEAR_QUARTER for shift in shifts])
    if clear.sum() < 3:  # two may lie beside each other
        return 1.0, 1.0
    weights = np.array([shift.clarity for shift in shifts])[clear]
    places, offsets = _find_places(a)[clear], np.array([shift[:2] for shift in shifts])[clear]
    slopes = [float(np.polyfit(places[:, axis], offsets[:, axis], 1, w=weights)[0]) for axis in (0, 1)]
    return 1 + slopes[0], 1 + slopes[1]


def _find_places(images: Sequence[np.ndarray]) -> np.ndarray:
    """The place of each quarter (4, 2), right and down: the centre of what its window shows, over all images."""
    grid = np.mgrid[: images[0].shape[0], : images[0].shape[1]]
    content = _cut_quarters(sum((image.astype(float) for image in images), np.zeros(images[0].shape)))
    content = content * _window(content.shape[-1]) + 1e-9
    down, right = ((_cut_quarters(axis) * content).sum(axis=(1, 2)) / content.sum(axis=(1, 2)) for axis in grid)
    return np.stack([right, down], axis=1)


def _cut_quarters(image: np.ndarray) -> np.ndarray:
    """The quarters (4, side, side) of an image (H, W)."""
    return np.concatenate([np.stack(np.hsplit(half, 2)) for half in np.vsplit(image, 2)])


def _cross_powers(
    a: Sequence[np.ndarray], b: Sequence[np.ndarray], cut: Callable[[np.ndarray], np.ndarray]
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """For each pair, the phases of its A with its own B, and with the B of a pair half the set away."""
    half = len(b) // 2
    partners = [_spectrum(cut(image)) for image in b]
    for image, partner, stranger in zip(a, partners, [*partners[half:], *partners[:half]], strict=True):
        conjugate = np.conj(_spectrum(cut(image)))
        yield _whiten(conjugate * partner), _whiten(conjugate * stranger)


def _spectrum(images: np.ndarray) -> np.ndarray:
    """The spectra of images (N, side, side), which a window fades out towards their borders."""
    window = _window(images.shape[-1])
    values = images.astype(np.float32)
    means = (values * window).sum(axis=(1, 2), keepdims=True) / window.sum()
    return np.fft.rfft2((values - means) * window)


def _whiten(spectra: np.ndarray) -> np.ndarray:
    """Sets amplitudes to 1, except those that are only rounding."""
    amplitudes = np.abs(spectra)
    return spectra / (amplitudes + 1e-6 * amplitudes.max(axis=(-2, -1), keepdims=True) + 1e-9)


def _surface(spectrum: np.ndarray) -> np.ndarray:
    """The surface of a spectrum, with the shift of 0 in its middle."""
    side = spectrum.shape[0]
    return np.fft.fftshift(np.fft.irfft2(spectrum * _gaussian(side), s=(side, side)))


@cache
def _window(side: int) -> np.ndarray:
    rise = np.hanning(side + 2)[1:-1].astype(np.float32)
    return np.outer(rise, rise)


@cache
def _gaussian(side: int) -> np.ndarray:
    """The spectrum of a Gaussian of BLUR pixels."""
    squares = np.fft.fftfreq(side)[:, None] ** 2 + np.fft.rfftfreq(side)[None] ** 2
    return np.exp(-2 * (np.pi * BLUR) ** 2 * squares)


def _find_peak(surface: np.ndarray, radius: int | None = None) -> Shift:
    """The highest point of a surface, at most `radius` from its middle, placed between pixels by parabolas."""
    middle = len(surface) // 2
    radius = middle - 1 if radius is None else radius
    inner = surface[middle - radius : middle + radius + 1, middle - radius : middle + radius + 1]
    place = np.array(np.unravel_index(inner.argmax(), inner.shape)) + middle - radius
    row, column = (int(value) for value in place)
    background = np.ones(surface.shape, bool)
    background[max(row - GUARD, 0) : row + GUARD + 1, max(column - GUARD, 0) : column + GUARD + 1] = False
    rest = surface[background]
    clarity = float((surface[row, column] - rest.mean()) / (rest.std() + 1e-12))
    last = len(surface) - 1
    across = _find_vertex(*(surface[row, min(column + step, last)] for step in (-1, 0, 1)))
    along = _find_vertex(*(surface[min(row + step, last), column] for step in (-1, 0, 1)))
    return Shift(column - middle + across, row - middle + along, clarity)


def _find_vertex(left: float, centre: float, right: float) -> float:
    """Where the parabola through three neighbours has its vertex, in pixels from the one in the centre."""
    curvature = left - 2 * centre + right
    return 0.0 if curvature == 0 else float(np.clip((left - right) / (2 * curvature), -0.5, 0.5))
