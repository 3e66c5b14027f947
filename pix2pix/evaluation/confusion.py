"""Segmentation accuracies and intersection over union, from a confusion matrix."""

from collections.abc import Sequence

import torch
from torch import Tensor


class ConfusionMatrix:
    """Counts of (true class, predicted class) over all pixels; true classes below 0 are no classes and not counted.

    Args:
        classes: number of classes.
        ignored: classes whose true pixels are not counted.
    """

    def __init__(self, classes: int, ignored: Sequence[int] = ()) -> None:
        self.classes, self.ignored = classes, list(ignored)
        self.counts = torch.zeros(classes, classes, dtype=torch.int64)

    def update(self, predicted: Tensor, true: Tensor) -> None:
        """Adds label maps, int64 of equal shape."""
        mask = true >= 0
        if self.ignored:
            mask &= torch.isin(true, torch.tensor(self.ignored, device=true.device), invert=True)
        predicted, true = predicted[mask], true[mask]
        index = (true * self.classes + predicted).flatten().cpu()
        self.counts += torch.bincount(index, minlength=self.classes**2).reshape(self.classes, self.classes)

    def compute(self) -> dict[str, float]:
        """`pixel_accuracy`, `class_accuracy` and `class_iou`, each 0 to 1 (Long et al., arXiv 1411.4038, section 5).

        Classes without true pixels are left out of the means.
        """
        counts = self.counts.double()
        correct, true, predicted = counts.diag(), counts.sum(dim=1), counts.sum(dim=0)
        present = true > 0
        return {
            "pixel_accuracy": float(correct.sum() / counts.sum().clamp(min=1)),
            "class_accuracy": float((correct / true)[present].mean()) if present.any() else 0.0,
            "class_iou": float((correct / (true + predicted - correct))[present].mean()) if present.any() else 0.0,
        }
