"""The scale at which a translator sees pictures: that of the training, their own, or a factor.

A network knows objects at the size that they had in its training. Files of 256 pixels that were trained at 64 were seen
at a quarter of their size. A picture of the same kind is translated best at that scale, as in an evaluation.
"""

import math
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pix2pix.data.images.resize import Size, resized_size
from pix2pix.data.settings import DataSettings
from pix2pix.data.source_size import SourceSize, measure_source_size
from pix2pix.datasets.download.catalogue import CATALOGUE
from pix2pix.inference.generator import TrainedGenerator
from pix2pix.runs.run import Run

Scale = Literal["training", "own"] | float
LARGEST = 1.3  # side of a picture, in sides of the training pictures, that is translated without a warning


@dataclass(frozen=True)
class TrainingScale:
    """How a training resized its sources.

    Args:
        data: the run's data settings.
        source_size: the size of the source's files; None if unknown, as in some runs of earlier versions.
    """

    data: DataSettings
    source_size: SourceSize | None

    @property
    def is_known(self) -> bool:
        """Whether the size at which the training would have seen a picture is known."""
        return self.source_size is not None or self.data.preprocess in {"crop", "none"}

    def size_of(self, size: Size, scale: Scale | None) -> Size:
        """The size at which a picture of `size` (height, width) is translated.

        Args:
            size: of the picture.
            scale: `training`, `own`, or a factor; None for `training` if it is known, otherwise `own`.

        Raises:
            ValueError: for `training` if it is not known, or another word.
        """
        if scale is None or scale == "training":
            if scale and not self.is_known:
                raise ValueError(
                    "scale=training: this run does not say how large its files were. Set scale to own or to a factor, "
                    "such as 0.5."
                )
            return self._training_size(size)
        factor = 1.0 if scale == "own" else float(scale)
        if not (math.isfinite(factor) and factor > 0):
            raise ValueError(f"scale={scale}: must be training, own, or a factor above 0.")
        return _scale_size(size, (factor, factor))

    def _training_size(self, size: Size) -> Size:
        """What the training, or an evaluation, would resize a picture to; its own size if that is not known."""
        if not self.is_known or self.source_size is None:
            return size
        if self.source_size == "mixed":
            return self._resize_for_training(size)
        new = self._resize_for_training(self.source_size)
        return _scale_size(size, (new[0] / self.source_size[0], new[1] / self.source_size[1]))

    def _resize_for_training(self, size: Size) -> Size:
        return resized_size(size, self.data.shape, self.data.shape, self.data.preprocess)

    @property
    def trained_size(self) -> Size | None:
        """The size at which the training saw its pictures; None if it kept files of many sizes."""
        if self.data.preprocess in {"crop", "none"}:
            return self.source_size if isinstance(self.source_size, tuple) else None
        return self._resize_for_training(self.source_size) if isinstance(self.source_size, tuple) else self.data.shape

    def warning(self, own: Size, size: Size) -> str:
        """What to say of a picture of size `own` that is translated at `size`; empty if it is not unusually large."""
        trained = self.trained_size
        ratio = math.sqrt(math.prod(size) / math.prod(trained)) if trained else 1.0
        if trained is None or ratio <= LARGEST:
            return ""
        remedy = "training" if self.is_known and self._training_size(own) < size else f"{size[0] / own[0] / ratio:.2g}"
        unknown = "" if self.is_known else " The run does not say how large its files were."
        return (
            f"translated at {size[1]}x{size[0]} pixels, {ratio:.1f} times the side of the pictures that the run was "
            f"trained at ({trained[1]}x{trained[0]}).{unknown} If its objects are larger than in the training, rather "
            f"than more of them, the result is worse: set the scale to {remedy} (--scale {remedy})."
        )


def find_training_scale(trained: TrainedGenerator) -> TrainingScale:
    """The scale of a run's training; derived where possible for runs of earlier versions, which do not record it."""
    data = trained.config.data
    return TrainingScale(data, data.source_size or _derive_source_size(trained))


def _derive_source_size(trained: TrainedGenerator) -> SourceSize | None:
    """From the kind of pairs, the files themselves if they are still the same, or the catalogue of public data sets."""
    data, folder = trained.config.data, Path(trained.config.data.source_path or "")
    if data.source_class.endswith(".SyntheticFacades"):
        return data.shape
    run = Run(trained.checkpoint.parent.parent)
    if run.config_file.is_file() and folder.is_dir() and trained.checkpoint.parent == run.checkpoints:
        with suppress(ValueError, OSError):  # the pairs were moved or changed, or their class is not trusted
            pairs = trained.open_pairs()
            run.require_same_data(pairs.fingerprint())
            return measure_source_size(pairs)
    known = CATALOGUE.get(data.name)
    return (known.side, known.side) if known and data.has_folder and folder.name == known.name else None


def _scale_size(size: Size, factors: tuple[float, float]) -> Size:
    height, width = (max(1, round(side * factor)) for side, factor in zip(size, factors, strict=True))
    return height, width
