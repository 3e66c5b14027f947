"""The paper's FCN-score: how well a segmentation network trained on real photos recognises generated ones."""

from collections.abc import Sequence
from pathlib import Path

from torch import Tensor

from pix2pix.config.schema import RunConfig
from pix2pix.core.trust import Trust
from pix2pix.data.images.palettes import Palette
from pix2pix.evaluation.bootstrap import Interval
from pix2pix.evaluation.confusion import ConfusionMatrix
from pix2pix.inference.generator import TrainedGenerator, load_generator, resolve_checkpoint


class SegmentationScore:
    """Segments photos with a scorer (a run from photos to labels) and compares with the labels they were made from.

    Args:
        scorer: the run directory or checkpoint of the scorer.
        config: the configuration of the scored run.
        device: the scorer's device.
        trust: modules outside pix2pix whose classes its configuration may build; see `pix2pix.core.trust`.

    Raises:
        ValueError: when the scorer does not map photos to labels of the same palette and size, or the scored run does
            not map labels to photos.
    """

    def __init__(self, scorer: str | Path, config: RunConfig, device: str = "auto", trust: Trust = ()) -> None:
        self.scorer: TrainedGenerator = load_generator(resolve_scorer(scorer), device=device, trust=trust)
        self.scorer.pack()
        _require_fit(scorer, self.scorer.config, config)
        self.palette = Palette(config.data.palette)
        self.generated, self.real = (ConfusionMatrix(len(self.palette), self.palette.ignored) for _ in range(2))

    def update(self, output: Tensor, target: Tensor, classes: Tensor | None, names: Sequence[str] = ()) -> None:
        """Adds outputs and real photos (B, 3, H, W) in [-1, 1] with the true `classes` (B, H, W)."""
        assert classes is not None
        for confusion, photo in ((self.generated, output), (self.real, target)):
            confusion.update(self.palette.classify(self.scorer.generate(photo, "")), classes, names)

    def compute(self) -> dict[str, float]:
        """`score_pixel_accuracy`, `score_class_accuracy`, `score_class_iou` of the generated photos."""
        return {f"score_{name}": value for name, value in self.generated.compute().items()}

    def intervals(self) -> dict[str, Interval]:
        """The 95 % intervals of the scores of the generated photos, over pictures."""
        return {f"score_{name}": value for name, value in self.generated.intervals().items()}

    def ceiling(self) -> dict[str, float]:
        """The same scores of the real photos, as an upper bound."""
        return {f"score_{name}": value for name, value in self.real.compute().items()}


def resolve_scorer(scorer: str | Path) -> Path:
    """The checkpoint of a scorer: of a run its best one, chosen by how well it segments."""
    return resolve_checkpoint(scorer, "best")


def _require_fit(name: str | Path, scorer: RunConfig, config: RunConfig) -> None:
    data, scorer_data = config.data, scorer.data
    if data.palette is None or data.label_map_side != "source":
        raise ValueError(f"--scorer {name}: a scorer needs photos made from label maps, which this run does not make.")
    if scorer_data.label_map_side != "target" or scorer_data.palette != data.palette:
        raise ValueError(
            f"--scorer {name}: not a run from photos to {data.palette} labels. Train one: "
            f"pix2pix train experiment=facades_scorer data={data.name}"
        )
    sizes = [f"{each.height}x{each.width}" for each in (data, scorer_data)]
    if sizes[0] != sizes[1]:
        raise ValueError(f"--scorer {name}: it was trained at {sizes[1]}, the run's pictures are {sizes[0]}.")
