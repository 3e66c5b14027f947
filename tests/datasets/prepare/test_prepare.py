"""Folders of pairs are made from pictures as they come; nothing is left out in silence, nothing is left half done."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from pix2pix.data.sources.derived import DerivedPairs
from pix2pix.data.sources.folder import PairFolder
from pix2pix.datasets.check.check import check
from pix2pix.datasets.prepare import match
from tests.conftest import TINY, pix2pix, start_command, wait_until

CLEAN = ["data", "prepare"]


def picture(seed: int, size: tuple[int, int] = (48, 32)) -> Image.Image:
    """Coloured blobs, unlike those of any other seed."""
    noise = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), np.uint8)
    blurred = np.asarray(Image.fromarray(noise).filter(ImageFilter.GaussianBlur(4)), np.float32)
    return Image.fromarray(np.clip((blurred - 128) * 6 + 128, 0, 255).astype(np.uint8))


def folder_of(folder: Path, names: list[str], first: int = 0, size: tuple[int, int] = (48, 32)) -> Path:
    for number, name in enumerate(names):
        file = folder / f"{name}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        picture(first + number, size).save(file)
    return folder


@pytest.fixture
def ab(tmp_path) -> tuple[Path, Path]:
    """Twelve pictures each, of the same names."""
    names = [f"x{number}" for number in range(12)]
    return folder_of(tmp_path / "a", names), folder_of(tmp_path / "b", names, first=100)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(f.relative_to(folder)): f.read_bytes() for f in sorted(folder.rglob("*")) if f.is_file()}


def splits(folder: Path) -> dict[str, set[str]]:
    return {d.name: {file.stem for file in d.iterdir()} for d in folder.iterdir() if d.is_dir()}


def refuse(*words: object) -> str:
    with pytest.raises(SystemExit) as error:
        pix2pix("data", "prepare", *words)
    return str(error.value)


def test_two_folders_become_pairs_that_train(tmp_path, ab, capsys):
    a, b = ab
    pix2pix("data", "prepare", "pairs", a, b, "-o", tmp_path / "out", "--size", "32", "--test", "0.1")
    assert capsys.readouterr().out.splitlines()[0] == f"{tmp_path / 'out'}: 10 train, 1 val, 1 test"
    pairs = PairFolder(str(tmp_path / "out")).split("train")
    assert [len(pairs), *pairs[0].source.shape] == [10, 3, 32, 32]
    words = [word for word in TINY if "pairs" not in word and "epochs" not in word]
    folder = f"data.path={tmp_path / 'out'}"
    more = ["trainer.max_epochs=1", "trainer.limit_train_batches=2", f"output_dir={tmp_path}", "name=run"]
    pix2pix("train", "data=folder", folder, *words, *more)
    assert (tmp_path / "run" / "checkpoints" / "last.ckpt").exists()


def test_without_a_size_pixels_are_kept(tmp_path, ab):
    a, b = ab
    pix2pix("data", "prepare", "pairs", a, b, "-o", tmp_path / "out")
    file = next((tmp_path / "out" / "train").iterdir())
    with Image.open(file) as both, Image.open(a / file.name) as left, Image.open(b / file.name) as right:
        assert np.array_equal(np.asarray(both), np.concatenate([np.asarray(left), np.asarray(right)], axis=1))


def test_what_has_no_partner_is_named_and_refused_unless_allowed(tmp_path, ab, capsys):
    a, b = ab
    (a / "x3.png").unlink()
    (b / "x4.png").rename(b / "y4.png")
    message = refuse("pairs", a, b, "-o", tmp_path / "out")
    assert "10 pairs, but 3 pictures have no partner" in message
    assert all(str(file) in message for file in (a / "x4.png", b / "x3.png", b / "y4.png"))
    assert not (tmp_path / "out").exists()
    pix2pix("data", "prepare", "pairs", a, b, "-o", tmp_path / "out", "--allow-unmatched")
    assert f"left out, without a partner: {a / 'x4.png'}, {b / 'x3.png'}, {b / 'y4.png'}" in capsys.readouterr().out


def test_nothing_at_all_is_an_error_too(tmp_path, ab):
    (tmp_path / "empty").mkdir()
    assert "no pictures in" in refuse("derive", tmp_path / "empty", "-o", "out", "--operation", "blur")
    assert "no pictures to make pairs from" in refuse(
        "pairs", tmp_path / "empty", ab[0], "-o", "out", "--allow-unmatched"
    )
    assert "no folder" in refuse("pairs", tmp_path / "gone", ab[0], "-o", "out")


def test_flags_in_names_are_stripped_and_folders_searched_through(tmp_path):
    """As in Cityscapes and many sets of Kaggle: city/name_mask.png and city/name.png, train and val apart."""
    names = [f"{split}/city/{number}" for split in ("train", "val") for number in range(3)]
    a = folder_of(tmp_path / "a", [f"{name}_mask" for name in names])
    b = folder_of(tmp_path / "b", names, first=50)
    pix2pix("data", "prepare", "pairs", a, b, "-o", tmp_path / "out", "--strip", "_mask")
    assert splits(tmp_path / "out") == {s: {f"city_{n}" for n in range(3)} for s in ("train", "val")}
    a, b = (folder_of(tmp_path / name, ["x0", "x1"]) for name in ("c", "d"))
    said = refuse("pairs", a, b, "-o", tmp_path / "x", "--strip", "0", "--strip", "1")
    assert f"{a}: x0.png and x1.png are one name. Rename or remove one of them." in said
    assert said.endswith("Or strip less of the names.")


def test_pairs_by_order_need_equal_numbers(tmp_path, ab):
    a, b = ab
    (b / "x11.png").rename(b / "z.png")
    pix2pix("data", "prepare", "pairs", a, b, "-o", tmp_path / "out", "--by", "order")
    (a / "x9.png").unlink()
    assert "1 picture has no partner" in refuse("pairs", a, b, "-o", tmp_path / "o", "--by", "order")


def test_near_duplicates_and_copies_never_part(tmp_path):
    names = [f"{number}_{take}" for number in range(10) for take in range(3)]
    for name in names:
        number, take = map(int, name.split("_"))
        (tmp_path / "in").mkdir(exist_ok=True)
        picture(number).point(lambda value, take=take: min(255, value + take)).save(tmp_path / "in" / f"{name}.png")
    for seed in range(4):
        out = tmp_path / f"out{seed}"
        words = ["--operation", "blur", "--val", "0.2", "--test", "0.2", "--seed", seed]
        pix2pix("data", "prepare", "derive", tmp_path / "in", "-o", out, *words)
        numbers = {split: {name.split("_")[0] for name in found} for split, found in splits(out).items()}
        assert [len(splits(out)[split]) for split in ("train", "val", "test")] == [18, 6, 6]
        assert sum(map(len, numbers.values())) == 10
    assert splits(tmp_path / "out0") != splits(tmp_path / "out1")


def test_a_set_of_one_picture_many_times_cannot_be_split(tmp_path):
    for number in range(6):
        (tmp_path / "in").mkdir(exist_ok=True)
        picture(0).save(tmp_path / "in" / f"{number}.png")
    message = refuse("derive", tmp_path / "in", "-o", tmp_path / "out", "--operation", "blur")
    assert "6 pairs form 1 group that must not be parted" in message
    assert not (tmp_path / "out").exists()


def test_an_existing_set_is_split_anew(tmp_path, ab):
    a, b = ab
    pix2pix("data", "prepare", "pairs", a, b, "-o", tmp_path / "one")
    pix2pix("data", "prepare", "split", tmp_path / "one", "-o", tmp_path / "two", "--test", "0.25", "--seed", "5")
    assert {split: len(names) for split, names in splits(tmp_path / "two").items()} == {"train": 8, "val": 1, "test": 3}


@pytest.mark.parametrize(
    ("fit", "size", "corner"), [("crop", (40, 40), False), ("pad", (40, 40), True), ("stretch", (40, 20), False)]
)
def test_pictures_are_cropped_padded_or_stretched_to_size(tmp_path, ab, fit, size, corner):
    a, b = ab
    words = ["--size", f"{size[0]}x{size[1]}", "--fit", fit]
    pix2pix("data", "prepare", "pairs", a, b, "-o", tmp_path / "out", *words)
    with Image.open(next((tmp_path / "out" / "train").iterdir())) as both:
        assert both.size == (2 * size[0], size[1])
        assert (both.getpixel((20, 0)) == (255, 255, 255)) == corner
    recipe = json.loads((tmp_path / "out" / "prepared.json").read_text())["recipe"]
    assert (recipe["size"], recipe["labels"]) == ([*size], ""), "as earlier versions wrote it, which may be continued"


def test_colours_of_label_maps_are_never_mixed(tmp_path, ab):
    a, b = ab
    colours = {(0, 0, 0), (255, 0, 0), (0, 0, 255)}
    for number, file in enumerate(a.iterdir()):
        classes = np.random.default_rng(number).integers(0, 3, (32, 48))
        Image.fromarray(np.array(sorted(colours), np.uint8)[classes]).save(file)
    pix2pix("data", "prepare", "pairs", a, b, "-o", tmp_path / "out", "--size", "20x20", "--labels", "A")
    with Image.open(next((tmp_path / "out" / "train").iterdir())) as both:
        assert set(both.crop((0, 0, 20, 20)).get_flattened_data()) <= colours


def test_depth_and_alpha_are_kept_in_folders_and_refused_side_by_side(tmp_path, ab):
    a, b = ab
    for number, file in enumerate(a.iterdir()):
        pixels = np.random.default_rng(number).integers(0, 65536, (32, 48)).astype(np.uint16)
        Image.fromarray(pixels).save(file)
    for file in b.iterdir():
        image = Image.open(file).convert("RGBA")
        image.putalpha(100)
        image.save(file)
    assert "--layout folders keeps that" in refuse("pairs", a, b, "-o", tmp_path / "out")
    assert not (tmp_path / "out").exists()
    pix2pix("data", "prepare", "pairs", a, b, "-o", tmp_path / "two", "--layout", "folders")
    for side, folder in (("A", a), ("B", b)):
        file = next((tmp_path / "two" / f"train{side}").iterdir())
        with Image.open(file) as kept, Image.open(folder / file.name) as source:
            assert kept.mode == source.mode
            assert np.array_equal(np.asarray(kept), np.asarray(source))


def test_other_proportions_are_refused_by_name(tmp_path, ab):
    a, b = ab
    picture(1, (32, 32)).save(a / "x0.png")
    assert "x0.png: A is 32x32 and B 48x32, side by side" in refuse("pairs", a, b, "-o", tmp_path / "out")
    assert "set --fit stretch" in refuse("pairs", a, b, "-o", tmp_path / "out", "--size", "32")
    pix2pix("data", "prepare", "pairs", a, b, "-o", tmp_path / "out", "--size", "32", "--fit", "stretch")


def test_broken_files_are_all_named_before_anything_is_written(tmp_path, ab):
    a, b = ab
    (a / "x1.png").write_bytes(b"no picture")
    (b / "x2.png").write_bytes((b / "x2.png").read_bytes()[:80])
    message = refuse("pairs", a, b, "-o", tmp_path / "out")
    assert all(str(file) in message for file in (a / "x1.png", b / "x2.png"))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("operation", ["grayscale", "edges", "inpaint", "superres", "blur", "noise"])
def test_derived_inputs_are_those_of_training(tmp_path, operation):
    folder_of(tmp_path / "in", [f"x{number}" for number in range(4)], size=(32, 32))
    pix2pix("data", "prepare", "derive", tmp_path / "in", "-o", tmp_path / "out", "--operation", operation)
    sizes = {"height": 32, "width": 32, "load_height": 32, "load_width": 32}
    online = {
        p.name: p
        for s in ("train", "val")
        for p in DerivedPairs(str(tmp_path / "in"), operation=operation, **sizes).split(s)
    }
    for split in ("train", "val"):
        for pair in PairFolder(str(tmp_path / "out")).split(split):
            assert np.array_equal(pair.source, online[pair.name].source.expand(3, -1, -1))
            assert np.array_equal(pair.target, online[pair.name].target)


def test_a_dry_run_prints_what_the_real_one_then_writes(tmp_path, ab, capsys):
    a, b = ab
    words = ["pairs", a, b, "-o", tmp_path / "out", "--test", "0.2"]
    pix2pix("data", "prepare", *words, "--dry-run")
    output = capsys.readouterr().out.splitlines()
    assert not (tmp_path / "out").exists()
    pix2pix("data", "prepare", *words)
    written = {f"{tmp_path}/out/{name}" for name in contents(tmp_path / "out") if name != "prepared.json"}
    assert {line.partition(" <- ")[0] for line in output[:-1]} == written
    assert f" <- {a / 'x0.png'} + {b / 'x0.png'}" in "\n".join(output)
    assert output[-1] == f"{tmp_path / 'out'}: 9 train, 1 val, 2 test would be written"


def test_killed_and_run_again_it_is_as_if_it_had_not_been(tmp_path):
    folder_of(tmp_path / "in", [f"x{number}" for number in range(40)], size=(64, 64))
    words = [tmp_path / "in", "--operation", "noise", "--workers", "1"]
    slow = "import time, pix2pix.datasets.prepare.recipe as r; m = r.derive_input; "
    slow += "r.derive_input = lambda *a: (time.sleep(0.05), m(*a))[1]"
    out = tmp_path / "out"
    with start_command(*CLEAN, "derive", *words, "-o", out, first=slow) as process:
        wait_until(lambda: len(list(out.glob("train/x*.png"))) >= 3, process)
    assert 3 <= len(list(out.glob("*/x*.png"))) < 40
    for file in out.glob("*/x*.png"):
        Image.open(file).load()
    pix2pix(*CLEAN, "derive", *words, "-o", out)
    pix2pix(*CLEAN, "derive", *words, "-o", tmp_path / "unbroken")
    assert contents(out) == contents(tmp_path / "unbroken")
    assert check(out).is_trainable


def test_the_same_command_again_changes_nothing_and_another_is_refuse(tmp_path, ab, capsys):
    a, b = ab
    pix2pix("data", "prepare", "pairs", a, b, "-o", tmp_path / "out")
    before = contents(tmp_path / "out")
    pix2pix("data", "prepare", "pairs", a, b, "-o", tmp_path / "out")
    assert "is there already, complete" in capsys.readouterr().out
    assert "in another way" in refuse("pairs", a, b, "-o", tmp_path / "out", "--size", "16")
    assert "in another way" in refuse("pairs", a, b, "-o", tmp_path / "out", "--val", "0.3")
    picture(999).save(a / "x0.png")
    assert "from other files" in refuse("pairs", a, b, "-o", tmp_path / "out")
    assert "is not empty" in refuse("pairs", a, b, "-o", a)
    assert contents(tmp_path / "out") == before


def test_map_tiles_are_matched_by_place_and_split_by_squares(tmp_path):
    places = [f"3/{x}/{y}" for x in range(8) for y in range(8)] + ["4/2/2", "4/3/3"]
    a, b = folder_of(tmp_path / "a", places), folder_of(tmp_path / "b", places, first=200)
    pix2pix("data", "prepare", "tiles", a, b, "-o", tmp_path / "out", "--block", "4", "--val", "0.3")
    found = splits(tmp_path / "out")
    squares = {
        split: {(int(x) >> (int(z) - 3) >> 2, int(y) >> (int(z) - 3) >> 2) for z, x, y in (n.split("_") for n in names)}
        for split, names in found.items()
    }
    assert not squares["train"] & squares["val"]
    assert sum(map(len, found.values())) == 66
    picture(1).save(b / "3" / "0" / "99.png")
    assert "99.png" in refuse("tiles", a, b, "-o", tmp_path / "more")
    assert "not a map tile" in refuse("tiles", a / "3", b / "3", "-o", tmp_path / "more")


def test_impossible_settings_are_refuse(tmp_path, ab):
    a, b = ab
    assert "not a size" in refuse("pairs", a, b, "-o", tmp_path / "out", "--size", "big")
    assert "nothing to train on" in refuse("pairs", a, b, "-o", tmp_path / "out", "--val", "0.5", "--test", "0.5")
    assert not (tmp_path / "out").exists()


def test_names_that_end_like_a_side_stay_apart(tmp_path):
    folder_of(tmp_path / "in", ["x_A", "x_B", "x", "y", "z"])
    pix2pix("data", "prepare", "derive", tmp_path / "in", "-o", tmp_path / "out", "--operation", "blur")
    assert sum(len(PairFolder(str(tmp_path / "out")).split(split)) for split in ("train", "val")) == 5


def test_two_pairs_never_take_one_name(tmp_path):
    folder_of(tmp_path / "in", ["one/x", "one_x", "y"])
    message = refuse("derive", tmp_path / "in", "-o", tmp_path / "out", "--operation", "blur", "--val", "0")
    assert f"{tmp_path / 'in' / 'one' / 'x.png'}, {tmp_path / 'in' / 'one_x.png'}" in message
    assert not (tmp_path / "out").exists()


def test_copies_of_one_file_in_two_folders_have_two_names(tmp_path):
    folder_of(tmp_path / "in", ["one/x", "two/x", "y"])
    assert [item.name for item in match.list_singles(tmp_path / "in").pairs] == ["one_x", "two_x", "y"]
    shutil.rmtree(tmp_path / "in")


def test_folders_and_names_are_those_that_a_training_finds(tmp_path):
    """Splits in any case and by any of their names, names composed and decomposed, files beside the data."""
    a = folder_of(tmp_path / "images", ["Train/1", "Train/é", "validation/3", "__MACOSX/9"])
    b = folder_of(tmp_path / "masks", ["train/1_mask", "train/e\u0301_MASK", "val/3_mask", ".hidden/9"], first=50)
    (a / "Train" / "folder.png").mkdir()
    matched = match.match_by_name(a, b)
    assert [(item.name, item.split) for item in matched.pairs] == [("1", "train"), ("é", "train"), ("3", "val")]
    assert not matched.unmatched


def test_equal_names_count_more_than_the_name_of_the_folder(tmp_path):
    a, b = (folder_of(tmp_path / name, ["x_1", "x_2"], first) for name, first in (("1", 0), ("2", 50)))
    assert [[file.name for file in item.files] for item in match.match_by_name(a, b).pairs] == [
        ["x_1.png", "x_1.png"],
        ["x_2.png", "x_2.png"],
    ]


def test_pairs_by_order_stay_in_their_splits(tmp_path):
    a = folder_of(tmp_path / "a", ["Train/1", "Train/2", "val/3"])
    b = folder_of(tmp_path / "b", ["train/x", "train/y", "validation/z"], first=50)
    pairs = match.match_by_order(a, b).pairs
    assert [(item.split, item.files[1].stem) for item in pairs] == [("train", "x"), ("train", "y"), ("val", "z")]
    (b / "train" / "y.png").unlink()
    matched = match.match_by_order(a, b)
    assert [file.name for file in matched.unmatched] == ["2.png"]
    assert matched.pairs[-1].files[1].stem == "z"


def test_pictures_are_listed_with_the_splits_of_a_training(tmp_path):
    folder_of(tmp_path / "in", ["Train/one/x", "Train/two/x", "validation/y", "other/z"])
    listed = match.list_singles(tmp_path / "in").pairs
    assert [(item.name, item.split) for item in listed] == [("one_x", "train"), ("two_x", "train"), ("y", "val")]
    pairs = DerivedPairs(str(tmp_path / "in"), operation="blur", height=32, width=48, load_height=32, load_width=48)
    assert [pairs.split(split)[0].name for split in pairs.splits] == ["one_x", "y"]


def test_a_folder_of_pairs_is_no_folder_of_pictures(tmp_path, ab):
    for folder, name in zip(ab, ("trainA", "trainB"), strict=True):
        folder.rename(tmp_path / name)
    said = refuse("derive", tmp_path, "-o", tmp_path / "out", "--operation", "blur")
    assert (
        f"holds pairs, in folders for A and B. Name the folder of the pictures alone, such as {tmp_path}/trainB" in said
    )


def test_a_name_of_which_nothing_is_left_is_refuse(tmp_path, ab):
    assert "x0.png: nothing is left of its name. Strip less" in refuse("pairs", *ab, "-o", "o", "--strip", "x0")
