"""The page derives inputs from photos as a training does, in the visitor's browser."""

import base64
import functools
import http.server
import io
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from pix2pix.data.sources.derivations import derive_input
from pix2pix.web.demo.derivation import describe_derivation
from pix2pix.web.demo.runs import describe_canvas
from pix2pix.web.demo.static_files import read_page_files
from tests.conftest import DATASETS, make_config, needs_datasets, pix2pix
from tests.local_server import LocalServer
from tests.web.demo.conftest import Page, serving
from tests.web.demo.test_page import TINY

DERIVE = """
const [address, file, derivation, done] = arguments;
(async () => {
  const { derive } = await import(address + "derivations.js");
  const bitmap = await createImageBitmap(await (await fetch(file)).blob());
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height), context = canvas.getContext("2d");
  context.drawImage(bitmap, 0, 0);
  const { data } = derive(context.getImageData(0, 0, canvas.width, canvas.height), derivation);
  let text = "";
  for (const value of data) text += String.fromCharCode(value);
  return btoa(text);
})().then(done, (error) => done(String(error)));
"""


@pytest.fixture(scope="module")
def page_files(tmp_path_factory):
    """The address of the page's files, on a server that knows of nothing else."""
    folder = tmp_path_factory.mktemp("page")
    for name, content in read_page_files("browser", {"runs": [{"data": "photos"}]}).items():
        (folder / name).write_bytes(content)

    class Files(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format, *args):
            pass

    with LocalServer(functools.partial(Files, directory=folder)) as server:
        yield f"{server.url}/"


def in_browser(browser, address: str, photo: np.ndarray, derivation) -> np.ndarray:
    """What the page derives from a photo (H, W, 3)."""
    browser.get(f"{address}icon.svg")
    file = io.BytesIO()
    Image.fromarray(photo).save(file, "PNG")
    url = f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"
    text = browser.execute_async_script(DERIVE, address, url, derivation)
    return np.frombuffer(base64.b64decode(text), np.uint8).reshape(*photo.shape[:2], 4)[..., :3]


def derived_settings(operation: str, *words: str):
    return make_config("data=derived", "data.path=x", f"data.operation={operation}", *words).data


def photos() -> list[np.ndarray]:
    """A real photo, and noise of an odd size."""
    noise = np.random.default_rng(0).integers(0, 256, (45, 38, 3), np.uint8)
    facade = sorted((DATASETS / "facades").rglob("*.jpg"))[0]
    with Image.open(facade) as image:
        return [np.asarray(image.convert("RGB").crop((0, 0, 120, 96))), noise]


@needs_datasets
@pytest.mark.parametrize(
    ("operation", "words"),
    [
        ("grayscale", []),
        ("edges", []),
        ("edges", ["data.source.amount=61"]),
        ("inpaint", []),
        ("superres", []),
        ("superres", ["data.source.amount=3.3"]),
        ("blur", ["data.source.amount=1.5"]),
    ],
    ids=str,
)
def test_the_page_derives_what_python_derives_within_a_level(browser, page_files, operation, words):
    if operation == "edges":
        pytest.importorskip("cv2")
    data = derived_settings(operation, *words)
    amount = data.source.get("amount")
    for photo in photos():
        found = in_browser(browser, page_files, photo, describe_derivation(data, photo.shape[:2]))
        expected = derive_input(torch.from_numpy(photo.copy()).movedim(-1, 0), "", operation, amount)
        difference = np.abs(found.astype(int) - expected.movedim(0, -1).numpy())
        assert difference.max() <= 1
        assert (found != photo).any()
        if operation == "edges":
            assert 0 < (found == 0).mean() < 0.5


@needs_datasets
def test_noise_and_holes_of_noise_are_as_strong_as_in_the_training(browser, page_files):
    photo = np.full((64, 64, 3), 128, np.uint8)
    grain = in_browser(browser, page_files, photo, describe_derivation(derived_settings("noise"), (64, 64))) - 128.0
    assert abs(grain.std() - 25) < 2
    assert abs(grain.mean()) < 2
    filled = derived_settings("inpaint", "data.source.fill=noise")
    hole = in_browser(browser, page_files, photo, describe_derivation(filled, (64, 64)))
    expected = derive_input(torch.from_numpy(photo).movedim(-1, 0), "", "inpaint", None).movedim(0, -1).numpy()
    outside = (expected == 128).all(axis=-1)
    assert (hole[outside] == 128).all()
    assert hole[~outside].std() > 60


@pytest.fixture(scope="module")
def superres_run(tmp_path_factory):
    """A run from low to high resolution."""
    folder = tmp_path_factory.mktemp("superres")
    (folder / "pictures").mkdir()
    for number in range(6):
        Image.effect_noise((32, 32), 60 + number).convert("RGB").save(folder / "pictures" / f"{number}.png")
    tiny = [word for word in TINY if "_pairs=" not in word]
    data = ["data=derived", f"data.path={folder}/pictures", "data.operation=superres", "data.num_workers=0"]
    pix2pix("train", *data, *tiny, "trainer.max_epochs=1", f"output_dir={folder}", "name=superres")
    return folder / "superres"


def test_an_uploaded_photo_is_derived_unless_it_is_an_input_already(browser, superres_run, tmp_path):
    photo = np.random.default_rng(1).integers(0, 256, (32, 32, 3), np.uint8)
    Image.fromarray(photo).save(tmp_path / "photo.png")
    expected = derive_input(torch.from_numpy(photo).movedim(-1, 0), "", "superres", None).movedim(0, -1).numpy()
    with serving(superres_run) as served:
        page = Page(browser, served.address)
        assert page.find("#derive-choice").text == "Lower the resolution of photos"
        page.find("#file").send_keys(str(tmp_path / "photo.png"))
        page.until(lambda: np.abs(page.pixels().astype(int) - expected).max() <= 1)
        page.click("#derive")
        page.find("#file").send_keys(str(tmp_path / "photo.png"))
        page.until(lambda: np.array_equal(page.pixels(), photo))
        page.close()


@pytest.mark.parametrize(("operation", "is_grey"), [("lab", True), ("grayscale", True), ("blur", False)])
def test_runs_that_see_lightness_alone_get_greys_to_draw_with(operation, is_grey):
    data = derived_settings(operation)
    run = SimpleNamespace(config=SimpleNamespace(data=data), size=data.shape)
    canvas = describe_canvas([run], is_line_drawing=False)
    assert canvas["isGrey"] == is_grey
    colours = [brush["colour"] for brush in canvas["brushes"]]
    assert all(colour[1:3] == colour[3:5] == colour[5:7] for colour in colours) == is_grey
