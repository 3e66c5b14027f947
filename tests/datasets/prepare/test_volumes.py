"""`pix2pix data prepare slices`: pairs of the slices of volumes."""

import numpy as np
import pytest

from pix2pix.data.images.decode import read_pixels
from pix2pix.datasets.check.check import check
from tests.conftest import pix2pix

nibabel = pytest.importorskip("nibabel")


def write_volume(file, seed, shape=(16, 20, 6), affine=None):
    values = np.random.default_rng(seed).integers(-900, 900, shape).astype(np.int16)
    values[:, :, 0] = 0  # air
    file.parent.mkdir(exist_ok=True, parents=True)
    nibabel.save(nibabel.Nifti1Image(values, np.eye(4) if affine is None else affine), file)
    return values


@pytest.fixture
def scans(tmp_path):
    for seed in range(4):
        write_volume(tmp_path / "t1" / f"sub-{seed}.nii.gz", seed)
        write_volume(tmp_path / "t2" / f"sub-{seed}.nii.gz", 10 + seed)
    return tmp_path


def prepare(scans, *words):
    pix2pix("data", "prepare", "slices", scans / "t1", scans / "t2", "-o", scans / "pairs", *words)
    return scans / "pairs"


def test_slices_keep_their_values_and_the_volumes_of_a_split_are_whole(scans, capsys):
    pairs = prepare(scans, "--val", "0.25", "--test", "0.25")
    output = capsys.readouterr().out
    assert "10 train, 5 val, 5 test slices" in output
    assert "data.depth=32" in output
    names = {split: sorted(file.name for file in (pairs / f"{split}A").iterdir()) for split in ("train", "val", "test")}
    assert [len({name.split("_")[0] for name in each}) for each in names.values()] == [2, 1, 1]
    subject = names["val"][0].split("_")[0]
    assert names["val"] == [f"{subject}_{number:03d}.npy" for number in range(1, 6)]  # without the air
    volume = np.asanyarray(nibabel.load(scans / "t2" / f"{subject}.nii.gz").dataobj)
    pixels = read_pixels(pairs / "valB" / f"{subject}_003.npy", 1, 32)[0].numpy()
    assert np.array_equal(pixels, np.rot90(volume[:, :, 3]))
    assert check(pairs).is_trainable


def test_the_same_command_again_changes_nothing_and_another_is_refused(scans, capsys):
    pairs = prepare(scans, "--plane", "coronal")
    before = {file: file.stat().st_mtime_ns for file in pairs.rglob("*.npy")}
    assert len(before) == 2 * 4 * 20
    prepare(scans, "--plane", "coronal")
    assert "is there already, complete" in capsys.readouterr().out
    assert {file: file.stat().st_mtime_ns for file in pairs.rglob("*.npy")} == before
    with pytest.raises(SystemExit, match="was prepared in another way"):
        prepare(scans)


def test_volumes_on_other_grids_are_refused_before_anything_is_written(scans):
    write_volume(scans / "t2" / "sub-1.nii.gz", 1, affine=np.diag([2, 1, 1, 1]))
    write_volume(scans / "t2" / "sub-2.nii.gz", 1, shape=(16, 20, 7))
    with pytest.raises(SystemExit) as raised:
        prepare(scans)
    message = str(raised.value)
    assert "sub-1.nii.gz: of 16x20x6 and 16x20x6 voxels, on different grids. Resample one" in message
    assert "16x20x6 and 16x20x7" in message
    assert not (scans / "pairs").exists()


def test_a_single_volume_is_not_parted(scans):
    for seed in (1, 2, 3):
        (scans / "t1" / f"sub-{seed}.nii.gz").unlink()
    with pytest.raises(SystemExit, match="no volume is left for train: 1 volumes, whose slices must not be parted"):
        prepare(scans, "--allow-unmatched")
    assert len(list((prepare(scans, "--allow-unmatched", "--val", "0") / "trainA").iterdir())) == 5
