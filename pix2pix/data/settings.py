"""The `data` settings, and what follows from them: which image is the label map, its palette, depths and channels."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, TypeAdapter, ValidationError

from pix2pix.core.instantiate import TARGET, Component
from pix2pix.core.settings import Channels, Settings
from pix2pix.data.augmentation import Augment
from pix2pix.data.cache.cache import CacheKind
from pix2pix.data.direction import Direction, Letter, Side, letter_of, side_of
from pix2pix.data.encoding import Encoding, make_encoding
from pix2pix.data.images.class_colours import PALETTES, PaletteChoice
from pix2pix.data.images.decode import Depth
from pix2pix.data.images.input_kinds import Inputs, require_inputs, require_kinds
from pix2pix.data.images.palettes import Palette
from pix2pix.data.images.resize import Pixels, Preprocess
from pix2pix.data.images.value_range import Limits, Range
from pix2pix.data.sources.image_spec import OWN_FOLDERS, Folders, ImageSpec, make_spec
from pix2pix.data.sources.skip_unreadable import OnError
from pix2pix.data.sources.splits import DEFAULT_SHARE, Layout, Share

Positive = Annotated[int, Field(ge=1)]


def _require_palette(choice: Any, key: str = "data.palette") -> Any:
    try:
        return choice and PALETTE_CHOICE.validate_python(choice, strict=True) and Palette(choice) and choice
    except ValidationError as error:
        raise ValueError(
            f"{key}={choice}: give {', '.join(PALETTES)}, a number of classes (2 to 256), or their colours, "
            "[[255,0,0],[0,0,255]] or {tree: [0,128,0], road: [90,90,90]}"
        ) from error


def _require_coding(transform: dict[str, Any]) -> dict[str, Any]:
    """Checks those arguments of the transform that say what the generator's inputs and outputs mean."""
    for image in ("source", "target"):
        _require_palette(transform.get(f"{image}_palette"), f"data.transform.{image}_palette")
        limits = transform.get(f"{image}_range")
        try:
            LIMITS.validate_python(limits)
        except ValidationError as error:
            raise ValueError(f"data.transform.{image}_range={limits}: give two numbers, [LOW,HIGH]") from error
    require_inputs(transform.get("source_inputs"))
    return transform


# Made once: each takes half a millisecond.
PALETTE_CHOICE, LIMITS = map(TypeAdapter, (PaletteChoice, Range | None))


