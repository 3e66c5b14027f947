"""File -> pair: find the files of a split, decode them, settle which image is the source and which the target."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal, NamedTuple, overload

import numpy as np
import torch
from PIL import Image
from pydantic import Field
from torch import Tensor

from pix2pix.data.matching import PairPaths, Split, pair_name, require_even, splits_of
from pix2pix.data.palettes import Palette, PaletteChoice
from pix2pix.data.pixels import Depth, Picture, opened, pixels_of, to_tensor
from pix2pix.data.stored import File
from pix2pix.randomness import epoch_order

Direction = Literal["AtoB", "BtoA"]
Folders = str | dict[str, Annotated[int, Field(ge=1)]]
OWN_FOLDERS: dict[Literal["A", "B"], Folders] = {"A": "A", "B": "B"}


class Pair(NamedTuple):
    """An input and its target, aligned pixel by pixel: (C, H, W) as in the files, or in [-1, 1] once transformed."""

    source: Tensor
    target: Tensor
    name: str


class PairSource(ABC):
    """Where pairs come from."""

    @abstractmethod
    def split(self, split: Split) -> Sequence[Pair]:
        """The pairs of one split, read when indexed."""

    @abstractmethod
    def fingerprint(self) -> str:
        """A digest that changes when the pairs change."""

    def files(self, split: Split) -> Sequence[tuple[Path, ...]]:
        """The files of each pair of a split, where pairs come from files of their own; else nothing."""
        return ()

    def order(self, seed: int, epoch: int, length: int) -> np.ndarray:
        """The order in which an epoch visits the `length` training pairs, a permutation of range(length)."""
        return epoch_order(seed, epoch, length)


class Side(NamedTuple):
    """How one image of a pair is read: the channels of each of its files, their depth, a label map's palette."""

    channels: tuple[int, ...] = (3,)
    depth: Depth = 8
    palette: Palette | None = None
    folders: tuple[str, ...] = ()

    @property
    def takes_colours(self) -> bool:
        """Whether an ordinary picture, RGB in 8 bits, is taken as it is."""
        return self.channels == (3,) and self.depth == 8

    def read(self, files: Sequence[File]) -> Tensor:
        """The image (C, H, W) in `files`, whose channels are joined in their order."""
        return self.of([opened(file) for file in files], str(files[0]))

    def of(self, images: Sequence[Picture], name: str) -> Tensor:
        """The same of pictures that were read already."""
        if len(images) != len(self.channels):
            names = ", ".join(self.folders)
            raise ValueError(f"{name}: the input takes {len(self.channels)} pictures ({names}), not {len(images)}.")
        if self.palette is not None:
            return self.palette.read_file(images[0], name)
        parts = [
            pixels_of(image, channels, self.depth, name=name)
            for image, channels in zip(images, self.channels, strict=True)
        ]
        if len({part.shape[1:] for part in parts}) > 1:
            sizes = ", ".join(f"{part.shape[2]}x{part.shape[1]}" for part in parts)
            raise ValueError(f"{name}: its inputs are of {sizes} pixels; they must agree. Resize the files.")
        return torch.cat(parts) if len(parts) > 1 else parts[0]


PLAIN = Side()


