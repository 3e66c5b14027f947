"""Tells the demo page how the inputs of a run are derived from photos; `page/derivations.js` derives them."""

import math
from typing import Any

import numpy as np

from pix2pix.core.instantiate import read_argument
from pix2pix.core.randomness import derive_seed
from pix2pix.data.images.resize import Size
from pix2pix.data.settings import DataSettings
from pix2pix.data.sources.derivations import DEFAULT_AMOUNTS, gaussian_line, place_hole, reduced_size


def describe_derivation(data: DataSettings, size: Size) -> dict[str, Any] | None:
    """The derivation of a picture of `size` (height, width), for JSON; None for a run that derives nothing.

    A hole lies where the translator cuts it into a picture without a name.
    """
    operation = data.operation
    if operation in (None, "lab"):
        return None
    amount = float(data.source.get("amount") or DEFAULT_AMOUNTS.get(operation, 0.0))
    match operation:
        case "edges":
            values = {"low": math.floor(amount / 2), "high": math.floor(amount)}
        case "inpaint":
            random = np.random.default_rng(derive_seed(read_argument(data.source, "seed"), "derivation", ""))
            hole = dict(zip(("top", "left", "side"), place_hole(size, random, amount), strict=True))
            values = hole | {"fill": read_argument(data.source, "fill")}
        case "superres":
            values = dict(zip(("rows", "columns"), reduced_size(size, amount), strict=True))
        case "blur":
            values = {"weights": gaussian_line(amount, min(size) - 1).tolist()}
        case "noise":
            values = {"deviation": amount}
        case _:
            values = {}
    return {"operation": operation} | values
