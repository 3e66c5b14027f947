"""Draws what labels do not determine: colours, materials, weather and the direction of the sun."""

from collections import Counter
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pix2pix.data.sources.synthetic.elements import Element

Colour = NDArray[Any]
Material = Literal["brick", "plaster", "stone"]

WALLS: dict[str, list[tuple[float, float, float]]] = {
    "brick": [(0.60, 0.31, 0.23), (0.68, 0.42, 0.31), (0.47, 0.27, 0.21), (0.75, 0.60, 0.44), (0.55, 0.36, 0.28)],
    "plaster": [
        (0.88, 0.74, 0.47),
        (0.91, 0.86, 0.73),
        (0.88, 0.66, 0.53),
        (0.73, 0.78, 0.63),
        (0.67, 0.75, 0.81),
        (0.85, 0.64, 0.60),
        (0.90, 0.89, 0.86),
        (0.72, 0.71, 0.68),
        (0.78, 0.48, 0.35),
    ],
    "stone": [(0.81, 0.76, 0.65), (0.77, 0.65, 0.48), (0.63, 0.62, 0.60), (0.52, 0.40, 0.33)],
}
USUAL = 0.85  # share of the buildings that are built of their usual material
TRIMS = [(0.93, 0.91, 0.85), (0.86, 0.81, 0.70), (0.74, 0.70, 0.63), (0.90, 0.89, 0.88)]
FRAMES = [(0.93, 0.92, 0.89), (0.90, 0.87, 0.80), (0.32, 0.22, 0.16), (0.18, 0.24, 0.20), (0.24, 0.25, 0.28)]
PAINTS = [
    (0.20, 0.36, 0.27),
    (0.32, 0.45, 0.40),
    (0.25, 0.35, 0.50),
    (0.45, 0.20, 0.15),
    (0.42, 0.29, 0.18),
    (0.62, 0.60, 0.55),
    (0.16, 0.17, 0.19),
    (0.70, 0.50, 0.22),
]
ROOFS = [(0.36, 0.38, 0.42), (0.62, 0.33, 0.24), (0.45, 0.30, 0.25), (0.42, 0.52, 0.48)]
# (zenith, horizon, clouds, sunlight, strength of shadows, share of lit windows)
WEATHERS = [
    ((0.30, 0.52, 0.82), (0.72, 0.84, 0.94), (0.98, 0.98, 0.97), (1.12, 1.06, 0.96), 0.85, 0.02),
    ((0.45, 0.63, 0.84), (0.83, 0.89, 0.93), (0.97, 0.97, 0.97), (1.07, 1.03, 0.98), 0.70, 0.04),
    ((0.72, 0.76, 0.80), (0.88, 0.90, 0.91), (0.93, 0.94, 0.94), (0.97, 0.98, 1.00), 0.35, 0.10),
    ((0.38, 0.47, 0.70), (0.97, 0.76, 0.58), (0.98, 0.82, 0.70), (1.12, 0.97, 0.80), 0.70, 0.22),
]


class Appearance(NamedTuple):
    """How one building looks at one size. `scale` is the pixels in a 256th of the picture; colours are in [0, 1]."""

    scale: float
    material: Material
    wall: Colour
    trim: Colour
    frame: Colour
    shutter: Colour
    door: Colour
    roof: Colour
    zenith: Colour
    horizon: Colour
    cloud: Colour
    sunlight: Colour
    shadow: float
    lit: float
    sun: tuple[float, float]
    panes: tuple[int, int]
    arch: float
    solid_balconies: bool
    course: float
    sign: float


def usual_material(elements: Sequence[Element]) -> Material:
    """What such a building is mostly built of: the labels hint at the photo's colours, as styles do in real towns."""
    kinds = Counter(element.kind for element in elements)
    if kinds["pillar"]:
        return "stone"
    return "plaster" if kinds["blind"] >= kinds["window"] else "brick"  # a pair of shutters at every window


def draw_appearance(rng: np.random.Generator, scale: float, usual: Material) -> Appearance:
    """Draws the look of a building; `sun` is how far (down, right) a shadow falls per unit of relief."""
    material: Material = usual if rng.random() < USUAL else rng.choice(list(WALLS))
    zenith, horizon, cloud, sunlight, shadow, lit = WEATHERS[rng.choice(len(WEATHERS), p=[0.35, 0.3, 0.2, 0.15])]
    wall = _pick(rng, WALLS[material], jitter=0.05)
    return Appearance(
        scale=scale,
        material=material,
        wall=wall,
        trim=_trim(rng, wall),
        frame=_pick(rng, FRAMES, jitter=0.02),
        shutter=_pick(rng, PAINTS, jitter=0.04),
        door=_pick(rng, PAINTS, jitter=0.04),
        roof=_pick(rng, ROOFS, jitter=0.04),
        zenith=rgb(*zenith),
        horizon=rgb(*horizon),
        cloud=rgb(*cloud),
        sunlight=rgb(*sunlight),
        shadow=shadow,
        lit=lit,
        sun=(rng.uniform(0.6, 1.2), rng.choice([-1.0, 1.0]) * rng.uniform(0.35, 1.0)),
        panes=[(2, 1), (2, 2), (2, 3), (1, 2), (3, 2)][rng.integers(5)],
        arch=float(rng.choice([0.0, 0.0, 0.0, 0.35, 1.0])),
        solid_balconies=bool(rng.random() < 0.3),
        course=rng.uniform(3.0, 4.4) if material == "brick" else rng.uniform(9.0, 15.0),
        sign=rng.random(),
    )


def _trim(rng: np.random.Generator, wall: Colour) -> Colour:
    """The colour of sills, hoods and bands: mostly a light stone, sometimes a shade of the wall."""
    stone = _pick(rng, TRIMS, jitter=0.02)
    return stone if rng.random() < 0.7 else np.clip(0.75 * wall * rng.choice([0.85, 1.2]) + 0.25 * stone, 0, 0.95)


def _pick(rng: np.random.Generator, colours: list[tuple[float, float, float]], *, jitter: float) -> Colour:
    colour = rgb(*colours[rng.integers(len(colours))])
    return np.clip(colour + rng.uniform(-jitter, jitter, 3).astype(np.float32), 0.05, 0.95)


def rgb(red: float, green: float, blue: float) -> Colour:
    """A colour (3,), each channel in [0, 1]."""
    return np.array([red, green, blue], dtype=np.float32)
