"""The index of WebDataset shards: the shards of each split."""

import json
import re
from typing import NamedTuple

FORMAT = 1
INDEX = "index.json"
SHARD = re.compile(r"\w+-\d+\.tar")


class Shard(NamedTuple):
    """One tar file: its name, how many pairs it holds, its size in bytes and its SHA-256."""

    name: str
    pairs: int
    bytes: int
    sha256: str


def parse_index(index: bytes, where: str) -> dict[str, list[Shard]]:
    """The shards of each split in an index. Raises ValueError when it is invalid or of another version."""
    try:
        content = json.loads(index)
        splits = {split: [_parse_shard(**shard) for shard in shards] for split, shards in content["splits"].items()}
        if content["format"] == FORMAT and splits["train"]:
            return splits
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        pass  # not an index
    raise ValueError(
        f"{where}: not an index of shards of this version. Make the shards again with `pix2pix data shard`."
    )


def _parse_shard(name: str, pairs: int, bytes: int, sha256: str) -> Shard:
    """A shard in the index: a file in the same folder. Raises ValueError for anything else."""
    are_counts = all(type(number) is int and 0 < number < 2**63 for number in (pairs, bytes))
    if not are_counts or not SHARD.fullmatch(name):
        raise ValueError(name)
    return Shard(name, pairs, bytes, sha256)