class PairFolder(PairSource):
    """Pairs in a folder, side by side in one file (A left, B right) or in two folders of matching names.

    A split S is looked for as `S/` (side-by-side files), `SA/` and `SB/`, `A/S/` and `B/S/`, `S/A/` and `S/B/`, `S_A/`
    and `S_B/`; also as `training`, `valid`, `validation` or `testing`. `folders` gives A and B the names they have in
    yours, such as images and masks, and may join several folders as the channels of one image. Names match when they
    are equal but for the suffix and a trailing `_A`, `_B` or name of the folder (`1_mask.png` in `masks`). Where the
    folder holds nothing but another one, the pairs are looked for in that.

    A missing `val` is `test` and the other way round. Where neither is there, or pictures lie in the folder itself
    with no split at all, every tenth pair of the training set, in natural order, is held out for both.

    Args:
        path: the folder.
        direction: `AtoB` makes A the source, `BtoA` makes B the source.
        source_channels: channels of the source; grey and colour are converted (1, 3, with transparency 2, 4).
        target_channels: likewise.
        source_depth: bits of the source's pixels, 8 or 16; 32 for signed integers, or `float`.
        target_depth: likewise.
        folders: the names of A's and B's folders; for several a mapping of names to channels, as {mask: 1, photo: 3}.
        labels: which image is a label map, to be read by `palette`; None for none.
        palette: of the label maps.

    Raises:
        FileNotFoundError: when there is no such folder, or no picture in it.
        ValueError: when names do not match, or a side-by-side file is of odd width; of more than a thousand in a split
            some are looked at, spread evenly, and the others when they are read.
    """

    def __init__(
        self,
        path: str,
        *,
        direction: Direction = "AtoB",
        source_channels: int = 3,
        target_channels: int = 3,
        source_depth: Depth = 8,
        target_depth: Depth = 8,
        folders: dict[Literal["A", "B"], Folders] | None = None,
        labels: Literal["A", "B"] | None = None,
        palette: PaletteChoice | None = None,
    ) -> None:
        self.path = Path(path)
        if not self.path.is_dir():
            raise FileNotFoundError(
                f"no folder {str(self.path)!r}: the pairs are looked for there. "
                "Set data.path to the folder itself, or data.root (or PIX2PIX_DATA) to the folder of all data sets."
            )
        self.direction: Direction = direction
        named = OWN_FOLDERS | (folders or {})
        self.sides = sides(
            direction, (source_channels, target_channels), (source_depth, target_depth), named, labels, palette
        )
        self._splits = splits_of(self.path, [*folder_names(named["A"]), *folder_names(named["B"])])

    def split(self, split: Split) -> "PairFiles":
        """The pairs of `split`, in natural order of their names."""
        return PairFiles(self._splits[split], self.direction, self.sides["A"], self.sides["B"])

    def files(self, split: Split) -> PairPaths:
        """(file,) where A and B lie side by side in it, else (file of A, file of B)."""
        return self._splits[split]

    def fingerprint(self) -> str:
        """A digest of the names and sizes of all files."""
        lines = sorted({line for files in set(self._splits.values()) for line in files.sizes(self.path)})
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def folder_names(folders: Folders) -> list[str]:
    """The folders that hold one image of each pair."""
    return [folders] if isinstance(folders, str) else list(folders)


def sides(
    direction: Direction,
    channels: tuple[int, int],
    depths: tuple[Depth, Depth],
    folders: Mapping[Literal["A", "B"], Folders],
    labels: Literal["A", "B"] | None,
    palette: PaletteChoice | None,
) -> dict[Literal["A", "B"], Side]:
    """How A and B are read; `channels` and `depths` are the source's and the target's."""
    order: tuple[Literal["A", "B"], ...] = ("A", "B") if direction == "AtoB" else ("B", "A")
    return {
        image: side(folders[image], count, depth, palette if labels == image else None)
        for image, count, depth in zip(order, channels, depths, strict=True)
    }


def side(folders: Folders, channels: int, depth: Depth = 8, palette: PaletteChoice | None = None) -> Side:
    """How an image is read from its folder, with `channels`, or from the folders that a mapping gives channels to."""
    each = (channels,) if isinstance(folders, str) else tuple(folders.values())
    return Side(each, depth, Palette(palette) if palette else None, tuple(folder_names(folders)))


class PairFiles(Sequence[Pair]):
    """Pairs in files; each entry is (file,) when A and B lie side by side in it, or the files of A and those of B."""

    def __init__(
        self, files: Sequence[tuple[File, ...]], direction: Direction, a: Side = PLAIN, b: Side = PLAIN
    ) -> None:
        self.files, self.direction = files, direction
        self.a, self.b = a, b

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> Pair:  # pyright: ignore[reportIncompatibleMethodOverride]
        files = self.files[index]
        if len(files) == 1:
            a, b = self._halves(files[0])
        else:
            of_a = len(self.a.channels)
            a, b = self.a.read(files[:of_a]), self.b.read(files[of_a:])
        source, target = (a, b) if self.direction == "AtoB" else (b, a)
        return Pair(source, target, pair_name(files[0].stem, *self.a.folders[:1]))

    def _halves(self, file: File) -> tuple[Tensor, Tensor]:
        """A and B of a side-by-side picture; ordinary colours are converted once, for both."""
        picture = opened(file)
        if isinstance(picture, Image.Image) and picture.mode == "RGB" and self.a.takes_colours and self.b.takes_colours:
            require_even(picture.width, file)
            left, right = to_tensor(picture, "RGB").chunk(2, dim=-1)
            return left, right
        left, right = halves(picture, file)
        return self.a.of([left], str(file)), self.b.of([right], str(file))


@overload
def halves(image: Image.Image, path: File) -> tuple[Image.Image, Image.Image]: ...
@overload
def halves(image: Picture, path: File) -> tuple[Picture, Picture]: ...
def halves(image: Picture, path: File) -> tuple[Picture, Picture]:
    """The left and right half of a side-by-side picture."""
    if not isinstance(image, Image.Image):
        require_even(image.shape[1], path)
        left, right = np.split(image, 2, axis=1)
        return left, right
    require_even(image.width, path)
    middle = image.width // 2
    return image.crop((0, 0, middle, image.height)), image.crop((middle, 0, image.width, image.height))
