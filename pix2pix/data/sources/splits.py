"""The splits of a data set: which pairs are trained on, validated on and tested on."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import numpy as np
from pydantic import Field

from pix2pix.core.randomness import derive_seed
from pix2pix.data.pair import Split
from pix2pix.data.sources.pair_paths import PairPaths
from pix2pix.data.sources.picture_folders import fold

log = logging.getLogger(__name__)

SPLIT_NAMES: dict[Split | Literal[""], tuple[str, ...]] = {
    "train": ("train", "training"),
    "val": ("val", "valid", "validation"),
    "test": ("test", "testing"),
    "": ("",),
}
Layout = Literal["auto", "side_by_side", "two_folders"]
DEFAULT_SHARE = 0.1
Share = Annotated[float, Field(gt=0, lt=1)]
HELD_OUT_EVERY = 10  # of earlier versions


@dataclass(frozen=True)
class SplitFiles:
    """The files of one split and where they were found.

    Args:
        files: the files of each pair.
        place: the folders, for messages.
        is_side_by_side: whether A and B are the halves of one file.
        sizes: (height, width) of files that were looked at, with their number.
    """

    files: PairPaths
    place: str
    is_side_by_side: bool = False
    sizes: Mapping[tuple[int, int], int] = field(default_factory=dict)


@dataclass
class FolderLayout:
    """The pairs of a data set, by split.

    Args:
        root: the folder of the data set.
        splits: the splits that were found.
        notes: sentences about files that were left out.
        inputs: those of a split other than train that have no targets, if there are any.
        has_splits: whether the pairs are split; all pairs of a folder without splits are training pairs.
    """

    root: Path
    splits: dict[Split, SplitFiles] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    has_splits: bool = True
    inputs: PairPaths | None = None


def find_split(word: str) -> Split | None:
    """The split that a word in any case names, such as `Validation`; None for any other word."""
    return next((split for split in get_args(Split) if fold(word) in SPLIT_NAMES[split]), None)


def hold_out(pairs: int, share: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Divides the numbers of the pairs into those that stay and a random share that is held out, at least one of each.

    They depend on the number of pairs, the share and the seed alone.
    """
    order = np.random.default_rng(derive_seed(seed, "validation")).permutation(pairs)
    count = min(max(1, round(share * pairs)), pairs - 1)
    return np.sort(order[count:]), np.sort(order[:count])


def hold_out_every_tenth(pairs: int) -> tuple[np.ndarray, np.ndarray]:
    """As earlier versions did: every tenth pair, or the last one of fewer."""
    numbers = np.arange(pairs)
    chosen = numbers[min(HELD_OUT_EVERY, pairs) - 1 :: HELD_OUT_EVERY]
    return np.setdiff1d(numbers, chosen), chosen


def complete_splits(
    found: Mapping[Split, SplitFiles], path: Path, val_share: float | None, seed: int
) -> dict[Split, SplitFiles]:
    """Adds a validation split, held out of the training pairs, if there is none.

    With `val_share=None` the splits are those of earlier versions: test pairs are validated on where there is no
    validation split, validation pairs are tested on where there is no test split, and every tenth pair is held out
    where there is neither.
    """
    if val_share is None:
        return _complete_as_before(found, path)
    if "val" in found:
        return dict(found)
    if len(found["train"].files) < 2 and "test" in found:
        return {**found, "val": found["test"]}
    require_two(len(found["train"].files), path)
    kept, held_out = hold_out(len(found["train"].files), val_share, seed)
    return _divide(found, kept, held_out)


def _complete_as_before(found: Mapping[Split, SplitFiles], path: Path) -> dict[Split, SplitFiles]:
    if "val" not in found and "test" not in found:
        require_two(len(found["train"].files), path)
        divided = _divide(found, *hold_out_every_tenth(len(found["train"].files)))
        divided["test"] = divided["val"]
        log.info("%s has no val or test split: every tenth pair is held out.", path)
        return divided
    if "val" not in found:
        log.info("%s has no val split: training validates on the test pairs, so these choose best.ckpt.", path)
    val = found.get("val") or found["test"]
    return {"train": found["train"], "val": val, "test": found.get("test", val)}


def _divide(found: Mapping[Split, SplitFiles], kept: np.ndarray, held_out: np.ndarray) -> dict[Split, SplitFiles]:
    train = found["train"]
    splits = dict(found)
    splits["train"] = replace(train, files=train.files.select(kept))
    splits["val"] = replace(train, files=train.files.select(held_out))
    return splits


def require_two(pairs: int, path: object) -> None:
    """Raises ValueError for a single pair, which cannot be both trained and validated on."""
    if pairs < 2:
        raise ValueError(f"{path}: one pair alone cannot be split into training and validation. Add pairs.")


def missing_split_message(path: object, split: Split, others: Sequence[Split]) -> str:
    """The message for a split that the data do not have."""
    return (
        f"{path}: has no {split} split; it has {', '.join(others)}. Choose one of these, or add {split} pairs to the "
        f"data ({split}/, or {split}A/ and {split}B/)."
    )


def describe_held_out(counts: Mapping[Any, int], held_out_by: int | None) -> str:
    """How many pairs are validated and tested on, for sources without folders to name."""
    val = f"validation: {counts['val']}"
    val += "" if held_out_by is None else f" more, held out by data.split_seed={held_out_by}"
    return f"{val}; test: {counts['test']}" if "test" in counts else f"{val}; no test pairs"
