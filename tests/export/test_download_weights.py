"""`pix2pix models download`: the authors' weights become a run, from servers that behave well or badly."""

import os
import signal
import threading
from collections import namedtuple

import numpy as np
import pytest
import torch
from PIL import Image

from pix2pix import load_translator
from pix2pix.datasets.download import mirrors
from pix2pix.datasets.download.pins import Pins
from pix2pix.export import download_weights as downloading
from pix2pix.export.published_weights import MEGABYTES, PUBLISHED, find_downloaded
from pix2pix.inference.generator import load_generator
from pix2pix.models import PatchGAN
from pix2pix.runs.run import Run
from pix2pix.web.demo.runs import describe_canvas, load_runs
from tests.conftest import pix2pix, start_command, wait_until
from tests.datasets.download.archives import send, serve, stalling, stay_on_this_machine, well
from tests.export.published import authors_unet, save_bytes

NAME = "facades_label2photo"


@pytest.fixture(scope="module")
def good() -> bytes:
    return save_bytes(authors_unet())


@pytest.fixture(autouse=True)
def _this_machine_only(monkeypatch, tmp_path):
    stay_on_this_machine(monkeypatch, downloading)
    (tmp_path / "desk").mkdir()
    monkeypatch.chdir(tmp_path / "desk")


def visible(folder) -> list[str]:
    return sorted(file.name for file in folder.iterdir() if not file.name.startswith("."))


def noise(path, width: int = 256, height: int = 256) -> Image.Image:
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8))
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path)
    return picture


@pytest.mark.parametrize("legacy", [True, False], ids=["pickle", "zip"])
def test_published_weights_become_a_run_that_every_command_takes(legacy, tmp_path, capsys):
    with serve(well(save_bytes(authors_unet(), legacy=legacy))) as server:
        pix2pix("models", "download", NAME, "--mirror", server.url)
        assert [path for path, _, _ in server.asked] == [f"/{NAME}.pth"]
    output = capsys.readouterr().out
    assert output.index("CMP Facade Database") < output.index("outputs/facades_label2photo: a run like any other")
    assert "the authors name no licence for the weights" in output
    desk = tmp_path / "desk"
    assert visible(desk / "outputs") == [NAME, "models.lock"]
    noise(desk / "drawing.png", 100, 70)
    pix2pix("translate", f"outputs/{NAME}", "drawing.png")
    with Image.open(desk / "translated" / "drawing.png") as photo:
        assert photo.size == (100, 70)
    for split in ("train", "val"):
        noise(desk / "pairs" / split / "1.png", 512, 256)
    pix2pix("evaluate", f"outputs/{NAME}", "--data", "pairs")
    assert "1 pair: split val of" in capsys.readouterr().out
    pix2pix("export", f"outputs/{NAME}", "--format", "safetensors", "-o", "g.safetensors")
    assert load_translator("g.safetensors").trained.config.data.direction == "BtoA"
    page = describe_canvas(load_runs([f"outputs/{NAME}"]), is_line_drawing=False)
    assert (page["kind"], page["width"]) == ("labels", 256)
    assert "window" in {brush["name"] for brush in page["brushes"]}


def test_the_run_computes_what_the_file_holds(good, tmp_path):
    with serve(well(good)) as server:
        pix2pix("models", "download", "sat2map", "--mirror", server.url, "--output", "here/my maps")
    state = load_generator("here/my maps").generator.state_dict()
    assert torch.equal(state["down.0.0.weight"], authors_unet()["model.model.0.weight"])
    run = Run("here/my maps")
    assert run.config().run_dir == "here/my maps"
    assert run.provenance()["imported"]["published"] == "sat2map"
    assert run.is_finished()
    assert visible(tmp_path / "desk" / "here") == ["models.lock", "my maps"]


