"""Trainings on data of every kind, from files to translations: each run is trained, evaluated and used."""

import csv
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image

from pix2pix import load_translator
from pix2pix.data.images.decode import open_picture, read_pixels
from pix2pix.data.images.palettes import Palette
from pix2pix.data.images.value_range import normalize
from pix2pix.runs.metrics import read_metrics
from pix2pix.runs.run import Run
from tests.conftest import TINY, copy_few, needs_datasets, pix2pix

RANDOM = np.random.default_rng(0)
SMALL = [word for word in TINY if "data.source." not in word and "epochs" not in word]
SMALL += ["trainer.max_epochs=1", "trainer.limit_train_batches=2", "trainer.limit_val_batches=1", "data.num_workers=0"]


def train(tmp_path: Path, *words: str) -> Run:
    """A run of two steps, evaluated on its validation pairs."""
    pix2pix("train", *SMALL, f"output_dir={tmp_path}", "name=run", *words)
    pix2pix("evaluate", tmp_path / "run")
    run = Run(tmp_path / "run")
    state = torch.load(run.last_checkpoint, weights_only=True)["state_dict"]
    assert all(value.isfinite().all() for value in state.values())
    return run


def folders(root: Path, **images) -> Path:
    """Five pairs; `images` gives for each folder the suffix and the pixels of a pair."""
    for name, (suffix, draw) in images.items():
        (root / name).mkdir(parents=True)
        for number in range(5):
            pixels = draw()
            if suffix == "tif":
                tifffile.imwrite(root / name / f"{number}.tif", pixels, photometric="minisblack", planarconfig="contig")
            elif suffix == "npy":
                np.save(root / name / f"{number}.npy", pixels)
            else:
                Image.fromarray(pixels).save(root / name / f"{number}.{suffix}")
    return root


def grey16() -> np.ndarray:
    return RANDOM.integers(0, 65536, (40, 48), np.uint16)


def photo() -> np.ndarray:
    return RANDOM.integers(0, 256, (40, 48, 3), np.uint8)


def classes(count: int = 4) -> np.ndarray:
    return RANDOM.integers(0, count, (5, 6), np.uint8).repeat(8, axis=0).repeat(8, axis=1)


def translate(run: Run, file: Path, tmp_path: Path) -> Path:
    pix2pix("translate", run.path, file, "-o", tmp_path / "out", "--scale", "own")
    (result,) = (tmp_path / "out").glob("[!.]*")
    return result


def test_a_16_bit_tiff_set_comes_back_in_16_bits(tmp_path):
    data = folders(tmp_path / "data", trainA=("tif", grey16), trainB=("tif", grey16))
    run = train(
        *(tmp_path, "data=folder", f"data.path={data}", "data.depth=16"),
        *("data.source_channels=1", "data.target_channels=1"),
    )
    with Image.open(translate(run, data / "trainA" / "0.tif", tmp_path)) as result:
        assert (result.mode, result.size) == ("I;16", (48, 40))
        assert np.unique(np.asarray(result) % 256).size > 200  # no stretched bytes
    (whole,) = (run.evaluation / "val" / "images").glob("*_output.tif")
    assert tifffile.imread(whole).dtype == np.uint16


def test_the_depth_of_a_16_bit_set_is_asked_for(tmp_path):
    data = folders(tmp_path / "data", trainA=("tif", grey16), trainB=("tif", grey16))
    with pytest.raises(SystemExit, match=r"\.tif: pixels of 16 bits, where .* train with data\.depth=16"):
        pix2pix("train", *SMALL, f"output_dir={tmp_path}", "name=run", "data=folder", f"data.path={data}")


def test_floats_come_back_as_floats_in_their_range(tmp_path):
    draw = lambda: RANDOM.normal(0, 300, (40, 48)).astype(np.float32)  # noqa: E731
    data = folders(tmp_path / "data", trainA=("png", photo), trainB=("tif", draw))
    words = ["data=folder", f"data.path={data}", "data.target_depth=float", "data.target_channels=1"]
    with pytest.raises(
        SystemExit, match=r"pair \d: its target holds values from -.*train with .*data\.target_range=\[LOW,HIGH\]"
    ):
        pix2pix("train", *SMALL, f"output_dir={tmp_path}", "name=refused", *words)
    run = train(tmp_path, *words, "data.target_range=[-1000,1000]")
    with Image.open(translate(run, data / "trainA" / "0.png", tmp_path)) as result:
        assert (result.mode, result.size, result.format) == ("F", (48, 40), "TIFF")
        values = np.asarray(result)
        assert -1000 <= values.min() < -50 < 50 < values.max() <= 1000


