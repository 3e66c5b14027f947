"""Segmentation accuracies and intersection over union, from a confusion matrix."""

from collections.abc import Sequence

import torch
from torch import Tensor


class ConfusionMatrix:
    """Counts of (true class, predicted class) over all pixels seen.

    Args:
        classes: how many classes there are.
        ignored: classes whose true pixels are left out.
    """

    def __init__(self, classes: int, ignored: Sequence[int] = ()) -> None:
        self.classes, self.ignored = classes, list(ignored)
        self.counts = torch.zeros(classes, classes, dtype=torch.int64)

    def update(self, predicted: Tensor, true: Tensor) -> None:
        """Adds label maps, int64 of equal shape."""
        if self.ignored:
            judged = torch.isin(true, torch.tensor(self.ignored, device=true.device), invert=True)
            predicted, true = predicted[judged], true[judged]
        index = (true * self.classes + predicted).flatten().cpu()
        self.counts += torch.bincount(index, minlength=self.classes**2).reshape(self.classes, self.classes)

    def compute(self) -> dict[str, float]:
        """`pixel_accuracy`, `class_accuracy` and `class_iou`, each 0 to 1 (Long et al., arXiv 1411.4038, section 5).

        Classes that no true pixel has are left out of the means: there is nothing of them to find.
        """
        counts = self.counts.double()
        right, true, predicted = counts.diag(), counts.sum(dim=1), counts.sum(dim=0)
        seen = true > 0
        return {
            "pixel_accuracy": float(right.sum() / counts.sum().clamp(min=1)),
            "class_accuracy": float((right / true)[seen].mean()) if seen.any() else 0.0,
            "class_iou": float((right / (true + predicted - right))[seen].mean()) if seen.any() else 0.0,
        }