@pytest.mark.parametrize(
    ("name", "data", "direction"),
    [
        ("edges2shoes", "edges2shoes", "AtoB"),
        ("sat2map", "maps", "AtoB"),
        ("map2sat", "maps_reverse", "BtoA"),
        ("facades_label2photo", "facades", "BtoA"),
        ("day2night", "night2day", "BtoA"),
    ],
)
def test_each_is_imported_with_the_data_and_direction_it_was_trained_with(name, data, direction, good, capsys):
    known = PUBLISHED[name]
    with serve(well(good)) as server:
        pix2pix("models", "download", name, "--mirror", server.url)
    config = Run(f"outputs/{name}").config()
    assert (config.data.name, config.data.direction, config.data.size) == (data, direction, 256)
    assert config.data.source["path"].endswith(f"data/{known.dataset}")
    assert (config.generator["dropout_placement"], config.generator["norm"]) == ("reference", "batch")
    capsys.readouterr()
    pix2pix("models", "list")
    output = capsys.readouterr().out
    assert f"{name}  {known.task}, 256x256 pixels  about {MEGABYTES} MB  in outputs/{name}\n" in output
    assert output.count("  in outputs/") == 1


def test_the_list_names_every_model_with_its_terms(capsys):
    pix2pix("models", "list")
    output = capsys.readouterr().out
    assert all(f"\n{name}  makes " in output for name in ("facades", *PUBLISHED))
    assert all(known.pairs.terms in output and known.pairs.homepage in output for known in PUBLISHED.values())
    assert " in outputs" not in output


def test_a_second_call_does_nothing_and_says_so(good, caplog):
    caplog.set_level("INFO")
    with serve(well(good)) as server:
        for _ in range(2):
            pix2pix("models", "download", NAME, "--mirror", server.url)
        assert len(server.asked) == 1
    assert f"outputs/{NAME} holds {NAME} already; nothing was downloaded." in caplog.text


def test_a_broken_download_is_resumed_where_it_broke(good):
    def breaking(handler):
        if handler.headers.get("Range"):
            return well(good)(handler)
        send(handler, good[: len(good) // 2], length=len(good), ETag='"one"')
        return handler.connection.close()

    with serve(breaking) as server:
        pix2pix("models", "download", NAME, "--mirror", server.url)
        assert [part for _, part, _ in server.asked] == [None, f"bytes={len(good) // 2}-"]
    assert load_translator(f"outputs/{NAME}")


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGKILL], ids=["Ctrl-C", "kill"])
def test_an_interrupted_download_leaves_no_run_and_is_continued_by_the_same_command(good, tmp_path, end):
    half, done = len(good) // 2, threading.Event()
    part = tmp_path / "desk" / "outputs" / f".{NAME}.pth"

    with serve(stalling(good, done)) as server:
        words = ["models", "download", NAME, "--mirror", server.url]
        with start_command(*words, env=os.environ | {"no_proxy": "127.0.0.1"}) as process:
            wait_until(lambda: part.exists() and part.stat().st_size >= half, process)
            process.send_signal(end)
            assert process.wait(60) != 0
        done.set()
        assert visible(part.parent) == []
        pix2pix(*words)
        assert server.asked[1:] == [(f"/{NAME}.pth", f"bytes={half}-", '"one"')]
    assert load_translator(f"outputs/{NAME}")


class Malicious:
    """Opens a file when it is unpickled."""

    def __reduce__(self):
        return open, ("executed", "w")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"<!DOCTYPE html><p>Log in", "no PyTorch weights, it begins with b'<!DOCTYPE html>'"),
        (b"", "no PyTorch weights, it begins with b''"),
        (save_bytes({"w": Malicious()}), "cannot be read as PyTorch weights"),
        (save_bytes({"w": Malicious()}, legacy=False), "holds more than tensors and plain values"),
        (save_bytes(authors_unet())[:-500], "cannot be read as PyTorch weights"),
        (save_bytes([1, 2]), "not a state dict"),
        (save_bytes(PatchGAN(base_channels=2).state_dict()), "are of an unknown generator"),
        (save_bytes(authors_unet(depth=5)), f"not the weights of {NAME}: the network has size=32 instead of 256"),
        (save_bytes(authors_unet(norm=False)), "norm=none instead of batch"),
    ],
    ids=["page", "nothing", "malicious pickle", "malicious zip", "cut", "list", "discriminator", "small", "plain"],
)
def test_wrong_content_is_refused_in_words_and_the_next_mirror_is_asked(content, message, good, tmp_path, caplog):
    caplog.set_level("INFO")
    with serve(well(content)) as wrong, serve(well(good)) as right:
        with pytest.raises(SystemExit, match=f"{NAME} could not be downloaded:\n  {wrong.url}/{NAME}.pth: .*{message}"):
            pix2pix("models", "download", NAME, "--mirror", wrong.url)
        assert visible(tmp_path / "desk" / "outputs") == []
        assert not list((tmp_path / "desk" / "outputs").glob(".*pth*"))
        pix2pix("models", "download", NAME, "--mirror", wrong.url, "--mirror", right.url)
    assert message in caplog.text
    assert not (tmp_path / "desk" / "executed").exists()
    assert load_translator(f"outputs/{NAME}")


