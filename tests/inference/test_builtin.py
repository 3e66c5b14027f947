"""The translators in the box: they work as installed, and their names lead to them."""

import pytest
import torch
from PIL import Image

from pix2pix import load_translator
from pix2pix.data.images.class_colours import FACADES
from pix2pix.inference.builtin import BUILTIN, DEFAULT, locate_translator
from pix2pix.web.demo.runs import describe_canvas, load_runs
from pix2pix.web.demo.sample_pictures import find_samples
from tests.conftest import pix2pix


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")


@pytest.fixture(scope="module")
def facades():
    return load_translator("facades", device="cpu")


def drawing(width: int = 256, height: int = 256) -> Image.Image:
    """A house of one window."""
    picture = Image.new("RGB", (width, height), FACADES["background"])
    picture.paste(FACADES["facade"], (20, 20, width - 20, height))
    picture.paste(FACADES["window"], (60, 60, 100, 120))
    return picture


def test_the_built_in_translator_makes_a_photo_of_the_size_of_a_drawing(facades):
    photo = facades(drawing())
    assert (photo.mode, photo.size) == ("RGB", (256, 256))
    assert facades(drawing(100, 70)).size == (100, 70)
    wall, window = (
        photo.crop(box).resize((1, 1), Image.Resampling.BOX) for box in ((110, 60, 150, 120), (66, 66, 94, 114))
    )
    assert sum(wall.getpixel((0, 0))) > sum(window.getpixel((0, 0)))  # glass is darker than the wall


def test_it_knows_the_colours_of_its_drawings(facades):
    assert facades.trained.config.data.source_label_choice == "facades"
    assert all(torch.isfinite(value).all() for value in facades.trained.generator.state_dict().values())


@pytest.mark.parametrize("known", BUILTIN.values(), ids=BUILTIN)
def test_each_has_weights_of_at_most_thirty_megabytes_and_a_card(known):
    assert known.file.stat().st_size < 30e6
    card = known.card.read_text(encoding="utf-8")
    assert all(heading in card for heading in ("## Data", "## Training", "## How good it is", "## Limits"))


def test_a_name_leads_into_the_box_and_a_path_to_itself(tmp_path):
    assert locate_translator("facades") == DEFAULT.file
    assert locate_translator(tmp_path) == tmp_path
    assert locate_translator("outputs/facades").parts == ("outputs", "facades")


@pytest.mark.parametrize("make", ["mkdir", "touch"])
def test_what_is_here_comes_before_the_box_and_that_is_said(make, tmp_path, caplog):
    getattr(tmp_path / "here" / "facades", make)()
    assert str(locate_translator("facades")) == "facades"
    assert "using the one in the current directory" in caplog.text
    assert str(DEFAULT.file) in caplog.text


def test_a_name_that_is_none_is_answered_with_those_there_are():
    with pytest.raises(FileNotFoundError, match=r"a built-in translator \(facades\)"):
        load_translator("facade")
    for words in (["translate", "facade", "drawing.png"], ["demo", "facade"], ["export", "facade"]):
        with pytest.raises(SystemExit, match=r"nor a built-in translator \(facades\)"):
            pix2pix(*words)


def test_the_command_line_takes_the_name(tmp_path, capsys):
    drawing(160, 90).save("drawing.png")
    pix2pix("translate", "facades", "drawing.png")
    with Image.open(tmp_path / "here" / "translated" / "drawing.png") as photo:
        assert photo.size == (160, 90)
    pix2pix("export", "facades", "--format", "safetensors", "--half")
    assert load_translator(tmp_path / "here" / "facades.safetensors").trained.step == 80000


def test_the_list_says_what_each_does_and_where_its_file_is(capsys):
    pix2pix("models", "list")
    output = capsys.readouterr().out
    assert "facades  makes photos of buildings from label maps, 256x256 pixels  27.2 MB" in output
    assert str(DEFAULT.file) in output
    assert str(DEFAULT.card) in output


def test_results_are_not_written_beside_it():
    with pytest.raises(SystemExit, match=r"facades: is no run directory, .* Set --output"):
        pix2pix("evaluate", "facades")


def test_the_demo_shows_it_without_being_told_on_facades_drawn_by_code(monkeypatch, tmp_path):
    shown = []
    monkeypatch.setattr("pix2pix.web.demo.serve.create_app", lambda runs, samples, **_: shown.append((runs, samples)))
    monkeypatch.setattr("uvicorn.Server.run", lambda self, sockets: [listening.close() for listening in sockets])
    pix2pix("demo", "--no-browser")
    ((shown_runs, samples),) = shown
    assert [run.path for run in shown_runs] == [DEFAULT.file]
    assert len(samples) == 12
    colours = {colour for sample in samples for _, colour in sample.input.getcolors()}
    assert colours <= set(FACADES.values())
    assert samples[0].input.size == samples[0].target.size == (256, 256)


def test_its_canvas_has_a_brush_for_each_class():
    (run,) = load_runs(["facades"])
    assert run.name == "facades"
    page = describe_canvas([run], is_line_drawing=False)
    assert (page["kind"], page["width"], page["height"]) == ("labels", 256, 256)
    assert [brush["name"] for brush in page["brushes"]] == list(FACADES)
    assert find_samples(run)
