"""Finds by how much one film of a scene is later than another: from their sound, or from how much their frames move."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

STEP = 0.02  # seconds between two values of a curve
MIN_OVERLAP = 2.0  # seconds that both films must show for an offset to be considered; also a quarter of the shorter one
MIN_CORRELATION = 0.4
MIN_LEAD = 0.2  # of the best correlation over that of any other offset
NEIGHBOURHOOD = 0.5  # seconds around the best offset that count as the same
THUMBNAIL = (32, 24)  # width and height, in pixels, at which the motion of frames is measured
NOISE = 0.1  # levels; smaller differences of frames come from the film's compression
SOUND_RATE = 8000  # samples a second


class Curve(NamedTuple):
    """What changes in a film: values at times, in seconds since the film's first frame."""

    kind: str  # motion or sound
    times: np.ndarray
    values: np.ndarray


@dataclass(frozen=True)
class Alignment:
    """The offset of two films, and how sure it is.

    Attributes:
        offset: what A shows, B shows this many seconds later; 0 where that is not known.
        correlation: the correlation of both curves at the best offset; None if the curves cannot be compared.
        runner_up: the highest correlation at an offset more than half a second away.
        kind: the curve that was used: motion or sound.
    """

    offset: float
    correlation: float | None = None
    runner_up: float = 0.0
    kind: str = "motion"

    @property
    def is_sure(self) -> bool:
        """Whether the curves are alike at this offset, and much less alike at any other."""
        return (
            self.correlation is not None
            and self.correlation >= MIN_CORRELATION
            and self.correlation - self.runner_up >= MIN_LEAD
        )

    def describe(self) -> str:
        """The offset that is used, and why, in a sentence."""
        if self.correlation is None:
            return "offset: 0 s. The films have too little motion or time to compare; --offset SECONDS sets another."
        numbers = f"correlation {self.correlation:.2f}, at other offsets at most {self.runner_up:.2f}"
        if self.is_sure:
            return (
                f"offset: {self.offset:.2f} s, found from the {self.kind} ({numbers}); --offset SECONDS sets another."
            )
        return f"offset: 0 s. The films' {self.kind} does not tell another ({numbers}); --offset SECONDS sets one."


def align(a: list[Curve], b: list[Curve]) -> Alignment:
    """The surest alignment by curves of the same kind, with offset 0 where none is sure."""
    found = [_correlate(one, other) for one in a for other in b if one.kind == other.kind]
    best = max(found, key=lambda each: (each.is_sure, (each.correlation or -1.0) - each.runner_up))
    return best if best.is_sure else Alignment(0.0, best.correlation, best.runner_up, best.kind)


def measure_motion(times: np.ndarray, thumbnails: np.ndarray) -> Curve:
    """The mean absolute difference of consecutive frames, from grey thumbnails (frames, H, W), between their times."""
    differences = np.abs(np.diff(thumbnails.astype(np.float32), axis=0)).mean(axis=(1, 2))
    differences[differences < NOISE] = 0.0
    # The root, so that a cut does not outweigh all movements; as a rate, because frame rates may differ.
    return Curve("motion", (times[1:] + times[:-1]) / 2, np.sqrt(differences / np.maximum(np.diff(times), 1e-6)))


def read_loudness(container: Any, start: float) -> Curve | None:
    """The loudness of an open film's sound, in seconds after `start`; None for a film without readable sound."""
    import av

    if not container.streams.audio:
        return None
    resampler = av.AudioResampler(format="flt", layout="mono", rate=SOUND_RATE)
    parts, begin = [], None
    try:
        for frame in container.decode(audio=0):
            begin = frame.time if begin is None else begin
            parts += [part.to_ndarray()[0] for part in resampler.resample(frame)]
    except Exception:
        return None
    size = int(STEP * SOUND_RATE)
    samples = np.concatenate(parts) if parts else np.zeros(0, np.float32)
    windows = samples[: len(samples) // size * size].reshape(-1, size)
    if not len(windows):
        return None
    loudness = np.log10(np.sqrt((windows**2).mean(axis=1)) + 1e-4)
    return Curve("sound", (begin or 0.0) - start + STEP * (np.arange(len(loudness)) + 0.5), loudness)


def _correlate(a: Curve, b: Curve) -> Alignment:
    """Pearson's correlation of two curves at every offset with enough overlap."""
    first, second = _resample(a), _resample(b)
    overlap = max(round(MIN_OVERLAP / STEP), min(len(first), len(second)) // 4)
    lags, correlations = correlate_at_lags(first, second, overlap)
    if not len(lags) or not np.isfinite(correlations).any():
        return Alignment(0.0, kind=a.kind)
    best = int(np.nanargmax(correlations))
    elsewhere = correlations[np.abs(lags - lags[best]) * STEP > NEIGHBOURHOOD]
    offset = lags[best] * STEP + b.times[0] - a.times[0]
    runner_up = float(np.nanmax(elsewhere)) if np.isfinite(elsewhere).any() else 0.0
    return Alignment(round(float(offset), 3), float(correlations[best]), max(runner_up, 0.0), a.kind)


def _resample(curve: Curve) -> np.ndarray:
    count = int((curve.times[-1] - curve.times[0]) / STEP) + 1 if len(curve.times) else 0
    return np.interp(curve.times[0] + STEP * np.arange(count), curve.times, curve.values) if count else np.zeros(0)


def correlate_at_lags(a: np.ndarray, b: np.ndarray, overlap: int) -> tuple[np.ndarray, np.ndarray]:
    """Pearson's correlation of a[i] and b[i + lag] over the overlap, for each lag with one of at least `overlap`.

    Returns the lags and the correlations, NaN where a part does not vary.
    """
    if min(len(a), len(b)) < overlap:
        return np.zeros(0, int), np.zeros(0)
    a, b = a - a.mean(), b - b.mean()
    size = 2 ** (len(a) + len(b) - 1).bit_length()  # a power of two, for which the transform is fast

    def sums(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """The sums of x[i] y[i + lag] over the overlap, for lags from -(len(x) - 1) on."""
        product = np.fft.irfft(np.fft.rfft(y, size) * np.conj(np.fft.rfft(x, size)), size)
        return np.concatenate([product[size - len(x) + 1 :], product[: len(y)]])

    ones_a, ones_b = np.ones_like(a), np.ones_like(b)
    n = np.maximum(sums(ones_a, ones_b).round(), 1)
    mean_a, mean_b = sums(a, ones_b) / n, sums(ones_a, b) / n
    variance_a, variance_b = sums(a**2, ones_b) / n - mean_a**2, sums(ones_a, b**2) / n - mean_b**2
    least = 1e-6 * max(a.var(), 1e-12), 1e-6 * max(b.var(), 1e-12)
    varies = (variance_a > least[0]) & (variance_b > least[1])
    spread = np.sqrt(np.where(varies, variance_a * variance_b, 1.0))
    correlations = np.where(varies, (sums(a, b) / n - mean_a * mean_b) / spread, np.nan)
    lags = np.arange(-(len(a) - 1), len(b))
    enough = n >= overlap
    return lags[enough], correlations[enough]
