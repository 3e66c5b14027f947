"""Drawing with the mouse, with keys and with fingers: what can be undone, and what is kept over a reload."""

import numpy as np
import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

from pix2pix.data.images.class_colours import CMP_FACADES
from tests.web.demo.conftest import Page, serving

MEASURE_SHIFT = """
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shift = (window.shift ?? 0) + entry.value;
}).observe({ type: "layout-shift", buffered: true });
"""


def target(page) -> np.ndarray:
    page.compare("With the target")
    return page.pixels("figure:nth-child(1) .over")


def test_a_step_back_brings_the_photo_its_target_and_what_the_eraser_restores(browser, photo_run):
    with serving(photo_run) as served:
        page = Page(browser, served.address)
        first, first_target = page.load_sample(0), target(page)
        second = page.load_sample(1)
        assert (second != first).any()
        assert (target(page) != first_target).any()
        page.press(Keys.CONTROL, "z")
        assert (page.pixels() == first).all()
        assert (page.pixels("figure:nth-child(1) .over") == first_target).all()
        page.click("#clear")
        assert not page.find("#over option[value=target]").is_enabled()
        page.press(Keys.CONTROL, "z")
        assert page.find("#over option[value=target]").is_enabled()
        page.click("[data-tool=rectangle]")
        page.stroke((0.2, 0.2), (0.8, 0.8))
        page.click("[data-tool=erase]")
        page.press("]")
        page.stroke((0.1, 0.5), (0.9, 0.5))
        height = len(first) // 2
        assert (page.pixels()[height] == first[height]).all()  # not the second photo, and no paper
        page.close()


def test_a_stroke_can_be_cancelled_and_a_step_back_ends_it(page):
    before = page.pixels()
    page.choose("shop")
    for keys in ((Keys.ESCAPE,), (Keys.CONTROL, "z")):
        page.stroke((0.2, 0.2), (0.6, 0.6), release=False)
        assert (page.pixels() != before).any()
        page.press(*keys)
        assert (page.pixels() == before).all()
        ActionChains(page.browser, duration=20).move_by_offset(20, 20).release().perform()
        assert (page.pixels() == before).all()
        assert not page.find("#undo").is_enabled()
    page.click("#noise")
    page.settle()
    seed = page.find("#seed").get_attribute("value")
    assert seed != "0"
    page.click("#undo")
    page.settle()
    assert page.find("#seed").get_attribute("value") == "0"
    page.click("#redo")
    assert page.find("#seed").get_attribute("value") == seed


def test_a_stroke_stops_the_camera_and_is_drawn_on_its_last_picture(browser, photo_run):
    with serving(photo_run) as served:
        page = Page(browser, served.address)
        page.click("#camera")
        page.until(lambda: page.find("#camera").get_attribute("aria-pressed") == "true")
        page.choose("green")
        page.click("[data-tool=rectangle]")
        page.stroke((0.2, 0.2), (0.8, 0.8))
        assert page.find("#camera").get_attribute("aria-pressed") == "false"
        page.wait_for_message("camera has stopped")
        assert page.colour(0.5, 0.5) == (0x3D, 0x9A, 0x50)
        page.close()


def test_a_drawing_outlives_a_reload_and_travels_in_a_link(page, demo):
    page.choose("door")
    page.stroke((0.2, 0.2), (0.8, 0.8))
    page.find("#seed").clear()
    page.find("#seed").send_keys("71", Keys.ENTER)
    page.settle()
    page.click("#theme")
    theme, drawn, translated = (
        page.script("return document.documentElement.dataset.theme"),
        page.pixels(),
        page.outputs(),
    )
    page.click("#link")
    page.wait_for_message("Link copied")
    link = page.browser.current_url
    assert len(link) < 1000
    page.reload()
    page.settle()
    assert (page.pixels() == drawn).all()
    assert page.find("#seed").get_attribute("value") == "71"
    assert page.find("#palette [aria-pressed=true]").text == "door"
    assert page.script("return document.documentElement.dataset.theme") == theme
    page.click("#clear")
    assert "#" not in page.browser.current_url  # it told of another drawing
    visitor = Page(page.browser, link)
    visitor.settle()
    assert (visitor.pixels() == drawn).all()
    assert all((a == b).all() for a, b in zip(visitor.outputs(), translated, strict=True))
    for damaged, reason in ((f"{link[:-9]}", "missing or damaged"), ("#seed=1&sample=77", "sample that is not here")):
        other = Page(page.browser, f"{demo.address}{damaged}" if damaged.startswith("#") else damaged)
        other.wait_for_message(reason)
        assert len(np.unique(other.pixels().reshape(-1, 3), axis=0)) > 2  # the first sample


def test_variations_are_shown_at_once_and_what_was_made_can_be_had_again(page):
    first = page.pixels()

    def wait_for_film(count: int) -> None:
        page.until(lambda: page.script("return document.querySelectorAll('#film button').length") == count)

    wait_for_film(1)  # what rests for a moment is kept
    page.click("#vary")
    variations = [f"#variations button:nth-child({number}) canvas" for number in range(1, 5)]
    page.until(
        lambda: page.script("return document.querySelector(arguments[0]).width", variations[3]) == first.shape[1]
    )
    page.settle()
    assert len({page.pixels(each).tobytes() for each in variations}) == 4
    third = page.pixels(variations[2])
    page.click(variations[2])
    page.settle()
    assert (page.outputs()[0] == third).all()
    wait_for_film(2)
    page.choose("shop")
    page.stroke((0.2, 0.2), (0.8, 0.8))
    wait_for_film(3)
    page.click("#film button:last-child")
    page.settle()
    assert (page.pixels() == first).all()
    assert page.find("#seed").get_attribute("value") == "0"


