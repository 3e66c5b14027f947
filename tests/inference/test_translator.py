"""`pix2pix translate` and `load_translator`: pictures in, pictures of the same size out."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

import pix2pix as package
from pix2pix.data.images.palettes import Palette
from pix2pix.inference.generator import load_generator
from tests.conftest import TINY, pix2pix


def picture(path, size=(32, 32), seed=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), np.uint8)
    Image.fromarray(pixels).save(path)
    return path


@pytest.mark.parametrize("size", [(32, 32), (64, 32), (37, 51), (200, 75)])
def test_pictures_come_back_at_their_own_size(tiny_run, size, tmp_path):
    translator = package.load_translator(tiny_run.path, scale="own")
    source = Image.open(picture(tmp_path / "a.png", size))
    assert translator(source).size == size


def test_a_file_and_a_picture_give_the_same_and_so_does_the_checkpoint_alone(tiny_run, tmp_path):
    file = picture(tmp_path / "a.png")
    from_file = package.load_translator(tiny_run.path)(file)
    (tmp_path / "alone.ckpt").write_bytes(tiny_run.checkpoint("best").read_bytes())
    from_picture = package.load_translator(tmp_path / "alone.ckpt")(Image.open(file))
    assert np.array_equal(from_file, from_picture)


def test_the_seed_and_the_name_choose_the_noise(tiny_run, tmp_path):
    file = picture(tmp_path / "a.png")
    translator = package.load_translator(tiny_run.path)
    assert not np.array_equal(translator(file, name="a"), translator(file, name="b"))
    silent = package.load_translator(tiny_run.path, dropout="off")
    assert np.array_equal(silent(file, name="a"), silent(file, name="b"))


def test_every_mode_of_picture_is_taken(tiny_run, tmp_path):
    translator = package.load_translator(tiny_run.path)
    for mode in ("RGBA", "P", "CMYK", "1"):
        assert translator(Image.open(picture(tmp_path / "a.png")).convert(mode)).mode == "RGB"


def test_a_grey_label_map_is_read_as_classes_and_refused_beyond_them(tiny_run):
    translator = package.load_translator(tiny_run.path, dropout="off")
    classes = np.random.default_rng(0).integers(0, 12, (32, 32), np.uint8)
    colours = Palette("cmp_facades").pixels.numpy()[classes]
    assert np.array_equal(translator(Image.fromarray(classes)), translator(Image.fromarray(colours)))
    with pytest.raises(ValueError, match=r"holds class 12, where data\.palette has 12 classes, 0 to 11"):
        translator(Image.fromarray(classes + np.uint8(1)))


def test_a_run_from_coded_label_maps_takes_their_colours(tmp_path):
    words = [*TINY, "data.one_hot=true", "trainer.max_epochs=1", f"output_dir={tmp_path}", "name=coded"]
    pix2pix("train", *words)
    translator = package.load_translator(tmp_path / "coded")
    assert translator(picture(tmp_path / "a.png", (40, 20))).size == (40, 20)


def test_translating_leaves_the_random_state_alone(tiny_run, tmp_path):
    translator = package.load_translator(tiny_run.path)
    before = torch.random.get_rng_state()
    translator(picture(tmp_path / "a.png"))
    assert torch.equal(before, torch.random.get_rng_state())


def test_files_and_folders_become_files_of_their_names(tiny_run, tmp_path, capsys):
    picture(tmp_path / "in" / "b.jpg")
    picture(tmp_path / "in" / "c.png", (40, 30))
    (tmp_path / "in" / "notes.txt").write_text("no picture")
    one = picture(tmp_path / "a.webp")
    pix2pix("translate", tiny_run.path, one, tmp_path / "in", "--output", tmp_path / "out", "--format", "jpg")
    assert {file.name for file in (tmp_path / "out").glob("[!.]*")} == {"a.jpg", "b.jpg", "c.jpg"}
    with Image.open(tmp_path / "out" / "c.jpg") as translated:
        assert translated.size == (40, 30)
    assert "3 pictures in" in capsys.readouterr().out


def test_an_unreadable_picture_is_reported_and_does_not_stop_the_rest(tiny_run, tmp_path, caplog):
    picture(tmp_path / "in" / "a.png")
    (tmp_path / "in" / "b.png").write_bytes(b"not a picture")
    picture(tmp_path / "in" / "c.png")
    with pytest.raises(SystemExit) as error:
        pix2pix("translate", tiny_run.path, tmp_path / "in", "-o", tmp_path / "out")
    assert error.value.code == 1
    assert {file.name for file in (tmp_path / "out").glob("[!.]*")} == {"a.png", "c.png"}
    assert "b.png: cannot be read as a picture" in caplog.text


def test_an_output_never_replaces_its_input(tiny_run, tmp_path):
    file = picture(tmp_path / "a.png")
    before = file.read_bytes()
    with pytest.raises(SystemExit, match=r"a\.png: the output would replace its input"):
        pix2pix("translate", tiny_run.path, file, "-o", tmp_path)
    assert file.read_bytes() == before


def test_a_picture_as_output_is_refused_in_words(tiny_run, tmp_path):
    with pytest.raises(SystemExit, match=r"out\.png: give the folder for the results"):
        pix2pix("translate", tiny_run.path, picture(tmp_path / "in.png"), "-o", tmp_path / "out.png")


def test_two_inputs_of_one_name_are_refused_before_anything_is_written(tiny_run, tmp_path):
    files = [picture(tmp_path / folder / "a.png") for folder in ("x", "y")]
    with pytest.raises(SystemExit, match="would both be written to"):
        pix2pix("translate", tiny_run.path, *files, "-o", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_missing_and_empty_inputs_are_named(tiny_run, tmp_path):
    with pytest.raises(SystemExit, match=r"nowhere\.png: no such file or folder"):
        pix2pix("translate", tiny_run.path, "nowhere.png", "-o", tmp_path / "out")
    (tmp_path / "empty").mkdir()
    with pytest.raises(SystemExit, match="no pictures in this folder"):
        pix2pix("translate", tiny_run.path, tmp_path / "empty", "-o", tmp_path / "out")
    with pytest.raises(SystemExit, match=r"\*\.gif: no picture has such a name"):
        pix2pix("translate", tiny_run.path, tmp_path / "*.gif", "-o", tmp_path / "out")


def test_a_file_is_no_place_for_results(tiny_run, tmp_path):
    (tmp_path / "notes").write_text("mine")
    with pytest.raises(SystemExit, match=r"--output .*notes: is a file\. Give a folder"):
        pix2pix("translate", tiny_run.path, picture(tmp_path / "a.png"), "-o", tmp_path / "notes")
    assert (tmp_path / "notes").read_text() == "mine"


def test_a_file_that_is_no_checkpoint_is_refused(tiny_run, tmp_path):
    file = picture(tmp_path / "a.png")
    with pytest.raises(SystemExit, match="cannot be read as a checkpoint"):
        pix2pix("translate", file, file, "-o", tmp_path / "out")
    torch.save({"weights": torch.zeros(1)}, tmp_path / "other.ckpt")
    with pytest.raises(SystemExit, match=r"other\.ckpt: not a checkpoint that `pix2pix train` wrote"):
        pix2pix("translate", tmp_path / "other.ckpt", file, "-o", tmp_path / "out")


class Malice:
    def __init__(self, file):
        self.file = file

    def __reduce__(self):
        return (open, (self.file, "w"))


def test_a_malicious_checkpoint_executes_nothing(tiny_run, tmp_path):
    torch.save({"config": Malice(str(tmp_path / "owned"))}, tmp_path / "evil.ckpt")
    with pytest.raises(SystemExit, match="cannot be read as a checkpoint"):
        pix2pix("translate", tmp_path / "evil.ckpt", picture(tmp_path / "a.png"), "-o", tmp_path / "out")
    assert not (tmp_path / "owned").exists()


def test_a_device_that_is_not_there_is_said(tiny_run, tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SystemExit, match="torch sees no CUDA device here"):
        pix2pix("translate", tiny_run.path, picture(tmp_path / "a.png"), "-o", tmp_path / "out", "--device", "cuda")
    with pytest.raises(SystemExit, match=r"device 'cpu:3': the CPU is one device and has no number\. Use cpu\."):
        pix2pix("translate", tiny_run.path, picture(tmp_path / "a.png"), "--device", "cpu:3")
    with pytest.raises(SystemExit, match="device 'tpu': torch knows no such device"):
        pix2pix("translate", tiny_run.path, picture(tmp_path / "a.png"), "-o", tmp_path / "out", "--device", "tpu")


def pixels(*seeds, size=(32, 32)):
    return [np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), np.uint8) for seed in seeds]


def test_an_array_gives_an_array_a_picture_a_picture_and_a_list_a_list(tiny_run, tmp_path):
    translator = package.load_translator(tiny_run.path)
    (array,) = pixels(0, size=(40, 50))
    result = translator(array)
    assert (result.shape, result.dtype) == ((50, 40, 3), np.uint8)
    assert np.array_equal(translator(Image.fromarray(array)), result)
    several = translator([array, Image.fromarray(array), picture(tmp_path / "a.png", (40, 50))])
    assert [type(each) is np.ndarray for each in several] == [True, False, False]
    assert all(np.array_equal(each, result) for each in several[:2])
    assert translator([]) == []


def test_no_picture_is_left_out_in_silence_and_empty_ones_are_refused(tiny_run):
    translator = package.load_translator(tiny_run.path)
    one = Image.new("RGB", (16, 16))
    with pytest.raises(ValueError, match="a list of pictures and more: give one list"):
        translator([one], [one])
    for size in ((0, 0), (10, 0)):
        with pytest.raises(ValueError, match=rf"picture 1: a picture of {size[0]}x0 pixels has none"):
            translator(Image.new("RGB", size))


def test_pictures_of_a_batch_know_nothing_of_each_other(tiny_run):
    given = [*pixels(0, 1, 2), *pixels(3, 4, size=(50, 70))]
    names = ["a", "b", "c", "d", "e"]
    alone = package.load_translator(tiny_run.path)
    together = package.load_translator(tiny_run.path, batch_size=4)
    for one, other in zip(alone(given, name=names), together(given, name=names), strict=True):
        assert np.abs(one.astype(int) - other).max() <= 1


def test_samples_are_translations_under_other_noise(tiny_run):
    translator = package.load_translator(tiny_run.path)
    (array,) = pixels(0)
    samples = translator(array, samples=3, seed=5)
    assert len(samples) == 3
    assert not np.array_equal(samples[0], samples[1])
    assert np.array_equal(samples[1], translator(array, seed=6))
    assert [len(each) for each in translator([array, array], samples=2)] == [2, 2]


def test_half_precision_is_close(tiny_run):
    (array,) = pixels(0, size=(64, 64))
    whole, half = (package.load_translator(tiny_run.path, half=half)(array).astype(int) for half in (False, True))
    assert 0 < np.abs(whole - half).mean() < 4


def test_half_precision_casts_the_weights_once_to_what_autocast_would_cast_them_to(tiny_run):
    source = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1
    once, every_time = load_generator(tiny_run.path, half=True), replace(load_generator(tiny_run.path), half=True)
    assert {weight.dtype for weight in once.generator.parameters()} == {torch.float32, torch.bfloat16}
    assert torch.equal(once.generate(source, ["a", "b"]), every_time.generate(source, ["a", "b"]))


def test_a_choice_of_a_checkpoint_that_one_file_does_not_have_is_told(tiny_run, caplog):
    load_generator(tiny_run.path, checkpoint="best")
    load_generator(tiny_run.last_checkpoint)
    assert "has no effect" not in caplog.text
    load_generator(tiny_run.last_checkpoint, checkpoint="best")
    assert "last.ckpt: is one file, and no run to choose a checkpoint of: best has no effect" in caplog.text


def test_weights_are_chosen_by_name(tiny_run, tmp_path):
    assert package.load_translator(tiny_run.path, weights="last").trained.checkpoint.name == "last.ckpt"
    with pytest.raises(ValueError, match="holds no moving average"):
        package.load_translator(tiny_run.path, weights="ema")
    words = [*TINY, "trainer.max_epochs=1", "ema_decay=0.9", f"output_dir={tmp_path}", "name=averaged"]
    pix2pix("train", *words)
    averaged = package.load_translator(tmp_path / "averaged", weights="ema").trained
    state = torch.load(averaged.checkpoint, weights_only=True)["state_dict"]
    assert averaged.checkpoint.name == "last.ckpt"
    assert all(
        torch.equal(value, state[f"average.module.{name}"]) for name, value in averaged.generator.state_dict().items()
    )


def test_one_name_for_all_or_one_for_each(tiny_run):
    with pytest.raises(ValueError, match="2 names for 1 picture:"):
        package.load_translator(tiny_run.path)(pixels(0), name=["a", "b"])


def test_cudnn_does_not_try_its_kernels_anew_for_every_size_of_picture(tiny_run, monkeypatch):
    """A training in the same process, a notebook's, leaves it switched on for the whole process."""
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", True)
    translator, seen = package.load_translator(tiny_run.path), []
    translator.trained.generator.register_forward_hook(lambda *_: seen.append(torch.backends.cudnn.benchmark))
    translator(Image.new("RGB", (40, 24)))
    assert seen == [False]
    assert torch.backends.cudnn.benchmark is True, "and is left as it was"
