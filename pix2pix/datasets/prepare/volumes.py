"""Makes pairs of the slices of NIfTI volumes, such as T1 and T2 scans of the same patients."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple, get_args

import numpy as np

from pix2pix.core.atomic_files import atomic_file
from pix2pix.core.randomness import epoch_order
from pix2pix.data.images.deep_formats import encode_array
from pix2pix.data.images.medical import Volume, read_volume
from pix2pix.data.images.picture_files import report_unreadable
from pix2pix.datasets.prepare import write
from pix2pix.datasets.prepare.match import SPLITS, PairSpec
from pix2pix.datasets.prepare.prepare import suggest_training

Plane = Literal["sagittal", "coronal", "axial"]  # in the order of the axes that they are perpendicular to
SAME_PLACE = 0.01  # millimetres between two grids that count as one


class Slicing(NamedTuple):
    """A preparation of slices.

    Args:
        pairs: the volumes A and B of each pair.
        output: the new folder.
        plane: how the volumes are cut.
        shares: the shares of val and test, as parts of the volumes.
        seed: the seed of the random split.
    """

    pairs: Sequence[PairSpec]
    output: Path
    plane: Plane
    shares: dict[str, float]
    seed: int = 0


def slice_volumes(slicing: Slicing) -> Iterator[str]:
    """Writes a `.npy` pair for each slice, and yields the lines of the report.

    All slices of a volume are in one split. Slices in which A or B has one value only, such as air, are left out. The
    patient's front, or head, is at the top.

    Raises:
        ValueError: for volumes that cannot be read, or that lie on different grids; nothing is written then.
    """
    splits = _choose_splits(slicing)
    inputs = {
        "slices": [slicing.plane, slicing.shares, slicing.seed, [pair.name for pair in slicing.pairs]],
        "sources": write.fingerprint([file for pair in slicing.pairs for file in pair.files]),
    }
    progress = write.read_progress(slicing.output, inputs)
    if progress and progress["finished"]:
        yield f"{slicing.output} is there already, complete."
    else:
        _require_aligned(slicing.pairs)
        write.mark_started(slicing.output, inputs)
        counts: Counter[str] = Counter()
        for pair, split in zip(slicing.pairs, splits, strict=True):
            counts[split] += _write_slices(pair, split, slicing)
        write.mark_finished(slicing.output)
        yield f"{slicing.output}: {', '.join(f'{counts[split]} {split}' for split in SPLITS if counts[split])} slices"
    yield suggest_training(slicing.output, "AtoB")


def _choose_splits(slicing: Slicing) -> list[str]:
    """The split of each volume: one in `train`, `val` or `test` stays there, the others are drawn."""
    unassigned = [number for number, pair in enumerate(slicing.pairs) if pair.split is None]
    splits = [pair.split or "train" for pair in slicing.pairs]
    order = [unassigned[number] for number in epoch_order(slicing.seed, 0, len(unassigned))]
    for name, share in slicing.shares.items():
        taken = max(1, round(share * len(unassigned))) if share and unassigned else 0
        for number in order[:taken]:
            splits[number] = name
        order = order[taken:]
    if "train" not in splits:
        raise ValueError(
            f"no volume is left for train: {len(splits)} volumes, whose slices must not be parted. Add volumes, or set "
            "--val 0 and --test 0."
        )
    return splits


def _require_aligned(pairs: Sequence[PairSpec]) -> None:
    """Raises ValueError with all volumes that cannot be read or do not fit."""
    faults = [fault for pair in pairs for fault in _find_faults(pair)]
    if faults:
        listed = "\n  ".join(faults)
        raise ValueError(f"some volumes cannot be used; nothing was written. Correct or remove them:\n  {listed}")


def _find_faults(pair: PairSpec) -> Iterator[str]:
    try:
        a, b = (_read(file) for file in pair.files)
    except ValueError as error:
        yield str(error)
        return
    if a.values.shape != b.values.shape or np.abs(a.affine - b.affine).max() > SAME_PLACE:
        shapes = " and ".join("x".join(map(str, volume.values.shape)) for volume in (a, b))
        yield (
            f"{pair.files[0]}, {pair.files[1]}: of {shapes} voxels, on different grids. Resample one onto the other, "
            "with nibabel.processing.resample_from_to."
        )


def _read(file: Path) -> Volume:
    with report_unreadable(file):
        return read_volume(file)


def _write_slices(pair: PairSpec, split: str, slicing: Slicing) -> int:
    """Writes the missing slices of a pair of volumes; returns how many slices show more than one value."""
    volumes = [_read(file).values for file in pair.files]
    axis, count = get_args(Plane).index(slicing.plane), 0
    for number in range(volumes[0].shape[axis]):
        images = [np.rot90(np.take(values, number, axis)) for values in volumes]
        if any(image.min() == image.max() for image in images):
            continue
        count += 1
        for image, letter in zip(images, "AB", strict=True):
            folder = slicing.output / f"{split}{letter}"
            folder.mkdir(exist_ok=True)
            file = folder / f"{pair.name.removesuffix('.nii')}_{number:03d}.npy"
            if not file.exists():
                pixels = image.astype(np.float32) if image.dtype.kind == "f" else image
                with atomic_file(file) as part:
                    part.write_bytes(encode_array(np.ascontiguousarray(pixels)[..., None], ".npy"))
    return count
