"""`translate` and `evaluate` make the same picture of the same file, at the scale of the training."""

import numpy as np
import pytest
from PIL import Image

from pix2pix import load_translator
from pix2pix.config.parse import parse_config
from pix2pix.data.source_size import measure_source_size
from pix2pix.data.sources.derived import DerivedPairs
from pix2pix.data.sources.folder import PairFolder
from pix2pix.inference.generator import load_generator
from pix2pix.inference.scale import TrainingScale, find_training_scale
from pix2pix.runs.run import Run
from tests.conftest import TINY_FOLDER, compose_mapping, pix2pix

SETS = {"trainA": 3, "trainB": 3, "valA": 2, "valB": 2}


def folders(root, sizes=((128, 128),), target=None):
    """Pictures of rectangles in these sizes, (width, height), in turn; targets of the same or of another size."""
    random = np.random.default_rng(0)
    for folder, count in SETS.items():
        (root / folder).mkdir(parents=True)
        for number in range(count):
            width, height = target if target and folder.endswith("B") else sizes[number % len(sizes)]
            blocks = random.integers(0, 256, (4, 4, 3), np.uint8)
            image = Image.fromarray(blocks).resize((width, height), Image.Resampling.BICUBIC)
            image.save(root / folder / f"{number}.png")
    return root


def train(tmp_path, *words):
    pix2pix("train", *TINY_FOLDER, "trainer.max_epochs=1", f"output_dir={tmp_path}", "name=run", *words)
    return Run(tmp_path / "run")


def read(file):
    with Image.open(file) as picture:
        return np.asarray(picture).astype(int)


def require_same_pictures(run, inputs, out):
    """Evaluates and translates the validation pictures, and compares them bit by bit."""
    pix2pix("evaluate", run.path)
    pix2pix("translate", run.path, inputs, "-o", out)
    outputs = sorted((run.evaluation / "val" / "images").glob("*_output.png"))
    assert len(outputs) == 2
    for file in outputs:
        given, whole = read(out / file.name.replace("_output", "")), read(file)
        height, width = given.shape[:2]  # mode pad surrounds the picture, which translate takes off again
        top, left = (whole.shape[0] - height) // 2, (whole.shape[1] - width) // 2
        assert np.array_equal(whole[top : top + height, left : left + width], given)
        assert max(height, width) == 32


@pytest.mark.parametrize(
    ("sizes", "words"),
    [
        ([(128, 128)], ()),
        ([(96, 64)], ()),
        ([(96, 64), (40, 80), (33, 33)], ()),
        ([(96, 64)], ("data.preprocess=pad",)),
        ([(96, 64), (40, 80)], ("data.preprocess=pad",)),
        ([(32, 32)], ("data.preprocess=crop",)),
        ([(64, 64)], ("data.preprocess=scale_width_and_crop",)),
    ],
)
def test_the_same_file_gives_the_same_picture_as_in_an_evaluation(tmp_path, sizes, words):
    data = folders(tmp_path / "data", sizes)
    run = train(tmp_path, f"data.path={data}", *words)
    require_same_pictures(run, data / "valA", tmp_path / "out")


def test_super_resolution_gives_the_size_of_the_target(tmp_path):
    data = folders(tmp_path / "data", [(8, 8)], target=(32, 32))
    run = train(tmp_path, f"data.path={data}")
    assert run.config().data.source_size == (8, 8)
    require_same_pictures(run, data / "valA", tmp_path / "out")
    assert read(tmp_path / "out" / "0.png").shape == (32, 32, 3)
    assert load_translator(run.path)(Image.new("RGB", (16, 24))).size == (64, 96)


