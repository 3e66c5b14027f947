"""Shaders of large surfaces: walls, roofs, sky, street and the houses next door. Each maps a Patch to (n, 3) RGB."""

import numpy as np

from pix2pix.data.sources.synthetic.appearance import Appearance, rgb
from pix2pix.data.sources.synthetic.patch import Field, Patch, line, mix, ramp, scatter, to_multiple, tone


def wall(p: Patch, look: Appearance) -> Field:
    """Brick, plaster or ashlar, weathered from the top and soiled from the street."""
    if look.material == "brick":
        surface = _masonry(p, look, course=look.course, length=2.3, spread=0.3, joint=0.16)
    elif look.material == "stone":
        surface = _masonry(p, look, course=look.course, length=2.0, spread=0.13, joint=-0.22)
    else:
        surface = _plaster(p, look)
    return _weather(p, surface)


def rustic(p: Patch, look: Appearance) -> Field:
    """The ground floor's banded stone."""
    height = max(look.scale * 10.0, 3.0)
    joint = line(to_multiple(p.y - height / 2, height), max(look.scale * 1.2, 0.6))
    lit = line(to_multiple(p.y - height / 2 - max(1.0, look.scale), height), look.scale)
    stone = mix(look.wall * 0.8, look.trim * 0.85, 0.35)
    return tone(stone, 1.0 + 0.06 * p.noise("rough") + 0.05 * p.noise("grain") - 0.3 * joint + 0.08 * lit)


def roof(p: Patch, look: Appearance) -> Field:
    """Slates in rows, lighter towards the sky."""
    height = max(look.scale * 4.0, 2.0)
    row = np.floor(p.y / height)
    slate = scatter([row, np.floor(p.x / (height * 1.1) + 0.5 * (row % 2))])
    shade = line(to_multiple(p.y, height), min(1.0, look.scale))
    return tone(look.roof, 0.92 + 0.3 * (slate - 0.5) + 0.1 * p.noise("soft") - 0.2 * shade + 0.12 * (1 - p.v))


def chimney(p: Patch, look: Appearance) -> Field:
    """A brick stack with a pale cap."""
    brick = tone(rgb(0.55, 0.36, 0.29), 0.9 + 0.15 * p.noise("grain") + 0.15 * (p.u - 0.5))
    return mix(brick, look.trim * 0.8, (p.v < 0.12).astype(np.float32))


def sky(p: Patch, look: Appearance) -> Field:
    """Clouds before a gradient."""
    clear = mix(look.zenith, look.horizon, ramp(p.v, 0.0, 0.6))
    density = ramp(p.noise("soft") + 0.35 * p.noise("rough"), -0.15, 0.75)
    body = tone(look.cloud, 0.97 + 0.03 * p.noise("rough"))
    return mix(clear, body, density * 0.9)


def neighbour(p: Patch, look: Appearance) -> Field:
    """The house next door, in the haze: a plain wall with rows of dark windows under a roof."""
    base = mix(rgb(0.72, 0.62, 0.52), rgb(0.62, 0.64, 0.66), p.draw(0))
    surface = tone(base, 0.78 + 0.25 * p.draw(1) + 0.05 * p.noise("rough"))
    storey, bay = 30 * look.scale, 18 * look.scale
    y, x = (p.y - 14 * look.scale) % storey, (p.x + bay * p.draw(2)) % bay
    pane = (np.abs(y - storey / 2) < storey * 0.26) & (np.abs(x - bay / 2) < bay * 0.23) & (p.y > 14 * look.scale)
    surface = mix(surface, rgb(0.28, 0.31, 0.35), 0.85 * pane)
    surface = mix(surface, look.roof * 0.9, (p.y < 9 * look.scale).astype(np.float32))
    return mix(surface, look.horizon, 0.2)


def street(p: Patch, look: Appearance) -> Field:
    """Pavement slabs, a kerb, the road."""
    slab = line(to_multiple(p.x - 0.3 * p.y, 13 * look.scale), 0.5 * look.scale)
    pavement = tone(rgb(0.62, 0.60, 0.57), 1 + 0.06 * p.noise("grain") + 0.06 * p.noise("rough") - 0.15 * slab)
    road = tone(rgb(0.30, 0.30, 0.32), 1 + 0.12 * p.noise("grain") + 0.1 * p.noise("soft"))
    kerb = line(p.v - 0.62, 0.0) + (np.abs(p.y - 0.62 * p.h) < max(0.5, 0.8 * look.scale))
    ground = mix(mix(pavement, road, (p.v > 0.62).astype(np.float32)), rgb(0.75, 0.74, 0.71), 0.7 * kerb)
    return tone(ground, 0.62 + 0.38 * ramp(p.y, 0.0, max(2.0, 5 * look.scale)))  # dark where it meets the wall


def _masonry(p: Patch, look: Appearance, *, course: float, length: float, spread: float, joint: float) -> Field:
    """Blocks in running bond, each of its own tone; where courses fall below a pixel pair, only the tones remain."""
    height = max(2.0, round(course * look.scale))
    row = np.floor(p.row / height)
    along = p.col / (height * length) + 0.5 * (row % 2)
    column = np.floor(along)
    block = scatter([row, column]) - 0.5
    resolved = float(np.clip((course * look.scale - 1.5) / 1.5, 0, 1))
    joints = np.maximum((p.row % height) < 1, ((along - column) * height * length) < 1) * resolved
    light = (((p.row % height) >= 1) & ((p.row % height) < 2)) * resolved * 0.06  # the upper edge catches the sky
    hue = look.wall * (1 + np.outer(block, rgb(0.06, 0.0, -0.06)))
    return tone(hue, 1 + spread * block + joint * joints + light + 0.05 * p.noise("grain"))


def _plaster(p: Patch, look: Appearance) -> Field:
    patches = ramp(p.noise("rough") + p.noise("soft"), 0.35, 0.5)
    shade = 1 + 0.05 * p.noise("rough") + 0.035 * p.noise("grain") + 0.05 * p.noise("soft")
    return tone(look.wall, shade - 0.05 * patches)


def _weather(p: Patch, surface: Field) -> Field:
    """Streaks where rain runs down, dirt that rises from the street."""
    streaks = ramp(p.noise("streaks"), 0.15, 1.0) * (0.4 + 0.6 * ramp(p.noise("soft"), -0.4, 0.4))
    dirt = ramp(p.v, 0.75, 1.05)
    return tone(surface, 1 - 0.16 * streaks - 0.12 * dirt) * rgb(1.0, 0.995, 0.985)