@pytest.mark.parametrize(("inputs", "outputs"), [(7, 5), (7, 2)])
def test_any_number_of_channels_goes_in_and_out(inputs, outputs, tmp_path):
    bands = lambda: RANDOM.integers(0, 65536, (40, 48, inputs), np.uint16)  # noqa: E731
    masks = lambda: RANDOM.integers(0, 256, (40, 48, outputs), np.uint8)  # noqa: E731
    data = folders(tmp_path / "data", trainA=("tif", bands), trainB=("npy", masks))
    run = train(
        *(tmp_path, "data=folder", f"data.path={data}", "data.source_depth=16"),
        *(f"data.source_channels={inputs}", f"data.target_channels={outputs}"),
    )
    result = tifffile.imread(translate(run, data / "trainA" / "0.tif", tmp_path))
    assert (result.dtype, result.shape) == (np.uint8, (40, 48, outputs))
    with pytest.raises(ValueError, match=r"Translator\.translate returns them as an array"):
        load_translator(run.path)(data / "trainA" / "0.tif")


def test_a_kaggle_set_of_photos_and_masks_comes_back_as_masks(tmp_path):
    """A folder in a folder, images and masks, black and white masks in GIFs; cross-entropy and Dice."""
    inner = tmp_path / "data" / "archive" / "carvana" / "train"
    folders(inner, images=("jpg", photo), masks=("gif", lambda: classes(2) * np.uint8(255)))
    for file in (inner / "masks").iterdir():
        file.rename(file.with_stem(f"{file.stem}_mask"))
    run = train(
        *(tmp_path, "data=folder", f"data.path={tmp_path}/data", "data.folders={A: images, B: masks}"),
        *("data.label_map=B", "data.palette=2", "data.one_hot=true", "objective=labels", "objective.dice_weight=1"),
        "data.augment.rotation=10",
    )
    with Image.open(translate(run, inner / "images" / "0.jpg", tmp_path)) as result:
        assert (result.mode, result.size) == ("P", (48, 40))
        assert set(np.unique(result).tolist()) <= {0, 1}
        assert set(np.unique(result.convert("RGB")).tolist()) <= {0, 255}


def test_a_set_side_by_side_below_a_folder_of_its_own_is_found(tmp_path):
    for split, count in (("train", 4), ("val", 2)):
        (tmp_path / "data" / "maps" / "maps" / split).mkdir(parents=True)
        for number in range(count):
            both = np.hstack([photo(), photo()])
            Image.fromarray(both).save(tmp_path / "data" / "maps" / "maps" / split / f"{number}.jpg")
    run = train(tmp_path, "data=folder", f"data.path={tmp_path}/data", "data.direction=BtoA")
    assert len(list((run.evaluation / "val" / "images").glob("*_output.png"))) == 2


def test_a_rectangular_set_keeps_its_512_by_256(tmp_path):
    for split in ("train", "val"):
        (tmp_path / "data" / split).mkdir(parents=True)
        for number in range(2):
            Image.effect_noise((1024, 256), 80).convert("RGB").save(tmp_path / "data" / split / f"{number}.jpg")
    run = train(
        *(tmp_path, "data=folder", f"data.path={tmp_path}/data", "data.height=256", "data.width=512"),
        *("data.batch_size=1", "generator.base_channels=2"),
    )
    assert run.config().generator["depth"] == 8
    with Image.open(run.evaluation / "val" / "images" / "0_output.png") as output:
        assert output.size == (512, 256)


@pytest.mark.parametrize("preprocess", ["scale_width_and_crop", "crop", "pad", "none"])
def test_every_preprocess_mode_trains_and_translates_at_the_pictures_own_size(tmp_path, preprocess):
    data = folders(tmp_path / "data", trainA=("png", photo), trainB=("png", photo))
    depth = ["generator.depth=3", "data.batch_size=1"] if preprocess == "none" else []
    run = train(tmp_path, "data=folder", f"data.path={data}", f"data.preprocess={preprocess}", *depth)
    assert load_translator(run.path)(data / "trainA" / "0.png", scale="own").size == (48, 40)


@pytest.mark.parametrize(
    "palette", ["3", "[[0,0,0],[255,0,0],[0,255,0]]", "{road: [90,90,90], tree: [0,99,0], sky: [0,0,255]}"]
)
def test_a_one_hot_label_set_of_class_numbers_comes_back_as_class_numbers(tmp_path, palette):
    data = folders(tmp_path / "data", trainA=("png", photo), trainB=("png", lambda: classes(3)))
    run = train(
        *(
            tmp_path,
            "data=folder",
            f"data.path={data}",
            "data.label_map=B",
            "data.one_hot=true",
            f"data.palette={palette}",
        ),
        *("objective=labels", "objective.dice_weight=0.5"),
    )
    assert run.config().data.output_channels == 3
    with Image.open(translate(run, data / "trainA" / "0.png", tmp_path)) as result:
        assert result.mode == "P"
        assert set(np.unique(result).tolist()) <= {0, 1, 2}