def test_a_larger_picture_keeps_the_scale_and_own_and_a_factor_replace_it(tmp_path, capsys):
    run = train(tmp_path, f"data.path={folders(tmp_path / 'data')}")
    translator, picture = load_translator(run.path), Image.new("RGB", (256, 64))
    assert translator(picture).size == (64, 16)
    assert "times the side" not in capsys.readouterr().out
    assert translator(picture, scale=0.5).size == (128, 32)
    assert translator(picture, scale="own").size == (256, 64)
    output = capsys.readouterr().out
    assert "2.0 times the side of the pictures that the run was trained at (32x32)" in output
    assert "set the scale to training (--scale training)" in output
    assert output.count("times the side") == 1
    assert load_translator(run.path, scale="own")(picture).size == (256, 64)
    (tmp_path / "a.png").write_bytes((tmp_path / "data" / "valA" / "0.png").read_bytes())
    for scale, side in {"own": 128, "training": 32, "0.5": 64}.items():
        pix2pix("translate", run.path, tmp_path / "a.png", "-o", tmp_path / scale, "--scale", scale)
        assert read(tmp_path / scale / "a.png").shape == (side, side, 3)


@pytest.mark.parametrize("scale", ["large", "0", "-1", "nan", "inf"])
def test_another_scale_is_refused(tiny_run, tmp_path, capsys, scale):
    with pytest.raises(SystemExit):
        pix2pix("translate", tiny_run.path, tmp_path, "-o", tmp_path / "out", "--scale", scale)
    assert f"'{scale}' is none of training, own, and a factor" in capsys.readouterr().err


@pytest.mark.parametrize("scale", ["1e6", "1e18", "1e308"])
def test_a_scale_beyond_all_memory_is_refused_with_the_size_that_it_gives(tiny_run, tmp_path, scale, caplog):
    Image.new("RGB", (64, 48)).save(tmp_path / "a.png")
    with pytest.raises(SystemExit, match=r"^1$"):
        pix2pix("translate", tiny_run.path, tmp_path / "a.png", "-o", tmp_path / "out", "--scale", scale)
    assert "a.png: a picture of 64x48 pixels would be translated at " in caplog.text
    assert f"x{48 * float(scale):.3g}: set a smaller scale" in caplog.text


def test_a_factor_of_zero_is_refused(tiny_run):
    with pytest.raises(ValueError, match="scale=0: must be training, own, or a factor above 0"):
        load_translator(tiny_run.path, scale=0)


def of_earlier_version(run):
    """Its trained generator, as if the run had not recorded the size of its files."""
    trained = load_generator(run.path)
    data = trained.config.data.replace(source_size=None)
    object.__setattr__(trained, "config", trained.config.replace(data=data))
    return trained


def test_the_scale_of_an_earlier_run_follows_from_its_files_if_they_are_the_same(tmp_path):
    data = folders(tmp_path / "data")
    run = train(tmp_path, f"data.path={data}")
    assert find_training_scale(of_earlier_version(run)).source_size == (128, 128)
    (data / "trainA" / "0.png").write_bytes((data / "trainA" / "1.png").read_bytes())
    scale = find_training_scale(of_earlier_version(run))
    assert not scale.is_known
    assert scale.target_size((128, 100), None) == (128, 100)
    assert "The run does not say how large its files were" in scale.warning((128, 128), (128, 128))
    assert "set the scale to 0.25" in scale.warning((128, 128), (128, 128))
    with pytest.raises(ValueError, match="does not say how large its files were"):
        scale.target_size((128, 128), "training")


def test_the_scale_of_an_earlier_run_follows_from_a_public_data_set_or_drawn_pairs(tiny_run):
    assert find_training_scale(of_earlier_version(tiny_run)).source_size == (32, 32)
    assert load_translator("facades").training_scale.source_size == (256, 256)


def scale_of(source_size, *words):
    data = parse_config(compose_mapping("data=folder", "data.path=somewhere", "data.size=64", *words)).data
    return TrainingScale(data, source_size)


