"""Checks over the whole set that the two images of each pair belong together and are aligned.

One pair alone proves little: an edge of a photo need not be one of its map. So every rule first asks whether the set as
a whole lets such a thing be told, and stays silent where it does not.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from pix2pix.datasets.check.findings import Finding, format_count
from pix2pix.datasets.check.measure import GRID, ImageStats, PairStats
from pix2pix.datasets.check.pair_similarity import edge_similarity, normalize_maps, pair_similarity, stack_edges

FEWEST = 24  # pairs below which nothing is said of the set
FLAT = 2  # spread in 255ths below which an image shows nothing that could agree
RIDGE = 1e-2
CELL = 100 / GRID  # a step of the edge grid in per cent of the picture
Sides = tuple[ImageStats, ImageStats]


def check_alignment(readings: Sequence[PairStats]) -> Iterator[Finding]:
    """Findings on plain photos taken for pairs, exchanged halves, alignment and partners."""
    read = [(reading, reading.sides) for reading in readings if reading.sides]
    if len(read) < FEWEST:
        return
    yield from _check_seams([reading for reading, _ in read])
    yield from _check_swapped(read)
    some = [(reading, sides) for reading, sides in read if all(s.edges is not None and s.spread > FLAT for s in sides)]
    if len(some) < FEWEST:
        return
    a, b = ([sides[which] for _, sides in some] for which in (0, 1))
    shifted = list(_check_shift(a, b))
    match = pair_similarity(a, b)
    yield from shifted or [*_check_order(match), *_check_mismatches([r for r, _ in some], match, edge_similarity(a, b))]


def _check_shift(a: Sequence[ImageStats], b: Sequence[ImageStats]) -> Iterator[Finding]:
    """All B displaced against all A: the mean cross-correlation of their edges has its peak elsewhere than at 0."""
    spectra = [np.fft.rfft2(normalize_maps(stack_edges(sides)).reshape(-1, GRID, GRID)) for sides in (a, b)]
    surfaces = np.fft.irfft2(np.conj(spectra[0]) * spectra[1], s=(GRID, GRID))
    (down, right), (again_down, again_right) = (_find_peak(surfaces[half::2].mean(axis=0)) for half in (0, 1))
    surface = surfaces.mean(axis=0)
    height = (surface.max() - np.median(surface)) / (surface.std() + 1e-12)
    settled = height > 6 and surface.max() > 1.5 * surface[0, 0] and max(abs(down), abs(right)) > 1
    if settled and abs(down - again_down) <= 1 and abs(right - again_right) <= 1:
        directions = ((down, "below", "above"), (right, "right of", "left of"))
        where = [f"{abs(steps) * CELL:.0f}% {more if steps > 0 else less}" for steps, more, less in directions if steps]
        yield Finding(
            "error",
            "shifted",
            f"B lies {' and '.join(where)} where A has it, throughout the set",
            "Move or crop one of them; look at the contact sheet (--sheet).",
        )


def _find_peak(surface: np.ndarray) -> tuple[int, int]:
    """Where a cyclic surface is highest, as displacements down and right."""
    row, column = np.unravel_index(surface.argmax(), surface.shape)
    half = GRID // 2
    return (int(row) + half) % GRID - half, (int(column) + half) % GRID - half


def _check_order(match: np.ndarray) -> Iterator[Finding]:
    """One missing picture at the front, and by order every A meets its neighbour's B; or they are strangers all."""
    evidence = {step: _match_strength(match, step) for step in (-2, -1, 0, 1, 2)}
    step = max(evidence, key=lambda step: evidence[step])
    if step and evidence[step] > 8 and evidence[step] > 3 * max(evidence[0], 1):
        side = "after" if step > 0 else "before"
        yield Finding(
            "error",
            "off-by-one",
            f"A agrees with the B of the pair {abs(step)} {side} it, not with its own",
            "One picture too few or too many has moved all partners: pair them anew by name.",
        )
    elif evidence[0] < 4 and len(match) >= 40:
        yield Finding(
            "error",
            "unrelated",
            "A agrees with its own B no better than with any other",
            "Look at the contact sheet (--sheet): if the halves do not belong together, pair them anew.",
        )


def _match_strength(match: np.ndarray, step: int) -> float:
    """By how many standard errors A agrees better with the B of the pair `step` places on than with any."""
    found = np.diag(match, step)
    return float((found.mean() - match.mean()) / (match.std() + 1e-9) * np.sqrt(len(found)))


def _check_mismatches(some: Sequence[PairStats], match: np.ndarray, edges: np.ndarray) -> Iterator[Finding]:
    """Single pairs whose halves go better with others', by both measures, in a set where nearly all know their own."""
    better = np.minimum(_share_of_better_partners(match), _share_of_better_partners(edges))
    strange = np.flatnonzero(better > 0.15)
    known = _match_strength(edges, 0) / np.sqrt(len(edges)) > 4 and np.quantile(better, 0.95) < 0.02
    if len(strange) and known:
        yield Finding(
            "error",
            "mismatched",
            f"{format_count(len(strange), 'pair has halves that do', 'pairs have halves that do')} not belong together",
            "Look at them; exchange or remove their partners.",
            [file for i in strange for file in some[int(i)].entry.files],
        )


def _share_of_better_partners(match: np.ndarray) -> np.ndarray:
    """For each pair the share of all images that go better with its A, or with its B, than its own: the lower one."""
    own = np.diag(match)
    return np.minimum((match > own[:, None]).mean(axis=1), (match > own[None]).mean(axis=0))


def _check_swapped(read: Sequence[tuple[PairStats, Sides]]) -> Iterator[Finding]:
    """A where B should be: by colours and flatness, where these tell A from B in all the other pairs."""
    scores = side_scores([sides for _, sides in read])
    swapped = np.flatnonzero(scores < -0.4)
    if 0 < len(swapped) <= len(read) / 10 and np.sort(scores)[len(swapped)] > 0.1:
        yield Finding(
            "error",
            "swapped",
            f"{format_count(len(swapped), 'pair has', 'pairs have')} A and B exchanged",
            "Exchange the halves of these files, or their places in the folders of A and B.",
            [file for i in swapped for file in read[int(i)][0].entry.files],
        )


def side_scores(pairs: Sequence[Sides]) -> np.ndarray:
    """How clearly A is an A and B a B in each pair: 1 as usual, -1 as if exchanged (Fisher's discriminant)."""
    differences = np.stack([a.colours - b.colours for a, b in pairs])
    covariance = np.cov(differences.T) + RIDGE * np.eye(differences.shape[1])
    scores = differences @ np.linalg.solve(covariance, differences.mean(axis=0))
    return scores / max(float(np.median(scores)), 1e-9)


def _check_seams(read: Sequence[PairStats]) -> Iterator[Finding]:
    """Single pictures taken for side-by-side files: there is no seam in the middle."""
    seams = [reading.seam for reading in read if reading.seam is not None]
    if len(seams) > len(read) / 2 and float(np.median(seams)) < 1.3:
        yield Finding(
            "error",
            "no-seam",
            "the files look like single pictures: nothing changes from their left to their right half",
            "Make the input from them: pix2pix train data=derived, or pix2pix data prepare derive.",
            sorted({file.parent for reading in read for file in reading.entry.files}),
        )
