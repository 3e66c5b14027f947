"""Measures the flicker of a translated video, and smooths its frames along the motion of the input."""

import numpy as np

from pix2pix.core.extras import import_extra

TOLERANCE = 12.0  # levels of 8 bits by which a moved input may differ before what it shows counts as another thing
SMALLEST = 12  # pixels of a side; the flow compares patches of 8


class Flicker:
    """By how much consecutive outputs differ more than the inputs do, as a mean over pixels, in levels of 8 bits."""

    def __init__(self) -> None:
        self.frames, self.of_outputs, self.of_inputs = 0, 0.0, 0.0
        self._before: tuple[np.ndarray, np.ndarray] | None = None

    def add(self, source: np.ndarray, output: np.ndarray) -> None:
        """Adds the next frame: its input and output, (H, W, 3) of one size, from 0 to 255."""
        if self._before is not None:
            self.of_inputs += float(np.abs(source - self._before[0]).mean())
            self.of_outputs += float(np.abs(output - self._before[1]).mean())
        self.frames, self._before = self.frames + 1, (source, output)

    def __str__(self) -> str:
        steps = max(self.frames - 1, 1)
        outputs, inputs = self.of_outputs / steps, self.of_inputs / steps
        return (
            f"{self.frames} frames; consecutive ones differ by {outputs:.1f} of 255 levels, those of the input by "
            f"{inputs:.1f}: flicker {max(outputs - inputs, 0.0):.1f}"
        )


class MotionSmoother:
    """Mixes each output with the earlier ones, moved along the motion of the inputs.

    The optical flow from the present input to the one before (DIS, Kroeger and others, arXiv 1603.03590) tells where
    each pixel was. The mixture of earlier outputs is moved along it, and counts for less where the moved input differs
    from the present one: where something was uncovered, or the flow is wrong.

    Args:
        weight: the weight of the earlier outputs, from 0 to below 1.

    Raises:
        ValueError: when OpenCV is not installed.
    """

    def __init__(self, weight: float) -> None:
        self.cv2, self.weight = import_extra("cv2", "--smooth", "video"), weight
        self.flow = self.cv2.DISOpticalFlow_create(self.cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        self._before: tuple[np.ndarray, np.ndarray] | None = None

    def smooth(self, source: np.ndarray, output: np.ndarray) -> np.ndarray:
        """The smoothed output; all are RGB from 0 to 255, float32 (H, W, 3), of one size."""
        if self._before is not None and min(source.shape[:2]) >= SMALLEST:
            moved_source, moved_output = self._move(source, *self._before)
            difference = np.abs(moved_source - source).max(axis=2, keepdims=True)
            weight = self.weight * np.exp(-((difference / TOLERANCE) ** 2))
            output = (weight * moved_output + (1 - weight) * output).clip(0, 255).astype(np.float32)
        self._before = source, output
        return output

    def _move(self, source: np.ndarray, *before: np.ndarray) -> list[np.ndarray]:
        """Moves earlier frames, the input first, along the motion to the present input `source`."""
        cv2 = self.cv2
        grey = [cv2.cvtColor(frame.astype(np.uint8), cv2.COLOR_RGB2GRAY) for frame in (source, before[0])]
        flow = self.flow.calc(*grey, None)
        rows, columns = np.indices(source.shape[:2], np.float32)
        places = columns + flow[..., 0], rows + flow[..., 1]
        return [cv2.remap(frame, *places, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE) for frame in before]
