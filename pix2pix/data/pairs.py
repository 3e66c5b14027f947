"""File -> pair: find the files of a split, decode them, settle which image is the source and which the target."""

import hashlib
import logging
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import torch
from natsort import natsorted
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from pix2pix.data.stored import StoredFile
from pix2pix.randomness import epoch_order

log = logging.getLogger(__name__)

File = Path | StoredFile
Direction = Literal["AtoB", "BtoA"]
Split = Literal["train", "val", "test"]
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")
MODES = {1: "L", 3: "RGB", 4: "RGBA"}
HELD_OUT_EVERY = 10


class Pair(NamedTuple):
    """An input and its target, aligned pixel by pixel: uint8 (C, H, W), or float in [-1, 1] once transformed."""

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


class PairFolder(PairSource):
    """Pairs in a folder, side by side in one file (A left, B right) or in two folders of matching names.

    A split S is looked for as `S/` (side-by-side files), `SA/` and `SB/`, `A/S/` and `B/S/`, `S/A/` and `S/B/`. Names
    match when they are equal but for the suffix and a trailing `_A` or `_B`.

    A missing `val` is `test` and the other way round. Where neither is there, or pictures lie in the folder itself
    with no split at all, every tenth pair of the training set, in natural order, is held out for both.

    Args:
        path: the folder.
        direction: `AtoB` makes A the source, `BtoA` makes B the source.
        source_channels: 1 (grey), 3 (RGB) or 4 (RGBA); pictures are converted.
        target_channels: likewise.

    Raises:
        FileNotFoundError: when there is no such folder, or no picture in it.
        ValueError: when names do not match, or a side-by-side file is of odd width.
    """

    def __init__(
        self, path: str, *, direction: Direction = "AtoB", source_channels: int = 3, target_channels: int = 3
    ) -> None:
        self.path = Path(path)
        if not self.path.is_dir():
            raise FileNotFoundError(
                f"no folder {str(self.path)!r}: the pairs are looked for there. "
                "Set data.path to the folder itself, or data.root (or PIX2PIX_DATA) to the folder of all data sets."
            )
        self.direction: Direction = direction
        self.modes = MODES[source_channels], MODES[target_channels]
        self._splits = _with_fallbacks(self.path)

    def split(self, split: Split) -> "PairFiles":
        """The pairs of `split`, in natural order of their names."""
        return PairFiles(self._splits[split], self.direction, self.modes)

    def files(self, split: Split) -> Sequence[tuple[Path, ...]]:
        """(file,) where A and B lie side by side in it, else (file of A, file of B)."""
        return self._splits[split]

    def fingerprint(self) -> str:
        """A digest of the names and sizes of all files."""
        files = [file for split in self._splits.values() for pair in split for file in pair]
        lines = sorted({f"{file.relative_to(self.path)} {file.stat().st_size}" for file in files})
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()


class PairFiles(Sequence[Pair]):
    """Pairs in files; each entry is (file,) when A and B lie side by side in it, or (file of A, file of B)."""

    def __init__(self, files: Sequence[tuple[File, ...]], direction: Direction, modes: tuple[str, str]) -> None:
        self.files = files
        self.direction = direction
        self.modes = modes

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> Pair:  # pyright: ignore[reportIncompatibleMethodOverride]
        files = self.files[index]
        a, b = map(decode, files) if len(files) == 2 else halves(decode(files[0]), files[0])
        source, target = (a, b) if self.direction == "AtoB" else (b, a)
        return Pair(to_tensor(source, self.modes[0]), to_tensor(target, self.modes[1]), _key(files[0]))


def decode(path: File) -> Image.Image:
    """The picture at `path`, upright. Raises ValueError naming the file when it cannot be read whole."""
    try:
        with Image.open(path) as image:
            image.load()
            return ImageOps.exif_transpose(image)
    except (UnidentifiedImageError, OSError, SyntaxError, Image.DecompressionBombError) as error:
        if isinstance(error, FileNotFoundError):
            raise
        raise ValueError(f"{path}: cannot be read as a picture ({error}). Replace or remove the file.") from error


