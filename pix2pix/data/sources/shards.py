"""Reads pairs from WebDataset shards on disk or at any URL that fsspec can open.

The index gives the shard and position of each pair, so any worker reads any pair with one range request, in any order.
A training on shards resumes within an epoch without reading anything twice, as with files.

    DIRECTORY/index.json            how the shards were made; the shards of each split, with counts and checksums
    DIRECTORY/train.offsets.npy     (pairs, 2) int64: offset and size of each pair in its shard
    DIRECTORY/train-000000.tar      1.ab.jpg 2.ab.jpg ... (side by side), 1.a.png 1.b.png ... (two files a pair),
                                    1.0.tif 1.1.tif 1.2.tif ... (more files a pair, those of A first)
"""

import hashlib
from pathlib import Path
from typing import Annotated, get_args

import numpy as np
from pydantic import Field

from pix2pix.core.addresses import hide_secrets
from pix2pix.core.plurals import pluralize
from pix2pix.core.randomness import windowed_order
from pix2pix.data.direction import Direction, Letter
from pix2pix.data.images.class_colours import PaletteChoice
from pix2pix.data.images.decode import Depth
from pix2pix.data.inventory import Inventory, take_inventory
from pix2pix.data.pair import Split
from pix2pix.data.sources.folder import FilePairSource
from pix2pix.data.sources.image_spec import Folders
from pix2pix.data.sources.member_files import REMEDY, MemberFiles, read_shard_file
from pix2pix.data.sources.pair_files import PairFiles
from pix2pix.data.sources.shard_index import INDEX, parse_index
from pix2pix.data.sources.splits import (
    DEFAULT_SHARE,
    Share,
    describe_held_out,
    hold_out,
    missing_split_message,
    require_two,
)


class ShardedPairs(FilePairSource):
    """The pairs of a folder that `pix2pix data shard` wrote, on a disk, a web server or an object store.

    Every epoch visits the shards in another order, and mixes the pairs of `window` shards at a time: what is read lies
    together, and a window is what a cache on the way has to hold. With `window` or fewer shards the order is the one
    of the same pairs in files. Without shards of a validation split, a share of the training pairs is held out.

    Args:
        path: a folder, or an address for fsspec, such as https://host/shards or s3://bucket/shards.
        window: how many shards are shuffled together.
        direction: as in `PairFolder`; the same holds for all arguments below.

    Raises:
        FileNotFoundError: when there is no index at `path`.
        ValueError: when the index is invalid or of another version, or its parts do not fit each other.
    """

    def __init__(
        self,
        path: str,
        *,
        window: Annotated[int, Field(ge=1)] = 16,
        direction: Direction = "AtoB",
        source_channels: int = 3,
        target_channels: int = 3,
        source_depth: Depth = 8,
        target_depth: Depth = 8,
        folders: dict[Letter, Folders] | None = None,
        label_map: Letter | None = None,
        palette: PaletteChoice | None = None,
        val_share: Share | None = DEFAULT_SHARE,
        split_seed: Annotated[int, Field(ge=0)] = 0,
    ) -> None:
        self.path, self.window = path.rstrip("/"), window
        self.val_share, self.split_seed = val_share, split_seed
        channels = source_channels, target_channels
        super().__init__(direction, channels, (source_depth, target_depth), folders, label_map, palette)
        self.index = read_shard_file(self.path, INDEX)
        self.shards = parse_index(self.index, hide_secrets(f"{self.path}/{INDEX}"))
        self._members: dict[Split, MemberFiles] = {}

    def split(self, split: Split) -> PairFiles:
        """The pairs of `split`, in natural order of their names."""
        return self.open_pairs(self.members(split))

    @property
    def splits(self) -> tuple[Split, ...]:
        """The splits that have pairs."""
        has_pairs = {"train": True, "val": True, "test": "test" in self.shards or self.val_share is None}
        return tuple(split for split in get_args(Split) if has_pairs[split])

    def members(self, split: Split) -> MemberFiles:
        """The files of the pairs of `split`. Raises ValueError if there is no such split."""
        if split not in self.splits:
            raise ValueError(missing_split_message(hide_secrets(self.path), split, self.splits))
        if split not in self._members:
            self._members |= self._hold_out() if self._is_held_out(split) else {split: self._read_members(split)}
        return self._members[split]

    def _is_held_out(self, split: Split) -> bool:
        return self.val_share is not None and "val" not in self.shards and split != "test"

    def _hold_out(self) -> dict[Split, MemberFiles]:
        """The training and validation pairs of shards without a validation split."""
        assert self.val_share is not None
        members = self._read_members("train")
        require_two(len(members), hide_secrets(self.path))
        training, validation = hold_out(len(members), self.val_share, self.split_seed)
        return {"train": members.select(training), "val": members.select(validation)}

    def _read_members(self, split: Split) -> MemberFiles:
        """Reads the offsets of a split. In shards of earlier versions, `val` and `test` replace each other."""
        other: Split = {"train": "train", "val": "test", "test": "val"}[split]  # pyright: ignore[reportAssignmentType]
        stored = split if split in self.shards else other
        if not self.shards.get(stored):
            raise ValueError(f"{hide_secrets(self.path)}/{INDEX}: lists no shards of {split}. {REMEDY}")
        return MemberFiles(self.path, stored, self.shards[stored])

    def describe(self) -> list[str]:
        """A sentence about the number of pairs, and about the pairs for validation."""
        counts = {split: len(self.members(split)) for split in self.splits}
        held_out_by = self.split_seed if self._is_held_out("val") else None
        validation = describe_held_out(counts, held_out_by)
        if "val" not in self.shards and held_out_by is None:
            validation += ", the same pairs, which therefore choose best.ckpt"
        pairs = pluralize(counts["train"], "pair", "pairs")
        return [f"{hide_secrets(self.path)}: {pairs} in shards; {validation}."]

    def fingerprint(self) -> str:
        """A digest of the index, which holds the checksum of every shard."""
        return hashlib.sha256(self.index).hexdigest()

    def inventory(self) -> Inventory:
        """The shards and the offset files that are on this machine, with the checksums in the index."""
        folder = Path(self.path)
        sums = {shard.name: shard.sha256 for shards in self.shards.values() for shard in shards}
        sums |= {f"{split}.offsets.npy": "" for split in self.shards}
        local = [name for name in sorted(sums) if (folder / name).is_file()]
        return take_inventory(self.fingerprint(), [folder / name for name in local], [sums[name] for name in local])

    def order(self, seed: int, epoch: int, length: int) -> np.ndarray:
        """The order of a training epoch, shard after shard within a window."""
        return windowed_order(seed, epoch, self.members("train").pairs_of_shards, self.window)