def test_sizes_follow_from_the_mode_of_the_training():
    assert scale_of((600, 600)).target_size((1200, 300), None) == (128, 32)
    assert scale_of((600, 300)).target_size((600, 300), None) == (64, 64)
    assert scale_of("mixed").target_size((1200, 300), None) == (64, 64)
    assert scale_of("mixed", "data.preprocess=pad").target_size((1200, 300), None) == (64, 16)
    assert scale_of((300, 100), "data.preprocess=scale_width_and_crop").target_size((150, 50), None) == (96, 32)
    for mode in ("crop", "none"):
        assert scale_of("mixed", f"data.preprocess={mode}").target_size((1200, 300), "training") == (1200, 300)


def test_only_larger_pictures_than_those_of_the_training_are_warned_of():
    scale = scale_of((600, 600))
    assert not scale.warning((600, 600), (64, 64))
    assert not scale.warning((600, 600), (83, 83))
    assert "1.3 times" in scale.warning((600, 600), (84, 84))
    assert "set the scale to 0.053" in scale.warning((1200, 1200), (128, 128))
    assert not scale_of("mixed", "data.preprocess=none").warning((4000, 4000), (4000, 4000))


def test_a_picture_far_smaller_than_the_files_is_translated_whole_at_the_size_of_the_training():
    scale = scale_of((600, 600))
    assert scale.target_size((160, 160), None) == (17, 17)
    assert scale.target_size((150, 150), None) == (64, 64)  # as the pictures of 64 of `make demo` for facades of 256
    assert scale.target_size((50, 40), None) == scale.target_size((50, 40), "training") == (64, 64)
    assert scale.target_size((50, 40), "own") == (50, 40)
    assert "taken for a whole picture and translated at 64x64" in scale.warning((50, 40), (64, 64))
    assert scale_of((600, 600), "data.preprocess=pad").target_size((50, 40), None) == (64, 51)
    assert scale_of((300, 100), "data.preprocess=scale_width_and_crop").target_size((30, 10), None) == (192, 64)
    assert scale_of((600, 600), "data.preprocess=crop").target_size((50, 40), None) == (50, 40)
    assert not scale_of((600, 600), "data.preprocess=crop").warning((50, 40), (50, 40))


def test_a_factor_that_leaves_next_to_nothing_is_warned_of():
    scale = scale_of((600, 600))
    assert "0.05 times the side" in scale.warning((600, 600), (3, 3))
    assert "set the scale to training" in scale.warning((600, 600), (3, 3))
    assert not scale.warning((16, 16), (16, 16))
    assert not scale.warning((600, 600), (16, 16))


def test_files_are_measured_in_both_directions_and_layouts(tmp_path):
    two = folders(tmp_path / "two", [(20, 10)], target=(60, 30))
    assert measure_source_size(PairFolder(str(two))) == (10, 20)
    assert measure_source_size(PairFolder(str(two), direction="BtoA")) == (30, 60)
    (tmp_path / "one" / "train").mkdir(parents=True)
    for number in range(3):
        Image.new("RGB", (40, 10)).save(tmp_path / "one" / "train" / f"{number}.png")
    assert measure_source_size(PairFolder(str(tmp_path / "one"))) == (10, 20)
    size = {"height": 8, "width": 8, "load_height": 8, "load_width": 8}
    derived = DerivedPairs(str(tmp_path / "one"), operation="grayscale", **size)
    assert measure_source_size(derived) == (10, 40)
    mixed = folders(tmp_path / "mixed", [(20, 10), (30, 30)])
    (mixed / "trainA" / "2.png").write_bytes(b"no picture")
    assert measure_source_size(PairFolder(str(mixed))) == "mixed"


def test_a_run_continues_although_the_command_line_does_not_name_the_size(tmp_path, capsys):
    data = folders(tmp_path / "data")
    train(tmp_path, f"data.path={data}")
    run = train(tmp_path, f"data.path={data}", "trainer.max_epochs=2")
    assert run.config().data.source_size == (128, 128)
    assert "source_size" not in capsys.readouterr().out
