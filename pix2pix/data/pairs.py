"""File -> pair: find the files of a split, decode them, settle which image is the source and which the target."""

import hashlib
import itertools
import logging
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

import numpy as np
import torch
from natsort import natsorted
from PIL import Image
from pydantic import Field
from torch import Tensor

from pix2pix.data.palettes import Palette, PaletteChoice
from pix2pix.data.pixels import SUFFIXES, Depth, Picture, opened, pixels_of, size

log = logging.getLogger(__name__)

Direction = Literal["AtoB", "BtoA"]
Split = Literal["train", "val", "test"]
Folders = str | dict[str, Annotated[int, Field(ge=1)]]
WORDS: dict[Split | Literal[""], tuple[str, ...]] = {
    "train": ("train", "training"),
    "val": ("val", "valid", "validation"),
    "test": ("test", "testing"),
    "": ("",),
}
LAYOUTS = ("{split}{name}", "{name}/{split}", "{split}/{name}", "{split}_{name}")
HELD_OUT_EVERY = 10


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


class Side(NamedTuple):
    """How one image of a pair is read: the channels of each of its files, their depth, a label map's palette."""

    channels: tuple[int, ...] = (3,)
    depth: Depth = 8
    palette: Palette | None = None
    folders: tuple[str, ...] = ()

    def read(self, files: Sequence[Path]) -> Tensor:
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
        ValueError: when names do not match, or a side-by-side file is of odd width.
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
        named: dict[Literal["A", "B"], Folders] = {"A": "A", "B": "B", **(folders or {})}
        source: Literal["A", "B"] = "A" if direction == "AtoB" else "B"
        target: Literal["A", "B"] = "B" if direction == "AtoB" else "A"
        self.sides = {
            source: side(named[source], source_channels, source_depth, palette if labels == source else None),
            target: side(named[target], target_channels, target_depth, palette if labels == target else None),
        }
        self._splits = _with_fallbacks(self.path, [*folder_names(named["A"]), *folder_names(named["B"])])

    def split(self, split: Split) -> "PairFiles":
        """The pairs of `split`, in natural order of their names."""
        return PairFiles(self._splits[split], self.direction, self.sides["A"], self.sides["B"])

    def fingerprint(self) -> str:
        """A digest of the names and sizes of all files."""
        files = [file for split in self._splits.values() for pair in split for file in pair]
        lines = sorted({f"{file.relative_to(self.path)} {file.stat().st_size}" for file in files})
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def folder_names(folders: Folders) -> list[str]:
    """The folders that hold one image of each pair."""
    return [folders] if isinstance(folders, str) else list(folders)


def side(folders: Folders, channels: int, depth: Depth = 8, palette: PaletteChoice | None = None) -> Side:
    """How an image is read from its folder, with `channels`, or from the folders that a mapping gives channels to."""
    each = (channels,) if isinstance(folders, str) else tuple(folders.values())
    return Side(each, depth, Palette(palette) if palette else None, tuple(folder_names(folders)))


class PairFiles(Sequence[Pair]):
    """Pairs in files; each entry is (file,) when A and B lie side by side in it, or the files of A and those of B."""

    def __init__(
        self, files: Sequence[tuple[Path, ...]], direction: Direction, a: Side = PLAIN, b: Side = PLAIN
    ) -> None:
        self.files, self.direction = files, direction
        self.a, self.b = a, b

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> Pair:  # pyright: ignore[reportIncompatibleMethodOverride]
        files = self.files[index]
        if len(files) == 1:
            left, right = halves(opened(files[0]), files[0])
            a, b = self.a.of([left], str(files[0])), self.b.of([right], str(files[0]))
        else:
            of_a = len(self.a.channels)
            a, b = self.a.read(files[:of_a]), self.b.read(files[of_a:])
        source, target = (a, b) if self.direction == "AtoB" else (b, a)
        return Pair(source, target, _key(files[0], *self.a.folders[:1]))


def halves(image: Picture, path: Path) -> tuple[Picture, Picture]:
    """The left and right half of a side-by-side picture."""
    if not isinstance(image, Image.Image):
        _require_even(image.shape[1], path)
        left, right = np.split(image, 2, axis=1)
        return left, right
    _require_even(image.width, path)
    middle = image.width // 2
    return image.crop((0, 0, middle, image.height)), image.crop((middle, 0, image.width, image.height))