def test_class_numbers_are_a_source_too(tmp_path):
    data = folders(tmp_path / "data", trainA=("png", lambda: classes(21)), trainB=("png", photo))
    run = train(
        *(tmp_path, "data=folder", f"data.path={data}", "data.label_map=A", "data.palette=21", "data.one_hot=true")
    )
    assert run.config().data.input_channels == 21
    assert load_translator(run.path)(data / "trainA" / "0.png").mode == "RGB"


def classes_with_borders() -> np.ndarray:
    numbers = classes()
    numbers[::8] = 255
    return numbers


@pytest.mark.parametrize("letter", ["A", "B"])
def test_255_is_no_class_of_inputs_and_of_targets(tmp_path, letter):
    images = {"trainA": ("png", photo), "trainB": ("png", photo)} | {f"train{letter}": ("png", classes_with_borders)}
    data = folders(tmp_path / "data", **images)
    labels = ["objective=l1_cgan", "objective.cross_entropy_weight=1", "objective.dice_weight=1"] * (letter == "B")
    run = train(
        *(
            tmp_path,
            "data=folder",
            f"data.path={data}",
            f"data.label_map={letter}",
            "data.palette=4",
            "data.one_hot=true",
        ),
        *labels,
    )
    result = translate(run, data / "trainA" / "0.png", tmp_path)
    with Image.open(result) as picture:
        assert picture.mode == ("P" if letter == "B" else "RGB")


@pytest.mark.parametrize("one_hot", ["true", "false"])
def test_pixels_of_no_class_cost_nothing_in_the_metrics(tmp_path, one_hot):
    data = folders(tmp_path / "data", trainA=("png", photo), trainB=("png", classes_with_borders))
    labels = ["data.label_map=B", "data.palette=4", f"data.one_hot={one_hot}", "data.jitter=false"]
    run = train(tmp_path, "data=folder", f"data.path={data}", *labels, "data.preprocess=crop", "objective=l1")
    folder = run.evaluation / "val"
    (row,) = csv.DictReader((folder / "per_image.csv").read_text().splitlines())
    output, target = (
        np.asarray(Image.open(folder / "images" / f"{row['name']}_{kind}.png").convert("RGB")).astype(float)
        for kind in ("output", "target")
    )
    is_labelled = ~(target == Palette(4).void).all(axis=-1, keepdims=True)
    assert 0 < is_labelled.mean() < 1
    assert float(row["l1"]) == pytest.approx((np.abs(output - target) * is_labelled).mean() / 255, abs=1e-3)
    assert float(row["l1"]) < np.abs(output - target).mean() / 255 - 2e-3
    (validated,) = [value for line in read_metrics(run.path / "metrics.csv") if (value := line["val/l1"])]
    assert float(validated) == pytest.approx(float(row["l1"]), abs=1e-4)


def test_several_inputs_are_joined_and_translated_together(tmp_path):
    data = folders(
        tmp_path / "data", trainmask=("png", lambda: classes(200)), trainphoto=("jpg", photo), trainB=("png", photo)
    )
    run = train(tmp_path, "data=folder", f"data.path={data}", "data.folders.A={mask: 1, photo: 3}")
    assert run.config().data.input_channels == 4
    translator = load_translator(run.path)
    assert translator(data / "trainmask" / "0.png", data / "trainphoto" / "0.jpg", scale="own").size == (48, 40)
    with pytest.raises(ValueError, match=r"0\.png: the input needs 2 pictures \(mask, photo\), but got 1"):
        translator(data / "trainmask" / "0.png")


def instances() -> np.ndarray:
    """Ids as of Cityscapes, of which no two neighbours are equal, in squares of eight pixels."""
    return (np.arange(30, dtype=np.uint16).reshape(5, 6) * 1000).repeat(8, axis=0).repeat(8, axis=1)


JOINED = "data.folders={A: {labels: classes, instances: boundaries, photo: 3}, B: day}"


def make_joined_folders(root: Path) -> Path:
    return folders(
        root,
        trainlabels=("png", classes),
        traininstances=("png", instances),
        trainphoto=("jpg", photo),
        trainday=("png", photo),
    )


