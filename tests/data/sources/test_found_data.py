"""Pairs are found as people have them, single pictures are not halved in silence, and splits are never mixed."""

import unicodedata
from pathlib import Path

import pytest
from PIL import Image

from pix2pix.data.sources.derived import DerivedPairs
from pix2pix.data.sources.folder import PairFolder
from pix2pix.data.sources.picture_folders import walk_pictures


def picture(path: Path, size: tuple[int, int] = (32, 32), colour: str = "red") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path)


def fill(root: Path, *layouts: str, count: int = 6, size: tuple[int, int] = (32, 32)) -> None:
    for layout in layouts:
        for number in range(count):
            picture(root / layout.format(number), size)


def names(source: PairFolder, split: str = "train") -> list[str]:
    return [pair.name for pair in source.split(split)]


@pytest.mark.parametrize(
    ("layouts", "folders"),
    [
        (["leftImg8bit/train/aachen/{}.png", "gtFine/train/aachen/{}.png"], {"A": "leftImg8bit", "B": "gtFine"}),
        (
            ["leftImg8bit/train/a/{}_leftImg8bit.png", "gtFine/train/a/{}_gtFine.png"],
            {"A": "leftImg8bit", "B": "gtFine"},
        ),
        (["train/seq1/blur/{}.png", "train/seq1/sharp/{}.png"], {"A": "blur", "B": "sharp"}),
        (["Train/Images/{}.png", "Train/Masks/{}.png"], {"A": "images", "B": "masks"}),
        (["TrainA/{}.png", "TrainB/{}.png"], None),
        (["set/trainA/{}.png", "set/trainB/{}.png", "__MACOSX/set/trainA/{}.png"], None),
        (["train/{}_sat.png", "train/{}_mask.png"], {"A": "sat", "B": "mask"}),
        (["train/{}_A.png", "train/{}_B.png"], None),
    ],
)
def test_pairs_are_found_where_people_have_them(tmp_path, layouts, folders):
    fill(tmp_path, *layouts)
    source = PairFolder(str(tmp_path), folders=folders)
    assert sorted(names(source) + names(source, "val")) == ["0", "1", "2", "3", "4", "5"]


def test_pairs_of_several_folders_have_names_of_their_own(tmp_path):
    for sequence in ("a", "b"):
        fill(tmp_path, f"train/{sequence}/blur/{{}}.png", f"train/{sequence}/sharp/{{}}.png", count=2)
    source = PairFolder(str(tmp_path), folders={"A": "blur", "B": "sharp"})
    assert sorted(names(source) + names(source, "val")) == ["a_0", "a_1", "b_0", "b_1"]


def test_folders_of_two_images_under_other_names_are_no_side_by_side_files(tmp_path):
    fill(tmp_path, "train/images/{}.png", "train/masks/{}.png")
    with pytest.raises(ValueError, match=r"data\.folders=\{A: images, B: masks\}"):
        PairFolder(str(tmp_path))
    fill(tmp_path / "other", "images/{}.png", "masks/{}.png")
    with pytest.raises(ValueError, match=r"images/, masks/.*data\.folders=\{A: images, B: masks\}"):
        PairFolder(str(tmp_path / "other"))


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (unicodedata.normalize("NFC", "façade_é{}"), unicodedata.normalize("NFD", "façade_é{}")),
        ("IMG_{}", "img_{}"),
        ("{}_A", "{}_b"),
    ],
)
def test_names_that_differ_in_unicode_form_or_case_match(tmp_path, a, b):
    fill(tmp_path, f"trainA/{a}.png", f"trainB/{b}.png")
    assert len(PairFolder(str(tmp_path)).split("train")) == 5


def test_names_that_differ_in_case_alone_within_a_folder_stay_apart(tmp_path):
    for folder in ("trainA", "trainB"):
        fill(tmp_path, f"{folder}/x{{}}.png", f"{folder}/X{{}}.png", count=2)
    source = PairFolder(str(tmp_path))
    assert sorted(names(source) + names(source, "val")) == ["X0", "X1", "x0", "x1"]


