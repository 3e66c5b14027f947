"""The inputs of a translator: pictures, arrays and files, each with a name that selects its noise."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from pix2pix.core.arguments import require_path
from pix2pix.core.plurals import pluralize
from pix2pix.data.images.decode import Picture, array_to_picture, open_picture

Input = Picture | str | Path


class Request(NamedTuple):
    """The picture to translate, or one for each folder that the source joins, and the name that selects the noise."""

    pictures: tuple[Input, ...]
    name: str = ""

    @property
    def title(self) -> str:
        """The name of the pictures in messages."""
        return str(self.pictures[0]) if isinstance(self.pictures[0], str | Path) else "picture"

    def match_type(self, output: Picture) -> Picture:
        """The output as an array for an array, otherwise as a Pillow picture; ValueError if Pillow cannot hold it."""
        if isinstance(self.pictures[0], np.ndarray):
            return np.asarray(output)
        if not isinstance(output, Image.Image):
            raise ValueError(
                f"translations of this run have {output.shape[2]} channels of {output.dtype}, which no Pillow picture "
                "holds. Translator.translate returns them as an array."
            )
        return output


def take_only_list(pictures: list[Any], *others: Any) -> list[Any]:
    """The list. Raises ValueError where others are given beside it."""
    if others:
        raise ValueError("a list of pictures and more: give one list; of several inputs, a list of tuples.")
    return pictures


def make_requests(inputs: Sequence[Input | tuple[Input, ...]], name: str | Sequence[str]) -> list[Request]:
    """A request for each input, with one name for all or one name for each."""
    names = [name] * len(inputs) if isinstance(name, str) else list(name)
    if len(names) != len(inputs):
        given = f"{pluralize(len(names), 'name', 'names')} for {pluralize(len(inputs), 'picture', 'pictures')}"
        raise ValueError(f"{given}: give one name, or one for each.")
    pictures = [each if isinstance(each, tuple) else (each,) for each in inputs]
    for number, picture in enumerate(picture for each in pictures for picture in each):
        _require_picture(picture, f"picture {number + 1}")
    return [Request(*each) for each in zip(pictures, names, strict=True)]


def _require_picture(picture: Any, name: str) -> None:
    if isinstance(picture, str | Path):
        require_path(picture, name)
        if not Path(picture).exists():
            raise FileNotFoundError(f"{picture}: no such picture. Give a path from {Path.cwd()} or an absolute one.")
    elif isinstance(picture, np.ndarray):
        if picture.ndim not in (2, 3) or 0 in picture.shape:
            raise ValueError(f"{name}: an array of shape {picture.shape}. Give (H, W) or (H, W, C), none of them 0.")
    elif isinstance(picture, Image.Image):
        if 0 in picture.size:
            raise ValueError(f"{name}: a picture of {picture.width}x{picture.height} pixels has none to translate.")
    else:
        raise ValueError(
            f"{name}: {type(picture).__name__} is no picture. Give a path, a Pillow picture, or an array (H, W) or "
            "(H, W, C)."
        )


def open_input(picture: Input) -> Picture:
    """The picture in memory; a Pillow picture where Pillow can hold it."""
    if isinstance(picture, str | Path):
        return open_picture(Path(picture))
    if isinstance(picture, np.ndarray) and picture.dtype == np.uint8:
        return array_to_picture(picture.reshape(*picture.shape[:2], -1))
    return picture
