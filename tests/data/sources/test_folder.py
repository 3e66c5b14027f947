"""Finding, matching and decoding pairs."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pix2pix.data.sources import side_by_side as side_by_side_files
from pix2pix.data.sources.folder import PairFolder
from pix2pix.data.sources.pair_names import pair_name
from tests.conftest import TINY_FOLDER, pix2pix


def picture(path: Path, colour: str, size: tuple[int, int] = (8, 6)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path)


def side_by_side(path: Path, size: tuple[int, int] = (8, 6)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pair = Image.new("RGB", (2 * size[0], size[1]), "red")
    pair.paste("blue", (size[0], 0, 2 * size[0], size[1]))
    pair.save(path)


def colour(image) -> tuple[int, ...]:
    return tuple(image[:, 0, 0].tolist())


RED, BLUE = (255, 0, 0), (0, 0, 255)


@pytest.mark.parametrize("suffix", ["png", "webp", "bmp", "tiff", "PNG"])
def test_a_side_by_side_file_is_a_left_and_b_right(tmp_path, suffix):
    side_by_side(tmp_path / "train" / f"1.{suffix}")
    side_by_side(tmp_path / "val" / f"1.{suffix}")
    pair = PairFolder(str(tmp_path)).split("train")[0]
    assert pair.source.shape == pair.target.shape == (3, 6, 8)
    assert pair.name == "1"
    if suffix != "webp":  # lossy
        assert (colour(pair.source), colour(pair.target)) == (RED, BLUE)


def test_direction_b_to_a_makes_the_right_half_the_source(tmp_path):
    side_by_side(tmp_path / "train" / "1.png")
    side_by_side(tmp_path / "val" / "1.png")
    pair = PairFolder(str(tmp_path), direction="BtoA").split("train")[0]
    assert (colour(pair.source), colour(pair.target)) == (BLUE, RED)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("trainA/{}_A.png", "trainB/{}_B.png"),  # the layout of data sets on Kaggle
        ("trainA/{}.png", "trainB/{}.jpg"),
        ("A/train/{}.png", "B/train/{}.png"),
        ("train/A/{}.png", "train/B/{}.png"),
        ("A/{}.png", "B/{}.png"),
    ],
)
def test_two_folders_are_matched_by_name(tmp_path, a, b):
    for number in range(1, 12):
        picture(tmp_path / a.format(number), "red")
        picture(tmp_path / b.format(number), "blue")
    pairs = PairFolder(str(tmp_path)).split("train")
    assert len(pairs) == 10  # the tenth is held out: there is no other split
    assert [pair.name for pair in pairs][:3] == ["1", "2", "3"]
    assert colour(pairs[0].source) == RED
    assert colour(pairs[0].target)[2] > 250


@pytest.mark.parametrize(
    ("a", "b", "name"),
    [
        ("1_A", "1_B", "1"),
        ("x_B_A", "x_B_B", "x_B"),
        ("x_A_A", "x_A_B", "x_A"),
        ("1_mask", "1_photo", "1"),
        ("a", "a", "a"),
    ],
)
def test_one_letter_and_one_name_of_the_folder_are_no_part_of_a_pairs_name(a, b, name):
    assert (pair_name(a, "masks"), pair_name(b, "photo")) == (name, name)


def test_names_come_in_natural_order(tmp_path):
    for number in (10, 9, 1, 2):
        side_by_side(tmp_path / "train" / f"{number}.png")
        side_by_side(tmp_path / "val" / f"{number}.png")
    assert [pair.name for pair in PairFolder(str(tmp_path)).split("train")] == ["1", "2", "9", "10"]


def test_channels_follow_the_settings(tmp_path):
    side_by_side(tmp_path / "train" / "1.png")
    side_by_side(tmp_path / "test" / "1.png")
    pair = PairFolder(str(tmp_path), source_channels=1, target_channels=4).split("train")[0]
    assert (pair.source.shape[0], pair.target.shape[0]) == (1, 4)


def test_it_is_said_where_test_pairs_choose_the_best_checkpoint(tmp_path, caplog):
    caplog.set_level("INFO")
    for split in ("train", "test"):
        side_by_side(tmp_path / split / "1.png")
    PairFolder(str(tmp_path), val_share=None)
    assert "no val split: training validates on the test pairs" in caplog.text


def test_in_earlier_versions_a_missing_val_split_is_the_test_split_and_the_other_way_round(tmp_path):
    side_by_side(tmp_path / "train" / "1.png")
    side_by_side(tmp_path / "test" / "2.png")
    assert [pair.name for pair in PairFolder(str(tmp_path), val_share=None).split("val")] == ["2"]
    (tmp_path / "test").rename(tmp_path / "val")
    assert [pair.name for pair in PairFolder(str(tmp_path), val_share=None).split("test")] == ["2"]


def test_in_earlier_versions_without_splits_every_tenth_pair_is_held_out_and_not_trained_on(tmp_path):
    for number in range(1, 26):
        side_by_side(tmp_path / f"{number}.png")
    pairs = PairFolder(str(tmp_path), val_share=None)
    assert [pair.name for pair in pairs.split("val")] == ["10", "20"]
    assert len(pairs.split("train")) == 23


def test_the_orientation_a_camera_noted_is_applied(tmp_path):
    image = Image.fromarray(np.zeros((8, 4, 3), np.uint8))
    exif = image.getexif()
    exif[0x0112] = 6  # turned by a quarter
    for split in ("train", "val"):
        for side in "AB":
            (tmp_path / f"{split}{side}").mkdir()
            image.save(tmp_path / f"{split}{side}" / "1.jpg", exif=exif)
    assert PairFolder(str(tmp_path)).split("train")[0].source.shape == (3, 4, 8)


def test_a_missing_folder_is_named_with_the_remedy(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no folder '.*nowhere'.*data\.root"):
        PairFolder(str(tmp_path / "nowhere"))


def test_an_empty_folder_is_named_with_what_was_expected(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no pictures in .*train/ and val/.*\.jpg"):
        PairFolder(str(tmp_path))


def test_an_odd_width_is_refused_with_file_and_width(tmp_path):
    side_by_side(tmp_path / "train" / "1.png")
    picture(tmp_path / "train" / "2.png", "red", (15, 6))
    with pytest.raises(ValueError, match=r"2\.png: width 15 is odd.*trainA"):
        PairFolder(str(tmp_path))


def test_an_odd_width_is_skipped_where_unusable_files_are(tmp_path, capsys):
    """It is one of several thousand, and data.on_error=skip is to name it and to go on; evaluate likewise."""
    for number in range(12):
        side_by_side(tmp_path / "p" / "train" / f"{number}.png")
    side_by_side(tmp_path / "p" / "val" / "1.png")
    picture(tmp_path / "p" / "train" / "13.png", "red", (15, 6))
    words = ["train", *TINY_FOLDER, f"data.path={tmp_path}/p", f"output_dir={tmp_path}", "name=run"]
    with pytest.raises(SystemExit, match=r"13\.png: width 15 is odd"):
        pix2pix(*words)
    pix2pix(*words, "data.on_error=skip", "trainer.max_epochs=1")
    assert "13.png: width 15 is odd" in capsys.readouterr().out
    pix2pix("evaluate", tmp_path / "run", "--split", "train")
    assert "run  12 pairs: " in capsys.readouterr().out
    with pytest.raises(SystemExit, match=r"13\.png: width 15 is odd"):
        pix2pix("evaluate", tmp_path / "run", "--split", "train", "--on-error", "fail")


def test_of_many_files_some_widths_are_looked_at_first_and_the_others_when_they_are_read(tmp_path, monkeypatch):
    monkeypatch.setattr(side_by_side_files, "WIDTHS_CHECKED", 3)
    for number in range(1, 10):
        picture(tmp_path / "train" / f"{number}.png", "red", (15 if number == 2 else 16, 6))
        side_by_side(tmp_path / "val" / f"{number}.png")
    pairs = PairFolder(str(tmp_path)).split("train")
    assert [pairs[index].name for index in (0, 2)] == ["1", "3"]
    with pytest.raises(ValueError, match=r"2\.png: width 15 is odd"):
        pairs[1]
    picture(tmp_path / "train" / "4.png", "red", (15, 6))
    with pytest.raises(ValueError, match=r"4\.png: width 15 is odd"):
        PairFolder(str(tmp_path))


def test_a_fingerprint_is_of_names_below_the_folder_and_of_sizes_wherever_the_folder_stands(tmp_path, monkeypatch):
    """Runs of other versions hold it: the same pairs must keep it."""
    for file in ("here/trainA/10.png", "here/trainB/10.jpg", "here/trainA/2.png", "here/trainB/2.jpg"):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_bytes(bytes(int(Path(file).stem)))
    lines = ["trainA/10.png 10", "trainA/2.png 2", "trainB/10.jpg 10", "trainB/2.jpg 2"]
    expected = hashlib.sha256("\n".join(lines).encode()).hexdigest()
    assert PairFolder(str(tmp_path / "here")).fingerprint() == expected
    monkeypatch.chdir(tmp_path / "here")
    assert PairFolder(".").fingerprint() == expected
    (tmp_path / "there").mkdir()
    (tmp_path / "here").rename(tmp_path / "there" / "here")
    assert PairFolder(str(tmp_path / "there/here")).fingerprint() == expected


def test_names_without_partner_are_listed(tmp_path):
    for name in ("1", "2", "3"):
        picture(tmp_path / "trainA" / f"{name}.png", "red")
    for name in ("1", "2", "4"):
        picture(tmp_path / "trainB" / f"{name}.png", "blue")
    with pytest.raises(ValueError, match=r"2 pictures have no partner.*trainA/3\.png, trainB/4\.png"):
        PairFolder(str(tmp_path))


def test_names_of_folders_that_are_not_there_are_said_with_those_that_are(tmp_path):
    for name in ("images/1.png", "labels/1.png"):
        picture(tmp_path / name, "red")
    words = r"images/, labels/; data\.folders names others, photos, masks, which are not there.*images, B: labels"
    with pytest.raises(ValueError, match=words):
        PairFolder(str(tmp_path), folders={"A": "photos", "B": "masks"})
    with pytest.raises(ValueError, match=r"images/ holds pictures, .* no pictures in masks/\..*data\.folders"):
        PairFolder(str(tmp_path), folders={"A": "images", "B": "masks"})


def test_two_pictures_of_one_name_in_a_folder_are_refused(tmp_path):
    for name in ("trainA/1.png", "trainA/1.jpg", "trainB/1.png"):
        picture(tmp_path / name, "red")
    with pytest.raises(ValueError, match=r"1\.jpg and 1\.png"):
        PairFolder(str(tmp_path))


def test_a_truncated_jpeg_is_named(tmp_path):
    for number in ("1", "2"):
        side_by_side(tmp_path / "train" / f"{number}.jpg", (64, 64))
        side_by_side(tmp_path / "val" / f"{number}.jpg")
    file = tmp_path / "train" / "2.jpg"
    Image.effect_noise((128, 64), 60).save(file)
    file.write_bytes(file.read_bytes()[:-200])
    pairs = PairFolder(str(tmp_path)).split("train")
    assert pairs[0].name == "1"
    with pytest.raises(ValueError, match=r"2\.jpg: cannot be read as a picture.*truncated.*Replace or remove"):
        pairs[1]


def test_a_file_that_is_no_picture_is_named_when_it_is_read(tmp_path):
    side_by_side(tmp_path / "val" / "1.png")
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "1.png").write_text("not a picture")
    pairs = PairFolder(str(tmp_path)).split("train")
    with pytest.raises(ValueError, match=r"1\.png: cannot be read as a picture"):
        pairs[0]


def test_the_fingerprint_changes_with_the_files(tmp_path):
    for number in range(3):
        side_by_side(tmp_path / "train" / f"{number}.png")
        side_by_side(tmp_path / "val" / f"{number}.png")
    before = PairFolder(str(tmp_path)).fingerprint()
    assert PairFolder(str(tmp_path)).fingerprint() == before
    side_by_side(tmp_path / "train" / "1.png", (20, 20))
    assert PairFolder(str(tmp_path)).fingerprint() != before


@pytest.mark.parametrize(
    "layout",
    [
        "train/images/{}.png train/masks/{}_mask.png valid/images/{}.png valid/masks/{}_mask.png",
        "images/train/{}.png masks/train/{}.png images/validation/{}.png masks/validation/{}.png",
        "train_images/{}.png train_masks/{}.gif val_images/{}.png val_masks/{}.gif",
        "data set/data set/training/images/{}.png data set/data set/training/masks/{}_masks.png",
        "images/{}_images.png masks/{}_masks.png",
    ],
)
def test_folders_may_have_names_of_their_own(tmp_path, layout):
    """As data sets on Kaggle have them, in folders within folders."""
    for file in layout.replace("data set", "data-set").split():
        for number in range(1, 4):
            picture(tmp_path / file.format(number), "red" if "images" in file else "blue")
    pairs = PairFolder(str(tmp_path), folders={"A": "images", "B": "masks"}, val_share=None)
    assert pairs.split("val")[0].name in {"1", "3"}
    assert (pairs.split("train")[0].name, colour(pairs.split("train")[0].source)) == ("1", RED)


def test_several_folders_are_joined_as_the_channels_of_one_image(tmp_path):
    for number in ("1", "2"):
        Image.new("L", (8, 6), 77).save(make_parents(tmp_path / "trainmask" / f"{number}_mask.png"))
        picture(tmp_path / "trainphoto" / f"{number}.jpg", "white")
        picture(tmp_path / "trainB" / f"{number}.png", "blue")
    pairs = PairFolder(str(tmp_path), folders={"A": {"mask": 1, "photo": 3}}, val_share=None)
    pair = pairs.split("train")[0]
    assert (colour(pair.source), colour(pair.target), pair.name) == ((77, 255, 255, 255), BLUE, "1")
    assert (
        colour(
            PairFolder(str(tmp_path), folders={"A": {"mask": 1, "photo": 3}}, direction="BtoA").split("train")[0].source
        )
        == BLUE
    )
    picture(tmp_path / "trainphoto" / "1.jpg", "white", (8, 7))
    with pytest.raises(ValueError, match=r"1_mask\.png: its inputs have different sizes, 8x6, 8x7 pixels"):
        pairs.split("train")[0]
    (tmp_path / "trainphoto" / "2.jpg").unlink()
    with pytest.raises(ValueError, match=r"2 pictures have no partner.*trainB/2\.png, trainmask/2_mask\.png"):
        PairFolder(str(tmp_path), folders={"A": {"mask": 1, "photo": 3}})


def test_deep_files_lie_side_by_side_as_others_do(tmp_path):
    deep = np.random.default_rng(0).integers(0, 65536, (6, 16), np.uint16)
    for number in ("1", "2"):
        Image.fromarray(deep).save(make_parents(tmp_path / "train" / f"{number}.png"))
    np.save(make_parents(tmp_path / "val" / "3.npy"), np.dstack([deep] * 5))
    channels = {"source_channels": 1, "target_channels": 1, "source_depth": 16, "target_depth": 16}
    pair = PairFolder(str(tmp_path), **channels).split("train")[0]
    assert np.array_equal(np.hstack([pair.source[0].numpy(), pair.target[0].numpy()]), deep)
    five = PairFolder(str(tmp_path), **channels | {"source_channels": 5, "target_channels": 5}).split("val")[0]
    assert np.array_equal(five.target[4].numpy(), deep[:, 8:])


def test_the_label_map_is_read_by_its_palette_whichever_side_it_is_on(tmp_path):
    for number in ("1", "2"):
        picture(tmp_path / "trainA" / f"{number}.png", "red")
        Image.new("L", (8, 6), 3).save(make_parents(tmp_path / "trainB" / f"{number}.png"))
    pairs = PairFolder(str(tmp_path), label_map="B", palette="cmp_facades").split("train")
    assert (colour(pairs[0].source), colour(pairs[0].target)) == (RED, (0, 170, 255))
    back = PairFolder(str(tmp_path), label_map="B", palette="cmp_facades", direction="BtoA").split("train")
    assert colour(back[0].source) == (0, 170, 255)


def make_parents(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path
