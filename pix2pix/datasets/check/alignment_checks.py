"""Checks over the whole data set that the two images of each pair belong together and are aligned.

One pair proves little: an edge in a photo need not be an edge in its map. So every rule first tests whether the whole
set carries enough evidence, and reports nothing where it does not.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from pix2pix.core.plurals import pluralize
from pix2pix.datasets.check.findings import Finding
from pix2pix.datasets.check.measure import PairStats
from pix2pix.datasets.check.pair_similarity import edge_similarity, pair_similarity
from pix2pix.datasets.check.shift_checks import Sides, check_shift

MIN_PAIRS = 24  # with fewer, nothing is reported
MIN_SPREAD = 2  # in 255ths; a flatter image has nothing to compare
RIDGE = 1e-2


def check_alignment(readings: Sequence[PairStats]) -> Iterator[Finding]:
    """Reports swapped images, shifts and wrong partners."""
    read = [(reading, reading.sides) for reading in readings if reading.sides]
    if len(read) < MIN_PAIRS:
        return
    yield from _check_swapped(read)
    some = [
        (reading, sides) for reading, sides in read if all(s.edges is not None and s.spread > MIN_SPREAD for s in sides)
    ]
    if len(some) < MIN_PAIRS:
        return
    shifted = list(check_shift(some))
    yield from shifted
    # A shift explains what looks like wrong partners, so these are looked for among the other pairs.
    moved = {file for finding in shifted for file in finding.files}
    rest = [(reading, sides) for reading, sides in some if moved.isdisjoint(reading.entry.files)]
    if any(finding.kind == "shifted" for finding in shifted) or len(rest) < MIN_PAIRS:
        return
    a, b = ([sides[which] for _, sides in rest] for which in (0, 1))
    match = pair_similarity(a, b)
    yield from _check_order(match)
    yield from _check_mismatches([reading for reading, _ in rest], match, edge_similarity(a, b))


def _check_order(match: np.ndarray) -> Iterator[Finding]:
    """Reports that every A matches the B of a neighbour (a picture is missing), or that no A matches its own B."""
    evidence = {step: _match_strength(match, step) for step in (-2, -1, 0, 1, 2)}
    step = max(evidence, key=lambda step: evidence[step])
    if step and evidence[step] > 8 and evidence[step] > 3 * max(evidence[0], 1):
        side = "after" if step > 0 else "before"
        yield Finding(
            "error",
            "off-by-one",
            f"A matches the B of the pair {abs(step)} {side} it, not its own",
            "A missing or extra picture has shifted all partners: pair them again by name.",
        )
    elif evidence[0] < 4 and len(match) >= 40:
        yield Finding(
            "error",
            "unrelated",
            "A matches its own B no better than any other",
            "Look at the contact sheet (--sheet): if the images do not belong together, pair them again.",
        )


def _match_strength(match: np.ndarray, step: int) -> float:
    """How many standard errors the match of A with the B `step` pairs later is above the mean of all."""
    # The diagonal at `step` holds the matches of each A with the B of the pair `step` places later.
    shifted = np.diag(match, step)
    return float((shifted.mean() - match.mean()) / (match.std() + 1e-9) * np.sqrt(len(shifted)))


def _check_mismatches(some: Sequence[PairStats], match: np.ndarray, edges: np.ndarray) -> Iterator[Finding]:
    """Reports pairs whose images match those of others better by both measures, in a set where nearly all match."""
    # Both measures must agree, and nearly all other pairs must be right: else the measures do not suit these pictures.
    better = np.minimum(_share_of_better_partners(match), _share_of_better_partners(edges))
    mismatched = np.flatnonzero(better > 0.15)
    is_conclusive = _match_strength(edges, 0) / np.sqrt(len(edges)) > 4 and np.quantile(better, 0.95) < 0.02
    if len(mismatched) and is_conclusive:
        yield Finding(
            "error",
            "mismatched",
            f"{pluralize(len(mismatched), 'pair has halves that do', 'pairs have halves that do')} not belong together",
            "Look at them; exchange or remove their partners.",
            [file for i in mismatched for file in some[int(i)].entry.files],
        )


def _share_of_better_partners(match: np.ndarray) -> np.ndarray:
    """For each pair, the share of images that match its A, or its B, better than its own partner; the lower of both."""
    # Along a row the A is the same, along a column the B. An odd one out loses on both sides; a plain picture on one.
    own = np.diag(match)
    return np.minimum((match > own[:, None]).mean(axis=1), (match > own[None]).mean(axis=0))


def _check_swapped(read: Sequence[tuple[PairStats, Sides]]) -> Iterator[Finding]:
    """Reports pairs with A and B exchanged, by colours and flatness, if these tell A from B in all other pairs."""
    scores = side_scores([sides for _, sides in read])
    swapped = np.flatnonzero(scores < -0.4)
    if 0 < len(swapped) <= len(read) / 10 and np.sort(scores)[len(swapped)] > 0.1:
        yield Finding(
            "error",
            "swapped",
            f"{pluralize(len(swapped), 'pair has', 'pairs have')} A and B exchanged",
            "Exchange the halves of these files, or their places in the folders of A and B.",
            [file for i in swapped for file in read[int(i)][0].entry.files],
        )


def side_scores(pairs: Sequence[Sides]) -> np.ndarray:
    """For each pair, Fisher's discriminant of A against B: about 1 as usual, about -1 if they are exchanged."""
    # The direction in feature space that separates A from B best. The ridge keeps the covariance invertible.
    differences = np.stack([a.colours - b.colours for a, b in pairs])
    covariance = np.cov(differences.T) + RIDGE * np.eye(differences.shape[1])
    scores = differences @ np.linalg.solve(covariance, differences.mean(axis=0))
    return scores / max(float(np.median(scores)), 1e-9)
