"""Fills the storeys of a facade: the elements between two columns."""

from typing import Literal, NamedTuple

import numpy as np

from pix2pix.data.sources.synthetic.elements import Box, Element, chance

Pattern = Literal["none", "all", "centre", "sides", "run"]


class Scheme(NamedTuple):
    """What all storeys of one building share.

    `columns` and `top_weight` are weights, `window_*` and `pillar_width` fractions of a cell.
    """

    storeys: int
    columns: list[float]
    top_weight: float
    window_width: float
    window_top: float
    window_bottom: float
    twins: bool
    shutters: bool
    pillars: Literal["", "all", "corners"]
    pillar_width: float
    mansard: bool
    rustic: bool


def draw_scheme(rng: np.random.Generator) -> Scheme:
    """Draws a building of 3 to 6 storeys and 3 to 7 columns."""
    storeys, twins, shutters = int(rng.integers(3, 7)), chance(rng, 0.2), chance(rng, 0.3)
    columns = _columns(rng, fewest=max(3, min(storeys, 5)), most=5 if twins or shutters else 7)
    width = rng.uniform(0.38, 0.46) if shutters else rng.uniform(0.42, 0.62) + 0.12 * twins
    upright = 0.46 * len(columns) / storeys * (1.4 + twins if chance(rng, 0.3) else 1.0 + 0.7 * twins)
    return Scheme(
        storeys=storeys,
        columns=columns,
        top_weight=rng.uniform(0.8, 1.0),
        window_width=min(width, upright),
        window_top=rng.uniform(0.16, 0.23),
        window_bottom=rng.uniform(0.8, 0.86),
        twins=twins and not shutters,
        shutters=shutters,
        pillars=str(rng.choice(["", "all", "corners"])) if not shutters else "",  # pyright: ignore
        pillar_width=rng.uniform(0.14, 0.22),
        mansard=chance(rng, 0.4),
        rustic=chance(rng, 0.55),
    )


def upper_storey(rng: np.random.Generator, scheme: Scheme, storey: Box) -> list[Element]:
    """The windows of one storey with the sills, hoods, blinds, balconies and ornaments it repeats, and its band."""
    cells = storey.columns(scheme.columns)
    hood, apron = chance(rng, 0.5), chance(rng, 0.35)
    balconies: Pattern = rng.choice(["none", "none", "none", "none", "all", "all", "centre", "sides", "run"])
    elements = _run(storey, scheme) if balconies == "run" else []
    for position, cell in enumerate(cells):
        balcony = _has(balconies, position, len(cells))
        elements += _bay(rng, scheme, cell, sill=not balcony and balconies != "run")
        elements += _balcony(cell, scheme) if balcony else []
        elements += [Element("hood", cell.middle(*_above(scheme), scheme.window_width + 0.12))] if hood else []
        elements += _apron(cell, scheme) if apron and not balcony and balconies != "run" else []
    if chance(rng, 0.3):
        elements.append(Element("band", storey.part(0.965, 1.02)))
    return elements


