"""`pix2pix translate` with many files: places kept, work resumed, failures told at the end, a page to look at."""

import io
import re
import subprocess
import time
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from pix2pix import load_translator
from pix2pix.core import prefetch
from pix2pix.data.images import decode
from pix2pix.data.images.geotiff import read_place
from pix2pix.data.sources.folder import PairFolder
from pix2pix.inference import files as module
from pix2pix.inference.file_jobs import list_jobs
from pix2pix.inference.generator import load_generator
from pix2pix.inference.written_files import RECORD
from tests.conftest import TINY_FOLDER, command, command_line, pix2pix, start_command, wait_until
from tests.inference.test_translator import picture
from tests.warm import WarmPopen

needs_geo = pytest.mark.skipif(find_spec("rasterio") is None, reason="needs rasterio, of the extra geo")


def below(folder):
    return sorted(str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file() and file.name != RECORD)


def test_folders_are_walked_and_their_structure_is_kept(tiny_run, tmp_path):
    for place in ("a.png", "deep/b.jpg", "deep/er/c.png", ".hidden/d.png"):
        picture(tmp_path / "in" / place)
    pix2pix("translate", tiny_run.path, tmp_path / "in", "-o", tmp_path / "out", "--format", "webp")
    assert below(tmp_path / "out") == ["a.webp", "deep/b.webp", "deep/er/c.webp"]


def test_patterns_keep_what_is_below_their_fixed_part(tmp_path):
    for place in ("x/a.png", "x/y/b.png", "x/y/c.jpg"):
        picture(tmp_path / "in" / place)
    jobs = list_jobs([f"{tmp_path}/in/**/*.png"], tmp_path / "out", "png")
    assert [str(job.results[0].relative_to(tmp_path)) for job in jobs] == ["out/x/a.png", "out/x/y/b.png"]
    with pytest.raises(FileNotFoundError, match=r"\*\.gif: no picture has such a name"):
        list_jobs([f"{tmp_path}/in/**/*.gif"], tmp_path / "out", "png")


def test_inputs_without_targets_of_a_table_are_translated(tiny_run, tmp_path):
    for place in ("in/x/a.png", "in/x/b.png", "b_map.png", "elsewhere.png"):
        picture(tmp_path / place)
    table = tmp_path / "in" / "pairs.csv"
    header = "target,input,split"  # the run makes A from B
    table.write_text(f"{header}\nx/a.png,,test\nx/b.png,../b_map.png,test\n../elsewhere.png,,test\n")
    pix2pix("translate", tiny_run.path, table, "-o", tmp_path / "out")
    assert below(tmp_path / "out") == ["elsewhere.png", "x/a.png"]
    table.write_text("input,target\nx/b.png,../b_map.png\n")
    with pytest.raises(SystemExit, match=r"pairs\.csv: has no row of the split test without a target"):
        pix2pix("translate", tiny_run.path, table, "-o", tmp_path / "out")


def test_results_within_the_folder_are_not_translated_again(tiny_run, tmp_path):
    picture(tmp_path / "in" / "a.png")
    for _ in range(2):
        pix2pix("translate", tiny_run.path, tmp_path / "in", "-o", tmp_path / "in" / "out")
    assert below(tmp_path / "in") == ["a.png", "out/a.png"]


def test_what_is_there_is_skipped_when_asked(tiny_run, tmp_path, capsys):
    for name in ("a.png", "b.png"):
        picture(tmp_path / "in" / name)
    picture(tmp_path / "out" / "a.png")
    before = (tmp_path / "out" / "a.png").read_bytes()
    pix2pix("translate", tiny_run.path, tmp_path / "in", "-o", tmp_path / "out", "--skip-existing")
    assert (tmp_path / "out" / "a.png").read_bytes() == before
    assert f"1 picture in {tmp_path / 'out'}, 1 exists already" in capsys.readouterr().out


