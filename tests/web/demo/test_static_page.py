"""The page that any web server can host: the model runs in the browser and makes what PyTorch makes."""

import base64
import functools
import hashlib
import http.client
import http.server
import io
import json
import shutil
import tarfile
import urllib.request
from unittest.mock import Mock

import numpy as np
import pytest
from PIL import Image

from pix2pix.export import onnxruntime_web
from pix2pix.export.web_page import export_web
from pix2pix.inference.translator import load_translator
from tests.conftest import TINY, pix2pix
from tests.local_server import LocalServer
from tests.web.demo.conftest import Page

pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")


@pytest.fixture(scope="session")
def onnxruntime_folder():
    """The browser's onnxruntime, from the cache, or from npm where there is a network."""
    try:
        return onnxruntime_web._ensure_cached()
    except OSError as error:
        pytest.skip(f"onnxruntime-web is neither in the cache nor to be had: {error}")


@pytest.fixture(scope="module")
def shallow_run(tmp_path_factory):
    """A run whose export takes little time."""
    folder = tmp_path_factory.mktemp("shallow")
    pix2pix("train", *TINY, "generator.depth=2", "trainer.max_epochs=1", f"output_dir={folder}", "name=run")
    return folder / "run"


@pytest.fixture(scope="module")
def folder(shallow_run, tmp_path_factory, onnxruntime_folder):
    """The page of a run and its copy without noise, so that PyTorch and the browser can be compared."""
    folder = tmp_path_factory.mktemp("static") / "page"
    copy = shutil.copytree(shallow_run, shallow_run.with_name("copy"))
    pix2pix(
        *("export", shallow_run, copy, "--format", "web", "-o", folder, "--address", "https://example.org/houses"),
        *("--dropout", "off", "--onnxruntime", onnxruntime_folder),
    )
    return folder


@pytest.fixture
def hosted(folder):
    """The folder behind a server that knows of nothing but files."""

    class Files(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format, *args):
            asked.append(self.path)

    asked: list[str] = []
    with LocalServer(functools.partial(Files, directory=folder)) as server:
        yield f"{server.url}/", asked


def test_the_static_page_translates_while_one_draws(browser, hosted, shallow_run, tmp_path):
    address, asked = hosted
    page = Page(browser, address)
    assert page.find("#engine").text == "· computed in this browser by WebAssembly"
    assert not page.find("#veil").is_displayed()
    before = page.outputs()[0]
    page.click("[data-tool=rectangle]")
    page.stroke((0.2, 0.3), (0.7, 0.9))
    drawn, (after, _) = page.pixels(), page.outputs()
    assert (before != after).any()
    Image.fromarray(drawn).save(tmp_path / "drawing.png")
    expected = np.asarray(load_translator(shallow_run, dropout="off")(tmp_path / "drawing.png"))
    assert np.abs(after.astype(int) - expected).max() <= 2  # levels; the network computes in 16 bits
    assert not any(path.endswith(("model_1.onnx", "webgpu.js", "jspi.wasm")) for path in asked)  # nothing unneeded
    page.click("figure:nth-child(2) input[type=checkbox]")
    page.settle()
    assert (page.outputs()[1] == after).all()  # a copy of the first run
    page.click("#undo")
    page.settle()
    assert (page.outputs()[0] == before).all()
    page.load_sample(1)
    page.compare("With the target")
    assert page.find(".over").is_displayed()
    assert float(page.find("#delay").text) > 0
    assert not page.find("#noise").is_displayed()
    assert all(path.startswith("/") for path in asked)
    page.close()


def test_the_folder_asks_nothing_of_other_hosts(folder):
    for file in folder.iterdir():
        if file.suffix in {".html", ".js", ".css", ".json"}:
            text = file.read_text().replace("https://example.org/houses/", "")  # where it is to be hosted
            assert "https://" not in text
            assert "http://" not in text
    page_data = json.loads((folder / "runs.json").read_text())
    assert str(folder.parent) not in json.dumps(page_data)  # nor does it tell of this machine
    html = (folder / "index.html").read_text()
    assert 'data-engine="browser"' in html
    assert '<meta property="og:image" content="https://example.org/houses/preview.png">' in html
    for file in (*page_data["browser"]["models"], *page_data["browser"]["runtimes"].values()):
        assert (folder / file["file"]).stat().st_size == file["bytes"]  # for the bar of progress


def test_only_a_page_can_hold_several_runs(two_runs):
    with pytest.raises(SystemExit, match="--format onnx takes one run, not 2"):
        pix2pix("export", *two_runs)
    with pytest.raises(SystemExit, match="name the folder of the page with --output"):
        pix2pix("export", *two_runs, "--format", "web")


def test_an_earlier_page_is_replaced_and_nothing_else_is(folder, tiny_run, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").touch()
    with pytest.raises(ValueError, match="not an earlier export"):
        export_web(tiny_run.path, tmp_path / "mine")
    with pytest.raises(FileNotFoundError, match="npm pack onnxruntime-web"):
        export_web(tiny_run.path, folder, onnxruntime=tmp_path)
    assert (folder / "model_0.onnx").is_file()
    assert not list(folder.parent.glob(".*"))
    with pytest.raises(ValueError, match="needs 8-bit pictures"):
        export_web(tiny_run.path, folder, pixels="float")


def package(**files: bytes) -> bytes:
    """A tarball as npm's registry has them."""
    tarball = io.BytesIO()
    with tarfile.open(fileobj=tarball, mode="w:gz") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(f"package/dist/{name}")
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return tarball.getvalue()


def test_what_is_downloaded_is_checked_and_kept(monkeypatch, tmp_path):
    content = package(**{name: name.encode() for name in onnxruntime_web.FILES})
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(urllib.request, "urlopen", lambda *_, **__: io.BytesIO(content))
    with pytest.raises(OSError, match="not the package"):
        onnxruntime_web.copy_onnxruntime_web(None, tmp_path / "page")
    assert not onnxruntime_web.cache_folder().exists()
    digest = base64.b64encode(hashlib.sha512(content).digest()).decode()
    monkeypatch.setattr(onnxruntime_web, "SHA512", digest)
    onnxruntime_web.copy_onnxruntime_web(None, tmp_path / "page")
    monkeypatch.setattr(urllib.request, "urlopen", Mock(side_effect=OSError("no network")))
    onnxruntime_web.copy_onnxruntime_web(None, tmp_path / "other")  # from the cache
    assert {file.name for file in (tmp_path / "other").iterdir()} == set(onnxruntime_web.FILES.values())
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "empty"))
    for error in (OSError("no network"), http.client.BadStatusLine("of a login page")):
        monkeypatch.setattr(urllib.request, "urlopen", Mock(side_effect=error))
        with pytest.raises(OSError, match="--onnxruntime"):
            onnxruntime_web.copy_onnxruntime_web(None, tmp_path / "third")
