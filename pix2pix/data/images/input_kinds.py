"""What the files of an image that joins several hold: pictures, classes, or instances whose boundaries count."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

InputKind = Annotated[int, Field(ge=1)] | Literal["classes", "boundaries"]
"""The channels of a picture; `classes`: a label map, one channel per class; `boundaries`: instance ids, one channel."""

Inputs = dict[str, InputKind]
STORED_CHANNELS = {"classes": 3, "boundaries": 1}  # before classes are coded they are painted in their colours


def stored_channels(kind: InputKind) -> int:
    """The channels of a file's pixels before they are coded."""
    return STORED_CHANNELS[kind] if isinstance(kind, str) else kind


def coded_channels(kind: InputKind, classes: int) -> int:
    """The channels that the networks see of a file."""
    return classes if kind == "classes" else stored_channels(kind)


def has_kinds(folders: Any) -> bool:
    """Whether the folders of an image hold more than pictures."""
    return isinstance(folders, Mapping) and any(isinstance(kind, str) for kind in folders.values())


def has_classes(folders: Any) -> bool:
    """Whether one of the folders of an image holds label maps."""
    return isinstance(folders, Mapping) and "classes" in folders.values()
