"""`pix2pix data check` reads what training reads: the command that it prints trains, for every kind of folder."""

import csv
import functools
import math
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from pix2pix.config import compose
from pix2pix.config.check import parse_and_check
from pix2pix.config.schema import RunConfig
from pix2pix.core.randomness import pair_generator
from pix2pix.datasets.check.check import CheckResult, check
from pix2pix.training.build import build_data, build_model
from tests.small import fit

SIDE = 32
Write = Callable[[Path, np.ndarray], None]


def draw(number: int) -> tuple[np.ndarray, np.ndarray]:
    """Rectangles on white, and their negative."""
    random = np.random.default_rng(number)
    a = np.full((SIDE, SIDE, 3), 255, np.uint8)
    for _ in range(3):
        y, x = random.integers(0, SIDE - 12, 2)
        a[y : y + 12, x : x + 12] = random.integers(0, 255, 3)
    return a, 255 - a


def save(file: Path, pixels: np.ndarray) -> None:
    Image.fromarray(pixels).save(file)


def write_folders(
    root: Path,
    a: str = "trainA",
    b: str = "trainB",
    *,
    suffixes: tuple[str, str] = (".png", ".png"),
    of_a: Write = save,
    of_b: Write = save,
    pairs: int = 6,
    first: int = 0,
) -> None:
    for number in range(first, first + pairs):
        for folder, suffix, write, pixels in zip((a, b), suffixes, (of_a, of_b), draw(number), strict=True):
            (root / folder).mkdir(parents=True, exist_ok=True)
            write(root / folder / f"{number}{suffix}", pixels)


def save_side_by_side(root: Path, split: str = "train", pairs: int = 6, first: int = 0) -> None:
    (root / split).mkdir(parents=True, exist_ok=True)
    for number in range(first, first + pairs):
        save(root / split / f"{number}.png", np.hstack(draw(number)))


def grey16(file: Path, pixels: np.ndarray) -> None:
    save(file, pixels[..., 0].astype(np.uint16) * 257)


def save_signed(file: Path, pixels: np.ndarray) -> None:
    np.save(file, pixels[..., 0].astype(np.int32) * 10 - 1000)


def floats(file: Path, pixels: np.ndarray) -> None:
    np.save(file, pixels.astype(np.float32) / 100)


def unit_floats(file: Path, pixels: np.ndarray) -> None:
    np.save(file, pixels.astype(np.float64)[..., 0] / 255)


def array(file: Path, pixels: np.ndarray) -> None:
    np.save(file, pixels)


def two_channels(file: Path, pixels: np.ndarray) -> None:
    np.save(file, pixels[..., :2])


def flow(file: Path, pixels: np.ndarray) -> None:
    """Two channels of signed floats, such as the motion of each pixel."""
    np.save(file, pixels[..., :2].astype(np.float32) / 10 - 12)


def quarter(file: Path, pixels: np.ndarray) -> None:
    save(file, pixels[::4, ::4])


def channels_first(file: Path, pixels: np.ndarray) -> None:
    np.save(file, np.moveaxis(pixels, -1, 0))


def colour16(file: Path, pixels: np.ndarray) -> None:
    np.save(file, pixels.astype(np.uint16) * 257)


def bands(file: Path, pixels: np.ndarray) -> None:
    tifffile = pytest.importorskip("tifffile")
    stacked = np.dstack([pixels, pixels[..., :2]])
    tifffile.imwrite(file, stacked, photometric="minisblack", planarconfig="contig")


def mask(file: Path, pixels: np.ndarray) -> None:
    save(file, (pixels[..., 0] < 128).astype(np.uint8))


def mask_of_bytes(file: Path, pixels: np.ndarray) -> None:
    save(file, (pixels[..., 0] < 128).astype(np.uint8) * 255)


def black_and_white(file: Path, pixels: np.ndarray) -> None:
    Image.fromarray(pixels).convert("1").save(file)


def mask_of_booleans(file: Path, pixels: np.ndarray) -> None:
    np.save(file, pixels[..., 0] < 128)


def mask_of_int64(file: Path, pixels: np.ndarray) -> None:
    np.save(file, (pixels[..., 0] < 128).astype(np.int64))


def rare_class(file: Path, pixels: np.ndarray) -> None:
    """Classes of 0 to 4, of which the last is one pixel of a large map."""
    classes = np.zeros((600, 600), np.uint8)
    classes[100:400, 100:300] = 3
    classes[333, 333] = 4
    save(file, classes)


