"""Packs a folder of pairs into WebDataset shards with an index, without re-encoding the files."""

import io
import json
import shutil
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock

from pix2pix.core.atomic_files import atomic_file, write_text_atomic
from pix2pix.core.checksums import file_sha256
from pix2pix.core.prefetch import map_in_threads
from pix2pix.core.progress_bars import tqdm
from pix2pix.data.images.picture_files import drop_suffix, report_unreadable, require_regular_file
from pix2pix.data.pair import Split
from pix2pix.data.sources.folder import PairFolder
from pix2pix.data.sources.shard_index import FORMAT, INDEX, Shard, parse_index
from pix2pix.data.sources.shard_member import escape_key, roles

Files = tuple[Path, ...]
PLAN = ".plan.json"
MEGABYTE = 10**6
SPLITS: tuple[Split, ...] = ("train", "val", "test")


def write_shards(source: PairFolder, output: Path, *, megabytes: int = 256, workers: int = 4) -> dict[str, list[Shard]]:
    """Writes the pairs of every split into shards of at most `megabytes`, or one pair where a pair is larger.

    Pictures are copied byte for byte. Every file is written whole or not at all, the index last. The same call resumes
    an interrupted one, and writes nothing after a complete one. Equal pairs make equal shards, byte for byte.

    Returns:
        The shards of each split that has pairs of its own.

    Raises:
        ValueError: when `output` contains other files.
        OSError: when `output` cannot be written, or the disk is too small.
    """
    output.mkdir(parents=True, exist_ok=True)
    plan = json.dumps({"format": FORMAT, "source": source.fingerprint(), "megabytes": megabytes}, indent=2)
    splits = _list_splits(source)
    _require_same(output, plan)  # first: another folder gets no lock file
    with FileLock(output / ".lock"):
        _require_same(output, plan)
        if (output / INDEX).exists():
            return parse_index((output / INDEX).read_bytes(), str(output / INDEX))
        # Which pairs go into which shard depends on the files alone, so a resumed call plans the same shards.
        planned = {
            output / f"{split}-{number:06d}.tar": pairs
            for split, files in splits.items()
            for number, pairs in enumerate(_split_by_size(files, megabytes * MEGABYTE))
        }
        _require_space(output, planned)
        write_text_atomic(output / PLAN, plan)
        ranges = _write_missing(planned, workers)
        return _write_index(output, splits, ranges, json.loads(plan))


def _list_splits(source: PairFolder) -> dict[str, Sequence[Files]]:
    """The files of each split. A split with the files of another one is left out: readers use that one in its place."""
    splits: dict[str, Sequence[Files]] = {}
    for split in source.splits:
        files = source.files(split)
        if files not in splits.values():
            splits[split] = files
    return splits


def _require_same(output: Path, plan: str) -> None:
    # The index of a complete call, or the plan of an interrupted one, holds the plan that the folder was made by.
    made = output / INDEX if (output / INDEX).exists() else output / PLAN
    others = sorted(file.name for file in output.iterdir() if file.name != ".lock")
    if others and not (
        made.exists() and json.loads(plan).items() <= json.loads(made.read_text(encoding="utf-8")).items()
    ):
        raise ValueError(
            f"{output}: already contains other files (for example {others[0]}). "
            "Choose another output folder or empty this one."
        )


def _split_by_size(files: Sequence[Files], limit: int) -> Iterator[list[Files]]:
    """Consecutive pairs that together take at most `limit` bytes."""
    part, size = [], 0
    for pair in files:
        taken = sum(_tar_size(file) for file in pair)
        if part and size + taken > limit:
            yield part
            part, size = [], 0
        part.append(pair)
        size += taken
    if part:
        yield part


def _tar_size(file: Path) -> int:
    """Bytes that a file takes in a tar file: whole blocks, and one more for its header."""
    with report_unreadable(file):
        return tarfile.BLOCKSIZE * (1 + -(-require_regular_file(file) // tarfile.BLOCKSIZE))


def _require_space(output: Path, planned: dict[Path, list[Files]]) -> None:
    needed = sum(_tar_size(file) for shard, pairs in planned.items() if not shard.exists() for p in pairs for file in p)
    free = shutil.disk_usage(output).free
    if needed > free:
        raise OSError(f"{output}: the shards take {needed:,} bytes, the disk has {free:,} left. Free some space first.")


def _write_missing(planned: dict[Path, list[Files]], workers: int) -> dict[Path, np.ndarray]:
    """Writes the missing shards. Returns the offset and size of each pair in every shard."""
    written = map_in_threads(lambda shard: _write_shard(*shard), planned.items(), threads=workers)
    return dict(zip(planned, tqdm(written, total=len(planned), unit="shard", disable=None), strict=True))


def _write_shard(path: Path, pairs: Sequence[Files]) -> np.ndarray:
    if not path.exists():
        with atomic_file(path) as part, part.open("wb") as file, tarfile.open(fileobj=file, mode="w") as tar:
            for pair in pairs:
                key = escape_key(drop_suffix(pair[0].name))
                for role, picture in zip(roles(len(pair)), pair, strict=True):
                    _add_member(tar, f"{key}.{role}{picture.suffix.lower()}", picture.read_bytes())
    return _pair_offsets(path, len(pairs[0]))


def _add_member(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    """Adds a file without date and owner, so that equal pictures make equal shards."""
    member = tarfile.TarInfo(name)
    member.size = len(content)
    tar.addfile(member, io.BytesIO(content))


def _pair_offsets(path: Path, files_of_a_pair: int) -> np.ndarray:
    """Offset and size in bytes of each pair, shape (pairs, 2), read back from the shard."""
    with tarfile.open(path, mode="r:") as tar:
        # The members of a pair follow each other, so the first one's offset is the pair's, up to that of the next.
        starts = [member.offset for member in tar][::files_of_a_pair]
        end = tar.offset
    return np.stack([np.array(starts), np.diff([*starts, end])], axis=1)


def _write_index(
    output: Path, splits: dict[str, Sequence[Files]], ranges: dict[Path, np.ndarray], plan: dict[str, Any]
) -> dict[str, list[Shard]]:
    index: dict[str, list[Shard]] = {split: [] for split in splits}
    for path, places in ranges.items():
        index[path.name.rpartition("-")[0]].append(
            Shard(path.name, len(places), path.stat().st_size, file_sha256(path))
        )
    for split in splits:
        places = np.concatenate([places for path, places in ranges.items() if path.name.startswith(f"{split}-")])
        with atomic_file(output / f"{split}.offsets.npy") as part, part.open("wb") as file:
            np.save(file, places.astype(np.int64))
    content = plan | {"splits": {split: [shard._asdict() for shard in shards] for split, shards in index.items()}}
    write_text_atomic(output / INDEX, json.dumps(content, indent=1))
    # Last: an index says that everything before it is complete.
    (output / PLAN).unlink()
    return index
