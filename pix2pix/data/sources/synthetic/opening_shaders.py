"""Shaders of openings: windows, doors, blinds and shops. Each maps a Patch to (n, 3) RGB."""

import numpy as np

from pix2pix.data.sources.synthetic.appearance import PAINTS, Appearance, rgb
from pix2pix.data.sources.synthetic.patch import Field, Patch, line, mix, ramp, scatter, to_multiple, tone

DARK = rgb(0.10, 0.12, 0.15)
LAMP = rgb(1.00, 0.80, 0.45)
PAINT = np.array(PAINTS, dtype=np.float32)
GOODS = np.stack(
    [rgb(0.80, 0.30, 0.22), rgb(0.85, 0.68, 0.30), rgb(0.35, 0.50, 0.62), rgb(0.80, 0.76, 0.68), rgb(0.30, 0.40, 0.28)]
)


def window(p: Patch, look: Appearance) -> Field:
    """Glass behind a frame with mullions, under a flat, segmental or round arch."""
    thickness = max(0.75, 2.0 * look.scale)
    inside = _curtains(p, look, _glass(p, look))
    columns, rows = look.panes
    columns = np.where(p.w >= 5 * columns * thickness, columns, np.where(p.w >= 7 * thickness, 2, 1))
    bars = np.maximum(
        line(to_multiple(p.x, p.w / columns), 0.8 * thickness), line(to_multiple(p.y, p.h / rows), 0.8 * thickness)
    )
    border = np.clip(thickness + 0.5 - p.edge(), 0, min(1.0, thickness))
    framed = mix(inside, tone(look.frame, 1.02 - 0.12 * p.v), np.maximum(bars * 0.9, border))
    return mix(framed, look.wall * 0.92, _spandrel(p, look)) if look.arch else framed


def door(p: Patch, look: Appearance) -> Field:
    """Two panelled leaves under a fanlight."""
    thickness = max(0.75, 1.6 * look.scale)
    leaf = tone(look.door, 0.95 + 0.25 * (p.draw(0) - 0.5) + 0.05 * p.noise("grain"))
    x, y = to_multiple(p.u * 2 - 0.5, 1.0), to_multiple((p.v - 0.3) / 0.7 * 3 - 0.5, 1.0)
    rim = np.maximum(np.abs(x), np.abs(y))
    leaf = tone(leaf, 1 + 0.22 * ramp(-x - y, 0.3, 0.7) * (rim > 0.3) * (rim < 0.42) - 0.18 * (rim > 0.42))
    leaf = tone(leaf, 1 - 0.5 * line(p.x - p.w / 2, max(0.6, look.scale)))
    fan = mix(_glass(p, look), look.door * 0.9, line(to_multiple(p.x, p.w / 4), thickness * 0.6))
    whole = mix(leaf, fan, (p.v < 0.22).astype(np.float32))
    whole = mix(whole, look.door * 0.7, line(p.y - 0.22 * p.h, thickness))
    return mix(whole, look.trim * 0.85, np.clip(thickness + 0.5 - np.minimum(p.x, np.minimum(p.w - p.x, p.y)), 0, 1))


def blind(p: Patch, look: Appearance) -> Field:
    """Slats in a frame; the slats fade to an even tone where they would be finer than pixels."""
    period = max(3.0, round(3.0 * look.scale))
    slats = (0.5 - (p.y % period) / period) * min(1.0, 0.5 * look.scale + 0.3)
    colour = tone(look.shutter, 1.05 + 0.3 * (p.draw(0) - 0.5) + 0.45 * slats + 0.04 * p.noise("grain"))
    return tone(colour, 1 + 0.14 * (p.edge() < max(1.0, 1.6 * look.scale)) * (p.w > 4))


def display(p: Patch, look: Appearance) -> Field:
    """A shop window with goods in lamplight between slim posts, on a base."""
    paint = PAINT[(p.draw(0) * len(PAINT)).astype(np.intp)]
    inside = mix(DARK * 1.2, LAMP * 0.75, ramp(1 - np.abs(p.v - 0.45) * 2.4, 0, 1) * (0.15 + 0.75 * p.draw(1)))
    inside = _goods(p, look, inside)
    inside = mix(inside, look.horizon, 0.35 * _streak(p))
    posts = line(to_multiple(p.x, p.w / np.maximum(1, np.rint(p.w / (22 * look.scale)))), max(0.8, 1.8 * look.scale))
    whole = mix(inside, tone(paint, 1 + 0.05 * p.noise("grain")), np.maximum(posts, p.v > 0.88))
    return mix(whole, paint * 0.75, line(p.y - 0.88 * p.h, max(0.8, look.scale)))