def pictures(folder: Path) -> list[Path]:
    """The picture files directly in `folder`, in natural order: 2.jpg before 10.jpg."""
    if not folder.is_dir():
        return []
    return natsorted(
        (f for f in folder.iterdir() if f.suffix.lower() in SUFFIXES and not f.name.startswith(".")), key=str
    )


def _with_fallbacks(path: Path, names: list[str]) -> dict[Split, list[tuple[Path, ...]]]:
    found = {split: _find(path, split, names) for split in WORDS if split}
    train = found["train"] or _find(path, "", names)
    if not any(found.values()) and not train:
        inner = [folder for folder in path.iterdir() if folder.is_dir() and not folder.name.startswith(".")]
        if len(inner) == 1:  # as archives are often unpacked
            return _with_fallbacks(inner[0], names)
        raise FileNotFoundError(
            f"no pictures in {str(path)!r}: expected train/ and val/ with side-by-side files, or "
            f"{', '.join(f'train{name}/' for name in names)} ... "
            f"(other names: data.folders). Known suffixes: {', '.join(SUFFIXES)}."
        )
    if not train:
        raise FileNotFoundError(
            f"no training pairs in {str(path)!r}: expected them in train/, or in "
            f"{' and '.join(f'train{name}/' for name in names)}."
        )
    held_out = found["val"] or found["test"]
    if not held_out:
        train, held_out = _hold_out(train, path)
    return {"train": train, "val": found["val"] or held_out, "test": found["test"] or held_out}


def _hold_out(files: list[tuple[Path, ...]], path: Path) -> tuple[list[tuple[Path, ...]], list[tuple[Path, ...]]]:
    if len(files) < 2:
        raise ValueError(f"{path}: one pair alone cannot be split into training and validation. Add pairs.")
    held_out = files[HELD_OUT_EVERY - 1 :: HELD_OUT_EVERY] or files[-1:]
    log.info("%s has no val or test split: every tenth pair (%d of %d) is held out.", path, len(held_out), len(files))
    apart = set(held_out)
    return [file for file in files if file not in apart], held_out


def _find(path: Path, split: Split | Literal[""], names: list[str]) -> list[tuple[Path, ...]]:
    """The files of one split in the first layout that has any; the split "" is the folder itself."""
    for word, layout in itertools.product(WORDS[split], LAYOUTS):
        folders = [path / layout.format(split=word, name=name).strip("/_") for name in names]
        if any(map(pictures, folders)):
            return _matched(folders, names)
    side_by_side = next(filter(None, (pictures(path / word) for word in WORDS[split])), [])
    files = by_name(side_by_side).values()
    for file in files:
        _require_even(size(file)[0], file)
    return [(file,) for file in files]


def _matched(folders: list[Path], names: list[str]) -> list[tuple[Path, ...]]:
    named = [by_name(pictures(folder), name) for folder, name in zip(folders, names, strict=True)]
    everywhere = set.intersection(*(set(files) for files in named))
    alone = [
        f"{folder.name}/{files[key].name}"
        for folder, files in zip(folders, named, strict=True)
        for key in files.keys() - everywhere
    ]
    if alone:
        raise ValueError(
            f"{folders[0].parent}: {len(alone)} pictures have no partner of the same name, among them "
            f"{', '.join(natsorted(alone)[:5])}. Rename or remove them."
        )
    return [tuple(files[key] for files in named) for key in named[0]]


def by_name(files: list[Path], folder: str = "") -> dict[str, Path]:
    """The files by the names of their pairs; `folder` names what they show. Raises ValueError for two of one name."""
    named: dict[str, Path] = {}
    for file in files:
        other = named.setdefault(_key(file, folder), file)
        if other is not file:
            raise ValueError(f"{file.parent}: {other.name} and {file.name} are one name. Rename or remove one of them.")
    return named


def _key(file: Path, folder: str = "") -> str:
    """The name of a pair: 1 for 1.png, 1_A.jpg and, in a folder `masks`, 1_mask.png."""
    name = file.stem
    for ending in ("AB", "A", "B", *filter(None, (folder, folder.removesuffix("s")))):
        name = name.removesuffix(f"_{ending}")
    return name


def _require_even(width: int, path: Path) -> None:
    if width % 2:
        raise ValueError(
            f"{path}: width {width} is odd, but a side-by-side pair is two halves of equal width. "
            "Crop the file, or put A and B into two folders, trainA/ and trainB/."
        )
