"""Frames per second and latency of the static page in headless Chromium, as the page shows them.

    python benchmarks/benchmark_static_demo.py                  # an untrained U-Net of 256x256, 64 base channels
    python benchmarks/benchmark_static_demo.py outputs/facades

Needs chromium, chromedriver and selenium. The run is exported with `--format web` and hosted by Python's own server.
"""

import argparse
import functools
import http.server
import json
import math
import shutil
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from benchmarks.benchmark_demo import write_untrained_run
from benchmarks.machine import describe_machine
from pix2pix.core.errors import exit_with_message
from pix2pix.export.web_page import export_web

FLAGS = ("--headless=new", "--no-sandbox", "--disable-background-networking", "--window-size=1300,1000")
LOADING = 300  # seconds at most


def main() -> None:
    """Prints one line of JSON: the machine, frames a second, delay in milliseconds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", nargs="?", help="default: an untrained one")
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--size", type=int, default=256, help="of the untrained run")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        export_web(arguments.run or write_untrained_run(Path(folder), arguments.size), Path(folder) / "page")
        with host(Path(folder) / "page") as address, browser() as chrome:
            chrome.get(address)
            WebDriverWait(chrome, LOADING).until(lambda page: page.execute_script("return document.body.dataset.frame"))
            print(json.dumps(describe_machine() | draw_strokes(chrome, arguments.seconds)))


@contextmanager
def host(folder: Path) -> Iterator[str]:
    """Serves a folder; yields its address."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=folder)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@contextmanager
def browser() -> Iterator[webdriver.Chrome]:
    """A headless browser."""
    options = webdriver.ChromeOptions()
    for flag in FLAGS:
        options.add_argument(flag)
    chrome = webdriver.Chrome(options, webdriver.ChromeService(shutil.which("chromedriver")))
    try:
        yield chrome
    finally:
        chrome.quit()


def draw_strokes(chrome: webdriver.Chrome, seconds: float) -> dict[str, object]:
    """Draws circles with the brush, and reads the speed that the page shows."""
    canvas = chrome.find_element(By.ID, "drawing")
    chrome.find_element(By.CSS_SELECTOR, "[data-tool=brush]").click()
    x, y, reach = (canvas.rect[side] for side in ("x", "y", "width"))
    first, began = int(frame(chrome)), time.monotonic()
    delays: list[float] = []
    mouse(chrome, "mousePressed", x + reach / 2, y + reach / 2)
    while (now := time.monotonic() - began) < seconds:
        mouse(chrome, "mouseMoved", x + reach * (0.5 + 0.3 * math.cos(now)), y + reach * (0.5 + 0.3 * math.sin(now)))
        delays.append(float(chrome.find_element(By.ID, "delay").text))
    frames = int(frame(chrome)) - first
    mouse(chrome, "mouseReleased", x, y)
    size = chrome.execute_script("const c = document.getElementById('drawing'); return `${c.width}x${c.height}`")
    return {"size": size, "frames a second": round(frames / seconds, 1), "delay, median ms": statistics.median(delays)}


def frame(chrome: webdriver.Chrome) -> str:
    """The number of the frame that is shown."""
    return chrome.execute_script("return document.body.dataset.frame")


def mouse(chrome: webdriver.Chrome, kind: str, x: float, y: float) -> None:
    """Moves or presses the mouse."""
    event = {"type": kind, "x": x, "y": y, "button": "left", "buttons": 1, "clickCount": 1}
    chrome.execute_cdp_cmd("Input.dispatchMouseEvent", event)


if __name__ == "__main__":
    with exit_with_message():
        main()
