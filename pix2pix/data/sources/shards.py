"""Reads pairs from WebDataset shards on disk or at any URL that fsspec can open.

The index says where in which shard each pair lies. A pair is then one read of one range, in any order, by any worker:
shards are pairs like others, and a training on them is resumed within an epoch without reading anything twice.

    DIRECTORY/index.json            how the shards were made; of each split the shards, with counts and checksums
    DIRECTORY/train.offsets.npy     (pairs, 2) int64: offset and size of each pair in its shard
    DIRECTORY/train-000000.tar      1.ab.jpg 2.ab.jpg ... side by side; 1.a.png 1.b.png ... of two files;
                                    1.0.tif 1.1.tif 1.2.tif ... of more, those of A first
"""

import copy
import hashlib
import io
import json
import logging
import re
import tarfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, get_args

import numpy as np
from pydantic import Field

from pix2pix.core.addresses import authorization_header, hide_secrets, login_hint
from pix2pix.core.randomness import windowed_order
from pix2pix.data.images.class_colours import PaletteChoice
from pix2pix.data.images.decode import Depth
from pix2pix.data.images.picture_files import is_utf8, read_npy
from pix2pix.data.inventory import Inventory, take_inventory
from pix2pix.data.pair import Direction, Split
from pix2pix.data.sources.folder import FilePairSource, PairFiles
from pix2pix.data.sources.image_spec import Folders
from pix2pix.data.sources.shard_member import ShardMember, roles
from pix2pix.data.sources.splits import (
    DEFAULT_SHARE,
    Share,
    describe_held_out,
    hold_out,
    missing_split_message,
    require_two,
)

log = logging.getLogger(__name__)

FORMAT = 1
INDEX = "index.json"
SHARD = re.compile(r"\w+-\d+\.tar")
REMEDY = "Copy it from where it was made, together with its index, or make the shards again."
RETRY_DELAYS = (0.5, 1.0, 2.0, 4.0)  # seconds before a broken read is tried again


class Shard(NamedTuple):
    """One tar file: its name, how many pairs it holds, its size in bytes and its SHA-256."""

    name: str
    pairs: int
    bytes: int
    sha256: str