def classes16(file: Path, pixels: np.ndarray) -> None:
    save(file, (pixels[..., 0] // 20).astype(np.uint16))


def classes_in_grey_rgb(file: Path, pixels: np.ndarray) -> None:
    save(file, np.repeat(pixels[..., :1] // 20, 3, axis=2))


def save_pages(file: Path, pixels: np.ndarray) -> None:
    """A page for each of three channels."""
    tifffile = pytest.importorskip("tifffile")
    tifffile.imwrite(file, np.moveaxis(pixels, -1, 0), photometric="minisblack")


def save_dicom(file: Path, pixels: np.ndarray) -> None:
    """Hounsfield units: 12 bits, less 1024."""
    pytest.importorskip("pydicom")
    from tests.data.images.test_medical import write_dicom

    write_dicom(file, pixels[..., 0].astype(np.uint16) * 8, RescaleSlope="1", RescaleIntercept="-1024")


def save_nifti(file: Path, pixels: np.ndarray) -> None:
    nibabel = pytest.importorskip("nibabel")
    nibabel.save(nibabel.Nifti1Image(pixels[..., :1].astype(np.int16), np.eye(4)), str(file))


def transparent(file: Path, pixels: np.ndarray) -> None:
    save(file, np.dstack([pixels, np.full((SIDE, SIDE), 100, np.uint8)]))


def save_with_palette(file: Path, pixels: np.ndarray) -> None:
    Image.fromarray(pixels).quantize(8).save(file)


def list_in_table(root: Path) -> Path:
    write_folders(root, "pictures/in", "pictures/out")
    table = root / "pairs.csv"
    with table.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["input", "target", "split"])
        rows.writerows([f"pictures/in/{n}.png", f"pictures/out/{n}.png", "val" if n > 4 else "train"] for n in range(6))
    return table


def beside(*splits: str, a: str = "{}A", b: str = "{}B") -> Callable[[Path], None]:
    """Two folders for each split."""

    def write(root: Path) -> None:
        for number, split in enumerate(splits):
            write_folders(root, a.format(split), b.format(split), first=10 * number)

    return write


def both(write: Write, suffix: str = ".png") -> Callable[[Path], None]:
    return lambda root: write_folders(root, suffixes=(suffix, suffix), of_a=write, of_b=write)


def target(write: Write, suffix: str = ".png", a: str = "trainA", b: str = "trainB") -> Callable[[Path], None]:
    return lambda root: write_folders(root, a, b, suffixes=(".png", suffix), of_b=write)


def grey_to_two_channels(root: Path) -> None:
    write_folders(root, suffixes=(".png", ".npy"), of_a=grey16, of_b=two_channels)


def cityscapes(*kinds: str) -> Callable[[Path], None]:
    """The folders of Cityscapes, with these endings of the names in gtFine."""

    def write(root: Path) -> None:
        for number, place in enumerate(("train/aachen", "train/bochum", "val/ulm")):
            for kind in kinds:
                endings = "_leftImg8bit.png", f"_gtFine{kind}.png"
                write_folders(
                    root, f"leftImg8bit/{place}", f"gtFine/{place}", suffixes=endings, pairs=3, first=10 * number
                )

    return write


def gopro(*images: str) -> Callable[[Path], None]:
    """The folders of GoPro: in each scene one of the blurred and one of the sharp pictures."""

    def write(root: Path) -> None:
        for number, scene in enumerate(("train/GOPR0372_07_00", "train/GOPR0374_11_01", "test/GOPR0384_11_00")):
            for image in images:
                write_folders(root, f"{scene}/{image}", f"{scene}/sharp", pairs=3, first=10 * number)

    return write


def inputs_alone(letter: str) -> Callable[[Path], None]:
    def write(root: Path) -> None:
        write_folders(root)
        write_folders(root, f"test{letter}", f"test{letter}", first=50)

    return write


def more_inputs_than_targets(root: Path) -> None:
    write_folders(root)
    write_folders(root, "testA", "testB", first=50)
    (root / "testA" / "51.png").unlink()


KINDS: dict[str, tuple[Callable[[Path], Path | None], tuple[str, ...]]] = {
    "side by side": (save_side_by_side, ()),
    "no splits": (lambda root: save_side_by_side(root, "."), ()),
    "two folders": (write_folders, ()),
    "validation": (beside("train", "validation"), ()),
    "training": (beside("training", "valid", "testing"), ()),
    "train_A": (beside("train", "val", a="{}_A", b="{}_B"), ()),
    "A/train": (beside("train", "val", a="A/{}", b="B/{}"), ()),
    "Train": (beside("Train", "Test", a="{}/A", b="{}/B"), ()),
    "folder in folder": (lambda root: write_folders(root / "archive"), ()),
    "images and masks": (beside("", a="images", b="masks"), ("data.folders={A: images, B: masks}",)),
    "images/train": (beside("train", "val", a="images/{}", b="masks/{}"), ("data.folders={A: images, B: masks}",)),
    "train/images": (beside("train", "val", a="{}/images", b="{}/masks"), ("data.folders={A: images, B: masks}",)),
    "train_images": (beside("train", "val", a="{}_images", b="{}_masks"), ("data.folders={A: images, B: masks}",)),
    "names with spaces": (beside("", a="the images", b="the masks"), ("data.folders=",)),
    "table": (list_in_table, ("data.list=",)),
    "inputs in testA": (inputs_alone("A"), ()),
    "inputs in testB": (inputs_alone("B"), ()),
    "fewer A than B in test": (more_inputs_than_targets, ("data.direction=BtoA",)),
    "16 bits": (both(grey16), ("data.depth=16", "data.source_channels=1", "data.target_channels=1")),
    "16 bits in B": (target(grey16), ("_depth=16",)),
    "16-bit colour": (both(colour16, ".npy"), ("data.depth=16",)),
    "signed integers": (target(save_signed, ".npy"), ("_depth=32", "_range=[-1000,")),
    "floats": (target(floats, ".npy"), ("_depth=float", "_range=[0,3]")),
    "floats of 0 to 1": (target(unit_floats, ".npy"), ("_depth=float", "_channels=1")),
    "arrays": (both(array, ".npy"), ()),
    "channels first": (both(channels_first, ".npy"), ()),
    "two channels in B": (target(two_channels, ".npy"), ("_channels=2",)),
    "two channels in both": (both(two_channels, ".npy"), ("data.source_channels=2", "data.target_channels=2")),
    "two channels of grey": (grey_to_two_channels, ("data.target_channels=2",)),
    "signed floats of two channels": (target(flow, ".npy"), ("_depth=float", "_channels=2", "_range=[-12,14]")),
    "smaller inputs": (lambda root: write_folders(root, of_a=quarter), (f"data.size={SIDE}",)),
    "smaller B": (lambda root: write_folders(root, of_b=quarter), ("data.direction=BtoA", f"data.size={SIDE}")),
    "five bands": (both(bands, ".tif"), ("data.source_channels=5", "data.target_channels=5")),
    "masks of 0 and 1": (target(mask), ("data.label_map=B", "data.palette=2")),
    "masks of 0 and 1 in A": (
        lambda root: write_folders(root, of_a=mask, suffixes=(".png", ".png")),
        ("data.label_map=A", "data.palette=2"),
    ),
    "masks of 0 and 255": (target(mask_of_bytes), ("_channels=1",)),
    "black and white": (target(black_and_white), ("_channels=1",)),
    "booleans": (target(mask_of_booleans, ".npy"), ("_channels=1",)),
    "masks of int64": (target(mask_of_int64, ".npy"), ("data.label_map=B", "data.palette=2")),
    "a rare class": (target(rare_class), ("data.label_map=B", "data.palette=5")),
    "classes in 16 bits": (target(classes16), ("data.label_map=B", "data.palette=13")),
    "classes in grey RGB": (target(classes_in_grey_rgb), ("data.label_map=B", "data.palette=13")),
    "masks in their folder": (target(mask, a="images", b="masks"), ("data.folders=", "data.label_map=B")),
    "pages": (both(save_pages, ".tif"), ()),
    "JPEG 2000": (both(save, ".jp2"), ()),
    "AVIF": (both(save, ".avif"), ()),
    "DICOM": (both(save_dicom, ".dcm"), ("data.depth=32", "_range=[-1024,", "data.source_channels=1")),
    "NIfTI": (both(save_nifti, ".nii.gz"), ("data.depth=32", "data.source_channels=1")),
    "NIfTI beside PNG": (lambda root: write_folders(root, suffixes=(".nii.gz", ".png"), of_a=save_nifti), ()),
    "Cityscapes": (cityscapes(""), ("data.folders={A: gtFine, B: leftImg8bit}",)),
    "Cityscapes of several kinds": (
        cityscapes("_color", "_instanceIds", "_labelIds"),
        ("data.folders={A: gtFine_color, B: leftImg8bit}",),
    ),
    "GoPro": (gopro("blur"), ("data.folders={A: blur, B: sharp}",)),
    "GoPro of three": (gopro("blur", "blur_gamma"), ("data.folders={A: blur, B: sharp}",)),
    "transparent": (both(transparent), ()),
    "palettes": (target(save_with_palette), ()),
}


TINY = ["generator.base_channels=2", "discriminator.base_channels=2", "data.num_workers=0", "trainer=cpu"]


@functools.cache
def make_config(command: str) -> RunConfig:
    """The configuration of a command. Composing one takes longer than to train with it, and many kinds share theirs."""
    return parse_and_check(compose.compose_command_line([*shlex.split(command)[2:], *TINY]))


@pytest.fixture(scope="module")
def shared_root(tmp_path_factory):
    """A folder that all kinds use in turn: so equal settings are equal commands."""
    return tmp_path_factory.mktemp("kinds") / "set"


def require_trainable(result: CheckResult) -> None:
    """Runs the recommended command with tiny networks: one step and one validation pair; then reads all pairs."""
    assert result.is_trainable, result.findings
    config = make_config(result.command)
    data, module = config.data, build_data(config)
    model = build_model(config)
    trainer = fit(model, pairs=module, max_epochs=1, limit_train_batches=1, limit_val_batches=1)
    assert trainer.global_step == 1
    assert math.isfinite(trainer.callback_metrics["val/l1"])
    assert all(torch.isfinite(weights).all() for weights in model.parameters())
    for pairs in (module.training.pairs, module.validation.pairs):
        for number in range(len(pairs)):
            pair = module.transform.transform_for_training(pairs[number], pair_generator(0, 0, number))
            assert pair.source.shape == (data.input_channels, data.height, data.width)
            assert pair.target.shape == (data.output_channels, data.height, data.width)
            assert all(torch.isfinite(image).all() and image.abs().max() < 1.5 for image in (pair.source, pair.target))
    assert module.validation[0].source.abs().max() > 0


@pytest.mark.parametrize("kind", KINDS)
def test_the_recommended_command_trains(kind, shared_root):
    write, settings = KINDS[kind]
    root = shared_root
    shutil.rmtree(root, ignore_errors=True)
    result = check(write(root) or root)
    assert all(setting in shlex.split(result.command) or setting in result.command for setting in settings)
    require_trainable(result)


def test_folders_that_are_joined_are_named_with_their_channels(tmp_path):
    write_folders(tmp_path / "set", "trainphoto", "trainresult")
    write_folders(tmp_path / "set", "trainmask", "trainresult", of_a=mask_of_bytes)
    result = check(tmp_path / "set", folders={"A": ("mask", "photo"), "B": ("result",)})
    assert "data.folders={A: {mask: 1, photo: 3}, B: result}" in shlex.split(result.command)
    require_trainable(result)


def test_a_label_map_that_is_joined_with_a_photo_is_named_as_classes(tmp_path):
    write_folders(tmp_path / "set", "trainphoto", "trainresult")
    write_folders(tmp_path / "set", "trainlabels", "trainresult", of_a=lambda file, rgb: save(file, rgb[..., 0] // 100))
    result = check(tmp_path / "set", folders={"A": ("labels", "photo"), "B": ("result",)})
    words = {"data.folders={A: {labels: classes, photo: 3}, B: result}", "data.palette=3"}
    assert words <= set(shlex.split(result.command))
    require_trainable(result)


def test_what_no_command_trains_is_an_error(tmp_path):
    write_folders(tmp_path / "set", "one", "two", pairs=4)
    write_folders(tmp_path / "set", "three", "two", pairs=4)
    (finding,) = check(tmp_path / "set").findings
    assert (finding.severity, finding.kind) == ("error", "layout")
    assert "holds pictures in 3 folders" in finding.message


def test_every_faulty_row_of_a_table_is_named(tmp_path):
    table = list_in_table(tmp_path)
    with table.open("a") as file:
        file.write("pictures/in/9.png,pictures/out/9.png,train\npictures/in/1.png,pictures/out/1.png,often\n")
    messages = [finding.message for finding in check(table).findings if finding.severity == "error"]
    assert len(messages) == 2
    assert "there is no file pictures/in/9.png" in messages[0]
    assert "'often'" in messages[1]
