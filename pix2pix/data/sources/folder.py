"""Reads pairs from a folder of picture files, in either direction."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, get_args

from pydantic import Field

from pix2pix.core.checksums import file_sha256
from pix2pix.data.direction import Direction, Letter, letter_of, orient
from pix2pix.data.images.class_colours import PaletteChoice
from pix2pix.data.images.decode import Depth, read_size
from pix2pix.data.images.memory_file import File
from pix2pix.data.inventory import Inventory
from pix2pix.data.pair import InputAlone, PairSource, Split
from pix2pix.data.sources import pair_list
from pix2pix.data.sources.describe_splits import describe_splits
from pix2pix.data.sources.faults import Report, raise_all_but_odd_widths, raise_fault
from pix2pix.data.sources.folder_layout import find_layout
from pix2pix.data.sources.image_spec import OWN_FOLDERS, Folders, make_specs
from pix2pix.data.sources.inputs_alone import InputFiles
from pix2pix.data.sources.pair_files import PairFiles
from pix2pix.data.sources.pair_paths import PairPaths, inventory_splits
from pix2pix.data.sources.splits import (
    DEFAULT_SHARE,
    FolderLayout,
    Layout,
    Share,
    complete_splits,
    missing_split_message,
)


class FilePairSource(PairSource):
    """Pairs that are read from files, in a folder or in shards.

    Args:
        direction: `AtoB` makes A the source, `BtoA` makes B the source.
        channels: the channels of source and target.
        depths: the bits of their pixels.
        folders: the names of A's and B's folders, see `PairFolder`; None for A and B.
        label_map: which image is a label map, to be read by `palette`; None for none.
        palette: the palette of the label maps.
    """

    def __init__(
        self,
        direction: Direction,
        channels: tuple[int, int],
        depths: tuple[Depth, Depth],
        folders: dict[Letter, Folders] | None,
        label_map: Letter | None,
        palette: PaletteChoice | None,
    ) -> None:
        self.direction: Direction = direction
        self.specs = make_specs(direction, channels, depths, OWN_FOLDERS | (folders or {}), label_map, palette)

    @property
    def image_names(self) -> list[str]:
        """The names of A's folders, then of B's."""
        return [*self.specs["A"].folders, *self.specs["B"].folders]

    def find_pairs(self, path: Path, layout: Layout = "auto", report: Report = raise_fault) -> FolderLayout:
        """The pairs in a folder or in a table, in whatever splits. Reports what `find_layout` and the table report."""
        return find_pairs(path, self.specs["A"].folders, self.specs["B"].folders, self.direction, layout, report)

    def open_pairs(self, files: Sequence[tuple[File, ...]]) -> PairFiles:
        """The pairs in `files`; a pair is read when indexed."""
        return PairFiles(files, self.direction, self.specs["A"], self.specs["B"])


class PairFolder(FilePairSource):
    """Pairs in a folder, side by side in one file (A left, B right) or in two folders of matching names.

    A split S is looked for as `S/` (side-by-side files), `SA/` and `SB/`, `A/S/` and `B/S/`, `S/A/` and `S/B/`, `S_A/`
    and `S_B/`, or as `S/` with files `N_A` and `N_B`; also as `training`, `valid`, `validation` or `testing`. `folders`
    gives A and B the names they have in yours, such as images and masks, and may join several folders as the channels
    of one image. Case does not matter. Where these folders hold no pictures, the folders below them are searched.
    Names match when they are equal but for the suffix and a trailing `_A`, `_B` or name of the folder (`1_mask.png` in
    `masks`). Where the folder holds nothing but another one, the pairs are looked for in that. `path` may also be a
    table of pairs, see `pix2pix.data.sources.pair_list`.

    Without a validation split, a share of the training pairs is held out. A test split is there or is not.

    Args:
        path: the folder, or a CSV file that lists the pairs.
        direction: `AtoB` makes A the source, `BtoA` makes B the source.
        source_channels: channels of the source; grey and colour are converted (1, 3, with transparency 2, 4).
        target_channels: channels of the target.
        source_depth: bits of the source's pixels, 8 or 16; 32 for signed integers, or `float`.
        target_depth: bits of the target's pixels.
        folders: the names of A's and B's folders; for several, a mapping to their channels, as {mask: 1, photo: 3}.
        label_map: which image is a label map, to be read by `palette`; None for none.
        palette: the palette of the label maps.
        layout: `side_by_side` or `two_folders`; `auto` takes what is found, and refuses single pictures.
        val_share: the share of the training pairs that is held out where there is no validation split. None: as earlier
            versions did, where test pairs stood in for validation pairs, and the other way round.
        split_seed: chooses the pairs that are held out.
        skip_odd_widths: leave side-by-side files of odd width for their reading, which may skip them.

    Raises:
        FileNotFoundError: when there is no such folder, or no picture in it.
        ValueError: when names do not match, or a side-by-side file has an odd width. In a split of more than a thousand
            files an even sample is checked now, the others when they are read.
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
        folders: dict[Letter, Folders] | None = None,
        label_map: Letter | None = None,
        palette: PaletteChoice | None = None,
        layout: Layout = "auto",
        val_share: Share | None = DEFAULT_SHARE,
        split_seed: Annotated[int, Field(ge=0)] = 0,
        skip_odd_widths: bool = False,
    ) -> None:
        self.path = Path(path)
        require_folder(self.path)
        channels = source_channels, target_channels
        super().__init__(direction, channels, (source_depth, target_depth), folders, label_map, palette)
        self.found = self.find_pairs(self.path, layout, raise_all_but_odd_widths if skip_odd_widths else raise_fault)
        if "train" not in self.found.splits:
            raise FileNotFoundError(_no_training_message(self.path, self.image_names))
        self.held_out_by = None if val_share is None or "val" in self.found.splits else split_seed
        self._splits = complete_splits(self.found.splits, self.path, val_share, split_seed)

    @property
    def splits(self) -> tuple[Split, ...]:
        """The splits that have pairs."""
        return tuple(split for split in get_args(Split) if split in self._splits)

    def split(self, split: Split) -> PairFiles:
        """The pairs of `split`, in natural order of their names. Raises ValueError where there is no such split."""
        return self.open_pairs(self.files(split))

    def pair_name(self, split: Split, index: int) -> str:
        """The name of a pair, without reading it."""
        return self.split(split).name(index)

    def files(self, split: Split) -> PairPaths:
        """The files of each pair: (file,) with A and B side by side, or the files of A and then those of B."""
        if split not in self._splits:
            raise ValueError(missing_split_message(self.path, split, self.splits))
        return self._splits[split].files

    def inputs(self) -> Sequence[InputAlone]:
        """The inputs of a test or validation split that have no targets."""
        spec = self.specs[letter_of("source", self.direction)]
        return () if self.found.inputs is None else InputFiles(self.found.inputs, spec)

    def describe(self) -> list[str]:
        """What was found, in a line; then what was left out or looks wrong."""
        return describe_splits(self.found, self._splits, self.held_out_by)

    def source_size(self, split: Split, index: int) -> tuple[int, int]:
        """Height and width of a pair's source: the one size of all measured files, or else read from its own file."""
        files, known = self.files(split)[index], self._splits[split].sizes
        if len(files) == 1:
            height, width = next(iter(known)) if len(known) == 1 else read_size(files[0])
            return height, width // 2
        return read_size(orient(files[0], files[len(self.specs["A"].channels)], self.direction)[0])

    def fingerprint(self) -> str:
        """A digest of the names and sizes of all files."""
        return self.inventory().fingerprint

    def inventory(self) -> Inventory:
        """The files, with their dates."""
        return take_files_inventory(self.path, [found.files for found in self._splits.values()])


