"""The files of the pairs of a split, in shards: one range request for each pair."""

import copy
import io
import tarfile
from collections.abc import Iterable, Sequence

import numpy as np

from pix2pix.core.addresses import hide_secrets
from pix2pix.data.images.picture_files import is_utf8, read_npy
from pix2pix.data.sources.read_ahead import Range, ReadAhead
from pix2pix.data.sources.remote_files import fetch, is_remote
from pix2pix.data.sources.shard_index import Shard
from pix2pix.data.sources.shard_member import ShardMember, roles

REMEDY = "Copy it again together with its index, or make the shards again."


class MemberFiles(Sequence[tuple[ShardMember, ...]]):
    """The files of each pair of a split, read when indexed or ahead of it; 16 bytes of memory for each pair."""

    def __init__(self, path: str, split: str, shards: Sequence[Shard]) -> None:
        self.path, self.shards = path, shards
        self.ranges = _read_offsets(path, f"{split}.offsets.npy", shards)
        self.ends = np.cumsum([shard.pairs for shard in shards])
        self.numbers: np.ndarray | None = None  # of those pairs that were selected
        self._ahead = ReadAhead()

    def __len__(self) -> int:
        return len(self.ranges if self.numbers is None else self.numbers)

    def select(self, numbers: np.ndarray) -> "MemberFiles":
        """The pairs of these numbers, in their order."""
        part = copy.copy(self)
        part.numbers, part._ahead = numbers, ReadAhead()
        return part

    def read_ahead(self, indices: Iterable[int]) -> None:
        """Begins to read pairs that are about to be indexed; files on this machine are left to its page cache."""
        if is_remote(self.path):
            self._ahead.announce(map(self._range, indices))

    def _range(self, index: int) -> Range:
        index = index % len(self) if self.numbers is None else int(self.numbers[index])
        shard = self.shards[int(np.searchsorted(self.ends, index, side="right"))]
        offset, size = map(int, self.ranges[index])
        return f"{self.path}/{shard.name}", offset, size

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
        address, offset, size = self._range(index)
        content, shard = self._ahead.take((address, offset, size)), hide_secrets(address)
        try:
            with tarfile.open(fileobj=io.BytesIO(content), mode="r:") as tar:
                return _read_members(tar, shard)
        except Exception as error:  # a damaged file raises errors of any type
            reason = str(error) or type(error).__name__
            raise ValueError(
                f"{shard}: no pair begins at byte {offset} ({reason}). The file is damaged, or of another index. "
                "Copy it again, or make the shards again."
            ) from error


def _read_offsets(path: str, name: str, shards: Sequence[Shard]) -> np.ndarray:
    """Offset and size of each pair, int64 (pairs, 2). Raises ValueError when damaged, or of other shards."""
    content, path = read_shard_file(path, name), hide_secrets(path)
    pairs = sum(shard.pairs for shard in shards)
    try:
        offsets = read_npy(ShardMember(content, path, name))
    except ValueError as error:
        raise ValueError(f"{path}/{name}: damaged ({error}). {REMEDY}") from error
    if offsets.shape != (pairs, 2):
        raise ValueError(f"{path}/{name}: has shape {offsets.shape}, but the index needs ({pairs}, 2). {REMEDY}")
    ends = np.repeat([shard.bytes for shard in shards], [shard.pairs for shard in shards])
    is_valid = offsets.dtype.kind in "iu" and (offsets >= 0).all() and (offsets[:, 1] <= ends).all()
    if not is_valid or (offsets[:, 0] > ends - offsets[:, 1]).any():
        raise ValueError(f"{path}/{name}: damaged: some offsets are outside the shards. {REMEDY}")
    return offsets.astype(np.int64, copy=False)


def _read_members(tar: tarfile.TarFile, shard: str) -> tuple[ShardMember, ...]:
    """The files of a pair. Raises ValueError for anything but regular files in their roles."""
    files = []
    for member in tar:
        if not member.isreg() or member.issparse():
            raise ValueError(f"{member.name!r} is a link, a folder or the like, not a file")
        if not is_utf8(member.name):
            raise ValueError(f"the name {member.name!r} is not UTF-8")
        content = tar.extractfile(member)
        assert content is not None
        files.append(ShardMember(content.read(), shard, member.name))
    file_roles = tuple(file.role for file in files)
    if not files or file_roles != roles(len(files)):
        raise ValueError(f"it holds {', '.join(file.name for file in files) or 'nothing'}")
    return tuple(files)


def read_shard_file(path: str, name: str) -> bytes:
    """A whole file beside the shards. Raises FileNotFoundError, with what to do, where there is none."""
    try:
        return fetch(f"{path}/{name}")
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"no {name} in {hide_secrets(path)!r}. Make shards with `pix2pix data shard FOLDER OUTPUT`, and set "
            "data.path to OUTPUT, or to the address that serves it."
        ) from error
