"""Detects edges with a network in an ONNX file, such as HED."""

from functools import cache
from typing import Any

import numpy as np
from PIL import Image

from pix2pix.core.extras import import_extra


def detect_edges(picture: Image.Image, model: str) -> Image.Image:
    """Detects the edges of a picture with the ONNX file `model`. Returns them black on white, mode L.

    The model takes float32 (1, 3, height, width), RGB in [0, 1], of any size, and returns (1, 1, height, width), the
    probability of an edge or its logit. Of several outputs the last is used; in HED it is the fusion of the others.

    Raises:
        ValueError: for a model with another output, or when onnxruntime is missing.
    """
    session = _load_session(model)
    pixels = np.asarray(picture.convert("RGB"), np.float32).transpose(2, 0, 1)[None] / 255
    edges = np.asarray(session.run(None, {session.get_inputs()[0].name: pixels})[-1], np.float32)
    if edges.shape != (1, 1, picture.height, picture.width):
        raise ValueError(
            f"{model}: returns {edges.shape} for a picture of {picture.width}x{picture.height}; "
            f"an edge detector gives (1, 1, {picture.height}, {picture.width})."
        )
    # Outside 0 to 1 they are logits.
    if edges.min() < 0 or edges.max() > 1:
        edges = 1 / (1 + np.exp(-edges))
    return Image.fromarray(((1 - edges[0, 0]) * 255).round().astype(np.uint8))


@cache
def _load_session(model: str) -> Any:
    onnxruntime = import_extra("onnxruntime", "--detector", "detector")
    try:
        return onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's own exceptions have no common public parent
        raise ValueError(f"{model}: cannot be read as an ONNX model ({error}).") from error
