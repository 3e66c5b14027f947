"""Reads pairs from a folder of picture files, in either direction."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from PIL import Image
from torch import Tensor

from pix2pix.data.images.class_colours import PaletteChoice
from pix2pix.data.images.decode import Depth, open_picture, pil_to_tensor, read_size
from pix2pix.data.inventory import Inventory
from pix2pix.data.pair import Direction, Pair, PairSource, Split
from pix2pix.data.sources.folder_layout import PairPaths, find_splits, inventory_splits, pair_name
from pix2pix.data.sources.image_spec import (
    OWN_FOLDERS,
    RGB_SPEC,
    Folders,
    ImageSpec,
    make_specs,
    require_even,
    split_halves,
)
from pix2pix.data.sources.shard_member import File


class PairFiles(Sequence[Pair]):
    """Pairs in files; each entry is (file,) when A and B lie side by side in it, or the files of A and those of B."""

    def __init__(
        self, files: Sequence[tuple[File, ...]], direction: Direction, a: ImageSpec = RGB_SPEC, b: ImageSpec = RGB_SPEC
    ) -> None:
        self.files, self.direction = files, direction
        self.a, self.b = a, b

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> Pair:  # pyright: ignore[reportIncompatibleMethodOverride]
        files = self.files[index]
        if len(files) == 1:
            a, b = self._read_halves(files[0])
        else:
            of_a = len(self.a.channels)
            a, b = self.a.read(files[:of_a]), self.b.read(files[of_a:])
        source, target = (a, b) if self.direction == "AtoB" else (b, a)
        return Pair(source, target, pair_name(files[0].stem, *self.a.folders[:1]))

    def _read_halves(self, file: File) -> tuple[Tensor, Tensor]:
        """A and B of a side-by-side picture; ordinary colours are converted once, for both."""
        picture = open_picture(file)
        if isinstance(picture, Image.Image) and picture.mode == "RGB" and self.a.is_plain_rgb and self.b.is_plain_rgb:
            require_even(picture.width, file)
            left, right = pil_to_tensor(picture, "RGB").chunk(2, dim=-1)
            return left, right
        left, right = split_halves(picture, file)
        return self.a.combine([left], str(file)), self.b.combine([right], str(file))


class FilePairSource(PairSource):
    """Pairs that are read from files, wherever these lie.

    Args:
        direction: `AtoB` makes A the source, `BtoA` makes B the source.
        channels: of the source and of the target.
        depths: likewise, bits of their pixels.
        folders: the names of A's and B's folders, see `PairFolder`; None for A and B.
        label_map: which image is a label map, to be read by `palette`; None for none.
        palette: of the label maps.
    """

    def __init__(
        self,
        direction: Direction,
        channels: tuple[int, int],
        depths: tuple[Depth, Depth],
        folders: dict[Literal["A", "B"], Folders] | None,
        label_map: Literal["A", "B"] | None,
        palette: PaletteChoice | None,
    ) -> None:
        self.direction: Direction = direction
        self.sides = make_specs(direction, channels, depths, OWN_FOLDERS | (folders or {}), label_map, palette)

    def open_pairs(self, files: Sequence[tuple[File, ...]]) -> PairFiles:
        """The pairs in `files`, read when indexed."""
        return PairFiles(files, self.direction, self.sides["A"], self.sides["B"])


class PairFolder(FilePairSource):
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
        label_map: which image is a label map, to be read by `palette`; None for none.
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
        label_map: Literal["A", "B"] | None = None,
        palette: PaletteChoice | None = None,
    ) -> None:
        self.path = Path(path)
        if not self.path.is_dir():
            raise FileNotFoundError(
                f"no folder {str(self.path)!r}: the pairs are looked for there. "
                "Set data.path to the folder itself, or data.root (or PIX2PIX_DATA) to the folder of all data sets."
            )
        channels = source_channels, target_channels
        super().__init__(direction, channels, (source_depth, target_depth), folders, label_map, palette)
        self._splits = find_splits(self.path, [*self.sides["A"].folders, *self.sides["B"].folders])

    def split(self, split: Split) -> PairFiles:
        """The pairs of `split`, in natural order of their names."""
        return self.open_pairs(self._splits[split])

    def files(self, split: Split) -> PairPaths:
        """(file,) where A and B lie side by side in it, else (file of A, file of B)."""
        return self._splits[split]

    def source_size(self, split: Split, index: int) -> tuple[int, int]:
        """Height and width of a pair's source, from the header of its file."""
        files = self._splits[split][index]
        if len(files) == 1:
            height, width = read_size(files[0])
            return height, width // 2
        return read_size(files[0 if self.direction == "AtoB" else len(self.sides["A"].channels)])

    def fingerprint(self) -> str:
        """A digest of the names and sizes of all files."""
        return self.inventory().fingerprint

    def inventory(self) -> Inventory:
        """The files, with their dates."""
        return inventory_splits(self._splits.values(), self.path)