class ShardedPairs(FilePairSource):
    """The pairs of a folder that `pix2pix data shard` wrote, on a disk, a web server or an object store.

    Every epoch visits the shards in another order, and mixes the pairs of `window` shards at a time: what is read lies
    together, and a window is what a cache on the way has to hold. With `window` or fewer shards the order is the one
    of the same pairs in files. Without shards of a validation split, a share of the training pairs is held out.

    Args:
        path: a folder, or an address that fsspec knows, such as https://host/shards or s3://bucket/shards.
        window: how many shards are mixed at a time.
        direction: as of `PairFolder`, and all that follows.

    Raises:
        FileNotFoundError: when there is no index at `path`.
        ValueError: when what is there is no index of ours, or its parts do not belong together.
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
        folders: dict[Literal["A", "B"], Folders] | None = None,
        label_map: Literal["A", "B"] | None = None,
        palette: PaletteChoice | None = None,
        val_share: Share | None = DEFAULT_SHARE,
        split_seed: Annotated[int, Field(ge=0)] = 0,
    ) -> None:
        self.path, self.window = path.rstrip("/"), window
        self.val_share, self.split_seed = val_share, split_seed
        channels = source_channels, target_channels
        super().__init__(direction, channels, (source_depth, target_depth), folders, label_map, palette)
        self.index = _read_file(self.path, INDEX)
        self.shards = parse_index(self.index, hide_secrets(f"{self.path}/{INDEX}"))
        self._members: dict[Split, MemberFiles] = {}

    def split(self, split: Split) -> PairFiles:
        """The pairs of `split`, in natural order of their names."""
        return self.open_pairs(self.members(split))

    @property
    def splits(self) -> tuple[Split, ...]:
        """The splits that have pairs."""
        is_there = {"train": True, "val": True, "test": "test" in self.shards or self.val_share is None}
        return tuple(split for split in get_args(Split) if is_there[split])

    def members(self, split: Split) -> "MemberFiles":
        """Where the pairs of `split` lie. Raises ValueError where there is no such split."""
        if split not in self.splits:
            raise ValueError(missing_split_message(hide_secrets(self.path), split, self.splits))
        if split not in self._members:
            self._members |= self._held_out() if self._is_held_out(split) else {split: self._read_members(split)}
        return self._members[split]

    def _is_held_out(self, split: Split) -> bool:
        return self.val_share is not None and "val" not in self.shards and split != "test"

    def _held_out(self) -> "dict[Split, MemberFiles]":
        """Training and validation pairs of shards that have no validation split."""
        assert self.val_share is not None
        everything = self._read_members("train")
        require_two(len(everything), hide_secrets(self.path))
        kept, held_out = hold_out(len(everything), self.val_share, self.split_seed)
        return {"train": everything.select(kept), "val": everything.select(held_out)}

    def _read_members(self, split: Split) -> "MemberFiles":
        """Of earlier versions, a missing `val` is `test` and the other way round."""
        other: Split = {"train": "train", "val": "test", "test": "val"}[split]  # pyright: ignore[reportAssignmentType]
        there = split if split in self.shards else other
        if not self.shards.get(there):
            raise ValueError(f"{hide_secrets(self.path)}/{INDEX}: lists no shards of {split}. {REMEDY}")
        return MemberFiles(self.path, there, self.shards[there])

    def describe(self) -> list[str]:
        """How many pairs there are, and what is validated on."""
        counts = {split: len(self.members(split)) for split in self.splits}
        held_out_by = self.split_seed if self._is_held_out("val") else None
        said = describe_held_out(counts, held_out_by)
        if "val" not in self.shards and held_out_by is None:
            said += ", the same pairs, which so choose best.ckpt"
        return [f"{hide_secrets(self.path)}: {counts['train']} pairs in shards; {said}."]

    def fingerprint(self) -> str:
        """A digest of the index, which holds the checksum of every shard."""
        return hashlib.sha256(self.index).hexdigest()

    def inventory(self) -> Inventory:
        """The shards and where pairs lie in them, where they are on this machine; their checksums are in the index."""
        folder = Path(self.path)
        sums = {shard.name: shard.sha256 for shards in self.shards.values() for shard in shards}
        sums |= {f"{split}.offsets.npy": "" for split in self.shards}
        there = [name for name in sorted(sums) if (folder / name).is_file()]
        return take_inventory(self.fingerprint(), [folder / name for name in there], [sums[name] for name in there])

    def order(self, seed: int, epoch: int, length: int) -> np.ndarray:
        """The order of a training epoch, shard after shard within a window."""
        return windowed_order(seed, epoch, self.members("train").pairs_of_shards, self.window)


class MemberFiles(Sequence[tuple[ShardMember, ...]]):
    """The files of each pair of a split, read when indexed; 16 bytes of memory for each pair."""

    def __init__(self, path: str, split: str, shards: Sequence[Shard]) -> None:
        self.path, self.shards = path, shards
        self.ranges = _read_offsets(path, f"{split}.offsets.npy", shards)
        self.ends = np.cumsum([shard.pairs for shard in shards])
        self.numbers: np.ndarray | None = None  # of those pairs that were selected

    def __len__(self) -> int:
        return len(self.ranges if self.numbers is None else self.numbers)

    def select(self, numbers: np.ndarray) -> "MemberFiles":
        """The pairs of these numbers, in their order."""
        part = copy.copy(self)
        part.numbers = numbers
        return part

    @property
    def pairs_of_shards(self) -> list[int]:
        """How many pairs of each shard these are."""
        if self.numbers is None:
            return [shard.pairs for shard in self.shards]
        places = np.searchsorted(self.ends, self.numbers, side="right")
        return [count for count in np.bincount(places).tolist() if count]

    def __getitem__(self, index: int) -> tuple[ShardMember, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        index = index % len(self) if self.numbers is None else int(self.numbers[index])
        shard = f"{self.path}/{self.shards[int(np.searchsorted(self.ends, index, side='right'))].name}"
        offset, size = map(int, self.ranges[index])
        content, shard = read_range(shard, offset, size), hide_secrets(shard)
        try:
            with tarfile.open(fileobj=io.BytesIO(content), mode="r:") as tar:
                return _read_members(tar, shard)
        except Exception as error:  # whatever the bytes of a damaged file happen to provoke
            reason = str(error) or type(error).__name__
            raise ValueError(
                f"{shard}: no pair begins at byte {offset} ({reason}). The index is of other shards, or the file is "
                "damaged: copy it again, or make the shards again."
            ) from error


def _read_offsets(path: str, name: str, shards: Sequence[Shard]) -> np.ndarray:
    """Offset and size of each pair, int64 (pairs, 2). Raises ValueError for what is damaged or of other shards."""
    content, path = _read_file(path, name), hide_secrets(path)
    pairs = sum(shard.pairs for shard in shards)
    try:
        places = read_npy(ShardMember(content, path, name))
    except ValueError as error:
        raise ValueError(f"{path}/{name}: damaged ({error}). {REMEDY}") from error
    if places.shape != (pairs, 2):
        raise ValueError(f"{path}/{name}: has places for {len(places)} pairs, the index counts {pairs}. {REMEDY}")
    there = np.repeat([shard.bytes for shard in shards], [shard.pairs for shard in shards])
    sound = places.dtype.kind in "iu" and (places >= 0).all() and (places[:, 1] <= there).all()
    if not sound or (places[:, 0] > there - places[:, 1]).any():
        raise ValueError(f"{path}/{name}: damaged, its places do not lie in the shards. {REMEDY}")
    return places.astype(np.int64, copy=False)


def _read_members(tar: tarfile.TarFile, shard: str) -> tuple[ShardMember, ...]:
    """The files of a pair. Raises ValueError for anything but plain files in their roles."""
    files = []
    for member in tar:
        if not member.isreg() or member.issparse():
            raise ValueError(f"{member.name!r} is a link, a folder or the like, not a file")
        if not is_utf8(member.name):
            raise ValueError(f"the name {member.name!r} is not UTF-8")
        content = tar.extractfile(member)
        assert content is not None
        files.append(ShardMember(content.read(), shard, member.name))
    found = tuple(file.role for file in files)
    if not files or found != roles(len(files)):
        raise ValueError(f"it holds {', '.join(file.name for file in files) or 'nothing'}")
    return tuple(files)


def parse_index(index: bytes, where: str) -> dict[str, list[Shard]]:
    """The shards of each split by an index. Raises ValueError when it is none of ours."""
    try:
        content = json.loads(index)
        splits = {split: [_parse_shard(**shard) for shard in shards] for split, shards in content["splits"].items()}
        if content["format"] == FORMAT and splits["train"]:
            return splits
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        pass  # no index at all
    raise ValueError(f"{where}: no index of shards of this version. Make them again with `pix2pix data shard`.")


def _parse_shard(name: str, pairs: int, bytes: int, sha256: str) -> Shard:
    """A shard by the index, which names a file in the same folder. Raises ValueError for anything else."""
    counts = all(type(number) is int and 0 < number < 2**63 for number in (pairs, bytes))
    if not counts or not SHARD.fullmatch(name):
        raise ValueError(name)
    return Shard(name, pairs, bytes, sha256)


def _read_file(path: str, name: str) -> bytes:
    try:
        return fetch(f"{path}/{name}")
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"no {name} in {hide_secrets(path)!r}: it belongs to shards. `pix2pix data shard FOLDER OUTPUT` makes "
            "them; set data.path to that output, or to the address it is served at."
        ) from error


def read_range(url: str, offset: int, size: int) -> bytes:
    """`size` bytes from `offset` on. Raises ValueError when the answer is longer or shorter."""
    content, url = fetch(url, offset, offset + size), hide_secrets(url)
    if len(content) == size:
        return content
    if len(content) > size:
        raise ValueError(
            f"{url}: the server sends whole files when it is asked for a part. Serve the shards with one that knows "
            f"ranges, or have each shard copied once: data.path=filecache::{url.rpartition('/')[0]}"
        )
    raise ValueError(f"{url}: ends before the pair at byte {offset}. The copy is not whole: copy the file again.")


def fetch(url: str, start: int | None = None, end: int | None = None) -> bytes:
    """The bytes of a file from `start` to `end`; a read that breaks is tried again, five times in all.

    Raises:
        FileNotFoundError: when there is no such file.
        ValueError: for a kind of address that no installed package reads.
        OSError: when it cannot be read.
    """
    from fsspec.core import url_to_fs

    where, login = hide_secrets(url), _login_options(url)
    for wait in (*RETRY_DELAYS, None):
        try:
            system, path = url_to_fs(url, **login)
            _require_file(system, path)
            return _to_bytes(system.cat_file(path, start, end))
        except (FileNotFoundError, PermissionError) as error:
            raise type(error)(f"{where}: {error.strerror or 'there is no such file'}") from error
        except ImportError as error:
            raise ValueError(f"{where}: this kind of address needs another package. {error}") from error
        except Exception as error:  # every file system has its own
            reason, remedy = hide_secrets(str(error)), login_hint(getattr(error, "status", None))
            if wait is None or remedy or isinstance(error, ValueError):
                raise OSError(f"{where}: cannot be read ({type(error).__name__}: {reason}).{remedy}") from error
            log.info("%s: %s; trying again in %s s.", where, reason or type(error).__name__, wait)
            time.sleep(wait)
    raise AssertionError("the last attempt returns or raises")


def _login_options(url: str) -> dict[str, Any]:
    """For web addresses, what fsspec is told besides: the login of the host, which redirects to others do not see."""
    last = url.rpartition("::")[2]
    scheme = last.partition("://")[0]
    login = authorization_header(last) if scheme in {"http", "https"} else None
    return {scheme: {"headers": {"Authorization": login}}} if login else {}


def _require_file(system: Any, path: str) -> None:
    """Raises FileNotFoundError for a pipe or the like on this machine, on which one might wait for ever."""
    from fsspec.implementations.local import LocalFileSystem

    if isinstance(system, LocalFileSystem) and not Path(path).is_file():
        raise FileNotFoundError(path)


def _to_bytes(content: Any) -> bytes:
    return content if isinstance(content, bytes) else bytes(content)
