"""The scale at which a translator sees pictures: that of the training, their own, or a factor.

A network knows objects at the size that they had in its training. If files of 256 pixels were trained at 64 pixels, it
saw objects at a quarter of their size. Other pictures of the same kind are translated best at the same scale.
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
LARGEST_SIDE = 2**20  # pixels of a picture that is enlarged
SMALLEST = 0.25  # the same, downwards: a smaller picture is probably a small copy of a whole one, such as a thumbnail


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

    def require_valid(self, scale: Scale | None) -> None:
        """Raises ValueError for `training` if it is not known, another word, or a factor that is not above 0."""
        if scale == "training" and not self.is_known:
            raise ValueError(
                "scale=training: this run does not say how large its files were. Set scale to own or to a factor, "
                "such as 0.5."
            )
        if scale is None or scale in ("training", "own"):
            return
        if isinstance(scale, str) or not (math.isfinite(scale) and scale > 0):
            raise ValueError(f"scale={scale}: must be training, own, or a factor above 0.")

    def target_size(self, size: Size, scale: Scale | None) -> Size:
        """The size at which a picture of `size` (height, width) is translated.

        Args:
            size: the size of the picture.
            scale: `training`, `own`, or a factor; None for `training` if it is known, otherwise `own`.

        Raises:
            ValueError: as `require_valid`.
        """
        self.require_valid(scale)
        if scale is None or scale == "training":
            return self._training_size(size)
        factor = 1.0 if scale == "own" else float(scale)
        return _scale_size(size, (factor, factor))

    def _training_size(self, size: Size) -> Size:
        """The size to which the training would resize a picture; its own size if that is not known."""
        if not self.is_known or self.source_size is None:
            return size
        if self.source_size == "mixed" or _is_small_copy(size, self.source_size):
            return self._resize_for_training(size)
        new = self._resize_for_training(self.source_size)
        return _scale_size(size, (new[0] / self.source_size[0], new[1] / self.source_size[1]))

    def _resize_for_training(self, size: Size) -> Size:
        return resized_size(size, self.data.shape, self.data.shape, self.data.preprocess)

    @property
    def trained_size(self) -> Size | None:
        """The size of the pictures in training; None if the training kept files of many sizes."""
        if self.data.preprocess in {"crop", "none"}:
            return self.source_size if isinstance(self.source_size, tuple) else None
        return self._resize_for_training(self.source_size) if isinstance(self.source_size, tuple) else self.data.shape

    def warning(self, own: Size, size: Size) -> str:
        """The warning about a picture of size `own` that is translated at `size`; empty if there is none."""
        trained, files = self.trained_size, self.source_size
        if trained is None:
            return ""
        if isinstance(files, tuple) and _is_small_copy(own, files) and size == self._training_size(own) != own:
            return (
                f"{own[1]}x{own[0]} pixels are a quarter of the side of the training's files or less "
                f"({files[1]}x{files[0]}), so it is taken for a whole picture and translated at {size[1]}x{size[0]} "
                "pixels. If it is a small part of one, set the scale to a factor (--scale 0.5)."
            )
        ratio, is_reduced = _side_ratio(size, trained), math.prod(size) < math.prod(own)
        if ratio > LARGEST:
            reason = "If its objects are larger than in the training, rather than more of them, the result is worse"
        elif ratio < SMALLEST and is_reduced:
            reason = "So few pixels show next to nothing"
        else:
            return ""
        remedy = self._remedy(own, size, ratio)
        unknown = "" if self.is_known else " The run does not say how large its files were."
        return (
            f"translated at {size[1]}x{size[0]} pixels, {ratio:{'.1f' if ratio > 1 else '.2f'}} times the side of the "
            f"pictures that the run was trained at ({trained[1]}x{trained[0]}).{unknown} {reason}: set the scale to "
            f"{remedy} (--scale {remedy})."
        )

    def _remedy(self, own: Size, size: Size, ratio: float) -> str:
        """The scale that brings a picture near the size of the training: `training`, or else a factor."""
        training = math.prod(self._training_size(own)) if self.is_known else math.prod(size)
        is_nearer = training < math.prod(size) if ratio > 1 else training > math.prod(size)
        return "training" if is_nearer else f"{size[0] / own[0] / ratio:.2g}"


def find_training_scale(trained: TrainedGenerator) -> TrainingScale:
    """The scale of a run's training; derived where possible for runs of earlier versions, which do not record it."""
    data = trained.config.data
    return TrainingScale(data, data.source_size or _derive_source_size(trained))


def _derive_source_size(trained: TrainedGenerator) -> SourceSize | None:
    """Takes the size from the kind of pairs, from unchanged files, or from the catalogue of data sets."""
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


def _side_ratio(size: Size, other: Size) -> float:
    """The ratio of the sides of two pictures, each taken as a square of its area."""
    return math.sqrt(math.prod(size) / math.prod(other))


def _is_small_copy(size: Size, files: Size) -> bool:
    return _side_ratio(size, files) <= SMALLEST


def _scale_size(size: Size, factors: tuple[float, float]) -> Size:
    height, width = (side * factor for side, factor in zip(size, factors, strict=True))
    if max(height, width) > max(LARGEST_SIDE, *size):
        raise ValueError(
            f"a picture of {size[1]}x{size[0]} pixels would be translated at {width:.3g}x{height:.3g}: set a smaller "
            "scale (--scale own keeps its size)."
        )
    return max(1, round(height)), max(1, round(width))
