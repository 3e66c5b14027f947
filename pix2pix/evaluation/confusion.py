"""Segmentation accuracies and intersection over union, from a confusion matrix."""

from collections.abc import Sequence

import torch
from torch import Tensor

from pix2pix.evaluation.bootstrap import Interval, bootstrap_intervals


class ConfusionMatrix:
    """Counts of (true class, predicted class) over all pixels; true classes below 0 are no classes and not counted.

    Args:
        classes: number of classes.
        ignored: classes whose true pixels are not counted.
    """

    def __init__(self, classes: int, ignored: Sequence[int] = ()) -> None:
        self.classes, self.ignored = classes, list(ignored)
        self.counts = torch.zeros(classes, classes, dtype=torch.int64)
        self.pictures: dict[str, Tensor | int] = {}  # of each: correct, true and predicted pixels by class

    def update(self, predicted: Tensor, true: Tensor, names: Sequence[str] = ()) -> None:
        """Adds label maps, int64 of equal shape: (H, W), or (B, H, W) with the names of the pictures.

        Maps of the same name, such as several outputs for one input, count as one picture in the intervals.
        """
        if not names:
            self._add(f"unnamed {len(self.pictures)}", predicted, true)
        for name, *maps in zip(names, predicted, true, strict=True) if names else ():
            self._add(name, *maps)

    def _add(self, name: str, predicted: Tensor, true: Tensor) -> None:
        mask = true >= 0
        if self.ignored:
            mask &= torch.isin(true, torch.tensor(self.ignored, device=true.device), invert=True)
        predicted, true = predicted[mask], true[mask]
        index = (true * self.classes + predicted).flatten().cpu()
        counts = torch.bincount(index, minlength=self.classes**2).reshape(self.classes, self.classes)
        self.counts += counts
        sums = torch.stack([counts.diag(), counts.sum(dim=1), counts.sum(dim=0)]).double()
        self.pictures[name] = self.pictures.get(name, 0) + sums

    def compute(self) -> dict[str, float]:
        """`pixel_accuracy`, `class_accuracy` and `class_iou`, each 0 to 1 (Long et al., arXiv 1411.4038, section 5).

        Classes without true pixels are left out of the means.
        """
        correct, true, predicted = self.counts.diag(), self.counts.sum(dim=1), self.counts.sum(dim=0)
        scores = _scores(torch.stack([correct, true, predicted]).double())
        return {name: float(value) for name, value in scores.items()}

    def intervals(self) -> dict[str, Interval]:
        """The 95 % interval of each score over pictures that are drawn with replacement."""
        table = torch.stack([torch.as_tensor(sums) for sums in self.pictures.values()])

        def resample(counts: Tensor) -> dict[str, Tensor]:
            return _scores((counts @ table.flatten(1)).reshape(len(counts), *table.shape[1:]))

        return bootstrap_intervals(resample, len(table))


def _scores(counts: Tensor) -> dict[str, Tensor]:
    """The scores, of counts (..., 3, classes) of correct, true and predicted pixels of each class."""
    correct, true, predicted = counts.unbind(dim=-2)
    present = true > 0
    number = present.sum(dim=-1).clamp(min=1)
    union = (true + predicted - correct).clamp(min=1)
    return {
        "pixel_accuracy": correct.sum(dim=-1) / true.sum(dim=-1).clamp(min=1),
        "class_accuracy": (correct / true.clamp(min=1) * present).sum(dim=-1) / number,
        "class_iou": (correct / union * present).sum(dim=-1) / number,
    }