def take_files_inventory(path: Path, splits: Iterable[PairPaths]) -> Inventory:
    """The files of the splits in a folder or a table, with their dates."""
    if pair_list.is_table(path):
        return inventory_splits(splits, path.parent, file_sha256(path))  # its rows decide which files form a pair
    return inventory_splits(splits, path)


def _no_training_message(path: Path, names: Sequence[str]) -> str:
    if pair_list.is_table(path):
        return f"{path}: lists no training pairs. Leave the column split empty, or write train there."
    return (
        f"no training pairs in {str(path)!r}: expected them in train/, or in "
        f"{' and '.join(f'train{name}/' for name in names)}."
    )


def find_pairs(
    path: Path,
    of_a: Sequence[str],
    of_b: Sequence[str],
    direction: Direction,
    layout: Layout = "auto",
    report: Report = raise_fault,
) -> FolderLayout:
    """The pairs in a folder or in a table, in whatever splits.

    Args:
        path: the folder or the table.
        of_a: the names of A's folders.
        of_b: the names of B's folders.
        direction: tells which of them are the inputs, which need no targets in a test split.
        layout: see `PairFolder`.
        report: takes each fault. By default it raises the first.
    """
    require_two_names(of_a, of_b)
    sources = orient(range(len(of_a)), range(len(of_a), len(of_a) + len(of_b)), direction)[0]
    if pair_list.is_table(path):
        return pair_list.read_pair_list(path, [*of_a, *of_b], sources, report)
    return find_layout(path, [*of_a, *of_b], sources, layout, report)


def require_folder(path: Path) -> None:
    """Raises FileNotFoundError for what is neither a folder nor a table of pairs."""
    if path.is_file() and not pair_list.is_table(path):
        raise ValueError(
            f"{path}: neither a folder of pairs nor a table of them, which is a .csv or .tsv file. Name one."
        )
    if not path.is_dir() and not pair_list.is_table(path):
        raise FileNotFoundError(
            f"no folder {str(path)!r}: the pairs are looked for there. "
            "Set data.path to the folder itself, or data.root (or PIX2PIX_DATA) to the folder of all data sets; "
            "data.list to a table of pairs."
        )


def require_two_names(of_a: Sequence[str], of_b: Sequence[str]) -> None:
    """Raises ValueError where A and B are the same folder."""
    if shared := set(of_a) & set(of_b):
        name = min(shared)
        raise ValueError(
            f"data.folders={{A: {name}, B: {name}}}: names one folder for both A and B, so each picture would be "
            "its own partner. Name two folders."
        )