def test_the_page_is_used_with_the_keyboard_alone(page):
    body, canvas = page.find("body"), page.find("#drawing")
    page.click("#blank")
    body.send_keys("c")  # a label run has no camera
    assert page.find("#camera").get_attribute("aria-pressed") == "false"
    body.send_keys("r", "4")
    assert page.find("#palette [aria-pressed=true]").text == "door"
    canvas.send_keys(Keys.SPACE, *[Keys.RIGHT] * 3, *[Keys.DOWN] * 3, Keys.SPACE)  # a square of 7 pixels at the centre
    assert page.colour(0.6, 0.6) == CMP_FACADES["door"]
    drawn = page.pixels()
    body.send_keys("v")  # mark it from its last corner, and put a copy 12 pixels further up
    canvas.send_keys(Keys.SPACE, *[Keys.LEFT] * 3, *[Keys.UP] * 3, Keys.SPACE, Keys.SPACE, *[Keys.UP] * 6, Keys.SPACE)
    page.settle()
    copied = page.pixels()
    assert (copied[4:11, 16:23] == drawn[16:23, 16:23]).all()
    assert (copied[16:23] == drawn[16:23]).all()
    body.send_keys("m", "b", "1")
    canvas.send_keys(Keys.SPACE, Keys.RIGHT, Keys.SPACE)
    mirrored = page.pixels()
    assert (mirrored != copied).any()
    assert ((mirrored != copied).any(axis=2) == (mirrored[:, ::-1] != copied[:, ::-1]).any(axis=2)).sum() > 0
    body.send_keys("4", "i")
    canvas.send_keys(Keys.SPACE)  # picks the class under the pen
    assert page.find("#palette [aria-pressed=true]").text == "background"
    page.press(Keys.CONTROL, "z")
    body.send_keys("?")
    page.click("#letters")
    page.find("#keys").send_keys(Keys.ESCAPE)
    body.send_keys("e")
    assert page.find("[data-tool=erase]").get_attribute("aria-pressed") == "false"  # switched off
    page.press(Keys.CONTROL, "z")
    assert (page.pixels() == drawn).all()  # Ctrl is not


@pytest.fixture
def phone(page):
    """The page on a phone whose browser shows its bars."""
    size = {"width": 390, "height": 664, "deviceScaleFactor": 1, "mobile": True}
    page.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    page.browser.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": True, "maxTouchPoints": 2})
    script = page.browser.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": MEASURE_SHIFT})
    page.reload()
    yield page
    page.browser.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", script)
    page.browser.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": False})
    page.browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def touch(page, *fingers: list[tuple[float, float]]) -> None:
    """Moves fingers over the canvas, each through its places, in shares of the canvas."""
    box = page.script(
        "const b = document.querySelector('#stage').getBoundingClientRect(); return [b.x, b.y, b.width, b.height]"
    )

    def send(kind: str, step: int) -> None:
        points = (
            []
            if kind == "touchEnd"
            else [
                {"x": box[0] + finger[step][0] * box[2], "y": box[1] + finger[step][1] * box[3], "id": number}
                for number, finger in enumerate(fingers)
            ]
        )
        page.browser.execute_cdp_cmd("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    send("touchStart", 0)
    for step in range(1, len(fingers[0])):
        send("touchMove", step)
    send("touchEnd", 0)
    page.settle()


def test_the_page_is_used_with_fingers_on_a_phone(phone):
    boxes = {
        name: phone.find(name).rect
        for name in ("#stage", ".tools", "#palette", "#results .stage", "[data-tool=brush]", ".chip", "#noise", "#undo")
    }
    for name, box in boxes.items():
        assert box["y"] >= 0, name
        assert box["x"] + box["width"] <= 390, name
        assert box["y"] + box["height"] <= 664, name
    for name in ("[data-tool=brush]", ".chip", "#noise", "#undo"):
        assert min(boxes[name]["width"], boxes[name]["height"]) >= 44, name
    ends = [boxes[name]["y"] + boxes[name]["height"] for name in ("#results .stage", "#stage", ".tools")]
    assert all(end <= boxes[below]["y"] for end, below in zip(ends, ("#stage", ".tools", "#palette"), strict=True))
    assert (phone.script("return window.shift") or 0) < 0.1
    label, field = phone.find("#seed-choice span").rect, phone.find("#seed").rect
    assert label["width"] > 20
    assert field["y"] < label["y"] < field["y"] + field["height"] / 2
    phone.choose("blind")
    phone.click("[data-tool=brush]")
    touch(phone, [(0.2 + 0.1 * step, 0.5) for step in range(7)])
    assert phone.colour(0.6, 0.5) == CMP_FACADES["blind"]
    drawn = phone.pixels()
    apart = [(0.1 * step, 0.05 * step) for step in range(4)]
    touch(phone, [(0.4 - x, 0.5 - y) for x, y in apart], [(0.6 + x, 0.5 + y) for x, y in apart])
    assert (phone.pixels() == drawn).all()  # two fingers do not draw
    zoom = "return document.querySelector('#drawing').getBoundingClientRect().width / arguments[0]"
    assert phone.script(zoom, boxes["#stage"]["width"]) > 2
    phone.click("#whole")
    assert phone.script(zoom, boxes["#stage"]["width"]) == pytest.approx(1, abs=0.01)
    phone.click("figure .enlarge")
    assert phone.find("figure.large .stage").rect["width"] > 2 * boxes["#results .stage"]["width"]
    phone.click("figure.large .enlarge")
    phone.click("#shelf-button")
    assert (phone.load_sample(1) != drawn).any()
