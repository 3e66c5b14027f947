"""A demo that is being served, and a browser that looks at it."""

import base64
import http.client
import io
import json
import shutil
import threading
import time
from contextlib import contextmanager
from typing import NamedTuple
from urllib.parse import urlsplit

import numpy as np
import pytest
from PIL import Image
from selenium import webdriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import Select, WebDriverWait

from pix2pix.web.demo.addresses import listen, url
from pix2pix.web.demo.app import create_app
from pix2pix.web.demo.limits import Limits
from pix2pix.web.demo.runs import load_runs, max_size
from pix2pix.web.demo.sample_pictures import find_samples
from pix2pix.web.demo.serve import create_server
from tests.chromium import FLAGS
from tests.conftest import TINY, pix2pix

# Keeps what the page says: each message vanishes after a few seconds.
RECORD_MESSAGES = """
window.said = [];
new MutationObserver((changes) => {
  const nodes = changes.filter(({ target }) => target.id === "status").flatMap(({ addedNodes }) => [...addedNodes]);
  said.push(...nodes.map(({ data }) => data));
}).observe(document, { subtree: true, childList: true });
"""


class Answer(NamedTuple):
    """What a request got."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def picture(self) -> Image.Image:
        return Image.open(io.BytesIO(self.body))


class Served:
    """A demo at an address."""

    def __init__(self, address: str) -> None:
        self.address, self.host = address, urlsplit(address).netloc

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
        connection = http.client.HTTPConnection(self.host, timeout=60)
        try:
            connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
            answer = connection.getresponse()
            return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
        finally:
            connection.close()

    def translate(self, body: bytes, query: str = "", **headers: str) -> Answer:
        return self.ask("POST", f"/translate{query}", body, **headers)


@contextmanager
def serving(*paths, limits: Limits | None = None, names=(), samples=True, shown=None, port=0):
    """A demo of the runs, served by a thread of this process."""
    shown = shown or load_runs(paths)
    app = create_app(shown, find_samples(shown[0]) if samples else [], limits=limits, names=names)
    listening = listen("127.0.0.1", port)
    running = create_server(app, max_size(shown))
    thread = threading.Thread(target=running.run, args=([listening],))
    thread.start()
    try:
        while not running.started:
            assert thread.is_alive()
            time.sleep(0.01)
        yield Served(url(listening))
    finally:
        running.should_exit = True
        thread.join()


def until(condition) -> None:
    """Waits until the condition holds, at most a minute."""
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.fixture(scope="session")
def two_runs(tiny_run, tmp_path_factory):
    """Two runs of a sweep."""
    folder = tmp_path_factory.mktemp("sweep")
    for name in ("discriminator=patch16", "discriminator=pixel"):
        shutil.copytree(tiny_run.path, folder / name)
    return [folder / "discriminator=patch16", folder / "discriminator=pixel"]


@pytest.fixture(scope="session")
def demo(two_runs):
    """Two runs, served."""
    with serving(*two_runs) as served:
        yield served


def picture(width: int = 32, height: int = 32, kind: str = "PNG", seed: int = 0) -> bytes:
    """A picture of noise as the bytes of a file."""
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind)
    return file.getvalue()


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    """A browser with a camera that shows a moving test picture."""
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not (chromium and driver):
        pytest.skip("needs chromium and chromedriver")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    options.add_experimental_option("prefs", {"download.default_directory": str(tmp_path_factory.mktemp("downloads"))})
    camera = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")
    for flag in (*FLAGS, *camera, f"--user-data-dir={tmp_path_factory.mktemp('browser')}"):
        options.add_argument(flag)
    chrome = webdriver.Chrome(options, webdriver.ChromeService(driver))
    chrome.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": RECORD_MESSAGES})
    yield chrome
    chrome.quit()


@pytest.fixture(scope="session")
def photo_run(tmp_path_factory):
    """A run from photos to label maps."""
    folder = tmp_path_factory.mktemp("photos")
    pix2pix("train", *TINY, "data.direction=AtoB", "trainer.max_epochs=1", f"output_dir={folder}", "name=photos")
    return folder / "photos"


@pytest.fixture
def page(browser, demo):
    """The page of two runs on label maps."""
    page = Page(browser, demo.address)
    yield page
    page.close()


class Page:
    """The page of a demo, as who draws on it sees it."""

    def __init__(self, browser, address: str) -> None:
        self.browser = browser
        browser.get("about:blank")
        browser.get_log("browser")
        origin = "{0.scheme}://{0.netloc}".format(urlsplit(address))
        browser.execute_cdp_cmd("Storage.clearDataForOrigin", {"origin": origin, "storageTypes": "local_storage"})
        browser.get(address)
        self.wait_for_frame(0)

    def until(self, condition, seconds: float = 60) -> None:
        WebDriverWait(self.browser, seconds, 0.05).until(lambda _: condition())

    def wait_for_frame(self, before: int) -> None:
        """Waits until a later frame than `before`, and every change after it, is translated."""
        self.until(lambda: self.frame() > before)
        self.settle()

    def wait_for_message(self, text: str) -> None:
        """Waits until the page has said `text` since it was opened."""
        self.until(lambda: any(text in message for message in self.script("return window.said")))

    def script(self, code: str, *arguments):
        return self.browser.execute_script(code, *arguments)

    def find(self, selector: str):
        return self.browser.find_element(By.CSS_SELECTOR, selector)

    def choose(self, brush: str) -> None:
        self.click(f"#palette [title='{brush}']")

    def colour(self, x: float, y: float) -> tuple[int, ...]:
        """The colour at a place, in shares of the canvas."""
        pixels = self.pixels()
        return tuple(pixels[int(y * pixels.shape[0]), int(x * pixels.shape[1])].tolist())

    def press(self, *keys: str) -> None:
        """Presses keys together, with the focus where it is."""
        chain = ActionChains(self.browser, duration=20)
        for key in keys[:-1]:
            chain.key_down(key)
        chain.send_keys(keys[-1])
        for key in keys[:-1]:
            chain.key_up(key)
        chain.perform()
        self.settle()

    def compare(self, text: str) -> None:
        """Chooses what lies under the slider."""
        Select(self.find("#over")).select_by_visible_text(text)

    def click(self, selector: str) -> None:
        self.find(selector).click()

    def load_sample(self, number: int) -> np.ndarray:
        """Clicks on a sample, waits until it is loaded and translated, and returns the drawing."""
        frame = self.frame()
        self.browser.find_elements(By.CSS_SELECTOR, "#samples .sample")[number].click()
        self.wait_for_frame(frame)
        return self.pixels()

    def reload(self) -> None:
        """Opens the page again, as it was left."""
        self.browser.refresh()
        self.wait_for_frame(0)

    def frame(self) -> int:
        return int(self.script("return document.body.dataset.frame ?? 0"))

    def pixels(self, selector: str = "#drawing") -> np.ndarray:
        """What a canvas holds, (height, width, 3)."""
        width, height, data = self.script(
            "const c = document.querySelector(arguments[0]);"
            "const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;"
            "return [c.width, c.height, btoa(String.fromCharCode(...d))]",
            selector,
        )
        return np.frombuffer(base64.b64decode(data), np.uint8).reshape(height, width, 4)[..., :3]

    def outputs(self) -> list[np.ndarray]:
        """The translations on the screen."""
        count = self.script("return document.querySelectorAll('.output').length")
        return [self.pixels(f"figure:nth-child({number + 1}) .output") for number in range(count)]

    def stroke(self, *places: tuple[float, float], release: bool = True) -> None:
        """Draws through places, in shares of the canvas, and waits for the translation of the last."""
        canvas = self.find("#drawing")
        width, height = canvas.size["width"], canvas.size["height"]
        chain = ActionChains(self.browser, duration=20)
        for number, (x, y) in enumerate(places):
            chain.move_to_element_with_offset(canvas, int((x - 0.5) * width), int((y - 0.5) * height))
            if number == 0:
                chain.click_and_hold()
        (chain.release() if release else chain).perform()
        self.settle()

    def settle(self) -> None:
        """Waits until all changes that the page knows of are translated.

        A click on a sample is no change until its picture is loaded: use `load_sample`.
        """
        self.until(lambda: not self.script("return document.body.classList.contains('busy')"))

    def close(self) -> None:
        """Fails when the browser complained of anything."""
        severe = [entry for entry in self.browser.get_log("browser") if entry["level"] == "SEVERE"]
        assert not severe, severe
        self.browser.get("about:blank")  # its connection ends
