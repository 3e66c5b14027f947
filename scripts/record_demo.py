"""Records the looping picture of the README: a facade is drawn in the real demo, and the building appears beside it.

python scripts/record_demo.py --output docs/images/demo.webp

The demo of the built-in translator runs on 127.0.0.1, and headless Chromium draws on it with a real mouse. One frame is
taken for each step of the mouse. Needs chromium and chromedriver.
"""

import argparse
import io
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image
from selenium import webdriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

# A screenshot does not hold the pointer of the mouse: the page gets an arrow that follows it.
ARROW = """
const arrow = document.createElement("div");
arrow.innerHTML = '<svg width="26" viewBox="0 0 16 16"><path d="M2 1 13 9H8l-3 5Z" fill="#fff" stroke="#000"/></svg>';
arrow.style = "position:fixed; left:-99px; pointer-events:none; z-index:99";
document.body.append(arrow);
addEventListener("pointermove", event => {
  arrow.style.left = `${event.clientX - 3}px`;
  arrow.style.top = `${event.clientY - 2}px`;
}, true);
"""
# The corners of the panel to draw on and of the panel of the translation, side by side.
CORNERS = """
const [drawing, translation] = ["#drawing", ".output"].map(
  name => document.querySelector(name).closest("section").getBoundingClientRect());
return [drawing.left, drawing.top, translation.right, Math.max(drawing.bottom, translation.bottom)];
"""
Stroke = tuple[str, float, float, float, float]  # class, left, top, right, bottom in shares of the canvas


def plan_facade() -> Iterator[Stroke]:
    """The rectangles of a house with four storeys, in the order in which a person might draw them."""
    yield "facade", 0.08, 0.10, 0.92, 0.96
    yield "cornice", 0.05, 0.08, 0.95, 0.13
    columns = (0.14, 0.30, 0.46, 0.62, 0.78)
    for top in (0.19, 0.37, 0.55):
        yield from (("window", left, top, left + 0.085, top + 0.115) for left in columns)
    yield "balcony", 0.12, 0.455, 0.885, 0.495
    yield "molding", 0.08, 0.71, 0.92, 0.735
    yield "door", 0.45, 0.77, 0.56, 0.96
    yield "shop", 0.11, 0.77, 0.41, 0.955
    yield "shop", 0.60, 0.77, 0.89, 0.955


def main() -> None:
    """Serves, draws, records and writes the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=Path("docs/images/demo.webp"), help="The file to write.")
    parser.add_argument("--width", type=int, default=960, help="Width of the picture in pixels.")
    arguments = parser.parse_args()
    with serve_demo() as address, open_browser() as browser:
        browser.get(address)
        frames = list(record(browser, arguments.width))
    # each frame stays for 70 ms, the finished house for three seconds
    durations = [70] * (len(frames) - 1) + [3000]
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    frames[0].save(
        *(arguments.output, "WEBP"),
        save_all=True, append_images=frames[1:], duration=durations, loop=0, quality=80, method=6,
    )  # fmt: skip
    print(f"{arguments.output}: {len(frames)} frames, {arguments.output.stat().st_size / 1e6:.1f} MB")


@contextmanager
def serve_demo() -> Iterator[str]:
    """The address at which `pix2pix demo` serves the built-in translator."""
    command = [Path(sys.executable).with_name("pix2pix"), "demo", "--no-browser"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, encoding="utf-8")
    try:
        assert process.stdout
        yield next(line.split()[0] for line in process.stdout if line.startswith("http"))
    finally:
        process.terminate()
        process.wait()


@contextmanager
def open_browser() -> Iterator[webdriver.Chrome]:
    """Headless Chromium with an empty profile."""
    options = webdriver.ChromeOptions()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        for flag in ("--headless", "--no-sandbox", "--window-size=1300,900", f"--user-data-dir={profile}"):
            options.add_argument(flag)
        browser = webdriver.Chrome(options)
        try:
            yield browser
        finally:
            browser.quit()


def record(browser: webdriver.Chrome, width: int) -> Iterator[Image.Image]:
    """Draws the facade on an empty canvas; yields the frames."""
    wait_until_translated(browser)
    browser.execute_script(ARROW)
    browser.execute_script("document.querySelector('#status').hidden = true")  # what the page says lies over the canvas
    browser.find_element(By.CSS_SELECTOR, "#clear").click()
    browser.find_element(By.CSS_SELECTOR, "[data-tool=rectangle]").click()
    wait_until_translated(browser)
    yield take_frame(browser, width)
    for name, *places in plan_facade():
        browser.find_element(By.CSS_SELECTOR, f"#palette [title='{name}']").click()
        # a large rectangle is dragged in more steps than a window
        steps = 2 + round(6 * abs(places[2] - places[0]))
        for left_to_go in drag(browser, *places, steps=steps):
            if not left_to_go:
                wait_until_translated(browser)
            yield take_frame(browser, width)


def drag(browser: webdriver.Chrome, left: float, top: float, right: float, bottom: float, steps: int) -> Iterator[int]:
    """Drags the mouse from corner to corner; yields after each step how many are left."""
    canvas = browser.find_element(By.CSS_SELECTOR, "#drawing")
    width, height = canvas.size["width"], canvas.size["height"]
    for step in range(steps + 1):
        x, y = (left + (right - left) * step / steps - 0.5, top + (bottom - top) * step / steps - 0.5)
        chain = ActionChains(browser, duration=10).move_to_element_with_offset(canvas, int(x * width), int(y * height))
        chain = chain.click_and_hold() if step == 0 else chain.release() if step == steps else chain
        chain.perform()
        if step:
            yield steps - step


def wait_until_translated(browser: webdriver.Chrome) -> None:
    """Returns when the translation of the last change is on the screen."""
    script = "return (document.body.dataset.frame ?? 0) > 0 && !document.body.classList.contains('busy')"
    WebDriverWait(browser, 60, 0.02).until(lambda _: browser.execute_script(script))


def take_frame(browser: webdriver.Chrome, width: int) -> Image.Image:
    """The panel to draw on and the panel of the translation, as they are on the screen."""
    screen = Image.open(io.BytesIO(browser.get_screenshot_as_png())).convert("RGB")
    left, top, right, bottom = browser.execute_script(CORNERS)
    part = screen.crop((int(left) - 4, int(top) - 4, int(right) + 4, int(bottom) + 4))
    return part.resize((width, round(width * part.height / part.width)), Image.Resampling.LANCZOS)


if __name__ == "__main__":
    main()