def test_a_file_that_no_translation_wrote_is_never_replaced(tiny_run, tmp_path):
    for name in ("a.png", "b.png"):
        picture(tmp_path / "in" / name)
    target = picture(tmp_path / "out" / "b.png")
    before = target.read_bytes()
    words = ("translate", tiny_run.path, tmp_path / "in", "-o", tmp_path / "out")
    with pytest.raises(SystemExit, match=r"out/b\.png is there already.*Choose another --output"):
        pix2pix(*words)
    assert below(tmp_path / "out") == ["b.png"]
    assert target.read_bytes() == before
    target.unlink()
    pix2pix(*words)
    translated = target.read_bytes()
    target.write_bytes(b"damaged")
    pix2pix(*words, "--page")  # over what this command wrote before
    assert target.read_bytes() == translated
    (tmp_path / "out" / RECORD).unlink()
    with pytest.raises(SystemExit, match=r"out/a\.png and 1 more are there already"):
        pix2pix(*words)
    with pytest.raises(SystemExit, match=r"out/index\.html is there already"):
        pix2pix(*words, "--page", "--skip-existing")


def test_a_killed_translation_leaves_whole_files_and_goes_on(tiny_run, tmp_path):
    for number in range(60):
        picture(tmp_path / "in" / f"{number}.png", (128, 128), seed=number)
    words = ["translate", str(tiny_run.path), str(tmp_path / "in"), "-o", str(tmp_path / "out"), "--skip-existing"]
    with start_command(*words) as process:
        wait_until(lambda: len(list(tmp_path.glob("out/*.png"))) >= 3, process)
    done = list(tmp_path.glob("out/[0-9]*.png"))
    assert 3 <= len(done) < 60
    for file in done:
        Image.open(file).load()
    pix2pix(*words)
    assert len(list(tmp_path.glob("out/[0-9]*.png"))) == 60


def test_samples_are_numbered_and_the_page_says_their_seeds(tiny_run, tmp_path):
    file = picture(tmp_path / "a.png")
    pix2pix("translate", tiny_run.path, file, "-o", tmp_path / "out", "--samples", "2", "--seed", "7", "--page")
    assert below(tmp_path / "out") == ["a_1.png", "a_2.png", "index.html"]
    page = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    assert re.findall(r"seed \d+", page) == ["seed 7", "seed 8"]
    one, other = (np.asarray(Image.open(tmp_path / "out" / name)) for name in ("a_1.png", "a_2.png"))
    assert not np.array_equal(one, other)


def test_no_more_than_a_few_pictures_are_in_memory(tiny_run, tmp_path, monkeypatch):
    for number in range(40):
        picture(tmp_path / "in" / f"{number}.png", seed=number)
    held, most = set(), []

    def open_picture(file):
        held.add(file.name)
        most.append(len(held))
        return decode.open_picture(file)

    def save_picture(output, file, place):
        time.sleep(0.002)  # so that they would pile up
        held.remove(file.name)

    monkeypatch.setattr(module, "open_picture", open_picture)
    monkeypatch.setattr(module, "save_picture", save_picture)
    translator = load_translator(tiny_run.path, batch_size=2)
    assert module.translate_files(translator, [tmp_path / "in"], tmp_path / "out").written == 40
    assert 2 < max(most) <= 2 * (2 * prefetch.AHEAD + 1)


def test_a_picture_does_not_depend_on_its_batch(tiny_run, tmp_path):
    for number in range(7):
        picture(tmp_path / "in" / f"{number}.png", (40, 40) if number < 5 else (33, 40), seed=number)
    for size in (1, 3, None):
        translator = load_translator(tiny_run.path, batch_size=size)
        module.translate_files(translator, [tmp_path / "in"], tmp_path / str(size), samples=2)
    for file in below(tmp_path / "1"):
        alone, *together = (np.asarray(Image.open(tmp_path / size / file), int) for size in ("1", "3", "None"))
        assert all(np.abs(alone - other).max() <= 1 for other in together)