@pytest.mark.parametrize("other", [unicodedata.normalize("NFD", "é1"), "É1"])
def test_two_names_of_a_folder_that_look_alike_leave_the_other_pairs_matched(tmp_path, other):
    """One picture is there twice, in the two forms; the error names it alone."""
    fill(tmp_path, "trainA/é{}.png", f"trainB/{unicodedata.normalize('NFD', 'é{}')}.png")
    picture(tmp_path / "trainA" / f"{other}.png")
    if other.startswith("É"):
        with pytest.raises(ValueError, match=r"3 pictures have no partner .* trainA/É1\.png, trainA/é1\.png"):
            PairFolder(str(tmp_path))
    else:
        with pytest.raises(ValueError, match=r"1 picture has no partner .* trainA/é1\.png\. Rename"):
            PairFolder(str(tmp_path))


def test_links_in_a_circle_are_listed_as_pictures_that_cannot_be_read_and_no_folders(tmp_path):
    picture(tmp_path / "whole.png")
    (tmp_path / "circle.png").symlink_to("circle.png")
    (tmp_path / "broken.png").symlink_to("nowhere.png")
    (tmp_path / "above").symlink_to(".")
    (tmp_path / "round").symlink_to("round")
    assert sorted(walk_pictures(tmp_path)) == ["broken.png", "circle.png", "whole.png"]


def test_a_folder_is_not_paired_with_itself(tmp_path):
    fill(tmp_path, "X/{}.png")
    for folders in ({"A": "X", "B": "X"}, {"A": "X", "B": "x"}):
        with pytest.raises(ValueError, match="its own partner"):
            PairFolder(str(tmp_path), folders=folders)


def test_inputs_without_targets_are_no_pairs_and_kept_apart(tmp_path):
    fill(tmp_path, "trainA/{}.png", "trainB/{}.png")
    fill(tmp_path, "testA/{}.png", count=4)
    source = PairFolder(str(tmp_path))
    assert source.splits == ("train", "val")
    assert source.describe()[1].endswith(
        "4 inputs in testA/ without targets: the samples of the training show some, and `pix2pix translate` takes them."
    )
    assert [(alone.name, tuple(alone.source.shape)) for alone in source.inputs()] == [
        (str(number), (3, 32, 32)) for number in range(4)
    ]
    backwards = PairFolder(str(tmp_path), direction="BtoA")
    assert not backwards.inputs()
    assert "testA/ holds 4 pictures with no partners in testB/: left out" in backwards.describe()[1]
    fill(tmp_path, "testB/{}.png", count=3)
    source = PairFolder(str(tmp_path))
    assert names(source, "test") == ["0", "1", "2"]
    assert "1 input in testA/ without targets" in source.describe()[1]
    assert [alone.name for alone in source.inputs()] == ["3"]


def test_inputs_of_several_folders_need_all_of_their_parts(tmp_path):
    fill(tmp_path, "train/mask/s/{}.png", "train/photo/s/{}.png", "train/B/s/{}.png", "test/mask/s/{}.png", count=3)
    fill(tmp_path, "test/photo/s/{}.png", count=2)
    source = PairFolder(str(tmp_path), folders={"A": {"mask": 1, "photo": 3}, "B": "B"}, source_channels=4)
    assert [(alone.name, tuple(alone.source.shape)) for alone in source.inputs()] == [
        ("0", (4, 32, 32)),
        ("1", (4, 32, 32)),
    ]


def test_single_pictures_beside_pairs_are_not_halved(tmp_path):
    fill(tmp_path, "train/{}.png", size=(64, 32))
    fill(tmp_path, "test/{}.png", count=3)
    source = PairFolder(str(tmp_path))
    assert source.splits == ("train", "val")
    assert "3 single pictures" in source.describe()[1]
    assert [alone.name for alone in source.inputs()] == ["0", "1", "2"]
    assert PairFolder(str(tmp_path), layout="side_by_side").splits == ("train", "val", "test")
    (tmp_path / "train").rename(tmp_path / "val")
    (tmp_path / "test").rename(tmp_path / "train")
    with pytest.raises(ValueError, match=r"half as wide.*data\.layout=side_by_side"):
        PairFolder(str(tmp_path))


