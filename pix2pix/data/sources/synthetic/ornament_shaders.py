"""Shaders of what stands out of the wall: sills, hoods, bands, pillars, carvings, balconies. Each gives (n, 3) RGB."""

import numpy as np

from pix2pix.data.sources.synthetic.appearance import Appearance, rgb
from pix2pix.data.sources.synthetic.patch import Field, Patch, line, mix, ramp, scatter, to_multiple, tone

IRON = rgb(0.13, 0.13, 0.15)
LEAF = rgb(0.25, 0.42, 0.18)
PETALS = np.array([[0.85, 0.20, 0.25], [0.92, 0.55, 0.65], [0.95, 0.80, 0.30], [0.90, 0.90, 0.92]], dtype=np.float32)


def sill(p: Patch, look: Appearance) -> Field:
    """A ledge: bright on top, dark underneath."""
    return _stone(p, look, 1.1 - 0.32 * p.v)


def hood(p: Patch, look: Appearance) -> Field:
    """A cornice over a window: a lip, a hollow, a fillet."""
    return _stone(p, look, _profile(p, lip=0.35))


def band(p: Patch, look: Appearance) -> Field:
    """A string course with a moulded profile."""
    return _stone(p, look, _profile(p, lip=0.3) - 0.02)


def eaves(p: Patch, look: Appearance) -> Field:
    """The crowning cornice: a lip over a row of dentils."""
    period = max(4.0, round(6 * look.scale))
    dentils = ((p.x % period) < period / 2) & (p.v > 0.45) & (p.v < 0.8)
    return _stone(p, look, _profile(p, lip=0.3) - 0.22 * dentils * (p.h >= 4))


def pillar(p: Patch, look: Appearance) -> Field:
    """A fluted shaft, round in the light, between a capital and a base."""
    towards_sun = (p.u - 0.5) * -np.sign(look.sun[1])
    roundness = 1.0 + 0.22 * towards_sun - 0.5 * towards_sun**2
    flutes = 0.12 * line(to_multiple(p.x, p.w / 4), look.scale) * (p.w >= 6)
    end = np.minimum(p.y, p.h - p.y) < 0.7 * p.w
    groove = line(np.minimum(p.y, p.h - p.y) - 0.7 * p.w, max(0.7, look.scale))
    return _stone(p, look, np.where(end, 1.06, roundness - flutes) - 0.25 * groove)


def deco(p: Patch, look: Appearance) -> Field:
    """A carved panel: a rosette or a garland in a raised frame."""
    aspect = p.w / p.h
    repeats = np.maximum(1, np.rint(aspect))
    x, y = to_multiple(p.u * repeats - 0.5, 1.0) * 2, (p.v - 0.5) * 2
    radius, angle = np.hypot(x, y), np.arctan2(y, x)
    petals = np.cos(angle * np.where(p.draw(0) < 0.5, 5, 8)) * 0.15 + 0.62
    carved = ramp(petals - radius, -0.06, 0.1) - 0.6 * ramp(0.25 - radius, -0.05, 0.05)
    lit = (-x * np.sign(look.sun[1]) - y) * 0.2 * carved
    rim = p.edge() < max(0.6, 1.2 * look.scale)
    return _stone(p, look, 0.84 + 0.16 * carved + lit + 0.14 * rim * (p.h > 3))


def slab(p: Patch, look: Appearance) -> Field:
    """The floor of a balcony, seen from the street."""
    return _stone(p, look, 1.08 - 0.45 * ramp(p.v, 0.3, 1.0))


def railing(p: Patch, look: Appearance) -> tuple[Field, Field]:
    """Iron bars or stone balusters under a rail, some behind flowers; (n, 3) RGB and how much of it covers, (n,)."""
    post, period, colour = (2.6, 5.0, look.trim) if look.solid_balconies else (1.0, 4.0, IRON)
    period = max(3.0, round(period * look.scale))
    bars = np.where(look.scale < 0.5, 0.36, line(to_multiple(p.x, period), max(0.7, post * look.scale)))
    ends = np.minimum(p.x, p.w - p.x) < max(1.0, 1.5 * look.scale)
    rails = np.minimum(p.y, 0.88 * p.h - p.y) < max(1.0, (2.5 if look.solid_balconies else 1.3) * look.scale)
    cover = np.maximum(bars, min(0.95, 0.4 + 0.6 * look.scale) * (rails | ends))  # thin lines fade, not thicken
    metal = tone(colour, 1.0 + 0.06 * p.noise("grain") - 0.15 * p.v)
    return _flowers(p, look, metal, cover) if not look.solid_balconies else (metal, cover)


def _flowers(p: Patch, look: Appearance, metal: Field, cover: Field) -> tuple[Field, Field]:
    size = max(1.0, 1.6 * look.scale)
    dot = scatter([np.floor(p.row / size), np.floor(p.col / size)])
    height = 0.45 + 0.2 * p.noise("rough") + 0.2 * dot
    bed = (p.draw(0) < 0.35) & (p.v < height) & (dot > 0.08)
    petal = PETALS[(p.draw(1) * len(PETALS)).astype(np.intp)]
    plants = mix(tone(LEAF, 0.7 + 0.8 * scatter([p.row, p.col])), petal, (dot > 0.72) * 0.95)
    return mix(metal, plants, bed.astype(np.float32)), np.maximum(cover, bed)


def _profile(p: Patch, lip: float) -> Field:
    """Light over a moulded profile, top to bottom."""
    return 1.1 - 0.3 * ramp(p.v, lip, lip + 0.15) + 0.16 * ramp(p.v, lip + 0.25, 0.95)


def _stone(p: Patch, look: Appearance, light: Field) -> Field:
    return tone(look.trim, light + 0.04 * p.noise("grain") + 0.05 * p.noise("rough") - 0.04 * p.noise("streaks"))
