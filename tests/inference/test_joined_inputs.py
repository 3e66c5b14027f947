"""Runs of several inputs and of derived inputs on the command line."""

import numpy as np
import pytest
from PIL import Image

from pix2pix import load_translator
from pix2pix.inference.joined_inputs import list_joined_jobs
from pix2pix.runs.run import Run
from tests.conftest import TINY_FOLDER, pix2pix


def picture(path, seed, size=(48, 48)):
    path.parent.mkdir(parents=True, exist_ok=True)
    blocks = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), np.uint8)
    Image.fromarray(blocks).resize(size, Image.Resampling.NEAREST).save(path)


def read(file):
    with Image.open(file) as image:
        return np.asarray(image).astype(int)


@pytest.fixture(scope="module")
def joined(tmp_path_factory):
    """A run from a mask and a photo, and the folder with its data."""
    root = tmp_path_factory.mktemp("joined")
    for number, (split, kind) in enumerate((s, k) for s in ("train", "val") for k in ("mask", "photo", "B")):
        for name in range(3):
            picture(root / "data" / f"{split}{kind}" / f"{name}_{kind}.png", 10 * number + name)
    words = [*TINY_FOLDER, "trainer.max_epochs=1", f"output_dir={root}", "name=run", f"data.path={root}/data"]
    pix2pix("train", *words, "data.folders={A: {mask: 1, photo: 3}}")
    return Run(root / "run"), root / "data"


def test_folders_of_several_inputs_are_matched_by_name_and_translated_as_evaluated(joined, tmp_path):
    run, data = joined
    named = [f"--input={name}={data / f'val{name}'}" for name in ("photo", "mask")]
    pix2pix("translate", run.path, *named, "-o", tmp_path)
    pix2pix("evaluate", run.path)
    assert sorted(file.name for file in tmp_path.glob("*.png")) == [f"{name}_mask.png" for name in range(3)]
    for name in range(3):
        evaluated = run.evaluation / "val" / "images" / f"{name}_output.png"
        assert np.array_equal(read(tmp_path / f"{name}_mask.png"), read(evaluated))


def test_single_files_need_no_common_name(joined, tmp_path):
    run, data = joined
    words = [f"--input=mask={data}/valmask/1_mask.png", f"--input=photo={data}/valphoto/2_photo.png"]
    pix2pix("translate", run.path, *words, "-o", tmp_path)
    assert [file.name for file in tmp_path.glob("*.png")] == ["1_mask.png"]


def test_a_table_has_a_column_for_each_input(joined, tmp_path):
    run, data = joined
    (data / "pairs.csv").write_text("photo,mask,B,split\nvalphoto/2_photo.png,valmask/1_mask.png,,test\n")
    pix2pix("translate", run.path, data / "pairs.csv", "-o", tmp_path / "by_table")
    words = [f"--input=mask={data}/valmask/1_mask.png", f"--input=photo={data}/valphoto/2_photo.png"]
    pix2pix("translate", run.path, *words, "-o", tmp_path / "by_name")
    results = tmp_path / "by_table" / "valmask" / "1_mask.png", tmp_path / "by_name" / "1_mask.png"
    assert np.array_equal(*map(read, results))


def test_wrong_names_and_files_without_a_partner_are_refused(joined, tmp_path, capsys):
    run, data = joined
    with pytest.raises(SystemExit, match=r"inputs of this run are mask, photo, not mask\. .*--input photo=PATH"):
        pix2pix("translate", run.path, f"--input=mask={data}/valmask", "-o", tmp_path / "out")
    picture(tmp_path / "masks" / "7_mask.png", 0)
    with pytest.raises(SystemExit, match=r"4 pictures have no partner of the same name in the other inputs"):
        pix2pix(
            *("translate", run.path, f"--input=mask={tmp_path}/masks", f"--input=photo={data}/valphoto"),
            *("-o", tmp_path / "out"),
        )
    with pytest.raises(SystemExit):
        pix2pix("translate", run.path, "--input", "mask", "-o", tmp_path / "out")
    assert "write NAME=PATH" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        pix2pix("translate", run.path, "-o", tmp_path / "out")
    assert "or --input NAME=PATH" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_name_for_a_run_of_one_input_is_refused(tiny_run, tmp_path):
    with pytest.raises(SystemExit, match=r"this run takes one picture\. Give it without a name"):
        pix2pix("translate", tiny_run.path, f"--input=A={tmp_path}", "-o", tmp_path / "out")


@pytest.mark.parametrize("operation", ["edges", "grayscale", "inpaint", "superres", "noise", "lab"])
def test_a_run_of_derived_inputs_derives_them_from_photos_as_its_evaluation_does(tmp_path, operation):
    if operation == "edges":
        pytest.importorskip("cv2")
    for number in range(4):
        picture(tmp_path / "photos" / f"{number}.png", number, (64, 96))
    words = [*TINY_FOLDER[1:], "data=derived", f"data.operation={operation}", "trainer.max_epochs=1"]
    pix2pix("train", *words, f"data.path={tmp_path}/photos", f"output_dir={tmp_path}", "name=run")
    run = Run(tmp_path / "run")
    pix2pix("evaluate", run.path)
    images = run.evaluation / "val" / "images"
    (name,) = (file.name.removesuffix("_output.png") for file in images.glob("*_output.png"))  # the pair held out
    photo = tmp_path / "photos" / f"{name}.png"
    pix2pix("translate", run.path, photo, "-o", tmp_path / "out")
    expected = read(images / f"{name}_output.png")
    assert np.array_equal(read(tmp_path / "out" / f"{name}.png"), expected)
    if operation != "lab":  # whose pages show the target's colours
        given = Image.open(images / f"{name}_input.png")
        again = load_translator(run.path)(given, derive=False, scale="own", name=name)
        assert np.array_equal(np.asarray(again).astype(int), expected)
        pix2pix("translate", run.path, photo, "-o", tmp_path / "raw", "--no-derive")
        if operation != "grayscale":
            assert not np.array_equal(read(tmp_path / "raw" / f"{name}.png"), expected)


def test_names_of_several_inputs_match_as_those_of_pairs_do(tmp_path):
    for place in ("a/é.png", "a/__MACOSX/x.png", "b/E\u0301_photo.png"):
        picture(tmp_path / place, 0)
    jobs = list_joined_jobs(["mask", "photo"], {"mask": tmp_path / "a", "photo": tmp_path / "b"}, tmp_path / "o", "png")
    assert [(job.file.name, *(file.name for file in job.others)) for job in jobs] == [("é.png", "E\u0301_photo.png")]