def ground_floor(rng: np.random.Generator, scheme: Scheme, ground: Box) -> list[Element]:
    """Shops, windows and at least one door, under a band."""
    cells = ground.columns(scheme.columns)
    door = int(rng.choice([0, len(cells) // 2, len(cells) - 1]))
    elements = [Element("rustic", ground)] if scheme.rustic else []
    elements.append(Element("band", ground.part(-0.03, rng.uniform(0.03, 0.06))))
    shops = rng.random()
    position = 0
    while position < len(cells):
        two = position + 1 < len(cells) and door not in (position, position + 1) and chance(rng, 0.5)
        cell = Box(*cells[position][:3], cells[position + two].right)
        if position == door:
            elements += _door(rng, cell)
        elif chance(rng, shops):
            elements += _shop(rng, cell)
        else:
            two = False
            elements += _ground_window(cells[position], scheme)
        position += 1 + two
    return elements


def _columns(rng: np.random.Generator, fewest: int, most: int) -> list[float]:
    """Weights of the columns, symmetric about the middle: even, or with a wider centre or wider ends."""
    weights = np.ones(int(rng.integers(fewest, most + 1)))
    form = rng.choice(["even", "even", "centre", "ends"])
    if form == "centre":
        weights[[(len(weights) - 1) // 2, len(weights) // 2]] = rng.uniform(1.2, 1.6)
    if form == "ends":
        weights[[0, -1]] = rng.uniform(1.15, 1.4)
    return weights.tolist()


def _has(pattern: Pattern, position: int, count: int) -> bool:
    centre, side = position in ((count - 1) // 2, count // 2), position in (0, count - 1)
    return pattern == "all" or (pattern == "centre" and centre) or (pattern == "sides" and side)


def _above(scheme: Scheme) -> tuple[float, float]:
    return scheme.window_top - 0.09, scheme.window_top - 0.025


def _bay(rng: np.random.Generator, scheme: Scheme, cell: Box, *, sill: bool) -> list[Element]:
    """A window or two, with shutters beside them or a roller blind let down over them."""
    opening = cell.middle(scheme.window_top, scheme.window_bottom, scheme.window_width)
    panes = opening.columns([1, 0.18, 1])[::2] if scheme.twins else [opening]
    elements = [Element("window", pane) for pane in panes]
    if scheme.shutters:
        sides = opening.part(0, 1, -0.47, -0.02), opening.part(0, 1, 1.02, 1.47)
        elements += [Element("blind", side) for side in sides]
    elif chance(rng, 0.12):
        elements += [Element("blind", pane.part(0, rng.uniform(0.3, 1.0))) for pane in panes]
    if sill:
        elements.append(Element("sill", opening.part(1.0, 1.07, -0.07, 1.07)))
    return elements


def _balcony(cell: Box, scheme: Scheme) -> list[Element]:
    width = min(0.94, scheme.window_width * (1.35 if not scheme.shutters else 1.9))
    floor = scheme.window_bottom + 0.03
    return [
        Element("railing", cell.middle(floor - 0.24, floor, width)),
        Element("slab", cell.middle(floor, floor + 0.055, width + 0.04)),
    ]


def _run(storey: Box, scheme: Scheme) -> list[Element]:
    """One balcony along the whole storey."""
    floor = scheme.window_bottom + 0.03
    return [
        Element("railing", storey.middle(floor - 0.22, floor, 0.95)),
        Element("slab", storey.middle(floor, floor + 0.055, 0.97)),
    ]


def _apron(cell: Box, scheme: Scheme) -> list[Element]:
    below = scheme.window_bottom
    return [Element("deco", cell.middle(below + 0.075, min(below + 0.15, 0.955), scheme.window_width * 0.8))]


def _door(rng: np.random.Generator, cell: Box) -> list[Element]:
    width = min(rng.uniform(0.42, 0.6), 0.75 * rng.uniform(0.5, 0.8) * cell.height / cell.width)
    elements = [Element("door", cell.middle(0.25, 1.0, width))]
    if chance(rng, 0.6):
        elements.append(Element("hood", cell.middle(0.15, 0.22, width + 0.16)))
    if chance(rng, 0.4):
        elements += [
            Element("pillar", cell.middle(0.22, 1.0, width).part(0, 1, -0.17, -0.02)),
            Element("pillar", cell.middle(0.22, 1.0, width).part(0, 1, 1.02, 1.17)),
        ]
    else:
        elements.append(Element("deco", cell.middle(0.08, 0.14, 0.3)))
    return elements


def _shop(rng: np.random.Generator, cell: Box) -> list[Element]:
    """A display window under a sign, half of the time with an awning over it."""
    shop = cell.part(0.13, 1.0, 0.05, 0.95)
    elements = [Element("display", shop), Element("sign", shop.part(0.0, 0.19))]
    if chance(rng, 0.5):
        elements.append(Element("awning", shop.part(0.19, rng.uniform(0.36, 0.46))))
    return elements


def _ground_window(cell: Box, scheme: Scheme) -> list[Element]:
    opening = cell.middle(0.28, 0.74, scheme.window_width)
    sill = Element("sill", opening.part(1.0, 1.08, -0.07, 1.07))
    if scheme.shutters:
        return [Element("window", opening), Element("blind", opening.part(0.0, 0.35)), sill]
    return [Element("window", opening), sill]