def test_files_that_are_named_as_images_of_a_pair_are_refused_with_the_setting(tmp_path):
    fill(tmp_path, "train/{}_sat.png", "train/{}_mask.png")
    with pytest.raises(ValueError, match=r"N_mask and N_sat.*data\.folders=\{A: sat, B: mask\}"):
        PairFolder(str(tmp_path))
    assert PairFolder(str(tmp_path), layout="side_by_side").split("train")[0].source.shape == (3, 32, 16)


def test_a_training_says_what_it_found(tmp_path):
    fill(tmp_path, "train/{}.png", size=(64, 32))
    fill(tmp_path, "val/{}.png", size=(64, 32), count=2)
    (line,) = PairFolder(str(tmp_path)).describe()
    assert line.endswith("6 pairs, side by side in train/, each half 32x32; validation: 2 of val/; no test pairs.")
    fill(tmp_path / "square", "{}.png")
    line, doubt = PairFolder(str(tmp_path / "square")).describe()
    assert "each half 16x32" in line
    assert "square files" in doubt
    assert "data.layout=side_by_side" in doubt


def test_pictures_without_a_border_in_the_middle_look_single(tmp_path):
    gradient = Image.linear_gradient("L").rotate(90).resize((96, 48)).convert("RGB")
    pair = Image.new("RGB", (96, 48))
    pair.paste(gradient.resize((48, 48)), (0, 0))
    pair.paste(gradient.resize((48, 48)), (48, 0))
    for kind, image in (("single", gradient), ("pair", pair)):
        for number in range(6):
            file = tmp_path / kind / "train" / f"{number}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            image.save(file)
    assert any("no border in the middle" in line for line in PairFolder(str(tmp_path / "single")).describe())
    assert len(PairFolder(str(tmp_path / "pair")).describe()) == 1


def test_validation_is_held_out_of_train_and_never_the_test_split(tmp_path):
    fill(tmp_path, "trainA/{}.png", "trainB/{}.png", count=20)
    fill(tmp_path, "testA/t{}.png", "testB/t{}.png")
    source, again = PairFolder(str(tmp_path)), PairFolder(str(tmp_path))
    train, val, test = (set(names(source, split)) for split in ("train", "val", "test"))
    assert (len(train), len(val), len(test)) == (18, 2, 6)
    assert not train & val
    assert not val & test
    assert names(again, "val") == names(source, "val")
    assert names(PairFolder(str(tmp_path), split_seed=1), "val") != names(source, "val")
    assert len(PairFolder(str(tmp_path), val_share=0.25).split("val")) == 5
    assert "held out of trainA/ and trainB/ by data.split_seed=0" in source.describe()[0]


def test_a_missing_test_split_is_refused_in_words(tmp_path):
    fill(tmp_path, "trainA/{}.png", "trainB/{}.png", "valA/{}.png", "valB/{}.png")
    with pytest.raises(ValueError, match=r"has no test split; it has train, val"):
        PairFolder(str(tmp_path)).split("test")


def test_derived_pairs_are_held_out_likewise(tmp_path):
    fill(tmp_path, "train/{}.png", count=20)
    fill(tmp_path, "test/t{}.png")
    sizes = {"height": 8, "width": 8, "load_height": 8, "load_width": 8}
    source = DerivedPairs(str(tmp_path), operation="grayscale", **sizes)
    assert [len(source.split(split)) for split in source.splits] == [18, 2, 6]


def table(root: Path, content: str) -> str:
    (root / "pairs.csv").write_text(content, encoding="utf-8")
    return str(root / "pairs.csv")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "pairs.csv: is empty. Write a first line with the columns input,target"),
        (b"\xff\xfei\x00n\x00", "pairs.csv: byte 0 is not UTF-8.*Save it as CSV in UTF-8"),
        ("input,target\nbild\xe9.png,b.png".encode("latin-1"), "pairs.csv: byte 17 is not UTF-8"),
    ],
    ids=["empty", "utf-16", "latin-1"],
)
def test_a_table_that_is_no_text_is_named(tmp_path, content, message):
    (tmp_path / "pairs.csv").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        PairFolder(str(tmp_path / "pairs.csv"))


