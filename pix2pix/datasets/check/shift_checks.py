"""Checks over the whole data set whether B is shifted or scaled against A, and which single pairs are."""

from collections.abc import Iterator, Sequence

import numpy as np

from pix2pix.core.plurals import pluralize
from pix2pix.datasets.check.findings import Finding, Severity
from pix2pix.datasets.check.measure import SCALE, ImageStats, PairStats
from pix2pix.datasets.check.phase_correlation import Alignment, Shift, estimate_alignment

CLEAR_SET, CLEAR_PAIR = 15.0, 20.0  # standard deviations of a peak: of the sum of all pairs, and of a single pair
MAX_SHIFT, MAX_PAIR_SHIFT = 1.0, 3.0  # of the set, and of a pair against the set, in 256ths of the picture
LARGE_SHIFT = SCALE / 32  # from here on the pairs teach nothing useful
MAX_SCALING = 0.01
Sides = tuple[ImageStats, ImageStats]


def check_shift(read: Sequence[tuple[PairStats, Sides]]) -> Iterator[Finding]:
    """Reports a shift or a scale of all B against all A, and pairs whose shift differs from that of the set."""
    measured = [(reading, a.fine_edges, b.fine_edges) for reading, (a, b) in read]
    sample = [(reading, a, b) for reading, a, b in measured if a is not None and b is not None]
    if not sample:
        return
    found = estimate_alignment([a for _, a, _ in sample], [b for _, _, b in sample])
    size = np.median([sides[1].size for _, sides in read], axis=0) / SCALE  # pixels of B in one of the measurement
    pairs = [reading for reading, _, _ in sample]
    if found.shift.clarity >= CLEAR_SET:
        yield from _check_set(found, size)
        yield from _check_scale(found)
        yield from _check_pairs(found.pairs, found.shift, pairs, size)
    else:  # each pair may lie in another way, which some of them tell alone
        note = "whether B is shifted against A could not be estimated: they have too few edges in common"
        unknown = [Finding("note", "alignment", note, "Look at some pairs (--sheet).")]
        yield from list(_check_pairs(found.pairs, Shift(0, 0, 0), pairs, size)) or unknown


def _check_set(found: Alignment, size: np.ndarray) -> Iterator[Finding]:
    distance = _distance(found.shift)
    if distance <= MAX_SHIFT:
        return
    clear = [shift for shift in found.pairs if shift.clarity >= CLEAR_PAIR]
    far = sum(_distance(shift) > MAX_SHIFT for shift in clear)
    share = f" ({far} of {pluralize(len(clear), 'pair', 'pairs')} with clear edges)" if clear else ""
    severity: Severity = "error" if distance > LARGE_SHIFT else "warning"
    message = f"B lies {_describe(found.shift, size)} where A has it, throughout the set{share}"
    yield Finding(severity, "shifted", message, "Move or crop one of them; look at the contact sheet (--sheet).")


def _check_scale(found: Alignment) -> Iterator[Finding]:
    words = zip(found.scale, (("wider", "narrower"), ("higher", "lower")), strict=True)
    parts = [f"{abs(s - 1):.1%} {more if s > 1 else less}" for s, (more, less) in words if abs(s - 1) > MAX_SCALING]
    if parts:
        message = f"B shows things {' and '.join(parts)} than A, throughout the set"
        yield Finding("warning", "scaled", message, "Resize or crop one of them; look at the contact sheet (--sheet).")


def _check_pairs(
    shifts: Sequence[Shift], of_set: Shift, pairs: Sequence[PairStats], size: np.ndarray
) -> Iterator[Finding]:
    """Reports single pairs whose own shift is clear and another than that of the set, the farthest first."""
    differences = [Shift(s.right - of_set.right, s.down - of_set.down, s.clarity) for s in shifts]
    far = [
        (difference, reading)
        for difference, reading in zip(differences, pairs, strict=True)
        if difference.clarity >= CLEAR_PAIR and _distance(difference) > MAX_PAIR_SHIFT
    ]
    if not far:
        return
    far.sort(key=lambda each: -_distance(each[0]))
    clear = sum(shift.clarity >= CLEAR_PAIR for shift in shifts)
    median = np.median([np.hypot(each.right * size[1], each.down * size[0]) for each, _ in far])
    message = (
        f"{len(far)} of {pluralize(clear, 'pair', 'pairs')} with clear edges are misaligned, by {median:.1f} px in "
    )
    message += f"the median; in the worst, B lies {_describe(far[0][0], size)} where it should"
    files = [file for _, reading in far for file in reading.entry.files]
    yield Finding("warning", "misaligned", message, "Align or remove them.", files)


def _distance(shift: Shift) -> float:
    return float(np.hypot(shift.right, shift.down))


def _describe(shift: Shift, size: np.ndarray) -> str:
    """The shift in pixels of the files, for example `3.1 px right of and 2.0 px above`."""
    steps = ((shift.right * size[1], "right of", "left of"), (shift.down * size[0], "below", "above"))
    least = max(abs(step) for step, *_ in steps) / 4  # what is small beside the other is left out
    parts = [f"{abs(step):.1f} px {more if step > 0 else less}" for step, more, less in steps if abs(step) >= least]
    return " and ".join(parts)
