"""Lays out a synthetic facade: ground floor, storeys, roof and neighbouring houses."""

import numpy as np

from pix2pix.data.sources.synthetic.elements import KINDS, Box, Element, chance
from pix2pix.data.sources.synthetic.storeys import Scheme, draw_scheme, ground_floor, upper_storey

PICTURE = Box(0.0, 0.0, 1.0, 1.0)
PAINTING_ORDER = {kind: position for position, kind in enumerate(KINDS)}


def plan_facade(rng: np.random.Generator) -> list[Element]:
    """The elements of one facade in painting order: later ones cover earlier ones."""
    scheme = draw_scheme(rng)
    outline = _outline(rng)
    roof_height = rng.uniform(0.1, 0.17) if scheme.mansard else 0.0
    roof, body = Box(*outline[:2], outline.top + roof_height, outline.right), outline.part(roof_height, 1.0)
    upper, ground = body.rows([scheme.storeys - 1, rng.uniform(1.0, 1.35)])
    elements = [Element("sky", PICTURE), Element("wall", body), *_surroundings(rng, outline)]
    elements += _roof(rng, scheme, roof) if scheme.mansard else _parapet(rng, body)
    elements += _storeys(rng, scheme, upper) + ground_floor(rng, scheme, ground)
    elements.append(Element("eaves", body.part(-0.008, rng.uniform(0.022, 0.045), -0.015, 1.015)))
    return sorted(elements, key=lambda element: PAINTING_ORDER[element.kind])


def _outline(rng: np.random.Generator) -> Box:
    """Where the building stands; half of all facades fill the width of the picture, as in CMP."""
    left = rng.uniform(0.03, 0.13) if chance(rng, 0.4) else 0.0
    right = rng.uniform(0.03, 0.13) if chance(rng, 0.4) else 0.0
    return Box(rng.uniform(0.05, 0.15), left, 1.0 - rng.uniform(0.035, 0.075), 1.0 - right)


def _surroundings(rng: np.random.Generator, outline: Box) -> list[Element]:
    left = Box(rng.uniform(0.15, 0.5), 0.0, 1.0, outline.left)
    right = Box(rng.uniform(0.15, 0.5), outline.right, 1.0, 1.0)
    neighbours = [Element("neighbour", box) for box in (left, right) if box.width > 0 and chance(rng, 0.75)]
    return [*neighbours, Element("street", Box(outline.bottom, 0.0, 1.0, 1.0))]


def _storeys(rng: np.random.Generator, scheme: Scheme, upper: Box) -> list[Element]:
    """The upper storeys with the pilasters that run through all of them."""
    below_eaves = upper.part(0.035, 1.0)
    rows = below_eaves.rows([scheme.top_weight] + [1.0] * (scheme.storeys - 2))
    elements = [element for row in rows for element in upper_storey(rng, scheme, row)]
    if scheme.pillars:
        columns = upper.columns(scheme.columns)
        edges = [upper.left, *(column.right for column in columns)]
        half = scheme.pillar_width * upper.width / len(columns) / 2
        edges = edges if scheme.pillars == "all" else [edges[0] + half, edges[-1] - half]
        elements += [Element("pillar", Box(upper.top, x - half, upper.bottom, x + half)) for x in edges]
    return elements


def _roof(rng: np.random.Generator, scheme: Scheme, roof: Box) -> list[Element]:
    """A mansard with dormers over some columns, and chimneys."""
    every = int(rng.integers(1, 3))
    elements = [Element("roof", roof)]
    for cell in roof.columns(scheme.columns)[::every]:
        elements.append(Element("window", cell.middle(0.32, 0.88, 0.36)))
        elements.append(Element("hood", cell.middle(0.18, 0.32, 0.48)))
    for _ in range(int(rng.integers(0, 4))):
        x = rng.uniform(0.05, 0.9)
        elements.append(Element("chimney", roof.part(-rng.uniform(0.15, 0.4), 0.3, x, x + rng.uniform(0.03, 0.07))))
    return elements


def _parapet(rng: np.random.Generator, body: Box) -> list[Element]:
    """A flat roof's edge: plain, with a raised centre, or with a row of blocks."""
    form = rng.choice(["plain", "raised", "blocks"])
    if form == "plain":
        return []
    if form == "raised":
        width = rng.uniform(0.2, 0.5)
        return [
            Element("wall", body.middle(-0.05, 0.0, width)),
            Element("band", body.middle(-0.058, -0.042, width + 0.02)),
            Element("deco", body.middle(-0.04, -0.01, width / 3)),
        ]
    count = int(rng.integers(4, 8))
    return [Element("deco", cell.middle(-0.035, 0.0, 0.22)) for cell in body.columns([1.0] * count)]