def test_a_picture_is_no_table_of_pairs(tmp_path):
    fill(tmp_path, "photos/{}.png", count=1)
    with pytest.raises(ValueError, match=r"0\.png: neither a folder of pairs nor a table of them"):
        PairFolder(str(tmp_path / "photos" / "0.png"))


def test_a_table_lists_pairs(tmp_path):
    fill(tmp_path, "photos/{}.png", "maps/m{}.png", count=4)
    rows = [f"photos/{n}.png;maps/m{n}.png;{split}" for n, split in enumerate(("train", "", "val", "test"))]
    path = table(tmp_path, "\ufeffInput;target;split\n" + "\n".join(rows))
    source = PairFolder(path)
    assert [names(source, split) for split in source.splits] == [["0", "1"], ["2"], ["3"]]
    table(tmp_path, ("\n".join(["input;target", *rows[:2]])).replace("/", "\\"))  # written on Windows
    assert sorted(names(PairFolder(path), "train") + names(PairFolder(path), "val")) == ["0", "1"]
    before = source.fingerprint()
    table(tmp_path, "input,target\nphotos/0.png,maps/m1.png\nphotos/1.png,maps/m0.png\n")
    assert PairFolder(path).fingerprint() != before


def test_rows_of_a_table_without_targets_are_inputs_alone(tmp_path):
    fill(tmp_path, "photos/{}.png", "maps/{}.png", count=6)
    rows = [f"photos/{n}.png,{f'maps/{n}.png' if n < 4 else ''},{'test' if n > 2 else ''}" for n in range(6)]
    source = PairFolder(table(tmp_path, "\n".join(["input,target,Split", *rows])))
    assert sorted([*names(source, "train"), *names(source, "val")]) == ["0", "1", "2"]
    assert names(source, "test") == ["3"]
    assert [alone.name for alone in source.inputs()] == ["4", "5"]
    assert "2 inputs in pairs.csv without targets" in source.describe()[1]
    with pytest.raises(ValueError, match=r"line 6: has no target"):
        PairFolder(str(tmp_path / "pairs.csv"), direction="BtoA")


def test_names_that_are_too_long_for_files_of_an_evaluation_are_cut(tmp_path):
    long = "é" * 120
    for number in range(2):
        fill(tmp_path, f"trainA/{long}{number}{{}}.png", f"trainB/{long}{number}{{}}.png", count=1)
    found = names(PairFolder(str(tmp_path), val_share=None), "train") + names(
        PairFolder(str(tmp_path), val_share=None), "val"
    )
    assert len(set(found)) == 2
    assert max(len(f".{name}_target.png.part".encode()) for name in found) <= 255


def test_pairs_of_a_table_have_names_of_their_own(tmp_path):
    fill(tmp_path, "p/{}_A.png", "p/{}.png", "q/{}.png", count=1)
    source = PairFolder(table(tmp_path, "input,target\np/0_A.png,q/0.png\np/0.png,q/0.png\n"), val_share=None)
    assert [source.pair_name(split, 0) for split in ("train", "val")] == ["p_0", "p_0_2"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("input,target\n", r"pairs\.csv: lists no pairs"),
        ("x,y\n1,2\n", r"names the columns x, y; needed are input, target"),
        ("input,target\np/0.png,p/9.png\n", r"line 2: there is no file p/9\.png"),
        ("input,target\np/0.png,\n", r"line 2: has no target"),
        ('input,target\n"' + "p/0.png,p/1.png\n" * 9000, r"A quotation mark may be left open"),
        ("input,target\np/0.png,p/0.png\n", r"line 2: p/0\.png is its own partner"),
        ("input,target,split\np/0.png,p/1.png\np/0.png,p/1.png,val\n", "line 3: lists the pair of line 2 again"),
        ("input,target,split\np/0.png,p/1.png,dev\n", r"split 'dev' is not train, val or test"),
    ],
)
def test_a_faulty_table_is_refused_with_its_line(tmp_path, content, message):
    fill(tmp_path, "p/{}.png", count=2)
    with pytest.raises(ValueError, match=message):
        PairFolder(table(tmp_path, content))
