"""Functions that YAML files call to derive settings from others: `${pix2pix.load_size:256,true}`.

They run before validation, so they pass invalid values through for the schema to report.
"""

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pix2pix.core.home_folder import expand_home
from pix2pix.data.direction import SIDES, Side, letter_of

LONGEST_NAME = 120  # bytes of a run's name in a sweep


def load_size(size: int, jitter: bool) -> int:
    """The size before the random crop: 286 for 256 (paper, section 6.2)."""
    return round(size * 286 / 256) if jitter and isinstance(size, int) else size  # the schema judges types


def unet_depth(height: int, width: int, is_padded: bool = False) -> int:
    """How often height and width, perhaps padded, can be halved, and no more than the paper's 8, from 256 to 1x1."""
    if not (isinstance(height, int) and isinstance(width, int)):
        return 1  # the schema judges types
    from pix2pix.models.input_sizes import PAPER_DEPTH, count_halvings, padded_depth

    return padded_depth(height, width) if is_padded is True else min(count_halvings(height, width), PAPER_DEPTH)


def channels_of(side: Side, direction: str, folders: Mapping[str, Any]) -> int:
    """Channels of the source or the target: 3 for RGB, or the sum over several folders."""
    names = _folders_of(side, direction, folders)
    if not isinstance(names, Mapping):
        return 3
    from pix2pix.data.images.input_kinds import stored_channels

    try:
        return sum(map(stored_channels, names.values()))
    except (KeyError, TypeError):
        return 3  # the schema judges folders


def source_inputs(direction: str, folders: Any) -> Any:
    """What each folder of the source holds, if some hold classes or instances; None if all hold pictures."""
    from pix2pix.data.images.input_kinds import has_kinds

    names = _folders_of("source", direction, folders)
    return names if has_kinds(names) else None


def _folders_of(side: Side, direction: str, folders: Any) -> Any:
    return folders.get(letter_of(side, direction)) if isinstance(folders, Mapping) else None


def label_map_side(label_map: str | None, direction: str) -> str | None:
    """Which image is a label map: source, target or none."""
    return next((side for side in SIDES if letter_of(side, direction) == label_map), None)


def one_hot_palette(
    side: Side, direction: str, one_hot: bool, palette: Any, label_map: str | None, inputs: Any = None
) -> Any:
    """The palette whose classes are the channels of the source or the target; None for plain colours."""
    from pix2pix.data.images.input_kinds import has_classes

    is_coded = one_hot is True and letter_of(side, direction) == label_map
    return palette if is_coded or has_classes(inputs) else None


def coded_channels(palette: Any, channels: int, inputs: Any = None) -> int:
    """Channels of an image as the networks see it: one for each class of the palette, or those of the picture.

    `inputs` says what each file holds, where an image joins several and these are not pictures alone.
    """
    if palette is None:
        return channels
    from pix2pix.data.images import input_kinds
    from pix2pix.data.images.class_colours import resolve_colours

    try:
        classes = len(resolve_colours(palette))
        return sum(input_kinds.coded_channels(kind, classes) for kind in inputs.values()) if inputs else classes
    except (ValueError, TypeError, KeyError):
        return channels  # the schema judges palettes


def known_precision(precision: Any) -> Any:
    """The precision of the trainer, as far as it does not depend on the machine: None for `auto` and null."""
    return None if precision == "auto" else precision


def derived_channels(operation: str) -> int:
    """Channels of the input that an operation makes of an RGB picture."""
    return 1 if operation in {"grayscale", "lab", "edges"} else 3


def derived_target_channels(operation: str) -> int:
    """Channels of the target: Lab's a and b, or the picture itself."""
    return 2 if operation == "lab" else 3


def discriminator_channels(conditional: bool, input_channels: int, output_channels: int) -> int:
    """What the discriminator sees: the image, and its source when conditional."""
    return output_channels + (input_channels if conditional else 0)


def absolute_path(path: str | None) -> str | None:
    """A path that means the same from any folder: runs are evaluated from elsewhere than they were trained from."""
    if not path or "://" in path or "::" in path:  # an address means the same everywhere
        return path
    return os.path.realpath(expand_home(path))


def pairs_path(table: str | None, path: str | None) -> str | None:
    """The place of the pairs: the table if there is one, else the folder."""
    return absolute_path(path if table is None else table)


def sweep_of(run_dir: str, output_dir: str, name: str) -> str | None:
    """The name of the sweep that a run stands in; None for a run by itself."""
    folder = Path(run_dir).parent
    return None if Path(run_dir) == Path(output_dir) / name else folder.name


def without_slashes(name: str) -> str:
    """The name of one directory: the group of `objective/adversarial=hinge` makes no folder, and no name is too long.

    File systems take 255 bytes, and files of the run are named by it; a name that is cut ends in a digest of the whole.
    """
    if not name:
        return "run"
    # Bytes, not characters: a name may have letters of several bytes, and file systems count bytes.
    whole = name.encode()
    if len(whole) > LONGEST_NAME:
        digest = hashlib.sha256(whole).hexdigest()[:8]
        name = f"{whole[: LONGEST_NAME - 9].decode(errors='ignore')}-{digest}"
    return name.replace("/", ".")


def validation_epochs(val_check_interval: Any) -> int | None:
    """Epochs between validations: None where `val_check_interval` counts steps, perhaps more than an epoch has."""
    return None if type(val_check_interval) is int else 1


PREFIX = "pix2pix."  # of their names in configuration files: other Hydra programs of this machine have names, too
RESOLVERS = (
    *(absolute_path, pairs_path, sweep_of, without_slashes, one_hot_palette, coded_channels, channels_of),
    source_inputs,
    label_map_side,
    validation_epochs,
    *(derived_channels, derived_target_channels, load_size, unet_depth, discriminator_channels, known_precision),
)
