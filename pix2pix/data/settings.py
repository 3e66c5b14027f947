"""The schema of the `data` settings, and the error messages for combinations that do not fit."""

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, TypeAdapter, ValidationError, model_validator

from pix2pix.core.instantiate import Part, Settings
from pix2pix.data.augmentation import Augment
from pix2pix.data.cache.cache import CacheKind
from pix2pix.data.images.decode import Depth
from pix2pix.data.images.palettes import PALETTES, Palette, PaletteChoice
from pix2pix.data.images.resize import Preprocess
from pix2pix.data.sources.skip_unreadable import OnError

Positive = Annotated[int, Field(ge=1)]


def _rising(limits: tuple[float, float]) -> tuple[float, float]:
    if limits[0] >= limits[1]:
        raise ValueError("the first value must be below the second")
    return limits


def _palette(choice: Any) -> Any:
    try:
        return choice and TypeAdapter(PaletteChoice).validate_python(choice, strict=True) and Palette(choice) and choice
    except ValidationError as error:
        raise ValueError(
            f"data.palette={choice}: give {', '.join(PALETTES)}, a number of classes (2 to 256), or their colours, "
            "[[255,0,0],[0,0,255]] or {tree: [0,128,0], road: [90,90,90]}"
        ) from error


Range = Annotated[tuple[float, float], AfterValidator(_rising)]


class Data(Settings):
    """Which pairs, at which size, drawn how. Sizes in pixels; `load_*` is the size before the random crop."""

    name: str
    root: str
    path: str | None
    direction: Literal["AtoB", "BtoA"]
    size: Positive
    height: Positive
    width: Positive
    jitter: bool
    mirror: bool
    load_height: Positive
    load_width: Positive
    preprocess: Preprocess = "resize_and_crop"
    augment: Augment = Augment()
    depth: Depth = 8
    source_depth: Depth
    target_depth: Depth
    source_range: Range | None = None
    target_range: Range | None = None
    folders: dict[Literal["A", "B"], str | dict[str, Positive]]
    source_channels: Positive
    target_channels: Positive
    operation: str | None = None
    batch_size: Positive
    on_error: OnError = "fail"
    skip_limit: Annotated[int, Field(ge=0)] = 10
    num_workers: Annotated[int, Field(ge=0)] | Literal["auto"] = "auto"
    cache: CacheKind
    cache_dir: str = "~/.cache/pix2pix"
    cache_gigabytes: Annotated[float, Field(gt=0)] = 20
    palette: Annotated[Any, AfterValidator(_palette)] = None
    labels: Literal["A", "B"] | None = None
    one_hot: bool = False
    input_channels: Positive
    output_channels: Positive
    pairs: Part
    transform: Part

    @model_validator(mode="after")
    def _labels_have_a_palette(self) -> Self:
        if (self.palette is None) != (self.labels is None) or (self.one_hot and self.palette is None):
            raise ValueError(
                f"data.palette={self.palette}, data.labels={self.labels}, data.one_hot={self.one_hot}: "
                "a palette and which image is the label map (A or B) belong together, and one_hot needs both"
            )
        return self

    @model_validator(mode="after")
    def _workers_reach_the_cache(self) -> Self:
        if self.cache == "device" and self.num_workers not in {0, "auto"}:
            raise ValueError(
                f"data.num_workers={self.num_workers}: other processes do not reach pairs that are kept on the device; "
                "set data.num_workers=auto, or data.cache=memory"
            )
        return self

    @model_validator(mode="after")
    def _names_a_folder(self) -> Self:
        if self.path is None and "path" in self.pairs:
            raise ValueError("data.path is not set; give the folder of your pairs, data.path=my/pairs")
        return self

    @model_validator(mode="after")
    def _channels_are_read(self) -> Self:
        if self.target_channels == 2 and self.operation != "lab":
            raise ValueError(
                "data.target_channels=2: two channels are Lab's a and b, of data=derived data.operation=lab"
            )
        if {self.source_depth, self.target_depth} != {8} and "source_depth" not in self.pairs:
            raise ValueError("data.depth: these pairs are of 8 bits; convert deeper files, or make them pairs of files")
        drawn = "source_channels" not in self.pairs and self.operation is None
        label_channels = (
            self.source_channels if (self.labels == "A") == (self.direction == "AtoB") else self.target_channels
        )
        if drawn and (self.source_channels, self.target_channels) != (3, 3):
            raise ValueError("data.source_channels, data.target_channels: these pairs are RGB, 3 channels each")
        if self.palette is not None and label_channels != 3:
            raise ValueError("data.palette: label maps are read by their colours, which takes 3 channels")
        return self

    @model_validator(mode="after")
    def _sizes_agree_in_a_batch(self) -> Self:
        if self.preprocess == "none" and self.batch_size > 1:
            raise ValueError(
                f"data.batch_size={self.batch_size}: data.preprocess=none takes pictures of any size, one at a time; "
                "set data.batch_size=1, or data.preprocess=crop where all are of one size"
            )
        return self

    @model_validator(mode="after")
    def _integers_have_a_range(self) -> Self:
        for image in ("source", "target"):
            if getattr(self, f"{image}_depth") == 32 and getattr(self, f"{image}_range") is None:
                raise ValueError(f"data.{image}_depth=32: signed integers need data.{image}_range=[LOW,HIGH]")
        return self

    @model_validator(mode="after")
    def _colours_can_change(self) -> Self:
        source_is_map = self.labels == ("A" if self.direction == "AtoB" else "B")
        if self.augment.changes_colours and (source_is_map or self.source_channels not in {1, 3}):
            raise ValueError(
                "data.augment: brightness, contrast, saturation and hue are of grey and RGB sources, not of label maps "
                "or other channels"
            )
        if self.source_channels != 3 and (self.augment.saturation or self.augment.hue):
            raise ValueError("data.augment: a source without colours has no saturation or hue to change")
        return self

    @model_validator(mode="after")
    def _crop_fits(self) -> Self:
        if self.load_height < self.height or self.load_width < self.width:
            raise ValueError(
                f"data.load_height x data.load_width = {self.load_height}x{self.load_width} is smaller than the crop "
                f"{self.height}x{self.width}; raise it, or leave it to follow from data.size"
            )
        return self