def test_classes_boundaries_and_a_photo_are_joined_each_as_it_is(tmp_path):
    data = make_joined_folders(tmp_path / "data")
    run = train(tmp_path, "data=folder", f"data.path={data}", JOINED, "data.palette=4", "data.augment.rotation=5")
    assert run.config().data.input_channels == 4 + 1 + 3
    files = [data / "trainlabels" / "0.png", data / "traininstances" / "0.png", data / "trainphoto" / "0.jpg"]
    named = zip(("labels", "instances", "photo"), files, strict=True)
    words = [word for name, file in named for word in ("--input", f"{name}={file}")]
    pix2pix("translate", run.path, *words, "-o", tmp_path / "out", "--scale", "own")
    assert [file.name for file in (tmp_path / "out").glob("[!.]*")] == ["0.png"]
    # the generator sees what is in the files
    trained_generator = load_translator(run.path).trained
    source = trained_generator.encode_source(trained_generator.read_source(*map(open_picture, files)))
    with Image.open(files[0]) as labels:
        assert np.array_equal(source[:4].argmax(dim=0).numpy(), np.asarray(labels))
    assert source[:5].unique().tolist() == [-1, 1]
    inner = np.zeros((5, 6))  # of each square of 8x8, what touches no other square
    inner[1:-1, 1:-1], inner[[0, -1], 1:-1], inner[1:-1, [0, -1]] = 6 * 6, 7 * 6, 6 * 7
    inner[[0, 0, -1, -1], [0, -1, 0, -1]] = 7 * 7
    assert int((source[4] == -1).sum()) == inner.sum()
    assert torch.equal(source[5:], normalize(read_pixels(files[2], 3)))
    # the page shows the classes in their colours
    (shown,) = (run.evaluation / "val" / "images").glob("*_input.png")
    with Image.open(shown) as picture:
        assert {colour for _, colour in picture.getcolors()} <= {(0, 0, 0), (128, 0, 0), (0, 128, 0), (128, 128, 0)}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "with `classes` in data.folders a palette is enough"),
        (["data.palette=4", "data.source_depth=16"], "what is joined with classes or boundaries has 8 bits"),
        (["data.palette=4", "data.label_map=A"], "set data.label_map=null"),
        (["data.palette=4", "data.direction=BtoA"], "only inputs are joined of classes and boundaries"),
        (
            ["data.folders={A: {photo: clases}, B: day}"],
            "photo=clases; give the channels of its pictures, or",
        ),
        (["data.palette=4", "data.augment.hue=0.1"], "not of label maps or other channels"),
    ],
)
def test_what_cannot_be_joined_is_refused_in_words(tmp_path, words, message):
    with pytest.raises(SystemExit) as error:
        pix2pix("train", *SMALL, f"output_dir={tmp_path}", "name=run", "data=folder", "data.path=x", JOINED, *words)
    assert message in str(error.value)


def test_every_augmentation_trains(tmp_path):
    data = folders(tmp_path / "data", trainA=("png", photo), trainB=("png", photo))
    words = [f"data.augment.{name}=0.2" for name in ("scale", "brightness", "contrast", "saturation", "hue")]
    words += ["data.vertical_flip=true", "data.quarter_turns=true"]
    train(tmp_path, "data=folder", f"data.path={data}", "data.augment.rotation=15", *words)


def test_deep_photos_become_label_maps_of_8_bits(tmp_path):
    data = folders(tmp_path / "data", trainA=("tif", grey16), trainB=("png", lambda: classes(3)))
    run = train(
        *(tmp_path, "data=folder", f"data.path={data}", "data.depth=16", "data.source_channels=1", "data.label_map=B"),
        *("data.palette=3", "data.one_hot=true", "objective=labels"),
    )
    (file,) = (run.evaluation / "val" / "images").glob("*_output.png")
    with Image.open(file) as output:
        assert (output.mode, output.size) == ("P", (32, 32))
    assert "pixel_accuracy" in (run.evaluation / "val" / "metrics.json").read_text()


def test_a_size_that_leaves_the_unet_shallow_is_told(tmp_path, capsys):
    data = folders(tmp_path / "data", trainA=("png", photo), trainB=("png", photo))
    train(tmp_path, "data=folder", f"data.path={data}", "data.height=72", "data.width=136", "data.batch_size=1")
    assert "72x136 can be halved only 3 times" in (output := capsys.readouterr().out)
    assert "more often: 64x128 (6)." in output


@needs_datasets
def test_real_photos_become_one_hot_facades(tmp_path):
    copy_few("facades", tmp_path / "facades")
    run = train(
        *(tmp_path, "experiment=facades_scorer", f"data.root={tmp_path}", "data.size=32", "data.batch_size=2"),
        *("data.augment.rotation=5", "objective.dice_weight=1", "name=run"),
    )
    assert run.config().data.output_channels == 12


@needs_datasets
def test_a_derived_set_trains_on_real_pictures_in_every_mode(tmp_path):
    data = copy_few("maps", tmp_path / "maps")
    run = train(
        *(tmp_path, "data=derived", f"data.path={data}", "data.operation=edges", "data.preprocess=crop"),
        "data.augment.rotation=5",
    )
    assert (run.config().data.input_channels, run.config().data.output_channels) == (1, 3)