def sign(p: Patch, look: Appearance) -> Field:
    """A painted board with lettering, as strokes too small to read."""
    paint = PAINT[((p.draw(0) + look.sign) % 1 * len(PAINT)).astype(np.intp)]
    size = max(1.0, round(1.3 * look.scale))
    letter, across = np.floor(p.x / size / 4), np.floor(p.x / size) % 4
    stroke = scatter([letter, across, np.floor(p.y / size)]) < 0.62
    text = stroke & (across < 3) & (np.abs(p.v - 0.5) < 0.22) & (np.abs(p.u - 0.5) < 0.2 + 0.2 * p.draw(1))
    text = text & (scatter([letter, p.draw(0) * 99]) < 0.88)
    ink = np.where((paint.mean(axis=1) > 0.42)[:, None], rgb(0.15, 0.13, 0.12), rgb(0.95, 0.90, 0.76))
    board = tone(paint, 1.05 - 0.12 * p.v + 0.12 * (p.edge() < max(1.0, look.scale)))
    return mix(board, ink, 0.9 * text)


def awning(p: Patch, look: Appearance) -> Field:
    """Striped cloth with a scalloped hem that hangs in front of the glass."""
    cloth = PAINT[((p.draw(0) * 7 + look.sign) % 1 * len(PAINT)).astype(np.intp)] * 1.25
    width = max(2.0, round(5 * look.scale))
    stripes = np.floor(p.x / width) % 2
    pale = rgb(0.93, 0.90, 0.83)
    fabric = tone(mix(cloth, pale, stripes * (p.draw(1) < 0.7)), 1.08 - 0.3 * p.v + 0.04 * p.noise("grain"))
    hem = ramp(p.y - p.h + look.scale * (1 + 2.5 * np.abs(to_multiple(p.x, width) / width * 2)), 0, 1)
    return mix(fabric, DARK, 0.75 * hem * (look.scale > 0.5))


def _glass(p: Patch, look: Appearance) -> Field:
    """Dark rooms that mirror the sky above the roofs across the street; some are lit."""
    horizon = 0.15 + 0.75 * p.draw(0) + 0.12 * p.noise("rough")
    mirrored = mix(look.zenith, look.horizon, 0.4 + 0.6 * p.v) * 0.8
    glass = mix(mirrored, DARK + 0.06 * p.draw(1)[:, None], 0.15 + 0.72 * ramp(p.v - horizon, -0.12, 0.12))
    glass = mix(glass, look.cloud, 0.3 * _streak(p))
    lit = p.draw(2) < look.lit
    return mix(glass, tone(LAMP, 0.95 - 0.4 * np.abs(p.v - 0.35)), 0.9 * lit)


def _streak(p: Patch) -> Field:
    return ramp(0.16 - np.abs(p.u + 0.55 * p.v - 1.9 * p.draw(3) + 0.15), 0.0, 0.06)


def _curtains(p: Patch, look: Appearance, glass: Field) -> Field:
    """Drapes at the sides, a half curtain, a lace over the whole window, or nothing."""
    style = p.draw(4)
    drapes = (style < 0.28) & (np.abs(p.u - 0.5) > 0.28 - 0.12 * p.v + 0.1 * p.draw(5))
    half = (style > 0.28) & (style < 0.4) & (p.v > 0.5)
    lace = (style > 0.4) & (style < 0.5)
    folds = 0.86 + 0.14 * np.sin(p.x * (1.5 / max(look.scale, 0.5))) * min(1.0, look.scale)
    cloth = tone(mix(rgb(0.86, 0.83, 0.77), rgb(0.75, 0.62, 0.50), p.draw(5)), folds - 0.15 * p.v)
    return mix(glass, cloth, 0.75 * drapes + 0.7 * half + 0.45 * lace)


def _spandrel(p: Patch, look: Appearance) -> Field:
    """Where the wall fills the corners above an arch."""
    rise = np.minimum(look.arch * p.w / 2, 0.45 * p.h)
    radius = np.hypot((p.x / p.w - 0.5) * 2, np.minimum(p.y - rise, 0) / rise)
    return ramp((radius - 1) * np.minimum(rise, p.w / 2), -0.5, 0.5) * (p.y < rise)


def _goods(p: Patch, look: Appearance, inside: Field) -> Field:
    size = max(2.0, 5.0 * look.scale)
    row, column = np.floor(p.y / size / 1.4), np.floor(p.x / size)
    kind, height = scatter([row, column]), scatter([column, row])
    standing = p.y / size / 1.4 - row > 0.2 + height  # some shelves are empty, no two goods equally tall
    shelf = standing & (p.v > 0.35) & (np.abs(to_multiple(p.x - size / 2, size)) < (0.25 + 0.2 * kind) * size)
    return mix(inside, GOODS[(kind * len(GOODS)).astype(np.intp)] * 0.85, 0.7 * shelf)