def test_what_cannot_be_read_or_is_refused_takes_nothing_of_its_batch_along(tiny_run, tmp_path):
    for number in range(5):
        picture(tmp_path / "in" / f"{number}.png", seed=number)
    Image.new("L", (32, 32), 12).save(tmp_path / "in" / "1.png")  # a class that the palette does not have
    cut = (tmp_path / "in" / "3.png").read_bytes()
    (tmp_path / "in" / "3.png").write_bytes(cut[: len(cut) // 2])  # its header is whole
    report = module.translate_files(load_translator(tiny_run.path), [tmp_path / "in"], tmp_path / "out")
    assert below(tmp_path / "out") == ["0.png", "2.png", "4.png"]
    reasons = {file.name: reason for file, reason in report.failed.items()}
    assert reasons.keys() == {"1.png", "3.png"}
    assert "1.png: holds class 12" in reasons["1.png"]
    assert "3.png: cannot be read as a picture" in reasons["3.png"]
    assert report.written == 3


def test_the_page_shows_inputs_outputs_and_failures(tiny_run, tmp_path, capsys):
    picture(tmp_path / "in" / "a & b.png", (700, 500))
    picture(tmp_path / "in" / "deep" / "c.png")
    (tmp_path / "in" / "broken.png").write_bytes(b"no picture")
    with pytest.raises(SystemExit):
        pix2pix("translate", tiny_run.path, tmp_path / "in", "-o", tmp_path / "out", "--page")
    page = (tmp_path / "out" / "index.html").read_text()
    assert str(tmp_path / "out" / "index.html") in capsys.readouterr().out
    assert page.count("data:image/webp") == 4
    assert 'href="a%20%26%20b.png"' in page
    assert 'href="deep/c.png"' in page
    (failure,) = re.findall(r'<li class="fault">(.*?)</li>', page)
    assert re.match(r"[^ ]*broken\.png: .*cannot be read as a picture", failure)
    assert failure.count("broken.png") == 1
    assert "http" not in page.replace("http%3A//www.w3.org/2000/svg", "")  # the name of SVG


def test_the_page_is_written_when_an_input_cannot_be_read_any_more(tiny_run, tmp_path):
    """Its former translation is not shown as one of what is there now."""
    words = ["translate", tiny_run.path, tmp_path / "in", "-o", tmp_path / "out", "--page"]
    for name in ("a.png", "b.png"):
        picture(tmp_path / "in" / name)
    pix2pix(*words)
    (tmp_path / "in" / "a.png").write_bytes(b"no picture")
    pix2pix(*words, "--skip-existing")
    page = (tmp_path / "out" / "index.html").read_text()
    assert [page.count(text) for text in ('href="a.png"', "input of", 'class="fault"')] == [1, 1, 0]
    with pytest.raises(SystemExit):
        pix2pix(*words)
    page = (tmp_path / "out" / "index.html").read_text()
    assert [page.count(text) for text in ('href="a.png"', "input of", 'class="fault"')] == [0, 1, 1]


@pytest.mark.parametrize("suffix", ["psd", "exe", ""])
def test_a_format_that_nothing_writes_is_refused_before_anything_is_written(tiny_run, tmp_path, suffix):
    """Pillow knows the suffixes of some formats that it only reads."""
    with pytest.raises(ValueError, match=f"suffix='{suffix}': no file format of pictures"):
        module.translate_files(
            load_translator(tiny_run.path), picture(tmp_path / "a.png"), tmp_path / "out", suffix=suffix
        )
    assert not (tmp_path / "out").exists()


def test_standard_input_and_output(tiny_run, tmp_path):
    file = picture(tmp_path / "a.png", (40, 30))
    ended = command_bytes("translate", tiny_run.path, "-", "-o", "-", "--format", "jpg", given=file.read_bytes())
    result = Image.open(io.BytesIO(ended))
    assert (result.format, result.size) == ("JPEG", (40, 30))


def command_bytes(*words, given):
    with WarmPopen(command_line(*words), stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        output, _ = process.communicate(given)
    assert process.returncode == 0
    return output


def test_a_stream_goes_alone(tiny_run, tmp_path):
    result = command("translate", tiny_run.path, "-", "a.png", "-o", tmp_path)
    assert "takes exactly one picture" in result.stderr


@pytest.mark.parametrize(
    "words",
    [
        *(["-", "--samples", "2"], ["-", "--page"], ["-", "--skip-existing"], ["a.png", "-o", "-", "--side-by-side"]),
        *(["-", "--smooth", "0.5"], ["--input", "mask=-", "--input", "photo=a.png"]),
    ],
    ids=lambda words: words[-2].strip("-") if "=" in words[-1] else words[1],
)
def test_a_stream_takes_no_option_of_folders_in_silence(words, tmp_path, monkeypatch, capsys):
    """`--samples 2` would write one picture, and `--side-by-side` translate both halves of it as one."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit):
        pix2pix("translate", "facades", *words)
    assert "(standard input or output) takes one picture, without --" in capsys.readouterr().err
    assert not any(tmp_path.iterdir())


def pairs_in(root: Path, a: str, b: str) -> None:
    for number, split in enumerate(("train", "train", "val")):
        picture(root / a.format(split), seed=number)
        picture(root / b.format(split), seed=number + 10)


@pytest.mark.parametrize("direction", ["AtoB", "BtoA"])
@pytest.mark.parametrize(
    ("a", "b", "folders"),
    [
        ("{}A/é_A.png", "{}B/é_B.png", {}),
        ("{}/A/x_B_A.png", "{}/B/x_B_B.png", {}),
        ("masks/{}/1_mask.png", "photos/{}/1_photo.png", {"A": "masks", "B": "photos"}),
    ],
)
def test_a_file_has_the_noise_of_its_pair(tiny_run, tmp_path, direction, a, b, folders):
    pairs_in(tmp_path, a, b)
    (pair,) = PairFolder(str(tmp_path), direction=direction, folders=folders or None).split("val")
    trained = load_generator(tiny_run.path)
    config = trained.config.replace(data=trained.config.data.replace(direction=direction, folders=folders))
    file = tmp_path / (a if direction == "AtoB" else b).format("val")
    assert replace(trained, config=config).pair_name(file) == pair.name


def test_evaluate_and_translate_make_the_same_picture(tmp_path):
    pairs_in(tmp_path / "data", "{}A/é_A.png", "{}B/é_B.png")
    words = [f"data.path={tmp_path}/data", f"output_dir={tmp_path}", "name=run", "data.direction=BtoA"]
    pix2pix("train", *TINY_FOLDER, *words, "trainer.max_epochs=1")
    pix2pix("evaluate", tmp_path / "run")
    pix2pix("translate", tmp_path / "run", tmp_path / "data" / "valB", "-o", tmp_path / "out")
    evaluated = tmp_path / "run" / "evaluation" / "val" / "images" / "é_output.png"
    assert np.array_equal(np.asarray(Image.open(evaluated)), np.asarray(Image.open(tmp_path / "out" / "é_B.png")))


def geotiff(file: Path) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    tags = [(33550, "d", 3, (10.0, 10.0, 0.0), True), (33922, "d", 6, (0.0, 0.0, 0.0, 5e5, 4.6e6, 0.0), True)]
    pixels = np.random.default_rng(0).integers(0, 256, (24, 40, 3), np.uint8)
    tifffile.imwrite(file, pixels, photometric="rgb", extratags=tags)
    return file


@needs_geo
def test_a_translated_geotiff_lies_where_its_input_lies(tiny_run, tmp_path, caplog):
    file = geotiff(tmp_path / "scene.tif")
    pix2pix("translate", tiny_run.path, file, "-o", tmp_path / "out", "--format", "tif")
    assert "place on earth" not in caplog.text
    place = read_place(file)
    assert read_place(tmp_path / "out" / "scene.tif") == place is not None
    pix2pix("translate", tiny_run.path, file, "-o", tmp_path / "half", "--format", "tif", "--scale", "0.5")
    with Image.open(tmp_path / "half" / "scene.tif") as half:
        assert read_place(tmp_path / "half" / "scene.tif") == place.at_size((half.height, half.width))


@needs_geo
def test_a_format_that_holds_no_place_on_earth_is_told_once(tiny_run, tmp_path, caplog):
    for name in "abc":
        geotiff(tmp_path / "in" / f"{name}.tif")
    picture(tmp_path / "in" / "d.png")
    pix2pix("translate", tiny_run.path, tmp_path / "in", "-o", tmp_path / "out")
    (told,) = [record.message for record in caplog.records if "place on earth" in record.message]
    assert "nor that of 2 others" in told
    assert "--format tif" in told
