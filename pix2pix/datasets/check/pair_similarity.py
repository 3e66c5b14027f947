"""Measures how well each image A matches every image B, to detect wrong partners."""

from collections.abc import Sequence

import numpy as np

from pix2pix.datasets.check.measure import GRID, ImageStats
from pix2pix.datasets.near_duplicates import SIDE

RIDGE = 1e-3


def edge_similarity(a: Sequence[ImageStats], b: Sequence[ImageStats]) -> np.ndarray:
    """Correlation of the edges of A of pair i with those of B of pair j, shape (pairs, pairs), in [-1, 1]."""
    return normalize_maps(stack_edges(a)) @ normalize_maps(stack_edges(b)).T


def pair_similarity(a: Sequence[ImageStats], b: Sequence[ImageStats]) -> np.ndarray:
    """How well A of pair i matches B of pair j, shape (pairs, pairs): by edges, and by how well one predicts the other.

    A ridge regression predicts colours and edges of each cell of one image from the 3x3 neighbourhood in the other. It
    is fitted on one half of the pairs and applied to the other half.
    """
    return edge_similarity(a, b) + _prediction_similarity(a, b) + _prediction_similarity(b, a).T


def stack_edges(sides: Sequence[ImageStats]) -> np.ndarray:
    """Stacks the edge grids of images, shape (images, GRID, GRID)."""
    return np.stack([_edges(side) for side in sides])


def normalize_maps(maps: np.ndarray) -> np.ndarray:
    """Subtracts the mean of each map and scales it to length one, shape (maps, values)."""
    flat = maps.reshape(len(maps), -1)
    flat = flat - flat.mean(axis=1, keepdims=True)
    return flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-6)


def _prediction_similarity(inputs: Sequence[ImageStats], targets: Sequence[ImageStats]) -> np.ndarray:
    x, y = (
        np.stack([_neighbourhood_features(side) for side in inputs]),
        np.stack([_cell_features(side) for side in targets]),
    )
    predictions = np.empty_like(y)
    # Each half is predicted by what was fitted on the other: a fit would match its own pairs, right or wrong.
    even = np.arange(len(x)) % 2 == 0
    for train, test in ((even, ~even), (~even, even)):
        predictions[test] = _ridge_regression(x[train], y[train], x[test])
    # In units of each feature's spread, so that colours and edges count alike.
    mean, spread = y.mean(axis=(0, 1)), y.std(axis=(0, 1)) + 1e-6
    return normalize_maps((predictions - mean) / spread) @ normalize_maps((y - mean) / spread).T


def _ridge_regression(x: np.ndarray, y: np.ndarray, new_x: np.ndarray) -> np.ndarray:
    x, y = x.reshape(-1, x.shape[-1]), y.reshape(-1, y.shape[-1])
    x_mean, y_mean = x.mean(axis=0), y.mean(axis=0)
    x = x - x_mean
    # Closed form of ridge regression on centred values: (X'X + r n I) w = X'y.
    weights = np.linalg.solve(x.T @ x + RIDGE * len(x) * np.eye(x.shape[1]), x.T @ (y - y_mean))
    return (new_x - x_mean) @ weights + y_mean


def _cell_features(side: ImageStats) -> np.ndarray:
    """Mean colour and edge strength of each cell, shape (cells, 4)."""
    cell = GRID // SIDE
    edges = _edges(side).reshape(SIDE, cell, SIDE, cell).mean(axis=(1, 3))
    colours = side.thumbnail.astype(np.float32) / 127.5 - 1
    return np.concatenate([colours, edges[..., None] / 50], axis=-1).reshape(SIDE * SIDE, -1)


def _edges(side: ImageStats) -> np.ndarray:
    assert side.edges is not None, "edges were not measured"
    return side.edges.astype(np.float32)


def _neighbourhood_features(side: ImageStats) -> np.ndarray:
    """Colours, their squares and edge strengths of each cell and its eight neighbours, shape (cells, 63)."""
    cells = _cell_features(side)
    # Squares let a linear fit find an intermediate colour. The border repeats its own cells.
    padded = np.pad(
        np.concatenate([cells, cells[:, :3] ** 2], axis=1).reshape(SIDE, SIDE, -1), ((1, 1), (1, 1), (0, 0)), "edge"
    )
    around = [padded[down : down + SIDE, right : right + SIDE] for down in range(3) for right in range(3)]
    return np.concatenate(around, axis=-1).reshape(SIDE * SIDE, -1)