class DataSettings(Settings):
    """Which pairs are read, at which size and augmented how. Sizes in pixels; `load_*` is that before the random crop.

    A setting that is added here gets a default: the configurations of earlier runs do not have it.
    """

    name: str
    root: str
    path: str | None
    direction: Direction
    size: Pixels = 256
    height: Pixels
    width: Pixels
    jitter: bool = True
    mirror: bool = True
    vertical_flip: bool = False
    quarter_turns: bool = False
    load_height: Pixels
    load_width: Pixels
    preprocess: Preprocess = "resize_and_crop"
    augment: Augment = Augment()
    depth: Depth = 8
    source_depth: Depth = 8
    target_depth: Depth = 8
    source_range: Range | None = None
    target_range: Range | None = None
    source_size: tuple[Positive, Positive] | Literal["mixed"] | None = None
    list: str | None = None
    layout: Layout = "auto"
    val_share: Share | None = DEFAULT_SHARE
    split_seed: Annotated[int, Field(ge=0)] = 0
    folders: dict[Letter, Annotated[Folders, BeforeValidator(require_kinds)]] = Field(
        default_factory=lambda: dict(OWN_FOLDERS)
    )
    source_channels: Channels
    target_channels: Channels
    operation: str | None = None
    batch_size: Annotated[int, Field(ge=1, le=2**16)] = 1
    on_error: OnError = "fail"
    skip_limit: Annotated[int, Field(ge=0)] = 10
    num_workers: Annotated[int, Field(ge=0, le=2**10)] | Literal["auto"] = "auto"
    cache: CacheKind = "auto"
    cache_dir: str = "~/.cache/pix2pix"
    cache_gigabytes: Annotated[float, Field(gt=0)] = 20
    palette: Annotated[Any, AfterValidator(_require_palette)] = None
    label_map: Letter | None = None
    one_hot: bool = False
    input_channels: Channels
    output_channels: Channels
    source: Component
    transform: Annotated[Component, AfterValidator(_require_coding)]

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width that the networks are trained at, in pixels."""
        return self.height, self.width

    @property
    def has_one_size(self) -> bool:
        """Whether all pairs are brought to `shape`; otherwise each keeps its own size."""
        return self.preprocess != "none"

    @property
    def source_class(self) -> str:
        """The dotted name of the class that finds the pairs."""
        return self.source[TARGET]

    @property
    def source_path(self) -> str | None:
        """Folder or address of the pairs; None for pairs that are drawn."""
        return self.source.get("path")

    @property
    def has_folder(self) -> bool:
        """Whether the pairs are read from a folder or an address, so that another one can be named."""
        return "path" in self.source

    def source_at(self, path: str | Path | None) -> Component:
        """The component that finds the pairs, at another path where one is given."""
        return self.source if path is None else {**self.source, "path": str(path)}

    def tolerant_source_at(self, path: str | Path | None) -> Component:
        """The same, where a file of odd width is told when it is read, as every other unusable file."""
        tolerance = {"skip_odd_widths": True} if self.source_class == "pix2pix.data.PairFolder" else {}
        return {**self.source_at(path), **tolerance}

    @property
    def source_letter(self) -> Letter:
        """Which image of the files is the source."""
        return letter_of("source", self.direction)

    @property
    def target_letter(self) -> Letter:
        """Which image of the files is the target."""
        return letter_of("target", self.direction)

    @property
    def label_map_side(self) -> Side | None:
        """Which image of a pair is the label map: the generator's input, its target, or none."""
        return side_of(self.label_map, self.direction) if self.label_map else None

    @property
    def label_palette(self) -> Palette | None:
        """Classes and colours of the label maps; None for data without."""
        return Palette(self.palette) if self.palette else None

    @property
    def source_label_choice(self) -> PaletteChoice | None:
        """The palette as it was chosen, where the generator's inputs are label maps."""
        return self.palette if self.label_map_side == "source" else None

    @property
    def target_label_palette(self) -> Palette | None:
        """Classes and colours of the label maps, where these are what is generated."""
        return self.label_palette if self.label_map_side == "target" else None

    @property
    def source_palette(self) -> Palette | None:
        """The palette by which the source is coded with one channel per class; None for plain pictures."""
        return self._coding_palette("source")

    @property
    def target_palette(self) -> Palette | None:
        """The palette by which the target is coded with one channel per class; None for plain pictures."""
        return self._coding_palette("target")

    def _coding_palette(self, side: Side) -> Palette | None:
        choice = self.transform.get(f"{side}_palette")
        return Palette(choice) if choice else None

    @property
    def coded_source_range(self) -> Limits | None:
        """The pixel values of the source that become -1 and 1; None: all that its type can hold."""
        return self.transform.get("source_range")

    @property
    def coded_target_range(self) -> Limits | None:
        """The pixel values of the target that become -1 and 1; None: all that its type can hold."""
        return self.transform.get("target_range")

    @property
    def source_image_spec(self) -> ImageSpec:
        """How the source of a pair is read from its files."""
        letter = self.source_letter
        palette = self.palette if self.label_map == letter else None
        folders = self.folders.get(letter, letter)
        return make_spec(folders, self.source_channels, self.source_depth, palette, self.palette)

    @property
    def source_encoding(self) -> Encoding:
        """How the pixels of a source become the generator's input."""
        return make_encoding(self.transform.get("source_palette"), self.coded_source_range, self.source_inputs)

    @property
    def source_inputs(self) -> Inputs | None:
        """What the files of the source hold, where they are not pictures alone."""
        return self.transform.get("source_inputs")

    @property
    def output_depth(self) -> Depth:
        """Bits per pixel of generated pictures: label maps are painted in 8, whatever depth their files have."""
        return 8 if self.label_map_side == "target" else self.target_depth

    @property
    def output_suffix(self) -> str:
        """The file format of generated pictures: `.png`, or `.tif` for what PNG cannot hold."""
        return ".png" if self.output_depth in {8, 16} and self.output_picture_channels in {1, 3, 4} else ".tif"

    @property
    def has_deep_outputs(self) -> bool:
        """Whether an 8-bit picture of 1, 3 or 4 channels, over the whole range, would lose part of an output."""
        is_picture = self.output_depth == 8 and self.output_picture_channels in {1, 3, 4}
        return not is_picture or self.coded_target_range is not None

    @property
    def output_picture_channels(self) -> int:
        """Channels of generated pictures: Lab's a and b are joined with the lightness of the source."""
        return 3 if self.has_lab_targets else self.target_channels

    @property
    def has_lab_targets(self) -> bool:
        """Whether the targets are Lab's a and b, which colour the lightness that is the source."""
        return (self.source_channels, self.target_channels) == (1, 2)

    @property
    def description(self) -> str:
        """Name, direction and size on one line."""
        return f"{self.name} {self.direction}, {self.height}x{self.width}"
