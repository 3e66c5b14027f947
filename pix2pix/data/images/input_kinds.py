"""What the files of an image that joins several hold: pictures, classes, or instances whose boundaries count."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter, ValidationError

from pix2pix.core.settings import Channels

InputKind = Channels | Literal["classes", "boundaries"]
"""The channels of a picture; `classes`: a label map, one channel per class; `boundaries`: instance ids, one channel."""

Inputs = Annotated[dict[str, InputKind], Field(min_length=1)]
_INPUTS = TypeAdapter(Inputs | None)
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


def require_kinds(folders: Any) -> Any:
    """Refuses what no file can hold, in fewer words than the types of the setting take."""
    for name, kind in folders.items() if isinstance(folders, dict) else ():
        if kind not in STORED_CHANNELS and not (type(kind) is int and kind > 0):
            kinds = " or ".join(STORED_CHANNELS)
            raise ValueError(f"data.folders: {name}={kind}; give the channels of its pictures, or {kinds}")
    return folders


def require_inputs(inputs: Any) -> None:
    """Raises ValueError for what is no description of joined inputs, in fewer words than its type takes."""
    try:
        _INPUTS.validate_python(inputs, strict=True)
    except ValidationError as error:
        kinds = " or ".join(STORED_CHANNELS)
        raise ValueError(
            f"data.transform.source_inputs={inputs}: give what each folder holds, its channels, or {kinds}, as "
            "{labels: classes, photo: 3}; or null"
        ) from error
