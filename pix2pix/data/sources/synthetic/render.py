"""Renders elements to a label map and to a shaded, lit photo."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from pix2pix.data.images.class_colours import CMP_FACADES
from pix2pix.data.sources.synthetic import opening_shaders, ornament_shaders, surface_shaders
from pix2pix.data.sources.synthetic.appearance import Appearance, rgb
from pix2pix.data.sources.synthetic.elements import KINDS, Element
from pix2pix.data.sources.synthetic.lighting import draw_fields, occlusion, shadows
from pix2pix.data.sources.synthetic.patch import DRAWS, Field, Patch, mix

Picture = NDArray[np.uint8]

# Kind -> how far it stands out of the wall, in 256ths of the picture.
RELIEF: dict[str, float] = {
    "pillar": 1.5,
    "band": 2.5,
    "deco": 0.8,
    "window": -4.0,
    "door": -4.5,
    "blind": -0.6,
    "display": -3.0,
    "sign": 1.0,
    "awning": 7.0,
    "sill": 3.0,
    "hood": 5.0,
    "eaves": 10.0,
    "slab": 8.0,
}
SHADERS: dict[str, Callable[[Patch, Appearance], Field]] = {
    "sky": surface_shaders.sky,
    "neighbour": surface_shaders.neighbour,
    "street": surface_shaders.street,
    "chimney": surface_shaders.chimney,
    "roof": surface_shaders.roof,
    "wall": surface_shaders.wall,
    "rustic": surface_shaders.rustic,
    "pillar": ornament_shaders.pillar,
    "band": ornament_shaders.band,
    "deco": ornament_shaders.deco,
    "window": opening_shaders.window,
    "door": opening_shaders.door,
    "blind": opening_shaders.blind,
    "display": opening_shaders.display,
    "sign": opening_shaders.sign,
    "awning": opening_shaders.awning,
    "sill": ornament_shaders.sill,
    "hood": ornament_shaders.hood,
    "eaves": ornament_shaders.eaves,
    "slab": ornament_shaders.slab,
}
CODES = {kind: code for code, kind in enumerate(KINDS)}
LABEL_COLOURS = np.array([CMP_FACADES[label] for label in KINDS.values()], dtype=np.uint8)
HEIGHTS = np.array([RELIEF.get(kind, 0.0) for kind in KINDS], dtype=np.float32)
OUTDOORS = np.array([label == "background" for label in KINDS.values()])


class Scene:
    """Elements on a grid of pixels: which one is seen where, behind the railings and with them.

    `behind` and `front` are (H, W) positions in `elements`.
    """

    def __init__(self, elements: Sequence[Element], height: int, width: int) -> None:
        self.codes = np.array([CODES[element.kind] for element in elements])
        self.boxes = _to_pixels(np.array([element.box for element in elements]), height, width)
        self.behind = np.zeros((height, width), dtype=np.intp)
        self._paint(self.behind, self.codes != CODES["railing"])
        self.front = self.behind.copy()
        self._paint(self.front, self.codes == CODES["railing"])

    def _paint(self, owners: NDArray[np.intp], chosen: NDArray[np.bool_]) -> None:
        for position in np.flatnonzero(chosen).tolist():
            top, left, bottom, right = self.boxes[position].tolist()
            owners[top:bottom, left:right] = position


def render_labels(scene: Scene) -> Picture:
    """The label map, (H, W, 3), in the colours of the palette and no others."""
    return LABEL_COLOURS[scene.codes[scene.front]]


def render_photo(scene: Scene, look: Appearance, rng: np.random.Generator) -> Picture:
    """The photo, (H, W, 3)."""
    draws = rng.random((len(scene.codes), DRAWS), dtype=np.float32)
    height, width = scene.behind.shape
    fields = draw_fields(rng, height, width)
    codes = scene.codes[scene.behind]
    photo = np.empty((height * width, 3), dtype=np.float32)
    for kind, shade in SHADERS.items():
        pixels = np.flatnonzero(codes == CODES[kind])
        if len(pixels):
            patch = Patch(pixels, scene.behind.ravel()[pixels], scene.boxes, draws, fields, width)
            photo[pixels] = shade(patch, look)
    photo *= _light(codes, look).reshape(-1, 3)
    pixels = np.flatnonzero(scene.front != scene.behind)
    if len(pixels):
        patch = Patch(pixels, scene.front.ravel()[pixels], scene.boxes, draws, fields, width)
        photo[pixels] = mix(photo[pixels], *ornament_shaders.railing(patch, look))
    return _develop(photo.reshape(height, width, 3), fields["grain"])


def _light(codes: NDArray[np.intp], look: Appearance) -> Field:
    """Light on every pixel, (H, W, 3): the sun where it reaches, the blue sky in the shade, little in the corners."""
    relief = HEIGHTS[codes] * np.float32(max(look.scale, 0.4))  # relief below half a pixel would cast no shadow
    outdoors = OUTDOORS[codes]
    shade = np.where(outdoors, 0, shadows(relief, look) * np.float32(look.shadow))
    open_sky = 1 - 0.5 * np.where(outdoors, 0, occlusion(relief, max(1, round(3 * look.scale))))
    shaded = rgb(0.22, 0.26, 0.36) * look.sunlight
    fall = np.linspace(1.04, 0.93, len(codes), dtype=np.float32)[:, None]  # streets are darker below
    return mix(look.sunlight, shaded, shade) * (open_sky * fall)[..., None]


def _develop(photo: Field, grain: Field) -> Picture:
    """Film: a soft shoulder instead of clipped whites, and a little grain."""
    exposed = photo + 0.012 * grain[..., None]
    exposed = np.where(exposed > 0.8, 0.8 + 0.2 * np.tanh((exposed - 0.8) / 0.2), exposed)
    return (np.clip(exposed, 0, 1) * 255 + 0.5).astype(np.uint8)


def _to_pixels(boxes: NDArray[np.float64], height: int, width: int) -> NDArray[np.intp]:
    """Boxes (n, 4) in whole pixels, none thinner than one and none outside the picture but by its own overhang."""
    corners = np.rint(boxes * [height, width, height, width]).astype(np.intp)
    size = np.array([height, width])
    first = np.clip(corners[:, :2], 0, size - 1)
    return np.concatenate([first, np.clip(corners[:, 2:], first + 1, size)], axis=1)