def halves(image: Image.Image, path: File) -> tuple[Image.Image, Image.Image]:
    """The left and right half of a side-by-side picture."""
    _require_even(image.width, path)
    middle = image.width // 2
    return image.crop((0, 0, middle, image.height)), image.crop((middle, 0, image.width, image.height))


def to_tensor(image: Image.Image, mode: str) -> Tensor:
    """The picture as uint8 (C, H, W), converted to a Pillow mode."""
    pixels = np.array(image if image.mode == mode else image.convert(mode))
    return torch.from_numpy(pixels).reshape(image.height, image.width, -1).permute(2, 0, 1)


def pictures(folder: Path) -> list[Path]:
    """The picture files directly in `folder`, in natural order: 2.jpg before 10.jpg."""
    if not folder.is_dir():
        return []
    return natsorted(
        (f for f in folder.iterdir() if f.suffix.lower() in SUFFIXES and not f.name.startswith(".")), key=str
    )


def _with_fallbacks(path: Path) -> dict[Split, list[tuple[Path, ...]]]:
    found = {split: _find(path, split) for split in ("train", "val", "test")}
    train = found["train"] or _find(path, "")
    if not any(found.values()) and not train:
        raise FileNotFoundError(
            f"no pictures in {str(path)!r}: expected train/ and val/ with side-by-side files, or trainA/, trainB/ ... "
            f"Known suffixes: {', '.join(SUFFIXES)}."
        )
    if not train:
        raise FileNotFoundError(
            f"no training pairs in {str(path)!r}: expected them in train/, or in trainA/ and trainB/."
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


def _find(path: Path, split: str) -> list[tuple[Path, ...]]:
    """The files of one split in the first layout that has any; the split "" is the folder itself."""
    for a, b in ((f"{split}A", f"{split}B"), (f"A/{split}", f"B/{split}"), (f"{split}/A", f"{split}/B")):
        if pictures(path / a) or pictures(path / b):
            return _matched(path / a, path / b)
    files = by_name(pictures(path / split)).values()
    for file in files:
        _require_even(_width(file), file)
    return [(file,) for file in files]


def _matched(folder_a: Path, folder_b: Path) -> list[tuple[Path, ...]]:
    a, b = by_name(pictures(folder_a)), by_name(pictures(folder_b))
    if a.keys() != b.keys():
        alone = [f"{folder_a.name}/{a[key].name}" for key in a.keys() - b.keys()]
        alone += [f"{folder_b.name}/{b[key].name}" for key in b.keys() - a.keys()]
        raise ValueError(
            f"{folder_a.parent}: {len(alone)} pictures have no partner of the same name, among them "
            f"{', '.join(natsorted(alone)[:5])}. Rename or remove them."
        )
    return [(a[key], b[key]) for key in a]


def by_name(files: list[Path]) -> dict[str, Path]:
    """The files by the names of their pairs. Raises ValueError for two of one name."""
    named: dict[str, Path] = {}
    for file in files:
        other = named.setdefault(_key(file), file)
        if other is not file:
            raise ValueError(f"{file.parent}: {other.name} and {file.name} are one name. Rename or remove one of them.")
    return named


def _key(file: File) -> str:
    return file.stem.removesuffix("_AB").removesuffix("_A").removesuffix("_B")


def _width(file: Path) -> int:
    try:
        with Image.open(file) as image:
            return image.width
    except (UnidentifiedImageError, OSError) as error:
        raise ValueError(f"{file}: cannot be read as a picture ({error}). Replace or remove the file.") from error


def _require_even(width: int, path: File) -> None:
    if width % 2:
        raise ValueError(
            f"{path}: width {width} is odd, but a side-by-side pair is two halves of equal width. "
            "Crop the file, or put A and B into two folders, trainA/ and trainB/."
        )
