"""Rules that the `data` settings of a training keep together, each with a sentence for who breaks it."""

from collections.abc import Iterator

from pix2pix.data.images.input_kinds import has_classes, has_kinds
from pix2pix.data.settings import DataSettings


def find_broken_data_rules(data: DataSettings) -> Iterator[str]:
    """Yields a sentence for each contradiction in the `data` settings."""
    for rule in (_check_label_maps, _check_inputs, _check_loading, _check_channels):
        yield from rule(data)
    for rule in (_check_label_channels, _check_ranges, _check_colours, _check_sizes, _check_turns):
        yield from rule(data)


def _check_label_maps(data: DataSettings) -> Iterator[str]:
    has_label_map = data.label_map is not None or has_classes(data.source_inputs)
    if (data.palette is None) == has_label_map or (data.one_hot and data.palette is None):
        yield (
            f"data.palette={data.palette}, data.label_map={data.label_map}, data.one_hot={data.one_hot}: "
            "a palette and which image is the label map (A or B) belong together, and one_hot needs both; with "
            "`classes` in data.folders a palette is enough"
        )


def _check_inputs(data: DataSettings) -> Iterator[str]:
    inputs = data.source_inputs
    if has_kinds(data.folders.get(data.target_letter)):
        yield (
            "data.folders: only inputs are joined of classes and boundaries; a target is a picture, or a label map by "
            "data.label_map"
        )
    if inputs and data.source_depth != 8:
        yield f"data.source_depth={data.source_depth}: what is joined with classes or boundaries has 8 bits"
    if inputs and data.label_map_side == "source":
        yield f"data.label_map={data.label_map}: the inputs say what they are, {inputs}; set data.label_map=null"
    if inputs and "folders" not in data.source:
        yield "data.folders: these pairs are not in folders of their own"


def _check_loading(data: DataSettings) -> Iterator[str]:
    if data.cache == "device" and data.num_workers not in {0, "auto"}:
        yield (
            f"data.num_workers={data.num_workers}: other processes do not reach pairs that are kept on the device; "
            "set data.num_workers=auto, or data.cache=memory"
        )
    if not data.source_path and data.has_folder:
        yield "data.path is not set; give the folder of your pairs, data.path=my/pairs, or a table, data.list=pairs.csv"
    if data.list is not None and not data.source_class.endswith(".PairFolder"):
        yield f"data.list={data.list}: only data=folder reads a table of pairs"


def _check_channels(data: DataSettings) -> Iterator[str]:
    channels = data.source_channels, data.target_channels
    if data.has_lab_targets and data.operation != "lab":
        yield (
            "data.source_channels=1, data.target_channels=2: two channels made from one are Lab's a and b, of "
            "data=derived data.operation=lab; read grey sources with data.source_channels=3"
        )
    if {data.source_depth, data.target_depth} != {8} and "source_depth" not in data.source:
        yield "data.depth: these pairs are of 8 bits; convert deeper files, or make them pairs of files"
    if "source_channels" not in data.source and data.operation is None and channels != (3, 3):
        yield "data.source_channels, data.target_channels: these pairs are RGB, 3 channels each"


def _check_label_channels(data: DataSettings) -> Iterator[str]:
    channels = data.source_channels if data.label_map_side == "source" else data.target_channels
    if data.label_map_side and channels != 3:
        yield "data.palette: label maps are read by their colours, which takes 3 channels"


def _check_ranges(data: DataSettings) -> Iterator[str]:
    depths = {"source": (data.source_depth, data.source_range), "target": (data.target_depth, data.target_range)}
    for image, (depth, limits) in depths.items():
        if depth == 32 and limits is None:
            yield f"data.{image}_depth=32: signed integers need data.{image}_range=[LOW,HIGH]"


def _check_colours(data: DataSettings) -> Iterator[str]:
    is_coded = data.label_map_side == "source" or data.source_inputs is not None
    if data.augment.changes_colours and (is_coded or data.source_channels not in {1, 3}):
        yield (
            "data.augment: brightness, contrast, saturation and hue are of grey and RGB sources, not of label maps "
            "or other channels"
        )
    elif data.source_channels != 3 and (data.augment.saturation or data.augment.hue):
        yield "data.augment: a source without colours has no saturation or hue to change"


def _check_sizes(data: DataSettings) -> Iterator[str]:
    if not data.has_one_size and data.batch_size > 1:
        yield (
            f"data.batch_size={data.batch_size}: data.preprocess=none takes pictures of any size, one at a time; "
            "set data.batch_size=1, or data.preprocess=crop where all are of one size"
        )
    if data.load_height < data.height or data.load_width < data.width:
        yield (
            f"data.load_height x data.load_width = {data.load_height}x{data.load_width} is smaller than the crop "
            f"{data.height}x{data.width}; raise it, or leave it to follow from data.size"
        )


def _check_turns(data: DataSettings) -> Iterator[str]:
    if data.quarter_turns and (data.height != data.width or not data.has_one_size):
        size = f"{data.height}x{data.width}" if data.has_one_size else "any size (data.preprocess=none)"
        yield (
            f"data.quarter_turns=true: a picture of {size} changes its shape when it is turned; set a square "
            "data.size, or data.vertical_flip=true with data.mirror=true, which keep the shape"
        )