def test_a_server_that_offers_too_much_is_refused(good):
    message = f"offers 10000000000 bytes, but it has about {MEGABYTES} MB"
    with serve(lambda handler: send(handler, b"", length=10**10)) as server, pytest.raises(SystemExit, match=message):
        pix2pix("models", "download", NAME, "--mirror", server.url)


def test_a_full_disk_is_noticed_before_anything_is_fetched(good, tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(mirrors.shutil, "disk_usage", lambda path: usage(10**9, 10**9, 20 * 10**6))
    message = r"needs about 218 MB .* 20 MB are free.* set --output"
    with serve(well(good)) as server, pytest.raises(SystemExit, match=message):
        pix2pix("models", "download", NAME, "--mirror", server.url)
    assert visible(tmp_path / "desk" / "outputs") == []


def test_a_second_download_must_equal_the_first(good, tmp_path):
    with serve(well(good)) as first, serve(well(save_bytes(authors_unet(base=1)))) as other:
        pix2pix("models", "download", NAME, "--mirror", first.url)
        with pytest.raises(SystemExit, match="from the first download"):
            pix2pix("models", "download", NAME, "--mirror", other.url, "--output", "outputs/again")
        assert visible(tmp_path / "desk" / "outputs") == [NAME, "models.lock"]
        pix2pix("models", "download", NAME, "--mirror", first.url, "--output", "outputs/again")
    pin = Pins(tmp_path / "desk" / "outputs" / "models.lock").read()[NAME]
    assert pin["bytes"] == len(good)
    assert pin["url"].endswith(f"/{NAME}.pth")


def test_mirrors_of_the_environment_and_of_the_folder_are_asked_in_turn(good, tmp_path, monkeypatch):
    with serve(lambda handler: handler.send_error(404)) as gone, serve(well(good)) as right:
        (tmp_path / "desk" / "outputs").mkdir()
        (tmp_path / "desk" / "outputs" / "mirrors.txt").write_text(f"# ours\n{right.url}/\n")
        monkeypatch.setenv("PIX2PIX_MIRRORS", gone.url)
        pix2pix("models", "download", NAME)
        assert [len(server.asked) for server in (gone, right)] == [1, 1]


def test_a_directory_with_something_else_is_left_alone(good, tmp_path):
    mine = tmp_path / "desk" / "outputs" / NAME
    mine.mkdir(parents=True)
    (mine / "notes.txt").write_text("mine")
    with serve(well(good)) as server:
        with pytest.raises(SystemExit, match=r"already holds something else\. Choose another folder with --output"):
            pix2pix("models", "download", NAME, "--mirror", server.url)
        assert server.asked == []
    assert [file.name for file in mine.iterdir()] == ["notes.txt"]


def test_names_and_mirrors_that_are_none_are_refused():
    with pytest.raises(SystemExit, match="Choose from edges2shoes, sat2map"):
        pix2pix("models", "download", "sat2maps")
    with pytest.raises(SystemExit, match=r"mirror 'ftp://x': .* Give the folder that holds sat2map.pth"):
        pix2pix("models", "download", "sat2map", "--mirror", "ftp://x")


def test_runs_whose_provenance_tells_nothing_are_passed_over(tmp_path):
    for name, text in (
        ("a", "{"),
        ("b", "[]"),
        ("c", '{"imported": 1}'),
        ("d", '{"imported": {"published": "sat2map"}}'),
    ):
        (tmp_path / name).mkdir()
        (tmp_path / name / "provenance.json").write_text(text)
    assert find_downloaded(tmp_path) == {"sat2map": tmp_path / "d"}
    assert find_downloaded(tmp_path / "nowhere") == {}
